"""What holds for every comparison, and those that are given trees."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_field import TREE, tone_field, tone_session, tone_table
from small_tables import PAPER_TASKS, paper_table

from synergy.comparisons import COMPARISONS, Contender, Field
from synergy.comparisons.partitions import divided_tree, even_divisions
from synergy.comparisons.random_tree import random_tree
from synergy.errors import ShortfallError
from synergy.records import Chance, ComparisonsFile
from synergy.rows import Scores
from synergy.stages.compare import compare
from synergy.synthesis import ARTable, Cell, Question, search, task_graph
from synergy.tree import SharingTree
from synergy.workspace import PairTable

KEEP_BUDGET = ("lth", "lt4rec", "treemtl", "rsa", "tag", "random")
FREE = ("tag, free",)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    session = tone_session(tmp_path_factory.mktemp("field"))
    return tone_field(session, tone_table(session))


@pytest.fixture(scope="module")
def entered(field: Field) -> dict[str, Sequence[Contender]]:
    """The contenders of every comparison, asked for the first time."""
    return {name: found(field) for name, found in COMPARISONS.items()}


# -- the contract -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPARISONS)
def test_contract(field: Field, entered: dict[str, Sequence[Contender]], name: str) -> None:
    comparison, contenders = COMPARISONS[name], entered[name]
    assert contenders
    seeds = field.experiment.config.all_seeds
    for contender in contenders:
        assert [{t.seed for t in of_seed} for of_seed in contender.trials] == [{s} for s in seeds]
        for of_seed in contender.trials:
            assert sorted(t for trial in of_seed for t in trial.tree.tasks) == sorted(field.tasks)
        assert 0 < contender.params <= contender.stored_params
        assert contender.macs > 0
        assert contender.search_seconds >= 0
        assert "\n" not in contender.note
        if name in KEEP_BUDGET and contender.name.removesuffix(", distilled") not in FREE:
            assert contender.params <= field.max_params
    # asked again it names the same and trains nothing
    before = field.session.trained
    assert list(comparison(field)) == list(contenders)
    assert field.session.trained == before


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_model_is_entered_without_and_with_teachers(
    field: Field, entered: dict[str, Sequence[Contender]], name: str
) -> None:
    found = {contender.name: contender for contender in entered[name]}
    plain = [each for each in found if not each.endswith(", distilled")]
    assert sorted(found) == sorted([*plain, *(f"{each}, distilled" for each in plain)])
    for each in plain:
        ours, taught = found[each], found[f"{each}, distilled"]
        assert (ours.params, ours.macs, ours.masked) == (taught.params, taught.macs, taught.masked)
        assert taught.search >= field.baseline_digests
        for one, other in zip(ours.trials, taught.trials, strict=True):
            assert [t.tree for t in one] == [t.tree for t in other]
            assert not any(trial.teachers for trial in one)
            for trial in other:
                alone = field.experiment.trials(map(field.experiment.alone, trial.tree.tasks))
                assert trial.distillation == field.experiment.config.distillation
                assert {d for known in trial.teachers.values() for d in known} == {
                    teacher.digest for teacher in alone
                }


def test_names_tell_contenders_apart(entered: dict[str, Sequence[Contender]]) -> None:
    names = [contender.name for found in entered.values() for contender in found]
    assert len(set(names)) == len(names)


def test_the_order_is_that_of_the_table() -> None:
    first, *_, last_but_one, last = COMPARISONS
    assert (first, last_but_one, last) == ("independent", "recursive", "exact")


# -- what a line took -------------------------------------------------------------------------


def test_the_field_knows_what_the_table_rests_on(field: Field) -> None:
    assert field.max_params == field.experiment.costs.params(TREE)
    assert len(field.baseline_digests) == 3 * 2
    assert len(field.table_digests) == 3 * 2 + 6 * 2


def test_searches_are_counted(field: Field, entered: dict[str, Sequence[Contender]]) -> None:
    found = {contender.name: contender for named in entered.values() for contender in named}
    assert found["independent"].search == found["flat, 4 shared"].search == frozenset()
    assert found["random"].search == frozenset()
    for name in ("independent", "null control", "flat, 4 shared", "random"):
        assert found[f"{name}, distilled"].search == field.baseline_digests
    assert found["rsa"].search == field.baseline_digests
    for name in ("recursive", "recursive, distilled", "exact", "treemtl"):
        assert found[name].search == field.table_digests
    assert len(found["tag"].search) == 2  # a joint training with each seed
    assert found["tag"].search_seconds > 0
    assert not found["tag"].search & field.table_digests
    assert found["tag, free"].search == found["tag"].search


def test_the_control_of_a_distilled_tree_shares_nothing_and_sees_all_corpora(field: Field) -> None:
    alone, _, null, control = COMPARISONS["independent"](field)
    assert {t.digest for of_seed in alone.trials for t in of_seed} == field.baseline_digests
    (trial,) = control.trials[0]
    assert trial.tree == SharingTree.flat(field.tasks, 0, 8)
    assert set(trial.teachers) == set(field.tasks)
    # trained for the table already, as everybody's null control
    store = field.session.workspace.trials
    assert [store.is_done(t.digest) for (t,) in null.trials] == [True] * len(null.trials)
    assert null.params == control.params == alone.params


def test_an_estimate_from_pairs_needs_all_of_them(field: Field) -> None:
    first, *others = field.table.cells
    holes = [Cell.skipped(*first.key, "not needed"), *others]
    without = replace(field, table=ARTable.from_cells(holes))
    with pytest.raises(ShortfallError, match="found 1 of 6 skipped; run `synergy pairwise"):
        COMPARISONS["treemtl"](without)


@pytest.mark.parametrize("name", ["lth", "lt4rec"])
def test_masks_and_teachers_go_together(
    field: Field, entered: dict[str, Sequence[Contender]], name: str
) -> None:
    _, taught = entered[name]
    trials = [trial for (trial,) in taught.trials]
    assert all(trial.pruning and trial.distillation for trial in trials)
    results = field.session.train(name, trials, test=True)
    assert not results.errors
    assert max(found.params for found in results.done.values()) == taught.params
    assert all(found.scores.keys() == {"valid", "test"} for found in results.done.values())


def test_chance_is_of_every_plain_model_once(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Scores, list[Scores], int]] = []

    def chance(
        alone: Scores, together: Iterable[Scores], seeds: int, folds: int
    ) -> dict[str, Chance]:
        assert folds == 1
        asked.append((alone, list(together), seeds))
        return {"valid": Chance(median=len(asked), high=10.0)}

    monkeypatch.setattr("synergy.stages.compare.chance", chance)
    table = PairTable(field.table, field.session.workspace.table_files("plain").table, "plain")
    session = field.session
    shared, _ = compare(session, table, ["flat", "exact"])
    plain = [row for row in shared.rows if not row.distilled]
    of_one_tree = [row for row in plain if row.name in ("recursive", "exact")]
    assert [row.digests for row in of_one_tree] == [of_one_tree[0].digests] * 2
    once = [row.scores for row in plain if row.name != "exact"]
    # what other commands measured counts, too
    more, _ = compare(session, table, ["independent"])
    null = next(row.scores for row in more.rows if row.name == "null control")
    alone = field.bench.singles.scores
    assert asked == [(alone, once, 2), (alone, [null, *once], 2)]
    assert more.chance == {"valid": Chance(median=2.0, high=10.0)}
    kept = ComparisonsFile.read(session.workspace.comparisons)
    assert kept is not None and kept.chance == more.chance


# -- trees ------------------------------------------------------------------------------------


def trees_of(name: str, field: Field) -> dict[str, SharingTree]:
    found = {c.name: c.trials[0][0].tree for c in COMPARISONS[name](field)}
    return {each: tree for each, tree in found.items() if not each.endswith(", distilled")}


def test_flat_models_of_every_swept_depth(field: Field) -> None:
    assert trees_of("flat", field) == {
        f"flat, {shared} shared": SharingTree.flat(field.tasks, shared, 8) for shared in (4, 8)
    }


@pytest.mark.parametrize("solver", ["recursive", "exact"])
def test_ours_is_the_tree_of_the_table(field: Field, solver: str) -> None:
    assert set(trees_of(solver, field).values()) == {TREE}


def test_divisions_of_three_tasks(field: Field) -> None:
    found = {
        name: tree.notation(field.tasks) for name, tree in trees_of("partitions", field).items()
    }
    assert found == {
        "division {gc,scr},{vad}": "{{gc,scr}@8,vad}@4",
        "division {gc,vad},{scr}": "{gc,scr,vad}@4",
        "division {gc},{scr,vad}": "{gc,scr,vad}@4",
        "division {gc},{scr},{vad}": "{gc,scr,vad}@4",
    }


def test_divisions_of_the_papers_table() -> None:
    graph = task_graph(paper_table(), Question(max_ar=2.0))
    weights = dict(zip(map(frozenset, graph.pairs()), graph.weights, strict=True))
    found = [
        divided_tree(division, weights, 8).notation(PAPER_TASKS)
        for division in even_divisions(PAPER_TASKS)
    ]
    # table 4 of the paper has these three, with 52.6, 60.7 and 56.6 thousand parameters
    assert found == [
        "{{gc,ac}@8,{scr,vad}@8}@6",
        "{{gc,scr}@8,ac,vad}@6",
        "{{gc,vad}@8,{ac,scr}@7}@6",
    ]


@pytest.mark.parametrize(
    ("count", "divisions"), [(2, 1), (3, 4), (4, 3), (5, 10), (6, 10), (7, 35)]
)
def test_even_divisions(count: int, divisions: int) -> None:
    tasks = [f"t{number}" for number in range(count)]
    found = even_divisions(tasks)
    assert len(found) == len(set(found)) == divisions
    for division in found:
        assert sorted(task for part in division for task in part) == tasks
    if count != 3:
        assert {abs(len(one) - len(other)) for one, other in found} <= {0, 1}


# -- random trees -----------------------------------------------------------------------------


@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 10**6))
def test_random_trees_are_trees_of_the_tasks(count: int, depth: int, seed: int) -> None:
    tasks = [f"t{number}" for number in range(count)]
    tree = random_tree(tasks, depth, random.Random(seed))
    assert list(tree.tasks) == tasks
    assert tree.depth == depth
    assert tree == random_tree(tasks, depth, random.Random(seed))


def test_every_tree_can_be_drawn() -> None:
    draw = random.Random(0)
    drawn = {random_tree("abc", 5, draw) for _ in range(3000)}
    assert len(drawn) == 51


def test_the_random_tree_is_the_nearest_from_below(field: Field) -> None:
    contender, _ = COMPARISONS["random"](field)
    costs = field.experiment.costs
    sizes = {
        costs.params(tree)
        for a, b, c in itertools.permutations(field.tasks)
        for outer in range(9)
        for inner in range(outer, 9)
        for tree in [SharingTree.parse(f"{{{{{a},{b}}}@{inner},{c}}}@{outer}", 8)]
        if tree != TREE
    }
    # the sample is larger than the 117 trees that there are
    assert contender.params == max(size for size in sizes if size <= field.max_params)
    assert contender.trials[0][0].tree != TREE


def test_no_random_tree_is_smaller_than_the_smallest(field: Field) -> None:
    smallest = replace(field, tree=SharingTree.flat(field.tasks, 8, 8))
    with pytest.raises(ShortfallError, match="expected another tree of at most"):
        COMPARISONS["random"](smallest)


def test_the_seed_decides_the_random_tree(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    few: list[Contender] = []
    monkeypatch.setattr("synergy.comparisons.random_tree.SAMPLE", 8)
    for seed in range(6):
        monkeypatch.setattr("synergy.comparisons.random_tree.SEED", seed)
        few += COMPARISONS["random"](field)
    assert len({contender.trials[0][0].tree for contender in few}) > 1


def test_the_fields_tree_is_what_the_solver_finds(field: Field) -> None:
    found = search(Question(max_ar=60.0), field.table, field.experiment.costs)
    assert found.tree == field.tree

"""The comparison as a stage and as a command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_cli import Ran, content, synergy
from small_field import TREE, tone_session, tone_table
from small_files import values, write_table

from synergy.comparisons import COMPARISONS
from synergy.errors import ConfigError, TrainingError
from synergy.experiment import Recipe
from synergy.records import ComparedRow, ComparisonsFile
from synergy.running.jobs import TrialJob
from synergy.running.probes import Probe
from synergy.running.session import Session
from synergy.stages.compare import check_methods, compare
from synergy.synthesis import ARTable, accuracy_reduction
from synergy.tree import SharingTree
from synergy.workspace import PairTable

CHEAP = [name for name in COMPARISONS if name not in ("lth", "lt4rec", "exact")]
SERIAL = ("--executor", "serial")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, ARTable]:
    """A session after stage two, with one seed; the table is in its workspace."""
    session = tone_session(tmp_path_factory.mktemp("compare"), seeds=1)
    table = tone_table(session)
    write_table(session.workspace.folder, table)
    return session, table


@pytest.fixture(scope="module")
def ran(trained: tuple[Session, ARTable]) -> Ran:
    """The command over all methods that are quick."""
    folder = trained[0].workspace.folder
    return synergy("compare", "--workspace", folder, "--methods", ",".join(CHEAP), *SERIAL)


@pytest.fixture
def session(trained: tuple[Session, ARTable], tmp_path: Path) -> Session:
    """A copy of the trained session."""
    before = trained[0]
    folder = shutil.copytree(before.workspace.folder, tmp_path / "workspace")
    return replace(before, workspace=type(before.workspace)(Path(folder)))


def written(session: Session) -> Mapping[str, Any]:
    return values(session.workspace.comparisons)


def written_note(session: Session, name: str) -> str:
    (row,) = [row for row in written(session)["rows"] if row["name"] == name]
    return row["note"]


def rows_of(session: Session, table: ARTable, *methods: str) -> dict[str, ComparedRow]:
    return {row.name: row for row in compared(session, table, *methods).rows}


def compared(session: Session, table: ARTable, *methods: str) -> ComparisonsFile:
    found = PairTable(table, session.workspace.table_files("plain").table, "plain")
    return compare(session, found, methods)[0]


# -- the command ------------------------------------------------------------------------------


def test_every_method_has_its_lines(ran: Ran, trained: tuple[Session, ARTable]) -> None:
    assert ran.code == 0, ran.err
    rows = written(trained[0])["rows"]
    assert list(dict.fromkeys(row["method"] for row in rows)) == CHEAP
    assert [row["error"] for row in rows] == [None] * len(rows)
    for row in rows:
        assert any(line.startswith(f"{row['name']} valid ") for line in ran.table)
        assert any(line.startswith(f"{row['name']} test ") for line in ran.table)
    assert "model params with masks of independent MACs/s trainings time tree" in ran.table
    for word in ("Masks save no MACs", "validation alone", "Trainings counts"):
        assert word in ran.out
    assert "{{gc,scr}@8,vad}@4, the recursion's tree at a threshold of 60 %" in ran.out


def test_numbers_follow_from_the_trials(ran: Ran, trained: tuple[Session, ARTable]) -> None:
    assert ran.code == 0
    session, _ = trained
    store = session.workspace.trials
    document = written(session)
    assert document["max_params"] == session.experiment.costs.params(TREE)
    rows = {row["name"]: row for row in document["rows"]}
    alone = rows["independent"]
    assert alone["ar_pct"] == alone["ar_low"] == alone["ar_high"] == {"valid": 0.0, "test": 0.0}
    assert alone["share_pct"] == 100.0
    for row in rows.values():
        assert row["stored_params"] == row["params"]
        assert row["share_pct"] == pytest.approx(100 * row["params"] / alone["params"])
        results = [store.result(digest) for digest in row["digests"]]
        for split in ("valid", "test"):
            of_trial = {t: s for r in results for t, s in r.scores[split].items()}
            assert row["scores"][split] == {task: [s] for task, s in of_trial.items()}
            assert row["mean_scores"][split] == of_trial
            expected = accuracy_reduction(alone["mean_scores"][split], of_trial)
            assert row["ar_pct"][split] == pytest.approx(expected)
            assert row["ar_low"][split] <= row["ar_high"][split]
    assert rows["recursive"]["notation"] == TREE.notation(document["tasks"])
    assert alone["notation"] is None


def test_differences_of_ar_are_paired(ran: Ran, trained: tuple[Session, ARTable]) -> None:
    assert ran.code == 0
    rows = {row["name"]: row for row in written(trained[0])["rows"]}
    nothing = {"ar_pct": 0.0, "ar_low": 0.0, "ar_high": 0.0}
    plain, taught = rows["recursive"], rows["recursive, distilled"]
    for split in ("valid", "test"):
        for name, row in (("tree", plain), ("tree, distilled", taught)):
            assert row["above"][name][split] == nothing
            for other in rows.values():
                found = other["above"][name][split]
                expected = other["ar_pct"][split] - row["ar_pct"][split]
                assert found["ar_pct"] == pytest.approx(expected)
                assert found["ar_low"] <= found["ar_high"]
            # an AR of 0 in every resampled split
            alone = rows["independent"]["above"][name][split]
            assert alone["ar_low"] == pytest.approx(-row["ar_high"][split])
            assert alone["ar_high"] == pytest.approx(-row["ar_low"][split])
        one, other = plain["above"]["tree, distilled"][split], taught["above"]["tree"][split]
        assert one["ar_low"] == pytest.approx(-other["ar_high"])
        assert one["ar_high"] == pytest.approx(-other["ar_low"])
    assert "AR above that of the tree, %" in ran.out


def test_one_seed_tells_nothing_of_chance(ran: Ran, trained: tuple[Session, ARTable]) -> None:
    assert ran.code == 0
    assert written(trained[0])["chance"] == {}
    assert "Chance" not in ran.out


def test_trainings_are_counted_once(ran: Ran, trained: tuple[Session, ARTable]) -> None:
    assert ran.code == 0
    rows = {row["name"]: row for row in written(trained[0])["rows"]}
    counts = {name: row["trainings"] for name, row in rows.items()}
    assert counts["independent"] == 3
    assert counts["independent, distilled"] == 3 + 3
    assert counts["flat, 4 shared"] == counts["random"] == counts["null control"] == 1
    assert counts["flat, 4 shared, distilled"] == counts["null control, distilled"] == 3 + 1
    assert (
        counts["recursive"] == counts["treemtl"] == counts["division {gc,scr},{vad}"] == 3 + 6 + 1
    )
    assert counts["recursive, distilled"] == 3 + 6 + 1  # the teachers are in the table already
    assert counts["rsa"] == 3 + 1
    assert counts["tag"] == counts["tag, free"] == 1 + 1
    assert counts["tag, distilled"] == 3 + 1 + 1
    store = trained[0].workspace.trials
    seconds = sum(store.result(digest).seconds for digest in rows["independent"]["digests"])
    assert rows["independent"]["seconds"] == pytest.approx(seconds)
    assert rows["rsa"]["seconds"] > seconds


def test_a_table_that_came_without_its_trainings_took_them_all_the_same(
    session: Session, trained: tuple[Session, ARTable]
) -> None:
    before = rows_of(session, trained[1], "recursive")["recursive"]
    store = session.workspace.trials
    for digest in store.done():
        if len(store.trial(digest).tasks) == 2:
            shutil.rmtree(store.path(digest))
    after = rows_of(session, trained[1], "recursive")["recursive"]
    assert after.trainings == before.trainings == 3 + 6 + 1
    assert (after.scores, after.ar_pct) == (before.scores, before.ar_pct)


def test_the_same_command_again_trains_nothing(ran: Ran, trained: tuple[Session, ARTable]) -> None:
    folder = trained[0].workspace.folder
    before = content(folder)
    again = synergy("compare", "--workspace", folder, "--methods", ",".join(CHEAP), *SERIAL)
    assert again.err.splitlines()[-1].startswith("nothing to train")
    assert again.out == ran.out
    assert content(folder) == before


def test_json_is_the_document_of_the_workspace(ran: Ran, trained: tuple[Session, ARTable]) -> None:
    assert ran.code == 0
    folder = trained[0].workspace.folder
    chosen = ("--methods", "flat, independent", "--json")
    document = dict(synergy("compare", "--workspace", folder, *chosen, *SERIAL).json)
    assert document.pop("trained") == 0
    kept = dict(written(trained[0]))
    chosen = ("flat", "independent", "recursive")  # our own tree is always among them
    rows = [row for row in kept.pop("rows") if row["method"] in chosen]
    assert document == {**kept, "rows": rows}
    assert [row["method"] for row in document["rows"]] == [
        *["independent"] * 4,
        *["flat"] * 4,
        *["recursive"] * 2,
    ]
    synergy("compare", "--workspace", folder, "--methods", ",".join(CHEAP), *SERIAL)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--methods", "flat,treemlt"), "found 'treemlt'; did you mean 'treemtl'?"),
        (("--methods", "LTH,flat"), "found 'LTH'"),
        (("--methods", "flat,"), "found ''"),
        (("--max-ar", "-1"), "--max-ar: "),
        (("--executor", "serail"), "did you mean 'serial'?"),
    ],
)
def test_bad_options(trained: tuple[Session, ARTable], arguments: Any, sentence: str) -> None:
    found = synergy("compare", "--workspace", trained[0].workspace.folder, *arguments)
    assert found.code == 2
    assert found.out == ""
    assert found.err.splitlines()[-1].startswith("error: ")
    assert sentence in found.err.splitlines()[-1]


def test_a_workspace_without_a_table(tmp_path: Path) -> None:
    found = synergy("compare", "--workspace", tmp_path / "none")
    assert found.code == 2
    assert "run `synergy pairwise --workspace" in found.err
    assert not (tmp_path / "none").exists()


# -- what goes wrong --------------------------------------------------------------------------


def test_methods_come_in_the_order_of_the_registry() -> None:
    assert list(check_methods(["tag", "flat", "flat"])) == ["flat", "tag", "recursive"]
    assert list(check_methods([])) == list(COMPARISONS)
    with pytest.raises(ConfigError, match=r"found 'x'.*found 'y'"):
        check_methods(["x", "flat", "y"])
    with pytest.raises(ConfigError, match="json:JSONDecoder: expected a function"):
        check_methods(["json:JSONDecoder"])


def test_a_contender_that_fails_is_a_line_with_its_reason(
    session: Session, trained: tuple[Session, ARTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrialJob.run

    def fail(job: TrialJob, inputs: Any, report: Any) -> Any:
        if job.trial.distillation is not None and len(job.trial.tree.tasks) > 1:
            raise TrainingError("the loss of gc became nan")
        return run(job, inputs, report)

    monkeypatch.setattr(TrialJob, "run", fail)
    for digest in session.workspace.trials.done():
        if session.workspace.trials.trial(digest).distillation:
            shutil.rmtree(session.workspace.trials.path(digest))
    rows = rows_of(session, trained[1], "independent", "recursive")
    assert {name: row.error for name, row in rows.items()} == {
        "independent": None,
        "independent, distilled": None,
        "null control": None,
        "null control, distilled": "the loss of gc became nan",
        "recursive": None,
        "recursive, distilled": "the loss of gc became nan",
    }
    assert not rows["recursive, distilled"].scores
    saved = written(session)["rows"][-1]
    assert saved["error"] == "the loss of gc became nan"
    assert saved["ar_pct"] == saved["mean_scores"] == {}


def test_a_probe_that_fails_is_the_end_of_its_method_only(
    session: Session, trained: tuple[Session, ARTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(probe: Probe, inputs: Any, report: Any) -> None:
        raise TrainingError(f"{probe.label} diverged")

    shutil.rmtree(session.workspace.folder / "probes", ignore_errors=True)
    monkeypatch.setattr(Probe, "run", fail)
    rows = rows_of(session, trained[1], "tag", "recursive", "rsa")
    assert rows["tag"].error == "affinities of tasks: tag diverged"
    assert rows["tag"].params is None
    assert rows["rsa"].error == "similarity of single-task models: rsa diverged"
    assert rows["recursive"].error is None
    monkeypatch.undo()
    assert rows_of(session, trained[1], "tag")["tag"].error is None


def test_a_damaged_probe_is_measured_anew(
    session: Session, trained: tuple[Session, ARTable]
) -> None:
    first = rows_of(session, trained[1], "rsa")["rsa"]
    (file,) = (session.workspace.folder / "probes").glob("rsa-*.json")
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    again = rows_of(session, trained[1], "rsa")["rsa"]
    assert again.notation == first.notation
    assert json.loads(file.read_text())["result"] == json.loads(text)["result"]


def test_a_method_without_a_contender_is_a_line_too(
    session: Session, trained: tuple[Session, ARTable]
) -> None:
    table = ARTable.from_cells(replace(cell, ar_pct=0.0) for cell in trained[1].cells)
    found = compared(session, table, "random", "flat")
    names = [
        *("flat, 4 shared", "flat, 4 shared, distilled"),
        *("flat, 8 shared", "flat, 8 shared, distilled"),
        *("random", "recursive", "recursive, distilled"),
    ]
    assert [row.name for row in found.rows] == names
    failed = found.rows[4]
    assert (failed.error or "").startswith("expected another tree of at most")
    assert failed.ar_pct == {}
    write_table(session.workspace.folder, table)
    ran = synergy(
        "compare", "--workspace", session.workspace.folder, "--methods", "random,flat", *SERIAL
    )
    assert ran.code == 0
    assert any(line.startswith("failed: random: expected another tree") for line in ran.table)


def test_lines_of_other_methods_stay_while_the_terms_are_the_same(
    session: Session, trained: tuple[Session, ARTable]
) -> None:
    table = trained[1]
    session.workspace.comparisons.unlink(missing_ok=True)
    compared(session, table, "independent")
    compared(session, table, "flat")
    methods = [row["method"] for row in written(session)["rows"]]
    assert methods[0] == "independent" and set(methods) == {"independent", "flat", "recursive"}
    compared(session, table, "flat")
    assert [row["method"] for row in written(session)["rows"]] == methods
    config = session.experiment.config
    longer = {**config.training.model_dump(), "epochs": 2}
    for other in (config.with_options(training=longer), config.with_options(max_ar=33.0)):
        moved = replace(session, experiment=replace(session.experiment, config=other))
        compared(session, table, "independent", "flat")
        compared(moved, table, "flat")
        assert {row["method"] for row in written(session)["rows"]} == {"flat", "recursive"}


@pytest.mark.parametrize("distilled", [False, True])
def test_a_delivered_tree_is_compared_where_it_is_another(
    session: Session, trained: tuple[Session, ARTable], distilled: bool
) -> None:
    tried = [TREE, SharingTree.parse("{{gc,scr}@4,vad}@4", 8)]
    experiment = session.experiment
    digests = [experiment.trial(tried[1], 0, Recipe(distilled=distilled)).digest]
    summary = {
        "synthesis": {
            "tree": tried[1].to_json(),
            "notation": tried[1].notation(),
            "encoder_params": 1,
            "predicted_ar_pct": 0.0,
            "max_ar": experiment.config.max_ar,
            "table": str(session.workspace.table_files("plain").table),
        },
        "attempts": [{"notation": t.notation(), "distilled": distilled} for t in tried],
        "rows": [{"name": "tree", "distilled": distilled, "digests": digests}],
    }
    file = session.workspace.summary
    file.write_text(json.dumps(summary))
    rows = rows_of(session, trained[1], "recursive", "exact")
    name = "delivered, distilled" if distilled else "delivered"
    assert list(rows) == [
        *("recursive", "recursive, distilled", name),
        *("exact", "exact, distilled"),
    ]
    assert rows[name].notation == tried[1].notation(trained[1].tasks)
    assert rows[name].trainings == 3 + 6 + 2  # the tree that missed was trained as well
    assert not rows[name].error
    assert "tree 2 of 2 that were trained" in written_note(session, name)
    # a tree of other settings, one that needed no repair, and a damaged file
    other = {"name": "tree", "distilled": distilled, "digests": ["other"]}
    for change in ({"rows": [other]}, {"rows": []}):
        file.write_text(json.dumps({**summary, **change}))
        assert name not in rows_of(session, trained[1], "recursive")
    others = {"tree": TREE.to_json()}, {"max_ar": 1.0}, {"table": "ar_table_distilled.csv"}
    for other in others:
        found = {**summary["synthesis"], **other}
        file.write_text(json.dumps({**summary, "synthesis": found}))
        assert name not in rows_of(session, trained[1], "recursive")
    file.write_text(json.dumps({**summary, "synthesis": {}}))
    assert name not in rows_of(session, trained[1], "recursive")
    file.write_text("{")
    assert name not in rows_of(session, trained[1], "recursive")

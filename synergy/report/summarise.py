"""From the files of a workspace to the numbers of its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, stdev

from synergy import __version__
from synergy.costs import Costs
from synergy.errors import SynergyError, WorkspaceError
from synergy.report.numbers import (
    Baseline,
    CellNumbers,
    CorpusOrigin,
    FinalTree,
    MissingPart,
    Numbers,
    Provenance,
    Sizes,
    TableNumbers,
)
from synergy.report.sources import Sources
from synergy.report.trainings import Trainings
from synergy.report.trees import stability_of, trees_of, weights_of
from synergy.rows import Row
from synergy.synthesis import ARTable
from synergy.synthesis.question import TableKind
from synergy.tree import SharingTree
from synergy.wording import NOT_FINAL, REPORTED
from synergy.workspace import PairTable, Workspace

_TRAININGS = ("one task", "a pair", "more tasks")
_OF_CELL = frozenset(CellNumbers.model_fields)
# Of what would make a page that no browser shows.
_MOST_CELLS = 16_000
_MOST_CURVES = 500  # cells whose trainings are drawn


def summarise(workspace: Workspace) -> Numbers:
    """Everything that a report says about a workspace, as its files have it.

    Raises
    ------
    WorkspaceError, TableError
        As `Sources`.
    """
    sources = Sources(workspace)
    tasks, tree = _tasks(sources), sources.tree
    main = sources.tables[sources.main_table] if sources.main_table else None
    covered = main.table.tasks if main else tasks
    costs = _costs(sources, list(dict.fromkeys([*covered, *(tree.tree.tasks if tree else ())])))
    max_ar = tree.max_ar if tree else sources.config.max_ar if sources.config else None
    trees, obstacle, stability = None, "", None
    if main:
        try:
            trees = trees_of(main.table, costs, tree, max_ar or 0.0, covered)
        except SynergyError as error:  # such as names that no tree can hold
            obstacle = str(error)
    of_the_table = tree is None or tree.confidence is None
    if main and main.samples and trees and max_ar is not None and of_the_table:
        stability = stability_of(main.samples, costs, trees, max_ar)
    trainings = Trainings(sources, tasks)
    summary, comparisons = sources.summary, sources.comparisons
    rows = summary.rows if summary else ()
    final = _final(sources, costs, rows, tasks)
    frontier = sources.frontier.frontier if sources.frontier else ()
    return Numbers(
        tasks=tasks,
        max_ar=max_ar,
        caveat=NOT_FINAL if sources.config and sources.config.schedule == "quick" else "",
        final=final,
        tables=tuple(
            _table(found, sources, trainings, max_ar)
            for found in sorted(sources.tables.values(), key=lambda found: found is not main)
        ),
        sizes=Sizes(
            blocks=costs.block_params,
            heads=dict(costs.head_params),
            assumed=sources.config is None,
            whole=costs.independent_params(covered),
        ),
        trees=trees,
        no_trees=obstacle,
        stability=stability,
        promise=summary.promise if final and summary else None,
        baselines=_baselines(trainings),
        rows=rows,
        attempts=summary.attempts if summary else (),
        frontier=tuple(entry.measured for entry in frontier if entry.measured),
        comparisons=comparisons.rows if comparisons else (),
        chance=(comparisons.chance if comparisons else None) or {},
        curves=trainings.curves(rows[-1].digests if rows else (), tasks),
        provenance=_provenance(sources),
        missing=_missing(sources, bool(final and final.is_trained)),
    )


def _tasks(sources: Sources) -> tuple[str, ...]:
    """All tasks, in the order of the configuration as far as it has them."""
    known = [
        *(sources.config.tasks if sources.config else ()),
        *(sources.summary.tasks if sources.summary else ()),
        *(task for found in sources.tables.values() for task in found.table.tasks),
        *sorted(task for each in sources.trainings.values() for task in each.tree.tasks),
    ]
    return tuple(dict.fromkeys(known))


def _costs(sources: Sources, tasks: Sequence[str]) -> Costs:
    """What blocks and decoders cost; classes are those of the trainings and of the export."""
    from synergy.experiment import settings_costs

    known = {spec.name: spec for spec in (sources.spec.task_specs() if sources.spec else ())}
    named = frozenset[str]().union(*(found.table.trials for found in sources.tables.values()))
    for digest, training in sources.trainings.items():
        if digest in named or not named:  # others may be of an experiment of before
            known |= {task.name: task.spec for task in training.trial.tasks}
    costs = settings_costs(sources.config, tasks, specs=known)
    if sources.tree and sources.tree.tree.depth != costs.depth:
        raise WorkspaceError(
            f"{sources.folder / 'tree.json'} holds a tree of {sources.tree.tree.depth} blocks, "
            f"expected {costs.depth} as the encoder has; run `{sources.tree.MADE_BY}` again to "
            "write it anew"
        )
    return costs


def _final(
    sources: Sources, costs: Costs, rows: Sequence[Row], order: Sequence[str]
) -> FinalTree | None:
    told, summary = sources.tree, sources.summary
    if told is None:
        return None
    row, shortfall, whole = None, "", 0
    if summary and rows and summary.synthesis.is_of(told):
        row, shortfall, whole = rows[-1], summary.shortfall or "", rows[0].params or 0
    whole = whole or costs.independent_params(told.tree.tasks)
    params = (row and row.params) or told.params or costs.params(told.tree)
    tasks = [task for task in order if task in told.tree.tasks]
    return FinalTree(
        tree=told.tree,
        notation=told.tree.notation(tasks),
        tasks=tuple(tasks),
        params=params,
        macs=(row and row.macs) or costs.macs(told.tree),
        share_pct=100 * params / whole,
        independent_params=whole,
        predicted_ar_pct=told.predicted_ar_pct,
        solver=told.solver,
        strict=told.strict,
        provably_optimal=told.provably_optimal,
        weights=tuple(pair.blocks for pair in told.weights),
        notes=told.notes,
        table=sources.main_table,
        is_trained=row is not None,
        row=row,
        shortfall=shortfall,
    )


def _table(
    found: PairTable, sources: Sources, trainings: Trainings, max_ar: float | None
) -> TableNumbers:
    table, tree = found.table, sources.tree.tree if sources.tree else None
    assert found.kind is not None  # those of a workspace have one
    null = sources.nulls.get(found.kind)
    numbers = table_numbers(table, found.kind, tree, max_ar, _MOST_CELLS)
    cells = list(numbers.cells)
    # what the tree rests on comes first
    order = sorted(range(len(cells)), key=lambda n: (not cells[n].in_tree, not cells[n].is_weight))
    known = [n for n in order if sources.trainings.keys() & set(table.cells[n].trials)]
    for n in known[:_MOST_CURVES]:
        pair = cells[n].task_a, cells[n].task_b
        curves = trainings.curves(table.cells[n].trials, pair)
        cells[n] = cells[n].model_copy(update={"curves": curves})
    for n in known[_MOST_CURVES:]:
        cells[n] = cells[n].model_copy(update={"curves": None})
    notes = null.notes(max_ar) if null else ()
    return numbers.model_copy(update={"cells": tuple(cells), "notes": notes})


def table_numbers(
    table: ARTable,
    kind: TableKind,
    tree: SharingTree | None,
    max_ar: float | None,
    most_cells: int,
) -> TableNumbers:
    """A table as it is shown, its first pairs; without curves and notes."""
    weights = {} if max_ar is None else weights_of(table, max_ar)
    shown = most_cells // len(table.depths)
    cells: list[CellNumbers] = []
    for cell in table.cells[: shown * len(table.depths)]:
        pair = cell.task_a, cell.task_b
        shared = tree.shared_depth(*pair) if tree and set(pair) <= set(tree.tasks) else 0
        told = {name: value for name, value in vars(cell).items() if name in _OF_CELL}
        cells.append(
            CellNumbers(
                **told,
                single=dict(zip(pair, (cell.single_a, cell.single_b), strict=True)),
                multi=dict(zip(pair, (cell.multi_a, cell.multi_b), strict=True)),
                passes=max_ar is not None and cell.passes(max_ar),
                is_weight=weights.get(pair, 0) == cell.shared_depth,
                in_tree=shared == cell.shared_depth,
                curves={},
            )
        )
    return TableNumbers(
        kind=kind,
        tasks=table.tasks,
        depths=table.depths,
        pairs=tuple(table.pairs()),
        shown=min(shown, len(table.pairs())),
        seeds=tuple(sorted({cell.seeds for cell in table.cells if cell.status == "measured"})),
        cells=tuple(cells),
        notes=(),
    )


def _baselines(trainings: Trainings) -> tuple[Baseline, ...]:
    found: list[Baseline] = []
    for task, trained in trainings.singles.items():
        results = [each.result.scores for each in trained]
        scores = {s: [by[s][task] for by in results if task in by.get(s, ())] for s in REPORTED}
        found.append(
            Baseline(
                task=task,
                seeds=tuple(each.trial.seed for each in trained),
                mean={s: fmean(values) for s, values in scores.items() if values},
                spread={s: stdev(values) for s, values in scores.items() if len(values) > 1},
            )
        )
    return tuple(found)


def _provenance(sources: Sources) -> Provenance:
    summary, spec, config = sources.summary, sources.spec, sources.config
    trained = sources.trainings.values()
    counts = Counter(min(len(each.tree.tasks), len(_TRAININGS)) for each in trained)
    corpora = spec.corpora if spec else {}
    tasks = config.tasks if config else {}
    return Provenance(
        versions=(summary and summary.versions) or (spec.versions if spec else {}),
        reported_with=__version__,
        seeds=(summary and summary.seeds) or tuple(sorted({each.trial.seed for each in trained})),
        corpora=tuple(
            CorpusOrigin(
                name=name,
                tasks=tuple(task for task, used in tasks.items() if name in used.corpora),
                **(corpora[name].model_dump() if name in corpora else {}),
            )
            for name in dict.fromkeys([*(config.corpora if config else ()), *corpora])
        ),
        notes=summary.notes if summary else (),
        trainings={name: counts[tasks] for tasks, name in enumerate(_TRAININGS, 1)},
        training_s=sum(each.result.seconds for each in trained),
        damaged=sources.damaged,
        config=sources.config_text,
    )


def _missing(sources: Sources, is_trained: bool) -> tuple[MissingPart, ...]:
    """What a complete report would have beyond this one."""
    cells = [cell for found in sources.tables.values() for cell in found.table.cells]
    told = all(cell.trials for cell in cells if cell.status == "measured")
    parts = [
        (told or not sources.trainings, "curves of the pairs", "synergy pairwise"),
        (sources.trainings, "trainings, and with them curves", "synergy baseline"),
        (sources.tables, "the AR table of the pairs", "synergy pairwise"),
        (is_trained, "the sharing tree, trained and measured", "synergy synthesize"),
        (sources.comparisons, "the comparison with other methods", "synergy compare"),
    ]
    return tuple(
        MissingPart(what=what, command=made_by) for there, what, made_by in parts if not there
    )

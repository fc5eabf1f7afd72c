"""The numbers of a report, as JSON values; what a page shows is all in here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synergy.errors import SynergyError
from synergy.report import cells, measured
from synergy.report.provenance import provenance
from synergy.report.reading import Sources, read, understanding
from synergy.report.sizes import sizes_of
from synergy.report.trainings import Trainings
from synergy.report.trees import Trees, trees_of
from synergy.synthesis.question import Question
from synergy.synthesis.stability import stability
from synergy.tree import SharingTree
from synergy.workspace import Workspace, same_network

if TYPE_CHECKING:
    from synergy.costs import Costs


def summarise(workspace: Workspace) -> dict[str, Any]:
    """Everything that a report says about a workspace.

    Parameters
    ----------
    workspace : Workspace
        Of which only the files are read, no recordings.

    Returns
    -------
    dict
        ``tasks``, ``max_ar``, ``final`` (the tree of the run), ``tables`` (AR), ``sizes``,
        ``trees`` (of all thresholds), ``stability``, ``baselines``, ``rows`` (the final table),
        ``attempts``, ``frontier`` (its trained trees), ``comparisons``, ``chance``, ``curves``
        (of the final tree), ``provenance`` and ``missing``: what is not there, each with the
        command that makes it. A part that is not there is None or empty.

    Raises
    ------
    WorkspaceError
        If a file is damaged, or there is nothing to report.
    TableError
        If an AR table is damaged.
    """
    sources = read(workspace)
    tasks = _tasks(sources)
    main = cells.main_table(sources)
    covered = sources.tables[main].tasks if main else tasks
    tree, max_ar = _tree(sources), _max_ar(sources)
    sizes = sizes_of(sources, list(dict.fromkeys([*covered, *(tree.tasks if tree else ())])))
    trainings = Trainings(sources, tasks)
    rows = measured.final_rows(sources)
    trees, obstacle = _trees(sources, main, sizes.costs)
    final = _final(sources, tree, sizes.costs, rows, tasks)
    return {
        "tasks": tasks,
        "max_ar": max_ar,
        "final": final,
        "tables": cells.tables(sources, trainings, max_ar, tree),
        "sizes": {
            "blocks": list(sizes.costs.block_params),
            "heads": dict(sizes.costs.head_params) if sizes.whole else {},
            "assumed": sizes.assumed,
            "whole": _whole(sizes.costs, covered),
        },
        "trees": _trees_json(trees, sizes.costs, covered, max_ar),
        "no_trees": obstacle,
        "stability": _stability(sources, main, sizes.costs, trees, max_ar),
        "baselines": measured.baseline_rows(trainings, tasks),
        "rows": rows,
        "attempts": measured.attempts(sources),
        "frontier": measured.frontier_rows(sources),
        "comparisons": measured.compared_rows(sources),
        "chance": measured.chance(sources),
        "curves": measured.row_curves(sources, trainings, tasks),
        "provenance": provenance(sources),
        "missing": _missing(sources, bool(final and final["is_trained"])),
    }


def _tasks(sources: Sources) -> list[str]:
    """All tasks, in the order of the configuration as far as it has them."""
    found: dict[str, None] = {}
    with understanding(sources.folder / "summary.json", "synthesize"):
        known = [
            list(sources.config.get("tasks") or {}),
            list((sources.summary or {}).get("tasks") or ()),
            *(list(table.tasks) for table in sources.tables.values()),
            sorted(task for trial in sources.trials for task in trial.tree.tasks),
        ]
    for names in known:
        found |= dict.fromkeys(map(str, names))
    return list(found)


def _tree(sources: Sources) -> SharingTree | None:
    if sources.tree is None:
        return None
    with understanding(sources.folder / "tree.json", "synthesize"):
        return SharingTree.from_json(sources.tree["tree"])


def _max_ar(sources: Sources) -> float | None:
    told = (sources.tree or {}).get("max_ar", sources.config.get("max_ar"))
    with understanding(sources.folder / "tree.json", "synthesize"):
        return None if told is None else float(told)


def _whole(costs: Costs, tasks: Sequence[str]) -> int:
    """Parameters of independent models."""
    return len(tasks) * sum(costs.block_params) + sum(costs.head_params.get(t, 0) for t in tasks)


def _final(
    sources: Sources,
    tree: SharingTree | None,
    costs: Costs,
    rows: Sequence[dict[str, Any]],
    order: Sequence[str],
) -> dict[str, Any] | None:
    """The tree of the run: what it costs and, once it is trained, what it keeps."""
    if sources.tree is None or tree is None:
        return None
    summary = sources.summary or {}
    with understanding(sources.folder / "tree.json", "synthesize"):
        told = sources.tree
        is_trained = bool(rows) and same_network(summary.get("synthesis") or {}, told)
        row = rows[-1] if is_trained else None
        whole = (rows[0]["params"] if is_trained else 0) or _whole(costs, tree.tasks)
        params = (row or {}).get("params") or told.get("params") or costs.params(tree)
        return {
            "tree": told["tree"],
            "notation": tree.notation([task for task in order if task in tree.tasks]),
            "tasks": [task for task in order if task in tree.tasks],
            "params": params,
            "macs": (row or {}).get("macs") or costs.macs(tree),
            "share_pct": 100 * params / whole,
            "independent_params": whole,
            "predicted_ar_pct": float(told["predicted_ar_pct"]),
            "solver": str(told.get("solver", "recursive")),
            "strict": bool(told.get("strict", False)),
            "provably_optimal": bool(told.get("provably_optimal", False)),
            "weights": [int(pair["blocks"]) for pair in told.get("weights") or ()],
            "notes": [str(note) for note in told.get("notes") or ()],
            "table": cells.main_table(sources),
            "is_trained": is_trained,
            "row": row,
            "shortfall": str(summary.get("shortfall") or "") if is_trained else "",
        }


def _trees(sources: Sources, main: str | None, costs: Costs) -> tuple[Trees | None, str]:
    """The trees of all thresholds, or why there are none."""
    if main is None:
        return None, ""
    told = sources.tree or {}
    solver, strict = str(told.get("solver", "recursive")), bool(told.get("strict", False))
    try:
        return trees_of(sources.tables[main], costs, solver, strict), ""
    except SynergyError as error:  # such as names that no tree can hold
        return None, str(error)


def _trees_json(
    trees: Trees | None, costs: Costs, order: Sequence[str], max_ar: float | None
) -> dict[str, Any] | None:
    if trees is None:
        return None
    return {
        "solver": trees.solver,
        "strict": trees.strict,
        "start": trees.stop_of(max_ar or 0.0),
        "stops": [stop.to_json() for stop in trees.stops],
        "distinct": [
            {
                "tree": found.synthesis.tree.to_json(),
                "notation": found.synthesis.tree.notation(order),
                "low": found.low,
                "high": found.high,
                "params": costs.params(found.synthesis.tree),
                "macs": costs.macs(found.synthesis.tree),
                "predicted_ar_pct": found.synthesis.predicted_ar_pct,
                "provably_optimal": found.synthesis.provably_optimal,
            }
            for found in trees.frontier
        ],
    }


def _stability(
    sources: Sources, main: str | None, costs: Costs, trees: Trees | None, max_ar: float | None
) -> dict[str, Any] | None:
    """How often resampled tables give the same tree, where there are resampled tables."""
    if main is None or main not in sources.samples or trees is None or max_ar is None:
        return None
    samples = sources.samples[main]
    caps = _caps(sources)
    terms = Question(max_ar, solver=trees.solver, strict=trees.strict, caps=caps)
    found = stability(terms, samples, costs)
    return {
        "caps": [[*sorted(pair), cap] for pair, cap in caps.items()],
        "samples": len(samples.ar),
        "tree_share": found.tree_share,
        "caveat": found.caveat,
        "trees": [{"notation": notation, "share": share} for notation, share in found.trees],
        "at_least": [
            {"task_a": a, "task_b": b, "shares": {str(d): share for d, share in by.items()}}
            for (a, b), by in found.at_least.items()
        ],
    }


def _caps(sources: Sources) -> dict[frozenset[str], int]:
    """Pairs that a repair of the tree lets share no more than so many blocks."""
    told = sources.tree or {}
    with understanding(sources.folder / "tree.json", "synthesize"):
        return {
            frozenset((str(cap["task_a"]), str(cap["task_b"]))): int(cap["blocks"])
            for cap in told.get("caps") or ()
        }


def _missing(sources: Sources, is_trained: bool) -> list[dict[str, str]]:
    """What a complete report would have beyond this one, and the command that makes it."""
    parts = [
        (bool(sources.trials), "trainings, and with them curves", "synergy baseline"),
        (bool(sources.tables), "the AR table of the pairs", "synergy pairwise"),
        (is_trained, "the sharing tree, trained and measured", "synergy synthesize"),
        (sources.comparisons is not None, "the comparison with other methods", "synergy compare"),
    ]
    return [{"what": what, "command": command} for there, what, command in parts if not there]

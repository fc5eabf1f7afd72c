"""What was measured on whole models: rows of the final table, of the comparison, of attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from synergy.report.reading import Sources, understanding
from synergy.report.trainings import Trainings

SPLITS = ("valid", "test")


def final_rows(sources: Sources) -> list[dict[str, Any]]:
    """Rows of the final table; the last one is the exported model."""
    if sources.summary is None:
        return []
    with understanding(sources.folder / "summary.json", "synthesize"):
        return [_row(row) for row in sources.summary["rows"]]


def compared_rows(sources: Sources) -> list[dict[str, Any]]:
    """Rows of the comparison with other methods."""
    if sources.comparisons is None:
        return []
    with understanding(sources.folder / "comparisons.json", "compare"):
        return [_row(row) for row in sources.comparisons["rows"]]


def chance(sources: Sources) -> dict[str, dict[str, float]]:
    """AR between independent models of different seeds: median and 95 % quantile of each split."""
    if sources.comparisons is None:
        return {}
    with understanding(sources.folder / "comparisons.json", "compare"):
        found = sources.comparisons.get("chance") or {}
        return {s: {key: float(of[key]) for key in ("median", "high")} for s, of in found.items()}


def frontier_rows(sources: Sources) -> list[dict[str, Any]]:
    """Trees of the frontier that were trained."""
    if sources.frontier is None:
        return []
    with understanding(sources.folder / "frontier.json", "synthesize --train-frontier"):
        rows = [entry.get("measured") for entry in sources.frontier["frontier"]]
        return [_row(row) for row in rows if row]


def attempts(sources: Sources) -> list[dict[str, Any]]:
    """Trees that were trained and held against the threshold, in order."""
    with understanding(sources.folder / "summary.json", "synthesize"):
        return [
            {
                "notation": str(entry["notation"]),
                "params": entry.get("params"),
                "predicted_ar_pct": entry.get("predicted_ar_pct"),
                "ar_pct": _by_split(entry.get("ar_pct")),
                "keeps": bool(entry.get("keeps")),
                "lowered": entry.get("lowered"),
            }
            for entry in (sources.summary or {}).get("attempts") or []
        ]


def baseline_rows(trainings: Trainings, tasks: Iterable[str]) -> list[dict[str, Any]]:
    """Each task alone: mean and standard deviation over its seeds, by split."""
    rows: list[dict[str, Any]] = []
    for task in tasks:
        trials = trainings.singles.get(task, [])
        if not trials:
            continue
        scores = {s: [t.scores[s][task] for t in trials if s in t.scores] for s in SPLITS}
        rows.append(
            {
                "task": task,
                "seeds": [trial.seed for trial in trials],
                "mean": {s: fmean(values) for s, values in scores.items() if values},
                "spread": {s: stdev(values) for s, values in scores.items() if len(values) > 1},
            }
        )
    return rows


def row_curves(
    sources: Sources, trainings: Trainings, tasks: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Validation scores of the exported model's trainings, task by task, beside those alone.

    Those alone only, where no tree was trained yet.
    """
    rows = (sources.summary or {}).get("rows") or [{}]
    trained = [t for t in trainings.of_digests(rows[-1].get("digests") or ()) if t.tree.tasks]
    found: dict[str, list[dict[str, Any]]] = {}
    for task in tasks:
        alone = [trainings.curve(t, task, "single") for t in trainings.singles.get(task, [])]
        together = [
            trainings.curve(t, task, "shared")
            for t in trained
            if task in t.tree.tasks and len(t.tree.tasks) > 1
        ]
        if alone or together:
            found[task] = [curve.to_json() for curve in [*alone, *together] if curve.places]
    return found


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with every key, None where the file has no value."""
    return {
        "method": row.get("method"),
        "name": str(row["name"]),
        "notation": row.get("notation"),
        "params": row.get("params"),
        "stored_params": row.get("stored_params"),
        "macs": row.get("macs"),
        "share_pct": row.get("share_pct"),
        "mean_scores": {s: dict(by) for s, by in (row.get("mean_scores") or {}).items()},
        "ar_pct": _by_split(row.get("ar_pct")),
        "ar_low": _by_split(row.get("ar_low")),
        "ar_high": _by_split(row.get("ar_high")),
        "above": {
            split: {key: float(found[key]) for key in ("ar_pct", "ar_low", "ar_high")}
            for split, found in ((row.get("above") or {}).get("tree") or {}).items()
        },
        "trainings": row.get("trainings"),
        "seconds": row.get("seconds"),
        "epochs": row.get("epochs"),
        "distilled": bool(row.get("distilled")),
        "note": " ".join(str(row[key]) for key in ("error", "note") if row.get(key)),
        "seeds": max((len(v) for v in _seed_scores(row)), default=0),
    }


def _seed_scores(row: Mapping[str, Any]) -> Iterable[Sequence[float]]:
    return ((row.get("scores") or {}).get("valid") or {}).values()


def _by_split(values: Mapping[str, float | None] | None) -> dict[str, float]:
    return {split: float(v) for split, v in (values or {}).items() if v is not None}

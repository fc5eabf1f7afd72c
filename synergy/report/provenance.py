"""Where the numbers come from: versions, seeds, corpora, trainings."""

from __future__ import annotations

from typing import Any

from synergy import __version__
from synergy.report.reading import Sources, understanding

KINDS = ("one task", "a pair", "more tasks")


def provenance(sources: Sources) -> dict[str, Any]:
    """Everything that a reader needs to trust or repeat the run."""
    summary, spec = sources.summary or {}, sources.spec or {}
    with understanding(sources.folder / "summary.json", "synthesize"):
        versions = dict(summary.get("versions") or spec.get("versions") or {})
        notes = [str(note) for note in summary.get("notes") or ()]
        seeds = list(summary.get("seeds") or _seeds(sources))
    return {
        "versions": versions,
        "reported_with": __version__,
        "seeds": seeds,
        "corpora": _corpora(sources),
        "notes": notes,
        "trainings": _trainings(sources),
        "training_s": sum(trial.seconds for trial in sources.trials),
        "config": sources.config_text,
    }


def _seeds(sources: Sources) -> list[int]:
    """The seeds of all trainings."""
    return sorted({trial.seed for trial in sources.trials})


def _trainings(sources: Sources) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(KINDS, 0)
    for trial in sources.trials:
        counts[KINDS[min(len(trial.tree.tasks), len(KINDS)) - 1]] += 1
    return counts


def _corpora(sources: Sources) -> list[dict[str, Any]]:
    """Corpora with fingerprint and licences where an export tells them, names otherwise."""
    with understanding(sources.folder / "model" / "spec.json", "synthesize"):
        known = {
            str(name): {
                "fingerprint": facts.get("fingerprint"),
                "licences": [str(licence) for licence in facts.get("licences") or ()],
                "synthetic": bool(facts.get("synthetic")),
            }
            for name, facts in ((sources.spec or {}).get("corpora") or {}).items()
        }
    with understanding(sources.folder / "config.yaml", "baseline"):
        tasks = {
            str(task): [str(name) for name in settings.get("corpora") or {}]
            for task, settings in (sources.config.get("tasks") or {}).items()
        }
        names = dict.fromkeys([*map(str, sources.config.get("corpora") or {}), *known])
    unknown = {"fingerprint": None, "licences": [], "synthetic": None}
    return [
        {
            "name": name,
            **known.get(name, unknown),
            "tasks": [task for task, used in tasks.items() if name in used],
        }
        for name in names
    ]

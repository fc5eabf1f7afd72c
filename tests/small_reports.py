"""Workspaces with made-up results, complete enough for a report: nothing is trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from small_tables import PAPER_TASKS, costs_of, paper_table

from synergy.records import (
    Chance,
    ComparedRow,
    ComparisonsFile,
    Difference,
    PairBlocks,
    SummaryFile,
    TreeFile,
)
from synergy.rows import Attempt, Row, TaskLoss
from synergy.synthesis import ARTable, Question, search
from synergy.synthesis.resampling import noisy_samples
from synergy.training.config import TrainingConfig
from synergy.tree import SharingTree
from synergy.trials.record import TrialResult, TrialRun
from synergy.workspace import Workspace

SINGLE = {"gc": 0.94, "ac": 0.81, "scr": 0.90, "vad": 0.97}
CLASSES = {"gc": 2, "ac": 3, "scr": 20, "vad": 1}
ENCODER = {
    "name": "cnn8",
    "channels": [14, 14, 22, 21, 21, 21, 21, 21],
    "mel_strides": [2, 2, 2, 2, 1, 1, 1, 1],
    "frame_strides": [2, 2, 1, 1, 1, 1, 1, 1],
}
BLOCKS = (168, 1806, 2838, 4221, 4032, 4032, 4032, 4032)
HEADS = {"gc": 3783, "ac": 3868, "scr": 5313, "vad": 4913}
WHOLE = 4 * sum(BLOCKS) + sum(HEADS.values())
TRAINING = TrainingConfig(epochs=10, steps_per_epoch=50)
SEEDS = (0, 1, 2)
MAX_AR = 2.0
SPLITS = ("valid", "test")


def result_workspace(
    folder: Path,
    *,
    stages: int = 4,
    seeds: Sequence[int] = SEEDS,
    corpus: str = "speech corpus",
    note: str = "Nothing to see.",
) -> Workspace:
    """A workspace in which the first ``stages`` of four were run.

    1: single-task models; 2: pairs, with the numbers of the paper; 3: the tree; 4: comparisons.
    """
    workspace = Workspace(folder)
    workspace.config.write_text(json.dumps(_config(corpus, len(seeds))))  # JSON is YAML, too
    rng = np.random.default_rng(1)
    singles = {t: _train(workspace, SharingTree.single(t, 8), seeds, rng, {}) for t in PAPER_TASKS}
    if stages >= 2:
        table = _table(workspace, seeds, rng, singles)
        samples, files = noisy_samples(table, 0.5, 200, 3), workspace.table_files("plain")
        samples.to_csv(files.samples)
        table = samples.with_intervals()
        table.to_csv(files.table)
        if stages >= 3:
            _finish(workspace, seeds, rng, table, singles, corpus, note)
        if stages >= 4:
            ComparisonsFile(
                tasks=PAPER_TASKS,
                tree="{{gc,ac}@8,{scr,vad}@8}@6",
                max_params=51_102,
                max_ar=MAX_AR,
                seeds=tuple(seeds),
                terms="t",
                chance={
                    "valid": Chance(median=1.2, high=6.4),
                    "test": Chance(median=1.9, high=3.4),
                },
                rows=tuple(comparison_rows(note)),
            ).write(workspace.comparisons)
    return workspace


def with_holes(table: ARTable, reason: str) -> ARTable:
    """The table with a failed cell, and one that was skipped."""
    holes = {
        ("gc", "ac", 4): {"status": "failed", "reason": reason},
        ("gc", "scr", 5): {"status": "skipped", "reason": "it passes at depth 8", "seeds": 0},
    }
    nothing = {"ar_pct": None, "ar_low": None, "ar_high": None}
    return ARTable.from_cells(
        replace(cell, **{**nothing, **holes[cell.key]}) if cell.key in holes else cell
        for cell in table.cells
    )


def comparison_rows(note: str = "") -> list[ComparedRow]:
    """Rows as `synergy compare` writes them; the last one failed."""
    rng = np.random.default_rng(5)
    rows: list[ComparedRow] = []
    flats = [(WHOLE - 3 * sum(BLOCKS[:d]), 8.0 - d / 2, d) for d in (4, 6, 8)]
    divisions = ("{gc,ac},{scr,vad}", "{gc,scr},{ac,vad}", "{gc,vad},{ac,scr}")
    named = [
        *(("flat", f"flat, {depth} shared", size, ar) for size, ar, depth in flats),
        *(("partitions", f"division {d}", 53_521, 3.1 + n) for n, d in enumerate(divisions)),
        ("lth", "LTH", 51_102, 9.4),
        ("lt4rec", "LT4REC", 51_102, 4.9),
        ("treemtl", "treemtl", 50_910, 2.6),
        ("rsa", "rsa", 50_800, 3.0),
        ("tag", "tag", 49_900, 5.8),
        ("random", "random", 50_900, 6.6),
        ("recursive", "recursive", 51_102, 1.6),
        ("recursive", "recursive, distilled", 51_102, 0.6),
    ]
    for method, name, params, ar in named:
        masked = method in ("lth", "lt4rec")
        rows.append(
            ComparedRow(
                method=method,
                name=name,
                params=params,
                stored_params=params + (4000 if masked else 0),
                macs=4_900_000 + 10 * params,
                share_pct=100 * params / WHOLE,
                mean_scores={s: {t: v - ar / 200 for t, v in SINGLE.items()} for s in SPLITS},
                ar_pct={"valid": ar, "test": ar * 1.2},
                ar_low={"valid": ar * 0.7, "test": ar * 0.8},
                ar_high={"valid": ar * 1.5, "test": ar * 1.7},
                above={"tree": {s: _above(ar - 1.6) for s in SPLITS}},
                trainings=int(rng.integers(3, 90)),
                seconds=float(rng.integers(500, 20_000)),
                note=note if masked else "",
            )
        )
    rows.append(ComparedRow(method="rsa", name="rsa, failed", error="the loss became NaN"))
    return rows


def _above(points: float) -> Difference:
    return Difference(ar_pct=points, ar_low=points - 0.5, ar_high=points + 0.7)


# -- files ------------------------------------------------------------------------------------


def _config(corpus: str, seeds: int) -> dict[str, Any]:
    columns = {t: "segments" if _kind(t) == "frame_activity" else "column" for t in PAPER_TASKS}
    tasks = {t: {"kind": _kind(t), "corpora": {corpus: {columns[t]: t}}} for t in PAPER_TASKS}
    return {
        "corpora": {corpus: {"format": "manifest", "folder": "/data"}},
        "tasks": tasks,
        "features": {"mels": 64, "hop_ms": 10.0},
        "encoder": ENCODER,
        "training": TRAINING.model_dump(mode="json"),
        "depths": [4, 5, 6, 7, 8],
        "seed": 0,
        "seeds": seeds,
        "max_ar": MAX_AR,
    }


def _kind(task: str) -> str:
    return "frame_activity" if task == "vad" else "clip_classification"


def _task(task: str) -> dict[str, Any]:
    classes = [f"class {n}" for n in range(CLASSES[task])]
    return {"name": task, "kind": _kind(task), "classes": classes}


def _table(
    workspace: Workspace,
    seeds: Sequence[int],
    rng: np.random.Generator,
    singles: Mapping[str, Mapping[str, Any]],
) -> ARTable:
    """The paper's table, with a training behind every cell."""
    cells = []
    for cell in paper_table().cells:
        a, b, depth = cell.key
        assert cell.ar_pct is not None
        tree = SharingTree.flat([a, b], depth, 8)
        found = _train(workspace, tree, seeds, rng, {b: cell.ar_pct})
        scores, alone = (
            found["mean_scores"]["valid"],
            {t: singles[t]["mean_scores"]["valid"][t] for t in (a, b)},
        )
        cells.append(
            replace(
                cell,
                seeds=len(seeds),
                single_a=alone[a],
                single_b=alone[b],
                multi_a=scores[a],
                multi_b=scores[b],
                test_ar_pct=cell.ar_pct * 1.3,
                trials=tuple(found["digests"]),
            )
        )
    return ARTable.from_cells(cells)


def _finish(
    workspace: Workspace,
    seeds: Sequence[int],
    rng: np.random.Generator,
    table: ARTable,
    singles: Mapping[str, Mapping[str, Any]],
    corpus: str,
    note: str,
) -> None:
    """tree.json, summary.json and the specification of the model, with the tree trained."""
    found = search(Question(MAX_AR), table, costs_of(BLOCKS))
    told = TreeFile(
        tree=found.tree,
        notation=found.tree.notation(table.tasks),
        encoder_params=round(found.encoder_cost),
        predicted_ar_pct=found.predicted_ar_pct,
        max_ar=MAX_AR,
        params=round(found.encoder_cost) + sum(HEADS.values()),
        solver=found.solver,
        strict=found.strict,
        provably_optimal=found.provably_optimal,
        weights=tuple(PairBlocks(task_a=a, task_b=b, blocks=w) for a, b, w in found.weights),
        notes=tuple(found.notes),
        table=str(workspace.table_files("plain").table),
        table_kind="plain",
    )
    told.write(workspace.tree)
    independent = SharingTree.flat(PAPER_TASKS, 0, 8)
    alone = [digest for task in PAPER_TASKS for digest in singles[task]["digests"]]
    trained = {**_train(None, independent, seeds, rng, {}), "digests": alone}
    rows = [_row("independent", independent, 0.0, trained)]
    for name, tree, ar in (
        ("flat", SharingTree.flat(PAPER_TASKS, 6, 8), 5.2),
        ("tree", found.tree, 1.6),
    ):
        rows.append(_row(name, tree, ar, _train(workspace, tree, seeds, rng, {"ac": ar})))
    missed = Attempt(
        notation=told.notation,
        params=told.params,
        why="the tree of the table",
        predicted={"ac": TaskLoss(loss_pct=1.2, low=0.1, high=3.5)},
        loss_pct={"ac": 2.9},
        probability=0.2,
        ar_pct={"valid": 2.9, "test": 3.0},
        mean_scores=rows[-1].mean_scores,
    )
    kept = {"ar_pct": {"valid": 1.6, "test": 1.9}, "keeps": True}
    SummaryFile(
        synthesis=told,
        tasks=PAPER_TASKS,
        rows=tuple(rows),
        attempts=(missed, missed.model_copy(update=kept)),
        seeds=tuple(seeds),
        notes=(note,),
        versions={"python": "3.11.7", "synergy": "0.1.0", "torch": "2.11.0"},
    ).write(workspace.summary)
    workspace.model.mkdir()
    spec = _spec(found.tree, corpus, seeds)
    (workspace.model / "spec.json").write_text(json.dumps(spec))


def _spec(tree: SharingTree, corpus: str, seeds: Sequence[int]) -> dict[str, Any]:
    """What an export tells of the model, as far as a reader insists on it."""
    return {
        "spec_version": 1,
        "sample_rate_hz": 16000,
        "tasks": [
            {**_task(t), "threshold": 0.5 if t == "vad" else None, "corpora": [corpus]}
            for t in PAPER_TASKS
        ],
        "features": {"mels": 64, "hop_ms": 10.0},
        "encoder": ENCODER,
        "tree": tree.to_json(),
        "notation": tree.notation(),
        "costs": {"total": {"params": 51_102, "macs_per_s": 0}, "branches": {}, "heads": {}},
        "predicted_ar_pct": None,
        "max_ar": MAX_AR,
        "results": {},
        "weights": {"sha256": "0" * 64, "seed": 0, "trial": "t"},
        "seeds": list(seeds),
        "training": TRAINING.model_dump(mode="json"),
        "corpora": {
            corpus: {
                "fingerprint": "0123456789abcdef" * 2,
                "licences": ["CC-BY-4.0"],
                "synthetic": False,
            }
        },
        "versions": {},
        "notes": [],
    }


def _row(
    name: str,
    tree: SharingTree,
    ar: float,
    trained: Mapping[str, Any],
) -> Row:
    return Row(
        name=name,
        notation=tree.notation(),
        params=int(tree.cost(BLOCKS)) + sum(HEADS.values()),
        macs=2_000_000 + int(100 * tree.cost(BLOCKS)),
        epochs=TRAINING.epochs,
        ar_pct={"valid": ar, "test": 1.2 * ar},
        ar_low={"valid": 0.5 * ar, "test": 0.6 * ar},
        ar_high={"valid": 1.6 * ar, "test": 2 * ar},
        **trained,
    )


def _train(
    workspace: Workspace | None,
    tree: SharingTree,
    seeds: Sequence[int],
    rng: np.random.Generator,
    lost: Mapping[str, float],
) -> dict[str, Any]:
    """Invented trainings of a tree, in which tasks lose so many percent; in the store if any."""
    digests = []
    scores: dict[str, dict[str, list[float]]] = {s: {t: [] for t in tree.tasks} for s in SPLITS}
    for seed in seeds:
        digest = f"{tree.notation().replace('{', '').replace('}', '')}-{seed}"
        digest = "".join(c if c.isalnum() or c in "-_" else "_" for c in digest)
        digests.append(digest)
        reached = {t: SINGLE[t] * (1 - lost.get(t, 0.0) / 100) for t in tree.tasks}
        for split, by_task in scores.items():
            for task, values in by_task.items():
                worse = 0.01 if split == "test" else 0.0
                values.append(reached[task] - worse + float(rng.normal(0, 0.004)))
        if workspace is not None:
            valid = {task: values[-1] for task, values in scores["valid"].items()}
            test = {task: values[-1] for task, values in scores["test"].items()}
            _write(workspace, digest, tree, seed, {"valid": valid, "test": test}, rng)
    means = {s: {t: fmean(values) for t, values in by.items()} for s, by in scores.items()}
    return {"digests": digests, "scores": scores, "mean_scores": means}


def _write(
    workspace: Workspace,
    digest: str,
    tree: SharingTree,
    seed: int,
    scores: Mapping[str, Mapping[str, float]],
    rng: np.random.Generator,
) -> None:
    steps = TRAINING.steps_per_epoch
    rows = []
    for epoch in range(1, TRAINING.epochs + 1):
        row: dict[str, float] = {"step": epoch * steps, "learning_rate": 0.001}
        for task in tree.tasks:
            share = 1 - 0.5 * math.exp(-epoch / 2) - abs(float(rng.normal(0, 0.01)))
            last = epoch == TRAINING.epochs
            row[f"{task}_loss"] = 1 / epoch
            row[f"{task}_score"] = scores["valid"][task] * (1 if last else share)
        rows.append(row)
    trial = {
        "format_version": 1,
        "tree": tree.to_json(),
        "notation": tree.notation(),
        "tasks": [_task(t) for t in tree.tasks],
        "data": dict.fromkeys(tree.tasks, "d"),
        "bank": "b",
        "encoder": ENCODER,
        "training": TRAINING.model_dump(mode="json"),
        "seed": seed,
        "distillation": None,
        "teachers": {},
        "pruning": None,
    }
    result = TrialResult(
        digest=digest,
        scores=scores,
        seed=seed,
        kept_step=TRAINING.epochs * steps,
        seconds=100.0,
        clips_per_s=900.0,
        notation=tree.notation(),
        metrics={},
        steps=TRAINING.epochs * steps,
        params=WHOLE,
        device="cpu",
        versions={},
    )
    workspace.trials.write(trial, TrialRun(result, rows, weights={}))

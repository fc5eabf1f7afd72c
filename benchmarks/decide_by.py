"""Which predicts better what a pair loses on clips nobody looked at: its scores, or its log-losses?

Usage: python benchmarks/decide_by.py WORKSPACE [--choices N] [--json]

The workspace has pairs that were measured on test: `synergy pairwise --with-test`. Signed losses of
every task in every trained cell are estimated on one split, by `score` and by `log_loss` as
`decide_by` means them, and held against the losses of the score on the other split, in percent.
Both splits take both parts, and of the deciding one also a half and a quarter of the speakers,
chosen N times, as a smaller corpus would have them; ``smooth`` is the share of the choices in which
log-losses told the score at all. Pooled estimates, those of all trainings together, are compared
from validation to test, with the mean width of their intervals and how many losses lie inside.
Trains nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from synergy.config import load_config
from synergy.executors import SerialExecutor
from synergy.experiment import Experiment, prepare
from synergy.losses.evidence import Evidence
from synergy.losses.pooling import posterior
from synergy.measuring.bootstrap import Resampler
from synergy.measuring.log_loss import resampled_log_losses
from synergy.measuring.outcome import Outcome
from synergy.measuring.pairs import PairTrainer
from synergy.measuring.smooth_score import Readings, smoothed
from synergy.running.progress import Progress
from synergy.running.session import Results, Session
from synergy.tree import SharingTree
from synergy.wording import Split
from synergy.workspace import Workspace

SHARES = (1.0, 0.5, 0.25)
WAYS = ("score", "log_loss")
DRAWS = 300
ACROSS: tuple[tuple[Split, Split], ...] = (("valid", "test"), ("test", "valid"))


@dataclass(frozen=True)
class Models:
    """The trainings of one task, by digest: alone, and one after the other those of its cells."""

    task: str
    alone: tuple[str, ...]
    others: tuple[str, ...]
    cells: Mapping[tuple[str, int], tuple[str, ...]]

    @property
    def digests(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.alone, *self.others, *(each for own in self.cells.values() for each in own))

    def losses(self, values: np.ndarray) -> np.ndarray:
        """Signed loss in percent of each cell, from one value of each training."""
        told = dict(zip(self.digests, values, strict=True))
        alone = np.mean([told[each] for each in self.alone])
        cells = [np.mean([told[each] for each in own]) for own in self.cells.values()]
        return 100.0 * (1.0 - np.array(cells) / alone)


def models_of(experiment: Experiment, resampler: Resampler) -> list[Models]:
    """All trainings that were measured on test."""

    def done(tree: SharingTree) -> tuple[str, ...]:
        digests = (trial.digest for trial in experiment.trials([tree]))
        return tuple(each for each in digests if resampler.store.is_tested(each))

    found = []
    for task in experiment.tasks:
        cells = {}
        for other in experiment.tasks:
            for depth in experiment.config.depths if other != task else ():
                pair = [each for each in experiment.tasks if each in (task, other)]
                if own := done(experiment.flat(pair, depth)):
                    cells[other, depth] = own
        nulls = done(experiment.flat(experiment.tasks, 0))
        found.append(Models(task, done(experiment.alone(task)), nulls, cells))
    return found


def estimates(
    resampler: Resampler, models: Models, split: Split, share: float, choice: int
) -> tuple[dict[str, np.ndarray], bool]:
    """Losses of each cell by some of the speakers of a split; whether log-losses told them."""
    data = resampler.experiment.folds[0][models.task]
    rng = np.random.default_rng([choice, round(100 * share), len(split)])
    speakers = data.speakers(split)
    chosen = rng.permutation(speakers)[: round(share * speakers)]
    clips = np.flatnonzero(np.isin(data.groups[split], chosen))
    groups = np.unique(data.groups[split][clips], return_inverse=True)[1]
    targets = [data.targets[split][clip] for clip in clips]
    size = len(chosen)
    weights = np.vstack([np.ones(size), rng.multinomial(size, np.full(size, 1 / size), DRAWS)])
    rules = data.spec.rules
    read: list[list[np.ndarray]] = []
    for digest in models.digests:
        every = resampler.logits(digest, 0, split, models.task)
        given = ([every[clip] for clip in clips], targets, groups, weights)
        read.append([rules.resampled_scores(*given), resampled_log_losses(rules, *given)])
    scores, losses = (Readings(each[0], each[1:]) for each in np.stack(read).transpose(1, 2, 0))
    smooth = smoothed(scores, losses)
    ways = dict(zip(WAYS, (scores, smooth or scores), strict=True))
    return {way: models.losses(each.values) for way, each in ways.items()}, smooth is not None


def truth(resampler: Resampler, models: Models, split: Split) -> np.ndarray:
    """Losses of the score of each cell on a whole split."""
    results = (resampler.store.result(digest) for digest in models.digests)
    return models.losses(np.array([each.scores[split][models.task] for each in results]))


def agreement(found: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> dict[str, float]:
    """Correlation and root mean square error of estimates, choices together."""
    every, wanted = np.concatenate(found), np.concatenate(true)
    spread = min(every.std(), wanted.std())
    return {
        "correlation": float(np.corrcoef(every, wanted)[0, 1]) if spread > 1e-9 else float("nan"),
        "rmse": float(np.sqrt(np.mean((every - wanted) ** 2))),
    }


def by_split(resampler: Resampler, models: Models, choices: int) -> list[dict[str, object]]:
    """Of one task, a row for each split, share of its speakers and way."""
    rows: list[dict[str, object]] = []
    for split, other in ACROSS:
        true = truth(resampler, models, other)
        for share in SHARES:
            count = choices if share < 1 else 1
            found = [estimates(resampler, models, split, share, n) for n in range(count)]
            smooth = float(np.mean([told for _, told in found]))
            for way in WAYS:
                row: dict[str, object] = {"task": models.task, "from": split, "share": share}
                row |= {"by": way, "smooth": smooth if way == "log_loss" else 0.0}
                rows.append(row | agreement([each[way] for each, _ in found], [true] * count))
    return rows


def pooled(experiment: Experiment, folder: Path, models: Sequence[Models]) -> list[dict]:
    """Of each task and way, estimates of all trainings together against the test split."""
    rows: list[dict] = []
    workspace = Workspace(folder, create=False)
    for way in WAYS:
        config = experiment.config.with_options(decide_by=way)
        own = replace(experiment, config=config)
        session = Session(own, workspace, SerialExecutor(), Progress())
        alone = own.trials(own.alone(task) for task in own.tasks)
        singles = Outcome.of(Results.kept(workspace.trials, alone), alone)
        evidence = PairTrainer(session, singles, "plain").evidence(own.tasks, config.depths)
        known = posterior(evidence)
        for each in models:
            true = truth(Resampler(own, workspace.trials), each, "test")
            low, high = (_of(evidence, each, end) for end in known.interval)
            found = agreement([_of(evidence, each, known.mean)], [true])
            found["width"] = float(np.mean(high - low))
            found["inside"] = float(np.mean((low <= true) & (true <= high)))
            rows.append({"task": each.task, "by": way, **found})
    return rows


def _of(evidence: Evidence, models: Models, values: np.ndarray) -> np.ndarray:
    """What a table [cells, 2] says of the cells of a task."""
    place = {cell: number for number, cell in enumerate(evidence.cells())}
    found = []
    for partner, depth in models.cells:
        first = (models.task, partner, depth) in place
        pair = (models.task, partner) if first else (partner, models.task)
        found.append(values[place[*pair, depth], 0 if first else 1])
    return np.array(found)


def shown(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """Rows as a table."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()))
    return table


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description="Scores or log-losses: which predicts better?")
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--choices", type=int, default=5, help="of a share of the speakers")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.workspace is None:
        print("nothing to compare: name a workspace whose pairs were measured on test")
        return
    experiment = prepare(load_config(given.workspace / "config.yaml"))
    resampler = Resampler(experiment, Workspace(given.workspace, create=False).trials)
    models = models_of(experiment, resampler)
    rows = [row for each in models for row in by_split(resampler, each, given.choices)]
    together = pooled(experiment, given.workspace, models)
    if given.json:
        print(json.dumps({"trainings": rows, "pooled": together}))
        return
    console = Console(width=120)
    console.print(shown("Signed losses of one split against those of the other", rows))
    console.print(shown("Pooled estimates from validation against test", together))


if __name__ == "__main__":
    main()

"""What AR is where nothing is shared: single-task models against one tree of separate branches.

That tree has the same networks, trained with the same steps, so whatever AR it has is made by how
the weights of a training are chosen, by seeds, and by chance. Three rules are compared on the same
trainings: the last step, the mean of the weights at the end of the last quarter of the epochs, and
the best validation, by which a single-task model chooses its own epoch and a tree one for all.

    python benchmarks/null_control.py --config examples/real_speech.yaml --seeds 6 --into runs/null

Trainings that are done are kept in ``--into``; the same command goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synergy.config import RunConfig, load_config
from synergy.executors import Job, ProcessExecutor, Report
from synergy.experiment import Experiment, prepare
from synergy.network import build_network
from synergy.running.jobs import Supply
from synergy.sparsity import Network
from synergy.synthesis import accuracy_reduction
from synergy.tasks.clips import TaskData
from synergy.training.evaluation import clips_of, predict, score
from synergy.training.kept_weights import kept_steps, mean_weights
from synergy.training.loop import train
from synergy.wording import REPORTED

RULES = ("last", "average", "best")
Scores = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By rule, split and task."""


def measure(supply: Supply, what: tuple[Sequence[str], int], report: Report) -> Scores:
    """Train some tasks that share nothing with one seed; the scores by every rule."""
    experiment = supply.experiment()
    names, seed = what
    tree = experiment.alone(names[0]) if len(names) == 1 else experiment.flat(names, 0)
    trial = experiment.trial(tree, seed)
    tasks = [experiment.data_of(seed)[task.name] for task in trial.tasks]
    network = build_network(tree, trial.encoder, trial.tasks, experiment.bank.mels, seed)
    states: dict[int, dict[str, torch.Tensor]] = {}

    def keep(message: Mapping[str, Any]) -> None:
        states[message["step"]] = {n: value.clone() for n, value in network.state_dict().items()}

    history = train(network, experiment.bank, tasks, trial.training, seed, keep).history
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for rule in RULES:
        steps = kept_steps(rule, history, [task.task for task in tasks])
        network.load_state_dict(mean_weights([states[step] for step in steps]))
        scores[rule] = {split: scored(network, experiment, tasks, split) for split in REPORTED}
    return scores


def scored(network: Network, experiment: Experiment, tasks: list[TaskData], split: Any) -> Any:
    """The scores that AR is taken of."""
    logits = predict(network, experiment.bank, clips_of(tasks, split))
    metrics = score(tasks, split, logits)
    return {task.task: metrics[task.task][task.spec.rules.metric] for task in tasks}


def trained(config: RunConfig, seeds: int, workers: int, into: Path) -> dict[str, Scores]:
    """Scores of every training, by its tasks and seed; what is there already is read."""
    into.mkdir(parents=True, exist_ok=True)
    wanted = [
        (names, seed)
        for seed in range(seeds)
        for names in ([*config.tasks], *([task] for task in config.tasks))
    ]
    found: dict[str, Scores] = {}
    jobs: list[Job] = []
    for names, seed in wanted:
        key = f"{'-'.join(names)}-{seed}"
        if (file := into / f"{key}.json").exists():
            found[key] = json.loads(file.read_text())
        else:
            jobs.append(Job(key, (names, seed)))
    work = partial(measure, Supply(config.to_yaml(), prepare(config).bank.fingerprint))
    with closing(ProcessExecutor(workers)) as executor:
        for ended in executor.run(work, jobs, lambda *_: None):
            assert ended.error is None, ended.detail or ended.error
            found[ended.key] = ended.value
            (into / f"{ended.key}.json").write_text(json.dumps(ended.value))
            print(f"{len(found)} of {len(wanted)}", flush=True)
    return found


def summary(found: Mapping[str, Scores], tasks: Sequence[str], seeds: int) -> None:
    """Print AR of means, of halves of the seeds, signed losses and spreads, by rule and split."""
    both = "-".join(tasks)
    for rule, split in itertools.product(RULES, REPORTED):

        def table(key: Callable[[str, int], str], rule: str = rule, split: str = split) -> Any:
            rows = [[found[key(t, s)][rule][split][t] for t in tasks] for s in range(seeds)]
            return np.array(rows)

        single = table(lambda task, seed: f"{task}-{seed}")
        joint = table(lambda _, seed: f"{both}-{seed}")

        def reduction(ones: np.ndarray, others: np.ndarray) -> float:
            means = (dict(zip(tasks, each.mean(0), strict=True)) for each in (ones, others))
            return accuracy_reduction(*means)

        # of three seeds each, as a run would have: every choice
        threes = [list(each) for each in itertools.combinations(range(seeds), min(3, seeds))]
        null = [reduction(single[a], joint[b]) for a in threes for b in threes]
        lost = 100 * (single.mean(0) - joint.mean(0)) / single.mean(0)
        error = 100 * np.sqrt(single.var(0, ddof=1) + joint.var(0, ddof=1)) / np.sqrt(seeds)
        told = ", ".join(
            f"{task} {value:+.2f} ± {e / s:.2f}"
            for task, value, e, s in zip(tasks, lost, error, single.mean(0), strict=True)
        )
        scores = ", ".join(
            f"{task} {100 * m:.1f} ± {100 * d:.1f}"
            for task, m, d in zip(tasks, single.mean(0), single.std(0, ddof=1), strict=True)
        )
        print(
            f"{rule:8}{split:6} AR {reduction(single, joint):.2f}; of three seeds: median "
            f"{np.median(null):.2f}, 95 % below {np.quantile(null, 0.95):.2f}\n"
            f"{'':14} loss: {told}\n{'':14} alone: {scores}"
        )


def main() -> None:
    """Train what is missing and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, help="by default the embedded demonstration")
    parser.add_argument("--epochs", type=int, help="instead of the configuration's")
    parser.add_argument("--steps-per-epoch", type=int, help="instead of the configuration's")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--into", type=Path, required=True)
    asked = parser.parse_args()
    config = load_config(asked.config)
    options = {"epochs": asked.epochs, "steps_per_epoch": asked.steps_per_epoch}
    given = {name: value for name, value in options.items() if value}
    config = config.with_options(training={**config.training.model_dump(), **given})
    found = trained(config, asked.seeds, asked.workers, asked.into)
    summary(found, [*config.tasks], asked.seeds)


if __name__ == "__main__":
    main()

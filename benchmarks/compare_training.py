"""Single-task scores under two trainings that differ in one setting, over seeds.

Is the schedule long enough? Does another precision change scores?

    python benchmarks/compare_training.py --config examples/real_speech.yaml \
        --workspace runs/real_speech --from epochs=40 --to epochs=80
    python benchmarks/compare_training.py --workspace runs/precision \
        --from precision=float32 --to precision=bfloat16

Prints a Markdown table: per task the mean validation score of either, their difference, and the
spread (highest minus lowest) over the seeds of the first. Trainings are kept in the
workspace like all others, so the script can be stopped and started again.
"""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from pathlib import Path

from synergy.config import RunConfig, load_config
from synergy.executors import ProcessExecutor
from synergy.experiment import prepare
from synergy.measuring.bench import train_singles
from synergy.measuring.outcome import Outcome
from synergy.running.progress import Progress
from synergy.running.session import Session
from synergy.training.config import TrainingConfig
from synergy.workspace import Workspace


def singles(config: RunConfig, workspace: Workspace, workers: int) -> Outcome:
    """Train what is missing of the single-task models."""
    with closing(ProcessExecutor(workers)) as executor:
        session = Session(prepare(config, executor), workspace, executor, Progress())
        return train_singles(session, session.experiment.tasks)


def main() -> None:
    """Train both and print the table."""
    parser = argparse.ArgumentParser(description="Single-task scores under two trainings.")
    parser.add_argument("--config", type=Path, help="by default the embedded demonstration")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--from", dest="first", required=True, metavar="KEY=VALUE")
    parser.add_argument("--to", dest="second", required=True, metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    config = load_config(options.config).model_copy(update={"seeds": options.seeds})
    workspace = Workspace(options.workspace)
    found: list[Outcome] = []
    with workspace.lock("compare_training"):
        for setting in (options.first, options.second):
            key, value = setting.split("=", 1)
            training = {**config.training.model_dump(), key: value}
            changed = {"training": TrainingConfig.model_validate(training)}
            found.append(singles(config.model_copy(update=changed), workspace, options.workers))
    before, after = found
    print(f"| task | {options.first} | {options.second} | difference | spread | test |")
    print("| --- | --- | --- | --- | --- | --- |")
    for task in before.runs:
        values = before.scores["valid"][task]
        means = [100 * model.mean("valid", task) for model in (before, after)]
        tests = [100 * model.mean("test", task) for model in (before, after)]
        print(
            f"| {task} | {means[0]:.1f} | {means[1]:.1f} | {means[1] - means[0]:+.1f} "
            f"| {100 * (max(values) - min(values)):.1f} | {tests[0]:.1f}, {tests[1]:.1f} |"
        )


if __name__ == "__main__":
    main()

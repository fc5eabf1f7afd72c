"""What share of a sweep the checksums take: `synergy pairwise` on the embedded corpus.

The schedule is a tenth of the usual one, which overstates the share: checksums are taken once for
a training and once for a worker, whatever the number of steps.

    python benchmarks/checksums.py [--epochs 4] [--tasks gc,scr]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import synergy.files
import synergy.trials.teachers
import synergy.trials.trial_store
from synergy.cli import main
from synergy.config import DEMO_CONFIG

spent = 0.0


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time added to ``spent``."""

    def measured(*arguments: Any) -> Any:
        global spent
        started = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            spent += time.perf_counter() - started

    return measured


def measure(epochs: int, tasks: str) -> None:
    """Run a sweep of one depth in this process, then nothing is left to train, and print both."""
    global spent
    for name in ("checksum", "file_checksum", "_seal"):
        inside = getattr(synergy.files, name)
        for module in (synergy.files, synergy.trials.trial_store, synergy.trials.teachers):
            if getattr(module, name, None) is inside:
                setattr(module, name, timed(inside))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "short.yaml"
        settings = yaml.safe_load(DEMO_CONFIG.read_text(encoding="utf-8"))
        settings["training"] = {**settings.get("training", {}), "epochs": epochs}
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        command = ["pairwise", "--config", str(config), "--workspace", f"{folder}/ws"]
        command += ["--tasks", tasks, "--depths", "6", "--executor", "serial", "--json"]
        for what in ("a sweep", "the same again, nothing to train"):
            spent, started = 0.0, time.perf_counter()
            assert main(command) == 0
            took = time.perf_counter() - started
            share = 100 * spent / took
            print(f"{what}: {took:.1f} s, checksums {1000 * spent:.1f} ms, {share:.2f} %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--tasks", default="gc,scr")
    given = parser.parse_args()
    measure(given.epochs, given.tasks)

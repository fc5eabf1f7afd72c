"""Memory and speed of ``synergy predict`` on a made-up hour, with the default encoder.

    python benchmarks/predict.py
    python benchmarks/predict.py --hours 0.1 --json

The network is untrained and has four tasks in the README's tree; the recording is 16 kHz mono noise
that comes and goes. Each command is a process of its own with one thread. What a process needs that
hears one second stands beside it: most of that is torch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from synergy.audio.features import FeatureConfig
from synergy.audio.reading import SAMPLE_RATE_HZ
from synergy.encoders import Cnn8
from synergy.export import EXPORTERS, About
from synergy.export.spec import CorpusEntry
from synergy.network import build_network
from synergy.tasks import TaskSpec
from synergy.tree import SharingTree

SPECS = (
    TaskSpec("gc", "clip_classification", ("female", "male")),
    TaskSpec("ac", "clip_classification", ("child", "adult", "senior")),
    TaskSpec("scr", "clip_classification", tuple(f"word {n}" for n in range(35))),
    TaskSpec("vad", "frame_activity", ("speech",)),
)

FURTHER = 20  # files of one second in one command, after the first

# Runs a command, then tells what the process needed at most, in kB.
CHILD = """\
import sys
from synergy.cli import main
code = main(sys.argv[1:])
with open("/proc/self/status") as status:
    sys.stderr.write(next(line for line in status if line.startswith("VmHWM")).split()[1])
sys.exit(code)
"""


def write_model(folder: Path) -> None:
    """An untrained network as an exported model."""
    tree, features = SharingTree.parse("{{gc,ac}@8,{scr,vad}@8}@6", 8), FeatureConfig()
    names = [spec.name for spec in SPECS]
    about = About(
        tasks=dict.fromkeys(names, ("noise",)),
        corpora={"noise": CorpusEntry(fingerprint="0", licences=(), synthetic=True)},
        scores={"valid": dict.fromkeys(names, (0.5,))},
        single_scores={},
        weights_scores={"valid": dict.fromkeys(names, 0.5)},
        weights_seed=0,
        weights_trial="0",
        seeds=(0,),
        training={"crop_s": 1.0},
        versions={},
    )
    network = build_network(tree, Cnn8(), SPECS, features.mels, seed=0).eval()
    mean, std = np.full(features.mels, -7, np.float32), np.ones(features.mels, np.float32)
    EXPORTERS["torch"](folder, network, Cnn8(), features, mean, std, about)


def write_noise(file: Path, seconds: float) -> None:
    """Noise whose level changes every minute, 16 bit."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(file, "w", SAMPLE_RATE_HZ, 1, "PCM_16") as out:
        while seconds > 0:
            samples = rng.standard_normal(round(min(60.0, seconds) * SAMPLE_RATE_HZ))
            out.write(samples * rng.uniform(0.001, 0.2))
            seconds -= 60.0


def processor_s() -> float:
    """Seconds of processor time of all processes that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def measure(model: Path, *recordings: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and MB that a command takes for these recordings."""
    started, before = time.perf_counter(), processor_s()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "predict", str(model), *map(str, recordings), "--csv"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - started, processor_s() - before, int(done.stderr) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Memory and speed of predict.")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, short, long = (Path(folder) / name for name in ("model", "short.wav", "long.wav"))
        write_model(model)
        write_noise(short, 1.0)
        write_noise(long, options.hours * 3600)
        measure(model, short)  # reads what the next one finds in memory
        base_s, base_cpu_s, base_mb = measure(model, short)
        _, more_cpu_s, _ = measure(model, *[short] * (1 + FURTHER))
        long_s, long_cpu_s, long_mb = measure(model, long)
    found = {
        "hours": options.hours,
        "seconds": long_s,
        "processor_s": long_cpu_s,
        "times_real_time": options.hours * 3600 / (long_s - base_s),
        "times_real_time_of_processor": options.hours * 3600 / (long_cpu_s - base_cpu_s),
        "mb": long_mb,
        "mb_of_one_second": base_mb,
        "seconds_of_one_second": base_s,
        "processor_s_of_each_further_second": (more_cpu_s - base_cpu_s) / FURTHER,
    }
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{options.hours:g} h: {long_s:.1f} s ({long_cpu_s:.1f} s of processor time); after the "
        f"start {found['times_real_time']:.0f} ({found['times_real_time_of_processor']:.0f}) times "
        "real time"
    )
    print(f"memory: {long_mb:.0f} MB, of them {base_mb:.0f} MB for one second of audio")
    each_ms = 1000 * found["processor_s_of_each_further_second"]
    print(f"a file of one second: {base_s:.1f} s, each further one {each_ms:.0f} ms of a processor")


if __name__ == "__main__":
    main()

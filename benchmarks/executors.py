"""What executors cost: empty jobs on clusters of many nodes, a demonstration, bytes on the network.

    python benchmarks/executors.py empty [--jobs 1000] [--nodes 1,2,16,64]
    python benchmarks/executors.py demo [--epochs 4] [--turns 2]
    python benchmarks/executors.py bytes

``empty`` simulates the nodes of a cluster on this machine, with one worker each, and runs jobs that
do nothing, all of the workers having started before. ``demo`` runs `synergy run` on the embedded
corpus with worker processes and with a Ray of its own, in turn, and compares tables and weights.
``bytes`` measures what travels for the embedded corpus.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from synergy.config import DEMO_CONFIG, load_config
from synergy.executors import EXECUTORS, Executor, Job, Report, Resources
from synergy.executors.packing import packed_job, packed_message


def nothing(payload: int, report: Report) -> int:
    """A job that costs nothing itself."""
    report(payload)
    return os.getpid()


def pause(payload: float, report: Report) -> int:
    """A job long enough for every worker to get one."""
    time.sleep(payload)
    return os.getpid()


def warm(executor: Executor, workers: int) -> None:
    """Start every worker; they stay for the next run where the executor keeps them."""
    seen: set[int] = set()
    while len(seen) < workers:
        jobs = [Job(str(n), 1.0) for n in range(2 * workers)]
        seen |= {ended.value for ended in executor.run(pause, jobs, lambda *_: None)}


def measure_empty(name: str, nodes: int, jobs: int, address: str = "") -> dict[str, Any]:
    """Seconds and the growth of this process for so many jobs."""
    resources = Resources(workers=None if name == "ray" else nodes, address=address)
    with closing(EXECUTORS[name](resources)) as executor:
        if name == "ray":
            warm(executor, nodes)
        before, started = memory(), time.perf_counter()
        work = [Job(str(n), n) for n in range(jobs)]
        reports: list[str] = []
        count = sum(1 for _ in executor.run(nothing, work, lambda key, _: reports.append(key)))
        seconds = time.perf_counter() - started
        assert count == len(reports) == jobs
        return {
            "executor": name,
            "nodes": nodes,
            "jobs": jobs,
            "seconds": round(seconds, 2),
            "ms_per_job": round(1000 * seconds / jobs, 2),
            "driver_mb": round(memory()),
            "driver_grew_mb": round(memory() - before, 1),
        }


def memory() -> float:
    """Resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def empty(jobs: int, nodes: list[int]) -> None:
    """Print a line for each number of nodes, each measured in a process of its own."""
    for count in nodes:
        for name in ("process", "ray") if count <= 2 else ("ray",):
            command = [sys.executable, __file__, "one", "--jobs", str(jobs)]
            command += ["--nodes", str(count), "--executor", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            print(done.stdout.splitlines()[-1], flush=True)


def one(name: str, jobs: int, nodes: int) -> None:
    """Measure one number of nodes."""
    if name == "process":
        print(json.dumps(measure_empty(name, nodes, jobs)))
        return
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(nodes):
        cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20, wait=False)
    cluster.wait_for_nodes()
    found = measure_empty(name, nodes, jobs, cluster.address or "")
    print(json.dumps(found), flush=True)
    cluster.shutdown()


def demo(epochs: int, turns: int) -> None:
    """Print the seconds of both executors, in turn, and which files differ."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "short.yaml"
        settings = yaml.safe_load(DEMO_CONFIG.read_text(encoding="utf-8"))
        settings["training"] = {**settings.get("training", {}), "epochs": epochs}
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        seconds: dict[str, list[float]] = {"process": [], "ray": []}
        for turn in range(turns):
            for name, taken in seconds.items():
                command = [sys.executable, "-m", "synergy", "run", "--config", str(config)]
                command += ["--workspace", f"{folder}/{name}-{turn}", "--executor", name, "--json"]
                started = time.perf_counter()
                done = subprocess.run(command, capture_output=True, check=False)
                assert done.returncode in (0, 1), done.stderr
                taken.append(time.perf_counter() - started)
        tables = {Path(folder, f"{name}-0", "ar_table.csv").read_bytes() for name in seconds}
        for name, taken in seconds.items():
            print(f"{name}: {', '.join(f'{each:.1f} s' for each in taken)}")
        ratios = [p / r for p, r in zip(seconds["process"], seconds["ray"], strict=True)]
        print(f"process / ray: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
        print(f"ar_table.csv: {'the same' if len(tables) == 1 else 'DIFFERENT'}")
        names = sorted(
            path.relative_to(f"{folder}/ray-0")
            for path in Path(folder, "ray-0").rglob("*.safetensors")
        )
        same = [
            Path(folder, "process-0", name).read_bytes() == Path(folder, "ray-0", name).read_bytes()
            for name in names
        ]
        print(f"weights and predictions: {sum(same)} of {len(same)} files the same")


def bytes_on_the_network() -> None:
    """Print what travels for the embedded corpus, by what it is."""
    from synergy.datasets import extraction
    from synergy.experiment import Recipe, prepare
    from synergy.running.jobs import Payload, Supply, TrialJob, run_one
    from synergy.trials.record import TrialRecord
    from synergy.trials.teachers import labellings, training_clips

    config = load_config(None).with_options(
        training={**load_config(None).training.model_dump(), "epochs": 1, "steps_per_epoch": 2}
    )
    experiment = prepare(config)
    bank, corpus = experiment.bank, next(iter(experiment.corpora.values()))
    sizes: dict[str, int | str] = {}
    seconds = sum(clip.duration_s for clip in corpus.clips)
    sizes["clips of the corpus"] = f"{len(corpus.clips)}, {seconds / 60:.0f} min"
    chunk = [extraction._travelling(str(corpus.audio_path(clip))) for clip in corpus.clips[:32]]
    found = extraction._features(config.features, chunk, lambda _: None)
    sizes["32 recordings to a node"] = len(packed_job(Job("0", chunk)).payload)
    sizes["their features back"] = len(packed_message((found,)))
    sizes["features of all clips"] = sum(features.nbytes for features in bank.features)
    sizes["features, targets, corpora, settings of all tasks"] = len(pickle.dumps(experiment))
    clips, labels, reports = training_clips(experiment.data_of(0)), 0, list[bytes]()
    every = experiment.flat(experiment.tasks, experiment.depth)
    distilled = experiment.trial(every, 0, Recipe(distilled=True))
    asked = labellings(distilled, bank.hop_s)
    supply = Supply(experiment, bank.fingerprint)
    for trial in experiment.trials(map(experiment.alone, experiment.tasks), seeds=[0]):
        payload = Payload(TrialJob(trial))
        done = run_one(supply, payload, lambda message: reports.append(packed_message((message,))))
        record = TrialRecord.model_validate(trial.to_json())
        labelling = asked[trial.tasks[0].name][0]
        labels += labelling.ask(record, done.weights, bank, clips).nbytes
        sizes["settings of a training"] = len(packed_job(Job("0", payload)).payload)
        sizes["result of a single-task model"] = len(packed_message((done,)))
    sizes["soft labels of all tasks"] = labels
    sizes["a message after a validation"] = max(map(len, reports))
    done = run_one(supply, Payload(TrialJob(experiment.trial(every, 0))), lambda _: None)
    sizes["result of a model of all tasks"] = len(packed_message((done,)))
    sizes["its weights"] = sum(weights.nbytes for weights in done.weights.values())
    sizes["its predictions"] = sum(found.nbytes for found in done.predictions.values())
    for name, size in sizes.items():
        print(f"{name}: {size if isinstance(size, str) else f'{size:,} bytes'}")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("empty", "demo", "bytes", "one"))
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--nodes", default="1,2,16,64")
    parser.add_argument("--executor", default="ray")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--turns", type=int, default=2)
    asked = parser.parse_args()
    match asked.what:
        case "empty":
            empty(asked.jobs, [int(n) for n in asked.nodes.split(",")])
        case "one":
            one(asked.executor, asked.jobs, int(asked.nodes))
        case "demo":
            demo(asked.epochs, asked.turns)
        case _:
            bytes_on_the_network()


if __name__ == "__main__":
    main()

"""How much a run would train, and how long that would take, before anything starts."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from synergy.costs import Costs
from synergy.errors import WorkspaceError
from synergy.experiment import Experiment, Recipe
from synergy.network import build_network
from synergy.stages.baseline import baseline
from synergy.stages.cells import CellTrainer
from synergy.stages.measure import Variant, flat_of_size
from synergy.stages.pairwise import check_pairable
from synergy.stages.progress import Silent
from synergy.stages.search import Wanted
from synergy.stages.sweep import Session, trials_of
from synergy.stages.synthesize import find_tree, read_table, variants
from synergy.synthesis.cells import Cell
from synergy.synthesis.sweeps import SWEEPS, SweepGoal, forecast, known_cells
from synergy.training.batches import BatchSource
from synergy.training.loop import lay_out, training_step
from synergy.tree import SharingTree
from synergy.trials.store import TrialStore
from synergy.trials.trial import Trial
from synergy.workspace import Workspace

PROBE_S = 3.0
# A step runs forward, and backward through weights and inputs.
_TRAINING_PASSES = 3
_STEPS_TO_WARM_UP = 2


@dataclass(frozen=True)
class StagePlan:
    """One stage; a training that an earlier stage needs as well is counted there.

    ``seconds`` is what is still to do, 0 when all is done.
    """

    name: str
    trainings: int
    done: int
    seconds: float


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep would still train for the table of pairs, all seeds counted.

    Attributes
    ----------
    name : str
        Key in ``SWEEPS``.
    least, most : int
        No outcome of the trainings takes fewer or more.
    expected : float
        Mean over imagined tables, see `synergy.synthesis.sweeps.forecast`.
    seconds : float
        Time of the expected trainings.
    """

    name: str
    least: int
    most: int
    expected: float
    seconds: float


@dataclass(frozen=True)
class Plan:
    """All stages.

    Attributes
    ----------
    stages : tuple of StagePlan
        The second one with the sweep ``full``.
    sweeps : tuple of SweepPlan
        What stage 2 costs with each sweep.
    workers : int
    clips_per_s : float
        Clips of a single-task training that one worker gets through in a second.
    basis : str
        Where the time comes from, one sentence.
    repair_trainings : int
        What each repair of the tree adds, should it miss the threshold.
    repair_seconds : float
    """

    stages: tuple[StagePlan, ...]
    sweeps: tuple[SweepPlan, ...]
    workers: int
    clips_per_s: float
    basis: str
    repair_trainings: int
    repair_seconds: float

    @property
    def trainings(self) -> int:
        """Of all stages."""
        return sum(stage.trainings for stage in self.stages)

    @property
    def done(self) -> int:
        """Of all stages."""
        return sum(stage.done for stage in self.stages)

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(stage.seconds for stage in self.stages)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "stages": [asdict(stage) for stage in self.stages],
            "sweeps": [asdict(sweep) for sweep in self.sweeps],
            "trainings": self.trainings,
            "done": self.done,
            "seconds": self.seconds,
            "workers": self.workers,
            "clips_per_s": self.clips_per_s,
            "basis": self.basis,
            "repair_trainings": self.repair_trainings,
            "repair_seconds": self.repair_seconds,
        }


def plan(
    experiment: Experiment,
    workspace: Path,
    tasks: Sequence[str],
    depths: Sequence[int],
    workers: int,
    wanted: Wanted | None = None,
) -> Plan:
    """Plan the three stages.

    Parameters
    ----------
    experiment : Experiment
    workspace : Path
        May not be there yet; nothing is written.
    tasks : sequence of str
        At least two.
    depths : sequence of int
    workers : int
    wanted : Wanted, optional
        Of stage 3. Where it asks for distillation, the pairs are distilled as well.

    Raises
    ------
    ConfigError
        If there are fewer than two tasks.
    WorkspaceError
        If a finished trial is damaged.
    """
    check_pairable(tasks)
    wanted = wanted or Wanted()
    tree, flat = _last_models(experiment, workspace, tasks, depths, wanted)
    ways = variants(experiment, wanted)
    last = [(flat, Variant("flat", ways[0].recipe)), *((tree, way) for way in ways)]
    stages = _stages(experiment, tasks, depths, last, wanted.distilled)
    store = TrialStore(workspace / "trials")
    every = list(itertools.chain.from_iterable(stages.values()))
    finished = {t.digest: store.result(t.digest) for t in every if store.is_done(t.digest)}
    if finished:
        worked = sum(work(experiment, trial) for trial in every if trial.digest in finished)
        speed = worked / sum(result["seconds"] for result in finished.values())
        count = len(finished)
        basis = f"the time comes from {count} finished training{'s' * (count > 1)}"
    else:
        speed = _probe(experiment, tasks)
        basis = (
            f"the time comes from {PROBE_S:g} s of training on this machine with one thread; "
            "workers that share memory or cores with others take longer"
        )
    plans: list[StagePlan] = []
    for name, trials in stages.items():
        missing = [work(experiment, t) / speed for t in trials if t.digest not in finished]
        slots = max(1, min(workers, len(missing)))
        seconds = max(sum(missing) / slots, max(missing, default=0.0))
        plans.append(StagePlan(name, len(trials), len(trials) - len(missing), seconds))
    single = SharingTree.single(tasks[0], experiment.config.encoder.depth)
    per_clip = _TRAINING_PASSES * experiment.config.training.crop_s * experiment.costs.macs(single)
    sweeps = _sweeps(experiment, workspace, tasks, depths, workers, speed, wanted.distilled)
    repair = trials_of(experiment, [tree], ways[-1].recipe)
    each = [work(experiment, trial) / speed for trial in repair]
    return Plan(
        stages=tuple(plans),
        sweeps=sweeps,
        workers=workers,
        clips_per_s=speed / per_clip,
        basis=basis,
        repair_trainings=len(each),
        repair_seconds=max(sum(each) / min(workers, len(each)), max(each)),
    )


def _sweeps(
    experiment: Experiment,
    workspace: Path,
    tasks: Sequence[str],
    depths: Sequence[int],
    workers: int,
    speed: float,
    distilled: bool,
) -> tuple[SweepPlan, ...]:
    """Least and most trainings of every sweep, from the cells that are done."""
    config = experiment.config
    goal = SweepGoal(
        tuple(tasks),
        tuple(sorted(depths)),
        config.max_ar,
        experiment.costs.block_params,
        config.encoder.depth,
    )
    known = known_cells(goal, _cells_done(experiment, workspace, goal, distilled))
    store = TrialStore(workspace / "trials")
    recipe = Recipe(distilled=distilled)
    missing: list[list[float]] = []
    for key in goal.cells():
        if key not in known:
            tree = SharingTree.flat(key[:2], key[2], config.encoder.depth)
            trials = trials_of(experiment, [tree], recipe)
            missing.append([work(experiment, t) for t in trials if not store.is_done(t.digest)])
    counts = sorted(map(len, missing))
    each = list(itertools.chain.from_iterable(missing))
    mean, of_cell = fmean(each or [0.0]) / speed, fmean(counts or [0])
    # seeds of one cell are trained side by side, so workers take several cells only beyond them
    batch = max(1, -(-workers // config.seeds))
    seeds_at_once = min(workers, config.seeds)
    plans: list[SweepPlan] = []
    for name, sweep in SWEEPS.items():
        cast = forecast(sweep, goal, known.values(), batch)
        plans.append(
            SweepPlan(
                name,
                least=sum(counts[: cast.least]),
                most=sum(counts[len(counts) - cast.most :]),
                expected=of_cell * cast.trainings,
                seconds=mean * cast.steps * of_cell / seeds_at_once,
            )
        )
    return tuple(plans)


def _cells_done(
    experiment: Experiment, workspace: Path, goal: SweepGoal, distilled: bool
) -> list[Cell]:
    """Cells whose trainings, and those of their single-task models, are all done."""
    store = TrialStore(workspace / "trials")
    blocks = experiment.config.encoder.depth
    singles = trials_of(experiment, [SharingTree.single(task, blocks) for task in goal.tasks])
    if not all(store.is_done(trial.digest) for trial in singles):
        return []
    session = Session(experiment, Workspace(workspace, create=False), "serial", 1, Silent())
    return CellTrainer(session, baseline(session, goal.tasks), distilled).known(goal.cells())


def work(experiment: Experiment, trial: Trial) -> float:
    """Multiply-accumulates of a trial: its steps, its validations and its test."""
    training, tree = trial.training, trial.tree
    seconds = training.steps * training.clips_per_task * training.crop_s * _TRAINING_PASSES
    every = trial.distillation is not None
    costs = experiment.costs_of(trial.encoder)
    macs = _macs_per_clip(experiment, costs, tree, every=every) * seconds
    # Clips to measure on are run once as well for all tasks that have them.
    measured = {
        split: {int(clip) for task in tree.tasks for clip in experiment.data[task].clips[split]}
        for split in ("valid", "test")
    }
    features, hop_s = experiment.bank.features, experiment.bank.hop_s
    seconds = 0.0
    for split, times in (("valid", training.epochs + 1), ("test", 1)):
        frames = sum(len(features[number]) for number in measured[split])
        seconds += times * frames * hop_s / len(_streams(experiment, tree.tasks))
    return macs + _macs_per_clip(experiment, costs, tree) * seconds


def _streams(experiment: Experiment, tasks: Sequence[str]) -> set[int]:
    """The different sets of clips that the tasks are trained on."""
    return {experiment.data[task].stream for task in tasks}


def _macs_per_clip(
    experiment: Experiment, costs: Costs, tree: SharingTree, *, every: bool = False
) -> float:
    """MACs for one second of audio of each task; a clip that several tasks draw is run once.

    With ``every``, clips run through all branches, as those with teachers do.
    """
    if every:
        return float(len(_streams(experiment, tree.tasks)) * costs.macs(tree))
    total = float(sum(costs.head_macs[task] for task in tree.tasks))
    for branch in tree.branches():
        streams = _streams(experiment, branch.tasks)
        total += len(streams) * sum(costs.block_macs[number - 1] for number in branch.block_numbers)
    return total


def _stages(
    experiment: Experiment,
    tasks: Sequence[str],
    depths: Sequence[int],
    last: Sequence[tuple[SharingTree, Variant]],
    distilled: bool,
) -> dict[str, list[Trial]]:
    """The trials of each stage that no earlier stage has."""
    blocks = experiment.config.encoder.depth
    singles = [SharingTree.single(task, blocks) for task in tasks]
    pairs = [
        SharingTree.flat(pair, depth, blocks)
        for pair in itertools.combinations(tasks, 2)
        for depth in depths
    ]
    models: dict[str, Sequence[tuple[SharingTree, Variant]]] = {
        "baseline": [(tree, Variant("single")) for tree in singles],
        "pairwise": [(tree, Variant("pair", Recipe(distilled=distilled))) for tree in pairs],
        "synthesize": last,
    }
    seen: set[str] = set()
    stages: dict[str, list[Trial]] = {}
    for name, trained in models.items():
        stages[name] = []
        for seed, (shape, way) in itertools.product(experiment.config.all_seeds, trained):
            trial = experiment.trial(shape, seed, way.recipe)
            if trial.digest not in seen:
                seen.add(trial.digest)
                stages[name].append(trial)
    return stages


def _last_models(
    experiment: Experiment,
    workspace: Path,
    tasks: Sequence[str],
    depths: Sequence[int],
    wanted: Wanted,
) -> tuple[SharingTree, SharingTree]:
    """The tree of the workspace's table and the flat model beside it.

    While there is no table, flat models around the middle depth stand in for both.
    """
    try:
        table, _ = read_table(workspace, wanted.distilled)
    except WorkspaceError:
        table = None
    if table is not None and sorted(table.tasks) == sorted(tasks):
        tree = find_tree(experiment, table, wanted).tree
        return tree, flat_of_size(experiment.costs_at(wanted.width), tree)
    middle = sorted(depths)[len(depths) // 2]
    blocks = experiment.config.encoder.depth
    return SharingTree.flat(tasks, middle, blocks), SharingTree.flat(tasks, middle - 1, blocks)


def _probe(experiment: Experiment, tasks: Sequence[str]) -> float:
    """MACs per second of training a flat model of all ``tasks``, with one thread."""
    config, bank = experiment.config, experiment.bank
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tree = SharingTree.flat(tasks, config.encoder.depth, config.encoder.depth)
    specs = [experiment.specs[task] for task in tree.tasks]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network = build_network(tree, config.encoder, specs, bank.mels, config.seed)
        network.to(device).train()
        lay_out(network, config.training)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
        data = [experiment.data[task] for task in tree.tasks]
        source = BatchSource(bank, data, config.training, config.seed)
        started, steps = time.perf_counter(), 0
        for step in itertools.count():
            if step == _STEPS_TO_WARM_UP:
                started = time.perf_counter()
            losses = training_step(
                network, source.batch(step).to(device), optimizer, config.training
            )
            _ = [float(loss) for loss in losses.values()]
            steps = step + 1 - _STEPS_TO_WARM_UP
            if steps > 0 and time.perf_counter() - started >= PROBE_S:
                break
        seconds = time.perf_counter() - started
    finally:
        torch.set_num_threads(threads)
    clips = steps * config.training.clips_per_task * config.training.crop_s
    return _TRAINING_PASSES * clips * _macs_per_clip(experiment, experiment.costs, tree) / seconds

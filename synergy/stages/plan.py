"""How much a run would train, and how long that would take, before anything starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain, combinations, count, product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from synergy.costs import Costs
from synergy.errors import WorkspaceError
from synergy.experiment import Experiment, Recipe
from synergy.measuring.bench import train_singles
from synergy.measuring.pairs import PairTrainer
from synergy.network import build_network
from synergy.running.progress import Silent
from synergy.running.session import Session
from synergy.stages.pairwise import check_pairable
from synergy.stages.synthesize import recipes
from synergy.synthesis import Cell, Question, search
from synergy.synthesis.sweeps import SWEEPS, SweepGoal, forecast, known_cells
from synergy.training.batches import BatchSource
from synergy.training.loop import lay_out, training_step
from synergy.tree import SharingTree
from synergy.trials.trial import Trial
from synergy.trials.trial_store import TrialStore
from synergy.wording import REPORTED, counted
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
    question: Question,
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
    question : Question
        Of stage 3. Where it asks for distillation, the pairs are distilled as well.

    Raises
    ------
    ConfigError
        If there are fewer than two tasks.
    WorkspaceError
        If a finished trial is damaged.
    """
    check_pairable(tasks)
    tree, flat = _last_models(experiment, workspace, tasks, depths, question)
    ways = [recipe for _, recipe in recipes(experiment, question)]
    last = [(flat, ways[0]), *((tree, way) for way in ways)]
    stages = _stages(experiment, tasks, depths, last, question.distilled)
    store = TrialStore(workspace / "trials")
    every = list(chain.from_iterable(stages.values()))
    finished = {t.digest: store.result(t.digest) for t in every if store.is_done(t.digest)}
    if finished:
        worked = sum(work(experiment, trial) for trial in every if trial.digest in finished)
        speed = worked / sum(result.seconds for result in finished.values())
        basis = f"the time comes from {counted(len(finished), 'finished training')}"
    else:
        speed = _probe(experiment, tasks)
        basis = (
            f"the time comes from {PROBE_S:g} s of training on this machine with one thread; "
            "workers that share memory or cores with others take longer"
        )
    plans: list[StagePlan] = []
    for name, trials in stages.items():
        missing = [work(experiment, t) / speed for t in trials if t.digest not in finished]
        seconds = _side_by_side(missing, workers)
        plans.append(StagePlan(name, len(trials), len(trials) - len(missing), seconds))
    single = experiment.alone(tasks[0])
    per_clip = _TRAINING_PASSES * experiment.config.training.crop_s * experiment.costs.macs(single)
    repair = [work(experiment, t) / speed for t in experiment.trials([tree], ways[-1])]
    goal = SweepGoal(tuple(tasks), tuple(sorted(depths)), question, experiment.costs)
    return Plan(
        stages=tuple(plans),
        sweeps=_sweeps(experiment, workspace, goal, workers, speed),
        workers=workers,
        clips_per_s=speed / per_clip,
        basis=basis,
        repair_trainings=len(repair),
        repair_seconds=_side_by_side(repair, workers),
    )


def _side_by_side(seconds: Sequence[float], workers: int) -> float:
    """How long trainings take on some workers."""
    slots = max(1, min(workers, len(seconds)))
    return max(sum(seconds) / slots, max(seconds, default=0.0))


def _sweeps(
    experiment: Experiment, workspace: Path, goal: SweepGoal, workers: int, speed: float
) -> tuple[SweepPlan, ...]:
    """Least and most trainings of every sweep, from the cells that are done."""
    seeds, recipe = experiment.config.seeds, Recipe(distilled=goal.question.distilled)
    store = TrialStore(workspace / "trials")
    known = known_cells(goal, _cells_done(experiment, workspace, goal))
    missing: list[list[float]] = []
    for key in goal.cells():
        if key not in known:
            trials = experiment.trials([experiment.flat(key[:2], key[2])], recipe)
            missing.append([work(experiment, t) for t in trials if not store.is_done(t.digest)])
    counts = sorted(map(len, missing))
    each = list(chain.from_iterable(missing))
    mean, of_cell = fmean(each or [0.0]) / speed, fmean(counts or [0])
    # seeds of one cell are trained side by side, so workers take several cells only beyond them
    batch = max(1, -(-workers // seeds))
    plans: list[SweepPlan] = []
    for name, sweep in SWEEPS.items():
        cast = forecast(sweep, goal, known.values(), batch)
        plans.append(
            SweepPlan(
                name,
                least=sum(counts[: cast.least]),
                most=sum(counts[len(counts) - cast.most :]),
                expected=of_cell * cast.trainings,
                seconds=mean * cast.steps * of_cell / min(workers, seeds),
            )
        )
    return tuple(plans)


def _cells_done(experiment: Experiment, workspace: Path, goal: SweepGoal) -> list[Cell]:
    """Cells whose trainings, and those of their single-task models, are all done."""
    store = TrialStore(workspace / "trials")
    singles = experiment.trials(map(experiment.alone, goal.tasks))
    if not all(store.is_done(trial.digest) for trial in singles):
        return []
    session = Session(experiment, Workspace(workspace, create=False), "serial", 1, Silent())
    alone = train_singles(session, goal.tasks)
    kind = "distilled" if goal.question.distilled else "plain"
    return PairTrainer(session, alone, kind).known(goal.cells())


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
        for split in REPORTED
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
    last: Sequence[tuple[SharingTree, Recipe]],
    distilled: bool,
) -> dict[str, list[Trial]]:
    """The trials of each stage that no earlier stage has."""
    pairs = [experiment.flat(pair, d) for pair in combinations(tasks, 2) for d in depths]
    models: dict[str, Sequence[tuple[SharingTree, Recipe]]] = {
        "baseline": [(experiment.alone(task), Recipe()) for task in tasks],
        "pairwise": [(tree, Recipe(distilled=distilled)) for tree in pairs],
        "synthesize": last,
    }
    seen: set[str] = set()
    stages: dict[str, list[Trial]] = {}
    for name, trained in models.items():
        stages[name] = []
        for seed, (tree, recipe) in product(experiment.config.all_seeds, trained):
            trial = experiment.trial(tree, seed, recipe)
            if trial.digest not in seen:
                seen.add(trial.digest)
                stages[name].append(trial)
    return stages


def _last_models(
    experiment: Experiment,
    workspace: Path,
    tasks: Sequence[str],
    depths: Sequence[int],
    question: Question,
) -> tuple[SharingTree, SharingTree]:
    """The tree of the workspace's table and the flat model beside it.

    While there is no table, flat models around the middle depth stand in for both.
    """
    costs = experiment.costs_at(question.width)
    with suppress(WorkspaceError):
        table = Workspace(workspace, create=False).table(question.distilled).table
        if sorted(table.tasks) == sorted(tasks):
            tree = search(question, table, costs).tree
            return tree, costs.flat_of_size(tree)
    middle = sorted(depths)[len(depths) // 2]
    return experiment.flat(tasks, middle), experiment.flat(tasks, middle - 1)


def _probe(experiment: Experiment, tasks: Sequence[str]) -> float:
    """MACs per second of training a flat model of all ``tasks``, with one thread."""
    config, bank = experiment.config, experiment.bank
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tree = experiment.flat(tasks, experiment.depth)
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
        for step in count():
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

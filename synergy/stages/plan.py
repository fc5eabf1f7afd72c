"""How much a run would train, and how long that would take, before anything starts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain, combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from synergy.costs import Costs
from synergy.errors import WorkspaceError
from synergy.executors import SerialExecutor
from synergy.experiment import Experiment, Recipe
from synergy.losses.adaptive import usual_budget
from synergy.measuring.outcome import Outcome
from synergy.measuring.pairs import PairTrainer
from synergy.network import build_network
from synergy.running.progress import Progress
from synergy.running.session import Results, Session
from synergy.stages.pairwise import check_pairable
from synergy.stages.rounds import recipe_of
from synergy.synthesis import Cell, Question, search
from synergy.synthesis.cells import CellKey
from synergy.synthesis.question import TableKind
from synergy.synthesis.sweeps import SWEEPS, Known, SweepGoal, chances
from synergy.tasks.clips import TaskData
from synergy.training.batches import BatchSource
from synergy.training.device import device_of
from synergy.training.loop import build_optimizer, lay_out, training_step
from synergy.tree import SharingTree
from synergy.trials.trial import Trial
from synergy.trials.trial_store import TrialStore
from synergy.wording import counted
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
        Key in ``SWEEPS``, or adaptive.
    least, most : int
        No outcome of the trainings takes fewer or more.
    expected : float
        What the chances of the cells come to, see `synergy.synthesis.sweeps.chances`.
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
    trainings, done : int
    seconds : float
        Of all stages.
    workers : int
    clips_per_s : float
        Clips of a single-task training that one worker gets through in a second.
    basis : str
        Where the time comes from, one sentence.
    round_trainings : int
        What each further tree adds, and fresh seeds of the one that is delivered.
    round_seconds : float
    epochs, steps_per_epoch : int
        Of every training.
    most_clips : int
        Training clips of the largest task.
    """

    stages: tuple[StagePlan, ...]
    sweeps: tuple[SweepPlan, ...]
    trainings: int
    done: int
    seconds: float
    workers: int
    clips_per_s: float
    basis: str
    round_trainings: int
    round_seconds: float
    epochs: int
    steps_per_epoch: int
    most_clips: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return asdict(self)


def plan(
    experiment: Experiment,
    workspace: Path,
    tasks: Sequence[str],
    depths: Sequence[int],
    workers: int,
    question: Question,
    device: str = "",
) -> Plan:
    """Plan the three stages.

    Parameters
    ----------
    experiment, tasks, depths, workers
    workspace : Path
        May not be there yet; nothing is written.
    question : Question
        Of stage 3. Where it asks for distillation, the pairs are distilled as well.
    device : str
        As `device_of` takes it.

    Raises
    ------
    ConfigError
        As `check_pairable`.
    WorkspaceError
        If a finished trial is damaged.
    """
    check_pairable(tasks, depths)
    store = TrialStore(workspace / "trials")
    tree, flat = _last_models(experiment, workspace, tasks, depths, question)
    width, distilled = question.widths[0], question.ways[0]
    ways = [Recipe(width=width, distilled=way) for way in dict.fromkeys((False, distilled))]
    if question.final_epochs is not None:
        ways.append(recipe_of(experiment, question, width, distilled))
    last = [(flat, ways[0]), *((tree, way) for way in ways)]
    pairs = [experiment.flat(pair, depth) for pair in combinations(tasks, 2) for depth in depths]
    pairs.append(experiment.flat(tasks, 0))  # the null control
    needed = {
        "baseline": experiment.trials(map(experiment.alone, tasks)),
        "pairwise": experiment.trials(pairs, Recipe(distilled=question.table_kind == "distilled")),
        "synthesize": [
            experiment.trial(model, seed, recipe)
            for seed in experiment.config.all_seeds
            for model, recipe in last
        ],
    }
    every = {trial.digest: trial for trials in needed.values() for trial in trials}
    finished = Results.kept(store, every.values()).done
    if finished:
        worked = sum(work(experiment, every[digest]) for digest in finished)
        speed = worked / sum(result.seconds for result in finished.values())
        basis = f"the time comes from {counted(len(finished), 'finished training')}"
    else:
        speed = _probe(experiment, tasks, device)
        basis = (
            f"the time comes from {PROBE_S:g} s of training on this machine with one thread; "
            "workers that share memory or cores with others take longer"
        )

    def taken(trials: Iterable[Trial]) -> list[float]:
        """Seconds of those that are not done."""
        return [work(experiment, t) / speed for t in trials if not store.is_done(t.digest)]

    stages: list[StagePlan] = []
    for name, trials in needed.items():
        own = [each for trial in trials if (each := every.pop(trial.digest, None)) is not None]
        missing = taken(own)
        seconds = _side_by_side(missing, workers)
        stages.append(StagePlan(name, len(own), len(own) - len(missing), seconds))
    crop_s, alone = experiment.training.crop_s, experiment.alone(tasks[0])
    more = [work(experiment, t) / speed for t in experiment.trials([tree], ways[-1])]
    goal = SweepGoal(tuple(tasks), tuple(sorted(depths)), question.max_ar)
    known = _known(experiment, workspace, goal, question.table_kind)
    recipe = Recipe(distilled=question.table_kind == "distilled")
    cells = {
        key: taken(experiment.trials([experiment.flat(key[:2], key[2])], recipe))
        for key in goal.cells()
        if key not in known
    }
    return Plan(
        stages=tuple(stages),
        sweeps=_sweeps(goal, known, cells, experiment.config.seeds, workers),
        trainings=sum(stage.trainings for stage in stages),
        done=sum(stage.done for stage in stages),
        seconds=sum(stage.seconds for stage in stages),
        workers=workers,
        clips_per_s=speed / (_TRAINING_PASSES * crop_s * experiment.costs.macs(alone)),
        basis=basis,
        round_trainings=len(more),
        round_seconds=_side_by_side(more, workers),
        epochs=experiment.training.epochs,
        steps_per_epoch=experiment.training.steps_per_epoch,
        most_clips=experiment.most_clips,
    )


def _side_by_side(seconds: Sequence[float], workers: int) -> float:
    """How long trainings take on some workers."""
    slots = max(1, min(workers, len(seconds)))
    return max(sum(seconds) / slots, max(seconds, default=0.0))


def _sweeps(
    goal: SweepGoal,
    known: Known,
    cells: Mapping[CellKey, Sequence[float]],
    seeds: int,
    workers: int,
) -> tuple[SweepPlan, ...]:
    """What every sweep still trains, from the seconds of the trainings that each cell lacks."""
    plans: list[SweepPlan] = []
    for name, sweep in SWEEPS.items():
        rounds = sweep(goal, known)
        counts = [sum(len(cells[key]) for key in keys) for keys in rounds]
        chance = chances(rounds)
        expected = [[chance[key] * s for key in keys for s in cells[key]] for keys in rounds]
        plans.append(
            SweepPlan(
                name,
                least=sum(counts[:1]),
                most=sum(counts),
                expected=sum(chance[key] * len(cells[key]) for key in chance),
                seconds=sum(_side_by_side(each, workers) for each in expected),
            )
        )
    mean = fmean([*chain.from_iterable(cells.values())] or [0.0])
    return (*plans, _adaptive(goal, known, mean, seeds, workers))


def _adaptive(goal: SweepGoal, known: Known, mean: float, seeds: int, workers: int) -> SweepPlan:
    """The adaptive sweep, which mostly uses its budget: each task alone and each cell once.

    Some of what it asks for may be there; what it will be is not known before.
    """
    count, pairs = len(goal.tasks), len(goal.pairs())
    most = usual_budget(count, len(goal.depths), seeds) - count * seeds
    least = max(0, pairs - sum(cell.seeds for cell in known.values()))
    return SweepPlan("adaptive", least, most, float(most), mean * most / workers)


def _known(
    experiment: Experiment, workspace: Path, goal: SweepGoal, kind: TableKind
) -> dict[CellKey, Cell]:
    """Cells whose trainings, and those of their single-task models, are all done."""
    store = TrialStore(workspace / "trials")
    trials = experiment.trials(map(experiment.alone, goal.tasks))
    alone = Results.kept(store, trials)
    if len(alone.done) < len(trials):
        return {}
    session = Session(experiment, Workspace(workspace, create=False), SerialExecutor(), Progress())
    trainer = PairTrainer(session, Outcome.of(alone, trials), kind)
    return {cell.key: cell for cell in trainer.known(goal.cells())}


def work(experiment: Experiment, trial: Trial) -> float:
    """Multiply-accumulates of a trial: its steps and its validations."""
    training, tree = trial.training, trial.tree
    costs, data = experiment.costs_of(trial.encoder), experiment.data_of(trial.seed)
    streams = len(_streams(data, tree.tasks))
    once = _macs_per_clip(data, costs, tree)
    # with teachers, clips run through all branches
    trained = once if trial.distillation is None else float(streams * costs.macs(tree))
    macs = trained * (training.steps * training.clips_per_task * training.crop_s * _TRAINING_PASSES)
    features, hop_s = experiment.bank.features, experiment.bank.hop_s
    # clips to measure on are run once as well for all tasks that have them
    clips = {int(clip) for task in tree.tasks for clip in data[task].clips["valid"]}
    seconds = sum(len(features[clip]) for clip in clips) * hop_s / streams
    return macs + once * (training.epochs + 1) * seconds


def _streams(data: Mapping[str, TaskData], tasks: Sequence[str]) -> set[int]:
    """The different sets of clips that the tasks are trained on."""
    return {data[task].stream for task in tasks}


def _macs_per_clip(data: Mapping[str, TaskData], costs: Costs, tree: SharingTree) -> float:
    """MACs for one second of audio of each task; a clip that several tasks draw is run once."""
    total = float(sum(costs.head_macs[task] for task in tree.tasks))
    for branch in tree.branches():
        streams = _streams(data, branch.tasks)
        total += len(streams) * sum(costs.block_macs[number - 1] for number in branch.block_numbers)
    return total


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
    costs = experiment.costs_at(question.widths[0])
    with suppress(WorkspaceError):
        table = Workspace(workspace, create=False).table(question.table_kind == "distilled").table
        if sorted(table.tasks) == sorted(tasks):
            tree = search(question, table, costs).tree
            return tree, costs.flat_of_size(tree)
    middle = sorted(depths)[len(depths) // 2]
    return experiment.flat(tasks, middle), experiment.flat(tasks, middle - 1)


def _probe(experiment: Experiment, tasks: Sequence[str], asked: str) -> float:
    """MACs per second of training a flat model of all ``tasks`` on a device, with one thread."""
    config, bank, training = experiment.config, experiment.bank, experiment.training
    device = torch.device(device_of(asked))
    tree = experiment.flat(tasks, experiment.depth)
    trial, data = experiment.trial(tree, config.seed), experiment.data_of(config.seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network = build_network(tree, trial.encoder, trial.tasks, bank.mels, trial.seed)
        network.to(device).train()
        lay_out(network, training)
        optimizer, _ = build_optimizer(network, training)
        own = [data[task] for task in tree.tasks]
        source = BatchSource(bank, own, training, config.seed)
        started, steps = time.perf_counter(), -_STEPS_TO_WARM_UP
        while steps <= 0 or time.perf_counter() - started < PROBE_S:
            if steps == 0:
                started = time.perf_counter()
            batch = source.batch(steps + _STEPS_TO_WARM_UP).to(device)
            losses = training_step(network, batch, optimizer, training)
            _ = [float(loss) for loss in losses.values()]
            steps += 1
        seconds = time.perf_counter() - started
    finally:
        torch.set_num_threads(threads)
    clips = steps * training.clips_per_task * training.crop_s
    return _TRAINING_PASSES * clips * _macs_per_clip(data, experiment.costs, tree) / seconds

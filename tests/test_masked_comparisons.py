"""Lottery tickets and sparse sharing, from the dense model to one that has the tree's size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_bank import SPECS, small_bank, small_data
from small_corpora import write_tone_project

from synergy.comparisons import COMPARISONS, Contender, Field
from synergy.comparisons.lt4rec import ROUNDS
from synergy.comparisons.lth import sizes_of
from synergy.comparisons.widened import dense_model
from synergy.config import RunConfig
from synergy.encoders import Cnn8
from synergy.errors import ShortfallError
from synergy.executors import ProcessExecutor, SerialExecutor
from synergy.experiment import Experiment, prepare
from synergy.network import build_network
from synergy.records import ProbeFile
from synergy.running.probes import Probe
from synergy.running.progress import Progress
from synergy.running.session import Results, Session
from synergy.sparsity import maskable
from synergy.synthesis import ARTable, Cell
from synergy.training.config import TrainingConfig
from synergy.training.pruning import Parent, Pruning
from synergy.tree import SharingTree
from synergy.trials.trial import Trial, run_trial
from synergy.workspace import Workspace

TREE = SharingTree.parse("{{high,low}@8,busy}@5", 8)
BANK = small_bank()
DATA = {
    **small_data(BANK, 0, 24),
    "busy": small_data(BANK, 24)["busy"],
}


def experiment_of(seeds: int = 2, channels: int = 4) -> Experiment:
    """Three tasks on the made-up features; two of them on one corpus."""
    tasks = {
        name: {"kind": spec.kind, "corpora": {"made": {"column": name}}}
        for name, spec in SPECS.items()
        if spec.kind == "clip_classification"
    }
    tasks["busy"] = {"kind": "frame_activity", "corpora": {"made": {"segments": "busy"}}}
    config = RunConfig.model_validate(
        {
            "corpora": {"made": {"format": "manifest", "folder": "made"}},
            "tasks": tasks,
            "encoder": Cnn8(channels=(channels,) * 8),
            "training": TrainingConfig(epochs=2, steps_per_epoch=2, clips_per_task=4, crop_s=0.2),
            "seeds": seeds,
        }
    )
    return Experiment(config=config, corpora={}, bank=BANK, folds=(DATA,), notes=())


@dataclass
class BankSession(Session):
    """Trains on the made-up features, one trial after the other; a parent before its child.

    Nobody is taught: distilled trials are only told apart.
    """

    calls: list[tuple[str, int]] = field(default_factory=list)
    trials: dict[str, Trial] = field(default_factory=dict)

    def train(self, title: str, trials: Sequence[Trial]) -> Results:
        store = self.workspace.trials
        missing = [trial for trial in trials if not store.is_done(trial.digest)]
        self.calls.append((title, len(missing)))
        for trial in missing:
            digests = trial.pruning.digests if trial.pruning else ()
            parents = {digest: store.weights(digest) for digest in digests}
            store.write(trial.to_json(), run_trial(trial, BANK, DATA, parents=parents))
            self.trials[trial.digest] = trial
        return Results({trial.digest: store.result(trial.digest) for trial in trials}, {})

    def measure(self, title: str, probes: Sequence[Probe]) -> tuple[ProbeFile, ...]:
        pytest.fail(f"{title} measures nothing")


class InventedSession(BankSession):
    """One task likes its first round best, the others their last."""

    def train(self, title: str, trials: Sequence[Trial]) -> Results:
        done = super().train(title, trials).done
        number = int(title.split()[2])
        scores = {"valid": {t: number * (-1.0 if t == "low" else 1.0) for t in SPECS}}
        invented = {d: result.model_copy(update={"scores": scores}) for d, result in done.items()}
        return Results(invented, {})


def field_of(
    folder: Path, experiment: Experiment | None = None, kind: type[BankSession] = BankSession
) -> Field:
    session = kind(experiment or experiment_of(), Workspace(folder), SerialExecutor(), Progress())
    pairs = (("high", "low"), ("busy", "high"), ("busy", "low"))
    bench: Any = SimpleNamespace(tasks=session.experiment.tasks)
    table = ARTable.from_cells([Cell(a, b, 5, 1.0) for a, b in pairs])
    return Field(session, table, TREE, bench)


def enter(where: Field, name: str) -> Contender:
    contender, _ = COMPARISONS[name](where)
    where.train("the contender", [trial for trials in contender.trials for trial in trials])
    return contender


@pytest.fixture(scope="module")
def lth(tmp_path_factory: pytest.TempPathFactory) -> tuple[Field, Contender]:
    where = field_of(tmp_path_factory.mktemp("lth"))
    return where, enter(where, "lth")


@pytest.fixture(scope="module")
def lt4rec(tmp_path_factory: pytest.TempPathFactory) -> tuple[Field, Contender]:
    where = field_of(tmp_path_factory.mktemp("lt4rec"))
    return where, enter(where, "lt4rec")


def asked_again(where: Field, name: str) -> tuple[Contender, Contender, BankSession]:
    """Both contenders, and a session that has nothing but the calls that led to them."""
    trainer = replace(trained_by(where), calls=[])
    plain, taught = COMPARISONS[name](replace(where, session=trainer))
    return plain, taught, trainer


def trained_by(where: Field) -> BankSession:
    assert isinstance(where.session, BankSession)
    return where.session


def trainable(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n: w for n, w in weights.items() if "running_" not in n and "num_batches" not in n}


def test_the_dense_model_is_the_narrowest_that_is_large_enough(tmp_path: Path) -> None:
    where = field_of(tmp_path)
    dense = dense_model(where)
    assert dense.factor > 1 and dense.encoder == where.experiment.config.encoder.widened(
        dense.factor
    )
    assert dense.tree.notation() == "{busy,high,low}@8"
    network = build_network(dense.tree, dense.encoder, list(SPECS.values()), BANK.mels, 0)
    assert dense.params == sum(p.numel() for p in network.parameters())
    assert dense.maskable(dense.tree) == sum(maskable(network).values())
    assert dense.params >= 1.5 * where.max_params
    narrower = dense_model(where, 1.0)
    assert where.max_params <= narrower.params < dense.params
    assert dense.factor % 0.25 == 0
    smaller = where.experiment.config.encoder.widened(dense.factor - 0.25)
    flat = build_network(dense.tree, smaller, list(SPECS.values()), BANK.mels, 0)
    assert sum(p.numel() for p in flat.parameters()) < 1.5 * where.max_params


def test_lth_has_exactly_the_parameters_of_the_tree(lth: tuple[Field, Contender]) -> None:
    where, contender = lth
    assert contender.params == where.max_params
    for (trial,) in contender.trials:
        weights = trainable(where.session.workspace.trials.weights(trial.digest))
        names = list(maskable(build_network(trial.tree, trial.encoder, trial.tasks, 16, 0)))
        others = sum(w.numel() for n, w in weights.items() if n not in names)
        assert others + sum(int((weights[n] != 0).sum()) for n in names) == contender.params
        assert where.session.workspace.trials.result(trial.digest).params == contender.params


def test_lth_prunes_a_fifth_at_a_time_and_rewinds(lth: tuple[Field, Contender]) -> None:
    where, contender = lth
    trainer = trained_by(where)
    trial = contender.trials[1][0]
    sizes: list[int] = []
    while trial.pruning is not None:
        (parent,) = set(trial.pruning.parents.values())
        assert trial.seed == 1 and trial.pruning.rewind_step == 0  # 2 % of four steps
        sizes.insert(0, parent.keep)
        assert parent.trial in contender.search
        trial = trainer.trials[parent.trial]
    dense = dense_model(where)
    left = dense.maskable(dense.tree)
    for size in sizes[:-1]:
        left -= math.ceil(0.2 * left)
        assert size == left
    assert left - math.ceil(0.2 * left) <= sizes[-1] < left
    assert len(contender.search) == 2 * len(sizes)  # two seeds; the last round is the contender
    own = contender.search | {t.digest for (t,) in contender.trials}
    assert {d for d, each in trainer.trials.items() if each.distillation is None} == own


def test_every_training_of_distilled_lth_is_distilled(lth: tuple[Field, Contender]) -> None:
    where, _ = lth
    plain, taught, trainer = asked_again(where, "lth")
    trials, teachers = trainer.trials, where.baseline_digests
    for (one,), (other,) in zip(plain.trials, taught.trials, strict=True):
        while one.pruning is not None:
            assert other.pruning is not None and other.distillation is not None
            ours, theirs = (set(each.pruning.parents.values()) for each in (one, other))
            (parent,), (its,) = ours, theirs
            assert parent.keep == its.keep
            one, other = trials[parent.trial], trials[its.trial]
        assert one.distillation is None and other.distillation is not None
    assert len(taught.search - teachers) == len(plain.search)
    assert not plain.search & (taught.search | teachers)


def test_distilled_lt4rec_has_the_masks_of_the_plain_one(lt4rec: tuple[Field, Contender]) -> None:
    where, _ = lt4rec
    plain, taught, _ = asked_again(where, "lt4rec")
    for (one,), (other,) in zip(plain.trials, taught.trials, strict=True):
        assert replace(other, distillation=None, teachers={}) == one != other
    assert taught.search == plain.search | where.baseline_digests


def test_lth_rewinds_to_a_share_of_the_schedule(tmp_path: Path) -> None:
    where = field_of(tmp_path)
    dense = dense_model(where)
    _, last = dense.rounds(dense.tree, 0, [10], rewind=0.5)
    assert last.pruning is not None and last.pruning.rewind_step == 2


@pytest.mark.parametrize(
    ("weights", "target", "expected"),
    [(1000, 512, [800, 640, 512]), (1000, 500, [800, 640, 512, 500]), (7, 4, [5, 4]), (5, 5, [])],
)
def test_sizes_of_the_rounds(weights: int, target: int, expected: list[int]) -> None:
    assert sizes_of(weights, target) == expected


def test_masks_of_tasks_fill_the_parameters_of_the_tree(lt4rec: tuple[Field, Contender]) -> None:
    where, contender = lt4rec
    assert contender.params <= where.max_params
    sizes = []
    for (trial,) in contender.trials:
        assert trial.tree.notation() == "{busy,high,low}@8"
        weights = trainable(where.session.workspace.trials.weights(trial.digest))
        alive: dict[str, torch.Tensor] = {}
        for name, weight in weights.items():
            task = name.split("_network.")[0]
            shared = name.removeprefix(f"{task}_network.").replace(f"{task}_1_8", "shared")
            always = weight.ndim == 1 or "classify" in name
            used = torch.ones_like(weight, dtype=torch.bool) if always else weight != 0
            alive[shared] = alive.get(shared, used) | used
        sizes.append(sum(int(used.sum()) for used in alive.values()))
        assert where.session.workspace.trials.result(trial.digest).params == sizes[-1]
    assert contender.params == max(sizes)
    # the next larger masks have at most one weight more each, or they would have been taken
    assert min(sizes) > where.max_params - len(SPECS)


def test_tasks_are_pruned_alone_from_common_weights(lt4rec: tuple[Field, Contender]) -> None:
    where, contender = lt4rec
    trainer = trained_by(where)
    rounds = ROUNDS
    own = {trial.digest for (trial,) in contender.trials}
    assert len(contender.search) == 2 * len(SPECS) * (rounds + 1)
    assert set(trainer.trials) == contender.search | own
    for digest in contender.search:
        assert len(trainer.trials[digest].tree.tasks) == 1
    for (trial,) in contender.trials:
        assert trial.pruning is not None and trial.pruning.rewind_step == 0
        for task, parent in trial.pruning.parents.items():
            found = trainer.trials[parent.trial]
            assert (found.tree.tasks, found.seed) == ((task,), trial.seed)
            assert found.encoder == trial.encoder
    titles = [title for title, _ in trainer.calls]
    assert titles == [f"LT4REC: round {n} of {rounds}" for n in range(rounds + 1)] + [
        "the contender"
    ]


def test_the_best_round_is_taken_where_all_fit(tmp_path: Path) -> None:
    """With invented scores: one task likes its first round best, the others their last."""
    where = field_of(tmp_path, experiment_of(seeds=1), InventedSession)
    contender, _ = COMPARISONS["lt4rec"](where)
    trials = trained_by(where).trials
    ((trial,),) = contender.trials
    assert trial.pruning is not None
    keeps = {task: parent.keep for task, parent in trial.pruning.parents.items()}
    sizes: dict[str, list[int]] = {}
    for found in trials.values():
        for task, parent in found.pruning.parents.items() if found.pruning else ():
            sizes.setdefault(task, []).append(parent.keep)
    shares = {task: keeps[task] / max(sizes[task]) for task in SPECS}
    assert shares["low"] > 1.2 * max(shares["high"], shares["busy"])
    assert contender.params <= where.max_params


def test_masks_take_a_bit_for_each_weight_and_save_no_macs(
    lth: tuple[Field, Contender], lt4rec: tuple[Field, Contender]
) -> None:
    where, one = lth
    _, each = lt4rec
    dense = dense_model(where)
    bits = dense.maskable(dense.tree)
    assert one.stored_params == one.params + math.ceil(bits / 32)
    bits = sum(dense.maskable(SharingTree.single(task, 8)) for task in SPECS)
    assert each.stored_params == each.params + math.ceil(bits / 32)
    assert one.macs == sum(dense.costs.block_macs) + sum(dense.costs.head_macs.values())
    assert each.macs == 3 * sum(dense.costs.block_macs) + sum(dense.costs.head_macs.values())


@pytest.mark.parametrize("name", ["lth", "lt4rec"])
def test_a_stopped_comparison_goes_on_where_it_was(
    name: str, request: pytest.FixtureRequest
) -> None:
    where, contender = request.getfixturevalue(name)
    again, _, trainer = asked_again(where, name)
    assert again == contender
    assert sum(missing for _, missing in trainer.calls) == 0


@pytest.mark.parametrize("name", ["lth", "lt4rec"])
def test_what_cannot_be_met_is_said(name: str, tmp_path: Path) -> None:
    wide = field_of(tmp_path, experiment_of(channels=1000))
    with pytest.raises(
        ShortfallError, match=r"cnn8 cannot have 1\.\d+ times its channels; compare"
    ):
        COMPARISONS[name](wide)
    many = replace(SPECS["low"], classes=tuple(f"class {n}" for n in range(2000)))
    data = {**DATA, "low": replace(DATA["low"], spec=many)}
    classifier = field_of(tmp_path, replace(experiment_of(), folds=(data,)))
    with pytest.raises(ShortfallError, match=r"found [0-9,]+ that masks never cover"):
        COMPARISONS[name](classifier)


def test_a_worker_takes_masks_from_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tone_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = RunConfig.model_validate(
        {
            **RunConfig.model_validate(_yaml(tmp_path / "tones.yaml")).model_dump(),
            "training": TrainingConfig(epochs=1, steps_per_epoch=2, clips_per_task=2),
        }
    )
    experiment = prepare(config)
    dense = experiment.trial(SharingTree.flat(["gc", "vad"], 8, 8), 0)
    parent = Parent(trial=dense.digest, keep=100)
    pruned = replace(dense, pruning=Pruning(parents={"gc": parent, "vad": parent}))
    workspace = Workspace(tmp_path / "run")
    with closing(ProcessExecutor(1)) as executor:
        session = Session(experiment, workspace, executor, Progress())
        for trial in (dense, pruned):
            assert not session.train("", [trial]).errors
    weights = workspace.trials.weights(pruned.digest)
    network = build_network(pruned.tree, pruned.encoder, pruned.tasks, 16, 0)
    assert sum(int((weights[name] != 0).sum()) for name in maskable(network)) == 100


def _yaml(file: Path) -> Any:
    import yaml

    return yaml.safe_load(file.read_text(encoding="utf-8"))

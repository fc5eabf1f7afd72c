"""The end of stage 3: the tree and the numbers as files, the trained network as a model folder."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from synergy import __version__
from synergy.encoders import encoder_at
from synergy.errors import WorkspaceError
from synergy.experiment import Experiment
from synergy.export import CorpusFacts, ModelFacts, export_model
from synergy.files import write_json_atomically
from synergy.network import TreeNetwork
from synergy.stages.certainty import Certainty, certainty
from synergy.stages.search import Wanted, nothing_shared, synthesis_json
from synergy.stages.sweep import Session
from synergy.stages.synthesize import Final, train_tree
from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.synthesize import Synthesis
from synergy.wording import REPORTED


@dataclass(frozen=True)
class Delivery:
    """Everything that stage 3 leaves behind.

    Attributes
    ----------
    synthesis : Synthesis
    final : Final
    model : Path
        Folder of the exported model.
    shortfall : str
        What the measured tree lacks, one sentence; empty when it keeps the threshold.
    found : dict
        The synthesis as JSON values, see `synergy.stages.search.synthesis_json`.
    certainty : Certainty, or None
        How sure the tree is; None where the table has no bootstrap tables beside it.
    """

    synthesis: Synthesis
    final: Final
    model: Path
    shortfall: str
    found: dict[str, Any]
    certainty: Certainty | None

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            **self.found,
            **self.final.to_json(),
            "certainty": self.certainty and self.certainty.to_json(),
            "model": str(self.model),
            "shortfall": self.shortfall or None,
        }


def complete(session: Session, table: ARTable, wanted: Wanted, source: Path) -> Delivery:
    """All of stage 3: find the tree, train, measure and repair it, write and export everything.

    Parameters
    ----------
    session : Session
    table : ARTable
    wanted : Wanted
    source : Path
        Where the table comes from.

    Raises
    ------
    TableError
        If the table has tasks that the experiment does not have.
    ConfigError
        If a budget is too small.
    ShortfallError
        If a model could not be trained with any seed.
    """
    experiment, workspace = session.experiment, session.workspace
    final = train_tree(session, table, wanted, source)
    synthesis = final.synthesis
    found = synthesis_json(
        synthesis, table.tasks, experiment.costs_at(wanted.width).params(synthesis.tree)
    )
    found["table"], found["width"] = str(source), wanted.width
    write_json_atomically(workspace.tree, found)
    for note in synthesis.notes:
        session.progress.note(note)
    missed = ""
    if not wanted.has_budget:
        missed = nothing_shared(table, synthesis) or shortfall(final, synthesis.max_ar)
    sure = certainty(source, synthesis, experiment.config, wanted.width)
    told = final.to_json()
    write_json_atomically(
        workspace.summary,
        {
            "synthesis": found,
            "tasks": [task for task in experiment.tasks if task in synthesis.tree.tasks],
            "rows": told["rows"],
            "attempts": told["attempts"],
            "certainty": sure and sure.to_json(),
            "seeds": list(experiment.config.all_seeds),
            "notes": list(experiment.notes),
            "shortfall": missed or None,
            "versions": _versions(),
        },
    )
    model = deliver(session, synthesis, final)
    return Delivery(synthesis, final, model, missed, found, sure)


def shortfall(final: Final, max_ar: float) -> str:
    """A sentence when the chosen model's AR on validation exceeds the threshold, else nothing."""
    measured = reduction_of(final)
    if measured <= max_ar:
        return ""
    tried = len(final.attempts)
    what = "the trained tree has" if tried == 1 else f"the best of {tried} trained trees has"
    ways = "" if final.chosen.distilled else "--distill, "
    return (
        f"{what} an AR of {measured:.1f} % on validation, more than the threshold of "
        f"{max_ar:g} %; everything was kept and written: try {ways}more --repair, more --seeds, "
        "a lower --max-ar for the pairs or --final-epochs"
    )


def reduction_of(final: Final) -> float:
    """AR of the chosen model on validation, in percent."""
    return final.chosen.ar_pct["valid"]


def deliver(session: Session, synthesis: Synthesis, final: Final) -> Path:
    """Export the chosen row of ``final`` with the weights of its best seed.

    The best seed is the one with the highest mean over the tasks of the validation score,
    divided by the mean of the single-task models.

    Returns
    -------
    Path
        The folder of the model.

    Raises
    ------
    WorkspaceError
        If the weights of the trial are damaged.
    ModelError
        If the folder holds something else.
    """
    experiment, workspace = session.experiment, session.workspace
    config, row, singles = experiment.config, final.chosen, final.rows[0].outcome
    order = tuple(task for task in experiment.tasks if task in synthesis.tree.tasks)

    def relative(place: int) -> float:
        scores = row.outcome.scores["valid"]
        return fmean(scores[t][place] / (singles.mean("valid", t) or 1.0) for t in order)

    best = max(range(len(row.outcome.digests)), key=lambda place: (relative(place), -place))
    digest = row.outcome.digests[best]
    encoder = encoder_at(config.encoder, row.width)
    result = workspace.trials.result(digest)
    with torch.device("meta"):
        network = TreeNetwork(
            synthesis.tree,
            encoder,
            [experiment.specs[task] for task in synthesis.tree.tasks],
            experiment.bank.mels,
        )
    try:
        network.load_state_dict(workspace.trials.weights(digest), assign=True)
    except RuntimeError as error:
        folder = workspace.trials.path(digest)
        raise WorkspaceError(
            f"{folder} holds the weights of another network; delete the folder and run the same "
            "command again to repeat this trial"
        ) from error
    used = sorted({corpus for task in order for corpus in config.tasks[task].corpora})
    about = ModelFacts(
        tasks=order,
        corpora={name: _corpus_facts(experiment, name) for name in used},
        task_corpora={task: tuple(config.tasks[task].corpora) for task in order},
        scores=row.outcome.scores,
        single_scores=singles.scores,
        weights_scores={split: result["scores"][split] for split in REPORTED},
        weights_seed=result["seed"],
        weights_trial=digest,
        seeds=config.all_seeds,
        training={**config.training.model_dump(mode="json"), "epochs": row.epochs},
        versions=_versions(),
        predicted_ar_pct=synthesis.predicted_ar_pct,
        max_ar=synthesis.max_ar,
        notes=synthesis.notes,
    )
    bank = experiment.bank
    export_model(
        workspace.model, network.eval(), config.features, *bank.normalisation, about, encoder
    )
    return workspace.model


def _corpus_facts(experiment: Experiment, name: str) -> CorpusFacts:
    corpus = experiment.corpora[name]
    synthetic = experiment.config.corpora[name].format == "demo_speech"
    return CorpusFacts(corpus.fingerprint, corpus.licences, synthetic)


def _versions() -> dict[str, str]:
    return {
        "synergy": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }

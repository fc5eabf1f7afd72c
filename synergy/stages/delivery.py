"""The end of stage 3: the trained network as a model folder."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from synergy.encoders import encoder_at
from synergy.errors import WorkspaceError
from synergy.export import EXPORTERS, About
from synergy.export.spec import CorpusEntry
from synergy.export.torch_model import meta_network
from synergy.measuring.outcome import Outcome, levelled
from synergy.records import SummaryFile
from synergy.running.session import Session
from synergy.wording import NOT_FINAL, REPORTED


def export_best(session: Session, summary: SummaryFile, singles: Outcome) -> Path:
    """Export the last row of ``summary`` with the weights of its best seed; its folder.

    The best seed is the one with the highest mean over the tasks of the validation score, all
    folds at one level, divided by the mean of the single-task models.

    Raises
    ------
    WorkspaceError
        If the weights of the trial are damaged.
    ModelError
        If the folder holds something else.
    """
    experiment, workspace = session.experiment, session.workspace
    config, row, tree = experiment.config, summary.rows[-1], summary.synthesis.tree

    digests = {workspace.trials.result(digest).seed: digest for digest in row.digests}
    relative: dict[int, list[float]] = {seed: [] for seed in digests}
    for task in summary.tasks:
        ours = dict(zip(digests, row.scores["valid"][task], strict=True))
        models = singles.scored("valid", task), ours
        alone, level = levelled(models, config.evaluation.folds)
        for seed, score in level.items():
            relative[seed].append(score / (fmean(alone.values()) or 1.0))
    # of equals, the first
    digest = digests[max(relative, key=lambda seed: fmean(relative[seed]))]
    encoder = encoder_at(config.encoder, row.width)
    result = workspace.trials.result(digest)
    specs = [experiment.specs[task] for task in tree.tasks]
    network = meta_network(tree, encoder, specs, config.features)
    try:
        network.load_state_dict(workspace.trials.weights(digest), assign=True)
    except RuntimeError as error:
        folder = workspace.trials.path(digest)
        raise WorkspaceError(
            f"{folder} holds the weights of another network; delete the folder and run the same "
            "command again to repeat this trial"
        ) from error
    used = sorted({corpus for task in summary.tasks for corpus in config.tasks[task].corpora})
    unfinished = (NOT_FINAL,) if NOT_FINAL in summary.notes else ()
    about = About(
        tasks={task: config.tasks[task].corpora for task in summary.tasks},
        corpora={
            name: CorpusEntry(
                fingerprint=experiment.corpora[name].fingerprint,
                licences=experiment.corpora[name].licences,
                synthetic=config.corpora[name].format == "demo_speech",
            )
            for name in used
        },
        scores=row.scores,
        single_scores=singles.scores,
        weights_scores={split: result.scores[split] for split in REPORTED},
        weights_seed=result.seed,
        weights_trial=digest,
        seeds=config.all_seeds,
        training={**experiment.training.model_dump(mode="json"), "epochs": row.epochs},
        versions=summary.versions,
        predicted_ar_pct=summary.synthesis.predicted_ar_pct,
        max_ar=summary.synthesis.max_ar,
        notes=(*summary.synthesis.notes, *unfinished),
    )
    mean, std = experiment.bank.normalisation
    EXPORTERS["torch"](workspace.model, network.eval(), encoder, config.features, mean, std, about)
    return workspace.model

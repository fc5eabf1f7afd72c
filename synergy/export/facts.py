"""What the caller of an exporter knows about a network and the exporter cannot compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# scores[split][task]: one score per seed that finished, in [0, 1]
ScoresPerSeed = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class CorpusFacts:
    """Where training data came from.

    Attributes
    ----------
    fingerprint : str
        See `synergy.datasets.base.Corpus`.
    licences : tuple of str
    synthetic : bool
        True for generated speech, which the model card then says plainly.
    """

    fingerprint: str
    licences: tuple[str, ...] = ()
    synthetic: bool = False


@dataclass(frozen=True)
class ModelFacts:
    """Origin and quality of a network.

    Attributes
    ----------
    tasks : tuple of str
        The tasks of the tree, in the order of tables and outputs.
    corpora : dict of name to CorpusFacts
    task_corpora : dict of task to tuple of str
        Names in ``corpora``.
    scores, single_scores : dict
        ``scores[split][task]``: scores of this tree and of the single-task models, one per seed
        that finished, in [0, 1]; AR is taken of their means. ``single_scores`` may be empty.
    weights_scores : dict
        ``weights_scores[split][task]``: scores of the very weights that are exported.
    weights_seed : int
        Seed of those weights.
    weights_trial : str
        Digest of the trial that they come from.
    seeds : tuple of int
    training : dict
        Settings of the training, as JSON values.
    versions : dict of str to str
        For example ``{"synergy": "0.1.0", "torch": "2.11.0"}``.
    predicted_ar_pct, max_ar : float, optional
        AR that the table predicts and threshold of the synthesis, in percent; None for a tree
        that was not synthesised.
    thresholds : dict of task to float
        Probability from which a frame counts as active, in (0, 1); 0.5 for those not named.
    notes : tuple of str
        Sentences for the model card.
    """

    tasks: tuple[str, ...]
    corpora: Mapping[str, CorpusFacts]
    task_corpora: Mapping[str, Sequence[str]]
    scores: ScoresPerSeed
    single_scores: ScoresPerSeed
    weights_scores: Mapping[str, Mapping[str, float]]
    weights_seed: int
    weights_trial: str
    seeds: tuple[int, ...]
    training: Mapping[str, Any]
    versions: Mapping[str, str]
    predicted_ar_pct: float | None = None
    max_ar: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

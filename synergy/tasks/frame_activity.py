"""Active or not, frame by frame: a GRU decoder, binary cross-entropy, ROC-AUC."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from synergy.tasks.predictions import ActivityPrediction, segments

GRU_WIDTH = 16


class GruDecoder(nn.Module):
    """A forward GRU and a linear layer, one logit per frame of the encoder.

    Parameters
    ----------
    channels, mels : int
        Shape of the encoder's output; the width of a frame is their product.
    """

    def __init__(self, channels: int, mels: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels * mels, GRU_WIDTH, batch_first=True)
        self.classify = nn.Linear(GRU_WIDTH, 1)

    def forward(self, x: Tensor, frames: Tensor | None = None) -> Tensor:
        """Logits [B, E] from [B, C, M, E].

        ``frames`` is not needed: the GRU runs forward, so padding at the end changes nothing.
        """
        h, _ = self.gru(x.flatten(1, 2).transpose(1, 2))
        return self.classify(h).squeeze(2)

    @staticmethod
    def source() -> str:
        """The class as an exported model defines it, for clips without padding."""
        return Path(__file__).with_name("gru_decoder.py.txt").read_text(encoding="utf-8")

    def source_arguments(self) -> tuple[int, int]:
        """What makes the same decoder of that class."""
        return self.gru.input_size, self.gru.hidden_size


class FrameActivity:
    """Each feature frame is active or not; scored with ROC-AUC over all frames of the split."""

    name = "frame_activity"
    per_frame = True
    metric = "roc_auc"

    def build_head(self, channels: int, mels: int, classes: int) -> nn.Module:
        """A `GruDecoder`; there is one logit whatever ``classes``."""
        return GruDecoder(channels, mels)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy, mean over feature frames."""
        return nn.functional.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))

    def distillation_loss(self, logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Cross-entropy against softened probabilities, times the squared temperature."""
        expected = torch.sigmoid(teacher / temperature)
        loss = nn.functional.binary_cross_entropy_with_logits(logits / temperature, expected)
        return loss * temperature**2

    def resampled_scores(
        self,
        logits: list[np.ndarray],
        targets: list[np.ndarray],
        groups: np.ndarray,
        weights: np.ndarray,
    ) -> np.ndarray:
        """ROC-AUC from the share of rightly ordered frames between every two groups."""
        scores = np.concatenate(logits)
        active = np.concatenate(targets) > 0
        group = np.repeat(groups, [len(row) for row in logits])
        ordered = _ordered_pairs(scores, active, group, weights.shape[1])
        positives = weights @ np.bincount(group[active], minlength=weights.shape[1])
        negatives = weights @ np.bincount(group[~active], minlength=weights.shape[1])
        with np.errstate(invalid="ignore"):
            return ((weights @ ordered) * weights).sum(axis=1) / (positives * negatives)

    def scores(self, logits: list[np.ndarray], targets: list[np.ndarray]) -> dict[str, float]:
        """ROC-AUC and accuracy at probability 0.5, both pooled over frames, and the majority.

        ``majority`` is what always answering the more frequent state would reach.
        """
        from torchmetrics.functional.classification import binary_auroc

        score = torch.from_numpy(np.concatenate(logits))
        active = torch.from_numpy(np.concatenate(targets).astype(np.int64))
        share = float(active.double().mean())
        return {
            "roc_auc": float(binary_auroc(score.double().sigmoid(), active)),
            "frame_accuracy": float(((score > 0) == (active > 0)).double().mean()),
            "majority": max(share, 1.0 - share),
        }

    threshold = 0.5

    def prediction(
        self,
        logits: Tensor,
        classes: Sequence[str],
        threshold: float | None,
        frame_s: float,
        duration_s: float,
    ) -> ActivityPrediction:
        """The segments in which frames reach the threshold."""
        active = torch.sigmoid(logits).cpu().numpy()
        limit = self.threshold if threshold is None else threshold
        found = segments(active >= limit, frame_s, duration_s)
        return ActivityPrediction(classes[0], found, active, frame_s)

    def exported_logits(self, logits: str) -> str:
        """Each repeated for the feature frames that its frame of the encoder covers."""
        return f"per_feature_frame({logits}, features.shape[3])"


def _ordered_pairs(
    scores: np.ndarray, active: np.ndarray, group: np.ndarray, groups: int
) -> np.ndarray:
    """Frame pairs in which the active frame of group g scores above the other one of group h.

    Float64 [G, G]; pairs of equal scores count one half.
    """
    ordered = np.zeros((groups, groups))
    owner = group[active]
    for other in np.unique(group[~active]):
        quiet = np.sort(scores[~active & (group == other)])
        below = np.searchsorted(quiet, scores[active], "left")
        above = np.searchsorted(quiet, scores[active], "right")
        ordered[:, other] = np.bincount(owner, (below + above) / 2, minlength=groups)
    return ordered

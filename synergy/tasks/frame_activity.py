"""Active or not, frame by frame: a GRU decoder, binary cross-entropy, ROC-AUC."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

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

"""Active or not, frame by frame: a GRU decoder, binary cross-entropy, ROC-AUC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from synergy.audio.features import crop_frames
from synergy.datasets.base import Corpus
from synergy.libraries import imported
from synergy.tasks.base import Arrays, TaskKind
from synergy.tasks.predictions import ActivityPrediction
from synergy.tasks.task_source import Findings, LabelledClip, Matching, TaskSource
from synergy.tasks.timelines import ActivityTimeline
from synergy.wording import Split, counted, did_you_mean, quoted, short_list, shown

GRU_WIDTH = 16


class GruDecoder(nn.Module):
    """A forward GRU and a linear layer, one logit per frame of ``channels * mels`` values."""

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


class FrameActivity(TaskKind):
    """Each feature frame is active or not; scored with ROC-AUC over all frames of the split.

    The target of a clip is one value per feature frame, and so are its logits, [F].
    """

    name = "frame_activity"
    metric = "roc_auc"
    counted = "frames"
    kept_as = np.float16
    threshold = 0.5

    # -- from labels to targets -----------------------------------------------------------

    def source_problem(self, source: TaskSource) -> str | None:
        """A source of classes."""
        found = "an activity task needs segments (the label of active segments), found a column"
        return found if source.segments is None else None

    def default_classes(self, found: Sequence[Matching]) -> tuple[str, ...]:
        """The label of the segments, or ``active`` where corpora have different ones."""
        labels = {each.source.segments for each in found if each.source.segments}
        return (labels.pop() if len(labels) == 1 else "active",)

    def label(
        self, found: Matching, classes: tuple[str, ...], findings: Findings
    ) -> list[LabelledClip]:
        """Clips with the segments that count; `()` where somebody looked and found none."""
        source, corpus, clips = found
        label = source.segments or ""
        if problem := _segment_problem(source, label, corpus):
            findings.problems.append(problem)
            return []
        result: list[LabelledClip] = []
        for clip in clips:
            target = tuple(
                each
                for each in clip.segments or ()
                if each.label == label and source.label_source in (None, each.label_source)
            )
            if target or clip.segments == () or source.unlisted == "inactive":
                result.append(LabelledClip(corpus.name, clip, target))
        if missing := len(clips) - len(result):
            by = f" by {shown(source.label_source)}" if source.label_source else ""
            findings.dropped.append(
                f"{counted(missing, 'clip')} of {corpus.name} have no {shown(label)} segment{by}"
            )
        return result

    def split_problems(
        self, split: Split, clips: Sequence[LabelledClip], classes: tuple[str, ...], hop_s: float
    ) -> list[str]:
        """Only active or only inactive frames."""
        active = total = 0
        for labelled in clips:
            # Without the one at the very end, which no segment includes.
            frames = max(1, int(labelled.clip.duration_s / hop_s))
            active += int(self.target(labelled.target, frames, hop_s).sum())
            total += frames
        if 0 < active < total:
            return []
        state = "active" if active else "inactive"
        clips_of_split = counted(len(clips), f"{split} clip")
        return [f"every frame of the {clips_of_split} is {state}; expected both"]

    def target(self, label: Any, frames: int, hop_s: float) -> np.ndarray:
        """Which frames are active, uint8 [F]: those whose centre lies in a segment of ``label``.

        Frame f is centred at f * hop_s; a segment includes its start and not its end. Segments
        may overlap and may end after the last frame.
        """
        active = np.zeros(frames, dtype=np.uint8)
        for segment in label:
            # The margin keeps 0.07 / 0.01 = 7.000000000000001 at frame 7.
            first = max(0, math.ceil(segment.start_s / hop_s - 1e-6))
            active[first : max(0, math.ceil(segment.end_s / hop_s - 1e-6))] = 1
        return active

    def counts(self, targets: Arrays, classes: tuple[str, ...]) -> dict[str, int]:
        """Frames with the activity and frames without."""
        active = sum(int(np.sum(target)) for target in targets)
        frames = sum(len(target) for target in targets)
        return {classes[0]: active, f"no {classes[0]}": frames - active}

    # -- pieces of clips and their logits -------------------------------------------------

    def crop_target(self, target: np.ndarray, start: int, frames: int) -> np.ndarray:
        """Activity of the frames of a crop."""
        return crop_frames(target, start, frames)

    def pieces(self, frames: int, length: int, hop: int) -> list[tuple[int, int]]:
        """The whole clip: crops of it are cut from its labels."""
        return [(0, frames)]

    def crop_soft_label(self, labels: np.ndarray, start: int, frames: int, hop: int) -> np.ndarray:
        """Logits of the frames of a crop."""
        return crop_frames(labels, start, frames)

    def of_feature_frames(self, logits: Tensor, frames: int, stride: int) -> Tensor:
        """The logit of an output frame stands for each feature frame that it covers."""
        covering = torch.arange(frames, device=logits.device) // stride
        return logits[:, covering.clamp(max=logits.shape[1] - 1)]

    def unpadded(self, logits: np.ndarray, frames: int) -> np.ndarray:
        """The logits of the frames that the clip has."""
        return logits[:frames]

    def join(self, logits: Arrays) -> np.ndarray:
        """The frames of all clips, one clip after the other."""
        return np.concatenate(logits)

    def split(self, joined: np.ndarray, frames: Sequence[int]) -> list[np.ndarray]:
        """The frames of each clip."""
        return np.split(joined, np.cumsum(frames)[:-1])

    # -- training and scoring -------------------------------------------------------------

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
        self, logits: Arrays, targets: Arrays, groups: np.ndarray, weights: np.ndarray
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

    def scores(self, logits: Arrays, targets: Arrays) -> dict[str, float]:
        """ROC-AUC and accuracy at probability 0.5, both pooled over frames, and the majority.

        ``majority`` is what always answering the more frequent state would reach.
        """
        classification = imported("torchmetrics.functional.classification")
        score = torch.from_numpy(np.concatenate(logits))
        active = torch.from_numpy(np.concatenate(targets).astype(np.int64))
        share = float(active.double().mean())
        return {
            "roc_auc": float(classification.binary_auroc(score.double().sigmoid(), active)),
            "frame_accuracy": float(((score > 0) == (active > 0)).double().mean()),
            "majority": max(share, 1.0 - share),
        }

    def answers(self, logits: Arrays, targets: Arrays) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """An answer for each frame; inactive has a logit of 0."""
        return (
            [np.stack([np.zeros_like(row), row], axis=1) for row in logits],
            [(target > 0).astype(np.int64) for target in targets],
        )

    def prediction(
        self,
        logits: Tensor,
        classes: Sequence[str],
        thresholds: Sequence[float],
        frame_s: float,
        duration_s: float,
    ) -> ActivityPrediction:
        """The segments in which frames reach the threshold."""
        timeline = self.timeline(classes, thresholds, frame_s)
        found = [*timeline.add(0.0, duration_s, logits), *timeline.end(duration_s)]
        spans = tuple((segment.start_s, segment.end_s) for segment in found)
        return ActivityPrediction(classes[0], spans, torch.sigmoid(logits).cpu().numpy(), frame_s)

    def timeline(
        self, classes: Sequence[str], thresholds: Sequence[float], frame_s: float
    ) -> ActivityTimeline:
        """Stretches of active frames."""
        return ActivityTimeline(classes[0], thresholds[0], frame_s)

    def exported_logits(self, logits: str) -> str:
        """Each repeated for the feature frames that its frame of the encoder covers."""
        return f"per_feature_frame({logits}, features.shape[3])"


def _segment_problem(source: TaskSource, label: str, corpus: Corpus) -> str | None:
    """Why a corpus has no such segments at all, or None."""
    rows = [segment for clip in corpus.clips for segment in clip.segments or ()]
    labels = {segment.label for segment in rows}
    origins = {row.label_source for row in rows if row.label == label} - {""}
    looked = source.unlisted == "inactive" or any(clip.segments == () for clip in corpus.clips)
    has = f"corpus {corpus.name} has no"
    if not rows:
        needed = "segments, which an activity task needs: expected segments.csv"
        return None if looked else f"{has} {needed}"
    if label not in labels:
        return (
            f"{has} segment with the label {quoted(label)}{did_you_mean(label, labels)}; "
            f"its labels are {short_list(sorted(labels))}"
        )
    if source.label_source is not None and source.label_source not in origins:
        return (
            f"{has} {shown(label)} segment with the label_source {quoted(source.label_source)}"
            f"{did_you_mean(source.label_source, origins)}; there are {short_list(sorted(origins))}"
        )
    return None


def _ordered_pairs(
    scores: np.ndarray, active: np.ndarray, group: np.ndarray, groups: int
) -> np.ndarray:
    """Frame pairs in which the active frame, of group g, scores above the other, of group h.

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

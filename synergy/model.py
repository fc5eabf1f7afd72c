"""Exported models, read back with class names, thresholds and everything else that is known.

The network is rebuilt from the specification; ``model.py`` in the folder is never run.

Shapes: B batch, T sample, K class, F feature frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from synergy import limits
from synergy.audio.features import Normalisation, log_mel
from synergy.audio.reading import SAMPLE_RATE_HZ, read_blocks, read_waveform
from synergy.audio.windows import Grid, windows
from synergy.encoders import read_encoder
from synergy.errors import DataError, ModelError
from synergy.export.folder import read_part
from synergy.export.spec import INTERFACE_KEY, SPEC_FILE, WEIGHTS_FILE, Spec, read_spec
from synergy.export.torch_model import (
    FEATURE_PREFIX,
    check_tensors,
    feature_tensors,
    meta_network,
)
from synergy.files import parse_json
from synergy.network import TreeNetwork
from synergy.tasks import rules_of
from synergy.tasks.predictions import PredictedSegment, Prediction
from synergy.tasks.thresholds import class_thresholds
from synergy.tree import SharingTree
from synergy.wording import short_list

LONGEST_S = 1800.0
"""Longest audio in one call, in seconds; a call takes about 0.6 MB of memory per second."""

LONGEST_STREAM_S = 24 * 3600.0
"""Longest recording that is read window by window, in seconds; memory does not depend on it."""

WHOLE_S = 30.0
"""Recordings up to here, in seconds, are one window unless somebody says how long windows are."""

_USUAL_WINDOW_S = 1.0  # where the specification does not tell how long crops were
_AT_ONCE_S = 8.0  # of windows in one batch; more is hardly faster and takes more memory

LONGEST_WEIGHTS = 2**30
"""Bytes of weights that are read; networks of this kind have some hundred thousand."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, in evaluation mode, with what belongs to it; made by `load_model`."""

    spec: Spec
    network: TreeNetwork
    normalisation: Normalisation
    device: str | torch.device

    @property
    def tree(self) -> SharingTree:
        """Which tasks share which blocks."""
        return self.network.tree

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names, in the order of the specification."""
        return tuple(task.name for task in self.spec.tasks)

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Class names of each task in the order of its logits."""
        return {task.name: task.classes for task in self.spec.tasks}

    @property
    def thresholds(self) -> dict[str, float]:
        """Probability from which a frame is active, for the tasks that detect activity."""
        return self.spec.thresholds

    def __call__(self, waveform: np.ndarray | Tensor) -> dict[str, Tensor]:
        """Logits of every task.

        Parameters
        ----------
        waveform : array or Tensor, [T] or [B, T]
            Floats in [-1, 1] at 16 kHz.

        Returns
        -------
        dict of str to Tensor
            [K] or [B, K] for a task with classes, [F] or [B, F] for an activity.

        Raises
        ------
        ModelError
            If the shape or type is another, the audio too short, too long, too loud or not finite,
            or a logit is not finite.
        """
        x = _checked(waveform)
        duration_s = x.numel() / SAMPLE_RATE_HZ
        if duration_s > LONGEST_S:
            raise ModelError(
                f"expected at most {LONGEST_S:.0f} s of audio in one call, found "
                f"{duration_s:.0f} s; cut it into parts, or ask for its `segments`"
            )
        rows = torch.atleast_2d(x)
        try:
            features = torch.stack([log_mel(row, self.spec.features) for row in rows])
        except DataError as error:
            raise ModelError(str(error)) from error
        features = torch.from_numpy(self.normalisation(features.numpy())).to(self.device)
        with torch.inference_mode():
            logits = self.network(features.transpose(1, 2).unsqueeze(1))
        if broken := [task for task in self.tasks if not torch.isfinite(logits[task]).all()]:
            raise ModelError(
                f"expected finite logits, found NaN or infinity for {short_list(broken)}: the "
                "weights of the model are damaged; export it again"
            )
        return {task: logits[task] if x.ndim == 2 else logits[task][0] for task in self.tasks}

    @property
    def window_s(self) -> float:
        """Length of the crops that the network was trained with, in seconds."""
        crop_s = self.spec.training.get("crop_s")
        shortest_s, longest_s = limits.WINDOW_S
        if not isinstance(crop_s, int | float) or not 0 < crop_s <= longest_s:
            return _USUAL_WINDOW_S
        return max(float(crop_s), shortest_s)

    def grid(self, window_s: float | None, hop_s: float | None) -> Grid:
        """Where `segments` lays windows; a ModelError if one of the two is out of range."""
        return Grid.of(
            self.window_s if window_s is None else window_s,
            hop_s,
            self.spec.features.hop_samples,
            WHOLE_S if window_s is None else 0.0,
        )

    def predict(
        self,
        source: str | Path | np.ndarray | Tensor,
        threshold: float | Mapping[str, float] | None = None,
        content: BinaryIO | None = None,
    ) -> dict[str, Prediction]:
        """What the network says about one recording.

        Frames are active where their probability reaches the threshold; then pauses shorter
        than `SHORTEST_PAUSE_S` are filled and segments shorter than `SHORTEST_SEGMENT_S` are
        dropped. A task with classes gets one label for the whole recording.

        Parameters
        ----------
        source : path, or array or Tensor [T]
            An audio file of any rate, or floats in [-1, 1] at 16 kHz.
        threshold : float or dict of str to float, optional
            In (0, 1); those of the specification by default. A number is for all activities.
            By name it is for what has that name: tasks, and classes, which go before their tasks.
            A recording whose most probable class does not reach its threshold has no label.
        content : open binary file, optional
            The audio file; ``source`` is only its name then.

        Raises
        ------
        DataError
            If the file cannot be read, or is longer than `LONGEST_S`.
        ModelError
            If the audio or the model cannot be used, or a threshold is out of range or of nothing
            that there is.
        """
        thresholds = class_thresholds(self.classes, self.thresholds, threshold)
        if isinstance(source, str | Path):
            waveform, name = read_waveform(source, LONGEST_S, content), source
        else:
            waveform, name = _one(source), None
        logits = self._logits(waveform, name)
        times = self.spec.features.hop_s, len(waveform) / SAMPLE_RATE_HZ
        return {
            task.name: rules_of(task.kind).prediction(
                logits[task.name], task.classes, thresholds[task.name], *times
            )
            for task in self.spec.tasks
        }

    def segments(
        self,
        source: str | Path | np.ndarray | Tensor,
        threshold: float | Mapping[str, float] | None = None,
        window_s: float | None = None,
        hop_s: float | None = None,
        content: BinaryIO | None = None,
    ) -> Iterator[tuple[str, PredictedSegment]]:
        """What is where in a recording of any length, in bounded memory.

        The network hears one window after the other, each as if it were a recording. A task with
        classes gives stretches of neighbouring windows of one class, an activity those of active
        frames; see `synergy.tasks.timelines`.

        Parameters
        ----------
        source, threshold, content
            As of `predict`. Windows whose most probable class does not reach its threshold
            belong to no segment.
        window_s, hop_s : float, optional
            Length of a window and distance between the starts of two, in seconds, rounded to
            feature frames. By default the length of the crops of the training, and half a window;
            then recordings of up to `WHOLE_S` are one window.

        Yields
        ------
        str, PredictedSegment
            A task and its next segment, as soon as no later window changes it. Those of one task
            are in order and do not overlap.

        Raises
        ------
        DataError
            If the file cannot be read, or is longer than `LONGEST_STREAM_S`; also when damage is
            reached further on.
        ModelError
            As of `predict`, and if window or hop are out of range.
        """
        grid = self.grid(window_s, hop_s)
        thresholds = class_thresholds(self.classes, self.thresholds, threshold)
        if isinstance(source, str | Path):
            blocks, name = read_blocks(source, LONGEST_STREAM_S, content), source
        else:
            blocks, name = iter([_one(source).numpy()]), None
        return self._segments(blocks, name, thresholds, grid)

    def _segments(
        self,
        blocks: Iterable[np.ndarray],
        name: str | Path | None,
        thresholds: Mapping[str, tuple[float, ...]],
        grid: Grid,
    ) -> Iterator[tuple[str, PredictedSegment]]:
        samples = 0

        def counted() -> Iterator[np.ndarray]:
            nonlocal samples
            for block in blocks:
                samples += len(block)
                yield block

        timelines = {
            task.name: rules_of(task.kind).timeline(
                task.classes, thresholds[task.name], self.spec.features.hop_s
            )
            for task in self.spec.tasks
        }
        found = windows(counted(), grid)
        at_once = max(1, round(_AT_ONCE_S * SAMPLE_RATE_HZ / grid.length))
        while batch := list(islice(found, at_once)):
            logits = self._logits(np.stack([window for _, window in batch]), name)
            for row, (start, window) in enumerate(batch):
                span = start / SAMPLE_RATE_HZ, (start + len(window)) / SAMPLE_RATE_HZ
                for task, timeline in timelines.items():
                    for segment in timeline.add(*span, logits[task][row]):
                        yield task, segment
        for task, timeline in timelines.items():
            for segment in timeline.end(samples / SAMPLE_RATE_HZ):
                yield task, segment

    def _logits(self, waveform: np.ndarray | Tensor, name: str | Path | None) -> dict[str, Tensor]:
        """Logits; an error says of which file."""
        try:
            return self(waveform)
        except ModelError as error:
            if name is None:
                raise
            raise ModelError(f"{name}: {error}") from error


def load_model(folder: str | Path, device: str | torch.device = "cpu") -> Model:
    """Read an exported model from the folder that an exporter wrote.

    Raises
    ------
    ModelError
        If a file is missing, damaged or does not belong to the others, or there is no such device.
    """
    folder = Path(folder)
    try:
        found = "" if folder.is_dir() else "a file" if folder.exists() else "nothing"
    except OSError as error:
        found = f"none ({error.strerror})"
    if found:
        raise ModelError(f"{folder}: expected the folder of an exported model, found {found}")
    spec = read_spec(folder / SPEC_FILE)
    tensors = _read_weights(folder / WEIGHTS_FILE, spec)
    network = meta_network(
        spec.sharing_tree(), read_encoder(spec.encoder), spec.task_specs(), spec.features
    )
    where = str(folder / WEIGHTS_FILE)
    check_tensors(tensors, network, spec.features, where)
    mean, std = (tensors[f"{FEATURE_PREFIX}{name}"] for name in ("mean", "std"))
    normalisation = Normalisation(mean.numpy(), std.numpy())
    for name, value in feature_tensors(spec.features, *normalisation).items():
        if not torch.allclose(value, tensors.pop(name), atol=1e-5):
            raise ModelError(f"{where}: {name} is not what {SPEC_FILE} says about the features")
    network.load_state_dict(tensors, assign=True)
    try:
        network.to(device)
        return Model(spec, network, normalisation, device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"the device {device} cannot be used ({error})") from error


def _read_weights(file: Path, spec: Spec) -> dict[str, Tensor]:
    data = read_part(file, "weights", LONGEST_WEIGHTS)
    if hashlib.sha256(data).hexdigest() != spec.weights.sha256:
        raise ModelError(
            f"{file}: these are not the weights that {SPEC_FILE} describes, one of the two was "
            "changed or exchanged; export the model again"
        )
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, KeyError) as error:
        raise ModelError(f"{file}: expected a safetensors file ({error})") from error
    header = parse_json(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.get("__metadata__", {})
    if metadata.get(INTERFACE_KEY) != spec.interface():
        raise ModelError(
            f"{file.parent / SPEC_FILE}: tasks, classes, features, encoder or tree are not those "
            "that the weights were trained with; export the model again"
        )
    return tensors


def _one(waveform: np.ndarray | Tensor) -> Tensor:
    """One waveform, as float32 on the CPU."""
    if waveform.ndim != 1:
        raise ModelError(f"expected a waveform of shape [T], found {list(waveform.shape)}")
    return _checked(waveform)


def _checked(waveform: np.ndarray | Tensor) -> Tensor:
    """The waveform as float32 on the CPU."""
    if isinstance(waveform, np.ndarray):
        x = torch.from_numpy(np.ascontiguousarray(waveform))
    else:
        x = waveform.detach().cpu()
    if not x.is_floating_point():
        raise ModelError(f"expected a waveform of floats in [-1, 1], found {x.dtype}")
    if x.ndim not in (1, 2) or 0 in x.shape:
        raise ModelError(f"expected a waveform of shape [T] or [B, T], found {list(x.shape)}")
    if not torch.isfinite(x).all():
        raise ModelError("expected finite samples, found NaN or infinity")
    return x.to(torch.float32)

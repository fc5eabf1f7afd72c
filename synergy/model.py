"""Exported models, read back with class names, thresholds and everything else that is known.

The network is rebuilt from the specification; ``model.py`` in the folder is never run.

Shapes: B batch, T sample, K class, F feature frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from synergy.audio.features import Normalisation, log_mel
from synergy.audio.reading import SAMPLE_RATE_HZ, read_waveform
from synergy.errors import DataError, ModelError
from synergy.export.spec import INTERFACE_KEY, SPEC_FILE, WEIGHTS_FILE, Spec, read_spec
from synergy.export.torch_model import (
    FEATURE_PREFIX,
    check_tensors,
    expected_tensors,
    feature_tensors,
    meta_network,
)
from synergy.network import TreeNetwork
from synergy.tree import SharingTree

LONGEST_S = 1800.0
"""Longest audio in one call, in seconds; a call takes about 0.6 MB of memory per second."""

SHORTEST_PAUSE_S = 0.1
"""Shorter pauses inside a segment are filled."""
SHORTEST_SEGMENT_S = 0.1
"""Shorter segments are dropped, after pauses have been filled."""


@dataclass(frozen=True)
class ClassPrediction:
    """What a clip is.

    Attributes
    ----------
    label : str
        The most probable class.
    probabilities : dict of str to float
        Of every class, in the order of the logits; they sum to 1.
    """

    label: str
    probabilities: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"label": self.label, "probabilities": dict(self.probabilities)}


@dataclass(frozen=True)
class ActivityPrediction:
    """Where something is active.

    Attributes
    ----------
    label : str
        What is detected.
    segments : tuple of (float, float)
        Start and end of each active stretch in seconds, in order, without overlap.
    probabilities : float32 array [F]
        One per feature frame; frame f is centred at ``f * frame_s``.
    frame_s : float
    """

    label: str
    segments: tuple[tuple[float, float], ...]
    probabilities: np.ndarray
    frame_s: float

    def to_json(self) -> dict[str, Any]:
        """As JSON values, without the probabilities of the frames."""
        return {"label": self.label, "segments": [list(segment) for segment in self.segments]}


Prediction = ClassPrediction | ActivityPrediction


class Model:
    """A trained network with what belongs to it; made by `load_model`.

    Parameters
    ----------
    spec : Spec
    network : TreeNetwork
        In evaluation mode.
    normalisation : Normalisation
        Of the features.
    device : torch.device
        Where the network is.
    """

    def __init__(
        self,
        spec: Spec,
        network: TreeNetwork,
        normalisation: Normalisation,
        device: str | torch.device,
    ) -> None:
        self.spec = spec
        self.network = network
        self._normalisation = normalisation
        self._device = device

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
        return {t.name: t.threshold for t in self.spec.tasks if t.threshold is not None}

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
            If the shape or type is another, or the audio too short, too long or not finite.
        """
        x = _checked(waveform)
        try:
            features = torch.stack(
                [log_mel(row, self.spec.features) for row in torch.atleast_2d(x)]
            )
        except DataError as error:
            raise ModelError(str(error)) from error
        features = torch.from_numpy(self._normalisation(features.numpy())).to(self._device)
        with torch.inference_mode():
            logits = self.network(features.transpose(1, 2).unsqueeze(1))
        return {task: logits[task] if x.ndim == 2 else logits[task][0] for task in self.tasks}

    def predict(
        self, source: str | Path | np.ndarray | Tensor, threshold: float | None = None
    ) -> dict[str, Prediction]:
        """What the network says about one recording.

        Frames are active where their probability reaches the threshold; then pauses shorter
        than `SHORTEST_PAUSE_S` are filled and segments shorter than `SHORTEST_SEGMENT_S` are
        dropped. A task with classes gets one label for the whole recording.

        Parameters
        ----------
        source : path, or array or Tensor [T]
            An audio file of any rate, or floats in [-1, 1] at 16 kHz.
        threshold : float, optional
            In (0, 1); those of the specification by default.

        Returns
        -------
        dict of task to Prediction

        Raises
        ------
        DataError
            If the file cannot be read.
        ModelError
            If the audio cannot be used or the threshold is out of range.
        """
        if threshold is not None and not 0 < threshold < 1:
            raise ModelError(f"expected a threshold between 0 and 1, found {threshold}")
        from_file = isinstance(source, str | Path)
        waveform = read_waveform(source) if from_file else source
        if waveform.ndim != 1:
            raise ModelError(f"expected a waveform of shape [T], found {list(waveform.shape)}")
        try:
            logits = self(waveform)
        except ModelError as error:
            if from_file:
                raise ModelError(f"{source}: {error}") from error
            raise
        duration_s = len(waveform) / SAMPLE_RATE_HZ
        frame_s = self.spec.features.hop_s
        predictions: dict[str, Prediction] = {}
        for task, names in self.classes.items():
            if task in self.thresholds:
                active = torch.sigmoid(logits[task]).cpu().numpy()
                limit = self.thresholds[task] if threshold is None else threshold
                found = segments(active >= limit, frame_s, duration_s)
                predictions[task] = ActivityPrediction(names[0], found, active, frame_s)
            else:
                shares = torch.softmax(logits[task].double(), dim=0).tolist()
                label = names[int(logits[task].argmax())]
                predictions[task] = ClassPrediction(label, dict(zip(names, shares, strict=True)))
        return predictions


def load_model(folder: str | Path, device: str | torch.device = "cpu") -> Model:
    """Read an exported model.

    Parameters
    ----------
    folder : str or Path
        What an exporter wrote.
    device : str or torch.device

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If a file is missing, damaged or does not belong to the others.
    """
    folder = Path(folder)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise ModelError(f"{folder}: expected the folder of an exported model, found {found}")
    spec = read_spec(folder / SPEC_FILE)
    tensors = _read_weights(folder / WEIGHTS_FILE, spec)
    tree, encoder = spec.sharing_tree(), spec.build_encoder()
    network = meta_network(tree, encoder, spec.task_specs(), spec.features)
    where = str(folder / WEIGHTS_FILE)
    check_tensors(tensors, expected_tensors(network, spec.features), where)
    constants = {name: tensors.pop(name) for name in list(tensors) if name in _CONSTANTS}
    mean, std = constants[f"{FEATURE_PREFIX}mean"], constants[f"{FEATURE_PREFIX}std"]
    normalisation = Normalisation(mean.numpy(), std.numpy())
    for name, value in feature_tensors(spec.features, *normalisation).items():
        if not torch.allclose(value, constants[name].float(), atol=1e-5):
            raise ModelError(f"{where}: {name} is not what {SPEC_FILE} says about the features")
    network.load_state_dict(tensors, assign=True)
    try:
        network.to(device)
        return Model(spec, network, normalisation, device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"the device {device} cannot be used ({error})") from error


_CONSTANTS = frozenset(f"{FEATURE_PREFIX}{n}" for n in ("window", "filterbank", "mean", "std"))


def _read_weights(file: Path, spec: Spec) -> dict[str, Tensor]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{file}: expected the weights of an exported model, cannot be read ({error.strerror})"
        ) from error
    if hashlib.sha256(data).hexdigest() != spec.weights.sha256:
        raise ModelError(
            f"{file}: these are not the weights that {SPEC_FILE} describes, one of the two was "
            "changed or exchanged; export the model again"
        )
    try:
        tensors = safetensors.torch.load(data)
        with safetensors.safe_open(file, framework="pt") as header:
            metadata = header.metadata() or {}
    except (safetensors.SafetensorError, OSError, KeyError) as error:
        raise ModelError(f"{file}: expected a safetensors file ({error})") from error
    if metadata.get(INTERFACE_KEY) != spec.interface():
        raise ModelError(
            f"{file.parent / SPEC_FILE}: tasks, classes, features, encoder or tree are not those "
            "that the weights were trained with; export the model again"
        )
    return tensors


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
    duration_s = x.numel() / SAMPLE_RATE_HZ
    if duration_s > LONGEST_S:
        raise ModelError(
            f"expected at most {LONGEST_S:.0f} s of audio in one call, found {duration_s:.0f} s; "
            "cut it into parts"
        )
    if not torch.isfinite(x).all():
        raise ModelError("expected finite samples, found NaN or infinity")
    return x.to(torch.float32)


def segments(
    active: np.ndarray, frame_s: float, duration_s: float
) -> tuple[tuple[float, float], ...]:
    """Stretches of active frames, in seconds.

    Parameters
    ----------
    active : bool array [F]
        Frame f stands for the time from ``f * frame_s`` to ``(f + 1) * frame_s``.
    frame_s, duration_s : float
        No segment ends after ``duration_s``.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    runs: list[list[float]] = []
    for first, after in edges.reshape(-1, 2).tolist():
        start_s, end_s = first * frame_s, min(after * frame_s, duration_s)
        if runs and start_s - runs[-1][1] < SHORTEST_PAUSE_S - 1e-9:
            runs[-1][1] = end_s
        else:
            runs.append([start_s, end_s])
    return tuple(
        (round(start_s, 6), round(end_s, 6))
        for start_s, end_s in runs
        if end_s - start_s >= SHORTEST_SEGMENT_S - 1e-9
    )

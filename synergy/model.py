"""Exported models, read back with class names, thresholds and everything else that is known.

The network is rebuilt from the specification; ``model.py`` in the folder is never run.

Shapes: B batch, T sample, K class, F feature frame.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from synergy.audio.features import Normalisation, log_mel
from synergy.audio.reading import SAMPLE_RATE_HZ, read_waveform
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
from synergy.tasks.predictions import Prediction
from synergy.tree import SharingTree
from synergy.wording import short_list

LONGEST_S = 1800.0
"""Longest audio in one call, in seconds; a call takes about 0.6 MB of memory per second."""

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

        Raises
        ------
        DataError
            If the file cannot be read, or is longer than `LONGEST_S`.
        ModelError
            If the audio or the model cannot be used or the threshold is out of range.
        """
        if threshold is not None and not 0 < threshold < 1:
            raise ModelError(f"expected a threshold between 0 and 1, found {threshold}")
        from_file = isinstance(source, str | Path)
        waveform = read_waveform(source, LONGEST_S) if from_file else source
        if waveform.ndim != 1:
            raise ModelError(f"expected a waveform of shape [T], found {list(waveform.shape)}")
        try:
            logits = self(waveform)
        except ModelError as error:
            if from_file:
                raise ModelError(f"{source}: {error}") from error
            raise
        times = self.spec.features.hop_s, len(waveform) / SAMPLE_RATE_HZ
        return {
            task.name: rules_of(task.kind).prediction(
                logits[task.name], task.classes, threshold or task.threshold, *times
            )
            for task in self.spec.tasks
        }


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

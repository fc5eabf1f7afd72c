"""Use an exported model without synergy: labels and speech segments of a recording.

    python use_model.py MODEL_FOLDER FILE

Needs torch, safetensors and soundfile. The file may have any rate and number of channels, and is
heard as a whole; ``synergy predict`` hears long ones in windows.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import soundfile
import torch

SHORTEST_S = 0.1  # pauses below this are filled, then segments below it dropped


def import_model(folder: Path) -> ModuleType:
    """The generated ``model.py``; only for a folder that you trust, since this runs it."""
    file = folder / "model.py"
    if not file.is_file():
        sys.exit(f"{folder}: expected an exported model, found no model.py")
    spec = importlib.util.spec_from_file_location("exported_model", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_audio(file: Path, rate: int) -> torch.Tensor:
    """Samples [T] in [-1, 1] at ``rate``, the mean of all channels."""
    try:
        samples, found = soundfile.read(str(file), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        sys.exit(f"{file}: expected a recording ({error})")
    if not len(samples):
        sys.exit(f"{file}: expected audio, found a file without samples")
    return resampled(torch.from_numpy(samples).mean(dim=1), found, rate)


def resampled(waveform: torch.Tensor, old: int, new: int) -> torch.Tensor:
    """The same sound [T] at another rate: its spectrum cut off, or continued with zeros.

    That takes it for periodic; silence before and after keeps its end out of its start.
    """
    if old == new:
        return waveform
    margin = old // 10  # whole samples at both rates where these are multiples of 10
    padded = torch.nn.functional.pad(waveform, (margin, margin))
    length = round(len(padded) * new / old)
    spectrum = torch.fft.rfft(padded)
    kept = torch.nn.functional.pad(spectrum, (0, length // 2 + 1 - len(spectrum)))
    samples = torch.fft.irfft(kept, n=length) * (new / old)
    first = round(margin * new / old)
    return samples[first : first + max(1, round(len(waveform) * new / old))]


def segments(active: list[bool], frame_s: float, duration_s: float) -> list[tuple[float, float]]:
    """Start and end of each active stretch in seconds."""
    runs: list[tuple[float, float]] = []
    for frame, is_active in enumerate(active):
        start, end = frame * frame_s, min((frame + 1) * frame_s, duration_s)
        if is_active and runs and start - runs[-1][1] < SHORTEST_S - 1e-9:
            runs[-1] = (runs[-1][0], end)
        elif is_active:
            runs.append((start, end))
    return [(start, end) for start, end in runs if end - start >= SHORTEST_S - 1e-9]


def main(arguments: list[str]) -> None:
    """Print what the model says about a file."""
    if len(arguments) != 2:
        sys.exit("usage: use_model.py MODEL_FOLDER FILE")
    folder, file = map(Path, arguments)
    model = import_model(folder)
    waveform = read_audio(file, model.SAMPLE_RATE_HZ)
    net = model.load(folder / "weights.safetensors")
    try:
        with torch.inference_mode():
            outputs = net(waveform.unsqueeze(0))
    except ValueError as error:
        sys.exit(f"{file}: {error}")
    for task, logits in outputs.items():
        names = model.CLASSES[task]
        if task in model.THRESHOLDS:
            active = torch.sigmoid(logits[0]) >= model.THRESHOLDS[task]
            duration_s = len(waveform) / model.SAMPLE_RATE_HZ
            found = segments(active.tolist(), model.FRAME_S, duration_s)
            shown = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in found)
            print(f"{task}: {names[0]} {shown or 'nowhere'}")
        else:
            probabilities = torch.softmax(logits[0], dim=0)
            best = int(probabilities.argmax())
            print(f"{task}: {names[best]} ({100 * float(probabilities[best]):.1f} %)")


if __name__ == "__main__":
    main(sys.argv[1:])

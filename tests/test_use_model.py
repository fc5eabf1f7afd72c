from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_models as toys
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_segments import segments

from synergy.audio.reading import read_waveform
from synergy.model import load_model

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "use_model.py"

# Prepended to a program: whatever imports synergy from now on fails.
WITHOUT_SYNERGY = """\
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "synergy":
            raise AssertionError(f"imports {name}")

sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model"
    toys.export(path, order=("gc", "age-3", "scr", "vad"))
    return path


def write_wav(file, waveform):
    soundfile.write(file, waveform.numpy(), 16_000)


def run_example(tmp_path, *arguments):
    """Run the example from an empty folder, where importing synergy fails."""
    program = f"{WITHOUT_SYNERGY}import runpy\nsys.argv = {['x', *map(str, arguments)]!r}\n"
    program += f"runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')\n"
    program += "assert 'synergy' not in sys.modules\n"
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_runs_without_synergy(folder, tmp_path):
    write_wav(tmp_path / "a.wav", toys.waveforms(2, 24_000).T)
    done = run_example(tmp_path, folder, tmp_path / "a.wav")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert list(lines) == ["gc", "age-3", "scr", "vad"]
    expected = load_model(folder).predict(tmp_path / "a.wav")
    best = expected["gc"].label
    share = 100 * expected["gc"].probabilities[best]
    assert lines["gc"] == f"{best} ({share:.1f} %)"
    found = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in expected["vad"].segments)
    assert lines["vad"] == f"speech {found or 'nowhere'}"


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44_100, 2), (48_000, 3), (16_000, 2)])
def test_the_example_reads_any_rate_and_channels_like_predict(tmp_path, rate, channels):
    time = np.arange(rate) / rate
    tones = [np.sin(2 * np.pi * (300 + 700 * n) * time) for n in range(channels)]
    sound = 0.3 * np.stack(tones, axis=1) * np.sin(np.pi * time)[:, None]
    soundfile.write(tmp_path / "a.wav", sound, rate, subtype="FLOAT")
    found = load_example().read_audio(tmp_path / "a.wav", 16_000).numpy()
    expected = read_waveform(tmp_path / "a.wav")
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3


def test_the_blocker_blocks(tmp_path):
    program = f"{WITHOUT_SYNERGY}import synergy.model"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "imports synergy" in done.stderr


def load_example():
    spec = importlib.util.spec_from_file_location("use_model", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@given(st.lists(st.booleans(), max_size=120), st.sampled_from([0.01, 0.016]))
def test_the_example_finds_the_same_segments(active, frame_s):
    duration_s = max(0, len(active) - 0.5) * frame_s
    found = load_example().segments(active, frame_s, duration_s)
    expected = segments(np.array(active, dtype=bool), frame_s, duration_s)
    assert np.allclose(np.array(found), np.array(expected))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: write_wav(f, torch.zeros(0)), "without samples"),
        (lambda f: write_wav(f, torch.zeros(50)), "at least 129 samples"),
        (lambda f: f.write_bytes(b"no audio at all"), "expected a recording"),
        (lambda f: f.write_bytes(b""), "expected a recording"),
        (lambda f: None, "expected a recording"),
    ],
)
def test_the_example_refuses_in_one_line(folder, tmp_path, monkeypatch, make, words):
    make(tmp_path / "a.wav")
    with pytest.raises(SystemExit) as stopped:
        load_example().main([str(folder), str(tmp_path / "a.wav")])
    assert words in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_the_example_says_where_no_model_is(tmp_path):
    for arguments in ([], [str(tmp_path), "a.wav"]):
        with pytest.raises(SystemExit, match=r"usage|no model\.py"):
            load_example().main(arguments)

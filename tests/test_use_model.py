from __future__ import annotations

import importlib.util
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import small_models as toys
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_segments import segments

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


def write_wav(file, waveform, rate=16_000, channels=1):
    with wave.open(str(file), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((waveform * 32767).to(torch.int16).numpy().tobytes())


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
    waveform = toys.waveforms(1, 24_000)[0]
    write_wav(tmp_path / "a.wav", waveform)
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
        (lambda f: write_wav(f, torch.zeros(8000), rate=8000), "found 8000 Hz, 1 channels, 16 bit"),
        (lambda f: write_wav(f, torch.zeros(8000), channels=2), "2 channels"),
        (lambda f: write_wav(f, torch.zeros(0)), "without samples"),
        (lambda f: write_wav(f, torch.zeros(50)), "at least 129 samples"),
        (lambda f: f.write_bytes(b"no audio at all"), "expected a WAV file"),
        (lambda f: f.write_bytes(b""), "expected a WAV file"),
        (lambda f: None, "expected a WAV file"),
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

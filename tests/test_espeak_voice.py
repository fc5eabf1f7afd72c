"""A voice that hangs, ends or answers anything is an error of one sentence, and is killed."""

from __future__ import annotations

import base64
import json
import os
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from synergy.datasets import espeak_voice
from synergy.datasets.espeak_voice import EspeakVoice
from synergy.errors import DataError


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Lets a program of a few lines take the place of eSpeak NG."""

    def drive(program: str, patience_s: float = 30.0) -> None:
        file = tmp_path / "driver.py"
        file.write_text("import sys, os, time\n" + textwrap.dedent(program), encoding="utf-8")
        monkeypatch.setattr(espeak_voice, "DRIVER", file)
        monkeypatch.setattr(espeak_voice, "PATIENCE_S", patience_s)
        monkeypatch.setattr(espeak_voice.importlib.util, "find_spec", lambda _: object())

    return drive


def reply(pcm: bytes, rate: object = 16_000) -> str:
    return json.dumps({"pcm": base64.b64encode(pcm).decode(), "sample_rate": rate})


WORD = np.ones(1600, np.int16).tobytes()


@pytest.mark.parametrize("last_words", ["", "sys.stdout.write('{'); sys.stdout.flush(); "])
def test_a_process_that_hangs_is_given_up(driver, last_words):
    driver(f"sys.stdin.readline(); {last_words}time.sleep(600)", patience_s=0.5)
    with EspeakVoice() as voice, pytest.raises(DataError, match=r"has not answered for 0\.5 s"):
        voice.speak({})
    assert voice._process.returncode is not None


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("sys.exit(3)", "has ended"),
        ("print('speech')", "no sensible answer"),
        ("print('[1]')", "no sensible answer"),
        ("print('[' * 100000)", "no sensible answer"),
        ("print('{}')", "no sensible answer"),
        ("os.write(1, b'\\xff\\n')", "no sensible answer"),
        ("print('{}\\n{}')", "no sensible answer"),
    ],
)
def test_a_senseless_process_is_one_sentence(driver, program, said):
    driver(f"sys.stdin.readline(); {program}")
    with EspeakVoice() as voice, pytest.raises(DataError, match=said) as caught:
        voice.speak({})
    assert str(caught.value).startswith("demo_speech: ")


@pytest.mark.parametrize(
    "answer",
    [
        *(reply(WORD, 0), reply(WORD, -1), reply(WORD, 10**9), reply(WORD, "fast")),
        *(reply(WORD, None), reply(WORD[:-1]), reply(b""), reply(WORD[:200]), reply(bytes(3200))),
        *('{"pcm": "*", "sample_rate": 16000}', '{"pcm": 3, "sample_rate": 16000}'),
    ],
)
def test_what_is_no_speech_is_refused(driver, answer):
    driver(f"sys.stdin.readline(); print({answer!r})")
    with EspeakVoice() as voice, pytest.raises(DataError, match="no sensible answer"):
        voice.speak({})


def test_speech_is_taken(driver):
    driver(f"sys.stdin.readline(); print({reply(WORD)!r})")
    with EspeakVoice() as voice:
        pcm, rate = voice.speak({})
    assert (len(pcm), rate) == (1600, 16_000)


def test_an_answer_without_end_takes_no_memory(driver, monkeypatch):
    monkeypatch.setattr(espeak_voice, "LONGEST_REPLY", 10**6)
    driver("sys.stdin.readline()\nwhile True: os.write(1, b'a' * 65536)")
    with EspeakVoice() as voice, pytest.raises(DataError, match="no sensible answer"):
        voice.speak({})


def test_the_fork_that_speaks_dies_with_the_process(driver, tmp_path, monkeypatch):
    note = tmp_path / "child"
    driver(
        f"""
        sys.stdin.readline()
        child = os.fork()
        if child:
            open({str(note)!r}, 'w').write(str(child))
            print('{{"version": "1"}}', flush=True)
        time.sleep(600)
        """
    )
    with EspeakVoice() as voice:
        assert voice.version() == "1"
        monkeypatch.setattr(espeak_voice, "PATIENCE_S", 0.2)
        with pytest.raises(DataError, match="has not answered"):
            voice.version()
    child = int(note.read_text())
    for _ in range(100):
        if not runs(child):
            return
        time.sleep(0.1)
    pytest.fail("the fork outlived the process")


def runs(process: int) -> bool:
    """Whether there is such a process, and not only what is left of it until init looks."""
    with suppress(OSError):
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_version_that_is_none_is_refused(driver):
    driver("sys.stdin.readline(); print('{\"version\": 3}')")
    with EspeakVoice() as voice, pytest.raises(DataError, match="no sensible answer"):
        voice.version()


def test_a_process_that_cannot_be_started_is_told(driver, monkeypatch):
    driver("")
    monkeypatch.setattr(espeak_voice.sys, "executable", os.devnull)
    with pytest.raises(DataError, match="cannot be started"):
        EspeakVoice()

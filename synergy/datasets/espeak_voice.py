"""The process in which eSpeak NG speaks, seen from this side: it may hang or answer anything."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np

from synergy.audio.reading import RATES_HZ
from synergy.errors import DataError, MissingExtraError
from synergy.machine import refusal

PATIENCE_S = 60.0
"""Seconds that eSpeak NG gets for an answer; a word takes it some hundredths."""

LONGEST_REPLY = 2**24
"""Bytes of an answer; a word is some 50,000."""

DRIVER = Path(__file__).with_name("espeak.py")


class EspeakVoice:
    """A process that speaks, see `synergy.datasets.espeak`; to be used in a ``with`` block.

    Raises
    ------
    MissingExtraError
        If the extra ``demo`` is not installed.
    DataError
        If eSpeak NG cannot be started, refuses a request, or gives no answer or a senseless one.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise MissingExtraError(
                "The embedded corpus demo_speech is spoken by eSpeak NG, which is not installed: "
                'run pip install -e ".[demo]" in the clone, or pip install "espeakng-loader".'
            )
        # By its path instead of its name, so that it imports nothing else of this package.
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(DRIVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,  # to be killed with the fork that speaks
            )
        except OSError as error:
            raise DataError(
                "demo_speech: the process that runs eSpeak NG cannot be started: "
                f"{refusal(error, DRIVER, 'name a corpus of your own')}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            with suppress(OSError):  # it holds nothing that it could tidy up
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to one request, in the form of `synergy.datasets.espeak`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise _silent("has ended") from error
        try:
            reply = json.loads(self._line())
        except (ValueError, RecursionError) as error:
            raise _silent("gave no sensible answer") from error
        if not isinstance(reply, dict):
            raise _silent("gave no sensible answer")
        if "error" in reply:
            raise DataError(f"demo_speech: {reply['error']}")
        return reply

    def _line(self) -> bytes:
        """What the process writes next, until the end of a line."""
        assert self._process.stdout is not None
        handle, line = self._process.stdout.fileno(), bytearray()
        poll, deadline = select.poll(), time.monotonic() + PATIENCE_S
        poll.register(handle, select.POLLIN)
        while not line.endswith(b"\n"):
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not poll.poll(1000 * left_s):
                raise _silent(f"has not answered for {PATIENCE_S:g} s")
            block = os.read(handle, 2**16)
            if not block:
                raise _silent("has ended")
            line += block
            if len(line) > LONGEST_REPLY:
                raise _silent("gave no sensible answer")
        return bytes(line)

    def version(self) -> str:
        """Version of eSpeak NG."""
        version = self.ask({"describe": True}).get("version")
        if not isinstance(version, str):
            raise _silent("gave no sensible answer")
        return version

    def speak(self, request: Mapping[str, Any]) -> tuple[np.ndarray, int]:
        """Samples of one utterance, int16 [T] of at least 10 ms, and their rate in Hz."""
        reply = self.ask(request)
        try:
            pcm = np.frombuffer(base64.b64decode(reply["pcm"], validate=True), np.int16)
            rate = int(reply["sample_rate"])
        except (KeyError, TypeError, ValueError) as error:
            raise _silent("gave no sensible answer") from error
        if not RATES_HZ[0] <= rate <= RATES_HZ[1] or 100 * len(pcm) < rate or not pcm.any():
            raise _silent("gave no sensible answer")
        return pcm, rate


def _silent(what: str) -> DataError:
    return DataError(
        f"demo_speech: the process that runs eSpeak NG {what}; run the same command again"
    )

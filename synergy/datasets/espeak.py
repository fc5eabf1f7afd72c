"""Drives eSpeak NG in a process of its own: ``python -m synergy.datasets.espeak``.

Reads one JSON object a line on stdin and answers each with one JSON object a line on stdout:

``{"describe": true}`` -> ``{"version": "1.52.0"}``
``{"text": "yes", "accent": "en-us", "variant": "f3", "rate": 170, "pitch": 50, "range": 50}``
-> ``{"pcm": base64 of int16, "sample_rate": 22050}``

Anything that cannot be spoken is answered with ``{"error": sentence}``.

The library is GPL-licensed and therefore loaded here only; nothing else of the package is
imported. It seeds its noise by the clock, and it keeps phase and noise from call to call, so that
an utterance depends on those before. Therefore the seed is set here, and every utterance is spoken
by a fork that has said nothing but the same first words.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

_SYNCHRONOUS = 2
_UTF8 = 1
_PARAMETERS = {"rate": (1, 80, 450), "pitch": (3, 0, 99), "range": (4, 0, 99)}
_VOICE = {"accent": "en", "variant": "f1", "rate": 170, "pitch": 50, "range": 50}
_FIRST_WORDS = {"text": "ready", **_VOICE}
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Library:
    """eSpeak NG, loaded, in its state before it speaks; RuntimeError if it does not start."""

    def __init__(self) -> None:
        import espeakng_loader

        self.data = Path(espeakng_loader.get_data_path())
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._blocks: list[bytes] = []
        self._callback = _CALLBACK(self._collect)  # the library keeps no reference to it
        self.sample_rate = int(
            self._library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(self.data), 0)
        )
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG does not start with its data in {self.data}")
        # Starting seeds its noise with the time of day.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._library.espeak_SetSynthCallback(self._callback)
        # Always the same first words: they load the dictionary, which forks then need not do.
        self.speak(_FIRST_WORDS)

    def _collect(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._blocks.append(ctypes.string_at(samples, 2 * count))
        return 0

    @property
    def version(self) -> str:
        """Version of the library."""
        return self._library.espeak_Info(None).decode().split()[0]

    def check(self, request: dict[str, Any]) -> None:
        """Refuse, with a ValueError, what the library would silently replace by something else."""
        # An unknown variant falls back to the plain voice, with the return code of success.
        variants = sorted(path.name for path in (self.data / "voices" / "!v").iterdir())
        if request["variant"] not in variants:
            raise ValueError(
                f"expected a voice variant of eSpeak NG {self.version}, "
                f"found {request['variant']!r}; there are {', '.join(variants)}"
            )
        for name, (_, low, high) in _PARAMETERS.items():
            if not low <= int(request[name]) <= high:
                raise ValueError(f"expected {name} in {low}..{high}, found {request[name]}")
        if not request["text"].strip():
            raise ValueError("expected a text to speak, found an empty one")

    def speak(self, request: dict[str, Any]) -> bytes:
        """Samples of one utterance as int16 in the order of this machine, at `sample_rate`.

        Raises ValueError as `check` and on an unknown accent, RuntimeError if there is no sound.
        """
        self.check(request)
        voice = f"{request['accent']}+{request['variant']}"
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(
                f"expected an accent of eSpeak NG {self.version}, found {request['accent']!r}"
            )
        for name, (number, _, _) in _PARAMETERS.items():
            self._library.espeak_SetParameter(number, int(request[name]), 0)
        text = request["text"].encode()
        self._blocks.clear()
        code = self._library.espeak_Synth(
            text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _UTF8, None, None
        )
        self._library.espeak_Synchronize()
        pcm = b"".join(self._blocks)
        if code != 0 or not any(pcm):
            raise RuntimeError(f"eSpeak NG gave no sound for {request['text']!r} (code {code})")
        return pcm


def answer(library: Library, request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request, spoken in this very process."""
    try:
        if request.get("describe"):
            return {"version": library.version}
        pcm = base64.b64encode(library.speak(request)).decode()
        return {"pcm": pcm, "sample_rate": library.sample_rate}
    except (ValueError, RuntimeError) as error:
        return {"error": str(error)}
    except KeyError as error:
        return {"error": f"expected the key {error} in the request"}


def main() -> None:
    """Answer requests until stdin ends."""
    # An interrupt reaches the whole group of processes; this one ends with its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    library, failed = None, ""
    try:
        library = Library()
    except (ImportError, OSError, AttributeError, RuntimeError, ValueError) as error:
        failed = f"eSpeak NG cannot be loaded ({error})"
    for line in sys.stdin:
        if library is None:
            print(json.dumps({"error": failed}), flush=True)
            continue
        child = os.fork()
        if child == 0:  # pragma: no cover - the parent's tracer does not see it
            status = 1
            try:
                print(json.dumps(answer(library, json.loads(line))), flush=True)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if status != 0:
            print(json.dumps({"error": f"eSpeak NG ended with status {status}"}), flush=True)


if __name__ == "__main__":
    main()

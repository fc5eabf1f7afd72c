"""Dataset ``demo_speech``, the embedded default: synthetic speech by eSpeak NG.

Nothing in it was ever said by a person. Every clip is one second with a command word over
noise, and carries gender, age group, word and where speech is. The corpus is rendered into the
cache once, in the layout of a manifest, and read like one. See docs/demo_corpus.md.
"""

from __future__ import annotations

import base64
import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np
import soundfile
from filelock import FileLock

from synergy.audio.reading import SAMPLE_RATE_HZ, cache_folder
from synergy.datasets.base import Corpus, Progress
from synergy.datasets.demo_plan import ClipPlan, DemoSpeechConfig, plan_clips
from synergy.datasets.demo_sound import CLIP_SAMPLES, RenderedClip, render_clip
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.errors import DataError, MissingExtraError
from synergy.files import PARTIAL, json_text, partial_path
from synergy.seeding import digest
from synergy.wording import SPLITS

__all__ = ["DemoSpeechConfig", "EspeakVoice", "load_demo_speech", "render_demo_speech"]

GENERATOR_VERSION = 1
"""To be raised whenever a seed gives other samples or labels than before."""

_LICENCE = "synthetic speech, output of eSpeak NG"


class EspeakVoice:
    """A process that speaks, see `synergy.datasets.espeak`; to be used in a ``with`` block.

    Raises
    ------
    MissingExtraError
        If the extra ``demo`` is not installed.
    DataError
        If eSpeak NG refuses a request or has ended.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise MissingExtraError(
                "The embedded corpus demo_speech is spoken by eSpeak NG, which is not installed: "
                'run pip install -e ".[demo]" in the clone, or pip install "espeakng-loader".'
            )
        # By its path instead of its name, so that it imports nothing else of this package.
        driver = Path(__file__).with_name("espeak.py")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(driver)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # ends its input, on which it ends itself

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to one request, in the form of `synergy.datasets.espeak`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            reply = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise DataError("demo_speech: the process that runs eSpeak NG has ended") from error
        if "error" in reply:
            raise DataError(f"demo_speech: {reply['error']}")
        return reply

    def speak(self, request: Mapping[str, Any]) -> tuple[np.ndarray, int]:
        """Samples of one utterance, int16 [T], and their rate in Hz."""
        reply = self.ask(request)
        return np.frombuffer(base64.b64decode(reply["pcm"]), np.int16), int(reply["sample_rate"])


def load_demo_speech(
    name: str, config: DemoSpeechConfig, progress: Progress | None = None
) -> Corpus:
    """The embedded corpus, rendered into the cache when it is not there yet.

    Errors and progress are those of `render_demo_speech`, called when something is to be rendered.
    """
    with EspeakVoice() as voice:
        version = str(voice.ask({"describe": True})["version"])  # another speaks other samples
    identity = {
        "config": config.model_dump(mode="json"),
        "generator_version": GENERATOR_VERSION,
        "espeak_ng_version": version,
    }
    folder = cache_folder() / "demo_speech" / digest(identity)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = partial_path(folder)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            for left_over in folder.parent.glob(f".{folder.name}.*{PARTIAL}"):
                shutil.rmtree(left_over, ignore_errors=True)
            try:
                if not folder.is_dir():  # else whoever held the lock before has built it
                    render_demo_speech(partial, config, progress)
                    (partial / "corpus.json").write_text(json_text(identity), encoding="utf-8")
                    partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    corpus = load_manifest(name, ManifestConfig(folder=str(folder)))
    low, high = config.snr_db
    note = (
        f"corpus {name} is synthetic speech: eSpeak NG {version} speaks all {len(corpus.clips)} "
        f"clips, over synthetic noise at {low:g} to {high:g} dB; no person was recorded, and "
        "scores on it say little about real speech"
    )
    return replace(corpus, notes=(note, *corpus.notes))


def render_demo_speech(
    folder: Path,
    config: DemoSpeechConfig,
    progress: Progress | None = None,
    workers: int | None = None,
) -> None:
    """Write the corpus as a manifest folder: manifest.csv, segments.csv and audio/ as FLAC.

    Parameters
    ----------
    folder : Path
        To be created.
    config : DemoSpeechConfig
    progress : callable, optional
        Called from this thread.
    workers : int, optional
        Processes that speak; the files do not depend on it. Twice the cores by default, since
        each of them waits while its clip is mixed.

    Raises
    ------
    MissingExtraError
        If the extra ``demo`` is not installed.
    DataError
        If eSpeak NG fails or a word does not fit into one second.
    """
    plans = plan_clips(config)
    for split in SPLITS:
        (folder / "audio" / split).mkdir(parents=True)
    manifest: list[dict[str, str]] = []
    segments: list[dict[str, str]] = []
    with ExitStack() as stack:
        voices: SimpleQueue[EspeakVoice] = SimpleQueue()
        count = workers or min(16, 2 * (os.cpu_count() or 1))
        for _ in range(count):
            voices.put(stack.enter_context(EspeakVoice()))

        def render(plan: ClipPlan) -> tuple[dict[str, str], list[dict[str, str]]]:
            voice = voices.get()
            try:
                clip = render_clip(plan, voice.speak)
            finally:
                voices.put(voice)
            soundfile.write(folder / plan.path, clip.samples, SAMPLE_RATE_HZ, subtype="PCM_16")
            return _manifest_row(plan, clip), _segment_rows(plan, clip)

        # Threads do: speaking is another process, and numpy and the encoder free the lock.
        pool = ThreadPoolExecutor(count)
        stack.callback(pool.shutdown, cancel_futures=True)
        for row, own in pool.map(render, plans):
            manifest.append(row)
            segments += own
            if progress is not None:
                progress(len(manifest), len(plans))
    _write_csv(folder / "segments.csv", segments)
    _write_csv(folder / "manifest.csv", manifest)


def _manifest_row(plan: ClipPlan, clip: RenderedClip) -> dict[str, str]:
    who = plan.speaker
    return {
        "path": plan.path,
        "duration_s": f"{CLIP_SAMPLES / SAMPLE_RATE_HZ:.3f}",
        "speaker": who.name,
        "gender": who.gender,
        "age_group": who.age_group,
        "word": plan.word,
        "noise": clip.noise,
        "snr_db": f"{clip.snr_db:.1f}",
        "accent": who.accent,
        "variant": who.variant,
        "split": plan.split,
        "language": "en",
        "licence": _LICENCE,
    }


def _segment_rows(plan: ClipPlan, clip: RenderedClip) -> list[dict[str, str]]:
    return [
        {
            "path": plan.path,
            "start_s": f"{start / SAMPLE_RATE_HZ:.4f}",
            "end_s": f"{end / SAMPLE_RATE_HZ:.4f}",
            "label": "speech",
            "label_source": "synthesis",
            "speaker": plan.speaker.name,
        }
        for start, end in clip.segments
    ]


def _write_csv(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

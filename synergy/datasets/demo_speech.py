"""Dataset ``demo_speech``, the embedded default: synthetic speech by eSpeak NG.

Nothing in it was ever said by a person. Every clip is one second with a command word over
noise, and carries gender, age group, word and where speech is. The corpus is rendered into the
cache once, in the layout of a manifest, and read like one. See docs/demo_corpus.md.
"""

from __future__ import annotations

import csv
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import soundfile
from filelock import FileLock, Timeout

from synergy.audio.reading import SAMPLE_RATE_HZ
from synergy.cache import cache_folder
from synergy.datasets.base import Corpus, Progress
from synergy.datasets.demo_plan import ClipPlan, DemoSpeechConfig, plan_clips
from synergy.datasets.demo_sound import CLIP_SAMPLES, RenderedClip, render_clip
from synergy.datasets.espeak_voice import EspeakVoice
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.errors import DataError
from synergy.files import (
    CHANGED,
    PARTIAL,
    Artefact,
    checksums,
    damaged,
    is_partial,
    parse_json,
    partial_path,
    read_bytes,
    shortly,
)
from synergy.machine import refusal
from synergy.seeding import digest
from synergy.wording import SPLITS

__all__ = ["DemoSpeechConfig", "load_demo_speech", "render_demo_speech"]

GENERATOR_VERSION = 1
"""To be raised whenever a seed gives other samples or labels than before."""

MANIFEST, SEGMENTS, _RECORD = "manifest.csv", "segments.csv", "corpus.json"
_log = logging.getLogger(__name__)

_LICENCE = "synthetic speech, output of eSpeak NG"


class DemoRecord(Artefact):
    """``corpus.json``: what the corpus was rendered from, and what it was when it was complete.

    ``files`` are checksums of the tables; the fingerprint covers labels and audio.
    """

    config: dict[str, Any]
    generator_version: int
    espeak_ng_version: str
    fingerprint: str
    files: dict[str, str]


def load_demo_speech(
    name: str, config: DemoSpeechConfig, progress: Progress | None = None
) -> Corpus:
    """The embedded corpus, rendered into the cache when it is not there yet, or damaged there.

    Errors and progress are those of `render_demo_speech`, called when something is to be rendered;
    a DataError is also raised when the cache cannot be written.
    """
    with EspeakVoice() as voice:
        version = voice.version()  # another speaks other samples
    identity = {
        "config": config.model_dump(mode="json"),
        "generator_version": GENERATOR_VERSION,
        "espeak_ng_version": version,
    }
    folder = cache_folder() / "demo_speech" / digest(identity)
    damage = ""
    try:
        _remove_abandoned(folder.parent)
        found = _kept(name, folder)
        if isinstance(found, str):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(_lock(folder)):
                found = _kept(name, folder)  # whoever held the lock before may have rendered it
                if isinstance(found, str):
                    damage = found
                    found = _rendered(name, folder, config, identity, progress)
    except OSError as error:
        raise DataError(
            f"corpus {name} cannot be rendered into {folder.parent}: "
            f"{refusal(error, folder.parent, 'set SYNERGY_CACHE to another folder')}"
        ) from error
    low, high = config.snr_db
    note = (
        f"corpus {name} is synthetic speech: eSpeak NG {version} speaks all {len(found.clips)} "
        f"clips, over synthetic noise at {low:g} to {high:g} dB; no person was recorded, and "
        "scores on it say little about real speech"
    )
    if damage:
        _log.warning(
            "corpus %s was damaged in the cache (%s) and has been rendered anew", name, damage
        )
    return replace(found, notes=(note, *found.notes))


def _kept(name: str, folder: Path) -> Corpus | str:
    """The corpus as it was rendered, or what is wrong with it, empty where there is none."""
    try:
        known = DemoRecord.parsed(parse_json(read_bytes(folder / _RECORD)))
        if broken := damaged(folder, known.files):
            return "; ".join(f"{file}: {what}" for file, what in broken.items())
        corpus = load_manifest(name, ManifestConfig(folder=str(folder)))
    except FileNotFoundError:
        return ""
    except DataError as error:
        return shortly(error)
    except (OSError, ValueError) as error:
        return f"{_RECORD}: {shortly(error)}"
    return corpus if corpus.fingerprint == known.fingerprint else f"a recording: {CHANGED}"


def _rendered(
    name: str,
    folder: Path,
    config: DemoSpeechConfig,
    identity: Mapping[str, Any],
    progress: Progress | None,
) -> Corpus:
    """Render the corpus in place of what is there; call with the lock held."""
    partial, before = partial_path(folder), partial_path(folder)
    try:
        render_demo_speech(partial, config, progress)
        if folder.exists():
            folder.rename(before)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)
    corpus = load_manifest(name, ManifestConfig(folder=str(folder)))
    tables = checksums(folder, (MANIFEST, SEGMENTS))
    record = DemoRecord(**identity, fingerprint=corpus.fingerprint, files=tables)
    record.write(folder / _RECORD)  # the last one: with it the corpus counts as complete
    return corpus


def _lock(folder: Path) -> Path:
    """Held while ``folder`` is rendered."""
    return folder.with_name(f"{folder.name}.lock")


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed renderings left; a live one holds its lock."""
    for left_over in filter(is_partial, parent.glob(f".*{PARTIAL}")):
        folder = parent / left_over.name.split(".")[1]
        with suppress(Timeout), FileLock(_lock(folder), timeout=0):
            shutil.rmtree(left_over, ignore_errors=True)


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
    OSError
        If a file cannot be written.
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
            # By way of memory: of a full disk the encoder says that the encoding failed.
            flac = BytesIO()
            soundfile.write(flac, clip.samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
            (folder / plan.path).write_bytes(flac.getvalue())
            return _manifest_row(plan, clip), _segment_rows(plan, clip)

        # Threads do: speaking is another process, and numpy and the encoder free the lock.
        pool = ThreadPoolExecutor(count)
        stack.callback(pool.shutdown, cancel_futures=True)
        for row, own in pool.map(render, plans):
            manifest.append(row)
            segments += own
            if progress is not None:
                progress(len(manifest), len(plans))
    _write_csv(folder / SEGMENTS, segments)
    _write_csv(folder / MANIFEST, manifest)


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

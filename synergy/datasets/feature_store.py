"""The feature store: log-mel features of a corpus, computed once, float16, memory-mapped.

A store is a folder of the cache, named by corpus and feature configuration::

    features.f16   all frames of all clips, one after the other, [frames, M] little-endian float16
    index.csv      path, first_frame, frames
    meta.json      `StoreFile`: shape, configuration, sums over the train split, checksums

All of it is checked when it is opened; what is damaged is computed again. It is built beside its
place and moved there when complete, under a lock that the system lets go when the process dies: a
killed build leaves nothing that counts, and of two builds one waits.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from pydantic import JsonValue

from synergy.audio.features import FeatureConfig, Normalisation
from synergy.cache import cache_folder
from synergy.datasets.base import Corpus, Progress
from synergy.datasets.extraction import extract
from synergy.errors import DataError, WorkspaceError
from synergy.executors import Executor, SerialExecutor
from synergy.files import Artefact, StrictModel, UnfitFileError, checksums, damaged, read_bytes
from synergy.machine import refusal
from synergy.wording import problem_message

FORMAT_VERSION = 1
_DTYPE = np.dtype("<f2")
_FEATURES, _INDEX, _META = "features.f16", "index.csv", "meta.json"
_LONGEST_INDEX = 2**30  # bytes
_BUILDING = ".building"

_log = logging.getLogger(__name__)


class TrainSums(StrictModel):
    """Sums over the frames of the train split, by mel band: of values and of their squares."""

    frames: int
    sum: tuple[float, ...]
    sum_of_squares: tuple[float, ...]


class StoreFile(Artefact):
    """``meta.json`` of a store; ``files`` are the checksums of the files beside it."""

    digest: str
    corpus_fingerprint: str
    features: dict[str, JsonValue]
    frames: int
    mels: int
    clips: int
    train: TrainSums
    files: dict[str, str]


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """Features of one corpus, read from disk as they are used.

    ``features`` is read-only, float16 [all frames, M]; ``offsets`` lead from the path of a clip to
    its first frame and its number of frames. ``train_sum`` and ``train_squares``, float64 [M], are
    sums over the ``train_frames`` of the train split, of values and of their squares. ``digest`` is
    that of the corpus fingerprint and the feature configuration.
    """

    folder: Path
    digest: str
    features: np.memmap
    offsets: Mapping[str, tuple[int, int]] = field(repr=False)
    train_sum: np.ndarray = field(repr=False)
    train_squares: np.ndarray = field(repr=False)
    train_frames: int

    def clip(self, path: str) -> np.ndarray:
        """Features of one clip, [F, M] float16, as a view of the file."""
        first, frames = self.offsets[path]
        return self.features[first : first + frames]


def open_store(
    corpus: Corpus,
    features: FeatureConfig,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> FeatureStore:
    """Open the features of a corpus, and compute them first where they are missing.

    Those of a small corpus are computed in this process, and without an ``executor`` all are.
    ``progress`` is called with the number of clips done and of all clips, only while computing.

    Raises
    ------
    DataError
        If a file cannot be read (names all of them) or the cache cannot be written.
    """
    key = [FORMAT_VERSION, corpus.fingerprint, features.model_dump(mode="json")]
    text = json.dumps(key, sort_keys=True)
    parent = cache_folder() / "features"
    folder = parent / hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    try:
        if (found := _load(folder)) is not None:
            return found
    except (WorkspaceError, ValueError) as error:
        _log.warning(
            "the features of corpus %s are damaged (%s) and are computed again", corpus.name, error
        )
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            with suppress(WorkspaceError, ValueError):
                if (found := _load(folder)) is not None:  # built while this one waited
                    return found
            _remove_abandoned(folder)
            _build(folder, corpus, features, executor or SerialExecutor(), progress)
            built = _load(folder)
            assert built is not None
            return built
    except OSError as error:
        raise DataError(
            f"the features of corpus {corpus.name} cannot be kept in {parent}: "
            f"{refusal(error, parent, 'set SYNERGY_CACHE to another folder')}"
        ) from error


def normalisation(stores: Mapping[str, FeatureStore], corpora: Iterable[str]) -> Normalisation:
    """Mean and standard deviation, at least 1e-3, over the train splits of some corpora.

    Each corpus weighs the same, whatever its size. Of the ``stores``, by name of the corpus, those
    of ``corpora`` count; order and repetition play no part.

    Raises
    ------
    DataError
        If no corpus is given or one has no train clips.
    """
    chosen = {name: stores[name] for name in corpora}
    empty = sorted(name for name, store in chosen.items() if not store.train_frames)
    if empty or not chosen:
        raise DataError(
            f"expected train clips to normalise by, found none in {', '.join(empty) or 'no corpus'}"
        )
    # Sums in the order of the digests are the same bits whatever the corpora are called.
    ordered = sorted(chosen.values(), key=lambda store: store.digest)
    mean = sum(store.train_sum / store.train_frames for store in ordered) / len(ordered)
    square = sum(store.train_squares / store.train_frames for store in ordered) / len(ordered)
    std = np.sqrt(np.maximum(square - mean**2, 1e-6))
    return Normalisation(np.asarray(mean, np.float32), np.asarray(std, np.float32))


def _build(
    folder: Path,
    corpus: Corpus,
    config: FeatureConfig,
    executor: Executor,
    progress: Progress | None,
) -> None:
    """Write a store beside ``folder`` and move it there; call with the lock held."""
    building = folder.with_name(folder.name + _BUILDING)
    shutil.rmtree(building, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)  # damaged, else it would have been opened
    building.mkdir()
    unreadable: list[str] = []
    index: list[tuple[str, int, int]] = []
    total, squares = np.zeros((2, config.mels))
    train_frames = frames = 0
    try:
        results = zip(corpus.clips, extract(corpus, config, executor), strict=True)
        with (building / _FEATURES).open("wb") as stream:
            for done, (clip, result) in enumerate(results, 1):
                if isinstance(result, str):
                    unreadable.append(result)
                else:
                    stream.write(result.astype(_DTYPE, copy=False).tobytes())
                    index.append((clip.path, frames, len(result)))
                    frames += len(result)
                    if clip.split == "train":
                        exact = result.astype(np.float64)
                        total += exact.sum(axis=0)
                        squares += np.square(exact).sum(axis=0)
                        train_frames += len(result)
                if progress is not None:
                    progress(done, len(corpus.clips))
        if unreadable:
            heading = f"corpus {corpus.name}: {len(unreadable)} audio files cannot be used"
            raise DataError(problem_message(heading, unreadable, limit=len(unreadable)))
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(
            [("path", "first_frame", "frames"), *index]
        )
        (building / _INDEX).write_bytes(table.getvalue().encode("utf-8", "surrogateescape"))
        StoreFile(
            digest=folder.name,
            corpus_fingerprint=corpus.fingerprint,
            features=config.model_dump(mode="json"),
            frames=frames,
            mels=config.mels,
            clips=len(corpus.clips),
            train=TrainSums(
                frames=train_frames,
                sum=tuple(total.tolist()),
                sum_of_squares=tuple(squares.tolist()),
            ),
            files=checksums(building, (_FEATURES, _INDEX)),
        ).write(building / _META)
        for file in building.iterdir():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        building.replace(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed builds of other stores left; a live build holds its lock."""
    for building in folder.parent.glob(f"*{_BUILDING}"):
        if building.stem != folder.name:  # that one is removed by `_build`, and its lock held here
            with suppress(Timeout), FileLock(building.with_suffix(".lock"), timeout=0):
                shutil.rmtree(building, ignore_errors=True)


def _load(folder: Path) -> FeatureStore | None:
    """The store in a folder, None if there is none; an error of some kind if it is damaged."""
    meta = StoreFile.read(folder / _META)
    if meta is None:
        return None
    if wrong := damaged(folder, meta.files):
        raise UnfitFileError("; ".join(f"{name}: {what}" for name, what in wrong.items()))
    table = read_bytes(folder / _INDEX, _LONGEST_INDEX).decode("utf-8", "surrogateescape")
    rows = csv.reader(io.StringIO(table))
    next(rows)
    return FeatureStore(
        folder=folder,
        digest=meta.digest,
        features=np.memmap(
            folder / _FEATURES, dtype=_DTYPE, mode="r", shape=(meta.frames, meta.mels)
        ),
        offsets={path: (int(first), int(frames)) for path, first, frames in rows},
        train_sum=np.asarray(meta.train.sum, np.float64),
        train_squares=np.asarray(meta.train.sum_of_squares, np.float64),
        train_frames=meta.train.frames,
    )

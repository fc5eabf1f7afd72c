"""Features of the clips of a corpus, in order, computed by this process or by several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

import numpy as np

from synergy.audio.features import FeatureConfig, log_mel
from synergy.audio.reading import read_waveform
from synergy.datasets.base import Corpus
from synergy.errors import DataError

# Below this much audio, workers would take longer to start than the features to compute.
INLINE_AUDIO_S = 3600.0
_CHUNK_CLIPS = 32


def extract(corpus: Corpus, config: FeatureConfig, workers: int) -> Iterator[np.ndarray | str]:
    """Features of every clip of a corpus, in its order.

    Yields
    ------
    ndarray, shape (F, M), or str
        float16 log-mel features, or one sentence on why the file cannot be used.

    Raises
    ------
    DataError
        If a worker process dies.
    """
    # One thread everywhere: more would not change the speed much, but the last bit.
    files = [str(corpus.audio_path(clip)) for clip in corpus.clips]
    chunks = [files[i : i + _CHUNK_CLIPS] for i in range(0, len(files), _CHUNK_CLIPS)]
    audio_s = sum(clip.duration_s for clip in corpus.clips)
    if workers <= 1 or len(chunks) < 2 or audio_s < INLINE_AUDIO_S:
        for chunk in chunks:
            yield from _inline(chunk, config)
        return
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(chunks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare_worker,
    )
    try:
        for results in pool.map(_features, chunks, [config] * len(chunks)):
            yield from results
    except BrokenProcessPool as error:
        raise DataError(
            f"corpus {corpus.name}: a worker process died while computing features, most likely "
            "for lack of memory; try fewer workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _inline(chunk: Sequence[str], config: FeatureConfig) -> list[np.ndarray | str]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _features(chunk, config)
    finally:
        torch.set_num_threads(threads)


def _features(files: Sequence[str], config: FeatureConfig) -> list[np.ndarray | str]:
    return [_features_or_reason(file, config) for file in files]


def _features_or_reason(file: str, config: FeatureConfig) -> np.ndarray | str:
    try:
        waveform = read_waveform(file)
    except DataError as error:
        return str(error)
    try:
        return log_mel(waveform, config).numpy().astype(np.float16)
    except DataError as error:
        return f"{file}: {error}"


def _prepare_worker() -> None:
    """One torch thread; Ctrl-C is the parent's to handle; no worker outlives its parent."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A pool's worker holds both ends of its queue, so that a killed parent goes unnoticed.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)

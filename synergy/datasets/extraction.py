"""Features of the clips of a corpus, in order, computed by this process or by several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np

from synergy.audio.features import FeatureConfig, log_mel
from synergy.audio.reading import read_waveform
from synergy.datasets.base import Corpus
from synergy.errors import DataError
from synergy.executors import Job, ProcessExecutor, Report

# Below this much audio, workers would take longer to start than the features to compute.
INLINE_AUDIO_S = 3600.0
_CHUNK_CLIPS = 32
# Chunks for each worker that may be done before their turn and wait in memory.
_CHUNKS_AHEAD = 8


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
    files = [str(corpus.audio_path(clip)) for clip in corpus.clips]
    starts = range(0, len(files), _CHUNK_CLIPS)
    jobs = [Job(files[i], (files[i : i + _CHUNK_CLIPS], config)) for i in starts]
    audio_s = sum(clip.duration_s for clip in corpus.clips)
    if workers <= 1 or len(jobs) < 2 or audio_s < INLINE_AUDIO_S:
        for job in jobs:
            yield from _features(job.payload)
        return
    executor = ProcessExecutor(workers, ahead=_CHUNKS_AHEAD * workers)
    early: dict[str, list[np.ndarray | str]] = {}
    with closing(executor.run(_features, jobs, lambda key, message: None)) as outcomes:
        for job in jobs:
            while job.key not in early:
                outcome = next(outcomes)
                if outcome.detail:  # a mistake in here: no file raises anything
                    raise RuntimeError(outcome.detail)
                if outcome.value is None:
                    raise DataError(
                        f"corpus {corpus.name}: a worker process died while computing features, "
                        "most likely for lack of memory; try fewer workers"
                    )
                early[outcome.key] = outcome.value
            yield from early.pop(job.key)


def _features(
    chunk: tuple[list[str], FeatureConfig], report: Report | None = None
) -> list[np.ndarray | str]:
    import torch

    files, config = chunk
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # everywhere: more would hardly change the speed, but the last bit
    try:
        return [_features_or_reason(file, config) for file in files]
    finally:
        torch.set_num_threads(threads)


def _features_or_reason(file: str, config: FeatureConfig) -> np.ndarray | str:
    try:
        waveform = read_waveform(file)
    except DataError as error:  # names the file
        return str(error)
    try:
        return log_mel(waveform, config).half().numpy()
    except DataError as error:
        return f"{file}: {error}"

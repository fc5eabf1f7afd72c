"""Features of the clips of a corpus, in order, computed by this process or by an executor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from synergy.audio.features import FeatureConfig, log_mel
from synergy.audio.reading import read_waveform
from synergy.datasets.base import Corpus
from synergy.errors import DataError
from synergy.executors import Executor, Job, Report, SerialExecutor
from synergy.files import UnfitFileError, read_bytes

# Below this much audio, workers would take longer to start than the features to compute.
INLINE_AUDIO_S = 3600.0
# A chunk has as many clips, or fewer that are long: chunks wait in memory.
_CHUNK_CLIPS = 32
_CHUNK_S = 600.0
# Bytes of a recording that travels: the longest that is read, at 48 kHz in stereo.
_LONGEST_FILE = 4 * 2**30
# Chunks for each worker that may be done before their turn and wait in memory.
_CHUNKS_AHEAD = 8


@dataclass(frozen=True)
class Recording:
    """A file of a corpus, with its content where it must travel, or why it cannot be read."""

    file: str
    content: bytes | None = None
    problem: str = ""


def extract(
    corpus: Corpus, config: FeatureConfig, executor: Executor
) -> Iterator[np.ndarray | str]:
    """Features of every clip of a corpus, in its order.

    Recordings travel with their jobs where the executor shares no files with this process.

    Yields
    ------
    ndarray, shape (F, M), or str
        float16 log-mel features, or one sentence on why the file cannot be used.

    Raises
    ------
    DataError
        If a worker dies.
    """
    chunks = list(_chunks(corpus))
    work = partial(_features, config)
    audio_s = sum(clip.duration_s for clip in corpus.clips)
    if len(chunks) < 2 or audio_s < INLINE_AUDIO_S or executor.workers == 1:
        executor = SerialExecutor()
    recording = _travelling if executor.shares == "nothing" else Recording
    jobs = (Job(str(n), [recording(file) for file in files]) for n, files in enumerate(chunks))
    ahead = _CHUNKS_AHEAD * executor.workers
    early: dict[str, list[np.ndarray | str]] = {}
    with closing(executor.run(work, jobs, lambda key, message: None, ahead)) as outcomes:
        for number in range(len(chunks)):
            while str(number) not in early:
                outcome = next(outcomes)
                if outcome.detail:  # a mistake in here: no file raises anything
                    raise RuntimeError(outcome.detail)
                if outcome.value is None:
                    raise DataError(
                        f"corpus {corpus.name}: a worker process died while computing features, "
                        "most likely for lack of memory; try fewer workers"
                    )
                early[outcome.key] = outcome.value
            yield from early.pop(str(number))


def _chunks(corpus: Corpus) -> Iterator[list[str]]:
    """The files of a corpus, in order, some at a time."""
    files: list[str] = []
    seconds = 0.0
    for clip in corpus.clips:
        if files and (len(files) == _CHUNK_CLIPS or seconds + clip.duration_s > _CHUNK_S):
            yield files
            files, seconds = [], 0.0
        files.append(str(corpus.audio_path(clip)))
        seconds += clip.duration_s
    if files:
        yield files


def _travelling(file: str) -> Recording:
    try:
        return Recording(file, read_bytes(Path(file), _LONGEST_FILE))
    except FileNotFoundError:
        return Recording(file, problem="expected an audio file, found no such file")
    except UnfitFileError as error:
        return Recording(file, problem=str(error))


def _features(
    config: FeatureConfig, recordings: Sequence[Recording], _report: Report
) -> list[np.ndarray | str]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # everywhere: more would hardly change the speed, but the last bit
    try:
        return [_features_or_reason(recording, config) for recording in recordings]
    finally:
        torch.set_num_threads(threads)


def _features_or_reason(recording: Recording, config: FeatureConfig) -> np.ndarray | str:
    if recording.problem:
        return f"{recording.file}: {recording.problem}"
    try:
        waveform = read_waveform(recording.file, content=recording.content)
    except DataError as error:  # names the file
        return str(error)
    try:
        return log_mel(waveform, config).half().numpy()
    except DataError as error:
        return f"{recording.file}: {error}"

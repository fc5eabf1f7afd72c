from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_corpora import gender_rows, write_manifest

from synergy.audio.features import FeatureConfig, log_mel
from synergy.audio.reading import read_waveform
from synergy.datasets import extraction
from synergy.datasets.feature_store import normalisation, open_store
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.errors import DataError
from synergy.executors import ProcessExecutor
from synergy.machine import MachineError

CONFIG = FeatureConfig(mels=16)
FILES = ("features.f16", "index.csv", "meta.json")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def two_workers():
    with closing(ProcessExecutor(2)) as executor:
        yield executor


def load(folder, name="mine"):
    return load_manifest(name, ManifestConfig(folder=str(folder)))


@pytest.fixture
def corpus(tmp_path):
    return load(write_manifest(tmp_path / "corpus", gender_rows()))


def entries(cache):
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def contents(store):
    return {name: (store.folder / name).read_bytes() for name in FILES}


def test_holds_the_features_of_every_clip(corpus, cache):
    store = open_store(corpus, CONFIG)
    assert entries(cache) == [store.digest]
    assert sorted(store.offsets) == [clip.path for clip in corpus.clips]
    assert store.features.dtype == np.float16
    ends = 0
    for clip in corpus.clips:
        expected = log_mel(read_waveform(corpus.audio_path(clip)), CONFIG).numpy()
        first, frames = store.offsets[clip.path]
        assert first == ends
        ends += frames
        assert np.array_equal(store.features[first:ends], expected.astype(np.float16))
        assert np.array_equal(store.clip(clip.path), store.features[first:ends])
    assert store.features.shape == (ends, CONFIG.mels)
    with pytest.raises(ValueError, match="read-only"):
        store.features[0] = 0


def test_opens_without_computing_again(corpus, monkeypatch):
    calls = []
    first = open_store(corpus, CONFIG, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(number, 12) for number in range(1, 13)]
    monkeypatch.setattr(extraction, "_features", lambda *_: pytest.fail("computed again"))
    again = open_store(corpus, CONFIG, progress=lambda *_: pytest.fail("computed again"))
    assert np.array_equal(again.features, first.features)
    assert again.offsets == first.offsets


def test_features_and_content_have_stores_of_their_own(corpus):
    digests = {
        open_store(corpus, CONFIG).digest,
        open_store(corpus, FeatureConfig(mels=17)).digest,
        open_store(replace(corpus, fingerprint="other"), CONFIG).digest,
    }
    assert len(digests) == 3
    assert open_store(replace(corpus, name="renamed"), CONFIG).digest in digests


def test_rebuilt_bit_for_bit_by_one_process_and_by_several(tmp_path, monkeypatch, two_workers):
    corpus = load(write_manifest(tmp_path / "corpus", gender_rows(per_speaker=7)))
    store = open_store(corpus, CONFIG)
    first = contents(store)
    for inline_s in (extraction.INLINE_AUDIO_S, 0.0):
        shutil.rmtree(store.folder)
        monkeypatch.setattr(extraction, "INLINE_AUDIO_S", inline_s)
        assert contents(open_store(corpus, CONFIG, two_workers)) == first


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_damaged_store_is_built_again(corpus, cache, name, damage):
    store = open_store(corpus, CONFIG)
    before = contents(store)
    file = store.folder / name
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    else:
        file.unlink()
    assert contents(open_store(corpus, CONFIG)) == before
    assert entries(cache) == [store.digest]


def test_unreadable_files_are_all_named_and_nothing_stays(corpus, cache):
    broken = [corpus.clips[1], corpus.clips[7]]
    for clip in broken:
        corpus.audio_path(clip).write_bytes(b"RIFF")
    with pytest.raises(DataError, match="2 audio files cannot be used") as caught:
        open_store(corpus, CONFIG)
    assert all(clip.path in str(caught.value) for clip in broken)
    assert entries(cache) == []


def test_too_short_audio_is_named(tmp_path):
    corpus = load(write_manifest(tmp_path / "corpus", gender_rows(), seconds=0.01))
    with pytest.raises(DataError, match=r"train/female0\.wav: expected at least 257 samples"):
        open_store(corpus, CONFIG)


def die(config, recordings, report):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_is_one_sentence_and_nothing_stays(
    tmp_path, cache, monkeypatch, two_workers
):
    corpus = load(write_manifest(tmp_path / "corpus", gender_rows(per_speaker=7)))
    monkeypatch.setattr(extraction, "INLINE_AUDIO_S", 0.0)
    monkeypatch.setattr(extraction, "_features", die)
    with pytest.raises(DataError, match="corpus mine: a worker process died while computing"):
        open_store(corpus, CONFIG, two_workers)
    assert entries(cache) == []


def test_workers_name_unreadable_files_too(tmp_path, cache, monkeypatch, two_workers):
    corpus = load(write_manifest(tmp_path / "corpus", gender_rows(per_speaker=7)))
    monkeypatch.setattr(extraction, "INLINE_AUDIO_S", 0.0)
    for clip in (corpus.clips[1], corpus.clips[40]):
        corpus.audio_path(clip).write_bytes(b"RIFF")
    with pytest.raises(DataError, match="2 audio files cannot be used") as caught:
        open_store(corpus, CONFIG, two_workers)
    first, last = (str(caught.value).index(corpus.clips[n].path) for n in (1, 40))
    assert first < last


def late(config, recordings, report):
    """The first chunk comes last, and counts the others that are done."""
    files = [recording.file for recording in recordings]
    first = Path(files[0])
    if first.name != "0":
        first.touch()
        return files
    time.sleep(1)  # long enough for all others, if they could start
    return [str(len(list(first.parent.iterdir())))] * len(files)


def test_results_come_in_order_and_few_wait_in_memory(tmp_path, monkeypatch, two_workers):
    corpus = load(write_manifest(tmp_path / "corpus", gender_rows(per_speaker=1)))
    clips = tuple(replace(corpus.clips[0], path=str(n)) for n in range(320))
    (tmp_path / "empty").mkdir()
    corpus = replace(corpus, folder=tmp_path / "empty", clips=clips)
    monkeypatch.setattr(extraction, "INLINE_AUDIO_S", 0.0)
    monkeypatch.setattr(extraction, "_features", late)
    monkeypatch.setattr(extraction, "_CHUNKS_AHEAD", 2)
    found = list(extraction.extract(corpus, CONFIG, two_workers))
    assert found[:32] == ["3"] * 32
    assert found[32:] == [str(corpus.audio_path(clip)) for clip in clips[32:]]


def test_ctrl_c_ends_a_build_by_several_processes(tmp_path, cache):
    corpus = load(write_manifest(tmp_path / "corpus", gender_rows(per_speaker=7)))
    process = start_build(tmp_path / "build.py", corpus, pause_s=600, inline_s=0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert entries(cache) == []


def test_an_exception_leaves_nothing(corpus, cache):
    def interrupt(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_store(corpus, CONFIG, progress=interrupt)
    assert entries(cache) == []


def test_cache_that_cannot_be_written(corpus, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "file" / "cache"))
    told = r"cannot be kept in .*: a part of that path is no folder; .*, or set SYNERGY_CACHE to an"
    with pytest.raises(DataError, match=told):
        open_store(corpus, CONFIG)


def test_too_many_open_files_are_not_blamed_on_the_cache(corpus, monkeypatch):
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    open_store(corpus, CONFIG)
    monkeypatch.setattr("os.open", none_left)
    with pytest.raises(MachineError, match="too many files open; raise the limit"):
        open_store(corpus, CONFIG)


SLOW_BUILD = """
import sys, time
from synergy.audio.features import FeatureConfig
from synergy.datasets import extraction
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.datasets.feature_store import open_store
from contextlib import closing
from synergy.executors import ProcessExecutor

def crawl(done, total):
    if done == 5:
        print("half", flush=True)
        time.sleep(float(sys.argv[2]))

if __name__ == "__main__":
    extraction.INLINE_AUDIO_S = float(sys.argv[3])
    corpus = load_manifest("mine", ManifestConfig(folder=sys.argv[1]))
    with closing(ProcessExecutor(2)) as executor:
        open_store(corpus, FeatureConfig(mels=16), executor, progress=crawl)
    print("done", flush=True)
"""


def start_build(script: Path, corpus, pause_s, inline_s=3600.0):
    """A process that stops for a while when five clips are done, and says so."""
    script.write_text(SLOW_BUILD)
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, script, corpus.folder, str(pause_s), str(inline_s)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def children_of(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def running(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for workers in /proc")
def test_a_killed_build_leaves_no_store_and_no_worker(tmp_path, cache):
    corpus = load(write_manifest(tmp_path / "corpus", gender_rows(per_speaker=7)))
    process = start_build(tmp_path / "build.py", corpus, pause_s=600, inline_s=0)
    workers = children_of(process.pid)
    assert len(workers) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [name.endswith(".building") for name in entries(cache)] == [True]
    deadline = time.monotonic() + 20
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [worker for worker in workers if running(worker)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert not left

    other = open_store(corpus, FeatureConfig(mels=17))
    assert entries(cache) == [other.digest]
    rebuilt = contents(open_store(corpus, CONFIG))
    shutil.rmtree(cache)
    assert contents(open_store(corpus, CONFIG)) == rebuilt


def test_of_two_builds_one_waits(corpus, tmp_path, cache):
    process = start_build(tmp_path / "build.py", corpus, pause_s=1.5)
    store = open_store(corpus, CONFIG, progress=lambda *_: pytest.fail("built twice"))
    output, _ = process.communicate()
    assert output == "done\n"
    assert entries(cache) == [store.digest]


def test_two_threads_build_once(corpus):
    built = []
    threads = [
        threading.Thread(
            target=lambda: open_store(corpus, CONFIG, progress=lambda *_: built.append(1))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == len(corpus.clips)


def test_normalisation_weighs_corpora_alike(tmp_path):
    small = load(write_manifest(tmp_path / "small", gender_rows(1)), "small")
    large = load(write_manifest(tmp_path / "large", gender_rows(4), seconds=0.5), "large")
    stores = {corpus.name: open_store(corpus, CONFIG) for corpus in (small, large)}
    frames = [
        np.concatenate(
            [stores[c.name].clip(clip.path) for clip in c.clips if clip.split == "train"]
        ).astype(np.float64)
        for c in (small, large)
    ]
    expected_mean = np.mean([part.mean(axis=0) for part in frames], axis=0)
    expected_square = np.mean([np.square(part).mean(axis=0) for part in frames], axis=0)
    mean, std = normalisation(stores, ["large", "small", "large"])
    assert mean.dtype == std.dtype == np.float32
    assert mean == pytest.approx(expected_mean, rel=1e-6)
    assert std == pytest.approx(np.sqrt(expected_square - expected_mean**2), rel=1e-5)
    alone, _ = normalisation(stores, ["small"])
    assert alone == pytest.approx(frames[0].mean(axis=0), rel=1e-6)
    assert not np.allclose(alone, mean, atol=1e-4)


def test_normalisation_does_not_depend_on_names_and_order(tmp_path):
    one = open_store(load(write_manifest(tmp_path / "a", gender_rows(1))), CONFIG)
    two = open_store(load(write_manifest(tmp_path / "b", gender_rows(2))), CONFIG)
    first = normalisation({"a": one, "b": two}, ["a", "b"])
    second = normalisation({"x": two, "y": one}, ["y", "x"])
    assert np.array_equal(first, second)


def test_normalisation_needs_train_clips(corpus):
    empty = replace(open_store(corpus, CONFIG), train_frames=0)
    with pytest.raises(DataError, match="found none in quiet"):
        normalisation({"quiet": empty}, ["quiet"])
    with pytest.raises(DataError, match="found none in no corpus"):
        normalisation({}, [])

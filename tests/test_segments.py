"""Recordings of any length: windows, and the segments that come out of them."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
import small_models as toys
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy.audio import reading
from synergy.audio.windows import Grid, windows
from synergy.errors import DataError, ModelError
from synergy.model import Model, load_model
from synergy.tasks.predictions import ClassPrediction
from synergy.tasks.thresholds import class_thresholds
from synergy.tasks.timelines import ActivityTimeline, ClassTimeline

RATE = 16_000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "model"
    toys.export(folder, order=("gc", "age-3", "scr", "vad"), thresholds={"vad": 0.6})
    return load_model(folder)


@pytest.fixture(scope="module")
def waveform():
    return toys.waveforms(1, 5 * RATE + 4077)[0].numpy()


# -- windows ----------------------------------------------------------------------------------


@given(
    samples=st.integers(1, 400),
    length=st.integers(1, 9),
    hop=st.integers(1, 9),
    whole=st.integers(0, 60),
    block=st.integers(1, 150),
)
def test_windows_cover_a_waveform_in_equal_parts_whatever_the_blocks(
    samples, length, hop, whole, block
):
    step = 5
    grid = Grid(step * length, step * min(hop, length), step, max(step * length + step - 1, whole))
    waveform = np.arange(samples, dtype=np.float32)
    blocks = (waveform[start : start + block] for start in range(0, samples, block))
    found = list(windows(blocks, grid))
    for start, window in found:
        np.testing.assert_array_equal(window, waveform[start : start + len(window)])
    if samples <= grid.whole:
        assert [(start, len(window)) for start, window in found] == [(0, samples)]
        return
    starts = [start for start, _ in found]
    assert {len(window) for _, window in found} == {grid.length}
    assert starts[:-1] == list(range(0, starts[-1], grid.hop))
    assert starts[-1] + grid.length == samples // step * step


def test_the_default_grid_is_that_of_the_training(model):
    assert model.window_s == 1.0  # the specification does not tell
    told = {**model.spec.training, "crop_s": 1.5}
    trained = Model(
        model.spec.model_copy(update={"training": told}), *list(vars(model).values())[1:]
    )
    assert trained.window_s == 1.5
    assert trained.grid(None, None) == Grid(24_000, 12_000, 160, 480_000)
    assert trained.grid(0.5, 0.1) == Grid(8000, 1600, 160, 8159)


@pytest.mark.parametrize(
    ("window_s", "hop_s", "words"),
    [
        (0.09, None, r"expected windows of 0\.1 to 60 s, found 0\.09 s"),
        (61, None, "found 61 s"),
        (float("nan"), None, "found nan s"),
        (1.0, 1.01, r"a hop of 0\.01 to 1 s, which is the length of the windows, found 1\.01 s"),
        (None, 1.01, r"found 1\.01 s"),
        (1.0, 0.0, "found 0 s"),
        (1.0, float("nan"), "found nan s"),
    ],
)
def test_a_wrong_window_is_refused_when_it_is_asked_for(model, window_s, hop_s, words):
    with pytest.raises(ModelError, match=words):
        model.segments("nowhere.wav", window_s=window_s, hop_s=hop_s)


# -- a model on windows -----------------------------------------------------------------------


def test_a_short_recording_is_heard_as_a_whole(model, waveform):
    found = list(model.segments(waveform))
    whole = model.predict(waveform)
    duration_s = pytest.approx(len(waveform) / RATE, abs=1e-6)
    for task, answer in whole.items():
        told = [segment for name, segment in found if name == task]
        if isinstance(answer, ClassPrediction):
            (only,) = told
            assert (only.start_s, only.end_s, only.label) == (0.0, duration_s, answer.label)
            assert only.probability == answer.probabilities[answer.label]
        else:
            assert tuple((each.start_s, each.end_s) for each in told) == answer.segments
            for each in told:
                frames = slice(round(each.start_s / 0.01), math.ceil(each.end_s / 0.01 - 1e-3))
                assert each.probability == pytest.approx(
                    float(answer.probabilities[frames].mean()), abs=1e-5
                )


def test_windows_of_a_recording_are_heard_like_files_of_their_own(model, waveform):
    """With windows side by side each class is that of a file cut out there."""
    found = list(model.segments(waveform, window_s=0.5, hop_s=0.5))
    cut = [model.predict(waveform[start : start + 8000]) for start in range(0, 80_000, 8000)]
    for task in ("gc", "age-3", "scr"):
        of_window = [answer[task] for answer in cut]
        for segment in (segment for name, segment in found if name == task):
            first, end = round(segment.start_s / 0.5), int(segment.end_s / 0.5)
            inside = of_window[first:end]
            assert {answer.label for answer in inside} <= {segment.label}
            if segment.end_s < 5:  # beyond lies the window that ends with the recording
                mean = np.mean([answer.probabilities[segment.label] for answer in inside])
                assert segment.probability == pytest.approx(mean, abs=1e-5)


def test_frames_of_several_windows_count_with_their_mean(model, waveform):
    length, hop, frames = 8000, 3200, 51
    starts = [*range(0, len(waveform) - length, hop), len(waveform) // 160 * 160 - length]
    sums, counts = np.zeros((2, len(waveform) // 160 + 1))
    for start in starts:
        alone = model.predict(waveform[start : start + length])["vad"].probabilities
        sums[start // 160 :][:frames] += alone
        counts[start // 160 :][:frames] += 1
    assert counts.min() > 0
    mean = torch.from_numpy(sums / counts)
    threshold = float(mean.quantile(0.4)) + 1e-4
    timeline = ActivityTimeline("speech", threshold, 0.01)
    expected = [
        *timeline.add(0.0, 0.0, torch.logit(mean)),
        *timeline.end(len(waveform) / RATE),
    ]
    found = [s for task, s in model.segments(waveform, threshold, 0.5, 0.2) if task == "vad"]
    assert len(found) > 1
    assert [(s.start_s, s.end_s) for s in found] == [(s.start_s, s.end_s) for s in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-5)


def test_files_and_arrays_and_blocks_of_any_size_give_the_same(
    model, waveform, tmp_path, monkeypatch
):
    soundfile.write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT")
    expected = list(model.segments(waveform, window_s=0.5))
    assert list(model.segments(tmp_path / "a.wav", window_s=0.5)) == expected
    monkeypatch.setattr(reading, "_BLOCK", 3001)
    assert list(model.segments(tmp_path / "a.wav", window_s=0.5)) == expected
    with (tmp_path / "a.wav").open("rb") as file:
        file.read(100)
        assert list(model.segments("it", window_s=0.5, content=file)) == expected


def test_a_recording_of_another_rate_in_blocks_has_the_samples_of_the_whole(tmp_path, monkeypatch):
    sound = np.random.default_rng(1).uniform(-1, 1, (60_000, 2))
    soundfile.write(tmp_path / "a.wav", sound, 44_100, subtype="FLOAT")
    whole = reading.read_waveform(tmp_path / "a.wav")
    monkeypatch.setattr(reading, "_BLOCK", 4096)
    blocks = list(reading.read_blocks(tmp_path / "a.wav"))
    assert len(blocks) > 20
    assert np.abs(np.concatenate(blocks) - whole).max() <= 1e-4


def test_memory_does_not_grow_with_the_recording(model, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_BLOCK", 2**17)
    rng = np.random.default_rng(1)
    for name, seconds in (("short.wav", 200), ("long.wav", 600)):
        sound = (1000 * rng.standard_normal(seconds * 8000)).astype(np.int16)
        soundfile.write(tmp_path / name, sound, 8000)

    def peak(name: str) -> int:
        tracemalloc.start()
        for _ in model.segments(tmp_path / name, window_s=4.0, hop_s=4.0):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak("short.wav")
    assert peak("long.wav") - peak("short.wav") < 2_000_000  # its samples are 38 MB


def test_damage_is_named_when_it_is_reached(model, tmp_path):
    file = tmp_path / "a.flac"
    soundfile.write(file, np.random.default_rng(1).uniform(-0.5, 0.5, 40 * RATE), RATE)
    file.write_bytes(file.read_bytes()[:600_000])
    with pytest.raises(DataError, match=r"a\.flac: .*(damaged|cannot be decoded)"):
        list(model.segments(file))
    loud = np.zeros(40 * RATE, np.float32)
    loud[-100] = 1e30
    soundfile.write(tmp_path / "loud.wav", loud, RATE, subtype="FLOAT")
    with pytest.raises(ModelError, match=r"loud\.wav: .*found a peak of 1e\+30"):
        list(model.segments(tmp_path / "loud.wav"))
    with pytest.raises(ModelError, match=r"shape \[T\]"):
        model.segments(np.zeros((2, 8000), np.float32))


# -- laws of merging --------------------------------------------------------------------------

FRAME_S, WINDOW, HOP = 0.01, 40, 15
LOGITS = st.floats(-6, 6, width=32)


def heard(kind, logits, threshold):
    """Segments of windows, each [K] or [F], 40 frames long, one every 15."""
    timeline = (
        ActivityTimeline("speech", threshold, FRAME_S)
        if kind == "frames"
        else ClassTimeline(("a", "b", "c"), (threshold, 0.0, threshold))
    )
    found = []
    for number, row in enumerate(logits):
        start_s = number * HOP * FRAME_S
        found += timeline.add(start_s, start_s + WINDOW * FRAME_S, torch.tensor(row))
    duration_s = ((len(logits) - 1) * HOP + WINDOW) * FRAME_S + 0.004
    return [*found, *timeline.end(duration_s)], duration_s


def rows(kind):
    """Long runs of frames on either side, and any classes."""
    if kind == "classes":
        return st.lists(st.tuples(LOGITS, LOGITS, LOGITS), min_size=1, max_size=12)
    runs = st.lists(st.tuples(LOGITS, st.integers(1, 20)), min_size=20, max_size=40)
    window = runs.map(lambda r: list(itertools.chain(*([x] * n for x, n in r)))[:41])
    return st.lists(window.filter(lambda w: len(w) == 41), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", ["frames", "classes"])
@settings(max_examples=40, deadline=None)
@given(data=st.data(), low=st.floats(0.05, 0.9), more=st.floats(0, 0.5))
def test_segments_are_in_order_apart_inside_and_shrink_with_the_threshold(kind, data, low, more):
    logits = data.draw(rows(kind))
    found, duration_s = heard(kind, logits, low)
    times = [time for each in found for time in (each.start_s, each.end_s)]
    assert times == sorted(times)
    assert all(-1e-9 <= time <= duration_s + 1e-6 for time in times)
    assert all(each.start_s < each.end_s and 0 <= each.probability <= 1 for each in found)
    for one, after in itertools.pairwise(found):
        assert one.end_s < after.start_s or one.label != after.label
    higher, _ = heard(kind, logits, min(0.99, low + more))
    for each in higher:
        assert any(
            each.label == wider.label
            and wider.start_s <= each.start_s
            and each.end_s <= wider.end_s
            for wider in found
        )


@given(st.lists(st.sampled_from([(5.0, 0.0), (0.0, 5.0)]), min_size=1, max_size=12))
def test_without_thresholds_classes_fill_the_recording(logits):
    timeline = ClassTimeline(("a", "b"), (0.0, 0.0))
    found = []
    for number, row in enumerate(logits):
        found += timeline.add(0.5 * number, 0.5 * number + 1, torch.tensor(row))
    duration_s = 0.5 * len(logits) + 0.5
    found += timeline.end(duration_s)
    assert (found[0].start_s, found[-1].end_s) == (0.0, duration_s)
    for one, after in itertools.pairwise(found):
        assert (one.end_s, one.label != after.label) == (after.start_s, True)


# -- thresholds by name -----------------------------------------------------------------------


def test_a_threshold_has_the_name_of_a_task_or_a_class():
    classes = {"gc": ("female", "male"), "vad": ("speech",)}
    usual = {"vad": 0.4}
    for given_, gc, vad in (
        (None, (0.0, 0.0), 0.4),
        (0.7, (0.0, 0.0), 0.7),
        ({"gc": 0.8}, (0.8, 0.8), 0.4),
        ({"gc": 0.8, "male": 0.2}, (0.8, 0.2), 0.4),
        ({"vad": 0.6}, (0.0, 0.0), 0.6),
        ({"vad": 0.6, "speech": 0.3}, (0.0, 0.0), 0.3),
    ):
        assert class_thresholds(classes, usual, given_) == {"gc": gc, "vad": (vad,)}
    with pytest.raises(ModelError, match=r"found 'femal'; did you mean 'female'\?; its tasks are"):
        class_thresholds(classes, usual, {"femal": 0.5})
    for wrong in (0.0, 1.0, float("nan"), {"gc": 1.5}):
        with pytest.raises(ModelError, match="threshold between 0 and 1"):
            class_thresholds(classes, usual, wrong)


def test_a_class_that_misses_its_threshold_is_not_named(model, waveform):
    label = model.predict(waveform)["gc"].label
    assert label is not None
    undecided = model.predict(waveform, {label: 0.999})["gc"]
    assert undecided.to_json()["label"] is None
    assert undecided.text.startswith(f"undecided: {label} ")
    named = [s for task, s in model.segments(waveform, {"gc": 0.999}) if task == "gc"]
    assert named == []

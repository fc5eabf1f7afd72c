from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small_corpora import corpus_of

from synergy.datasets.base import Segment
from synergy.errors import DataError
from synergy.tasks import TASK_KINDS
from synergy.tasks.selection import select_clips
from synergy.tasks.task_source import TaskSource
from synergy.wording import SPLITS

CLASSES, ACTIVITY = TASK_KINDS["clip_classification"], TASK_KINDS["frame_activity"]
frame_targets = ACTIVITY.target
SPEECH = Segment(0.2, 0.6, "speech", "hand")
ENERGY = Segment(0.1, 0.7, "speech", "energy")
TURN = Segment(0.2, 0.6, "turn", "hand")


def people(name="people", **spoiled):
    """Four clips in each split; ``spoiled`` replaces labels of one split."""
    labels = [
        {"gender": "female", "age": "30"},
        {"gender": "male", "age": "12"},
        {"gender": "female", "age": "18"},
        {"gender": "male"},
    ]
    rows = [(s, spoiled.get(s, label)) for s in SPLITS for label in labels]
    return corpus_of(name, rows, ("gender", "age", "text"))


def talk(name="talk", **segments):
    """Two clips in each split, the first with speech."""
    default = {0: (SPEECH, TURN), 2: (SPEECH,), 4: (SPEECH,)}
    default |= {int(key[1:]): value for key, value in segments.items()}
    return corpus_of(name, [(s, {}) for s in SPLITS for _ in range(2)], (), default)


def select(source, corpus, classes=None, kind=CLASSES, task="gc"):
    return select_clips(task, classes, kind, {corpus.name: source}, {corpus.name: corpus})


def targets(selection):
    return [int(str(labelled.target)) for labelled in selection.clips]


# -- classes ----------------------------------------------------------------------------------


def test_column_gives_classes_in_the_given_order():
    source = TaskSource(column="gender")
    assert targets(select(source, people(), ("male", "female"))) == [1, 0, 1, 0] * 3
    found = select(source, people())
    assert found.spec.classes == ("female", "male")
    assert targets(found) == [0, 1, 0, 1] * 3
    assert found.dropped == ()
    assert len(found.of_split("valid")) == 4


@pytest.mark.parametrize(
    ("condition", "ages"),
    [
        (">= 18", {"30", "18"}),
        (">18", {"30"}),
        ("< 18.5", {"12", "18"}),
        ("<= 12", {"12"}),
        ("== 30", {"30"}),
        ("== 30.0", {"30"}),
        ("12|30", {"12", "30"}),
        ("30 | 31", {"30"}),
    ],
)
def test_conditions(condition, ages):
    kept, corpus = TaskSource(column="age", where={"age": condition}), people()
    if len(ages) == 1:
        with pytest.raises(DataError, match="all 1 train clip are"):
            select(kept, corpus)
        return
    found = select(kept, corpus)
    assert {labelled.clip.labels["age"] for labelled in found.clips} == ages
    left_out = 12 - len(found.clips)
    assert found.dropped == (f"{left_out} clips of people do not have age {condition}",)


def test_map_drops_the_rest_with_counts():
    found = select(
        TaskSource(column="age", map={"30": "adult", "12": "child", "99": "adult"}),
        people(),
        ("child", "adult"),
    )
    assert targets(found) == [1, 0] * 3
    assert set(found.dropped) == {
        "3 clips of people have no age",
        "3 clips of people have the age '18', which is not in the map",
        "no clip of people has the age '99' that the map names",
    }


def test_classes_need_no_entry_in_the_map():
    source = TaskSource(column="gender", map={"female": "f"})
    assert targets(select(source, people(), ("f", "male"))) == [0, 1, 0, 1] * 3


def test_numbers_of_the_configuration_become_text():
    source = TaskSource.model_validate({"column": "age", "map": {30: "a", 12: "b"}})
    assert source.map == {"30": "a", "12": "b"}


def test_corpora_are_joined_in_order():
    sources = {name: TaskSource(column="gender") for name in ("b", "a")}
    corpora = {name: people(name) for name in ("a", "b", "c")}
    found = select_clips("gc", None, CLASSES, sources, corpora)
    assert [labelled.corpus for labelled in found.clips] == ["b"] * 12 + ["a"] * 12


# -- activity ---------------------------------------------------------------------------------


def test_segments_of_a_label_and_a_source():
    corpus = talk(_1=(ENERGY,), _3=(), _5=(SPEECH, ENERGY))
    found = select(TaskSource(segments="speech", label_source="hand"), corpus, kind=ACTIVITY)
    assert found.spec.classes == ("speech",)
    assert [(labelled.clip.path, labelled.target) for labelled in found.clips] == [
        ("000.wav", (SPEECH,)),
        ("002.wav", (SPEECH,)),
        ("003.wav", ()),
        ("004.wav", (SPEECH,)),
        ("005.wav", (SPEECH,)),
    ]
    assert found.dropped == ("1 clip of talk have no speech segment by hand",)
    every = select(TaskSource(segments="speech"), corpus, kind=ACTIVITY)
    assert every.clips[-1].target == (SPEECH, ENERGY)


def test_unlisted_clips_can_be_inactive():
    found = select(TaskSource(segments="speech", unlisted="inactive"), talk(), kind=ACTIVITY)
    assert [labelled.target for labelled in found.clips] == [(SPEECH,), ()] * 3
    assert found.dropped == ()


def test_a_corpus_of_silence_joins_a_corpus_of_speech():
    silent = talk("silent", _0=(), _1=(), _2=(), _3=(), _4=(), _5=())
    speech = TaskSource(segments="speech")
    found = select_clips(
        "vad",
        None,
        ACTIVITY,
        {"talk": speech, "silent": speech},
        {"talk": talk(), "silent": silent},
    )
    assert sum(labelled.target == () for labelled in found.clips) == 6


def test_frame_targets_include_the_start_and_not_the_end():
    active = frame_targets([Segment(0.07, 0.14, "s"), Segment(0.6, 9.0, "s")], 62, 0.01)
    assert active.dtype == np.uint8
    assert np.flatnonzero(active).tolist() == [*range(7, 14), 60, 61]


@given(
    bounds=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 300)), max_size=4),
    frames=st.integers(0, 120),
    hop=st.sampled_from([8, 10, 16]),
)
def test_frame_targets_equal_the_definition(bounds, frames, hop):
    # Milliseconds as integers: the definition without rounding.
    segments = [Segment(start / 1000, (start + length) / 1000, "s") for start, length in bounds]
    expected = [
        any(start <= f * hop < start + length for start, length in bounds) for f in range(frames)
    ]
    assert frame_targets(segments, frames, hop / 1000).tolist() == expected


# -- wrong input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "corpus", "says"),
    [
        ({"column": "gendre"}, people(), "has no column 'gendre'; did you mean 'gender'"),
        ({"column": "x"}, people(), "it has gender, age, text"),
        ({"column": "gender", "where": {"agee": "> 1"}}, people(), "did you mean 'age'"),
        ({"column": "text"}, people(), "no train clip is left"),
        (
            {"column": "gender", "where": {"gender": "> 3"}},
            people(),
            "expected numbers, found 'fem",
        ),
        (
            {"column": "gender"},
            people(valid={"gender": "femal"}),
            "4 clips with the gender 'femal', which is no class; did you mean 'female'",
        ),
        (
            {"column": "gender", "map": {"male": "man"}},
            people(),
            "the map leads to 'man', which is no class; classes are female, male",
        ),
        ({"column": "gender"}, people(test={"gender": "male"}), "all 4 test clips are male"),
        ({"column": "gender"}, people(valid={}), "no valid clip is left"),
        ({"segments": "speech"}, people(), "a classification task needs a column"),
    ],
)
def test_wrong_classification(source, corpus, says):
    with pytest.raises(DataError, match=says) as caught:
        select(TaskSource(**source), corpus, ("female", "male"))
    assert str(caught.value).startswith("task gc: ")


def test_class_that_train_lacks():
    corpus = corpus_of(
        "c", [(s, {"k": k}) for s in SPLITS for k in "abc" if (s, k) != ("train", "c")], ("k",)
    )
    with pytest.raises(DataError, match="no train clip of the class c"):
        select(TaskSource(column="k"), corpus)


@pytest.mark.parametrize(
    ("source", "corpus", "says"),
    [
        ({"column": "gender"}, people(), "an activity task needs segments"),
        ({"segments": "speech"}, people(), r"has no segments.*expected segments\.csv"),
        ({"segments": "speach"}, talk(), "label 'speach'; did you mean 'speech'"),
        (
            {"segments": "speech", "label_source": "hands"},
            talk(),
            "label_source 'hands'; did you mean 'hand'",
        ),
        (
            {"segments": "speech"},
            talk(_2=(Segment(0, 1, "speech"),)),
            "every frame of the 1 valid clip is active",
        ),
        ({"segments": "speech"}, talk(_4=()), "every frame of the 1 test clip is inactive"),
        ({"segments": "speech"}, talk(_4=(TURN,)), "no test clip is left"),
    ],
)
def test_wrong_activity(source, corpus, says):
    with pytest.raises(DataError, match=says):
        select(TaskSource(**source), corpus, kind=ACTIVITY, task="vad")


def test_unknown_corpus_and_other_problems_come_together():
    sources = {"peple": TaskSource(column="gender"), "people": TaskSource(column="word")}
    with pytest.raises(DataError, match="2 problems") as caught:
        select_clips("gc", None, CLASSES, sources, {"people": people()})
    assert "no corpus 'peple'; did you mean 'people'?; there are people" in str(caught.value)
    assert "no column 'word'" in str(caught.value)


def test_a_task_without_corpus():
    with pytest.raises(DataError, match="at least one corpus"):
        select_clips("gc", None, CLASSES, {}, {})


def test_what_was_dropped_explains_an_empty_split():
    source = TaskSource(column="gender", where={"age": "> 90"})
    with pytest.raises(DataError, match="12 clips of people do not have age > 90"):
        select(source, people())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "either column or segments"),
        ({"column": "a", "segments": "b"}, "either column or segments"),
        ({"column": "a", "unlisted": "inactive"}, "need segments"),
        ({"segments": "a", "map": {"b": "c"}}, "map needs column"),
        ({"column": "a", "where": {"age": ">= old"}}, "expected a number after >="),
        ({"column": "a", "where": {"age": ">="}}, "expected a condition"),
        ({"column": "a", "where": {"age": ""}}, "expected a condition"),
        ({"column": "a", "wher": {}}, "wher"),
    ],
)
def test_impossible_sources(values, says):
    with pytest.raises(ValidationError, match=says):
        TaskSource(**values)


# -- classes that may be one ------------------------------------------------------------------


def test_classes_that_differ_in_case_or_spaces_are_told_with_what_merges_them():
    labels = [{"word": "Turn On"}, {"word": "turn on"}, {"word": "turn on"}, {"word": "off"}]
    corpus = corpus_of("home", [(s, label) for s in SPLITS for label in labels], ("word",))
    source = TaskSource(column="word")
    found = select(source, corpus, task="scr")
    assert found.spec.classes == ("Turn On", "off", "turn on")
    assert found.alike == (
        "scr: classes differ only in case or spaces: 'turn on' (6) and 'Turn On' (3) clips; if "
        'they are the same, write `classes: ["off", "turn on"]` under the task and '
        '`map: {"Turn On": "turn on"}` beside its column'
    )
    merged = TaskSource.model_validate({"column": "word", "map": {"Turn On": "turn on"}})
    again = select(merged, corpus, ("off", "turn on"), task="scr")
    assert (again.alike, again.dropped, targets(again)) == ("", (), [1, 1, 1, 0] * 3)


def test_classes_that_differ_otherwise_are_not_alike():
    assert select(TaskSource(column="gender"), people()).alike == ""

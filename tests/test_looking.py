"""Readers of other people's labels: what they read, and that nothing else comes out of anything."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_layouts import EAF, TEXTGRID, audacity, webvtt

from synergy.datasets.looking.audacity import read_audacity
from synergy.datasets.looking.beside import PROGRAMS
from synergy.datasets.looking.found import Mark
from synergy.datasets.looking.places import class_folders, speakers_by_class, speakers_by_place
from synergy.datasets.looking.rttm import read_rttm
from synergy.datasets.looking.sound_index import SoundIndex
from synergy.datasets.looking.textgrid import read_textgrid

VALID = {
    ".txt": audacity(0.25),
    ".rttm": "SPEAKER a 1 0.25 0.5 <NA> <NA> x <NA> <NA>\n",
    ".textgrid": TEXTGRID.format(start=0.25),
    ".eaf": EAF.format(start=250),
    ".vtt": webvtt(0.25),
}


def test_every_program_has_an_example():
    assert VALID.keys() == PROGRAMS.keys()


@pytest.mark.parametrize("ending", PROGRAMS)
@given(data=st.data())
def test_any_text_is_marks_or_a_sentence(ending, data):
    text = VALID[ending]
    first, last = sorted(data.draw(st.integers(0, len(text))) for _ in range(2))
    odd = ['"', "-1e999", "9" * 5000, "<", "1"]
    between = data.draw(st.text(max_size=20) | st.sampled_from(odd))
    try:
        found = PROGRAMS[ending][1](text[:first] + between + text[last:], "a")
    except ValueError:
        return
    for marks in found.values():
        for mark in marks:
            assert isinstance(mark, Mark)
            assert math.isfinite(mark.start_s)
            assert math.isfinite(mark.end_s)


SHORT = """\
File type = "ooTextFile"
"TextGrid"

0
2.5
<exists>
1
"IntervalTier"
"Mary ""M"" x"
0
2.5
2
0
1.5e0
"a 5 ""b"" c"
1.5
2.5
""
"""


def test_the_short_form_of_a_textgrid_is_read():
    expected = [Mark(0, 1.5, 'a 5 "b" c'), Mark(1.5, 2.5, "")]
    assert read_textgrid(SHORT, "a") == {"a": expected}
    assert read_textgrid('"ooTextFile" "TextGrid" 0 1 <absent>', "a") == {"a": []}


def test_labels_may_hold_tabs_and_be_missing():
    assert read_audacity("0\t1\ta\tb\n1\t2\n", "x") == {"x": [Mark(0, 1, "a\tb"), Mark(1, 2, "")]}


def test_turns_go_by_the_recordings_that_they_name():
    text = "SPEAKER a 1 0 1 <NA> <NA> x\nSPEAKER b 1 1 1 <NA> <NA> x\nSPEAKER a 1 2 1 <NA> <NA> y"
    assert {name: len(marks) for name, marks in read_rttm(text, "c").items()} == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("text", "folder", "found"),
    [
        ("a/x.wav", "", "a/x.wav"),
        ("x.wav", "a", "a/x.wav"),
        ("x", "b", "b/x.wav"),
        ("x.wav", "", None),
        ("y", "", "b/y.flac"),
        ("/somewhere/y.flac", "", "b/y.flac"),
        ("C:\\sound\\y.flac", "", "b/y.flac"),
        ("./a/x.wav", "", "a/x.wav"),
        ("", "", None),
        ("..", "a", None),
    ],
)
def test_recordings_are_found_by_what_they_are_called(text, folder, found):
    assert SoundIndex(["a/x.wav", "b/x.wav", "b/y.flac"]).find(text, folder) == found


def paths(*parts):
    return [f"{word}/{name}" for word in ("on", "off") for name in parts]


@pytest.mark.parametrize(
    ("found", "way"),
    [
        (paths("s1_1.wav", "s2_1.wav", "s3_1.wav"), "name"),
        (paths("s1/1.wav", "s2/1.wav", "s3/1.wav"), "folder"),
        (paths("s1_1.wav", "s2_1.wav"), "unknown"),
        (paths("1.wav", "2.wav", "3.wav"), "unknown"),
        ([f"{w}/{w}_{n}.wav" for w in "abcd" for n in "123"], "unknown"),
        ([f"{s}/{w}/s{n}_1.wav" for s in ("dev", "test") for w in "ab" for n in "123"], "unknown"),
    ],
)
def test_a_word_that_classes_share_may_be_the_speaker(found, way):
    assert speakers_by_class(found) == way


def test_places_tell_classes_and_speakers_or_nothing():
    assert class_folders(["on/1.wav", "off/2.wav"]) == ["off", "on"]
    assert class_folders(["on/1.wav", "2.wav"]) == []
    assert class_folders(["train/on/1.wav", "test/off/1.wav"]) == ["off", "on"]
    assert {*speakers_by_place([f"{s}/{n}.wav" for s in "abc" for n in "12"]).values()} == {*"abc"}
    assert {*speakers_by_place([f"{s}_{n}.wav" for s in "abc" for n in "12"]).values()} == {*"abc"}
    assert speakers_by_place([f"{n}.wav" for n in range(9)]) == {}

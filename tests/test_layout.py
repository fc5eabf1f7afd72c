"""What fits a terminal: lines wrapped at words, names abbreviated, columns in groups."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy.cli.layout import abbreviated, abbreviations, length, unlimited, width_of, wrapped
from synergy.cli.output import document, say, write
from synergy.cli.reporter import Reporter
from synergy.cli.tables import Table, rendered

TASKS = ("gender", "age_group", "speech_command", "voice_activity", "vad")


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"  # pyright: ignore[reportAssignmentType]

    def isatty(self) -> bool:
        return True


@contextmanager
def on_terminal(columns: int) -> Iterator[Terminal]:
    """stdout and stderr on a terminal of so many columns."""
    found = Terminal()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(found), redirect_stderr(found):
        patch.setenv("COLUMNS", str(columns))
        for name in ("NO_COLOR", "TERM"):
            patch.setenv(name, "xterm")
        yield found


def pairs_table(depths: int = 5) -> Table:
    rows = [
        [f"{a}, {b}", *(f"{n}{d}.5 [10, {n}]" for d in range(depths))]
        for n, (a, b) in enumerate(combinations(TASKS, 2), 10)
    ]
    columns = ["pair", *(f"depth {d}" for d in range(depths))]
    return Table("AR % on validation", columns, rows, names=TASKS)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_table_fits_and_every_number_stands_whole_on_a_line(width):
    with on_terminal(width):
        text = rendered(pairs_table())
    assert max(map(length, wrapped(text, width).splitlines())) <= width
    for row in pairs_table().rows:
        assert row is not None
        for cell in row[1:]:
            assert str(cell) in text
    # either all names, or what stands for them
    for task in TASKS:
        assert task in text


def test_nothing_is_abbreviated_where_there_is_room():
    with on_terminal(120):
        assert "short:" not in rendered(pairs_table(2))


def test_wide_prints_everything_on_one_line():
    with on_terminal(60) as terminal, unlimited(True):
        text = rendered(pairs_table(9))
        assert max(map(length, text.splitlines())) > 120
        assert "short:" not in text
        write(text)
        assert text in terminal.getvalue()
    with on_terminal(60) as terminal:
        assert width_of(terminal) == 60


def test_a_file_gets_everything_on_one_line():
    assert width_of(io.StringIO()) is None
    assert len(rendered(pairs_table(30)).splitlines()) == 3 + 10


def test_groups_of_columns_repeat_the_words_before_them():
    with on_terminal(60):
        text = rendered(pairs_table(9))
    assert text.count("gen, age") == text.count("AR % on validation") > 1
    assert text.count("(continued)") == text.count("AR % on validation") - 1


def test_long_words_of_a_table_are_wrapped_between_words():
    why = "smaller than the first one and may keep the threshold with 40 %"
    rows = [[0, "{{a,b}@8,{c,d}@7}@5", "12,000", why]]
    table = Table("Trees", ["round", "tree", "params", "why"], rows, words=(0, 1, 3))
    with on_terminal(60):
        text = rendered(table)
    assert max(map(length, text.splitlines())) <= 60
    words = text.split()
    assert [word for word in why.split() if word not in words] == []
    assert "12,000" in words


def test_notes_wrap_at_words_and_documents_never():
    note = "note: " + "a corpus that is long enough to wrap " * 3
    with on_terminal(60) as terminal:
        say(note)
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert [word for line in lines for word in line.split()] == note.split()
    assert all(line.startswith("  ") for line in lines[1:])
    told = {"text": "word " * 40}
    with on_terminal(60) as terminal:
        write(document(told))
    assert f'"{told["text"]}"' in terminal.getvalue()


@given(st.text(alphabet="ab ,{}@1\n/", max_size=200), st.integers(20, 80))
@settings(max_examples=50)
def test_wrapping_changes_nothing_but_spaces_and_ends_of_lines(text, width):
    found = wrapped(text, width)
    assert re.sub(r"\s", "", found) == re.sub(r"\s", "", text)
    longest = max(map(length, re.split(r"[ \n]|(?<=,)(?=[^\d ])", text)), default=0)
    indent = max((len(line) - len(line.lstrip(" ")) for line in text.split("\n")), default=0) + 2
    assert max(map(length, found.split("\n"))) <= max(width, longest + indent)


def test_a_long_name_stays_whole_for_who_copies_it():
    path = "/" + "folder/" * 20 + "model"
    assert path in wrapped(f"model: {path}", 60)


@given(
    st.lists(
        st.from_regex(r"[a-c][a-c_]{0,6}", fullmatch=True), min_size=1, max_size=8, unique=True
    )
)
@settings(max_examples=50)
def test_short_names_are_different_and_never_those_of_others(names):
    short = abbreviations(names)
    shown = [short.get(name, name) for name in names]
    assert len(set(shown)) == len(names)
    assert all(len(each) < len(name) for name, each in short.items())


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("gc", "vad"), ["gc", "vad"]),
        (("gender", "age_group"), ["gen", "age"]),
        (("speaker", "speech"), ["sp1", "sp2"]),
        (("gender", "gen"), ["ge1", "gen"]),
    ],
)
def test_short_names(names, shown):
    short = abbreviations(names)
    assert [short.get(name, name) for name in names] == shown


def test_names_are_replaced_as_words_alone():
    short = {"gender": "gen", "age": "a"}
    assert abbreviated("{gender,age}@4 gender_2 age-3 gendered", short) == (
        "{gen,a}@4 gender_2 age-3 gendered"
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_bar_count_and_time_left_stay_visible(width):
    now = [0.0]
    label = "{{gender,age_group}@8,{speech_command,voice_activity}@7}@5 seed 0"
    scores = {f"{task}_score": 0.95 for task in TASKS}
    message = {"step": 50, "steps": 100, "clips_per_s": 1500.0, **scores}
    with on_terminal(width) as terminal, Reporter(live=True, clock=lambda: now[0]) as reporter:
        reporter.begin("the tree and the flat model", 36, 3)
        reporter.working(64)
        now[0] = 505.0
        reporter.training(label, message)
        assert reporter._bar is not None
        reporter._bar.refresh()
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()).replace("\r", "\n")
    lines = [line for line in drawn.split("\n") if "9 h 07 min left" in line]
    assert lines
    for line in lines:
        assert length(line) <= width
        assert "the tree and the flat model" in line
        assert "3/36" in line
        assert "━" in line or "╸" in line
        assert "…" not in line

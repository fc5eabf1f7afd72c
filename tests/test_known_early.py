"""What a later stage would refuse is refused while data is selected, by the same rule."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_models as toys
from small_corpora import corpus_of, gender_rows, write_csv, write_manifest, write_tone_project
from test_experiment import config_of

from synergy import limits
from synergy.config import RunConfig
from synergy.datasets.base import Corpus
from synergy.errors import ConfigError, DataError, ModelError
from synergy.experiment import prepare
from synergy.export.spec import CorpusEntry, check_describable
from synergy.stages.pairwise import check_pairable
from synergy.tasks import TASK_KINDS, TaskSpec
from synergy.tasks.selection import TaskSelection, select_clips
from synergy.tasks.task_source import TaskSource
from synergy.tree import SharingTree
from synergy.wording import LONGEST_LINE, LONGEST_QUOTE, SPLITS

CLASSES, ACTIVITY = TASK_KINDS["clip_classification"], TASK_KINDS["frame_activity"]


def words(values: list[str]) -> Corpus:
    """A corpus with a clip of each value in each split."""
    return corpus_of("mine", [(s, {"word": v}) for s in SPLITS for v in values], ("word",))


def select(
    corpus: Corpus, classes: tuple[str, ...] | None = None, **source: object
) -> TaskSelection:
    settings = TaskSource.model_validate({"column": "word", **source})
    return select_clips("scr", classes, CLASSES, {"mine": settings}, {"mine": corpus})


# -- one rule for classes ---------------------------------------------------------------------

WRONG = [
    (("a", "b", "a"), "expected every name once, found a repeatedly"),
    (("a", ""), "expected a name, found an empty text"),
    (("a", " b"), "expected a name without spaces around it"),
    (("a", "b\x1b[31m"), "expected a name of printable characters"),
    (("a", "b\nc"), "expected a name of printable characters"),
    (("a", "\ud800"), "expected a name of printable characters"),
    (("a", "b" * (limits.LABEL + 1)), f"at most {limits.LABEL} characters"),
    ((), "expected 1 to 10,000 names, found 0"),
    (tuple(map(str, range(limits.CLASSES + 1))), "expected 1 to 10,000 names, found 10,001"),
]


@pytest.mark.parametrize(("classes", "problem"), WRONG, ids=lambda part: str(part)[:30])
def test_configuration_selection_and_specification_ask_the_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: tuple[str, ...], problem: str
) -> None:
    assert problem in CLASSES.classes_problem(classes)
    settings = config_of(tmp_path).model_dump()
    settings["tasks"]["scr"]["classes"] = classes
    with pytest.raises(ValueError, match=r"tasks\.scr\.classes"):
        RunConfig.model_validate(settings)
    if not classes:  # those of the data are taken
        return
    with pytest.raises(DataError, match="task scr: classes: expected"):
        select(words(["a", "b"]), classes)
    monkeypatch.setitem(toys.SPECS, "gc", TaskSpec("gc", "clip_classification", classes))
    with pytest.raises(ModelError, match=r"cannot be described: .*classes"):
        toys.export(tmp_path / "model", toys.small_network(SharingTree.single("gc", 8)))


def test_an_activity_has_one_class() -> None:
    assert ACTIVITY.classes_problem(("speech",)) == ""
    assert "expected one name" in ACTIVITY.classes_problem(("speech", "noise"))


@pytest.mark.parametrize("value", ["\x1b[31mred", "two\nlines", "x" * (limits.LABEL + 1)])
def test_classes_that_the_data_has_are_asked_too(value: str) -> None:
    with pytest.raises(DataError, match="task scr: classes: expected a name") as caught:
        select(words(["yes", value]))
    assert "\x1b" not in str(caught.value)
    mapped = {value: "no", "no": "no", "yes": "yes"}
    assert len(select(words(["yes", value, "no"]), map=mapped).clips) == 9


def test_data_check_refuses_what_the_export_would(tmp_path: Path) -> None:
    rows = [entry | {"gender": f"{entry['gender']}\x07"} for entry in gender_rows()]
    config = config_of(tmp_path)
    write_manifest(tmp_path / "second", rows)
    with pytest.raises(DataError, match=r"task gc: classes: expected a name of printable"):
        prepare(config)


def test_names_that_no_specification_can_hold_are_refused_before_training(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    rows = [entry | {"licence": f"{n} {'x' * 120_000}"} for n, entry in enumerate(gender_rows(4))]
    write_manifest(tmp_path / "second", rows, seconds=0.3)
    with pytest.raises(ModelError, match=r"classes and licences: expected at most 2,000,000 bytes"):
        prepare(config)


def test_a_specification_of_many_classes_can_be_described() -> None:
    corpora = [CorpusEntry(fingerprint="f", licences=("CC0",), synthetic=False)]
    names = tuple(f"speaker {number}" for number in range(limits.CLASSES))
    check_describable([TaskSpec("id", "clip_classification", names)], corpora)
    with pytest.raises(ModelError, match="expected at most 2,000,000 bytes in an exported model"):
        check_describable([TaskSpec("id", "clip_classification", names)] * 20, corpora)


def test_activity_between_two_frames_is_none(tmp_path: Path) -> None:
    """What is active is decided at the centres of the frames that the features have."""
    config = config_of(tmp_path)
    segments = [
        {"path": entry["path"], "start_s": 0.031, "end_s": 0.039, "label": "speech"}
        for entry in gender_rows(4)
    ]
    write_csv(tmp_path / "first" / "segments.csv", segments)
    with pytest.raises(DataError, match="task vad: 3 problems\n  every frame of the 8 train clips"):
        prepare(config)
    fine = {"window_ms": 5.0, "hop_ms": 2.0, "mels": 8}
    assert prepare(config.with_options(features=fine)).tasks == ("gc", "scr", "vad")


# -- many names -------------------------------------------------------------------------------


def hints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every name that a hint is searched for, the part of a message that takes time."""
    from synergy.tasks import clip_classification

    asked: list[str] = []

    def counting(name: str, known: object) -> str:
        asked.append(name)
        return ""

    monkeypatch.setattr(clip_classification, "did_you_mean", counting)
    return asked


def test_many_unknown_values_are_counted_and_not_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hints(monkeypatch)
    classes = tuple(f"class {number}" for number in range(300))
    with pytest.raises(DataError) as caught:
        select(words([*classes, *(f"klass {number}" for number in range(300))]), classes)
    assert len(asked) == 10
    lines = str(caught.value).splitlines()
    assert lines[0] == "task scr: 11 problems"
    assert lines[-1] == "  and 1 more"
    assert all(len(line) <= LONGEST_LINE for line in lines)


def test_many_wrong_classes_of_a_map_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hints(monkeypatch)
    mapped = {f"value {number}": f"klass {number}" for number in range(300)}
    with pytest.raises(DataError, match="the map leads to 'klass 0', which is no class"):
        select(words(["a", "b"]), ("a", "b"), map=mapped)
    assert len(asked) == 10


def test_values_that_a_map_leaves_out_are_summed_up() -> None:
    found = select(
        words(["a", "b", *(f"other {number:03d}" for number in range(40))]),
        ("a", "b"),
        map={"a": "a", "b": "b", **{f"none {number}": "a" for number in range(30)}},
    )
    assert len(found.clips) == 6
    assert len(found.dropped) == 22
    assert found.dropped[0] == "no clip of mine has the word 'none 0' that the map names"
    assert found.dropped[10] == "nor one of 20 further values of the map"
    assert "3 clips of mine have the word 'other 000', which is not in the map" in found.dropped
    assert found.dropped[-1] == "nor are 30 further values of other clips of mine"


def test_a_message_quotes_little_of_a_value() -> None:
    long = "x" * 150
    for corpus, source in (
        (words(["a", "b", long]), {}),
        (words(["a", "b"]), {"column": long}),
        (words(["a", "b", long]), {"where": {"word": f">= {'1' * 150}"}}),
    ):
        with pytest.raises(DataError) as caught:
            select(corpus, ("a", "b"), **source)
        assert "x" * (LONGEST_QUOTE + 1) not in str(caught.value)
        assert "1" * (LONGEST_QUOTE + 1) not in str(caught.value)


# -- the workspace ----------------------------------------------------------------------------


def test_clips_of_corpora_with_alike_names_have_keys_of_their_own(tmp_path: Path) -> None:
    """A slash in the name of a corpus would make two clips one: names have none."""
    settings = config_of(tmp_path).model_dump()
    settings["corpora"] = {"a": settings["corpora"]["first"], "a/b": settings["corpora"]["second"]}
    with pytest.raises(ValueError, match="expected a name without a slash, found 'a/b'"):
        RunConfig.model_validate(settings)
    keys = prepare(config_of(tmp_path)).bank.keys
    assert len(set(keys)) == len(keys)


def test_a_demonstration_of_all_this_is_sound(tmp_path: Path) -> None:
    from synergy.config import load_config

    assert prepare(load_config(write_tone_project(tmp_path))).tasks == ("gc", "scr", "vad")


def test_a_table_of_too_many_cells_is_refused_before_anything_is_trained() -> None:
    tasks = [f"t{number}" for number in range(100)]
    check_pairable(tasks, range(1, 21))  # 99,000 cells
    with pytest.raises(ConfigError, match="at most 100,000 cells to sweep, found 100 tasks at 21"):
        check_pairable(tasks, range(1, 22))

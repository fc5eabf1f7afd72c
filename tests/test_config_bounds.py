"""What is wrong with a configuration is known when it is read, and in bounded time."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from test_config import GOOD, refused, written

from synergy import limits
from synergy.config import RunConfig, load_config
from synergy.datasets.demo_plan import DemoSpeechConfig
from synergy.encoders import Cnn8
from synergy.errors import ConfigError
from synergy.experiment import settings_costs
from synergy.extensions import imports_allowed
from synergy.training.config import TrainingConfig
from synergy.training.distillation import DistillationConfig
from synergy.wording import LONGEST_LINE, LONGEST_QUOTE

CORPUS = "{format: manifest, folder: data}"
DEMO = "{format: demo_speech, clips: {train: 120, valid: 60, test: 60}}"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # numbers
        ((GOOD, GOOD + "training: {epochs: true}\n"), "training.epochs: .* found True"),
        ((GOOD, GOOD + "training: {epochs: 010}\n"), "training.epochs: .* found '010'"),
        ((GOOD, GOOD + "training: {epochs: 1_0}\n"), "training.epochs: .* found '1_0'"),
        ((GOOD, GOOD + "training: {epochs: 1e3}\n"), r"training.epochs: .* found 1000\.0"),
        ((GOOD, GOOD + "max_ar: '6_0'\n"), "max_ar: .* found '6_0'"),
        ((GOOD, GOOD + "max_ar: 2024-02-30\n"), "max_ar: .* found '2024-02-30'"),
        ((GOOD, GOOD + "seed: 0x_\n"), "seed: .* found '0x_'"),
        ((GOOD, GOOD + f"seed: {'1' * 5000}\n"), "seed: .* found '1{20,}"),
        ((GOOD, GOOD + "max_ar: 1e999\n"), "max_ar: .* found inf"),
        ((GOOD, GOOD + "depths: [true]\n"), "depths.0: .* found True"),
        # how much
        ((GOOD, GOOD + "training: {epochs: 1001}\n"), "training.epochs: .* 1000, found 1001"),
        ((GOOD, GOOD + "training: {steps_per_epoch: 100001}\n"), "steps_per_epoch: .* 100000"),
        ((GOOD, GOOD + "seed: 2147483648\n"), "seed: .* found 2147483648"),
        ((CORPUS, DEMO.replace("120", "1000000000000")), "clips.train: .* 100000, found 10+"),
        ((CORPUS, DEMO.replace("clips:", "seed: 2147483648, clips:")), "mine.seed: "),
        ((CORPUS, DEMO.replace("clips:", "words: [a, b c], clips:")), "words: .* found 'b c'"),
        ((CORPUS, DEMO.replace("clips:", f"words: [a, {'b' * 21}], clips:")), "of 1 to 20 letters"),
        # folders
        (("data}", '"a\\0b"}'), r"corpora.mine.folder: expected a path .* found 'a\\x00b'"),
        (("data}", '"\\ud800"}'), "corpora.mine.folder: expected a path, found"),
        (("data}", "''}"), "corpora.mine.folder: expected a path of 1 to 4,096 bytes"),
        (("data}", f"{'x' * 5000}}}"), "corpora.mine.folder: expected a path of 1 to 4,096 bytes"),
        # names
        (("mine: {format", "a/b: {format"), "corpora.a/b: expected a name without a slash"),
        (("mine: {format", '" a": {format'), "corpora. a: expected a name without spaces"),
        (("mine: {format", f"{'x' * 65}: {{format"), "corpora.x+…: expected a name of at most 64"),
        (("  gc:", f"  {'x' * 65}:"), "tasks.x+…: expected a name of at most 64"),
        (("  gc:", '  "g\\e[31m":'), r"tasks.g\\x1b\[31m: expected a name of printable"),
        (("column: word", "column: ''"), "mine.column: expected a name, found an empty text"),
        (("segments: speech", 'segments: "a\\nb"'), "mine.segments: expected a name of printable"),
        (("column: word", "column: word, where: {' a': b}"), "where. a: expected a name without"),
        # what the exported model would refuse
        (("[no, yes, off]", "[no, yes, no]"), "gc.classes: expected every name once, found no rep"),
        (("[no, yes, off]", "[no, '']"), "gc.classes: expected a name, found an empty text"),
        (("[no, yes, off]", '[no, "\\ud800"]'), "gc.classes: expected a name of printable"),
        (("[no, yes, off]", "[]"), "gc.classes: expected 1 to 10,000 names, found 0"),
        (
            ("column: word", "column: word, map: {a: ''}"),
            "mine.map.a: expected a name, found an",
        ),
        (
            ("kind: frame_activity", "kind: frame_activity\n    classes: [a, b]"),
            "vad.classes: expected one name, that of what is detected, found 2",
        ),
        (("segments: speech", "column: word"), "vad.corpora: mine: an activity task needs segm"),
        (("column: word", "segments: word"), "gc.corpora: mine: a classification task needs a"),
    ],
)
def test_it_is_refused_when_it_is_read(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    assert change[0] in GOOD
    message = refused(tmp_path, GOOD.replace(*change))
    assert re.search(expected, message), message


def test_tasks_that_differ_in_dashes_alone_are_one_name(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("  gc:", "  v-d:").replace("  vad:", "  v_d:"))
    assert "tasks: expected task names that differ in more than - and _, found v-d, v_d" in message


def test_a_number_of_yaml_1_2_is_one(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD + "training: {learning_rate: 1e-3}\n"))
    assert config.training.learning_rate == 0.001


def many(count: int, entry: str) -> str:
    return "".join(entry.replace("N", str(number)) for number in range(count))


def test_the_number_of_tasks_and_corpora_is_bounded(tmp_path: Path) -> None:
    task = "  tN: {kind: frame_activity, corpora: {mine: {segments: speech}}}\n"
    message = refused(tmp_path, GOOD + many(limits.TASKS, task))
    assert f"tasks: Dictionary should have at most {limits.TASKS} items" in message
    corpus = f"  cN: {CORPUS}\n"
    message = refused(tmp_path, GOOD.replace("tasks:", f"{many(limits.CORPORA, corpus)}tasks:"))
    assert f"corpora: Dictionary should have at most {limits.CORPORA} items" in message


def test_a_file_of_too_many_bytes_or_keys_is_not_parsed(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + "#" * limits.CONFIG_BYTES)
    assert "cannot be read as text (expected at most 1,048,576 bytes" in message


def test_a_pipe_as_configuration_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match=r"pipe.yaml: cannot be read .* found a FIFO"):
        load_config(tmp_path / "pipe.yaml")


def test_messages_quote_little_of_a_wrong_configuration(tmp_path: Path) -> None:
    """Some bytes of aliases stand for gigabytes; and every place where input is repeated."""
    long = "x" * 900
    aliases = "a: &a [b, b, b, b, b, b, b, b, b]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
    for text in (
        f"{aliases}tasks: *b\n",
        f"{aliases}epochs: [*b, *b, *b]\n",
        GOOD.replace("mine: {column", f"{long}: {{column"),
        GOOD.replace("manifest", long),
        GOOD.replace("kind: frame_activity", f"kind: {long}"),
        GOOD.replace("kind: frame_activity", f"kind: {long}:{long}"),
        GOOD.replace("column: word", f"column: word, where: {{a: '>= {long}'}}"),
        GOOD.replace("column: word", f"column: word, {long}: {long}"),
        GOOD.replace("[no, yes, off]", f"[{long}]"),
        f"{GOOD}encoder: {{name: {long}}}\n",
        f"{GOOD}training: {{precision: {long}}}\n",
        f"{GOOD}depths: [{', '.join(map(str, range(9, 500)))}]\n",
        f"{GOOD}{long}: {long}\n",
    ):
        for line in refused(tmp_path, text).splitlines():
            assert len(line) <= LONGEST_LINE
            assert "x" * (LONGEST_QUOTE + 1) not in line
            assert line.count(",") < 60


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (model, name)
        for model in (TrainingConfig, DistillationConfig, Cnn8, DemoSpeechConfig)
        for name, field in model.model_fields.items()
        if field.annotation in (int, float)
    ],
)
def test_every_number_of_the_settings_has_both_bounds(model: type[BaseModel], field: str) -> None:
    signs = ("ge", "gt"), ("le", "lt")
    metadata = model.model_fields[field].metadata
    for either in signs:
        assert any(hasattr(each, sign) for each in metadata for sign in either)


def test_the_smallest_encoder_has_a_network() -> None:
    """A decoder of half the width of one channel in one band is not one without weights."""
    config = load_config(None)
    small = config.model_copy(
        update={
            "encoder": Cnn8(channels=(1,) * 8),
            "features": config.features.model_copy(update={"mels": 8}),
        }
    )
    assert settings_costs(small, ["gc"]).head_params["gc"] > 0


@pytest.mark.parametrize("width", [0.0, 1e-320, -1.0, float("nan"), float("inf"), 1e5])
def test_a_width_without_bounds_is_refused(width: float) -> None:
    with pytest.raises(ConfigError, match="expected a width that encoder cnn8 can have"):
        settings_costs(None, [], width)


def test_what_is_written_below_an_odd_folder_is_read_back(tmp_path: Path) -> None:
    """Folders above a configuration need not have names in UTF-8."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    config = load_config(written(folder, GOOD))
    corpus: Any = config.corpora["mine"]
    assert corpus.folder == str(folder / "data")
    (folder / "again.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(folder / "again.yaml") == config


WORDS = ("1e-3", "1e3", "010", "no", "2024-02-30", "1_0", "=", "<<", "~ x", "é", "a: b", "[/b]")


def test_any_class_is_written_as_the_word_that_it_is(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    task = config.tasks["gc"].model_copy(update={"classes": WORDS})
    odd = RunConfig.model_validate({**dict(config), "tasks": {"gc": task}})
    assert load_config(written(tmp_path, odd.to_yaml())).tasks["gc"].classes == WORDS


def test_code_that_a_configuration_names_may_be_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "half_written.py").write_text("def f(:\n")
    (tmp_path / "own_kinds.py").write_text(
        "from synergy.tasks.frame_activity import FrameActivity\n"
        "from synergy.tasks import TaskKind\n\n\n"
        "class Unfinished(TaskKind):\n    name = 'unfinished'\n\n\n"
        "class Sure(FrameActivity):\n    name, threshold = 'sure', 1.5\n"
    )
    for kind, problem in (
        ("half_written:f", "the module half_written cannot be imported (SyntaxError"),
        ("own_kinds:Unfinished", "own_kinds:Unfinished cannot be used: Can't instantiate abstract"),
        ("own_kinds:Sure", "expected a threshold between 0 and 1, found 1.5"),
    ):
        text = GOOD.replace("kind: frame_activity", f"kind: {kind}")
        with imports_allowed():
            message = refused(tmp_path, text)
        assert problem in message

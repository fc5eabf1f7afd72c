"""The configuration file: strict, complete, all problems at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from synergy.config import RunConfig, load_config
from synergy.datasets import DATASETS
from synergy.encoders import ENCODERS, Cnn8
from synergy.errors import ConfigError

GOOD = """
corpora:
  mine: {format: manifest, folder: data}
tasks:
  gc:
    kind: clip_classification
    classes: [no, yes, off]
    corpora: {mine: {column: word}}
  vad:
    kind: frame_activity
    corpora: {mine: {segments: speech}}
"""


def written(folder: Path, text: str) -> Path:
    """A configuration file."""
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(folder: Path, text: str) -> str:
    """The message about a wrong configuration."""
    with pytest.raises(ConfigError) as caught:
        load_config(written(folder, text))
    return str(caught.value)


def test_words_that_yaml_takes_for_booleans_stay_words(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, GOOD)).tasks["gc"].classes == ("no", "yes", "off")


def test_relative_folders_are_taken_from_the_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.corpora["mine"].folder == str(tmp_path / "data")  # pyright: ignore[reportAttributeAccessIssue]


def test_folders_with_variables_stay_as_written(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD.replace("data}", '"${SOMEWHERE}/data"}')))
    assert config.corpora["mine"].folder == "${SOMEWHERE}/data"  # pyright: ignore[reportAttributeAccessIssue]


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = load_config(written(tmp_path, GOOD.replace("data}", "~/recordings}")))
    assert config.corpora["mine"].folder == str(tmp_path / "home" / "recordings")  # pyright: ignore[reportAttributeAccessIssue]


def test_a_hint_is_a_key_of_the_model_with_the_unknown_one(tmp_path: Path) -> None:
    """`words` is a key of another corpus format, and `segments` of what lies below a task."""
    text = GOOD.replace("folder: data", "folder: data, words: [a]")
    text = text.replace("kind: frame_activity", "kind: frame_activity\n    segments: speech")
    message = refused(tmp_path, text + "features: {mel: 16}\nencoder: {chanels: [1]}\n")
    assert "corpora.mine.words: unknown key" in message
    assert "did you mean 'words'" not in message
    assert "did you mean 'segments'" not in message
    assert "features.mel: unknown key; did you mean 'mels'?" in message
    assert "encoder.chanels: unknown key; did you mean 'channels'?" in message


def test_a_hint_inside_a_corpus_of_counts(tmp_path: Path) -> None:
    text = GOOD.replace(
        "{format: manifest, folder: data}", "{format: demo_speech, clips: {trian: 3}}"
    )
    message = refused(tmp_path, text)
    assert "corpora.mine.clips.trian: unknown key; did you mean 'train'?" in message


def test_resolved_file_leads_to_the_same_configuration(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    again = load_config(written(tmp_path, config.to_yaml()))
    assert again == config
    assert set(yaml.safe_load(config.to_yaml())) == set(RunConfig.model_fields)


def test_demonstration_is_the_default() -> None:
    config = load_config(None)
    assert list(config.tasks) == ["gc", "ac", "scr", "vad"]
    assert [c.format for c in config.corpora.values()] == ["demo_speech"]


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("column: word", "colunm: word") + (
        "traning: {epochs: 3}\ntraining: {epochs: 0, learning_rates: 1}\n"
    )
    message = refused(tmp_path, text)
    assert "traning: unknown key; did you mean 'training'?" in message
    assert "tasks.gc.corpora.mine.colunm: unknown key; did you mean 'column'?" in message
    assert "training.learning_rates: unknown key; did you mean 'learning_rate'?" in message
    assert "training.epochs: Input should be greater than or equal to 1, found 0" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("mine: {column", "mien: {column"),
            "expected one of mine, found mien; did you mean 'mine'",
        ),
        (("kind: frame_activity", "kind: frames"), "tasks.vad.kind: expected one of clip_"),
        (("  vad:", "  gc:"), "line 9: the key 'gc' stands here for the second time"),
        (("format: manifest", "format: folder"), "corpora.mine"),
        (("gc:\n", "3c:\n"), "tasks.3c"),
        (("corpora:\n  mine", "corpora: [\n  mine"), "line"),
        ((GOOD, "- just\n- a list\n"), "expected a mapping of settings, found list"),
        ((GOOD, ""), "expected a mapping of settings, found NoneType"),
        (("column: word", "column: word, segments: speech"), "expected either column or segments"),
        ((GOOD, GOOD + "depths: [4, 9]\n"), "depths: expected 1..8, found [9]"),
        ((GOOD, GOOD + "depths: [4, 4]\n"), "expected distinct depths, found [4, 4]"),
        ((GOOD, GOOD + "max_ar: .nan\n"), "max_ar"),
        ((GOOD, GOOD + "encoder: {channels: [1, 2]}\n"), "channels: expected 8 numbers"),
        ((GOOD, GOOD + "seeds: 0\n"), "seeds: Input should be greater than or equal to 1, found 0"),
    ],
)
def test_one_problem(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    message = refused(tmp_path, GOOD.replace(*change))
    assert expected in message
    assert str(tmp_path / "config.yaml") in message


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a configuration file, found nothing"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_config(tmp_path / "binary.yaml")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_config(tmp_path)


def test_a_choice_of_tasks_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.only(["vad", "gc"]) == ("gc", "vad")
    with pytest.raises(ConfigError, match="found vda; did you mean 'vad'"):
        config.only(["vda"])
    with pytest.raises(ConfigError, match="task gc is named twice"):
        config.only(["gc", "gc"])


SMALLEST = {
    "manifest": {"folder": "data"},
    "folders": {"folder": "data"},
    "speech_commands": {"folder": "data"},
    "demo_speech": {},
}


@pytest.mark.parametrize("name", DATASETS)
def test_every_corpus_format_can_be_configured(tmp_path: Path, name: str) -> None:
    settings = {"format": name, **SMALLEST[name]}
    text = GOOD.replace("{format: manifest, folder: data}", json.dumps(settings))
    config = load_config(written(tmp_path, text))
    assert type(config.corpora["mine"]) is DATASETS[name][0]
    again = load_config(written(tmp_path, config.to_yaml()))
    assert again == config


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_can_be_configured(tmp_path: Path, name: str) -> None:
    config = load_config(written(tmp_path, f"{GOOD}\nencoder: {{name: {name}}}\n"))
    assert type(config.encoder) is ENCODERS[name]


class Named(Cnn8):
    """An encoder of a name of its own."""

    name: str = "named"


def test_a_new_line_of_encoders_can_be_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS, "named", Named)
    text = f"{GOOD}\nencoder: {{name: named, channels: [4, 4, 4, 4, 4, 4, 4, 8]}}\n"
    config = load_config(written(tmp_path, text))
    assert type(config.encoder) is Named
    assert load_config(written(tmp_path, config.to_yaml())) == config


def test_an_installed_package_offers_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_encoders.py").write_text(
        "from synergy.encoders import Cnn8\n\n\nclass Theirs(Cnn8):\n    name: str = 'theirs'\n"
    )
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    points = "[synergy.encoders]\ntheirs = their_encoders:Theirs\n"
    (about / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    config = load_config(written(tmp_path, f"{GOOD}\nencoder: {{name: theirs}}\n"), imports=False)
    assert type(config.encoder).__name__ == "Theirs"

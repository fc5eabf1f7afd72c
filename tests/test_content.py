"""What is kept about the files of a corpus: not believed when damaged, checked on demand."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import soundfile
from small_corpora import gender_rows, noise, write_manifest

from synergy.datasets import content
from synergy.datasets.base import Corpus
from synergy.datasets.content import ContentFile, read_again, safe_path
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.errors import DataError
from synergy.experiment import prepare
from synergy.files import json_text, sealed


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "cache"))


def load(folder: Path) -> Corpus:
    return load_manifest("mine", ManifestConfig(folder=str(folder)))


def kept(folder: Path) -> Path:
    """The one file of what is known."""
    (file,) = (folder / "cache" / "content").iterdir()
    return file


PATH = "train/female0.wav"
SPOILT: dict[str, Any] = {
    "a wrong duration": [6444, 1, "0" * 32, -1.0],
    "no duration": [6444, 1, "0" * 32, None],
    "a huge number": [10**400, 10**400, "0" * 32, 1e308],
    "true": [True, True, "0" * 32, True],
    "a text": ["6444", "1", "0" * 32, "0.2"],
    "no digest": [6444, 1, "nothing", 0.2],
    "too few": [6444],
    "nothing": None,
}


@pytest.mark.parametrize("name", SPOILT)
@pytest.mark.parametrize("resealed", [False, True], ids=["damaged", "with its checksum"])
def test_a_bad_entry_is_no_entry(tmp_path: Path, name: str, resealed: bool) -> None:
    folder = write_manifest(tmp_path / "corpus", gender_rows())
    first = load(folder)
    file = kept(tmp_path)
    data = json.loads(file.read_text())
    data["files"][PATH] = SPOILT[name]
    del data["checksum"]
    file.write_text(json.dumps(sealed(data) if resealed else data))
    assert load(folder) == first
    assert ContentFile.read(file) is not None  # and it was written anew


@pytest.mark.parametrize("place", [2, 3], ids=["digest", "duration"])
def test_a_changed_entry_is_noticed_by_its_checksum(tmp_path: Path, place: int) -> None:
    folder = write_manifest(tmp_path / "corpus", gender_rows())
    first = load(folder)
    file = kept(tmp_path)
    data = json.loads(file.read_text())
    data["files"][PATH][place] = "0" * 32 if place == 2 else 0.5
    file.write_text(json_text(data))
    assert load(folder) == first


def test_an_entry_of_before_there_were_checksums_does_not_count(tmp_path: Path) -> None:
    folder = write_manifest(tmp_path / "corpus", gender_rows())
    first = load(folder)
    file = kept(tmp_path)
    files = {path: [*entry[:2], "0" * 32, 9.0] for path, entry in json_of(file)["files"].items()}
    for old in (files, {"version": 1, "files": files}):
        file.write_text(json.dumps(old))
        assert load(folder) == first


def json_of(file: Path) -> Any:
    return json.loads(file.read_text())


def changed_in_place(file: Path) -> None:
    """Other sound of the same length, with the time of before: what a failing disk does."""
    before = file.stat()
    soundfile.write(file, noise(0.2, 999), 16_000)
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_content_that_changed_unseen_is_named_when_all_is_read_again(tmp_path: Path) -> None:
    folder = write_manifest(tmp_path / "corpus", gender_rows())
    first = load(folder)
    read_again(first)
    changed_in_place(folder / PATH)
    assert load(folder) == first  # by size and time it is the same
    with pytest.raises(DataError, match=rf"mine in .*: {PATH}: its content has changed, though"):
        read_again(first)
    assert load(folder).fingerprint != first.fingerprint
    read_again(load(folder))


def test_preparing_can_read_all_again(tmp_path: Path) -> None:
    from test_experiment import config_of

    config = config_of(tmp_path)
    prepare(config, again=True)
    changed_in_place_of = tmp_path / "second" / PATH
    before = changed_in_place_of.stat()
    soundfile.write(changed_in_place_of, noise(0.3, 999), 16_000)
    os.utime(changed_in_place_of, ns=(before.st_atime_ns, before.st_mtime_ns))
    prepare(config)
    with pytest.raises(DataError, match=f"corpus second in .*: {PATH}: its content has changed"):
        prepare(config, again=True)
    prepare(config, again=True)


def test_a_file_that_changed_with_its_time_is_no_damage(tmp_path: Path) -> None:
    folder = write_manifest(tmp_path / "corpus", gender_rows())
    first = load(folder)
    soundfile.write(folder / PATH, noise(0.3, 999), 16_000)
    read_again(first)


# -- paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("a\0b.wav", "not a usable path"),
        (f"{'a' * 300}.wav", "not a usable path|no such file"),
        ("a/" * 60_000 + "b.wav", "expected a path of at most 4,096 characters"),
        ("caf\udce9.wav", r"caf\\xe9.wav: expected a file name in UTF-8; rename the file"),
        ("x" * 200, "^x{59}…: no such file"),
        ("loop/a.wav", "not a usable path"),
        ("pipe", "no such file"),
    ],
)
def test_an_unusable_path_is_a_problem_in_few_words(
    tmp_path: Path, path: str, problem: str
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    _, found = safe_path(tmp_path.resolve(), path)
    assert found is not None
    assert len(found) < 150

    assert re.search(problem, found), found


def test_a_folder_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for folder in (str(tmp_path / "loop"), f"/{'x' * 300}", str(tmp_path / "none")):
        with pytest.raises(DataError, match="corpus mine: "):
            load(Path(folder))


def test_the_cache_is_found_below_a_folder_of_any_name(tmp_path: Path) -> None:
    """Folders above a corpus need not have names in UTF-8."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    content.file_facts(folder, [], [])
    with pytest.raises(DataError, match=r"expected manifest.csv in .*caf\\xe9, found none"):
        load(folder)

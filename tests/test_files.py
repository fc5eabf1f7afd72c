"""The one way to read a file and the one way to write it."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy.errors import WorkspaceError
from synergy.files import (
    Artefact,
    UnfitFileError,
    checksum,
    file_checksum,
    is_partial,
    json_text,
    parse_json,
    partial_path,
    read_bytes,
    read_text,
    sealed,
    unsealed,
    write_atomically,
)
from synergy.records import ModelFile

NAMES = st.text(max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(NAMES.filter(lambda name: name != "checksum"), VALUES, max_size=4)


# -- reading ------------------------------------------------------------------------------------


def irregular(folder: Path) -> dict[str, Path]:
    """Everything that a name can lead to but a regular file."""
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to(folder / "fifo")
    return {
        "a FIFO": folder / "fifo",
        "a folder": folder / "folder",
        "a device": Path("/dev/zero"),
        "FIFO": folder / "link",
    }


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    for kind, path in irregular(tmp_path).items():
        with pytest.raises(UnfitFileError, match=f"expected a regular file, found .*{kind}"):
            read_bytes(path)
        with pytest.raises(UnfitFileError):
            file_checksum(path)


def test_a_file_that_is_too_long_is_not_read(tmp_path):
    file = tmp_path / "sparse"
    with file.open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(UnfitFileError, match="at most 1,000 bytes, found 1,099,511,627,776"):
        read_bytes(file, 1000)
    file.write_bytes(b"x" * 1000)
    assert len(read_bytes(file, 1000)) == 1000


def test_reading_takes_as_much_memory_as_the_file_has(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        assert len(read_bytes(tmp_path / "x", 2**40)) == 1000
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_a_file_of_unknown_size_is_bounded_too():
    with pytest.raises(UnfitFileError, match="at most 3 bytes"):
        read_bytes(Path("/proc/self/status"), 3)


def test_text_is_utf_8_with_or_without_a_mark(tmp_path):
    file = tmp_path / "text"
    file.write_bytes(b"\xef\xbb\xbfa\xc3\xa4")
    assert read_text(file) == "aä"
    file.write_bytes(b"a\xe4")
    with pytest.raises(UnfitFileError, match=r"expected text in UTF-8, .* at 1"):
        read_text(file)


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, '{"a":' * 100_000, "NaN", "[Infinity]", "9" * 5000, "1e400", "", "{", "\udcff"],
)
def test_what_is_no_json_is_one_error(text):
    with pytest.raises(UnfitFileError):
        parse_json(text.encode("utf-8", "surrogateescape"))


# -- writing ------------------------------------------------------------------------------------


def test_nothing_but_a_regular_file_is_replaced(tmp_path):
    for path in irregular(tmp_path).values():
        before = path.lstat()
        with pytest.raises(OSError, match="expected a file that may be replaced, found a"):
            write_atomically(path, "text")
        after = path.lstat()
        assert (before.st_ino, stat.S_IFMT(before.st_mode)) == (
            after.st_ino,
            stat.S_IFMT(after.st_mode),
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fifo", "folder", "link"]


@given(st.text(st.characters(codec=None), max_size=20))
def test_every_text_is_written_as_json_that_others_read(text):
    assert json.loads(json_text({"name": text}).encode("utf-8")) == {"name": text}


@settings(max_examples=30)
@given(st.binary(max_size=40))
def test_file_names_of_any_bytes_come_back(tmp_path_factory, name):
    text = os.fsdecode(name)
    file = tmp_path_factory.getbasetemp() / "names"
    write_atomically(file, text)
    assert file.read_bytes() == name


@pytest.mark.parametrize("name", ["a", "x" * 255, "ä" * 127, ".hidden"])
def test_a_name_of_any_length_is_written(tmp_path, name):
    write_atomically(tmp_path / name, "text")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", [".notes.partial", "x.partial", ".a.123456789abc.partial.txt"])
def test_hidden_files_of_others_are_not_taken_for_leftovers(name):
    assert not is_partial(Path(name))


@given(NAMES.filter(lambda name: "/" not in name and "\0" not in name and name not in ("", ".")))
def test_leftovers_are_recognised(name):
    assert is_partial(partial_path(Path("/folder") / name))


# -- checksums ----------------------------------------------------------------------------------


def test_a_checksum_says_how_it_is_taken(tmp_path):
    # of nothing, as the specification of XXH3 has it
    assert checksum(b"") == "xxh3:99aa06d3014798d86001c324468d497f"
    (tmp_path / "file").write_bytes(b"a" * 3_000_000)
    assert file_checksum(tmp_path / "file") == checksum(b"a" * 3_000_000)


@given(OBJECTS)
def test_what_is_sealed_comes_back(data):
    assert unsealed(json.loads(json_text(sealed(data))), needed=True) == json.loads(json_text(data))


@given(OBJECTS, OBJECTS)
def test_another_content_is_told(data, other):
    written = sealed(data)
    if json_text(data) == json_text(other):
        return
    with pytest.raises(UnfitFileError, match="not what was written"):
        unsealed({**other, "checksum": written["checksum"]}, needed=True)


def test_a_checksum_that_is_needed_and_missing():
    assert unsealed({"a": 1}, needed=False) == {"a": 1}
    with pytest.raises(UnfitFileError, match="its checksum is missing"):
        unsealed({"a": 1}, needed=True)


class Small(Artefact):
    """An artefact with one field."""

    MADE_BY: ClassVar[str] = "synergy test"

    value: int


@pytest.fixture
def small(tmp_path):
    file = tmp_path / "small.json"
    Small(value=3).write(file)
    return file


def test_an_artefact_comes_back(small):
    assert Small.read(small) == Small(value=3)
    assert Small.read(small.with_name("none")) is None


def test_files_of_before_have_no_checksum(small):
    small.write_text('{"value": 4}')
    assert Small.read(small) == Small(value=4, version=1)


@pytest.mark.parametrize("seed", range(20))
def test_no_changed_bit_of_an_artefact_changes_what_is_read(small, seed):
    whole = small.read_bytes()
    place = seed * 8 * len(whole) // 20 + seed % 8
    changed = bytearray(whole)
    changed[place // 8] ^= 1 << place % 8
    small.write_bytes(changed)
    with suppress(WorkspaceError):
        assert Small.read(small) == Small(value=3)


def test_a_damaged_artefact_says_who_writes_it_anew(small):
    small.write_text(small.read_text().replace("3", "4"))
    with pytest.raises(WorkspaceError, match=r"small\.json is damaged .*run `synergy test` again"):
        Small.read(small)


def test_a_later_version_is_told(small):
    small.write_text('{"value": 4, "version": 99}')
    with pytest.raises(WorkspaceError, match="is of version 99, expected 2 at most"):
        Small.read(small)


def test_a_later_version_under_the_key_of_a_model_is_told(tmp_path):
    spec = tmp_path / "spec.json"
    spec.write_text('{"spec_version": 99}')
    with pytest.raises(WorkspaceError, match="is of version 99, expected 2 at most"):
        ModelFile.read(spec)

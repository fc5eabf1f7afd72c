"""Manifests of any content are read in bounded time, or refused in few words."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from small_corpora import gender_rows, write_csv, write_manifest

from synergy import limits
from synergy.datasets import manifest
from synergy.datasets.base import Corpus
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.errors import DataError
from synergy.wording import LONGEST_LINE, LONGEST_QUOTE


def load(folder: Path) -> Corpus:
    return load_manifest("mine", ManifestConfig(folder=str(folder)))


def refused(folder: Path, text: str | bytes) -> str:
    """What is said about a manifest."""
    data = text.encode() if isinstance(text, str) else text
    (folder / "manifest.csv").write_bytes(data)
    with pytest.raises(DataError) as caught:
        load(folder)
    return str(caught.value)


MANY = ",".join(f"c{number}" for number in range(200_000))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"path,split,{MANY}\n", "expected at most 1,000 columns, found 200,002"),
        (f"path,split,{'x' * 201}\n", "a column: expected a name of at most 200 characters"),
        ("path,split,a\x1b[31m\n", "a column: expected a name of printable characters"),
        ("path,split,a,a\n", "every column needs a name of its own, found path, split, a, a"),
        (f"path,split,x\na.wav,train,{'y' * 200_000}\n", r"CSV file in UTF-8 \(field larger"),
        (b"path,split\n\xff\xfe.wav,train\n", r"CSV file in UTF-8 \(expected text in UTF-8"),
        ('path,split\n"a.wav,train\n', "expected a CSV file in UTF-8"),
        ("", "path, split is missing among none"),
        (f"path,split\n{'x' * 5000}.wav,train\n", "line 2: x+…: expected a path of at most 4,096"),
        (f"path,split\n{'x' * 3000}.wav,train\n", "line 2: x+…: not a usable path"),
        (f"path,split\na.wav,{'x' * 3000}\n", r"line 2: expected the split .* found 'x+\.\.\.x+'"),
        ("path,split,duration_s\na.wav,train,1_0\n", "expected duration_s in seconds, found '1_0'"),
        ("path,split,duration_s\na.wav,train,1e999\n", "in seconds, found '1e999'"),
        (f"path,split,duration_s\na.wav,train,{'9' * 5000}\n", "in seconds, found '9+"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_a_wrong_manifest_is_refused_in_few_words(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    message = refused(tmp_path, text)
    assert re.search(problem, message), message
    for line in message.splitlines():
        assert len(line) <= LONGEST_LINE
        assert "x" * (LONGEST_QUOTE + 1) not in line


def test_a_file_of_many_bytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "manifest.csv").open("wb") as file:
        file.truncate(limits.CSV_BYTES + 1)
    with pytest.raises(DataError, match="expected at most 268,435,456 bytes, found 268,435,457"):
        load(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.csv")
    with pytest.raises(DataError, match="expected a regular file, found a FIFO"):
        load(tmp_path)


def test_hints_are_searched_for_the_problems_that_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(manifest, "did_you_mean", lambda name, known: asked.append(name) or "")
    rows = "".join(f"no{number}.wav,trian\n" for number in range(500))
    message = refused(tmp_path, f"path,split\n{rows}")
    assert message.splitlines()[0].endswith(": 1000 problems")
    assert len(asked) == 5  # of the first ten problems every second one


def test_segments_have_the_same_bounds(tmp_path: Path) -> None:
    folder = write_manifest(tmp_path, gender_rows())
    segment = {"path": "train/female0.wav", "start_s": "0", "end_s": "0x1", "label": "speech"}
    write_csv(folder / "segments.csv", [segment])
    with pytest.raises(DataError, match="found '0' and '0x1'"):
        load(folder)
    write_csv(folder / "segments.csv", [{**segment, "end_s": 0.1, "path": "x" * 5000}])
    with pytest.raises(DataError, match=r"segments.csv line 2: x{59}… is not in manifest.csv"):
        load(folder)

"""docs/robustness.md names the test that holds each promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "robustness.md"


def rows() -> list[list[str]]:
    """The cells of every row of a table with a test."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "what"]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_a_promise_names_a_test_that_there_is(row):
    assert len(row) == 3
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", row[2])
    assert named or "make " in row[2]
    for file, name in named:
        code = (TESTS / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *def {name or 'test_'}", code, re.MULTILINE), f"{file}::{name}"

"""Signed losses one by one: measured, estimated, held against a threshold."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from synergy.errors import TableError
from synergy.losses.estimates import loss_estimates, write_losses
from synergy.losses.evidence import Evidence
from synergy.losses.pooling import posterior

SCORES = {("a", "b", 4): ((0.81, 0.81), (0.9, 0.9)), ("a", "b", 8): ((0.72,), (0.99,))}
EVIDENCE = Evidence(("a", "b", "c"), (4, 8), dict.fromkeys("abc", (0.9, 0.9)), SCORES)


def test_every_cell_has_two_losses_and_untrained_ones_are_estimated_alone() -> None:
    found = loss_estimates(posterior(EVIDENCE), 2.0)
    assert len(found) == 2 * len(EVIDENCE.cells())
    by_key = {each[:3]: each for each in found}
    assert by_key["a", "b", 4].measured == pytest.approx(10.0)
    assert by_key["b", "a", 8].measured == pytest.approx(-10.0)
    assert by_key["a", "c", 4].measured is None
    for each in found:
        assert each.low <= each.estimate <= each.high
        assert 0 <= each.keeps <= 1
    assert by_key["a", "b", 4].keeps < by_key["b", "a", 4].keeps


def test_each_says_of_what_it_is_taken() -> None:
    smooth = replace(EVIDENCE, smooth=frozenset({"b"}))
    for each in loss_estimates(posterior(smooth), 2.0):
        assert each.by == ("log_loss" if each.task == "b" else "score")
    with pytest.raises(TableError, match="expected scores of a, b, c, found some of x"):
        replace(EVIDENCE, smooth=frozenset({"x"}))


def test_they_are_written_without_what_hangs_on_a_threshold(tmp_path: Path) -> None:
    found = loss_estimates(posterior(EVIDENCE), 2.0)
    write_losses(tmp_path / "losses.csv", found)
    with (tmp_path / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == [
        *("task", "partner", "shared_depth", "measured", "estimate", "low", "high", "by")
    ]
    assert len(rows) == len(found)
    assert rows[0]["estimate"] == repr(found[0].estimate)
    assert {row["measured"] for row in rows if row["partner"] == "c"} == {""}

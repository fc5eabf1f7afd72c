"""What would decide a tree: more trainings, more speakers, or nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synergy.losses.evidence import Evidence
from synergy.losses.pair_losses import PairLosses
from synergy.losses.pooling import posterior
from synergy.losses.promise import Promise
from synergy.losses.remedy import Remedy, remedy
from synergy.tree import SharingTree

TREE = SharingTree.parse("{a,b}@4", 8)


def evidence_of(loss_pct: float, seeds: int, sd_pct: float) -> Evidence:
    """Two tasks; the first loses so much, and its scores scatter symmetrically."""
    steps = np.linspace(-1, 1, seeds) / max(1e-9, np.linspace(-1, 1, seeds).std(ddof=1))
    noisy = tuple(0.9 * (1 + sd_pct / 100 * steps))
    pair = tuple(0.9 * (1 - loss_pct / 100 + sd_pct / 100 * steps))
    return Evidence(("a", "b"), (4,), {"a": noisy, "b": noisy}, {("a", "b", 4): (pair, noisy)})


def found(evidence: Evidence, tree: SharingTree = TREE, max_ar: float = 2.0) -> Remedy | None:
    drawn = posterior(evidence)
    return remedy(drawn, Promise(PairLosses.of(drawn), max_ar), tree, 0.9)


def test_noise_of_seeds_is_healed_by_trainings() -> None:
    few, more = (found(evidence_of(1.0, seeds, 3.0)) for seeds in (3, 12))
    assert few is not None and more is not None
    assert (few.task, few.partner, few.depth) == ("a", "b", 4)
    assert few.trainings is not None and more.trainings is not None
    assert few.trainings > more.trainings >= 1
    assert few.speakers is None
    assert few.sd > more.sd


def test_the_luck_of_speakers_is_healed_by_speakers_alone() -> None:
    evidence = replace(evidence_of(1.0, 9, 0.2), speakers={"a": np.array([[9.0]])})
    told = found(evidence)
    assert told is not None
    assert told.trainings is None
    assert told.speakers is not None and told.speakers > 2


def test_at_the_threshold_nothing_decides() -> None:
    evidence = evidence_of(2.0, 5, 1.0)
    loss = float(posterior(evidence).losses[:, 0, 0].mean())
    told = found(evidence, max_ar=loss)
    assert told is not None
    assert (told.trainings, told.speakers) == (None, None)
    assert told.loss == pytest.approx(loss)


def test_a_tree_that_shares_nothing_needs_nothing() -> None:
    assert found(evidence_of(1.0, 3, 1.0), SharingTree.parse("{a,b}@0", 8)) is None

"""What a comparison gives: lines with scores, AR, differences and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from synergy.comparisons import Contender
from synergy.stages.chance import Chance
from synergy.tree import SharingTree
from synergy.wording import Split

TREE, TAUGHT = "tree", "tree, distilled"


@dataclass(frozen=True)
class Difference:
    """AR of a contender minus that of another model, in percent, with its bootstrap interval."""

    ar_pct: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """The difference as JSON values, under the names of an AR."""
        return {"ar_pct": self.ar_pct, "ar_low": self.low, "ar_high": self.high}


@dataclass(frozen=True)
class Measured:
    """Scores and AR of a contender.

    Attributes
    ----------
    scores : dict
        ``scores[split][task]``: one score per seed, in [0, 1].
    ar_pct : dict of split to float
    ar_interval : dict of split to (float, float)
        Bootstrap interval over seeds and speakers, see `synergy.stages.resampling`.
    above : dict of name to dict of split to Difference
        How far the AR lies above that of the synthesised tree, ``TREE``, and of the same tree
        distilled, ``TAUGHT``, as far as these are trained.
    """

    scores: Mapping[str, Mapping[str, tuple[float, ...]]]
    ar_pct: Mapping[str, float]
    ar_interval: Mapping[str, tuple[float, float]]
    above: Mapping[str, Mapping[str, Difference]]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        means = {s: {t: fmean(v) for t, v in by.items()} for s, by in self.scores.items()}
        return {
            "scores": {s: {t: list(v) for t, v in by.items()} for s, by in self.scores.items()},
            "mean_scores": means,
            "ar_pct": dict(self.ar_pct),
            "ar_low": {split: low for split, (low, _) in self.ar_interval.items()},
            "ar_high": {split: high for split, (_, high) in self.ar_interval.items()},
            "above": {
                name: {split: difference.to_json() for split, difference in by.items()}
                for name, by in self.above.items()
            },
        }


NOTHING = Measured({}, {}, {}, {})


@dataclass(frozen=True)
class ComparedRow:
    """One line of the comparison.

    Attributes
    ----------
    method : str
        Key in ``COMPARISONS``.
    name : str
        Of the contender; the method where there is none.
    contender : Contender, or None
        None when the method could not name any.
    measured : Measured
        Empty when the contender could not be trained with all seeds.
    share_pct : float
        Parameters in percent of those of the independent models.
    notation : str
        The tree; empty for a model of several networks.
    trainings : int
        Different trainings, of all seeds, that it takes to come to this line from nothing.
    seconds : float
        How long these took, one after the other, and what was measured on top.
    error : str
        Why there is no result, in one sentence; else empty.
    """

    method: str
    name: str
    contender: Contender | None
    measured: Measured = NOTHING
    share_pct: float = 0.0
    notation: str = ""
    trainings: int = 0
    seconds: float = 0.0
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values; without scores and AR where there is an error."""
        row = {"method": self.method, "name": self.name, "error": self.error or None}
        if self.contender is None:
            return {**row, **self.measured.to_json()}
        return {
            **row,
            "notation": self.notation or None,
            "params": self.contender.params,
            "stored_params": self.contender.stored_params,
            "macs": self.contender.macs,
            "share_pct": self.share_pct,
            "trainings": self.trainings,
            "seconds": self.seconds,
            "note": self.contender.note,
            "digests": [trial.digest for trials in self.contender.trials for trial in trials],
            **self.measured.to_json(),
        }


@dataclass(frozen=True)
class Compared:
    """All lines of the comparison.

    Attributes
    ----------
    tasks : tuple of str
    tree : SharingTree
        Its parameters were the budget of the other methods.
    max_params : int
        These parameters, decoders included.
    max_ar : float
        Threshold of the synthesised trees, in percent.
    seeds : tuple of int
    terms : str
        Digest of the settings, the data and the table; lines with another one do not compare.
    rows : tuple of ComparedRow
        In the order of ``COMPARISONS``.
    chance : dict of split to Chance, or None
        What chance alone makes of AR; None until it was measured.
    trained : int
        Trainings that this command ran.
    """

    tasks: tuple[str, ...]
    tree: SharingTree
    max_params: int
    max_ar: float
    seeds: tuple[int, ...]
    terms: str
    rows: tuple[ComparedRow, ...]
    chance: Mapping[Split, Chance] | None
    trained: int

    def to_json(self) -> dict[str, Any]:
        """Everything but ``trained`` as JSON values: the same however often it is asked for."""
        return {
            "tasks": list(self.tasks),
            "tree": self.tree.notation(self.tasks),
            "max_params": self.max_params,
            "max_ar": self.max_ar,
            "seeds": list(self.seeds),
            "terms": self.terms,
            "chance": self.chance and {s: found.to_json() for s, found in self.chance.items()},
            "rows": [row.to_json() for row in self.rows],
        }

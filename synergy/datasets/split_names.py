"""What the splits are called in other people's files and folders."""

from __future__ import annotations

from collections.abc import Iterable

from synergy.wording import SPLITS, Split

SPLIT_WORDS: dict[str, Split] = {
    **{split: split for split in SPLITS},
    **dict.fromkeys(("val", "validation", "dev", "development"), "valid"),
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("testing",), "test"),
}
_EITHER = ("eval", "evaluation")


def split_names(found: Iterable[str]) -> dict[str, Split]:
    """The split that each word means where all of ``found`` are used, in whatever case.

    ``eval`` is the validation split to some and the test split to others: here it is test where
    there is another validation split and no test split, else validation.
    """
    words = {word.lower() for word in found}
    named = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    either: Split = "test" if "valid" in named and "test" not in named else "valid"
    return {**SPLIT_WORDS, **dict.fromkeys(_EITHER, either)}

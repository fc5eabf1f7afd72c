"""How many trees can be searched for where a question needs many of them."""

from __future__ import annotations

_FEWEST = 20


def trees_within(effort: float, tasks: int) -> int:
    """Number of trees of so many tasks that a total effort allows, at least 20.

    The effort of a tree is about the number of splits that both solvers look at, which is what
    bounds the recursion of large problems, too; a million of them take about a second.
    """
    return max(_FEWEST, int(effort // (min(3**tasks, 10_000_000) + 1000)))

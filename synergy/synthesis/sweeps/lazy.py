"""Only what the best tree rests on, given that AR grows with depth.

Every pair has a range of weights that it may still turn out to have. The tree that is optimal
for the largest of them cannot be beaten; once all its pairs are known to reach the depths that
it uses, it is the smallest tree of the full table, whatever the other cells hold. Until then one
of the depths that it uses is uncertain, and a cell of that pair is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from synergy.synthesis.ar_table import ARTable
from synergy.synthesis.cells import Cell, CellKey
from synergy.synthesis.exact import MAX_TASKS, ExactSplits
from synergy.synthesis.recursive import PaperSplits
from synergy.synthesis.sweeps.base import Known, Sweep, SweepGoal
from synergy.synthesis.task_graph import TaskGraph
from synergy.synthesis.tree_search import TreeSearch
from synergy.wording import counted

# Chance of passing of the cells that are chosen, at best. A pass settles more than a failure, and
# where noise breaks the assumption, a deep cell is more likely to show the weight. Measured by
# benchmarks/sweeps.py.
_CHANCE = 0.35
_ROUNDS = 4  # of the estimate how common weights are, which settles quickly


@dataclass(frozen=True)
class PairRange:
    """What is known of the weight of a pair, and from how many trained cells."""

    pair: tuple[str, str]
    candidates: tuple[int, ...]
    """Weights that it may have, ascending; the first is certain: the pair passed there, or 0."""
    trained: int

    @classmethod
    def of(cls, goal: SweepGoal, known: Known, pair: tuple[str, str]) -> PairRange:
        """Range of a pair: no deeper than the first cell above a pass that exceeds the threshold.

        A failed training tells nothing of AR, so it takes away its own depth only.
        """
        row = {depth: known[*pair, depth] for depth in goal.depths if (*pair, depth) in known}
        least = max((d for d, cell in row.items() if cell.passes(goal.question.max_ar)), default=0)
        exceeding = [d for d, cell in row.items() if d > least and cell.ar_pct is not None]
        limit = min(exceeding, default=goal.costs.depth + 1)
        above = (d for d in goal.depths if least < d < limit and d not in row)
        return cls(pair, (least, *above), len(row))

    @property
    def least(self) -> int:
        """The weight that is certain."""
        return self.candidates[0]

    def above(self, depth: int) -> int:
        """How many candidates lie above the certain one, up to ``depth``; 1 at least above it."""
        return max(1, sum(self.least < c <= depth for c in self.candidates)) * (depth > self.least)


class LazySweep(Sweep):
    """Trains cells on which the optimistic tree rests, until that tree is certain.

    A pair of T tasks at D depths has D + 1 possible weights, so halving its range settles it
    with ceil(log2(D + 1)) trainings; the sweep needs at most that number times the pairs (18
    for four tasks and five depths), and stops long before most pairs are settled. Where no
    training is lost by it, depths are chosen by how often the pairs seen so far passed there: with
    tasks that share well these are deep ones.

    Above 14 tasks the paper's recursion stands in for the exact solver.
    """

    name = "lazy"

    def wanted(self, goal: SweepGoal, known: Known, batch: int = 1) -> tuple[CellKey, ...]:
        """Cells of different pairs of the optimistic tree; fewer than ``batch`` if it has fewer.

        Trainings for a tree that may follow are not started: they would be guesses.
        """
        ranges = _ranges(goal, known)
        uncertain = [(r, d) for r, d in _optimistic(goal, ranges) if d > r.least]
        uncertain.sort(key=lambda item: -item[0].above(item[1]))
        chances = _chances((0, *goal.depths), ranges)
        spare = _spare(goal, ranges)
        keys: list[CellKey] = []
        for pair, used in uncertain[:batch]:
            depth = _depth_to_train(pair, used, chances, spare)
            spare -= _lost(pair, depth)
            keys.append((*pair.pair, depth))
        return tuple(keys)

    def skip_reason(self, goal: SweepGoal, known: Known, key: CellKey) -> str:
        """Says whether the outcome follows from another depth or does not matter."""
        a, b, depth = key
        known_range = PairRange.of(goal, known, (a, b))
        if depth < known_range.least:
            return f"not needed: the pair passes with {known_range.least} shared blocks"
        if depth not in known_range.candidates:
            return "not needed: the pair exceeds the threshold with fewer shared blocks"
        return "not needed: the smallest tree does not depend on it"

    def bounds(self, goal: SweepGoal, known: Known) -> tuple[int, int]:
        """Least and most trainings.

        The least: as long as nothing is known between two groups of tasks, merging two of their
        subtrees would make any tree smaller, so the known cells must connect all tasks.
        """
        if not self.wanted(goal, known):
            return 0, 0
        ranges = _ranges(goal, known)
        graph = nx.Graph(r.pair for r in ranges if r.trained)
        graph.add_nodes_from(goal.tasks)
        missing = nx.number_connected_components(graph) - 1
        least = max(1, missing) if len(goal.tasks) <= MAX_TASKS else 1
        most = _spare(goal, ranges) + sum(_halvings(len(r.candidates)) for r in ranges)
        return least, min(most, len(goal.cells()) - len(known))

    def notes(self, goal: SweepGoal, table: ARTable) -> tuple[str, ...]:
        """The assumption, how much of the table could show it, and all that contradicts it."""
        max_ar, couples, violations = goal.question.max_ar, table.couples(), table.violations()
        skipped = sum(cell.status == "skipped" for cell in table.cells)
        seen = "no pair has two measured cells, so nothing could show whether it does"
        if couples:
            among = f"{counted(len(couples), 'couple')} of measured cells of one pair"
            seen = f"AR fell with depth in {len(violations)} of {among}"
        if skipped:
            seen += f", and {counted(skipped, 'skipped cell')} could contradict it unseen"
        notes = [
            "The sweep lazy assumes that AR grows with depth; then no tree of the full table is "
            f"smaller than the one that the solver exact finds. So far, {seen}.",
            "The recursion and strict solving depend on more cells than the sweep lazy trains; for "
            "them, sweep with scan or full.",
        ]
        if len(goal.tasks) > MAX_TASKS:
            notes.append(
                f"With more than {MAX_TASKS} tasks the sweep lazy follows the recursion, so its "
                "tree need not be the smallest."
            )
        for shallow, deep in violations:
            crossed = deep.passes(max_ar) and not shallow.passes(max_ar)
            told = " and the threshold lies between" if crossed else ""
            notes.append(
                f"Against this, {deep.task_a} and {deep.task_b} have an AR of "
                f"{shallow.ar_pct:g} % with {shallow.shared_depth} shared blocks and "
                f"{deep.ar_pct:g} % with {deep.shared_depth}{told}."
            )
        return tuple(notes)


def _ranges(goal: SweepGoal, known: Known) -> list[PairRange]:
    return [PairRange.of(goal, known, pair) for pair in goal.pairs()]


def _optimistic(goal: SweepGoal, ranges: Sequence[PairRange]) -> list[tuple[PairRange, int]]:
    """Every pair with its shared depth in the best tree for the largest possible weights."""
    largest = [r.candidates[-1] for r in ranges]
    graph = TaskGraph(goal.tasks, tuple((weight,) if weight else () for weight in largest))
    # Among trees of equal cost, solvers take the one with the lowest AR; here, trainings to go.
    to_go = ARTable.from_cells(
        Cell(*r.pair, depth, _halvings(r.above(depth) + 1)) for r in ranges for depth in goal.depths
    )
    kind = ExactSplits if len(goal.tasks) <= MAX_TASKS else PaperSplits
    tree = TreeSearch(kind, graph, goal.costs.block_params, to_go).tree()
    return [(r, tree.shared_depth(*r.pair)) for r in ranges]


def _halvings(candidates: int) -> int:
    return (candidates - 1).bit_length()


def _lost(pair: PairRange, depth: int) -> int:
    """Trainings more, in the worst case, than halving the range would take."""
    count, below = len(pair.candidates), sum(candidate < depth for candidate in pair.candidates)
    return 1 + _halvings(max(below, count - below)) - _halvings(count)


def _spare(goal: SweepGoal, ranges: Sequence[PairRange]) -> int:
    """How many trainings may be lost without exceeding the number that halving guarantees."""
    guaranteed = len(ranges) * _halvings(len(goal.depths) + 1)
    return max(0, guaranteed - sum(r.trained + _halvings(len(r.candidates)) for r in ranges))


def _depth_to_train(pair: PairRange, used: int, chances: dict[int, float], spare: int) -> int:
    """The depth to train for a pair that a tree wants to share ``used`` blocks."""
    depths = [depth for depth in pair.candidates[1:] if _lost(pair, depth) <= spare]
    depths = [depth for depth in depths if depth <= used] or depths
    total = sum(chances[candidate] for candidate in pair.candidates)

    def surprise(depth: int) -> float:
        passing = sum(chances[candidate] for candidate in pair.candidates if candidate >= depth)
        return abs(passing / total - _CHANCE)

    return min(depths, key=lambda depth: (round(surprise(depth), 9), -depth))


def _chances(weights: Sequence[int], ranges: Sequence[PairRange]) -> dict[int, float]:
    """How common each weight is among the pairs of which something is known.

    Expectation maximisation from equal chances; one imagined pair with equal chances keeps
    every weight possible.
    """
    seen = [r.candidates for r in ranges if r.trained]
    chances = dict.fromkeys(weights, 1 / len(weights))
    for _ in range(_ROUNDS):
        counts = dict.fromkeys(weights, 1 / len(weights))
        for candidates in seen:
            total = sum(chances[candidate] for candidate in candidates)
            for candidate in candidates:
                counts[candidate] += chances[candidate] / total
        chances = {weight: count / (1 + len(seen)) for weight, count in counts.items()}
    return chances

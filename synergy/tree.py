"""Sharing trees: which tasks share which blocks of the encoder. The vocabulary of the package.

The encoder is an ordered list of blocks 1..D. A `Branch` holds a run of blocks that the tasks
below it share; on every path from the root to a leaf the blocks 1..D occur once, in order.
Every model is such a tree: a single-task model has one leaf, a pair that shares d blocks has
two leaves under blocks 1..d, a flat model is a trunk with n leaves.

This module imports no torch, so that trees can be searched, drawn and stored without it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from synergy import limits
from synergy.errors import TreeError
from synergy.names import task_problem
from synergy.notebooks import drawing
from synergy.wording import quoted, short_list

DEFAULT_DEPTH = 8
"""Blocks of the default encoder."""

MAX_NESTING = 100
"""Branches on one path; a tree in use has a few."""


@dataclass(frozen=True)
class Branch:
    """A run of blocks and what grows on it.

    Attributes
    ----------
    blocks : tuple of int, or None
        First and last block, both included and counted from 1; None for no block.
    tasks : tuple of str
        All tasks below, sorted by name; one for a leaf, which has no children.
    """

    blocks: tuple[int, int] | None
    tasks: tuple[str, ...]
    children: tuple[Branch, ...] = ()

    @property
    def is_leaf(self) -> bool:
        """True when exactly one task ends here."""
        return not self.children

    @property
    def block_numbers(self) -> range:
        """The blocks of this branch, counted from 1."""
        return range(0) if self.blocks is None else range(self.blocks[0], self.blocks[1] + 1)

    def walk(self) -> Iterator[Branch]:
        """This branch and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


def _canonical(branch: Branch) -> Branch:
    """Lift children of inner branches without blocks, merge only children, sort the rest."""
    children: list[Branch] = []
    for child in map(_canonical, branch.children):
        children.extend(child.children if child.children and child.blocks is None else (child,))
    if len(children) == 1:
        (only,) = children
        runs = [run for run in (branch.blocks, only.blocks) if run is not None]
        blocks = (runs[0][0], runs[-1][1]) if runs else None
        return Branch(blocks, only.tasks, only.children)
    children.sort(key=lambda child: child.tasks)
    tasks = tuple(sorted(t for c in children for t in c.tasks)) if children else branch.tasks
    return Branch(branch.blocks, tasks, tuple(children))


def _check(branch: Branch, placed: int, depth: int, level: int = 1) -> None:
    """Raise TreeError unless ``branch`` continues after block ``placed`` and its leaves reach D."""
    _check_nesting(level)
    if branch.blocks is not None:
        first, last = branch.blocks
        if first != placed + 1 or last < first:
            raise _misfit(
                branch,
                f"expected blocks to start at {quoted(placed + 1)} and to be in order, "
                f"found {quoted(first)}..{quoted(last)}",
            )
        placed = last
    if branch.is_leaf:
        if len(branch.tasks) != 1:
            raise _misfit(branch, f"a leaf carries exactly one task, found {len(branch.tasks)}")
        if placed != depth:
            raise _misfit(branch, f"the path ends at block {quoted(placed)}, expected {depth}")
        return
    below = sorted(task for child in branch.children for task in child.tasks)
    if sorted(branch.tasks) != below:
        raise _misfit(branch, f"its children carry {short_list(below)}")
    for child in branch.children:
        _check(child, placed, depth, level + 1)


def _misfit(branch: Branch, problem: str) -> TreeError:
    return TreeError(f"branch of {short_list(branch.tasks)}: {problem}")


def _check_nesting(level: int) -> None:
    """Refuse what would exhaust the stack of calls."""
    if level > MAX_NESTING:
        raise TreeError(f"tree: expected at most {MAX_NESTING} branches inside each other")


def task_problems(tasks: Iterable[str]) -> list[str]:
    """What keeps different tasks out of one tree by their number or names, one clause each."""
    tasks = tuple(tasks)
    if len(tasks) > limits.TASKS:
        return [f"expected at most {limits.TASKS} tasks, found {len(tasks):,}"]
    found = ((task, task_problem(task)) for task in tasks)
    problems = [f"task {quoted(task)}: {problem}" for task, problem in found if problem]
    identifiers = Counter(task.replace("-", "_") for task in tasks)
    if alike := [task for task in tasks if identifiers[task.replace("-", "_")] > 1]:
        problems.append(
            f"expected task names that differ in more than - and _, found {short_list(alike)}; "
            "rename one of them"
        )
    return problems


def _grow(node: str | tuple[list[Any], int], placed: int, depth: int) -> Branch:
    """Branch of a task name, or of a group: its members and the depth that they share."""
    if isinstance(node, str):
        return Branch((placed + 1, depth) if placed < depth else None, (node,))
    members, last = node
    children = tuple(_grow(member, last, depth) for member in members)
    blocks = (placed + 1, last) if last != placed else None
    return Branch(blocks, tuple(sorted(t for c in children for t in c.tasks)), children)


@dataclass(frozen=True)
class SharingTree:
    """A tree of branches over an encoder of ``depth`` blocks, 1 to 1000, always in canonical form.

    Two trees that share the same blocks between the same tasks are equal, whatever the order
    in which tasks and children were given. A root without blocks means that all tasks share none.

    Raises
    ------
    TreeError
        If a path does not hold the blocks 1..D once and in order, if a leaf has other than one
        task, if a task occurs twice or has an unusable name, or there are more than 100; also if
        what a tree is read from has another form, and on a question about a task or a depth that
        the tree does not have.
    """

    root: Branch
    depth: int

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= limits.BLOCKS:
            raise TreeError(
                f"expected an encoder of at least one block and at most {limits.BLOCKS}, "
                f"found {quoted(self.depth)}"
            )
        _check(self.root, 0, self.depth)
        counts = Counter(self.root.tasks)
        if repeated := [task for task, count in counts.items() if count > 1]:
            raise TreeError(f"expected every task once, found {short_list(repeated)} repeatedly")
        if problems := task_problems(counts):
            raise TreeError(problems[0])
        object.__setattr__(self, "root", _canonical(self.root))

    # -- making ---------------------------------------------------------------------------

    @classmethod
    def single(cls, task: str, depth: int) -> SharingTree:
        """The tree of a single-task model."""
        return cls(Branch((1, depth), (task,)), depth)

    @classmethod
    def flat(cls, tasks: Sequence[str], shared: int, depth: int) -> SharingTree:
        """All ``tasks`` share the blocks 1..``shared``; nothing else is shared.

        With two tasks this is a pair of the sweep, with ``shared = 0`` independent models.
        """
        if not 0 <= shared <= depth:
            raise TreeError(f"expected a shared depth of 0..{depth}, found {shared}")
        return cls(_grow((list(tasks), shared), 0, depth), depth)

    @classmethod
    def parse(cls, notation: str, depth: int = DEFAULT_DEPTH) -> SharingTree:
        """Inverse of `notation`, for example ``{{gc,ac}@8,{scr,vad}@8}@6``."""
        tokens = [*re.findall(r"[{},]|@[0-9]+|[A-Za-z][A-Za-z0-9_-]*|\S", notation), ""]
        tokens.reverse()

        def take(pattern: str, expected: str) -> str:
            if not re.fullmatch(pattern, tokens[-1]):
                found = tokens[-1] or "the end"
                raise TreeError(
                    f"tree notation {quoted(notation)}: expected {expected}, found {quoted(found)}"
                )
            return tokens.pop()

        def node(level: int) -> Any:
            _check_nesting(level)
            if tokens[-1] != "{":
                return take(r"[A-Za-z].*", "a task name or a group")
            tokens.pop()
            children = [node(level + 1)]
            while tokens[-1] not in ("}", ""):
                if re.match("[A-Za-z{,]", tokens[-1]):
                    take(",", "a comma")
                children.append(node(level + 1))
            take("}", "the end of the group")
            # more digits than any depth has are not read
            return children, int(take(r"@[0-9]{1,9}", "@ and the shared depth of the group")[1:])

        tree = node(1)
        take("", "the end")
        return cls(_grow(tree, 0, depth), depth)

    # -- reading --------------------------------------------------------------------------

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, sorted by name."""
        return self.root.tasks

    def branches(self) -> tuple[Branch, ...]:
        """All branches, parents before children."""
        return tuple(self.root.walk())

    def names(self) -> dict[Branch, str]:
        """A unique identifier for each branch that holds blocks.

        The trunk shared by several tasks is ``shared_1_6``; any other branch is named after its
        tasks and blocks, for example ``gc_ac_7_8``.
        """
        names: dict[Branch, str] = {}
        taken: set[str] = set()
        for branch in self.branches():
            if branch.blocks is None:
                continue
            trunk = branch is self.root and branch.children
            stem = "shared" if trunk else "_".join(branch.tasks).replace("-", "_")
            name = f"{stem}_{branch.blocks[0]}_{branch.blocks[1]}"
            while name in taken:  # as those of the task a_b and of the tasks a and b
                name += "_"
            taken.add(name)
            names[branch] = name
        return names

    def path(self, task: str) -> tuple[Branch, ...]:
        """Branches from the root to the leaf of ``task``."""
        if task not in self._paths:
            raise TreeError(f"expected one of {short_list(self.tasks)}, found task {quoted(task)}")
        return self._paths[task]

    @cached_property
    def _paths(self) -> dict[str, tuple[Branch, ...]]:
        found: dict[str, tuple[Branch, ...]] = {}

        def follow(branch: Branch, above: tuple[Branch, ...]) -> None:
            path = (*above, branch)
            if branch.is_leaf:
                found[branch.tasks[0]] = path
            for child in branch.children:
                follow(child, path)

        follow(self.root, ())
        return found

    def shared_depth(self, task_a: str, task_b: str) -> int:
        """Number of blocks that two tasks share, 0..D."""
        pairs = zip(self.path(task_a), self.path(task_b), strict=False)
        return sum(len(a.block_numbers) for a, b in pairs if a is b)

    def cost(self, block_costs: Sequence[float]) -> float:
        """Cost of all branches without decoders, from that of the blocks 1..D, such as MACs."""
        if len(block_costs) != self.depth:
            raise TreeError(f"expected {self.depth} block costs, found {len(block_costs)}")
        return sum(block_costs[n - 1] for b in self.branches() for n in b.block_numbers)

    # -- other forms ----------------------------------------------------------------------

    def notation(self, order: Sequence[str] = ()) -> str:
        """One line: a group in braces, followed by the number of blocks that it shares.

        Tasks are written in ``order``, or sorted.
        """

        def write(branch: Branch) -> str:
            if branch.is_leaf:
                return branch.tasks[0]
            inside = ",".join(write(child) for child in _ordered(branch, order))
            return f"{{{inside}}}@{branch.blocks[1] if branch.blocks else 0}"

        return write(self.root)

    def ascii(self, order: Sequence[str] = ()) -> str:
        """Drawing for the terminal, one branch a line."""
        lines: list[str] = []

        def draw(branch: Branch, stem: str, continuation: str) -> None:
            if branch.blocks is None:
                blocks = "no shared block" if branch.children else "decoder only"
            elif branch.blocks[0] == branch.blocks[1]:
                blocks = f"block {branch.blocks[0]}"
            else:
                blocks = f"blocks {branch.blocks[0]}-{branch.blocks[1]}"
            lines.append(f"{stem}[{blocks}]" + (f" -> {branch.tasks[0]}" if branch.is_leaf else ""))
            children = _ordered(branch, order)
            for child in children:
                stem, further = ("└─ ", "   ") if child is children[-1] else ("├─ ", "│  ")
                draw(child, continuation + stem, continuation + further)

        draw(self.root, "", "")
        return "\n".join(lines)

    def __repr__(self) -> str:
        blocks = "" if self.depth == DEFAULT_DEPTH else f", {self.depth}"
        return f"SharingTree.parse({self.notation()!r}{blocks})"

    def _repr_html_(self) -> str | None:
        return drawing(self)

    def to_json(self) -> dict[str, Any]:
        """``{"depth": D, "root": branch}``.

        A branch is ``{"blocks": [first, last] or null, "tasks": [...], "children": [...]}``.
        """
        return {"depth": self.depth, "root": json.loads(json.dumps(asdict(self.root)))}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SharingTree:
        """Inverse of `to_json`."""

        def read(node: Any, level: int = 1) -> Branch:
            _check_nesting(level)
            match node:
                case {"blocks": blocks, "tasks": [*tasks], "children": [*children]}:
                    pass
                case _:
                    raise TreeError(
                        "tree: expected a branch with blocks, tasks and children, found "
                        f"{quoted(node)}"
                    )
            if not all(isinstance(task, str) for task in tasks):
                raise TreeError(f"tree: expected task names, found {quoted(tasks)}")
            match blocks:
                case None:
                    run = None
                case [first, last] if type(first) is type(last) is int:
                    run = (first, last)
                case _:
                    raise TreeError(
                        f"tree: expected blocks as [first, last] or null, found {quoted(blocks)}"
                    )
            below = tuple(read(child, level + 1) for child in children)
            return Branch(run, tuple(sorted(tasks)), below)

        match data:
            case {"depth": int(depth), "root": root} if depth is not True:
                return cls(read(root), depth)
            case _:
                raise TreeError("tree: expected an object with the keys depth and root")


def _ordered(branch: Branch, order: Sequence[str]) -> list[Branch]:
    """Children by the place of their first task in ``order``; as they are without an order."""
    rank = {task: place for place, task in enumerate(order)}
    return sorted(
        branch.children, key=lambda child: min(rank.get(t, len(rank)) for t in child.tasks)
    )

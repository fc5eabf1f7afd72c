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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from synergy.errors import TreeError

_TASK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

MAX_NESTING = 100
"""Branches on one path of what is read from outside; a tree in use has a few."""


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


def _check(branch: Branch, placed: int, depth: int) -> None:
    """Raise TreeError unless ``branch`` continues after block ``placed`` and its leaves reach D."""
    where = f"branch of {', '.join(branch.tasks) or 'no task'}"
    if branch.blocks is not None:
        first, last = branch.blocks
        if first != placed + 1 or last < first:
            raise TreeError(
                f"{where}: expected blocks to start at {placed + 1} and to be in order, "
                f"found {first}..{last}"
            )
        placed = last
    if branch.is_leaf:
        if len(branch.tasks) != 1:
            raise TreeError(f"{where}: a leaf carries exactly one task, found {len(branch.tasks)}")
        if placed != depth:
            raise TreeError(f"{where}: the path ends at block {placed}, expected {depth}")
        return
    below = sorted(task for child in branch.children for task in child.tasks)
    if sorted(branch.tasks) != below:
        raise TreeError(f"{where}: its children carry {', '.join(below)}")
    for child in branch.children:
        _check(child, placed, depth)


def _check_nesting(level: int) -> None:
    """Refuse what would exhaust the stack of calls."""
    if level > MAX_NESTING:
        raise TreeError(f"tree: expected at most {MAX_NESTING} branches inside each other")


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
    """A tree of branches over an encoder of ``depth`` blocks, D >= 1, always in canonical form.

    Two trees that share the same blocks between the same tasks are equal, whatever the order
    in which tasks and children were given. A root without blocks means that all tasks share none.

    Raises
    ------
    TreeError
        If a path does not hold the blocks 1..D once and in order, if a leaf has other than one
        task, or if a task occurs twice or has an unusable name; also if what a tree is read from
        has another form, and on a question about a task or a depth that the tree does not have.
    """

    root: Branch
    depth: int

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise TreeError(f"expected an encoder of at least one block, found {self.depth}")
        _check(self.root, 0, self.depth)
        root = _canonical(self.root)
        if repeated := [task for task, count in Counter(root.tasks).items() if count > 1]:
            raise TreeError(f"expected every task once, found {', '.join(repeated)} repeatedly")
        identifiers = Counter(task.replace("-", "_") for task in root.tasks)
        if alike := [t for t in root.tasks if identifiers[t.replace("-", "_")] > 1]:
            raise TreeError(
                f"expected task names that differ in more than - and _, found {', '.join(alike)}; "
                "rename one of them"
            )
        for task in root.tasks:
            if not _TASK_NAME.fullmatch(task):
                raise TreeError(
                    f"task name {task!r}: expected a letter followed by letters, digits, _ or -"
                )
        object.__setattr__(self, "root", root)

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
    def parse(cls, notation: str, depth: int) -> SharingTree:
        """Inverse of `notation`, for example ``{{gc,ac}@8,{scr,vad}@8}@6`` with ``depth=8``."""
        tokens = [*re.findall(r"[{},]|@\d+|[A-Za-z][\w-]*|\S", notation), ""]
        tokens.reverse()

        def take(pattern: str, expected: str) -> str:
            if not re.fullmatch(pattern, tokens[-1]):
                found = tokens[-1] or "the end"
                raise TreeError(f"tree notation {notation!r}: expected {expected}, found {found!r}")
            return tokens.pop()

        def node(level: int) -> Any:
            _check_nesting(level)
            if tokens[-1] != "{":
                return take(r"[A-Za-z][\w-]*", "a task name or a group")
            tokens.pop()
            children = [node(level + 1)]
            while tokens[-1] not in ("}", ""):
                if re.match("[A-Za-z{,]", tokens[-1]):
                    take(",", "a comma")
                children.append(node(level + 1))
            take("}", "the end of the group")
            return children, int(take(r"@\d+", "@ and the shared depth of the group")[1:])

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
        for branch in self.branches():
            if branch.blocks is None:
                continue
            trunk = branch is self.root and branch.children
            stem = "shared" if trunk else "_".join(branch.tasks).replace("-", "_")
            name = f"{stem}_{branch.blocks[0]}_{branch.blocks[1]}"
            while name in names.values():  # task names such as a-b and a_b collide
                name += "_"
            names[branch] = name
        return names

    def path(self, task: str) -> tuple[Branch, ...]:
        """Branches from the root to the leaf of ``task``."""
        if task not in self.tasks:
            raise TreeError(f"expected one of {', '.join(self.tasks)}, found task {task!r}")
        path = [self.root]
        while not path[-1].is_leaf:
            path.append(next(c for c in path[-1].children if task in c.tasks))
        return tuple(path)

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
                        f"tree: expected a branch with blocks, tasks and children, found {node!r}"
                    )
            if not all(isinstance(task, str) for task in tasks):
                raise TreeError(f"tree: expected task names, found {tasks!r}")
            match blocks:
                case None:
                    run = None
                case [first, last] if type(first) is type(last) is int:
                    run = (first, last)
                case _:
                    raise TreeError(
                        f"tree: expected blocks as [first, last] or null, found {blocks!r}"
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

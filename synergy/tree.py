"""Sharing trees: which tasks share which blocks of the encoder. The vocabulary of the package.

The encoder is an ordered list of blocks 1..D. A `Branch` holds a run of blocks that the tasks
below it share; on every path from the root to a leaf the blocks 1..D occur once, in order.
Every model is such a tree: a single-task model has one leaf, a pair that shares d blocks has
two leaves under blocks 1..d, a flat model is a trunk with n leaves.

This module imports no torch, so that trees can be searched, drawn and stored without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from synergy.errors import TreeError

_TASK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Branch:
    """A run of blocks and what grows on it.

    Attributes
    ----------
    blocks : tuple of int, or None
        First and last block, both included and counted from 1; None for no block.
    tasks : tuple of str
        All tasks below, sorted by name.
    children : tuple of Branch
        Empty for a leaf, which has one task.
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

    @property
    def name(self) -> str:
        """Identifier such as ``shared_1_6``, ``gc_ac_7_8`` or ``gc``; see `SharingTree.names`."""
        stem = "_".join(re.sub(r"\W", "_", task) for task in self.tasks)
        return stem if self.blocks is None else f"{stem}_{self.blocks[0]}_{self.blocks[1]}"

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
    """A tree of branches over an encoder of ``depth`` blocks, always in canonical form.

    Two trees that share the same blocks between the same tasks are equal, whatever the order
    in which tasks and children were given.

    Parameters
    ----------
    root : Branch
        The root may have no blocks: then nothing is shared by all tasks.
    depth : int
        Number of blocks of the encoder, D >= 1.

    Raises
    ------
    TreeError
        If a path does not hold the blocks 1..D once and in order, if a leaf has other than one
        task, or if a task occurs twice or has an unusable name.
    """

    root: Branch
    depth: int

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise TreeError(f"expected an encoder of at least one block, found {self.depth}")
        _check(self.root, 0, self.depth)
        root = _canonical(self.root)
        _check(root, 0, self.depth)
        repeated = sorted({t for t in root.tasks if root.tasks.count(t) > 1})
        if repeated:
            raise TreeError(f"expected every task once, found {', '.join(repeated)} repeatedly")
        identifiers = [task.replace("-", "_") for task in root.tasks]
        alike = [
            t for t, i in zip(root.tasks, identifiers, strict=True) if identifiers.count(i) > 1
        ]
        if alike:
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
        """Inverse of `notation`, for example ``{{gc,ac}@8,{scr,vad}@8}@6`` with ``depth=8``.

        Raises
        ------
        TreeError
            If the text does not follow the notation or does not describe a sharing tree.
        """
        tokens = re.findall(r"[{},]|@\d+|[A-Za-z][\w-]*|\S", notation)
        position = 0

        def fail(expected: str) -> TreeError:
            found = tokens[position] if position < len(tokens) else "the end"
            return TreeError(f"tree notation {notation!r}: expected {expected}, found {found!r}")

        def take(pattern: str, expected: str) -> str:
            nonlocal position
            if position >= len(tokens) or not re.fullmatch(pattern, tokens[position]):
                raise fail(expected)
            position += 1
            return tokens[position - 1]

        def node() -> Any:
            if position < len(tokens) and tokens[position] == "{":
                take("{", "a group")
                children = [node()]
                while position < len(tokens) and tokens[position] != "}":
                    if tokens[position] == ",":
                        take(",", "a comma")
                    children.append(node())
                take("}", "the end of the group")
                return children, int(take(r"@\d+", "@ and the shared depth of the group")[1:])
            return take(r"[A-Za-z][\w-]*", "a task name or a group")

        tree = node()
        if position != len(tokens):
            raise fail("the end")
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
            name = branch.name
            if branch is self.root and branch.children:
                name = f"shared_{branch.blocks[0]}_{branch.blocks[1]}"
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
        """Cost of all branches, from the cost of each block.

        Parameters
        ----------
        block_costs : sequence of float, length D
            Parameters, MACs or any other cost of the blocks 1..D.

        Returns
        -------
        float
            Sum over branches and their blocks; decoders are not counted.
        """
        if len(block_costs) != self.depth:
            raise TreeError(f"expected {self.depth} block costs, found {len(block_costs)}")
        return sum(block_costs[n - 1] for b in self.branches() for n in b.block_numbers)

    # -- other forms ----------------------------------------------------------------------

    def notation(self, order: Sequence[str] = ()) -> str:
        """One line: a group in braces, followed by the number of blocks that it shares.

        Parameters
        ----------
        order : sequence of str, optional
            Order in which tasks are written; the sorted order by default.
        """
        rank = {task: i for i, task in enumerate(order or self.tasks)}

        def write(branch: Branch, placed: int) -> str:
            if branch.is_leaf:
                return branch.tasks[0]
            last = placed if branch.blocks is None else branch.blocks[1]
            inside = ",".join(write(child, last) for child in _ordered(branch, rank))
            return f"{{{inside}}}@{last}"

        return write(self.root, 0)

    def ascii(self, order: Sequence[str] = ()) -> str:
        """Drawing for the terminal, one branch a line."""
        rank = {task: i for i, task in enumerate(order or self.tasks)}
        lines: list[str] = []

        def label(branch: Branch) -> str:
            if branch.blocks is None:
                blocks = "no shared block" if branch.children else "decoder only"
            elif branch.blocks[0] == branch.blocks[1]:
                blocks = f"block {branch.blocks[0]}"
            else:
                blocks = f"blocks {branch.blocks[0]}-{branch.blocks[1]}"
            return f"[{blocks}]" + (f" -> {branch.tasks[0]}" if branch.is_leaf else "")

        def draw(branch: Branch, stem: str, continuation: str) -> None:
            lines.append(stem + label(branch))
            children = _ordered(branch, rank)
            for child in children:
                last = child is children[-1]
                draw(
                    child,
                    continuation + ("└─ " if last else "├─ "),
                    continuation + ("   " if last else "│  "),
                )

        draw(self.root, "", "")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """``{"depth": D, "root": branch}``.

        A branch is ``{"blocks": [first, last] or null, "tasks": [...], "children": [...]}``.
        """

        def write(branch: Branch) -> dict[str, Any]:
            return {
                "blocks": None if branch.blocks is None else list(branch.blocks),
                "tasks": list(branch.tasks),
                "children": [write(child) for child in branch.children],
            }

        return {"depth": self.depth, "root": write(self.root)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SharingTree:
        """Inverse of `to_json`.

        Raises
        ------
        TreeError
            If a key is missing, a value has another type or the tree is not valid.
        """

        def read(node: Any) -> Branch:
            match node:
                case {"blocks": blocks, "tasks": [*tasks], "children": [*children]}:
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
                    return Branch(run, tuple(sorted(tasks)), tuple(read(c) for c in children))
                case _:
                    raise TreeError(
                        f"tree: expected a branch with blocks, tasks and children, found {node!r}"
                    )

        match data:
            case {"depth": int(depth), "root": root} if depth is not True:
                return cls(read(root), depth)
            case _:
                raise TreeError("tree: expected an object with the keys depth and root")

    def to_networkx(self) -> nx.DiGraph:
        """Directed graph from the root to the leaves.

        Nodes are numbered in the order of `branches` and carry ``blocks`` and ``tasks``.
        """
        graph = nx.DiGraph()
        numbers = {id(branch): i for i, branch in enumerate(self.branches())}
        for branch in self.branches():
            graph.add_node(numbers[id(branch)], blocks=branch.blocks, tasks=branch.tasks)
            for child in branch.children:
                graph.add_edge(numbers[id(branch)], numbers[id(child)])
        return graph


def _ordered(branch: Branch, rank: Mapping[str, int]) -> list[Branch]:
    """Children by the rank of their first task."""
    return sorted(
        branch.children, key=lambda child: min(rank.get(t, len(rank)) for t in child.tasks)
    )

"""Sharing trees as nested groups, and the trees that are one step away from one.

A node is the number of a task, or a group: a level and two or more nodes. The level is a place
among the depths of a table, where 0 says that nothing is shared and n stands for the n-th depth.
A group inside a group has the higher level. Groups are tuples, so equal trees are equal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from synergy.errors import TableError
from synergy.tree import Branch, SharingTree
from synergy.wording import short_list

Group = tuple[int, tuple["Node", ...]]
Node = int | Group


def group_of(level: int, nodes: Sequence[Node]) -> Node:
    """A group in its one form: what shares no more than the group is part of it, in order."""
    children: list[Node] = []
    for node in nodes:
        lifted = not isinstance(node, int) and node[0] <= level
        children += node[1] if lifted else [node]  # type: ignore[index]
    if len(children) == 1:
        return children[0]
    return level, tuple(sorted(children, key=first_task))


def first_task(node: Node) -> int:
    """The smallest number of a task in a node."""
    return node if isinstance(node, int) else first_task(node[1][0])


def tasks_of(node: Node) -> Iterator[int]:
    """The numbers of all tasks in a node."""
    if isinstance(node, int):
        yield node
    else:
        for child in node[1]:
            yield from tasks_of(child)


def shared_levels(node: Node) -> Iterator[tuple[int, int, int]]:
    """For every two tasks in a node, the smaller number first, the level that they share."""
    if isinstance(node, int):
        return
    level, children = node
    for one, other in itertools.combinations([tuple(tasks_of(child)) for child in children], 2):
        for i, j in itertools.product(one, other):
            yield min(i, j), max(i, j), level
    for child in children:
        yield from shared_levels(child)


def saving(node: Node, saved: Sequence[float]) -> float:
    """What a node saves against separate encoders; ``saved`` is the cost down to each level."""
    if isinstance(node, int):
        return 0.0
    level, children = node
    return (len(children) - 1) * saved[level] + sum(saving(child, saved) for child in children)


def neighbours(tree: Group, deepest: int) -> Iterator[Group]:
    """Trees one step away: a group one level deeper or shallower, merged, or split.

    Merged: two nodes of a group form one of their own, a level deeper. Split: a node leaves its
    group for the one above.
    """
    for nodes in _forms(tree, deepest):
        found = nodes[0] if len(nodes) == 1 else group_of(tree[0] - 1, nodes)
        if not isinstance(found, int) and found != tree:
            yield found


def _forms(group: Group, deepest: int) -> Iterator[tuple[Node, ...]]:
    """What may stand in the place of a group: one node, or two that the group above takes."""
    level, children = group
    if level < deepest:
        yield (group_of(level + 1, children),)
    if level > 0:
        yield (group_of(level - 1, children),)
    for place, child in enumerate(children):
        rest = children[:place] + children[place + 1 :]
        if level > 0:
            yield group_of(level, rest), child
        if level < deepest and len(children) > 2:
            for other in range(place, len(rest)):
                joined = group_of(level + 1, (child, rest[other]))
                yield (group_of(level, (*rest[:other], *rest[other + 1 :], joined)),)
        if not isinstance(child, int):
            for nodes in _forms(child, deepest):
                yield (group_of(level, (*rest, *nodes)),)


def from_tree(tree: SharingTree, tasks: Sequence[str], depths: Sequence[int]) -> Group:
    """The groups of a sharing tree of all ``tasks``, two at least.

    A TableError is raised if it has other tasks, or shares a depth that is not 0 or of ``depths``.
    """
    if set(tree.tasks) != set(tasks):
        raise TableError(
            f"expected a tree of the tasks {short_list(tasks)}, found one of "
            f"{short_list(tree.tasks)}"
        )
    levels = (0, *depths)

    def node(branch: Branch, above: int) -> Node:
        if branch.is_leaf:
            return tasks.index(branch.tasks[0])
        shared = branch.blocks[1] if branch.blocks else above
        if shared not in levels:
            raise TableError(
                f"expected a tree that shares {short_list(map(str, levels))} blocks, as the table "
                f"has them, found {shared} of {short_list(branch.tasks)}"
            )
        return group_of(levels.index(shared), [node(child, shared) for child in branch.children])

    found = node(tree.root, 0)
    assert not isinstance(found, int)
    return found


def to_tree(group: Group, tasks: Sequence[str], depths: Sequence[int], blocks: int) -> SharingTree:
    """The sharing tree of groups, of an encoder with so many blocks."""

    def text(node: Node) -> str:
        if isinstance(node, int):
            return tasks[node]
        return f"{{{','.join(map(text, node[1]))}}}@{(0, *depths)[node[0]]}"

    return SharingTree.parse(text(group), blocks)

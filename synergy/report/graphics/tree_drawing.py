"""A sharing tree, drawn so that the inked area is the number of parameters.

Blocks run from the top, where the features come in, to the decoders at the bottom. Each block is
a bar whose width is proportional to its parameters, on one scale for the whole report: what is
shared is drawn once, so the tree of less ink is the smaller one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from synergy.report.graphics.svg import add, svg, text, text_of
from synergy.tree import Branch, SharingTree

_ROW = 24  # pixels from block to block
_FORK = 16  # more where a branch forks
_BAR = 19  # height of a block
_TOP = 30
_WIDEST = 66  # pixels of the largest block or decoder
_COLUMN = 72
_LEFT = 14
_LABELLED = 34  # bars from this width on hold their number
_SHADES = 5


@dataclass(frozen=True)
class Column:
    """A branch with the x of its middle."""

    branch: Branch
    middle: float
    children: tuple[Column, ...]


def tree_svg(
    tree: SharingTree,
    order: Sequence[str],
    block_params: Sequence[float],
    head_params: Mapping[str, float],
) -> str:
    """Draw a tree.

    Parameters
    ----------
    tree : SharingTree
    order : sequence of str
        Order of the tasks from left to right, as far as the tree allows it.
    block_params : sequence of float, length D
        Of the blocks 1..D.
    head_params : mapping of task to float
        Of the decoders; {} where they are not known, then only their names are written.
    """
    rank = {task: place for place, task in enumerate(order)}
    root, _ = _columns(tree.root, rank, _LEFT)
    rows = _Rows(tree)
    width = _LEFT + _COLUMN * len(tree.tasks) + 4
    height = rows.decoders + (44 if head_params else 22)
    scale = _WIDEST / max([*block_params, *head_params.values(), 1.0])
    image = svg(width, height, tree.notation(order), _about(tree, block_params), "tree")
    for block in range(1, tree.depth + 1):
        y = rows.top(block) + _BAR / 2 + 4
        text(image, "row", 7, y, str(block))
    text(image, "row", root.middle, 12, "features")
    _stems(image, root, (root.middle, 16.0), rows)
    _bars(image, root, block_params, scale, rows)
    for leaf in _leaves(root):
        _decoder(image, leaf, head_params, scale, rows.decoders)
    return text_of(image)


class _Rows:
    """Where the blocks of a tree stand, with more room below those at which it forks."""

    def __init__(self, tree: SharingTree) -> None:
        ends = [branch.blocks[1] if branch.blocks else 0 for branch in tree.branches()]
        inner = [not branch.is_leaf for branch in tree.branches()]
        self._forks = sorted({end for end, fork in zip(ends, inner, strict=True) if fork})
        self.decoders = self.top(tree.depth + 1)

    def top(self, block: int) -> float:
        """Upper edge of a block; of the decoders for the block after the last."""
        return _TOP + _ROW * (block - 1) + _FORK * sum(fork < block for fork in self._forks)

    def end(self, block: int) -> float:
        """Lower edge of a block."""
        return self.top(block) + _BAR


def _columns(branch: Branch, rank: Mapping[str, int], left: float) -> tuple[Column, float]:
    """Place a branch; returns it and the x right of it."""
    if branch.is_leaf:
        return Column(branch, left + _COLUMN / 2, ()), left + _COLUMN
    children: list[Column] = []

    def first(child: Branch) -> int:
        return min(rank.get(task, len(rank)) for task in child.tasks)

    for child in sorted(branch.children, key=first):
        placed, left = _columns(child, rank, left)
        children.append(placed)
    middle = (children[0].middle + children[-1].middle) / 2
    return Column(branch, middle, tuple(children)), left


def _leaves(column: Column) -> list[Column]:
    if not column.children:
        return [column]
    return [leaf for child in column.children for leaf in _leaves(child)]


def _stems(image: Element, column: Column, start: tuple[float, float], rows: _Rows) -> None:
    """Lines behind the bars, from where the branch above ends to where this one ends."""
    blocks, x, end = column.branch.blocks, column.middle, start[1]
    if blocks is not None or column.branch.is_leaf:  # all but a root that shares nothing
        top = rows.decoders if blocks is None else rows.top(blocks[0])
        end = rows.decoders if column.branch.is_leaf or blocks is None else rows.end(blocks[1])
        half = (start[1] + top) / 2
        path = f"M{start[0]:.1f} {start[1]:.1f}C{start[0]:.1f} {half:.1f} {x:.1f} {half:.1f} "
        add(image, "path", {"class": "stem", "d": f"{path}{x:.1f} {top:.1f}V{end:.1f}"})
    for child in column.children:
        _stems(image, child, (x, end), rows)


def _bars(
    image: Element, column: Column, params: Sequence[float], scale: float, rows: _Rows
) -> None:
    branch = column.branch
    if branch.blocks is not None:
        shade = min(len(branch.tasks), _SHADES)
        group = add(image, "g", {"class": f"branch by{shade}"})
        add(group, "title", words=_sentence(branch, params))
        for block in branch.block_numbers:
            _bar(group, column.middle, rows.top(block), params[block - 1], scale)
    for child in column.children:
        _bars(image, child, params, scale, rows)


def _decoder(
    image: Element, leaf: Column, params: Mapping[str, float], scale: float, y: float
) -> None:
    task = leaf.branch.tasks[0]
    size = params.get(task)
    group = add(image, "g", {"class": "decoder"})
    if size is not None:
        add(group, "title", words=f"decoder of {task}: {size:,.0f}")
        _bar(group, leaf.middle, y, size, scale)
        y += _BAR
    text(group, "task", leaf.middle, y + 15, task if len(task) <= 11 else f"{task[:10]}…")


def _bar(group: Element, middle: float, y: float, size: float, scale: float) -> None:
    """What holds so many parameters, with their number where it fits."""
    width = max(size * scale, 2)
    place = {"x": middle - width / 2, "y": y, "width": width, "height": _BAR}
    add(group, "rect", {**place, "rx": min(3.0, width / 2)})
    if width >= _LABELLED:
        add(group, "text", {"x": middle, "y": y + _BAR / 2 + 4}, f"{size:,.0f}")


def _sentence(branch: Branch, params: Sequence[float]) -> str:
    first, last = branch.blocks or (0, 0)
    which = f"block {first}" if first == last else f"blocks {first}-{last}"
    total = sum(params[n - 1] for n in branch.block_numbers)
    whose = "shared by" if len(branch.tasks) > 1 else "of"
    return f"{which} {whose} {', '.join(branch.tasks)}: {total:,.0f}"


def _about(tree: SharingTree, params: Sequence[float]) -> str:
    parts = [_sentence(branch, params) for branch in tree.branches() if branch.blocks]
    return f"{'; '.join(parts)} parameters"

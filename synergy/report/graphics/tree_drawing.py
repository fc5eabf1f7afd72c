"""A sharing tree, drawn so that the inked area is the number of parameters.

Blocks run from the top, where the features come in, to the decoders at the bottom. Each block is
a bar whose width is proportional to its parameters, on one scale for the whole report: what is
shared is drawn once, so the tree of less ink is the smaller one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
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


def tree_svg(
    tree: SharingTree,
    order: Sequence[str],
    block_params: Sequence[float] = (),
    head_params: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """Draw a tree.

    Parameters
    ----------
    tree : SharingTree
    order : sequence of str
        Of the tasks from left to right, as far as the tree allows it.
    block_params : sequence of float, length D
        () where they are not known; then all bars are as wide, without a number.
    head_params : mapping of task to float
        {} where decoders are not known; then only their names are written.
    """
    rank = {task: place for place, task in enumerate(order)}
    middles: dict[tuple[str, ...], float] = {}
    _place(tree.root, rank, middles)
    top = middles[tree.root.tasks]
    tops = _tops(tree)
    width = _LEFT + _COLUMN * len(tree.tasks) + 4
    height = tops[-1] + (44 if head_params else 22)
    sized = bool(block_params)
    sizes = block_params or [1.0] * tree.depth
    scale = _WIDEST / max([*sizes, *head_params.values(), 1.0])
    image = svg(width, height, tree.notation(order), _about(tree, block_params), "tree")
    for block, y in enumerate(tops[:-1], 1):
        text(image, "row", 7, y + _BAR / 2 + 4, str(block))
    text(image, "row", top, 12, "features")
    _stems(image, tree.root, (top, 16.0), tops, middles)
    branches = sorted(tree.branches(), key=lambda branch: middles[branch.tasks])
    for branch in branches:
        if branch.blocks is not None:
            group = add(image, "g", {"class": f"branch by{min(len(branch.tasks), _SHADES)}"})
            add(group, "title", words=_sentence(branch, block_params))
            for block in branch.block_numbers:
                at = middles[branch.tasks], tops[block - 1]
                _bar(group, *at, sizes[block - 1], scale, sized)
    for branch in branches:
        if branch.is_leaf:
            (task,), middle = branch.tasks, middles[branch.tasks]
            _decoder(image, task, middle, head_params.get(task), scale, tops[-1])
    return text_of(image)


def _tops(tree: SharingTree) -> list[float]:
    """Upper edges of the blocks, then of the decoders, with more room below forks."""
    inner = [branch for branch in tree.branches() if not branch.is_leaf]
    forks = {branch.blocks[1] if branch.blocks else 0 for branch in inner}
    above = range(tree.depth + 1)
    return [_TOP + _ROW * n + _FORK * sum(fork <= n for fork in forks) for n in above]


def _place(branch: Branch, rank: Mapping[str, int], middles: dict[tuple[str, ...], float]) -> float:
    """Find the middle of a branch and of all below it, leaf by leaf from the left."""

    def first(child: Branch) -> int:
        return min(rank.get(task, len(rank)) for task in child.tasks)

    if branch.is_leaf:
        middle = _LEFT + _COLUMN * (sum(len(tasks) == 1 for tasks in middles) + 0.5)
    else:
        below = [_place(c, rank, middles) for c in sorted(branch.children, key=first)]
        middle = (below[0] + below[-1]) / 2
    middles[branch.tasks] = middle
    return middle


def _stems(
    image: Element,
    branch: Branch,
    start: tuple[float, float],
    tops: Sequence[float],
    middles: Mapping[tuple[str, ...], float],
) -> None:
    """Lines behind the bars, from where the branch above ends to where this one ends."""
    blocks, x, end = branch.blocks, middles[branch.tasks], start[1]
    if blocks is not None or branch.is_leaf:  # all but a root that shares nothing
        top = tops[-1] if blocks is None else tops[blocks[0] - 1]
        end = tops[-1] if branch.is_leaf or blocks is None else tops[blocks[1] - 1] + _BAR
        half = (start[1] + top) / 2
        path = f"M{start[0]:.1f} {start[1]:.1f}C{start[0]:.1f} {half:.1f} {x:.1f} {half:.1f} "
        add(image, "path", {"class": "stem", "d": f"{path}{x:.1f} {top:.1f}V{end:.1f}"})
    for child in branch.children:
        _stems(image, child, (x, end), tops, middles)


def _decoder(
    image: Element, task: str, middle: float, size: float | None, scale: float, y: float
) -> None:
    group = add(image, "g", {"class": "decoder"})
    if size is not None:
        add(group, "title", words=f"decoder of {task}: {size:,.0f}")
        _bar(group, middle, y, size, scale)
        y += _BAR
    text(group, "task", middle, y + 15, task if len(task) <= 11 else f"{task[:10]}…")


def _bar(
    group: Element, middle: float, y: float, size: float, scale: float, sized: bool = True
) -> None:
    """What holds so many parameters, with their number where it is known and fits."""
    width = max(size * scale, 2)
    place = {"x": middle - width / 2, "y": y, "width": width, "height": _BAR}
    add(group, "rect", {**place, "rx": min(3.0, width / 2)})
    if sized and width >= _LABELLED:
        add(group, "text", {"x": middle, "y": y + _BAR / 2 + 4}, f"{size:,.0f}")


def _sentence(branch: Branch, params: Sequence[float]) -> str:
    first, last = branch.blocks or (0, 0)
    which = f"block {first}" if first == last else f"blocks {first}-{last}"
    whose = "shared by" if len(branch.tasks) > 1 else "of"
    total = f": {sum(params[n - 1] for n in branch.block_numbers):,.0f}" if params else ""
    return f"{which} {whose} {', '.join(branch.tasks)}{total}"


def _about(tree: SharingTree, params: Sequence[float]) -> str:
    parts = [_sentence(branch, params) for branch in tree.branches() if branch.blocks]
    return f"{'; '.join(parts)}{' parameters' if params else ''}"

"""The AR table and the trees that follow from it, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from synergy.cli.tables import Table, in_full, in_millions, rendered
from synergy.wording import REPORTED, counted, scaled, skipped_caveat

if TYPE_CHECKING:
    from synergy.certainty import Certainty
    from synergy.losses.estimates import LossEstimate
    from synergy.records import FrontierFile, TreeFile
    from synergy.synthesis.ar_table import ARTable
    from synergy.synthesis.cells import Cell

_SKIPPED = "-"
_SHOWN_TREES = 3
_SHOWN_CELLS = 4
# Below this share of resampled tables a tree is worth more trainings before it is relied on.
_SURE = 0.8


def ar_table(found: ARTable) -> Table:
    """Table 3: the AR of each pair at each shared depth, with its interval where it has one."""
    spread = any(cell.ar_low is not None for cell in found.cells)
    title = "AR % on validation, by number of shared blocks"
    rows = [
        [f"{a}, {b}", *(_shown(found.cell(a, b, depth)) for depth in found.depths)]
        for a, b in found.pairs()
    ]
    columns = ["pair", *map(str, found.depths)]
    return Table(title + (" [95 % interval]" if spread else ""), columns, rows, names=found.tasks)


def loss_table(found: Sequence[LossEstimate], table: ARTable) -> Table:
    """Signed losses of both tasks of each pair, estimated, with their intervals."""
    by_cell = {(each.task, each.partner, each.shared_depth): each for each in found}
    rows = [
        [
            f"{task} beside {partner}",
            *(_estimated(by_cell[task, partner, depth]) for depth in table.depths),
        ]
        for pair in table.pairs()
        for task, partner in (pair, pair[::-1])
    ]
    title = "Signed loss % of each task, estimated from all trainings [95 % interval]"
    return Table(title, ["task", *map(str, table.depths)], rows, names=table.tasks)


def _estimated(found: LossEstimate) -> str:
    return f"{found.estimate:+.1f} [{found.low:+.0f}, {found.high:+.0f}]"


def cell_notes(found: ARTable) -> list[str]:
    """What the table does not show: failed and skipped cells, and those with further seeds."""
    failed = [
        f"failed: {cell.label}: {cell.reason}" for cell in found.cells if cell.status == "failed"
    ]
    if failed:
        failed.append("Run the same command again to try the failed trainings once more.")
    reasons = Counter(cell.reason for cell in found.cells if cell.status == "skipped")
    skipped = [f"{_SKIPPED}: {counted(n, 'cell')} {reason}" for reason, n in reasons.items()]
    measured = [cell for cell in found.cells if cell.status == "measured"]
    fewest = min((cell.seeds for cell in measured), default=0)
    refined = [
        f"{cell.label}: {cell.seeds} seeds, the others {fewest}"
        for cell in measured
        if cell.seeds > fewest
    ]
    return [*failed, *skipped, *refined]


def tree_text(found: TreeFile, tasks: Sequence[str]) -> str:
    """Task graph, tree and sizes."""
    weights = Table(
        f"Blocks that a pair may share at AR <= {found.max_ar:g} %",
        ["pair", "blocks"],
        [[f"{pair.task_a}, {pair.task_b}", pair.blocks] for pair in found.weights],
        names=tasks,
    )
    optimal = " (provably optimal: no tree under these weights is smaller)"
    exact = found.exact_params
    lines = [
        *([f"AR table: {found.table}"] if found.table else []),
        f"tree: {found.notation}{scaled(found.width)}",
        f"encoder parameters: {found.encoder_params:,}"
        + (optimal if found.provably_optimal else ""),
        *(
            []  # a tree that came after that of the table
            if found.recursive_params is None
            else [
                f"  solver recursive: {in_full(found.recursive_params)}",
                "  solver exact: " + ("too many tasks for it" if exact is None else f"{exact:,}"),
            ]
        ),
        *(
            [f"  chosen for a confidence of {100 * found.confidence:g} %"]
            if found.confidence
            else []
        ),
        *([] if found.params is None else [f"parameters with decoders: {found.params:,}"]),
        f"predicted AR: {found.predicted_ar_pct:.1f} % (threshold {found.max_ar:g} %)",
    ]
    return "\n\n".join([rendered(weights), found.tree.ascii(tuple(tasks)), "\n".join(lines)])


def frontier_table(found: FrontierFile) -> Table:
    """Every tree that some threshold leads to, the least sharing first."""
    whole = all(row.params is not None for row in found.frontier)
    sizes = ["params", "MACs/s"] if whole else ["encoder params", "encoder MACs/s"]
    columns = ["number", "tree", "max AR %", *sizes, "predicted AR %"]
    if measured := any(row.measured for row in found.frontier):
        columns += [f"AR % {split}" for split in REPORTED]
    names = sorted({task for row in found.frontier for task in row.tree.tasks})
    rows: list[list[str | int | None]] = []
    for row in found.frontier:
        until = "and more" if row.max_ar_to is None else f"to {row.max_ar_to:.2f}"
        params, macs = (row.params, row.macs) if whole else (row.encoder_params, row.encoder_macs)
        cells = [row.number, row.notation, f"{row.max_ar_from:.2f} {until}", params]
        cells += [in_millions(macs), f"{row.predicted_ar_pct:.2f}"]
        if measured:
            own = row.measured
            ars = [own.ar_pct.get(split) if own else None for split in REPORTED]
            cells += [None if ar is None else f"{ar:.1f}" for ar in ars]
        rows.append(cells)
    return Table("Trees of all thresholds", columns, rows, words=(1,), names=names)


def stability_text(found: Certainty) -> str:
    """How probable the tree is, how often it comes out of resampled tables, and what decides it."""
    lines: list[str] = []
    if found.keeps is not None:
        lines.append(
            "pairs: every one keeps the threshold at the depth that it shares there with a "
            f"probability of {100 * found.keeps:.0f} %"
        )
    if found.tree_share is None:
        return "\n".join(lines)
    lines.append(
        f"stability: the same tree comes out of {100 * found.tree_share:.0f} % of "
        f"{found.samples:,} resampled tables"
    )
    for pair in found.pairs:
        chances = ", ".join(f"{d}: {100 * share:.0f} %" for d, share in pair.admissible.items())
        passes = f"passes at {chances}" if chances else "not measured"
        lines.append(f"  {pair.task_a}, {pair.task_b} (shares up to {pair.weight}): {passes}")
    if found.skipped:
        lines.append(f"  {skipped_caveat(found.skipped)}")
    if found.tree_share >= _SURE:
        return "\n".join(lines)
    lines += [f"  {100 * tree.share:.0f} %: {tree.notation}" for tree in found.trees[:_SHOWN_TREES]]
    if found.repeat:
        cells = [
            f"{cell.task_a}-{cell.task_b} at depth {cell.shared_depth} "
            f"({100 * cell.passes:.0f} % pass)"
            for cell in found.repeat[:_SHOWN_CELLS]
        ]
        lines.append(
            f"decided by: {', '.join(cells)}; `synergy pairwise --sweep adaptive` trains what "
            "tells most"
        )
    return "\n".join(lines)


def _shown(cell: Cell) -> str:
    if cell.status == "skipped":
        return _SKIPPED
    if cell.ar_pct is None:
        return "failed"
    if cell.ar_low is None or cell.ar_high is None:
        return f"{cell.ar_pct:.1f}"
    return f"{cell.ar_pct:.1f} [{cell.ar_low:.0f}, {cell.ar_high:.0f}]"

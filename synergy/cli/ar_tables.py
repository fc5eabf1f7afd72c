"""The AR table and what follows from it, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from synergy.cli.tables import SPLITS, in_millions, table_of

if TYPE_CHECKING:
    from synergy.stages.certainty import Certainty
    from synergy.stages.measure import Row
    from synergy.stages.search import FrontierRow
    from synergy.synthesis import ARTable, Synthesis
    from synergy.synthesis.cells import Cell

_SKIPPED = "-"
_SHOWN_TREES = 3
_SHOWN_CELLS = 4


def ar_table(found: ARTable) -> Table:
    """Table 3: the AR of each pair at each shared depth, with its interval where it has one."""
    columns = ["pair", *(str(depth) for depth in found.depths)]
    spread = any(cell.ar_low is not None for cell in found.cells)
    title = "AR % on validation, by number of shared blocks"
    table = table_of(title + (" [95 % interval]" if spread else ""), columns)
    for a, b in found.pairs():
        cells = [found.cell(a, b, depth) for depth in found.depths]
        table.add_row(f"{a}, {b}", *map(_shown, cells))
    return table


def cell_notes(found: ARTable) -> list[str]:
    """What the table does not show: failed, skipped and refined cells."""
    failed = [
        f"failed: {cell.label}: {cell.reason}" for cell in found.cells if cell.status == "failed"
    ]
    if failed:
        failed.append("Run the same command again to try the failed trainings once more.")
    reasons: dict[str, int] = {}
    for cell in found.cells:
        if cell.status == "skipped":
            reasons[cell.reason] = reasons.get(cell.reason, 0) + 1
    skipped = [
        f"{_SKIPPED}: {count} cell{'s' * (count > 1)} {reason}" for reason, count in reasons.items()
    ]
    measured = [cell for cell in found.cells if cell.status == "measured"]
    fewest = min((cell.seeds for cell in measured), default=0)
    refined = [
        f"{cell.label}: {cell.seeds} seeds, the others {fewest}"
        for cell in measured
        if cell.seeds > fewest
    ]
    return [*failed, *skipped, *refined]


def weights_table(found: Synthesis) -> Table:
    """The task graph: how many blocks each pair may share."""
    table = table_of(
        f"Blocks that a pair may share at AR <= {found.max_ar:g} %", ["pair", "blocks"]
    )
    for a, b, weight in found.weights:
        table.add_row(f"{a}, {b}", str(weight))
    return table


def frontier_table(
    rows: Sequence[FrontierRow], tasks: Sequence[str], measured: Mapping[int, Row]
) -> Table:
    """Every tree that some threshold leads to, the least sharing first."""
    columns = ["number", "tree", "max AR %", "params", "MACs/s", "predicted AR %"]
    if measured:
        columns += ["AR % valid", "AR % test"]
    table = table_of("Trees of all thresholds", columns, left=2)
    table.columns[0].justify = "right"
    for row in rows:
        until = "and more" if row.high is None else f"to {row.high:.2f}"
        found = [
            str(row.number),
            row.synthesis.tree.notation(tasks),
            f"{row.low:.2f} {until}",
            f"{row.params:,}",
            in_millions(row.macs),
            f"{row.synthesis.predicted_ar_pct:.2f}",
        ]
        if measured:
            own = measured.get(row.number)
            found += [f"{own.ar_pct[s]:.1f}" if own else "-" for s in SPLITS]
        table.add_row(*found)
    return table


def stability_text(found: Certainty) -> str:
    """How often the tree comes out of resampled tables, and what to repeat."""
    stable = found.stability
    lines = [
        f"stability: the same tree comes out of {100 * stable.tree_share:.0f} % of "
        f"{found.samples:,} resampled tables"
    ]
    for a, b, weight in found.weights:
        chances = ", ".join(f"{d}: {100 * p:.0f} %" for d, p in stable.admissible[a, b].items())
        passes = f"passes at {chances}" if chances else "not measured"
        lines.append(f"  {a}, {b} (shares up to {weight}): {passes}")
    if stable.caveat:
        lines.append(f"  {stable.caveat}")
    if found.is_sure:
        return "\n".join(lines)
    for notation, share in stable.trees[:_SHOWN_TREES]:
        lines.append(f"  {100 * share:.0f} %: {notation}")
    if stable.repeat:
        cells = [
            f"{a}-{b} at depth {depth} ({100 * cell.passes:.0f} % pass)"
            for cell in stable.repeat[:_SHOWN_CELLS]
            for a, b, depth in [cell.key]
        ]
        lines.append(
            f"repeat first: {', '.join(cells)}; `synergy pairwise --refine N` spends N trainings "
            "on such cells"
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

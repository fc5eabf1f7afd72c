"""Draw docs/paper_stability.svg: how sure the tree of the paper's table is under noise.

Usage: python docs/paper_figures.py [--check]

Gaussian noise on every cell stands for what one training of each pair leaves open. Deterministic;
``--check`` fails when the picture is not what the code draws.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from synergy.costs import Costs
from synergy.encoders import Cnn8
from synergy.network import costs
from synergy.synthesis import ARTable, Question, TaskGraph
from synergy.synthesis.exact import ExactSplits
from synergy.synthesis.resampling import noisy_samples
from synergy.synthesis.stability import stability
from synergy.synthesis.tree_search import TreeSearch

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "tests" / "data" / "paper" / "table3_pairwise_ar.csv"
PICTURE = ROOT / "docs" / "paper_stability.svg"

MAX_AR = 2.0
NOISE = tuple(step / 20 for step in range(21))
SAMPLES = 1000
SHOWN = 0.5

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 360, 56, 24, 150, 48
LINES = (("same tree", "#0072b2"), ("same size", "#d55e00"))


def shares(table: ARTable, sd: float, encoder: Costs) -> tuple[float, float]:
    """Share of noisy tables with the tree of the table, and with one of its size."""
    samples = noisy_samples(table, sd, SAMPLES, seed=0)
    found = stability(Question(MAX_AR), samples, encoder)
    own = size_of(table, np.array([cell.ar_pct for cell in table.cells]), encoder.block_params)
    sizes: dict[bytes, float] = {}
    same = 0
    for row in samples.ar:
        key = (row <= MAX_AR).tobytes()
        if key not in sizes:
            sizes[key] = size_of(table, row, encoder.block_params)
        same += sizes[key] == own
    return found.tree_share, same / len(samples.ar)


def size_of(table: ARTable, ar: np.ndarray, block_costs: tuple[int, ...]) -> float:
    """Size of the smallest encoder for other AR in the table's cells."""
    rows = (ar <= MAX_AR).reshape(-1, len(table.depths))
    depths = tuple(tuple(d for d, ok in zip(table.depths, row, strict=True) if ok) for row in rows)
    search = TreeSearch(ExactSplits, TaskGraph(table.tasks, depths), block_costs)
    return search.tree().cost(block_costs)


def draw(curves: list[tuple[float, ...]]) -> str:
    """The picture: one line for each column of ``curves`` after the noise."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(sd: float) -> float:
        return LEFT + sd / NOISE[-1] * (right - LEFT)

    def y(share: float) -> float:
        return bottom - share * (bottom - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13" role="img">',
        "<title>Share of noisy tables that give the tree of the paper's table at 2 %</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for percent in range(0, 101, 20):
        level = y(percent / 100)
        parts.append(
            f'<path d="M{LEFT} {level:.1f}H{right}" stroke="#dddddd"/>'
            f'<text x="{LEFT - 8}" y="{level + 4:.1f}" text-anchor="end" fill="#333333">'
            f"{percent} %</text>"
        )
    for sd in NOISE[::4]:
        parts.append(
            f'<text x="{x(sd):.1f}" y="{bottom + 18}" text-anchor="middle" fill="#333333">'
            f"{sd:g}</text>"
        )
    parts.append(
        f'<text x="{(LEFT + right) / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle" '
        'fill="#333333">noise on every AR (standard deviation, points)</text>'
    )
    parts.append(
        f'<path d="M{x(SHOWN):.1f} {TOP}V{bottom}" stroke="#888888" stroke-dasharray="4 4"/>'
    )
    for place, (name, colour) in enumerate(LINES):
        points = " ".join(f"{x(row[0]):.1f},{y(row[place + 1]):.1f}" for row in curves)
        last = y(curves[-1][place + 1])
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{right + 8}" y="{last + 4:.1f}" fill="{colour}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    """Draw or check the picture; print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    table = ARTable.from_csv(TABLE)
    encoder = costs(Cnn8(), [], mels=64, frames=100)
    curves = [(sd, *shares(table, sd, encoder)) for sd in NOISE]
    for sd, tree, size in curves:
        print(f"noise {sd:4.2f}: same tree {tree:6.1%}, same size {size:6.1%}")
    text = draw(curves)
    if check:
        fresh = PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == text
        return 0 if fresh else 1
    PICTURE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

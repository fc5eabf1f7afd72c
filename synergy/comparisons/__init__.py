"""What the synthesised tree is compared with: the field of methods, held to the same terms.

``COMPARISONS`` maps a name on the command line to a comparison, in the order of the table.
"""

from __future__ import annotations

from synergy.comparisons.base import Comparison, Contender, Field
from synergy.comparisons.flat import Flat
from synergy.comparisons.independent import Independent
from synergy.comparisons.lt4rec import Lt4rec
from synergy.comparisons.lth import Lth
from synergy.comparisons.partitions import Partitions
from synergy.comparisons.random_tree import RandomTree
from synergy.comparisons.rsa import RepresentationSimilarity
from synergy.comparisons.synthesised import Synthesised
from synergy.comparisons.tag import TaskAffinityGrouping
from synergy.comparisons.treemtl import TreeMTL

COMPARISONS: dict[str, Comparison] = {
    comparison.name: comparison
    for comparison in (
        Independent(),
        Flat(),
        Partitions(),
        Lth(),
        Lt4rec(),
        TreeMTL(),
        RepresentationSimilarity(),
        TaskAffinityGrouping(),
        RandomTree(),
        Synthesised(
            "recursive", "our tree by the paper's recursion, without and with distillation"
        ),
        Synthesised("exact", "our smallest tree, without and with distillation"),
    )
}

__all__ = ["COMPARISONS", "Comparison", "Contender", "Field"]

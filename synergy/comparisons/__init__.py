"""What the synthesised tree is compared with: the field of methods, held to the same terms.

``COMPARISONS`` maps a name on the command line to a comparison, in the order of the table.
"""

from synergy.comparisons import (
    flat,
    independent,
    lt4rec,
    lth,
    partitions,
    random_tree,
    rsa,
    synthesised,
    tag,
    treemtl,
)
from synergy.comparisons.base import Comparison, Contender, Field

COMPARISONS: dict[str, Comparison] = {
    "independent": independent.contenders,
    "flat": flat.contenders,
    "partitions": partitions.contenders,
    "lth": lth.contenders,
    "lt4rec": lt4rec.contenders,
    "treemtl": treemtl.contenders,
    "rsa": rsa.contenders,
    "tag": tag.contenders,
    "random": random_tree.contenders,
    "recursive": synthesised.recursive,
    "exact": synthesised.exact,
}

__all__ = ["COMPARISONS", "Comparison", "Contender", "Field"]

"""Stage 3: from the accuracy of pairs of tasks to the tree of all tasks. Needs no trained network.

Four concepts, in the order in which the data passes through them:

- The *accuracy reduction* (AR) of a model is the largest relative loss of one of its tasks
  against that task's single-task model, in percent, 0 when no task lost. The *AR table* has it
  for every pair of tasks at every swept number of shared blocks.
- The *weight* of a pair is the largest swept depth whose AR is within a threshold, 0 when there
  is none: how many blocks the pair may share. The *task graph* is the complete graph of the
  tasks with these weights.
- A *bipartition* splits a set of tasks in two. The paper's criterion keeps the smallest weight
  inside the parts as large as possible; with whole weights many bipartitions reach it.
- A *sharing tree* follows from splitting sets down to single tasks, where each set shares as
  many blocks as its smallest weight. Two solvers choose the splits: the paper's recursion, and
  an exact one that finds the smallest tree. *Strict*, they use only depths that passed
  themselves.

Instead of one threshold, `frontier` takes all of them and `within_budgets` the lowest one whose
tree is small enough.

    >>> from pathlib import Path
    >>> from synergy.synthesis import ARTable, synthesize
    >>> table = ARTable.from_csv(Path("ar_table.csv"))  # doctest: +SKIP
    >>> found = synthesize(table, max_ar=2.0, block_costs=[1.0] * 8)  # doctest: +SKIP
    >>> print(found.tree.notation(table.tasks))  # doctest: +SKIP
    {{gc,ac}@8,{scr,vad}@8}@6
"""

from synergy.synthesis.ar_table import ARTable, Cell, accuracy_reduction
from synergy.synthesis.bipartition import Bipartitions, max_min_bipartitions
from synergy.synthesis.budget import Budget, within_budgets
from synergy.synthesis.exact import exact_tree, spanning_tree_bound
from synergy.synthesis.frontier import FrontierTree, frontier
from synergy.synthesis.recursive import recursive_tree
from synergy.synthesis.synthesize import SOLVERS, Solver, Synthesis, synthesize
from synergy.synthesis.task_graph import Caps, optimistic_graph, task_graph

__all__ = [
    "SOLVERS",
    "ARTable",
    "Bipartitions",
    "Budget",
    "Caps",
    "Cell",
    "FrontierTree",
    "Solver",
    "Synthesis",
    "accuracy_reduction",
    "exact_tree",
    "frontier",
    "max_min_bipartitions",
    "optimistic_graph",
    "recursive_tree",
    "spanning_tree_bound",
    "synthesize",
    "task_graph",
    "within_budgets",
]

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

A `Question` says under which terms a tree is wanted: a threshold, or budgets, for which `search`
finds the lowest threshold whose tree is small enough. `frontier` takes all thresholds.

    >>> from pathlib import Path
    >>> from synergy.costs import Costs
    >>> from synergy.synthesis import ARTable, Question, search
    >>> table = ARTable.from_csv(Path("ar_table.csv"))  # doctest: +SKIP
    >>> costs = Costs(block_params=(4000,) * 8, block_macs=(300_000,) * 8)
    >>> found = search(Question(max_ar=2.0), table, costs)  # doctest: +SKIP
    >>> print(found.tree.notation(table.tasks))  # doctest: +SKIP
    {{gc,ac}@8,{scr,vad}@8}@6
"""

from synergy.synthesis.answer import Synthesis, search
from synergy.synthesis.ar_table import ARTable, accuracy_reduction
from synergy.synthesis.cells import Cell
from synergy.synthesis.frontier import FrontierTree, frontier
from synergy.synthesis.question import SOLVERS, Question, Solver
from synergy.synthesis.task_graph import TaskGraph, task_graph

__all__ = [
    "SOLVERS",
    "ARTable",
    "Cell",
    "FrontierTree",
    "Question",
    "Solver",
    "Synthesis",
    "TaskGraph",
    "accuracy_reduction",
    "frontier",
    "search",
    "task_graph",
]

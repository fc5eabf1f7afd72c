"""How much is too much: upper bounds of names, settings and options, each with its reason.

They are far above what anybody trains, and low enough that nothing takes hours or all memory before
it is refused. Settings that are bounded by their meaning have their bounds where they are declared.
"""

from __future__ import annotations

CONFIG_BYTES = 2**20
"""Of a configuration; 10,000 classes with their map have some 300 kB."""

CSV_BYTES = 256 * 2**20
"""Of a manifest or its segments: a million clips have some 100 MB; all rows are in memory."""

FILES = 2_000_000
"""Below a folder that is looked through: their names take some 500 MB of memory."""

ANNOTATION_BYTES = 16 * 2**20
"""Of a file of labels beside a recording: those of four hours have some 1 MB."""

FOLDER_BYTES = 4096
"""Of the text of a folder: as long as paths can be on Linux."""

NAME = 64
"""Characters of the name of a task or a corpus: those are typed, and heads of columns."""

LABEL = 200
"""Characters of a class, a column or a label: they come from data, where some are phrases."""

TASKS = 200
"""19,900 pairs; the recursion finds their tree in seconds."""

CORPORA = 200
"""Each is read as a whole before anything starts."""

CLASSES = 10_000
"""Of a task: enough for the speakers of the largest public corpora."""

COLUMNS = 1_000
"""Of a manifest; every label that a clip has is in memory."""

BLOCKS = 1_000
"""Of an encoder."""

CONDITIONS = 100
"""Of a source; each is checked on every clip."""

EPOCHS = 1_000
"""The weights after every epoch stay in memory until the best are known; epochs may be longer."""

STEPS = 100_000
"""Of an epoch: weeks, on the smallest network."""

SEEDS = 100
"""Of an experiment: every training is repeated with each."""

SEED = 2**31 - 1
"""Largest first seed; generators take more, but files and people no longer agree on them."""

DEMO_CLIPS = 100_000
"""Of a split of synthetic speech: 28 hours, 3 GB; their names have five digits."""

WORKERS = 10_000
"""Trainings at the same time, on a cluster; a process takes some 300 MB."""

GPUS = 64
"""Of one training, which uses the first one; Ray counts shares of one in steps of 0.0001."""

ROUNDS = 1_000
"""Each trains a tree with every seed."""

CELLS = 100_000
"""Of an AR table: all pairs of 100 tasks at 20 depths."""

WINDOW_S = (0.1, 60.0)
"""Shortest and longest window that a model hears; crops of a training are no longer."""

LEAST_HOP_S = 0.01
"""Between two windows: a frame of features, of which each is computed a hundred times then."""

SAMPLES = 10_000
"""Of a resampled AR table; intervals take a thousand."""

AR = 1e6
"""Percent; of scores in [0, 1] at most 100."""

SCORE = 1e6
"""Of a task; those of this package lie in [0, 1]."""

COUNT = 10**15
"""Of parameters, multiply-accumulates, trainings; whole numbers stay exact as decimals."""

SECONDS = 1e12
"""Thirty thousand years."""

TEXT = 100_000
"""Characters of a note or an error in a file of a workspace: those of a whole message."""

LEAST_WIDTH, MOST_WIDTH = 0.001, 1_000.0
"""Factors of channels, of which an encoder has 1 to some thousand."""

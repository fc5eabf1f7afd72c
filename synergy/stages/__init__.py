"""What the commands do, one file each and named like them; they differ in which trees they train.

baseline
    One-leaf trees: the score of each task alone.
pairwise
    Two-leaf trees at every swept depth: the AR table.
search
    AR table -> task graph -> sharing tree, without training.
synthesize
    The tree trained, verified, repaired and exported; `repair` lets a pair share less.

`compare` holds the tree against the field, `plan`, `show` and `data_check` train nothing.
"""

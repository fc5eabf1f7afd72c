"""The three stages; they differ only in which trees they train.

baseline
    One-leaf trees: the score of each task alone.
pairwise
    Two-leaf trees at every swept depth: the AR table.
synthesize
    AR table -> task graph -> sharing tree -> trained network -> exported model.

These modules are named like their commands, as are `compare`, `plan` and `show`. What they rest
on: `sweep` trains whatever trials a stage asks for and skips what is done; `cells` trains cells of
the AR table; `measure` holds trained trees against the single-task models; `resampling` gives
intervals and `certainty` the stability of a tree; `outcome` is what a model came to. `search`
finds trees without recordings, `frontier` trains chosen ones, `deliver` writes and exports what
the third stage found and `repair` lets a pair share less; `field` and `probes` serve comparisons.
`plan`, `show` and `data_check` train nothing.
"""

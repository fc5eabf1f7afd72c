"""The three stages; they differ only in which trees they train.

baseline
    One-leaf trees: the score of each task alone.
pairwise
    Two-leaf trees at every swept depth: the AR table.
synthesize
    AR table -> task graph -> sharing tree -> trained network -> exported model.

The names of the modules are the names of the commands. `sweep` trains whatever trees a stage
asks for and skips what is done; `outcome` is what a stage tells; `deliver` writes and exports what
the third one found, and `search` finds a tree without recordings. `plan`, `show` and `data_check`
train nothing.
"""

"""From trials to numbers: scores over seeds, AR, intervals, cells of the AR table, chance.

`outcome` collects a model's seeds and takes its AR; `bootstrap` gives intervals; `bench` holds
trained trees against the single-task models; `pairs` fills the AR table; `chance` says what AR
means nothing.
"""

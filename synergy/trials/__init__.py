"""Trials: what is trained once, how it is executed and where its results are kept."""

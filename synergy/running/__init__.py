"""The session of a command: it trains and measures what is missing, with progress.

`session` has the session, `jobs` what it hands to an executor, `probes` what is measured besides
trials, `progress` what it tells.
"""

"""A seeded fuzzer of everything that `synergy` reads; see `python -m tests.fuzz --help`.

`sandbox` has the folders of a case, `judging` decides what is a finding, `mutations` spoils bytes,
text and JSON values, `target` says what a class of inputs is, `targets` lists all, `fleet` runs
them in worker processes, `findings` groups and keeps what they found.
"""

from __future__ import annotations

import sys
from pathlib import Path

# As for the tests beside this folder: their modules are imported by their own names.
_TESTS = str(Path(__file__).resolve().parents[1])
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)

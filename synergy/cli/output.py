"""What goes where: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any


def write(text: str) -> None:
    """Data, to stdout, at once: a pipe that is closed is noticed here and not at exit."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def document(data: Any) -> str:
    """One JSON document."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)


def say(text: str) -> None:
    """A note or an error, to stderr, one line each; never wrapped."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()

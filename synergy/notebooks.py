"""What a notebook shows of an object: HTML, where somebody draws it.

Drawings belong to the report, which stands far after trees and tables; so who draws signs up here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DRAWINGS: dict[type, Callable[[Any], str]] = {}
"""What makes HTML of objects of a class; filled by `synergy.api`."""


def drawing(thing: object) -> str | None:
    """HTML of an object; None where nobody draws it, and a notebook shows its text."""
    draw = DRAWINGS.get(type(thing))
    return None if draw is None else draw(thing)


def below_each_other(*parts: str | None) -> str:
    """HTML of several parts, without those that nobody draws."""
    return "\n".join(f"<div>{part}</div>" for part in parts if part)

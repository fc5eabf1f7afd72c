"""SVG elements: text is escaped by the serialiser, numbers are short, equal input gives equal text.

Colours and fonts come from the page's style sheet through classes. No style attributes, which the
page's content security policy would refuse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from synergy.wording import printable

Value = str | float


def svg(width: float, height: float, name: str, about: str, kind: str) -> Element:
    """An image of a natural size in CSS pixels, of a class for the style sheet.

    A screen reader says ``name``, then what is there to see, unless ``about`` is empty.
    """
    attributes = {
        "class": kind,
        "viewBox": f"0 0 {number(width)} {number(height)}",
        "width": number(width),
        "height": number(height),
        "role": "img",
        "aria-label": printable(f"{name}: {about}" if about else name),
    }
    return Element("svg", attributes)


def add(
    parent: Element, tag: str, attributes: Mapping[str, Value] | None = None, words: str = ""
) -> Element:
    """A new child of ``parent``."""
    plain = {
        key: printable(value) if isinstance(value, str) else number(value)
        for key, value in (attributes or {}).items()
    }
    child = SubElement(parent, tag, plain)
    if words:
        child.text = printable(words)
    return child


def text(parent: Element, kind: str, x: float, y: float, words: str) -> Element:
    """Words of a class of the style sheet."""
    return add(parent, "text", {"class": kind, "x": x, "y": y}, words)


def text_of(element: Element) -> str:
    """The element as text that can stand in an HTML page."""
    return tostring(element, encoding="unicode", short_empty_elements=True)


def number(value: float) -> str:
    """One digit after the point, which is enough for pixels."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def ticks(low: float, high: float, count: int) -> list[float]:
    """At most about ``count`` round numbers in [low, high]."""
    span = max(high - low, 1e-9)
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]

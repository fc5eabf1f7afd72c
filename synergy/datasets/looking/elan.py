"""Annotations of ELAN (EAF, XML)."""

from __future__ import annotations

from xml.etree import ElementTree

from synergy.datasets.looking.found import Mark


def read_elan(text: str, stem: str) -> dict[str, list[Mark]]:
    """The annotations of all tiers that are aligned in time; a ValueError if it is no EAF.

    A document type is refused: entities could expand without end.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("expected XML without a document type")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"expected XML ({error})") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ValueError("expected an annotation document of ELAN")
    times: dict[str, float] = {}
    for slot in root.iter("TIME_SLOT"):
        value = slot.get("TIME_VALUE", "")
        if value.isdecimal():  # a slot may have no time of its own
            times[slot.get("TIME_SLOT_ID", "")] = int(value[:12]) / 1000
    marks: list[Mark] = []
    for each in root.iter("ALIGNABLE_ANNOTATION"):
        start_s = times.get(each.get("TIME_SLOT_REF1", ""))
        end_s = times.get(each.get("TIME_SLOT_REF2", ""))
        if start_s is not None and end_s is not None:
            marks.append(Mark(start_s, end_s, (each.findtext("ANNOTATION_VALUE") or "").strip()))
    return {stem: marks}

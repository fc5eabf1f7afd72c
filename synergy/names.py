"""What may be a name: of tasks and corpora, which we choose, and of what somebody's data has.

Names are printable text on one line. Those of tasks become names of modules, options and columns,
those of corpora the first part of the key of a clip, ``corpus/path``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from synergy import limits
from synergy.wording import quoted

_TASK = r"^[A-Za-z][A-Za-z0-9_-]*$"
# Control characters, halves of characters, separators of lines and paragraphs.
_NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")


def name_problem(text: str, longest: int) -> str:
    """Why a text is no name of 1 to ``longest`` characters; empty if it is one."""
    if not text:
        return "expected a name, found an empty text"
    if len(text) > longest:
        return f"expected a name of at most {longest} characters, found {len(text):,}"
    if text != text.strip():
        return f"expected a name without spaces around it, found {quoted(text)}"
    if any(unicodedata.category(character) in _NOT_IN_NAMES for character in text):
        return f"expected a name of printable characters, found {quoted(text)}"
    return ""


def label_problem(text: str) -> str:
    """Why a text is no class, column or other label of data; empty if it is one."""
    return name_problem(text, limits.LABEL)


def _corpus_problem(text: str) -> str:
    found = f"expected a name without a slash, found {quoted(text)}" if "/" in text else ""
    return name_problem(text, limits.NAME) or found


def task_problem(text: str) -> str:
    """Why a text is no name of a task; empty if it is one."""
    expected = "expected a letter, then letters, digits, _ and -, found"
    found = "" if re.fullmatch(_TASK, text, re.ASCII) else f"{expected} {quoted(text)}"
    return name_problem(text, limits.NAME) or found


def _refusing(problem: Callable[[str], str]) -> AfterValidator:
    def check(text: str) -> str:
        if found := problem(text):
            raise ValueError(found)
        return text

    return AfterValidator(check)


def _schema(longest: int, **more: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": longest, **more})


TaskName = Annotated[str, _refusing(task_problem), _schema(limits.NAME, pattern=_TASK)]
CorpusName = Annotated[str, _refusing(_corpus_problem), _schema(limits.NAME, pattern="^[^/]+$")]
Label = Annotated[str, _refusing(label_problem), _schema(limits.LABEL)]
"""A class, a column, or another label that data has."""

"""YAML as configurations use it: mappings, lists, words, decimal numbers, true, false and null.

What a word is, is as in YAML 1.2, so that ``no`` and ``off`` stay words, and dates, ``010``,
``0x10`` and ``1_0`` are words too. Refused are tags, repeated keys and what does not end: nesting
without bounds, and aliases that stand for more than a file could say.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

from synergy.wording import cut, quoted

DEEPEST = 32
"""Levels of a text; configurations have six."""

MOST_NODES = 50_000
"""Keys and values of a text, those that aliases stand for counted where they stand."""

_LONGEST_PROBLEM = 120
_PREFIX = "tag:yaml.org,2002:"
# Numbers of more characters are words: no setting is as long.
_NUMBERS = {
    "int": r"(?=.{1,40}\Z)[-+]?(?:0|[1-9][0-9]*)\Z",
    "float": r"(?=.{1,40}\Z)[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z",
}
_WORDS = {"null": r"(?:~|null|Null|NULL|)\Z", "bool": r"(?:true|false)\Z"}
_RESOLVERS = [
    (f"{_PREFIX}{kind}", re.compile(pattern)) for kind, pattern in {**_WORDS, **_NUMBERS}.items()
]
_ANYWHERE: Any = None  # the first character of what a resolver may be tried on


class YamlError(ValueError):
    """A text that cannot be read; says in which line."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {cut(problem, _LONGEST_PROBLEM)}")


def read_yaml(text: str) -> Any:
    """The one document of a text.

    Raises
    ------
    YamlError
        If it is none, or holds what is refused.
    """
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, f"expected text, found {quoted(chr(error.character))}") from error
    try:
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem)
        if problem.startswith("but "):  # the second half of a sentence
            problem = f"{error.context}, {problem}"
        raise YamlError(mark.line + 1 if mark else 1, problem) from error
    except (ValueError, OverflowError) as error:  # of the scanner, on an escape without a character
        problem = f"expected text, found something else ({error})"
        raise YamlError(loader.line + 1, problem) from error


def yaml_text(data: Any) -> str:
    """JSON values as YAML that `read_yaml` and other readers, of YAML 1.1 or 1.2, read alike."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    # A subclass, because the safe loader of PyYAML follows YAML 1.1, lets the last of two equal
    # keys win, and has no bounds.

    yaml_implicit_resolvers: ClassVar = {_ANYWHERE: _RESOLVERS}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._level = self._deepest = self._nodes = 0
        self._extents: dict[yaml.Node, tuple[int, int]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """A node, counted with all that is in it; an alias as what it stands for."""
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise _error(event, "expected no tag; what a word is, is known by itself")
        alias = isinstance(event, yaml.AliasEvent)
        if not alias and self._level == DEEPEST:
            raise _error(event, f"expected at most {DEEPEST} levels inside each other")
        nodes, deepest = self._nodes, self._deepest
        self._level += 1
        self._deepest = self._level
        node = super().compose_node(parent, index)
        assert node is not None
        if alias:
            if node not in self._extents:
                raise _error(event, "an alias stands inside of what it stands for")
            inside, levels = self._extents[node]
            self._nodes += inside
            self._deepest += levels
        else:
            self._nodes += 1
            self._extents[node] = self._nodes - nodes, self._deepest - self._level
        if self._nodes > MOST_NODES or self._deepest > DEEPEST:
            raise _error(event, f"expected at most {MOST_NODES:,} values on {DEEPEST} levels")
        self._level -= 1
        self._deepest = max(self._deepest, deepest)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are different words."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                problem = "expected a word as a key"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            if key.value in seen:
                problem = f"the key {quoted(key.value)} stands here for the second time"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    # In quotes stands what any of the two versions takes for something else than a word.

    yaml_implicit_resolvers: ClassVar = {
        **yaml.SafeDumper.yaml_implicit_resolvers,
        _ANYWHERE: _RESOLVERS,
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A word; in the quotes that have escapes where it is not printable."""
        return self.represent_scalar(f"{_PREFIX}str", data, None if data.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)


def _error(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)

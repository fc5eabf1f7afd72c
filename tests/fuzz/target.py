"""A class of inputs: how one is made of a random generator, and what is done with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

from fuzz.judging import Given, Limits, Outcome, judge
from fuzz.sandbox import Files, Sandbox

_LONGEST_GIVEN = 100_000  # bytes of a file that messages are compared with


@dataclass(frozen=True)
class Case:
    """One input: the content of files, None for a file that is missing, and arguments."""

    files: Mapping[str, bytes | None] = field(default_factory=dict)
    arguments: tuple[Any, ...] = ()

    @property
    def text(self) -> str:
        """The content of all files, as far as messages could quote it."""
        contents = (content for content in self.files.values() if content)
        return "\n".join(c[:_LONGEST_GIVEN].decode("utf-8", "replace") for c in contents)


class Target(ABC):
    """A class of inputs, with its sound files in a folder of its own."""

    name: ClassVar[str]

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.folder = sandbox.folder(self.name)
        self.prepare()
        self.files = Files(self.folder)

    @abstractmethod
    def prepare(self) -> None:
        """Lay down the sound files."""

    @abstractmethod
    def case(self, rng: Random) -> Case:
        """An input."""

    @abstractmethod
    def attempt(self, case: Case) -> object:
        """What the package makes of an input whose files are in place."""

    def paths(self, case: Case) -> tuple[str, ...]:
        """Paths of files that an input names; messages may quote these in full."""
        return ()

    def run(self, seed: int, number: int, limits: Limits) -> tuple[Case, Outcome]:
        """Make an input by its number, try it and judge what comes out."""
        case = self.case(Random(f"{seed}/{self.name}/{number}"))
        with self.files.spoiled(case.files):
            outcome = judge(
                lambda: self.attempt(case),
                Given(case.text, self.paths(case)),
                limits,
                self.sandbox.surroundings,
            )
        return case, outcome

"""What was found: grouped by cause, the first inputs of each kept in folders."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.target import Case

KEPT = 3  # inputs of one group


@dataclass(frozen=True)
class Finding:
    """An input, by its number, and what is wrong with what came out."""

    name: str
    seed: int
    number: int
    kind: str
    details: str
    case: Case = field(default_factory=Case)

    @property
    def again(self) -> str:
        """The command that tries the input again."""
        return f"python -m tests.fuzz --class {self.name} --seed {self.seed} --number {self.number}"


class Findings:
    """All findings of a run.

    Parameters
    ----------
    folder : Path
        Gets a folder for each of the first inputs of a group, such as ``config-0-1234``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], Finding] = {}

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep its input if there are few like it."""
        group = finding.name, finding.kind
        self.counts[group] += 1
        self._first.setdefault(group, finding)
        if self.counts[group] <= KEPT:
            self.keep(finding)

    def keep(self, finding: Finding) -> Path:
        """Write the input and what came out of it; the folder."""
        folder = self.folder / f"{finding.name}-{finding.seed}-{finding.number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path, content in finding.case.files.items():
            file = folder / "input" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                file.write_bytes(content)
        missing = [path for path, content in finding.case.files.items() if content is None]
        lines = [
            f"again: {finding.again}",
            f"found: {finding.kind}",
            f"arguments: {list(finding.case.arguments)!r}",
            f"missing files: {missing}",
            "",
            finding.details,
        ]
        text = "\n".join(lines)
        (folder / "outcome.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
        return folder

    def told(self) -> str:
        """All groups, the most frequent first, each with the command for its first input."""
        lines: list[str] = []
        for (name, kind), count in self.counts.most_common():
            first = self._first[name, kind]
            lines += [f"{count:>6} x {name}: {kind:.300}", f"         {first.again}"]
        return "\n".join(lines).encode("utf-8", "backslashreplace").decode()

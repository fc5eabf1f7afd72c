"""Reads every file of a workspace that the tool reads back, and holds it to its checksum."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

from synergy.errors import ModelError, SynergyError
from synergy.export.spec import SPEC_FILE, WEIGHTS_FILE, read_spec
from synergy.files import CHANGED, Artefact, read_bytes, shortly
from synergy.model import LONGEST_WEIGHTS, load_model
from synergy.null_file import NullFile
from synergy.records import ComparisonsFile, FrontierFile, ProbeFile, SummaryFile, TreeFile
from synergy.seals import SealsFile
from synergy.synthesis.question import TableKind
from synergy.trials.teachers import soft_labels_problem
from synergy.workspace import Workspace


class Checked(NamedTuple):
    """A file that was read: what it is, what is wrong with it if anything, and what helps.

    ``sealed`` tells whether it has a checksum.
    """

    kind: str
    file: Path
    problem: str = ""
    way_out: str = ""
    sealed: bool = True


@dataclass(frozen=True)
class Verified:
    """What was read of a workspace.

    Attributes
    ----------
    files : dict of str to int
        Number of files that were read, by what they are.
    unsealed : tuple of str
        Those without a checksum, which an earlier version wrote.
    damage : tuple of Checked
        Those that are not as they were written, relative to the workspace.
    """

    files: dict[str, int]
    unsealed: tuple[str, ...]
    damage: tuple[Checked, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        told = [(str(each.file), each.problem, each.way_out) for each in self.damage]
        damage = [dict(zip(("file", "problem", "way_out"), each, strict=True)) for each in told]
        return {"files": self.files, "unsealed": list(self.unsealed), "damage": damage}


def verify(workspace: Workspace) -> Verified:
    """Check every file of a workspace; changes nothing.

    Raises
    ------
    WorkspaceError
        If its folder of trainings cannot be listed.
    """
    found = [*_trials(workspace), *_loose(workspace), *_artefacts(workspace)]
    for file in sorted(workspace.folder.glob("soft_labels/*.safetensors")):
        way_out = "it is computed again when it is needed"
        found.append(Checked("soft labels", file, soft_labels_problem(file), way_out))
    found += _model(workspace.model)
    found = [each._replace(file=each.file.relative_to(workspace.folder)) for each in found]
    return Verified(
        dict(Counter(each.kind for each in found)),
        tuple(str(each.file) for each in found if not each.sealed and not each.problem),
        tuple(each for each in found if each.problem),
    )


def _trials(workspace: Workspace) -> Iterator[Checked]:
    store = workspace.trials
    way_out = "its training counts as not done and is repeated by the command that trained it"
    for digest in store.finished():
        known, wrong = store.sealed_files(digest), store.damage(digest)
        of_test = store.test_damage(digest)
        names = {path.name for path in store.path(digest).iterdir()}
        for name in sorted(names | wrong.keys() | of_test.keys()):
            sealed = bool(known) or "result.json" in wrong
            file = store.path(digest) / name
            if name in of_test:
                again = "it is measured again by the command that reports the model"
                yield Checked("trainings", file, of_test[name], again)
            else:
                yield Checked("trainings", file, wrong.get(name, ""), way_out, sealed)


def _loose(workspace: Workspace) -> Iterator[Checked]:
    kind = "tables and settings"
    seals = workspace.seals
    tables = [file for each in get_args(TableKind) for file in workspace.table_files(each).every]
    try:
        SealsFile.read(seals.file)
    except SynergyError as error:
        yield Checked(kind, seals.file, str(error), SealsFile.WAY_OUT)
    broken = seals.broken()
    for file in (workspace.config, *tables):
        way_out = "`synergy pairwise` writes it anew and trains nothing"
        if file == workspace.config:
            way_out = "name the configuration that it came from with --config"
        if file.exists() or file.name in broken:
            yield Checked(kind, file, broken.get(file.name, ""), way_out, file.name in seals.names)


def _artefacts(workspace: Workspace) -> Iterator[Checked]:
    results: dict[Path, type[Artefact]] = {
        workspace.tree: TreeFile,
        workspace.summary: SummaryFile,
        workspace.frontier: FrontierFile,
        workspace.comparisons: ComparisonsFile,
        **{workspace.null(kind): NullFile for kind in get_args(TableKind)},
    }
    probes = dict.fromkeys(sorted(workspace.folder.glob("probes/*.json")), ProbeFile)
    for file, form in {**results, **probes}.items():
        kind = "probes" if form is ProbeFile else "results"
        try:
            found = form.read(file)
        except SynergyError as error:
            way_out = form.WAY_OUT or f"`{form.MADE_BY}` writes it anew"
            yield Checked(kind, file, str(error), way_out)
        else:
            if found is not None:
                yield Checked(kind, file, sealed=found.version > 1)


def _model(folder: Path) -> Iterator[Checked]:
    if not folder.exists():
        return
    way_out = "`synergy synthesize` exports it again and trains nothing"
    try:
        spec = read_spec(folder / SPEC_FILE)
    except ModelError as error:
        yield Checked("model", folder / SPEC_FILE, str(error), way_out)
        return
    wrong: dict[str, str] = {}
    for name, digest in {WEIGHTS_FILE: spec.weights.sha256, **spec.files}.items():
        try:
            content = read_bytes(folder / name, LONGEST_WEIGHTS)
            wrong[name] = "" if hashlib.sha256(content).hexdigest() == digest else CHANGED
        except (OSError, ValueError) as error:
            wrong[name] = shortly(error)
        yield Checked("model", folder / name, wrong[name], way_out)
    problem = ""
    if not any(wrong.values()):
        try:
            load_model(folder)
        except ModelError as error:
            problem = str(error)
    yield Checked("model", folder / SPEC_FILE, problem, way_out, bool(spec.files))

"""Files of the tool, changed by somebody who gives them the right checksums, or takes them away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synergy.files import checksums, json_text, sealed, unsealed
from synergy.seals import SEALS
from synergy.synthesis import ARTable
from synergy.workspace import TableFiles


def values(file: Path) -> dict[str, Any]:
    """The content of a JSON file without its checksum, which must be right."""
    return unsealed(json.loads(file.read_text(encoding="utf-8")), needed=False)


def edit(file: Path, change: Mapping[str, Any], without: Sequence[str] = ()) -> None:
    """Set and remove keys of a JSON file; what vouches for its content does so afterwards."""
    text = file.read_text(encoding="utf-8")
    kept = {k: v for k, v in {**values(file), **change}.items() if k not in without}
    told = "checksum" in json.loads(text) and "checksum" not in without
    file.write_text(json_text(sealed(kept) if told else kept), encoding="utf-8")
    if file.name == "trial.json":
        vouch(file.parent)


def vouch(trial: Path) -> None:
    """Give a folder of a trial the checksums of the files that are in there now."""
    others = [path.name for path in trial.iterdir() if path.name != "result.json"]
    edit(trial / "result.json", {"files": checksums(trial, others)})


def write_table(workspace: Path, table: ARTable) -> None:
    """Put another table into a workspace, as the tool does."""
    files = TableFiles(workspace, "plain")
    with files.exchanged():
        table.to_csv(files.table)


def forget_seals(workspace: Path) -> None:
    """Let the tables and the settings have no checksums, as an earlier version left them."""
    (workspace / SEALS).unlink()


def age_trial(trial: Path) -> None:
    """Make the folder of a trial one that an earlier version wrote."""
    edit(trial / "result.json", {"version": 1}, without=("checksum", "files"))


def age(workspace: Path) -> None:
    """Make a workspace one that an earlier version wrote: without any checksum."""
    forget_seals(workspace)
    for result in workspace.glob("trials/*/result.json"):
        age_trial(result.parent)
    for file in (*workspace.glob("*.json"), *workspace.glob("probes/*.json")):
        edit(file, {"version": 1}, without=("checksum",))
    spec = workspace / "model" / "spec.json"
    edit(spec, {"spec_version": 1}, without=("checksum", "files"))

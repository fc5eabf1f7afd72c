"""Files of a workspace with wrong content and a right checksum: refused, or drawn as they are."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_files import edit, values, vouch
from small_pages import Elements
from small_reports import BLOCKS, SPLITS, result_workspace
from small_tables import PAPER_TASKS, costs_of

from synergy.certainty import Certainty, PairShares, RepeatCell, TreeShare
from synergy.cli.output import document
from synergy.cli.show import state_text
from synergy.errors import SynergyError, WorkspaceError
from synergy.files import Artefact, StrictModel, sealed
from synergy.null_file import NullFile
from synergy.records import (
    ComparisonsFile,
    FrontierFile,
    HolderFile,
    ModelFile,
    ProbeFile,
    SummaryFile,
    TreeFile,
)
from synergy.report import render, summarise
from synergy.rows import TaskLoss
from synergy.stages.search import frontier_entries
from synergy.stages.show import show
from synergy.synthesis import ARTable, Question
from synergy.trials.record import TrialRecord, TrialResult
from synergy.workspace import Workspace

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e\ud800"

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "negative": -1,
    "zero": 0,
    "a half": 0.5,
    "large": 10**15,
    "huge": 10**300,
    "huge float": 1e308,
    "empty": "",
    "a number as text": "1_0",
    "a long text": "x" * 99_999,
    "too long": "x" * 100_001,
    "hostile": HOSTILE,
    "list": [],
    "object": {},
    "lists in lists": [[[[[[]]]]]],
    "deep": json.loads("[" * 200 + "]" * 200),
    "many": list(range(2000)),
}

FORMS: dict[str, type[StrictModel]] = {
    "tree.json": TreeFile,
    "summary.json": SummaryFile,
    "frontier.json": FrontierFile,
    "comparisons.json": ComparisonsFile,
    "null.json": NullFile,
    "probes/rsa-0.json": ProbeFile,
    ".synergy.holder.json": HolderFile,
    "trials/gc-0/result.json": TrialResult,
    "trials/gc-0/trial.json": TrialRecord,
    "model/spec.json": ModelFile,
}
DRAWN = {
    *("tree.json", "summary.json", "frontier.json", "comparisons.json", "model/spec.json"),
    *("trials/gc-0/result.json", "trials/gc-0/trial.json"),
}

Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Workspace:
    """One file of each kind, and more."""
    workspace = result_workspace(tmp_path_factory.mktemp("runs") / "run", seeds=(0,))
    table = ARTable.from_csv(workspace.table_files("plain").table)
    workspace.table_files("plain").samples.unlink()  # solving them takes time
    for training in workspace.trials.finished():
        if training not in ("gc-0", "ac-0", "ac_gc_4-0"):
            shutil.rmtree(workspace.trials.path(training))
    summary = SummaryFile.read(workspace.summary)
    assert summary
    first, *others = frontier_entries(table, Question(), costs_of(BLOCKS))
    measured = first.model_copy(update={"measured": summary.rows[-1]})
    FrontierFile(frontier=(measured, *others), trained=1).write(workspace.frontier)
    sure = Certainty(
        samples=200,
        tree_share=0.5,
        skipped=1,
        trees=(TreeShare(notation=summary.synthesis.notation, share=0.5),),
        pairs=(PairShares(task_a="gc", task_b="ac", weight=8, admissible={"4": 1.0}, at_least={}),),
        repeat=(
            RepeatCell(task_a="gc", task_b="ac", shared_depth=4, seeds=1, passes=0.5, decides=0.5),
        ),
    )
    summary.model_copy(update={"certainty": sure}).write(workspace.summary)
    loss = TaskLoss(loss_pct=1.0, low=-1.0, high=2.0)
    null = NullFile(tasks=("gc",), row=summary.rows[0], losses={"gc": loss})
    null.write(workspace.null("plain"))
    probe = {"probe": "rsa", "settings": {"clips": 9}, "trials": ["t"], "seconds": 1.0}
    (workspace.folder / "probes").mkdir()
    ProbeFile.model_validate({**probe, "result": {"similarity": [[1.0]]}}).write(
        workspace.folder / "probes" / "rsa-0.json"
    )
    HolderFile(command="x", host="h", pid=1, since=datetime(2026, 1, 1)).write(
        workspace.folder / ".synergy.holder.json"
    )
    return workspace


@pytest.fixture
def workspace(whole, tmp_path) -> Workspace:
    shutil.copytree(whole.folder, tmp_path / "run")
    return Workspace(tmp_path / "run", create=False)


def places_of(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where a value may be exchanged: one of all places that are alike."""
    if at:
        yield at
    if isinstance(value, dict):
        alike = set(value) <= {*PAPER_TASKS} or set(value) <= {*SPLITS}
        for key in list(value)[-1:] if alike else value:
            yield from places_of(value[key], (*at, key))
    elif isinstance(value, list) and value:
        yield from places_of(value[-1], (*at, len(value) - 1))


def changed(content: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    new = copy.copy(content)
    new[place[0]] = changed(content[place[0]], place[1:], value)
    return new


def draw(workspace: Workspace) -> None:
    """All that reads a workspace without training."""
    state = show(workspace)
    state_text(state)
    document(state.to_json())
    numbers = summarise(workspace)
    document(numbers.to_json())
    page = render(numbers, "run")
    assert "<img" not in page
    Elements(page)
    page.encode("utf-8")


# -- content ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMS)
def test_every_value_at_every_place_is_refused_or_drawn(workspace, name):
    content, form = values(workspace.folder / name), FORMS[name]
    together: dict[tuple[str, int], Any] = {}
    for place in places_of(content):
        for kind, value in VALUES.items():
            try:
                read(form, changed(content, place, value))
            except ValueError:  # which every reader turns into a sentence
                continue
            # Places of one length are not inside each other: all at once, to save time.
            before = together.get((kind, len(place)), content)
            together[kind, len(place)] = changed(before, place, value)
    assert together
    if name in DRAWN:
        for new in together.values():
            write_and_draw(workspace, name, new)


@settings(max_examples=10)
@given(st.data())
def test_any_value_anywhere_is_refused_or_drawn(whole, data):
    name = data.draw(st.sampled_from(sorted(FORMS)))
    file = whole.folder / name
    content = values(file)
    place = data.draw(st.sampled_from(list(places_of(content))))
    kind = data.draw(st.sampled_from(sorted(VALUES)))
    write_and_draw(whole, name, changed(content, place, VALUES[kind]))
    write_and_draw(whole, name, content)


def read(form: type[StrictModel], content: Any) -> None:
    if issubclass(form, Artefact):
        form.parsed(sealed(content) if isinstance(content, dict) else content)
    else:
        form.model_validate(content)


def write_and_draw(workspace: Workspace, name: str, content: Any) -> None:
    file = workspace.folder / name
    file.write_text(json.dumps(content if file.name == "trial.json" else sealed(content)))
    if file.name == "trial.json":
        vouch(file.parent)
    with suppress(SynergyError):  # where another reader looks closer
        draw(workspace)


WRONG = {
    "tree.json": (("weights", 0, "blocks"), "eight"),
    "summary.json": (("rows", 0, "mean_scores", "valid", "gc"), True),
    "frontier.json": (("frontier", 0, "max_ar_from"), "1_0"),
    "comparisons.json": (("rows", 0, "params"), -1),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_told_in_one_line_with_file_and_field(workspace, name):
    place, value = WRONG[name]
    file = workspace.folder / name
    file.write_text(json.dumps(sealed(changed(values(workspace.folder / name), place, value))))
    field = re.escape(".".join(map(str, place)))
    with pytest.raises(WorkspaceError, match=f"{name} is damaged .{field}: .* to write") as caught:
        summarise(workspace)
    assert "\n" not in str(caught.value)
    assert "its content is not what was written" not in str(caught.value)


def test_a_key_that_is_too_much_is_told_in_few_letters(workspace):
    edit(workspace.tree, {"q" * 500: 1})
    with pytest.raises(WorkspaceError, match=r"tree\.json is damaged .q{59}…: Extra inputs"):
        show(workspace)


@pytest.mark.parametrize("name", ["tree.json", "summary.json"])
def test_a_change_without_a_new_checksum_is_told_as_such(workspace, name):
    file = workspace.folder / name
    file.write_text(json.dumps(sealed(values(workspace.folder / name))).replace("gc", "gd", 1))
    for read in (show, summarise):
        with pytest.raises(
            WorkspaceError, match=f"{name} is damaged .its content is not what was written"
        ):
            read(workspace)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 5000, "[" * 9999])
def test_what_json_cannot_hold_is_told(workspace, value):
    text = json.dumps(values(workspace.tree))
    text = text.replace('"max_ar": 2.0', f'"max_ar": {value}')
    workspace.tree.write_text(text)
    with pytest.raises(WorkspaceError, match=r"tree\.json is damaged") as caught:
        show(workspace)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("kind", ["a folder", "a FIFO", "a large file"])
@pytest.mark.parametrize("name", ["tree.json", "summary.json", "config.yaml", "model/spec.json"])
def test_what_is_no_file_is_told_and_not_read(workspace, name, kind):
    file = workspace.folder / name
    file.unlink()
    if kind == "a folder":
        file.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(file)
    else:
        with file.open("wb") as large:
            large.truncate(10**10)
    with pytest.raises(SynergyError, match=re.escape(name)):
        summarise(workspace)

"""What may be a name, and that the types of names ask the same rule."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from synergy import limits
from synergy.names import CorpusName, Label, TaskName, label_problem
from synergy.tree import SharingTree

WRONG_ANYWHERE = ["", " a", "a ", "\ta", "a\n", "a\x1b[31m", "a\x00", "a\u2028b", "a\x85", "\ud800"]


@pytest.mark.parametrize("kind", [TaskName, CorpusName, Label])
@pytest.mark.parametrize("text", WRONG_ANYWHERE)
def test_a_name_is_printable_text_on_one_line(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError, match="expected a name"):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize(
    ("kind", "longest"),
    [(TaskName, limits.NAME), (CorpusName, limits.NAME), (Label, limits.LABEL)],
)
def test_a_name_has_a_largest_length(kind: Any, longest: int) -> None:
    assert TypeAdapter(kind).validate_python("a" * longest) == "a" * longest
    with pytest.raises(ValidationError, match=f"at most {longest} characters, found {longest + 1}"):
        TypeAdapter(kind).validate_python("a" * (longest + 1))


@pytest.mark.parametrize("text", ["a/b", "/", "a/"])
def test_a_corpus_has_no_slash_in_its_name(text: str) -> None:
    """``corpus/path`` is the key of a clip: the first slash must end the name."""
    with pytest.raises(ValidationError, match="without a slash"):
        TypeAdapter(CorpusName).validate_python(text)


@pytest.mark.parametrize("text", ["3c", "a b", "é", "-a", "a.b", "_a", "a/b", "\uff21"])
def test_a_task_is_called_like_a_branch_of_a_tree(text: str) -> None:
    with pytest.raises(ValidationError, match="expected a letter, then"):
        TypeAdapter(TaskName).validate_python(text)


@pytest.mark.parametrize("text", ["a", "A-b_2", "x" * limits.NAME])
def test_every_name_of_a_task_is_one_in_a_tree(text: str) -> None:
    assert SharingTree.single(TypeAdapter(TaskName).validate_python(text), 8).tasks == (text,)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "18",
        "é",
        "[/b]",
        "<script>",
        "'",
        '"',
        "a/b",
        "a,b",
        "\u0645\u06cc\u200c\u062e",
        "🎤 on",
    ],
)
def test_labels_of_data_may_be_any_printable_text(text: str) -> None:
    assert label_problem(text) == ""
    assert TypeAdapter(Label).validate_python(text) == text


@pytest.mark.parametrize("kind", [TaskName, CorpusName, Label])
def test_the_schema_of_a_name_has_its_length(kind: Any) -> None:
    schema = TypeAdapter(kind).json_schema()
    assert schema["minLength"] == 1
    assert schema["maxLength"] in (limits.NAME, limits.LABEL)

"""docs/extending.md, followed to the letter: classes of a package of one's own, down to a model."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_cli import synergy
from small_corpora import TONE_CONFIG, write_tone_corpus

SERIAL = ("--executor", "serial")
PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
COMMANDS = """
import contextlib, io, json, sys
from synergy.cli import main
if __name__ == "__main__":  # workers import this, too
    done = []
    for arguments in json.loads(sys.argv[1]):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            done.append((main(arguments), err.getvalue()))
    print(json.dumps(done))
"""
CONFIG = (
    TONE_CONFIG.replace(
        "encoder: {channels: [4, 4, 4, 4, 4, 4, 4, 4]}\n",
        "encoder: {name: my_encoders:Separable, channels: [4, 8, 8, 8]}\n",
    )
    .replace("depths: [4, 8]\n", "depths: [2, 4]\n")
    .replace(
        "{format: manifest, folder: tones}", "{format: my_corpora:Archive, FOLDER, year: 2024}"
    )
    .replace("gc: {kind: clip_classification,", "gc: {kind: my_kinds:Balanced,")
)


def code_of(heading: str) -> str:
    """The Python block below a heading of the page."""
    below = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", below, re.DOTALL)
    return code


def ran(folder: Path, *commands: tuple[object, ...], **environment: str) -> list[tuple[int, str]]:
    """Exit codes and stderr of commands, one after the other in one new process."""
    root = str(PAGE.parents[1])
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps([[*map(str, each)] for each in commands])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), root)), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(code, err) for code, err in json.loads(done.stdout.splitlines()[-1])]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's modules, a corpus, and a configuration that names them."""
    folder = tmp_path_factory.mktemp("own")
    for heading, module in (
        ("An encoder", "my_encoders"),
        ("A kind of task", "my_kinds"),
        ("A corpus format", "my_corpora"),
        ("A comparison", "my_methods"),
    ):
        (folder / f"{module}.py").write_text(code_of(heading), encoding="utf-8")
    write_tone_corpus(folder / "archive" / "2024")
    config = CONFIG.replace("FOLDER", f"folder: {folder / 'archive'}")
    (folder / "own.yaml").write_text(config, encoding="utf-8")
    ((code, err),) = ran(
        folder, ("run", "--config", "own.yaml", "--workspace", "ws", "--workers", 1)
    )
    assert code == 0, err
    return folder


def test_the_page_leads_to_an_exported_model(project):
    spec = json.loads((project / "ws" / "model" / "spec.json").read_text())
    assert spec["encoder"]["name"] == "my_encoders:Separable"
    assert spec["tasks"][0]["kind"] == "my_kinds:Balanced"
    source = (project / "ws" / "model" / "model.py").read_text()
    for word in ("PReLU", "SiLU", "groups="):
        assert word in source
    assert "my_encoders" not in source


def test_the_model_stands_alone(project, tmp_path):
    """model.py needs none of the modules; `predict` does."""
    clip = next((project / "archive" / "2024").glob("test-*.wav"))
    program = (
        "import importlib.util, sys, torch\n"
        "spec = importlib.util.spec_from_file_location('m', sys.argv[1] + '/model.py')\n"
        "m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)\n"
        "print(sorted(m.load(sys.argv[1] + '/weights.safetensors')(torch.zeros(1, 16000))))\n"
    )
    model = project / "ws" / "model"
    alone = subprocess.run(
        [sys.executable, "-c", program, str(model)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone.stdout.strip() == "['gc', 'scr', 'vad']", alone.stderr
    ((code, err),) = ran(project, ("predict", model, clip), SYNERGY_IMPORTS="my_encoders,my_kinds")
    assert code == 0, err


def test_a_workspace_and_a_model_have_nothing_imported(project):
    clip = next((project / "archive" / "2024").glob("test-*.wav"))
    predicted, trained, reported, allowed = ran(
        project,
        ("predict", "ws/model", clip),
        ("baseline", "--workspace", "ws"),
        ("report", "--workspace", "ws"),
        ("report", "--workspace", "ws", "--config", "own.yaml"),
    )
    assert [code for code, _ in (predicted, trained, reported, allowed)] == [2, 2, 2, 0]
    assert "SYNERGY_IMPORTS=my_kinds" in predicted[1]
    assert "name the configuration with --config, or set SYNERGY_IMPORTS=my_" in trained[1]
    assert "name the configuration with --config, or set SYNERGY_IMPORTS=my_" in reported[1]
    assert "damaged" not in reported[1]


def test_plan_and_comparison_know_the_names(project, monkeypatch):
    monkeypatch.syspath_prepend(project)
    where = ("--config", project / "own.yaml", "--workspace", project / "ws", "--json")
    planned = synergy("plan", *where)
    assert planned.code == 0, planned.err
    assert planned.json["stages"][1]["done"] > 0
    compared = synergy("compare", *where, "--methods", "my_methods:deepest", *SERIAL)
    assert compared.code == 0, compared.err
    assert "deepest" in [row["name"] for row in compared.json["rows"] if not row["error"]]
    again = synergy("compare", *where, "--methods", "my_methods:deepest", *SERIAL)
    assert again.json == {**compared.json, "trained": 0}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cnn9", "found 'cnn9'; did you mean 'cnn8'?"),
        ("nowhere.at_all:Encoder", "the module nowhere.at_all cannot be imported"),
        ("my_encoders:Other", "the module my_encoders has no Other"),
        ("json:JSONDecoder", "expected one of the encoders, found no model_validate"),
    ],
)
def test_a_name_that_leads_nowhere(project, monkeypatch, name, sentence):
    monkeypatch.syspath_prepend(project)
    text = (project / "own.yaml").read_text().replace("my_encoders:Separable", name)
    (project / "wrong.yaml").write_text(text, encoding="utf-8")
    done = synergy("data", "check", "--config", project / "wrong.yaml")
    assert done.code == 2
    assert sentence in done.err


def test_what_cannot_be_exported_is_refused_before_the_first_training(project, monkeypatch):
    monkeypatch.syspath_prepend(project)
    code = code_of("An encoder").replace("nn.SiLU()", "nn.Softsign()")
    (project / "my_softsign.py").write_text(code, encoding="utf-8")
    text = (project / "own.yaml").read_text().replace("my_encoders:Sep", "my_softsign:Sep")
    (project / "softsign.yaml").write_text(text, encoding="utf-8")
    never = project / "never"
    done = synergy("run", "--config", project / "softsign.yaml", "--workspace", never, *SERIAL)
    assert done.code == 2
    assert "Softsign cannot be exported" in done.err
    assert not list((never / "trials").glob("*/result.json"))

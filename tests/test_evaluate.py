"""``synergy evaluate``: an exported model on labelled clips."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import small_models as toys
import soundfile
from small_cli import synergy
from small_corpora import gender_rows, noise, write_csv, write_manifest, write_tone_project

from synergy.audio.reading import read_waveform
from synergy.model import load_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "model"
    toys.export(folder, order=("gc", "age-3", "scr", "vad"), thresholds={"vad": 0.4})
    return folder


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled folder with the classes that the model has."""
    config = write_tone_project(tmp_path_factory.mktemp("tones"))
    text = config.read_text().replace("  scr: {kind", "  other: {kind")
    config.write_text(text)
    return config


def clips_of(config: Path, split: str) -> dict[Path, dict[str, str]]:
    """Rows of the manifest of the tones, by file."""
    folder = config.parent / "tones"
    with (folder / "manifest.csv").open() as stream:
        return {
            folder / row["path"]: row for row in csv.DictReader(stream) if row["split"] == split
        }


def test_figures_are_those_of_predict(model: Path, tones: Path):
    found = synergy("evaluate", model, tones, "--json", "--worst", 3).json["tasks"]["gc"]
    loaded = load_model(model)
    for split in ("valid", "test"):
        rows, scores = clips_of(tones, split), found["splits"][split]
        said = {file: loaded.predict(file)["gc"] for file in rows}
        pairs = Counter((rows[file]["gender"], said[file].label) for file in rows)
        hits = sum(count for (right, answer), count in pairs.items() if right == answer)
        assert scores["clips"] == len(rows)
        assert scores["metrics"]["accuracy"] == pytest.approx(hits / len(rows))
        for right, facts in scores["classes"].items():
            own = {answer: count for (one, answer), count in pairs.items() if one == right}
            assert facts["answers"] == own
            given = sum(count for (_, answer), count in pairs.items() if answer == right)
            assert facts["recall"] == pytest.approx(own.get(right, 0) / facts["count"])
            assert facts["precision"] == (own.get(right, 0) / given if given else None)
        lost = {file: -np.log(said[file].probabilities[rows[file]["gender"]]) for file in rows}
        worst = sorted(lost.values(), reverse=True)[:3]
        assert [clip["log_loss"] for clip in scores["worst"]] == pytest.approx(worst, rel=1e-4)
        for clip in scores["worst"]:
            assert (clip["right"], clip["answer"]) == (
                rows[Path(clip["file"])]["gender"],
                said[Path(clip["file"])].label,
            )


def test_activities_are_counted_in_frames_at_the_threshold_of_the_model(model: Path, tones: Path):
    found = synergy("evaluate", model, tones, "--tasks", "vad", "--splits", "test", "--json")
    loaded = load_model(model)
    active = total = 0
    for file in clips_of(tones, "test"):
        odds = 1 / (1 + np.exp(-loaded(read_waveform(file))["vad"].numpy().astype(np.float64)))
        active += int((odds >= 0.4).sum())
        total += len(odds)
    classes = found.json["tasks"]["vad"]["splits"]["test"]["classes"]
    assert list(classes) == ["no speech", "speech"]
    assert sum(facts["count"] for facts in classes.values()) == total
    assert sum(facts["answers"].get("speech", 0) for facts in classes.values()) == active


def test_a_delivered_model_has_the_scores_that_its_specification_says(tmp_path: Path):
    config, workspace = write_tone_project(tmp_path), tmp_path / "ws"
    own = ("--set", "depths=[8]", "--rounds", 0, "--executor", "serial")
    ran = synergy("run", "--config", config, "--workspace", workspace, *own)
    assert ran.code == 0, ran.err
    spec = json.loads((workspace / "model" / "spec.json").read_text())
    found = synergy("evaluate", workspace / "model", config, "--json").json["tasks"]
    for split, told in spec["results"].items():
        for task, result in told["tasks"].items():
            score = found[task]["splits"][split]["metrics"][result["metric"]]
            assert score == pytest.approx(result["weights"], abs=2e-3)  # features are kept float16


def test_people_see_scores_confusions_worst_clips_and_times(model: Path, tones: Path):
    ran = synergy("evaluate", model, tones, "--splits", "test", "--worst", 2)
    assert ran.code == 0, ran.err
    assert "class clips recall % precision % -> female -> male" in ran.table
    assert "class frames recall % precision % -> no speech -> speech" in ran.table
    assert sum("/tones/test-" in line for line in ran.table) == 4
    assert "time of a clip on cpu with 1 thread" in ran.out
    assert "note: not measured: age-3, scr, which the model has as well" in ran.err


def labelled(folder: Path, rows: list[dict[str, object]], column: str = "gender") -> Path:
    """A labelled folder with one task."""
    write_manifest(folder / "people", rows, seconds=0.5)
    config = folder / "people.yaml"
    config.write_text(
        "corpora: {people: {format: manifest, folder: people}}\n"
        f"tasks: {{gc: {{kind: clip_classification, corpora: {{people: {{column: {column}}}}}}}}}\n"
    )
    return config


def test_a_folder_needs_no_other_split_and_no_second_class(model: Path, tmp_path: Path):
    rows = [row for row in gender_rows() if (row["split"], row["gender"]) == ("valid", "male")]
    ran = synergy("evaluate", model, labelled(tmp_path, rows), "--json")
    assert ran.code == 0, ran.err
    assert "note: gc: there is no test clip" in ran.err
    facts = ran.json["tasks"]["gc"]["splits"]["valid"]["classes"]
    assert (facts["female"]["count"], facts["female"]["recall"]) == (0, None)


def test_without_both_states_an_activity_has_no_score(model: Path, tmp_path: Path):
    rows = [row for row in gender_rows() if row["split"] == "valid"]
    config = labelled(tmp_path, rows)
    between = {"start_s": 0.001, "end_s": 0.002, "label": "speech"}  # two frames
    silent = [{"path": row["path"], **between} for row in rows]
    write_csv(tmp_path / "people" / "segments.csv", silent)
    text = config.read_text().replace(
        "gc: {kind: clip_classification", "vad: {kind: frame_activity"
    )
    config.write_text(text.replace("column: gender", "segments: speech"))
    ran = synergy("evaluate", model, config, "--json", "--splits", "valid")
    assert ran.json["tasks"]["vad"]["splits"]["valid"]["metrics"] == {"roc_auc": None}


def test_a_recording_that_cannot_be_used_costs_only_itself(model: Path, tmp_path: Path):
    rows = [row for row in gender_rows() if row["split"] == "valid"]
    config = labelled(tmp_path, rows)
    broken = tmp_path / "people" / str(rows[0]["path"])
    samples = noise(0.5, 1)
    samples[100] = 1e30
    soundfile.write(broken, samples, 16_000, subtype="FLOAT")
    ran = synergy("evaluate", model, config, "--splits", "valid", "--json")
    assert ran.code == 2
    assert f"error: {broken}: " in ran.err
    assert ran.json["tasks"]["gc"]["splits"]["valid"]["clips"] == len(rows) - 1
    alone = labelled(tmp_path / "alone", rows[:1])
    soundfile.write(tmp_path / "alone" / "people" / str(rows[0]["path"]), samples, 16_000, "FLOAT")
    ran = synergy("evaluate", model, alone, "--splits", "valid", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "no clip could be used" in ran.err


CLASSES = "expected those of the model (female, male), found female, neither"


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ((), ("--tasks", "gcc"), "expected tasks that the model has (gc, age-3, scr, vad), found"),
        ((), ("--tasks", "scr"), "found gc, other, vad"),
        (("gc:", "sex:"), ("--tasks", "gc"), "expected tasks that the model has"),
        (("female, male", "female, neither"), (), CLASSES),
        (
            ("vad: {kind: frame_activity, classes: [speech]", "age-3: {kind: frame_activity"),
            (),
            "age-3.kind: expected clip_classification",
        ),
        (("column: gender", "column: genre"), (), "has no column 'genre'"),
        (("column: gender", "column: word"), (), "which is no class"),
        (("folder: tones", "folder: nowhere"), (), "nowhere"),
        ((), ("--splits", "tests"), "--splits: expected some of train,valid,test, found 'tests'"),
        ((), ("--splits", ""), "--splits: expected some of train,valid,test, found ''"),
        ((), ("--splits", "test,test"), "--splits: expected some of train,valid,test"),
        ((), ("--set", "tasks.gc.kinds=x"), "tasks.gc.kinds: unknown key"),
        ((), ("--device", "gpu"), "--device: expected cpu, cuda or cuda:N, found 'gpu'"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(model, tones, change, options, said):
    config = tones
    if change:
        text = tones.read_text()
        assert change[0] in text
        config = tones.with_name("changed.yaml")
        config.write_text(text.replace(*change))
    ran = synergy("evaluate", model, config, *options)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("nowhere", None), "expected the folder of an exported model, found nothing"),
        ((None, "nowhere.yaml"), "expected a configuration file, found nothing"),
    ],
)
def test_files_that_are_not_there_are_named(model, tones, tmp_path, files, said):
    folder, config = files
    ran = synergy(
        "evaluate", tmp_path / folder if folder else model, tmp_path / config if config else tones
    )
    assert ran.code == 2
    assert said in ran.err

"""`synergy init` on recordings as they lie on people's disks: what it understands and writes."""

from __future__ import annotations

import io
import sys

import pytest
from small_cli import content, synergy
from small_corpora import gender_rows, write_manifest, write_noise
from small_layouts import LAYOUTS, SPEAKERS, init, lines, table, write_layout
from test_datasets import speech_commands

from synergy.config import load_config
from synergy.strict_yaml import read_yaml
from synergy.training.config import TrainingConfig
from synergy.wording import SPLITS

SHORT = """\
features: {mels: 16}
encoder: {channels: [4, 4, 4, 4, 4, 4, 4, 4]}
depths: [4, 8]
"""


def understood(folder):
    """The JSON document, and the configuration as it stands in the file."""
    ran = init(folder, "--json")
    assert ran.code == 0, ran.err
    return ran.json, read_yaml((folder.parent / "out" / "synergy.yaml").read_text())


EXPECTED = {
    "class folders": ("recordings", ["off", "on"], 8, 32),
    "split folders": ("recordings", ["off", "on"], 0, 24),
    "semicolons": ("Emotion", ["angry", "calm"], 8, 32),
    "audacity": ("speech", ["speech"], 8, 24),
    "rttm": ("speech", ["speech"], 8, 24),
    "textgrid": ("speech", ["speech"], 8, 24),
    "elan": ("speech", ["speech"], 8, 24),
    "webvtt": ("speech", ["speech"], 8, 24),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_understood_and_checked(name, tmp_path):
    folder = write_layout(name, tmp_path / "recordings")
    before = content(folder)
    found, config = understood(folder)
    (task,) = found["tasks"]
    assert (task["task"], task["classes"], task["speakers"], task["clips"]) == EXPECTED[name]
    assert sum(task["splits"].values()) == task["clips"]
    assert min(task["splits"].values()) > 0
    assert config["training"] == TrainingConfig().model_dump(mode="json")
    assert content(folder) == before
    ran = synergy("data", "check", "--config", found["file"], "--json")
    assert ran.code == 0, ran.err
    splits = ran.json["tasks"][task["task"]]["splits"]
    assert {split: splits[split]["clips"] for split in SPLITS} == task["splits"]


@pytest.mark.parametrize("name", ["class folders", "textgrid"])
def test_a_layout_can_be_trained_on(name, tmp_path):
    words = write_layout("semicolons", tmp_path / "moods")
    folder = write_layout(name, tmp_path / "recordings")
    out = tmp_path / "out"
    ran = synergy("init", folder, words, "--yes", "--output", out)
    assert ran.code == 0, ran.err
    text = (out / "synergy.yaml").read_text()
    text = text.replace("epochs: 40", "epochs: 1").replace(
        "steps_per_epoch: 100", "steps_per_epoch: 2"
    )
    (out / "synergy.yaml").write_text(text + SHORT)
    ran = synergy(
        *("pairwise", "--config", out / "synergy.yaml", "--workspace", tmp_path / "ws"),
        *("--executor", "serial", "--json"),
    )
    assert ran.code == 0, ran.err
    assert (tmp_path / "ws" / "ar_table.csv").is_file()


def test_the_marks_of_all_programs_are_the_same_stretches(tmp_path):
    found = {}
    for name in ("audacity", "textgrid", "elan", "webvtt"):
        folder = write_layout(name, tmp_path / name / "recordings")
        assert init(folder).code == 0
        found[name] = (folder.parent / "out" / "recordings_lists" / "segments.csv").read_text()
    assert len({*found.values()}) == 1
    assert found["elan"].splitlines()[:2] == [
        "path,start_s,end_s,label",
        "s0_0.wav,0.2000,0.8000,speech",
    ]


def test_the_official_layout_and_a_manifest_need_no_lists(tmp_path):
    speech_commands(tmp_path / "commands")
    write_manifest(tmp_path / "people", gender_rows(per_speaker=4))
    ran = synergy(
        *("init", tmp_path / "commands", tmp_path / "people", "--yes"),
        *("--output", tmp_path, "--json"),
    )
    assert ran.code == 0, ran.err
    assert ran.json["layouts"] == {"commands": "Speech Commands", "people": "manifest"}
    assert [row["task"] for row in ran.json["tasks"]] == ["word", "gender"]
    assert ran.json["written"] == [str(tmp_path / "synergy.yaml")]
    config = load_config(tmp_path / "synergy.yaml")
    assert [c.format for c in config.corpora.values()] == ["speech_commands", "manifest"]
    assert "folder: people" in (tmp_path / "synergy.yaml").read_text()


def test_tasks_of_one_name_are_one_task_of_several_corpora(tmp_path):
    for name in ("first", "second"):
        write_manifest(tmp_path / name, gender_rows(per_speaker=4))
    ran = synergy("init", tmp_path / "first", tmp_path / "second", "--yes", "--output", tmp_path)
    assert ran.code == 0, ran.err
    tasks = read_yaml((tmp_path / "synergy.yaml").read_text())["tasks"]
    assert tasks["gender"]["corpora"] == {n: {"column": "gender"} for n in ("first", "second")}


def test_what_is_said_names_tasks_and_what_to_check(tmp_path):
    folder = write_layout("class folders", tmp_path / "recordings")
    ran = init(folder)
    assert ran.code == 0
    said = ran.table
    assert said[0] == "recordings: class folders"
    assert "recordings recordings 2: off, on 8 32 0.01 train 24, valid 4, test 4" in [
        line.strip() for line in said
    ]
    assert "- one task alone has no other to share layers with: add one" in said
    assert any("told by the file name up to its first _ or -" in line for line in said)
    assert f"next: synergy data check --config {tmp_path / 'out' / 'synergy.yaml'}" in ran.err


def test_a_second_call_replaces_its_own_and_keeps_the_splits(tmp_path):
    folder = write_layout("textgrid", tmp_path / "recordings")
    assert init(folder).code == 0
    before = content(tmp_path / "out")
    ran = init(folder)
    assert ran.code == 2
    assert "synergy.yaml is there already; move it away" in ran.err
    splits = tmp_path / "out" / "recordings_lists" / "splits.csv"
    splits.write_text(splits.read_text().replace("s0,,train", "s0,,valid"))
    assert init(folder, "--replace").code == 0
    after = content(tmp_path / "out")
    assert after.pop("recordings_lists/splits.csv") != before.pop("recordings_lists/splits.csv")
    assert after == before
    (tmp_path / "out" / "synergy.yaml").write_text("# mine\n")
    ran = init(folder, "--replace")
    assert ran.code == 2
    assert "did not write it, so --replace leaves it" in ran.err
    assert (tmp_path / "out" / "synergy.yaml").read_text() == "# mine\n"


def test_nothing_is_written_into_recordings_unless_asked(tmp_path, monkeypatch):
    folder = write_layout("textgrid", tmp_path / "recordings")
    before = content(folder)
    monkeypatch.chdir(folder)
    ran = synergy("init", ".", "--yes")
    assert ran.code == 2
    assert "name a folder with --output, this one if it is wanted" in ran.err
    assert content(folder) == before
    assert synergy("init", ".", "--yes", "--output", ".").code == 0
    again = content(folder)
    assert synergy("init", ".", "--yes", "--output", ".", "--replace").code == 0
    assert content(folder) == again


# -- questions ------------------------------------------------------------------------------------


def test_without_a_terminal_a_question_is_an_error_that_names_the_way_out(tmp_path):
    folder = write_layout("class folders", tmp_path / "recordings")
    ran = synergy("init", folder, "--output", tmp_path)
    assert ran.code == 2
    assert "are off, on the classes? expected an answer, found no terminal; take the" in ran.err
    assert ran.err.endswith("take the likely answer (yes) with --yes\n")
    assert not (tmp_path / "synergy.yaml").exists()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_answers_decide(tmp_path, monkeypatch):
    folder = write_layout("class folders", tmp_path / "recordings")
    monkeypatch.setattr(sys, "stdin", Terminal("\nwhat\nNo\n"))
    ran = synergy("init", folder, "--output", tmp_path, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["tasks"][0]["speakers"] == 0
    assert ran.err.count("tell the speaker? [Y/n]") == 2


def test_no_more_answers_are_an_error(tmp_path, monkeypatch):
    folder = write_layout("class folders", tmp_path / "recordings")
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    ran = synergy("init", folder, "--output", tmp_path)
    assert ran.code == 2
    assert "tell the speaker? expected an answer, found none" in ran.err


# -- what people have -----------------------------------------------------------------------------


def test_names_of_recordings_may_lack_their_ending_and_stand_in_other_folders(tmp_path):
    text = lines(lambda n: f"C:\\old\\{n}\t{'ab'[n % 2]}\t{n % 6}", head="utt_id\tKeyword\tspk")
    found, _ = understood(table(tmp_path / "recordings", text, name="all.tsv", encoding="utf-16"))
    assert [(t["task"], t["speakers"], t["clips"]) for t in found["tasks"]] == [("Keyword", 6, 24)]


def test_tables_that_are_called_like_splits_are_splits(tmp_path):
    folder = table(tmp_path / "recordings", "id,path\n")
    for name, numbers in (("train", range(12)), ("dev", range(12, 18)), ("test", range(18, 24))):
        own = [f"{n},{n}.wav,{'ab'[n % 2]}" for n in numbers]
        (folder / f"{name}.tsv").write_text("\n".join([",path,accent", *own]))
    found, _ = understood(folder)
    (task,) = found["tasks"]
    assert (task["task"], task["splits"]) == ("accent", {"train": 12, "valid": 6, "test": 6})


def test_a_table_of_events_is_segments(tmp_path):
    text = lines(
        lambda n: f"{n}.wav;0,05;0,15;{'bark' if n % 2 else 'sing'}",
        head="filename;onset;offset;event",
    )
    found, config = understood(table(tmp_path / "recordings", text))
    assert [task["task"] for task in found["tasks"]] == ["bark", "sing"]
    assert config["tasks"]["bark"]["kind"] == "frame_activity"
    assert config["tasks"]["bark"]["corpora"]["recordings"]["unlisted"] == "inactive"


def test_rare_classes_are_left_out_and_told(tmp_path):
    text = lines(lambda n: f"{n}.wav,{'ab'[n % 2] if n else 'rare'}", head="file,class")
    found, config = understood(table(tmp_path / "recordings", text))
    assert found["tasks"][0]["classes"] == ["a", "b"]
    assert config["tasks"]["recordings"]["corpora"]["recordings"]["map"] == {"a": "a", "b": "b"}
    assert any(
        "fewer than 3 speakers to learn from for rare: left out of the map" in c
        for c in found["checks"]
    )


def test_speakers_in_several_splits_get_new_splits(tmp_path):
    text = lines(
        lambda n: f"{n}.wav,s{n % 6},{('train', 'train', 'val', 'test')[n % 4]},{'ab'[n % 5 % 2]}",
        head="file,speaker,set,word",
    )
    found, _ = understood(table(tmp_path / "recordings", text))
    assert any("in several splits: splits are made anew" in check for check in found["checks"])
    assert min(found["tasks"][0]["splits"].values()) > 0


def test_two_speakers_are_too_few_to_be_told_apart(tmp_path):
    text = lines(lambda n: f"{n}.wav,s{n % 2},{'ab'[n // 2 % 2]}", head="file,speaker,word")
    found, _ = understood(table(tmp_path / "recordings", text))
    assert found["tasks"][0]["speakers"] == 0
    assert any("2 speakers are too few for three splits" in check for check in found["checks"])


def test_transcripts_are_words_and_every_word_is_speech(tmp_path):
    folder = tmp_path / "recordings"
    for number, speaker in enumerate(SPEAKERS):
        for take in range(2):
            write_noise(folder, f"{speaker}_{take}.wav", 1.0)
            (folder / f"{speaker}_{take}.txt").write_text(
                f"0.1\t0.5\tword{number}{take}\n0.6\t7\tsil"
            )
    found, _ = understood(folder)
    assert found["tasks"][0]["task"] == "speech"
    assert any("are taken for words" in check for check in found["checks"])


def test_names_from_outside_are_data_and_no_settings(tmp_path):
    folder = tmp_path / "a b: {x}\nmax_ar: 50 #"
    for word in ("yes: no", "- {"):
        for number in range(6):
            write_noise(folder, f"{word}/{number}.wav")
    found, config = understood(folder)
    assert config["max_ar"] == 2.0
    assert found["tasks"][0]["classes"] == ["- {", "yes: no"]
    assert [*config["tasks"]] == ["a_b_x_max_ar_50"]


def test_a_task_that_cannot_be_made_is_left_out_and_told(tmp_path):
    rest = ("train",) * 12 + ("valid",) * 6 + ("test",) * 6
    text = lines(
        lambda n: f"{n}.wav,{rest[n]},{'ab'[n % 2]},{'xy'[n % 5 == 0 and n < 12]}",
        head="file,set,word,place",
    )
    found, config = understood(table(tmp_path / "recordings", text))
    assert [*config["tasks"]] == ["word"]
    assert any(
        c.startswith("left out: task place: 2 problems all 6 valid") for c in found["checks"]
    )


def test_a_column_that_tells_the_same_is_no_second_task(tmp_path):
    text = lines(lambda n: f"{n}.wav,{'ab'[n % 2]},{'xy'[n % 2]},{20 + n % 3}", head="file,w,v,age")
    found, config = understood(table(tmp_path / "recordings", text))
    assert [*config["tasks"]] == ["w"]
    assert "recordings: v tells what w does: no task" in found["checks"]


def test_stretches_of_several_people_are_one_recording(tmp_path):
    text = lines(
        lambda n: f"{n // 2}.wav,0.0{n % 2},0.1,s{n},speech", head="file,start,end,spk,label"
    )
    found, _ = understood(table(tmp_path / "recordings", text))
    assert (found["tasks"][0]["clips"], found["tasks"][0]["speakers"]) == (12, 0)

from __future__ import annotations

import shutil

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small_corpora import gender_rows, noise, row, write_csv, write_manifest

from synergy.datasets import content
from synergy.datasets.base import Segment
from synergy.datasets.content import expand_folder
from synergy.datasets.manifest import ManifestConfig, load_manifest
from synergy.datasets.splitting import complete_splits
from synergy.errors import ConfigError, DataError
from synergy.wording import problem_message


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "cache"))


def load(folder, **options):
    return load_manifest("mine", ManifestConfig(folder=str(folder), **options))


def test_reads_what_the_tables_say(tmp_path):
    rows = [
        row("b.wav", "train", "ann", gender="female", age="", licence="CC0"),
        row("a.flac", "dev", "bob", gender="male", age="30", licence="CC-BY"),
        row("c/d.wav", "validation", "cid", gender="", age="4", licence=""),
        row("./e.wav", "TEST", "", gender="", age="", licence="CC0"),
    ]
    segments = [
        {"path": "b.wav", "start_s": 0.1, "end_s": 0.2, "label": "speech", "label_source": "hand"},
        {"path": "b.wav", "start_s": 0.0, "end_s": 0.1, "label": "noise", "label_source": ""},
    ]
    corpus = load(write_manifest(tmp_path / "corpus", rows, segments))
    assert [clip.path for clip in corpus.clips] == ["a.flac", "b.wav", "c/d.wav", "e.wav"]
    a, b, c, e = corpus.clips
    assert (a.split, a.speaker, dict(a.labels)) == ("valid", "bob", {"gender": "male", "age": "30"})
    assert (c.split, e.split, e.speaker, dict(e.labels)) == ("valid", "test", "", {})
    assert b.segments == (Segment(0.0, 0.1, "noise"), Segment(0.1, 0.2, "speech", "hand"))
    assert a.segments is None
    assert a.duration_s == pytest.approx(0.2)
    assert corpus.columns == ("gender", "age")
    assert corpus.licences == ("CC-BY", "CC0")
    assert corpus.notes == ()
    assert corpus.audio_path(c).is_file()


def test_duration_column_wins_over_the_header(tmp_path):
    rows = [row(f"{split}.wav", split, split, duration_s=0.25) for split in ("train", "valid")]
    assert {clip.duration_s for clip in load(write_manifest(tmp_path, rows)).clips} == {0.25}


def test_fingerprint_ignores_folder_and_order_but_not_content(tmp_path):
    rows = gender_rows()
    first = write_manifest(tmp_path / "first", rows)
    before = load(first).fingerprint

    second = tmp_path / "second"
    shutil.copytree(first, second)
    write_csv(second / "manifest.csv", rows[::-1])
    assert load(second).fingerprint == before

    write_csv(second / "manifest.csv", [*rows[:-1], rows[-1] | {"gender": "other"}])
    assert load(second).fingerprint != before

    write_csv(second / "manifest.csv", rows)
    segment = {"path": rows[0]["path"], "start_s": 0, "end_s": 0.1, "label": "speech"}
    write_csv(second / "segments.csv", [segment])
    assert load(second).fingerprint != before

    (second / "segments.csv").unlink()
    soundfile.write(second / str(rows[0]["path"]), noise(0.2, 99), 16_000)
    assert load(second).fingerprint != before


def test_second_start_reads_no_audio(tmp_path, monkeypatch):
    folder = write_manifest(tmp_path / "corpus", gender_rows())
    first = load(folder)
    with monkeypatch.context() as patch:
        patch.setattr(content, "read_duration", lambda path: pytest.fail(f"{path} is read"))
        assert load(folder) == first
    changed = next(iter(first.clips))
    soundfile.write(first.audio_path(changed), noise(0.3, 99), 16_000)
    again = load(folder)
    assert again.fingerprint != first.fingerprint
    assert again.clips[0].duration_s == pytest.approx(0.3)


@pytest.mark.parametrize("damage", ["{", "[]", '{"train/female0.wav": 3}', "\xff"])
def test_a_damaged_cache_is_an_empty_one(tmp_path, damage):
    folder = write_manifest(tmp_path / "corpus", gender_rows())
    first = load(folder)
    for file in (tmp_path / "cache" / "content").iterdir():
        file.write_bytes(damage.encode("latin-1"))
    assert load(folder) == first


def test_an_unusable_cache_only_costs_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "file" / "cache"))
    assert load(write_manifest(tmp_path / "corpus", gender_rows())).clips


# -- a valid split out of train ---------------------------------------------------------------


def without_valid(speakers, per_speaker=3):
    rows = [
        row(f"s{s}/{i}.wav", "train", f"speaker{s}")
        for s in range(speakers)
        for i in range(per_speaker)
    ]
    return [*rows, row("t.wav", "test", "tester")]


def test_valid_is_taken_as_whole_speakers(tmp_path):
    rows = without_valid(10)
    corpus = load(write_manifest(tmp_path / "corpus", rows), valid_fraction=0.2)
    by_split = {
        split: {clip.speaker for clip in corpus.clips if clip.split == split}
        for split in ("train", "valid", "test")
    }
    assert len(by_split["valid"]) == 2
    assert not by_split["train"] & by_split["valid"]
    assert by_split["test"] == {"tester"}
    (note,) = corpus.notes
    assert "2 speakers, 6 of 30 train clips" in note
    write_csv(tmp_path / "corpus" / "manifest.csv", rows[::-1])
    assert load(tmp_path / "corpus", valid_fraction=0.2).clips == corpus.clips


def test_clips_without_speaker_count_one_by_one(tmp_path):
    rows = [row(f"{i}.wav", "train") for i in range(20)]
    corpus = load(write_manifest(tmp_path, rows))
    assert sum(clip.split == "valid" for clip in corpus.clips) == 3
    assert "3 clips without speaker, 3 of 20" in corpus.notes[0]


def test_one_speaker_is_too_few_for_a_valid_split(tmp_path):
    with pytest.raises(DataError, match="train has 1 speaker, too few"):
        load(write_manifest(tmp_path, without_valid(1)))


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=30),
    fraction=st.floats(0.05, 0.45),
)
def test_valid_has_a_speaker_leaves_one_and_is_near_the_fraction(sizes, fraction):
    from synergy.datasets.base import Clip

    clips = [
        Clip(f"{s}/{i}.wav", "train", f"s{s}", 1.0, {})
        for s, n in enumerate(sizes)
        for i in range(n)
    ]
    given = [*clips, Clip("t.wav", "test", "", 1.0, {})]
    result, _ = complete_splits("x", given, ManifestConfig(folder=".", valid_fraction=fraction))
    valid = {clip.speaker for clip in result if clip.split == "valid"}
    train = {clip.speaker for clip in result if clip.split == "train"}
    assert valid
    assert train
    assert not valid & train
    target = fraction * len(clips)
    taken = sum(clip.split == "valid" for clip in result)
    assert abs(taken - target) <= max(sizes)


# -- wrong input ------------------------------------------------------------------------------


def wrong(kind, folder):
    """Spoil a good corpus."""
    rows = gender_rows()
    segment = {"path": rows[0]["path"], "start_s": 0, "end_s": 0.1, "label": "speech"}
    segments = []
    files = folder / "train"
    write_manifest(folder, rows)
    match kind:
        case "no manifest":
            (folder / "manifest.csv").unlink()
            return
        case "missing column":
            rows = [{"path": r["path"], "splits": r["split"]} for r in rows]
        case "no rows":
            (folder / "manifest.csv").write_text("path,split\n")
            return
        case "not text":
            (folder / "manifest.csv").write_bytes(b"path,split\n\xff\xfe,train\n")
            return
        case "ragged":
            (folder / "manifest.csv").write_text("path,split\na.wav,train,x\n")
            return
        case "column twice":
            (folder / "manifest.csv").write_text("path,split,age,age\na.wav,train,1,2\n")
            return
        case "unknown split":
            rows[0]["split"] = "trian"
        case "path twice":
            rows[1]["path"] = f"./{rows[0]['path']}"
        case "empty path":
            rows[0]["path"] = " "
        case "missing file":
            (folder / str(rows[0]["path"])).unlink()
        case "corrupt FLAC":
            (files / "female0.wav").write_bytes(b"fLaC" + bytes(500))
        case "empty WAV":
            soundfile.write(files / "female0.wav", np.zeros(0, np.float32), 16_000)
        case "absolute":
            rows[0]["path"] = str(files / "female0.wav")
        case "leaves":
            soundfile.write(folder.parent / "outside.wav", noise(0.2, 1), 16_000)
            rows[0]["path"] = "../outside.wav"
        case "link":
            soundfile.write(folder.parent / "outside.wav", noise(0.2, 1), 16_000)
            (files / "female0.wav").unlink()
            (files / "female0.wav").symlink_to(folder.parent / "outside.wav")
        case "linked folder":
            (folder.parent / "elsewhere").mkdir()
            soundfile.write(folder.parent / "elsewhere" / "a.wav", noise(0.2, 1), 16_000)
            (folder / "linked").symlink_to(folder.parent / "elsewhere")
            rows[0]["path"] = "linked/a.wav"
        case "backslash":
            rows[0]["path"] = "train\\female0.wav"
        case "duration":
            rows = [r | {"duration_s": "0.2"} for r in rows]
            rows[0]["duration_s"] = "long"
        case "other duration":
            rows = [r | {"duration_s": "0.2"} for r in rows]
            rows[0]["duration_s"] = "2"
        case "overlap":
            rows[0]["speaker"] = "test-male"
        case "segment of no clip":
            segments = [segment | {"path": "other.wav"}]
        case "segment backwards":
            segments = [segment | {"start_s": 0.2}]
        case "segment NaN":
            segments = [segment | {"end_s": "nan"}]
        case "segment too long":
            segments = [segment | {"end_s": 7}]
        case "segment without label":
            segments = [segment | {"label": ""}]
    write_csv(folder / "manifest.csv", rows)
    if segments:
        write_csv(folder / "segments.csv", segments)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("no manifest", r"expected manifest\.csv in .*, found none"),
        ("missing column", "split is missing among path, splits"),
        ("no rows", "has no rows"),
        ("not text", "expected a CSV file in UTF-8"),
        ("ragged", "expected 2 cells in every row, found another number in line 2"),
        ("column twice", "a name of its own"),
        ("unknown split", "line 2: expected the split .*'trian'; did you mean 'train'"),
        ("path twice", r"line 3: train/female0\.wav is listed twice"),
        ("empty path", "line 2: the path is empty"),
        ("missing file", r"line 2: train/female0\.wav: no such file"),
        ("corrupt FLAC", r"train/female0\.wav: cannot be decoded"),
        ("empty WAV", r"train/female0\.wav: expected audio, found a file without samples"),
        ("absolute", "line 2: .*expected a path relative to the folder"),
        ("leaves", r"line 2: \.\./outside\.wav: the path leaves the corpus folder"),
        ("link", "line 2: .*symbolic link leads out"),
        ("linked folder", r"line 2: linked/a\.wav: a symbolic link leads out"),
        ("backslash", "forward slashes"),
        ("duration", "line 2: expected duration_s in seconds, found 'long'"),
        ("other duration", r"the manifest says 2 s, the file has 0\.200 s"),
        ("overlap", r"several: test-male \(train, test\)"),
        ("segment of no clip", r"segments\.csv line 2: other\.wav is not in manifest\.csv"),
        ("segment backwards", "line 2: expected 0 <= start_s < end_s"),
        ("segment NaN", "expected 0 <= start_s < end_s"),
        ("segment too long", r"ends at 7 s, the clip at 0\.2 s"),
        ("segment without label", "the label is empty"),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, kind, says):
    wrong(kind, tmp_path / "corpus")
    with pytest.raises(DataError, match=says) as caught:
        load(tmp_path / "corpus")
    assert len(str(caught.value).splitlines()) == 1


def test_links_inside_the_folder_are_fine(tmp_path):
    folder = write_manifest(tmp_path / "corpus", gender_rows())
    file = folder / "train" / "female0.wav"
    file.rename(folder / "real.wav")
    file.symlink_to(folder / "real.wav")
    (tmp_path / "entrance").symlink_to(folder)
    assert load(tmp_path / "entrance").fingerprint == load(folder).fingerprint


def test_all_problems_come_together(tmp_path):
    rows = gender_rows()
    folder = write_manifest(tmp_path, rows)
    broken = [entry | {"split": "nowhere"} for entry in rows]
    broken[0]["path"] = "gone.wav"
    write_csv(folder / "manifest.csv", broken)
    with pytest.raises(DataError) as caught:
        load(folder)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith(": 13 problems")
    assert lines[-1] == "  and 3 more"
    assert len(lines) == 12
    assert any("gone.wav: no such file" in line for line in lines)


def test_problem_message_counts():
    assert problem_message("here", ["one"]) == "here: one"
    assert problem_message("here", ["a", "b", "c"], limit=2) == (
        "here: 3 problems\n  a\n  b\n  and 1 more"
    )


def test_folder_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_TEST_FOLDER", str(tmp_path))
    assert expand_folder("${SYNERGY_TEST_FOLDER}/corpus") == tmp_path / "corpus"
    monkeypatch.delenv("SYNERGY_TEST_FOLDER")
    with pytest.raises(ConfigError, match="SYNERGY_TEST_FOLDER is not set"):
        load("${SYNERGY_TEST_FOLDER}/corpus")


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"mine: expected a folder at .*nowhere, found none"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("fraction", [0.0, 0.5, float("nan")])
def test_impossible_fraction(fraction):
    with pytest.raises(ValidationError, match="valid_fraction"):
        ManifestConfig(folder=".", valid_fraction=fraction)

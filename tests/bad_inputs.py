"""Ways to spoil a sound project, and the sentence that each of them deserves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from small_tables import PAPER

TABLE = """\
task_a,task_b,shared_depth,ar_pct
gc,scr,4,0.5
gc,scr,8,1.5
gc,vad,4,0.0
gc,vad,8,2.5
scr,vad,4,1.0
scr,vad,8,0.0
"""
BASELINE = "baseline --config tones.yaml"
PAIRWISE = "pairwise --config tones.yaml"
FROM_TABLE = "search --table table.csv"

Spoil = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """What is done to a project, what is asked then, and a pattern for the answer."""

    name: str
    spoil: Spoil
    command: str
    sentence: str


CASES: list[Case] = []


def case(name: str, sentence: str, command: str = BASELINE) -> Callable[[Spoil], Spoil]:
    """Register a way to spoil the project."""

    def register(spoil: Spoil) -> Spoil:
        CASES.append(Case(name, spoil, command, sentence))
        return spoil

    return register


def edit(file: Path, old: str, new: str) -> None:
    """Replace the first ``old``, which must be there."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def manifest(project: Path) -> Path:
    """The manifest of the project's corpus."""
    return project / "tones" / "manifest.csv"


def rows_of(project: Path, edit_row: Callable[[list[str]], list[str] | None]) -> None:
    """Change rows of the manifest; ``None`` drops one."""
    header, *lines = manifest(project).read_text(encoding="utf-8").splitlines()
    rows = [edit_row(line.split(",")) for line in lines]
    kept = [",".join(row) for row in rows if row is not None]
    manifest(project).write_text("\n".join([header, *kept, ""]), encoding="utf-8")


# -- recordings and labels ------------------------------------------------------------------


@case("missing label column", r"task gc: corpus tones has no column 'gendr'; did you mean 'gender'")
def _(project: Path) -> None:
    edit(project / "tones.yaml", "column: gender", "column: gendr")


@case("missing manifest column", r"expected the columns path, split; split is missing")
def _(project: Path) -> None:
    edit(manifest(project), "path,split,", "path,part,")


@case("no manifest", r"expected manifest.csv in .*tones, found none")
def _(project: Path) -> None:
    manifest(project).unlink()


@case("unknown class", r"24 clips with the gender 'male', which is no class; did you mean 'female'")
def _(project: Path) -> None:
    edit(project / "tones.yaml", "classes: [female, male]", "classes: [female, mail]")


@case("corrupt FLAC", r"corpus tones in .*: train-00.flac: ")
def _(project: Path) -> None:
    clip = project / "tones" / "train-00.wav"
    samples, rate = soundfile.read(clip)
    soundfile.write(clip.with_suffix(".flac"), samples, rate)
    data = bytearray(clip.with_suffix(".flac").read_bytes())
    data[:64] = bytes(64)
    clip.with_suffix(".flac").write_bytes(data)
    for name in ("manifest.csv", "segments.csv"):
        edit(project / "tones" / name, "train-00.wav", "train-00.flac")


@case("truncated FLAC", r"train-00.flac")
def _(project: Path) -> None:
    clip = project / "tones" / "train-00.wav"
    samples, rate = soundfile.read(clip)
    soundfile.write(clip.with_suffix(".flac"), samples, rate)
    data = clip.with_suffix(".flac").read_bytes()
    clip.with_suffix(".flac").write_bytes(data[: len(data) // 2])
    for name in ("manifest.csv", "segments.csv"):
        edit(project / "tones" / name, "train-00.wav", "train-00.flac")


@case("empty WAV", r"test-03.wav")
def _(project: Path) -> None:
    (project / "tones" / "test-03.wav").write_bytes(b"")


@case("WAV without a sample", r"test-03.wav")
def _(project: Path) -> None:
    soundfile.write(project / "tones" / "test-03.wav", np.zeros(0, np.float32), 16_000)


@case("missing recording", r"test-03.wav")
def _(project: Path) -> None:
    (project / "tones" / "test-03.wav").unlink()


@case("path that leaves the corpus", r"manifest.csv line 2: .*\.\./outside.wav")
def _(project: Path) -> None:
    shutil.copy(project / "tones" / "train-00.wav", project / "outside.wav")
    edit(manifest(project), "train-00.wav", "../outside.wav")
    edit(project / "tones" / "segments.csv", "train-00.wav", "train-01.wav")


@case("link that leaves the corpus", r"manifest.csv line 2: .*train-00.wav")
def _(project: Path) -> None:
    clip = project / "tones" / "train-00.wav"
    clip.rename(project / "outside.wav")
    clip.symlink_to(project / "outside.wav")


@case("a split with one class", r"task gc: all 6 test clips are female; expected several classes")
def _(project: Path) -> None:
    segments = project / "tones" / "segments.csv"
    rows_of(project, lambda row: None if row[1] == "test" and row[3] == "male" else row)
    listed = manifest(project).read_text(encoding="utf-8")
    lines = segments.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines[1:] if line.split(",")[0] in listed]
    segments.write_text("\n".join([lines[0], *kept, ""]), encoding="utf-8")


@case("speakers in several splits", r"corpus tones .*train-0.*train-1|train-1.*train-0")
def _(project: Path) -> None:
    names = {"test-0": "train-0", "test-1": "train-1"}
    rows_of(project, lambda row: [*row[:2], names.get(row[2], row[2]), *row[3:]])


@case("variable that is not set", r"SYNERGY_ELSEWHERE")
def _(project: Path) -> None:
    edit(project / "tones.yaml", "folder: tones", 'folder: "${SYNERGY_ELSEWHERE}/tones"')


# -- configuration ----------------------------------------------------------------------------


@case("typo in a section", r"tones.yaml: trainng: unknown key; did you mean 'training'\?")
def _(project: Path) -> None:
    edit(project / "tones.yaml", "training:", "trainng:")


@case("typo in a key", r"tones.yaml: training.epoch: unknown key; did you mean 'epochs'\?")
def _(project: Path) -> None:
    edit(project / "tones.yaml", "epochs:", "epoch:")


@case("two tasks of one name", r"tones.yaml, line 5: the key 'gc' stands here for the second time")
def _(project: Path) -> None:
    edit(project / "tones.yaml", "  scr:", "  gc:")


@case("no YAML", r"tones.yaml, line 2: ")
def _(project: Path) -> None:
    (project / "tones.yaml").write_text("corpora:\n\t- [", encoding="utf-8")


@case("a list instead of settings", r"tones.yaml: expected a mapping of settings, found list")
def _(project: Path) -> None:
    (project / "tones.yaml").write_text("- a\n", encoding="utf-8")


@case("no text", r"tones.yaml: cannot be read as text")
def _(project: Path) -> None:
    (project / "tones.yaml").write_bytes(b"\xff\xfe\x00\xd8")


# -- workspace --------------------------------------------------------------------------------


@case("a workspace that is a file", r"expected a folder for the workspace, found the file ws")
def _(project: Path) -> None:
    shutil.rmtree(project / "ws")
    (project / "ws").write_text("mine", encoding="utf-8")


@case("a workspace that is something else", r"expected a workspace in ws, found holiday.jpg")
def _(project: Path) -> None:
    shutil.rmtree(project / "ws")
    (project / "ws").mkdir()
    (project / "ws" / "holiday.jpg").write_bytes(b"sun")


@case("a truncated configuration in the workspace", r"ws/config.yaml", "pairwise")
def _(project: Path) -> None:
    (project / "ws" / "config.yaml").write_text("corpora: {a: ", encoding="utf-8")


@case("a damaged tree", r"ws/tree.json is damaged", "show")
def _(project: Path) -> None:
    (project / "ws" / "tree.json").write_text('{"tree": {}}', encoding="utf-8")


@case("a damaged table", r"ws/ar_table.csv: .*pair scr-vad", "synthesize")
def _(project: Path) -> None:
    edit(project / "ws" / "ar_table.csv", "scr,vad,8,0.0\n", "")


@case("no table yet", r"run `synergy pairwise --workspace ws` first", "synthesize")
def _(project: Path) -> None:
    (project / "ws" / "ar_table.csv").unlink()


@case("no workspace yet", r"run `synergy pairwise --workspace ws` first", "synthesize")
def _(project: Path) -> None:
    shutil.rmtree(project / "ws")


@case("nothing to show", r"expected a workspace in ws, found none", "show")
def _(project: Path) -> None:
    shutil.rmtree(project / "ws")


# -- AR table and options ---------------------------------------------------------------------

# Name, what is replaced in the table and by what, sentence.
TABLES = (
    ("a missing pair", TABLE[-28:], "", r"pair scr-vad: .* found no row of this pair"),
    (
        "an AR of NaN",
        "1.5",
        "nan",
        r"line 3: expected a number as ar_pct, found 'nan'",
    ),
    ("a negative AR", "1.5", "-1.5", r"line 3: .*found -1.5"),
    ("unequal depths", "gc,vad,8,2.5\n", "", r"pair gc-vad: .*found no depth 8"),
    ("a table of one task", TABLE[34:], "", r"expected .*two different tasks, found none"),
    ("a pair twice", TABLE[-14:], TABLE[-14:] + "vad,gc,4,1\n", r"found vad-gc at depth 4 again"),
    ("a missing table column", "ar_pct", "ar", r"found no ar_pct"),
    ("a depth beyond the encoder", "", "", r"pair gc-scr: .*found a weight of 9"),
)

# Name, command, sentence.
COMMANDS = (
    ("no configuration there", "plan --config none.yaml", r"none.yaml: expected a configuration"),
    ("a folder as configuration", "plan --config tones", r"tones: cannot be read as text"),
    ("unknown task", f"{BASELINE} --tasks gc,scrr", r"found scrr; did you mean 'scr'\?"),
    ("the same task twice", f"{BASELINE} --tasks gc,gc", r"task gc is named twice"),
    ("an empty task name", f"{BASELINE} --tasks gc,", r"--tasks: expected names such as gc,ac"),
    ("one task only", f"{PAIRWISE} --tasks gc", r"expected at least two tasks to pair, found gc"),
    ("a depth too deep", f"{PAIRWISE} --depths 8-9", r"--depths: expected 1\.\.8, found \[9\]"),
    ("depth 0", f"{PAIRWISE} --depths 0", r"--depths: expected 1\.\.8, found \[0\]"),
    ("depths downwards", f"{PAIRWISE} --depths 8-4", r"--depths: expected depths such as 4-8"),
    ("depths in words", f"{PAIRWISE} --depths all", r"--depths: expected depths such as 4-8"),
    ("a depth twice", f"{PAIRWISE} --depths 4-8,5", r"--depths: expected distinct depths"),
    ("a negative seed", f"{BASELINE} --seed -1", r"--seed: .*found -1"),
    ("no seeds", f"{BASELINE} --seeds 0", r"--seeds: .*found 0"),
    (
        "no executor",
        f"{BASELINE} --executor x",
        r"--executor: expected process or serial or ray, found",
    ),
    ("a threshold of NaN", "run --config tones.yaml --max-ar nan", r"--max-ar: .*nan"),
    ("a negative threshold", "run --config tones.yaml --max-ar -1", r"--max-ar: .*found -1"),
    ("a negative table threshold", f"{FROM_TABLE} --max-ar -1", r"largest AR .*found -1"),
    ("no solver", "synthesize --solver exat", r"--solver: .*'exat'; did you mean 'exact'"),
    ("no table there", "search --table none.csv", r"none.csv: .*no such file"),
    ("no table to train", "synthesize --table none.csv", r"none.csv: .*no such file"),
    (
        "a table of other tasks",
        f"synthesize --config tones.yaml --table {PAPER / 'table3_pairwise_ar.csv'}",
        r"the tasks ac, which the configuration .* lacks; .*`synergy search --table`",
    ),
    ("no model", "predict ws/model tones/test-00.wav", r"ws/model: expected the folder of"),
)

for _name, _old, _new, _sentence in TABLES:

    @case(_name, _sentence, FROM_TABLE)
    def _(project: Path, old: str = _old, new: str = _new) -> None:
        if old:
            edit(project / "table.csv", old, new)
        else:
            table = (project / "table.csv").read_text(encoding="utf-8")
            (project / "table.csv").write_text(table.replace(",8,", ",9,"), encoding="utf-8")


for _name, _command, _sentence in COMMANDS:
    case(_name, _sentence, _command)(lambda project: None)

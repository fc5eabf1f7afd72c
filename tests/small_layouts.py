"""Recordings as they lie on people's disks, a few of each: eight speakers, some seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from small_cli import Ran, synergy
from small_corpora import write_noise

SPEAKERS = tuple(f"s{number}" for number in range(8))
TEXTGRID = """\
File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "talk"
        xmin = 0
        xmax = 1
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = {start}
            text = ""
        intervals [2]:
            xmin = {start}
            xmax = 0.8
            text = "speech"
        intervals [3]:
            xmin = 0.8
            xmax = 1
            text = "sil"
    item [2]:
        class = "TextTier"
        name = "points"
        xmin = 0
        xmax = 1
        points: size = 1
        points [1]:
            number = 0.5
            mark = "a ""click"" here"
"""
EAF = """\
<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="{start}"/><TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="800"/>
<TIME_SLOT TIME_SLOT_ID="c"/></TIME_ORDER><TIER TIER_ID="talk">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="1" TIME_SLOT_REF1="a" TIME_SLOT_REF2="b">
<ANNOTATION_VALUE>speech</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="2" TIME_SLOT_REF1="b" TIME_SLOT_REF2="c">
<ANNOTATION_VALUE>speech</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
</ANNOTATION_DOCUMENT>
"""


def class_folders(folder: Path) -> None:
    """Two words by eight speakers; the file names begin with the speaker."""
    for speaker in SPEAKERS:
        for word in ("on", "off"):
            for take in (1, 2):
                write_noise(folder, f"{word}/{speaker}_{take}.wav", 1.0)


def split_folders(folder: Path) -> None:
    """Train, dev and test above two words; nothing tells speakers."""
    for split, takes in (("train", 6), ("dev", 3), ("test", 3)):
        for word in ("on", "off"):
            for take in range(takes):
                write_noise(folder, f"{split}/{word}/{take:03d}{split}.wav", 1.0)


def semicolons(folder: Path) -> None:
    """A table with semicolons, other names, a mark, decimal commas and columns of no use."""
    lines = ["Dateiname;File Name;Speaker ID;Emotion;Alter;Sentence"]
    for number, speaker in enumerate(SPEAKERS):
        for take in range(4):
            write_noise(folder, f"clips/{speaker}{take}.wav", 1.0)
            mood = ("calm", "angry")[take % 2]
            text = f'"a; {take}\nand more"'
            lines.append(f"x;{speaker}{take}.wav;{speaker};{mood};{20 + number},5;{text}")
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8-sig")


def beside(ending: str, text: Callable[[float], str]) -> Callable[[Path], None]:
    """Three recordings of each speaker with labels beside them, speech from a quarter on."""

    def write(folder: Path) -> None:
        for number, speaker in enumerate(SPEAKERS):
            for take in range(3):
                start = 0.2 + 0.05 * number
                write_noise(folder, f"{speaker}_{take}.wav", 1.0)
                (folder / f"{speaker}_{take}{ending}").write_text(text(start), encoding="utf-8")

    return write


def audacity(start: float) -> str:
    """A label track: a comma as one of its points, frequencies, a second of nothing."""
    return f"{start:.6f}".replace(".", ",") + "\t0.8\tspeech\n\\\t100.0\t4000.0\n0.9\t0.9\t\n"


def rttm(folder: Path) -> None:
    """One file for all recordings, in another folder."""
    beside(".wav.md5", lambda start: "x")(folder)
    lines = [";; turns"]
    for number, speaker in enumerate(SPEAKERS):
        for take in range(3):
            name, start = f"{speaker}_{take}", 0.2 + 0.05 * number
            lines.append(f"SPKR-INFO {name} 1 <NA> <NA> <NA> unknown A <NA> <NA>")
            lines.append(f"SPEAKER {name} 1 {start:.3f} 0.4 <NA> <NA> A <NA> <NA>")
            lines.append(f"SPEAKER {name} 1 0.7 0.1 <NA> <NA> B <NA> <NA>")
    (folder / "lists").mkdir()
    (folder / "lists" / "all.rttm").write_text("\n".join(lines), encoding="utf-8")


def webvtt(start: float) -> str:
    """One cue, with an identifier, a position and a note."""
    first = f"00:00:00.{round(1000 * start):03d}"
    return f"WEBVTT\n\nNOTE by hand\n\n1\n{first} --> 00:00.800 line:0\nHi\n"


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "class folders": class_folders,
    "split folders": split_folders,
    "semicolons": semicolons,
    "audacity": beside(".txt", audacity),
    "rttm": rttm,
    "textgrid": beside(".TextGrid", lambda start: TEXTGRID.format(start=start)),
    "elan": beside(".eaf", lambda start: EAF.format(start=round(1000 * start))),
    "webvtt": beside(".vtt", webvtt),
}
"""What each layout is called, and what writes it into an empty folder."""


def write_layout(name: str, folder: Path) -> Path:
    """Write a layout into a new folder."""
    folder.mkdir(parents=True)
    LAYOUTS[name](folder)
    return folder


def init(folder: Path, *options: object) -> Ran:
    """`synergy init` without questions, into the folder ``out`` beside the recordings."""
    return synergy("init", folder, "--yes", "--output", folder.parent / "out", *options)


def table(
    folder: Path, text: str, files: int = 24, name: str = "labels.csv", encoding: str = "utf-8"
) -> Path:
    """A table beside recordings 0.wav, 1.wav, ..."""
    for number in range(files):
        write_noise(folder, f"{number}.wav")
    (folder / name).write_text(text, encoding=encoding)
    return folder


def lines(line: Callable[[int], str], count: int = 24, head: str = "") -> str:
    """The text of a table."""
    return "\n".join([head, *(line(number) for number in range(count))]) + "\n"

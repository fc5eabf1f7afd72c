"""Dataset ``speech_commands``: the folder layout of Speech Commands v0.02.

One folder per word, files ``<speaker>_nohash_<n>.wav``, ``validation_list.txt`` and
``testing_list.txt``, and long recordings of noise in ``_background_noise_``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from synergy.datasets.base import Clip, Corpus, Progress
from synergy.datasets.content import (
    BadAudio,
    Folder,
    corpus_folder,
    file_facts,
    fingerprint,
    hash_order,
    left_out,
    refuse,
    safe_path,
)
from synergy.files import StrictModel, UnfitFileError, read_text, shortly
from synergy.names import Label
from synergy.wording import Split, counted, did_you_mean, quoted, short_list, shown

NOISE_FOLDER = "_background_noise_"
LISTS: dict[str, Split] = {"validation_list.txt": "valid", "testing_list.txt": "test"}
_FILE_NAME = re.compile(r"([0-9a-f]{8})_nohash_\d+\.wav")
_LICENCE = "CC-BY-4.0"


class SpeechCommandsConfig(StrictModel):
    """A folder in the layout of Speech Commands v0.02."""

    format: Literal["speech_commands"] = "speech_commands"
    folder: Folder = Field(
        description="Folder of the corpus; ${NAME} is read from the environment."
    )
    words: tuple[Label, ...] | None = Field(
        default=None, min_length=1, description="Words to read; all when not given."
    )
    on_bad_audio: BadAudio = Field(
        default="skip",
        description="What is done about recordings that cannot be decoded: stop, or skip them "
        "where they are at most 1 % of the corpus, each with a note.",
    )


def load_speech_commands(
    name: str, config: SpeechCommandsConfig, progress: Progress | None = None
) -> Corpus:
    """Read a Speech Commands folder: label column ``word``, speaker from the file name.

    Noise recordings become clips without a word and with no segments, split by file. Problems are
    missing or damaged lists, words and files, and a speaker in several splits.
    """
    folder = corpus_folder(name, config.folder)
    problems: list[str] = []
    notes: list[str] = []
    listed = _listed(folder, problems)
    words = _words(folder, config.words, problems)

    found: dict[str, tuple[Split, str, str]] = {}
    for word in words:
        for file in sorted((folder / word).iterdir()):
            path = f"{word}/{file.name}"
            match = _FILE_NAME.fullmatch(file.name)
            if file.suffix.lower() != ".wav":
                continue
            if match is None:
                problems.append(f"{shown(path)}: expected a name like 0a1b2c3d_nohash_0.wav")
            else:
                found[path] = (listed.get(path, "train"), match[1], word)
    read = set(words)
    absent = sum(path.partition("/")[0] in read and path not in found for path in listed)
    if absent:
        notes.append(f"corpus {name}: {counted(absent, 'file')} of its lists are not in the folder")
    if noise := _noise(folder):
        found |= {path: (split, "", "") for path, split in noise.items()}
        notes.append(
            f"corpus {name}: {counted(len(noise), 'noise recording')} without a word, "
            f"{sum(split == 'train' for split in noise.values())} of them in train"
        )
    problems += [problem for path in found if (problem := safe_path(folder, path)[1])]
    bad: list[str] = []
    facts = file_facts(folder, sorted(found), bad, progress)
    notes += left_out(name, config.on_bad_audio, bad, len(found), problems)
    clips: list[Clip] = []
    for path, (split, speaker, word) in sorted(found.items()):
        if path in facts:
            labels, segments = ({"word": word}, None) if word else ({}, ())
            clips.append(Clip(path, split, speaker, facts[path].duration_s, labels, segments))
    refuse(name, folder, clips, problems, 10 + len(bad))
    content = fingerprint(clips, facts)
    return Corpus(name, folder, tuple(clips), ("word",), content, (_LICENCE,), tuple(notes))


def _listed(folder: Path, problems: list[str]) -> dict[str, Split]:
    """Split of every file that one of the two lists names."""
    listed: dict[str, Split] = {}
    for list_name, split in LISTS.items():
        try:
            lines = read_text(folder / list_name).split()
        except FileNotFoundError:
            problems.append(f"expected {list_name}, found none")
            continue
        except (OSError, UnfitFileError) as error:
            problems.append(f"{list_name}: expected one path per line ({shortly(error)})")
            continue
        twice = [line for line in lines if line in listed]
        if twice:
            problems.append(f"{list_name}: also in another list: {short_list(twice, 3)}")
        listed |= dict.fromkeys(lines, split)
    return listed


def _words(folder: Path, wanted: tuple[str, ...] | None, problems: list[str]) -> list[str]:
    """Folders to read, sorted."""
    there = sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] not in "._"
    )
    if not there:
        problems.append("expected one folder per word, found none")
    if wanted is None:
        return there
    problems += [
        f"expected a folder of the word {quoted(word)}, found none{did_you_mean(word, there)}"
        for word in sorted({*wanted} - {*there})
    ]
    return sorted({*wanted} & {*there})


def _noise(folder: Path) -> dict[str, Split]:
    """Split of the noise recordings: a tenth, and one at least, for valid and for test."""
    files = sorted((folder / NOISE_FOLDER).glob("*.wav"), key=lambda file: hash_order(file.name))
    held_out = max(1, len(files) // 10) if len(files) >= 3 else 0
    return {
        f"{NOISE_FOLDER}/{file.name}": (
            "valid" if index < held_out else "test" if index < 2 * held_out else "train"
        )
        for index, file in enumerate(files)
    }

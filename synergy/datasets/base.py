"""What a corpus is to the rest of the package: clips with labels, in three splits.

A corpus knows nothing of tasks and features: `selection` turns its labels into targets of
tasks, `feature_store` its audio into features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from synergy.wording import Split

Progress = Callable[[int, int], None]
"""Called with the number of files done and of all files."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a clip that carries a label, for example speech.

    ``label_source`` says who set it (``hand``, ``energy``, ``synthesis``; may be empty).
    """

    start_s: float
    end_s: float
    label: str
    label_source: str = ""


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file with its labels.

    Attributes
    ----------
    path : str
        Relative to the corpus folder, with forward slashes; unique within the corpus.
    speaker : str
        Empty when the corpus does not say.
    duration_s : float
    labels : mapping of str to str
        Column name to value; a column without a value is absent.
    segments : tuple of Segment, or None
        None when nobody looked for segments in this clip; ``()`` when there are none.
    """

    path: str
    split: Split
    speaker: str
    duration_s: float
    labels: Mapping[str, str]
    segments: tuple[Segment, ...] | None = None


@dataclass(frozen=True)
class Corpus:
    """A folder of clips.

    Attributes
    ----------
    name : str
        The name that the configuration gives it.
    clips : tuple of Clip
        Sorted by path.
    columns : tuple of str
        Every label column that the corpus has, also those without a value.
    fingerprint : str
        Hex digest of labels and audio content; the same on every machine.
    notes : tuple of str
        What was done to it on the way in, with counts, one sentence each.
    """

    name: str
    folder: Path
    clips: tuple[Clip, ...]
    columns: tuple[str, ...]
    fingerprint: str
    licences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def audio_path(self, clip: Clip) -> Path:
        """Absolute path of a clip's audio file."""
        return self.folder / clip.path

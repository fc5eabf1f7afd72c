"""Finished trials on disk: one folder each, complete from the moment it is there.

``DIGEST/trial.json``, ``history.csv``, ``weights.safetensors``, ``predictions.safetensors``
(optional) and ``result.json``, whose presence means done.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from synergy.errors import WorkspaceError
from synergy.files import json_text, partial_path, shortly
from synergy.trials.record import TrialRecord, TrialResult, TrialRun

if TYPE_CHECKING:
    import numpy as np
    import torch

_DIGEST = re.compile(r"[0-9A-Za-z_-]{1,128}")


@dataclass(frozen=True)
class TrialStore:
    """A folder of finished trials, made on the first write.

    Several processes may read and write at once. A writer that is killed leaves at most a
    hidden folder that nobody takes for a trial.
    """

    folder: Path

    # -- reading --------------------------------------------------------------------------

    def done(self) -> list[str]:
        """Digests of all finished trials, sorted."""
        names = (path.parent.name for path in self.folder.glob("*/result.json"))
        return sorted(name for name in names if _DIGEST.fullmatch(name))

    def is_done(self, digest: str) -> bool:
        """Whether the trial is finished; says nothing about whether its files are intact."""
        return (self.path(digest) / "result.json").is_file()

    def path(self, digest: str) -> Path:
        """Folder of a trial, there or not.

        Raises
        ------
        WorkspaceError
            If ``digest`` is no name for a folder in here.
        """
        if not _DIGEST.fullmatch(digest):
            raise WorkspaceError(f"expected the digest of a trial, found {digest!r}")
        return self.folder / digest

    def result(self, digest: str) -> TrialResult:
        """What the trial resulted in.

        Raises
        ------
        WorkspaceError
            If the trial is not finished or the file is damaged; so do the other readers.
        """
        with self._reading(digest, "result.json") as path:
            return TrialResult.model_validate_json(path.read_bytes())

    def trial(self, digest: str) -> TrialRecord:
        """The fully resolved trial."""
        with self._reading(digest, "trial.json") as path:
            return TrialRecord.model_validate_json(path.read_bytes())

    def history(self, digest: str) -> list[dict[str, float]]:
        """One row an epoch; a column without a value in a row is absent there."""
        with self._reading(digest, "history.csv") as path:
            rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines(), strict=True)
            return [{name: _number(text) for name, text in row.items() if text} for row in rows]

    def weights(self, digest: str) -> dict[str, torch.Tensor]:
        """State dict of the best epoch, on the CPU."""
        from safetensors.torch import load_file

        with self._reading(digest, "weights.safetensors") as path:
            return load_file(path)

    def predictions(self, digest: str) -> dict[str, np.ndarray]:
        """Arrays that the trial kept for later analysis; empty when it kept none."""
        from safetensors.numpy import load_file

        if self.is_done(digest) and not (self.path(digest) / "predictions.safetensors").exists():
            return {}
        with self._reading(digest, "predictions.safetensors") as path:
            return load_file(path)

    @contextmanager
    def _reading(self, digest: str, name: str) -> Iterator[Path]:
        """Turn whatever a damaged file raises into one sentence with the way out."""
        folder = self.path(digest)
        if not self.is_done(digest):
            raise WorkspaceError(f"expected a finished trial in {folder}, found no result.json")
        try:
            yield folder / name
        except Exception as error:  # safetensors raises a class of its own
            raise WorkspaceError(
                f"{folder / name} is missing or damaged ({shortly(error)}); delete the folder "
                f"{folder} and run the same command again to repeat this trial"
            ) from error

    # -- writing --------------------------------------------------------------------------

    def write(self, trial: Mapping[str, Any], run: TrialRun) -> None:
        """Keep a finished `Trial.to_json`; of two writers of one digest the first one counts.

        Raises
        ------
        ValueError
            If a number of ``trial`` or the result is not finite; nothing is kept then.
        """
        import numpy as np
        from safetensors.numpy import save_file as save_arrays
        from safetensors.torch import save_file as save_tensors

        folder = self.path(run.result.digest)
        partial = partial_path(folder)
        partial.mkdir(parents=True)
        try:
            (partial / "trial.json").write_text(json_text(dict(trial)), encoding="utf-8")
            with (partial / "history.csv").open("w", encoding="utf-8", newline="") as file:
                columns = dict.fromkeys(name for row in run.history for name in row)
                history = csv.DictWriter(file, list(columns), lineterminator="\n")
                history.writeheader()
                history.writerows(run.history)
            # Copies: safetensors refuses tensors that share memory.
            save_tensors(
                {name: w.detach().cpu().contiguous().clone() for name, w in run.weights.items()},
                partial / "weights.safetensors",
            )
            if run.predictions:
                save_arrays(
                    {name: np.array(array, order="C") for name, array in run.predictions.items()},
                    partial / "predictions.safetensors",
                )
            (partial / "result.json").write_text(json_text(run.result.to_json()), encoding="utf-8")
            # On disk before the rename, or a power cut could leave a folder of empty files.
            for path in partial.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            with FileLock(self.folder / ".lock"):
                if not self.is_done(folder.name):
                    if folder.exists():  # someone took result.json out of it
                        folder.rename(partial_path(folder))
                    partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)

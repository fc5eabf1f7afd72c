"""Finished trials on disk: one folder each, complete from the moment it is there.

``DIGEST/trial.json``, ``history.csv``, ``weights.safetensors``, ``predictions.safetensors``
(optional) and ``result.json``, which has the checksums of the others; its presence means done. A
trial with a damaged file counts as not done and is replaced when it is trained again. One that is
reported has ``test.json`` and ``test.safetensors``, too, which are measured again where they are
damaged.
"""

from __future__ import annotations

import csv
import logging
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from synergy.errors import WorkspaceError
from synergy.files import (
    CHANGED,
    UnfitFileError,
    checksum,
    checksums,
    damaged,
    json_text,
    parse_json,
    partial_path,
    read_bytes,
    sealed,
    shortly,
    write_atomically,
)
from synergy.machine import MachineError, refusal
from synergy.trials.record import OnTest, OnTestRun, TrialRecord, TrialResult, TrialRun
from synergy.wording import quoted, shown

if TYPE_CHECKING:
    import numpy as np
    import torch

_log = logging.getLogger(__name__)

RESULT = "result.json"
_TEST, _ON_TEST = "test.json", "test.safetensors"

LONGEST_ARRAYS = 4 * 2**30
"""Bytes of weights or predictions that are read as a whole."""

_DIGEST = re.compile(r"[0-9A-Za-z_-]{1,128}")


@dataclass(frozen=True)
class TrialStore:
    """A folder of finished trials, made on the first write.

    Several processes may read and write at once. A writer that is killed leaves at most a
    hidden folder that nobody takes for a trial.
    """

    folder: Path
    # By digest: time and size of a result.json whose trial was found intact.
    _intact: dict[str, tuple[int, int]] = field(default_factory=dict, compare=False, repr=False)

    # -- reading --------------------------------------------------------------------------

    def done(self) -> list[str]:
        """Digests of all finished trials that are intact, sorted; warns of the others."""
        damage = {digest: self.damage(digest) for digest in self.finished()}
        for digest, found in damage.items():
            for name, problem in found.items():
                _log.warning(
                    "%s is damaged (%s), so its training counts as not done; the command that "
                    "trained it repeats it",
                    self.path(digest) / shown(name),
                    problem,
                )
        return [digest for digest, found in damage.items() if not found]

    def finished(self) -> list[str]:
        """Digests of all trials that have a result, intact or not, sorted.

        A WorkspaceError is raised if the folder cannot be listed.
        """
        try:
            names = [entry.name for entry in os.scandir(self.folder)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise WorkspaceError(
                f"expected the finished trainings in {self.folder}, which cannot be listed: "
                f"{refusal(error, self.folder, 'name another workspace')}"
            ) from error
        digests = sorted(name for name in names if _DIGEST.fullmatch(name))
        return [digest for digest in digests if (self.folder / digest / RESULT).is_file()]

    def is_done(self, digest: str) -> bool:
        """Whether the trial is finished and each of its files is as it was written."""
        return (self.path(digest) / RESULT).is_file() and not self.damage(digest)

    def damage(self, digest: str) -> dict[str, str]:
        """Files of a finished trial that are not as they were written, and what is wrong.

        An earlier version wrote no checksums; its files are intact when they can be read.
        """
        folder = self.path(digest)
        try:
            state = (folder / RESULT).stat()
            if self._intact.get(digest) == (key := (state.st_mtime_ns, state.st_size)):
                return {}
            result = _result(folder)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            return {RESULT: shortly(error)}
        found = damaged(folder, result.files) if result.files else self._unreadable(digest)
        if not found:
            self._intact[digest] = key
        return found

    def is_tested(self, digest: str) -> bool:
        """Whether a finished trial was measured on test, and the files are as they were written."""
        return (self.path(digest) / _TEST).is_file() and not self.test_damage(digest)

    def test_damage(self, digest: str) -> dict[str, str]:
        """As `damage`, of what was measured on test."""
        folder = self.path(digest)
        try:
            state = (folder / _TEST).stat()
            if self._intact.get(f"{digest}/test") == (key := (state.st_mtime_ns, state.st_size)):
                return {}
            found = damaged(folder, _on_test(folder).files)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            return {_TEST: shortly(error)}
        if not found:
            self._intact[f"{digest}/test"] = key
        return found

    def sealed_files(self, digest: str) -> tuple[str, ...]:
        """Names of the files of a finished trial that have checksums; none if it is damaged."""
        try:
            return tuple(_result(self.path(digest)).files)
        except (OSError, ValueError):
            return ()

    def _unreadable(self, digest: str) -> dict[str, str]:
        """Of a trial without checksums."""
        found: dict[str, str] = {}
        readers = {
            "trial.json": _record,
            "history.csv": _rows,
            "weights.safetensors": _weights,
            "predictions.safetensors": _arrays,
        }
        for name, read in readers.items():
            try:
                read(read_bytes(self.path(digest) / name, LONGEST_ARRAYS))
            except FileNotFoundError as error:
                if name != "predictions.safetensors":
                    found[name] = shortly(error)
            except (MachineError, MemoryError):
                raise
            except Exception as error:  # safetensors raises a class of its own
                found[name] = shortly(error)
        return found

    def path(self, digest: str) -> Path:
        """Folder of a trial, there or not.

        Raises
        ------
        WorkspaceError
            If ``digest`` is no name for a folder in here.
        """
        if not _DIGEST.fullmatch(digest):
            raise WorkspaceError(f"expected the digest of a trial, found {quoted(digest)}")
        return self.folder / digest

    def result(self, digest: str) -> TrialResult:
        """What the trial resulted in, on test only if it was measured there.

        Raises
        ------
        WorkspaceError
            If the trial is not finished or the file is damaged; so do the other readers.
        """
        with self._reading(digest, RESULT) as folder:
            found = _result(folder)
            if not self.is_tested(digest):
                return found
            test = _on_test(folder)
            scores, metrics = (
                {**of, "test": own}
                for of, own in ((found.scores, test.scores), (found.metrics, test.metrics))
            )
            return found.model_copy(update={"scores": scores, "metrics": metrics})

    def trial(self, digest: str) -> TrialRecord:
        """The fully resolved trial."""
        with self._reading(digest, "trial.json") as folder:
            return _record(_checked(folder, "trial.json"))

    def history(self, digest: str) -> list[dict[str, float]]:
        """One row an epoch; a column without a value in a row is absent there."""
        with self._reading(digest, "history.csv") as folder:
            return _rows(_checked(folder, "history.csv"))

    def weights(self, digest: str) -> dict[str, torch.Tensor]:
        """State dict that was kept, on the CPU."""
        with self._reading(digest, "weights.safetensors") as folder:
            return _weights(_checked(folder, "weights.safetensors"))

    def predictions(self, digest: str) -> dict[str, np.ndarray]:
        """Arrays that the trial kept for later analysis; empty when it kept none."""
        name = "predictions.safetensors"
        with self._reading(digest, name) as folder:
            if name not in _result(folder).files and not (folder / name).exists():
                return {}
            found = _arrays(_checked(folder, name))
            if self.is_tested(digest):
                data = read_bytes(folder / _ON_TEST, LONGEST_ARRAYS)
                if _on_test(folder).files.get(_ON_TEST) != checksum(data):
                    raise UnfitFileError(CHANGED)
                found |= _arrays(data)
            return found

    @contextmanager
    def _reading(self, digest: str, name: str) -> Iterator[Path]:
        """Turn whatever a damaged file raises into one sentence with the way out."""
        folder = self.path(digest)
        if not (folder / RESULT).is_file():
            raise WorkspaceError(f"expected a finished trial in {folder}, found no {RESULT}")
        try:
            yield folder
        except (MachineError, MemoryError):
            raise
        except Exception as error:  # safetensors raises a class of its own
            raise WorkspaceError(
                f"{folder / name} is missing or damaged ({shortly(error)}); "
                "run the same command again to repeat this trial"
            ) from error

    # -- writing --------------------------------------------------------------------------

    def write(self, trial: Mapping[str, Any], run: TrialRun) -> None:
        """Keep a finished `Trial.to_json`; of two writers of one digest the first one counts.

        Raises
        ------
        ValueError
            If a number of ``trial``, the result or the history is not finite; nothing is kept then.
        """
        import numpy as np
        from safetensors.numpy import save_file as save_arrays
        from safetensors.torch import save_file as save_tensors

        if not all(math.isfinite(value) for row in run.history for value in row.values()):
            raise ValueError("expected a history of finite numbers, found others")
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
            known = checksums(partial, (path.name for path in partial.iterdir()))
            result = run.result.model_copy(update={"files": known})
            (partial / RESULT).write_text(json_text(sealed(result.to_json())), encoding="utf-8")
            if run.test is not None:  # it appears with the rest: masks are not kept to repeat it
                for name, content in _test_files(run.test).items():
                    (partial / name).write_bytes(content)
            # On disk before the rename, or a power cut could leave a folder of empty files.
            for path in partial.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            with FileLock(self.folder / ".lock"):
                if not self.is_done(folder.name):
                    if folder.exists():  # damaged, or someone took result.json out of it
                        folder.rename(partial_path(folder))
                    partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def write_test(self, run: OnTestRun) -> None:
        """Keep how a finished trial does on the test split.

        Raises
        ------
        ValueError
            If a number is not finite; nothing is kept then.
        """
        folder = self.path(run.result.digest)
        for name, content in _test_files(run).items():
            write_atomically(folder / name, content)


def _result(folder: Path) -> TrialResult:
    return TrialResult.parsed(parse_json(read_bytes(folder / RESULT)))


def _test_files(run: OnTestRun) -> dict[str, bytes]:
    """What is kept of a trial on test; the file that says that it is there comes last."""
    import numpy as np
    from safetensors.numpy import save

    arrays = save({name: np.array(a, order="C") for name, a in run.predictions.items()})
    result = run.result.model_copy(update={"files": {_ON_TEST: checksum(arrays)}})
    return {_ON_TEST: arrays, _TEST: json_text(sealed(result.to_json())).encode()}


def _on_test(folder: Path) -> OnTest:
    return OnTest.parsed(parse_json(read_bytes(folder / _TEST)))


def _checked(folder: Path, name: str) -> bytes:
    """The content of a file of a trial, as it was written; ValueError if it is not."""
    data = read_bytes(folder / name, LONGEST_ARRAYS)
    known = _result(folder).files
    if known and known.get(name) != checksum(data):
        raise UnfitFileError(CHANGED)
    return data


def _weights(data: bytes) -> dict[str, torch.Tensor]:
    from safetensors.torch import load

    tensors = load(data)
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise UnfitFileError("expected finite numbers, found others")
    return tensors


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    import numpy as np
    from safetensors.numpy import load

    arrays = load(data)
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise UnfitFileError("expected finite numbers, found others")
    return arrays


def _record(data: bytes) -> TrialRecord:
    return TrialRecord.model_validate(parse_json(data))


def _rows(data: bytes) -> list[dict[str, float]]:
    rows = csv.DictReader(data.decode().splitlines(), strict=True)
    return [{name: _number(text) for name, text in row.items() if text} for row in rows]


def _number(text: str) -> float:
    with suppress(ValueError, OverflowError):
        if math.isfinite(number := int(text) if text.lstrip("-").isdigit() else float(text)):
            return number
    raise ValueError(f"expected a number, found {quoted(text)}")

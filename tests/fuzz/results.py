"""What the tool wrote itself: exported models and finished workspaces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from small_files import vouch
from small_models import export
from small_reports import comparison_rows, result_workspace

from fuzz.judging import Ended, command
from fuzz.mutations import json_bytes, spoiled, spoiled_value
from fuzz.target import Case, Target
from synergy.config import load_config
from synergy.errors import SynergyError
from synergy.export.spec import INTERFACE_KEY, read_spec
from synergy.files import checksum, sealed
from synergy.model import load_model
from synergy.null_file import NullFile
from synergy.records import (
    ComparisonsFile,
    FrontierEntry,
    FrontierFile,
    HolderFile,
    ModelFile,
    ProbeFile,
    SummaryFile,
    TreeFile,
)
from synergy.rows import TaskLoss
from synergy.workspace import Workspace

NUMBERS = (float("nan"), float("inf"), 3e38, -3e38, 1e30, 1e-45, 0.0, -1.0)
SPEC, WEIGHTS = "spec.json", "weights.safetensors"


def _sealed(value: Any) -> bytes:
    """JSON whose checksum is right, if it had one."""
    if isinstance(value, dict) and "checksum" in value:
        value = sealed({key: inner for key, inner in value.items() if key != "checksum"})
    return json.dumps(value).encode()


class ModelTarget(Target):
    """Model folders for `load_model`; what can be loaded answers with finite numbers."""

    name = "model"

    def prepare(self) -> None:
        export(self.folder)
        self._noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1
        load_model(self.folder).predict(self._noise)

    def case(self, rng: Random) -> Case:
        spec, weights = self.files.sound(SPEC), self.files.sound(WEIGHTS)
        match rng.randrange(8):
            case 0:
                return Case({SPEC: spoiled(rng, spec)})
            case 1:
                weights = spoiled(rng, weights)
                return Case({WEIGHTS: weights, SPEC: self._signed(json.loads(spec), weights)})
            case 2:
                name = rng.choice((SPEC, WEIGHTS))
                return Case({name: rng.choice((None, b"", spec, weights, spoiled(rng, weights)))})
            case 3 | 4:
                weights = self._odd_weights(rng, weights)
                return Case({WEIGHTS: weights, SPEC: self._signed(json.loads(spec), weights)})
            case 5:
                value = json.loads(_sealed(spoiled_value(rng, json.loads(spec))))
                return Case({SPEC: json_bytes(rng, value)})
            case _:
                value = spoiled_value(rng, json.loads(spec), most=2)
                return Case(self._as_one(value, spec, weights))

    def _signed(self, value: Any, weights: bytes) -> bytes:
        """A specification that names the weights, with its checksum."""
        value["weights"]["sha256"] = hashlib.sha256(weights).hexdigest()
        return _sealed(value)

    def _odd_weights(self, rng: Random, weights: bytes) -> bytes:
        """Tensors of other numbers, shapes, types or names."""
        tensors = safetensors.torch.load(weights)
        for name in rng.sample(sorted(tensors), rng.choice((1, 1, 3))):
            tensor = tensors[name].clone()
            match rng.randrange(8):
                case 0:
                    del tensors[name]
                    continue
                case 1:
                    tensor = tensor.flatten()[: rng.randrange(3)].clone()
                case 2:
                    tensor = tensor.to(rng.choice((torch.float64, torch.float16, torch.int64)))
                case 3:
                    tensors["more"] = tensor.clone()
                case 4:
                    tensor = tensor * rng.choice((1e10, 1e20, 1e36, -1.0, 0.0))
                case _ if tensor.numel():
                    flat = tensor.flatten()
                    number = rng.choice(NUMBERS) if tensor.is_floating_point() else -1
                    flat[rng.randrange(len(flat))] = number
                    tensor = flat.reshape(tensor.shape)
            tensors[name] = tensor
        return safetensors.torch.save(tensors, self._metadata(weights))

    def _metadata(self, weights: bytes) -> dict[str, str]:
        length = int.from_bytes(weights[:8], "little")
        return json.loads(weights[8 : 8 + length])["__metadata__"]

    def _as_one(self, value: Any, spec: bytes, weights: bytes) -> dict[str, bytes | None]:
        """A changed specification whose weights say that they belong to it."""
        try:
            file = self.folder / SPEC
            file.write_bytes(_sealed(value))
            interface = read_spec(file).interface()
        except (SynergyError, ValueError):
            return {SPEC: _sealed(value)}
        finally:
            file.write_bytes(spec)
        tensors = safetensors.torch.load(weights)
        signed = safetensors.torch.save(tensors, {INTERFACE_KEY: interface})
        return {WEIGHTS: signed, SPEC: self._signed(value, signed)}

    def attempt(self, case: Case) -> object:
        model = load_model(self.folder)
        logits = {task: value.numpy() for task, value in model(self._noise).items()}
        answers = model.predict(self._noise)
        return logits, {task: answer.to_json() for task, answer in answers.items()}


class WorkspaceTarget(Target):
    """Files of a finished workspace for all that reads them, the commands included."""

    name = "workspace"

    def prepare(self) -> None:
        workspace = result_workspace(self.folder, seeds=(0,))
        arrays = safetensors.torch.save({"weight": torch.ones(3, 4)})
        for self._digest in workspace.trials.finished():
            folder = workspace.trials.path(self._digest)
            for name in ("weights.safetensors", "predictions.safetensors"):
                (folder / name).write_bytes(arrays)
            vouch(folder)
        plain = workspace.table_files("plain").table
        (self.folder / "ar_table_distilled.csv").write_bytes(plain.read_bytes())
        tree = TreeFile.read(workspace.tree)
        assert tree is not None
        entry = FrontierEntry(
            number=1,
            max_ar_from=0.0,
            max_ar_to=None,
            tree=tree.tree,
            notation=tree.notation,
            params=1000,
            predicted_ar_pct=1.0,
            measured=comparison_rows()[0],
        )
        FrontierFile(frontier=(entry,)).write(workspace.frontier)
        loss = TaskLoss(loss_pct=1.0, low=-1.0, high=2.0)
        NullFile(tasks=("gc",), row=comparison_rows()[0], losses={"gc": loss}).write(
            workspace.null("plain")
        )
        (self.folder / "probes").mkdir()
        known = {"settings": {"a": 1.0}, "trials": ("x",), "result": {"gc": 1}, "seconds": 1.0}
        ProbeFile(probe="tag", **known).write(self.folder / "probes" / "tag-1.json")
        loose = ("config.yaml", "ar_table.csv", "ar_samples.csv", "ar_table_distilled.csv")
        with workspace.seals.exchanged(*loose):
            pass
        for by in ("show", "search", "report", "verify"):  # what is imported late is no hang
            ended = self.attempt(Case(arguments=("", by)))
            assert isinstance(ended, Ended) and ended.code in (0, 1), ended
        now = datetime(2026, 1, 1)
        holder = HolderFile(command="synergy run", host="far", pid=7, since=now)
        holder.write(self.folder / ".synergy.holder.json")
        self._read_by = self._readers(workspace)

    def paths(self, case: Case) -> tuple[str, ...]:
        return (str(self.folder),)  # which tree.json and summary.json name, too

    def _readers(self, workspace: Workspace) -> dict[str, Callable[[], object]]:
        """Each file with who reads it in the package; commands read most of them as well."""
        store, digest, root = workspace.trials, self._digest, self.folder
        readers: dict[str, Callable[[], object]] = {
            "config.yaml": lambda: load_config(workspace.config, imports=False),
            "model/spec.json": lambda: (
                ModelFile.read(root / "model/spec.json"),
                read_spec(root / "model/spec.json"),
            ),
            "checksums.json": lambda: workspace.seals.broken(),
            "probes/tag-1.json": lambda: ProbeFile.read(root / "probes/tag-1.json"),
            ".synergy.holder.json": lambda: HolderFile.read(root / ".synergy.holder.json"),
            f"trials/{digest}/history.csv": lambda: store.history(digest),
            f"trials/{digest}/weights.safetensors": lambda: store.weights(digest),
            f"trials/{digest}/predictions.safetensors": lambda: store.predictions(digest),
            f"trials/{digest}/trial.json": lambda: store.trial(digest),
            f"trials/{digest}/result.json": lambda: store.result(digest),
        }
        kept = (TreeFile, SummaryFile, FrontierFile, ComparisonsFile, NullFile)
        for kind in kept:
            name = f"{kind.__name__.removesuffix('File').lower()}.json"
            readers[name] = lambda kind=kind, name=name: kind.read(root / name)
        for name in ("ar_table.csv", "ar_samples.csv", "ar_table_distilled.csv"):
            readers[name] = workspace.tables
        return readers

    def case(self, rng: Random) -> Case:
        name = rng.choice([*self._read_by])
        content: bytes | None = self.files.sound(name)
        way = rng.randrange(10)
        if way == 0:
            content = rng.choice((None, b"", b"null", b"[]", b"{}", b"\0" * 50))
        elif name.endswith((".json", ".yaml")) and way < 7:
            value = spoiled_value(rng, json.loads(content), most=rng.choice((1, 1, 3)))
            if rng.random() < 0.8:
                value = json.loads(_sealed(value))
            content = json_bytes(rng, value)
        else:
            content = spoiled(rng, content)
        files = {name: content}
        if content is not None and rng.random() < 0.8:
            files |= self._seal_of(name, content)
        by = rng.choice(
            ("reader", "reader", "reader", "show", "json", "search", "report", "verify")
        )
        return Case(files, (name, by))

    def _seal_of(self, name: str, content: bytes) -> dict[str, bytes | None]:
        """The file with the checksum of another one, as if that had been written like this."""
        folder, _, last = name.rpartition("/")
        if folder.startswith("trials/") and last != "result.json":
            holder = f"{folder}/result.json"
        elif last.endswith((".csv", ".yaml")):
            holder = "checksums.json"
        else:
            return {}
        kept = json.loads(self.files.sound(holder))
        files = {**kept.get("files", {}), last: checksum(content)}
        return {holder: _sealed({**kept, "version": 2, "checksum": "", "files": files})}

    def attempt(self, case: Case) -> object:
        name, by = case.arguments
        if by == "reader":
            return _plain(self._read_by[name]())
        words = ["show", "--json"] if by == "json" else [by]
        return command([*words, "--workspace", str(self.folder)], self.sandbox.traceback)


def _plain(found: Any) -> object:
    """An answer of a reader as values whose numbers can be looked at."""
    if isinstance(found, tuple):
        return [_plain(part) for part in found]
    if hasattr(found, "model_dump"):
        return found.model_dump()
    if isinstance(found, dict):
        return {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in found.items()}
    return found

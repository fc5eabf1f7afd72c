"""Command lines with odd values, for commands that train nothing."""

from __future__ import annotations

import os
from random import Random
from unittest.mock import patch

import numpy as np
import soundfile
from small_corpora import TONE_CONFIG, noise, write_tone_corpus
from small_models import export
from small_reports import result_workspace
from small_tables import PAPER

from fuzz.judging import BrokenLawError, command
from fuzz.mutations import NAMES, NUMBERS
from fuzz.target import Case, Target

# Files of the folder that stand for something sound, broken or strange.
SOUND = {
    "--config": ("tones.yaml", "ws/config.yaml"),
    "--table": ("table.csv", "ws/ar_table.csv"),
    "--workspace": ("ws", "empty"),
    "--output": ("page.html", "ws/page.html"),
}
STRANGE = (
    *("nothing", "fifo", "empty", "ws", ".", "/dev/zero", "/dev/null", "tone.wav", "broken.yaml"),
    *("binary", "link", "loop", "name" * 70, "d/" * 3000, "a\0b", "a\udcffb", "\x1b[31m", "", "-"),
    *("no-table.csv", "tones.yaml/x", "deep.yaml", "wrong.yaml", "[red]x", "~nouser/x", "model"),
)
# Written to: nothing that would do harm outside of the folder.
TARGETS = ("fifo", "empty", "nothing/page.html", "name" * 70, "a\0b", "a\udcffb", "loop", "ws")
CHOICES = {
    "--solver": ("recursive", "exact", "exat", "EXACT"),
    "--sweep": ("full", "scan", "adaptive", "ful"),
    "--tasks": ("gc,scr", "gc", "gc,gc", "gc,,scr", ",", "gc, vad", "vda,gc"),
    "--depths": ("4-8", "8-4", "4,4", "4,8", "0", "1-9999", "4-", "-", "4\u20138", "8"),
    "--executor": ("serial", "process", "threads"),
}
NUMBERED = (
    *("--max-ar", "--max-params", "--max-macs", "--seed", "--seeds", "--width", "--final-epochs"),
    *("--workers", "--threshold", "--rounds", "--confidence", "--budget"),
)
FLAGS = ("--strict", "--distill", "--json", "--frontier", "--no-train", "--replace")
OFFERED = {
    "search": (
        *("--table", "--config", "--workspace", "--max-ar", "--max-params", "--max-macs"),
        *("--solver", "--strict", "--frontier", "--distill", "--width", "--confidence", "--json"),
    ),
    "show": ("--workspace", "--json"),
    "report": ("--workspace", "--config", "--output", "--json"),
    "plan": (
        *("--config", "--workspace", "--tasks", "--depths", "--max-ar", "--solver", "--strict"),
        *("--distill", "--seed", "--seeds", "--final-epochs", "--width", "--workers", "--json"),
    ),
    "data check": ("--config", "--workspace", "--workers", "--json"),
    "verify": ("--workspace", "--json"),
    "predict": ("--json", "--threshold"),
}
CACHES = (
    "~nouser/x",
    "{}/tone.wav",
    "{}/fifo",
    "{}/a\udcffb",
    "{}/loop",
    "/dev/null/x",
    "{}/empty",
)
TRAINING = ("run", "baseline", "pairwise", "synthesize", "compare")
RECORDINGS = (
    "tone.wav",
    "huge.wav",
    "short.wav",
    "binary",
    "nothing",
    "fifo",
    "empty",
    "a\udcff.wav",
)
TRAINS_NOTHING = ("wrong.yaml", "broken.yaml", "nothing", "deep.yaml")


class CommandTarget(Target):
    """Arguments for the command line, seldom with a cache that cannot be one."""

    name = "command"

    def prepare(self) -> None:
        folder = self.folder
        write_tone_corpus(folder / "tones", (6, 6, 6))
        config = TONE_CONFIG.replace("epochs: 2", "epochs: 1")
        (folder / "tones.yaml").write_text(config)
        (folder / "broken.yaml").write_text("corpora: {a: [}")
        (folder / "wrong.yaml").write_text(config.replace("mels: 16", "mels: no\n\x85"))
        (folder / "deep.yaml").write_text("a: " + "[" * 3000)
        (folder / "table.csv").write_bytes((PAPER / "table3_pairwise_ar.csv").read_bytes())
        (folder / "no-table.csv").write_text("a,b\n1\n")
        (folder / "binary").write_bytes(bytes(range(256)))
        (folder / "empty").mkdir()
        (folder / "link").symlink_to(self.sandbox.outside / "secret.txt")
        (folder / "loop").symlink_to("loop")
        os.mkfifo(folder / "fifo")
        result_workspace(folder / "ws", seeds=(0,))
        export(folder / "model")
        soundfile.write(folder / "tone.wav", noise(0.5, 0), 16_000)
        soundfile.write(folder / "short.wav", noise(0.001, 0), 16_000)
        soundfile.write(folder / "huge.wav", noise(0.2, 0) * np.float32(1e25), 16_000, "FLOAT")
        for words in (
            ("data", "check", "--config", folder / "tones.yaml"),
            ("plan", "--config", folder / "tones.yaml"),
            ("report", "--workspace", folder / "ws"),
            ("predict", folder / "model", folder / "tone.wav"),
        ):  # what is imported late is no hang
            ended = command([str(word) for word in words], self.sandbox.traceback)
            assert ended.code == 0, ended

    def case(self, rng: Random) -> Case:
        cache = rng.choice(CACHES).format(self.folder) if rng.random() < 0.05 else ""
        return Case(arguments=(cache, *self._words(rng)))

    def _words(self, rng: Random) -> tuple[str, ...]:
        if rng.random() < 0.15:
            return self._training(rng)
        name = rng.choice([*OFFERED])
        words = name.split()
        offered = OFFERED[name]
        chosen = rng.sample(offered, rng.randint(0, min(5, len(offered))))
        if name in ("plan", "data check") and "--config" not in chosen:
            chosen.append("--config")  # the embedded corpus takes minutes
        if name == "report" and "--output" not in chosen:
            chosen.append("--output")
        words += [word for option in chosen for word in self._option(rng, option)]
        if name == "predict":
            words.append(self._path(rng, ("model", "model", "model"), STRANGE))
            for _ in range(rng.randint(0, 3)):
                words.append(self._path(rng, RECORDINGS, STRANGE))
        elif "--workspace" not in chosen and "--table" not in chosen:
            words += ["--workspace", str(self.folder / "ws")]
        if rng.random() < 0.05:
            words.insert(rng.randrange(len(words)), rng.choice((*NAMES, *NUMBERS, "--", "-x")))
        return tuple(words)

    def _training(self, rng: Random) -> tuple[str, ...]:
        """A command that trains, with a configuration that is always refused."""
        config = self.folder / rng.choice(TRAINS_NOTHING)
        words = [rng.choice(TRAINING), "--config", str(config)]
        options = rng.sample((*CHOICES, *NUMBERED, *FLAGS), rng.randint(0, 3))
        words += [word for option in options for word in self._option(rng, option)]
        return (*words, "--workspace", str(self.folder / "new"))

    def _option(self, rng: Random, option: str) -> list[str]:
        if option in FLAGS:
            return [option]
        if option == "--output":
            return [option, self._path(rng, SOUND[option], TARGETS)]
        if option in SOUND:
            return [option, self._path(rng, SOUND[option], STRANGE)]
        if option in CHOICES:
            odd = rng.choice((*CHOICES[option], *CHOICES[option], *NAMES))
            return [option, odd]
        usual = ("1", "2", "0.5", "3", "100000")
        return [option, rng.choice((*usual * 8, *NUMBERS, *NAMES))]

    def _path(self, rng: Random, sound: tuple[str, ...], strange: tuple[str, ...]) -> str:
        name = rng.choice(sound) if rng.random() < 0.6 else rng.choice(strange)
        if name in ("", "-", "~nouser/x") or name.startswith("/dev"):
            return name
        return f"{self.folder}/{name}"

    def attempt(self, case: Case) -> object:
        cache, *words = case.arguments
        with patch.dict(os.environ, {"SYNERGY_CACHE": cache} if cache else {}):
            ended = command(words, self.sandbox.traceback)
        if not (self.folder / "fifo").is_fifo():
            (self.folder / "fifo").unlink(missing_ok=True)
            os.mkfifo(self.folder / "fifo")
            raise BrokenLawError("a fifo was replaced by a file")
        return ended

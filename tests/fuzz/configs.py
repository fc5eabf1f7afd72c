"""Configurations: YAML of any kind."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import yaml
from small_corpora import TONE_CONFIG

from fuzz.judging import BrokenLawError
from fuzz.mutations import NAMES, NUMBERS, PATHS, noise, spoiled, spoiled_value
from fuzz.target import Case, Target
from synergy.config import DEMO_CONFIG, load_config

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "real_speech.yaml"

KINDS = (
    "clip_classification",
    "frame_activity",
    "os:path",
    "json:dumps",
    "nowhere.at:All",
    "a:b:c",
)
FORMATS = ("manifest", "speech_commands", "demo_speech", "math:pi", "no.such:Thing", 3, None, [])
SCALARS = (
    *("2024-02-30", "2024-01-01"),
    *("!!int abc", "!!int ''", "!!float ''", "!!float x", "0x_", "0b_"),
    *(
        "!!timestamp x",
        "!!bool maybe",
        "!!null x",
        "!!binary '*'",
        "!!binary aGVsbG8=",
        "!!set {a}",
    ),
    *("!!omap [a: 1]", "!!pairs [a: 1]", "!!python/object:os.system x", "!!python/name:os.system"),
    *("!other x", "!<tag:x> y", "*nowhere", "&a [*a]", "&a {b: *a}", "? [a]", "{? {a: 1} : 2}"),
    *('"\\0"', '"\\uD800"', '"\\x1b[31m"', '"\\U0010FFFF"', '"\\U00110000"', "'", '"', "|\n  text"),
    *(
        ">-\n  folded",
        "1:20:30",
        "1:99",
        "-0x1",
        "1_000",
        "0o17",
        "+.inf",
        "1e",
        ".",
        "..",
        "=",
        "<<",
    ),
    *(
        "yes",
        "no",
        "on",
        "Off",
        "True",
        "TRUE",
        "~",
        "null",
        "Null",
        "''",
        "[]",
        "{}",
        "[[]]",
        "- -",
    ),
    *(
        "9" * 5000,
        "0x" + "f" * 5000,
        "1e-320",
        "4e-1000",
        "1.0e+400",
        "x" * 5000,
        "%YAML 1.1",
        "@x",
    ),
)


class ConfigTarget(Target):
    """YAML text for `load_config`; what is accepted must be the same after being written."""

    name = "config"

    def prepare(self) -> None:
        texts = [TONE_CONFIG, DEMO_CONFIG.read_text(encoding="utf-8")]
        texts.append(EXAMPLE.read_text(encoding="utf-8"))
        small = yaml.safe_load(TONE_CONFIG)
        small["tasks"] = {"gc": small["tasks"]["gc"]}
        self._small = small
        self._values = [small, *map(yaml.safe_load, texts)]
        texts.append(yaml.safe_dump(small, default_flow_style=None))
        self._texts = [text.encode() for text in texts]

    def case(self, rng: Random) -> Case:
        match rng.randrange(60):
            case 0:
                content = _deep(rng)
            case n if n < 4:
                content = noise(rng)
            case n if n < 18:
                content = spoiled(rng, rng.choice(self._texts[-1:] * 6 + self._texts), self._texts)
            case n if n < 30:
                content = self._with_odd_scalar(rng)
            case n if n < 45:
                value = copy.deepcopy(self._small)
                for _ in range(rng.randint(1, 2)):
                    _set_meant(rng, value)
                content = _written(rng, value)
            case _:
                value = rng.choice([self._small] * 6 + self._values)
                content = _written(rng, spoiled_value(rng, value, most=2))
        return Case({"config.yaml": content}, (rng.random() < 0.8,))

    def _with_odd_scalar(self, rng: Random) -> bytes:
        """A sound text in which a value, a key or an entry is odd YAML."""
        lines = rng.choice(self._texts[-1:] * 3 + self._texts).decode().splitlines()
        odd = rng.choice((*SCALARS, *NUMBERS))
        place = rng.randrange(len(lines))
        head, colon, _ = lines[place].partition(":")
        match rng.randrange(4):
            case 0:
                lines.insert(place, f"{odd}: 1")
            case 1:
                lines[place] = lines[place].replace(head.strip() or "a", odd, 1)
            case _:
                lines[place] = f"{head}{colon} {odd}"
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    def attempt(self, case: Case) -> object:
        file = self.folder / "config.yaml"
        config = load_config(file, imports=case.arguments[0])
        file.write_text(config.to_yaml(), encoding="utf-8")
        if load_config(file, imports=case.arguments[0]) != config:
            raise BrokenLawError("another configuration after being written and read")
        config.differences(config.with_options(seeds=2))
        return config.model_dump(mode="json")


def _set_meant(rng: Random, value: dict[str, Any]) -> None:
    """Give a setting that exists a value of its type at or beyond a bound."""
    number = rng.choice((0, 1, -1, 2, 8, 9, 1e-320, 0.5, 1.0, 1e12, 10**12, 1e308, 2**31))
    names = [name for name in NAMES if "\ud800" not in name]
    name = rng.choice(names)
    ways: list[tuple[str, Any]] = [
        ("seed", number),
        ("seeds", number),
        ("max_ar", number),
        ("depths", [number, 8] if rng.random() < 0.5 else list(range(rng.randrange(2000)))),
        ("features", {rng.choice(("mels", "window_ms", "hop_ms", "f_min_hz", "f_max_hz")): number}),
        ("encoder", {"channels": [number] * rng.choice((1, 8, 8, 9, 1000))}),
        ("encoder", {"name": rng.choice(("cnn8", "json:loads", name))}),
        ("training", {rng.choice(("epochs", "crop_s", "learning_rate", "clips_per_task")): number}),
        ("distillation", {rng.choice(("hop_s", "temperature", "weight")): number}),
        ("corpora", {name: {"format": rng.choice(FORMATS), "folder": rng.choice(PATHS)}}),
        ("corpora", {"demo": {"format": "demo_speech", "clips": {"train": number}}}),
        ("tasks", {name: {"kind": rng.choice(KINDS), "corpora": {"tones": {"column": name}}}}),
        ("tasks", {f"t{n}": 0 for n in range(rng.choice((10, 300)))}),
    ]
    key, inner = rng.choice(ways)
    if key == "tasks" and name in inner and rng.random() < 0.7:
        inner[name]["classes"] = rng.choice(([name, "b"], names, [name], [], ["a", "a"]))
    value[key] = inner


def _written(rng: Random, value: Any) -> bytes:
    """A value as YAML, or as JSON, which is YAML as well."""
    if rng.random() < 0.6:
        return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=rng.random() < 0.5)
    return text.encode("utf-8", "surrogatepass")


def _deep(rng: Random) -> bytes:
    """Aliases of aliases, nesting, many keys, long names: small texts with large consequences."""
    size = rng.choice((3, 30, 30, 100, 300, 300, 2000))
    match rng.randrange(10):
        case 0:
            rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
            levels = range(1, min(size, 40))
            rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in levels]
            text = "\n".join(rows)
        case 1:
            rows = ["tasks: &t0 {gc: {kind: clip_classification, corpora: {a: {column: b}}}}"]
            rows += [f"x{n}: &t{n} {{<<: [*t{n - 1}, *t{n - 1}]}}" for n in range(1, min(size, 40))]
            text = "\n".join(rows)
        case 2:
            text = rng.choice(("[", "{a: ", "- ", "? ", "[a, ")) * size
        case 3:
            text = "tasks: " + "[" * size + "]" * size
        case 4:
            text = "".join(" " * n + "a:\n" for n in range(min(size, 300)))
        case 5:
            text = "tasks:\n" + "".join(f"  t{n}: {{}}\n" for n in range(size))
        case 6:
            text = "".join(f"unknown_key_{n}: {n}\n" for n in range(size))
        case 7:
            text = f"{'seeds' * size}: 1\ncorpora: {'x' * size}"
        case 8:
            text = "depths: [" + ", ".join(map(str, range(1, size))) + "]"
        case _:
            text = "corpora: {a: &a {format: manifest, folder: x, b: *a}}\n" + "\0" * (size % 2)
    return text.encode()

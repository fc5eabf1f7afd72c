"""Sharing trees as JSON and in notation."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from fuzz.judging import BrokenLawError
from fuzz.mutations import NAMES, odd_value, spoiled, spoiled_value
from fuzz.target import Case, Target
from synergy.tree import SharingTree

TASKS = ("gc", "ac", "scr", "vad", "age-3", "a_b", "T1", "x")


class TreeTarget(Target):
    """JSON for `SharingTree.from_json` and text for `parse`; both write what they read."""

    name = "tree"

    def prepare(self) -> None:
        """There are none: trees are grown."""

    def case(self, rng: Random) -> Case:
        depth = rng.choice((8, 8, 8, 1, 3, 100))
        if rng.random() < 0.5:
            return self._notation(rng, depth)
        if rng.random() < 0.001:
            return Case({"tree.json": _deep_json(rng).encode()})
        value: Any = SharingTree.parse(_notation(rng, depth, 3), depth).to_json()
        if rng.random() < 0.9:
            value = spoiled_value(rng, value, most=rng.choice((1, 3, 10)))
        return Case({"tree.json": json.dumps(value).encode()})

    def _notation(self, rng: Random, depth: int) -> Case:
        text = _notation(rng, depth, 4)
        way = rng.randrange(2000)
        if way == 0:
            levels = rng.choice((90, 99, 100, 600, 5000))
            text = "{" * levels + "gc" + ",ac}@8" * (levels if rng.random() < 0.5 else 0)
        elif way == 1:
            names = [f"t{n}" for n in range(rng.choice((200, 2000, 20_000)))]
            text = f"{{{','.join(names)}}}@4"
        elif way == 2:
            text = f"{{gc,ac}}@{'9' * 5000}"
        elif way < 1200:
            content = spoiled(rng, text.encode(), most=3)
            text = content.decode("utf-8", rng.choice(("replace", "surrogateescape")))
        elif way < 1300:
            text = text.replace("gc", rng.choice(NAMES))
        if rng.random() < 0.02:
            depth = rng.choice((0, -1, 10**9, 2**70))
        return Case({"notation.txt": text.encode("utf-8", "surrogatepass")}, (depth,))

    def attempt(self, case: Case) -> object:
        if "tree.json" in case.files:
            data = json.loads(case.files["tree.json"] or b"")
            tree = SharingTree.from_json(data)
        else:
            content = case.files["notation.txt"] or b""
            text = content.decode("utf-8", "surrogatepass")
            tree = SharingTree.parse(text, case.arguments[0])
        same = SharingTree.from_json(json.loads(json.dumps(tree.to_json())))
        if not same == tree == SharingTree.parse(tree.notation(), tree.depth):
            raise BrokenLawError("another tree after being written and read")
        tree.ascii()
        tree.names()
        return [tree.shared_depth(tree.tasks[0], task) for task in tree.tasks[:9]]


def _notation(rng: Random, depth: int, most: int) -> str:
    """A sound tree in notation."""
    tasks = rng.sample(TASKS, rng.randint(1, len(TASKS)))

    def grow(tasks: list[str], placed: int, level: int) -> str:
        if len(tasks) == 1:
            return tasks[0]
        last = rng.randint(placed, depth)
        cut = rng.randrange(1, len(tasks)) if level < most else 1
        groups = [tasks[:cut], tasks[cut:]] if level < most else [[task] for task in tasks]
        return "{" + ",".join(grow(group, last, level + 1) for group in groups) + f"}}@{last}"

    return grow(tasks, 0, 0)


def _deep_json(rng: Random) -> str:
    """Branches inside each other, or very many beside each other, or a number that is too long."""
    head = '{"depth": 8, "root": '
    branch = '{"blocks": null, "tasks": ["a"], "children": ['
    match rng.randrange(4):
        case 0:
            levels = rng.choice((90, 110, 300))
            return head + branch * levels + "]}" * levels + "}"
        case 1:
            count = rng.choice((300, 20_000))
            names = ", ".join(f'"t{n}"' for n in range(count))
            leaf = '{{"blocks": [1, 8], "tasks": ["t{}"], "children": []}}'
            leaves = ", ".join(leaf.format(n) for n in range(count))
            return f'{head}{{"blocks": null, "tasks": [{names}], "children": [{leaves}]}}}}'
        case 2:
            return f'{{"depth": {"9" * 4000}, "root": {json.dumps(odd_value(rng))}}}'
        case _:
            return head + json.dumps(["x" * 5000] * 5) + "}"

"""The rules of the house that a reader relies on: who may import whom, and what nobody does."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "synergy"
CODE = ("synergy", "tests", "docs", "examples", "benchmarks")

# Reading order: a module imports only what stands before it, and its own package.
ORDER = (
    *("wording", "errors", "machine", "limits", "quantities", "files", "names", "strict_yaml"),
    *("settings", "seals", "extensions", "seeding", "notebooks", "tree", "costs", "cache"),
    *("libraries", "executors", "audio", "datasets", "corpus_folder", "tasks", "encoders"),
    *("network", "sparsity", "training"),
    *("trials", "synthesis", "losses", "export", "model", "config", "experiment"),
    *("certainty", "rows", "records", "null_file", "workspace"),
    *("running", "measuring", "comparisons", "stages", "report", "cli", "api"),
)
SEARCH = ("errors", "tree", "synthesis", "losses")
ABOVE_ALL = ("__init__", "__main__")

MAX_LINES = 400
GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "misc"}

UNSAFE_IMPORTS = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
# Between processes that one command started, over pipes; never from a file.
PICKLE_OVER_PIPES = "executors/"
UNSAFE_CALLS = {
    *(
        "pickle.load",
        "pickle.Unpickler",
        "torch.load",
        "torch.hub.load",
        "pandas.read_pickle",
        "os.system",
        "os.popen",
    ),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load"),
    *("builtins.eval", "builtins.exec"),
}

# Drawing from a generator of one's own is fine; these names of numpy and random make one.
GENERATORS = {"random.Random", "numpy.random.default_rng"}
TORCH_DRAWS = {
    *("torch.rand", "torch.randn", "torch.randint", "torch.randperm", "torch.normal"),
    *("torch.rand_like", "torch.randn_like", "torch.randint_like"),
    *("torch.bernoulli", "torch.multinomial", "torch.poisson"),
}
IN_PLACE_DRAWS = {
    *("uniform_", "normal_", "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_"),
    *("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"),
    *("trunc_normal_", "orthogonal_", "log_normal_"),
}


# -- reading code -----------------------------------------------------------------------------


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def place_of(path: Path) -> str:
    """Path inside the package, without suffix: ``tree``, ``executors/serial``."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def layer_of(place: str) -> str:
    return place.split("/")[0]


def imports(code: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, wherever it stands, also by `import_module`."""
    for node in ast.walk(code):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, item.name) for item in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from ((node.lineno, f"{module}.{item.name}") for item in names)
            case ast.ImportFrom():
                yield node.lineno, "."
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module


def calls(code: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Calls with the full dotted name of what is called; ``?`` stands for a local value."""
    names: dict[str, str] = {"eval": "builtins.eval", "exec": "builtins.exec"}
    for node in ast.walk(code):
        match node:
            case ast.Import(names=items):
                for item in items:
                    first = item.name.split(".")[0]
                    names[item.asname or first] = item.name if item.asname else first
            case ast.ImportFrom(module=str(module), names=items):
                names |= {item.asname or item.name: f"{module}.{item.name}" for item in items}

    def dotted(node: ast.expr) -> str:
        match node:
            case ast.Name(id=name):
                return names.get(name, "?")
            case ast.Attribute(value=value, attr=attribute):
                return f"{dotted(value)}.{attribute}"
            case _:
                return "?"

    for node in ast.walk(code):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


# -- rules: each takes a place and its code, and yields what is wrong --------------------------


def upward_imports(place: str, code: ast.AST) -> Iterator[str]:
    layer = layer_of(place)
    if layer not in ORDER:  # above all, or for test_every_module_has_a_place_in_the_order
        return
    allowed = {*ORDER[: ORDER.index(layer)], layer}
    for line, name in imports(code):
        package, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if name == ".":
            yield f"{line}: relative import, expected an absolute one"
        elif package == "synergy" and target in ORDER and target not in allowed:
            yield f"{line}: {layer} imports {name}, which stands after it"
        elif package == "synergy" and target not in ORDER and not target.startswith("__"):
            yield f"{line}: {layer} imports {name}, expected the module where it is defined"


def torch_in_the_search(place: str, code: ast.AST) -> Iterator[str]:
    for line, name in imports(code):
        if layer_of(place) in SEARCH and name.split(".")[0].startswith("torch"):
            yield f"{line}: {place} imports {name}, but the search runs without torch"


def torchaudio_elsewhere(place: str, code: ast.AST) -> Iterator[str]:
    for line, name in imports(code):
        if layer_of(place) != "audio" and name.split(".")[0] == "torchaudio":
            yield f"{line}: {place} imports {name}, but only audio may"


def unsafe_loading(place: str, code: ast.AST) -> Iterator[str]:
    for line, name in imports(code):
        allowed = name == "pickle" and place.startswith(PICKLE_OVER_PIPES)
        if name.split(".")[0] in UNSAFE_IMPORTS and not allowed:
            yield f"{line}: {name} can run code that lies in a file"
    for call, name in calls(code):
        values = {key.arg: key.value for key in call.keywords}
        if name in UNSAFE_CALLS:
            yield f"{call.lineno}: {name} can run code that lies in a file or an argument"
        for keyword in ("allow_pickle", "shell"):
            value = values.get(keyword)
            if isinstance(value, ast.Constant) and value.value is True:
                yield f"{call.lineno}: {keyword}=True"


def global_randomness(_place: str, code: ast.AST) -> Iterator[str]:
    for call, name in calls(code):
        own_generator = any(key.arg in ("generator", None) for key in call.keywords)
        stem, _, last = name.rpartition(".")
        if stem in ("random", "numpy.random"):
            wrong = name not in GENERATORS and not (stem == "numpy.random" and last[0].isupper())
        elif name in TORCH_DRAWS or last in IN_PLACE_DRAWS:
            wrong = not own_generator
        else:
            wrong = stem == "torch.random" or (
                stem.split(".")[0] == "torch"
                and last in ("manual_seed", "manual_seed_all", "seed", "set_rng_state")
            )
        if wrong:
            yield f"{call.lineno}: {name} uses random state that everybody shares"


RULES: tuple[Callable[[str, ast.AST], Iterator[str]], ...] = (
    upward_imports,
    torch_in_the_search,
    torchaudio_elsewhere,
    unsafe_loading,
    global_randomness,
)


# -- tests ------------------------------------------------------------------------------------


def test_every_module_has_a_place_in_the_order():
    assert {layer_of(place_of(path)) for path in sources()} <= {*ORDER, *ABOVE_ALL}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule):
    wrong = [
        f"{path.relative_to(ROOT)}:{message}"
        for path in sources()
        for message in rule(place_of(path), ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("rule", "place", "code"),
    [
        (upward_imports, "tree", "from synergy.network import TreeNetwork"),
        (upward_imports, "tree", "def f():\n    import synergy.cli.run"),
        (upward_imports, "tree", "from synergy import training"),
        (upward_imports, "stages", "from synergy import load_model"),
        (upward_imports, "stages", "import synergy"),
        (upward_imports, "tree", "from .errors import TreeError"),
        (upward_imports, "tree", "import importlib\nimportlib.import_module('synergy.report')"),
        (torch_in_the_search, "synthesis", "def f():\n    from torch import nn"),
        (torchaudio_elsewhere, "export", "import torchaudio.transforms as T"),
        (unsafe_loading, "export", "import torch\ntorch.load('w.pt')"),
        (unsafe_loading, "export", "from torch import load as read\nread('w.pt')"),
        (unsafe_loading, "config", "import yaml\nyaml.load(text, Loader=yaml.Loader)"),
        (unsafe_loading, "trials/trial_store", "import pickle"),
        (unsafe_loading, "executors/process", "import pickle\npickle.load(file)"),
        (unsafe_loading, "trials", "import numpy as np\nnp.load(f, allow_pickle=True)"),
        (unsafe_loading, "cli", "import subprocess\nsubprocess.run(text, shell=True)"),
        (unsafe_loading, "report", "eval(text)"),
        (unsafe_loading, "report", "exec(text)"),
        (global_randomness, "training", "import random\nrandom.shuffle(x)"),
        (global_randomness, "training", "import numpy as np\nnp.random.seed(1)"),
        (global_randomness, "training", "from numpy import random\nrandom.permutation(3)"),
        (global_randomness, "training", "import torch\ntorch.manual_seed(1)"),
        (global_randomness, "training", "import torch\ntorch.cuda.manual_seed_all(1)"),
        (global_randomness, "training", "import torch\ntorch.randperm(3)"),
        (global_randomness, "network", "from torch import nn\nnn.init.kaiming_normal_(w)"),
        (global_randomness, "network", "weight.data.uniform_(-1, 1)"),
    ],
)
def test_rule_finds_a_violation(rule, place, code):
    assert list(rule(place, ast.parse(code)))


@pytest.mark.parametrize(
    ("rule", "place", "code"),
    [
        (upward_imports, "training", "from synergy.tree import SharingTree"),
        (upward_imports, "training", "from synergy.training.batches import draw"),
        (upward_imports, "cli", "from synergy import __version__"),
        (upward_imports, "__init__", "from synergy.stages.run import run"),
        (torch_in_the_search, "network", "import torch"),
        (torchaudio_elsewhere, "audio", "import torchaudio"),
        (unsafe_loading, "config", "import yaml\nyaml.safe_load(text)"),
        (unsafe_loading, "training", "network.eval()"),
        (unsafe_loading, "executors/process", "import pickle\npickle.loads(data)"),
        (unsafe_loading, "trials", "import numpy as np\nnp.load(f, mmap_mode='r')"),
        (global_randomness, "training", "import random\nrandom.Random(1).shuffle(x)"),
        (global_randomness, "training", "import numpy as np\nnp.random.default_rng(1).random(3)"),
        (global_randomness, "training", "import numpy as np\nnp.random.Generator(bits)"),
        (global_randomness, "training", "random = own()\nrandom.shuffle(x)"),
        (global_randomness, "training", "import torch\ntorch.Generator().manual_seed(1)"),
        (global_randomness, "training", "import torch\ntorch.randn(3, generator=own)"),
        (global_randomness, "network", "weight.normal_(0, 1, generator=own)"),
    ],
)
def test_rule_lets_pass(rule, place, code):
    assert not list(rule(place, ast.parse(code)))


@pytest.mark.parametrize(
    ("layer", "heavy"),
    [
        ("errors", {"torch", "torchaudio", "torchmetrics", "pandas"}),
        ("tree", {"torch", "torchaudio", "torchmetrics", "pandas"}),
        ("synthesis", {"torch", "torchaudio", "torchmetrics"}),
        ("losses", {"torch", "torchaudio", "torchmetrics"}),
        ("model", {"networkx", "pandas", "torchmetrics"}),
        ("cli", {"torch", "torchaudio", "torchmetrics", "pandas", "pydantic"}),
    ],
)
def test_imports_quickly(layer, heavy):
    found = [path for path in sources() if layer_of(place_of(path)) == layer]
    if not found:
        pytest.skip(f"there is no synergy.{layer} yet")
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in found
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        f"print(*sorted({heavy!r} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_files_can_be_read_in_one_sitting():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in CODE
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_two_files_of_the_package_have_one_name():
    """A command's file in ``cli/`` and its stage may share theirs."""
    named: dict[str, list[str]] = {}
    for path in sources():
        named.setdefault(path.stem, []).append(place_of(path))
    for shared in ("__init__", "base", "config"):
        named.pop(shared, None)
    commands = {path.stem for path in (PACKAGE / "cli").glob("*.py")}
    twice = {
        stem: places
        for stem, places in named.items()
        if len(places) > 1
        and not (stem in commands and sorted(places) == [f"cli/{stem}", f"stages/{stem}"])
    }
    assert twice == {}


def forwarded(code: ast.AST) -> Iterator[str]:
    """Functions that do nothing but pass their own arguments on, all of them and in order.

    A method of a class with a base may: its caller knows the base alone.
    """
    implementing = {
        method
        for node in ast.walk(code)
        if isinstance(node, ast.ClassDef) and node.bases
        for method in node.body
    }
    for node in ast.walk(code):
        if not isinstance(node, ast.FunctionDef) or node.decorator_list or node in implementing:
            continue
        body = [part for part in node.body if not isinstance(part, ast.Expr | ast.Import)]
        match body:
            case [ast.Return(value=ast.Call(args=args, keywords=keywords))] if args or keywords:
                own = [a.arg for a in (*node.args.args, *node.args.kwonlyargs) if a.arg != "self"]
                given = [ast.unparse(each) for each in (*args, *(k.value for k in keywords))]
                if own and own == given:
                    yield f"{node.lineno}: {node.name} only passes its arguments on"


def test_no_function_only_passes_its_arguments_on():
    wrong = [
        f"{path.relative_to(ROOT)}:{message}"
        for path in sources()
        for message in forwarded(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)
    assert list(forwarded(ast.parse("def f(a, b):\n    return g(a, b)")))
    assert list(forwarded(ast.parse("class A:\n    def f(self, a):\n        return g(a)")))


def test_no_grab_bags():
    parts = {
        str(path.relative_to(ROOT)): {
            part.removesuffix(".py").strip("_") for part in path.relative_to(ROOT).parts
        }
        for folder in CODE
        for path in (ROOT / folder).rglob("*.py")
    }
    assert [name for name, words in parts.items() if words & GRAB_BAGS] == []

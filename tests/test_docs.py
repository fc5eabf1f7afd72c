"""The documentation says what the program has, and nothing that it has not."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

REGISTRIES = {
    "DATASETS": "synergy.datasets",
    "TASK_KINDS": "synergy.tasks",
    "ENCODERS": "synergy.encoders",
    "EXECUTORS": "synergy.executors",
    "COMPARISONS": "synergy.comparisons",
    "EXPORTERS": "synergy.export",
}

BLOCK = re.compile(
    r"^<!-- runnable -->\n+```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def absent(what: str) -> NoReturn:
    pytest.fail(f"expected {what}")


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load_generator()


@pytest.fixture
def app() -> typer.Typer:
    if importlib.util.find_spec("synergy.cli.commands") is None:
        absent("synergy.cli.commands")
    return importlib.import_module("synergy.cli.commands").app


def text_of(*pages: Path) -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)


# -- a toy program, to see that the generator and the checks work at all -----------------------


@pytest.fixture
def toy() -> typer.Typer:
    app = typer.Typer(help="A toy.", add_completion=False)
    data = typer.Typer(help="Look at data.")
    app.add_typer(data, name="data")

    @app.command()
    def baseline(seed: int = typer.Option(0, help="First seed."), as_json: bool = False) -> None:
        """Train models of one task each."""

    @app.command(hidden=True)
    def secret() -> None:
        """Not for the page."""

    @data.command()
    def check(folder: Path) -> None:
        """Check a corpus."""

    return app


def test_the_page_holds_every_command_once(toy):
    page = generate.cli_page(toy)
    titles = re.findall(r"^## `(.+)`$", page, re.MULTILINE)
    assert titles == ["synergy", "synergy baseline", "synergy data", "synergy data check"]
    assert "Not for the page" not in page
    assert "Usage: synergy data check" in page
    assert re.search(r"--seed .*First seed\.", page)


def test_the_page_depends_on_no_terminal(toy, monkeypatch):
    page = generate.cli_page(toy)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert generate.cli_page(toy) == page
    assert "\x1b" not in page
    assert max(map(len, page.splitlines())) <= generate.WIDTH
    assert not re.search(r"[ \t]$", page, re.MULTILINE)


def test_check_finds_a_stale_page(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    monkeypatch.setattr(generate, "pages", lambda: {"cli.md": lambda: generate.cli_page(toy)})
    assert generate.main(["--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    file = tmp_path / "cli.md"
    file.write_text(file.read_text().replace("First seed", "Second seed"))
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    assert "+  --seed" in capsys.readouterr().out
    assert generate.main(["--chekc"]) == 2


# -- the generated page -----------------------------------------------------------------------


def test_every_command_is_on_the_page(app):
    written = text_of(*PAGES)
    missing = [words for words, _ in generate.commands(app) if f"\n## `{words}`\n" not in written]
    assert not missing, "run: make docs"


def test_every_command_has_help(app):
    silent = [words for words, context in generate.commands(app) if not context.command.help]
    assert not silent


@pytest.mark.usefixtures("app")
def test_generated_pages_are_fresh(capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


# -- what can be chosen -----------------------------------------------------------------------


@pytest.mark.parametrize("registry", REGISTRIES)
def test_every_entry_of_a_registry_is_documented(registry):
    try:
        found = importlib.util.find_spec(REGISTRIES[registry])
    except ModuleNotFoundError:
        found = None
    if found is None:
        absent(REGISTRIES[registry])
    module = importlib.import_module(REGISTRIES[registry])
    if registry not in vars(module):
        absent(f"{REGISTRIES[registry]}.{registry}")
    written = text_of(*PAGES)
    missing = [name for name in getattr(module, registry) if f"`{name}`" not in written]
    assert not missing, f"name them in docs/, between backticks: {missing}"


def test_every_module_is_on_the_map():
    modules = {path.stem for path in (ROOT / "synergy").glob("[a-z]*.py")}
    modules |= {path.parent.name for path in (ROOT / "synergy").glob("*/__init__.py")}
    written = text_of(DOCS / "index.md")
    assert sorted(name for name in modules if f"`{name}`" not in written) == []


MIDDLE = ("synthesis", "running", "measuring", "comparisons", "stages")
METHODS = {"__init__", "independent", "flat", "partitions", "lth", "lt4rec", "treemtl", "rsa"}
METHODS |= {"tag", "random_tree", "synthesised"}


@pytest.mark.parametrize("room", MIDDLE)
def test_every_file_of_the_middle_is_on_the_map(room):
    written = text_of(DOCS / "index.md")
    files = {path.name for path in (ROOT / "synergy" / room).glob("*.py")}
    listed = set(re.findall(rf"^\| `{room}/(\w+\.py)` \|", written, re.MULTILINE))
    without = {f"{name}.py" for name in METHODS if room == "comparisons" or name == "__init__"}
    assert listed == files - without


def walk(title: str) -> list[str]:
    """What a section of the map names, in its order."""
    section = text_of(DOCS / "index.md").partition(f"### {title}\n")[2].partition("\n### ")[0]
    return re.findall(r"`(synergy\.[\w.]+)`", section)


def is_file(module: str) -> bool:
    return (ROOT / f"{module.replace('.', '/')}.py").is_file()


@pytest.mark.parametrize(
    "title", ["One threshold, from the option to the tree", "One clip, from the file to its score"]
)
def test_a_walk_leads_through_functions_that_exist(title):
    names = walk(title)
    assert names, title
    for name in names:
        parts = name.split(".")
        modules = [".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
        module = next(m for m in modules if (ROOT / m.replace(".", "/")).exists() or is_file(m))
        thing: object = importlib.import_module(module)
        for part in name.removeprefix(f"{module}.").split("."):
            thing = getattr(thing, part)
        assert callable(thing), name


def test_the_threshold_walks_as_the_map_says(monkeypatch, capsys):
    """With `synergy search`, the functions that are at work when a cell is held against it."""
    from synergy.cli.options import Options
    from synergy.cli.search import search
    from synergy.synthesis.cells import Cell

    asked: list[list[str]] = []

    def passes(cell: Cell, max_ar: float) -> bool:
        if max_ar == 1.75 and not asked:
            frames = [each.frame for each in inspect.stack()[:0:-1]]
            asked.append(
                [
                    f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"
                    for frame in frames
                    if frame.f_globals["__name__"].startswith("synergy.")
                    and not frame.f_code.co_name.startswith("<")
                ]
            )
        return cell.ar_pct is not None and cell.ar_pct <= max_ar

    monkeypatch.setattr(Cell, "passes", passes)
    table = ROOT / "tests/data/paper/table3_pairwise_ar.csv"
    search(Options(table=table, max_ar=1.75))
    capsys.readouterr()
    steps = walk("One threshold, from the option to the tree")
    assert len(steps) <= 7
    passing_on = [steps[0], *steps[2:6]]
    assert asked == [[name.replace("synthesize", "search") for name in passing_on]]


# -- how to extend ----------------------------------------------------------------------------


def recipes() -> dict[str, str]:
    """Section title of extending.md to its text."""
    parts = re.split(r"^## (.+)\n", text_of(DOCS / "extending.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("title", recipes())
def test_a_recipe_names_files_that_exist(title):
    named = re.findall(r"`((?:synergy|tests|docs)/[\w./-]+\.\w+)`", recipes()[title])
    assert named, "a recipe names the files to touch and the test to run"
    for name in named:
        if not (ROOT / name).exists():
            absent(name)


@pytest.mark.parametrize("title", recipes())
def test_a_recipe_names_a_dict_that_exists(title):
    recipe = recipes()[title]
    found = re.search(r"`([A-Z][A-Z_]+)` (?:in|of)\s+`(synergy/[\w/]+\.py)`", recipe)
    assert found, "a recipe says: `NAME` of `synergy/.../__init__.py`"
    name, file = found.groups()
    if not (ROOT / file).exists():
        absent(file)
    code = ast.parse(text_of(ROOT / file))
    targets = [
        target
        for node in code.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    assert name in {target.id for target in targets if isinstance(target, ast.Name)}


def test_every_registry_has_a_recipe():
    written = text_of(DOCS / "extending.md")
    assert [name for name in REGISTRIES if f"`{name}`" not in written] == []


# -- pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted(DOCS.glob("decisions/*.md")), ids=lambda page: page.stem)
def test_a_decision_has_its_sections(page):
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", page.stem)
    title, *sections = headings(page)
    assert title.startswith(f"{page.stem[:4]}: ")
    assert sections == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_gaps():
    numbers = [int(page.stem[:4]) for page in sorted(DOCS.glob("decisions/*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def links(page: Path) -> Iterator[Path]:
    """Files that a page points to, without those on other machines."""
    without_code = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code):
        if not re.match(r"[a-z]+:|#", target):
            yield (page.parent / target.partition("#")[0]).resolve()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    dead = [str(target) for target in links(page) if not target.exists()]
    if dead == [str(DOCS / "cli.md")]:
        absent("docs/cli.md")
    assert not dead


def test_every_page_can_be_reached_from_the_map():
    seen: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md" and page.exists():
            seen.add(page)
            waiting.extend(links(page))
    assert set(PAGES) <= seen


# -- blocks that are marked as runnable -------------------------------------------------------


def check_console(text: str, app: typer.Typer) -> None:
    """Every line after ``$`` is a command that exists, with options that exist."""
    contexts = dict(generate.commands(app))
    for line in re.findall(r"^\$ (.+)$", re.sub(r"\\\n", " ", text), re.MULTILINE):
        words = [word for word in shlex.split(line, comments=True) if not re.match(r"\w+=", word)]
        if words[0] == "make":
            targets = re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE)
            assert set(words[1:2]) <= set(targets), line
        elif words[0].endswith("synergy"):
            arguments, name = words[1:], "synergy"
            while arguments and f"{name} {arguments[0]}" in contexts:
                name = f"{name} {arguments.pop(0)}"
            command, context = contexts[name].command, contexts[name]
            for mark in (">", "|", "2>"):  # what follows is the shell's
                if mark in arguments:
                    del arguments[arguments.index(mark) :]
            try:
                _, rest, _ = command.make_parser(context).parse_args(list(arguments))
            except typer.TyperException as error:
                raise AssertionError(f"{line}: {error}") from error
            assert not rest, f"{line}: {name} knows no {rest}"


def runnable_blocks() -> Iterator[tuple[str, str, str]]:
    """Where it stands, language and text of each block marked as runnable."""
    for page in [ROOT / "README.md", *PAGES]:
        if page.exists():
            for number, block in enumerate(BLOCK.finditer(text_of(page)), 1):
                yield f"{page.name}-{number}", block["language"], block["text"]


def test_runnable_blocks_are_valid(app):
    if not (ROOT / "README.md").exists():
        absent("README.md")
    blocks = list(runnable_blocks())
    assert any(where.startswith("README") for where, _, _ in blocks)
    for where, language, text in blocks:
        assert language in ("python", "console"), where
        if language == "python":
            compile(text, where, "exec")
        else:
            check_console(text, app)


@pytest.mark.parametrize(
    "text",
    [
        "$ synergy baselin",
        "$ synergy baseline --sed 1",
        "$ synergy baseline --seed",
        "$ synergy data check a b",
        "$ make tset",
    ],
)
def test_a_wrong_line_is_found(toy, text):
    with pytest.raises(AssertionError, match=re.escape(text.removeprefix("$ "))):
        check_console(text, toy)


@pytest.mark.parametrize(
    "text",
    [
        "$ synergy baseline --seed 1 --as-json > scores.json",
        "$ SYNERGY_CACHE=here .venv/bin/synergy data check corpora/mine  # a comment",
        "$ synergy baseline \\\n    --seed 3\nsome output",
        "$ make test\n$ pip install '.[demo]'",
    ],
)
def test_a_right_line_passes(toy, text):
    check_console(text, toy)

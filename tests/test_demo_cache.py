"""The embedded corpus in the cache: damage is noticed, mended and told."""

from __future__ import annotations

import errno
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from synergy.datasets import demo_speech
from synergy.datasets.base import Corpus
from synergy.datasets.demo_speech import DemoSpeechConfig, load_demo_speech
from synergy.errors import DataError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="the extra demo is not installed"
)

CONFIG = DemoSpeechConfig.model_validate(
    {
        "words": ["go", "stop"],
        "clips": dict.fromkeys(("train", "valid", "test"), 12),
        "speakers": dict.fromkeys(("train", "valid", "test"), 6),
    }
)


def load() -> Corpus:
    return load_demo_speech("demo", CONFIG)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the corpus, to be copied."""
    cache = tmp_path_factory.mktemp("rendered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNERGY_CACHE", str(cache))
        load()
    return cache


@pytest.fixture
def cache(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to damage; rendering copies, too, which is faster than to speak."""
    (pristine,) = (path for path in (rendered / "demo_speech").iterdir() if path.is_dir())
    without_record = shutil.ignore_patterns("corpus.json")
    monkeypatch.setattr(
        demo_speech,
        "render_demo_speech",
        lambda folder, *_: shutil.copytree(pristine, folder, ignore=without_record),
    )
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(rendered, tmp_path / "cache")


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_speech, "render_demo_speech", lambda *_: pytest.fail("rendered"))


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def older(file: Path) -> None:
    """As it was written before there were fingerprints."""
    known = json.loads(file.read_text())
    kept = ("config", "generator_version", "espeak_ng_version")
    file.write_text(json.dumps({key: known[key] for key in kept}))


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


CLIP = "audio/valid/00003.flac"
DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a bit of a clip": (lambda folder: flip(folder / CLIP, 5000), f"{CLIP}: "),
    "half a clip": (lambda f: (f / CLIP).write_bytes((f / CLIP).read_bytes()[:900]), f"{CLIP}: "),
    "an empty clip": (lambda folder: (folder / CLIP).write_bytes(b""), CLIP),
    "no clip": (lambda folder: (folder / CLIP).unlink(), f"{CLIP}: no such file"),
    "a folder instead of a clip": (lambda folder: replace_by_folder(folder / CLIP), CLIP),
    "a bit of the table": (lambda folder: flip(folder / "manifest.csv", 400), "manifest.csv: its"),
    "no table": (lambda folder: (folder / "manifest.csv").unlink(), "manifest.csv: it is missing"),
    "a bit of the segments": (lambda folder: flip(folder / "segments.csv", 300), "segments.csv:"),
    "a bit of the record": (lambda folder: flip(folder / "corpus.json", 100), "corpus.json: "),
    "no record in JSON": (lambda folder: (folder / "corpus.json").write_bytes(b"\x00"), "corpus.j"),
    "a record without fingerprint": (lambda folder: older(folder / "corpus.json"), "corpus.json: "),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_rendered_anew_and_told(cache, damage, caplog, monkeypatch):
    before = load()
    files = {path: path.read_bytes() for path in before.folder.rglob("*") if path.is_file()}
    do, reason = DAMAGE[damage]
    do(before.folder)
    after = load()
    assert after.fingerprint == before.fingerprint
    assert {path: path.read_bytes() for path in before.folder.rglob("*") if path.is_file()} == files
    assert after.notes == before.notes  # which results keep
    assert "corpus demo was damaged in the cache (" in caplog.text
    assert reason in caplog.text
    assert "has been rendered anew" in caplog.text
    assert [path.name for path in (cache / "demo_speech").iterdir() if path.is_dir()] == [
        before.folder.name
    ]
    monkeypatch.setattr(demo_speech, "render_demo_speech", lambda *_: pytest.fail("rendered"))
    assert load() == before


@pytest.mark.usefixtures("cache", "unrendered")
def test_what_is_whole_is_not_rendered_and_no_clip_is_read(monkeypatch):
    load()
    read = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda file, *a, **k: (
            pytest.fail(str(file)) if file.suffix == ".flac" else read(file, *a, **k)
        ),
    )
    assert len(load().clips) == 36


def test_a_rendering_that_was_killed_before_its_record_is_made_again_without_a_word(cache):
    before = load()
    (before.folder / "corpus.json").unlink()
    assert load() == before


def test_what_killed_renderings_left_goes_and_a_live_one_stays(cache):
    folder = cache / "demo_speech"
    dead, live = (folder / f".{digest}.0123456789ab.partial" for digest in ("0a" * 10, "0b" * 10))
    users = folder / ".mine.partial"
    for each in (dead, live, users):
        each.mkdir()
    with FileLock(folder / f"{'0b' * 10}.lock"):
        load()
    assert not dead.exists()
    assert live.exists()
    assert users.exists()


def test_a_full_disk_is_told_as_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "cache"))

    def full(file: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="demo_speech: no space is left on that device; free"):
        load()
    assert [path.suffix for path in (tmp_path / "cache" / "demo_speech").iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=r"corpus demo cannot be rendered into .*set SYNERGY_CACHE"):
        load()

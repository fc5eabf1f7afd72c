"""Where everything lies that can be computed again, on machines of all kinds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from synergy import cache
from synergy.cache import cache_folder
from synergy.errors import ConfigError


@pytest.fixture
def nameless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of a user without a name and a home."""

    def nobody(_: object) -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SYNERGY_CACHE")
    monkeypatch.setattr(Path, "home", classmethod(nobody))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cache, "_without_home", cache._without_home.__wrapped__)
    return tmp_path


def test_the_environment_decides(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("SYNERGY_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "synergy"
    monkeypatch.setenv("SYNERGY_CACHE", "~/here")
    assert cache_folder() == tmp_path / "here"
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ("~nobody_of_this_name/x", "home folder of that user is not known"),
        ("rel/x", "expected an absolute path"),
        ("~nobody_" + "x" * 1000, "home folder of that user is not known"),
        ("{file}", "expected a folder, found the file"),
    ],
)
def test_what_is_no_folder_is_refused_in_one_sentence(tmp_path, monkeypatch, chosen, found):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SYNERGY_CACHE", chosen.format(file=tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"^SYNERGY_CACHE: ") as caught:
        cache_folder()
    assert found in str(caught.value)
    assert len(str(caught.value)) <= 300


def test_without_a_home_it_is_a_folder_of_this_user_alone_and_told(nameless, caplog):
    folder = cache_folder()
    assert folder == nameless / f"synergy-{os.geteuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache_folder() == folder
    assert str(folder) in caplog.records[0].getMessage()


def test_a_home_that_cannot_be_written_is_none(nameless, monkeypatch):
    (nameless / "home").touch(mode=0o600)  # root may write below every folder
    monkeypatch.setattr(Path, "home", classmethod(lambda _: nameless / "home"))
    assert cache_folder() == nameless / f"synergy-{os.geteuid()}"


@pytest.mark.parametrize("trap", ["for everybody", "a link", "a file", "of another user"])
def test_a_folder_that_others_may_have_laid_is_refused(nameless, monkeypatch, trap):
    folder = nameless / f"synergy-{os.geteuid()}"
    if trap == "a link":
        (nameless / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(nameless / "elsewhere")
    elif trap == "a file":
        folder.touch(mode=0o600)
    else:
        folder.mkdir(mode=0o777 if trap == "for everybody" else 0o700)
        folder.chmod(0o777 if trap == "for everybody" else 0o700)
    if trap == "of another user":
        monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
        folder.rename(nameless / f"synergy-{os.geteuid()}")
    with pytest.raises(ConfigError, match="the cache has no place") as caught:
        cache_folder()
    assert "set SYNERGY_CACHE" in str(caught.value)


def test_without_home_and_temporary_folder_it_has_to_be_named(nameless, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc/nothing")
    with pytest.raises(ConfigError, match="set SYNERGY_CACHE to a folder that can be written"):
        cache_folder()

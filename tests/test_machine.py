"""What the machine lacks is told by its cause, whoever noticed it."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import save_file
from small_cli import synergy

from synergy.errors import DataError, SynergyError
from synergy.files import checksum, damaged, read_bytes, write_atomically
from synergy.machine import MachineError, naming, refusal, told, trouble

ELSEWHERE = "name another one with --workspace"


@contextmanager
def limited(what: int, soft: int) -> Iterator[None]:
    """A limit on this process, for a moment."""
    before, most = resource.getrlimit(what)
    resource.setrlimit(what, (soft, most))
    try:
        yield
    finally:
        resource.setrlimit(what, (before, most))


def free_descriptor() -> int:
    """The number that the next open file gets."""
    number = os.dup(0)
    os.close(number)
    return number


@pytest.mark.parametrize(
    ("number", "cause", "remedy"),
    [
        (errno.ENOSPC, "no space is left on that device", "free some space there"),
        (errno.EDQUOT, "the disk quota is used up", "free some space there"),
        (errno.EFBIG, "the file would be larger than the system allows", "ulimit -f"),
        (errno.ENAMETOOLONG, "a name in that path is too long", "shorten it"),
        (errno.EACCES, "this user has no right to it", "get that right"),
        (errno.EPERM, "the system does not permit it", "get the right to it"),
        (errno.EROFS, "that file system can only be read", "make it writable"),
        (errno.EISDIR, "a folder lies there", "move it away"),
        (errno.ENOTDIR, "a part of that path is no folder", "correct it"),
        (errno.ELOOP, "its links lead in a circle", "correct them"),
        (errno.EMFILE, "this process has too many files open", "ulimit -n"),
        (errno.ENFILE, "the machine has too many files open", "close other programs"),
        (errno.ENOMEM, "there is not enough memory", "fewer --workers"),
        (errno.EAGAIN, "no further process or thread may be started", "ulimit -u"),
        (errno.EIO, "the device, or the way to it, has failed", "the log of the system"),
        (errno.ENXIO, "the device, or the way to it, has failed", "the log of the system"),
    ],
)
def test_an_error_of_the_system_is_told_by_cause_and_remedy(number, cause, remedy):
    sentence = told(OSError(number, os.strerror(number), "/data/x"))
    assert sentence is not None
    assert sentence.startswith(f"/data/x: {cause}")
    assert remedy in sentence
    assert (told(OSError(number, os.strerror(number))) or "").startswith(cause)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "x"),
        OSError("no number at all"),
        OSError(errno.EINVAL, os.strerror(errno.EINVAL), "x"),
        KeyError("No space left on device"),
        ValueError("Cannot allocate memory"),
        DataError("Too many open files"),
        ZeroDivisionError("division by zero"),
    ],
    ids=repr,
)
def test_other_errors_are_not_blamed_on_the_machine(error):
    assert trouble(error) is told(error) is None


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (SafetensorError("I/O error: No space left on device (os error 28)"), "no space is left"),
        (SafetensorError("I/O error: zu viele offene Dateien (os error 24)"), "too many files"),
        (MemoryError(), "not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "not enough memory",
        ),
        (RuntimeError("std::bad_alloc"), "not enough memory"),
        (RuntimeError("CUDA out of memory."), "not enough memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "not enough"),
        (OSError("libx.so: cannot open shared object file: Too many open files"), "too many files"),
        (RuntimeError("can't start new thread"), "no further process or thread"),
    ],
    ids=repr,
)
def test_the_words_of_libraries_lead_to_the_same_causes(error, cause):
    assert cause in (told(error) or "")


def test_the_words_of_a_library_are_still_these(tmp_path):
    with (
        limited(resource.RLIMIT_NOFILE, free_descriptor()),
        pytest.raises(SafetensorError) as error,
    ):
        save_file({"a": np.zeros(3, np.float32)}, tmp_path / "a.safetensors")
    assert "this process has too many files open" in (told(error.value) or "")


@settings(max_examples=30)
@given(st.sampled_from(sorted(errno.errorcode)), st.text(min_size=1, max_size=400))
def test_whatever_the_system_says_is_one_printable_line(number, name):
    path = Path("/data") / name.replace("\0", "").replace("/", "").strip(".")
    error = OSError(number, os.strerror(number), str(path))
    for text in (told(error) or "", refusal(error, path, ELSEWHERE)):
        assert len(str(MachineError(text)).splitlines()) <= 1


# -- where something was to be written ----------------------------------------------------------


def test_another_place_is_offered_where_that_helps():
    place = Path("/data/ws")
    for number in (errno.ENOSPC, errno.EROFS, errno.EACCES):
        text = refusal(OSError(number, "", str(place / "x")), place, ELSEWHERE)
        assert text.endswith(f", or {ELSEWHERE}")
        assert str(place) not in text
    for number in (errno.EMFILE, errno.ENOMEM, errno.EFBIG):
        assert ELSEWHERE not in refusal(OSError(number, "", str(place)), place, ELSEWHERE)
    assert refusal(OSError(errno.EBADF, "Bad file"), place, ELSEWHERE) == f"Bad file; {ELSEWHERE}"


def test_a_full_disk_elsewhere_is_not_blamed_on_the_place():
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/dev/shm/pym-1")
    text = refusal(error, Path("/cache/features"), "set SYNERGY_CACHE to another folder")
    assert text == "/dev/shm/pym-1: no space is left on that device; free some space there"


def test_what_may_not_be_replaced_is_told_in_its_own_words(tmp_path):
    file = tmp_path / "report.html"
    os.mkfifo(file)
    with pytest.raises(OSError, match="FIFO") as caught:
        write_atomically(file, "")
    text = refusal(caught.value, file, "name another file")
    assert text == "expected a file that may be replaced, found a FIFO; name another file"
    assert (told(caught.value) or "").startswith(f"{file}: expected a file")


def test_an_error_on_writing_gets_the_name_of_the_file(tmp_path):
    file = tmp_path / "x"
    file.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space") as error, naming(file), file.open("w") as stream:
        stream.write("x")
    assert told(error.value) == (f"{file}: no space is left on that device; free some space there")


def test_what_no_file_is_to_blame_for_is_not_taken_for_damage(tmp_path):
    file = tmp_path / "kept.json"
    file.write_text("{}")
    with limited(resource.RLIMIT_NOFILE, free_descriptor()):
        with pytest.raises(MachineError, match="too many files open"):
            read_bytes(file)
        with pytest.raises(MachineError, match="too many files open"):
            damaged(tmp_path, {"kept.json": checksum(b"{}")})
    assert damaged(tmp_path, {"kept.json": checksum(b"{}")}) == {}


# -- commands -------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace that has just begun."""
    (tmp_path / "ws" / "trials").mkdir(parents=True)
    return tmp_path / "ws"


def test_a_report_that_is_too_large_names_the_limit(workspace, monkeypatch):
    monkeypatch.setattr("synergy.report.writing.summarise", lambda _: None)
    monkeypatch.setattr("synergy.report.writing.render", lambda *_: "x" * 2000)
    with limited(resource.RLIMIT_FSIZE, 1000):
        ran = synergy("report", "--workspace", workspace)
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == (
        f"error: the report cannot be written to {workspace / 'report.html'}: the file would be "
        "larger than the system allows; raise the limit on the size of files (ulimit -f)"
    )


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "trials/x"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
        MemoryError(),
        RuntimeError("can't start new thread"),
    ],
    ids=repr,
)
def test_a_command_that_the_machine_stops_is_no_bug(workspace, monkeypatch, error):
    def stopped(_: object) -> None:
        raise error

    monkeypatch.setattr("synergy.stages.show.show", stopped)
    ran = synergy("show", "--workspace", workspace)
    kept = "everything that was finished is kept; run the same command again to go on"
    assert (ran.code, ran.err) == (2, f"error: {told(error)}; {kept}\n")


def test_an_error_of_the_machine_is_one_of_the_users():
    assert issubclass(MachineError, SynergyError)
    assert MachineError("x").exit_code == 2

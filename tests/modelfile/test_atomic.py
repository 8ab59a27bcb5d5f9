"""The old file or the new one, whole, and nothing else in the folder."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from modnet.errors import NotAModelFile
from modnet.modelfile import atomic
from modnet.modelfile.atomic import replace_file
from modnet.modelfile.reader import read
from modnet.modelfile.writer import Group, write

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and signals are other here")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.modnet"
    path.write_bytes(b"old")
    return path


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


@pytest.mark.parametrize("durable", [True, False])
def test_new_content(path, durable):
    replace_file(path, [b"new", memoryview(b" and"), b"", b" long"], durable=durable)
    assert path.read_bytes() == b"new and long"
    assert names(path) == ["model.modnet"]


def test_new_file(tmp_path):
    replace_file(tmp_path / "a", [b"new"], durable=True)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_relative_path(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    replace_file("model.modnet", [b"new"], durable=True)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("function", ["write", "fsync", "close", "replace", "chmod"])
def test_failure_in_the_middle(path, monkeypatch, function, error):
    original = getattr(os, function)
    opened = []

    def fail(*arguments):
        if function == "close":
            original(*arguments)
        raise error

    def remember(*arguments):
        opened.append(open_file(*arguments))
        return opened[-1]

    open_file = os.open
    monkeypatch.setattr(os, "open", remember)
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)) as caught:
        replace_file(path, [b"new"], durable=True)
    monkeypatch.undo()
    assert caught.value is error
    assert path.read_bytes() == b"old"
    assert names(path) == ["model.modnet"]
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_failure_in_the_content(path):
    def pieces():
        yield b"half of it"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(path, pieces(), durable=True)
    assert path.read_bytes() == b"old"
    assert names(path) == ["model.modnet"]


@posix
def test_full_disk(path):
    """A limit on the length of files stands for the disk: the error comes from the system itself."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(path, {}, [Group("p", np.zeros(1 << 19), [("w", 0, (1 << 19,))])])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert names(path) == ["model.modnet"]


def test_short_writes_are_continued(path, monkeypatch):
    original = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, piece: original(descriptor, piece[:3]))
    replace_file(path, [b"0123456789", b"ab"], durable=False)
    assert path.read_bytes() == b"0123456789ab"


def test_long_pieces_are_written_in_parts(path, monkeypatch):
    monkeypatch.setattr(atomic, "_WRITE_LENGTH", 4)
    replace_file(path, [b"0123456789"], durable=False)
    assert path.read_bytes() == b"0123456789"


def test_durable_syncs_the_file_before_and_the_folder_after_the_replacement(path, monkeypatch):
    calls = []

    def record(name):
        original = getattr(os, name)

        def call(*arguments):
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "replace", "write"):
        record(name)
    replace_file(path, [b"a"], durable=True)
    assert calls == ["write", "fsync", "replace", "fsync"] if os.name == "posix" else ["write", "fsync", "replace"]
    calls.clear()
    replace_file(path, [b"a"], durable=False)
    assert calls == ["write", "replace"]


@posix
@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_folders_that_cannot_be_synced(path, monkeypatch, number, raised):
    original = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if raised:
        with pytest.raises(OSError, match=os.strerror(number)):
            replace_file(path, [b"new"], durable=True)
    else:
        replace_file(path, [b"new"], durable=True)
    assert path.read_bytes() == b"new"
    assert names(path) == ["model.modnet"]


def test_a_temporary_name_that_is_taken_is_left_alone(path, monkeypatch):
    tokens = iter([bytes(6), b"unused"])
    monkeypatch.setattr(atomic.os, "urandom", lambda _: next(tokens))
    taken = path.with_name(".model.modnet.000000000000.tmp")
    taken.write_bytes(b"somebody else's")
    replace_file(path, [b"new"], durable=False)
    assert path.read_bytes() == b"new"
    assert taken.read_bytes() == b"somebody else's"
    assert names(path) == [taken.name, "model.modnet"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444, 0o755])
def test_permissions_are_those_of_the_old_file(path, mode):
    path.chmod(mode)
    replace_file(path, [b"new"], durable=False)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o000])
def test_permissions_of_a_new_file_are_those_of_any_new_file(tmp_path, mask):
    old = os.umask(mask)
    try:
        replace_file(tmp_path / "new", [b"new"], durable=False)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~mask


@posix
def test_a_secret_file_is_never_open_to_others(path, monkeypatch):
    modes = []
    original = os.open

    def record(name, flags, mode=0o777):
        modes.append(mode)
        return original(name, flags, mode)

    path.chmod(0o600)
    monkeypatch.setattr(os, "open", record)
    replace_file(path, [b"new"], durable=False)
    assert modes == [0o600]


def test_the_target_of_a_symbolic_link_is_replaced(path, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "link").symlink_to("../model.modnet")
    replace_file(folder / "link", [b"new"], durable=True)
    assert (folder / "link").is_symlink()
    assert path.read_bytes() == b"new"
    assert os.listdir(folder) == ["link"]


def test_a_symbolic_link_to_nothing_gets_its_target(tmp_path):
    (tmp_path / "link").symlink_to("target")
    replace_file(tmp_path / "link", [b"new"], durable=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_loop_of_symbolic_links(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(tmp_path / "a", [b"new"], durable=True)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_missing_folder_is_told_with_the_name_that_was_given(tmp_path):
    path = os.path.realpath(tmp_path / "missing" / "model.modnet")
    with pytest.raises(FileNotFoundError) as caught:
        replace_file(path, [b"new"], durable=True)
    assert caught.value.filename == path


@pytest.mark.skipif(sys.platform == "win32", reason="no such files on this system")
def test_devices_are_not_replaced():
    with pytest.raises(NotAModelFile, match="/dev/null: this is a device"):
        replace_file("/dev/null", [b"new"], durable=True)


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_the_longest_names(tmp_path, name):
    replace_file(tmp_path / name, [b"new"], durable=True)
    assert os.listdir(tmp_path) == [name]


def test_a_file_that_cannot_be_replaced_says_why(path, monkeypatch):
    def replace(*_):
        raise PermissionError("no")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError) as caught:
        replace_file(path, [b"new"], durable=True)
    assert "mapped" in caught.value.__notes__[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses this")
def test_saving_over_the_file_that_the_arrays_are_mapped_from(path):
    views = [("w", 0, (1000,))]
    write(path, {"step": 1}, [Group("p", np.arange(1000.0), views)])
    mapped = read(path, mmap=True).groups["p"].flat
    write(path, {"step": 2}, [Group("p", mapped, views)])
    np.testing.assert_array_equal(mapped, np.arange(1000.0))
    np.testing.assert_array_equal(read(path).groups["p"].flat, np.arange(1000.0))
    assert read(path).header == {"step": 2}


def test_readers_see_the_old_or_the_new_file_while_it_is_replaced(path):
    def model(step):
        return {"step": step}, [Group("p", np.full(5000, step), [("w", 0, (5000,))])]

    write(path, *model(0))
    seen, stop = set(), threading.Event()

    def look():
        while not stop.is_set():
            contents = read(path)
            assert (contents.groups["p"].flat == contents.header["step"]).all()
            seen.add(contents.header["step"])

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for step in range(1, 40):
        write(path, *model(step), durable=False)
    stop.set()
    for thread in threads:
        thread.join()
    assert seen  # an error in a thread is a warning, and a warning fails the test
    assert names(path) == ["model.modnet"]

"""The old file or the new one, whole, and nothing else in the folder."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import threading
import time
from io import FileIO
from pathlib import Path

import numpy as np
import pytest

from modnet.errors import NotAModelFile
from modnet.model import atomic
from modnet.model.atomic import remove_leftovers, replace_file
from modnet.model.reader import read
from modnet.model.writer import Group, write

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, locks and signals are other here")
superuser = pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root can give files away")


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


class RecordedFile(FileIO):
    """Remembers that it was made; its method `failing` raises `error`."""

    made: list[FileIO]
    failing, error = "", None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.made.append(self)

    def write(self, piece):
        if self.failing == "write":
            raise self.error
        return super().write(piece)


@posix
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("function", ["write", "fsync", "close", "replace", "fchmod"])
def test_failure_in_the_middle(path, monkeypatch, function, error):
    def fail(*arguments):
        if function == "close":
            close(*arguments)
        raise error

    close, files = os.close, []
    monkeypatch.setattr(atomic, "FileIO", RecordedFile)
    monkeypatch.setattr(RecordedFile, "made", files, raising=False)
    if function == "write":
        monkeypatch.setattr(RecordedFile, "failing", "write")
        monkeypatch.setattr(RecordedFile, "error", error)
    else:
        monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)) as caught:
        replace_file(path, [b"new"], durable=True)
    monkeypatch.undo()
    assert caught.value is error
    assert path.read_bytes() == b"old"
    assert names(path) == ["model.modnet"]
    assert [file.closed for file in files] == [True]


@pytest.mark.parametrize("function", ["write", "replace"])
def test_an_error_of_the_system_names_the_target(path, monkeypatch, function):
    def fail(*names):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), *names[:1], None, *names[1:])

    monkeypatch.setattr(*{"write": (atomic, "_write", lambda *_: fail()), "replace": (os, "replace", fail)}[function])
    with pytest.raises(OSError, match=os.strerror(errno.EDQUOT)) as caught:
        replace_file(path, [b"new"], durable=True)
    assert caught.value.filename == os.path.realpath(path)
    assert str(caught.value).endswith(f"{os.strerror(errno.EDQUOT)}: {caught.value.filename!r}")


def test_failure_in_the_content(path):
    def pieces():
        yield b"half of it"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(path, pieces(), durable=True)
    assert path.read_bytes() == b"old"
    assert names(path) == ["model.modnet"]


class Interruptions:
    """Raises KeyboardInterrupt before one of the instructions of the module, where Ctrl-C could do so too."""

    def __init__(self, position, look=lambda: None):
        self.position, self.look = position, look
        self.count = 0

    def __call__(self, frame, event, _):
        if frame.f_code.co_filename != atomic.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.look()
            self.count += 1
            if self.count == self.position:
                raise KeyboardInterrupt
        return self


def traced(trace, path):
    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks only in settrace whether a frame wants them
    sys.settrace(trace)
    try:
        replace_file(path, [b"new"], durable=True)
    finally:
        sys.settrace(before)


@posix
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that only its destructor closes
def test_ctrl_c_at_every_instruction(path):
    traced(count := Interruptions(None), path)
    assert count.count > 300
    contents = []
    for position in range(1, count.count + 1):
        path.write_bytes(b"old")
        with pytest.raises(KeyboardInterrupt):
            traced(Interruptions(position), path)
        assert names(path) == ["model.modnet"], position
        contents.append(path.read_bytes())
    assert contents == sorted(contents, reverse=True)  # at first the old one, later the new one
    assert set(contents) == {b"old", b"new"}


@pytest.mark.parametrize("durable", [True, False])
def test_short_writes_are_continued(path, monkeypatch, durable):
    class Short(FileIO):
        def write(self, piece):
            return super().write(piece[:3])

    monkeypatch.setattr(atomic, "FileIO", Short)
    replace_file(path, [b"0123456789", b"ab"], durable=durable)
    assert path.read_bytes() == b"0123456789ab"


def test_long_pieces_are_written_in_parts(path, monkeypatch):
    monkeypatch.setattr(atomic, "_WRITE_LENGTH", 4)
    replace_file(path, [b"0123456789"], durable=False)
    assert path.read_bytes() == b"0123456789"


def test_durable_syncs_the_file_before_and_the_folder_after_the_replacement(path, monkeypatch):
    calls = []

    def record(holder, name):
        original = getattr(holder, name)

        def call(*arguments):
            calls.append(name.strip("_"))
            return original(*arguments)

        monkeypatch.setattr(holder, name, call)

    for holder, name in ((os, "fsync"), (os, "replace"), (atomic, "_write")):
        record(holder, name)
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
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            replace_file(path, [b"new"], durable=True)
        assert caught.value.filename == os.path.realpath(path.parent)
        assert "the new file is in place" in caught.value.__notes__[0].lower()
    else:
        replace_file(path, [b"new"], durable=True)
    assert path.read_bytes() == b"new"
    assert names(path) == ["model.modnet"]


@posix
def test_a_folder_that_may_be_written_but_not_read(path, monkeypatch):
    """Where the folder cannot be opened its sync is left out, and where it cannot be listed leftovers stay."""

    def refuse(name, *_):
        raise PermissionError(errno.EACCES, "no", name)

    monkeypatch.setattr(os, "listdir", refuse)
    original = os.open
    monkeypatch.setattr(os, "open", lambda name, *a, **b: (refuse if os.path.isdir(name) else original)(name, *a, **b))
    replace_file(path, [b"new"], durable=True)
    assert path.read_bytes() == b"new"


# Leftovers

OURS = atomic._machine()
LEFTOVER = f".model.modnet.{OURS}01234567.tmp"


@posix
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o444])
def test_what_a_dead_writer_left_is_removed(path, mode):
    leftover = path.with_name(LEFTOVER)
    leftover.write_bytes(b"half")
    leftover.chmod(mode)
    replace_file(path, [b"new"], durable=False)
    assert names(path) == ["model.modnet"]


@posix
def test_the_temporary_file_of_a_living_writer_stays(path):
    """A writer is interrupted by another, which takes the name first; then the one goes on, and its content wins."""

    def pieces():
        yield b"slow "
        replace_file(path, [b"quick"], durable=False)
        assert path.read_bytes() == b"quick"
        (temporary,) = set(names(path)) - {"model.modnet"}
        assert re.fullmatch(r"\.model\.modnet\.[0-9a-f]{12}\.tmp", temporary)
        yield b"and steady"

    replace_file(path, pieces(), durable=True)
    assert path.read_bytes() == b"slow and steady"
    assert names(path) == ["model.modnet"]


@posix
@pytest.mark.parametrize(
    "name",
    [
        f"model.modnet.{OURS}01234567.tmp",
        f".model.modnet.{OURS}0123456.tmp",
        f".model.modnet.{OURS}012345678.tmp",
        f".model.modnet.{OURS}0123456X.tmp",
        f".model.modnet.{OURS}01234567.tmp~",
        f".model.modnet.{OURS}01234567.tmp\n",
        f".model.modnet.{OURS}01234567",
        f".model.modnet.bak.{OURS}01234567.tmp",
        f".modelXmodnet.{OURS}01234567.tmp",
        f".other.modnet.{OURS}01234567.tmp",
        ".model.modnet.tmp",
    ],
)
def test_files_of_similar_names_stay(path, name):
    path.with_name(name).write_bytes(b"mine")
    replace_file(path, [b"new"], durable=False)
    assert path.with_name(name).read_bytes() == b"mine"


@posix
@pytest.mark.parametrize(
    "make",
    [os.mkdir, getattr(os, "mkfifo", os.mkdir), lambda name: os.symlink("precious", name)],
    ids=["folder", "pipe", "link"],
)
def test_only_regular_files_are_removed(path, make):
    path.with_name("precious").write_bytes(b"mine")
    make(path.with_name(LEFTOVER))
    replace_file(path, [b"new"], durable=False)
    assert names(path) == [LEFTOVER, "model.modnet", "precious"]


@superuser
def test_only_files_of_the_same_user_are_removed(path):
    path.with_name(LEFTOVER).touch()
    os.chown(path.with_name(LEFTOVER), 12345, -1)
    replace_file(path, [b"new"], durable=False)
    assert names(path) == [LEFTOVER, "model.modnet"]


@posix
@pytest.mark.parametrize(("hours", "stays"), [(0, True), (23, True), (25, False)])
def test_what_another_machine_left_is_removed_after_a_day(path, monkeypatch, hours, stays):
    """Its locks may be invisible here."""
    leftover = path.with_name(LEFTOVER)
    leftover.touch()
    os.utime(leftover, (time.time() - hours * 3600,) * 2)
    monkeypatch.setattr(atomic, "_machine", lambda: f"{int(OURS, 16) ^ 1:04x}")
    replace_file(path, [b"new"], durable=False)
    assert leftover.exists() == stays


@posix
@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, None], ids=str)
def test_without_locks_nothing_is_removed(path, monkeypatch, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    if number is None:
        monkeypatch.setattr(atomic, "fcntl", None)
    else:
        monkeypatch.setattr(atomic.fcntl, "flock", flock)
    path.with_name(LEFTOVER).write_bytes(b"whose?")
    replace_file(path, [b"new"], durable=False)
    assert path.read_bytes() == b"new"
    assert names(path) == [LEFTOVER, "model.modnet"]


@posix
@pytest.mark.parametrize("moment", ["before the lock is taken", "after"])
def test_a_remover_that_comes_between_creation_and_lock(path, monkeypatch, moment):
    """In the one case it has removed the new file, in the other it is about to: the writer takes another."""
    flock, taken = atomic.fcntl.flock, []

    def late(file, operation):
        if not taken:
            taken.append(file.name)
            if moment == "after":
                raise BlockingIOError
            os.unlink(file.name)
        flock(file, operation)

    monkeypatch.setattr(atomic.fcntl, "flock", late)
    replace_file(path, [b"new"], durable=True)
    assert path.read_bytes() == b"new"
    assert names(path) == ["model.modnet"]
    assert len(taken) == 1


@posix
def test_leftovers_of_several_names(path):
    ours = [f".step-{step}.modnet.{OURS}01234567.tmp" for step in range(3)]
    for name in [*ours, LEFTOVER]:
        path.with_name(name).touch()
    remove_leftovers(path.parent, r"step-\d+\.modnet")
    assert names(path) == [LEFTOVER, "model.modnet"]
    remove_leftovers(path.parent / "missing", "x")


def test_a_temporary_name_that_is_taken_is_left_alone(path, monkeypatch):
    tokens = iter([bytes(4), b"free"])
    monkeypatch.setattr(atomic.os, "urandom", lambda _: next(tokens))
    taken = path.with_name(f".model.modnet.{OURS}00000000.tmp")
    taken.mkdir()
    replace_file(path, [b"new"], durable=False)
    assert path.read_bytes() == b"new"
    assert names(path) == [taken.name, "model.modnet"]


@posix
def test_long_names_that_begin_alike_are_told_apart(path):
    one, other = ("x" * 100 + end for end in ("1", "2"))
    with FileIO(path.with_name(f".{atomic._stem(one)}.{OURS}01234567.tmp"), "x") as file:
        replace_file(path.with_name(other), [b"new"], durable=False)
        assert os.path.exists(file.name)
    replace_file(path.with_name(one), [b"new"], durable=False)
    assert names(path) == ["model.modnet", one, other]


# Permissions


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
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_at_no_moment_may_others_do_more_than_with_the_old_file(path, mode):
    """Looked at before every instruction."""
    seen = []

    def look():
        seen.extend(stat.S_IMODE(found.stat().st_mode) for found in path.parent.glob(".*"))

    path.chmod(mode)
    traced(Interruptions(None, look), path)
    assert set(seen) == {0o600, mode}
    assert seen == sorted(seen, key=lambda found: found != 0o600)


@superuser
def test_owner_and_group_are_kept_where_the_system_allows_it(path):
    os.chown(path, 12345, 23456)
    path.chmod(0o640)
    replace_file(path, [b"new"], durable=False)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o640)


@superuser
@pytest.mark.parametrize(("before", "after"), [(0o640, 0o600), (0o664, 0o644), (0o644, 0o644), (0o606, 0o606)])
def test_a_group_that_cannot_be_kept_leaves_its_rights_to_nobody(path, monkeypatch, before, after):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "no")

    os.chown(path, -1, 23456)
    path.chmod(before)
    monkeypatch.setattr(os, "fchown", refuse)
    replace_file(path, [b"new"], durable=False)
    assert path.stat().st_gid != 23456
    assert stat.S_IMODE(path.stat().st_mode) == after


# Paths


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


@pytest.mark.parametrize("name", ["x" * 250, "x" * 255, "é" * 127, "😀" * 63, "x" * 49 + "é", "😀" * 12])
def test_the_longest_names(tmp_path, name):
    lengths = []

    def pieces():
        lengths.extend(len(os.fsencode(found)) for found in os.listdir(tmp_path))
        yield b"new"

    replace_file(tmp_path / name, pieces(), durable=True)
    assert os.listdir(tmp_path) == [name]
    assert max(lengths) <= 50 + 18


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(OSError, match=os.strerror(errno.ENAMETOOLONG)) as caught:
        replace_file(tmp_path / ("x" * 256), [b"new"], durable=True)
    assert caught.value.filename == os.path.realpath(tmp_path / ("x" * 256))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", ".", "missing/", "missing/.", "missing/..", "model.modnet/"])
def test_names_of_folders(path, monkeypatch, name):
    monkeypatch.chdir(path.parent)
    with pytest.raises(NotAModelFile, match="this is a folder"):
        replace_file(name, [b"new"], durable=True)
    assert names(path) == ["model.modnet"]
    assert path.read_bytes() == b"old"


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(NotAModelFile, match="this is a folder"):
        replace_file(tmp_path, [b"new"], durable=True)


def test_windows_says_why_it_replaces_no_open_file(path, monkeypatch):
    def replace(*_):
        error = PermissionError(errno.EACCES, "Access is denied")
        error.winerror = 5
        raise error

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError) as caught:
        replace_file(path, [b"new"], durable=True)
    assert "mapped" in caught.value.__notes__[0]
    assert names(path) == ["model.modnet"]


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


# What is no name


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="the system has no names for open files")
@pytest.mark.parametrize("deleted", [True, False])
def test_an_open_file_is_no_name(path, deleted, tmp_path):
    """To replace it by its name would leave it as it is, and could write another file."""
    with path.open("r+b") as file:
        if deleted:
            path.unlink()
        link = tmp_path / "link"
        places = [f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}", link]
        if sys.platform != "linux":
            del places[1]
        link.symlink_to(places[0])
        for place in places:
            with pytest.raises(NotAModelFile, match="this is an open file, not the name of one") as caught:
                replace_file(place, [b"new"], durable=False)
            assert caught.value.path == str(place)
        assert file.read() == b"old"
    assert sorted(os.listdir(tmp_path)) == (["link"] if deleted else ["link", "model.modnet"])


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="the system has no such name")
def test_standard_output_is_no_name():
    with pytest.raises(NotAModelFile, match="this is an open file, not the name of one"):
        replace_file("/dev/stdout", [b"new"], durable=False)


def test_links_that_go_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match=r"loop|symbolic"):
        replace_file(tmp_path / "a", [b"new"], durable=False)

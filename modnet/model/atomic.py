"""Replacing a file as a whole: whoever opens the path gets the old or the new content, never a part.

What is written goes to a temporary file beside the target, `.NAME.MMMMRRRRRRRR.tmp`: MMMM stands for the machine, the
rest is random. Its writer keeps it locked (flock) as long as it has that name. So the temporary file of a writer that
was killed is one that can be locked, and the next writer of that NAME removes it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from io import FileIO
from zlib import crc32

from modnet.errors import NotAModelFile
from modnet.model.foreign import require_regular

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_WRITE_LENGTH = 16 << 20  # between two writes Ctrl-C is felt
_NAME_LENGTH = 50  # bytes; the temporary name is longer, and must fit where the target's does
_FOREIGN_AGE = 24 * 3600  # seconds
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOTTY)


def replace_file(
    path: str | os.PathLike[str],
    pieces: Iterable[bytes | memoryview],
    *,
    durable: bool,
    beginning: Callable[[], bytes] | None = None,
) -> None:
    """Makes `pieces`, one after the other, the content of the file at `path`.

    They are written to a temporary file in the same folder, which then takes the place of the old file, with its
    permissions and, where the system allows it, its owner and group. At any exception until then the old file stands as
    it was and the temporary one is gone. Of a symbolic link the target is replaced.

    Args:
        durable: return only when the new file would survive a loss of power. In a folder that may be written but not
            read the system gives no means to wait for the name; there the old file may come back.
        beginning: called when all pieces have been written, for bytes in place of as many of the first ones.

    Raises:
        NotAModelFile: the path is that of a folder, pipe, socket or device.
        OSError: as the system says, such as for a folder that is not there or a full disk; its `filename` is the file
            that was to be replaced.
    """
    target = _target(path)
    old = _status(path, target)
    temporary = _Temporary(target)
    try:
        file = temporary.create(mode=0o666 if old is None else 0o600)
        _fill(file, pieces, beginning, old, durable)
        os.replace(temporary.path, target)
        file.close()
    except BaseException as error:
        temporary.discard()
        if isinstance(error, OSError):
            _tell(error, temporary.path, target)
        raise
    if durable:
        _sync_folder(os.path.dirname(target))


def _target(path: str | os.PathLike[str]) -> str:
    if os.path.basename(path) in ("", os.curdir, os.pardir):
        raise NotAModelFile(path, "this is the name of a folder; expected that of a file")
    return os.path.realpath(os.path.expanduser(path))


class _Temporary:
    """The temporary file beside a target.

    It knows at any time what there is to discard, also where Ctrl-C comes between two lines.
    """

    def __init__(self, target: str) -> None:
        self._folder, name = os.path.split(target)
        self._stem = _stem(name)
        self._file: FileIO | None = None
        self.path = ""

    def create(self, mode: int) -> FileIO:
        """The file, open and locked. Leftovers of dead writers of the same target are removed before."""
        remove_leftovers(self._folder, re.escape(self._stem))
        while True:
            self.path = os.path.join(self._folder, f".{self._stem}.{_machine()}{os.urandom(4).hex()}.tmp")
            with suppress(FileExistsError):
                # No Python code runs between the making of the descriptor and that of its owner: Ctrl-C leaks nothing.
                self._file = FileIO(self.path, "x", opener=partial(os.open, mode=mode))
                if _lock(self._file, self.path):
                    return self._file
                self.discard()

    def discard(self) -> None:
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            os.unlink(self.path)


def _fill(
    file: FileIO,
    pieces: Iterable[bytes | memoryview],
    beginning: Callable[[], bytes] | None,
    old: os.stat_result | None,
    durable: bool,
) -> None:
    """Writes the content, and makes the file what the old one is to be replaced by."""
    for piece in pieces:
        _write(file, memoryview(piece))
    if beginning is not None:
        file.seek(0)
        _write(file, memoryview(beginning()))
    if old is not None and os.name == "posix":
        _adopt(file, old)
    if durable:
        _sync(file)
    _finish(file)


def remove_leftovers(folder: str | os.PathLike[str], stems: str) -> None:
    """Removes temporary files of writers that are dead; what cannot be looked at or removed is left.

    Only this user's are removed. Where a file system has no locks nothing is removed, since nothing tells the dead from
    the living. Not every network file system shows the locks of other machines, so that the files of those are
    removed only when they have been untouched for a day.

    Args:
        stems: regular expression of the names of the files that were being written.
    """
    if fcntl is None:
        return
    pattern = re.compile(rf"\.(?:{stems})\.([0-9a-f]{{4}})[0-9a-f]{{8}}\.tmp")
    with suppress(OSError):
        for name in os.listdir(folder):
            if found := pattern.fullmatch(name):
                with suppress(OSError):
                    _remove_if_dead(os.path.join(folder, name), ours=found[1] == _machine())


def _remove_if_dead(path: str, *, ours: bool) -> None:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return
    if not ours and status.st_mtime > time.time() - _FOREIGN_AGE:
        return
    access = os.O_WRONLY if status.st_mode & stat.S_IWUSR else os.O_RDONLY  # NFS wants the former for a lock
    descriptor = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _stem(name: str) -> str:
    """The target's name as it stands in that of the temporary file."""
    raw = os.fsencode(name)
    return name if len(raw) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH // 5]}~{crc32(raw):08x}"


def _machine() -> str:
    node = os.uname().nodename if hasattr(os, "uname") else ""
    return f"{crc32(node.encode(errors='surrogateescape')) & 0xFFFF:04x}"


def _lock(file: FileIO, path: str) -> bool:
    """Tells others that the file has a living writer; False if one of them took it for dead just before."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks, and nobody will get one
        return True
    return os.path.lexists(path)


def _tell(error: OSError, temporary: str, target: str) -> None:
    """Says of which file the error is, by the name that the caller knows."""
    if error.strerror and error.filename in (None, temporary):
        error.filename = target
        del error.filename2  # it would be told if it were None
    if isinstance(error, PermissionError) and getattr(error, "winerror", None):
        error.add_note("Windows does not replace a file that is open or mapped, by this program or another.")


def _status(path: str | os.PathLike[str], target: str) -> os.stat_result | None:
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    require_regular(path, status)
    return status


def _write(file: FileIO, rest: memoryview) -> None:
    while rest:
        rest = rest[file.write(rest[:_WRITE_LENGTH]) :]


def _adopt(file: FileIO, old: os.stat_result) -> None:
    """Gives the file the permissions of the old one, and its owner and group if the system allows it."""
    mode = stat.S_IMODE(old.st_mode) & 0o777
    new = os.fstat(file.fileno())
    if new.st_gid != old.st_gid:
        try:
            os.fchown(file.fileno(), -1, old.st_gid)
        except OSError:
            mode &= 0o707 | (mode & 0o007) << 3  # the group is another one, and may do no more than others
    if new.st_uid != old.st_uid:
        with suppress(OSError):
            os.fchown(file.fileno(), old.st_uid, -1)
    if stat.S_IMODE(new.st_mode) != mode:  # some file systems have one mode for all files, and refuse the call
        os.fchmod(file.fileno(), mode)


def _sync(file: FileIO) -> None:
    if sys.platform == "darwin":
        # There fsync leaves the data in the drive's own cache.
        try:
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise
        else:
            return
    os.fsync(file.fileno())


def _finish(file: FileIO) -> None:
    """Closes the file, as some network file systems tell only then that the disk is full.

    Where there are locks it is a second descriptor that is closed, and the lock stays. Windows renames no open file.
    """
    if fcntl is None:
        file.close()
    else:
        os.close(os.dup(file.fileno()))


def _sync_folder(folder: str) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            error.filename = folder
            error.add_note("The new file is in place; whether it would survive a loss of power is not known.")
            raise
    finally:
        os.close(descriptor)

"""Replacing a file as a whole: a reader of the path gets the old or the new content, never a part.

The content is written to a temporary file beside the target, `.NAME.MMMMRRRRRRRR.tmp`: MMMM stands for the machine, the
rest is random. Its writer keeps it locked (flock) as long as it has that name. A temporary file that can be locked
therefore belongs to a writer that was killed, and the next writer of that NAME removes it.
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
from typing import BinaryIO
from zlib import crc32

from modnet.errors import NotAModelFile
from modnet.model.foreign import require_regular

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_WRITE_LENGTH = 16 << 20  # bytes in one write: Ctrl-C takes effect between two of them
_NAME_LENGTH = 50  # bytes; the temporary name is longer than the target's, and must not exceed the system's limit
_FOREIGN_AGE = 24 * 3600  # seconds
_MOST_LINKS = 40  # as Linux follows
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/(\d+|self|thread-self)(/task/\d+)?/fd")
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOTTY)


def replace_file(
    path: str | os.PathLike[str],
    pieces: Iterable[bytes | memoryview],
    *,
    durable: bool,
    beginning: Callable[[], bytes] | None = None,
) -> None:
    """Replaces the content of the file at `path` by `pieces`, one after the other.

    They are written to a temporary file in the same folder, which then replaces the old file, with its permissions and,
    if the system allows it, its owner and group. If there is an exception before that, the old file is unchanged and
    the temporary file is removed. If the path is a symbolic link, its target is replaced.

    Args:
        durable: return only when the new file would survive a loss of power. If the folder is writable but not
            readable, the system has no way to wait for the new name, and the old file may come back.
        beginning: called when all pieces have been written; the bytes that it returns overwrite the start of the file.

    Raises:
        NotAModelFile: the path is a folder, pipe, socket or device, or the name of a descriptor.
        OSError: from the system, for a missing folder or a full disk, for example; its `filename` is the target.
    """
    target = _target(path)
    old = _status(path, target)
    temporary = _Temporary(target)
    try:
        # 0o600 at first: the old file may be private; `_adopt` follows.
        file = temporary.create(mode=0o666 if old is None else 0o600)
        _fill(file, pieces, beginning, old, durable)
        os.replace(temporary.path, target)
        file.close()
    except BaseException as error:  # KeyboardInterrupt too
        temporary.discard()
        if isinstance(error, OSError):
            _tell(error, temporary.path, target)
        raise
    if durable:
        _sync_folder(os.path.dirname(target))


def _target(path: str | os.PathLike[str]) -> str:
    if os.path.basename(path) in ("", os.curdir, os.pardir):
        raise NotAModelFile(path, "this is a folder; expected the path of a file")
    require_name(path)
    return os.path.realpath(os.path.expanduser(path))


def require_name(path: str | os.PathLike[str]) -> None:
    """Checks that a path, or the link that it is, names a file: `/dev/stdout` and `/proc/self/fd/3` are open files.

    A file cannot be replaced through these: the open one would stay as it is, and another one might be written.

    Raises:
        NotAModelFile: it is no name.
    """
    name = os.path.expanduser(path)
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(name))
        if _DESCRIPTORS.fullmatch(folder):
            what = "this is an open file, not the name of one; expected the path of a file"
            raise NotAModelFile(path, f"{what} (a program can give the file itself: modnet.save(network, file))")
        try:
            name = os.path.join(folder, os.readlink(name))
        except OSError:
            return


class _Temporary:
    """The temporary file beside a target.

    It knows at any time what there is to discard, even if Ctrl-C comes between two lines.
    """

    def __init__(self, target: str) -> None:
        self._folder, name = os.path.split(target)
        self._stem = _stem(name)
        self._file: FileIO | None = None
        self.path = ""

    def create(self, mode: int) -> FileIO:
        """The new file, open and locked. Leftovers of dead writers of the same target are removed first."""
        remove_leftovers(self._folder, re.escape(self._stem))
        while True:
            self.path = os.path.join(self._folder, f".{self._stem}.{_machine()}{os.urandom(4).hex()}.tmp")
            with suppress(FileExistsError):
                # FileIO opens the file itself, in C: with os.open and FileIO in two steps, Ctrl-C between them would
                # leave a descriptor without an owner.
                self._file = FileIO(self.path, "x", opener=partial(os.open, mode=mode))
                if _lock(self._file, self.path):
                    return self._file
                # Another writer has removed it, between its creation and the lock. Try another name.
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
    """Writes the content, and prepares the file to replace the old one."""
    write_pieces(file, pieces)
    if beginning is not None:
        file.seek(0)
        _write(file, memoryview(beginning()))
    if old is not None and hasattr(os, "fchown"):  # Windows has other permissions
        _adopt(file, old)
    if durable:
        _sync(file)
    _finish(file)


def remove_leftovers(folder: str | os.PathLike[str], stems: str) -> None:
    """Removes the temporary files of writers that were killed; those that cannot be read or removed are left.

    Only files of this user are removed. Without file locks nothing is removed, since dead and living writers cannot be
    told apart. Some network file systems do not show the locks of other machines, so their files are removed only after
    a day without changes.

    Args:
        stems: a regular expression for the names of the target files.
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
    access = os.O_WRONLY if status.st_mode & stat.S_IWUSR else os.O_RDONLY  # NFS requires write access for a lock
    # Someone may have replaced the file by a symbolic link or a pipe since: neither follow nor wait.
    descriptor = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its writer may have finished just now, and another file may have this name.
        if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _stem(name: str) -> str:
    """The target's name, shortened if necessary, as part of the temporary name."""
    raw = os.fsencode(name)
    return name if len(raw) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH // 5]}~{crc32(raw):08x}"


def _machine() -> str:
    node = os.uname().nodename if hasattr(os, "uname") else ""
    return f"{crc32(node.encode(errors='surrogateescape')) & 0xFFFF:04x}"


def _lock(file: FileIO, path: str) -> bool:
    """Marks the file as that of a living writer; False if another process has just taken it for a leftover."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks, so no other process can get one and remove the file
        return True
    return os.path.lexists(path)


def _tell(error: OSError, temporary: str, target: str) -> None:
    """Makes the error name the target, which the caller knows, instead of the temporary file."""
    if error.strerror and error.filename in (None, temporary):
        error.filename = target
        del error.filename2  # deleted, and not None, which the message would show
    if isinstance(error, PermissionError) and getattr(error, "winerror", None):
        error.add_note("Windows does not replace a file that is open or mapped, by this program or another.")


def _status(path: str | os.PathLike[str], target: str) -> os.stat_result | None:
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    require_regular(path, status)
    return status


def write_pieces(file: BinaryIO | FileIO, pieces: Iterable[bytes | memoryview]) -> None:
    """Writes all pieces to an open file, which may take a part of one at a time."""
    for piece in pieces:
        _write(file, memoryview(piece))


def _write(file: BinaryIO | FileIO, rest: memoryview) -> None:
    while rest:
        part = rest[:_WRITE_LENGTH]
        count = file.write(part)
        rest = rest[len(part) if count is None else count :]  # some files that are not the system's do not count


def _adopt(file: FileIO, old: os.stat_result) -> None:
    """Gives the file the permissions of the old one, and its owner and group if the system allows it."""
    mode = stat.S_IMODE(old.st_mode) & 0o777
    new = os.fstat(file.fileno())
    if new.st_gid != old.st_gid:
        try:
            os.fchown(file.fileno(), -1, old.st_gid)
        except OSError:
            mode &= 0o707 | (mode & 0o007) << 3  # another group than before: it gets no more rights than others have
    if new.st_uid != old.st_uid:
        with suppress(OSError):
            os.fchown(file.fileno(), old.st_uid, -1)
    if stat.S_IMODE(new.st_mode) != mode:  # some file systems have one mode for all files and refuse any chmod
        os.fchmod(file.fileno(), mode)


def _sync(file: FileIO) -> None:
    if sys.platform == "darwin":
        # On macOS, fsync leaves the data in the drive's cache.
        try:
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise
        else:
            return
    os.fsync(file.fileno())


def _finish(file: FileIO) -> None:
    """Closes the file, because some network file systems report a full disk only then.

    If there are locks, a duplicate descriptor is closed, which has the same effect and keeps the lock. Windows, which
    has no locks here, cannot rename an open file.
    """
    if fcntl is None:
        file.close()
    else:
        os.close(os.dup(file.fileno()))


def _sync_folder(folder: str) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
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

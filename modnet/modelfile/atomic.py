"""Replacing a file as a whole: whoever opens the path gets the old or the new content, never a part."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress

from modnet.modelfile.foreign import require_regular

_WRITE_LENGTH = 1 << 30  # Linux writes at most 2 GiB - 4 KiB at once
_TEMPORARY_NAME_LENGTH = 50  # so many characters of the target's name; file systems stop at 255 bytes
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOTTY)


def replace_file(path: str | os.PathLike[str], pieces: Iterable[bytes | memoryview], *, durable: bool) -> None:
    """Makes `pieces`, one after the other, the content of the file at `path`.

    They are written to a temporary file `.NAME.RANDOM.tmp` in the same folder, which then takes the place of the old
    file and its permissions. At any exception the old file stands as it was and the temporary one is gone. Of a
    symbolic link the target is replaced.

    Args:
        durable: return only when the new file would survive a loss of power.

    Raises:
        NotAModelFile: the path is that of a folder, pipe, socket or device.
        OSError: as the system says, such as for a folder that is not there or a full disk.
    """
    target = os.path.realpath(path)
    mode = _mode(path, target)
    folder, name = os.path.split(target)
    temporary = ""
    try:
        while True:
            temporary = os.path.join(folder, f".{name[:_TEMPORARY_NAME_LENGTH]}.{os.urandom(6).hex()}.tmp")
            with suppress(FileExistsError):
                descriptor = _create(temporary, target, 0o666 if mode is None else mode)
                break
        try:
            if mode is not None:
                os.chmod(temporary, mode)  # the umask may have taken some of it
            for piece in pieces:
                _write(descriptor, memoryview(piece))
            if durable:
                _sync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.replace(temporary, target)
        except PermissionError as error:
            error.add_note("Windows does not replace a file that is open or mapped, be it by this program or another.")
            raise
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    if durable:
        _sync_folder(folder)


def _mode(path: str | os.PathLike[str], target: str) -> int | None:
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    require_regular(path, status)
    return stat.S_IMODE(status.st_mode) & 0o777


def _create(temporary: str, target: str, mode: int) -> int:
    try:
        return os.open(temporary, _FLAGS, mode)
    except FileExistsError:
        raise
    except OSError as error:
        error.filename = target  # the name that the caller knows
        raise


def _write(descriptor: int, rest: memoryview) -> None:
    while rest:
        rest = rest[os.write(descriptor, rest[:_WRITE_LENGTH]) :]


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # There fsync leaves the data in the drive's own cache.
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise
        else:
            return
    os.fsync(descriptor)


def _sync_folder(folder: str) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)

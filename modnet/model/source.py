"""What a model file is read from: a file of the system, or bytes in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from io import BufferedRandom, BufferedReader, FileIO, TextIOBase
from mmap import ACCESS_READ
from mmap import mmap as map_file
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

from modnet.errors import ModelFileError, NotAModelFile, Truncated
from modnet.model import container

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Traversable
    """What a model can be read from: a path or URL, its bytes, a binary file, a resource of a package."""

STREAM = "a stream is read from front to end and cannot be mapped; give the path of the file, or bytes"


class File:
    """A model file that is opened and measured once, so that all accesses see the same file even if it is replaced.

    Attributes:
        path: what messages call it: its path, its URL, `<bytes>`.
        start: where the model begins in it.
        size: the bytes from there to the end.
    """

    def __init__(self, path: str, raw: Any) -> None:
        self.path = path
        raw.flush()  # what its owner has written to it
        self.start = raw.tell()
        self.size = max(0, os.fstat(raw.fileno()).st_size - self.start)
        self._raw = raw

    def read(self, offset: int, length: int) -> bytearray:
        buffer = bytearray(length)
        deque(self.fill(offset, memoryview(buffer)), maxlen=0)
        return buffer

    def fill(self, offset: int, payload: memoryview) -> Iterator[memoryview]:
        """Reads the file from `offset` on into `payload`; yields each chunk as soon as it has been read."""
        self._raw.seek(self.start + offset)
        for chunk in container.chunks(payload):
            rest = chunk
            while rest:
                count = self._raw.readinto(rest)
                if not count:
                    raise self._shortened()
                rest = rest[count:]
            yield chunk

    def mapped(self) -> memoryview:
        """The bytes of the file where they are, read only when they are used.

        Raises:
            Truncated: it has been shortened.
            ModelFileError: it cannot be mapped.
        """
        try:
            whole = map_file(self._raw.fileno(), self.start + self.size, access=ACCESS_READ)
        except ValueError:
            raise self._shortened() from None
        return memoryview(whole)[self.start :]

    def own(self) -> memoryview | None:
        """The bytes of the file, which may be kept and changed, if they are in memory and nothing else uses them."""
        return None

    def close(self) -> None:
        """Ends all access: Windows cannot replace an open file."""
        self._raw.close()

    def _shortened(self) -> Truncated:
        return Truncated(self.path, "the file was shortened while it was being read")


class HeldFile(File):
    """A model file whose bytes are in memory."""

    def __init__(self, path: str, held: Any) -> None:
        self.path = path
        self.start = 0
        self._held = memoryview(held).cast("B")
        self.size = len(self._held)

    def fill(self, offset: int, payload: memoryview) -> Iterator[memoryview]:
        for chunk in container.chunks(payload):
            chunk[:] = self._held[offset : offset + len(chunk)]
            offset += len(chunk)
            yield chunk

    def mapped(self) -> memoryview:
        return self._held

    def close(self) -> None:
        """Nothing is open."""


class ReceivedFile(HeldFile):
    """A model file whose bytes have come by a stream.

    Args:
        start: the position of the stream before.
    """

    def __init__(self, path: str, held: Any, start: int) -> None:
        super().__init__(path, held)
        self.start = start

    def mapped(self) -> memoryview:
        raise ModelFileError(self.path, f"mmap=True: {STREAM}")

    def own(self) -> memoryview:
        return self._held


def is_path(place: Any) -> TypeGuard[str | os.PathLike[str]]:
    """Whether a model is read or written by a path or URL. Open files of fsspec say that they are paths, too."""
    return isinstance(place, str | os.PathLike) and not hasattr(place, "fileno")


def name_of(source: Any) -> str:
    """What messages call a source."""
    if is_path(source):
        return os.path.expanduser(os.fspath(source))
    if hasattr(source, "read") or hasattr(source, "write"):
        name = getattr(source, "name", None)
        return name if isinstance(name, str) else f"<{type(source).__name__}>"
    return str(source) if hasattr(source, "open") else f"<{type(source).__name__}>"


def held_bytes(source: Any) -> memoryview | None:
    """The bytes of a source that is nothing but bytes, such as a bytearray or a mapped file; else None."""
    try:
        return memoryview(source).cast("B")
    except TypeError:
        return None


def is_regular(stream: Any) -> bool:
    """Whether an open file is one of the system's, which can be read at any place, and mapped."""
    raw = stream.raw if type(stream) in (BufferedReader, BufferedRandom) else stream
    return type(raw) is FileIO and S_ISREG(os.fstat(raw.fileno()).st_mode)


def require_binary(stream: Any) -> None:
    """Raises NotAModelFile if a stream is one of text."""
    if isinstance(stream, TextIOBase):
        raise NotAModelFile(name_of(stream), 'this is open as text; open it as binary, with "rb" or "wb"')


def require_writable(stream: Any) -> None:
    """Raises TypeError for what is no open file, and NotAModelFile for one of text."""
    if not hasattr(stream, "write"):
        raise TypeError(f"a model is written to a path, a URL or a binary file; found a {type(stream).__name__}")
    require_binary(stream)


def position(stream: Any) -> int:
    """The position of a stream; 0 if it does not know it."""
    try:
        return int(stream.tell())
    except (AttributeError, OSError, ValueError):
        return 0

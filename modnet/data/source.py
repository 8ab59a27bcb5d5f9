"""A data file as its reader sees it: its name without the endings of compression, and its bytes unpacked."""

from __future__ import annotations

import gzip
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from modnet.errors import DataError
from modnet.words import counted, did_you_mean, legible, listed, show

SMALL, HIGHEST_RATIO = 256 << 20, 100
"""A compressed file may unpack to this many bytes, or to this many times its own size if that is more: a "zip bomb" of
some kilobytes can unpack to terabytes.
"""

PACKED = (".gz", ".bz2", ".xz", ".zip")
"""The endings of compressed files."""

PIECE = 1 << 20

MARKS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"PK\x03\x04": "zip"}
"""First bytes -> how a file is compressed."""

LEFT_OUT = ("__macosx/", ".")
"""The beginnings of names that an archive has beside its data."""


ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_address(place: str) -> bool:
    """Whether this is the address of a database or another service, `postgresql://...`, and no path."""
    return ADDRESS.match(place) is not None


def without_password(address: str) -> str:
    """An address as a message may show it."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address)


@dataclass(frozen=True)
class Source:
    """A data file, or a member of a zip archive.

    Attributes:
        path: the file.
        label: its name in messages.
        name: the name that gives its kind, in small letters: that of the file without the endings of compression, or
            that of the member.
        member: the name of the member; "" if the file is no archive.
    """

    path: Path
    label: str
    name: str
    member: str = ""

    @classmethod
    def of(cls, path: Path) -> Source:
        """The source of a path, which may lead into an archive: `kaggle.zip/train.csv`.

        Raises:
            DataError: there is no such file or member, it is no regular file, or the archive holds several.
        """
        archive = path.parent
        if not path.exists() and archive.name.lower().endswith(".zip") and archive.is_file():
            return cls._in(archive, path.name)
        if not path.exists():
            raise DataError(_no_such_file(path))
        if not path.is_file():
            raise DataError(f"{path}: expected a file, found a {'folder' if path.is_dir() else 'pipe or device'}")
        name = path.name.lower()
        if name.endswith(".zip"):
            return cls._in(path, "")
        for ending in PACKED:
            name = name.removesuffix(ending)
        return cls(path, str(path), name)

    @classmethod
    def _in(cls, archive: Path, wanted: str) -> Source:
        names = _members(archive)
        if wanted:
            if wanted not in names:
                raise DataError(f"{archive}: holds no {show(wanted)}{did_you_mean(wanted, names) or _held(names)}")
            return cls(archive, f"{archive}/{legible(wanted)}", wanted.lower(), wanted)
        if len(names) != 1:
            raise DataError(
                f"{archive}: expected an archive of one data file{_held(names)}"
                + (f"; name one of them: {show(f'{archive.name}/{names[0]}')}" if names else "")
            )
        return cls(archive, str(archive), names[0].lower(), names[0])

    @property
    def packed(self) -> bool:
        """Whether the name says that it is compressed."""
        return bool(self.member) or self.path.name.lower().endswith(PACKED)

    def members(self) -> list[str]:
        """The names of the files in it, if it is a zip archive without a member that is chosen; else none."""
        if self.member:
            return []
        try:
            with self.path.open("rb") as file:
                return _members(self.path) if file.read(4) == b"PK\x03\x04" else []
        except (OSError, DataError):
            return []  # it only helps to say what the file looks like

    def open(self) -> io.BufferedReader:
        """The unpacked bytes. How they are packed is told by the first of them, since names err.

        Raises:
            DataError: the file cannot be read; later too, from reading: it is damaged, or unpacks to too much.
        """
        try:
            stream, packing = self._opened()
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if packing:
            return io.BufferedReader(_Unpacking(stream, self, packing), PIECE)
        return cast(io.BufferedReader, stream)  # which `open` of a path gives

    def read(self) -> bytes:
        """All of the unpacked bytes; raises as `open`."""
        with self.open() as stream:
            try:
                return stream.read()
            except OSError as error:
                raise _unreadable(self.path, error) from error
            except MemoryError as error:
                raise DataError(
                    f"{self.label}: its {self.path.stat().st_size:,} bytes need more memory than there is"
                ) from error

    def begin(self, count: int) -> bytes:
        """The first unpacked bytes; raises as `open`."""
        with self.open() as stream:
            return stream.read(count)

    def _opened(self) -> tuple[IO[bytes], str]:
        """A stream of the bytes, and how they were packed or ""."""
        if self.member:
            return _open_member(self.path, self.member), "zip"
        with self.path.open("rb") as file:
            start = file.read(512)
        packing = next((name for mark, name in MARKS.items() if start.startswith(mark)), "")
        if not packing and self.packed and (b"\0" in start or not start):
            ending = self.path.suffix.lower()
            raise DataError(f"{self.label}: expected a {ending} file, found another kind, or a damaged one")
        return OPENERS.get(packing, _open_plain)(self.path), packing


def _open_plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _open_gzip(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path))


def _open_bzip2(path: Path) -> IO[bytes]:
    import bz2  # as below

    return cast(IO[bytes], bz2.open(path))


def _open_xz(path: Path) -> IO[bytes]:
    import lzma  # not part of every Python, and for few files

    return cast(IO[bytes], lzma.open(path))


OPENERS = {"gzip": _open_gzip, "bzip2": _open_bzip2, "xz": _open_xz}


class _Unpacking(io.RawIOBase):
    """A compressed stream that tells its faults as those of data, and stops where it has unpacked to too much."""

    def __init__(self, stream: IO[bytes], source: Source, packing: str) -> None:
        self._stream, self._source, self._packing = stream, source, packing
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._piece(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self._piece(PIECE), b""))  # by itself it would read in much smaller pieces

    def _piece(self, size: int) -> bytes:
        try:
            piece = self._stream.read(size)
        except MemoryError:
            raise
        except OSError as error:
            if error.errno is not None:
                raise
            raise self._damaged(error) from error
        except Exception as error:  # zlib, lzma and zipfile have error classes of their own, and lzma is optional
            raise self._damaged(error) from error
        self._read += len(piece)
        check_ratio(self._source.path, self._read)
        return piece

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self._source.label}: the {self._packing} compression is damaged: {error}")


def check_ratio(path: Path, unpacked: int) -> None:
    """Refuses a compressed file that unpacks to a very large one of nearly no information. Raises DataError."""
    packed = path.stat().st_size
    if unpacked > max(SMALL, HIGHEST_RATIO * packed):
        raise DataError(
            f"{path}: its {packed:,} bytes unpack to {unpacked:,} or more, over {HIGHEST_RATIO} times as many; "
            "if this is intended, store it uncompressed"
        )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read: {error.strerror or error}")


def _members(archive: Path) -> list[str]:
    """The names of the data files in a zip archive."""
    import zipfile  # slow to import, and for few files

    try:
        with zipfile.ZipFile(archive) as opened:
            infos = [info for info in opened.infolist() if not info.is_dir()]
    except OSError as error:
        raise _unreadable(archive, error) from error
    except Exception as error:  # an archive that lies makes zipfile raise nearly anything
        raise DataError(f"{archive}: not a zip archive, or a damaged one: {error}") from error
    return [info.filename for info in infos if not _beside(info.filename)]


def _beside(name: str) -> bool:
    return name.lower().startswith(LEFT_OUT[0]) or name.rpartition("/")[2].startswith(LEFT_OUT[1])


def _open_member(archive: Path, member: str) -> IO[bytes]:
    import zipfile  # as above

    try:
        opened = zipfile.ZipFile(archive)
        info = opened.getinfo(member)
        if info.flag_bits & 1:
            raise DataError(f"{archive}: {legible(member)} is protected by a password; unpack the archive first")
        return opened.open(info)
    except (OSError, DataError):
        raise
    except Exception as error:
        raise DataError(f"{archive}: the zip compression is damaged: {error}") from error


def _held(names: list[str]) -> str:
    return (
        f"; it holds {counted(len(names), 'file')}: {listed([legible(name) for name in names], 8)}"
        if names
        else ", found none"
    )


def _no_such_file(path: Path) -> str:
    if path.parent.is_file():
        return f"{path}: no such file; {path.parent} is a file, not a folder"
    if not path.parent.is_dir():
        return f"{path}: no such file; the folder {path.parent} does not exist"
    return f"{path}: no such file{did_you_mean(path.name, os.listdir(path.parent))}"

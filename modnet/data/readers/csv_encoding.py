"""The text of a csv file of any encoding as UTF-8, piece by piece."""

from __future__ import annotations

import codecs
from encodings.aliases import aliases
from typing import IO

import numpy as np

from modnet.errors import DataError
from modnet.words import did_you_mean, show

PIECE = 256 << 10
"""Bytes of a file that are read at once."""

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

WESTERN = "cp1252"
"""The encoding of Windows in Western Europe and America, in which Excel writes csv files there."""


class Utf8Text:
    """The text of a stream of bytes, as UTF-8.

    Without a given encoding it is UTF-8, or UTF-16 where the first bytes say so, or `WESTERN` where it is not valid
    UTF-8 and has no letter so far that needs UTF-8.

    Attributes:
        encoding: as far as known.
        line: the line of the file on which the next piece begins, counted from 1.
        notes: what was assumed.
    """

    def __init__(self, stream: IO[bytes], name: str, encoding: str | None = None) -> None:
        """Reads nothing yet.

        Args:
            stream: the bytes; what is there is taken, without waiting for more.
            name: of the file, for messages.
            encoding: of the text, if it is known.

        Raises:
            DataError: there is no such encoding.
        """
        self.name, self.notes = name, list[str]()
        self.given = encoding is not None
        self.encoding = "utf-8" if encoding is None else checked_encoding(encoding)
        self._take = getattr(stream, "read1", stream.read)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begun = False
        self._rest = b""
        self.line = 1
        self._beyond_ascii = 0

    def read(self) -> bytes:
        """The next piece of the text, or nothing at its end.

        Raises:
            DataError: it is not text in the encoding, or has a NUL byte, which no text has.
        """
        while True:
            piece = self._take(PIECE)
            ended = not piece
            if not self._begun:
                self._rest += piece
                if len(self._rest) < 4 and not ended:
                    continue
                piece, self._rest = self._begin(self._rest), b""
            text = self._decoded(piece, ended)
            if text or ended:
                break
        if b"\0" in text:
            line = self.line + count_lines(text[: text.index(b"\0")])
            raise DataError(
                f"{self.name}: line {line}: found a NUL byte, which is in no text; "
                'if this is a table in UTF-16, say encoding = "utf-16" in [data], or save it as UTF-8'
            )
        self.line += count_lines(text)
        return text

    def _begin(self, start: bytes) -> bytes:
        """Looks for a mark of the encoding; returns the bytes without it."""
        self._begun = True
        for mark, encoding in MARKS:
            if start.startswith(mark) and (not self.given or _same(self.encoding, encoding)):
                self.encoding = encoding
                return start[len(mark) :]
        if not self.given and b"\0" in start:
            self._guess_utf16(start)
        return start

    def _guess_utf16(self, start: bytes) -> None:
        """UTF-16 without a mark: of most pairs of bytes the same one is zero, and never the other one."""
        zeros = start[:1000:2].count(0), start[1:1000:2].count(0)
        if min(zeros) == 0 and max(zeros) > min(len(start), 1000) // 4:
            self.encoding = "utf-16-be" if zeros[0] else "utf-16-le"
            self.notes.append(f'read as UTF-16, as its zero bytes suggest; encoding = "{self.encoding}"')

    def _decoded(self, piece: bytes, ended: bool) -> bytes:
        if self.encoding == "utf-8":
            data = self._rest + piece if self._rest else piece
            self._rest = b""
            return data if data.isascii() else self._checked(data, ended)
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(self.encoding)()
        try:
            return self._decoder.decode(piece, ended).encode()
        except ValueError as error:  # UnicodeDecodeError, or that of a surrogate that the codec lets through
            reason = error.reason if isinstance(error, UnicodeError) and hasattr(error, "reason") else str(error)
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            raise self._fault(f"not {show(self.encoding)} ({reason})", piece[:start], "give its encoding") from None

    def _checked(self, data: bytes, ended: bool) -> bytes:
        """The longest part of data that is UTF-8; the others wait for what follows."""
        try:
            data.decode()
        except UnicodeDecodeError as error:
            if not ended and error.end == len(data) and error.reason == "unexpected end of data":
                data, self._rest = data[: error.start], data[error.start :]
            else:
                return self._western(data, error, ended)
        if not self._beyond_ascii and not data.isascii():
            first = next(place for place, byte in enumerate(data) if byte > 127)
            self._beyond_ascii = self.line + count_lines(data[:first])
        return data

    def _western(self, data: bytes, error: UnicodeDecodeError, ended: bool) -> bytes:
        """What is not UTF-8 read as `WESTERN`, if nothing before it was UTF-8 beyond ASCII."""
        before = data[: error.start]
        if self.given or self._beyond_ascii or not before.isascii():
            # A file of which one part is UTF-8 and another is not has been damaged, or glued together.
            raise self._fault(f"not UTF-8 ({error.reason})", before, "save the file as UTF-8, or give its encoding")
        line = self.line + count_lines(before)
        self.encoding = WESTERN
        self.notes.append(
            f'line {line}: not UTF-8 (found byte {data[error.start]:02x}); read as Windows text, encoding = "{WESTERN}"'
        )
        return self._decoded(data, ended)

    def _fault(self, fault: str, before: bytes, advice: str) -> DataError:
        line = self.line + count_lines(before)
        return DataError(f'{self.name}: line {line}: {fault}; {advice} (encoding = "..." in [data])')


def checked_encoding(name: str) -> str:
    """The usual name of an encoding.

    Raises:
        DataError: there is none of this name; with the nearest one.
    """
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: a zero byte
        found = None
    if found is None or not getattr(found, "_is_text_encoding", True):  # others, such as "hex", are from bytes to bytes
        known = {*aliases, *aliases.values(), "utf-8", "utf-16", "cp1252", "latin-1"}
        raise DataError(f"unknown encoding {show(name)}{did_you_mean(name, sorted(known))}")
    return "utf-8" if found.name == "utf-8-sig" else found.name


def _same(encoding: str, marked: str) -> bool:
    return marked == encoding or (encoding in ("utf-16", "utf-32") and marked.startswith(encoding))


def count_lines(text: bytes) -> int:
    """The number of line ends."""
    return count_byte(text, b"\n") or count_byte(text, b"\r")


def count_byte(text: bytes, byte: bytes) -> int:
    """As `text.count`, several times as fast where there are many."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == byte[0]))

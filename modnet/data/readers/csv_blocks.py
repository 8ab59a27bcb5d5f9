"""A csv file as blocks of cells."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from modnet.data.options import ReadOptions
from modnet.data.readers.csv_cells import NO_BYTE, Cells, cells_of_rows, regular_cells
from modnet.data.readers.csv_dialect import Dialect, find_dialect
from modnet.data.readers.csv_encoding import Utf8Text, count_lines
from modnet.data.readers.csv_sample import COMMENT
from modnet.data.table import shorten
from modnet.errors import DataError
from modnet.words import counted

SAMPLE, SAMPLE_LINES = 64 << 10, 20
"""The bytes and the lines of text from which the dialect is found."""

LONGEST_FIELD = 2**31 - 1
"""What the csv module takes as a limit on every system; its own is 131,072 characters."""

LONGEST_END = 20
"""The most lines below the last row and an empty line, such as totals and remarks, that are left out."""

BLOCK, BLOCK_LINES, MOST = 512 << 10, 64, 16 << 20
"""The bytes of a block, and the lines that it has at least: of a very wide table, fewer lines would take long.
But the bytes after which it may end all the same.
"""


class Blocks:
    """Reads a csv file once, from its beginning to its end.

    Attributes:
        dialect: how it is written.
        notes: what was assumed, complete at the end.
    """

    def __init__(
        self,
        stream: IO[bytes],
        name: str,
        options: ReadOptions,
        dialect: Dialect | None = None,
        at_once: bool = False,
    ) -> None:
        """Reads as much as it takes to know the columns.

        Args:
            stream: the file.
            name: of the file, for messages.
            options: what is known of it.
            dialect: how it is written, if that is known.
            at_once: whether to give rows as soon as they are there.

        Raises:
            DataError: it is empty, or not text.
        """
        self.name, self.at_once = name, at_once
        self.text = Utf8Text(stream, name, options.encoding)
        self._pieces: deque[bytes] = deque()
        self._ended = False
        self._line = 1
        self._faults = _Faults(name)
        sample = self._sample()
        self.dialect = find_dialect(sample, options, name) if dialect is None else dialect
        self._comments = self.dialect.comments
        self._width = len(self.dialect.names)
        self._skip(sample)

    @property
    def notes(self) -> list[str]:
        left_out = [f"{counted(self._comments, 'comment line')} left out"] if self._comments else []
        return [*self.text.notes, *self.dialect.notes, *left_out, *self._faults.notes]

    @property
    def reading(self) -> dict[str, str | int]:
        """The options that say how the file is written, if it is not UTF-8 with commas."""
        found: dict[str, str | int] = {"encoding": self.text.encoding, "delimiter": self.dialect.delimiter}
        return {name: value for name, value in found.items() if value not in ("utf-8", ",")}

    def __iter__(self) -> Iterator[Cells]:
        """The rows, in blocks.

        Raises:
            DataError: rows of another length, broken quotes, or what is not text.
        """
        while block := self._block():
            cells = list(self._cells(block))
            if self.at_once and self._faults.certain:
                break
            yield from cells
        self._faults.check(self.dialect.names)

    # Lines

    def _read(self) -> tuple[bytes, int]:
        """The next piece of the text, and how many line ends it has."""
        first = self.text.line
        piece = self.text.read()
        self._ended = not piece
        return piece, self.text.line - first

    def _sample(self) -> list[str]:
        """The first lines, which stay to be read."""
        pieces: list[bytes] = []
        size = lines = 0
        while not self._ended and not self._enough(size, lines, SAMPLE, SAMPLE_LINES):
            piece, ends = self._read()
            pieces.append(piece)
            size += len(piece)
            lines += ends
        text = b"".join(pieces)
        self._pieces.append(text)
        end = len(text) if self._ended else _last_line_end(text)
        return [line.decode() for line in text[: end or len(text)].splitlines(True)]

    def _enough(self, size: int, lines: int, least_size: int, least_lines: int) -> bool:
        if self.at_once:
            return lines > 1 if least_size == SAMPLE else lines > 0
        return size >= least_size and (lines >= least_lines or (lines > 1 and size >= MOST))

    def _skip(self, sample: Sequence[str]) -> None:
        """Skips the part before the rows."""
        lines = sample[: self.dialect.skip]
        size = sum(len(line.encode()) for line in lines)
        self._pieces[0] = self._pieces[0][size:]
        self._line += len(lines)

    def _block(self) -> bytes:
        """The next whole lines; nothing at the end of the file."""
        pieces = list(self._pieces)
        self._pieces.clear()
        size = sum(map(len, pieces))
        lines = sum(map(count_lines, pieces))
        while not self._ended:
            if self._enough(size, lines, BLOCK, BLOCK_LINES):
                text = b"".join(pieces)
                end = _last_line_end(text)
                if end:  # a carriage return at the end may be half of a line end
                    self._pieces.append(text[end:])
                    return text[:end]
            piece, ends = self._read()
            pieces.append(piece)
            size += len(piece)
            lines += ends
        return b"".join(pieces)

    # Cells

    def _cells(self, block: bytes) -> Iterator[Cells]:
        cells = self._regular(block if block.endswith((b"\n", b"\r")) else block + b"\n")
        if cells is None:
            yield from self._odd_cells(block)
        else:
            self._line += cells.line_count
            self._faults.good(len(cells))
            yield cells.without_blanks() if self.dialect.skip_blanks else cells

    def _regular(self, block: bytes) -> Cells | None:
        """The cells of a block, if none of its lines needs a closer look."""
        dialect = self.dialect
        text = block
        if b"\r" in block:
            text = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # With more columns, an empty line does not have as many cells as the others.
        if self._width == 1 and self._begins_line(text, b"\n"):
            return None
        if dialect.comment and self._begins_line(text, dialect.comment.encode()):
            return None
        signs = ord(dialect.delimiter) or NO_BYTE, ord(dialect.decimal), ord(dialect.quote)
        cells = regular_cells(text, self._line, self._width, *signs)
        # A line end within quotes is part of a cell, and must not have been replaced.
        return None if cells is None or (text is not block and cells.line_count != len(cells)) else cells

    @staticmethod
    def _begins_line(text: bytes, sign: bytes) -> bool:
        return text.startswith(sign) or b"\n" + sign in text

    def _odd_cells(self, block: bytes) -> Iterator[Cells]:
        """The cells of lines of any form, by the csv module."""
        dialect = self.dialect
        lines = _Lines(block, self._block)
        signs: Any = {"delimiter": dialect.delimiter, "quotechar": dialect.quote, "strict": True}
        reader = csv.reader(lines, skipinitialspace=dialect.skip_blanks, **signs)
        comment = dialect.comment.encode() if dialect.comment else None
        limit = csv.field_size_limit(LONGEST_FIELD)
        rows: list[list[str]] = []
        places: list[int] = []
        begin = 0
        try:
            while lines.waiting:
                begin = lines.taken
                first = lines.waiting[0]
                if comment and first.startswith(comment):
                    lines.drop()
                    self._comments += 1
                elif self._is_row(cells := next(reader), first, self._line + begin):
                    rows.append(cells[: self._width])
                    places.append(self._line + begin)
        except csv.Error as error:
            raise DataError(f"{self.name}: line {self._line + begin}: {_quote_fault(error)}") from None
        finally:
            csv.field_size_limit(limit)
        self._line += lines.taken
        if rows:
            yield cells_of_rows(rows, places, self._width, ord(dialect.decimal))

    def _is_row(self, cells: list[str], first: bytes, line: int) -> bool:
        """Whether these cells are a row, and not an empty line, a comment or a row of another length."""
        width = self._width
        if not cells or (len(cells) < width and not any(cell.strip() for cell in cells)):
            self._faults.after_empty = True
        elif len(cells) == width or (len(cells) > width and not any(map(str.strip, cells[width:]))):
            self._faults.good(1)
            return True
        elif first.startswith(COMMENT.encode()):
            self._comments += 1
        else:
            self._faults.add(len(cells), line)
        return False


class _Lines:
    """The lines of a block, and of the blocks after it while a quoted cell goes on.

    Attributes:
        waiting: the lines that have not been taken.
        taken: the number of those that have.
    """

    def __init__(self, block: bytes, more: Callable[[], bytes]) -> None:
        self.waiting = deque(block.splitlines(True))
        self.taken = 0
        self._more = more

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.waiting:
            self.waiting.extend(self._more().splitlines(True))
        if not self.waiting:
            raise StopIteration
        return self.drop().decode()

    def drop(self) -> bytes:
        self.taken += 1
        return self.waiting.popleft()


class _Faults:
    """The rows of another length than the names of the columns."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []
        self.after_empty = False
        self._rows = 0
        self._count = 0
        self._first: tuple[int, int, int] | None = None
        self._last_line = 0
        self._is_end = False

    @property
    def certain(self) -> bool:
        """Whether a row of another length is not among the last lines, after an empty one."""
        return self._first is not None and not self._is_end

    def good(self, rows: int) -> None:
        """Counts rows of the right length."""
        self._rows += rows
        self._is_end = self.after_empty = False

    def add(self, length: int, line: int) -> None:
        """Takes down a row of another length."""
        self._rows += 1
        self._count += 1
        self._last_line = line
        if self._first is None:
            self._first = self._rows, line, length
            self._is_end = self.after_empty

    def check(self, names: Sequence[str]) -> None:
        """At the end of the file: refuses them, unless they are its last lines, after an empty one.

        Raises:
            DataError: with the first of them.
        """
        if self._first is None:
            return
        row, line, length = self._first
        if self._is_end and self._count <= LONGEST_END:
            where = f"line {line}" if line == self._last_line else f"lines {line} to {self._last_line}"
            self.notes.append(f"{where}, after the last row and an empty line, left out")
            return
        others = f"; {counted(self._count, 'row')} of another length in all" if self._count > 1 else ""
        raise DataError(
            f"{self.name}: row {row} (line {line}): found {counted(length, 'value')}, "
            f"expected {len(names)}: {shorten(names)}{others}"
        )


def _last_line_end(text: bytes) -> int:
    """The number of bytes up to the end of the last whole line; 0 for none."""
    # A carriage return at the end may be the first half of a line end.
    return text.rfind(b"\n") + 1 or text.rfind(b"\r", 0, -1) + 1


def _quote_fault(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote is opened here and never closed"
    if "expected after" in str(error):
        return "text after a closing quote; a quote within a value in quotes is written twice"
    return f"broken csv: {error}"

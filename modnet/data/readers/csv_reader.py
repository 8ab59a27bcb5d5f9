"""Reading tables from csv text, with types, block by block."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import IO, cast

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.options import ReadOptions
from modnet.data.readers.csv_blocks import Blocks
from modnet.data.readers.csv_cells import Cells
from modnet.data.readers.csv_dialect import Dialect
from modnet.data.readers.csv_numbers import Spelling, read_numbers
from modnet.data.readers.csv_texts import Dictionary, add_texts
from modnet.data.table import Table

IN_MEMORY = 64 << 20
"""The bytes of a stream, which cannot be read twice, that are kept in memory; more go to a temporary file."""


def read_csv(
    stream: IO[bytes], name: str, options: ReadOptions, reopen: Callable[[], IO[bytes]] | None = None
) -> Table:
    """The table of a csv file, as `read_table` describes it.

    Args:
        reopen: opens the stream once more; needed for none that can go back to where it is.
    """
    if reopen is not None and not stream.seekable():
        return _read_twice(stream, reopen, name, options)
    if stream.seekable():
        start = stream.tell()

        def rewound() -> IO[bytes]:
            stream.seek(start)
            return stream

        return _read_twice(stream, rewound, name, options)
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as kept:

        def copy() -> IO[bytes]:
            kept.seek(0)
            return cast(IO[bytes], kept)

        return _read_twice(cast(IO[bytes], _Copied(stream, cast(IO[bytes], kept))), copy, name, options)


def _read_twice(first: IO[bytes], again: Callable[[], IO[bytes]], name: str, options: ReadOptions) -> Table:
    blocks = Blocks(first, name, options)
    columns = Columns(blocks.dialect, options)
    for cells in blocks:
        columns.add(cells)

    def cells_again() -> Iterator[Cells]:
        yield from Blocks(again(), name, options, blocks.dialect)

    found = columns.finish(cells_again)
    return Table(found, name, columns.lines(), notes=tuple(blocks.notes), reading=blocks.reading)


def read_csv_blocks(stream: IO[bytes], name: str, options: ReadOptions, rows: int) -> Iterator[Table]:
    """The rows of a csv file in tables of `rows` rows each, the last one of fewer, as soon as they are there.

    Each has the notes that there are until then. The type of a column is that of the values in its table.
    """
    blocks = Blocks(stream, name, options, at_once=True)
    kept: list[Cells] = []
    have = 0
    given = False
    for cells in blocks:
        first = 0
        while first < len(cells):
            part = cells.part(first, first + rows - have)
            kept.append(part)
            first += len(part)
            have += len(part)
            if have == rows:
                yield _table(blocks, kept, options)
                kept, have, given = [], 0, True
    if kept or not given:
        yield _table(blocks, kept, options)


def _table(blocks: Blocks, kept: Sequence[Cells], options: ReadOptions) -> Table:
    columns = Columns(blocks.dialect, options)
    for cells in kept:
        columns.add(cells)
    return Table(columns.finish(lambda: iter(kept)), blocks.name, columns.lines(), notes=tuple(blocks.notes))


class _Copied:
    """A stream that keeps what is read of it."""

    def __init__(self, stream: IO[bytes], copy: IO[bytes]) -> None:
        self._take = getattr(stream, "read1", stream.read)
        self._copy = copy

    def read(self, size: int) -> bytes:
        piece: bytes = self._take(size)
        self._copy.write(piece)
        return piece


class Columns:
    """The columns of a table while its cells come in.

    A column is taken for numbers until there is a text that is neither a number nor a missing value. If there have
    been rows before, their spelling is gone; so the texts of such a column are read again at the end.
    """

    def __init__(self, dialect: Dialect, options: ReadOptions) -> None:
        self.dialect = dialect
        self._spelling = Spelling(frozenset(options.missing_values), dialect.decimal, dialect.thousands)
        names = dialect.names
        self._numbers = np.array([i for i, name in enumerate(names) if name not in options.texts], np.intp)
        self._texts = {i: Dictionary() for i, name in enumerate(names) if name in options.texts}
        self._again: list[int] = []
        self._values: list[list[Array]] = [[] for _ in names]
        self._gaps: list[list[Array | None]] = [[] for _ in names]
        self._lines: list[Sequence[int]] = []

    def add(self, cells: Cells) -> None:
        """Takes the values of some rows."""
        first = not self._lines
        self._lines.append(cells.lines)
        if len(self._numbers):
            self._add_numbers(cells, first)
        add_texts(cells, self._texts)

    def _add_numbers(self, cells: Cells, first: bool) -> None:
        failed = []
        for column, found in read_numbers(cells, self._numbers, self._spelling).items():
            if found is None:
                failed.append(column)
            else:
                self._values[column].append(found[0])
                self._gaps[column].append(found[1])
        if not failed:
            return
        self._numbers = np.setdiff1d(self._numbers, failed)
        if first:
            self._texts.update((column, Dictionary()) for column in sorted(failed))
        else:
            self._again += failed
            for column in failed:
                self._values[column], self._gaps[column] = [], []

    def lines(self) -> Sequence[int] | Array:
        """The line of each row: a range if there is one row a line."""
        if all(isinstance(part, range) for part in self._lines):
            ranges = cast(list[range], self._lines)
            if all(a.stop == b.start for a, b in pairwise(ranges)):
                return range(ranges[0].start, ranges[-1].stop) if ranges else ()
        return np.concatenate([np.asarray(part, np.int64) for part in self._lines])

    def finish(self, again: Callable[[], Iterable[Cells]]) -> dict[str, Column]:
        """The columns by name.

        Args:
            again: gives all cells once more.
        """
        if self._again:
            late = {column: Dictionary() for column in self._again}
            self._texts.update(late)
            for cells in again():
                add_texts(cells, late)
        columns: dict[str, Column] = {}
        for place, name in enumerate(self.dialect.names):
            made = self._column(place)
            if place not in self.dialect.spare or not _is_empty(made):
                columns[name] = made
        return columns

    def _column(self, place: int) -> Column:
        if place in self._texts:
            codes, texts = self._texts.pop(place).finish()
            return Column(codes, None, texts)
        parts, gaps = self._values[place], self._gaps[place]
        self._values[place], self._gaps[place] = [], []
        if not parts:
            return Column.of_texts([])
        values = np.concatenate(parts)
        if all(part is None for part in gaps):
            return Column(values)
        missing = np.concatenate(
            [np.zeros(len(part), bool) if gap is None else gap for part, gap in zip(parts, gaps, strict=True)]
        )
        return Column(values.astype(np.float64) if missing.all() else values, missing)


def _is_empty(column: Column) -> bool:
    return column.missing is not None and bool(column.missing.all())

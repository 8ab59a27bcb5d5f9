"""Data files for commands, including kinds that plugins read, by the schema of a model."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np

from modnet.cli.output import echo
from modnet.data.column import Column
from modnet.data.files import read_table
from modnet.data.named_arrays import NamedArrays
from modnet.data.table import Table
from modnet.datasets.dataset import Dataset
from modnet.datasets.load import Loader
from modnet.datasets.read import loader_for
from modnet.engine.network import Network
from modnet.errors import DataError

STANDARD_INPUT = "standard input"


def read_for(network: Network, data: str, *, targets: bool) -> Dataset:
    """The rows of a data file, or of a table on standard input for "-", as the network takes them."""
    if data == "-":
        schema = network.card.schema
        if schema is None:
            raise DataError(f"{STANDARD_INPUT}: expected a file with arrays: the model knows no columns")
        say_that_it_waits()
        return Dataset.of_table(schema, read_table(sys.stdin.buffer), targets)
    return loader_for(network).load_source(data, network.card.schema, targets=targets)[0]


def say_that_it_waits() -> None:
    """Tells who has typed `-` at a terminal that it is their turn."""
    if sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        echo(f"reading a table from standard input: type or paste it, then {end} on a line of its own", err=True)


def tables_of(data: str, loader: Loader, rows: int | None, texts: Sequence[str] = ()) -> Iterator[Table] | NamedArrays:
    """The table of a data file, or on standard input for "-", in blocks; or the arrays of a file of arrays.

    Args:
        loader: reads files.
        rows: of each block, at most; None for the whole table at once.
        texts: the columns whose values are to stay as they are spelled.

    Raises:
        DataError: it cannot be read; from the iterator too.
    """
    if data == "-":
        say_that_it_waits()
        return numbered(csv_blocks(sys.stdin.buffer, STANDARD_INPUT, rows))
    if rows is not None and Path(data).suffix.lower() in (".csv", ".tsv") and Path(data).is_file():
        return numbered(_file_blocks(Path(data), rows))
    found = loader.read(data)
    return found if isinstance(found, NamedArrays) else numbered(in_blocks(found, rows))


def _file_blocks(path: Path, rows: int) -> Iterator[Table]:
    with path.open("rb") as stream:
        yield from csv_blocks(stream, str(path), rows)


def csv_blocks(stream: IO[bytes], name: str, rows: int | None) -> Iterator[Table]:
    if rows is None:
        yield read_table(stream, name)
        return
    reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""))
    header = next(reader)
    given = False
    line = reader.line_num
    while block := list(islice(reader, rows)):
        columns = {n: Column.of_texts(values) for n, values in zip(header, zip(*block, strict=True), strict=True)}
        yield Table(columns, name, range(line + 1, line + 1 + len(block)))
        line, given = reader.line_num, True
    if not given:
        yield Table({n: Column.of_texts([]) for n in header}, name)


def in_blocks(table: Table, rows: int | None) -> Iterator[Table]:
    """A table in blocks of so many rows; at least one, so that the names of the columns are known."""
    size = len(table) if rows is None else rows
    if len(table) <= size:
        yield table
        return
    for start in range(0, len(table), size):
        yield table.take(np.arange(start, min(start + size, len(table))))


def numbered(tables: Iterator[Table]) -> Iterator[Table]:
    """Tables that follow each other in a file, whose rows are counted from the first of all."""
    first = 0
    for table in tables:
        # Those that were taken from a larger table know the places of their rows in it.
        yield table if table.rows is not None else replace(table, first=first)
        first += len(table)

"""Data files for commands, including kinds that plugins read, by the schema of a model."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from modnet.arrays import Array
from modnet.cli.output import say, tell
from modnet.data.faults import Report
from modnet.data.files import read, read_blocks, read_table, read_table_blocks
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import ReadOptions
from modnet.data.readers.json_records import blocks_of_lines, united
from modnet.data.table import Table
from modnet.datasets.dataset import Dataset
from modnet.datasets.read import foreign_reader, loader_for
from modnet.engine.network import Network
from modnet.errors import DataError

STANDARD_INPUT = "standard input"

ARRAYS = (".npz", ".npy")


def read_to_measure(network: Network, data: str, given: Mapping[str, Any]) -> Dataset:
    """The rows of a data file, or of a table on standard input for "-", with the targets, as the network takes them.

    Args:
        given: options of reading.
    """
    if data != "-":
        loader = loader_for(network)
        loader = replace(loader, options=loader.options.replace(**given))
        dataset, (_, *notes) = loader.load_source(data, network.card.schema)
        say(notes)
        return dataset
    schema = network.card.schema
    if schema is None:
        raise DataError(f"{STANDARD_INPUT}: expected a file with arrays: the model knows no columns")
    (table,) = standard_input(None, schema.reading().replace(**given))
    report = Report()
    dataset = Dataset.of_table(schema, schema.measurable(table, report), report=report)
    say([*table.notes, *report.texts()])
    return dataset


def tables_of(data: str, rows: int | None, options: ReadOptions) -> Iterator[Table] | NamedArrays:
    """The table of a data file, or on standard input for "-", in blocks; or the arrays of a file of arrays.

    Args:
        rows: of each block, at most; None for the whole table at once.
        options: how the file is read.

    Raises:
        DataError: it cannot be read; from the iterator too.
    """
    if data == "-":
        return numbered(standard_input(rows, options))
    if rows is not None and not data.lower().endswith(ARRAYS):
        return numbered(read_blocks(data, (foreign_reader(),), options, rows))
    found = read(data, (foreign_reader(),), options)
    if isinstance(found, Table):
        return iter([found])
    if isinstance(found, NamedArrays):
        return found
    return NamedArrays(data, {"x": found} if isinstance(found, np.ndarray) else cast(dict[str, Array], found))


def standard_input(rows: int | None, options: ReadOptions) -> Iterator[Table]:
    """The table on standard input, which is csv or JSON lines, in blocks; None for the whole table at once.

    Raises:
        DataError: it cannot be read.
    """
    if sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        tell(f"reading a table from standard input: type or paste it, then {end} on a line of its own", err=True)
    stream = sys.stdin.buffer
    stream = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)
    if stream.peek(1).lstrip()[:1] == b"{":
        if rows is not None:
            yield from blocks_of_lines(stream, STANDARD_INPUT, options.encoding, rows)
        else:
            yield united(blocks_of_lines(stream, STANDARD_INPUT, options.encoding), STANDARD_INPUT)
    elif rows is None:
        yield read_table(stream, STANDARD_INPUT, options)
    else:
        yield from read_table_blocks(stream, STANDARD_INPUT, options, rows)


def numbered(tables: Iterator[Table]) -> Iterator[Table]:
    """Tables that follow each other in a file, whose rows are counted from the first of all."""
    first = 0
    for table in tables:
        # Those that were taken from a larger table know the places of their rows in it.
        yield table if table.rows is not None else replace(table, first=first)
        first += len(table)


def names_of(data: str, options: ReadOptions) -> list[str]:
    """The names of the columns of a file of delimited text, by its first row; none for others, which have types."""
    if not data.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".txt")):
        return []
    return list(next(read_blocks(data, (), options, rows=1)).columns)

"""Tables from JSON: a record on each line (JSON lines), a list of records, or what pandas writes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from modnet.data.column import Column
from modnet.data.labels import is_label_list
from modnet.data.options import ReadOptions
from modnet.data.source import Source
from modnet.data.table import Table
from modnet.errors import DataError
from modnet.words import legible, show

BLOCK = 10_000
"""How many records are turned into columns at once: records take some ten times the memory of columns."""

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How a text in UTF-16 begins."""

EXAMPLE = '{"column": value, ...}'

Record = dict[str, Any]


def read_json_lines(source: Source, options: ReadOptions) -> Table:
    """The table of a file of JSON lines: `{"column": value, ...}` on each line.

    null, and a key that a record lacks, is a missing value. Empty lines are skipped.

    Raises:
        DataError: a line is no flat record; with its number.
    """
    return united(json_line_blocks(source, options, BLOCK), source.label)


def json_line_blocks(source: Source, options: ReadOptions, rows: int) -> Iterator[Table]:
    """As `read_json_lines`, some rows at a time. Each block has all columns that were met until then."""
    with source.open() as stream:
        yield from blocks_of_lines(stream, source.label, options.encoding, rows)


def blocks_of_lines(
    stream: io.BufferedReader, label: str, encoding: str | None = None, rows: int = BLOCK
) -> Iterator[Table]:
    """As `json_line_blocks`, for a stream: a block is given as soon as its lines are there."""
    names: Record = {}
    records: list[Record] = []
    lines: list[int] = []
    for number, text in _texts(stream, encoding, label):
        records.append(_record(text, f"{label}: line {number}"))
        lines.append(number)
        if len(records) == rows:
            yield _table(records, names, label, lines)
            records, lines = [], []
    if records:
        yield _table(records, names, label, lines)
    elif not names:
        raise DataError(f"{label}: empty; expected a record on each line, as in {EXAMPLE}")


def read_json(source: Source, options: ReadOptions) -> Table:
    """The table of a JSON file: a list of records, column -> list of values, or one of the forms that pandas writes.

    A file of JSON lines with this ending is read too.

    Raises:
        DataError: the JSON is not valid, or nothing of these.
    """
    text = _decoded(source.read(), options.encoding, source.label)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return read_json_lines(source, options)
        raise _invalid(error, source.label) from None
    except (ValueError, RecursionError) as error:
        raise _invalid(error, source.label) from None
    found, notes = _unwrapped(found, source.label)
    if isinstance(found, list):
        return _of_list(found, source.label, notes)
    return _of_columns(found, source.label, notes)


# Lines


def _texts(stream: io.BufferedReader, encoding: str | None, name: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers."""
    if encoding is None and stream.peek(2)[:2] in UTF_16:
        encoding = "utf-16"
    if encoding and encoding.lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        lines: Iterable[bytes] = (line.encode() for line in _decoded(stream.read(), encoding, name).split("\n"))
        encoding = "utf-8"
    else:
        lines = stream
    for number, line in enumerate(lines, 1):
        text = _decoded(line, encoding, f"{name}: line {number}").rstrip()
        if text:
            yield number, text


def _decoded(data: bytes, encoding: str | None, name: str) -> str:
    if encoding is None and data[:2] in UTF_16:
        encoding = "utf-16"
    try:
        return data.decode(encoding or "utf-8").removeprefix("\ufeff")
    except (UnicodeError, LookupError) as error:
        raise _not_text(error, encoding, name) from None


def _not_text(error: Exception, encoding: str | None, place: str) -> DataError:
    if isinstance(error, LookupError):
        return DataError(f"{place}: unknown encoding {show(encoding)}; expected one such as utf-8, cp1252, utf-16")
    advice = 'save the file as UTF-8, or set data.encoding, as in encoding = "cp1252"'
    return DataError(f"{place}: not {encoding or 'UTF-8'} ({getattr(error, 'reason', error)}); {advice}")


def _record(text: str, place: str) -> Record:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(error, place) from None
    if not isinstance(found, dict):
        raise DataError(f"{place}: expected a record, {EXAMPLE}, found {show(found)}")
    return found


def _invalid(error: Exception, place: str) -> DataError:
    if isinstance(error, json.JSONDecodeError):
        where = f"line {error.lineno}, column {error.colno}: " if "line" not in place else f"column {error.colno}: "
        return DataError(f"{place}: {where}not valid JSON: {error.msg}")
    if isinstance(error, RecursionError):
        return DataError(f"{place}: nested too deeply; expected flat records")
    return DataError(f"{place}: a whole number with too many digits")


# Tables


def _table(records: Sequence[Record], names: Record, label: str, lines: Sequence[int] = ()) -> Table:
    """The table of records; adds their keys to those met before."""
    for record in records:
        if record.keys() != names.keys():
            names.update(dict.fromkeys(record))
    cells = zip(names, _by_column(records, list(names)), strict=True)
    return Table({name: _column(values, name, label, lines) for name, values in cells}, label, lines)


def _by_column(records: Sequence[Record], names: Sequence[str]) -> Iterable[Sequence[Any]]:
    if all(list(record) == names for record in records):
        return zip(*map(dict.values, records), strict=True)  # a third of the time of looking up each key
    return ([record.get(name) for record in records] for name in names)


def _column(values: Sequence[Any], name: str, label: str, lines: Sequence[int] = ()) -> Column:
    if not set(map(type, values)).isdisjoint((dict, list)):
        nested = (row for row, value in enumerate(values) if type(value) in (dict, list) and not is_label_list(value))
        row = next(nested, None)
        if row is not None:
            _refuse_nested(values[row], f"{label}: row {row + 1}{f' (line {lines[row]})' if lines else ''}", name)
    return Column.of(values, name)


def _refuse_nested(value: Any, place: str, name: str) -> NoReturn:
    if isinstance(value, dict):
        inner = f"{name}.{next(iter(value), '')}"
        advice = f"write its parts as columns of their own, {show(inner)}: pandas.json_normalize does"
        raise DataError(f"{place}, column {legible(name)}: found a record within the record; {advice}")
    raise DataError(
        f"{place}, column {legible(name)}: found a list of {len(value)} within the record; expected one value, or "
        "a list of texts, which are labels: make a column of each of its items, or leave it out"
    )


def united(blocks: Iterator[Table], label: str) -> Table:
    """The rows of blocks; a column that a block lacks has no values there."""
    tables = list(blocks)
    names = dict.fromkeys(name for table in tables for name in table.columns)
    columns = {name: Column.joined([_column_in(table, name) for table in tables]) for name in names}
    return Table(columns, label, [line for table in tables for line in table.lines])


def _column_in(table: Table, name: str) -> Column:
    found = table.columns.get(name)
    return found if found is not None else Column(np.zeros(len(table)), np.ones(len(table), bool))


def _unwrapped(found: Any, label: str) -> tuple[Any, tuple[str, ...]]:
    """What holds the records: in answers of web services they are often one member of an object."""
    if not isinstance(found, dict | list):
        raise DataError(f"{label}: expected a list of records, [{EXAMPLE}, ...], found {show(found)}")
    lists = [name for name, value in found.items() if isinstance(value, list)] if isinstance(found, dict) else []
    if len(lists) == 1 and found[lists[0]] and all(isinstance(item, dict) for item in found[lists[0]]):
        return found[lists[0]], (f"the records are those of {show(lists[0])}",)
    return found, ()


def _of_list(found: list[Any], label: str, notes: tuple[str, ...]) -> Table:
    names: Record = {}
    for row, record in enumerate(found):
        if not isinstance(record, dict):
            raise DataError(f"{label}: item {row + 1}: expected a record, {EXAMPLE}, found {show(record)}")
    if not found:
        raise DataError(f"{label}: an empty list; expected records")
    return Table(_table(found, names, label).columns, label, notes=notes)


def _of_columns(found: Mapping[str, Any], label: str, notes: tuple[str, ...]) -> Table:
    """The table of column -> list of values, or, as pandas writes a frame, column -> {index: value}, or split."""
    found = _of_split(found) or found
    columns = {name: _column(_values(values, name, label), name, label) for name, values in found.items()}
    if not columns:
        raise DataError(f"{label}: an empty object; expected records")
    if len({tuple(values) for values in found.values() if isinstance(values, dict)}) > 1:
        raise DataError(f"{label}: expected a list of records; found an object of objects with different keys")
    return Table(columns, label, notes=notes)


def _values(values: Any, name: str, label: str) -> list[Any]:
    if isinstance(values, dict):
        return list(values.values())
    if not isinstance(values, list):
        raise DataError(
            f"{label}: expected a list of records, or a list of values for each column; found an object whose "
            f"{show(name)} is {show(values)}"
        )
    return values


def _of_split(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Column -> values of what pandas calls "split": the names of the columns, and the rows as lists."""
    if not {"columns", "data"} <= found.keys() <= {"columns", "data", "index"}:
        return None
    names, rows = found["columns"], found["data"]
    if not isinstance(names, list) or not isinstance(rows, list):
        return None
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        return None
    return {str(name): [row[place] for row in rows] for place, name in enumerate(names)}

"""The files that predictions are written to: delimited text, JSON, numpy's arrays, and what plugins write."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import click
import numpy as np

from modnet.arrays import Array
from modnet.cli.cells import cells, json_cells, json_text, lines, quoted, safe_name, whole_if_possible
from modnet.cli.predicted import Predicted
from modnet.data.table import Table
from modnet.data.unknown import PLUGIN, READ_BY_PLUGIN
from modnet.datasets.read import write_foreign
from modnet.errors import DataError
from modnet.plugins.registry import default_registry

PIECE = 1 << 16
"""How many rows become text at a time."""


class Named(NamedTuple):
    """A table of predictions.

    Attributes:
        table: the columns that are carried through, then the predictions.
        own: the names of those of the predictions, in which a stranger's names are made safe.
    """

    table: Table
    own: frozenset[str]


Write = Callable[[Iterable[Named]], Iterator[str]]


def delimited(delimiter: str) -> Write:
    """Delimited text. The model's names are made safe for spreadsheets; what is carried through stays as it is."""

    def spelled(text: str) -> str:
        return quoted(text, delimiter)

    def safe(text: str) -> str:
        return quoted(safe_name(text), delimiter)

    def write(tables: Iterable[Named]) -> Iterator[str]:
        for number, (table, own) in enumerate(tables):
            spells = [safe if name in own else spelled for name in table.columns]
            if number == 0:
                names = zip(spells, table.columns, strict=True)
                yield delimiter.join([spell(name) for spell, name in names]) + "\n"
            # A line of one empty cell would be an empty line, which is no row.
            none = '""' if len(spells) == 1 else ""
            for part in _pieces(table):
                columns = [cells(c, spell, none) for c, spell in zip(part.columns.values(), spells, strict=True)]
                yield "".join([f"{line}\n" for line in map(delimiter.join, zip(*columns, strict=True))])

    return write


def json_lines(tables: Iterable[Named]) -> Iterator[str]:
    """A record of JSON on each line."""
    for table, _ in tables:
        for records in _records(table):
            yield "".join([f"{record}\n" for record in records])


def json_list(tables: Iterable[Named]) -> Iterator[str]:
    """A list of records, each on its line."""
    before = "[\n"
    for table, _ in tables:
        for records in _records(table):
            yield before + ",\n".join(records)
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _records(table: Table) -> Iterator[list[str]]:
    keys = ", ".join(f"{json_text(name).replace('%', '%%')}: %s" for name in table.columns)
    for part in _pieces(table):
        columns = [json_cells(whole_if_possible(column)) for column in part.columns.values()]
        if len(part):
            yield lines(columns, f"{{{keys}}}")


def _pieces(table: Table) -> Iterator[Table]:
    if len(table) <= PIECE:
        yield table
        return
    for start in range(0, len(table), PIECE):
        yield table.take(range(start, min(start + PIECE, len(table))))


TEXTS: Mapping[str, Write] = {
    ".csv": delimited(","),
    ".tsv": delimited("\t"),
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_list,
}
"""Ending -> what writes such a file."""

SPELLED = (".csv", ".tsv")
"""The files in which a number is its text."""

UNFINISHED = ".unfinished-"
"""How the name of a file begins that a plugin is writing; it is beside the file that it will be."""

KNOWN = ".csv, .tsv, .jsonl, .json or .npz"


def form_of(output: str, as_json: bool) -> str:
    """The ending that says how predictions are written; that of a compressed file is the one before `.gz`.

    Raises:
        UsageError: nothing writes such a file, or the options contradict each other.
    """
    if output == "-":
        return ".jsonl" if as_json else ".csv"
    path = Path(output)
    suffix = path.suffix.lower()
    if suffix == ".gz" and path.with_suffix("").suffix.lower() in TEXTS:
        suffix = path.with_suffix("").suffix.lower()
    if as_json and suffix not in (".jsonl", ".ndjson", ".json"):
        raise click.UsageError(f"--json: {output} would not be JSON; the ending of FILE decides the format")
    if suffix not in (*TEXTS, ".npz") and not _writers():
        raise click.UsageError(f"{output}: {_written_by_plugin(suffix) or f'expected a name that ends in {KNOWN}'}")
    return suffix


def _writers() -> Sequence[Any]:
    hooks: Any = default_registry().hooks.hook
    return cast(Sequence[Any], hooks.modnet_write_data.get_hookimpls())


def _written_by_plugin(suffix: str) -> str:
    """What installs the plugin that writes such files; "" if none is known."""
    for extra in ("parquet", "excel"):
        if suffix in READ_BY_PLUGIN[extra]:
            return f"{PLUGIN} writes {suffix} files:  pip install '{PLUGIN}[{extra}]'"
    return ""


def encoded(texts: Iterable[str], output: str) -> Iterator[bytes]:
    """The bytes of a file of text, compressed if its name ends in `.gz`."""
    if not output.lower().endswith(".gz"):
        yield from map(str.encode, texts)
        return
    packer = zlib.compressobj(wbits=31)
    for text in texts:
        yield packer.compress(text.encode())
    yield packer.flush()


def npz(parts: Iterable[Predicted]) -> bytes:
    """The outputs as they are, and the columns that are carried through, as arrays by their names.

    Raises:
        DataError: a column has the name of an output.
    """
    found = list(parts)
    arrays = {name: np.concatenate([part.outputs[name] for part in found]) for name in found[0].outputs}
    for name, values in Table.joined([part.kept for part in found]).columns.items():
        if name in arrays:
            raise DataError(f"column {name}: the network's output is called so too; write a .csv or .jsonl file")
        texts = values.texts is not None or values.type == "date" or values.missing is not None
        arrays[name] = np.array(values.strings()) if texts else values.values
    return npz_bytes(arrays)


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def write_by_plugin(tables: Iterable[Named], output: str) -> None:
    """Gives the table to the plugin that writes such files; the file is replaced as a whole.

    Raises:
        DataError: none does.
    """
    path = Path(output)
    # Two processes may be writing the same file, so each has a name of its own.
    beside = path.with_name(f"{UNFINISHED}{os.urandom(4).hex()}{path.suffix}")
    try:
        if not write_foreign((named.table for named in tables), beside):
            raise DataError(f"{output}: no plugin writes {path.suffix or 'such'} files; expected {KNOWN}")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)

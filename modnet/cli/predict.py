"""The body of `modnet predict`."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from modnet.arrays import Array
from modnet.cli.data import read_for
from modnet.cli.places import check_place
from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.report import warn
from modnet.data.columns import is_number
from modnet.data.dataset import Dataset
from modnet.data.read import label_outputs
from modnet.data.schema import ColumnSchema, DataSchema
from modnet.data.table import shorten
from modnet.engine.network import Network
from modnet.errors import DataError, SampleError
from modnet.model.atomic import replace_file
from modnet.model.load import load
from modnet.words import printable

DELIMITERS = {".csv": ",", ".tsv": "\t"}

FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠].", re.DOTALL)
"""How a text begins that a spreadsheet takes for a formula. Source: OWASP, "CSV Injection"."""

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def run(model: str, data: str, output: str, plugins: tuple[str, ...]) -> None:
    suffix = Path(output).suffix.lower() if output != "-" else ".csv"
    if suffix not in (*DELIMITERS, ".npz"):
        raise click.UsageError(f"{output}: expected a name that ends in .csv, .tsv or .npz")
    if output != "-":
        check_place(Path(output))
        for given, what in ((model, "model"), (data, "data")):
            if os.path.exists(given) and os.path.exists(output) and os.path.samefile(given, output):
                raise click.UsageError(f"{output}: this is the {what}; name another file with -o")
    load_plugin_files(plugins)
    network = load(model)
    dataset = read_for(network, data, targets=False)
    predicted = _predicted(network, dataset)
    outputs = predicted if isinstance(predicted, dict) else dict.fromkeys(network.outputs, predicted)
    if suffix == ".npz":
        _write(output, _npz(outputs))
    elif output == "-":
        for text in _lines(network, outputs, DELIMITERS[suffix]):
            sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _write(output, "".join(_lines(network, outputs, DELIMITERS[suffix])).encode())


def _predicted(network: Network, dataset: Dataset) -> Any:
    """The predictions; an error about a row calls it as the file does."""
    try:
        return network.forward(dataset.inputs)
    except DataError as error:
        if isinstance(error, SampleError) and dataset.row_names is not None:
            error = error.at(dataset.row_name(error.sample))
        raise DataError(f"{dataset.name}: {error}" if dataset.name else str(error)) from None


def schema_of(network: Network) -> DataSchema:
    """The names of what comes out: those of the training data, or numbers for them."""
    known: Mapping[str, Any] = {} if network.card.schema is None else network.card.schema.targets
    labels = label_outputs(network)
    targets = {}
    for name, shape in network.outputs.items():
        if name in known:
            targets[name] = known[name]
            continue
        if len(shape) != 1 or shape[0] is None:
            raise DataError(
                f"output {name} has samples of shape {shape}, which are no row of a table; give -o FILE.npz"
            )
        width = shape[0]
        if name in labels:
            classes = tuple(map(str, range(max(width, 2))))
            title = "class" if len(network.outputs) == 1 else f"{name}_class"
            targets[name] = (ColumnSchema(title, "category", classes),)
        else:
            titles = [name] if width == 1 else [f"{name}_{index}" for index in range(width)]
            targets[name] = tuple(ColumnSchema(title, "number") for title in titles)
    return DataSchema({}, targets)


def _lines(network: Network, outputs: Mapping[str, Array], delimiter: str) -> Iterator[str]:
    schema = schema_of(network)
    columns = schema.decode(outputs)
    digits = 7 if network.dtype.itemsize == 4 else 16  # as many as the numbers have
    # The names are the model's, which may be a stranger's.
    names = {*columns, *(name for classes in schema.classes().values() for name in classes)}
    cells = {name: _cell(name) for name in names}
    quoted = sorted(name for name, cell in cells.items() if cell.startswith("'") and not name.startswith("'"))
    if quoted:
        warn(f"a spreadsheet would take these for formulas; an apostrophe is put before them: {shorten(quoted)}")
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow([cells[name] for name in columns])
    yield buffer.getvalue()
    for row in zip(*columns.values(), strict=True):
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([f"{value:.{digits}g}" if isinstance(value, float) else cells[value] for value in row])
        yield buffer.getvalue()


def _cell(name: str) -> str:
    """A name as a cell that moves no terminal, and is no formula in a spreadsheet."""
    formula = FORMULA.match(name) and not is_number(name)
    return ("'" if formula else "") + CONTROL.sub(lambda found: printable(found[0]), name)


def _npz(outputs: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **outputs)  # type: ignore[arg-type]
    return buffer.getvalue()


def _write(path: str, content: bytes) -> None:
    replace_file(path, [content], durable=False)

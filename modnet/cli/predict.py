"""The body of `modnet predict`."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import click
import numpy as np

from modnet.arrays import Array
from modnet.cli.data import read_for
from modnet.cli.places import check_place
from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.report import warn
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.data.table import shorten
from modnet.data.values import is_number
from modnet.datasets.dataset import Dataset
from modnet.datasets.read import label_outputs
from modnet.engine.network import Network
from modnet.errors import DataError, SampleError
from modnet.model.atomic import replace_file
from modnet.model.load import load
from modnet.words import printable

DELIMITERS = {".csv": ",", ".tsv": "\t"}

FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠].", re.DOTALL)
"""The first characters of texts that spreadsheets take for formulas. Source: OWASP, "CSV Injection"."""

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def run(model: str, data: str, output: str, plugins: tuple[str, ...]) -> None:
    suffix = Path(output).suffix.lower() if output != "-" else ".csv"
    if suffix not in (*DELIMITERS, ".npz"):
        raise click.UsageError(f"{output}: expected a name that ends in .csv, .tsv or .npz")
    if output != "-":
        _check_output(output, model=model, data=data)
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


def _check_output(output: str, **inputs: str) -> None:
    """Checks that the predictions can be written there, and would not overwrite the model or the data."""
    check_place(Path(output))
    for what, given in inputs.items():
        if os.path.exists(given) and os.path.exists(output) and os.path.samefile(given, output):
            raise click.UsageError(f"{output}: this is the {what}; name another file with -o")


def _predicted(network: Network, dataset: Dataset) -> Any:
    """The predictions; errors name rows as in the file."""
    try:
        return network.forward(dataset.inputs)
    except DataError as error:
        if isinstance(error, SampleError) and dataset.row_names is not None:
            error = error.at(dataset.row_name(error.sample))
        raise DataError(f"{dataset.name}: {error}" if dataset.name else str(error)) from None


def schema_of(network: Network) -> DataSchema:
    """The names of the predictions: those of the training data, or numbers instead."""
    known: Mapping[str, Any] = {} if network.card.schema is None else network.card.schema.targets
    return DataSchema({}, {name: known.get(name) or _numbered(network, name) for name in network.outputs})


def _numbered(network: Network, name: str) -> tuple[ColumnSchema, ...]:
    """The columns of an output of which only the shape and the loss are known."""
    shape = network.outputs[name]
    if len(shape) != 1 or shape[0] is None:
        raise DataError(
            f"output {name} has samples of shape {shape}, which do not fit into a row of a table; give -o FILE.npz"
        )
    width = shape[0]
    if name in label_outputs(network):
        classes = tuple(map(str, range(max(width, 2))))  # one number is the probability of class 1
        title = "class" if len(network.outputs) == 1 else f"{name}_class"
        return (ColumnSchema(title, "category", classes),)
    titles = [name] if width == 1 else [f"{name}_{index}" for index in range(width)]
    return tuple(ColumnSchema(title, "number") for title in titles)


def _lines(network: Network, outputs: Mapping[str, Array], delimiter: str) -> Iterator[str]:
    schema = schema_of(network)
    columns = {name: values.tolist() for name, values in schema.decode(outputs).items()}
    digits = 7 if network.dtype.itemsize == 4 else 16  # as many as the numbers have
    cells = _cells({*columns, *chain.from_iterable(schema.classes().values())})
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow([cells[name] for name in columns])
    yield buffer.getvalue()
    for row in zip(*columns.values(), strict=True):
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([f"{value:.{digits}g}" if isinstance(value, float) else cells[value] for value in row])
        yield buffer.getvalue()


def _cells(names: Iterable[str]) -> dict[str, str]:
    """The names as cells, made safe, as a model may come from a stranger; warns of those that are changed."""
    cells = {name: _cell(name) for name in names}
    quoted = sorted(name for name, cell in cells.items() if cell.startswith("'") and not name.startswith("'"))
    if quoted:
        warn(
            f"spreadsheets would take these names for formulas, so an apostrophe is put before them: {shorten(quoted)}"
        )
    return cells


def _cell(name: str) -> str:
    """A name as a cell without control characters, and which spreadsheets do not take for a formula."""
    formula = FORMULA.match(name) and not is_number(name)
    return ("'" if formula else "") + CONTROL.sub(lambda found: printable(found[0]), name)


def _npz(outputs: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **outputs)  # type: ignore[arg-type]
    return buffer.getvalue()


def _write(path: str, content: bytes) -> None:
    replace_file(path, [content], durable=False)

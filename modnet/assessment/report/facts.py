"""What a network's card says of it, in words and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

import modnet
from modnet.assessment.samples import Samples
from modnet.data.column_schema import ColumnSchema
from modnet.data.faults import Faults
from modnet.data.schema import DataSchema
from modnet.data.table import Table
from modnet.engine.network import Network
from modnet.errors import PluginError
from modnet.kinds.figures import figure_text, figure_title, number_text
from modnet.model.needs import bare, components_of, origins_of, plain_needs
from modnet.plugins.registry import default_registry
from modnet.words import counted, listed, shape_text

MOST_CATEGORIES = 8
"""How many categories of a column are named."""

LINE = 100
"""How long a line of the spec may be."""

MOST_COLUMNS = 300
"""How many columns of a table are listed."""

Rows = list[list[str]]
"""A table: its rows, each a text for each column."""


def title_of(schema: DataSchema | None, model: str) -> str:
    """What a network predicts, `species` or `height and weight`; of arrays without names the name of its file."""
    targets = [c.name for columns in schema.targets.values() for c in columns] if schema is not None else []
    return " and ".join(targets[:3]) + (" and more" if len(targets) > 3 else "") or PurePath(model).stem


def sentence_of(network: Network) -> str:
    """What it predicts from what, in one sentence."""
    schema = network.card.schema
    if schema is None or not schema.inputs:
        inputs = ", ".join(f"{name} {shape_text(shape)}" for name, shape in network.inputs.items())
        what = f"A network that predicts {', '.join(network.outputs)} from arrays: {inputs}."
    else:
        what = f"A network that predicts {what_it_predicts(schema)}."
    nodes = counted(len(network.graph.nodes), "node")
    return f"{what} It has {nodes} and {counted(network.layout.parameter_count, 'parameter')}{_epochs(network)}."


def what_it_predicts(schema: DataSchema) -> str:
    """The targets, and how many columns they are predicted from."""
    targets = ", ".join(_target_text(column) for columns in schema.targets.values() for column in columns)
    return f"{targets} from {counted(len(schema.columns()), 'column')} of a table"


def _target_text(column: ColumnSchema) -> str:
    if not column.categories:
        return f"{column.name} (a number)"
    noun = "labels" if column.kind == "labels" else "classes"
    return f"{column.name} ({len(column.categories):,} {noun}: {listed(column.categories, MOST_CATEGORIES)})"


def _epochs(network: Network) -> str:
    epochs = network.card.history.epochs
    return f", and was trained for {counted(epochs, 'epoch')}" if epochs else ""


# The columns


def columns_of(schema: DataSchema | None, table: Table | None) -> Rows:
    """Name, use, kind, encoding, values, what is done with gaps; and of a table, its gaps."""
    if schema is None:
        return []
    rows = []
    for use, column in list(_uses(schema))[:MOST_COLUMNS]:
        is_input = use.startswith("input")
        encoding, gaps = (_encoding(column), _gaps(column)) if is_input else ("", "")
        row = [column.name, use, column.kind, encoding, _values(column, table), gaps]
        rows.append(row if table is None else [*row, _missing_in(column, table, schema.missing_values)])
    return rows


def _uses(schema: DataSchema) -> Iterator[tuple[str, ColumnSchema]]:
    """Each column with what it is used for."""
    for name, columns in schema.inputs.items():
        yield from ((f"input {name}" if len(schema.inputs) > 1 else "input", column) for column in columns)
    yield from (("target", column) for columns in schema.targets.values() for column in columns)
    if schema.weights is not None:
        yield "weight of the row", schema.weights


def _encoding(column: ColumnSchema) -> str:
    if column.kind == "date":
        return ", ".join(column.parts).replace("_", " ")
    if column.kind == "text":
        return counted(column.buckets, "number")
    return column.encoding.replace("_", "-") if column.kind in ("category", "labels") else ""


def _values(column: ColumnSchema, table: Table | None) -> str:
    """The categories; or the range in training, or else in a table."""
    if column.categories:
        return f"{len(column.categories):,}: {listed(column.categories, MOST_CATEGORIES)}"
    if column.lowest is not None:
        return " to ".join(column.range_texts())
    known = None if table is None else table.columns.get(column.name)
    if known is None or column.kind != "number":
        return ""
    values = column.numbers(known, ~known.gaps, Faults(Table({})))[~known.gaps]
    return f"{number_text(float(values.min()))} to {number_text(float(values.max()))}" if len(values) else ""


def _gaps(column: ColumnSchema) -> str:
    if column.fill is not None:
        fill = number_text(column.fill) if isinstance(column.fill, float) else column.fill
        return f"filled with {fill.removesuffix('T00:00:00.000000')}"
    return "refused" if column.refuses_gaps else "have a code of their own"


def _missing_in(column: ColumnSchema, table: Table, missing_values: Sequence[str]) -> str:
    known = table.columns.get(column.name)
    return "" if known is None else f"{int(column.gaps(known, missing_values).sum()):,}"


# The training


def training_of(network: Network) -> Rows:
    """What the training was: name, value."""
    try:
        training = network.card.training
    except PluginError as error:
        return [["training", f"cannot be read here: {error}"]]
    if training is None:
        return []
    rows = training_rows(training.plain())
    figures = network.card.metrics.items()
    rows += [[figure_title(n), figure_text(n, v)] for n, v in figures if isinstance(v, int | float)]
    history = network.card.history
    known = {"best epoch": history.best_epoch, "stopped": history.stopped, "seconds": round(sum(history.seconds), 1)}
    return [*rows, *([name, str(value)] for name, value in known.items() if value)]


def training_rows(plain: Mapping[str, Any]) -> Rows:
    """The main options of a training, of which the plain values are given: name, value."""
    return [[key.replace("_", " "), _short(plain[key])] for key in _TRAINING if plain.get(key) not in (None, [])]


_TRAINING = ("loss", "optimizer", "schedule", "metrics", "epochs", "batch_size", "accumulate", "seed")


def _short(value: Any) -> str:
    """A value of a spec on one line: a component by its type and the options that it was given."""
    if isinstance(value, Mapping):
        given = {key: item for key, item in value.items() if key != "type" and item not in (None, False, 0, [])}
        options = ", ".join(f"{key} {_short(item)}" for key, item in given.items())
        kind = value.get("type")
        return options if kind is None else f"{kind} ({options})" if options else str(kind)
    if isinstance(value, list | tuple):
        return ", ".join(map(_short, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


# Where it comes from


def provenance_of(network: Network, samples: Samples | None) -> Iterator[list[str]]:
    """Name, value: versions, seed, fingerprints of the data, what else is known."""
    card = network.card
    if network.id is not None:
        yield ["id of the model file", network.id]
    yield ["made with", f"modnet-core {modnet.__version__}, numpy {np.__version__}"]
    for need in plain_needs(origins_of(components_of(card.spec.network), default_registry())):
        components = ", ".join(f"{row['type']} {row['version']}" for row in need["components"])
        name = " ".join(filter(None, (need["distribution"], need["version"]))) or "a program's own"
        yield [f"needs {name}", components]
    if network.seed is not None:
        yield ["seed of the first weights", str(network.seed)]
    yield ["numbers", str(network.dtype)]
    for name, fingerprint in card.data.items():
        yield [f"fingerprint of {name}", fingerprint]
    for name, value in (*card.results.items(), *card.metadata.items()):
        yield [name.replace("_", " "), _short(value)]
    if samples is not None and samples.data.name:
        yield ["measured on", samples.data.name]


def spec_of(network: Network) -> str:
    """The whole spec, every option written out, as JSON."""
    spec = network.card.spec
    found: dict[str, Any] = {"network": spec.network.plain()}
    try:
        training = network.card.training
    except PluginError:
        training = None
    if training is not None:
        found["training"] = training.plain()
    return _json(bare(found), 0)


def _json(value: Any, indent: int) -> str:
    """A value as JSON: on one line where that is short enough."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= LINE or not value or not isinstance(value, dict | list):
        return line
    inner, end = "\n" + " " * (indent + 2), "\n" + " " * indent
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {_json(item, indent + 2)}" for key, item in value.items()]
        return "{" + inner + f",{inner}".join(parts) + end + "}"
    return "[" + inner + f",{inner}".join(_json(item, indent + 2) for item in value) + end + "]"

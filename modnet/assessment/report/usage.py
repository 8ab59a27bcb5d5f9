"""How to predict with a model, as lines that can be copied."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import Any

from modnet.assessment.samples import Samples
from modnet.data.column_schema import ColumnSchema
from modnet.engine.network import Network
from modnet.words import shape_text

MOST_COLUMNS = 40
"""How many columns of a row are written out."""


def command_of(network: Network, model: str) -> str:
    """The command that predicts for a file."""
    schema = network.card.schema
    arrays = schema is None or not schema.inputs
    data, output = ("new.npz", "predictions.npz") if arrays else ("new.csv", "predictions.csv")
    return f"pip install 'modnet-core[cli]'\nmodnet predict {shlex.quote(PurePath(model).name)} {data} -o {output}"


def python_of(network: Network, samples: Samples | None, model: str) -> str:
    """The program that predicts for a row."""
    lines = ["import modnet", "", f"network = modnet.load({PurePath(model).name!r})"]
    schema = network.card.schema
    if schema is None or not schema.inputs:
        shapes = [f"{name}: (rows, {shape_text(shape)[1:].rstrip(',)')})" for name, shape in network.inputs.items()]
        return "\n".join([*lines, f"network.forward(x)  # {'; '.join(shapes)}"])
    columns = {column.name: column for group in schema.inputs.values() for column in group}
    cells = [f"    {name!r}: {_value(column, samples)!r}," for name, column in columns.items()]
    more = [f"    # and {len(cells) - MOST_COLUMNS:,} more columns"] if len(cells) > MOST_COLUMNS else []
    lines += ["network.predict({", *cells[:MOST_COLUMNS], *more, "})  # or a data frame"]
    return "\n".join(lines)


def _value(column: ColumnSchema, samples: Samples | None) -> Any:
    """A value that the column may have: that of the first row, or one that the training had."""
    table = None if samples is None else samples.table
    if table is not None:
        known = table.columns[column.name]
        text = known.text(0)
        if known.type == "number" and text and not known.gaps[0]:
            number = float(known.values[0])
            return int(number) if number.is_integer() else number
        return text or None
    if column.categories:
        return column.categories[0]
    return column.fill if column.fill is not None else {"number": 0.0, "date": "2025-01-31"}.get(column.kind, "text")

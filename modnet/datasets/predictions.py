"""What the predictions of a network are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.datasets.read import label_outputs
from modnet.engine.network import Network
from modnet.errors import DataError


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

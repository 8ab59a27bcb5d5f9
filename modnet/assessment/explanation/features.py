"""What an explanation speaks of: the columns of a table, each with all the numbers that encode it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.table import shorten
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.records import Record
from modnet.words import did_you_mean, show


class Feature(Record, eq=False):
    """A column of a table, or a number of an array that is given to a network.

    A column that is encoded by several numbers (a category, a date, a text) is one feature: its numbers are moved
    together, so that no row has a half of one value and a half of another.

    Attributes:
        name: of the column; `input[3]` for a number of an array, the fourth of the last axis.
        places: network input -> which numbers of its last axis encode it; None for an input whose samples are single
            numbers.
        is_id: whether it is a whole number that stands for something, between which there is nothing.
        column: how the column is encoded; None for an array.
    """

    name: str
    places: Mapping[str, slice | None]
    is_id: bool = False
    column: ColumnSchema | None = None

    def of(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Network input -> the numbers (rows, ..., width) that encode this feature: views of the inputs."""
        return {name: inputs[name] if part is None else inputs[name][..., part] for name, part in self.places.items()}

    def write(self, inputs: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        """Overwrites the numbers that encode this feature; `values` are for each of its inputs."""
        for name, array in self.of(inputs).items():
            array[...] = values[name]


def features_of(network: Network, inputs: Mapping[str, Array]) -> list[Feature]:
    """The features of a network: the columns of its table, in order, or else the numbers of its inputs.

    Args:
        inputs: input name -> array (rows, *shape). Of samples with several axes, such as sequences (time, features), a
            feature is one number of the last axis, at all steps.
    """
    schema = network.card.schema
    if schema is None or not schema.inputs:
        return [feature for name, ids in _id_inputs(network).items() for feature in _numbered(name, inputs[name], ids)]
    found: dict[str, Feature] = {}
    for name, columns in schema.inputs.items():
        start = 0
        for column in columns:
            known = found.get(column.name)
            places = {**(known.places if known else {}), name: slice(start, start + column.width)}
            found[column.name] = Feature(column.name, places, column.is_id, column)
            start += column.width
    return list(found.values())


def _id_inputs(network: Network) -> dict[str, bool]:
    """Input name -> whether it takes ids."""
    return {name: dtype.kind == "i" for name, dtype in zip(network.inputs, network.input_dtypes(), strict=True)}


def _numbered(name: str, array: Array, is_id: bool) -> list[Feature]:
    if array.ndim == 1:
        return [Feature(name, {name: None}, is_id)]
    return [Feature(f"{name}[{place}]", {name: slice(place, place + 1)}, is_id) for place in range(array.shape[-1])]


def chosen(features: Sequence[Feature], names: Iterable[str]) -> list[Feature]:
    """The features of these names, in the order of the names; each once.

    Raises:
        DataError: there is no such column.
    """
    by_name = {feature.name: feature for feature in features}
    for name in names:
        if name not in by_name:
            noun = "column" if features[0].column is not None else "feature"
            known = f"{did_you_mean(name, by_name) or ';'} there is {shorten(by_name)}"
            raise DataError(f"the model reads no {noun} {show(name)}{known}")
    return [by_name[name] for name in dict.fromkeys(names)]


def rows_taken(inputs: Mapping[str, Array], rows: Array | slice) -> dict[str, Array]:
    """Copies of some rows of the inputs."""
    return {name: np.array(array[rows]) for name, array in inputs.items()}

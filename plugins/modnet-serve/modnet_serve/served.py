"""A model as it is served: its name, its version, and the tensors that it takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

import modnet
from modnet.arrays import Array, Shape
from modnet.data.column_schema import ColumnSchema
from modnet.engine.rows import FEW
from modnet.errors import ModnetError
from modnet.records import Record
from modnet_serve.datatypes import BYTES, DTYPES, datatype_of
from modnet_serve.refusal import Refusal

Found = Mapping[str, Array]
"""Name of an output -> its value for each row; objects are texts."""


class Tensor(Record):
    """A tensor that a model takes or gives.

    Attributes:
        shape: with -1 for the rows, and for every axis of any length.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    def plain(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


class Served(Record, eq=False):
    """A model that is loaded.

    Attributes:
        name, version: by which it is asked for.
        path: the file that it was loaded from.
        network: what predicts; any number of threads may use it.
        inputs: one for each column of the table that it was trained on, or those of the network.
        outputs: the columns of its predictions; of a network without columns its outputs too.
    """

    name: str
    version: str
    path: str
    network: modnet.Network
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @classmethod
    def of(cls, name: str, version: str, path: str, network: modnet.Network) -> Served:
        made = cls(name, version, path, network, _inputs(network), ())
        return made.replace(outputs=made._given())

    @property
    def columns(self) -> tuple[ColumnSchema, ...]:
        """The columns that a prediction needs; none for a model that was trained on arrays."""
        schema = self.network.schema
        if schema is None:
            return ()
        known = {column.name: column for columns in schema.inputs.values() for column in columns}
        return tuple(known[name] for name in schema.columns())

    @property
    def metadata(self) -> dict[str, Any]:
        """As the protocol has it."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "modnet",
            "inputs": [tensor.plain() for tensor in self.inputs],
            "outputs": [tensor.plain() for tensor in self.outputs],
        }

    @property
    def id(self) -> str:
        """What tells this network from every other one."""
        return str(getattr(self.network, "id", ""))

    def warm(self) -> None:
        """Predicts once for a row of zeros, so that the first request does not wait for what is made once."""
        zeros = {name: _zeros(shape, self.network.dtype) for name, shape in self.network.inputs.items()}
        with suppress(ModnetError):  # zeros may be no input that the network takes
            self.forward(zeros)

    def same_interface(self, other: Served) -> bool:
        """Whether whoever asks the one can ask the other: the same tensors come and go."""
        return (self.inputs, self.outputs) == (other.inputs, other.outputs)

    def forward(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Network output -> array (rows, ...), for network input -> array (rows, ...).

        Raises:
            DataError, ShapeError, TooLarge: as `Network.forward`.
        """
        outputs = self.network.forward(inputs if len(inputs) > 1 else next(iter(inputs.values())))
        return outputs if isinstance(outputs, dict) else {next(iter(self.network.outputs)): outputs}

    def encode(self, given: Mapping[str, Any]) -> dict[str, Array]:
        """Network input -> array, for columns, or for the network's inputs.

        Raises:
            DataError, ShapeError: they cannot be used.
        """
        if self.columns:
            return self.encode_rows(given)
        return dict(zip(self.network.inputs, self.network.arrays(given), strict=True))

    def encode_rows(self, rows: Any) -> dict[str, Array]:
        """Network input -> array, for rows of a table in any form.

        Raises:
            DataError: they cannot be used.
        """
        encoded = self.network.encode(rows)
        return encoded if isinstance(encoded, dict) else {next(iter(self.network.inputs)): encoded}

    def predict(self, given: Mapping[str, Any]) -> Found:
        """The predictions for columns, column -> values, or for the network's inputs, input -> array.

        Raises:
            DataError, ShapeError: they cannot be used; with row and column.
        """
        if not self.columns:
            return self.found(self.forward(given))
        records = _records(given)
        if records is None:
            return self._typed(self.network.predict(given))
        answers = self.network.predict(records)
        return self._typed({tensor.name: [answer[tensor.name] for answer in answers] for tensor in self.outputs})

    def found(self, outputs: Mapping[str, Array]) -> Found:
        """The predictions that the network's outputs, output name -> array, stand for."""
        if self.network.schema is None:
            return outputs
        decoded = self.network.decode(outputs)
        return self._typed(decoded if self.columns else {**decoded, **outputs})

    def _typed(self, found: Mapping[str, Any]) -> Found:
        return {tensor.name: _array(found[tensor.name], tensor) for tensor in self.outputs}

    def _given(self) -> tuple[Tensor, ...]:
        """The outputs, found by decoding what the network would give for one row of zeros."""
        network = self.network
        zeros = {name: _zeros(shape, network.dtype) for name, shape in network.outputs.items()}
        own = {} if self.columns else {name: (zeros[name], shape) for name, shape in network.outputs.items()}
        decoded = {} if network.schema is None else network.decode(zeros)
        rest = {name: (np.asarray(values), values.shape[1:]) for name, values in decoded.items()}
        return tuple(
            Tensor(name, datatype_of(values.dtype), _open(shape))
            for name, (values, shape) in {**own, **rest, **own}.items()
        )


def _zeros(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """One row of zeros; an axis of any length is 1 long."""
    return np.zeros((1, *(axis or 1 for axis in shape)), dtype)


def _open(shape: Shape) -> tuple[int, ...]:
    """A shape as the protocol has it: rows first, -1 for any length."""
    return (-1, *(axis or -1 for axis in shape))


def _inputs(network: modnet.Network) -> tuple[Tensor, ...]:
    schema = network.schema
    if schema is not None and schema.columns():
        known = {column.name: column for columns in schema.inputs.values() for column in columns}
        return tuple(Tensor(name, _datatype(known[name]), (-1,)) for name in schema.columns())
    dtypes = network.input_dtypes()
    return tuple(
        Tensor(name, datatype_of(np.dtype(dtype)), _open(shape))
        for (name, shape), dtype in zip(network.inputs.items(), dtypes, strict=True)
    )


def _datatype(column: ColumnSchema) -> str:
    if column.kind == "number":
        return "FP64"
    return "BOOL" if column.kind == "boolean" else BYTES


def _records(columns: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """A few rows of columns as records, which are predicted in a fifth of the time; None for more of them."""
    lists = [values.tolist() for values in columns.values()]
    if not 0 < len(lists[0]) <= FEW:
        return None
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _array(values: Any, tensor: Tensor) -> Array:
    if tensor.datatype != BYTES:
        return np.asarray(values, DTYPES[tensor.datatype])
    texts = np.empty(len(values), object)
    texts[:] = [value if isinstance(value, str) else _joined(value) for value in values]
    return texts


def _joined(names: Iterable[str]) -> str:
    """A set of classes as one text, as `modnet predict` writes it into a table."""
    return "; ".join(names)


def require_rows(count: int, most: int) -> None:
    """Raises Refusal: there are more rows than a request may have."""
    if count > most:
        raise Refusal(413, f"found {count} rows; expected at most {most} in a request")

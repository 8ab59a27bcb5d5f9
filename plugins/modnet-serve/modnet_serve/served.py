"""A model as it is served: its name, its version, and the tensors that it takes and gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import numpy as np

import modnet
from modnet.arrays import Array, Shape
from modnet.data.column_schema import ColumnSchema
from modnet.engine.rows import FEW
from modnet.errors import ModnetError
from modnet.records import Record
from modnet_serve.datatypes import BYTES, DTYPES, datatype_of, to_json
from modnet_serve.refusal import Refusal

Plain = dict[str, Any]
"""A record, column -> value."""

Given = list[Plain] | Mapping[str, Any]
"""Records, column -> values, or, for a network without columns, input -> array."""

Result = list[Plain] | Mapping[str, Any]
"""What is predicted for them: records for records, else output -> values."""

Found = Mapping[str, Array]
"""Name of a tensor -> its value for each row; objects are texts."""


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
        name, version: with which requests name it.
        path: the file that it was loaded from.
        id: of that file, `Network.id`; "" for one of another format.
        network: what predicts; any number of threads may use it.
        columns: those that a prediction needs; none for a model that was trained on arrays.
        inputs: one for each column of the table that it was trained on, or those of the network.
        outputs: the columns of its predictions; of a network without columns its outputs too.
    """

    name: str
    version: str
    path: str
    id: str
    network: modnet.Network
    columns: tuple[ColumnSchema, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @classmethod
    def of(cls, name: str, version: str, path: str, network: modnet.Network) -> Served:
        columns = _columns(network)
        inputs = tuple(Tensor(column.name, _datatype(column), (-1,)) for column in columns) or _arrays(network)
        return cls(name, version, path, network.id or "", network, columns, inputs, _outputs(network, bool(columns)))

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

    def predict(self, given: Given) -> Result:
        """The predictions for rows, or for the network's inputs.

        Raises:
            DataError, ShapeError, TooLarge: they cannot be used; with row and column.
        """
        if not self.columns and not isinstance(given, list):
            return self.forward(given)
        found = self.network.predict(given)
        return cast(list[Plain], found) if isinstance(given, list) else self._typed(found)

    def predict_together(self, parts: Sequence[Given]) -> list[Result]:
        """The predictions for the rows of several requests, computed as one batch.

        Args:
            parts: rows of one and the same form, that `form_of` gives.

        Raises:
            DataError, ShapeError, TooLarge: those of one of them cannot be used.
        """
        ends = np.cumsum([rows_in(part) for part in parts]).tolist()
        slices = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        if self.columns:
            lists = [part if isinstance(part, list) else _records(part) for part in parts]
            answers = self.network.predict([*itertools.chain.from_iterable(lists)])
            return [answers[rows] for rows in slices]
        outputs = self.forward(_joined_arrays(cast(Sequence[Mapping[str, Array]], parts)))
        return [{name: values[rows] for name, values in outputs.items()} for rows in slices]

    def form_of(self, given: Given) -> object:
        """What is equal for rows that can be joined: of arrays the shape of a row and the dtype."""
        if self.columns or isinstance(given, list):
            return None
        return tuple((name, array.shape[1:], array.dtype) for name, array in given.items())

    def tensors(self, result: Result) -> Found:
        """Predictions as the tensors of `outputs`."""
        if isinstance(result, list):
            return self._typed({tensor.name: [record[tensor.name] for record in result] for tensor in self.outputs})
        if self.columns or self.network.schema is None:
            return result
        return self._typed({**self.network.decode(result), **result})

    def records(self, result: Result) -> list[Plain]:
        """Predictions as a record for each row."""
        if isinstance(result, list):
            return result
        columns = {name: to_json(values) for name, values in self.network.decode(result).items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _typed(self, found: Mapping[str, Any]) -> Found:
        return {tensor.name: _array(found[tensor.name], tensor) for tensor in self.outputs}


def _columns(network: modnet.Network) -> tuple[ColumnSchema, ...]:
    schema = network.schema
    if schema is None:
        return ()
    known = {column.name: column for columns in schema.inputs.values() for column in columns}
    return tuple(known[name] for name in schema.columns())


def _outputs(network: modnet.Network, of_table: bool) -> tuple[Tensor, ...]:
    """The outputs, found by decoding what the network would give for one row of zeros."""
    zeros = {name: _zeros(shape, network.dtype) for name, shape in network.outputs.items()}
    own = {} if of_table else {name: (zeros[name], shape) for name, shape in network.outputs.items()}
    decoded = {} if network.schema is None else network.decode(zeros)
    rest = {name: (np.asarray(values), values.shape[1:]) for name, values in decoded.items()}
    given = {**own, **rest, **own}.items()
    return tuple(Tensor(name, datatype_of(values.dtype), _open(shape)) for name, (values, shape) in given)


def _zeros(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """One row of zeros; an axis of any length is 1 long."""
    return np.zeros((1, *(axis or 1 for axis in shape)), dtype)


def _open(shape: Shape) -> tuple[int, ...]:
    """A shape as the protocol has it: rows first, -1 for any length."""
    return (-1, *(axis or -1 for axis in shape))


def _arrays(network: modnet.Network) -> tuple[Tensor, ...]:
    """The inputs of a network that takes arrays."""
    dtypes = zip(network.inputs.items(), network.input_dtypes(), strict=True)
    return tuple(Tensor(name, datatype_of(np.dtype(dtype)), _open(shape)) for (name, shape), dtype in dtypes)


def _joined_arrays(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _datatype(column: ColumnSchema) -> str:
    if column.kind == "number":
        return "FP64"
    return "BOOL" if column.kind == "boolean" else BYTES


def few_as_records(columns: Mapping[str, Array]) -> Given:
    """Columns of a few rows as records, which are predicted in a fifth of the time; others as they are."""
    return _records(columns) if rows_in(columns) <= FEW else columns


def _records(columns: Mapping[str, Array]) -> list[Plain]:
    lists = [values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def rows_in(given: Given) -> int:
    """How many rows there are."""
    return len(given) if isinstance(given, list) else len(next(iter(given.values())))


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

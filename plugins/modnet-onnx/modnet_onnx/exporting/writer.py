"""What the export of one layer is given: the operators of ONNX as calls, and what `Context` has for `forward`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from onnx import helper

from modnet.arrays import Array, Shape
from modnet.errors import DataError
from modnet_onnx.exporting.builder import Builder

Operand = str | Array | float | int | bool | Sequence[int] | None
"""A value of the graph by its name; or a constant: an array or a number; or None for an input that is left out."""


class Writer:
    """Writes one layer into an ONNX graph.

    A value of the graph is its name, a str, with the batch as its first axis, as in `forward`. Numbers and arrays may
    stand wherever a value may: a float, and an array of floats, gets the dtype of the network, whole numbers and lists
    of them are int64.

    Attributes:
        label: the name of the node.
        opset: the version of the operators.
        dtype: of the network's numbers in the graph.
        params, state: name -> array, as in `Context`.
        input_shapes, output_shapes: of one sample of each input and output; None for a variable axis.
        masks: for each input, the bool value (batch, time) that is false where a sequence has ended, or None.
        output_mask: the same for the output: at first the common mask of all inputs that have one. An export sets it
            as `forward` sets that of its context.
        raw: for each input, a float64 value with the numbers as they were given to the graph, or None.
    """

    def __init__(
        self,
        builder: Builder,
        label: str,
        params: Mapping[str, Array],
        state: Mapping[str, Array],
        input_shapes: Sequence[Shape],
        output_shapes: Sequence[Shape],
        masks: Sequence[str | None] = (),
        raw: Sequence[str | None] = (),
    ) -> None:
        self._builder = builder
        self.label = label
        self.opset, self.dtype = builder.opset, builder.dtype
        self.params, self.state = dict(params), dict(state)
        self.input_shapes, self.output_shapes = tuple(input_shapes), tuple(output_shapes)
        self.masks = tuple(masks) or (None,) * len(self.input_shapes)
        self.raw = tuple(raw) or (None,) * len(self.input_shapes)
        self.output_mask: Any = self.common_mask(self.masks)

    def common_mask(self, masks: Sequence[str | None]) -> str | None:
        """Where all of them are true; None if there are none."""
        found = [*dict.fromkeys(mask for mask in masks if mask is not None)]
        if not found:
            return None
        common = found[0]
        for mask in found[1:]:
            common = self.op("And", common, mask)
        return common

    # Operators

    def op(self, operator: str, *inputs: Operand, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Adds an operator: `writer.op("Softmax", x, axis=-1)`.

        Args:
            operator: its name in ONNX.
            inputs: values and constants.
            outputs: how many it has.
            domain: of operators beside the standard ones.
            attributes: as ONNX names them.

        Returns:
            The name of its output; a tuple of names for several.
        """
        names = ["" if value is None else value if isinstance(value, str) else self.constant(value) for value in inputs]
        made = [self._builder.name(f"{self.label}/{operator}") for _ in range(outputs)]
        self._builder.node(operator, names, made, domain, **attributes)
        return made[0] if outputs == 1 else tuple(made)

    def constant(self, value: Array | float | int | Sequence[int], dtype: DTypeLike | None = None) -> str:
        """A constant of the graph; it has the dtype that `Writer` says, or the given one.

        Raises:
            DataError: a number is beyond what the dtype can hold.
        """
        name = next((key for arrays in (self.params, self.state) for key, own in arrays.items() if own is value), None)
        array = np.asarray(value)
        if dtype is None:
            dtype = {"f": self.dtype, "i": np.dtype(np.int64)}.get(array.dtype.kind, array.dtype)
        with np.errstate(over="ignore"):
            made = array.astype(dtype)
        if made.dtype.kind == "f" and (lost := np.isinf(made) & np.isfinite(array)).any():
            where = f"{self.label}.{name}" if name else self.label
            raise DataError(f"{where}: {array[lost].flat[0]:.6g} is beyond what {made.dtype} can hold")
        return self._builder.constant(made, f"{self.label}.{name or 'constant'}")

    def cast(self, x: str, dtype: DTypeLike) -> str:
        """The value in another dtype."""
        wanted = np.dtype(dtype)
        if self._builder.has_dtype(x, wanted):
            return x
        made: str = self.op("Cast", x, to=helper.np_dtype_to_tensor_dtype(wanted))
        self._builder.dtypes[made] = wanted
        return made

    def reduce(self, operator: str, x: str, axes: Sequence[int], keepdims: bool = False) -> str:
        """`ReduceMean`, `ReduceMax` and their like along axes, which older opsets take in another way."""
        since = 13 if operator == "ReduceSum" else 18
        if self.opset >= since:
            return str(self.op(operator, x, list(axes), keepdims=int(keepdims)))
        return str(self.op(operator, x, axes=list(axes), keepdims=int(keepdims)))

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Another shape, where 0 keeps the size of the axis in its place, and -1 follows from the others."""
        return str(self.op("Reshape", x, list(shape)))

    def transpose(self, x: str, axes: Sequence[int]) -> str:
        return str(self.op("Transpose", x, perm=list(axes)))

    def unsqueeze(self, x: str, *axes: int) -> str:
        return str(self.op("Unsqueeze", x, list(axes)))

    def squeeze(self, x: str, *axes: int) -> str:
        return str(self.op("Squeeze", x, list(axes)))

    def slice(self, x: str, axis: int, start: int | None = None, stop: int | None = None) -> str:
        """x[start:stop] along an axis."""
        end = np.iinfo(np.int64).max if stop is None else stop
        return str(self.op("Slice", x, [start or 0], [int(end)], [axis]))

    def concat(self, values: Sequence[Operand], axis: int) -> str:
        return str(self.op("Concat", *values, axis=axis))

    def length(self, x: str, axis: int) -> str:
        """The size of an axis, int64 (1,)."""
        return str(self.op("Shape", x, start=axis, end=axis + 1))

    def arange(self, count: str | int) -> Operand:
        """0, 1, 2 ... int64 (count,), for a size as `length` gives it, or a number."""
        if isinstance(count, int):
            return np.arange(count)
        return str(self.op("Range", 0, self.squeeze(count, 0), 1))

    def integers(self, x: str) -> str:
        """Ids as int64."""
        return self.cast(x, np.int64)

    # Layers within

    def inner(
        self,
        label: str,
        params: Mapping[str, Array],
        state: Mapping[str, Array],
        input_shapes: Sequence[Shape],
        output_shapes: Sequence[Shape],
        masks: Sequence[str | None] = (),
        raw: Sequence[str | None] = (),
    ) -> Writer:
        """The writer of a layer within this one."""
        name = f"{self.label}.{label}"
        return Writer(self._builder, name, params, state, input_shapes, output_shapes, masks, raw)

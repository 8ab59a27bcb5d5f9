"""Parts of an ONNX graph that modnet has no layers for: onnx's own reference implementation runs them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import DataError, ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context

VARIABLE = -1
"""The size of a variable axis in `sample_shapes`: specs have no None."""

WHOLE = -1
"""In place of a batch axis: the tensor is one sample."""


class Running(NamedTuple):
    """What runs a part of a graph.

    Attributes:
        evaluator: onnx's reference implementation.
        dtypes: those of the inputs.
    """

    evaluator: ReferenceEvaluator
    dtypes: tuple[np.dtype[Any], ...]

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, model: str) -> Running:
        """For the bytes of a model in base64.

        Raises:
            ValueError: they are no ONNX model.
        """
        try:
            proto = onnx.load_model_from_string(base64.b64decode(model, validate=True))
            evaluator = ReferenceEvaluator(proto)
        except Exception as error:
            raise ValueError(f"model: expected an ONNX model in base64; {error}") from error
        types = (given.type.tensor_type.elem_type for given in proto.graph.input)
        return cls(evaluator, tuple(onnx.helper.tensor_dtype_to_np_dtype(kind) for kind in types))

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        names = self.evaluator.input_names
        given = [x.astype(dtype) for x, dtype in zip(inputs, self.dtypes, strict=True)]
        with np.errstate(all="ignore"):
            found: list[Array] = self.evaluator.run(None, dict(zip(names, given, strict=True)))
        return found


class ONNXGraph(Layer, type="onnx_graph"):
    """A part of an ONNX graph that modnet has no layers for, run by onnx's reference implementation.

    `modnet_onnx` makes it where it reads an ONNX file; it is not meant to be written into specs. It is for prediction
    only: it has no gradient, and weights before it cannot be trained.

    Attributes:
        model: the bytes of an ONNX model with this part alone, in base64.
        input_axes, output_axes: for each tensor of the part which of its axes is the batch; -1 where it is one sample.
        sample_shapes: the shape of a sample of each output; -1 for a variable axis.
        rows: how many samples go through it at a time, where the part is made for so many; 0 for any number.

    Raises:
        ShapeError: another number of inputs; from `forward`, an output of another shape.
        DataError: from `forward`, where onnx cannot compute the part.
    """

    allocates = True
    differentiable = False
    inputs = (1, None)
    model: str
    input_axes: tuple[int, ...]
    output_axes: tuple[int, ...]
    sample_shapes: tuple[tuple[int, ...], ...]
    rows: int = field(default=0, minimum=0)

    def check(self) -> None:
        if not self.output_axes or len(self.output_axes) != len(self.sample_shapes):
            raise ValueError("output_axes and sample_shapes: expected as many of each, one at least")
        Running.of(self.model)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        cumulative = onnx.helper.make_node("CumSum", ["x", "axis"], ["y"])
        sorting = onnx.helper.make_node("TopK", ["x", "count"], ["largest", "places"])
        axis = onnx.numpy_helper.from_array(np.array(1), "axis")
        count = onnx.numpy_helper.from_array(np.array([2]), "count")
        of_any = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 4])
        made = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("y", "largest")]
        places = onnx.helper.make_tensor_value_info("places", onnx.TensorProto.INT64, None)
        one = onnx.helper.make_graph([cumulative], "one", [of_any], made[:1], [axis])
        two = onnx.helper.make_graph([sorting], "two", [of_any], [made[1], places], [count])
        return (
            Example(cls(encoded(onnx.helper.make_model(one)), (0,), (0,), ((4,),)), ((4,),)),
            Example(cls(encoded(onnx.helper.make_model(two)), (0,), (0, 0), ((2,), (2,)), rows=2), ((4,),)),
        )

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        count = len(self.output_axes)
        return tuple(f"output_{number + 1}" for number in range(count)) if count > 1 else ()

    def output_shape(self, *input_shapes: Shape) -> Any:
        if len(input_shapes) != len(self.input_axes):
            raise ShapeError(f"expects {len(self.input_axes)} inputs")
        found = [tuple(None if size == VARIABLE else size for size in shape) for shape in self.sample_shapes]
        return tuple(found) if len(found) > 1 else found[0]

    def forward(self, context: Context, *inputs: Array) -> Any:
        context.output_mask = None
        rows = len(inputs[0])
        step = self.rows or (1 if WHOLE in self.output_axes else rows)
        parts = [self._part([x[start : start + step] for x in inputs], step) for start in range(0, rows, max(step, 1))]
        if not parts:
            parts = [[np.empty((0, *(max(size, 0) for size in shape)), context.dtype) for shape in self.sample_shapes]]
        joined = [np.concatenate(pieces)[:rows].astype(context.dtype) for pieces in zip(*parts, strict=True)]
        return tuple(joined) if len(joined) > 1 else joined[0]

    def _part(self, inputs: Sequence[Array], rows: int) -> list[Array]:
        """The outputs for so many rows; where there are fewer, the last one is repeated."""
        missing = rows - len(inputs[0])
        given = []
        for x, axis in zip(inputs, self.input_axes, strict=True):
            whole = np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else x
            given.append(whole[0] if axis == WHOLE else np.moveaxis(whole, 0, axis))
        try:
            found = Running.of(self.model).run(given)
        except Exception as error:
            raise DataError(f"onnx_graph: onnx.reference cannot compute a part of the graph; {error}") from error
        made = zip(found, self.output_axes, strict=True)
        return [np.asarray(y)[None] if axis == WHOLE else np.moveaxis(y, axis, 0) for y, axis in made]

    def backward(self, context: Context, gradient: Any) -> Any:
        raise NotImplementedError("an onnx_graph has no gradient")


def encoded(model: onnx.ModelProto) -> str:
    """The bytes of a model in base64."""
    return base64.b64encode(model.SerializeToString(deterministic=True)).decode()

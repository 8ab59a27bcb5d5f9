"""Other orders, sizes and parts of the axes of a sample, and arrays that are the same for every sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import Zeros
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter, State

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Transpose(Layer, type="transpose"):
    """A sample with its axes in another order.

    Attributes:
        axes: for each axis of the output, which one of the input it is.

    Raises:
        ShapeError: samples with another number of axes.
    """

    scratch_output = True
    keeps_numbers = True
    axes: tuple[int, ...] = field(minimum=0)

    def check(self) -> None:
        if sorted(self.axes) != list(range(len(self.axes))):
            raise ValueError(f"axes = {list(self.axes)}: expected each of 0 to {len(self.axes) - 1} once")

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls((1, 0)), ((3, 4),)), Example(cls((2, 0, 1)), ((2, None, 3),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(shape) != len(self.axes):
            raise ShapeError(f"expects samples with {len(self.axes)} axes")
        return tuple(shape[axis] for axis in self.axes)

    def forward(self, context: Context, x: Array) -> Array:
        context.output_mask = None
        turned = x.transpose(0, *(axis + 1 for axis in self.axes))
        y = context.buffer(turned.shape)
        np.copyto(y, turned)
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        turned = gradient.transpose(0, *(axis + 1 for axis in np.argsort(self.axes)))
        result = context.buffer(turned.shape)
        np.copyto(result, turned)
        return result

    def to_onnx(self, writer: Any, x: str) -> str:
        writer.output_mask = None
        return str(writer.transpose(x, [0, *(axis + 1 for axis in self.axes)]))


class Broadcast(Layer, type="broadcast"):
    """A sample whose axes of size 1 are stretched: its numbers are repeated along them.

    Attributes:
        shape: of a sample of the output, with as many axes as the input; 1 for an axis that stays as it is.

    Raises:
        ShapeError: samples that cannot be stretched to that shape.
    """

    scratch_output = True
    shape: tuple[int, ...] = field(minimum=1)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls((3, 4)), ((3, 1),)), Example(cls((2, 1, 4)), ((1, None, 1),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(shape) != len(self.shape):
            raise ShapeError(f"expects samples with {len(self.shape)} axes")
        if any(wanted != 1 and size not in (1, wanted) for size, wanted in zip(shape, self.shape, strict=True)):
            raise ShapeError(f"expects samples whose axes have the size 1, or those of {list(self.shape)}")
        return tuple(size if wanted == 1 else wanted for size, wanted in zip(shape, self.shape, strict=True))

    def forward(self, context: Context, x: Array) -> Array:
        context.output_mask = None
        context.save(x.shape)
        y = context.buffer((len(x), *(size or 0 for size in self.output_shape(x.shape[1:]))))
        np.copyto(y, x)
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        (shape,) = context.saved
        axes = tuple(at for at, (size, whole) in enumerate(zip(shape, gradient.shape, strict=True)) if size != whole)
        return gradient.sum(axis=axes, keepdims=True) if axes else gradient

    def to_onnx(self, writer: Any, x: str) -> str:
        writer.output_mask = None
        return str(writer.op("Expand", x, [1, *self.shape]))


class Take(Layer, type="take"):
    """The elements at some places of an axis, in that order; a place may come more than once, or not at all.

    Attributes:
        indices: the places, from 0 on; negative ones count from the end.
        axis: of a sample: 0 is its first, -1 its last.

    Raises:
        ShapeError: samples without that axis, or with one that is variable or too short.
    """

    scratch_output = True
    keeps_numbers = True
    indices: tuple[int, ...]
    axis: int = -1

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls((2, 0, 0)), ((4,),)), Example(cls((-1, 1), axis=0), ((3, None),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if not -len(shape) <= self.axis < len(shape):
            raise ShapeError(f"expects samples with an axis {self.axis}")
        position = self.axis % len(shape)
        size = shape[position]
        if size is None:
            raise ShapeError(f"expects a fixed size of axis {self.axis}")
        if any(not -size <= index < size for index in self.indices):
            raise ShapeError(f"expects an axis {self.axis} with the places {min(self.indices)} to {max(self.indices)}")
        return (*shape[:position], len(self.indices), *shape[position + 1 :])

    def _place(self, count: int) -> int:
        return self.axis + 1 if self.axis >= 0 else count + self.axis

    def forward(self, context: Context, x: Array) -> Array:
        axis = self._place(x.ndim)
        context.output_mask = None
        context.save(x.shape)
        y = context.buffer((*x.shape[:axis], len(self.indices), *x.shape[axis + 1 :]))
        np.copyto(y, x.take(self.indices, axis=axis))
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        (shape,) = context.saved
        axis = self._place(len(shape))
        result = context.buffer(shape)
        result.fill(0)
        np.add.at(np.moveaxis(result, axis, 0), list(self.indices), np.moveaxis(gradient, axis, 0))
        return result

    def to_onnx(self, writer: Any, x: str) -> str:
        writer.output_mask = None
        return str(writer.op("Gather", x, list(self.indices), axis=self._place(len(writer.input_shapes[0]) + 1)))


class Pad(Layer, type="pad"):
    """A sample with more elements at the ends of its axes, all of one number.

    Attributes:
        before, after: how many elements there are more, for each axis; negative ones are left out instead.
        value: the number.

    Raises:
        ShapeError: samples with another number of axes, or of which nothing is left.
    """

    scratch_output = True
    before: tuple[int, ...]
    after: tuple[int, ...]
    value: float = 0.0

    def check(self) -> None:
        if len(self.before) != len(self.after):
            raise ValueError(f"before has {len(self.before)} axes, and after {len(self.after)}; expected as many")

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls((1, 0), (0, 2), 0.5), ((3, 4),)), Example(cls((0, -1), (2, 1)), ((None, 4),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(shape) != len(self.before):
            raise ShapeError(f"expects samples with {len(self.before)} axes")
        sizes = zip(shape, self.before, self.after, strict=True)
        found = tuple(None if size is None else size + before + after for size, before, after in sizes)
        if any(size is not None and size < 0 for size in found):
            raise ShapeError("expects larger samples: more is left out than there is")
        return found

    def forward(self, context: Context, x: Array) -> Array:
        context.output_mask = None
        context.save(x.shape)
        y = context.buffer((len(x), *(size or 0 for size in self.output_shape(x.shape[1:]))))
        y.fill(self.value)
        y[self._inside(y.shape)] = x[self._kept(x.shape)]
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        (shape,) = context.saved
        result = context.buffer(shape)
        result.fill(0)
        result[self._kept(shape)] = gradient[self._inside(gradient.shape)]
        return result

    def _inside(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """Where the input's elements stand in the output."""
        return self._slices(shape, self.before, self.after)

    def _kept(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """The input's elements that are in the output."""
        return self._slices(shape, [-size for size in self.before], [-size for size in self.after])

    @staticmethod
    def _slices(shape: tuple[int, ...], before: Sequence[int], after: Sequence[int]) -> tuple[slice, ...]:
        sides = zip(shape[1:], before, after, strict=True)
        return (slice(None), *(slice(max(first, 0), size - max(last, 0)) for size, first, last in sides))

    def to_onnx(self, writer: Any, x: str) -> str:
        writer.output_mask = None
        return str(writer.op("Pad", x, [0, *self.before, 0, *self.after], float(self.value)))


class Constant(Layer, type="constant"):
    """An array that is the same for every sample; its input only says how many samples there are.

    Parameter: value, of that shape; where it is not trained, it is state.

    Attributes:
        shape: of a sample.
        trained: whether it is a parameter.
        value_initializer: of the parameter.
    """

    # Of the input only the length is read: ids stay ids, and there is no gradient.
    integer_input = True
    shape: tuple[int, ...] = field(minimum=0)
    trained: bool = True
    value_initializer: Initializer = Zeros()

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls((3, 4)), ((2,),)), Example(cls((3,), trained=False), ((None, 2),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return self.shape

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        return {"value": Parameter(self.shape, self.value_initializer)} if self.trained else {}

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        return {} if self.trained else {"value": State(self.shape)}

    def forward(self, context: Context, x: Array) -> Array:
        context.output_mask = None
        value = context.params["value"] if self.trained else context.state["value"]
        y = context.buffer((len(x), *self.shape))
        np.copyto(y, value)
        return y

    def backward(self, context: Context, gradient: Array) -> None:
        if self.trained:
            np.add.reduce(gradient, axis=0, out=context.grads["value"])

    def to_onnx(self, writer: Any, x: str) -> str:
        writer.output_mask = None
        value = writer.params["value"] if self.trained else writer.state["value"]
        shape = writer.concat([writer.length(x, 0), list(self.shape)], 0) if self.shape else writer.length(x, 0)
        return str(writer.op("Expand", writer.constant(value[None]), shape))

"""Arithmetic and comparisons of two values, and the choice between two by a third."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context

Operation = Literal[
    *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "remainder", "fmod"),
    *("equal", "greater", "greater_or_equal", "less", "less_or_equal", "and", "or", "xor"),
]


class Formula(NamedTuple):
    """A function of x and z, and its derivatives with respect to both."""

    value: np.ufunc
    slopes: Callable[[Array, Array], tuple[Any, Any]]


def _flat(x: Array, z: Array) -> tuple[Any, Any]:
    """The derivatives of a function of steps, wherever it has them."""
    return 0.0, 0.0


def _power_slopes(x: Array, z: Array) -> tuple[Any, Any]:
    """z x^(z - 1), and x^z log(x), which is 0 at 0."""
    return z * np.power(x, z - 1), np.power(x, z) * np.log(np.where(x > 0, x, 1))


FORMULAS: dict[str, Formula] = {
    "add": Formula(np.add, lambda x, z: (1.0, 1.0)),
    "subtract": Formula(np.subtract, lambda x, z: (1.0, -1.0)),
    "multiply": Formula(np.multiply, lambda x, z: (z, x)),
    "divide": Formula(np.divide, lambda x, z: (1 / z, -x / (z * z))),
    "power": Formula(np.power, _power_slopes),
    "maximum": Formula(np.maximum, lambda x, z: (x >= z, x < z)),
    "minimum": Formula(np.minimum, lambda x, z: (x <= z, x > z)),
    "remainder": Formula(np.remainder, lambda x, z: (1.0, -np.floor(x / z))),
    "fmod": Formula(np.fmod, lambda x, z: (1.0, -np.trunc(x / z))),
    "equal": Formula(np.equal, _flat),
    "greater": Formula(np.greater, _flat),
    "greater_or_equal": Formula(np.greater_equal, _flat),
    "less": Formula(np.less, _flat),
    "less_or_equal": Formula(np.less_equal, _flat),
    "and": Formula(np.logical_and, _flat),
    "or": Formula(np.logical_or, _flat),
    "xor": Formula(np.logical_xor, _flat),
}


def stretched(shapes: Sequence[Shape]) -> Shape:
    """The shape of samples in which axes of 1 are stretched to those of the others.

    Raises:
        ShapeError: other numbers of axes, or sizes that differ and are not 1.
    """
    if len({len(shape) for shape in shapes}) > 1:
        raise ShapeError("expects inputs with the same number of axes", "a reshape gives axes of 1")
    found: list[int | None] = []
    for sizes in zip(*shapes, strict=True):
        others = {size for size in sizes if size != 1}
        fixed = {size for size in others if size is not None}
        if len(fixed) > 1:
            raise ShapeError("expects inputs whose axes have the same size, or 1")
        found.append(fixed.pop() if fixed else None if others else 1)
    return tuple(found)


def gathered(gradient: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of an array that was stretched: the sum over the axes that have the size 1 in its shape."""
    axes = tuple(at for at, (size, whole) in enumerate(zip(shape, gradient.shape, strict=True)) if size != whole)
    return gradient.sum(axis=axes, keepdims=True) if axes else gradient


def _domain(operation: str) -> Any:
    """Numbers on which an operation has a value and derivatives, for the tests of a component."""
    if operation in ("divide", "power", "remainder", "fmod"):
        return lambda rng: ((rng.uniform(0.2, 0.9, (8, 3, 4)), rng.uniform(1.1, 2.0, (8, 1, 4))), None)
    return None


class Arithmetic(Layer, type="arithmetic"):
    """What an operation makes of each number of one value and one of another: y = x + z, x * z, x > z and so on.

    The second value is a second input, or the field `number`. Samples have the same number of axes; those of size 1 are
    stretched, as numpy does. Comparisons and `and`, `or`, `xor` give 0 and 1, with the derivative 0. `remainder` has
    the sign of z (Python's %), `fmod` that of x (C's). Where both are equal, the gradient of `maximum` and `minimum` is
    that of x.

    Attributes:
        operation: which.
        number: z, for a single input.
        reverse: whether x and z change places: z - x.

    Raises:
        ShapeError: samples that do not fit to each other.
    """

    inputs = (1, 2)
    scratch_output = True
    allocates = True
    operation: Operation
    number: float | None = None
    reverse: bool = False

    @classmethod
    def examples(cls) -> Sequence[Example]:
        alone = (Example(cls("multiply", -1.5), ((3, 4),)), Example(cls("subtract", 2.0, reverse=True), ((None, 4),)))
        return (
            *alone,
            *(Example(cls(name), ((3, 4), (1, 4)), data=_domain(name)) for name in FORMULAS),
        )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        if (len(input_shapes) == 1) != (self.number is not None):
            raise ShapeError("expects two inputs, or one input and a number")
        return stretched(input_shapes)

    def operands(self, inputs: Sequence[Array]) -> tuple[Array, Array]:
        first, second = inputs if self.number is None else (inputs[0], np.asarray(self.number, inputs[0].dtype))
        return (second, first) if self.reverse else (first, second)

    def forward(self, context: Context, *inputs: Array) -> Array:
        x, z = self.operands(inputs)
        y = context.buffer(np.broadcast_shapes(*(array.shape for array in inputs)))
        with np.errstate(all="ignore"):
            FORMULAS[self.operation].value(x, z, out=y, casting="unsafe")
        context.save(*inputs)
        return y

    def backward(self, context: Context, gradient: Array) -> Any:
        inputs = context.saved
        x, z = self.operands(inputs)
        with np.errstate(all="ignore"):
            slopes = FORMULAS[self.operation].slopes(x, z)
        found = []
        for array, slope in zip(inputs, slopes[::-1] if self.reverse else slopes, strict=False):
            result = np.multiply(gradient, slope, out=context.buffer(gradient.shape), casting="unsafe")
            found.append(gathered(result, array.shape))
        return tuple(found) if len(found) > 1 else found[0]

    def to_onnx(self, writer: Any, *inputs: str) -> str:
        x, z = inputs if self.number is None else (inputs[0], self.number)
        x, z = (z, x) if self.reverse else (x, z)
        operator = OPERATORS[self.operation]
        if self.operation == "remainder":  # ONNX's Mod of floats is C's
            whole = writer.op("Floor", writer.op("Div", x, z))
            return str(writer.op("Sub", x, writer.op("Mul", whole, z)))
        if self.operation in ("and", "or", "xor"):
            x, z = (writer.op("Not", writer.op("Equal", side, 0.0)) for side in (x, z))
        made = writer.op(operator, x, z, **({"fmod": 1} if operator == "Mod" else {}))
        if self.operation in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "fmod"):
            return str(made)
        return str(writer.cast(made, writer.dtype))


OPERATORS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "power": "Pow",
    "maximum": "Max",
    "minimum": "Min",
    "remainder": "Mod",
    "fmod": "Mod",
    "equal": "Equal",
    "greater": "Greater",
    "greater_or_equal": "GreaterOrEqual",
    "less": "Less",
    "less_or_equal": "LessOrEqual",
    "and": "And",
    "or": "Or",
    "xor": "Xor",
}
"""Operation -> ONNX's."""


class Select(Layer, type="select"):
    """For each number the one of the second input where the first is not 0, and the one of the third elsewhere.

    The three have the same number of axes; those of size 1 are stretched. The first has no gradient.

    Raises:
        ShapeError: samples that do not fit to each other.
    """

    inputs = (3, 3)
    scratch_output = True

    @classmethod
    def examples(cls) -> Sequence[Example]:
        def data(rng: np.random.Generator) -> Any:
            chosen = rng.integers(0, 2, (8, 3, 4)).astype(float)
            return (chosen, rng.standard_normal((8, 1, 4)), rng.standard_normal((8, 3, 1))), None

        return (Example(cls(), ((3, 4), (1, 4), (3, 1)), data=data),)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return stretched(input_shapes)

    def forward(self, context: Context, condition: Array, x: Array, z: Array) -> Array:
        chosen = condition != 0
        context.save(chosen, condition.shape, x.shape, z.shape)
        y = context.buffer(np.broadcast_shapes(chosen.shape, x.shape, z.shape))
        np.copyto(y, z)
        np.copyto(y, x, where=chosen)
        return y

    def backward(self, context: Context, gradient: Array) -> tuple[Array, ...]:
        chosen, of_condition, of_x, of_z = context.saved
        none = context.buffer(of_condition)
        none.fill(0)
        first = np.multiply(gradient, chosen, out=context.buffer(gradient.shape))
        second = np.multiply(gradient, ~chosen, out=context.buffer(gradient.shape))
        return none, gathered(first, of_x), gathered(second, of_z)

    def to_onnx(self, writer: Any, condition: str, x: str, z: str) -> str:
        return str(writer.op("Where", writer.op("Not", writer.op("Equal", condition, 0.0)), x, z))

"""Functions of single numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from modnet.activations.blocks import in_blocks
from modnet.activations.gated import normal_distribution
from modnet.arrays import Array
from modnet.kinds.activation import Activation
from modnet.kinds.component import Example

Name = Literal[
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "celu", "clip", "cos", "cosh", "erf", "exp"),
    *("floor", "hard_sigmoid", "is_nan", "log", "negative", "not", "reciprocal", "round", "shrink", "sign", "sin"),
    *("sinh", "softsign", "sqrt", "tan", "thresholded_relu", "truncate"),
]


class Formula(NamedTuple):
    """A function of x, and its derivative from x and y; both are given alpha and beta too."""

    value: Callable[[Array, float, float], Any]
    slope: Callable[[Array, Array, float, float], Any]


def _flat(x: Array, y: Array, alpha: float, beta: float) -> float:
    """The derivative of a function of steps, wherever it has one."""
    return 0.0


FORMULAS: dict[str, Formula] = {
    "abs": Formula(lambda x, a, b: np.abs(x), lambda x, y, a, b: np.sign(x)),
    "acos": Formula(lambda x, a, b: np.arccos(x), lambda x, y, a, b: -1 / np.sqrt(1 - x * x)),
    "acosh": Formula(lambda x, a, b: np.arccosh(x), lambda x, y, a, b: 1 / np.sqrt(x * x - 1)),
    "asin": Formula(lambda x, a, b: np.arcsin(x), lambda x, y, a, b: 1 / np.sqrt(1 - x * x)),
    "asinh": Formula(lambda x, a, b: np.arcsinh(x), lambda x, y, a, b: 1 / np.sqrt(x * x + 1)),
    "atan": Formula(lambda x, a, b: np.arctan(x), lambda x, y, a, b: 1 / (x * x + 1)),
    "atanh": Formula(lambda x, a, b: np.arctanh(x), lambda x, y, a, b: 1 / (1 - x * x)),
    "ceil": Formula(lambda x, a, b: np.ceil(x), _flat),
    "celu": Formula(
        lambda x, a, b: np.maximum(x, 0) + a * np.expm1(np.minimum(x, 0) / a),
        lambda x, y, a, b: np.exp(np.minimum(x, 0) / a),
    ),
    "clip": Formula(lambda x, a, b: np.minimum(np.maximum(x, a), b), lambda x, y, a, b: (x >= a) & (x <= b)),
    "cos": Formula(lambda x, a, b: np.cos(x), lambda x, y, a, b: -np.sin(x)),
    "cosh": Formula(lambda x, a, b: np.cosh(x), lambda x, y, a, b: np.sinh(x)),
    "erf": Formula(
        lambda x, a, b: 2 * normal_distribution(x * math.sqrt(2)) - 1,
        lambda x, y, a, b: 2 / math.sqrt(math.pi) * np.exp(-x * x),
    ),
    "exp": Formula(lambda x, a, b: np.exp(x), lambda x, y, a, b: y),
    "floor": Formula(lambda x, a, b: np.floor(x), _flat),
    "hard_sigmoid": Formula(
        lambda x, a, b: np.clip(a * x + b, 0, 1), lambda x, y, a, b: a * ((a * x + b > 0) & (a * x + b < 1))
    ),
    "is_nan": Formula(lambda x, a, b: np.isnan(x), _flat),
    "log": Formula(lambda x, a, b: np.log(x), lambda x, y, a, b: 1 / x),
    "negative": Formula(lambda x, a, b: np.negative(x), lambda x, y, a, b: -1.0),
    "not": Formula(lambda x, a, b: x == 0, _flat),
    "reciprocal": Formula(lambda x, a, b: 1 / x, lambda x, y, a, b: -y * y),
    "round": Formula(lambda x, a, b: np.rint(x), _flat),
    "shrink": Formula(lambda x, a, b: np.where(np.abs(x) > a, x - b * np.sign(x), 0), lambda x, y, a, b: np.abs(x) > a),
    "sign": Formula(lambda x, a, b: np.sign(x), _flat),
    "sin": Formula(lambda x, a, b: np.sin(x), lambda x, y, a, b: np.cos(x)),
    "sinh": Formula(lambda x, a, b: np.sinh(x), lambda x, y, a, b: np.cosh(x)),
    "softsign": Formula(lambda x, a, b: x / (1 + np.abs(x)), lambda x, y, a, b: 1 / np.square(1 + np.abs(x))),
    "sqrt": Formula(lambda x, a, b: np.sqrt(x), lambda x, y, a, b: 0.5 / y),
    "tan": Formula(lambda x, a, b: np.tan(x), lambda x, y, a, b: 1 + y * y),
    "thresholded_relu": Formula(lambda x, a, b: np.where(x > a, x, 0), lambda x, y, a, b: x > a),
    "truncate": Formula(lambda x, a, b: np.trunc(x), _flat),
}

SHARE = {"acos", "asin", "atanh"}
"""The functions that are defined between -1 and 1 only."""

POSITIVE = {"log", "sqrt", "reciprocal", "acosh"}
"""The functions of positive numbers."""


def _domain(function: str) -> Any:
    """Numbers on which a function has a value and a derivative, for the tests of a component."""
    if function not in SHARE | POSITIVE:
        return None
    low, high = (-0.9, 0.9) if function in SHARE else (1.1, 3.0)
    return lambda rng: (rng.uniform(low, high, (8, 6)), None)


OPERATORS = {
    **{name: name.capitalize() for name in FORMULAS},
    "is_nan": "IsNaN",
    "negative": "Neg",
    "hard_sigmoid": "HardSigmoid",
    "thresholded_relu": "ThresholdedRelu",
}
"""Formula -> ONNX's operator, for those that are one."""


class Elementwise(Activation, type="elementwise"):
    """A function of each number by itself: y = f(x).

    The functions are numpy's, and ONNX's where numpy has none: `celu`, `hard_sigmoid`, `shrink`, `softsign` and
    `thresholded_relu`. A function of steps (`round`, `sign`, `not`) has the derivative 0. `is_nan` and `not` give 0 and
    1; `not` takes 0 for false. Where a function has no value, y is nan.

    Attributes:
        formula: f.
        alpha, beta: of `clip` the lowest and the highest number; of `shrink` lambda and the bias; of the others as in
            ONNX.
    """

    formula: Name
    alpha: float = 0.0
    beta: float = 0.0

    @classmethod
    def examples(cls) -> Sequence[Example]:
        numbers = {"clip": (-0.5, 0.7), "shrink": (0.3, 0.2), "hard_sigmoid": (0.2, 0.5), "celu": (1.5, 0.0)}
        return tuple(
            Example(cls(name, *numbers.get(name, (0.4, 0.0))), ((6,),), data=_domain(name)) for name in FORMULAS
        )

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        with np.errstate(all="ignore"):
            np.copyto(out, FORMULAS[self.formula].value(x, self.alpha, self.beta), casting="unsafe")
        return out

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        with np.errstate(all="ignore"):
            np.copyto(out, FORMULAS[self.formula].slope(x, y, self.alpha, self.beta), casting="unsafe")
        return out

    def to_onnx(self, writer: Any, x: str) -> str:
        name, a, b = self.formula, self.alpha, self.beta
        if name == "truncate":
            return str(writer.op("Mul", writer.op("Sign", x), writer.op("Floor", writer.op("Abs", x))))
        if name == "clip":
            return str(writer.op("Clip", x, a, b))
        if name == "not":
            return str(writer.cast(writer.op("Equal", x, 0.0), writer.dtype))
        if name == "celu":  # as an Elu, since Celu knows float32 alone
            return str(writer.op("Mul", writer.op("Elu", writer.op("Div", x, a)), a))
        options: dict[str, float] = {"shrink": {"lambd": a, "bias": b}, "hard_sigmoid": {"alpha": a, "beta": b}}.get(
            name, {"alpha": a} if name == "thresholded_relu" else {}
        )
        made = writer.op(OPERATORS[name], x, **options)
        return str(writer.cast(made, writer.dtype) if name == "is_nan" else made)

"""S-shaped activations, and softplus, the integral of the logistic function."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from modnet.activations.blocks import at_least, at_most, in_blocks
from modnet.arrays import Array
from modnet.kinds.activation import Activation


@cache
def largest_exponent(dtype: np.dtype[Any]) -> float:
    """An x for which exp(x) does not overflow and 1 / exp(x) is not subnormal."""
    return math.log(float(np.finfo(dtype).max)) - 2.0


def logistic(x: Array, out: Array) -> Array:
    """1 / (1 + exp(-x)), exact to a few units in the last place; below -86.7 in float32 it stays at exp(-86.7)."""
    np.negative(x, out=out)
    at_most(out, largest_exponent(x.dtype), out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    return np.divide(1, out, out=out)


class Sigmoid(Activation, type="sigmoid"):
    """The logistic function, y = 1 / (1 + exp(-x)).

    Small values keep their relative accuracy, so that improbable samples can still be ranked. (1 + tanh(x / 2)) / 2
    would be twice as fast, but is 0 below -17 in float32.
    """

    needs_input = False
    output_range = (0.0, 1.0)

    def function(self, x: Array, out: Array) -> Array:
        return logistic(x, out)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        np.subtract(1, y, out=out)
        return np.multiply(out, y, out=out)


class Tanh(Activation, type="tanh"):
    """The hyperbolic tangent."""

    needs_input = False
    output_range = (-1.0, 1.0)

    def function(self, x: Array, out: Array) -> Array:
        return np.tanh(x, out=out)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        np.multiply(y, y, out=out)
        return np.subtract(1, out, out=out)


class Softplus(Activation, type="softplus"):
    """y = log(1 + exp(x)): a smooth relu. Its derivative is the logistic function, 1 - exp(-y)."""

    needs_input = False
    output_range = (0.0, math.inf)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        # max(x, 0) + log1p(exp(-|x|)): the exponential cannot overflow.
        tail = np.abs(x)
        np.negative(tail, out=tail)
        np.exp(tail, out=tail)
        np.log1p(tail, out=tail)
        at_least(x, 0.0, out)
        return np.add(out, tail, out=out)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        np.negative(y, out=out)
        np.expm1(out, out=out)
        return np.negative(out, out=out)

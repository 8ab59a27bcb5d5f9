"""Functions of one number, float32 or float64, written so that a loop of them is compiled to vector instructions.

The C library's own take one number at a time. All give nan for nan, and errors of a few units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from modnet.activations.gated import SHORT_TAIL, TAIL
from modnet.activations.sigmoid import largest_exponent
from modnet_numba.compiling import inlined


def constant(single: float, double: float | None = None) -> Callable[[Any], Any]:
    """A function that gives a constant in the type of its argument: numba takes a plain 0.5 for a float64."""
    double = single if double is None else double

    @intrinsic
    def of(typing_context, x):
        value = float(np.float32(single)) if x == types.float32 else double

        def generate(context, builder, signature, arguments):
            return ir.Constant(context.get_value_type(signature.return_type), value)

        return x(x), generate

    return of  # type: ignore[return-value]


def polynomial(single: Sequence[float], double: Sequence[float]) -> Callable[[Any], Any]:
    """A function that gives the polynomial of its argument, by Horner's rule; coefficients from the constant one on."""

    @intrinsic
    def of(typing_context, x):
        coefficients = [float(np.float32(c)) for c in single] if x == types.float32 else double

        def generate(context, builder, signature, arguments):
            kind = context.get_value_type(signature.return_type)
            total = ir.Constant(kind, coefficients[-1])
            for coefficient in coefficients[-2::-1]:
                total = builder.fmul(total, arguments[0], flags=("contract",))
                total = builder.fadd(total, ir.Constant(kind, coefficient), flags=("contract",))
            return total

        return x(x), generate

    return of  # type: ignore[return-value]


@intrinsic
def power_of_two(typing_context, shifted):
    """2**n for shifted = n + `ROUNDER`: the last bits of that sum are n, which become the exponent."""
    width, mantissa, bias = (32, 23, 127) if shifted == types.float32 else (64, 52, 1023)

    def generate(context, builder, signature, arguments):
        integer = ir.IntType(width)
        bits = builder.shl(builder.bitcast(arguments[0], integer), ir.Constant(integer, mantissa))
        bits = builder.add(bits, ir.Constant(integer, bias << mantissa))
        return builder.bitcast(bits, context.get_value_type(signature.return_type))

    return shifted(shifted), generate


ZERO, HALF, ONE, TWO = (constant(value) for value in (0.0, 0.5, 1.0, 2.0))
ROUNDER = constant(1.5 * 2**23, 1.5 * 2**52)  # To add it is to round to a whole number.
LOG2_E = constant(1 / math.log(2))
# The first part of log(2) has so few bits that its product with n is exact; the second is the rest.
LOG_2_HIGH = constant(0.693359375, 0.6931471803691238)
LOG_2_LOW = constant(-2.12194440054690583e-4, 1.9082149292705877e-10)
SMALLEST_EXPONENT = constant(-87.3, -708.3)
LARGEST_EXPONENT = constant(*(largest_exponent(np.dtype(dtype)) for dtype in (np.float32, np.float64)))
# (exp(r) - 1) / r for |r| <= log(2) / 2
EXPONENTIAL = polynomial(
    [1 / math.factorial(k) for k in range(1, 8)],
    [1 / math.factorial(k) for k in range(1, 14)],
)
# atanh(s) / s in s**2, for s <= 1/3
ARTANH = polynomial([1 / (2 * k + 1) for k in range(8)], [1 / (2 * k + 1) for k in range(17)])
NORMAL_TAIL = polynomial(SHORT_TAIL, TAIL)
DENSITY_AT_ZERO = constant(1 / math.sqrt(2 * math.pi))
FARTHEST = constant(39.0)
MIDDLE = constant(4.5)


@inlined
def exp(x):
    """exp(x) for x <= 88 (float32) or 709; 0 where the result would be less than the smallest normal number."""
    shifted = x * LOG2_E(x) + ROUNDER(x)
    n = shifted - ROUNDER(x)
    r = (x - n * LOG_2_HIGH(x)) - n * LOG_2_LOW(x)
    scale = power_of_two(shifted)
    y = scale * (r * EXPONENTIAL(r)) + scale
    return ZERO(x) if x < SMALLEST_EXPONENT(x) else y


@inlined
def expm1(x):
    """exp(x) - 1 for x in the range of `exp`, with all its digits near 0."""
    shifted = x * LOG2_E(x) + ROUNDER(x)
    n = shifted - ROUNDER(x)
    r = (x - n * LOG_2_HIGH(x)) - n * LOG_2_LOW(x)
    scale = power_of_two(shifted)
    y = scale * (r * EXPONENTIAL(r)) + (scale - ONE(x))
    return -ONE(x) if x < SMALLEST_EXPONENT(x) else y


@inlined
def log1p(x):
    """log(1 + x) = 2 artanh(x / (2 + x)) for x from 0 to 1."""
    s = x / (TWO(x) + x)
    return TWO(x) * s * ARTANH(s * s)


@inlined
def logistic(x):
    """1 / (1 + exp(-x))."""
    return ONE(x) / (ONE(x) + exp(LARGEST_EXPONENT(x) if -x > LARGEST_EXPONENT(x) else -x))


@inlined
def normal_distribution(x):
    """The standard normal distribution, as `modnet.activations.gated.normal_distribution` has it, and its density."""
    z = abs(x)
    z = FARTHEST(x) if z > FARTHEST(x) else z
    bell = exp(-HALF(x) * z * z)
    tail = NORMAL_TAIL((z - MIDDLE(x)) / (z + MIDDLE(x))) * bell / (ONE(x) + z)
    return (ONE(x) - tail if x >= ZERO(x) else tail), bell * DENSITY_AT_ZERO(x)

"""Activations that multiply their input by a gate between 0 and 1."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Literal

import numpy as np

from modnet.activations.blocks import at_most, in_blocks
from modnet.activations.sigmoid import logistic
from modnet.arrays import Array, constant
from modnet.kinds.activation import Activation


def logistic_gate_slope(x: Array, gate: Array, growth: Array | float, out: Array) -> Array:
    """The derivative of x * gate, with gate = logistic(u(x)) and growth = u'(x): gate * (1 + x * (1 - gate) * u')."""
    np.subtract(1, gate, out=out)
    np.multiply(out, x, out=out)
    np.multiply(out, growth, out=out)
    np.add(out, 1, out=out)
    return np.multiply(out, gate, out=out)


class SiLU(Activation, type="silu"):
    """y = x / (1 + exp(-x)), also called swish.

    Source: Elfwing, Uchibe and Doya 2017, arXiv:1702.03118; Ramachandran, Zoph and Le 2017, arXiv:1710.05941.
    """

    scratch_output = True
    output_range = (-0.2785, math.inf)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return np.multiply(x, logistic(x, np.empty_like(x)), out=out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        return logistic_gate_slope(x, logistic(x, np.empty_like(x)), 1.0, out)


class Mish(Activation, type="mish"):
    """y = x * tanh(softplus(x)).

    With e = exp(x) the factor is n / (n + 2), n = e * (e + 2): this needs one exponential and loses no digits.

    Source: Misra 2019, arXiv:1908.08681.
    """

    scratch_output = True
    output_range = (-0.3089, math.inf)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        e = self._exponential(x)
        e *= e + 2
        np.divide(e, e + 2, out=e)
        return np.multiply(x, e, out=out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        e = self._exponential(x)
        n = e * (e + 2)
        # d/dx n / (n + 2) = 2 n' / (n + 2)**2 with n' = 2 e (e + 1)
        e *= e + 1
        n += 2
        np.divide(e, n, out=e)
        np.divide(e, n, out=e)
        np.multiply(e, x, out=e)
        np.multiply(e, 4, out=e)
        np.divide(2, n, out=n)
        np.subtract(1, n, out=out)
        return np.add(out, e, out=out)

    def _exponential(self, x: Array) -> Array:
        # From 20 on the factor is 1 to the last digit, in float64 too; beyond 44 exp(x)**2 overflows in float32.
        e = at_most(x, 20.0, np.empty_like(x))
        return np.exp(e, out=e)


# P(t) in Q(z) = exp(-z**2 / 2) P(t) / (1 + z), t = (z - 4.5) / (z + 4.5), where Q(z) is the probability that a standard
# normal variable exceeds z >= 0. Interpolated at Chebyshev nodes with 50 digits; the relative errors are 3e-17 up to
# z = 39, and for the short one, for float32, 2e-8 up to z = 13.5.
TAIL = (
    0.46641865659290194,
    -0.09445675888818722,
    0.023842964769118454,
    0.01892265666275088,
    -0.030376890965771113,
    0.0226163104460836,
    -0.01059108533717731,
    0.002711246116676665,
    0.00011925569908570023,
    -0.00035300190972458584,
    7.095203965488957e-05,
    3.383567595736493e-05,
    -1.4895587821463646e-05,
    -3.5877582033965104e-06,
    2.548949057992058e-06,
    5.295445157327417e-07,
    -4.235529176437766e-07,
    -1.1128857560242381e-07,
    6.33660541891372e-08,
    2.5522903616386086e-08,
    -5.307041609609546e-09,
    -3.935973820915269e-09,
    -4.769207616896135e-10,
)
SHORT_TAIL = (
    0.466418661,
    -0.0944567803,
    0.0238425253,
    0.0189234491,
    -0.0303697176,
    0.0226108773,
    -0.0106336903,
    0.00271356325,
    0.000219882617,
    -0.000313457144,
)


@cache
def _coefficients(dtype: np.dtype[Any]) -> tuple[Array, ...]:
    """Those of the tail, as arrays."""
    return tuple(constant(number, dtype) for number in (SHORT_TAIL if dtype.itemsize <= 4 else TAIL))


def bell(z: Array) -> Array:
    """exp(-z^2 / 2); z >= 0 is clipped to 39, in place, where the result is 0 in float64, so that z^2 stays finite."""
    at_most(z, 39.0, z)
    result: Array = z * z
    np.multiply(result, -0.5, out=result)
    np.exp(result, out=result)
    return result


def normal_distribution(x: Array) -> Array:
    """The cumulative function of the standard normal distribution, (1 + erf(x / sqrt(2))) / 2.

    Its relative error is a few units in the last place on both sides of 0, in float32 and in float64: it is computed
    from the upper tail and not from erf, since 1 + erf(x / sqrt(2)) cancels for negative x.

    Source: the form of the approximation, one polynomial in (z - k) / (z + k) for the whole axis, is that of Shepherd
    and Laframboise 1981, "Chebyshev approximation of (1 + 2x) exp(x**2) erfc x in 0 <= x < infinity", Mathematics of
    Computation 36; the coefficients are our own.
    """
    z = np.abs(x)
    height = bell(z)
    t = z + 4.5
    np.divide(z - 4.5, t, out=t)
    coefficients = _coefficients(x.dtype)
    tail = t * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        np.add(tail, coefficient, out=tail)
        np.multiply(tail, t, out=tail)
    np.add(tail, coefficients[0], out=tail)
    np.multiply(tail, height, out=tail)
    np.add(z, 1, out=z)
    np.divide(tail, z, out=tail)
    # |(x >= 0) - tail| is 1 - tail for x >= 0 and tail below: no branch, and no `where` with a second array.
    np.greater_equal(x, 0, out=z)
    np.subtract(z, tail, out=z)
    return np.abs(z, out=z)


class GELU(Activation, type="gelu"):
    """The Gaussian error linear unit, y = x * P(Z <= x) for a standard normal Z.

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.

    Attributes:
        form: "exact", or "tanh" for y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))), which differs by up
            to 5e-4; some published models were trained with it (`approximate="tanh"` in torch).
    """

    output_range = (-0.1701, math.inf)
    form: Literal["exact", "tanh"] = "exact"

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        gate = normal_distribution(x) if self.form == "exact" else self._tanh_gate(x)
        return np.multiply(x, gate, out=out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        if self.form == "exact":
            # P(Z <= x) = y / x takes a quarter of the time of computing it again; near 0 it is 1/2. There (at_zero = 1)
            # 1/2 + y is divided by 1 + x, which is 1/2 to the last digit and avoids 0 / 0.
            distance = np.abs(x)
            at_zero = np.less(distance, 1e-30, out=np.empty_like(x))
            gate: Array = x + at_zero
            np.multiply(at_zero, 0.5, out=at_zero)
            np.add(at_zero, y, out=at_zero)
            np.divide(at_zero, gate, out=gate)
            density = bell(distance)
            np.multiply(density, x, out=density)
            np.multiply(density, 1 / math.sqrt(2 * math.pi), out=density)
            np.add(gate, density, out=out)
            return out
        growth = x * x
        np.multiply(growth, 3 * GELU_CUBIC, out=growth)
        np.add(growth, 1, out=growth)
        np.multiply(growth, GELU_SCALE, out=growth)
        return logistic_gate_slope(x, self._tanh_gate(x), growth, out)

    def _tanh_gate(self, x: Array) -> Array:
        # (1 + tanh(u)) / 2 = logistic(2 u), which keeps its digits where tanh(u) is near -1.
        u = x * x
        np.multiply(u, GELU_CUBIC, out=u)
        np.add(u, 1, out=u)
        np.multiply(u, x, out=u)
        np.multiply(u, GELU_SCALE, out=u)
        return logistic(u, u)


GELU_SCALE = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715

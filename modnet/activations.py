"""Activations, each with its derivative beside it.

All are stable: no overflow and no nan for any |x| up to 1e4 in float32, in value or in derivative. Where a kink leaves
the derivative open (relu at 0), it is the one from the left. Arrays keep their dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np

from modnet.arrays import Array, Shape, ones, workspace_along_rows
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import Constant
from modnet.kinds.activation import Activation
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Parameter

if TYPE_CHECKING:
    from modnet.kinds.context import Context

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyReLU",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]

BLOCK = 16384
"""Elements that a formula of many passes treats at a time, so that its intermediate arrays stay in the cache."""

PIECE = 65536
"""Elements that are held against a bound at a time."""

FEW = 2048
"""So many elements need no second array to be held against a bound."""

Method = TypeVar("Method", bound=Callable[..., Array])


def in_blocks(method: Method) -> Method:
    """Has a method on arrays, the last of them its output, run over blocks of rows of about `BLOCK` elements."""

    @wraps(method)
    def run(self: Any, *arrays: Array | None) -> Array:
        out = cast(Array, arrays[-1])
        if out.size <= BLOCK:
            return method(self, *arrays)
        rows = max(1, BLOCK * len(out) // out.size)
        for start in range(0, len(out), rows):
            method(self, *(array if array is None else array[start : start + rows] for array in arrays))
        return out

    return cast(Method, run)


@cache
def _bound(bound: float, dtype: np.dtype[Any], size: int) -> Array:
    """A number as an array without axes, or so many times."""
    made = np.full(size, bound, dtype) if size else np.asarray(bound, dtype)
    made.flags.writeable = False
    return made


def _bounded(ufunc: np.ufunc, x: Array, bound: float, out: Array) -> Array:
    rows = PIECE * len(out) // out.size if out.size > FEW else 0
    if not rows:
        ufunc(x, _bound(bound, x.dtype, 0), out=out)
        return out
    bounds = _bound(bound, x.dtype, PIECE)
    for start in range(0, len(out), rows):
        piece = out[start : start + rows]
        ufunc(x[start : start + rows], bounds[: piece.size].reshape(piece.shape), out=piece)
    return out


def at_least(x: Array, bound: float, out: Array) -> Array:
    """Writes max(x, bound). numpy has vector instructions for two arrays, and none for an array and a number."""
    return _bounded(np.maximum, x, bound, out)


def at_most(x: Array, bound: float, out: Array) -> Array:
    """Writes min(x, bound)."""
    return _bounded(np.minimum, x, bound, out)


class Identity(Activation, type="identity"):
    """y = x."""

    needs_input = False
    keeps_numbers = True

    def function(self, x: Array, out: Array) -> Array:
        np.copyto(out, x)
        return out

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        out.fill(1)
        return out

    def forward(self, context: Context, x: Array) -> Array:
        return x

    def backward(self, context: Context, gradient: Array) -> Array:
        return gradient


class ReLU(Activation, type="relu"):
    """The rectified linear unit, y = max(x, 0)."""

    needs_input = False
    output_range = (0.0, math.inf)

    def function(self, x: Array, out: Array) -> Array:
        return at_least(x, 0.0, out)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        return np.greater(y, 0, out=out)

    def backward(self, context: Context, gradient: Array) -> Array:
        _, y = context.saved
        positive = np.greater(y, 0, out=context.buffer(y.shape, bool))
        gradient *= positive
        return gradient


class LeakyReLU(Activation, type="leaky_relu"):
    """y = x where x > 0, negative_slope * x elsewhere.

    Source: Maas, Hannun and Ng 2013, "Rectifier nonlinearities improve neural network acoustic models"; the slope of
    0.01 is theirs.
    """

    needs_input = False
    output_range = (-math.inf, math.inf)
    negative_slope: float = field(default=0.01, minimum=0.0, maximum=1.0)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return np.maximum(x, x * self.negative_slope, out=out)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        np.greater(y, 0, out=out)
        return np.maximum(out, self.negative_slope, out=out)


class PReLU(Activation, type="prelu"):
    """y = x where x > 0, alpha * x elsewhere, with a trainable alpha for each feature of the last axis.

    Weight decay does not apply to alpha: it would pull towards relu.

    Source: He et al. 2015, arXiv:1502.01852, section 2.1, with its initial value 0.25.

    Attributes:
        shared: one alpha for all features (torch's default) in place of one for each (the paper's).
        alpha_initializer: of alpha.

    Raises:
        ShapeError: the last axis is variable, and not `shared`.
    """

    elementwise = False
    scratch_output = True
    output_range = (-math.inf, math.inf)
    shared: bool = False
    alpha_initializer: Initializer = Constant(0.25)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        features = input_shapes[0][-1:]
        if self.shared:
            return {"alpha": Parameter((), self.alpha_initializer, decay=False)}
        if not features or features[0] is None:
            raise ShapeError("expects a last axis of fixed size, for an alpha for each feature", "or shared = true")
        return {"alpha": Parameter((features[0],), self.alpha_initializer, decay=False)}

    def forward(self, context: Context, x: Array) -> Array:
        negative = at_most(x, 0.0, context.buffer(x.shape))
        np.multiply(negative, context.params["alpha"], out=negative)
        context.save(x)
        y = at_least(x, 0.0, x if context.may_overwrite_input else context.buffer(x.shape))
        return np.add(y, negative, out=y)

    def backward(self, context: Context, gradient: Array) -> Array:
        x: Array = context.saved[0]
        alpha = context.params["alpha"]
        slope = at_most(x, 0.0, context.buffer(x.shape))
        np.multiply(slope, gradient, out=slope)
        np.add.reduce(slope, axis=None if self.shared else tuple(range(x.ndim - 1)), out=context.grads["alpha"])
        # alpha where x <= 0, and exactly 1 elsewhere.
        positive = np.greater(x, 0, out=context.buffer(x.shape, bool))
        np.logical_not(positive, out=slope)
        np.multiply(slope, alpha, out=slope)
        np.add(slope, positive, out=slope)
        slope *= gradient
        return slope


def exponential_linear(x: Array, scale: float, alpha: float, out: Array) -> Array:
    """scale * (x where x > 0, alpha * (exp(x) - 1) elsewhere)."""
    negative = at_most(x, 0.0, np.empty_like(x))
    np.expm1(negative, out=negative)
    np.multiply(negative, alpha, out=negative)
    at_least(x, 0.0, out)
    np.add(out, negative, out=out)
    return out if scale == 1.0 else np.multiply(out, scale, out=out)


def exponential_linear_slope(y: Array, scale: float, alpha: float, out: Array) -> Array:
    """The derivative of `exponential_linear`: scale where y > 0, y + scale * alpha elsewhere."""
    positive = np.greater(y, 0, out=np.empty_like(y))
    np.multiply(positive, scale - scale * alpha, out=positive)
    at_most(y, 0.0, out)
    np.add(out, scale * alpha, out=out)
    return np.add(out, positive, out=out)


class ELU(Activation, type="elu"):
    """The exponential linear unit: y = x where x > 0, alpha * (exp(x) - 1) elsewhere.

    Source: Clevert, Unterthiner and Hochreiter 2015, arXiv:1511.07289.
    """

    needs_input = False
    output_range = (-math.inf, math.inf)
    alpha: float = field(default=1.0, minimum=0.0)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return exponential_linear(x, 1.0, self.alpha, out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        return exponential_linear_slope(y, 1.0, self.alpha, out)


SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


class SELU(Activation, type="selu"):
    """The elu that keeps mean 0 and variance 1 from layer to layer, with `lecun_normal` weights.

    y = scale * x where x > 0, scale * alpha * (exp(x) - 1) elsewhere; scale = 1.0507..., alpha = 1.6732...

    Source: Klambauer et al. 2017, arXiv:1706.02515, equation 14.
    """

    needs_input = False
    output_range = (-SELU_SCALE * SELU_ALPHA, math.inf)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return exponential_linear(x, SELU_SCALE, SELU_ALPHA, out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        return exponential_linear_slope(y, SELU_SCALE, SELU_ALPHA, out)


@cache
def largest_exponent(dtype: np.dtype[Any]) -> float:
    """An x for which neither exp(x) overflows nor 1 / exp(x) is denormal."""
    return math.log(float(np.finfo(dtype).max)) - 2.0


def logistic(x: Array, out: Array) -> Array:
    """1 / (1 + exp(-x)), to a few units in the last place everywhere; below -86 in float32 it stays at exp(-86.7)."""
    np.negative(x, out=out)
    at_most(out, largest_exponent(x.dtype), out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    return np.divide(1, out, out=out)


class Sigmoid(Activation, type="sigmoid"):
    """The logistic function, y = 1 / (1 + exp(-x)).

    Small values keep their relative accuracy, so that improbable samples can still be ranked; (1 + tanh(x / 2)) / 2
    would be twice as fast and give 0 below -17 in float32.
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

    With e = exp(x) the factor is n / (n + 2), n = e * (e + 2), which needs one exponential and loses no digits.

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
        # From 20 on the factor is 1 to the last digit, in float64 too; exp(x)**2 would soon overflow.
        e = at_most(x, 20.0, np.empty_like(x))
        return np.exp(e, out=e)


# P(t) in Q(z) = exp(-z**2 / 2) P(t) / (1 + z), t = (z - 4.5) / (z + 4.5), where Q(z) is the probability that a standard
# normal variable exceeds z >= 0. Interpolated at Chebyshev nodes with 50 digits; the relative errors are 3e-17 up to
# z = 39, and 2e-8 up to z = 13.5 for the short one, which is for float32.
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


def bell(z: Array) -> Array:
    """exp(-z^2 / 2); z >= 0 is clipped to 39, where that is 0 in float64."""
    at_most(z, 39.0, z)
    result: Array = z * z
    np.multiply(result, -0.5, out=result)
    np.exp(result, out=result)
    return result


def normal_distribution(x: Array) -> Array:
    """The cumulative function of the standard normal distribution, (1 + erf(x / sqrt(2))) / 2.

    It is accurate to some units in the last place, relative to itself on both sides, in float32 as in float64: it is
    taken from the upper tail and not from erf, which would lose the digits below 0.

    Source: the form of the approximation, one polynomial in (z - k) / (z + k) for the whole axis, is that of Shepherd
    and Laframboise 1981, "Chebyshev approximation of (1 + 2x) exp(x**2) erfc x in 0 <= x < infinity", Mathematics of
    Computation 36; the coefficients are our own.
    """
    z = np.abs(x)
    height = bell(z)
    t = z + 4.5
    np.divide(z - 4.5, t, out=t)
    coefficients = SHORT_TAIL if x.dtype.itemsize <= 4 else TAIL
    tail = t * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        np.add(tail, coefficient, out=tail)
        np.multiply(tail, t, out=tail)
    np.add(tail, coefficients[0], out=tail)
    np.multiply(tail, height, out=tail)
    np.add(z, 1, out=z)
    np.divide(tail, z, out=tail)
    np.greater_equal(x, 0, out=z)
    np.subtract(z, tail, out=z)
    return np.abs(z, out=z)


class GELU(Activation, type="gelu"):
    """The Gaussian error linear unit, y = x * P(Z <= x) for a standard normal Z.

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.

    Attributes:
        form: "exact", or "tanh" for y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))), which is up to 5e-4
            off and what some published models were trained with (`approximate="tanh"` in torch).
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
            # P(Z <= x) is y / x, and next to 0 it is 1/2: a quarter of the work of finding it again.
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


class HardSigmoid(Activation, type="hard_sigmoid"):
    """y = min(max(x + 3, 0), 6) / 6, a sigmoid of three straight pieces.

    This is torch's and that of Howard et al. 2019, arXiv:1905.02244. (Keras before version 3 had a slope of 0.2.)
    """

    needs_input = False
    output_range = (0.0, 1.0)

    def function(self, x: Array, out: Array) -> Array:
        np.add(x, 3, out=out)
        at_least(out, 0.0, out)
        at_most(out, 6.0, out)
        return np.divide(out, 6, out=out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        np.greater(y, 0, out=out)
        np.multiply(out, y < 1, out=out)
        return np.divide(out, 6, out=out)


class HardSwish(Activation, type="hard_swish"):
    """y = x * min(max(x + 3, 0), 6) / 6.

    Source: Howard et al. 2019, arXiv:1905.02244, section 5.2; torch's is the same.
    """

    scratch_output = True
    output_range = (-0.375, math.inf)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return np.multiply(x, HardSigmoid().function(x, np.empty_like(x)), out=out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        # 0 up to -3, x / 3 + 1/2 between, 1 from 3 on
        np.divide(x, 3, out=out)
        np.add(out, 0.5, out=out)
        np.multiply(out, np.abs(x) < 3, out=out)
        return np.add(out, x >= 3, out=out)


def with_classes(shape: Shape) -> Shape:
    """The shape, which has to have a last axis: without one the batch would be taken for the classes."""
    if not shape:
        raise ShapeError("expects samples with a last axis, that of the classes")
    return shape


def padded_steps(context: Context, x: Array) -> Array | None:
    """Which numbers are those of padded steps, where the last axis is one of steps, (batch, time); else None."""
    mask = context.masks[0]
    return ~mask if mask is not None and x.ndim == 2 and mask.shape == x.shape else None


def lowest(x: Array) -> Any:
    """A number far below any other, and so large that differences from it are still finite."""
    return x.dtype.type(np.finfo(x.dtype).min / 4)


class Softmax(Activation, type="softmax"):
    """y = exp(x) / sum(exp(x)) over the last axis. Its backward pass uses the full Jacobian, y * (g - sum(g * y)).

    Over the steps of sequences, (time,), padded steps have 0, and the others sum to 1 without them.
    """

    elementwise = False
    needs_input = False
    output_range = (0.0, 1.0)
    normalizes = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return with_classes(input_shapes[0])

    def function(self, x: Array, out: Array) -> Array:
        return self._softmax(x, out, np.empty)

    def forward(self, context: Context, x: Array) -> Array:
        padded = padded_steps(context, x)
        out = x if context.may_overwrite_input else context.buffer(x.shape)
        if padded is not None:
            x = np.where(padded, lowest(x), x)
        y = self._softmax(x, out, context.buffer)
        if padded is not None:
            y[padded] = 0  # also of a sequence that has no step at all
        context.save(None, y)
        return y

    def _softmax(self, x: Array, out: Array, allocate: Callable[[tuple[int, ...], np.dtype[Any]], Array]) -> Array:
        if out.size == out.shape[-1]:
            lone = (0,) * (out.ndim - 1)
            row, result = x[lone], out[lone]
            np.subtract(row, row[row.argmax()], out=result)
            np.exp(result, out=result)
            np.divide(result, result.dot(ones(len(result), result.dtype)), out=result)
            return out
        work = workspace_along_rows(out, allocate)
        if work is None:
            work = out
        np.copyto(work, x)
        # exp(1000) is inf; softmax does not feel a shift.
        work -= np.maximum.reduce(work, axis=-1, keepdims=True)
        np.exp(work, out=work)
        return np.divide(work, np.add.reduce(work, axis=-1, keepdims=True), out=out)

    def backward(self, context: Context, gradient: Array) -> Array:
        _, y = context.saved
        inner = np.einsum("...i,...i->...", gradient, y)
        gradient -= inner[..., None]
        gradient *= y
        return gradient


class LogSoftmax(Activation, type="log_softmax"):
    """y = x - log(sum(exp(x))) over the last axis.

    Over the steps of sequences, (time,), padded steps are left out of the sum, and get nearly the lowest number.
    """

    elementwise = False
    needs_input = False
    output_range = (-math.inf, 0.0)
    normalizes = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return with_classes(input_shapes[0])

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        np.subtract(x, x.max(axis=-1, keepdims=True), out=out)
        exponentials = np.exp(out)
        out -= np.log(exponentials.sum(axis=-1, keepdims=True))
        return out

    def forward(self, context: Context, x: Array) -> Array:
        padded = padded_steps(context, x)
        return cast(Array, super().forward(context, x if padded is None else np.where(padded, lowest(x), x)))

    def backward(self, context: Context, gradient: Array) -> Array:
        _, y = context.saved
        padded = padded_steps(context, y)
        if padded is not None:
            gradient[padded] = 0
        total = gradient.sum(axis=-1, keepdims=True)
        softmax = np.exp(y, out=context.buffer(y.shape))
        np.multiply(softmax, total, out=softmax)
        gradient -= softmax
        return gradient

"""Gradients against central differences: the test that every layer must pass.

def test_the_gradients_of_my_layer() -> None:
    for name, error in layer_gradient_errors(MyLayer(width=3), (5,)).items():
        assert error < 1e-6, name
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array, Shape
from modnet.engine.parameters import FlatArray
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer

__all__ = ["directional_error", "layer_context", "layer_gradient_errors", "layer_inputs"]

LARGEST_ERROR = 1e-6
"""Of a right gradient, against central differences in float64."""


@dataclass(frozen=True)
class Slope:
    """The slope of a function along one direction, found in two ways.

    Attributes:
        numeric: by the central difference.
        claimed: by the claimed gradient.
        noise: how far rounding of the function's values alone can move `numeric`.
    """

    numeric: float
    claimed: float
    noise: float

    @property
    def error(self) -> float:
        """Their difference beyond noise, relative to the greater one; inf if one of them is not finite."""
        if not (math.isfinite(self.numeric) and math.isfinite(self.claimed)):
            return math.inf
        distance = max(0.0, abs(self.numeric - self.claimed) - self.noise)
        return distance / max(abs(self.numeric), abs(self.claimed), float(np.finfo(np.float64).tiny))

    def __str__(self) -> str:
        return (
            f"along one direction finite differences give a slope of {self.numeric:.6g}, the gradient gives "
            f"{self.claimed:.6g}: a relative error of {self.error:.2g}"
        )


def directional_error(value: Callable[[Array], float], gradient: Array, x: Array, rng: np.random.Generator) -> float:
    """How far a gradient is from the central difference along one random direction, relative to the greater of both.

    The part that rounding of `value` can explain is subtracted, so that a true gradient of zero passes.

    Args:
        value: a function of an array like x, in float64.
        gradient: its claimed gradient at x.
        x: the point at which they are compared.
        rng: draws the direction.

    Returns:
        0 for a perfect gradient; below 1e-6 for a right one, inf for one that is not finite.
    """
    return _slope(value, gradient, x, rng.standard_normal(x.shape), 1.0).error


def directional_slope(value: Callable[[Array], float], gradient: Array, x: Array, rng: np.random.Generator) -> Slope:
    """The slopes along one random direction; if they differ, shorter steps are tried too, and the best is taken.

    A long step is inaccurate if the function is curved or has a kink nearby; a short step suffers from rounding.
    A wrong gradient is wrong with all of them.

    Args:
        value, gradient, x, rng: as for `directional_error`.
    """
    direction = rng.standard_normal(x.shape)
    best = _slope(value, gradient, x, direction, 1.0)
    for scale in (1 / 8, 1 / 64):
        if best.error <= LARGEST_ERROR:
            break
        best = min(best, _slope(value, gradient, x, direction, scale), key=lambda slope: slope.error)
    return best


def _slope(value: Callable[[Array], float], gradient: Array, x: Array, direction: Array, scale: float) -> Slope:
    # The cube root of the rounding unit: here truncation and rounding errors are equally large.
    h = scale * 6e-6 * max(1.0, float(np.abs(x).max(initial=0.0)))
    above, below = value(x + h * direction), value(x - h * direction)
    noise = 10 * float(np.finfo(np.float64).eps) * max(abs(above), abs(below)) / h
    return Slope((above - below) / (2 * h), float(np.vdot(gradient, direction)), noise)


def directional_slopes(
    functional: Callable[[], float], claims: Mapping[str, tuple[Array, Array]], rng: np.random.Generator
) -> dict[str, Slope]:
    """The `directional_slope` of each of several gradients of one functional.

    Args:
        functional: reads the arrays, in float64.
        claims: name -> the array, which is moved in place and put back, and its claimed gradient.
        rng: draws the directions.
    """
    return {
        name: directional_slope(_moving(array, functional), gradient, array.copy(), rng)
        for name, (array, gradient) in claims.items()
    }


def _moving(array: Array, functional: Callable[[], float]) -> Callable[[Array], float]:
    """The functional as a function of an array that it reads."""

    def value(moved: Array) -> float:
        before = array.copy()
        array[...] = moved
        result = functional()
        array[...] = before
        return result

    return value


def layer_context(
    layer: Layer, *input_shapes: Shape, dtype: DTypeLike = np.float64, training: bool = True, seed: int = 0
) -> Context:
    """A context in which a layer can run by itself.

    Parameters are initialised and then shifted a little, so that zeros and ones are not special. Gradients are nan, so
    that a gradient that is not written is noticed. The state has its first values.

    Args:
        input_shapes: of one sample, for each input.
    """
    rng = np.random.default_rng(seed)
    parameters = layer.parameters(*input_shapes)
    params = FlatArray(((name, parameter.shape) for name, parameter in parameters.items()), dtype)
    for name, parameter in parameters.items():
        parameter.initialize(params[name], rng)
        params[name] += rng.uniform(-0.1, 0.1, parameter.shape).astype(params.dtype)
    grads = params.like()
    grads.flat.fill(np.nan)
    declared = layer.state(*input_shapes)
    state = FlatArray(((name, array.shape) for name, array in declared.items()), dtype)
    for name, array in declared.items():
        array.initialize(state[name], lambda: rng)
    return Context(dtype, params, grads, state, rng, training)


def layer_inputs(
    layer: Layer, *input_shapes: Shape, batch: int, dtype: DTypeLike = np.float64, seed: int = 0
) -> list[Array]:
    """Random inputs on which differences can be taken, one for each shape; a variable axis gets the size 3.

    The numbers are spread evenly between -3.6 and 3.6: no two are so close that a maximum could move from one to the
    other, and none is near 0, where many functions have a kink. A layer of ids gets 0 and 1.
    """
    rng = np.random.default_rng(seed)
    inputs: list[Array] = []
    for shape in input_shapes:
        sizes = (batch, *(3 if axis is None else axis for axis in shape))
        if layer.integer_input:
            inputs.append(rng.integers(0, 2, sizes))
            continue
        count = math.prod(sizes)
        ranks = rng.permutation(count) + rng.uniform(0.25, 0.75, count)
        numbers = 7.0 * ranks / count - 3.5
        inputs.append((numbers + np.copysign(0.1, numbers)).reshape(sizes).astype(dtype))
    return inputs


def layer_gradient_errors(
    layer: Layer, *input_shapes: Shape, batch: int = 4, seed: int = 0, training: bool = True
) -> dict[str, float]:
    """The errors of a layer's gradients in float64, of one random linear functional of its outputs.

    What the layer adds to the loss (`context.penalize`) is part of the functional. Parameters that are never trained
    have no gradient.

    Every evaluation starts from the same random numbers and the same state, so that dropout is a fixed function and
    running means do not change.

    Args:
        input_shapes: of one sample, for each input; a variable axis gets the size 3.
        batch: samples.
        training: the value of context.training.

    Returns:
        "input", or "input_1", "input_2" ..., and each parameter's name -> `directional_error` of its gradient. Ids have
        none.

    Raises:
        AssertionError: the layer writes into an input, gives an output of another shape than output_shape, changes the
            dtype (float32 is tried too), or gives gradients whose shapes differ from those of the inputs.
    """
    return _Check(layer, input_shapes, batch, seed, training).errors()


def _as_tuple(made: Any) -> tuple[Array, ...]:
    return made if isinstance(made, tuple) else (made,)


class _Check:
    def __init__(self, layer: Layer, shapes: tuple[Shape, ...], batch: int, seed: int, training: bool) -> None:
        self.layer = layer
        self.inputs = layer_inputs(layer, *shapes, batch=batch, seed=seed)
        self.shapes = tuple(x.shape[1:] for x in self.inputs)
        self.batch = batch
        self.seed = seed
        self.training = training

    def errors(self) -> dict[str, float]:
        self._run(self._context(np.float32), [x if x.dtype.kind == "i" else x.astype(np.float32) for x in self.inputs])
        context = self._context(np.float64)
        weights, gradients = self._run(context, self.inputs)
        claims = self._claims(context, gradients)
        slopes = directional_slopes(self._functional(context, weights), claims, np.random.default_rng(self.seed))
        return {name: slope.error for name, slope in slopes.items()}

    def _functional(self, context: Context, weights: Sequence[Array]) -> Callable[[], float]:
        """The weighted sum of the outputs, and what the layer adds to the loss; each time from the same state."""
        first_state = {name: array.copy() for name, array in self._context(np.float64).state.items()}

        def functional() -> float:
            for name, array in first_state.items():
                context.state[name][...] = array
            context.rng = np.random.default_rng(self.seed)
            context.penalty = 0.0
            context.begin()
            outputs = _as_tuple(self.layer.forward(context, *self.inputs))
            values = (np.vdot(weight, output) for weight, output in zip(weights, outputs, strict=True))
            return float(sum(values)) + context.penalty

        return functional

    def _claims(self, context: Context, gradients: Sequence[Array | None]) -> dict[str, tuple[Array, Array]]:
        """Name -> each input of numbers and each trained parameter, with its gradient."""
        claims = {}
        for position, (x, gradient) in enumerate(zip(self.inputs, gradients, strict=True), 1):
            if gradient is not None:
                claims["input" if len(self.inputs) == 1 else f"input_{position}"] = x, gradient
        for name, parameter in self.layer.parameters(*self.shapes).items():
            if parameter.trainable:
                # A copy, because later passes overwrite it.
                claims[name] = context.params[name], context.grads[name].copy()
        return claims

    def _context(self, dtype: DTypeLike) -> Context:
        return layer_context(self.layer, *self.shapes, dtype=dtype, training=self.training, seed=self.seed)

    def _run(self, context: Context, inputs: list[Array]) -> tuple[list[Array], list[Array | None]]:
        """One forward and one backward pass, with everything checked but the numbers.

        Returns:
            The weights of the functional, for each output, and its gradient with respect to each input, None for ids.
        """
        originals = [x.copy() for x in inputs]
        context.rng = np.random.default_rng(self.seed)
        weights = self._weights(context, _as_tuple(self.layer.forward(context, *inputs)))
        given = [weight.copy() for weight in weights]
        results = _as_tuple(self.layer.backward(context, tuple(given) if self.layer.outputs else given[0]))
        kind = self.layer.type
        assert len(results) == len(inputs), f"{kind} has {len(inputs)} inputs, but gives {len(results)} gradients"
        for x, original in zip(inputs, originals, strict=True):
            assert np.array_equal(x, original), f"{kind} writes into an input"
        return weights, [self._checked(context, x, gradient) for x, gradient in zip(inputs, results, strict=True)]

    def _weights(self, context: Context, outputs: tuple[Array, ...]) -> list[Array]:
        """Random weights of outputs, whose shapes and dtypes are those that were announced."""
        kind = self.layer.type
        rng = np.random.default_rng(self.seed)
        weights = []
        for output, shape in zip(outputs, self.layer.output_shapes(*self.shapes), strict=True):
            announced = (self.batch, *shape)
            assert output.shape == announced, (
                f"output_shape of {kind} gives {announced} with the batch axis, and forward gives {output.shape}"
            )
            assert output.dtype == context.dtype, f"{kind} turns {context.dtype} into {output.dtype}"
            weights.append(rng.standard_normal(output.shape).astype(context.dtype))
        return weights

    def _checked(self, context: Context, x: Array, gradient: Array | None) -> Array | None:
        kind = self.layer.type
        if x.dtype.kind == "i":
            return None
        assert gradient is not None, f"{kind} gives no gradient for an input"
        assert gradient.shape == x.shape, (
            f"{kind} gives a gradient of shape {gradient.shape} for an input of shape {x.shape}"
        )
        assert gradient.dtype == context.dtype, f"{kind} gives a gradient in {gradient.dtype}, expected {context.dtype}"
        return gradient.copy()

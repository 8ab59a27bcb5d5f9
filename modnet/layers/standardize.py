"""Scaling of inputs and outputs by what the training data are like, learnt before the first epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import DataError, Problem, ShapeError, SpecError
from modnet.kinds.layer import Layer, State
from modnet.layers.norm import rows_of_steps

if TYPE_CHECKING:
    from modnet.kinds.context import Context


FAR = 64
"""Means of so many deviations, and greater ones, are kept with more digits than float32 has."""

ROUNDING = 8
"""Deviations below so many rounding units of the mean, in float64, are noise; in coarser numbers it is one unit."""


def scaling_state(shape: Shape) -> Mapping[str, State]:
    if not shape or shape[-1] is None:
        raise ShapeError("expects a last axis (features) of fixed size")
    features = (shape[-1],)
    return {
        "mean": State(features),
        "deviation": State(features, fill=1.0),
        "samples": State(()),
        "mean_rest": State(features, optional=True),
    }


class _Moments:
    """The number, mean and squares around it of rows (n, features) that come in batches.

    Batches are merged in float64 by the pairwise update of Chan, Golub and LeVeque 1983, "Algorithms for computing the
    sample variance", equation 2.1, on differences from the first row, so that a constant feature has a deviation of
    exactly zero.
    """

    def __init__(self, features: int) -> None:
        self.count = 0
        self._origin: Any = None
        self._center, self._squares = np.zeros(features), np.zeros(features)  # the former seen from the origin

    def add(self, rows: Array) -> None:
        """Takes rows, at least one, which it overwrites."""
        if self._origin is None:
            self._origin = rows[0].copy()
        rows -= self._origin
        batch_center = rows.mean(axis=0)
        rows -= batch_center
        difference = batch_center - self._center
        total = self.count + len(rows)
        self._squares += np.einsum("ij,ij->j", rows, rows) + difference**2 * (self.count * len(rows) / total)
        self._center += difference * (len(rows) / total)
        self.count = total

    @property
    def mean(self) -> Array:
        mean: Array = self._origin + self._center
        return mean

    @property
    def deviation(self) -> Array:
        return np.sqrt(self._squares / self.count)


def learn_scaling(state: Mapping[str, Array], batches: Iterable[tuple[Array, Array | None]], label: str) -> None:
    """Sets mean, deviation and samples from one pass over batches (..., features), each with its mask or None.

    The deviation is that of the population (divided by n), and 1 where the feature is constant but for rounding.
    """
    mean, deviation = state["mean"], state["deviation"]
    moments = _Moments(len(mean))
    rounding = 0.0
    for batch, mask in batches:
        rows = np.array(batch, np.float64).reshape(-1, len(mean))
        left = rows_of_steps(mask, batch)
        rows = rows if left is None else rows[left]
        if len(rows):
            _check_range(rows, mean.dtype, label)
            rounding = max(rounding, _rounding_unit(batch.dtype))
            moments.add(rows)
    if not moments.count:
        return
    exact, spread = moments.mean, moments.deviation
    spread[spread <= rounding * np.abs(exact)] = 1
    mean[...] = exact
    deviation[...] = spread
    deviation[deviation == 0] = 1  # a spread that is too small for the network's dtype
    state["samples"][...] = moments.count
    if "mean_rest" in state:
        state["mean_rest"][...] = np.where(np.abs(exact) > FAR * spread, exact - mean, 0)


def _check_range(rows: Array, dtype: np.dtype[Any], label: str) -> None:
    held = np.abs(rows) <= np.finfo(dtype).max
    if not held.all():
        row, feature = np.argwhere(~held)[0]
        found = rows[row, feature]
        kind = f" that {dtype} can hold" if np.isfinite(found) else ""
        raise DataError(f"{label}: expected finite numbers{kind}, found {found} in feature {feature}")


def _rounding_unit(dtype: np.dtype[Any]) -> float:
    """What part of a number is rounding, where numbers of that dtype have been computed in several ways."""
    if dtype.kind == "f" and dtype.itemsize < 8:
        return float(np.finfo(dtype).eps)
    return ROUNDING * float(np.finfo(np.float64).eps)


def _far(state: Mapping[str, Array]) -> Array | None:
    """The features whose means need more digits than the network's dtype has, if there are any."""
    rest = state.get("mean_rest")
    return None if rest is None or not np.count_nonzero(rest) else np.flatnonzero(rest)


def _raw(context: Context, x: Array) -> Array:
    """The numbers as they were given to the network, where x is no more than their conversion."""
    raw = context.raw[0] if context.raw else None
    return x if raw is None else raw


def _exact_mean(state: Mapping[str, Array], features: Array) -> Array:
    return state["mean"][features].astype(np.float64) + state["mean_rest"][features]


class Standardize(Layer, type="standardize"):
    """Gives each feature zero mean and unit deviation on the training data: y = (x - mean) / deviation.

    Mean and deviation are those of the last axis's features over all other axes, taken once before the first epoch; the
    deviation is that of the population (divided by n), as in scikit-learn's StandardScaler, and 1 for a feature that is
    constant, but for the last digits. They are no parameters: training does not change them, and a network that has
    them keeps them. Steps that a mask leaves out are no data, nor are samples of weight 0; other weights change nothing
    here, nor do those of steps, which are the targets'. Until then the layer is the identity.

    A feature whose mean is many deviations away from zero (times in seconds since 1970, Julian dates) has digits that
    float32 does not have. Where the layer reads an input of the network it therefore
    subtracts the mean from the numbers as they were given, in float64.

    State: mean (features,), deviation (features,), samples (how many rows they were taken from; 0 before), mean_rest
    (features,), what is left of such a mean behind the digits of `mean`, otherwise 0.

    Raises:
        ShapeError: the last axis has no fixed size.
        DataError: from `prepare`, for data that are not finite.
    """

    streams = True
    scratch_output = True
    raw_input = True
    output_range = (-math.inf, math.inf)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        return scaling_state(input_shapes[0])

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        if not context.state["samples"]:
            learn_scaling(context.state, self._given(context, batches), self.type)

    def _given(
        self, context: Context, batches: Iterable[tuple[Array, Array | None]]
    ) -> Iterator[tuple[Array, Array | None]]:
        for x, _ in batches:
            yield _raw(context, x), context.masks[0]

    def forward(self, context: Context, x: Array) -> Array:
        state = context.state
        y = np.subtract(x, state["mean"], out=context.buffer(x.shape))
        np.divide(y, state["deviation"], out=y)
        far = _far(state)
        if far is not None:
            distance = _raw(context, x)[..., far] - _exact_mean(state, far)
            y[..., far] = distance / state["deviation"][far]
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        return np.divide(gradient, context.state["deviation"], out=gradient)


class Unstandardize(Layer, type="unstandardize"):
    """Brings the output of a regression to the scale of its targets: y = x * deviation + mean.

    Mean and deviation are those of the training targets, feature by feature, taken once before the first epoch as
    `standardize` takes those of its input; a target of weight 0, or a step of it, has no part in them. It has to be the
    node that gives the output. The layers before it then work with numbers of unit size, and loss, metrics and
    predictions are in the units of the targets.

    The outputs have the network's dtype: in float32 they come 128 apart at 1.7e9, however small the deviation is. For
    such targets give the network the dtype float64, or subtract a number of your own before.

    State: as of `standardize`.

    Raises:
        ShapeError: the last axis has no fixed size, or the targets have another one.
        DataError: from `prepare`, for targets that are not finite.
        SpecError: from `prepare`, where the node is no output of the network.
    """

    streams = True
    scratch_output = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        return scaling_state(input_shapes[0])

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        if not context.state["samples"]:
            learn_scaling(context.state, self._targets(context, batches), self.type)

    def _targets(
        self, context: Context, batches: Iterable[tuple[Array, Array | None]]
    ) -> Iterator[tuple[Array, Array | None]]:
        for x, target in batches:
            if target is None:
                message = "it learns from the targets of the output that it gives, and this node is no output"
                raise SpecError([Problem(self.type, message, "put it last, or name it in network.outputs")])
            if target.shape != x.shape:
                raise ShapeError(
                    f"{self.type} expects targets of its input's shape {x.shape[1:]}, found {target.shape[1:]}"
                )
            yield target, context.masks[0]

    def forward(self, context: Context, x: Array) -> Array:
        state = context.state
        y = np.multiply(x, state["deviation"], out=context.buffer(x.shape))
        np.add(y, state["mean"], out=y)
        far = _far(state)
        if far is not None:
            y[..., far] = x[..., far] * state["deviation"][far].astype(np.float64) + _exact_mean(state, far)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        return np.multiply(gradient, context.state["deviation"], out=gradient)

"""Scaling of inputs and outputs by mean and deviation of the training data, learnt before the first epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import Problem, ShapeError, SpecError
from modnet.kinds.layer import Layer, State
from modnet.layers.row_sample import RowSample, features_of, finite_rows

if TYPE_CHECKING:
    from modnet.kinds.context import Context


FAR = 64
"""A mean of more than this many deviations is kept with more digits than float32 has."""

ROUNDING = 8
"""A deviation of at most this many rounding units of the mean is noise in float64; in coarser dtypes one unit is."""


def scaling_state(shape: Shape) -> Mapping[str, State]:
    features = (features_of(shape),)
    return {
        "mean": State(features),
        "deviation": State(features, fill=1.0),
        "samples": State(()),
        "mean_rest": State(features, optional=True),
    }


class _Moments:
    """The number, mean and squares around it of rows (n, features) that come in batches.

    Batches are merged in float64 by the pairwise update of Chan, Golub and LeVeque 1983, "Algorithms for computing the
    sample variance", equation 2.1, on differences from the first row, so that the deviation of a constant feature is
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


class _Quartiles(RowSample):
    """The number, median and interquartile range of rows (n, features) that come in batches.

    They are exact if all rows are kept, and otherwise those of a uniform sample of the kept size.
    """

    @property
    def mean(self) -> Array:
        return np.asarray(np.median(self.rows(), axis=0))

    @property
    def deviation(self) -> Array:
        """The interquartile range; where it is 0, the deviation."""
        rows = self.rows()
        low, high = np.percentile(rows, (25, 75), axis=0)
        varies = rows.min(axis=0) < rows.max(axis=0)
        spread: Array = np.where(high > low, high - low, rows.std(axis=0) * varies)
        return spread


def learn_scaling(
    state: Mapping[str, Array],
    batches: Iterable[tuple[Array, Array | None]],
    label: str,
    robust: bool = False,
) -> None:
    """Sets mean, deviation and samples from one pass over batches (..., features), each with its mask or None.

    Where the state has `lowest` and `highest`, the range of the scaled numbers is set too.

    The deviation is that of the population (divided by n), and 1 if the feature is constant except for rounding.

    Args:
        robust: whether median and interquartile range take the place of mean and deviation.
    """
    mean, deviation = state["mean"], state["deviation"]
    moments = _Quartiles(len(mean)) if robust else _Moments(len(mean))
    rounding = 0.0
    low, high = np.full(len(mean), math.inf), np.full(len(mean), -math.inf)
    for rows, batch in finite_rows(batches, len(mean), mean.dtype, label):
        rounding = max(rounding, _rounding_unit(batch.dtype))
        np.minimum(low, rows.min(axis=0), out=low)
        np.maximum(high, rows.max(axis=0), out=high)
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
    if "lowest" in state:
        state["lowest"][...], state["highest"][...] = (low - exact) / deviation, (high - exact) / deviation


def _rounding_unit(dtype: np.dtype[Any]) -> float:
    """The relative difference between numbers of a dtype that rounding can explain."""
    if dtype.kind == "f" and dtype.itemsize < 8:
        return float(np.finfo(dtype).eps)
    return ROUNDING * float(np.finfo(np.float64).eps)


def _far(state: Mapping[str, Array]) -> Array | None:
    """The indices of the features whose means need more digits than the network's dtype has; None if there are none."""
    rest = state.get("mean_rest")
    return None if rest is None or not np.count_nonzero(rest) else np.flatnonzero(rest)


def _raw(context: Context, x: Array) -> Array:
    """The numbers as they were given to the network, if x is only their conversion to its dtype; else x."""
    raw = context.raw[0] if context.raw else None
    return x if raw is None else raw


def _exact_mean(state: Mapping[str, Array], features: Array) -> Array:
    return state["mean"][features].astype(np.float64) + state["mean_rest"][features]


class Standardize(Layer, type="standardize"):
    """Gives each feature zero mean and unit deviation on the training data: y = (x - mean) / deviation.

    Mean and deviation of each feature (last axis) run over all other axes, and are computed once, before the first
    epoch. The deviation is that of the population (divided by n), as in scikit-learn's StandardScaler, and 1 for a
    feature that is constant except for rounding. They are not parameters: training does not change them, and further
    training keeps them. Steps that a mask leaves out are ignored, and so are samples of weight 0; other weights have no
    effect here, nor do weights of steps, which belong to the targets. Before training the layer is the identity.

    A feature whose mean is many deviations away from zero (times in seconds since 1970, Julian dates) needs more digits
    than float32 has. If the layer reads an input of the network, it therefore subtracts the mean from the numbers as
    they were given, in float64.

    With `robust`, the median takes the place of the mean, and the interquartile range, q75 - q25, that of the deviation
    (scikit-learn's RobustScaler): a few outliers then do not press all other numbers together. Where half of the
    numbers of a feature are the same, its range is 0, and its deviation is taken. Of more than 2^23 numbers, both are
    those of a random sample of the rows.

    With `clip`, a number outside the range of the training data becomes the nearer end of that range. An outlier then
    does not take the network into a region in which it has learnt nothing.

    State: mean (features,), deviation (features,), samples (the number of rows; 0 before training), mean_rest
    (features,), the digits of such a mean that do not fit into `mean`, otherwise 0; with `clip` lowest and highest
    (features,), the range of y in training.

    Attributes:
        robust: whether the median and the interquartile range are taken.
        clip: whether numbers outside the range of the training data become the nearer end of it.

    Raises:
        ShapeError: the last axis has no fixed size.
        DataError: from `prepare`, for data that are not finite.
    """

    robust: bool = False
    clip: bool = False

    streams = True
    repeats = True
    scratch_output = True
    raw_input = True
    output_range = (-math.inf, math.inf)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        state = scaling_state(input_shapes[0])
        return {**state, "lowest": state["mean"], "highest": state["mean"]} if self.clip else state

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        if not context.state["samples"]:
            learn_scaling(context.state, self._given(context, batches), self.type, self.robust)

    def _given(
        self, context: Context, batches: Iterable[tuple[Array, Array | None]]
    ) -> Iterator[tuple[Array, Array | None]]:
        for x, _ in batches:
            yield _raw(context, x), context.masks[0]

    def forward(self, context: Context, x: Array) -> Array:
        y = context.buffer(x.shape)
        context.do(self._write, context, x, y)
        return y

    def scale_and_shift(self, context: Context) -> tuple[Any, Any] | None:
        state = context.state
        if _far(state) is not None or (self.clip and state["samples"]):
            return None
        return 1 / state["deviation"], -state["mean"] / state["deviation"]

    def _write(self, context: Context, x: Array, y: Array) -> None:
        state = context.state
        np.subtract(x, state["mean"], out=y)
        np.divide(y, state["deviation"], out=y)
        far = _far(state)
        if far is not None:
            distance = _raw(context, x)[..., far] - _exact_mean(state, far)
            y[..., far] = distance / state["deviation"][far]
        if self.clip and state["samples"]:
            self._clip(context, y)

    @staticmethod
    def _clip(context: Context, y: Array) -> None:
        low, high = context.state["lowest"], context.state["highest"]
        if context.needs_input_gradient:
            within, below = context.buffer(y.shape, np.bool_), context.buffer(y.shape, np.bool_)
            np.greater_equal(y, low, out=within)
            np.logical_and(within, np.less_equal(y, high, out=below), out=within)
            context.save(within)
        np.clip(y, low, high, out=y)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        if self.clip and context.state["samples"]:
            (within,) = context.saved
            np.multiply(gradient, within, out=gradient)
        return np.divide(gradient, context.state["deviation"], out=gradient)


def _write_in_unit(state: Mapping[str, Array], x: Array, y: Array) -> None:
    np.multiply(x, state["deviation"], out=y)
    np.add(y, state["mean"], out=y)
    far = _far(state)
    if far is not None:
        y[..., far] = x[..., far] * state["deviation"][far].astype(np.float64) + _exact_mean(state, far)


class Unstandardize(Layer, type="unstandardize"):
    """Brings the output of a regression to the scale of its targets: y = x * deviation + mean.

    Mean and deviation are those of each feature of the training targets, computed once, before the first epoch, as
    `standardize` computes those of its input; targets and steps of weight 0 are ignored. The node has to be an output
    of the network. The layers before it then work with numbers of unit size, while metrics and predictions are in the
    units of the targets. A loss of residuals (mse, mae, huber, quantile) is measured before this layer, with targets
    that are standardised in float64. So it is in standard deviations, and each column counts equally, whatever its
    unit. Any other loss is measured after it, in the units of the targets. For an output of several numbers for one
    target (quantiles) all have that target's mean and deviation.

    The outputs have the network's dtype: float32 numbers near 1.7e9 are 128 apart, even if the deviation is small. For
    such targets give the network the dtype float64, or subtract a constant from them beforehand.

    State: as of `standardize`.

    Raises:
        ShapeError: the last axis has no fixed size, or the targets have another shape.
        DataError: from `prepare`, for targets that are not finite.
        SpecError: from `prepare`, if the node is not an output of the network.
    """

    streams = True
    repeats = True
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
                message = "it learns from the targets of its output, but this node is not an output of the network"
                raise SpecError([Problem(self.type, message, "put it last, or name it in network.outputs")])
            fit = target.shape if target.ndim == x.ndim else (*target.shape, 1)
            if fit not in (x.shape, (*x.shape[:-1], 1)):
                raise ShapeError(
                    f"{self.type} expects targets of the shape of its input, {x.shape[1:]}, found {target.shape[1:]}"
                )
            yield np.broadcast_to(target.reshape(fit), x.shape), context.masks[0]

    def target_before(self, context: Context, target: Array, x: Array) -> Array:
        state = context.state
        width = target.shape[-1] if target.ndim == x.ndim else 1
        rows = target.reshape(-1, width)
        distance = context.buffer(rows.shape, np.float64)
        np.subtract(rows, state["mean"][:width], out=distance, dtype=np.float64)
        if "mean_rest" in state:
            distance -= state["mean_rest"][:width]
        return np.divide(distance, state["deviation"][:width], out=distance).reshape(target.shape)

    def scale_and_shift(self, context: Context) -> tuple[Any, Any] | None:
        state = context.state
        return None if _far(state) is not None else (state["deviation"], state["mean"])

    def forward(self, context: Context, x: Array) -> Array:
        y = context.buffer(x.shape)
        context.do(_write_in_unit, context.state, x, y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        return np.multiply(gradient, context.state["deviation"], out=gradient)

"""Scaling of inputs and outputs by what the training data are like, learnt before the first epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.component import Array, Layer, Shape, State
from modnet.errors import DataError, Problem, ShapeError, SpecError

if TYPE_CHECKING:
    from modnet.context import Context


def scaling_state(shape: Shape) -> Mapping[str, State]:
    if not shape or shape[-1] is None:
        raise ShapeError("expects a last axis (features) of fixed size")
    features = (shape[-1],)
    return {"mean": State(features), "deviation": State(features, fill=1.0), "samples": State(())}


def learn_scaling(state: Mapping[str, Array], batches: Iterable[Array], label: str) -> None:
    """Sets mean, deviation and samples from one pass over batches (..., features).

    The deviation is that of the population (divided by n), and 1 where it is zero. Batches are merged in float64 by the
    pairwise update of Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1, on
    differences from the first row, so that a constant feature has a deviation of exactly zero.
    """
    mean, deviation = state["mean"], state["deviation"]
    count, center, squares = 0, np.zeros(mean.shape), np.zeros(mean.shape)
    origin: Any = None
    for batch in batches:
        rows = np.array(batch, np.float64).reshape(-1, len(mean))
        if not len(rows):
            continue
        if not np.isfinite(rows).all():
            row, feature = np.argwhere(~np.isfinite(rows))[0]
            raise DataError(f"{label}: expected finite numbers, found {rows[row, feature]} in feature {feature}")
        if origin is None:
            origin = rows[0].copy()
        rows -= origin
        batch_center = rows.mean(axis=0)
        rows -= batch_center
        difference = batch_center - center
        total = count + len(rows)
        squares += np.einsum("ij,ij->j", rows, rows) + difference**2 * (count * len(rows) / total)
        center += difference * (len(rows) / total)
        count = total
    if not count:
        return
    mean[...] = origin + center
    deviation[...] = np.sqrt(squares / count)
    deviation[deviation == 0] = 1
    state["samples"][...] = count


class Standardize(Layer, type="standardize"):
    """Gives each feature zero mean and unit deviation on the training data: y = (x - mean) / deviation.

    Mean and deviation are those of the last axis's features over all other axes, taken once before the first epoch; the
    deviation is that of the population (divided by n), as in scikit-learn's StandardScaler, and 1 for a feature that is
    constant. They are no parameters: training does not change them, and a network that has them keeps them. Until then
    the layer is the identity.

    State: mean (features,), deviation (features,), samples (how many rows they were taken from; 0 before).

    Raises:
        ShapeError: the last axis has no fixed size.
        DataError: from `prepare`, for data that are not finite.
    """

    streams = True
    scratch_output = True
    output_range = (-math.inf, math.inf)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        return scaling_state(input_shapes[0])

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        if not context.state["samples"]:
            learn_scaling(context.state, (x for x, _ in batches), self.type)

    def forward(self, context: Context, x: Array) -> Array:
        y = np.subtract(x, context.state["mean"], out=context.buffer(x.shape))
        return np.divide(y, context.state["deviation"], out=y)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        return np.divide(gradient, context.state["deviation"], out=gradient)


class Unstandardize(Layer, type="unstandardize"):
    """Brings the output of a regression to the scale of its targets: y = x * deviation + mean.

    Mean and deviation are those of the training targets, feature by feature, taken once before the first epoch as
    `standardize` takes those of its input. It has to be the node that gives the output. The layers before it then work
    with numbers of unit size, and loss, metrics and predictions are in the units of the targets.

    State: mean (features,), deviation (features,), samples (how many rows they were taken from; 0 before).

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
            learn_scaling(context.state, self._targets(batches), self.type)

    def _targets(self, batches: Iterable[tuple[Array, Array | None]]) -> Iterator[Array]:
        for x, target in batches:
            if target is None:
                message = "it learns from the targets of the output that it gives, and this node is no output"
                raise SpecError([Problem(self.type, message, "put it last, or name it in network.outputs")])
            if target.shape != x.shape:
                raise ShapeError(
                    f"{self.type} expects targets of its input's shape {x.shape[1:]}, found {target.shape[1:]}"
                )
            yield target

    def forward(self, context: Context, x: Array) -> Array:
        y = np.multiply(x, context.state["deviation"], out=context.buffer(x.shape))
        return np.add(y, context.state["mean"], out=y)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        return np.multiply(gradient, context.state["deviation"], out=gradient)

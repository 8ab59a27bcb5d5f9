"""Scaling of the inputs by quartiles of the training data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer, State
from modnet.layers.row_sample import features_of, sample_rows

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def given_rows(context: Context, batches: Iterable[tuple[Array, Array | None]]) -> Iterator[tuple[Array, Array | None]]:
    """Each batch as it was given to the network, with its mask."""
    for x, _ in batches:
        raw = context.raw[0] if context.raw else None
        yield x if raw is None else raw, context.masks[0]


class RobustScale(Layer, type="robust_scale"):
    """Centres each feature on its median and divides by its interquartile range: y = (x - median) f.

    f is 1 / (q75 - q25); where that range is 0, as for a column of mostly zeros, 2 / (maximum - minimum); and 0 where
    that is 0 too, so that a feature which is constant in training is always 0 later. `standardize` with
    `robust` takes the deviation and 1 in these cases.

    The quantiles are those of the training rows, learnt before the first epoch, and of a random sample of them for more
    than 2^23 numbers. Steps that a mask leaves out are ignored. Before training the layer is the identity.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, arXiv:2407.04491, section 3.1.

    State: median (features,), median_rest (features,), its digits that the network's dtype does not hold, factor
    (features,), samples (the number of rows; 0 before training).

    Raises:
        ShapeError: the last axis has no fixed size.
        DataError: from `prepare`, for data that are not finite.
    """

    streams = True
    scratch_output = True
    raw_input = True
    output_range = (-math.inf, math.inf)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(), ((5,),)), Example(cls(), ((None, 3),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        features_of(input_shapes[0])
        return input_shapes[0]

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        features = (features_of(input_shapes[0]),)
        return {
            "median": State(features),
            "median_rest": State(features),
            "factor": State(features, fill=1.0),
            "samples": State(()),
        }

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        state = context.state
        if state["samples"]:
            return
        sample = sample_rows(given_rows(context, batches), len(state["median"]), context.dtype, self.type)
        if not sample.count:
            return
        rows = sample.rows()
        low, median, high = np.percentile(rows, (25, 50, 75), axis=0)
        spread = np.where(high > low, high - low, np.ptp(rows, axis=0) / 2)
        state["median"][...] = median
        state["median_rest"][...] = median - state["median"]
        state["factor"][...] = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        state["samples"][...] = sample.count

    def forward(self, context: Context, x: Array) -> Array:
        state = context.state
        y = context.buffer(x.shape)
        raw = context.raw[0] if context.raw else None
        if raw is None:
            np.subtract(x, state["median"], out=y)
        else:
            median = state["median"].astype(np.float64)
            median += state["median_rest"]
            np.subtract(raw, median, out=y, casting="same_kind")
        return np.multiply(y, state["factor"], out=y)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        return np.multiply(gradient, context.state["factor"], out=gradient)

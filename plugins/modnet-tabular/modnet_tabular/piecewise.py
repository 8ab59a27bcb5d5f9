"""Piecewise-linear embeddings of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.initializers import Zeros
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer, Parameter, State
from modnet.layers.row_sample import sample_rows
from modnet_tabular.numbers import by_feature, number_of_features, uniform
from modnet_tabular.scaling import given_rows

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class PiecewiseLinear(Layer, type="piecewise_linear"):
    """Embeds each number by the bin in which it lies: x -> x v + b + e(x) V, for each feature.

    e(x) has a number for each bin: 1 for a bin below x, 0 for one above it, and (x - left) / width for the bin of
    x. The first bin extends to the left and the last one to the right. The edges are the quantiles of the training
    rows, at equal distances from the least number to the greatest, each different one once; they are learnt before
    the first epoch, and before training there are none, so that e(x) = 0. V begins at 0: the embedding is linear at
    first.

    Shapes: (features,) -> (features * embedding_size,). Parameters: linear v and bias b (features, embedding_size),
    from U(-a, a), a = 1 / sqrt(embedding_size), and weight V (features, bins, embedding_size). State: slope and
    offset (features, bins), of the line in each bin before it is cut to [0, 1]; samples, the number of rows. Where
    a feature has fewer bins, its last one is last in these arrays and unused ones are 0. A last bin that begins at
    the only number above it, as in a column of 0 and 1, is the only one.

    Source: Gorishniy, Rubachev and Babenko 2022, arXiv:2203.05556, section 3.2; with the linear part and V = 0
    ("version B"): Gorishniy, Kotelnikov and Babenko 2024, arXiv:2410.24210, appendix.

    Attributes:
        embedding_size: the numbers that each feature becomes.
        bins: for each feature, at most.

    Raises:
        DataError: from `prepare`, for data that are not finite.
    """

    scratch_output = True
    featurewise = True

    embedding_size: int = field(default=16, minimum=1)
    bins: int = field(default=48, minimum=2)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(embedding_size=3, bins=4), ((5,),)), Example(cls(embedding_size=2, bins=7), ((2,),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return (number_of_features(input_shapes[0]) * self.embedding_size,)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        features, small = number_of_features(input_shapes[0]), uniform(self.embedding_size)
        return {
            "linear": Parameter((features, self.embedding_size), small),
            "bias": Parameter((features, self.embedding_size), small),
            "weight": Parameter((features, self.bins, self.embedding_size), Zeros()),
        }

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        bins = (number_of_features(input_shapes[0]), self.bins)
        return {"slope": State(bins), "offset": State(bins), "samples": State(())}

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        state = context.state
        if state["samples"]:
            return
        sample = sample_rows(given_rows(context, batches), len(state["slope"]), context.dtype, self.type)
        if not sample.count:
            return
        quantiles = np.quantile(sample.rows(), np.linspace(0, 1, self.bins + 1), axis=0)
        state["slope"].fill(0)
        state["offset"].fill(0)
        for feature, edges in enumerate(map(np.unique, quantiles.astype(context.dtype).T.astype(np.float64))):
            count = len(edges) - 1
            if count:
                places = [*range(count - 1), self.bins - 1]
                state["slope"][feature, places] = 1 / np.diff(edges)
                state["offset"][feature, places] = -edges[:-1] / np.diff(edges)
        state["samples"][...] = sample.count

    def forward(self, context: Context, x: Array) -> Array:
        state, params = context.state, context.params
        shape = (x.shape[1], len(x), self.bins)
        column = x.T[:, :, None]
        e = np.multiply(column, state["slope"][:, None, :], out=context.buffer(shape))
        np.add(e, state["offset"][:, None, :], out=e)
        single = self._single(state["slope"])
        only = e[single, :, -1]
        np.minimum(e[:, :, :-1], 1, out=e[:, :, :-1])
        np.maximum(e[:, :, 1:], 0, out=e[:, :, 1:])
        e[single, :, -1] = only
        context.save(x, e)
        y = context.buffer((len(x), shape[0] * self.embedding_size))
        parts = by_feature(y, shape[0])
        z = np.matmul(e, params["weight"], out=context.buffer((*shape[:2], self.embedding_size)))
        np.multiply(column, params["linear"][:, None, :], out=parts)
        np.add(parts, params["bias"][:, None, :], out=parts)
        np.add(parts, z, out=parts)
        return y

    @staticmethod
    def _single(slope: Array) -> Array:
        """The features with a single bin, which has no end to either side."""
        return np.flatnonzero((slope[:, -1] != 0) & ~slope[:, :-1].any(axis=1))

    def backward(self, context: Context, gradient: Array) -> Array | None:
        x, e = context.saved
        params, grads, slope = context.params, context.grads, context.state["slope"]
        parts = context.buffer((*e.shape[:2], self.embedding_size))
        np.copyto(parts, by_feature(gradient, len(e)))
        np.matmul(x.T[:, None, :], parts, out=grads["linear"][:, None, :])
        np.add.reduce(parts, axis=1, out=grads["bias"])
        np.matmul(e.swapaxes(1, 2), parts, out=grads["weight"])
        if not context.needs_input_gradient:
            return None
        inner = np.matmul(parts, params["weight"].swapaxes(1, 2), out=context.buffer(e.shape))
        np.multiply(inner, self._within(context, e), out=inner)
        column = (*e.shape[:2], 1)
        result = np.matmul(inner, slope[:, :, None], out=context.buffer(column))
        direct = np.matmul(parts, params["linear"][:, :, None], out=context.buffer(column))
        return np.add(result[:, :, 0].T, direct[:, :, 0].T, out=context.buffer(x.shape))

    def multiply_adds(self, *input_shapes: Shape) -> int:
        return number_of_features(input_shapes[0]) * self.bins * (1 + self.embedding_size)

    def _within(self, context: Context, e: Array) -> Array:
        """Where a number of e(x) is not cut off."""
        within, above = context.buffer(e.shape, np.bool_), context.buffer(e.shape, np.bool_)
        np.less(e, 1, out=within)
        np.greater(e, 0, out=above)
        within[:, :, -1] = True
        above[:, :, 0] = True
        np.logical_and(within, above, out=within)
        within[self._single(context.state["slope"]), :, -1] = True
        return within

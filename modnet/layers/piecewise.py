"""Numbers as positions in the bins of their distribution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer, State
from modnet.layers.row_sample import features_of, sample_rows

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class PiecewiseEncoding(Layer, type="piecewise_encoding"):
    """Encodes each feature by its position in each of its bins: y = clip((x - left) / width, 0, 1).

    The code is 1 for a bin below x, 0 for a bin above x, and a fraction for the bin that x is in. A linear map of the
    code is therefore a piecewise linear function of x: a network learns steps and bends from it that are hard to learn
    from x itself. The bins lie between quantiles of the training rows that divide these into equal parts. Where
    quantiles are equal there are fewer bins, and the last ones are always 0. Outside the range of the training rows the
    code stays as at its ends; so give the network x too, by `concatenate`. The bins are learnt before the first epoch
    and are not trained; before that the code is 0.

    Shapes: (features,) -> (features * bins,), and (time, features) -> (time, features * bins). State: left and slope
    (features, bins), where slope is 1 / width, or 0 for a bin that is not used; samples, the number of rows.

    Source: Gorishniy, Rubachev and Babenko 2022, "On embeddings for numerical features in tabular deep learning",
    arXiv:2203.05556, section 3.2, with the ends of the first and the last bin closed.

    Attributes:
        bins: of each feature, at most.

    Raises:
        ShapeError: the last axis has no fixed size.
        DataError: from `prepare`, for data that are not finite.
    """

    bins: int = field(default=16, minimum=1)

    scratch_output = True
    output_range = (0.0, 1.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(bins=4), ((3,),)), Example(cls(bins=3), ((None, 2),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        return (*shape[:-1], features_of(shape) * self.bins)

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        bins = (features_of(input_shapes[0]), self.bins)
        return {"left": State(bins), "slope": State(bins), "samples": State(())}

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        state = context.state
        if state["samples"]:
            return
        given = ((x, context.masks[0]) for x, _ in batches)
        sample = sample_rows(given, len(state["left"]), context.dtype, self.type)
        if not sample.count:
            return
        quantiles = np.quantile(sample.rows(), np.linspace(0, 1, self.bins + 1), axis=0).astype(context.dtype)
        for feature, edges in enumerate(map(np.unique, quantiles.T)):
            used = len(edges) - 1
            state["left"][feature, :used] = edges[:-1]
            state["slope"][feature, :used] = 1 / np.diff(edges)
        state["samples"][...] = sample.count

    def forward(self, context: Context, x: Array) -> Array:
        y = context.buffer((*x.shape, self.bins))
        np.subtract(x[..., None], context.state["left"], out=y)
        np.multiply(y, context.state["slope"], out=y)
        if context.needs_input_gradient:
            within, above = context.buffer(y.shape, np.bool_), context.buffer(y.shape, np.bool_)
            np.less(y, 1, out=within)
            np.logical_and(within, np.greater(y, 0, out=above), out=within)
            context.save(within)
        np.clip(y, 0, 1, out=y)
        return y.reshape(*x.shape[:-1], x.shape[-1] * self.bins)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        (within,) = context.saved
        parts = gradient.reshape(within.shape)
        np.multiply(parts, context.state["slope"], out=parts)
        np.multiply(parts, within, out=parts)
        return np.add.reduce(parts, axis=-1, out=context.buffer(within.shape[:-1]))

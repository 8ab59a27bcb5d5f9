"""Numbers by their rank in the training data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer, State
from modnet.layers.row_sample import features_of, sample_rows

if TYPE_CHECKING:
    from modnet.kinds.context import Context

FEWEST = 10
"""The fewest quantiles, for any number of rows."""

ROWS_FOR_ONE = 30
"""The rows for each quantile, if there are not enough for all."""

FARTHEST = 5.199337582605575
"""The quantile of the normal distribution at 1 - 1e-7: what lies outside of the training data is put there."""


class QuantileTransform(Layer, type="quantile_transform"):
    """Gives each feature a normal distribution: y = Phi^-1(F(x)), with F the distribution in the training rows.

    F is interpolated between quantiles at equal distances, from the least number to the greatest; where several
    quantiles are the same number, it gets the middle of them. At and beyond both ends y is -5.2 and 5.2, and a feature
    that is constant in training is 0. This is scikit-learn's QuantileTransformer. It is learnt before the first epoch;
    before training the layer is the identity.

    There is a quantile for each 30 rows, 10 at least and `quantiles` at most, of a random sample of the rows for more
    than 2^23 numbers. Before they are taken the numbers get normal noise, so that equal numbers do not take the same
    quantile.

    Source: the preparation of Gorishniy, Kotelnikov and Babenko 2024, arXiv:2410.24210 (TabM). There the noise has the
    deviation noise / deviation, so that columns of small numbers drown in it; here it is relative.

    State: quantiles (quantiles, features), count of those that are used, samples (the number of rows).

    Attributes:
        quantiles: at most.
        noise: its deviation, as a share of that of the feature.

    Raises:
        ShapeError: the last axis has no fixed size.
        DataError: from `prepare`, for data that are not finite.
    """

    allocates = True
    output_range = (-math.inf, math.inf)

    quantiles: int = field(default=1000, minimum=FEWEST)
    noise: float = field(default=1e-3, minimum=0.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(quantiles=20), ((5,),)), Example(cls(quantiles=10, noise=0.0), ((2,),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        features_of(input_shapes[0])
        return input_shapes[0]

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        quantiles = (self.quantiles, features_of(input_shapes[0]))
        return {"quantiles": State(quantiles), "count": State(()), "samples": State(())}

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        state = context.state
        if state["samples"]:
            return
        # In the network's dtype, in which the numbers are compared with the quantiles later.
        given = ((x, context.masks[0]) for x, _ in batches)
        sample = sample_rows(given, state["quantiles"].shape[1], context.dtype, self.type)
        if not sample.count:
            return
        rows = sample.rows()
        if self.noise:
            rows = rows + self.noise * rows.std(axis=0) * context.rng.standard_normal(rows.shape)
        count = max(min(sample.count // ROWS_FOR_ONE, self.quantiles), FEWEST)
        state["quantiles"].fill(0)
        state["quantiles"][:count] = np.percentile(rows, np.linspace(0, 100, count), axis=0)
        state["count"][...], state["samples"][...] = count, sample.count

    def _columns(self, context: Context, x: Array) -> Iterator[tuple[int, Array, Array]]:
        """(feature, its numbers, its quantiles) of those that vary."""
        quantiles = context.state["quantiles"][: int(context.state["count"])].astype(np.float64)
        rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
        for feature in np.flatnonzero(quantiles[0] < quantiles[-1]).tolist():
            yield feature, rows[:, feature], quantiles[:, feature]

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x)
        if not context.state["samples"]:
            return x
        y = np.zeros((x.size // x.shape[-1], x.shape[-1]))
        places = np.linspace(0, 1, int(context.state["count"]))
        for feature, numbers, quantiles in self._columns(context, x):
            share = np.interp(numbers, quantiles, places)
            share -= np.interp(-numbers, -quantiles[::-1], -places[::-1])
            share *= 0.5
            share[numbers <= quantiles[0]], share[numbers >= quantiles[-1]] = 0, 1
            y[:, feature] = normal_quantile(share)
        context.save(x, y)
        result = context.buffer(x.shape)
        np.copyto(result, y.reshape(x.shape), casting="same_kind")
        return result

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        if not context.state["samples"]:
            return gradient
        x, y = context.saved
        slope = np.zeros_like(y)
        count = int(context.state["count"])
        for feature, numbers, quantiles in self._columns(context, x):
            after = np.clip(np.searchsorted(quantiles, numbers, side="right"), 1, count - 1)
            width = quantiles[after] - quantiles[after - 1]
            inside = (np.abs(y[:, feature]) < FARTHEST) & (width > 0)
            density = np.exp(-0.5 * y[:, feature] ** 2) / math.sqrt(2 * math.pi)
            np.divide(1 / (count - 1), width * density, out=slope[:, feature], where=inside)
        np.multiply(gradient, slope.reshape(x.shape), out=gradient, casting="same_kind")
        return gradient


CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4),
    (4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3),
    (2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)
MIDDLE = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0),
    (1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1),
    (1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)
FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1),
    (2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2),
    (7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)
"""Coefficients of numerator and denominator, from the constant up, of the algorithm's three rational functions."""


def normal_quantile(share: Array) -> Array:
    """The quantiles of the standard normal distribution, cut to -5.2 and 5.2, for shares between 0 and 1.

    Source: Wichura 1988, "Algorithm AS 241: the percentage points of the normal distribution", PPND16.
    """
    q = share - 0.5
    central = np.abs(q) <= 0.425
    y = np.empty_like(q)
    y[central] = q[central] * _ratio(CENTRE, 0.180625 - q[central] ** 2)
    outer = ~central
    tail = np.maximum(np.minimum(share[outer], 1 - share[outer]), 1e-300)
    r = np.sqrt(-np.log(tail))
    value = np.where(r <= 5, _ratio(MIDDLE, r - 1.6), _ratio(FAR, r - 5))
    y[outer] = np.copysign(value, q[outer])
    return np.clip(y, -FARTHEST, FARTHEST, out=y)


def _ratio(coefficients: Sequence[Sequence[float]], r: Array) -> Array:
    first, second, third, fourth = coefficients
    above, below = np.zeros_like(r), np.zeros_like(r)
    for up, down in zip((*first, *second)[::-1], (*third, *fourth)[::-1], strict=True):
        above = above * r + up
        below = below * r + down
    return above / below

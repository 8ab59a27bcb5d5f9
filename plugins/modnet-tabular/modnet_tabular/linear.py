"""Linear maps whose step size fits their width, and first weights that fit the data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape, sum_rows
from modnet.configuration.fields import field
from modnet.initializers import Normal, Ones
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter, State
from modnet.layers.linear import Linear
from modnet.layers.row_sample import features_of, sample_rows

if TYPE_CHECKING:
    from modnet.kinds.context import Context

ROWS = 1024
"""The rows of a random sample of the training data, from which first weights are drawn."""

MIXED = 5
"""The rows that are mixed for the first value of a bias."""


class Scale(Layer, type="scale"):
    """A trained factor for each feature, y = s x: the network learns which features matter.

    Parameter: scale (features,), 1 at first. RealMLP gives it six times the rate of the other weights,
    `{ type = "scale", learning_rate = 6.0 }`: Holzmüller, Grinsztajn and Steinwart 2024, arXiv:2407.04491, section 3.2.
    """

    streams = True
    scratch_output = True
    featurewise = True
    output_range = (-math.inf, math.inf)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(), ((5,),)), Example(cls(), ((None, 3),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        features_of(input_shapes[0])
        return input_shapes[0]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        return {"scale": Parameter((features_of(input_shapes[0]),), Ones())}

    def scale_and_shift(self, context: Context) -> tuple[Array, float]:
        return context.params["scale"], 0.0

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x)
        return np.multiply(x, context.params["scale"], out=context.buffer(x.shape))

    def backward(self, context: Context, gradient: Array) -> Array | None:
        (x,) = context.saved
        product = np.multiply(gradient, x, out=context.buffer(x.shape))
        sum_rows(product.reshape(-1, x.shape[-1]), context.grads["scale"])
        if not context.needs_input_gradient:
            return None
        return np.multiply(gradient, context.params["scale"], out=gradient)


class NTKLinear(Linear, type="ntk_linear"):
    """An affine map in the form of the neural tangent kernel, y = x V / sqrt(in) + b, V from N(0, 1).

    It keeps W = V / sqrt(in) instead of V, so y = x W + b, and multiplies the rate of W by 1 / sqrt(in) and its weight
    decay by sqrt(in). Under Adam and its relatives, whose steps do not depend on the size of the gradients, W then
    moves exactly as V / sqrt(in) would (but for epsilon), and costs nothing in each pass.

    With `from_data`, the first weights are made from up to 1,024 rows of the training data: each column of W is divided
    by the deviation of its output, and b becomes minus a convex mix of five of these outputs, with weights from a flat
    Dirichlet distribution, so that each unit has its bend among the data.

    Shapes: (in,) -> (out,), and (time, in) -> (time, out). Parameters: weight (in, out), bias (out,). State with
    `from_data`: samples, the number of rows from which the first weights were made; 0 before training.

    Source: Jacot, Gabriel and Hongler 2018, arXiv:1806.07572; bias and scaling: Holzmüller, Grinsztajn and Steinwart
    2024, arXiv:2407.04491, section 3.2, and Steinwart 2019, arXiv:1903.11482 (he+5).

    Attributes:
        bias_learning_rate: a factor of the rate for the bias.
        from_data: whether the first weights are made to fit the data.
        out_features: the size of the last axis of the output.
        bias: whether b is added.
        weight_initializer: of V.
        bias_initializer: of b.
    """

    bias_initializer: Initializer = Normal(standard_deviation=1.0)
    bias_learning_rate: float = field(default=1.0, above=0.0)
    from_data: bool = False

    @classmethod
    def examples(cls) -> Sequence[Example]:
        fitted = cls(out_features=4, bias_learning_rate=0.1, from_data=True)
        return (Example(cls(out_features=3), ((5,),)), Example(fitted, ((3,),)), Example(fitted, ((None, 6),)))

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        found = dict(super().parameters(*input_shapes))
        width = math.sqrt(features_of(input_shapes[0]))
        found["weight"] = Parameter(
            found["weight"].shape, self.weight_initializer, decay=width, learning_rate=1 / width
        )
        if self.bias:
            found["bias"] = Parameter(
                (self.out_features,), self.bias_initializer, decay=False, learning_rate=self.bias_learning_rate
            )
        return found

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        return {"samples": State(())} if self.from_data else {}

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        if not self.from_data or context.state["samples"]:
            return
        weight = context.params["weight"]
        rows = ((x, context.masks[0]) for x, _ in batches)
        sample = sample_rows(rows, len(weight), context.dtype, self.type, ROWS)
        if not sample.count:
            return
        y = sample.rows() @ weight.astype(np.float64)
        deviation = y.std(axis=0)
        deviation[deviation == 0] = 1
        weight[...] = weight / deviation
        if self.bias:
            context.params["bias"][...] = -_mixes(y / deviation, context.rng)
        context.state["samples"][...] = sample.count


def _mixes(rows: Array, rng: np.random.Generator) -> Array:
    """For each feature a convex mix of the values of five rows."""
    features = rows.shape[1]
    chosen = rows[rng.integers(0, len(rows), (MIXED, features)), np.arange(features)]
    shares = rng.standard_exponential((MIXED, features))
    return np.asarray((chosen * shares).sum(axis=0) / shares.sum(axis=0))

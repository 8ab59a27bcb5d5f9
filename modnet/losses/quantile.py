"""The loss that is minimised by quantiles of the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.context import Context
from modnet.losses.elementwise import of_means, with_and_without_last_axis
from modnet.losses.measured import MeasuredLoss
from modnet.losses.targets import converted, sample_means


class Quantile(MeasuredLoss, type="quantile"):
    """max(q * r, (q - 1) * r) for a residual r = target - prediction: minimal for the quantile q of the target.

    With one quantile, prediction (batch, ...); target the same, or without a last axis of 1 (q = 0.5 is half of `mae`).
    With several, the last axis of the prediction has one output for each, in the order of `quantiles`; the target has
    the shape without that axis, or with an axis of 1 there. The outputs may cross: nothing forces them to be in order.
    A sample's value is the mean over all of them. The derivative at 0 is taken as 0. After `unstandardize` prediction
    and target are in deviations of the target.

    Source: Koenker and Bassett 1978, Econometrica 46 (1); scikit-learn's mean_pinball_loss.

    Attributes:
        quantiles: q of each output, such as [0.1, 0.5, 0.9].
    """

    positions = True
    of_residuals = True

    quantiles: tuple[float, ...] = field(default=(0.5,), above=0.0, below=1.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        several = cls(quantiles=(0.1, 0.5, 0.9))
        return (Example(cls(), ((3,), (3,))), Example(several, ((3,), (1,))), Example(several, ((4, 3), (4,))))

    def check(self) -> None:
        if not self.quantiles:
            raise ValueError("quantiles needs at least one quantile")

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        count = len(self.quantiles)
        if count == 1:
            return with_and_without_last_axis(prediction_shape)
        if not prediction_shape or prediction_shape[-1] not in (None, count):
            raise ShapeError(
                f"{self.type} has {count} quantiles, found a prediction of shape {prediction_shape}",
                f"end the network with {count} units: one output for each quantile",
            )
        return ((*prediction_shape[:-1], 1), prediction_shape[:-1])

    def measure(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array | None]:
        residual = context.buffer(prediction.shape)
        if len(self.quantiles) == 1:
            np.subtract(converted(context, target, prediction), prediction, out=residual)
        else:
            one = context.buffer((*prediction.shape[:-1], 1))
            np.copyto(one, target.reshape(one.shape), casting="unsafe")
            np.subtract(one, prediction, out=residual)
        quantiles = np.array(self.quantiles, prediction.dtype)
        # d/dprediction = (r < 0) - q, times |sign(r)|, which makes it 0 at r = 0; the loss is -derivative * r.
        below = np.less(residual, 0, out=context.buffer(prediction.shape))
        slope = np.subtract(below, quantiles, out=context.buffer(prediction.shape))
        slope *= np.abs(np.sign(residual, out=below), out=below)
        residual *= np.negative(slope, out=below)
        return sample_means(residual, context.buffer(prediction.shape[:1])), of_means(slope)

"""Losses that define `measure`."""

from __future__ import annotations

from typing import cast

from modnet.arrays import Array
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.losses.targets import check_arrays


class MeasuredLoss(Loss):
    """A loss that overrides `measure`; `values` and `gradient` are computed by it."""

    def values(self, prediction: Array, target: Array) -> Array:
        check_arrays(self, prediction, target)
        return self.measure(Context(prediction.dtype), prediction, target)[0]

    def gradient(self, prediction: Array, target: Array) -> Array:
        check_arrays(self, prediction, target)
        return cast(Array, self.measure(Context(prediction.dtype), prediction, target)[1])

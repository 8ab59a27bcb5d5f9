"""Losses by formula."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from autograd import make_vjp

from modnet import Loss
from modnet.arrays import Array


class AutogradLoss(Loss):
    '''A loss of which `compute` is written, with functions of `autograd.numpy`.

    import autograd.numpy as np

    class LogCosh(AutogradLoss, type="log_cosh"):
        """log(cosh(p - t)), the mean over all axes but the batch."""

        def compute(self, prediction, target):
            distance = prediction - target
            return np.mean(np.logaddexp(distance, -distance) - np.log(2), axis=tuple(range(1, prediction.ndim)))
    '''

    def compute(self, prediction: Any, target: Any) -> Any:
        """The loss of each sample, shape (batch,). A pure function; each value depends only on its own sample."""
        raise NotImplementedError

    def values(self, prediction: Array, target: Array) -> Array:
        return np.asarray(self.compute(prediction, target), prediction.dtype)

    def gradient(self, prediction: Array, target: Array) -> Array:
        back, values = make_vjp(self.compute)(prediction, target)
        return cast(Array, back(np.ones_like(values))).astype(prediction.dtype, copy=False)

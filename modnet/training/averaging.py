"""Averages of the weights over many steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.kinds.callback import Callback
from modnet.training.run import Run


class ExponentialAverage(Callback, type="ema"):
    """Keeps an exponential moving average of the weights: after each step a = decay * a + (1 - decay) * w.

    Validation, the best weights of `early_stopping` and the network at the end use the averaged weights; the training
    itself continues with the current ones. The average starts with the weights after the first step. The state of
    layers, such as the statistics of `batch_norm`, is not averaged.

    Fields:
        decay: how much of the average is kept in each step; the average covers about the last 1 / (1 - decay) steps.

    Sources: Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; the same numbers as
    torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay).
    """

    decay: float = field(default=0.999, minimum=0.0, below=1.0)

    def join(self, run: Run) -> object:
        return _Average(self.decay, run)


class _Average:
    """The averaged weights of one run; stored in `run.averaged`."""

    def __init__(self, decay: float, run: Run) -> None:
        self.decay = decay
        self.run = run
        self._scratch: Array = np.empty_like(run.network.parameters.flat)

    def modnet_step_ended(self, run: Run) -> None:
        weights, average = run.network.parameters.flat, run.averaged
        if average is None:
            run.averaged = weights.copy()
            return
        change = np.subtract(weights, average, out=self._scratch)
        change *= 1.0 - self.decay
        average += change

    def modnet_training_ended(self, run: Run) -> None:
        # The weights that early stopping restores, before or after this, are averaged already.
        if run.averaged is not None and not run.history.restored:
            np.copyto(run.network.parameters.flat, run.averaged)

    def state(self) -> dict[str, Any]:
        return {} if self.run.averaged is None else {"average": self.run.averaged}

    def restore(self, state: Mapping[str, Any]) -> None:
        average, flat = state.get("average"), self.run.network.parameters.flat
        if average is None:
            return
        if not isinstance(average, np.ndarray) or (average.shape, average.dtype) != (flat.shape, flat.dtype):
            raise ValueError("the averaged weights do not match")
        self.run.averaged = average

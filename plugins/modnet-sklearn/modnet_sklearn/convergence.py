"""When a training has converged, as MLPClassifier has it."""

from __future__ import annotations

from typing import Any

import modnet
from modnet.kinds.schedule import Progress

SMALLEST_RATE = 1e-6
"""The rate below which `adaptive` ends the training instead of going on with a smaller one."""

REDUCTION = 5.0
"""By how much `adaptive` divides the rate."""


class Patience:
    """Counts the epochs in which the loss was not better than the best so far by `tolerance`.

    Attributes:
        best: the smallest loss so far.
        count: the epochs in a row without such an improvement.
    """

    def __init__(self, tolerance: float, epochs: float) -> None:
        self.tolerance, self.epochs = tolerance, epochs
        self.best, self.count = float("inf"), 0

    def take(self, loss: float) -> bool:
        """Whether there have been more than `epochs` epochs without an improvement; the count then starts again."""
        self.count = self.count + 1 if loss > self.best - self.tolerance else 0
        self.best = min(self.best, loss)
        if self.count <= self.epochs:
            return False
        self.count = 0
        return True


class Adaptive(modnet.Schedule):
    """Divides the rate by 5 whenever the loss has not improved by `tolerance` for more than `patience` epochs."""

    tolerance: float
    patience: float

    def factor(self, progress: Progress) -> float:
        losses = progress.history.get("loss", ())
        seen, patience, factor = progress.memory.get(self, (0, None, 1.0))
        patience = patience or Patience(self.tolerance, self.patience)
        for loss in losses[seen:]:
            factor = factor / REDUCTION if patience.take(loss) else factor
        progress.memory[self] = len(losses), patience, factor
        return float(factor)


class InverseScaling(modnet.Schedule):
    """1 / (t + 1)^power after t samples."""

    power: float
    samples: int

    def factor(self, progress: Progress) -> float:
        return float((progress.epoch * self.samples + 1.0) ** -self.power)


class Convergence:
    """Ends a run when its loss has not improved by `tolerance` for more than `patience` epochs.

    Attributes:
        adaptive: whether the rate falls first, and the run ends when that would be below 1e-6.
    """

    def __init__(self, tolerance: float, patience: float, adaptive: bool) -> None:
        self.patience, self.adaptive = Patience(tolerance, patience), adaptive

    def modnet_epoch_ended(self, run: modnet.Run) -> None:
        over = self.patience.take(float(run.figures["loss"]))
        if over and not (self.adaptive and run.learning_rate > SMALLEST_RATE):
            epochs = self.patience.epochs
            run.stop(f"the loss has not improved by {self.patience.tolerance:g} for more than {epochs:g} epochs")


class Joining(modnet.Callback):
    """Adds an object to one run."""

    member: Any

    def join(self, run: modnet.Run) -> object:
        return self.member

"""Schedules of the learning rate. Each is a factor of the optimizer's rate; time is counted in fractions of epochs.

x is `Progress.epoch` and E is `Progress.epochs`. For a schedule that is also in `torch.optim.lr_scheduler`, the factor
at a whole x is that of torch after x calls of `step()`, unless its docstring says otherwise. After x = E a schedule
that refers to E stays at its last value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from modnet.configuration.fields import field
from modnet.errors import TrainingError
from modnet.kinds.component import Example
from modnet.kinds.figures import monitored_figure
from modnet.kinds.schedule import Progress, Schedule
from modnet.words import did_you_mean, show

__all__ = ["Constant", "Cosine", "Exponential", "Linear", "OneCycle", "Plateau", "Step"]


class Constant(Schedule, type="constant"):
    """The optimizer's own learning rate throughout: a factor of 1."""

    def factor(self, progress: Progress) -> float:
        return 1.0


class Step(Schedule, type="step"):
    """Multiplied by `gamma` after every `every_epochs` epochs: gamma^floor(x / every_epochs).

    Attributes:
        every_epochs: how many epochs a step of the stairs takes.
        gamma: the factor of one step to the one before it.
    """

    every_epochs: int = field(minimum=1)
    gamma: float = field(default=0.1, above=0.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(every_epochs=2)),)

    def factor(self, progress: Progress) -> float:
        return math.pow(self.gamma, progress.epoch // self.every_epochs)


class Exponential(Schedule, type="exponential"):
    """Multiplied by `gamma` over each epoch, smoothly, at every step: gamma^x.

    torch changes the rate at the end of an epoch only; `step` with every_epochs = 1 does that.

    Attributes:
        gamma: the factor after one epoch.
    """

    gamma: float = field(above=0.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(gamma=0.9)),)

    def factor(self, progress: Progress) -> float:
        return math.pow(self.gamma, progress.epoch)


class Cosine(Schedule, type="cosine"):
    """Half a cosine from 1 down to `final_factor`, after a linear warm-up from 0.

    With W = `warmup_epochs` and F = `final_factor` it is x / W for x < W, and then
    F + (1 - F) (1 + cos(pi (x - W) / (E - W))) / 2. With a warm-up the first step has a rate of 0.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts; the warm-up is that of Goyal et
    al. 2017, arXiv:1706.02677, from 0.

    Attributes:
        warmup_epochs: W, how long the factor rises from 0 to 1.
        final_factor: F, the factor at the end.
    """

    warmup_epochs: float = field(default=0.0, minimum=0.0)
    final_factor: float = field(default=0.0, minimum=0.0)

    def factor(self, progress: Progress) -> float:
        if progress.epoch < self.warmup_epochs:
            return progress.epoch / self.warmup_epochs
        if progress.epoch >= progress.epochs:
            return self.final_factor
        done = (progress.epoch - self.warmup_epochs) / (progress.epochs - self.warmup_epochs)
        return half_cosine(1.0, self.final_factor, done)


class Linear(Schedule, type="linear"):
    """From `start_factor` to `end_factor` in a straight line over the first `epochs` epochs, then constant.

    Without `epochs` the line takes the whole run.

    Attributes:
        start_factor: the factor at the beginning of the line.
        end_factor: the factor at its end.
        epochs: how long the line is; by default as long as the run.
    """

    start_factor: float = field(default=1.0, minimum=0.0)
    end_factor: float = field(default=0.0, minimum=0.0)
    epochs: float | None = field(default=None, above=0.0)

    def factor(self, progress: Progress) -> float:
        done = min(1.0, progress.epoch / (self.epochs or progress.epochs))
        return self.start_factor * (1 - done) + self.end_factor * done


class OneCycle(Schedule, type="one_cycle"):
    """Up to the optimizer's learning rate and down again, each along half a cosine.

    From 1 / div_factor to 1 over the first `warmup_fraction` of the run, then to 1 / (div_factor final_div_factor) at
    its end.

    Source: Smith and Topin 2018, arXiv:1708.07120, in the form of torch's OneCycleLR, which differs only in the ends:
    torch divides T steps into T - 1 intervals, with the maximum after warmup_fraction T - 1 of them.

    Attributes:
        warmup_fraction: the part of the run in which the factor rises.
        div_factor: the factor begins with 1 divided by it.
        final_div_factor: the factor ends with its first value divided by this.
    """

    warmup_fraction: float = field(default=0.3, minimum=0.0, below=1.0)
    div_factor: float = field(default=25.0, minimum=1.0)
    final_div_factor: float = field(default=1e4, minimum=1.0)

    def factor(self, progress: Progress) -> float:
        done = min(1.0, progress.epoch / progress.epochs)
        start = 1 / self.div_factor
        if done < self.warmup_fraction:
            return half_cosine(start, 1.0, done / self.warmup_fraction)
        return half_cosine(
            1.0, start / self.final_div_factor, (done - self.warmup_fraction) / (1 - self.warmup_fraction)
        )


class Plateau(Schedule, type="plateau"):
    """Multiplied by `gamma` when a monitored value has stopped improving.

    A value improves if it is better than the best one so far by more than `threshold` times the magnitude of that. The
    figure itself says whether better is greater (accuracy) or smaller (a loss). nan is not an improvement. After more
    than `patience` epochs in a row without improvement, the factor is multiplied by `gamma`, but does not fall below
    `minimum_factor`; the `cooldown` epochs that follow do not count. It is computed only from the run's history, so
    there is no state to save.

    As torch's ReduceLROnPlateau with a relative threshold; torch's threshold has the wrong sign for negative values.

    Attributes:
        monitor: the name of the value in the history; "validation_loss" means "loss" in a run without validation.
        mode: whether smaller ("min") or greater ("max") is better, for a figure that has no direction of its own. For
            other figures it is not needed, and refused if it contradicts them.
        gamma: what the factor is multiplied by.
        patience: how many epochs in a row may be without improvement.
        threshold: a smaller change, relative to the best value, is no improvement.
        cooldown: how many epochs do not count after the factor has changed.
        minimum_factor: the lowest factor.

    Raises:
        TrainingError: from `factor`, if the run does not record the value, or the value has no direction.
    """

    monitor: str = "validation_loss"
    mode: Literal["min", "max"] | None = None
    gamma: float = field(default=0.1, above=0.0, below=1.0)
    patience: int = field(default=10, minimum=0)
    threshold: float = field(default=1e-4, minimum=0.0)
    cooldown: int = field(default=0, minimum=0)
    minimum_factor: float = field(default=0.0, minimum=0.0, maximum=1.0)

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        name, greater = monitored_figure(self.monitor, figures)
        if greater is None and self.mode is None:
            raise ValueError(f"this is {_without_direction(name)}")
        if greater is not None and self.mode not in (None, "max" if greater else "min"):
            better = "greater" if greater else "smaller"
            raise ValueError(
                f"mode = {show(self.mode)}, but a {better} value of {show(name)} is better; leave mode out"
            )

    def factor(self, progress: Progress) -> float:
        values, sign = self._course(progress)
        # What was reached by the values so far. During a run they are one list that only grows; another list, or a
        # shorter one, means that the values have to be gone through again.
        reached: _Reached
        known, seen, reached = progress.memory.get(self, (None, 0, _Reached()))
        if known is not values or seen > len(values):
            seen, reached = 0, _Reached()
        for position in range(seen, len(values)):
            reached = self._after(reached, sign * self._number(values[position]))
        progress.memory[self] = (values, len(values), reached)
        return reached.factor

    def _course(self, progress: Progress) -> tuple[Sequence[float], float]:
        """The monitored values so far, and what they are multiplied by so that smaller ones are better.

        Raises:
            TrainingError: the run does not record them, or they have no direction.
        """
        history = progress.history
        name = "loss" if self.monitor == "validation_loss" and self.monitor not in history else self.monitor
        if history and name not in history:
            raise TrainingError(
                f'the plateau schedule monitors "{self.monitor}", which this run does not record; '
                f"expected one of: {', '.join(history)}{did_you_mean(self.monitor, history)}"
            )
        greater = progress.greater_is_better.get(name) if self.mode is None else self.mode == "max"
        if history and greater is None:
            raise TrainingError(f"the plateau schedule monitors {_without_direction(name)}")
        return history.get(name, ()), -1.0 if greater else 1.0

    def _number(self, found: float) -> float:
        if not isinstance(found, int | float):
            raise TrainingError(
                f"the plateau schedule monitors {show(self.monitor)}, which has several numbers for each epoch; "
                "monitor a figure that is one number"
            )
        return found

    def _after(self, before: _Reached, value: float) -> _Reached:
        """The state after one more value, of which smaller ones are better."""
        factor, to_beat, bad, cooling = before
        if value < to_beat:
            to_beat, bad = value - self.threshold * abs(value), 0
        else:
            bad += 1
        if cooling:
            cooling, bad = cooling - 1, 0
        if bad > self.patience:
            factor = max(factor * self.gamma, self.minimum_factor)
            cooling, bad = self.cooldown, 0
        return _Reached(factor, to_beat, bad, cooling)


class _Reached(NamedTuple):
    """The state of `Plateau` after a sequence of values.

    Attributes:
        factor: of the learning rate.
        to_beat: a value below this is an improvement.
        bad: the epochs since the last improvement.
        cooling: the remaining epochs that do not count.
    """

    factor: float = 1.0
    to_beat: float = math.inf
    bad: int = 0
    cooling: int = 0


def _without_direction(figure: str) -> str:
    return f'{show(figure)}, which has no better direction of its own; set mode = "min" or "max"'


def half_cosine(start: float, end: float, done: float) -> float:
    """From `start` at done = 0 to `end` at done = 1, with zero slope at both."""
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2

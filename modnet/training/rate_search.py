"""A first guess at the learning rate, from the losses of a short run in which it rises."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from modnet.engine.network import Network
from modnet.errors import Diverged, TrainingError
from modnet.kinds.callback import Callback
from modnet.kinds.optimizer import Optimizer
from modnet.kinds.schedule import Progress, Schedule
from modnet.plugins.registry import Registry, default_registry
from modnet.screen import folded, with_bars
from modnet.training.run import Run
from modnet.training.temperatures import NO_TEMPERATURE
from modnet.training.train import merged_training, prepare
from modnet.waiting import advance
from modnet.words import in_columns

SMOOTHING = 0.9
"""How much of the previous mean loss each step keeps."""

NOISY = 20
"""So many steps the mean loss takes to become steady; none of their rates is suggested."""

HOPELESS = 4.0
"""The search ends when the smoothed loss exceeds the lowest one by this factor."""

LINES = 24
"""About how many lines of the table are printed."""

WIDTH = 40
"""The length of the longest bar, in characters."""


@dataclass(frozen=True)
class RateSearch:
    """The losses of steps whose learning rate rises exponentially; prints as a table.

    Attributes:
        rates: of the steps, rising.
        losses: of the batches.
        smoothed: their exponential moving mean, with bias correction.
        suggested: the rate at which the lowest smoothed loss so far falls most steeply over the logarithm of the rate,
            rounded to two digits; None if it never falls. The first 20 steps, or a quarter of all, only say where the
            loss begins.
        ended: why the search ended before the greatest rate, or "".
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float | None
    ended: str = ""

    def plain(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "suggested": self.suggested,
            "ended": self.ended,
            "rates": list(self.rates),
            "losses": list(self.losses),
            "smoothed": list(self.smoothed),
        }

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        every = max(1, -(-len(self.rates) // LINES))
        lowest, highest = min(self.smoothed), min(max(self.smoothed), 2 * self.smoothed[0])
        rows = [("learning rate", "loss")]
        bars = [""]
        for number in range(0, len(self.rates), every):
            share = (self.smoothed[number] - lowest) / (highest - lowest) if highest > lowest else 0.0
            rows.append((f"{self.rates[number]:.2e}", f"{self.smoothed[number]:.4g}"))
            bars.append("#" * round(WIDTH * min(share, 1.0)))
        table = with_bars(in_columns(rows, left=0), bars, width)
        told = (
            "the loss does not fall at any of these rates"
            if self.suggested is None
            else f"suggested: learning_rate = {self.suggested:g}, where the loss falls most steeply"
        )
        return folded("\n".join([*table, "", *filter(None, (self.ended, told))]), width)


def find_rate(
    network: Network,
    x: Any,
    y: Any = None,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    registry: Registry | None = None,
    **given: Any,
) -> RateSearch:
    """Searches for a learning rate; the network is not changed.

    Trains for some steps whose rates rise by a constant factor, without the schedule and the callbacks of the spec.

    Args:
        x, y: as for `modnet.train`.
        lowest, highest: the rates of the first and the last step.
        steps: the number of steps.
        given: further arguments of `modnet.train` that replace parts of the training in the spec: loss, batch_size.

    Raises:
        TrainingError: the rates do not rise, or there are too few steps.
        SpecError, ShapeError, DataError: as `modnet.train`.

    Source: Smith 2017, "Cyclical learning rates for training neural networks", arXiv:1506.01186, section 3.3.
    """
    registry = registry or default_registry()
    given = {"loss": None, **given}
    training = merged_training(network, given, registry)
    notes = _Notes(lowest, highest, steps)
    optimizer = training.optimizer or registry.find(Optimizer, "adam")()
    given["optimizer"] = optimizer.replace(learning_rate=1.0)  # so that the schedule's factor is the rate itself
    given |= {"schedule": _Rising(notes), "callbacks": [_Watch(notes)], "epochs": steps * training.accumulate}
    with _as_before(network):
        try:
            prepare(network, x, y, given=given, registry=registry).fit()
        except Diverged:
            notes.ended = "ended: the loss is not finite after the last of these steps"
    return notes.search()


@contextmanager
def _as_before(network: Network) -> Iterator[None]:
    """Restores the network at the end; suppresses warnings about numbers that overflow, and rows to validate with."""
    arrays = (network.parameters, network.state)
    card, before = network.card, [array.flat.copy() for array in arrays]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", NO_TEMPERATURE)
            yield
    finally:
        network.card = card
        for array, kept in zip(arrays, before, strict=True):
            np.copyto(array.flat, kept)


def _steepest(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """The rate at which the loss falls most steeply, on the way to its minimum.

    Batches differ, and the mean of the first few of them varies most. So the first steps only say where the loss
    begins, and the fall is that of the lowest loss since then, while the rate rises tenfold.
    """
    first = min(NOISY, len(rates) // 4)
    course = np.minimum.accumulate([float(np.median(smoothed[: first + 1])), *smoothed[first:]])[1:]
    course = course[: int(np.argmin(course)) + 1]
    if len(course) < 3:
        return None
    width = min(max(1, round(math.log(10) / math.log(rates[1] / rates[0]))), len(course) - 1)
    falls = course[:-width] - course[width:]
    place = int(np.argmax(falls))
    return float(f"{rates[first + place + width // 2]:.1e}") if falls[place] > 0 else None


class _Rising(Schedule):
    """The rates of a search. Not a pure function of the progress, as a schedule should be: no search is resumed."""

    def __init__(self, notes: _Notes) -> None:
        object.__setattr__(self, "notes", notes)

    def factor(self, progress: Progress) -> float:
        notes: _Notes = self.__dict__["notes"]
        return notes.next_rate()


class _Watch(Callback):
    """Adds the notes to the run as a callback."""

    def __init__(self, notes: _Notes) -> None:
        object.__setattr__(self, "notes", notes)

    def join(self, run: Run) -> object:
        return self.__dict__["notes"]


class _Notes:
    """The steps so far.

    Attributes:
        rates, losses, smoothed, ended: as in `RateSearch`.
    """

    def __init__(self, lowest: float, highest: float, steps: int) -> None:
        if not 0 < lowest < highest < math.inf or steps < 10:
            raise TrainingError(
                f"expected 0 < lowest < highest and at least 10 steps; found {lowest}, {highest}, {steps}"
            )
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.ended = ""
        self._lowest, self._steps = lowest, steps
        self._growth = math.log(highest / lowest) / (steps - 1)
        self._mean = 0.0

    def next_rate(self) -> float:
        """The rate of the next step."""
        return self._lowest * math.exp(self._growth * len(self.losses))

    def modnet_step_ended(self, run: Run) -> None:
        self.rates.append(run.learning_rate)
        self.losses.append(run.loss)
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * run.loss
        self.smoothed.append(self._mean / (1 - SMOOTHING ** len(self.losses)))
        advance("steps", len(self.losses), self._steps)
        if len(self.losses) == self._steps:
            run.stop("the greatest rate was reached")
        elif self.smoothed[-1] > HOPELESS * min(self.smoothed):
            self.ended = f"ended: the loss is {HOPELESS:g} times its lowest"
            run.stop(self.ended)

    def modnet_training_ended(self) -> None:
        advance("steps", self._steps, self._steps)

    def search(self) -> RateSearch:
        if not self.losses:
            raise TrainingError("the loss is not finite at the first step, before the weights have changed")
        smoothed = tuple(self.smoothed)
        found = _steepest(self.rates, smoothed)
        return RateSearch(tuple(self.rates), tuple(self.losses), smoothed, found, self.ended)

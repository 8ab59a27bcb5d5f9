"""The contract of a schedule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from modnet.kinds.schedule import Progress, Schedule
from modnet.testing.contract import Broken, Rules
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import GlobalNumbers

RULES = Rules()


class Trial(of_component.Trial):
    component: Schedule


def courses(figures: Sequence[str] = ("loss", "validation_loss"), nan: bool = False) -> list[list[Progress]]:
    """Runs of different lengths, in steps of a fifth of an epoch, one epoch beyond their end.

    Args:
        figures: what the runs record.
        nan: whether some of the values are nan, as in a run that diverges.
    """
    return [_course(epochs, figures, nan) for epochs in (1, 2, 3, 10, 37, 1000)]


def _course(epochs: int, figures: Sequence[str], nan: bool) -> list[Progress]:
    """One run of `courses`; a long run is sampled, with all steps near its end."""
    run = []
    memory: dict[Schedule, Any] = {}
    steps = {*range(0, 5 * epochs + 6, max(1, epochs // 10)), *range(5 * epochs - 5, 5 * epochs + 6)}
    for step in sorted(step for step in steps if step >= 0):
        losses = tuple(1.0 if epoch > 3 else 4.0 - epoch for epoch in range(step // 5))
        if nan:
            losses = tuple(math.nan if epoch % 3 == 1 else loss for epoch, loss in enumerate(losses))
        history = MappingProxyType(dict.fromkeys(figures, losses) if losses else {})
        run.append(Progress(step / 5, epochs, history, dict.fromkeys(figures, False), memory))
    return run


@RULES.rule(
    "finite",
    "factor returns a float of 0 or more for every epoch from 0 to the end and a little beyond, also for a run of "
    "one epoch and before there is any history.",
    after=("arguments",),
)
def finite(trial: Trial) -> str:
    lowest, highest = math.inf, 0.0
    found: Any
    for run in _all_courses(trial.component):
        for progress in run:
            found = trial.component.factor(progress)
            place = f"epoch {progress.epoch:g} of {progress.epochs}"
            if not isinstance(found, float | int) or isinstance(found, bool):
                raise Broken(f"{place}: the factor is {found!r} ({type(found).__name__}), expected a float")
            if not math.isfinite(found) or found < 0:
                raise Broken(f"{place}: the factor is {found}")
            lowest, highest = min(lowest, found), max(highest, found)
    if not highest:
        raise Broken("the factor is 0 in every step: nothing is learned")
    return f"from {lowest:.3g} to {highest:.3g}"


def _all_courses(schedule: Schedule) -> Iterator[list[Progress]]:
    """Usual runs, runs without validation (if the schedule accepts them), and runs with nan."""
    yield from courses()
    try:
        schedule.check_figures({"loss": False})
    except ValueError:
        pass
    else:
        yield from courses(("loss",))
    yield from courses(nan=True)


@RULES.rule(
    "pure",
    "The factor depends only on `progress`, including its history, so that a resumed run repeats it: remember "
    "nothing between calls and draw no random numbers. What you keep in progress.memory may be lost at any time, "
    "and may come from an earlier epoch.",
    after=("finite",),
)
def pure(trial: Trial) -> str:
    for run in courses():
        with GlobalNumbers(1):
            forwards = [trial.component.factor(progress) for progress in run]
        for at, progress in enumerate(run):
            for what, memory in (("again", progress.memory), ("with an empty progress.memory", {})):
                known = progress.epochs, progress.history, progress.greater_is_better
                found = trial.component.factor(Progress(progress.epoch, *known, memory))
                if found != forwards[at]:
                    raise Broken(
                        f"epoch {progress.epoch:g} of {progress.epochs}: the factor is {forwards[at]}, and "
                        f"{found} if it is asked {what}"
                    )
        order = np.random.default_rng(0).permutation(len(run))
        with GlobalNumbers(2):
            mixed = {int(at): trial.component.factor(run[at]) for at in order}
        for at, expected in enumerate(forwards):
            if mixed[at] != expected:
                raise Broken(
                    f"epoch {run[at].epoch:g} of {run[at].epochs}: the factor is {expected}, and {mixed[at]} if "
                    "epochs are asked in another order"
                )
    return ""

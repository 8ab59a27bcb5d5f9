"""The contract of a schedule."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np

from modnet.component import Progress, Schedule
from modnet.testing.contract import Broken, Rules
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import GlobalNumbers

RULES = Rules()


class Trial(of_component.Trial):
    component: Schedule


def courses() -> list[list[Progress]]:
    """Runs of different lengths, in steps of half an epoch, one epoch beyond their end."""
    found = []
    for epochs in (1, 2, 10, 1000):
        run = []
        # A long run is looked at here and there.
        for step in range(0, 2 * epochs + 3, max(1, epochs // 25)):
            done = step // 2
            losses = tuple(1.0 if epoch > 3 else 4.0 - epoch for epoch in range(done))
            history = MappingProxyType({"loss": losses, "validation_loss": losses} if done else {})
            run.append(Progress(step / 2, epochs, history))
        found.append(run)
    return found


@RULES.rule(
    "finite",
    "factor gives a float of 0 or more for every epoch from 0 to the end and a little beyond, for a run of one epoch, "
    "and before there is any history.",
)
def finite(trial: Trial) -> str:
    lowest, highest = math.inf, 0.0
    for run in courses():
        for progress in run:
            found = trial.component.factor(progress)
            place = f"epoch {progress.epoch:g} of {progress.epochs}"
            if not isinstance(found, float | int) or isinstance(found, bool):
                raise Broken(f"{place}: the factor is {found!r} ({type(found).__name__}), expected a float")
            if not math.isfinite(found) or found < 0:
                raise Broken(f"{place}: the factor is {found}")
            lowest, highest = min(lowest, found), max(highest, found)
    return f"from {lowest:.3g} to {highest:.3g}"


@RULES.rule(
    "pure",
    "The factor follows from `progress` alone, with the history in it, so that a run that goes on repeats it: nothing "
    "is remembered from one call to the next, nothing drawn.",
    after=("finite",),
)
def pure(trial: Trial) -> str:
    for run in courses():
        with GlobalNumbers(1):
            forwards = [trial.component.factor(progress) for progress in run]
        order = np.random.default_rng(0).permutation(len(run))
        with GlobalNumbers(2):
            mixed = {int(at): trial.component.factor(run[at]) for at in order}
        for at, expected in enumerate(forwards):
            if mixed[at] != expected:
                raise Broken(
                    f"epoch {run[at].epoch:g} of {run[at].epochs}: {expected}, and {mixed[at]} in another order"
                )
    return ""

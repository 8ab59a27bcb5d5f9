"""The names of a run's figures, and the check of those that schedules and callbacks monitor."""

from __future__ import annotations

from collections.abc import Mapping

from modnet.errors import Problem, SpecError
from modnet.kinds.callback import Callback
from modnet.kinds.figures import VALIDATION
from modnet.kinds.schedule import Schedule
from modnet.plugins.builtin import BUILTIN
from modnet.specs.model import TrainingSpec
from modnet.words import path_text


def check_figures(training: TrainingSpec, figures: Mapping[str, bool | None]) -> None:
    """Checks that the run will record the figures that schedules and callbacks need.

    Raises:
        SpecError: figures are missing, or have no order; all are listed.
    """
    users: list[tuple[tuple[str | int, ...], Schedule | Callback]] = []
    if training.schedule is not None:
        users.append((("training", "schedule"), training.schedule))
    if training.optimizer is not None and training.optimizer.weight_decay_schedule is not None:
        place = ("training", "optimizer", "weight_decay_schedule")
        users.append((place, training.optimizer.weight_decay_schedule))
    users += [(("training", "callbacks", number), used.callback) for number, used in enumerate(training.callbacks)]
    problems = []
    for keys, user in users:
        try:
            user.check_figures(figures)
        except ValueError as error:
            at = (*keys, "monitor") if "monitor" in type(user).__fields__ else keys
            problems.append(Problem(path_text(at), str(error), _missing_metric(user, figures), keys=at))
    if problems:
        raise SpecError(problems)


def _missing_metric(user: Schedule | Callback, figures: Mapping[str, bool | None]) -> str:
    """A hint if the monitored figure is one of the core's metrics that is only not recorded; or ""."""
    name = str(getattr(user, "monitor", "")).removeprefix("val_").removeprefix(VALIDATION)
    if name in BUILTIN["modnet.metrics"] and name not in figures:
        return f'{name} is a metric; record it with metrics = ["{name}"] in [training]'
    return ""

"""The learning rate over a training, as its schedule gives it, as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.history import History
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.kinds.figures import VALIDATION
from modnet.kinds.optimizer import Optimizer
from modnet.kinds.schedule import Progress, Schedule
from modnet.pictures.figure import draw
from modnet.pictures.palette import FIRST, SECOND
from modnet.plugins.registry import default_registry
from modnet.training.objective import Objective

POINTS = 2000
"""At most at how many points of the training, if it has no more epochs, the rate is computed."""


def schedule_figure(network: Network) -> tuple[Any, list[str]]:
    """A figure of matplotlib with the learning rate over the epochs, and the weight decay if it has a schedule.

    A schedule that follows a figure of the training, such as plateau, is given those of the network's history.

    Returns:
        The figure, and lines about what cannot be known.

    Raises:
        DataError: the network has no training.
        PluginError: a component of the training is not installed.
        TrainingError: a schedule needs a figure that the history has not.
        MissingExtra: matplotlib is not installed.
    """
    training = network.card.training
    if training is None:
        raise DataError("there is no [training], so that there is no learning rate to draw")
    optimizer = training.optimizer or default_registry().find(Optimizer, "adam")()
    each = max(1, POINTS // training.epochs)
    epochs = np.arange(training.epochs * each + 1) / each  # whole epochs, where a rate may jump, are among them
    course = _Course(network, epochs)
    panels = [("learning rate", FIRST, optimizer.learning_rate * course.factors(training.schedule))]
    if optimizer.weight_decay_schedule is not None:
        decay = optimizer.weight_decay * course.factors(optimizer.weight_decay_schedule)
        panels.append(("weight decay", SECOND, decay))

    def fill(figure: Any) -> None:
        for axes, (name, color, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            axes.plot(epochs, values, color=color)
            axes.set(xlabel="epoch", ylabel=name, xlim=(0, training.epochs))
            axes.set_ylim(0, 1.08 * float(values.max()) or 1.0)
            axes.grid(visible=True)

    return draw(fill, (5.2 * len(panels), 2.9)), course.notes


class _Course:
    """The course of a training, for its schedules.

    Attributes:
        notes: lines about what cannot be known.
    """

    def __init__(self, network: Network, epochs: Array) -> None:
        training = network.card.training
        assert training is not None
        self.notes: list[str] = []
        self._epochs, self._last = epochs, training.epochs
        self._history: History = network.card.history
        objective = Objective(network, training)
        self._better = objective.figures(validation=any(name.startswith(VALIDATION) for name in self._history))

    def factors(self, schedule: Schedule | None) -> Array:
        """The factors that a schedule gives at each place of the training."""
        if schedule is None:
            return np.ones(len(self._epochs))
        monitors = type(schedule).check_figures is not Schedule.check_figures
        if monitors and not self._history.epochs:
            self.notes.append(
                f"{schedule.type} follows a figure of the training, which is not known before: this is the rate if it "
                "always improves; of a trained model the true one is drawn"
            )
        found, known = [], self._history.figures
        for epoch in self._epochs.tolist():
            before = min(int(epoch), self._last)  # the epochs that are over
            figures = {name: list(values[:before]) for name, values in known.items()} if monitors else {}
            found.append(schedule.factor(Progress(epoch, self._last, figures, self._better)))
        return np.array(found)

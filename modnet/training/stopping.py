"""Early stopping: of a network, and of each member of an ensemble by itself."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.datasets.batches import Batches
from modnet.engine.parameters import FlatArray
from modnet.kinds.callback import Callback
from modnet.kinds.figures import VALIDATION, monitored_figure
from modnet.training.members import Members
from modnet.training.run import Run
from modnet.words import counted, show


class EarlyStopping(Callback, type="early_stopping"):
    """Stops when a figure has not improved for a number of epochs, and restores the best weights.

    The figure itself says whether better is greater or smaller. An epoch in which it is nan counts as one without
    improvement, and the first such epoch triggers a warning.

    Each member of an ensemble has a best epoch of its own, by the figure of the member alone, as if it were trained
    alone. When a member has not improved for `patience` epochs, its training is over, and the others continue. The run
    ends with the last member, and each then has its own best weights. Without validation, or for a figure of the
    training, all members are measured together and have one best epoch.

    Fields:
        patience: the number of epochs without improvement after which the run stops.
        monitor: the figure; "validation_loss" means "loss" in a run without validation.
        minimum_delta: a smaller change than this does not count as an improvement.
        restore_best: whether the network ends with the weights and state of the best epoch, for any end of the run,
            even if it diverged.
        latest: whether of several epochs with the same best value the latest is the best one, and not the first. An
            accuracy on few rows takes few values, so that this happens often. An equal value is no improvement: the
            patience does not begin again.

    Source: Prechelt 1998, "Early stopping - but when?", the criterion UP counted in epochs.
    """

    patience: int = field(default=10, minimum=1)
    monitor: str = "validation_loss"
    minimum_delta: float = field(default=0.0, minimum=0.0)
    restore_best: bool = True
    latest: bool = False

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        name, greater = monitored_figure(self.monitor, figures)
        if greater is None:
            raise ValueError(f"{show(name)} cannot be monitored: it has no order of better and worse")

    def join(self, run: Run) -> object:
        validation = run.validation
        if run.network.graph.members > 1 and validation is not None and validation.rewinds:
            try:
                name, _ = monitored_figure(self.monitor, run.greater_is_better)
            except ValueError:
                return _BestSoFar(self, run)  # the check before the run tells what is wrong
            if name.startswith(VALIDATION):
                return _BestOfMembers(self, run, name, validation)
        return _BestSoFar(self, run)


class _Course:
    """The best value of a figure so far.

    Attributes:
        best, epoch: the value, and its epoch; 0 before the first epoch.
        improved: the epoch of the last improvement.
    """

    __slots__ = ("best", "epoch", "improved")

    def __init__(self, best: float = math.nan, epoch: int = 0, improved: int = 0) -> None:
        self.best, self.epoch, self.improved = best, epoch, improved

    def take(self, value: float, epoch: int, greater: bool, stopping: EarlyStopping) -> bool:
        """Whether an epoch is the best so far."""
        if not self.epoch or _better(value, self.best, greater, stopping.minimum_delta):
            self.best, self.epoch, self.improved = value, epoch, epoch
        elif stopping.latest and value == self.best:
            self.epoch = epoch
        return self.epoch == epoch

    def is_over(self, epoch: int, patience: int) -> bool:
        """Whether there was no improvement for `patience` epochs. A member that has stopped stays stopped."""
        return bool(self.epoch) and epoch - self.improved >= patience


class _BestSoFar:
    """The state of early stopping in one run.

    Attributes:
        course: of the figure.
        arrays: copies of the network's parameters and state from the best epoch, if they will be restored.
        warned: whether the warning about nan has been given.
    """

    def __init__(self, stopping: EarlyStopping, run: Run) -> None:
        self.stopping = stopping
        self.run = run
        self.course = _Course()
        self.arrays: dict[str, Array] = {}
        self.warned = False

    def modnet_epoch_ended(self, run: Run) -> None:
        stopping, course = self.stopping, self.course
        value, greater = run.monitored(stopping.monitor)
        if math.isnan(value) and not self.warned:
            self.warned = _warn_of_nan(stopping, run.epoch)
        if course.take(value, run.epoch, greater, stopping) and stopping.restore_best and not math.isnan(value):
            self.arrays = {"parameters": run.weights.copy(), "state": run.network.state.flat.copy()}
        if course.is_over(run.epoch, stopping.patience):
            never = " (it was nan in all of them)" if math.isnan(course.best) else ""
            run.stop(f"{_not_improved(stopping)}{never}")

    def modnet_training_ended(self, run: Run) -> None:
        # A checkpoint of an earlier version may have nan as its best value.
        known = bool(self.arrays) and not math.isnan(self.course.best)
        if self.stopping.restore_best and known and self.course.epoch != run.epoch:
            np.copyto(run.network.parameters.flat, self.arrays["parameters"])
            np.copyto(run.network.state.flat, self.arrays["state"])
            run.history.best_epoch = self.course.epoch

    def state(self) -> dict[str, Any]:
        course = self.course
        if not course.epoch:
            return {}
        warned = {"nan": True} if self.warned else {}
        tied = {"improved": course.improved} if course.improved != course.epoch else {}
        return {**warned, **tied, "best": course.best, "epoch": course.epoch, **self.arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        if not state:
            return
        best, epoch = state.get("best"), state.get("epoch")
        improved = state.get("improved", epoch)
        if type(best) is not float or type(epoch) is not int or type(improved) is not int:
            raise ValueError("expected the best figure and its epoch")
        if not 1 <= improved <= epoch <= self.run.history.epochs:
            raise ValueError(f"the best epoch is {epoch} of {self.run.history.epochs}")
        if "parameters" in state or "state" in state:  # otherwise it was written without restore_best
            self.arrays = _best_arrays(self.run, state)
        self.course, self.warned = _Course(best, epoch, improved), state.get("nan") is True


class _BestOfMembers:
    """The state of early stopping of an ensemble, in one run.

    Attributes:
        figure: the name of the figure, which is measured on the validation data.
        validation: these.
        courses: of the figure, for each member.
        arrays: the network's parameters and state, in which each member's part is that with which it ends: from its
            best epoch, or, if that is not to be restored, from the last one of its training.
        warned: whether the warning about nan has been given.
    """

    def __init__(self, stopping: EarlyStopping, run: Run, figure: str, validation: Batches) -> None:
        self.stopping, self.run, self.figure, self.validation = stopping, run, figure, validation
        self.members: Members | None = None
        self.courses = [_Course() for _ in range(run.network.graph.members)]
        self.arrays: dict[str, Array] = {}
        self.warned = False

    def modnet_epoch_ended(self, run: Run) -> None:
        greater, stopping = bool(run.greater_is_better[self.figure]), self.stopping
        over = self._over(run.epoch - 1)
        for number, course in enumerate(self.courses):
            if number in over:
                continue
            value = self._figure(number)
            best = course.take(value, run.epoch, greater, stopping)
            ends = course.is_over(run.epoch, stopping.patience)
            if (best and not math.isnan(value)) if stopping.restore_best else ends:
                self._keep(number)
        now = self._over(run.epoch)
        if now != over:
            run.finish_members(now)
        if len(now) == len(self.courses):
            run.stop(f"{_not_improved(stopping)} in any member")

    def _over(self, epoch: int) -> set[int]:
        """The members whose training is over after an epoch."""
        patience = self.stopping.patience
        return {number for number, course in enumerate(self.courses) if course.is_over(epoch, patience)}

    def _figure(self, member: int) -> float:
        """The figure of a single member."""
        run = self.run
        if self.members is None:
            self.members = run.members or Members(run.network, run.objective.training, self.validation)
        measured = self.members.figures(member, run.weights)
        value = float(measured[self.figure.removeprefix(VALIDATION)])
        if math.isnan(value) and not self.warned:
            self.warned = _warn_of_nan(self.stopping, run.epoch)
        return value

    def _keep(self, member: int) -> None:
        network = self.run.network
        if not self.arrays:
            self.arrays = {"parameters": self.run.weights.copy(), "state": network.state.flat.copy()}
        _copy_part(network.parts_of_members(network.parameters)[member], self.run.weights, self.arrays["parameters"])
        _copy_part(network.parts_of_members(network.state)[member], network.state.flat, self.arrays["state"])

    def modnet_training_ended(self, run: Run) -> None:
        epochs, restores = [course.epoch for course in self.courses], self.stopping.restore_best
        if not self.arrays or (restores and set(epochs) == {run.epoch}):
            return
        network, over = run.network, self._over(run.epoch)
        weights = network.parameters.flat
        if restores:
            np.copyto(weights, run.weights)  # where a member has no best epoch, and for what they share
        for number, course in enumerate(self.courses):
            if not math.isnan(course.best) if restores else number in over:
                _copy_part(network.parts_of_members(network.parameters)[number], self.arrays["parameters"], weights)
                _copy_part(network.parts_of_members(network.state)[number], self.arrays["state"], network.state.flat)
        if restores:
            run.history.best_epochs = epochs

    def state(self) -> dict[str, Any]:
        if not self.courses[0].epoch:
            return {}
        return {
            **({"nan": True} if self.warned else {}),
            "best": np.array([course.best for course in self.courses]),
            "epoch": np.array([course.epoch for course in self.courses]),
            "improved": np.array([course.improved for course in self.courses]),
            **self.arrays,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        if not state or (self.stopping.restore_best and "parameters" not in state):
            return  # without the weights of the best epochs, these are of no use
        epochs = self.run.history.epochs
        self.courses = _courses(state, len(self.courses), epochs)
        if "parameters" in state:
            self.arrays = _best_arrays(self.run, state)
        self.warned = state.get("nan") is True
        self.run.finish_members(self._over(epochs))


def _courses(state: Mapping[str, Any], members: int, epochs: int) -> list[_Course]:
    """The courses of the members, from a checkpoint after that number of epochs."""
    found = [state.get(name) for name in ("best", "epoch", "improved")]
    if any(not isinstance(value, np.ndarray) or value.shape != (members,) for value in found):
        raise ValueError("expected the best figure and its epoch for each member")
    best, epoch, improved = (value.tolist() for value in found if value is not None)
    if not 1 <= min(improved) <= max(epoch) <= epochs:
        raise ValueError(f"the best epochs are {min(epoch)} to {max(epoch)} of {epochs}")
    return [_Course(*values) for values in zip(best, epoch, improved, strict=True)]


def _copy_part(parts: list[slice], source: Array, target: Array) -> None:
    for part in parts:
        target[part] = source[part]


def _best_arrays(run: Run, state: Mapping[str, Any]) -> dict[str, Array]:
    """The parameters and state of the best epoch, from a checkpoint."""
    network = run.network
    wanted: tuple[tuple[str, FlatArray, Mapping[str, float]], ...] = (
        ("parameters", network.parameters, {}),
        ("state", network.state, run.missing_state),
    )
    found: dict[str, Array] = {}
    for name, array, missing in wanted:
        best = state.get(name)
        if isinstance(best, np.ndarray) and missing:
            best = array.completed(best.reshape(-1), missing)
        if not isinstance(best, np.ndarray) or (best.shape, best.dtype) != (array.flat.shape, array.flat.dtype):
            raise ValueError(f"the best {name} do not match")
        found[name] = best
    return found


def _not_improved(stopping: EarlyStopping) -> str:
    return f"{stopping.monitor.replace('_', ' ')} has not improved for {counted(stopping.patience, 'epoch')}"


def _warn_of_nan(stopping: EarlyStopping, epoch: int) -> bool:
    warnings.warn(
        f"{stopping.monitor.replace('_', ' ')} is nan in epoch {epoch}; early_stopping counts this as no improvement",
        stacklevel=3,
    )
    return True


def _better(value: float, best: float, greater: bool, delta: float) -> bool:
    """Whether a figure has improved; anything is better than nan."""
    if math.isnan(best):
        return not math.isnan(value)
    return value > best + delta if greater else value < best - delta

"""A run of training for an estimator, and what is noted of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

import modnet
from modnet.arrays import Array
from modnet.specs.model import TrainingSpec
from modnet.training.train import prepare
from modnet_sklearn import arguments
from modnet_sklearn.building import data_of, has_network
from modnet_sklearn.convergence import Convergence, Joining
from modnet_sklearn.following import FRAMES, Fitted, followers
from modnet_sklearn.lbfgs import LBFGS

if TYPE_CHECKING:
    from modnet_sklearn.estimator import ModnetEstimator

SEEDS = 2**31 - 1
"""Seeds are drawn below this."""

Slots = tuple[int, dict[str, Array]]
"""The steps of an optimizer, and its slots, by name."""


class Rows(NamedTuple):
    """Rows to train on.

    Attributes:
        X: (rows, features).
        target: as the loss takes it.
        weights: of the rows, float64 (rows,); None for ones.
    """

    X: Array
    target: Array
    weights: Array | None = None

    @property
    def total(self) -> float:
        """The sum of the weights."""
        return float(len(self.X) if self.weights is None else self.weights.sum())

    def counted(self) -> Rows:
        """The rows with a weight above 0."""
        if self.weights is None or self.weights.all():
            return self
        kept = self.weights > 0
        return Rows(self.X[kept], self.target[kept], self.weights[kept])

    def split(self, fraction: float, draw: Any) -> tuple[Rows, Rows]:
        """The rows to train on, and those set aside, drawn at random, stratified by classes."""
        arrays = [array for array in self if array is not None]
        stratify = self.target if self.target.dtype.kind == "i" else None
        parts = train_test_split(*arrays, random_state=draw, test_size=fraction, stratify=stratify)
        train, apart = Rows(*parts[::2]), Rows(*parts[1::2])
        if len(apart.X) < 2:
            raise ValueError("early_stopping: fewer than 2 rows are set aside; increase validation_fraction")
        return train, apart


def train(given: ModnetEstimator, rows: Rows, draw: Any, incremental: bool, fitted: Fitted) -> None:
    """Trains the network of an estimator, and notes what MLPClassifier does.

    Args:
        draw: the generator of numpy from which seeds come.
        incremental: whether this is one epoch, which continues with the optimizer's state.
        fitted: what `fit` was given.
    """
    apart: Rows | None = None
    if given.early_stopping:
        rows, apart = rows.split(given.validation_fraction, draw)
    options = _options_of_spec(given) if has_network(given.spec) else _options(given, len(rows.X), apart is not None)
    options["callbacks"] = [*options["callbacks"], *_callbacks(given, fitted, apart is not None, incremental)]
    options |= {"seed": int(draw.randint(SEEDS)), **({"epochs": 1} if incremental else {})}
    network = given._network
    validation = _share_of_spec(given) if apart is None and not incremental else apart
    run = prepare(network, rows.X, rows.target, given=options, sample_weights=rows.weights, validation=validation)
    if incremental and given._optimizer is not None:
        _go_on(run, *given._optimizer)
    history = run.fit()
    network.card = network.card.replace(training=_stored(run.training))
    if incremental:
        slots = {name: slot.flat for name, slot in run.optimization.slots.items()}
        given._optimizer = run.optimization.steps, slots
    _note(given, history, len(rows.X), incremental)


def minimize(given: ModnetEstimator, rows: Rows, draw: Any) -> None:
    """Trains by L-BFGS, which sees all rows at once."""
    solver = LBFGS(given)
    options = {
        "loss": arguments.loss(given, given._usual_loss()),
        "optimizer": "sgd",
        "epochs": 1,
        "batch_size": len(rows.X),
        "shuffle": False,
        "seed": int(draw.randint(SEEDS)),
        "callbacks": [*(given.callbacks or ()), Joining(solver)],
    }
    prepare(given._network, rows.X, rows.target, given=options, sample_weights=rows.weights).fit()
    solver.note()


def _stored(training: TrainingSpec) -> TrainingSpec:
    """What a model file keeps of the training; the schedules that only MLPClassifier has are not of a spec."""
    schedule = training.schedule
    return training.replace(callbacks=(), schedule=schedule if schedule is not None and schedule.type else None)


def _go_on(run: modnet.Run, steps: int, slots: dict[str, Array]) -> None:
    """Lets the optimizer continue from a state, if it is the same kind of optimizer."""
    own = run.optimization.slots
    if own.keys() == slots.keys():
        run.optimization.steps = steps
        for name, slot in slots.items():
            np.copyto(own[name].flat, slot)


def _options(given: ModnetEstimator, rows: int, validates: bool) -> dict[str, Any]:
    """The training, as the arguments say it."""
    return {
        "loss": arguments.loss(given, given._usual_loss()),
        "optimizer": arguments.optimizer(given),
        "schedule": arguments.schedule(given, rows),
        "metrics": [given._score_name()] if validates else None,
        "epochs": int(given.max_iter),
        "batch_size": arguments.batch_size(given, rows),
        "shuffle": bool(given.shuffle),
        "callbacks": (),
    }


def _options_of_spec(given: ModnetEstimator) -> dict[str, Any]:
    """What the arguments add to the training of a spec."""
    training = given._network.card.training
    loss = given._usual_loss() if training is None else None
    return {"loss": loss, "callbacks": () if training is None else training.callbacks}


def _share_of_spec(given: ModnetEstimator) -> float | None:
    """The share of the rows with which the spec says that each epoch is validated."""
    data = data_of(given.spec)
    return data.validation if data is not None and isinstance(data.validation, float) else None


def _callbacks(given: ModnetEstimator, fitted: Fitted, validates: bool, incremental: bool) -> list[Any]:
    """The callbacks of the run, besides those of the spec."""
    chosen = [*(given.callbacks or ()), *map(Joining, followers(given, fitted))]
    if validates:
        stop = {"patience": int(given.n_iter_no_change) + 1, "minimum_delta": float(given.tol)}
        chosen.append({"type": "early_stopping", "monitor": f"validation_{given._score_name()}", **stop})
    elif not incremental and not has_network(given.spec):
        adaptive = given.solver == "sgd" and given.learning_rate == "adaptive"
        chosen.append(Joining(Convergence(float(given.tol), float(given.n_iter_no_change), adaptive)))
    return [*chosen, "progress"] if given.verbose else chosen


def _note(given: ModnetEstimator, history: modnet.History, rows: int, incremental: bool) -> None:
    """The attributes that MLPClassifier has, and its warning."""
    losses = [float(value) for value in history["loss"]]
    given.loss_curve_ += losses
    given.loss_ = losses[-1]
    given.n_iter_ = given.n_iter_ + 1 if incremental else len(losses)
    given.t_ += rows * len(losses)
    scores = [float(value) for value in history.get(f"validation_{given._score_name()}", ())] or None
    given.validation_scores_ = scores
    given.best_validation_score_ = max(scores) if scores else None
    given.best_loss_ = None if scores else min(given.loss_curve_)
    if not incremental and not history.stopped and not has_network(given.spec):
        warnings.warn(
            f"max_iter = {given.max_iter} epochs are over, and the training has not converged; "
            "increase max_iter or learning_rate_init",
            ConvergenceWarning,
            stacklevel=4 + FRAMES,
        )

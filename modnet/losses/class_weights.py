"""Weights of classes: a number for each, by name, or from how often each occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import numpy as np

from modnet.arrays import Array
from modnet.errors import DataError
from modnet.words import counted, did_you_mean, show

MOST_NAMES = 8
"""How many names of classes a message lists."""

ClassWeights = tuple[float, ...] | dict[str, float] | Literal["balanced"] | None
"""In the order of the classes; name -> weight, 1 for those that are not named; or n / (classes * rows of the class)."""


def check_class_weights(given: ClassWeights) -> None:
    """Raises ValueError for weights that leave nothing to learn from."""
    numbers = given.values() if isinstance(given, Mapping) else given
    if given is not None and given != "balanced" and not any(cast(Sequence[float], numbers)):
        raise ValueError("class_weights needs at least one weight above 0")


def numbers_of(given: ClassWeights, loss: str) -> tuple[float, ...] | None:
    """The weights in the order of the classes.

    Raises:
        DataError: they are still to be found from the training data.
    """
    if given is None or isinstance(given, tuple):
        return given
    raise DataError(
        f"{loss}: class_weights by name, or balanced, are found when a network is trained; give a number for each class"
    )


def weights_of_classes(given: ClassWeights, names: Sequence[str], counts: Array | None) -> tuple[float, ...] | None:
    """The weights in the order of the classes.

    Balanced weights are n / (k * count) for the k classes that occur, as scikit-learn's compute_class_weight has it, so
    that all classes weigh the same together; a class that does not occur has 1.

    Args:
        names: of the classes.
        counts: how many samples each class has, or the sum of their weights; None if there are none to count.

    Raises:
        ValueError: a name is not one of the classes, or there is nothing to count.
    """
    if given is None or isinstance(given, tuple):
        return given
    if isinstance(given, Mapping):
        return _by_name(given, names)
    if counts is None:
        raise ValueError(
            'class_weights = "balanced" counts the targets of the training, which is not possible here (a stream of '
            "batches, or a network that was never trained); give a weight for each class"
        )
    found = counts > 0
    balanced = np.ones(len(counts))
    balanced[found] = counts.sum() / (found.sum() * counts[found])
    return tuple(balanced.tolist())


def _by_name(given: Mapping[str, float], names: Sequence[str]) -> tuple[float, ...]:
    for name in given:
        if name not in names:
            more = f", ... ({counted(len(names), 'class')})" if len(names) > MOST_NAMES else ""
            listed = ", ".join(map(show, names[:MOST_NAMES]))
            near = did_you_mean(name, names)
            raise ValueError(f"class_weights: no class is called {show(name)}{near or f'; they are {listed}{more}'}")
    weights = tuple(float(given.get(name, 1.0)) for name in names)
    if not any(weights):
        raise ValueError("class_weights needs at least one class with a weight above 0")
    return weights


def counts_of_labels(target: Array, classes: int, weights: Array | None) -> Array:
    """How many of the labels are each class, or the sum of their weights; labels that are no classes are left out."""
    labels = target.reshape(-1)
    spread = None if weights is None else _spread(weights, target).reshape(-1)
    valid = (labels >= 0) & (labels < classes)
    if not valid.all():
        labels, spread = labels[valid], None if spread is None else spread[valid]
    return np.bincount(labels.astype(np.intp), spread, minlength=classes).astype(np.float64)


def counts_of_rows(target: Array, weights: Array | None) -> Array:
    """The sum of the rows of probabilities along the last axis."""
    rows = target if weights is None else target * _spread(weights, target[..., 0])[..., None]
    return np.asarray(rows.sum(axis=tuple(range(rows.ndim - 1)), dtype=np.float64))


def _spread(weights: Array, target: Array) -> Array:
    """Weights of samples, or of steps, for each element of the target."""
    return np.broadcast_to(weights.reshape(*weights.shape, *[1] * (target.ndim - weights.ndim)), target.shape)

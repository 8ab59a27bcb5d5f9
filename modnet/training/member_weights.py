"""The weights of the rows of a batch for each member of an ensemble, where the members learn from different rows."""

from __future__ import annotations

import numpy as np

from modnet.arrays import Array


def without_own_fold(folds: Array, weights: Array | None, ensemble: int, members: int) -> Array:
    """The weights of values (rows * members,), where those of a member are 0 in its own fold.

    Args:
        folds: of each row, the member that does not learn from it.
        weights: None for ones.
        ensemble: how many members the ensemble has.
        members: how many values a row has; more, where the members have members themselves.
    """
    found = np.repeat(folds[:, None] != np.arange(ensemble), members // ensemble, axis=1).reshape(-1)
    return found.astype(np.float64) if weights is None else np.where(found, weights, 0)


def balanced(factors: Array, weights: Array, ensemble: int, members: int) -> tuple[Array, Array, int]:
    """Factors and weights of values (rows * members,), scaled so that all members have the same sum of weights.

    Then each has the gradient of its own mean, however many of a batch's rows are in its fold. Also how many members
    have a weight at all.
    """
    shape = (-1, ensemble, members // ensemble)
    sums = weights.reshape(shape).sum(axis=(0, 2))
    counted = sums > 0
    count = int(counted.sum())
    scale = np.divide(sums.sum() / max(1, count), sums, out=np.zeros(len(sums)), where=counted)[:, None]
    return (factors.reshape(shape) * scale).reshape(-1), (weights.reshape(shape) * scale).reshape(-1), count

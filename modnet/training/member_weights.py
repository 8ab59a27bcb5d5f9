"""The weights of a batch's rows for each member of an ensemble, if not all members learn from all rows."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from modnet.arrays import Array
from modnet.kinds.sharing import Share


def who_learns(folds: Array | None, over: Collection[int], rows: int, ensemble: int) -> Array:
    """Whether a member of an ensemble learns from a row, (rows, ensemble).

    Args:
        folds: of each row, the member that does not learn from it; None if all do.
        over: the members whose training is over.
    """
    found = np.ones((rows, ensemble), np.bool_) if folds is None else folds[:, None] != np.arange(ensemble)
    found[:, [*over]] = False
    return found


def of_learning(weights: Array | None, learns: Array, members: int) -> Array:
    """The weights of values (rows * members,); 0 for rows that a member does not learn from.

    Args:
        weights: None for ones.
        learns: (rows, ensemble), from `who_learns`.
        members: how many values a row has; more, where the members have members themselves.
    """
    found = np.repeat(learns, members // learns.shape[1], axis=1).reshape(-1)
    return found.astype(np.float64) if weights is None else np.where(found, weights, 0)


def balanced(
    factors: Array, weights: Array, ensemble: int, members: int, share: Share | None = None
) -> tuple[Array, Array, int]:
    """Factors and weights of values (rows * members,), scaled so that all members have the same sum of weights.

    Then each has the gradient of its own mean, no matter which rows it learns from. Also how many members have a
    weight at all. The sums are those of a whole batch, where several processes share it.
    """
    shape = (-1, ensemble, members // ensemble)
    sums = weights.reshape(shape).sum(axis=(0, 2))
    if share is not None:
        sums = share.add_up(sums)
    counted = sums > 0
    count = int(counted.sum())
    scale = np.divide(sums.sum() / max(1, count), sums, out=np.zeros(len(sums)), where=counted)[:, None]
    return (factors.reshape(shape) * scale).reshape(-1), (weights.reshape(shape) * scale).reshape(-1), count

"""Setting rows aside for validation."""

from __future__ import annotations

import numpy as np

from modnet.component import Array
from modnet.errors import DataError


def split(rows: int, fraction: float, seed: int, labels: Array | None = None) -> tuple[Array, Array]:
    """Row numbers for training and for validation: disjoint, together all rows, each sorted.

    `rows * fraction` rows, rounded (a half upwards), but at least one and not all, go to validation. With labels the
    draw is stratified: each class gives its share of them, rounded up or down so that the sum is exact (largest
    remainders first). Without labels, and where `can_stratify` says no, it is plain.

    Args:
        rows: how many there are.
        fraction: of them for validation, between 0 and 1.
        seed: the same seed and arguments give the same rows.
        labels: the class of each row, shape (rows,).

    Raises:
        DataError: for fewer than two rows.
    """
    if rows < 2:
        raise DataError(f"expected at least 2 rows to set some aside for validation, found {rows}")
    rng = np.random.default_rng(seed)
    size = min(max(int(rows * fraction + 0.5), 1), rows - 1)
    chosen = np.zeros(rows, bool)
    if labels is None or not can_stratify(labels):
        chosen[rng.permutation(rows)[:size]] = True
    else:
        _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        shares, remainders = np.divmod(counts * size, rows)
        shares[np.argsort(-remainders, kind="stable")[: size - shares.sum()]] += 1
        for index, share in enumerate(shares):
            chosen[rng.permutation(np.flatnonzero(classes == index))[:share]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def can_stratify(labels: Array) -> bool:
    """Whether every class has at least two rows."""
    return bool(np.unique(labels, return_counts=True)[1].min() >= 2)

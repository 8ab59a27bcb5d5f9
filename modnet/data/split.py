"""Setting rows aside for validation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array
from modnet.data.table import shorten
from modnet.errors import DataError
from modnet.words import show


def split(
    rows: int, fraction: float, seed: int, labels: Array | None = None, names: Sequence[str] | None = None
) -> tuple[Array, Array]:
    """Row numbers for training and for validation: disjoint, together all rows, each sorted.

    `rows * fraction` rows, rounded (a half upwards), but at least one and not all, go to validation. With labels the
    draw is stratified: each class gives its share of them, rounded up or down so that the sum is exact (largest
    remainders first), but each keeps a row for training, since nothing could be learnt of a class without one. A class
    of one row stays in training, which a warning tells. Without labels, and where no class has two rows, the draw is
    plain.

    Args:
        rows: how many there are.
        fraction: of them for validation, between 0 and 1.
        seed: the same seed and arguments give the same rows.
        labels: the class of each row, shape (rows,).
        names: what the warning calls the classes, by label; by default the labels themselves.

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
        found, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        by_class = np.split(np.argsort(classes, kind="stable"), counts.cumsum()[:-1])
        for members, share in zip(by_class, _shares(counts, size), strict=True):
            chosen[rng.permutation(members)[:share]] = True
        _warn_of_single(found[counts == 1].tolist(), names)
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _warn_of_single(single: Sequence[int], names: Sequence[str] | None) -> None:
    if single:
        stay = "has one row: it stays" if len(single) == 1 else "have one row each: they stay"
        told = f"{_listed(single, names)} {stay} in training, and only the other classes are validated"
        warnings.warn(told, stacklevel=3)


def _shares(counts: Array, size: int) -> Array:
    """How many rows each class gives to validation, which together are to be `size`."""
    most = counts - 1
    sharing = np.where(most > 0, counts, 0)
    size = min(size, int(most.sum()))
    shares, remainders = np.divmod(sharing * size, sharing.sum())
    shares[np.argsort(-remainders, kind="stable")[: size - shares.sum()]] += 1
    np.minimum(shares, most, out=shares)
    # What a class would have given too much the largest give for it.
    order = np.argsort(shares - most, kind="stable")
    room = (most - shares)[order]
    shares[order] += np.clip(size - shares.sum() - (room.cumsum() - room), 0, room)
    return np.asarray(shares)


def can_stratify(labels: Array) -> bool:
    """Whether a class has at least two rows."""
    return len(np.unique(labels)) < len(labels)


def row_classes(target: Array, takes_labels: bool) -> Array | None:
    """The class of each row, shape (rows,), or None where a row has no single class.

    Of a loss that takes class labels the target has labels (rows,), or a row of probabilities for each, of which the
    greatest counts. Of any other loss a target of one number, (rows,) or (rows, 1), that has two values in all is that
    of two classes, as binary_cross_entropy and hinge have them.

    Args:
        target: of all rows.
        takes_labels: see `Loss`.
    """
    return _labels(target) if takes_labels else _two_classes(target)


def _labels(target: Array) -> Array | None:
    if target.ndim == 1:
        return target
    if target.ndim != 2:
        return None
    # Whole numbers may be labels of the steps of a sequence; those have no class in common.
    one_hot = target.dtype.kind == "f" or bool(((target == 0) | (target == 1)).all() and (target.sum(1) == 1).all())
    return np.asarray(np.argmax(target, axis=1)) if one_hot else None


def _two_classes(target: Array) -> Array | None:
    if target.shape[1:] not in ((), (1,)) or not len(target) or target.dtype.kind not in "biuf":
        return None
    values = target.reshape(-1)
    low, high = values.min(), values.max()
    return values if low < high and ((values == low) | (values == high)).all() else None


def warn_of_unseen(output: str, trained: Array, validated: Array, names: Sequence[str] | None = None) -> None:
    """Warns of classes that only the validation has: a network cannot learn what it never sees.

    Args:
        output: the output whose classes they are.
        trained, validated: the labels of the rows to train on and of those to validate with.
        names: of the classes, by label; by default the labels themselves.
    """
    unseen = np.setdiff1d(validated, trained).tolist()
    if unseen:
        listed = _listed(unseen, names)
        rows = "no row" if len(unseen) == 1 else "no rows"
        warnings.warn(f"output {output}: {listed}: {rows} to train on, only to validate with", stacklevel=2)


def _listed(labels: Sequence[int], names: Sequence[str] | None) -> str:
    texts = (show(names[label]) if names and 0 <= label < len(names) else str(label) for label in labels)
    return f"class{'es' if len(labels) > 1 else ''} {shorten(texts, 5)}"

"""Setting rows aside for validation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.table import shorten
from modnet.errors import DataError
from modnet.words import show


def split(
    rows: int,
    fraction: float,
    seed: int | Sequence[int],
    labels: Array | None = None,
    names: Sequence[str] | None = None,
    *,
    quiet: bool = False,
) -> tuple[Array, Array]:
    """Row numbers for training and for validation: disjoint, together all rows, each sorted.

    `rows * fraction` rows, rounded (a half upwards), but at least one and not all, are used for validation. With labels
    the split is stratified: each class contributes its share, rounded so that the sum is exact (largest remainders are
    rounded up), but keeps at least one row for training, since it could not be learnt without one. A class with one row
    stays in training, with a warning. Without labels, or if no class has two rows, the split is not stratified.

    Args:
        rows: the number of rows.
        fraction: the share for validation, between 0 and 1.
        seed: the same seed and arguments give the same rows.
        labels: the class of each row, shape (rows,).
        names: the names of the classes in the warning, by label; by default the labels themselves.
        quiet: whether classes with one row are kept without a warning.

    Raises:
        DataError: there are fewer than two rows.
    """
    if rows < 2:
        raise DataError(f"expected at least 2 rows to set some aside, found {rows}")
    rng, size = np.random.default_rng(seed), min(max(int(rows * fraction + 0.5), 1), rows - 1)
    if labels is None or not can_stratify(labels):
        drawn = rng.permutation(rows)[:size]
    else:
        found, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        drawn = _drawn_by_class(classes.reshape(-1), counts, size, rng)
        if not quiet:
            _warn_of_single(found[counts == 1].tolist(), names)
    chosen = np.zeros(rows, bool)
    chosen[drawn] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _drawn_by_class(classes: Array, counts: Array, size: int, rng: np.random.Generator) -> Array:
    """The share of each class in `size` rows, drawn at random."""
    by_class = np.split(np.argsort(classes, kind="stable"), counts.cumsum()[:-1])
    shares = _shares(counts, size)
    return np.concatenate([rng.permutation(members)[:share] for members, share in zip(by_class, shares, strict=True)])


def _warn_of_single(single: Sequence[int], names: Sequence[str] | None) -> None:
    if single:
        stay = "has one row, which stays" if len(single) == 1 else "have one row each, which stay"
        told = f"{_listed(single, names)} {stay} in training; only the other classes are validated"
        warnings.warn(told, stacklevel=3)


def _shares(counts: Array, size: int) -> Array:
    """How many rows each class contributes to validation, `size` in total (Hamilton's method of largest remainders)."""
    most = counts - 1
    sharing = np.where(most > 0, counts, 0)
    size = min(size, int(most.sum()))
    shares, remainders = np.divmod(sharing * size, sharing.sum())
    shares[np.argsort(-remainders, kind="stable")[: size - shares.sum()]] += 1
    np.minimum(shares, most, out=shares)
    # A class must keep one row, which may leave some rows to find: the classes with the most room contribute them.
    order = np.argsort(shares - most, kind="stable")
    room = (most - shares)[order]
    shares[order] += np.clip(size - shares.sum() - (room.cumsum() - room), 0, room)
    return np.asarray(shares)


def can_stratify(labels: Array) -> bool:
    """Whether a class has at least two rows."""
    return len(np.unique(labels)) < len(labels)


class Classes(NamedTuple):
    """The classes of rows.

    Attributes:
        labels: of each row, (rows,); None if rows have no single class.
        names: of the classes, by label; None if they have no names.
    """

    labels: Array | None = None
    names: Sequence[str] | None = None


def joint_classes(found: Sequence[Classes]) -> Classes:
    """One class for each row from those of several outputs, for a stratified draw.

    It is their combination if every combination has at least two rows, and otherwise the class of the first output.
    """
    if not found:
        return Classes()
    if len(found) > 1:
        several = np.stack([classes.labels for classes in found if classes.labels is not None], axis=1)
        _, joint, counts = np.unique(several, axis=0, return_inverse=True, return_counts=True)
        if counts.min() > 1:
            return Classes(joint.reshape(-1))
    return found[0]


def row_classes(target: Array, takes_labels: bool) -> Array | None:
    """The class of each row, shape (rows,), or None if rows do not have a single class.

    For a loss that takes class labels, the target has labels (rows,), or rows of probabilities, of which the greatest
    counts. For any other loss, a target of one number, (rows,) or (rows, 1), with exactly two different values is taken
    for two classes, as for binary_cross_entropy and hinge.

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
    # Integers (rows, n) may be one-hot rows, or labels for the n steps of sequences, which have no single class.
    one_hot = target.dtype.kind == "f" or bool(((target == 0) | (target == 1)).all() and (target.sum(1) == 1).all())
    return np.asarray(np.argmax(target, axis=1)) if one_hot else None


def _two_classes(target: Array) -> Array | None:
    if target.shape[1:] not in ((), (1,)) or not len(target) or target.dtype.kind not in "biuf":
        return None
    values = target.reshape(-1)
    low, high = values.min(), values.max()
    return values if low < high and ((values == low) | (values == high)).all() else None


def warn_of_unseen(output: str, trained: Array, validated: Array, names: Sequence[str] | None = None) -> None:
    """Warns about classes that are only in the validation data: a network cannot learn what it never sees.

    Args:
        output: the output with these classes.
        trained, validated: the labels of the rows to train on and of those to validate with.
        names: of the classes, by label; by default the labels themselves.
    """
    unseen = np.setdiff1d(validated, trained).tolist()
    if unseen:
        listed = _listed(unseen, names)
        rows = "no row" if len(unseen) == 1 else "no rows"
        warnings.warn(f"output {output}: {listed}: {rows} in the training data, only in validation", stacklevel=2)


def _listed(labels: Sequence[int], names: Sequence[str] | None) -> str:
    texts = (show(names[label]) if names and 0 <= label < len(names) else str(label) for label in labels)
    return f"class{'es' if len(labels) > 1 else ''} {shorten(texts, 5)}"

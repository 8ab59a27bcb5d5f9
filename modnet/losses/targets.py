"""What losses and metrics accept as predictions and targets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array
from modnet.errors import SampleError, ShapeError
from modnet.kinds.loss import Loss

if TYPE_CHECKING:
    from modnet.kinds.context import Context

SMALLEST_PROBABILITY = 1e-30
"""The lower bound of a probability in a logarithm: value (69) and slope (1e30) stay finite, in float32 too."""


TOLERANCE = 1e-3
"""How far the sum of a target's probabilities may be from 1."""


def bad_sample(expected: str, array: Array, chosen: Array, remedy: str = "") -> SampleError:
    """The error for the first chosen element."""
    index = np.unravel_index(np.argmax(chosen), chosen.shape)
    return SampleError(f"{expected}, found {array[index]}", int(index[0]), remedy)


def class_labels(target: Array, classes: int) -> Array:
    """Class labels as an array of indices.

    Raises:
        DataError: for a label that is not one of 0, ..., classes - 1.
    """
    check_labels(target, classes)
    return target.astype(np.intp, copy=False)


def check_labels(target: Array, classes: int) -> None:
    """Checks that all numbers are class labels.

    Raises:
        DataError: for a label that is not one of 0, ..., classes - 1.
    """
    # The two extremes decide for integers; only where that fails is the first wrong label looked for.
    if target.dtype.kind != "f" and (
        not target.size
        or (np.minimum.reduce(target, axis=None) >= 0 and np.maximum.reduce(target, axis=None) < classes)
    ):
        return
    valid = (target >= 0) & (target < classes)
    if target.dtype.kind == "f":
        valid &= np.floor(target) == target
    if not valid.all():
        expected = f"expected labels that are whole numbers from 0 to {classes - 1}, for {classes} classes"
        raise bad_sample(expected, target, ~valid)


SEVERAL_LABELS = (
    "if a sample can have several labels or none, end the network with sigmoid and use binary_cross_entropy"
)


def check_distributions(target: Array, totals: Array | None = None, remedy: str = SEVERAL_LABELS) -> None:
    """Checks that the rows along the last axis are probabilities: one-hot rows, for example.

    Args:
        totals: where to write the sums of the rows.
        remedy: what to do about rows that sum to something else.

    Raises:
        DataError: for a negative probability, or a row whose sum is not 1 to within 0.001.
    """
    check_range(target, 0, math.inf, "expected rows of probabilities as target")
    total = np.add.reduce(target, axis=-1, out=totals)
    if total.size and (total.min() < 1 - TOLERANCE or total.max() > 1 + TOLERANCE):
        bad = abs(total - 1) > TOLERANCE
        first = int(np.argwhere(bad)[0][0])
        found = f"expected rows of probabilities as target, found a sum of {total[bad][0]}"
        raise SampleError(found, first, f"; {remedy}")


def check_probabilities(loss: Loss, prediction: Array) -> None:
    """Raises DataError for a prediction outside [0, 1], beyond rounding: usually logits."""
    rounding = 16 * float(np.finfo(prediction.dtype).eps)
    expected = f"{loss.type} expects probabilities as prediction"
    check_range(prediction, -rounding, 1 + rounding, expected, f"; {loss.ending}")


def check_range(array: Array, lowest: float, highest: float, expected: str, remedy: str = "") -> None:
    """Raises DataError for the first element out of bounds; nan is accepted: training says where it came from."""
    # Comparisons with nan are false. The extremes need no bool array; only an error is worth making one.
    if array.size and (array.min() < lowest or array.max() > highest):
        raise bad_sample(expected, array, (array < lowest) | (array > highest), remedy)


def check_arrays(loss: Loss, prediction: Array, target: Array) -> None:
    """Raises ShapeError for a target whose shape does not match the prediction's."""
    if prediction.shape[:1] != target.shape[:1]:
        raise ShapeError(
            f"{loss.type} expects the same number of targets and predictions, "
            f"found predictions of shape {prediction.shape} and targets of shape {target.shape}"
        )
    loss.check_shapes(prediction.shape[1:], target.shape[1:])


def sample_means(values: Array, out: Array | None = None) -> Array:
    """The mean over all axes but the first; written to `out`, (batch,), unless the values have that shape already."""
    if values.ndim == 1:
        return values
    means: Array = np.add.reduce(values, axis=tuple(range(1, values.ndim)), out=out)
    return np.divide(means, math.prod(values.shape[1:]), out=means)


def converted(context: Context, target: Array, like: Array) -> Array:
    """The target in the shape and dtype of `like`; in a buffer if its own dtype differs."""
    target = target.reshape(like.shape)
    if target.dtype == like.dtype:
        return target
    buffer = context.buffer(like.shape, like.dtype)
    np.copyto(buffer, target, casting="unsafe")
    return buffer

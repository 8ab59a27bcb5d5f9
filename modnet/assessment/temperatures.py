"""The temperature at which probabilities have the least log loss."""

from __future__ import annotations

import math

import numpy as np

from modnet.arrays import Array
from modnet.errors import DataError
from modnet.layers.temperature import smallest
from modnet.records import Record
from modnet.words import counted

FEWEST = 20
"""With fewer rows a temperature says more about the rows than about the model."""

LOWEST, HIGHEST = 0.01, 100.0
"""Between these the temperature is looked for; nothing that was trained is so far off."""

MOST_STEPS = 200


class Judgements(Record, eq=False):
    """Decisions between classes.

    Attributes:
        logs: logarithms of the probabilities, but for a constant in each row, float64 (decisions, classes).
        shares: of each class in the truth, (decisions, classes): one-hot, for most data.
        weights: of each decision.
        rows: how many rows of the data they are.
    """

    logs: Array
    shares: Array
    weights: Array
    rows: int


class FittedTemperature(Record):
    """A temperature.

    Attributes:
        value: T.
        error: the standard error of log T, which is about that of T as a share of it.
        rows: how many rows it was fitted to.
    """

    value: float
    error: float
    rows: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.value * self.error:.3f}"


def judgements(probabilities: Array, target: Array, weights: Array | None, independent: bool) -> Judgements:
    """What a temperature is fitted to.

    Args:
        probabilities: (rows, classes), or (rows, 1) for the second of two classes.
        target: labels (rows,), or what is 1 and 0 in the probabilities' shape.
        weights: of the rows; None for ones.
        independent: whether each number is a decision by itself, as for several labels.
    """
    least, rest = smallest(probabilities.dtype)
    rows, width = probabilities.shape
    given = np.ones(rows) if weights is None else np.asarray(weights, np.float64)
    logs = np.log(np.maximum(probabilities, least, dtype=np.float64))
    if independent or width == 1:
        others = np.log(np.maximum(1 - probabilities, rest, dtype=np.float64))
        shares = np.asarray(target, np.float64).reshape(-1)
        logs = np.stack([others.reshape(-1), logs.reshape(-1)], axis=1)
        return Judgements(logs, np.stack([1 - shares, shares], axis=1), np.repeat(given, width), rows)
    if target.ndim == 1:
        shares = np.zeros(logs.shape)
        shares[np.arange(rows), target.astype(np.intp)] = 1
        return Judgements(logs, shares, given, rows)
    return Judgements(logs, np.asarray(target, np.float64), given, rows)


def fit_temperature(data: Judgements) -> FittedTemperature:
    """The temperature with the least mean of -sum(share * log(y)), for y = softmax(logs / T).

    With b = 1 / T this is convex in b: its derivative is the mean of sum((y - share) * logs), and the second one the
    mean variance of logs under y, which is not negative. The root of the derivative is found in log b, by Newton's
    method kept within an interval that is halved where Newton leaves it; to rounding, in a few steps.

    Raises:
        DataError: there are too few rows, or the log loss has no minimum: all decisions are right, so that it falls
            with T for ever, or they are no better than chance.
    """
    if data.rows < FEWEST:
        raise DataError(f"expected at least {FEWEST} rows to fit a temperature to, found {counted(data.rows, 'row')}")
    low, high = -math.log(HIGHEST), -math.log(LOWEST)
    if _slopes(data, math.exp(low))[0] >= 0:
        raise DataError(
            f"the probabilities for these {counted(data.rows, 'row')} are no better than equal ones, at any temperature; "
            "are they data of the kind that the model was trained on?"
        )
    if _slopes(data, math.exp(high))[0] <= 0:
        raise DataError(
            f"all of these {counted(data.rows, 'row')} are predicted rightly, and surely: the log loss falls with the "
            "temperature for ever; a temperature needs rows among which some are wrong"
        )
    place = 0.0
    for _ in range(MOST_STEPS):
        slope, curvature = _slopes(data, math.exp(place))
        low, high = (place, high) if slope < 0 else (low, place)
        before, b = place, math.exp(place)
        # The derivative in log b is b * slope; its own derivative b * slope + b^2 * curvature.
        steepness = slope + b * curvature
        place = place - slope / steepness if steepness > 0 else low
        if not low < place < high:
            place = (low + high) / 2
        if abs(place - before) <= 4e-16 * max(1.0, abs(before)):
            break
    b = math.exp(place)
    information = b * b * _slopes(data, b)[1] * data.rows
    return FittedTemperature(1 / b, 1 / math.sqrt(information), data.rows)


def _slopes(data: Judgements, b: float) -> tuple[float, float]:
    """The first and the second derivative of the mean log loss with respect to b = 1 / T."""
    y = b * data.logs
    y -= y.max(axis=1, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(axis=1, keepdims=True)
    mean = np.einsum("ij,ij->i", y, data.logs)
    away = data.logs - mean[:, None]
    variance = np.einsum("ij,ij,ij->i", y, away, away)
    # From the mean of the row, so that no digits are lost where all logarithms are far from 0.
    slope = -np.einsum("ij,ij->i", data.shares, away)
    total = data.weights.sum()
    return float(data.weights @ slope / total), float(data.weights @ variance / total)

"""The temperatures of a network, at which its probabilities have the least log loss on rows that were held out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batches
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.errors import DataError
from modnet.layers.temperature import Temperature, smallest
from modnet.losses.targets import TOLERANCE
from modnet.records import Record
from modnet.words import counted, show

FEWEST = 20
"""With fewer rows a temperature says more about the rows than about the model."""

LOWEST, HIGHEST = 0.01, 100.0
"""Between these the temperature is looked for; nothing that was trained is so far off."""

MOST_STEPS = 200

NO_TEMPERATURE = "the temperature stays 1"
"""The beginning of the warning if it cannot be fitted."""

RESULT = "calibration"
"""What the results in a model's card call its temperatures."""


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
            f"the probabilities for these {counted(data.rows, 'row')} are no better than equal ones, at any "
            "temperature; are they data of the kind that the model was trained on?"
        )
    if _slopes(data, math.exp(high))[0] <= 0:
        raise DataError(
            f"all of these {counted(data.rows, 'row')} are predicted correctly, so no temperature is best: more "
            "confidence is always better; use rows of which some are predicted wrongly"
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


# Of a network


def last_node(network: Network, output: str) -> GraphNode:
    """The node that gives an output."""
    return network.graph.node(network.graph.outputs[output])


def calibrated_outputs(network: Network) -> list[str]:
    """The outputs that end with a temperature."""
    slots, first = network.graph.outputs, len(network.inputs)
    return [name for name, slot in slots.items() if slot >= first and _layer(network, name) is not None]


def reset_temperatures(network: Network) -> None:
    """Sets all temperatures to 1: those that were fitted are for other weights."""
    for name in calibrated_outputs(network):
        _temperature_of(network, name)[...] = 1.0


def fit_temperatures(network: Network, batches: Batches) -> dict[str, FittedTemperature]:
    """Fits the temperatures of a network to held-out rows; output name -> its temperature.

    Raises:
        DataError: as `fit_temperature`; or an output is no probabilities.
    """
    names = calibrated_outputs(network)
    reader = Pass(network, [last_node(network, name).inputs[0] for name in names])
    parts: dict[str, list[tuple[Array, Array]]] = {name: [] for name in names}
    weights: list[Array] = []
    for batch in batches.epoch():
        for name, value in zip(names, reader.forward(batch.inputs), strict=True):
            parts[name].append((value.copy(), batch.targets[name].copy()))  # both are reused for the next batch
        if batch.weights is not None:
            weights.append(batch.weights.copy())
    given = np.concatenate(weights) if weights else None
    found = {name: _fitted(network, name, part, given) for name, part in parts.items()}
    for name, fitted in found.items():
        _temperature_of(network, name)[...] = fitted.value
    return found


def plain_temperatures(found: Mapping[str, FittedTemperature]) -> dict[str, dict[str, float]]:
    """What the card of a network tells of its temperatures, by output."""
    return {
        name: {"temperature": fitted.value, "standard_error": fitted.value * fitted.error, "rows": fitted.rows}
        for name, fitted in found.items()
    }


def _fitted(
    network: Network, name: str, parts: Sequence[tuple[Array, Array]], weights: Array | None
) -> FittedTemperature:
    probabilities, targets = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    layer = _layer(network, name)
    assert layer is not None
    _check(name, probabilities, layer.independent)
    return fit_temperature(judgements(probabilities, targets, weights, layer.independent))


def _check(name: str, probabilities: Array, independent: bool) -> None:
    """Raises DataError for numbers that are no probabilities."""
    if probabilities.ndim != 2:
        raise DataError(
            f"a temperature is fitted to one decision for each row; the samples of output {show(name)} have shape "
            f"{probabilities.shape[1:]}"
        )
    low, high = float(probabilities.min()), float(probabilities.max())
    if not (low > -TOLERANCE and high < 1 + TOLERANCE):  # also nan
        raise DataError(
            f"expected probabilities as output {show(name)}, found numbers from {low:.4g} to {high:.4g}; a temperature "
            "is for networks that end with softmax or sigmoid"
        )
    totals = probabilities.sum(axis=1, dtype=np.float64)
    if probabilities.shape[1] > 1 and not independent and abs(totals - 1).max() > TOLERANCE:
        raise DataError(f"expected probabilities that sum to 1 as output {show(name)}; end the network with softmax")


def _layer(network: Network, output: str) -> Temperature | None:
    layer = last_node(network, output).layer
    return layer if isinstance(layer, Temperature) else None


def _temperature_of(network: Network, output: str) -> Array:
    """The state of the temperature of an output, ()."""
    return network.state[f"{last_node(network, output).name}.temperature"]

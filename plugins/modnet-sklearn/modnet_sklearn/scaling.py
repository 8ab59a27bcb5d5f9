"""Mean and deviation of rows with weights, for the layers that scale by them."""

from __future__ import annotations

import numpy as np

import modnet
from modnet.arrays import Array
from modnet.layers.standardize import FAR, ROUNDING

INPUT, TARGET = "scale_input", "scale_target"
"""The names of the nodes that scale."""


def scale(network: modnet.Network, node: str, values: Array, weights: Array | None) -> None:
    """Gives a node `standardize` or `unstandardize` its mean and deviation, if it has none yet.

    The layers learn these by themselves, but from rows that count alike; here a row of weight 2 counts as two rows.

    Args:
        values: (rows, features).
        weights: of the rows, (rows,); None for ones.
    """
    if network.state[f"{node}.samples"]:
        return
    exact = values.astype(np.float64, copy=False)
    origin = exact[0]
    distance = exact - origin
    center = np.average(distance, axis=0, weights=weights)
    distance -= center
    mean = origin + center
    deviation = np.sqrt(np.average(np.square(distance, out=distance), axis=0, weights=weights))
    deviation[deviation <= ROUNDING * np.finfo(values.dtype).eps * np.abs(mean)] = 1
    _set(network, node, mean, deviation, len(values))


def scale_by_mean(network: modnet.Network, node: str, values: Array, weights: Array | None) -> None:
    """Lets a node `unstandardize` only multiply by the mean of values >= 0, so that its output keeps its sign."""
    if not network.state[f"{node}.samples"]:
        mean = np.average(values.astype(np.float64, copy=False), axis=0, weights=weights)
        _set(network, node, np.zeros_like(mean), np.where(mean > 0, mean, 1), len(values))


def _set(network: modnet.Network, node: str, mean: Array, deviation: Array, rows: int) -> None:
    stored = mean.astype(network.dtype)
    deviation = deviation.astype(network.dtype)
    network.state[f"{node}.mean"] = stored
    network.state[f"{node}.deviation"] = np.where(deviation > 0, deviation, 1)
    network.state[f"{node}.mean_rest"] = np.where(np.abs(mean) > FAR * deviation, mean - stored, 0)
    network.state[f"{node}.samples"] = np.asarray(float(rows))

"""What softmax and cross entropy have in common."""

from __future__ import annotations

import numpy as np

from modnet_numba.compiling import loop
from modnet_numba.mathematics import exp

LANES = 16


@loop
def subtract_highest(x, shifted):
    """shifted = x minus the highest of its row; nan and inf make a row nan."""
    highest = np.empty(LANES, x.dtype)
    for i in range(len(x)):
        highest.fill(-np.inf)
        # Several maxima at a time: a single one would have to wait for each comparison.
        whole = x.shape[1] // LANES * LANES
        for start in range(0, whole, LANES):
            for lane in range(LANES):
                value = x[i, start + lane]
                highest[lane] = value if value > highest[lane] else highest[lane]
        top = highest[0]
        for lane in range(1, LANES if whole else 1):
            top = highest[lane] if highest[lane] > top else top
        for j in range(whole, x.shape[1]):
            top = x[i, j] if x[i, j] > top else top
        for j in range(x.shape[1]):
            shifted[i, j] = x[i, j] - top


@loop
def exponentiate(x):
    for i in range(len(x)):
        x[i] = exp(x[i])

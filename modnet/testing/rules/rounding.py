"""What rounding may do to numbers, on which numbers that is looked at, and how float32 is held against float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array
from modnet.testing.contract import Broken

SINGLE = float(np.finfo(np.float32).eps)

UNITS = 300
"""Rounding units of the greatest number by which float32 may be off, for what sums of a few hundred terms add up to;
float16 within a computation is off by 8,000.
"""

SENSITIVITY = 100
"""How many times as much as it moves float64 results to move all that goes in by one rounding unit of float32: each
step on the way rounds, and not its ends alone.
"""

SATURATED = 30
"""Rounding units of the given gradient by which others may be off: 1 - tanh(x)**2 of a large x is 0 in float32, and a
little more in float64.
"""

FITS = 1e37
"""What float32 holds, with some room for intermediate results."""

EXACT = 1e-9
"""Of results in float64 that must be the same except for the order of sums, relative to the greatest number."""

FACTORS = (10.0, 100.0)
"""Of inputs, which then reach 36 and 360."""

ROWS = 5000
"""Of a large batch: more than the pieces in which anybody cuts one."""

LARGEST = 2_000_000
"""Elements of a large batch, which for large samples has fewer rows."""


def greatest(array: Array) -> float:
    """The greatest magnitude; 0 where there are no numbers."""
    return float(np.abs(array).max(initial=0.0))


def in_dtype(array: Array, dtype: DTypeLike) -> Array:
    """Numbers in a dtype; ids and labels as they are."""
    return array.astype(dtype) if array.dtype.kind == "f" else array


def rounded(array: Array) -> Array:
    """Numbers, in float64, that float32 holds exactly; ids and labels as they are."""
    return in_dtype(in_dtype(array, np.float32), np.float64)


def moved(array: Array, by: float, rng: np.random.Generator) -> Array:
    """Numbers a share of themselves up or down, at random; ids as they are."""
    return array * (1 + by * rng.choice([-1.0, 1.0], array.shape)) if array.dtype.kind == "f" else array


def room(size: float, sensitivity: float) -> float:
    """By how much float32 may be off where numbers have a size and `moved` ones give results that far away."""
    return UNITS * SINGLE * size + SENSITIVITY * sensitivity


def check_single(single: Array, double: Array, allowed: float, what: str) -> float:
    """The difference of results in float32 and float64, as a share of what is allowed.

    Raises:
        Broken: it is greater than that; the message begins with `what`.
    """
    distance = greatest(single.astype(np.float64) - double)
    if not distance <= allowed:
        raise Broken(
            f"{what} differs by {distance:.3g} between float32 and float64, where the greatest number is "
            f"{greatest(double):.3g}; at most {allowed:.2g} can be explained by rounding"
        )
    return distance / allowed

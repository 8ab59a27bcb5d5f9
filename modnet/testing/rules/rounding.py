"""What rounding may do to numbers, and on which numbers that is looked at."""

from __future__ import annotations

import numpy as np

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
"""Of results in float64 that are to be the same but for the order of sums, relative to the greatest number."""

FACTORS = (10.0, 100.0)
"""Of inputs, which then reach 36 and 360."""

ROWS = 5000
"""Of a large batch: more than the pieces in which anybody cuts one."""

LARGEST = 2_000_000
"""Elements of a large batch, which for large samples has fewer rows."""

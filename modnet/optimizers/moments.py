"""Parts that the optimizers share: weight decay, and decaying moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.kinds.optimizer import Chunk, Step

FLUSH_INTERVAL = 64
"""The number of steps between calls of `flush_subnormals`, because it costs two passes over memory."""


def negligible(dtype: np.dtype[Any]) -> float:
    """2**13 times the smallest normal number, 1e-34 in float32 and 2e-304 in float64: the resolution of moments."""
    return 2.0**13 * float(np.finfo(dtype).tiny)


def flush_subnormals(step: int, moments: Sequence[Array]) -> None:
    """Keeps decaying moments from becoming subnormal numbers, which make every pass many times slower.

    Every 64th step it rounds each moment to a multiple of `negligible` by adding and subtracting a constant: smaller
    numbers become zero, and much larger ones (by a factor of 1e7 in float32) keep all their digits. With a decay of
    0.87 or more, no remaining number becomes subnormal within the next 64 steps.
    """
    if step % FLUSH_INTERVAL:
        return
    for moment in moments:
        constant = negligible(moment.dtype) / float(np.finfo(moment.dtype).eps)
        # Near the constant floats are `negligible` apart, so the sum is rounded to that; the difference is exact.
        moment += constant
        moment -= constant


def accumulate(moment: Array, decay: float, term: Array) -> None:
    """moment = decay * moment + term"""
    moment *= decay
    moment += term


def add_l2(chunk: Chunk, step: Step) -> None:
    """g = g + lambda theta: the gradient with a penalty of lambda / 2 |theta|^2."""
    if step.weight_decay:
        np.multiply(chunk.parameter, step.weight_decay, out=chunk.scratch[0])
        chunk.gradient += chunk.scratch[0]


def shrink(chunk: Chunk, step: Step) -> None:
    """theta = theta - eta lambda theta: decoupled weight decay."""
    if step.weight_decay:
        chunk.parameter *= 1 - step.learning_rate * step.weight_decay

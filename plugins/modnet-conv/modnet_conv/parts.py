"""Batches cut into parts that stay in the cache while several numpy calls go over them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

from modnet.arrays import Array
from modnet.kinds.context import Context
from modnet_conv.geometry import Window, at_once, place

PART = 1 << 18
"""What a part may take, in bytes: with its results and products it stays in the second-level cache."""


class Parts:
    """The parts of a batch with padding around every sample: (samples, part of x as the windows see it).

    Where windows reach no padding the parts are views of x, and else they lie in one buffer, one after the other.

    Attributes:
        samples: how many are in a part, at most.
    """

    def __init__(self, context: Context, x: Array, windows: tuple[Window, ...], fill: float = 0.0) -> None:
        self.x, self.windows, self.fill = x, windows, fill
        self.lengths = [window.length for window in windows]
        size = math.prod(self.lengths) * x.shape[-1] * x.itemsize
        self.samples = min(len(x), max(1, PART // size))
        self.inside = all(w.before <= 0 and w.before + w.size >= n for w, n in zip(windows, self.lengths, strict=True))
        self.shape = (self.samples, *self.lengths, x.shape[-1])
        self.buffer = None if self.inside else context.buffer(self.shape)

    def slices(self) -> Iterator[slice]:
        """The samples of each part."""
        for first in range(0, len(self.x), max(1, self.samples)):
            yield slice(first, min(first + self.samples, len(self.x)))

    def __iter__(self) -> Iterator[tuple[slice, Array]]:
        return self.each(at_once)

    def each(self, do: Callable[..., Any]) -> Iterator[tuple[slice, Array]]:
        """The parts, one after the other; `do` makes the calls that write the padding."""
        offsets = [window.before for window in self.windows]
        for samples in self.slices():
            part = self.x[samples]
            if self.buffer is None:
                inner = (slice(-offset, length - offset) for offset, length in zip(offsets, self.lengths, strict=True))
                part = part[(slice(None), *inner)]
            else:
                padded = self.buffer[: len(part)]
                place(padded, part, offsets, self.fill, do)
                part = padded
            yield samples, part


def crop(target: Array, padded: Array, windows: tuple[Window, ...]) -> None:
    """Writes the part of a padded image that is no padding into `target`, and zeros where no window has been."""
    place(target, padded, [-window.before for window in windows])


def taps(padded: Array, windows: tuple[Window, ...]) -> Iterator[Array]:
    """For each place in a window, row by row: what all windows see there, as a view (samples, *counts, channels)."""
    for position in itertools.product(*(range(window.kernel) for window in windows)):
        yield padded[(slice(None), *(tap(window, at) for window, at in zip(windows, position, strict=True)))]


def tap(window: Window, at: int) -> slice:
    """Along one axis: the elements that all windows see at their place `at`."""
    start = at * window.dilation
    return slice(start, start + (window.count - 1) * window.stride + 1, window.stride)

"""Parts that activations share: work in blocks that stay in the cache, and fast bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any, TypeVar, cast

import numpy as np

from modnet.arrays import Array

BLOCK = 16384
"""Elements that a formula of many passes processes at a time, so that its intermediate arrays stay in the cache."""

PIECE = 65536
"""Elements that are compared with a bound at a time."""

FEW = 2048
"""Up to this many elements, comparing with a single number is as fast as with an array."""

Method = TypeVar("Method", bound=Callable[..., Array])


def in_blocks(method: Method) -> Method:
    """Makes a method of arrays, the last of which is its output, run over blocks of rows of about `BLOCK` elements."""

    @wraps(method)
    def run(self: Any, *arrays: Array | None) -> Array:
        out = cast(Array, arrays[-1])
        if out.size <= BLOCK:
            return method(self, *arrays)
        rows = max(1, BLOCK * len(out) // out.size)
        for start in range(0, len(out), rows):
            method(self, *(array if array is None else array[start : start + rows] for array in arrays))
        return out

    return cast(Method, run)


@cache
def _bound(bound: float, dtype: np.dtype[Any], size: int) -> Array:
    """An array that repeats a number `size` times; without axes if size is 0."""
    made = np.full(size, bound, dtype) if size else np.asarray(bound, dtype)
    made.flags.writeable = False
    return made


def pieces_with_bound(x: Array, bound: float, out: Array) -> Iterator[tuple[Array, Array, Array]]:
    """Parts of x, of an array that is full of the bound, and of `out`, to be compared one by one.

    numpy uses vector instructions for two arrays, but not for an array and a number.
    """
    rows = PIECE * len(out) // out.size if out.size > FEW else 0
    if not rows:
        yield x, _bound(bound, x.dtype, 0), out
        return
    bounds = _bound(bound, x.dtype, PIECE)
    for start in range(0, len(out), rows):
        piece = out[start : start + rows]
        yield x[start : start + rows], bounds[: piece.size].reshape(piece.shape), piece


def at_least(x: Array, bound: float, out: Array) -> Array:
    """Writes max(x, bound)."""
    for seen, bounds, piece in pieces_with_bound(x, bound, out):
        np.maximum(seen, bounds, out=piece)
    return out


def at_most(x: Array, bound: float, out: Array) -> Array:
    """Writes min(x, bound)."""
    for seen, bounds, piece in pieces_with_bound(x, bound, out):
        np.minimum(seen, bounds, out=piece)
    return out

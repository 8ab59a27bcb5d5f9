"""Sequences of different lengths: what a mask, a bool array (batch, time), leaves of the steps and of the windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.kinds.context import Context
from modnet_conv.geometry import Window


class OwnEnds:
    """What comes before a layer along time: with a mask, padding is that of each sequence, and not of the longest.

    Where "same" goes with a stride, how much of the padding comes first depends on the length. Each sequence is then
    moved to where its own windows begin, and the layer runs over them without padding.
    """

    repeats = True

    def forward(self: Any, context: Context, x: Array) -> Array:
        (mask,) = context.masks
        if mask is None or not self._moves(mask):
            found: Array = super().forward(context, x)  # type: ignore[misc]
            return found
        window = self.windows(x.shape[1:-1])[0]
        lengths = _lengths(mask)
        counts = -(-lengths // window.stride)
        before = np.maximum(0, (counts - 1) * window.stride + window.reach + 1 - lengths) // 2
        steps = np.arange((window.count - 1) * window.stride + window.reach + 1) - before[:, None]
        inside = (steps >= 0) & (steps < x.shape[1])
        steps = np.clip(steps, 0, x.shape[1] - 1)
        moved = context.buffer((*steps.shape, x.shape[-1]))
        np.copyto(moved, np.take_along_axis(x, steps[..., None], axis=1))
        seen = inside & np.take_along_axis(mask, steps, axis=1)
        context.masks = (seen,)
        y: Array = self.replace(padding="valid").forward(context, moved)
        context.masks = (mask,)
        context.output_mask = np.arange(window.count) < counts[:, None]
        context.save(context.saved, seen, before)
        return y

    def backward(self: Any, context: Context, gradient: Array) -> Array | None:
        (mask,) = context.masks
        if mask is None or not self._moves(mask):
            found: Array | None = super().backward(context, gradient)  # type: ignore[misc]
            return found
        context.saved, seen, before = context.saved
        context.masks = (seen,)
        moved: Array | None = self.replace(padding="valid").backward(context, gradient)
        context.masks = (mask,)
        if moved is None:
            return None
        steps = before[:, None] + np.arange(mask.shape[1])
        reached = mask & (steps < moved.shape[1])
        result: Array = context.buffer((*mask.shape, moved.shape[-1]))
        np.copyto(result, np.take_along_axis(moved, np.minimum(steps, moved.shape[1] - 1)[..., None], axis=1))
        result *= reached[..., None]
        return result

    def _moves(self: Any, mask: Array | None) -> bool:
        stride = getattr(self, "pool_size", 1) if self.stride is None else self.stride
        return mask is not None and self.padding == "same" and stride > 1


def _lengths(mask: Array) -> Array:
    """Of each sequence: up to the last step that the mask leaves."""
    return np.where(mask.any(axis=1), mask.shape[1] - mask[:, ::-1].argmax(axis=1), 0)


def begin(context: Context, window: Window, padding: object) -> Array | None:
    """The mask of a layer's input; sets that of its output.

    A sequence that ends early gives as many windows as it would by itself.
    """
    (mask,) = context.masks
    if mask is not None:
        context.output_mask = np.arange(window.count) < _windows(mask, window, padding)[:, None]
    return mask


def _windows(mask: Array, window: Window, padding: object) -> Array:
    """How many windows each sequence has."""
    lengths = _lengths(mask)
    if padding == "same":
        return -(-lengths // window.stride)
    counts = (lengths + window.before + window.after - window.reach - 1) // window.stride + 1
    return np.where(lengths, np.maximum(counts, 0), 0)


def filled(context: Context, x: Array, mask: Array | None, value: float = 0.0) -> Array:
    """A sequence with a value in place of the steps that a mask leaves out; without a mask, itself."""
    if mask is None:
        return x
    result = context.buffer(x.shape)
    result.fill(value)
    np.copyto(result, x, where=mask[..., None])
    return result


def shares_of_windows(mask: Array, window: Window, dtype: np.dtype) -> Array:
    """One divided by how many steps the mask leaves in each window, or by 1: (batch, windows, 1)."""
    before = np.zeros((len(mask), mask.shape[1] + 1), np.intp)
    np.cumsum(mask, axis=1, out=before[:, 1:])
    starts = np.arange(window.count) * window.stride - window.before
    first, end = (np.clip(places, 0, mask.shape[1]) for places in (starts, starts + window.kernel))
    numbers = before[:, end] - before[:, first]
    shares: Array = (1 / np.maximum(numbers, 1))[..., None].astype(dtype)
    return shares

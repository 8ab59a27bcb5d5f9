"""Sequences of different lengths: what a mask, a bool array (batch, time), leaves of the steps and of the windows."""

from __future__ import annotations

import numpy as np

from modnet.component import Array
from modnet.context import Context
from modnet_conv.geometry import Window


def begin(context: Context, window: Window, padding: object) -> Array | None:
    """The mask of a layer's input; sets that of its output.

    A sequence that ends early gives as many windows as it would by itself.
    """
    (mask,) = context.masks
    if mask is not None:
        context.output_mask = np.arange(window.count) < _windows(mask, window, padding)[:, None]
    return mask


def _windows(mask: Array, window: Window, padding: object) -> Array:
    """How many windows each sequence has; its length is up to the last step that the mask leaves."""
    lengths = np.where(mask.any(axis=1), mask.shape[1] - mask[:, ::-1].argmax(axis=1), 0)
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
    return (1 / np.maximum(numbers, 1))[..., None].astype(dtype)

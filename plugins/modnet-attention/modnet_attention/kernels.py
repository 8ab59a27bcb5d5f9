"""Attention with compiled passes over its scores, if modnet-numba (extra `numba`) is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from modnet_attention.tiles import Softmax


@cache
def compiled() -> Softmax | None:
    try:
        from modnet_attention import loops
    except ImportError:
        return None
    return loops.SOFTMAX


def forward(layer: Any, dtype: np.dtype[Any]) -> Callable[..., Any] | None:
    softmax = compiled()
    return None if softmax is None else partial(layer.forward_by, softmax)


def backward(layer: Any, dtype: np.dtype[Any]) -> Callable[..., Any] | None:
    softmax = compiled()
    return None if softmax is None else partial(layer.backward_by, softmax)

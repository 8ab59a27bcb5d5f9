"""The passes of a softmax over a tile of scores, compiled. `modnet_attention.tiles.Softmax` says what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modnet_numba.compiling import loop
from modnet_numba.mathematics import ZERO, exp

from modnet_attention.tiles import Softmax


@loop
def soften(scores, top, total):
    for i in range(len(scores)):
        for j in range(scores.shape[1]):
            for row in range(scores.shape[2]):
                score = scores[i, j, row]
                top[i, 0, row] = score if score > top[i, 0, row] else top[i, 0, row]
        for row in range(scores.shape[2]):
            total[i, 0, row] = ZERO(total[i, 0, row])
        for j in range(scores.shape[1]):
            for row in range(scores.shape[2]):
                # A score that is nan has not become the highest, but its exponential is nan.
                weight = exp(scores[i, j, row] - top[i, 0, row])
                scores[i, j, row] = weight
                total[i, 0, row] += weight


@loop
def exponentiate(scores, top):
    for i in range(len(scores)):
        for j in range(scores.shape[1]):
            for row in range(scores.shape[2]):
                scores[i, j, row] = exp(scores[i, j, row] - top[i, 0, row])


@loop
def slope(gradient, along, weights):
    for i in range(len(gradient)):
        for j in range(gradient.shape[1]):
            for row in range(gradient.shape[2]):
                gradient[i, j, row] = (gradient[i, j, row] - along[i, 0, row]) * weights[i, j, row]


def on_tiles(function: Callable[..., None]) -> Callable[..., None]:
    """A loop over (n, keys, rows) as a function of contiguous arrays (samples, groups, keys, rows)."""

    def call(*arrays: Any) -> None:
        function(*(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]) for x in arrays))

    return call


SOFTMAX = Softmax(on_tiles(soften), on_tiles(exponentiate), on_tiles(slope))

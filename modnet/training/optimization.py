"""Gradients into changes of the parameters: clipping, and the optimizer's steps over cache-sized chunks."""

from __future__ import annotations

import math
from collections.abc import Container

import numpy as np

from modnet.arrays import Array, aligned_empty
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray
from modnet.kinds.optimizer import Chunk, Optimizer, Step
from modnet.optimizers.moments import flush_subnormals
from modnet.plugins.kernels import NUMPY_ONLY, Kernels

CHUNK = 64 * 1024
"""Elements in a chunk: with the optimizer's slots and scratch some of it stays within a core's second-level cache."""


class Optimization:
    """An optimizer at work on a network.

    Args:
        reached: the names of the parameters that a loss depends on; by default all. The others are left as they are:
            weight decay is part of training, and they are not trained.

    Attributes:
        optimizer: which.
        slots: slot name -> array with the parameters' layout.
        steps: how many were made.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        gradients: FlatArray,
        kernels: Kernels = NUMPY_ONLY,
        reached: Container[str] | None = None,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.gradients = gradients
        self.slots = {name: network.parameters.like() for name in optimizer.slots}
        self.steps = 0
        self._reached = reached
        self._update = kernels.method(optimizer, "update", network.dtype)
        self._groups = self._cut(whole=getattr(self._update, "whole", False))

    @property
    def trains(self) -> bool:
        """Whether there is a parameter that it changes."""
        return bool(self._groups)

    def _cut(self, whole: bool) -> list[tuple[float, list[Chunk]]]:
        """For each weight decay, the chunks that it applies to."""
        optimizer = self.optimizer
        decayed, trainable = self.network.decayed_size, self.network.trainable_size
        regions = (
            (0, decayed, optimizer.weight_decay),
            (decayed, trainable, optimizer.weight_decay if optimizer.decay_all else 0.0),
        )
        size = max(1, trainable) if whole else CHUNK
        scratch = [aligned_empty(CHUNK, self.network.dtype) for _ in range(0 if whole else optimizer.scratch)]
        groups = []
        for begin, end, decay in regions:
            parts = [
                slice(start, min(start + size, last))
                for first, last in self._stretches(begin, end)
                for start in range(first, last, size)
            ]
            if parts:
                groups.append((decay, [self._chunk(part, scratch) for part in parts]))
        return groups

    def _chunk(self, part: slice, scratch: list[Array]) -> Chunk:
        return Chunk(
            self.network.parameters.flat[part],
            self.gradients.flat[part],
            [slot.flat[part] for slot in self.slots.values()],
            [array[: part.stop - part.start] for array in scratch],
        )

    def _stretches(self, begin: int, end: int) -> list[tuple[int, int]]:
        """The parts of a region that are trained, each as long as it can be."""
        found: list[tuple[int, int]] = []
        for name, offset, shape in self.network.parameters.layout:
            size = math.prod(shape)
            if not (size and begin <= offset < end) or not (self._reached is None or name in self._reached):
                continue
            if found and found[-1][1] == offset:
                found[-1] = (found[-1][0], offset + size)
            else:
                found.append((offset, offset + size))
        return found

    def norm(self) -> float:
        """The Euclidean norm of the trainable parameters' gradient."""
        gradient = self.gradients.flat[: self.network.trainable_size]
        with np.errstate(over="ignore"):
            square = float(np.dot(gradient, gradient))
        return math.sqrt(square) if math.isfinite(square) else safe_norm(gradient)

    def clip(self, norm: float | None, value: float | None) -> None:
        """Limits the gradient: each element to `value`, then the whole to `norm`; None is no limit."""
        gradient = self.gradients.flat[: self.network.trainable_size]
        if value is not None:
            np.clip(gradient, -value, value, out=gradient)
        if norm is not None:
            found = self.norm()
            if found > norm:
                factor = norm / found
                if factor < np.finfo(gradient.dtype).tiny:
                    # As a subnormal number it would have lost digits, or all of them.
                    factor = math.sqrt(factor)
                    gradient *= factor
                gradient *= factor

    def step(self, learning_rate: float) -> None:
        """Changes the trainable parameters by their gradients."""
        self.steps += 1
        for decay, chunks in self._groups:
            step = Step(self.steps, learning_rate, decay)
            for chunk in chunks:
                self._update(chunk, step)
                if decay:
                    # What nothing pulls at decays until it is subnormal.
                    flush_subnormals(self.steps, [chunk.parameter])


def safe_norm(array: Array) -> float:
    """The Euclidean norm of a flat array whose squares overflow in its own type: numbers from 1e19 on, in float32."""
    peak = float(np.max(np.abs(array), initial=0.0))
    if not math.isfinite(peak) or not peak:
        return peak
    squares = 0.0
    for start in range(0, len(array), CHUNK):
        part = array[start : start + CHUNK] / np.float64(peak)
        squares += float(np.dot(part, part))
    return peak * math.sqrt(squares)

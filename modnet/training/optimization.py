"""Gradients into changes of the parameters: clipping, and the optimizer's steps over cache-sized chunks."""

from __future__ import annotations

import math

import numpy as np

from modnet.component import Optimizer
from modnet.context import aligned_empty
from modnet.kernels import NUMPY_ONLY, Kernels
from modnet.network import Network
from modnet.parameters import FlatArray

CHUNK = 32 * 1024
"""Elements in a chunk: with the optimizer's slots and scratch it stays within a core's second-level cache."""


class Optimization:
    """An optimizer at work on a network.

    Attributes:
        optimizer: which.
        slots: slot name -> array with the parameters' layout.
        steps: how many were made.
    """

    def __init__(
        self, network: Network, optimizer: Optimizer, gradients: FlatArray, kernels: Kernels = NUMPY_ONLY
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.gradients = gradients
        self.slots = {name: network.parameters.like() for name in optimizer.slots}
        self.steps = 0
        self._update = kernels.method(optimizer, "update", network.dtype)
        whole = getattr(self._update, "whole", False)
        self._chunk = max(1, network.trainable_size) if whole else CHUNK
        self._scratch = [aligned_empty(CHUNK, network.dtype) for _ in range(0 if whole else optimizer.scratch)]

    def norm(self) -> float:
        """The Euclidean norm of the trainable parameters' gradient."""
        gradient = self.gradients.flat[: self.network.trainable_size]
        return math.sqrt(float(np.dot(gradient, gradient)))

    def clip(self, norm: float | None, value: float | None) -> None:
        """Limits the gradient: each element to `value`, then the whole to `norm`."""
        gradient = self.gradients.flat[: self.network.trainable_size]
        if value is not None:
            np.clip(gradient, -value, value, out=gradient)
        if norm is not None:
            found = self.norm()
            if found > norm:
                gradient *= norm / found

    def step(self, learning_rate: float) -> None:
        """Changes the trainable parameters by their gradients."""
        self.steps += 1
        network, optimizer = self.network, self.optimizer
        regions = (
            (0, network.decayed_size, optimizer.weight_decay),
            (network.decayed_size, network.trainable_size, optimizer.weight_decay if optimizer.decay_all else 0.0),
        )
        parameters, gradients = network.parameters.flat, self.gradients.flat
        slots = [slot.flat for slot in self.slots.values()]
        for begin, end, decay in regions:
            for start in range(begin, end, self._chunk):
                stop = min(start + self._chunk, end)
                self._update(
                    parameters[start:stop],
                    gradients[start:stop],
                    [slot[start:stop] for slot in slots],
                    [scratch[: stop - start] for scratch in self._scratch],
                    self.steps,
                    learning_rate,
                    decay,
                )

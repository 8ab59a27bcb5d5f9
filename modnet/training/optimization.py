"""From gradients to changes of the parameters: clipping, and the optimizer's steps over cache-sized chunks."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from functools import cached_property

import numpy as np

from modnet.arrays import Array, aligned_empty, norm
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray
from modnet.kinds.optimizer import Chunk, Optimizer, Step
from modnet.optimizers.moments import flush_subnormals
from modnet.plugins.kernels import NUMPY_ONLY, Kernels

CHUNK = 64 * 1024
"""Elements in a chunk: small enough for the second-level cache of a core, with the optimizer's slots and scratch."""


class Optimization:
    """An optimizer at work on a network.

    Args:
        reached: the names of the parameters on which a loss depends; by default all. The others are not trained, so
            that weight decay must not change them either.

    Attributes:
        optimizer: the optimizer.
        slots: slot name -> array with the parameters' layout.
        steps: the number of steps made.
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
        self._step = Step(0, 0.0)
        self._reached = reached
        self._over: Container[int] = ()
        self._update = kernels.method(optimizer, "update", network.dtype)
        self._groups = self._cut(whole=getattr(self._update, "whole", False))

    @property
    def trains(self) -> bool:
        """Whether there is a parameter that it changes."""
        return bool(self._groups)

    def leave_out(self, members: Container[int]) -> None:
        """Changes the parameters of these members of an ensemble no longer."""
        self._over = members
        self._groups = self._cut(whole=getattr(self._update, "whole", False))

    def _cut(self, whole: bool) -> list[tuple[float, float, list[Chunk]]]:
        """(factor of the learning rate, weight decay, chunks) for each combination of the two."""
        size = max(1, self.network.trainable_size) if whole else CHUNK
        groups = [
            (rate, factor * decay, self._parts(parameters, size))
            for begin, end, decay in self._regions()
            for (rate, factor), parameters in self._trained(begin, end).items()
        ]
        length = max((math.prod(shape) for _, _, parts in groups for _, shape in parts), default=0)
        scratch = [aligned_empty(length, self.network.dtype) for _ in range(0 if whole else self.optimizer.scratch)]
        return [(factor, decay, [self._chunk(*part, scratch) for part in parts]) for factor, decay, parts in groups]

    def _regions(self) -> tuple[tuple[int, int, float], ...]:
        """(begin, end, weight decay) of the trainable parameters: weights, then biases and norms."""
        decayed, trainable = self.network.decayed_size, self.network.trainable_size
        decay = self.optimizer.weight_decay
        return (0, decayed, decay), (decayed, trainable, decay if self.optimizer.decay_all else 0.0)

    def _trained(self, begin: int, end: int) -> dict[tuple[float, float], list[tuple[int, tuple[int, ...]]]]:
        """(factor of the learning rate, of the weight decay) -> (offset, shape) of the parameters that are so trained.

        Of those of a region. A bias that decays, by `decay_all`, does so with the factor 1. Each member of an ensemble
        has parameters of its own, which are left out if its training is over.
        """
        found: dict[tuple[float, float], list[tuple[int, tuple[int, ...]]]] = {}
        graph = self.network.graph
        rates, decays, member_axes = graph.learning_rates(), graph.weight_decays(), graph.member_axes()
        for name, offset, shape in self.network.parameters.layout:
            reached = self._reached is None or name in self._reached
            if begin <= offset < end and 0 not in shape and reached:
                decay = decays[name] if begin < self.network.decayed_size else 1.0
                members, own = shape[: member_axes[name]], shape[member_axes[name] :]
                parts = found.setdefault((rates[name], decay), [])
                inside = math.prod(members[1:])  # a member may have members itself
                parts += [
                    (offset + number * math.prod(own), own)
                    for number in range(math.prod(members))
                    if not members or number // inside not in self._over
                ]
        return found

    def _parts(self, parameters: list[tuple[int, tuple[int, ...]]], size: int) -> list[tuple[int, tuple[int, ...]]]:
        """(offset, shape) of the chunks: whole parameters, or pieces of up to `size` elements across parameters."""
        if self.optimizer.by_parameter:
            return parameters
        joined: list[tuple[int, int]] = []
        for offset, shape in parameters:
            first = joined.pop()[0] if joined and joined[-1][1] == offset else offset
            joined.append((first, offset + math.prod(shape)))
        return [(start, (min(size, last - start),)) for first, last in joined for start in range(first, last, size)]

    def _chunk(self, offset: int, shape: tuple[int, ...], scratch: list[Array]) -> Chunk:
        size = math.prod(shape)
        part = slice(offset, offset + size)
        return Chunk(
            self.network.parameters.flat[part].reshape(shape),
            self.gradients.flat[part].reshape(shape),
            [slot.flat[part].reshape(shape) for slot in self.slots.values()],
            [array[:size].reshape(shape) for array in scratch],
        )

    def norms(self) -> list[float]:
        """The Euclidean norm of the trainable parameters' gradient, for each member of an ensemble."""
        return [norm(np.array([norm(part) for part in parts])) for parts in self._of_members]

    @cached_property
    def _of_members(self) -> list[list[Array]]:
        """The gradients of each member: pieces of the flat array; the whole trainable part of a single network's."""
        members, trainable = self.network.graph.members, self.network.trainable_size
        if members == 1:
            return [[self.gradients.flat[:trainable]]]
        flat, parts = self.gradients.flat, self.network.parts_of_members(self.gradients)
        return [[flat[part] for part in own if part.start < trainable] for own in parts]

    def clip(self, norm: float | None, value: float | None) -> None:
        """Limits the gradient: each element to `value`, then the whole of each member to `norm`; None is no limit."""
        if value is not None:
            gradient = self.gradients.flat[: self.network.trainable_size]
            np.clip(gradient, -value, value, out=gradient)
        if norm is not None:
            for found, parts in zip(self.norms(), self._of_members, strict=True):
                if found > norm:
                    _shorten(parts, norm / found)

    def step(self, learning_rate: float, decay_factor: float = 1.0) -> None:
        """Changes the trainable parameters by their gradients.

        Args:
            learning_rate: of this step, before the factors of nodes.
            decay_factor: the factor of `weight_decay` in this step.
        """
        self.steps += 1
        update, step = self._update, self._step
        step.number = self.steps
        for factor, decay, chunks in self._groups:
            step.learning_rate, step.weight_decay = factor * learning_rate, decay_factor * decay
            for chunk in chunks:
                update(chunk, step)
                if decay:
                    # What nothing pulls at decays until it is subnormal.
                    flush_subnormals(step.number, [chunk.parameter])


def _shorten(parts: Sequence[Array], factor: float) -> None:
    """Multiplies arrays by a factor below 1."""
    # A subnormal factor would have few digits, or be 0: multiply by its square root twice.
    factors = (math.sqrt(factor),) * 2 if factor < np.finfo(parts[0].dtype).tiny else (factor,)
    for part in parts:
        for own in factors:
            part *= own

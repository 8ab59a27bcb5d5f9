"""A graph with its arrays: the part of a network that a pass needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from typing import Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.engine.graph import Graph, GraphNode
from modnet.engine.parameters import FlatArray
from modnet.memory import require, too_large
from modnet.records import Record
from modnet.words import show

STATE = 3
"""The stream of random numbers for the state, [seed, 3]; a training uses [seed, 1] for noise, [seed, 2] for order."""


class Layout(Record):
    """The names and shapes of a network's arrays; nothing is allocated.

    Attributes:
        parameters, state: name -> shape, in order.
        decayed_size: elements at the front of the parameters that weight decay applies to.
        trainable_size: elements at the front that are trained.
    """

    parameters: dict[str, tuple[int, ...]]
    state: dict[str, tuple[int, ...]]
    decayed_size: int
    trainable_size: int

    @classmethod
    def of(cls, graph: Graph) -> Layout:
        owners = [node for node in graph.nodes if node.owner is None]
        found = [
            (node.trainable and parameter.trainable, parameter.decay, f"{node.name}.{name}", parameter.shape)
            for node in owners
            for name, parameter in node.parameters.items()
        ]
        # Decayed, other trainable, frozen: weight decay and training then act on slices at the front of a flat array.
        # The sort is stable, so that files do not depend on it beyond that.
        found.sort(key=lambda item: (not item[0], item[0] and not item[1]))
        return cls(
            {name: shape for _, _, name, shape in found},
            {f"{node.name}.{name}": state.shape for node in owners for name, state in node.state.items()},
            sum(math.prod(shape) for trainable, decay, _, shape in found if trainable and decay),
            sum(math.prod(shape) for trainable, _, _, shape in found if trainable),
        )

    @property
    def parameter_count(self) -> int:
        """The elements of all parameters."""
        return sum(map(math.prod, self.parameters.values()))

    def nbytes(self, dtype: np.dtype[Any]) -> int:
        """The memory that all arrays take, in bytes."""
        return (self.parameter_count + sum(map(math.prod, self.state.values()))) * dtype.itemsize


class BuiltGraph:
    """A graph with its arrays, which are allocated and filled when they are first used.

    Attributes:
        graph: its nodes, with shapes.
        dtype: of its parameters and of all computations.
        layout: the names and shapes of its arrays; for a summary or a check they are never allocated.
        seed: the seed with which the arrays are drawn; None if they come from a file.
        parameters: name -> array, `linear_1.weight`; all are views of one flat array. Those with weight decay come
            first, then the other trainable ones, then the frozen ones.
        state: name -> array that is kept without being trained, such as a running mean.
    """

    def __init__(self, graph: Graph, dtype: str) -> None:
        self.graph = graph
        self.dtype = np.dtype(dtype)
        self.layout = Layout.of(graph)
        self.seed: int | None = None

    @property
    def decayed_size(self) -> int:
        """The number of elements at the front of the parameters to which weight decay applies."""
        return self.layout.decayed_size

    @property
    def trainable_size(self) -> int:
        """The number of elements at the front of the parameters that are trained."""
        return self.layout.trainable_size

    @cached_property
    def parameters(self) -> FlatArray:
        if self.seed is None:
            return self._allocated(self.layout.parameters)
        require(self.layout.nbytes(self.dtype), "the network with all its arrays")
        made = self._allocated(self.layout.parameters)
        self._draw(made, self.seed)
        return made

    @cached_property
    def state(self) -> FlatArray:
        made = self._allocated(self.layout.state)
        self._fill(made, self.seed or 0)
        return made

    def _allocated(self, shapes: Mapping[str, tuple[int, ...]]) -> FlatArray:
        try:
            return FlatArray(shapes.items(), self.dtype)
        except (MemoryError, ValueError):  # MemoryError if the system refuses, ValueError beyond 2^63 bytes
            raise too_large(self.layout.nbytes(self.dtype), "the network with all its arrays") from None

    @property
    def inputs(self) -> dict[str, Shape]:
        """Input name -> shape of one sample."""
        return self.graph.inputs

    @property
    def outputs(self) -> dict[str, Shape]:
        """Output name -> shape of one sample."""
        return {name: self.graph.shape(slot) for name, slot in self.graph.outputs.items()}

    def initialize(self, seed: int) -> None:
        """Draws new parameters and resets the state. The same seed gives the same values.

        Raises:
            ValueError: the seed is not a whole number >= 0.
        """
        self._draw(self.parameters, checked_seed(seed))
        self.reset_state(seed)

    def _draw(self, arrays: FlatArray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for node in self.graph.nodes:
            if node.owner is None:
                for name, parameter in node.parameters.items():
                    parameter.initialize(arrays[f"{node.name}.{name}"], rng)

    def reset_state(self, seed: int = 0) -> None:
        """Resets every array of the state to its initial value; `seed` is for random initial values."""
        self._fill(self.state, checked_seed(seed))

    def _fill(self, arrays: FlatArray, seed: int) -> None:
        # A separate stream of random numbers, so that the parameters do not depend on the state; made only if needed.
        rng = cache(lambda: np.random.default_rng([seed, STATE]))
        for node in self.graph.nodes:
            if node.owner is None:
                for name, state in node.state.items():
                    state.initialize(arrays[f"{node.name}.{name}"], rng)

    def input_dtypes(self) -> list[np.dtype[Any]]:
        """The dtypes that inputs are converted to: integers if all their readers take ids, else the network's dtype."""
        takes_ids = [False] * len(self.inputs)
        read = set()
        for node in self.graph.nodes:
            for slot in node.inputs:
                if slot < len(takes_ids):
                    takes_ids[slot] = node.layer.integer_input and (takes_ids[slot] or slot not in read)
                    read.add(slot)
        return [np.dtype(np.intp) if ids else self.dtype for ids in takes_ids]

    def parameters_behind(self, slots: Iterable[int]) -> set[str]:
        """The names of the parameters on which the given slots depend; no gradient of theirs reaches any others."""
        owners = map(self.graph.owner, self.graph.behind(slots))
        return {f"{owner.name}.{name}" for owner in owners for name in owner.parameters}

    def parts_of_members(self, arrays: FlatArray) -> list[list[slice]]:
        """For each member of an ensemble, the positions of its parameters or state in the flat array."""
        members, axes = self.graph.members, self.graph.member_axes()
        parts: list[list[slice]] = [[] for _ in range(members)]
        for name, offset, shape in arrays.layout:
            size = math.prod(shape) // members
            for member in range(members if axes[name] else 0):
                parts[member].append(slice(offset + member * size, offset + (member + 1) * size))
        return parts

    def arrays_of(self, array: FlatArray, node: GraphNode, names: Iterable[str]) -> dict[str, Array]:
        """The views that belong to a node: its own, or those of the node it shares with."""
        owner = self.graph.owner(node)
        return {name: array[f"{owner.name}.{name}"] for name in names}


def checked_seed(seed: int) -> int:
    if isinstance(seed, bool | np.bool_) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed: expected a whole number >= 0, found {show(seed)}")
    return int(seed)

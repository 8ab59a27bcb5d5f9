"""Prediction of sequences piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modnet.arrays import Array
from modnet.engine import stream_state
from modnet.engine.built import BuiltGraph
from modnet.engine.inputs import GivenInput, check_predictions
from modnet.engine.passes import Pass
from modnet.errors import ShapeError
from modnet.words import counted, show


class Stream:
    """Prediction of sequences piece by piece; made by `Network.stream`. Used by one thread at a time."""

    def __init__(self, network: BuiltGraph, state: Mapping[str, Array] | Sequence[Mapping[str, Array]] = ()) -> None:
        for name, shape in network.inputs.items():
            if not shape or shape[0] is not None:
                hint = 'give it the shape ["variable", ...]'
                raise ShapeError(f"input {show(name)} cannot come in pieces: it is not a sequence of any length", hint)
        for node in network.graph.nodes:
            if not node.layer.streams:
                raise ShapeError(f"{node.label()} needs whole sequences, so they cannot come in pieces")
        self.network = network
        self._given = GivenInput(network.inputs)
        self._pass = Pass(network, list(network.graph.outputs.values()))
        self.reset()
        states = list(state) if isinstance(state, list | tuple) else [state]
        if states:
            self._resume(stream_state.joined([stream_state.given(network, one) for one in states]))

    def reset(self) -> None:
        """Forgets the previous pieces: the next piece is the first of its sequence."""
        self._batch: int | None = None
        for context in self._pass.contexts.values():
            context.memory = {}

    def state(self, sequence: int | None = None) -> dict[str, Array]:
        """What is remembered of the pieces so far; `Network.stream` can continue from it, also in another process.

        Plain arrays by name, and no more of them than is remembered: of attention the keys and values of the steps so
        far, of an lstm its two vectors. `numpy.savez(file, **state)` stores them, and `dict(numpy.load(file))` reads
        them; with msgpack, store for each the dtype, shape and bytes. They belong to this network with its weights.

        Args:
            sequence: the number of a sequence in the batch, for the state of only that sequence. By default, of all.

        Raises:
            IndexError: there is no such sequence.
            DataError: a layer remembers something that is neither an array (batch, ...) nor a number.
        """
        nodes = {node.slot: node.name for node in self.network.graph.nodes}
        memories = {nodes[slot]: context.memory or {} for slot, context in self._pass.contexts.items()}
        batch = self._batch or 0
        found = stream_state.taken(self.network, memories, batch)
        if sequence is None:
            return found
        if not 0 <= sequence < batch:
            raise IndexError(f"there is no sequence {sequence}: the stream has {counted(batch, 'sequence')}, from 0 on")
        return stream_state.part_of(found, slice(sequence, sequence + 1))

    def _resume(self, state: dict[str, Array]) -> None:
        nodes = {node.name: node.slot for node in self.network.graph.nodes}
        for name, memory in stream_state.memories_of(state).items():
            self._pass.contexts[nodes[name]].memory = memory
        self._batch = int(state[stream_state.BATCH]) or None

    def predict(self, x: Any) -> Any:
        """The outputs for the next piece of each sequence; the batch must be the same for all pieces.

        Args:
            x: an array (batch, time, ...), or for several inputs a mapping from input name to array; time may be 1.

        Returns:
            An array (batch, time, ...), or for several outputs a dict of them.

        Raises:
            ShapeError, DataError: as `Network.forward`.
        """
        arrays = self._given.arrays(x)
        batch = len(arrays[0])
        if self._batch != batch:
            if self._batch is not None:
                raise ShapeError(
                    f"the pieces before had {self._batch} sequences, this one has {batch}",
                    "call reset() to begin new sequences",
                )
            self._batch = batch
        values = self._pass.forward(arrays)
        check_predictions(self.network, values, arrays)
        if len(values) == 1:
            return values[0].copy()
        return {name: value.copy() for name, value in zip(self.network.graph.outputs, values, strict=True)}

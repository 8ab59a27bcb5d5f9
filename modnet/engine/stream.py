"""Prediction of sequences piece by piece."""

from __future__ import annotations

from typing import Any

from modnet.engine.built import BuiltGraph
from modnet.engine.inputs import GivenInput, check_predictions
from modnet.engine.passes import Pass
from modnet.errors import ShapeError
from modnet.words import show


class Stream:
    """Prediction of sequences piece by piece; made by `Network.stream`. Used by one thread at a time."""

    def __init__(self, network: BuiltGraph) -> None:
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

    def reset(self) -> None:
        """Forgets the previous pieces: the next piece is the first of its sequence."""
        self._batch: int | None = None
        for context in self._pass.contexts.values():
            context.memory = {}

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
        if self._batch not in (None, len(arrays[0])):
            raise ShapeError(
                f"the pieces before had {self._batch} sequences, this one has {len(arrays[0])}",
                "call reset() to begin new sequences",
            )
        self._batch = len(arrays[0])
        values = self._pass.forward(arrays)
        check_predictions(self.network, values, arrays)
        outputs = {name: value.copy() for name, value in zip(self.network.graph.outputs, values, strict=True)}
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

"""The layers of modnet-recurrent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from modnet_recurrent.gru import GRU
from modnet_recurrent.lstm import LSTM
from modnet_recurrent.masking import Masking
from modnet_recurrent.recurrent import Recurrent
from modnet_recurrent.rnn import RNN

from modnet.arrays import Array
from modnet.kinds.translations import Translation
from modnet_onnx.exporting.windows import along_time
from modnet_onnx.exporting.writer import Writer


def _recurrent(
    writer: Writer, layer: Recurrent, order: Sequence[int], inputs: tuple[str, ...], operator: str, **attributes: Any
) -> str:
    """An operator that goes through the steps.

    Args:
        order: the gates of modnet in the order of ONNX.
    """
    x, *given = inputs
    steps = _Steps(writer, x, writer.masks[0])
    states = [_initial(writer, layer, number, x, given) for number in range(len(layer.state_names))]
    operands = [
        writer.transpose(steps.x, [1, 0, 2]),
        _by_gate(layer, writer.params["weight_input"], order),
        _by_gate(layer, writer.params["weight_hidden"], order),
        _biases(writer, layer, order),
        steps.counts,
        *states,
    ]
    sequence, *last = writer.op(
        operator,
        *operands,
        outputs=1 + len(states),
        hidden_size=layer.hidden_size,
        direction="reverse" if layer.reverse else "forward",
        **attributes,
    )
    if layer.return_sequences:
        return steps.in_their_places(writer.transpose(writer.squeeze(sequence, 1), [1, 0, 2]))
    writer.output_mask = None
    ends = [writer.squeeze(steps.left(end, state), 0) for end, state in zip(last, states, strict=True)]
    ends = ends[: layer.returned]
    return ends[0] if len(ends) == 1 else writer.concat(ends, 1)


def _by_gate(layer: Recurrent, weight: Array, order: Sequence[int]) -> Array:
    """(rows, gates * hidden) -> (1, gates * hidden, rows), in the order of ONNX."""
    blocks = np.split(weight.T, layer.gate_count, axis=0)
    return np.concatenate([blocks[gate] for gate in order])[None]


def _biases(writer: Writer, layer: Recurrent, order: Sequence[int]) -> Array | None:
    """(1, 2 gates * hidden): of what x gives to the gates, and of what the state gives."""
    if not layer.bias:
        return None
    size, count = layer.hidden_size, layer.gate_count
    blocks = np.split(writer.params["bias"], count)
    of_state = [np.zeros(size, writer.dtype)] * count
    if "bias_hidden" in writer.params:
        of_state[-1] = writer.params["bias_hidden"]
    return np.concatenate([*(blocks[gate] for gate in order), *(of_state[gate] for gate in order)])[None]


def _initial(writer: Writer, layer: Recurrent, number: int, x: str, given: Sequence[str]) -> str | None:
    """A state before the first step, (1, batch, hidden); None for zeros."""
    size = layer.hidden_size
    if given:
        return writer.unsqueeze(writer.slice(given[0], 1, number * size, (number + 1) * size), 0)
    if not layer.train_initial_state:
        return None
    learned = writer.params[f"initial_{layer.state_names[number]}"]
    shape = writer.concat([[1], writer.length(x, 0), [size]], 0)
    return str(writer.op("Expand", learned, shape))


class _Steps:
    """Sequences for an operator that goes through the first steps of each: those that a mask leaves come first.

    Attributes:
        x: (batch, time, features).
        counts: how many steps each sequence has, int32 (batch,); None for all.
    """

    def __init__(self, writer: Writer, x: str, mask: str | None) -> None:
        self.writer, self.mask = writer, mask
        self.x, self.counts = x, None
        if mask is None:
            return
        size = writer.length(mask, 1)
        steps = writer.op("Add", writer.arange(size), writer.op("Where", mask, 0, size))
        self.order = self._sorted(steps, size)
        self.places = self._sorted(self.order, size)
        self.x = along_time(writer, x, self.order)
        counts = writer.reduce("ReduceSum", writer.cast(mask, np.int64), [1])
        self.counts = writer.cast(counts, np.int32)

    def _sorted(self, numbers: str, size: str) -> str:
        """The places of the numbers (batch, time) in ascending order."""
        _, places = self.writer.op("TopK", numbers, size, outputs=2, axis=1, largest=0, sorted=1)
        return str(places)

    def in_their_places(self, y: str) -> str:
        """The output of each step at the step's place; 0 where it is masked."""
        if self.mask is None:
            return y
        writer = self.writer
        return str(writer.op("Where", writer.unsqueeze(self.mask, 2), along_time(writer, y, self.places), 0.0))

    def left(self, end: str, initial: str | None) -> str:
        """The state after the last step, (1, batch, hidden): the first one, where a sequence has no step."""
        if self.counts is None:
            return end
        writer = self.writer
        some = writer.unsqueeze(writer.op("Greater", self.counts, writer.constant(0, np.int32)), 0, 2)
        return str(writer.op("Where", some, end, 0.0 if initial is None else initial))


def _lstm(writer: Writer, layer: LSTM, *inputs: str) -> str:
    return _recurrent(writer, layer, (0, 3, 1, 2), inputs, "LSTM")


def _gru(writer: Writer, layer: GRU, *inputs: str) -> str:
    return _recurrent(writer, layer, (1, 0, 2), inputs, "GRU", linear_before_reset=1)


def _rnn(writer: Writer, layer: RNN, *inputs: str) -> str:
    return _recurrent(writer, layer, (0,), inputs, "RNN", activations=[layer.nonlinearity.capitalize()])


def _masking(writer: Writer, layer: Masking, x: str) -> str:
    same = writer.cast(writer.op("Equal", x, layer.value), writer.dtype)
    padding = writer.reduce("ReduceMin", same, [2])
    mask = writer.op("Less", padding, 0.5)
    writer.output_mask = mask if writer.masks[0] is None else writer.op("And", mask, writer.masks[0])
    return x


EXPORTS: dict[str, Translation] = {"GRU": _gru, "LSTM": _lstm, "Masking": _masking, "RNN": _rnn}

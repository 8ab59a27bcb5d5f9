"""The layers of modnet-recurrent."""

from __future__ import annotations

import numpy as np
from modnet_recurrent.gru import GRU
from modnet_recurrent.lstm import LSTM
from modnet_recurrent.masking import Masking
from modnet_recurrent.recurrent import Recurrent
from modnet_recurrent.rnn import RNN

from modnet.kinds.translations import Translation
from modnet_compiled.operations import Packed, Padded, Scratch, Value
from modnet_compiled.writer import Writer

RNN_TANH, RNN_RELU, GATED_UNIT, LONG_SHORT = range(4)
"""The kinds of native/sequences.h."""


def _recurrent(writer: Writer, layer: Recurrent, x: Value, initial: Value | None = None) -> Value:
    params, size = writer.params, layer.hidden_size
    steps, features = x.shape
    width = layer.gate_count * size
    both = int(isinstance(layer, LSTM) and layer.return_state)
    learned = [params[f"initial_{name}"] for name in layer.state_names if layer.train_initial_state]
    item, mask = writer.dtype.itemsize, writer.masks[0]
    if not layer.return_sequences:
        writer.output_mask = None
    return writer.add(
        "recurrent",
        (x,) if initial is None else (x, initial),
        (steps, size) if layer.return_sequences else (layer.returned * size,),
        numbers=[steps, features, size, _kind(layer), int(layer.return_sequences), int(layer.reverse), both],
        arrays=[
            Packed(params["weight_input"][None]),
            Packed(params["weight_hidden"][None]),
            Padded(params.get("bias", np.zeros(width))[None]),
            Padded(np.concatenate([np.zeros(2 * size), params.get("bias_hidden", np.zeros(size))])[None]),
            np.concatenate(learned) if learned else None,
        ],
        scratch=[
            Scratch(7, steps * width * item),
            Scratch(8, width * item),
            Scratch(9, size * item),
            Scratch(10, size * item),
            *([] if mask is None else [Scratch(11, 2 * size * item)]),
        ],
        mask=mask,
    )


def _masking(writer: Writer, layer: Masking, x: Value) -> Value:
    made = writer.mask("mask_of_rows", (x,), numbers=list(x.shape), factors=[layer.value])
    writer.output_mask = writer.both(made, writer.masks[0])
    return x


def _kind(layer: Recurrent) -> int:
    if isinstance(layer, RNN):
        return RNN_RELU if layer.nonlinearity == "relu" else RNN_TANH
    return GATED_UNIT if isinstance(layer, GRU) else LONG_SHORT


LOWERINGS: dict[str, Translation] = {"GRU": _recurrent, "LSTM": _recurrent, "Masking": _masking, "RNN": _recurrent}

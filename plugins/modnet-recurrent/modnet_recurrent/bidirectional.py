"""Two recurrent layers, one in each direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from modnet import Composite, Layer, Node
from modnet.kinds.component import Example
from modnet.layers import Add, Concatenate, Multiply
from modnet_recurrent.lstm import LSTM
from modnet_recurrent.recurrent import Recurrent


class Bidirectional(Composite, type="bidirectional"):
    """Two recurrent layers, one forward and one backward in time, whose outputs are merged at each step.

    Its nodes are called forward and backward: `bidirectional_1.forward.weight_input`. Shapes, with "concatenate":
    (time, features) -> (time, 2 hidden), or (2 hidden,) for a layer with `return_sequences = false`, which gives the
    states after the last step and after the first. It needs the whole sequence, so it does not stream.

    Source: Schuster and Paliwal 1997, "Bidirectional recurrent neural networks". torch's `bidirectional = True` is
    "concatenate".

    Attributes:
        layer: an rnn, lstm or gru; both directions are made like it.
        merge: what is made of the two outputs.
    """

    layer: Layer
    merge: Literal["concatenate", "add", "multiply"] = "concatenate"

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (
            Example(cls(layer=LSTM(hidden_size=3)), ((5, 4),)),
            Example(cls(layer=LSTM(hidden_size=3, return_sequences=False), merge="add"), ((5, 4),)),
        )

    def check(self) -> None:
        if not isinstance(self.layer, Recurrent):
            raise ValueError(f"layer is {self.layer.type}; expected rnn, lstm or gru")
        if self.layer.reverse:
            raise ValueError(
                "layer has reverse = true; bidirectional makes both directions of it, so leave reverse out"
            )

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        merging = {"concatenate": Concatenate(), "add": Add(), "multiply": Multiply()}[self.merge]
        return [
            Node(layer=self.layer, name="forward", inputs=tuple(inputs)),
            Node(layer=self.layer.replace(reverse=True), name="backward", inputs=tuple(inputs)),
            Node(layer=merging, inputs=("forward", "backward")),
        ]

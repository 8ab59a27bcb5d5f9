"""The simple recurrent network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from modnet.arrays import Array
from modnet_recurrent.recurrent import Alone, Recurrent, Steps

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class RNN(Recurrent, type="rnn"):
    """The simple recurrent network: h_t = f(x_t W + h_(t-1) V + b), with f the tanh or relu.

    Shapes: (time, features) -> (time, hidden), or (hidden,) with `return_sequences = false`. A second input, (hidden,),
    is the state before the first step. Parameters: weight_input W (features, hidden), weight_hidden V (hidden, hidden),
    bias b (hidden,). A masked step leaves the state as it was, and its output is 0.

    Source: Elman 1990, "Finding structure in time"; torch's RNN is the same, its two biases added up.

    Attributes:
        nonlinearity: f.
    """

    gate_count = 1
    scales = (1.0,)

    nonlinearity: Literal["tanh", "relu"] = "tanh"

    def advance(self, context: Context, steps: Steps) -> tuple[Array, ...]:
        (gates,), (hidden,), (weight,) = steps.gates, steps.states, steps.weight
        for t, gate in enumerate(gates):
            np.matmul(hidden[t], weight, out=hidden[t + 1])
            np.add(gate, hidden[t + 1], out=gate)
            if self.nonlinearity == "tanh":
                np.tanh(gate, out=gate)
            else:
                np.maximum(gate, 0, out=gate)
            np.copyto(hidden[t + 1], gate)
            steps.carry(t)
        return ()

    def advance_alone(self, context: Context, pass_: Alone) -> None:
        do, (hidden,) = context.do, pass_.states
        product = context.buffer(hidden.shape)
        for gate, out in zip(pass_.gates, pass_.outs, strict=True):
            do(hidden.dot, pass_.weight, product)
            do(np.add, gate, product, gate)
            if self.nonlinearity == "tanh":
                do(np.tanh, gate, out)
            else:
                do(np.maximum, gate, 0, out=out)
            hidden = out

    def retreat(
        self, context: Context, steps: Steps, saved: tuple[Array, ...], arriving: Array | None, flowing: list[Array]
    ) -> tuple[Array, Array]:
        (slopes,), (flow,) = steps.gates, flowing
        if self.nonlinearity == "tanh":
            np.multiply(slopes, slopes, out=slopes)
            np.subtract(1, slopes, out=slopes)
        else:
            np.greater(slopes, 0, out=slopes)
        if steps.ended is not None:
            np.copyto(slopes, 0, where=steps.ended)
        back = context.buffer(steps.weight.shape[1:])
        np.copyto(back, context.params["weight_hidden"].T)
        product = context.buffer(flow.shape)
        for t in reversed(range(len(slopes))):
            if arriving is not None:
                np.add(flow, arriving[t], out=flow)
            np.multiply(slopes[t], flow, out=slopes[t])
            np.matmul(slopes[t], back, out=product)
            if steps.ended is None:
                flow, product = product, flow
            else:
                np.multiply(flow, steps.ended[t], out=flow)
                np.add(flow, product, out=flow)
        flowing[0] = flow
        return slopes, slopes

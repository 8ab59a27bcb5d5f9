"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet import Initializer
from modnet.arrays import Array
from modnet.initializers import Constant
from modnet.kinds.component import Example
from modnet_recurrent.recurrent import Alone, Gates, Recurrent, Steps, stretches

if TYPE_CHECKING:
    from modnet.kinds.context import Context


SHIFTS = (0.5, 0.5, 0.0, 0.5)
"""What is added to tanh times `scales`: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2."""


class LSTM(Recurrent, type="lstm"):
    """Long short-term memory: a state h and a cell c that gates protect.

    [i f g o] = x_t W + h_(t-1) V + b, with s the sigmoid:

        c_t = s(f) * c_(t-1) + s(i) * tanh(g)
        h_t = s(o) * tanh(c_t)

    Shapes: (time, features) -> (time, hidden), or with `return_sequences = false` (hidden,), or (2 hidden,), h and c
    side by side, with `return_state = true` too. A second input, (2 hidden,), has h and c before the first step.
    Parameters, with the gates side by side in torch's order i, f, g, o: weight_input W (features, 4 hidden),
    weight_hidden V (hidden, 4 hidden), bias b (4 hidden,). A masked step leaves h and c as they were, and its output is
    0.

    Source: Hochreiter and Schmidhuber 1997; with the forget gate of Gers, Schmidhuber and Cummins 2000, "Learning to
    forget". torch's LSTM is the same, its two biases added up.

    Attributes:
        forget_bias: the first value of the bias of f, in place of `bias_initializer`'s. With 1 the cell remembers from
            the beginning (Jozefowicz, Zaremba and Sutskever 2015).
        return_state: whether c is given with h, as another lstm takes them for its initial state.
    """

    gate_count = 4
    state_names = ("hidden", "cell")
    scales = (0.5, 0.5, 1.0, 0.5)

    state_hint = "an lstm with return_sequences = false and return_state = true gives one"

    forget_bias: float = 1.0
    return_state: bool = False

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (
            *super().examples(),
            Example(cls(hidden_size=3, return_sequences=False, return_state=True), ((None, 4),)),
            Example(cls(hidden_size=3, return_sequences=False, return_state=True, reverse=True), ((5, 4), (6,))),
        )

    def check(self) -> None:
        if self.return_state and self.return_sequences:
            raise ValueError("return_state gives the states after the last step; set return_sequences = false")

    @property
    def returned(self) -> int:
        return 2 if self.return_state else 1

    def bias_gates(self) -> Initializer:
        first = self.bias_initializer
        return Gates((first, Constant(value=self.forget_bias), first, first))

    def advance(self, context: Context, steps: Steps) -> tuple[Array, ...]:
        gates, (hidden, cell) = steps.gates, steps.states
        product = context.buffer((4, *hidden.shape[1:]))
        written = product[0]
        squashed = context.buffer((gates.shape[1], *hidden.shape[1:]))
        scales, shifts = (np.array(numbers, gates.dtype)[:, None, None] for numbers in (self.scales, SHIFTS))
        each = zip(gates.swapaxes(0, 1), hidden, cell, hidden[1:], cell[1:], squashed, strict=False)
        for t, (gate, h_before, c_before, h, c, tanh_c) in enumerate(each):
            np.matmul(h_before, steps.weight, out=product)
            np.add(gate, product, out=gate)
            np.tanh(gate, out=gate)
            np.multiply(gate, scales, out=gate)
            np.add(gate, shifts, out=gate)
            i, f, g, o = gate
            np.multiply(f, c_before, out=c)
            np.multiply(i, g, out=written)
            np.add(c, written, out=c)
            np.tanh(c, out=tanh_c)
            np.multiply(o, tanh_c, out=h)
            steps.carry(t)
        return (squashed,)

    def advance_alone(self, context: Context, pass_: Alone) -> None:
        do, (hidden, cell), size = context.do, pass_.states, self.hidden_size
        product = context.buffer((4 * size,))
        written, squashed = context.buffer((size,)), context.buffer((size,))
        scales, shifts = (np.repeat(np.array(numbers, product.dtype), size) for numbers in (self.scales, SHIFTS))
        for gate, out in zip(pass_.gates, pass_.outs, strict=True):
            i, f, g, o = gate.reshape(4, size)
            do(hidden.dot, pass_.weight, product)
            if pass_.factors is not None:
                do(np.multiply, product, pass_.factors, product)
            do(np.add, gate, product, gate)
            do(np.tanh, gate, gate)
            do(np.multiply, gate, scales, gate)
            do(np.add, gate, shifts, gate)
            do(np.multiply, f, cell, cell)
            do(np.multiply, i, g, written)
            do(np.add, cell, written, cell)
            do(np.tanh, cell, squashed)
            do(np.multiply, o, squashed, out)
            hidden = out

    def retreat(
        self, context: Context, steps: Steps, saved: tuple[Array, ...], arriving: Array | None, flowing: list[Array]
    ) -> tuple[Array, Array]:
        (squashed,) = saved
        cell = steps.states[1]
        flow, cell_flow = flowing
        _, time, batch, size = steps.gates.shape
        of_gates = context.buffer((time, batch, 4 * size))
        back = context.buffer((4, size, size))
        np.copyto(back, self.by_gate(context.params["weight_hidden"]).swapaxes(1, 2))
        product, products = context.buffer(flow.shape), context.buffer((4, *flow.shape))
        length, parts = stretches(steps.gates)
        workspace = context.buffer((4, length, batch, size))
        for part in parts:
            gates, ended = steps.gates[:, part], None if steps.ended is None else steps.ended[part]
            i, f, g, o = gates
            # The factors of the gradient of c; for o, of the gradient of h.
            factors = workspace[:, : part.stop - part.start]
            np.subtract(1, gates, out=factors)
            np.multiply(factors, gates, out=factors)
            np.multiply(factors[0], g, out=factors[0])
            np.multiply(factors[1], cell[:-1][part], out=factors[1])
            np.multiply(g, g, out=factors[2])
            np.subtract(1, factors[2], out=factors[2])
            np.multiply(factors[2], i, out=factors[2])
            np.multiply(factors[3], squashed[part], out=factors[3])
            into_cell = squashed[part]
            np.multiply(into_cell, into_cell, out=into_cell)
            np.subtract(1, into_cell, out=into_cell)
            np.multiply(into_cell, o, out=into_cell)
            if ended is not None:
                np.copyto(factors, 0, where=ended)
                np.copyto(into_cell, 0, where=ended)
                np.copyto(f, 1, where=ended)
            for t in reversed(range(part.stop - part.start)):
                factor, of_i_f_g = factors[:, t], factors[:3, t]
                if arriving is not None:
                    np.add(flow, arriving[part][t], out=flow)
                np.multiply(flow, into_cell[t], out=product)
                np.add(cell_flow, product, out=cell_flow)
                np.multiply(of_i_f_g, cell_flow, out=of_i_f_g)
                np.multiply(factor[3], flow, out=factor[3])
                np.multiply(cell_flow, f[t], out=cell_flow)
                np.matmul(factor, back, out=products)
                if ended is None:
                    np.add.reduce(products, axis=0, out=flow)
                else:
                    np.multiply(flow, ended[t], out=flow)
                    np.add(flow, np.add.reduce(products, axis=0, out=product), out=flow)
            np.copyto(of_gates.reshape(time, batch, 4, size)[part], factors.transpose(1, 2, 0, 3))
        return of_gates, of_gates

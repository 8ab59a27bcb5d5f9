"""Gated recurrent units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from modnet import Parameter
from modnet.arrays import Array, Shape, sum_rows
from modnet_recurrent.recurrent import Alone, Recurrent, Steps, stretches

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class GRU(Recurrent, type="gru"):
    """Gated recurrent units: a state h that gates keep or renew.

    [r z n] = x_t W + b and [r' z' n'] = h_(t-1) V, with s the sigmoid and b' a bias of only n':

        h_new = tanh(n + s(r + r') * (n' + b'))
        h_t = (1 - s(z + z')) * h_new + s(z + z') * h_(t-1)

    Shapes: (time, features) -> (time, hidden), or (hidden,) with `return_sequences = false`. A second input, (hidden,),
    is the state before the first step. Parameters, with the gates side by side in torch's order r, z, n: weight_input W
    (features, 3 hidden), weight_hidden V (hidden, 3 hidden), bias b (3 hidden,), bias_hidden b' (hidden,). A masked
    step leaves the state as it was, and its output is 0.

    Source: Cho et al. 2014, arXiv:1406.1078; with the reset gate after the product, as torch's GRU and cuDNN have it,
    so that one product serves all gates. torch's biases of r and of z are added up here.
    """

    gate_count = 3
    scales = (0.5, 0.5, 1.0)
    added = False

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        found = dict(super().parameters(*input_shapes))
        if self.bias:
            found["bias_hidden"] = Parameter((self.hidden_size,), self.bias_initializer, decay=False)
        return found

    def advance(self, context: Context, steps: Steps) -> tuple[Array, ...]:
        gates, (hidden,) = steps.gates, steps.states
        product = context.buffer((3, *hidden.shape[1:]))
        recurrent = context.buffer((gates.shape[1], *hidden.shape[1:]))
        bias = context.params["bias_hidden"] if self.bias else 0
        for t in range(gates.shape[1]):
            both, (r, z, n), h = gates[:2, t], gates[:, t], hidden[t + 1]
            np.matmul(hidden[t], steps.weight, out=product)
            np.add(both, product[:2], out=both)
            np.tanh(both, out=both)
            np.multiply(both, 0.5, out=both)
            np.add(both, 0.5, out=both)
            np.add(product[2], bias, out=recurrent[t])
            np.multiply(recurrent[t], r, out=h)
            np.add(n, h, out=n)
            np.tanh(n, out=n)
            np.subtract(hidden[t], n, out=h)
            np.multiply(h, z, out=h)
            np.add(h, n, out=h)
            steps.carry(t)
        return (recurrent,)

    def advance_alone(self, context: Context, pass_: Alone) -> None:
        do, (hidden,), size = context.do, pass_.states, self.hidden_size
        product, changed = context.buffer((3 * size,)), context.buffer((size,))
        bias = context.params["bias_hidden"] if self.bias else 0
        half = np.full((), 0.5, product.dtype)
        for gate, out in zip(pass_.gates, pass_.outs, strict=True):
            both, (r, z, n) = gate[: 2 * size], gate.reshape(3, size)
            do(hidden.dot, pass_.weight, product)
            if pass_.factors is not None:
                do(np.multiply, product, pass_.factors, product)
            do(np.add, both, product[: 2 * size], both)
            do(np.tanh, both, both)
            do(np.multiply, both, half, both)
            do(np.add, both, half, both)
            do(np.add, product[2 * size :], bias, changed)
            do(np.multiply, changed, r, changed)
            do(np.add, n, changed, n)
            do(np.tanh, n, n)
            do(np.subtract, hidden, n, changed)
            do(np.multiply, changed, z, changed)
            do(np.add, changed, n, out)
            hidden = out

    def retreat(
        self, context: Context, steps: Steps, saved: tuple[Array, ...], arriving: Array | None, flowing: list[Array]
    ) -> tuple[Array, Array]:
        (recurrent,) = saved
        (hidden,), (flow,) = steps.states, flowing
        _, time, batch, size = steps.gates.shape
        of_gates, of_products = (context.buffer((time, batch, 3 * size)) for _ in range(2))
        back = context.buffer((3, size, size))
        np.copyto(back, self.by_gate(context.params["weight_hidden"])[[2, 0, 1]].swapaxes(1, 2))
        product, products = context.buffer(flow.shape), context.buffer((3, *flow.shape))
        length, parts = stretches(steps.gates)
        workspace = context.buffer((4, length, batch, size))
        for part in parts:
            gates, ended = steps.gates[:, part], None if steps.ended is None else steps.ended[part]
            r, z, n = gates
            # The factors of the gradient of h, for n' + b', r, z, n.
            factors = workspace[:, : part.stop - part.start]
            through_new, of_r, of_z, of_n = factors
            np.subtract(1, gates, out=factors[1:])
            np.multiply(n, n, out=of_n)
            np.subtract(1, of_n, out=of_n)
            np.multiply(of_n, of_z, out=of_n)
            np.multiply(of_n, r, out=through_new)
            np.multiply(of_r, through_new, out=of_r)
            np.multiply(of_r, recurrent[part], out=of_r)
            np.multiply(of_z, z, out=of_z)
            distance = np.subtract(hidden[:-1][part], n, out=recurrent[part])
            np.multiply(of_z, distance, out=of_z)
            if ended is not None:
                np.copyto(factors, 0, where=ended)
                np.copyto(z, 1, where=ended)
            for t in reversed(range(part.stop - part.start)):
                factor = factors[:, t]
                if arriving is not None:
                    np.add(flow, arriving[part][t], out=flow)
                np.multiply(factor, flow, out=factor)
                np.multiply(flow, z[t], out=flow)
                np.matmul(factor[:3], back, out=products)
                np.add(flow, np.add.reduce(products, axis=0, out=product), out=flow)
            gates_first = factors.transpose(1, 2, 0, 3)
            np.copyto(of_gates.reshape(time, batch, 3, size)[part], gates_first[:, :, 1:])
            by_product = of_products.reshape(time, batch, 3, size)[part]
            np.copyto(by_product[:, :, :2], gates_first[:, :, 1:3])
            np.copyto(by_product[:, :, 2], through_new)
        self.bias_gradient(context, of_products)
        return of_gates, of_products

    def bias_gradient(self, context: Context, of_products: Array) -> None:
        """Writes the gradient of bias_hidden."""
        if self.bias:
            size = self.hidden_size
            rows = of_products.reshape(math.prod(of_products.shape[:2]), 3 * size)[:, 2 * size :]
            sum_rows(rows, context.grads["bias_hidden"])

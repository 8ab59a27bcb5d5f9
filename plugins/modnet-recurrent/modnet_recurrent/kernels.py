"""Compiled kernels for lstm and gru, offered to training where modnet-numba is installed (extra `numba`).

The products and tanh stay numpy's; the rest of a step is one compiled pass in place of five to ten.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array
from modnet_recurrent.gru import GRU
from modnet_recurrent.lstm import LSTM
from modnet_recurrent.recurrent import Steps

if TYPE_CHECKING:
    from modnet.kinds.context import Context

Method = Callable[..., Any]


def flat(array: Array, axes: int) -> Array:
    """The array with its first axes as they are and all others as one."""
    return array.reshape(*array.shape[:axes], math.prod(array.shape[axes:]))


def maker(method: str, steps: Callable[..., Any]) -> Callable[[Any, np.dtype[Any]], Method | None]:
    def make(layer: Any, dtype: np.dtype[Any]) -> Method | None:
        if find_spec("modnet_numba") is None:
            return None
        return partial(getattr(layer, f"{method}_by"), partial(steps, layer))

    return make


def advance_lstm(layer: LSTM, context: Context, steps: Steps) -> tuple[Array, ...]:
    from modnet_recurrent.loops import lstm_cell

    hidden, cell = steps.states
    product = context.buffer((4, *hidden.shape[1:]))
    squashed = context.buffer((steps.gates.shape[1], *hidden.shape[1:]))
    gates, cells = flat(steps.gates, 2), flat(cell, 1)
    half = np.array(0.5, context.dtype)[()]
    for t in range(len(squashed)):
        gate = steps.gates[:, t]
        np.matmul(hidden[t], steps.weight, out=product)
        np.add(gate, product, out=gate)
        np.tanh(gate, out=gate)
        lstm_cell(gates, cells, t, half)
        np.tanh(cell[t + 1], out=squashed[t])
        np.multiply(gate[3], squashed[t], out=hidden[t + 1])
        steps.carry(t)
    return (squashed,)


def retreat_lstm(
    layer: LSTM,
    context: Context,
    steps: Steps,
    saved: tuple[Array, ...],
    arriving: Array | None,
    flowing: list[Array],
) -> tuple[Array, Array]:
    from modnet_recurrent.loops import lstm_gates_gradient

    (squashed,) = saved
    flow, cell_flow = flowing
    _, time, batch, size = steps.gates.shape
    of_gates = context.buffer((time, batch, 4 * size))
    back = context.buffer((4, size, size))
    np.copyto(back, layer.by_gate(context.params["weight_hidden"]).swapaxes(1, 2))
    step, products = context.buffer((4, *flow.shape)), context.buffer((4, *flow.shape))
    kept, cell_kept = context.buffer(flow.shape), context.buffer(flow.shape)
    arrays = flat(steps.gates, 2), flat(steps.states[1], 1), flat(squashed, 1)
    flows = flow.reshape(-1), cell_flow.reshape(-1), flat(step, 1)
    one = np.array(1, context.dtype)[()]
    for t in reversed(range(time)):
        if arriving is not None:
            np.add(flow, arriving[t], out=flow)
        ended = None if steps.ended is None or not steps.partly[t] else steps.ended[t]
        if ended is not None:
            np.copyto(kept, flow)
            np.copyto(cell_kept, cell_flow)
        lstm_gates_gradient(*arrays, t, *flows, one)
        if ended is not None:
            np.copyto(step, 0, where=ended)
            np.copyto(cell_flow, cell_kept, where=ended)
        np.copyto(of_gates[t].reshape(batch, 4, size), step.swapaxes(0, 1))
        np.matmul(step, back, out=products)
        np.add.reduce(products, axis=0, out=flow)
        if ended is not None:
            np.copyto(flow, kept, where=ended)
    return of_gates, of_gates


def advance_gru(layer: GRU, context: Context, steps: Steps) -> tuple[Array, ...]:
    from modnet_recurrent.loops import gru_candidate, gru_state

    (hidden,) = steps.states
    product = context.buffer((3, *hidden.shape[1:]))
    recurrent = context.buffer((steps.gates.shape[1], *hidden.shape[1:]))
    gates, hiddens, sums = flat(steps.gates, 2), flat(hidden, 1), flat(recurrent, 1)
    bias = context.params["bias_hidden"] if layer.bias else np.zeros(layer.hidden_size, context.dtype)
    half = np.array(0.5, context.dtype)[()]
    for t in range(len(recurrent)):
        both, new = steps.gates[:2, t], steps.gates[2, t]
        np.matmul(hidden[t], steps.weight, out=product)
        np.add(both, product[:2], out=both)
        np.tanh(both, out=both)
        gru_candidate(gates, product, bias, sums, t, half)
        np.tanh(new, out=new)
        gru_state(gates, hiddens, t)
        steps.carry(t)
    return (recurrent,)


def retreat_gru(
    layer: GRU,
    context: Context,
    steps: Steps,
    saved: tuple[Array, ...],
    arriving: Array | None,
    flowing: list[Array],
) -> tuple[Array, Array]:
    from modnet_recurrent.loops import gru_gates_gradient

    (recurrent,) = saved
    (flow,) = flowing
    _, time, batch, size = steps.gates.shape
    of_gates, of_products = (context.buffer((time, batch, 3 * size)) for _ in range(2))
    back = context.buffer((3, size, size))
    np.copyto(back, layer.by_gate(context.params["weight_hidden"])[[2, 0, 1]].swapaxes(1, 2))
    step, products = context.buffer((4, *flow.shape)), context.buffer((3, *flow.shape))
    product, kept = context.buffer(flow.shape), context.buffer(flow.shape)
    arrays = flat(steps.gates, 2), flat(steps.states[0], 1), flat(recurrent, 1)
    one = np.array(1, context.dtype)[()]
    for t in reversed(range(time)):
        if arriving is not None:
            np.add(flow, arriving[t], out=flow)
        ended = None if steps.ended is None or not steps.partly[t] else steps.ended[t]
        if ended is not None:
            np.copyto(kept, flow)
        gru_gates_gradient(*arrays, t, flow.reshape(-1), flat(step, 1), one)
        if ended is not None:
            np.copyto(step, 0, where=ended)
            np.copyto(flow, kept, where=ended)
        np.copyto(of_gates[t].reshape(batch, 3, size), step[1:].swapaxes(0, 1))
        by_product = of_products[t].reshape(batch, 3, size)
        np.copyto(by_product[:, :2], step[1:3].swapaxes(0, 1))
        np.copyto(by_product[:, 2], step[0])
        np.matmul(step[:3], back, out=products)
        np.add(flow, np.add.reduce(products, axis=0, out=product), out=flow)
    layer.bias_gradient(context, of_products)
    return of_gates, of_products


lstm_forward, lstm_backward = maker("forward", advance_lstm), maker("backward", retreat_lstm)
gru_forward, gru_backward = maker("forward", advance_gru), maker("backward", retreat_gru)

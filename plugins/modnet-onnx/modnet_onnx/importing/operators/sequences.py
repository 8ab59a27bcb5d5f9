"""Recurrent layers: modnet's have the batch first, and their gates in torch's order."""

from __future__ import annotations

from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.layers.merge import Concatenate
from modnet.layers.shape import Slice
from modnet_onnx.importing.building import layer_of, numbers
from modnet_onnx.importing.laying import laid, plainly
from modnet_onnx.importing.operators.pointwise import owner
from modnet_onnx.importing.step import Step, converts
from modnet_onnx.importing.values import NotNative, Value, is_open

GATES = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
"""Where modnet's gates stand in ONNX's blocks: of i, o, f, c as i, f, g, o; of z, r, h as r, z, n."""

ACTIVATIONS = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}


class Weights:
    """The weights of a recurrent operator, by direction, as modnet has them."""

    def __init__(self, step: Step) -> None:
        self.operator = step.node.op_type
        self.input, self.hidden = numbers(step.constant(1)), numbers(step.constant(2))
        self.size = self.hidden.shape[-1]
        self.directions = len(self.input)
        count = len(GATES[self.operator])
        empty = np.zeros((self.directions, 2 * count * self.size))
        self.bias = numbers(step.constant(3)) if step.has(3) else empty

    def _turned(self, blocks: Array) -> Array:
        """(gates * hidden, ...) in modnet's order."""
        gates = blocks.reshape(-1, self.size, *blocks.shape[1:])
        return gates[list(GATES[self.operator])].reshape(blocks.shape)

    def arrays(self, direction: int) -> dict[str, Array]:
        first, second = (self._turned(part) for part in np.split(self.bias[direction], 2))
        found = {
            "weight_input": self._turned(self.input[direction]).T,
            "weight_hidden": self._turned(self.hidden[direction]).T,
        }
        if self.operator == "GRU":
            both = 2 * self.size
            bias = np.concatenate([first[:both] + second[:both], first[both:]])
            return {**found, "bias": bias, "bias_hidden": second[both:]}
        return {**found, "bias": first + second}


def _check(step: Step, directions: int) -> None:
    """Raises NotNative for options that modnet's layers do not have."""
    operator = step.node.op_type
    names = [str(name, "utf-8") if isinstance(name, bytes) else name for name in step.attribute("activations") or []]
    allowed = [ACTIVATIONS[operator] * directions]
    if operator == "RNN":
        allowed.append(["Relu"] * directions)
    if names and names not in allowed:
        raise NotNative(f"the activations {', '.join(names)}")
    if step.attribute("clip") or step.attribute("input_forget", 0):
        raise NotNative("clipping, or coupled gates")
    if step.has(4):
        raise NotNative("lengths of sequences")
    if operator == "LSTM" and step.has(7) and np.any(step.constant(7)):
        raise NotNative("peepholes")
    if operator == "GRU" and not step.attribute("linear_before_reset", 0):
        raise NotNative("a reset gate before the product (linear_before_reset = 0)")


@converts("RNN", "LSTM", "GRU")
def recurrent(step: Step) -> None:
    weights = Weights(step)
    _check(step, weights.directions)
    batch_first = bool(step.attribute("layout", 0))
    time, batch = (1, 0) if batch_first else (0, 1)
    value = step.floats()
    if value.batch_axis not in (batch, None) or (value.batch_axis is None and value.shape[batch] != 1):
        raise NotNative("the batch is another axis")
    plain = plainly(step.builder, value, [time, 2])
    backward_first = step.attribute("direction", "forward") == "reverse"
    made = [
        _direction(step, plain, weights, number, reverse=backward_first or number == 1)
        for number in range(weights.directions)
    ]
    first, size, steps = plain.sizes[0], weights.size, plain.sizes[1]
    rows = (0,) if value.batch_axis is not None else ()
    sequences = [sources.get("sequence", "") for sources in made]
    if step.wants(0):
        source = sequences[0] if len(made) == 1 else step.builder.add(Concatenate(), *sequences)
        width, inner = len(made) * size, [size] if len(made) == 1 else [len(made), size]
        source = step.builder.reshaped(source, [first, steps, width], [first, steps, *inner])
        axes = {"time": (1,), "direction": (2,) if len(made) > 1 else (), "batch": rows, "hidden": (len(inner) + 1,)}
        order = ("batch", "time", "direction", "hidden") if batch_first else ("time", "direction", "batch", "hidden")
        step.give(laid(plain, source, [first, steps, *inner], [axes[name] for name in order]))
    for position, name in ((1, "hidden"), (2, "cell")):
        if step.wants(position):
            _give_state(step, plain, [sources[name] for sources in made], position, rows, batch_first)


def _give_state(
    step: Step, plain: Value, sources: list[str], position: int, rows: tuple[int, ...], batch_first: bool
) -> None:
    """Gives the states of all directions after the last step: (directions, batch, hidden)."""
    count, size = len(sources), step.constant(2).shape[-1]
    source = sources[0] if count == 1 else step.builder.add(Concatenate(), *sources)
    inner = [size] if count == 1 else [count, size]
    source = step.builder.reshaped(source, [plain.sizes[0], count * size], [plain.sizes[0], *inner])
    directions: tuple[int, ...] = (1,) if count > 1 else ()
    axes = [rows, directions] if batch_first else [directions, rows]
    step.give(laid(plain, source, [plain.sizes[0], *inner], [*axes, (len(inner),)]), position)


def _direction(step: Step, plain: Value, weights: Weights, number: int, reverse: bool) -> dict[str, str]:
    """The layers of one direction: which node gives its sequence, its last state and its last cell."""
    operator, size = step.node.op_type, weights.size
    fields: dict[str, Any] = {"hidden_size": size, "reverse": reverse}
    names = step.attribute("activations") or []
    if operator == "RNN" and names and names[number] in (b"Relu", "Relu"):
        fields["nonlinearity"] = "relu"
    sources = [plain.source, *_initial(step, plain, number, size)]
    arrays, name = weights.arrays(number), owner(step.learned(1))
    kind = operator.lower()
    found: dict[str, str] = {}
    if step.wants(0) or not (step.wants(1) or step.wants(2)):
        layer = layer_of("modnet-recurrent", kind, **fields)
        found["sequence"] = step.builder.add(layer, *sources, arrays=arrays, name=name)
    if step.wants(2):
        layer = layer_of("modnet-recurrent", kind, return_sequences=False, return_state=True, **fields)
        first = found.get("sequence")
        both = step.builder.add(layer, *sources, arrays=None if first else arrays, name=name, shares=first)
        found["hidden"] = step.builder.add(Slice(stop=size), both) if step.wants(1) else ""
        found["cell"] = step.builder.add(Slice(start=size), both)
    elif step.wants(1):
        found["hidden"] = _last(step, plain, found.get("sequence", ""), sources, arrays, name, fields)
    return found


def _last(
    step: Step,
    plain: Value,
    sequence: str,
    sources: list[str],
    arrays: dict[str, Array],
    name: str,
    fields: dict[str, Any],
) -> str:
    """The node that gives the state after the last step that is gone through."""
    if not sequence:
        layer = layer_of("modnet-recurrent", step.node.op_type.lower(), return_sequences=False, **fields)
        return step.builder.add(layer, *sources, arrays=arrays, name=name)
    last = Slice(axis=0, stop=1) if fields["reverse"] else Slice(axis=0, start=-1)
    end = step.builder.add(last, sequence)
    size = fields["hidden_size"]
    if is_open(plain.sizes[1]):
        raise NotNative("its state and its sequence are both wanted, and the number of steps is not known")
    return step.builder.reshaped(end, [plain.sizes[0], 1, size], [plain.sizes[0], size])


def _initial(step: Step, plain: Value, number: int, size: int) -> list[str]:
    """The state before the first step, as a second input; none where it is 0."""
    states = [position for position in ((5, 6) if step.node.op_type == "LSTM" else (5,)) if step.has(position)]
    values = [step.any(position) for position in states]
    if all(value.constant is not None and not np.any(value.constant) for value in values):
        return []
    found = []
    for value in values:
        if not value.source:
            raise NotNative("an initial state that is a constant other than 0")
        axis = 1 if step.attribute("layout", 0) else 0
        if value.shape[axis] != 1 or value.batch_axis not in (1 - axis, None):
            raise NotNative("initial states for two directions")
        found.append(plainly(step.builder, value, [2]).source)
    if step.node.op_type == "LSTM" and len(found) != 2:
        raise NotNative("only one of the two initial states")
    return found if len(found) < 2 else [step.builder.add(Concatenate(), *found)]

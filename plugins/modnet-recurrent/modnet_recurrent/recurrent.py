"""What rnn, lstm and gru have in common: sequences in and out, states, masks, and the products of all steps together.

Within a pass everything lies time first, (time, batch, ...), and what the gates read and give lies gate by gate, so
that every operation of a step goes over contiguous numbers, and the step's product is one of small matrices for each
gate, which BLAS makes without rearranging them first. Steps are in the order in which they are processed:
`reverse` is no more than another order of copying in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from modnet import Initializer, Layer, Parameter, ShapeError, field
from modnet.arrays import Array, Shape
from modnet.initializers import GlorotUniform, Orthogonal, Zeros
from modnet.kinds.component import Example

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Gates(Initializer):
    """Fills an array whose last axis has a block for each gate, each block by its own initializer.

    An orthogonal block then is orthogonal by itself, and the fans are those of one gate.
    """

    initializers: tuple[Initializer, ...]

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        blocks = np.split(out, len(self.initializers), axis=-1)
        for initializer, block in zip(self.initializers, blocks, strict=True):
            initializer.initialize(block, fan_in, fan_out, rng)


@dataclass
class Steps:
    """The arrays of a pass, time first.

    Attributes:
        gates: (gates, time, batch, hidden): before `advance` what x and the biases give, after it the gates' values.
        states: (time + 1, batch, hidden) each: the first step of it is the initial state, and number t + 1 what step t
            leaves.
        weight: (gates, hidden, hidden), weight_hidden with each gate's part times its factor of `scales`.
        ended: (time, batch, 1), True where a step is masked; None if no step of the batch is.
        partly: for each step whether it is masked in any sample.
    """

    gates: Array
    states: list[Array]
    weight: Array
    ended: Array | None
    partly: list[bool]

    def carry(self, step: int) -> None:
        """Keeps the previous states of samples whose step is masked."""
        if self.ended is not None and self.partly[step]:
            for state in self.states:
                np.copyto(state[step + 1], state[step], where=self.ended[step])


REGISTER = 16
"""Numbers of float32 in the widest vector register."""

FEW_STEPS = 4
"""Up to this number of steps, scaling each step's products is less work than scaling the weights."""

MOST_STEPS = 512
"""Of a sequence whose calls are worth being kept."""


class Alone(NamedTuple):
    """The arrays of a single sequence, in the order in which its steps are gone through.

    Attributes:
        gates: (time, gates * hidden): what x and the biases give.
        states: (hidden,) each: the initial states, overwritten by those after the last step, but for the first of them.
        outs: where the first state after each step belongs, (hidden,) each.
        weight: weight_hidden, times `scales`, or as it is.
        factors: `scales` for each column, by which the products must be multiplied; None if the weights were.
    """

    gates: Array
    states: list[Array]
    outs: list[Array]
    weight: Array
    factors: Array | None


def _maker(cls: type, name: str) -> type:
    """The class that a method comes from."""
    return next(found for found in cls.__mro__ if name in vars(found))


Advance = Callable[["Context", Steps], tuple[Array, ...]]
Retreat = Callable[["Context", Steps, tuple[Array, ...], "Array | None", list[Array]], tuple[Array, Array]]


class Recurrent(Layer):
    """The base of layers that go through a sequence step by step with a state.

    A subclass has the equations of its steps: `advance`, and `retreat` with their derivatives. Parameters, with a block
    of columns for each gate: weight_input (features, gates * hidden), weight_hidden (hidden, gates * hidden), bias
    (gates * hidden,), and with `train_initial_state` initial_... (hidden,) for each state.

    A second input is the state before the first step, (states * hidden,): what a node that ends a sequence gives.

    Attributes:
        hidden_size: the length of the state.
        bias: whether there are biases.
        return_sequences: whether the output is the state after every step, (time, hidden), as in torch, or after the
            last one, (hidden,).
        reverse: whether the steps are gone through from the last to the first. The output after a step is still found
            at the step's place.
        train_initial_state: whether the state before the first step is learned; otherwise it is 0, or the second input.
        weight_initializer: of each gate's part of weight_input.
        hidden_initializer: of each gate's part of weight_hidden.
        bias_initializer: of the biases.
    """

    gate_count: ClassVar[int]
    state_names: ClassVar[tuple[str, ...]] = ("hidden",)
    scales: ClassVar[tuple[float, ...]]
    """A factor for what each gate reads: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, so that one tanh serves all gates."""
    added: ClassVar[bool] = True
    """Whether what x and h give to the gates is merely added up, so that both have one gradient."""
    state_hint: ClassVar[str] = ""
    """What to do about an initial state of another shape."""
    inputs = (1, 2)
    repeats = True
    scratch_output = True

    hidden_size: int = field(minimum=1)
    bias: bool = True
    return_sequences: bool = True
    reverse: bool = False
    train_initial_state: bool = False
    weight_initializer: Initializer = GlorotUniform()
    hidden_initializer: Initializer = Orthogonal()
    bias_initializer: Initializer = Zeros()

    @classmethod
    def examples(cls) -> Sequence[Example]:
        state = (len(cls.state_names) * 3,)
        return (
            Example(cls(hidden_size=3), ((5, 4),)),
            Example(cls(hidden_size=3, train_initial_state=True), ((None, 4),)),
            Example(cls(hidden_size=3, reverse=True), ((5, 4), state)),
            Example(cls(hidden_size=3, return_sequences=False, bias=False), ((None, 4), state)),
        )

    @property
    def streams(self) -> bool:  # type: ignore[override]
        return self.return_sequences and not self.reverse

    @property
    def returned(self) -> int:
        """With `return_sequences = false`, the number of states in the output, side by side."""
        return 1

    def output_shape(self, *input_shapes: Shape) -> Shape:
        shape = input_shapes[0]
        if len(shape) != 2:
            hint = 'put an "embedding" before it, which makes vectors of ids' if len(shape) == 1 else ""
            raise ShapeError("expects sequences, samples of shape (time, features)", hint)
        if shape[1] is None:
            raise ShapeError("expects a last axis (features) of fixed size")
        if len(input_shapes) > 1:
            self._check_state(input_shapes[1])
        return (shape[0], self.hidden_size) if self.return_sequences else (self.returned * self.hidden_size,)

    def _check_state(self, shape: Shape) -> None:
        if self.train_initial_state:
            raise ShapeError("expects one input with train_initial_state; a second one would be the initial state too")
        expected = (len(self.state_names) * self.hidden_size,)
        if shape != expected:
            names = " and ".join(self.state_names) + " side by side" * (len(self.state_names) > 1)
            message = f"expects an initial state (the second input) of shape {expected}, {names}"
            raise ShapeError(message, self.state_hint)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        features = input_shapes[0][1]
        assert features is not None
        size, columns = self.hidden_size, self.gate_count * self.hidden_size
        found = {}
        for name, rows, initializer in (
            ("weight_input", features, self.weight_initializer),
            ("weight_hidden", size, self.hidden_initializer),
        ):
            found[name] = Parameter((rows, columns), self.each_gate(initializer), fan_in=rows, fan_out=size)
        if self.bias:
            found["bias"] = Parameter((columns,), self.bias_gates(), decay=False)
        if self.train_initial_state:
            found.update({f"initial_{name}": Parameter((size,), Zeros(), decay=False) for name in self.state_names})
        return found

    def each_gate(self, initializer: Initializer) -> Initializer:
        return Gates((initializer,) * self.gate_count)

    def bias_gates(self) -> Initializer:
        return self.each_gate(self.bias_initializer)

    def advance(self, context: Context, steps: Steps) -> tuple[Array, ...]:
        """Goes through all steps, filling `steps.states` and turning `steps.gates` into the gates' values.

        Returns:
            What else `retreat` needs.
        """
        raise NotImplementedError

    def retreat(
        self, context: Context, steps: Steps, saved: tuple[Array, ...], arriving: Array | None, flowing: list[Array]
    ) -> tuple[Array, Array]:
        """Goes back through all steps.

        Args:
            saved: what `advance` has given.
            arriving: the gradient of the output after each step, (time, batch, hidden), 0 where masked, or None.
            flowing: the gradient of each state after the last step, to be turned into that before the first.

        Returns:
            The gradients of what x and the biases give to the gates, and of the product with weight_hidden, each
            (time, batch, gates * hidden).
        """
        raise NotImplementedError

    def forward(self, context: Context, *inputs: Array) -> Array:
        if self._is_alone(context, inputs[0]):
            return self._forward_alone(context, *inputs)
        context.cannot_repeat()
        return self.forward_by(self.advance, context, *inputs)

    def advance_alone(self, context: Context, pass_: Alone) -> None:
        """Processes all steps of a single sequence in prediction: the same numbers, in fewer calls."""
        raise NotImplementedError

    def _is_alone(self, context: Context, x: Array) -> bool:
        """Whether this is a single sequence, in prediction, that `advance_alone` may go through.

        One product for all gates gives the bytes of one for each gate where no gate's columns share a vector register.
        """
        batch, time, _ = x.shape
        plain = not (context.training or context.grads) and context.masks[0] is None
        own = _maker(type(self), "advance_alone") is _maker(type(self), "advance")
        return plain and own and batch == 1 and 0 < time <= MOST_STEPS and not self.hidden_size % REGISTER

    def _forward_alone(self, context: Context, x: Array, initial: Array | None = None) -> Array:
        do, size = context.do, self.hidden_size
        time, features = x.shape[1:]
        rows = context.buffer((time, features + 1))
        do(np.copyto, rows[:, :features], x[0, ::-1] if self.reverse else x[0])
        do(rows[:, features].fill, 1)
        factors = np.repeat(np.array(self.scales, context.dtype), size)
        weight_input = context.buffer((features + 1, factors.size))
        do(np.multiply, context.params["weight_input"], factors, weight_input[:-1])
        if self.bias:
            do(np.multiply, context.params["bias"], factors, weight_input[-1])
        else:
            do(weight_input[-1].fill, 0)
        gates = context.buffer((time, factors.size))
        do(*((rows[0].dot, weight_input, gates[0]) if time == 1 else (rows.dot, weight_input, gates)))
        weight = context.params["weight_hidden"]
        if time > FEW_STEPS:
            weight = context.buffer(weight.shape)
            do(np.multiply, context.params["weight_hidden"], factors, weight)
        states = [context.buffer((size,)) for _ in self.state_names]
        for number, state in enumerate(states):
            do(self._load, context, number, None if initial is None else self._part(initial, number)[0], state)
        y = context.buffer((1, time, size) if self.return_sequences else (1, self.returned * size))
        outs = list(y[0, ::-1] if self.reverse else y[0]) if self.return_sequences else [states[0]] * time
        self.advance_alone(context, Alone(gates, states, outs, weight, None if time > FEW_STEPS else factors))
        states[0] = outs[-1]
        if context.memory is not None:
            do(self._remember, context, states)
        if not self.return_sequences:
            context.output_mask = None
            for number, state in enumerate(states[: self.returned]):
                do(np.copyto, self._part(y, number)[0], state)
        return y

    def _load(self, context: Context, number: int, given: Array | None, state: Array) -> None:
        name = self.state_names[number]
        if context.memory:
            state[...] = context.memory[name][0]
        elif given is not None:
            state[...] = given
        else:
            state[...] = context.params[f"initial_{name}"] if self.train_initial_state else 0.0

    def _remember(self, context: Context, states: list[Array]) -> None:
        assert context.memory is not None
        for name, state in zip(self.state_names, states, strict=True):
            context.memory[name] = state[None].copy()

    def backward(self, context: Context, gradient: Array) -> Any:
        return self.backward_by(self.retreat, context, gradient)

    def forward_by(self, advance: Advance, context: Context, x: Array, initial: Array | None = None) -> Array:
        """`forward` with this way of going through the steps, the layer's own or a compiled one."""
        batch, time, features = x.shape
        count, size = self.gate_count, self.hidden_size
        # A column of 1 follows x: its weights are the biases. Where `backward` can use it, h will follow.
        rows = context.buffer((time, batch, features + 1 + (size if self.added else 0)))
        np.copyto(rows[..., :features], self._time_first(x))
        rows[..., features] = 1
        scales = np.array(self.scales, context.dtype)[:, None, None]
        weight_input = context.buffer((count, features + 1, size))
        np.multiply(self.by_gate(context.params["weight_input"]), scales, out=weight_input[:, :-1])
        weight_input[:, -1:] = self.by_gate(context.params["bias"][None]) * scales if self.bias else 0
        weight_hidden = context.buffer((count, size, size))
        np.multiply(self.by_gate(context.params["weight_hidden"]), scales, out=weight_hidden)
        steps = Steps(
            context.buffer((count, time, batch, size)),
            [context.buffer((time + 1, batch, size)) for _ in self.state_names],
            weight_hidden,
            *self._masked(context, time, batch),
        )
        flat = rows.reshape(time * batch, rows.shape[-1])[:, : features + 1]
        np.matmul(flat, weight_input, out=steps.gates.reshape(count, time * batch, size))
        for number, state in enumerate(steps.states):
            state[0] = self._initial(context, number, initial)
        context.save(rows, steps, advance(context, steps), initial is not None)
        if context.memory is not None:
            for name, state in zip(self.state_names, steps.states, strict=True):
                context.memory[name] = state[-1].copy()
        if not self.return_sequences:
            context.output_mask = None
            y = context.buffer((batch, self.returned * size))
            for number, state in enumerate(steps.states[: self.returned]):
                np.copyto(self._part(y, number), state[-1])
            return y
        y = context.buffer((batch, time, size))
        np.copyto(self._time_first(y), steps.states[0][1:])
        if steps.ended is not None:
            np.copyto(self._time_first(y), 0, where=steps.ended)
        return y

    def backward_by(self, retreat: Retreat, context: Context, gradient: Array) -> Any:
        """`backward` with this way of going back through the steps."""
        rows, steps, saved, given = context.saved
        time, batch, width = rows.shape
        size, columns = self.hidden_size, self.gate_count * self.hidden_size
        features = len(context.params["weight_input"])
        flowing = [context.buffer((batch, size)) for _ in self.state_names]
        for flow in flowing:
            flow.fill(0)
        arriving = None
        if not self.return_sequences:
            for number, flow in enumerate(flowing[: self.returned]):
                np.copyto(flow, self._part(gradient, number))
        else:
            arriving = self._time_first(gradient)
            if steps.ended is not None:
                np.copyto(arriving, 0, where=steps.ended)
        of_gates, of_products = retreat(context, steps, saved, arriving, flowing)
        if self.train_initial_state:
            for name, flow in zip(self.state_names, flowing, strict=True):
                np.add.reduce(flow, axis=0, out=context.grads[f"initial_{name}"])
        before = steps.states[0][:-1]
        if self.added:
            np.copyto(rows[..., features + 1 :], before)
        else:
            flat = of_products.reshape(time * batch, columns)
            np.matmul(before.reshape(time * batch, size).T, flat, out=context.grads["weight_hidden"])
        flat = of_gates.reshape(time * batch, columns)
        of_weights = context.buffer((width, columns))
        np.matmul(rows.reshape(time * batch, width).T, flat, out=of_weights)
        np.copyto(context.grads["weight_input"], of_weights[:features])
        if self.bias:
            np.copyto(context.grads["bias"], of_weights[features])
        if self.added:
            np.copyto(context.grads["weight_hidden"], of_weights[features + 1 :])
        if not context.needs_input_gradient:
            return (None, None) if given else None
        product = context.buffer((time, batch, features))
        np.matmul(flat, context.params["weight_input"].T, out=product.reshape(time * batch, features))
        result = context.buffer((batch, time, features))
        np.copyto(self._time_first(result), product)
        if not given:
            return result
        of_initial = context.buffer((batch, len(flowing) * size))
        for number, flow in enumerate(flowing):
            np.copyto(self._part(of_initial, number), flow)
        return result, of_initial

    def by_gate(self, weight: Array) -> Array:
        """(rows, gates * hidden) as (gates, rows, hidden)."""
        return weight.reshape(len(weight), self.gate_count, self.hidden_size).swapaxes(0, 1)

    def _time_first(self, array: Array) -> Array:
        """(batch, time, ...) as (time, batch, ...), in the order in which the steps are gone through."""
        turned = array.swapaxes(0, 1)
        return turned[::-1] if self.reverse else turned

    def _part(self, states: Array, number: int) -> Array:
        """One of the states that lie side by side."""
        return states[:, number * self.hidden_size : (number + 1) * self.hidden_size]

    def _masked(self, context: Context, time: int, batch: int) -> tuple[Array | None, list[bool]]:
        mask = context.masks[0]
        if mask is None:
            return None, []
        ended = context.buffer((time, batch, 1), np.bool_)
        np.logical_not(self._time_first(mask[..., None]), out=ended)
        partly: list[bool] = np.any(ended, axis=(1, 2)).tolist()
        return (ended, partly) if True in partly else (None, [])

    def _initial(self, context: Context, number: int, given: Array | None) -> Array | float:
        name = self.state_names[number]
        if context.memory:
            kept: Array = context.memory[name]
            return kept
        if given is not None:
            return self._part(given, number)
        return context.params[f"initial_{name}"] if self.train_initial_state else 0.0

    def multiply_adds(self, *input_shapes: Shape) -> int:
        time, features = (size or 1 for size in input_shapes[0])
        return time * (features + self.hidden_size) * self.gate_count * self.hidden_size


CACHED = 256 << 10
"""Bytes of gates for which `retreat` works out at a time what does not depend on the gradients."""


def stretches(gates: Array) -> tuple[int, list[slice]]:
    """The steps, from the last to the first, in stretches whose gates stay in the processor's cache.

    Returns:
        The greatest length of a stretch, and the stretches.
    """
    time = gates.shape[1]
    length = min(time, max(1, CACHED // max(1, gates[:, :1].nbytes)))
    return length, [slice(max(0, stop - length), stop) for stop in range(time, 0, -max(1, length))]

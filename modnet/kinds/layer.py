"""Layers, and the arrays that they ask for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from modnet.arrays import Array, Shape
from modnet.kinds.component import Component
from modnet.kinds.initializer import Initializer

if TYPE_CHECKING:
    from modnet.kinds.context import Context


MOST_AXES = 31
"""Of a sample: arrays have 32 at most in numpy 1.26 and in model files, and one is that of the batch."""


@dataclass(frozen=True)
class Parameter:
    """An array that a layer asks for, which is trained unless it says otherwise.

    Attributes:
        shape: its shape.
        initializer: what fills it.
        decay: whether weight decay, l1 and l2 apply to it: yes for weights, no for biases and norms.
        fan_in, fan_out: connections of one output and of one input, for the initializer. By default the last axis of
            `shape` is taken as outputs, the one before as inputs, and all others as the receptive field.
        trainable: False for one that is never trained, such as the weight that a low-rank adapter leaves as it is.
            `backward` need not write its gradient.
    """

    shape: tuple[int, ...]
    initializer: Initializer
    decay: bool = True
    fan_in: int | None = None
    fan_out: int | None = None
    trainable: bool = True

    def fans(self) -> tuple[int, int]:
        fan_in, fan_out = _fans(self.shape)
        return (
            self.fan_in if self.fan_in is not None else fan_in,
            self.fan_out if self.fan_out is not None else fan_out,
        )


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """The last axis is taken as outputs, the one before as inputs, and all others as the receptive field."""
    receptive = math.prod(shape[:-2])
    inputs = shape[-2] if len(shape) > 1 else 1
    outputs = shape[-1] if shape else 1
    return inputs * receptive, outputs * receptive


@dataclass(frozen=True)
class State:
    """An array that a layer keeps between passes without training it, such as a running mean.

    Attributes:
        shape: its shape.
        fill: the value of every element at first, without an initializer.
        optional: whether the layer can do without it. A network from a model file that does not have it, since it was
            written before the layer asked for it, has none in `context.state`.
        initializer: what fills it at first, with random numbers that come from the network's seed as those of the
            parameters do.
    """

    shape: tuple[int, ...]
    fill: float = 0.0
    optional: bool = False
    initializer: Initializer | None = None

    def fans(self) -> tuple[int, int]:
        return _fans(self.shape)


class Layer(Component):
    """A step from one or several arrays to one, or to several.

    The class variables are promises to the engine, which it uses to skip work; the defaults promise nothing.

    Attributes:
        inputs: the fewest and the most inputs that `forward` takes; None for no limit.
        outputs: the names of several outputs, `("sequence", "state")`; () for one without a name. Of such a layer
            `output_shape` and `forward` give a tuple in that order, and `backward` is given one, with zeros for an
            output that nobody reads. Another node reads `lstm_1.state`; `lstm_1` alone is the first.
        integer_input: whether the inputs are integers (ids), which are then not converted to floats. Ids have no
            gradient, so such a layer cannot come after one with weights to train.
        raw_input: whether `context.raw` is to have the network's input as it was given, before it is converted to the
            network's dtype: for a layer that needs digits which float32 does not have.
        scratch_output: the output is an array of the layer's own that neither its `backward` nor anyone else reads, so
            that the next layer may overwrite it.
        makes_mask: `forward` sets `context.output_mask`, which says where sequences of different lengths end.
        streams: given a sequence (batch, time, ...) in pieces, with `context.memory` kept between them, the pieces of
            its output, put together, are those of the whole; the output at a step depends on no later step.
        allocates: each pass allocates arrays as large as the batch, where that cannot be helped.
        output_range: the lowest and the highest number that the output can hold (or come near to) with some input and
            some parameters; None says that this is not known. A loss that expects others refuses the network.
        normalizes: the output is normalised along its last axis, as by softmax: an axis of 1 holds a constant.
        keeps_numbers: the output holds the numbers of the input and no others, perhaps in another shape.
        true_gradient: whether `backward` gives the derivatives of what `forward` computes. False for a layer that
            means to give others (straight-through estimators, gradient reversal): the kit then does not hold them
            against differences.

    Of a layer with several outputs a promise about the output is made for each of them.
    """

    kind = "layer"
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)
    outputs: ClassVar[tuple[str, ...]] = ()
    integer_input: ClassVar[bool] = False
    raw_input: ClassVar[bool] = False
    scratch_output: ClassVar[bool] = False
    makes_mask: ClassVar[bool] = False
    streams: ClassVar[bool] = False
    allocates: ClassVar[bool] = False
    output_range: ClassVar[tuple[float, float] | None] = None
    normalizes: ClassVar[bool] = False
    keeps_numbers: ClassVar[bool] = False
    true_gradient: ClassVar[bool] = True

    # `*inputs: Any, **_: Any` is how the typing rules say that a subclass may ask for what arguments it needs:
    # `forward(self, context, x)`, `output_shape(self, first, second)`. The engine gives one for each input, by
    # position, and never a keyword. The results are Any since a layer of several outputs gives tuples.

    def parameters(self, *input_shapes: Any, **_: Any) -> Mapping[str, Parameter]:
        """Name -> what the layer needs as a trainable array. Allocates nothing."""
        return {}

    def state(self, *input_shapes: Any, **_: Any) -> Mapping[str, State]:
        """Name -> what the layer keeps between passes without training it. Allocates nothing."""
        return {}

    def output_shape(self, *input_shapes: Any, **_: Any) -> Any:
        """The shape of one sample of the output; a tuple of shapes where the class names several `outputs`.

        Raises:
            ShapeError: "expects ...", for input shapes that the layer cannot take.
        """
        raise NotImplementedError

    def output_shapes(self, *input_shapes: Shape) -> tuple[Shape, ...]:
        """The shapes of one sample of each output. Not to be overridden; raises as `output_shape`."""
        found = self.output_shape(*input_shapes)
        if not self.outputs:
            return (found,)
        if not isinstance(found, tuple) or [type(shape) for shape in found] != [tuple] * len(self.outputs):
            names = ", ".join(self.outputs)
            raise TypeError(f"{self._label()}: output_shape gives {found!r}, expected a tuple of shapes for {names}")
        return found

    def forward(self, context: Context, *inputs: Any, **_: Any) -> Any:
        """The output for a batch. It may be a view of an input; it must not write into one.

        A tuple of arrays where the class names several `outputs`.
        """
        raise NotImplementedError

    def backward(self, context: Context, gradient: Any) -> Any:
        """The gradient of the input, or a tuple with one for each input.

        `gradient` is that of the output (a tuple for several `outputs`) and may be overwritten. Writes the gradient of
        every parameter that is trained into `context.grads` (overwriting, never adding). Where
        `context.needs_input_gradient` is False it may return None.
        """
        raise NotImplementedError

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        """Learns from the training data before the first epoch: called once, with (input, target) batches.

        The target is that of the output which this node gives, and None where the node is no output. While a batch is
        looked at, `context.masks` and `context.raw` are those of its input: steps that a mask leaves out are no data.
        """

    def multiply_adds(self, *input_shapes: Any, **_: Any) -> int:
        """Multiplications with addition for one sample, for the summary; variable axes count as 1."""
        return 0

    def scratch_size(self, *input_shapes: Any, **_: Any) -> int:
        """The numbers that `forward` holds at once, however many samples there are, beside its inputs and its output.

        Only where they can be many more than those, such as a copy of a sample with padding around it: before `predict`
        allocates anything, it refuses what does not fit into memory. No axis is variable.
        """
        return 0

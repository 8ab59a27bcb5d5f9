"""Layers, and the arrays that they ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modnet.arrays import Array, Shape
from modnet.kinds.component import Component
from modnet.kinds.initializer import Initializer
from modnet.records import Record

if TYPE_CHECKING:
    from modnet.kinds.context import Context


MOST_AXES = 31
"""The most axes of a sample: numpy 1.26 and model files allow 32, and one of them is the batch axis."""


class Parameter(Record):
    """An array that a layer asks for; it is trained unless `trainable` is False.

    Attributes:
        shape: its shape.
        initializer: what fills it.
        decay: whether weight decay, l1 and l2 apply to it: True for weights, False for biases and norms. A number is a
            factor of the weight decay, in addition to that of the node.
        fan_in, fan_out: the connections of one output and of one input, for the initializer. By default the last axis
            of `shape` is taken as outputs, the one before it as inputs, and all others as the receptive field.
        trainable: False for an array that is never trained, such as the original weight under a low-rank adapter;
            `backward` need not write its gradient.
        learning_rate: a factor of the learning rate, in addition to that of the node.
        member_axes: how many of the first axes number the members of an ensemble: each member's part is filled by
            itself, and is a separate parameter for an optimizer that works on whole parameters.
    """

    shape: tuple[int, ...]
    initializer: Initializer
    decay: float = True
    fan_in: int | None = None
    fan_out: int | None = None
    trainable: bool = True
    learning_rate: float = 1.0
    member_axes: int = 0

    def fans(self) -> tuple[int, int]:
        """(fan_in, fan_out) for the initializer: those that were given, or those of the shape."""
        fan_in, fan_out = _fans(self.shape[self.member_axes :])
        return (
            self.fan_in if self.fan_in is not None else fan_in,
            self.fan_out if self.fan_out is not None else fan_out,
        )

    def for_members(self, members: int) -> Parameter:
        """The same for each member of an ensemble, along a new first axis."""
        fan_in, fan_out = self.fans()
        shape, axes = (members, *self.shape), self.member_axes + 1
        return self.replace(shape=shape, fan_in=fan_in, fan_out=fan_out, member_axes=axes)

    def initialize(self, out: Array, rng: np.random.Generator) -> None:
        """Fills an array of this shape by the initializer, one member after the other."""
        _fill(self, self.initializer, out, rng)


def _is_range(inputs: Any) -> bool:
    """Whether a class variable `inputs` is (fewest, most), with None for no limit."""
    if not (isinstance(inputs, tuple) and len(inputs) == 2 and isinstance(inputs[0], int)):
        return False
    return inputs[1] is None or (isinstance(inputs[1], int) and inputs[0] <= inputs[1])


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """The last axis is taken as outputs, the one before as inputs, and all others as the receptive field."""
    receptive = math.prod(shape[:-2])
    inputs = shape[-2] if len(shape) > 1 else 1
    outputs = shape[-1] if shape else 1
    return inputs * receptive, outputs * receptive


def _fill(array: Parameter | State, initializer: Initializer, out: Array, rng: np.random.Generator) -> None:
    for member in np.ndindex(array.shape[: array.member_axes]):
        initializer.initialize(out[(*member, ...)], *array.fans(), rng)


class State(Record):
    """An array that a layer keeps between passes without training it, such as a running mean.

    Attributes:
        shape: its shape.
        fill: the initial value of every element, if there is no initializer.
        optional: whether the layer works without it. If a model file was written before the layer asked for it, it is
            missing from `context.state`.
        initializer: what fills it at first, with random numbers from the network's seed, as for parameters.
        member_axes: as of a parameter.
    """

    shape: tuple[int, ...]
    fill: float = 0.0
    optional: bool = False
    initializer: Initializer | None = None
    member_axes: int = 0

    def fans(self) -> tuple[int, int]:
        """(fan_in, fan_out) of its shape, for an initializer."""
        return _fans(self.shape[self.member_axes :])

    def for_members(self, members: int) -> State:
        """The same for each member of an ensemble, along a new first axis."""
        return self.replace(shape=(members, *self.shape), member_axes=self.member_axes + 1)

    def initialize(self, out: Array, rng: Callable[[], np.random.Generator]) -> None:
        """Fills an array of this shape with its first values; `rng` is asked for only if these are random."""
        if self.initializer is None:
            out.fill(self.fill)
        else:
            _fill(self, self.initializer, out, rng())


class Layer(Component):
    """A function from one or several arrays to one or several arrays.

    The class variables are promises to the engine, which it uses to save work; the defaults promise nothing, except
    for `divisible`.

    Attributes:
        inputs: the fewest and the most inputs that `forward` takes; None for no limit.
        outputs: the names of several outputs, `("sequence", "state")`; () for a single one without a name. If there are
            names, `output_shape` and `forward` return a tuple in that order, and `backward` receives one, with zeros
            for an output that is not used. Other nodes read `lstm_1.state`; `lstm_1` alone is the first output.
        integer_input: whether the inputs are integers (ids), which are then not converted to floats. Ids have no
            gradient, so such a layer cannot follow one with weights to train.
        raw_input: whether `context.raw` holds the network's input as it was given, before its conversion to the
            network's dtype: for a layer that needs digits which float32 does not have.
        scratch_output: the output is the layer's own array, which neither its `backward` nor anyone else reads, so
            that the next layer may overwrite it.
        makes_mask: `forward` sets `context.output_mask`, which says where sequences of different lengths end.
        streams: the layer can be given a sequence (batch, time, ...) in pieces, with `context.memory` kept between
            them, and the pieces of its output make up the output of the whole sequence; the output at a step depends on
            no later step.
        overwrites: in prediction, `forward` writes its output into its input where `context.may_overwrite_input` is
            True: then nobody else reads that. Activations do so without saying it.
        repeats: for inputs of the same shapes `forward` makes the same calls, and all that writes into arrays goes
            through `context.do`, but where a mask, training or `backward` is concerned. Prediction then makes these
            calls again without asking the layer. A subclass with its own `forward` must set it again.
        allocates: each pass allocates arrays as large as the batch, because that cannot be avoided.
        output_range: the lowest and the highest number that the output can take or approach, for any input and any
            parameters; None if unknown. A loss that needs a different range refuses the network.
        normalizes: the output is normalised along its last axis, as by softmax: an axis of length 1 is constant.
        keeps_numbers: the output consists of the numbers of the input, perhaps in another shape.
        featurewise: the layer treats each feature of a vector by itself: features side by side give their outputs side
            by side, and every parameter and array of state begins with the axis of features. The members of an ensemble
            are then run together, as one wide sample.
        takes_members: `forward` and `backward` also take the inputs and the arrays of all members of an ensemble,
            (batch, members, ...) and (members, ...), where arrays have all axes of a sample.
        draws: the layer draws random numbers in training (dropout), so that the members of an ensemble need some each.
        divisible: several processes may share a batch in training, each with some of its rows. True unless a layer says
            otherwise: the output for a row may then depend on other rows only through `context.sum_of_batch`, and
            random numbers are drawn for rows, as arrays whose first axis is the batch.
        only_in_prediction: the layer corrects what the network gives, after training (the mean of the members of an
            ensemble, calibration, bounds), and its output stays in the range of its input, or in the range of convex
            sums of it. At the network's end, the training's loss is therefore measured on its input; validation,
            `evaluate` and metrics see its output. If the input has one axis more than the output, at the front, that is
            an axis of members: each is trained with the sample's target.
        differentiable: whether there is a `backward` at all. A layer without one is for prediction only: to train
            weights before it is refused, and so are gradients with respect to inputs through it.
        true_gradient: whether `backward` returns the derivatives of what `forward` computes. False for a layer that
            replaces them on purpose (straight-through estimators, gradient reversal): the kit then does not compare
            them with finite differences.

    A promise about the output applies to each of several outputs.
    """

    kind = "layer"
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)
    outputs: ClassVar[tuple[str, ...]] = ()
    integer_input: ClassVar[bool] = False
    raw_input: ClassVar[bool] = False
    scratch_output: ClassVar[bool] = False
    makes_mask: ClassVar[bool] = False
    streams: ClassVar[bool] = False
    overwrites: ClassVar[bool] = False
    repeats: ClassVar[bool] = False
    allocates: ClassVar[bool] = False
    output_range: ClassVar[tuple[float, float] | None] = None
    normalizes: ClassVar[bool] = False
    keeps_numbers: ClassVar[bool] = False
    featurewise: ClassVar[bool] = False
    takes_members: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    divisible: ClassVar[bool] = True
    only_in_prediction: ClassVar[bool] = False
    differentiable: ClassVar[bool] = True
    true_gradient: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not (isinstance(cls.inputs, property) or _is_range(cls.inputs)):
            expected = "the fewest and the most inputs: (2, 2) for two, (2, None) for two or more"
            raise TypeError(f"{cls.__name__}.inputs is {cls.inputs!r}; expected {expected}")
        names = cls.outputs
        if not (isinstance(names, property) or (isinstance(names, tuple) and all(isinstance(n, str) for n in names))):
            expected = 'the names of several outputs: ("sequence", "state")'
            raise TypeError(f"{cls.__name__}.outputs is {cls.outputs!r}; expected {expected}")

    # With `*inputs: Any, **_: Any`, type checkers let a subclass declare the arguments that it needs:
    # `forward(self, context, x)`, `output_shape(self, first, second)`. The engine passes one for each input, by
    # position, and never a keyword. The results are Any because a layer with several outputs returns tuples.

    def parameters(self, *input_shapes: Any, **_: Any) -> Mapping[str, Parameter]:
        """Name -> parameter that the layer needs. Allocates nothing."""
        return {}

    def state(self, *input_shapes: Any, **_: Any) -> Mapping[str, State]:
        """Name -> array that the layer keeps between passes without training it. Allocates nothing."""
        return {}

    def output_shape(self, *input_shapes: Any, **_: Any) -> Any:
        """The shape of one sample of the output; a tuple of shapes where the class names several `outputs`.

        Raises:
            ShapeError: "expects ...", for input shapes that the layer does not accept.
        """
        raise NotImplementedError

    def output_shapes(self, *input_shapes: Shape) -> tuple[Shape, ...]:
        """The shape of one sample of each output. Not to be overridden; raises what `output_shape` raises."""
        found = self.output_shape(*input_shapes)
        if not self.outputs:
            return (found,)
        if not isinstance(found, tuple) or [type(shape) for shape in found] != [tuple] * len(self.outputs):
            names = ", ".join(self.outputs)
            raise TypeError(f"{self._label()}: output_shape gives {found!r}, expected a tuple of shapes for {names}")
        return found

    def forward(self, context: Context, *inputs: Any, **_: Any) -> Any:
        """The output for a batch; a tuple of arrays if the class names several `outputs`.

        It may be a view of an input, but must not write into one.
        """
        raise NotImplementedError

    def backward(self, context: Context, gradient: Any) -> Any:
        """The gradient of the input, or a tuple with one for each input.

        `gradient` is that of the output (a tuple for several `outputs`) and may be overwritten. `backward` writes the
        gradient of every trained parameter into `context.grads`, overwriting what is there: the engine adds up the
        gradients of parameters that several nodes share. If `context.needs_input_gradient` is False it may return None.
        """
        raise NotImplementedError

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        """Learns from the training data before the first epoch: called once, with (input, target) batches.

        The target is that of the output which this node gives, perhaps through layers that are only in prediction, and
        None if the node gives no output. For each batch, `context.masks` and `context.raw` are those of its input;
        leave out the steps that a mask excludes. The batches may be gone through more than once.

        What it learns it writes into `context.state`. It may change the first weights, in `context.params`, too; then
        the state has to say that this was done, so that further training goes on from the trained weights.
        """

    def target_before(self, context: Context, target: Array, x: Array) -> Array:
        """The target that the layer's input has where the output has this one: the inverse of `forward`.

        A layer at the network's end that defines it, and has no parameters, is left out where a loss `of_residuals` is
        measured: such a loss compares the layer's input with this target, in validation and in `evaluate` too.

        Args:
            context: with the layer's state.
            target: (batch, ...), as it was given, not yet of the network's dtype; not to be written into. A loss may
                accept targets with a last axis of 1, or without one, for outputs with several numbers.
            x: the layer's input; in the training of an ensemble, that of one of the members.

        Returns:
            An array of the target's shape. It is converted to the network's dtype later.
        """
        raise NotImplementedError

    def for_members(self, members: int, shared: bool) -> Layer | None:
        """A layer that does for each member of an ensemble what this one does for a single network.

        Its inputs have a first axis of members, (members, ...), unless they are shared by all of them; its output has
        one always. A layer without parameters that treats each vector along the last axis by itself is such a layer
        already, and gives itself, unless its inputs are shared.

        Args:
            members: how many there are.
            shared: whether the inputs have no axis of members.

        Returns:
            None for a layer that has nothing better than to run once for each member.
        """
        return None

    def scale_and_shift(self, context: Context) -> tuple[Any, Any] | None:
        """In prediction, (scale, shift) with y = x * scale + shift for each feature of the last axis.

        Arrays (features,) or numbers, computed in float64 from `context.params` and `context.state`; (1.0, 0.0) for a
        layer that does nothing in prediction. `modnet.load(path, fold=True)` leaves such a layer out. None, the
        default, for any other.
        """
        return None

    def with_scaled_output(
        self, params: Mapping[str, Array], scale: Array, shift: Array
    ) -> tuple[Layer, dict[str, Array]] | None:
        """A layer that gives y * scale + shift where this one gives y, with its parameters; None if there is none.

        Args:
            params: name -> parameter of this layer, float64.
            scale, shift: (features,) of the output's last axis, or ().
        """
        return None

    def with_scaled_input(
        self, params: Mapping[str, Array], scale: Array, shift: Array
    ) -> tuple[Layer, dict[str, Array]] | None:
        """A layer that gives for x what this one gives for x * scale + shift, with its parameters; None if none does.

        Args: as of `with_scaled_output`, for the last axis of the input.
        """
        return None

    @property
    def stands_for(self) -> Layer:
        """The layer that summaries and messages name: the one in the spec, where the engine runs this one for it."""
        return self

    def multiply_adds(self, *input_shapes: Any, **_: Any) -> int:
        """The multiply-add operations for one sample, for the summary; variable axes count as 1."""
        return 0

    def scratch_size(self, *input_shapes: Any, **_: Any) -> int:
        """How many numbers `forward` holds at once besides its inputs and its output, for any number of samples.

        Override it only if they can be many more than those, as for a padded copy of a sample: `predict` uses it to
        refuse what does not fit into memory before it allocates anything. No axis is variable here.
        """
        return 0

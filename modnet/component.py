"""What a plugin may provide: `Component` and its kinds.

A component is configuration only: what it needs while it runs (parameters, state, saved arrays, buffers, random
numbers) is in the `Context` that it is handed, so one component serves many networks and threads.

Shapes here are those of one sample, without the batch axis; an axis that may vary is None. Arrays have the batch as
their first axis. Images are (batch, height, width, channels), sequences (batch, time, features).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from modnet.configuration import Configuration, Field, did_you_mean, field, plain, show
from modnet.errors import ShapeError

if TYPE_CHECKING:
    from modnet.context import Context
    from modnet.training.run import Run

__all__ = [
    "Activation",
    "Array",
    "Callback",
    "Component",
    "Composite",
    "Example",
    "Field",
    "Initializer",
    "Layer",
    "Loss",
    "Metric",
    "Node",
    "Optimizer",
    "Parameter",
    "Progress",
    "Schedule",
    "Shape",
    "State",
    "Use",
    "WeightedLoss",
    "field",
]

Array = NDArray[Any]
Shape = tuple[int | None, ...]

MOST_AXES = 31
"""Of a sample: arrays have 32 at most in numpy 1.26 and in model files, and one is that of the batch."""


class Component(Configuration):
    """Anything that a spec can name by `type`.

    A concrete component names itself as it is defined: `class Linear(Layer, type="linear", version=1)`.

    Attributes:
        requires_modnet: the oldest modnet-core with which it works, such as "0.3"; "" for any. A package says the same
            in its dependencies; this tells those who installed it without them.
    """

    kind: ClassVar[str] = "component"
    type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    requires_modnet: ClassVar[str] = ""
    # `name@distribution`, where a spec has chosen the class so, or its name alone would mean another class.
    _chosen_as: ClassVar[str] = ""

    def __init_subclass__(cls, type: str = "", version: int = 1, **kwargs: Any) -> None:
        cls.type = type
        cls._chosen_as = ""
        cls.version = version
        super().__init_subclass__(**kwargs)

    @classmethod
    def _label(cls) -> str:
        return cls.type or cls.__name__

    def plain(self) -> dict[str, Any]:
        """The component as plain values, from which a spec gives the same one again."""
        return {"type": self._chosen_as or self.type, **super().plain()}

    @classmethod
    def upgrade(cls, config: dict[str, Any], from_version: int) -> dict[str, Any]:
        """An older file's configuration as today's; `config` was written by version `from_version`."""
        return config

    @classmethod
    def examples(cls) -> Sequence[Example]:
        """Uses of this component, for the tests that every component undergoes and for its reference page.

        By default the tests find out by themselves, from the defaults, which shapes it takes.
        """
        return ()


@dataclass(frozen=True)
class Example:
    """A component with the shapes of one sample of each of its inputs."""

    component: Any
    input_shapes: tuple[Shape, ...] = ()


# Initializers


class Initializer(Component):
    """Fills a new parameter."""

    kind = "initializer"

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        """Overwrites `out`. `fan_in` and `fan_out` count the connections of one output and of one input."""
        raise NotImplementedError


@dataclass(frozen=True)
class Parameter:
    """A trainable array that a layer asks for.

    Attributes:
        shape: its shape.
        initializer: what fills it.
        decay: whether weight decay, l1 and l2 apply to it: yes for weights, no for biases and norms.
        fan_in, fan_out: connections of one output and of one input, for the initializer. By default the last axis of
            `shape` is taken as outputs, the one before as inputs, and all others as the receptive field.
    """

    shape: tuple[int, ...]
    initializer: Initializer
    decay: bool = True
    fan_in: int | None = None
    fan_out: int | None = None

    def fans(self) -> tuple[int, int]:
        shape = self.shape
        receptive = math.prod(shape[:-2])
        inputs = shape[-2] if len(shape) > 1 else 1
        outputs = shape[-1] if shape else 1
        return (
            self.fan_in if self.fan_in is not None else inputs * receptive,
            self.fan_out if self.fan_out is not None else outputs * receptive,
        )


@dataclass(frozen=True)
class State:
    """An array that a layer keeps between passes without training it, such as a running mean.

    Attributes:
        shape: its shape.
        fill: the value of every element at first.
        optional: whether the layer can do without it. A network from a model file that does not have it, since it was
            written before the layer asked for it, has none in `context.state`.
    """

    shape: tuple[int, ...]
    fill: float = 0.0
    optional: bool = False


# Layers


class Layer(Component):
    """A step from one or several arrays to one.

    The class variables are promises to the engine, which it uses to skip work; the defaults promise nothing.

    Attributes:
        inputs: the fewest and the most inputs that `forward` takes; None for no limit.
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
    """

    kind = "layer"
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)
    integer_input: ClassVar[bool] = False
    raw_input: ClassVar[bool] = False
    scratch_output: ClassVar[bool] = False
    makes_mask: ClassVar[bool] = False
    streams: ClassVar[bool] = False
    allocates: ClassVar[bool] = False
    output_range: ClassVar[tuple[float, float] | None] = None
    normalizes: ClassVar[bool] = False
    keeps_numbers: ClassVar[bool] = False

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        """Name -> what the layer needs as a trainable array. Allocates nothing."""
        return {}

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        """Name -> what the layer keeps between passes without training it. Allocates nothing."""
        return {}

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """The shape of one sample of the output.

        Raises:
            ShapeError: "expects ...", for input shapes that the layer cannot take.
        """
        raise NotImplementedError

    def forward(self, context: Context, *inputs: Any) -> Array:
        """The output for a batch. It may be a view of an input; it must not write into one."""
        raise NotImplementedError

    def backward(self, context: Context, gradient: Array) -> Any:
        """The gradient of the input, or a tuple with one for each input.

        `gradient` is that of the output and may be overwritten. Writes the gradient of every parameter into
        `context.grads` (overwriting, never adding). Where `context.needs_input_gradient` is False it may return None.
        """
        raise NotImplementedError

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        """Learns from the training data before the first epoch: called once, with (input, target) batches.

        The target is that of the output which this node gives, and None where the node is no output. While a batch is
        looked at, `context.masks` and `context.raw` are those of its input: steps that a mask leaves out are no data.
        """

    def multiply_adds(self, *input_shapes: Shape) -> int:
        """Multiplications with addition for one sample, for the summary; variable axes count as 1."""
        return 0

    def scratch_size(self, *input_shapes: Shape) -> int:
        """The numbers that `forward` holds at once, however many samples there are, beside its inputs and its output.

        Only where they can be many more than those, such as a copy of a sample with padding around it: before `predict`
        allocates anything, it refuses what does not fit into memory. No axis is variable.
        """
        return 0


class Activation(Layer):
    """A layer whose output has the shape of its input.

    An element-wise one gives `function` and `derivative` and has its passes made by this class. Another one (softmax)
    overrides `forward` and `backward`, gives `function` all the same, and says `elementwise = False`.

    Attributes:
        elementwise: whether `derivative` is given.
        needs_input: whether `derivative` reads x; where it reads y alone the engine can let the output overwrite the
            input.
    """

    kind = "activation"
    streams = True
    elementwise: ClassVar[bool] = True
    needs_input: ClassVar[bool] = True

    def function(self, x: Array, out: Array) -> Array:
        """Writes f(x) into `out` and returns it. `out` may be `x` itself."""
        raise NotImplementedError

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        """Writes f'(x) into `out`, which is neither x nor y, and returns it; y is f(x)."""
        raise NotImplementedError

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def forward(self, context: Context, *inputs: Any) -> Array:
        (x,) = inputs
        y = self.function(x, x if context.may_overwrite_input else context.buffer(x.shape))
        context.save(x if self.needs_input else None, y)
        return y

    def backward(self, context: Context, gradient: Array) -> Any:
        x, y = context.saved
        slope = self.derivative(x, y, context.buffer(y.shape))
        return np.multiply(gradient, slope, out=slope)


class Use(Configuration):
    """A component at its place, with options that are the place's own and not the component's.

    In a spec both stand in one table: `{ type = "linear", out_features = 10, name = "hidden" }`. The first field is
    the component. An option whose name the component has as a field goes to the component.
    """

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """The names of the place's own options."""
        return tuple(cls.__fields__)[1:]

    def component(self) -> Component:
        return cast(Component, self.__dict__[next(iter(type(self).__fields__))])

    def plain(self) -> dict[str, Any]:
        fields = type(self).__fields__
        changed = {name: self.__dict__[name] for name in self.options() if self.__dict__[name] != fields[name].default}
        return {**self.component().plain(), **{name: plain(value) for name, value in changed.items()}}


class Node(Use):
    """A layer at its place in a network.

    Attributes:
        layer: the layer.
        name: its name in the network; by default its type and a number, `linear_1`.
        inputs: the names of the nodes or network inputs that it reads; by default the node before it.
        activation: an activation that follows it.
        trainable: False freezes its parameters, and those of all nodes in it.
        shares: the name of an earlier node of the same type, whose parameters and state it uses.
        l1, l2: factors of the sum of absolute and of squared weights that are added to the loss; frozen ones have
            no part in it. A node within a composite that says nothing has those of the composite.
    """

    kind: ClassVar[str] = "layer"

    layer: Layer
    name: str | None = None
    inputs: tuple[str, ...] | None = None
    activation: Activation | None = None
    trainable: bool = True
    shares: str | None = None
    l1: float | None = field(default=None, minimum=0.0)
    l2: float | None = field(default=None, minimum=0.0)


class Composite(Layer):
    """A layer that stands for several nodes. The network never runs it: it takes its place by its nodes.

    Their parameters are named below its own name: `residual_1.linear_1.weight`.
    """

    inputs: ClassVar[tuple[int, int | None]] = (1, 1)

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        """The nodes, the last of which gives the output.

        `inputs` are the names by which a node can read what the composite reads; the first node reads the first of
        them if it does not say otherwise.
        """
        raise NotImplementedError


# Losses


class Loss(Component):
    """How far predictions are from their targets.

    A loss gives one value for each sample and the derivative of that value; means and weights are added here.

    Attributes:
        joint_with: types of activations at the network's end with which the loss has a joint, stable form. In
            training that activation is then left out, and `joint` sees what it would have read (logits).
        takes_labels: whether targets may be integer class labels, of the prediction's shape without its last axis.
        positions: whether a sample's value is the mean over the positions of a sequence, (batch, time, ...), each of
            which could as well be a sample of its own. Such a loss leaves padded steps out, and takes a weight for each
            step.
        weighted: whether values and gradient have the factor `sample_weights` already; they are then only divided by
            the sum of these.
        prediction_range: the lowest and the highest number that a prediction may be; None for any.
        normalized: True where predictions have to be probabilities that sum to 1 along the last axis (softmax), at
            least two; False where they must not be, as each output is a decision of its own (sigmoid); None where
            either will do.
        decides_at: the prediction at which the decision changes, so that there have to be predictions on both sides.
        ending: what the network should end with instead, for a message.
    """

    kind = "loss"
    joint_with: ClassVar[tuple[str, ...]] = ()
    takes_labels: ClassVar[bool] = False
    positions: ClassVar[bool] = False
    weighted: ClassVar[bool] = False
    prediction_range: ClassVar[tuple[float, float] | None] = None
    normalized: ClassVar[bool | None] = None
    decides_at: ClassVar[float | None] = None
    ending: ClassVar[str] = ""

    def values(self, prediction: Array, target: Array) -> Array:
        """The loss of each sample, shape (batch,)."""
        raise NotImplementedError

    def gradient(self, prediction: Array, target: Array) -> Array:
        """The derivative of each sample's value with respect to its prediction; shape of `prediction`."""
        raise NotImplementedError

    def measure(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array | None]:
        """Values and gradient together, as training asks for them.

        A loss that shares work between the two overrides it, with arrays from `context.buffer`; both results may be
        such. Where `context.needs_input_gradient` is False the gradient may be None. The shapes have been checked.
        """
        gradient = self.gradient(prediction, target) if context.needs_input_gradient else None
        return self.values(prediction, target), gradient

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array | None]:
        """What `measure` gives, from the input of an activation in `joint_with`."""
        raise NotImplementedError

    def sample_weights(self, target: Array) -> Array | None:
        """A weight for each sample that follows from its target (class weights), shape (batch,), or None."""
        return None

    def check_targets(self, prediction_shape: Shape, target: Array) -> None:
        """Checks what can be known of targets before there is a prediction; called before training.

        Args:
            prediction_shape: of one sample.
            target: many targets, (samples, ...), whose shape has been checked.

        Raises:
            DataError: a target that the loss cannot take.
        """

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        """The shapes of one sample's target that go with a prediction of this shape."""
        if self.takes_labels:
            return (prediction_shape[:-1], prediction_shape)
        return (prediction_shape,)

    def check_shapes(self, prediction_shape: Shape, target_shape: Shape) -> None:
        """Checks the shapes of one sample's prediction and target.

        Raises:
            ShapeError: naming both shapes.
        """
        accepted = self.target_shapes(prediction_shape)
        if not any(_same_shape(shape, target_shape) for shape in accepted):
            expected = " or ".join(dict.fromkeys(map(str, accepted)))
            hint = ""
            if prediction_shape == (1,) and target_shape == ():
                hint = "give the target a last axis of 1: y[:, None]"
            elif target_shape == (1,) and () in accepted:
                hint = "labels have no axis of their own: y[:, 0]"
            elif target_shape == prediction_shape[1:] and target_shape:
                hint = "shapes are those of one sample; is the batch axis missing?"
            raise ShapeError(
                f"{self.type} expects a target of shape {expected} for a prediction of shape {prediction_shape}, "
                f"found a target of shape {target_shape}",
                hint,
            )


def _same_shape(first: Shape, second: Shape) -> bool:
    return len(first) == len(second) and all(
        a is None or b is None or a == b for a, b in zip(first, second, strict=True)
    )


class WeightedLoss(Use):
    """The loss of one output, with its weight in the sum over all outputs."""

    kind: ClassVar[str] = "loss"

    loss: Loss
    weight: float = field(default=1.0, minimum=0.0)


# Optimizers and schedules


class Optimizer(Component):
    """Changes parameters by their gradients.

    It works on flat chunks that fit into the processor's cache, one at a time, so that every numpy call finds its
    operands there.

    Attributes:
        scratch: how many arrays of a chunk's size `update` needs for intermediate results.
        learning_rate: the size of a step, before the factor of the schedule.
        weight_decay: factor of weight decay, applied to weights; to biases and norms only with `decay_all`.
        decay_all: whether weight decay applies to biases and norms too.
    """

    kind = "optimizer"
    scratch: ClassVar[int] = 1

    learning_rate: float = field(default=1e-3, minimum=0.0)
    weight_decay: float = field(default=0.0, minimum=0.0)
    decay_all: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the arrays that it keeps, each as large as the parameters and zero at first."""
        return ()

    def update(
        self,
        parameter: Array,
        gradient: Array,
        slots: Sequence[Array],
        scratch: Sequence[Array],
        step: int,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        """Changes `parameter` and `slots` in place; `gradient` may be overwritten. All are 1-D and equally long.

        Args:
            step: counted from 1.
            learning_rate: the rate of this step, after the schedule.
            weight_decay: the factor for this chunk, 0 for biases and norms.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for a schedule.

    Attributes:
        epoch: epochs since the start, with fraction: 2.5 in the middle of the third.
        epochs: how many there are to be.
        history: name -> the values at the end of each epoch so far: "loss", "validation_loss", metrics.
        greater_is_better: name -> whether a greater value is a better one, None where there is no such order; for every
            figure that the run records.
        memory: what a schedule has worked out from the history, by schedule, so that it need not go through all of it
            at every step. The same dict for a whole run; it may be empty at any time, and nothing depends on it.
    """

    epoch: float
    epochs: int
    history: Mapping[str, Sequence[float]]
    greater_is_better: Mapping[str, bool | None] = dataclasses.field(
        default_factory=lambda: {"loss": False, "validation_loss": False}
    )
    memory: dict[Schedule, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)


def monitored_figure(name: str, figures: Mapping[str, bool | None]) -> tuple[str, bool | None]:
    """The figure that a schedule or callback means by a name, and whether a greater value of it is a better one.

    "validation_loss" stands for "loss" in a run without validation.

    Args:
        figures: name -> whether greater is better, for all that the run records.

    Raises:
        ValueError: the run does not record it.
    """
    if name == "validation_loss" and name not in figures:
        name = "loss"
    if name not in figures:
        meant = f"validation_{name[4:]}" if name.startswith("val_") else name
        without = meant.startswith("validation_") and not any(known.startswith("validation_") for known in figures)
        why = "; this run has no validation" if without else did_you_mean(meant, figures)
        end = "" if why.endswith("?") else ";"
        raise ValueError(f"no figure is called {show(name)}{why}{end} this run has: {', '.join(figures)}")
    return name, figures[name]


class Schedule(Component):
    """The course of the learning rate: a factor of the optimizer's own for every step."""

    kind = "schedule"

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        """Raises ValueError where the schedule needs a figure that a run does not record. Called before the first step.

        Args:
            figures: name -> whether a greater value is a better one, None where there is no such order.
        """

    def factor(self, progress: Progress) -> float:
        """What the optimizer's learning rate is multiplied by. A pure function, so that a resumed run repeats it."""
        raise NotImplementedError


# Metrics


class Metric(Component):
    """A figure of merit over a whole epoch, exact: not a mean of the batches' values.

    An accumulator belongs to one epoch. It is made of plain values and arrays, in lists, tuples and dicts, so that a
    checkpoint in the middle of an epoch can hold it; a named tuple comes back from there as a plain one.

    Attributes:
        greater_is_better: whether a greater value is a better one, None where there is no such order.
        positions: whether each position of a sequence, (batch, time, ...), could as well be a sample of its own. Such a
            metric leaves padded steps out, and takes a weight for each step.
    """

    kind = "metric"
    greater_is_better: ClassVar[bool | None] = True
    positions: ClassVar[bool] = False

    def start(self) -> Any:
        """An empty accumulator."""
        raise NotImplementedError

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        """The accumulator with a batch added.

        Args:
            target: as it was given, in its own dtype.
            weights: of the samples, shape (batch,), or None.
        """
        raise NotImplementedError

    def result(self, accumulator: Any) -> float | Array:
        """The value: a number, or an array for such as a confusion matrix."""
        raise NotImplementedError


# Callbacks


class Callback(Component):
    """Takes part in one training run, by implementing any of its events.

    State that changes belongs into `run.state_of(self)`, a dict of the run that checkpoints save.
    """

    kind = "callback"

    def modnet_training_started(self, run: Run) -> None: ...
    def modnet_step_ended(self, run: Run) -> None: ...
    def modnet_epoch_ended(self, run: Run) -> None: ...
    def modnet_training_ended(self, run: Run) -> None: ...

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        """Raises ValueError where the callback needs a figure that a run does not record. Called before the first step.

        Args:
            figures: name -> whether a greater value is a better one, None where there is no such order.
        """

    def check_state(self, state: Mapping[str, Any], run: Run) -> None:
        """Raises ValueError where `state`, which comes from a file, is none that this callback can go on from.

        Called when a run goes on from a checkpoint, whose state it has, and before the network is changed.
        """


KINDS: Mapping[str, type[Component]] = {
    cast(Any, kind).kind: kind for kind in (Layer, Activation, Loss, Optimizer, Initializer, Schedule, Metric, Callback)
}

"""One component of every kind, annotated in full: what type checkers have to accept of a plugin's author."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modnet import (
    Activation,
    Callback,
    Initializer,
    Layer,
    Loss,
    Metric,
    Node,
    Optimizer,
    Parameter,
    Schedule,
    State,
    field,
)
from modnet.arrays import Array, Shape
from modnet.initializers import Zeros
from modnet.kinds.node import Composite

if TYPE_CHECKING:
    from modnet import Chunk, Context, Step
    from modnet.kinds.schedule import Progress
    from modnet.training.run import Run


class Blend(Layer, type="blend"):
    """A layer that names its two inputs."""

    inputs = (2, 2)

    units: int = field(minimum=1)
    mode: Literal["sum", "mean"] = "sum"
    initializer: Initializer = Zeros()

    def parameters(self, first: Shape, second: Shape) -> Mapping[str, Parameter]:
        return {"weight": Parameter((self.units,), self.initializer)}

    def state(self, first: Shape, second: Shape) -> Mapping[str, State]:
        return {"mean": State((self.units,))}

    def output_shape(self, first: Shape, second: Shape) -> Shape:
        return first

    def forward(self, context: Context, first: Array, second: Array) -> Array:
        y: Array = np.add(first, second, out=context.buffer(first.shape))
        return y

    def backward(self, context: Context, gradient: Array) -> tuple[Array, Array]:
        return gradient, gradient

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        for _ in batches:
            pass

    def multiply_adds(self, first: Shape, second: Shape) -> int:
        return self.units

    def scratch_size(self, first: Shape, second: Shape) -> int:
        return self.units


class Halves(Layer, type="halves"):
    """A layer with several outputs."""

    def output_shape(self, shape: Shape) -> tuple[Shape, Shape]:
        return shape, shape

    def forward(self, context: Context, x: Array) -> tuple[Array, Array]:
        return x, x

    def backward(self, context: Context, gradient: tuple[Array, Array]) -> Array:
        first, _ = gradient
        return first


class Several(Layer, type="several"):
    """A layer that takes any number of inputs."""

    inputs = (1, None)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def forward(self, context: Context, *inputs: Array) -> Array:
        return inputs[0]

    def backward(self, context: Context, gradient: Array) -> Array | None:
        return gradient


class Twice(Composite, type="twice"):
    """A layer that stands for two."""

    layer: Layer

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        return [Node(self.layer, inputs=tuple(inputs)), Node(self.layer)]


class Cube(Activation, type="cube"):
    """An activation by its function and its derivative."""

    def function(self, x: Array, out: Array) -> Array:
        return np.power(x, 3, out=out)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        return np.multiply(np.square(x, out=out), 3, out=out)


class Shift(Activation, type="shift"):
    """An activation with passes of its own."""

    elementwise = False

    def forward(self, context: Context, x: Array) -> Array:
        y: Array = x + 1
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        return gradient


class Distance(Loss, type="distance"):
    """A loss."""

    joint_with = ("cube",)

    def values(self, prediction: Array, target: Array) -> Array:
        losses: Array = np.abs(prediction - target).mean(axis=1)
        return losses

    def gradient(self, prediction: Array, target: Array) -> Array:
        slope: Array = np.sign(prediction - target)
        return slope

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array | None]:
        return self.values(logits, target), self.gradient(logits, target)

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        return (prediction_shape,)


class Share(Metric, type="share"):
    """A metric whose accumulator is a pair of numbers."""

    greater_is_better = None

    def start(self) -> tuple[float, float]:
        return 0.0, 0.0

    def update(
        self, accumulator: tuple[float, float], prediction: Array, target: Array, weights: Array | None
    ) -> tuple[float, float]:
        total, count = accumulator
        return total + float(prediction.sum()), count + len(prediction)

    def result(self, accumulator: tuple[float, float]) -> float:
        return accumulator[0] / accumulator[1]


class Ones(Initializer, type="filled_with_ones"):
    """An initializer."""

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        out[...] = 1


class OneStep(Schedule, type="one_step"):
    """A schedule."""

    at: float = field(default=1.0, minimum=0.0)

    def factor(self, progress: Progress) -> float:
        return 1.0 if progress.epoch < self.at else 0.1


class Stop(Callback, type="stop_at_once"):
    """A callback that is its own part in the run."""

    def modnet_step_ended(self, run: Run) -> None:
        run.stop("at once")

    def modnet_batch(
        self, run: Run, inputs: list[Array], targets: dict[str, Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        return [-inputs[0]], targets

    def modnet_reduce_gradients(self, run: Run, gradients: Array) -> None:
        gradients *= run.recompute()


class Counts(Callback, type="counts"):
    """A callback with a part of its own for each run."""

    most: int = 3

    def join(self, run: Run) -> object:
        return Counting(self.most)


class Counting:
    def __init__(self, most: int) -> None:
        self.most, self.steps = most, 0

    def modnet_step_ended(self, run: Run) -> None:
        self.steps += 1
        if self.steps == self.most:
            run.stop("counted")

    def state(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.steps = int(state["steps"])


class Descent(Optimizer, type="descent"):
    """An optimizer."""

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",)

    def update(self, chunk: Chunk, step: Step) -> None:
        chunk.gradient *= step.learning_rate
        chunk.parameter -= chunk.gradient


LAYERS = (Blend(3, mode="mean"), Blend(units=3).replace(units=4), Twice(Cube()), Halves(), Several())

"""Components that are right in an unusual way: the kit has to find no fault in them."""

import math

import numpy as np

from modnet import (
    Activation,
    Callback,
    Composite,
    Initializer,
    Loss,
    Metric,
    Node,
    Optimizer,
    Parameter,
    Schedule,
    State,
)
from modnet.errors import DataError
from modnet.initializers import Ones
from modnet.layers import Add, BatchNorm, Dropout, Linear
from tests.testing.starts import OnAnything, OnFeatures, OnLastAxis


class Corrected(Composite, type="corrected"):
    """A frozen linear layer plus one that is trained. Shapes: (features,) -> (3,)."""

    def expand(self, inputs):
        return (
            Node(layer=Linear(out_features=3), name="base", inputs=tuple(inputs), trainable=False),
            Node(layer=Linear(out_features=3), name="correction", inputs=tuple(inputs)),
            Node(layer=Add(), inputs=("base", "correction")),
        )


class FrozenBehind(Composite, type="frozen_behind"):
    """A trained layer before a frozen one, through which the gradient flows. Shapes: (features,) -> (2,)."""

    def expand(self, inputs):
        return (Node(layer=Linear(out_features=3)), Node(layer=Linear(out_features=2), trainable=False))


class AllFrozen(Composite, type="all_frozen"):
    """A random projection. Shapes: (features,) -> (3,)."""

    def expand(self, inputs):
        return (Node(layer=Linear(out_features=3), trainable=False),)


class Counter(OnAnything, type="counter"):
    """The identity, which counts the samples of training. State, no parameters. Shapes: any -> the same."""

    def state(self, *input_shapes):
        return {"samples": State(())}

    def forward(self, context, x):
        if context.training:
            context.state["samples"] += context.sum_of_batch(np.array([float(len(x))]))[0]
        return x

    def backward(self, context, gradient):
        return gradient


class Spread(OnFeatures, type="spread"):
    """x divided by one plus the batch's spread, in training; refuses one sample. Shapes: (features,) -> the same."""

    allocates = True
    divisible = False

    def forward(self, context, x):
        if not context.training or not len(x):
            context.save(None, None, None)
            return x * 1
        if len(x) == 1:
            raise DataError("expects two samples or more in training")
        centred = x - x.mean(axis=0)
        spread = np.sqrt((centred**2).sum(axis=0) / (len(x) - 1))
        context.save(x, centred, spread)
        return x / (1 + spread)

    def backward(self, context, gradient):
        x, centred, spread = context.saved
        if x is None:
            return gradient
        slope = -(gradient * x).sum(axis=0) / (1 + spread) ** 2 / np.where(spread == 0, 1, spread)
        return gradient / (1 + spread) + slope * centred / (len(x) - 1)


class Deviation(OnFeatures, type="deviation"):
    """x times the root of a parameter that has to be positive. Shapes: (features,) -> the same."""

    def parameters(self, *input_shapes):
        return {"variance": Parameter(input_shapes[0], Ones(), decay=False)}

    def forward(self, context, x):
        context.save(x)
        return np.multiply(x, np.sqrt(context.params["variance"]), out=context.buffer(x.shape))

    def backward(self, context, gradient):
        (x,) = context.saved
        root = np.sqrt(context.params["variance"])
        product = np.multiply(x, gradient, out=context.buffer(x.shape))
        np.add.reduce(product, axis=0, out=context.grads["variance"])
        context.grads["variance"] /= 2 * root
        return np.multiply(gradient, root, out=gradient)


class Noisy(OnAnything, type="noisy"):
    """Draws in the dtype of the network, so that float32 gets other numbers. Shapes: any -> the same."""

    def forward(self, context, x):
        y = context.buffer(x.shape)
        if not context.training:
            np.copyto(y, x)
            return y
        context.rng.standard_normal(dtype=y.dtype.type, out=y)
        y += x
        return y

    def backward(self, context, gradient):
        return gradient


class Exp(Activation, type="exp"):
    """exp(x), which at 360 is no number in float32, and is right to be none; float64 holds it."""

    needs_input = False

    def function(self, x, out):
        return np.exp(np.minimum(x, 600, out=out), out=out)

    def derivative(self, x, y, out):
        np.copyto(out, y)
        return out


class Pinball(Loss, type="pinball"):
    """Three quantiles of one number: the target has a shape of its own."""

    def target_shapes(self, prediction_shape):
        return ((1,),)

    def values(self, prediction, target):
        residual = target.astype(prediction.dtype) - prediction
        q = np.array([0.1, 0.5, 0.9], prediction.dtype)
        return np.maximum(q * residual, (q - 1) * residual).mean(axis=1)

    def gradient(self, prediction, target):
        q = np.array([0.1, 0.5, 0.9], prediction.dtype)
        return np.where(target > prediction, -q, 1 - q) / prediction.dtype.type(3)


class LogRate(Metric, type="log_rate"):
    """The mean Poisson deviance of logarithms of rates: the best prediction is not the count itself."""

    greater_is_better = False

    def start(self):
        return 0.0, 0.0

    def update(self, accumulator, prediction, target, weights):
        if prediction.shape != target.shape or (target < 0).any() or (target % 1).any():
            raise DataError("expected counts")
        distance = np.exp(prediction.astype(float)) - target * prediction
        distance = distance.mean(axis=tuple(range(1, distance.ndim)))
        weights = np.ones(len(distance)) if weights is None else weights
        return accumulator[0] + float(distance @ weights), accumulator[1] + float(weights.sum())

    def result(self, accumulator):
        return accumulator[0] / accumulator[1] if accumulator[1] else float("nan")


class Shakes(Callback, type="shakes"):
    """Noise on the weights, from the run's generator, less each time."""

    def join(self, run):
        return Shaking()


class Shaking:
    """What shakes the weights of one run."""

    def __init__(self):
        self.steps = 0

    def modnet_step_ended(self, run):
        self.steps += 1
        weights = run.network.parameters.flat
        weights += 1e-3 / self.steps * run.noise.standard_normal(weights.shape)

    def state(self):
        return {"steps": self.steps}

    def restore(self, state):
        self.steps = state["steps"]


class Constant(Initializer, type="one_half"):
    """0.5 everywhere."""

    def initialize(self, out, fan_in, fan_out, rng):
        out.fill(0.5)


class Shaken(Composite, type="shaken"):
    """Statistics over the batch and random numbers within, and a way around them. Shapes: (4,) -> the same."""

    def expand(self, inputs):
        return (
            Node(layer=Linear(out_features=4), inputs=tuple(inputs)),
            Node(layer=BatchNorm()),
            Node(layer=Dropout(), name="shaken"),
            Node(layer=Add(), inputs=("shaken", inputs[0])),
        )


class Sorted(OnLastAxis, type="sorted_features"):
    """The features in order of size. Shapes: (..., features) -> the same."""

    allocates = True

    def forward(self, context, x):
        order = np.argsort(x, axis=-1, kind="stable")
        context.save(order)
        return np.take_along_axis(x, order, -1)

    def backward(self, context, gradient):
        result = np.empty_like(gradient)
        np.put_along_axis(result, context.saved[0], gradient, -1)
        return result


class VelocityWithRate(Optimizer, type="velocity_with_rate"):
    """Momentum with the rate inside of the velocity, so that a rate of 0 does not stop it."""

    slots = ("velocity",)
    scratch = 0

    def update(self, chunk, step):
        chunk.parameter *= 1 - step.learning_rate * step.weight_decay
        chunk.slots[0] *= 0.9
        chunk.gradient *= step.learning_rate
        chunk.slots[0] += chunk.gradient
        chunk.parameter -= chunk.slots[0]


class Restarts(Schedule, type="restarts"):
    """Half a cosine over every three epochs."""

    def factor(self, progress):
        return (1 + math.cos(math.pi * (progress.epoch % 3) / 3)) / 2


class Waves(Initializer, type="waves"):
    """Sines, the same whatever the seed."""

    def initialize(self, out, fan_in, fan_out, rng):
        out[...] = np.sin(np.arange(out.size)).reshape(out.shape)


class ByTheRunningSquare(OnFeatures, type="by_the_running_square"):
    """Divides by the running mean square, in training too. Shapes: (features,) -> the same."""

    allocates = True
    divisible = False

    def state(self, *input_shapes):
        return {"square": State(input_shapes[0], 1.0)}

    def forward(self, context, x):
        square = context.state["square"]
        root = np.sqrt(square + square.dtype.type(1e-3))
        context.save(root)
        if context.training and len(x):
            square *= 0.9
            square += (x * x).mean(axis=0) * 0.1
        return x / root

    def backward(self, context, gradient):
        return gradient / context.saved[0]


class OnTheSimplex(OnFeatures, type="on_the_simplex"):
    """The magnitudes as shares of their sum, 1 / n each where all are 0. Shapes: (features,) -> the same."""

    allocates = True
    normalizes = True
    output_range = (0.0, 1.0)

    def forward(self, context, x):
        sizes = np.abs(x) + x.dtype.type(1e-3)
        total = sizes.sum(axis=-1, keepdims=True)
        y = sizes / total
        context.save(np.sign(x), total, y)
        return y.copy()

    def backward(self, context, gradient):
        sign, total, y = context.saved
        return sign * (gradient - (gradient * y).sum(axis=-1, keepdims=True)) / total


class EndsAtOnce(Callback, type="ends_at_once"):
    """Stops a run after its first step."""

    def modnet_step_ended(self, run):
        run.stop("enough")


UNUSUAL = [
    (ByTheRunningSquare(), ((4,),)),
    (OnTheSimplex(), ((4,),)),
    (EndsAtOnce(), ()),
    (Corrected(), ((5,),)),
    (FrozenBehind(), ((5,),)),
    (AllFrozen(), ((5,),)),
    (Counter(), ((4,),)),
    (Spread(), ((4,),)),
    (Deviation(), ((4,),)),
    (Noisy(), ((None, 4),)),
    (Exp(), ((4,),)),
    (Pinball(), ((3,), (1,))),
    (LogRate(), ()),
    (Shakes(), ()),
    (Constant(), ()),
    (Shaken(), ((4,),)),
    (Sorted(), ((4,),)),
    (VelocityWithRate(), ()),
    (Restarts(), ()),
    (Waves(), ()),
]

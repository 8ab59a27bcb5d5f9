"""Components that each break one rule of their contract, with the name of the rule.

`python -m tests.testing.broken` prints them as a table in Markdown, with what the kit says.
"""

import itertools
import math
import random
import time
from typing import NamedTuple

import numpy as np

from modnet import (
    Activation,
    Callback,
    Composite,
    Initializer,
    Layer,
    Loss,
    Metric,
    Node,
    Optimizer,
    Parameter,
    Schedule,
    ShapeError,
    State,
    Step,
    field,
    hookimpl,
)
from modnet.errors import DataError
from modnet.initializers import Ones, Zeros
from modnet.layers import Linear
from tests.testing.starts import OnAnything, OnFeatures, OnLastAxis, OnSequences


class Fault(NamedTuple):
    component: object
    shapes: tuple
    rule: str


FAULTS = []


def breaks(rule, *shapes, **options):
    """The class, made with the options, breaks this rule and no other."""

    def add(cls):
        FAULTS.append((cls, options, shapes, rule))
        return cls

    return add


def faults():
    return [Fault(cls(**options), shapes, rule) for cls, options, shapes, rule in FAULTS]


# Layers


class Scaling(OnLastAxis):
    """y = factor * x + shift, feature by feature: right in all things."""

    scratch_output = True
    streams = True

    def parameters(self, *input_shapes):
        features = input_shapes[0][-1:]
        return {"factor": Parameter(features, Ones(), decay=False), "shift": Parameter(features, Zeros(), decay=False)}

    def forward(self, context, x):
        context.save(x)
        y = np.multiply(x, context.params["factor"], out=context.buffer(x.shape))
        return np.add(y, context.params["shift"], out=y)

    def backward(self, context, gradient):
        (x,) = context.saved
        axes = tuple(range(x.ndim - 1))
        np.add.reduce(gradient, axis=axes, out=context.grads["shift"])
        product = np.multiply(x, gradient, out=context.buffer(x.shape))
        np.add.reduce(product, axis=axes, out=context.grads["factor"])
        return np.multiply(gradient, context.params["factor"], out=gradient)


@breaks("shapes alone", (3,))
class TriesZeros(Scaling, type="tries_zeros"):
    """Finds its output's shape by adding zeros of the input's."""

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        super().output_shape(shape)
        np.zeros(shape[-1]).fill(0)
        return shape


@breaks("scale and shift", (3,))
class ForgetsTheShift(Scaling, type="forgets_the_shift"):
    """Says that it only scales."""

    def scale_and_shift(self, context):
        return context.params["factor"], 0.0


@breaks("takes a scale", (3,))
class ScalesHalf(Scaling, type="scales_half"):
    """Scales its factor and not its shift."""

    def with_scaled_output(self, params, scale, shift):
        return self, {"factor": params["factor"] * scale, "shift": params["shift"] + shift}


@breaks("repeats", (3,))
class RepeatsHalf(Scaling, type="repeats_half"):
    """Adds its shift by itself, so that nothing adds it when the calls are repeated."""

    repeats = True

    def forward(self, context, x):
        context.save(x)
        y = context.do(np.multiply, x, context.params["factor"], context.buffer(x.shape))
        return np.add(y, context.params["shift"] + 1, out=y)


class Right(Scaling, type="right"):
    """The layer from which the others are made."""


class Two(OnLastAxis):
    """Two outputs, factor * x and x + shift: right in all things."""

    outputs = ("scaled", "shifted")
    streams = True

    def output_shape(self, *input_shapes):
        shape = super().output_shape(*input_shapes)
        return shape, shape

    def parameters(self, *input_shapes):
        features = input_shapes[0][-1:]
        return {"factor": Parameter(features, Ones(), decay=False), "shift": Parameter(features, Zeros(), decay=False)}

    def forward(self, context, x):
        context.save(x)
        scaled = np.multiply(x, context.params["factor"], out=context.buffer(x.shape))
        return scaled, np.add(x, context.params["shift"], out=context.buffer(x.shape))

    def backward(self, context, gradient):
        (x,) = context.saved
        scaled, shifted = gradient
        product = np.multiply(scaled, x, out=context.buffer(x.shape))
        axes = tuple(range(x.ndim - 1))
        np.add.reduce(product, axis=axes, out=context.grads["factor"])
        np.add.reduce(shifted, axis=axes, out=context.grads["shift"])
        return np.add(np.multiply(scaled, context.params["factor"], out=product), shifted, out=product)


@breaks("outputs", (4,))
class Both(Two, type="both_or_none"):
    """Right for each output alone, and wrong where both are read."""

    def backward(self, context, gradient):
        result = super().backward(context, gradient)
        if gradient[0].any() and gradient[1].any():
            np.multiply(result, 1.001, out=result)
        return result


@breaks("outputs", (4,))
class Dotted(Two, type="dotted"):
    """A name that no node could read: a dot is what stands before it."""

    outputs = ("a.scaled", "shifted")


@breaks("gradients", (4,))
class SecondWrong(Two, type="second_wrong"):
    """Its first output is right."""

    def backward(self, context, gradient):
        scaled, shifted = gradient
        return super().backward(context, (scaled, np.multiply(shifted, 1.001, out=shifted)))


@breaks("gradients", (4,))
class ForgetsThePenalty(Scaling, type="forgets_the_penalty"):
    """It adds the factors' squares to the loss, and not twice the factors to their gradient."""

    def forward(self, context, x):
        context.penalize(0.1 * np.sum(context.params["factor"] ** 2, dtype=np.float64))
        return super().forward(context, x)


@breaks("gradients", (4,))
class ForgetsTheChild(Scaling, type="forgets_the_child"):
    """Within it is another layer, through which it sends no gradient."""

    def parameters(self, *input_shapes):
        inner = Scaling().parameters(*input_shapes)
        return {**super().parameters(*input_shapes), **{f"inner.{name}": array for name, array in inner.items()}}

    def forward(self, context, x):
        return super().forward(context, Scaling().forward(context.child("inner"), x))


@breaks("leaves its inputs alone", (4,))
class ThawsWhatIsFrozen(Scaling, type="thaws"):
    """A parameter that is never trained moves all the same."""

    def parameters(self, *input_shapes):
        frozen = Parameter((1,), Ones(), trainable=False)
        return {**super().parameters(*input_shapes), "count": frozen}

    def forward(self, context, x):
        if context.training:
            context.params["count"][...] += 1
        return super().forward(context, x)


@breaks("documented", (4,))
class Undocumented(Scaling, type="undocumented"):
    pass


@breaks("named", (4,))
class Nameless(Scaling):
    """Has no type name."""


@breaks("named", (4,))
class Shouting(Scaling, type="Loud-Scale"):
    """Has a type name that is none."""


@breaks("type hints", (4,))
class Hinted(Scaling, type="hinted"):
    """Has a hint that names nothing."""

    size: "Sise" = 3  # noqa: F821


@breaks("fields", (4,))
class Listing(Scaling, type="listing"):
    """Takes a set, which no spec can hold."""

    sizes: set[int] = frozenset()


@breaks("immutable", (4,))
class ListDefault(Scaling, type="list_default"):
    """A list as default is one for all."""

    sizes: tuple[int, ...] = []


@breaks("round trip", (4,), rate=0.5)
class Forgetful(Scaling, type="forgetful"):
    """Leaves a field out of its plain form."""

    rate: float = 0.1

    def plain(self):
        return {"type": self.type}


@breaks("arguments", (4,))
class LikeTorch(Scaling, type="like_torch"):
    """Has no argument for the context."""

    def forward(self, x):
        return x


@breaks("arguments", (4,), (4,))
class TwoAtOnce(Layer, type="two_at_once"):
    """Takes two inputs, and declares one."""

    def output_shape(self, first, second):
        return first

    def forward(self, context, first, second):
        return first + second

    def backward(self, context, gradient):
        return gradient, gradient


@breaks("fields", (4,))
class Named(Scaling, type="named"):
    """Has an option that takes the place of its node's name."""

    name: str = "factor"


@breaks("declarations", (4,))
class OneNumber(Scaling, type="one_number"):
    """Gives a shape that is no tuple."""

    def parameters(self, *input_shapes):
        return {"factor": Parameter(4, Ones())}


@breaks("declarations", (4,))
class NotMade(Scaling, type="not_made"):
    """Gives the class of an initializer."""

    def parameters(self, *input_shapes):
        return {"factor": Parameter((4,), Ones)}


@breaks("declarations", (4,))
class Restless(Scaling, type="restless"):
    """Asks for another parameter each time."""

    def parameters(self, *input_shapes):
        return {"factor": Parameter(input_shapes[0], Uniformly(next(COUNTER)))}


COUNTER = itertools.count()


class Uniformly(Initializer, type="uniformly"):
    """A constant."""

    value: int = 0


@breaks("refusals", (4, 3))
class Unpacks(Scaling, type="unpacks"):
    """Unpacks the shape before it has looked at it."""

    def output_shape(self, *input_shapes):
        _time, features = input_shapes[0]
        if features is None:
            raise ShapeError("expects a fixed number of features")
        return input_shapes[0]


@breaks("refusals", (4,))
class Shrugs(Scaling, type="shrugs"):
    """Refuses without saying what it expects."""

    def output_shape(self, *input_shapes):
        if len(input_shapes[0]) != 1 or input_shapes[0][0] is None:
            raise ShapeError("wrong shape")
        return input_shapes[0]


@breaks("needs_input", (4,))
class Forgets(Activation, type="forgets"):
    """x**2: its derivative reads x, and it says that it does not."""

    needs_input = False

    def function(self, x, out):
        return np.multiply(x, x, out=out)

    def derivative(self, x, y, out):
        return np.multiply(x, 2, out=out)


@breaks("runs", (4,))
class Crashes(Scaling, type="crashes"):
    """Reads a parameter that is not there."""

    def forward(self, context, x):
        return x * context.params["weight"]


@breaks("runs", (4,), (4,))
class OneGradient(OnAnything, type="one_gradient"):
    """Two inputs and one gradient."""

    inputs = (2, 2)

    def forward(self, context, x, y):
        return np.add(x, y, out=context.buffer(x.shape))

    def backward(self, context, gradient):
        return gradient


@breaks("shapes", (4,))
class Announces(Scaling, type="announces"):
    """Announces another shape than it gives."""

    def output_shape(self, *input_shapes):
        return (1, *super().output_shape(*input_shapes))


@breaks("shapes", (3, 4))
class FixesTime(Scaling, type="fixes_time"):
    """Says that a variable axis becomes a fixed one."""

    def output_shape(self, *input_shapes):
        return tuple(1 if size is None else size for size in super().output_shape(*input_shapes))


@breaks("dtypes", (4,))
class AlwaysDouble(Scaling, type="always_double"):
    """Adds an array of numpy's default dtype."""

    def forward(self, context, x):
        return np.add(super().forward(context, x), 0.0, out=context.buffer(x.shape, np.float64))


@breaks("gradients", (4,))
class SlightlyWrong(Scaling, type="slightly_wrong"):
    """A twentieth of a percent off."""

    def backward(self, context, gradient):
        result = super().backward(context, gradient)
        return np.multiply(result, 1.0005, out=result)


@breaks("gradients", (4,))
class ForgotTheShift(Scaling, type="forgot_the_shift"):
    """Writes no gradient of the shift."""

    def backward(self, context, gradient):
        kept = context.grads["shift"].copy()
        result = super().backward(context, gradient)
        context.grads["shift"][...] = kept
        return result


@breaks("gradients in prediction", (4,))
class Halves(Scaling, type="halves"):
    """Halves the signal in training, and its gradient always."""

    def forward(self, context, x):
        y = super().forward(context, x)
        return np.multiply(y, 0.5, out=y) if context.training else y

    def backward(self, context, gradient):
        return super().backward(context, np.multiply(gradient, 0.5, out=gradient))


@breaks("gradients with a mask", (3, 4))
class MaskedForward(Scaling, type="masked_forward"):
    """Heeds the mask forward and not backward."""

    def forward(self, context, x):
        y = super().forward(context, x)
        if context.masks[0] is not None and x.ndim == 3:
            np.multiply(y, context.masks[0][..., None], out=y)
        return y


@breaks("writes gradients", (4,))
class AddsUp(Scaling, type="adds_up"):
    """Adds to the gradient of its factor."""

    def backward(self, context, gradient):
        before = context.grads["factor"].copy()
        result = super().backward(context, gradient)
        context.grads["factor"] += before
        return result


@breaks("needs_input_gradient", (4,))
class StopsEarly(Scaling, type="stops_early"):
    """Leaves the parameters out where the input needs no gradient."""

    def backward(self, context, gradient):
        if not context.needs_input_gradient:
            return None
        return super().backward(context, gradient)


@breaks("leaves its inputs alone", (4,))
class InPlace(Scaling, type="in_place"):
    """Leaves its output in its input."""

    def forward(self, context, x):
        kept = context.buffer(x.shape)
        np.copyto(kept, x)
        y = super().forward(context, kept)
        np.copyto(x, y)
        return y


@breaks("leaves its inputs alone", (4,))
class MovesParameters(Scaling, type="moves_parameters"):
    """Learns by itself."""

    def backward(self, context, gradient):
        result = super().backward(context, gradient)
        context.params["shift"][...] += 1e-3
        return result


@breaks("gives arrays of its own", (4,), (4,))
class OneForBoth(OnAnything, type="one_for_both"):
    """The sum of two inputs: the gradients are two views of one array."""

    inputs = (2, 2)

    def forward(self, context, x, y):
        return np.add(x, y, out=context.buffer(x.shape))

    def backward(self, context, gradient):
        return gradient[...], gradient[...]


@breaks("gives arrays of its own", (3, 4))
class Broadcasts(Layer, type="broadcasts"):
    """The sum over time, whose gradient is one row that is seen many times."""

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        if len(shape) != 2 or None in shape:
            raise ShapeError("expects samples of shape (time, features), of fixed sizes")
        return shape[1:]

    def forward(self, context, x):
        context.save(x.shape)
        return np.add.reduce(x, axis=1, out=context.buffer((len(x), x.shape[2])))

    def backward(self, context, gradient):
        return np.broadcast_to(gradient[:, None], context.saved[0])


@breaks("scratch_output", (4,))
class ReadsItsOutput(OnAnything, type="reads_its_output"):
    """tanh(x): backward reads the output that it has promised to leave."""

    scratch_output = True

    def forward(self, context, x):
        y = np.tanh(x, out=context.buffer(x.shape))
        context.save(y)
        return y

    def backward(self, context, gradient):
        (y,) = context.saved
        slope = np.multiply(y, y, out=context.buffer(y.shape))
        np.subtract(1, slope, out=slope)
        return np.multiply(gradient, slope, out=gradient)


@breaks("scratch_output", (4,))
class GivesItsInput(OnAnything, type="gives_its_input"):
    """The identity, which gives its input for an array of its own."""

    scratch_output = True
    streams = True

    def forward(self, context, x):
        return x

    def backward(self, context, gradient):
        return gradient


@breaks("masks", (3, 4))
class SilentMask(Scaling, type="silent_mask"):
    """Makes a mask and does not say so."""

    def forward(self, context, x):
        if x.ndim == 3:
            context.output_mask = np.ones(x.shape[:2], bool)
        return super().forward(context, x)


@breaks("masks", (3, 4))
class WritesMask(Scaling, type="writes_mask"):
    """Shortens the mask of the layer before it."""

    def forward(self, context, x):
        if context.masks[0] is not None and x.ndim == 3 and not context.masks[0].all():
            context.masks[0][:, -1] = False
        return super().forward(context, x)


@breaks("streams", (3, 4))
class LooksBack(OnSequences, type="looks_back"):
    """The running sum over time, which forgets what came in the piece before."""

    streams = True

    def forward(self, context, x):
        return np.cumsum(x, axis=1, out=context.buffer(x.shape))

    def backward(self, context, gradient):
        result = context.buffer(gradient.shape)
        np.cumsum(gradient[:, ::-1], axis=1, out=result[:, ::-1])
        return result


@breaks("batches", (4,))
class Centres(OnAnything, type="centres"):
    """Takes the mean of the batch away, in prediction too."""

    def forward(self, context, x):
        return np.subtract(x, x.sum(axis=0) / max(1, len(x)), out=context.buffer(x.shape))

    def backward(self, context, gradient):
        return np.subtract(gradient, gradient.sum(axis=0) / max(1, len(gradient)), out=gradient)


@breaks("batches", (4,))
class NoEmptyBatch(Scaling, type="no_empty_batch"):
    """Looks at the first sample, whether there is one or not."""

    def forward(self, context, x):
        if not np.isfinite(x[0]).all():
            raise DataError("expected finite numbers")
        return super().forward(context, x)


@breaks("strides", (4,))
class Contiguous(Scaling, type="contiguous"):
    """Takes for granted how its input lies in memory."""

    def forward(self, context, x):
        if x.size:
            memoryview(x).cast("B")  # refuses gaps
        return super().forward(context, x)


@breaks("prediction", (4,))
class AlwaysNoisy(Scaling, type="always_noisy"):
    """Draws in prediction too, though nothing comes of it."""

    def forward(self, context, x):
        context.rng.random()
        return super().forward(context, x)


@breaks("prediction", (4,))
class Counts(Scaling, type="counts"):
    """Counts its passes, those of prediction too."""

    def state(self, *input_shapes):
        return {"passes": State(())}

    def forward(self, context, x):
        context.state["passes"] += 1
        return super().forward(context, x)


@breaks("same seed, same bytes", (4,))
class GlobalSign(Scaling, type="global_sign"):
    """Rounds by a coin of Python's global generator."""

    def forward(self, context, x):
        y = super().forward(context, x)
        if context.training:
            np.multiply(y, 1 + 1e-15 * round(10 * random.random()), out=y)
        return y


@breaks("shared batches", (4,))
class CentresTheBatch(OnFeatures, type="centres_the_batch"):
    """Takes the mean of the rows that it is given, which may be a part of a batch. Shapes: (features,) -> as x."""

    def forward(self, context, x):
        y = context.buffer(x.shape)
        np.copyto(y, x)
        return self.centred(context, y)

    def backward(self, context, gradient):
        return self.centred(context, gradient)

    def centred(self, context, array):
        if context.training and len(array):
            np.subtract(array, array.mean(axis=0), out=array)
        return array


@breaks("shared batches", (4,))
class DrawsForAllRows(Scaling, type="draws_for_all_rows"):
    """Adds numbers that are the same for all rows, and so have no axis of the batch."""

    def forward(self, context, x):
        y = super().forward(context, x)
        return np.add(y, context.rng.random(x.shape[-1]), out=y) if context.training else y


@breaks("buffers", (4,))
class KeepsInABuffer(Scaling, type="keeps_in_a_buffer"):
    """Fills a buffer with ones in its first pass, and finds them there in the next."""

    def forward(self, context, x):
        first = not context.saved
        y = super().forward(context, x)
        ones = context.buffer((1,))
        if first:
            ones.fill(1)
        return np.multiply(y, ones, out=y)


@breaks("nothing hidden", (4,))
class OnTheClass(Scaling, type="on_the_class"):
    """Keeps the input on the class, where the next pass finds it."""

    kept = []  # noqa: RUF012

    def forward(self, context, x):
        self.kept[:] = [x]
        return super().forward(context, x)

    def backward(self, context, gradient):
        context.save(*self.kept)
        return super().backward(context, gradient)


@breaks("quiet", (4,))
class Warns(Scaling, type="warns"):
    """The mean of nothing is a warning."""

    def forward(self, context, x):
        x.mean(axis=0)
        return super().forward(context, x)


@breaks("memory", (4,))
class Allocates(Scaling, type="allocates"):
    """A new array in every pass."""

    def forward(self, context, x):
        context.save(x)
        return x * context.params["factor"] + context.params["shift"]


@breaks("memory", (4,))
class Hoards(Scaling, type="hoards"):
    """Keeps a copy of every large batch."""

    hoard = []  # noqa: RUF012

    def forward(self, context, x):
        if x.nbytes > 1 << 19:
            self.hoard.append(x[: len(x) // 2].copy())
        return super().forward(context, x)


@breaks("float32 as float64", (4,))
class HalfPrecision(Scaling, type="half_precision"):
    """Rounds its output to float16 in a float32 network."""

    def forward(self, context, x):
        y = super().forward(context, x)
        if y.dtype == np.float32:
            y[...] = y.astype(np.float16)
        return y


@breaks("float32 as float64", (4,))
class WrongInSingle(Scaling, type="wrong_in_single"):
    """Its gradient is right in float64 alone."""

    def backward(self, context, gradient):
        result = super().backward(context, gradient)
        return np.multiply(result, 0.9 if context.dtype == np.float32 else 1.0, out=result)


@breaks("backward is linear", (4,))
class Clips(Scaling, type="clips"):
    """Clips the gradient, which is small in every other rule."""

    def backward(self, context, gradient):
        return super().backward(context, np.clip(gradient, -1e3, 1e3, out=gradient))


@breaks("backward is linear", (4,))
class DropsSmallOnes(Scaling, type="drops_small_ones"):
    """Takes a gradient of less than 1e-6 for none."""

    def backward(self, context, gradient):
        sizes = np.abs(gradient, out=context.buffer(gradient.shape))
        gradient[sizes < 1e-6] = 0
        return super().backward(context, gradient)


@breaks("one sample in training", (4,))
class NoSpread(Scaling, type="no_spread"):
    """Takes the spread of the batch, which one sample does not have."""

    def forward(self, context, x):
        y = super().forward(context, x)
        if context.training and len(x) == 1:
            y.fill(np.nan)
        return y


@breaks("one sample in training", (3, 4))
class NoSingleStep(Scaling, type="no_single_step"):
    """A sequence of one step is lost."""

    def forward(self, context, x):
        y = super().forward(context, x)
        if x.ndim == 3 and x.shape[1] == 1 and context.training:
            y.fill(np.nan)
        return y


@breaks("large batches", (4,))
class OneBlock(Scaling, type="one_block"):
    """Works in blocks of 1,024 rows, and forgets all but the first for the gradient of its shift."""

    def backward(self, context, gradient):
        first = gradient[:1024].copy()
        result = super().backward(context, gradient)
        if len(first) < len(gradient):
            np.add.reduce(first, axis=tuple(range(first.ndim - 1)), out=context.grads["shift"])
        return result


@breaks("large batches", (4,))
class ShortCounts(Scaling, type="short_counts"):
    """Counts its rows from -2048 to 2047."""

    def forward(self, context, x):
        y = super().forward(context, x)
        y[4096:] = 0
        return y


@breaks("other weights", (4,))
class TakesTheSize(Scaling, type="takes_the_size"):
    """Takes the factor's size for the factor, which is right for those that are positive."""

    def forward(self, context, x):
        context.save(x)
        y = np.multiply(x, np.abs(context.params["factor"]), out=context.buffer(x.shape))
        return np.add(y, context.params["shift"], out=y)


@breaks("other weights", (4,))
class OnlyPositive(Scaling, type="only_positive"):
    """In prediction a negative factor is none, and backward does not know."""

    allocates = True

    def forward(self, context, x):
        y = super().forward(context, x)
        if not context.training:
            y -= x * np.minimum(context.params["factor"], 0)
        return y


@breaks("other weights", (4,))
class Prunes(Scaling, type="prunes"):
    """Sets small factors to 0 for ever, in a forward pass."""

    def forward(self, context, x):
        factor = context.params["factor"]
        factor[np.abs(factor) < 1e-3] = 0
        return super().forward(context, x)


@breaks("backward is linear", (4,))
class OfOneSign(Scaling, type="of_one_sign"):
    """Gradients of one sign alone, as an error of one sign has them, are those of the last sample."""

    allocates = True

    def backward(self, context, gradient):
        (x,) = context.saved
        last = (x * gradient)[-1:].sum(axis=tuple(range(x.ndim - 1)))
        all_positive = bool((gradient > 0).all())
        result = super().backward(context, gradient)
        if all_positive and len(x):
            context.grads["factor"][...] = last
        return result


@breaks("promises", (4,))
class SaysItIsAShare(Activation, type="says_it_is_a_share"):
    """tanh, which promises numbers between 0 and 1."""

    needs_input = False
    output_range = (0.0, 1.0)

    def function(self, x, out):
        return np.tanh(x, out=out)

    def derivative(self, x, y, out):
        np.multiply(y, y, out=out)
        return np.subtract(1, out, out=out)


@breaks("promises", (4,))
class SaysItIsNormalised(Scaling, type="says_it_is_normalised"):
    """Promises rows that sum to 1."""

    normalizes = True


@breaks("promises", (4,))
class SaysItKeepsNumbers(Scaling, type="says_it_keeps_numbers"):
    """Promises the numbers of its input."""

    keeps_numbers = True


@breaks("large inputs", (4,))
class Exponential(Activation, type="exponential"):
    """log(1 + exp(x)) as it is written: exp(360) is no number in float32."""

    def function(self, x, out):
        np.exp(x, out=out)
        out += 1
        return np.log(out, out=out)

    def derivative(self, x, y, out):
        np.negative(y, out=out)
        np.expm1(out, out=out)
        return np.negative(out, out=out)


@breaks("large inputs", (4,))
class Saturates(Scaling, type="saturates"):
    """Holds its input between -20 and 20, and its gradient does not know."""

    def forward(self, context, x):
        held = np.clip(x, -20, 20, out=context.buffer(x.shape))
        return super().forward(context, held)


@breaks("members", (4,))
class NeighboursToo(OnLastAxis, type="neighbours_too"):
    """Says that it treats each feature by itself, and subtracts the mean of all of them."""

    featurewise = True

    def forward(self, context, x):
        return np.subtract(x, x.mean(axis=-1, keepdims=True), out=context.buffer(x.shape))

    def backward(self, context, gradient):
        mean = gradient.mean(axis=-1, keepdims=True)
        return np.subtract(gradient, mean, out=context.buffer(gradient.shape))


@breaks("members", (4,))
class AllAlike(OnFeatures, type="all_alike"):
    """Says that members can go through it as they are, and looks at an axis that is then theirs."""

    def for_members(self, members, shared):
        return None if shared else self

    def forward(self, context, x):
        return np.subtract(x, x.mean(axis=1, keepdims=True), out=context.buffer(x.shape))

    def backward(self, context, gradient):
        mean = gradient.mean(axis=1, keepdims=True)
        return np.subtract(gradient, mean, out=context.buffer(gradient.shape))


@breaks("padding", (None, 3))
class PlainMean(OnSequences, type="plain_mean"):
    """The mean over time, padding included."""

    def output_shape(self, *input_shapes):
        return super().output_shape(*input_shapes)[1:]

    def forward(self, context, x):
        context.output_mask = None
        context.save(x.shape)
        y = np.add.reduce(x, axis=1, out=context.buffer((len(x), x.shape[2])))
        return np.divide(y, max(1, x.shape[1]), out=y)

    def backward(self, context, gradient):
        (shape,) = context.saved
        result = context.buffer(shape)
        result[...] = gradient[:, None] / max(1, shape[1])
        return result


@breaks("padding", (None, 4))
class FromTheEnd(Scaling, type="from_the_end"):
    """Adds the number of steps to come, those of padding among them."""

    streams = False

    def forward(self, context, x):
        y = super().forward(context, x)
        if x.ndim == 3:
            y += 0.1 * np.arange(x.shape[1], 0, -1, dtype=y.dtype)[:, None]
        return y


@breaks("padding", (None, 4))
class TurnsTheMask(Scaling, type="turns_the_mask"):
    """Gives the mask on the wrong way round."""

    def forward(self, context, x):
        if context.masks[0] is not None and x.ndim == 3:
            context.output_mask = ~context.masks[0]
        return super().forward(context, x)


@breaks("same in every process", (4,))
class NamesOfASet(Scaling, type="names_of_a_set"):
    """Takes its names from a set, whose order is another one in every process."""

    def parameters(self, *input_shapes):
        return {name: Parameter(input_shapes[0][-1:], Ones(), decay=False) for name in {"factor", "shift"}}


@breaks("learns", (4,))
class Idle(Scaling, type="idle"):
    """Asks for parameters that have no part in what it gives."""

    def forward(self, context, x):
        context.save(x)
        np.copyto(y := context.buffer(x.shape), x)
        return y

    def backward(self, context, gradient):
        for array in context.grads.values():
            array.fill(0)
        return gradient


@breaks("same seed, same bytes", (4,))
class GlobalGradient(Scaling, type="global_gradient"):
    """Rounds the gradient of its input by a coin of Python's global generator."""

    def backward(self, context, gradient):
        result = super().backward(context, gradient)
        return np.multiply(result, 1 + 1e-15 * round(10 * random.random()), out=result)


@breaks("save and load", (4,))
class LearnsOnItsClass(Scaling, type="learns_on_its_class"):
    """Keeps what it learns from the data on the class."""

    learned = {}  # noqa: RUF012

    def prepare(self, context, batches):
        for x, _ in batches:
            self.learned["mean"] = float(x.mean())

    def forward(self, context, x):
        y = super().forward(context, x)
        return np.add(y, self.learned.get("mean", 0.0), out=y)


@breaks("threads", (4,))
class OneForAllThreads(Scaling, type="one_for_all_threads"):
    """Has something in the module for the time of a forward pass."""

    divisible = False
    at_work = {}  # noqa: RUF012

    def forward(self, context, x):
        self.at_work["x"] = x
        time.sleep(1e-4)
        return super().forward(context, self.at_work["x"])


@breaks("does not change", (4,))
class Remembers(Scaling, type="remembers"):
    """Keeps its last input on itself."""

    def forward(self, context, x):
        self.__dict__["last"] = x.shape
        return super().forward(context, x)


@breaks("each sample by itself", (4,))
class ByTheBatch(Scaling, type="by_the_batch"):
    """Gives less, the more samples there are in training, and keeps no state."""

    divisible = False

    def forward(self, context, x):
        y = super().forward(context, x)
        return np.multiply(y, 1 + 0.1 / max(1, len(x)), out=y) if context.training else y

    def backward(self, context, gradient):
        if context.training:
            gradient *= 1 + 0.1 / max(1, len(gradient))
        return super().backward(context, gradient)


@breaks("prediction", (4,))
class CountsBackward(Scaling, type="counts_backward"):
    """Counts its backward passes, of prediction too."""

    def state(self, *input_shapes):
        return {"passes": State(())}

    def backward(self, context, gradient):
        context.state["passes"] += 1
        return super().backward(context, gradient)


@breaks("same seed, same bytes", (4,))
class SeedsItself(Scaling, type="seeds_itself"):
    """Scales by a generator of its own, with a seed that is always the same."""

    def forward(self, context, x):
        y = super().forward(context, x)
        self.turn(y, context.training)
        return y

    def backward(self, context, gradient):
        self.turn(gradient, context.training)
        return super().backward(context, gradient)

    def turn(self, array, training):
        if training:
            array *= np.random.default_rng(3).random()


@breaks("backward is linear", (4,))
class RootOfTheSquare(Scaling, type="root_of_the_square"):
    """Takes the gradient's size for the root of its square, which float32 cannot hold."""

    def backward(self, context, gradient):
        sign = np.sign(gradient, out=context.buffer(gradient.shape))
        np.square(gradient, out=gradient)
        np.sqrt(gradient, out=gradient)
        return super().backward(context, np.multiply(gradient, sign, out=gradient))


@breaks("float32 as float64", (4,))
class MeanOfSquares(OnLastAxis, type="mean_of_squares"):
    """The variance as the mean of squares less the square of the mean, which is nothing for large numbers."""

    allocates = True

    def forward(self, context, x):
        mean = x.mean(axis=-1, keepdims=True)
        variance = np.maximum((x * x).mean(axis=-1, keepdims=True) - mean * mean, 0)
        deviation = np.sqrt(variance + x.dtype.type(1e-5))
        y = (x - mean) / deviation
        context.save(y, deviation)
        return y

    def backward(self, context, gradient):
        y, deviation = context.saved
        inner = gradient.mean(axis=-1, keepdims=True) + y * (gradient * y).mean(axis=-1, keepdims=True)
        return (gradient - inner) / deviation


@breaks("prepare", (4,))
class LastBatch(Scaling, type="last_batch"):
    """Learns the mean of the last batch that it sees."""

    def state(self, *input_shapes):
        return {"mean": State(input_shapes[0][-1:])}

    def prepare(self, context, batches):
        for x, _ in batches:
            context.state["mean"][...] = x.mean(axis=tuple(range(x.ndim - 1)))

    def forward(self, context, x):
        y = super().forward(context, x)
        return np.subtract(y, context.state["mean"], out=y)


@breaks("target before", (4,))
class ForgetsItsUnit(Layer, type="forgets_its_unit"):
    """Doubles its input, but gives the target itself as that of its input."""

    scratch_output = True
    streams = True

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        return np.multiply(x, 2, out=context.buffer(x.shape))

    def backward(self, context, gradient):
        return np.multiply(gradient, 2, out=gradient)

    def target_before(self, context, target, x):
        return target


# Activations


@breaks("equal numbers", (4,))
class Sinc(Activation, type="unguarded_sinc"):
    """sin(x) / x, which it keeps quiet about at 0."""

    allocates = True

    def function(self, x, out):
        with np.errstate(all="ignore"):
            return np.divide(np.sin(x), x, out=out)

    def derivative(self, x, y, out):
        with np.errstate(all="ignore"):
            out[...] = (x * np.cos(x) - np.sin(x)) / (x * x)
        return out


@breaks("keeps the shape", (4,))
class Widens(Activation, type="widens"):
    """Gives more features than it was given."""

    elementwise = False

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        if not shape or shape[-1] is None:
            raise ShapeError("expects a last axis of fixed size")
        return (*shape[:-1], shape[-1] + 1)

    def forward(self, context, x):
        y = context.buffer((*x.shape[:-1], x.shape[-1] + 1))
        y[..., :-1] = x
        y[..., -1] = 0
        return y

    def backward(self, context, gradient):
        return gradient[..., :-1]


@breaks("overwrites its input", (4,))
class ReadsTwice(Activation, type="reads_twice"):
    """x + x**2 / 2, which reads x when it has been written already."""

    def function(self, x, out):
        np.multiply(x, x, out=out)
        np.multiply(out, 0.5, out=out)
        return np.add(out, x, out=out)

    def derivative(self, x, y, out):
        return np.add(x, 1, out=out)


# Composites


@breaks("expands", (4,))
class Grows(Composite, type="grows"):
    """One node more each time."""

    def expand(self, inputs):
        return [Node(layer=Linear(out_features=4)) for _ in range(1 + next(COUNTER) % 5)]


@breaks("gradients", (4,))
class WrongWithin(Composite, type="wrong_within"):
    """Two nodes, one of which forgets a gradient."""

    def expand(self, inputs):
        return [Node(layer=Linear(out_features=4)), Node(layer=ForgotTheShift())]


@breaks("batches", (4,))
class CentresWithin(Composite, type="centres_within"):
    """A node that takes the mean of the batch away."""

    def expand(self, inputs):
        return [Node(layer=Centres())]


def within(rule, *shapes):
    """A composite with a linear layer and a node that breaks a rule breaks that rule too."""

    def add(node, linear=True):
        nodes = [Node(layer=Linear(out_features=4))] * linear + [Node(layer=node())]

        def expand(self, inputs):
            return nodes

        name = f"{node.__name__}Within"
        members = {"expand": expand, "__doc__": f"A node of it is broken. {node.__doc__}"}
        cls = type(name, (Composite,), members, type=f"{node.type}_within")
        globals()[name] = breaks(rule, *shapes)(cls)

    return add


within("gradients in prediction", (4,))(Halves)
within("gradients with a mask", (3, 4))(MaskedForward)
within("leaves its inputs alone", (4,))(InPlace, linear=False)
within("prediction", (4,))(AlwaysNoisy)
within("same seed, same bytes", (4,))(GlobalSign)
within("buffers", (4,))(KeepsInABuffer)
within("quiet", (4,))(Warns)
within("float32 as float64", (4,))(HalfPrecision)
within("backward is linear", (4,))(Clips)
within("one sample in training", (4,))(NoSpread)
within("each sample by itself", (4,))(ByTheBatch)
within("large batches", (4,))(OneBlock)
within("other weights", (4,))(TakesTheSize)
within("large inputs", (4,))(Exponential)
within("equal numbers", (4,))(Sinc, linear=False)
within("padding", (None, 3))(PlainMean)


# Losses


class Squares(Loss):
    """The mean squared error: right in all things."""

    def values(self, prediction, target):
        axes = tuple(range(1, prediction.ndim))
        return np.square(prediction - target).mean(axis=axes)

    def gradient(self, prediction, target):
        return (prediction - target) * (2 / math.prod(prediction.shape[1:]))


@breaks("takes targets")
class TakesNothing(Squares, type="takes_nothing"):
    """Refuses all that it is given."""

    def values(self, prediction, target):
        raise DataError("expected other targets")


@breaks("refuses shapes")
class TakesAnyShape(Squares, type="takes_any_shape"):
    """Compares no shapes."""

    def check_shapes(self, prediction_shape, target_shape):
        if len(target_shape) < 4 and target_shape != prediction_shape:
            raise ShapeError(f"found {prediction_shape} and {target_shape}")


@breaks("values")
class MeanOfTheBatch(Squares, type="mean_of_the_batch"):
    """Gives the mean over the batch."""

    def values(self, prediction, target):
        return super().values(prediction, target).mean()


@breaks("gradients")
class ForgotTheTwo(Squares, type="forgot_the_two"):
    """The gradient without its 2."""

    def gradient(self, prediction, target):
        return super().gradient(prediction, target) / 2


@breaks("dtypes")
class DoubleLoss(Squares, type="double_loss"):
    """Computes in float64."""

    def gradient(self, prediction, target):
        return super().gradient(prediction.astype(np.float64), target)


@breaks("measure")
class MeasuresTwice(Squares, type="measures_twice"):
    """Gives another gradient together with the values than alone."""

    def measure(self, context, prediction, target):
        return self.values(prediction, target), 2 * self.gradient(prediction, target)


@breaks("joint")
class Unstable(Squares, type="unstable"):
    """Behind softmax: exp of large logits is inf."""

    joint_with = ("softmax",)

    def joint(self, context, logits, target):
        p = np.exp(logits)
        p /= p.sum(axis=-1, keepdims=True)
        slope = self.gradient(p, target)
        return self.values(p, target), p * (slope - (slope * p).sum(axis=-1, keepdims=True))


@breaks("strides")
class AsItLies(Squares, type="as_it_lies"):
    """Goes through memory as it lies, for the samples."""

    def values(self, prediction, target):
        distance = np.square(prediction - target)
        return distance.ravel(order="K").reshape(len(distance), math.prod(distance.shape[1:])).mean(axis=1)


@breaks("quiet")
class MeanOfNothing(Squares, type="mean_of_nothing"):
    """Looks at the mean of a batch, empty or not."""

    def values(self, prediction, target):
        prediction.mean()
        return super().values(prediction, target)


class Centred(Loss):
    """The mean squared error beside a shift of the whole batch, which costs nothing: right in all things."""

    couples = True

    def batch(self, context, prediction, target, weights):
        weights = self.shares(prediction, weights)
        error = prediction - target
        error -= (weights * error).sum(axis=0)
        size = math.prod(prediction.shape[1:])
        return float((weights * error**2).sum()) / size, weights * error * (2 / size)

    def shares(self, prediction, weights):
        """The part of each sample in the mean."""
        weights = np.ones(len(prediction)) if weights is None else weights
        shares = (weights / weights.sum()).astype(prediction.dtype)
        return shares.reshape(-1, *[1] * (prediction.ndim - 1))


@breaks("batch")
class Unbiased(Centred, type="unbiased"):
    """Divides by the number of samples less one, so that a single sample has no value."""

    def batch(self, context, prediction, target, weights):
        value, gradient = super().batch(context, prediction, target, weights)
        factor = np.float64(len(prediction)) / (len(prediction) - 1)
        return value * factor, gradient * prediction.dtype.type(factor)


@breaks("batch")
class ValueOfEach(Centred, type="value_of_each"):
    """Gives a number for each sample, not their mean."""

    def batch(self, context, prediction, target, weights):
        value, gradient = super().batch(context, prediction, target, weights)
        return np.full(len(prediction), value), gradient


@breaks("batch gradients")
class Undivided(Centred, type="undivided"):
    """Leaves the division by the batch out of the gradient."""

    def batch(self, context, prediction, target, weights):
        value, gradient = super().batch(context, prediction, target, weights)
        return value, gradient * len(prediction)


@breaks("order of samples")
class BesideTheFirst(Centred, type="beside_the_first"):
    """Takes the first sample for the shift of the batch."""

    def batch(self, context, prediction, target, weights):
        weights = self.shares(prediction, weights)
        error = prediction - target
        error -= error[0].copy()
        size = math.prod(prediction.shape[1:])
        gradient = weights * error * (2 / size)
        gradient[0] = -gradient[1:].sum(axis=0)
        return float((weights * error**2).sum()) / size, gradient


@breaks("batch weights")
class SumOfWeighted(Centred, type="sum_of_weighted"):
    """Divides by the number of samples, not by the sum of their weights."""

    def shares(self, prediction, weights):
        weights = np.ones(len(prediction)) if weights is None else weights
        return (weights / len(weights)).astype(prediction.dtype).reshape(-1, *[1] * (prediction.ndim - 1))

    def batch(self, context, prediction, target, weights):
        weights = self.shares(prediction, weights)
        error = prediction - target
        size = math.prod(prediction.shape[1:])
        return float((weights * error**2).sum()) / size, weights * error * (2 / size)


class Negative(Loss):
    """-p[label]: right in all things."""

    takes_labels = True

    def values(self, prediction, target):
        axes = tuple(range(1, prediction.ndim))
        return -(prediction * self.rows(prediction, target)).sum(axis=axes)

    def gradient(self, prediction, target):
        return -self.rows(prediction, target)

    def rows(self, prediction, target):
        if target.ndim == prediction.ndim:
            return target.astype(prediction.dtype)
        if target.dtype.kind not in "iu" or ((target < 0) | (target >= prediction.shape[-1])).any():
            raise DataError("expected labels")
        return np.eye(prediction.shape[-1], dtype=prediction.dtype)[target]


@breaks("labels", (3,))
class CountsFromTheEnd(Negative, type="counts_from_the_end"):
    """Takes -1 for the last class, as numpy does."""

    def rows(self, prediction, target):
        if target.ndim < prediction.ndim:
            target = np.where(target == -1, prediction.shape[-1] - 1, target)
        return super().rows(prediction, target)


@breaks("sample weights", (3,))
class OneWeight(Squares, type="one_weight"):
    """One weight for all samples."""

    def sample_weights(self, target):
        return np.ones(1)


@breaks("leaves its inputs alone", (3,))
class LendsItsTarget(Negative, type="lends_its_target"):
    """-sum(t p), whose gradient is the target itself, turned around."""

    takes_labels = False

    def gradient(self, prediction, target):
        np.negative(target, out=target)
        kept = target.copy()
        np.negative(target, out=target)
        target[:1] += 1e-3
        return kept


@breaks("nothing hidden", (3,))
class Warm(Squares, type="warm"):
    """Counts its batches, and from the ninth on adds a rounding error."""

    sizes = []  # noqa: RUF012

    def gradient(self, prediction, target):
        before = self.sizes[-1:]
        self.sizes.append(len(prediction))
        return super().gradient(prediction, target) * (1 + 1e-12 * (before == [8]))


@breaks("float32 as float64")
class HalfTheSlope(Squares, type="half_the_slope"):
    """Half the gradient in float32."""

    def gradient(self, prediction, target):
        return super().gradient(prediction, target) * prediction.dtype.type(min(1, prediction.itemsize / 8))


@breaks("float32 as float64")
class LogCosh(Squares, type="log_cosh_of_large_numbers"):
    """log cosh(d) as it is written: cosh(300) is no number in float32."""

    def values(self, prediction, target):
        axes = tuple(range(1, prediction.ndim))
        return np.log(np.cosh(prediction - target)).mean(axis=axes)

    def gradient(self, prediction, target):
        return np.tanh(prediction - target) / math.prod(prediction.shape[1:])


@breaks("each sample by itself")
class DividesByTheBatch(Squares, type="divides_by_the_batch"):
    """Divides the gradient by the samples, where there are many."""

    def gradient(self, prediction, target):
        return super().gradient(prediction, target) / (len(prediction) if len(prediction) > 100 else 1)


@breaks("gradients")
class StopsFarAway(Squares, type="stops_far_away"):
    """No gradient where the target is far."""

    def gradient(self, prediction, target):
        return np.where(np.abs(prediction - target) < 20, super().gradient(prediction, target), 0)


@breaks("residuals")
class Relative(Squares, type="relative"):
    """Says that only the difference counts, but divides by the size of the target."""

    of_residuals = True

    def values(self, prediction, target):
        return super().values(prediction / (1 + abs(target)), target / (1 + abs(target)))

    def gradient(self, prediction, target):
        return super().gradient(prediction / (1 + abs(target)), target / (1 + abs(target))) / (1 + abs(target))


@breaks("joint gradients")
class HoldsLogits(Squares, type="holds_logits"):
    """Behind softmax: logits beyond 20 are held, and the gradient does not know."""

    joint_with = ("softmax",)

    def joint(self, context, logits, target):
        p = np.exp(np.clip(logits, -20, 20))
        p /= p.sum(axis=-1, keepdims=True)
        slope = self.gradient(p, target)
        return self.values(p, target), p * (slope - (slope * p).sum(axis=-1, keepdims=True))


@breaks("exact predictions")
class Distance(Squares, type="distance"):
    """The root of the mean square, whose slope at 0 is 0 / 0."""

    def values(self, prediction, target):
        return np.sqrt(super().values(prediction, target))

    def gradient(self, prediction, target):
        with np.errstate(all="ignore"):
            root = self.values(prediction, target).reshape(-1, *[1] * (prediction.ndim - 1))
            return (prediction - target) / root / math.prod(prediction.shape[1:])


@breaks("whole numbers")
class InTheTargetsDtype(Squares, type="in_the_targets_dtype"):
    """Rounds predictions where targets are whole numbers."""

    def values(self, prediction, target):
        return super().values(prediction.astype(target.dtype) if target.dtype.kind in "iu" else prediction, target)


@breaks("sample weights", (3,))
class SharesOfTheBatch(Squares, type="shares_of_the_batch"):
    """Weights that sum to 1 in each batch."""

    def sample_weights(self, target):
        weights = 1 + np.abs(target).reshape(len(target), -1).sum(axis=1)
        return weights / weights.sum()


# Optimizers


class Descent(Optimizer):
    """theta -= eta (g + lambda theta): right in all things."""

    def update(self, chunk, step):
        np.multiply(chunk.parameter, step.weight_decay, out=chunk.scratch[0])
        chunk.gradient += chunk.scratch[0]
        chunk.gradient *= step.learning_rate
        chunk.parameter -= chunk.gradient


@breaks("slots")
class TwiceTheSame(Descent, type="twice_the_same"):
    """Two slots of one name."""

    slots = ("moment", "moment")


@breaks("runs")
class NotInPlace(Descent, type="not_in_place"):
    """Gives the new parameters, which nobody takes."""

    def update(self, chunk, step):
        return chunk.parameter - step.learning_rate * (chunk.gradient + step.weight_decay * chunk.parameter)


@breaks("chunks")
class ByTheNorm(Descent, type="by_the_norm"):
    """Divides by the norm of what it is given, which is a chunk."""

    def update(self, chunk, step):
        chunk.gradient /= max(1.0, float(np.linalg.norm(chunk.gradient)))
        super().update(chunk, step)


@breaks("scratch")
class ReadsScratch(Descent, type="reads_scratch"):
    """Takes scratch for zeros."""

    def update(self, chunk, step):
        chunk.scratch[0] += chunk.parameter
        chunk.scratch[0] *= step.weight_decay
        chunk.gradient += chunk.scratch[0]
        chunk.gradient *= step.learning_rate
        chunk.parameter -= chunk.gradient


@breaks("nothing hidden")
class GlobalJitter(Descent, type="global_jitter"):
    """Draws from Python's global generator, one number for a step's chunks."""

    def update(self, chunk, step):
        chunk.gradient *= 1 + 1e-14 * round(random.random() * 4)
        super().update(chunk, step)


@breaks("dtypes")
class Overflows(Descent, type="overflows"):
    """The sign of the gradient, by a square that float32 cannot hold."""

    def update(self, chunk, step):
        chunk.gradient *= 1e20
        np.square(chunk.gradient, out=chunk.scratch[0])
        np.sqrt(chunk.scratch[0], out=chunk.scratch[0])
        chunk.scratch[0] += 1e-8
        chunk.gradient /= chunk.scratch[0]
        super().update(chunk, step)


@breaks("memory")
class Temporaries(Descent, type="temporaries"):
    """Intermediate arrays of its own."""

    scratch = 0

    def update(self, chunk, step):
        chunk.parameter -= step.learning_rate * (chunk.gradient + step.weight_decay * chunk.parameter)


@breaks("descends")
class Ascends(Descent, type="ascends"):
    """Goes uphill."""

    def update(self, chunk, step):
        chunk.gradient *= -1
        super().update(chunk, step)


@breaks("rate")
class OwnRate(Descent, type="own_rate"):
    """Takes the rate of its field, which no schedule changes."""

    def update(self, chunk, step):
        super().update(chunk, Step(step.number, self.learning_rate, step.weight_decay))


@breaks("zero gradient")
class NoEpsilon(Descent, type="no_epsilon"):
    """The sign of the gradient by a division."""

    def update(self, chunk, step):
        np.abs(chunk.gradient, out=chunk.scratch[0])
        chunk.gradient /= chunk.scratch[0]
        super().update(chunk, step)


@breaks("weight decay")
class NoDecay(Descent, type="no_decay"):
    """Passes the decay over."""

    def update(self, chunk, step):
        super().update(chunk, Step(step.number, step.learning_rate, 0.0))


@breaks("weight decay")
class DecaysAll(Descent, type="decays_all"):
    """Takes the decay of its field, for biases too."""

    def update(self, chunk, step):
        decay = step.weight_decay or self.weight_decay
        super().update(chunk, Step(step.number, step.learning_rate, decay))


@breaks("same in every process")
class SlotsOfASet(Descent, type="slots_of_a_set"):
    """Takes the names of its slots from a set."""

    @property
    def slots(self):
        return tuple({"first", "second", "third"})


@breaks("weight decay")
class DecaysTwice(Descent, type="decays_twice"):
    """Takes the decay off the parameter, and adds it to the gradient."""

    def update(self, chunk, step):
        chunk.parameter *= 1 - step.learning_rate * step.weight_decay
        super().update(chunk, step)


@breaks("rate")
class SquareOfTheRate(Descent, type="square_of_the_rate"):
    """Multiplies by the rate twice."""

    def update(self, chunk, step):
        chunk.gradient *= 1000 * step.learning_rate
        super().update(chunk, step)


@breaks("late steps")
class EndsEarly(Descent, type="ends_early"):
    """Learns nothing from step 1,000 on."""

    def update(self, chunk, step):
        super().update(chunk, Step(step.number, step.learning_rate * (step.number < 1000), step.weight_decay))


# Initializers


@breaks("fans")
class ByTheFirstAxis(Initializer, type="by_the_first_axis"):
    """Takes the first axis for the inputs."""

    def initialize(self, out, fan_in, fan_out, rng):
        out[...] = rng.standard_normal(out.shape) * math.sqrt(2 / (out.shape[0] if out.ndim else 1))


@breaks("fills", (4, 4))
class WholePairs(Initializer, type="whole_pairs"):
    """Divides by pairs of inputs, of which one input alone has none."""

    def initialize(self, out, fan_in, fan_out, rng):
        out[...] = rng.standard_normal(out.shape) / np.float64(fan_in // 2)


@breaks("same seed, same bytes")
class OwnSeed(Initializer, type="own_seed"):
    """The same numbers, whatever the seed."""

    def initialize(self, out, fan_in, fan_out, rng):
        out[...] = np.random.default_rng(0).standard_normal(out.shape)


@breaks("same seed, same bytes")
class OneRowForAll(Initializer, type="one_row_for_all"):
    """Gives all rows the same numbers."""

    def initialize(self, out, fan_in, fan_out, rng):
        out[...] = rng.standard_normal(out.shape[-1:])


@breaks("fills")
class Rebinds(Initializer, type="rebinds"):
    """Makes an array of its own."""

    def initialize(self, out, fan_in, fan_out, rng):
        out = rng.standard_normal(out.shape)


@breaks("reads nothing")
class AddsToOut(Initializer, type="adds_to_out"):
    """Adds to what is there, unless that is nan."""

    def initialize(self, out, fan_in, fan_out, rng):
        np.copyto(out, np.where(np.isnan(out), 0, out) + rng.standard_normal(out.shape))


@breaks("same seed, same bytes")
class GlobalGenerator(Initializer, type="global_generator"):
    """Takes its seed from numpy's global generator, whose state it puts back."""

    def initialize(self, out, fan_in, fan_out, rng):
        state = np.random.get_state()
        out[...] = np.random.standard_normal(out.shape)
        np.random.set_state(state)


@breaks("dtypes")
class DrawsInItsDtype(Initializer, type="draws_in_its_dtype"):
    """Draws float32 numbers for float32, which are others."""

    def initialize(self, out, fan_in, fan_out, rng):
        rng.standard_normal(dtype=out.dtype, out=out)


# Schedules


@breaks("finite")
class DividesByEpoch(Schedule, type="divides_by_epoch"):
    """1 / x, for x from 0 on."""

    def factor(self, progress):
        return 1 / progress.epoch


@breaks("finite")
class NeverStarts(Schedule, type="never_starts"):
    """0 from first to last."""

    def factor(self, progress):
        return 0.0


@breaks("finite")
class WantsValidation(Schedule, type="wants_validation"):
    """Reads a figure that a run without validation does not have."""

    def factor(self, progress):
        return 0.5 if progress.epoch >= 1 and progress.history["validation_loss"][-1] < 1 else 1.0


@breaks("pure")
class InMemory(Schedule, type="in_memory"):
    """Takes what it has worked out once for all epochs."""

    def factor(self, progress):
        return 0.9 ** progress.memory.setdefault(self, len(progress.history.get("loss", ())))


@breaks("pure")
class Decays(Schedule, type="decays"):
    """A little less each time that it is asked."""

    calls = []  # noqa: RUF012

    def factor(self, progress):
        self.calls.append(progress)
        return 0.99 ** len(self.calls)


# Metrics


class Hits(Metric):
    """The share of labels that are met: right in all things."""

    def start(self):
        return 0.0, 0.0

    def update(self, accumulator, prediction, target, weights):
        if target.ndim != prediction.ndim - 1 or target.dtype.kind not in "iu":
            raise DataError("expected labels")
        hits = prediction.argmax(axis=-1) == target
        shares = hits.mean(axis=tuple(range(1, hits.ndim)))
        weights = np.ones(len(target)) if weights is None else weights
        return accumulator[0] + float(shares @ weights), accumulator[1] + float(weights.sum())

    def result(self, accumulator):
        return accumulator[0] / accumulator[1] if accumulator[1] else float("nan")


@breaks("takes targets", (3,), ())
class WrongKind(Hits, type="wrong_kind"):
    """Refuses labels, as it refuses all else."""

    def update(self, accumulator, prediction, target, weights):
        return super().update(accumulator, prediction, target.astype(float), weights)


@breaks("result")
class SaysText(Hits, type="says_text"):
    """A number of numpy's, in single precision, is no float."""

    def result(self, accumulator):
        return np.float32(super().result(accumulator))


@breaks("no samples")
class DividesByNothing(Hits, type="divides_by_nothing"):
    """The share of nothing."""

    def result(self, accumulator):
        return accumulator[0] / accumulator[1]


@breaks("splits")
class MeanOfBatches(Hits, type="mean_of_batches"):
    """The mean over batches of unequal size."""

    def update(self, accumulator, prediction, target, weights):
        hit, total = super().update((0.0, 0.0), prediction, target, weights)
        return (accumulator[0] + hit / total, accumulator[1] + 1.0) if total else accumulator


@breaks("plain accumulators")
class KeepsASet(Hits, type="keeps_a_set"):
    """An accumulator that no checkpoint can hold."""

    def start(self):
        return 0.0, 0.0, frozenset()

    def update(self, accumulator, prediction, target, weights):
        return (*super().update(accumulator[:2], prediction, target, weights), frozenset())


@breaks("nothing hidden")
class OneAccumulator(Hits, type="one_accumulator"):
    """One accumulator for all epochs, emptied at the start of each."""

    kept = []  # noqa: RUF012

    def start(self):
        self.kept[:] = [0.0, 0.0]
        return self.kept

    def update(self, accumulator, prediction, target, weights):
        accumulator[:] = super().update(accumulator, prediction, target, weights)
        return accumulator


@breaks("weights")
class Unweighted(Hits, type="unweighted"):
    """Passes the weights over."""

    def update(self, accumulator, prediction, target, weights):
        return super().update(accumulator, prediction, target, None)


@breaks("leaves its inputs alone")
class KeepsBatches(Hits, type="keeps_batches"):
    """Keeps the arrays themselves, into which the next batch is written."""

    def start(self):
        return []

    def update(self, accumulator, prediction, target, weights):
        if target.ndim != prediction.ndim - 1 or target.dtype.kind not in "iu":
            raise DataError("expected labels")
        return [*accumulator, (prediction, target, weights)]

    def result(self, accumulator):
        total = 0.0, 0.0
        for batch in accumulator:
            total = super().update(total, *batch)
        return super().result(total)


@breaks("leaves its inputs alone")
class UsesUpWeights(Hits, type="uses_up_weights"):
    """Multiplies in the weights."""

    def update(self, accumulator, prediction, target, weights):
        result = super().update(accumulator, prediction, target, weights)
        if weights is not None:
            weights *= 0.5
        return result


@breaks("direction")
class Misses(Hits, type="misses"):
    """The share of labels that are missed, of which it says that more are better."""

    def result(self, accumulator):
        return 1 - super().result(accumulator)


@breaks("any order")
class FirstThousand(Hits, type="first_thousand"):
    """Looks at 1,000 samples of a batch."""

    def update(self, accumulator, prediction, target, weights):
        rows = slice(1000)
        weights = None if weights is None else weights[rows]
        return super().update(accumulator, prediction[rows], target[rows], weights)


@breaks("float32 as float64")
class CountsInHalf(Hits, type="counts_in_half"):
    """Adds up hits of float32 predictions in float16, which ends at 2,048."""

    def update(self, accumulator, prediction, target, weights):
        hits, total = super().update(accumulator, prediction, target, weights)
        if prediction.dtype == np.float32:
            hits = float(np.float16(hits))
        return hits, total


@breaks("no samples")
class PerfectNothing(Hits, type="perfect_nothing"):
    """All of no labels are met."""

    def result(self, accumulator):
        return accumulator[0] / accumulator[1] if accumulator[1] else 1.0


@breaks("weights")
class RelativeWeights(Hits, type="relative_weights"):
    """Divides weights by their mean in the batch."""

    def update(self, accumulator, prediction, target, weights):
        if weights is not None and weights.sum() and (weights > 0).all():
            weights = weights / weights.mean()
        return super().update(accumulator, prediction, target, weights)


@breaks("whole numbers")
class LongLabels(Hits, type="long_labels"):
    """Takes labels of one dtype alone."""

    def update(self, accumulator, prediction, target, weights):
        if target.dtype.kind == "i" and target.dtype != np.int64:
            raise TypeError("labels of int64")
        if target.dtype.kind == "u":
            target = target.astype(np.int64)
        return super().update(accumulator, prediction, target, weights)


# Callbacks


@breaks("runs")
class NoMoreNumbers(Callback, type="no_more_numbers"):
    """Leaves nan in place of the weights."""

    def modnet_training_ended(self, run):
        run.network.parameters.flat[...] = np.nan


@breaks("leaves others alone")
class DrawsOrder(Callback, type="draws_order"):
    """Draws from the generator that shuffles the samples."""

    def modnet_epoch_ended(self, run):
        run.order.random()


@breaks("leaves others alone")
class SeedsAll(Callback, type="seeds_all"):
    """Seeds numpy's global generator."""

    def modnet_training_started(self, run):
        np.random.seed(0)


@breaks("leaves others alone")
class Hushes(Callback, type="hushes"):
    """Switches numpy's warnings off for everybody."""

    def modnet_training_started(self, run):
        np.seterr(all="ignore")


@breaks("same seed, same bytes")
class CountsRuns(Callback, type="counts_runs"):
    """Counts epochs on its class, and shrinks the weights of all runs but the first."""

    count = 0

    def modnet_epoch_ended(self, run):
        type(self).count += 1
        if type(self).count > 3:
            run.network.parameters.flat[...] *= 0.9


@breaks("events")
class NoSuchEvent(Callback, type="no_such_event"):
    """Waits for what never happens."""

    def modnet_epoch_finished(self, run):
        run.stop("done")


@breaks("events")
class NoArgument(Callback, type="no_argument"):
    """Asks for an argument that there is not."""

    @hookimpl
    def modnet_epoch_ended(self, run, epoch): ...


@breaks("runs")
class Fails(Callback, type="fails"):
    """Reads a figure that no run has."""

    monitor: str = field(default="beauty")

    def modnet_epoch_ended(self, run):
        run.monitored(self.monitor)


@breaks("plain state")
class KeepsTheRun(Callback, type="keeps_the_run"):
    """Remembers an object."""

    def join(self, run):
        return KeepsRun(run)


class KeepsRun:
    def __init__(self, run):
        self.run = run

    def modnet_training_started(self, run):
        pass

    def state(self):
        return {"network": self.run.network}

    def restore(self, state):
        pass


@breaks("plain state")
class Halves(Callback, type="halves_gradients"):
    """Brings half of what it has saved back."""

    def join(self, run):
        return Halving()


class Halving:
    def __init__(self):
        self.steps = 0

    def modnet_step_ended(self, run):
        self.steps += 2

    def state(self):
        return {"steps": self.steps}

    def restore(self, state):
        self.steps = state["steps"] // 2


@breaks("runs")
class SaysNothing(Callback, type="says_nothing"):
    """Lets an object take part that has no events."""

    def join(self, run):
        return object()


class Mean:
    def __init__(self):
        self.mean = 0.0

    def modnet_step_ended(self, run):
        self.mean = 0.9 * self.mean + 0.1 * run.loss
        run.network.parameters.flat *= 1 - 1e-3 * min(self.mean, 1.0)

    def state(self):
        return {"mean": self.mean}

    def restore(self, state):
        self.mean = state["mean"]


@breaks("runs side by side")
class Shared(Callback, type="shared"):
    """Shrinks the weights by a moving mean of the loss, by one object for all runs."""

    mean = Mean()

    def join(self, run):
        self.mean.mean = 0.0
        return self.mean


@breaks("same seed, same bytes")
class Jitters(Callback, type="jitters"):
    """Noise on the weights, from a generator without a seed."""

    def modnet_step_ended(self, run):
        run.network.parameters.flat += 1e-3 * np.random.default_rng().standard_normal(run.network.parameters.flat.shape)


@breaks("goes on as if never stopped")
class BeginsAnew(Callback, type="begins_anew"):
    """Shrinks the weights by a moving mean of the loss, which every start begins anew."""

    def join(self, run):
        return MovingMean()


class MovingMean:
    def __init__(self):
        self.mean = 0.0

    def modnet_step_ended(self, run):
        self.mean = 0.9 * self.mean + 0.1 * run.loss
        run.network.parameters.flat *= 1 - 1e-3 * min(self.mean, 1.0)


@breaks("goes on as if never stopped")
class OwnGenerator(Callback, type="own_generator"):
    """Noise on the weights, from a generator that has a seed and is in no checkpoint."""

    def join(self, run):
        return OwnNoise()


class OwnNoise:
    def __init__(self):
        self.noise = np.random.default_rng(0)

    def modnet_step_ended(self, run):
        weights = run.network.parameters.flat
        weights += 1e-3 * self.noise.standard_normal(weights.shape)


def table():
    """Markdown: what is broken, the rule, what the kit says."""
    from modnet.testing import examine

    yield "| kind | component | breaks | the kit says |"
    yield "|---|---|---|---|"
    for fault in faults():
        component = fault.component
        says = "; ".join(f"{row.text}" for row in examine(component, *fault.shapes).failures).replace("|", "\\|")
        words = (type(component).__doc__ or "Has no docstring.").rstrip(".").replace("|", "\\|")
        yield f"| {component.kind} | `{type(component).__name__}`: {words} | {fault.rule} | {says} |"


if __name__ == "__main__":
    print("\n".join(table()))

"""The contract of a loss."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

import numpy as np

from modnet.arrays import Array
from modnet.errors import DataError, ShapeError
from modnet.kinds import KINDS
from modnet.kinds.activation import Activation
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.gradients import LARGEST_ERROR, Slope, directional_slope
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import same
from modnet.testing.rules.rounding import in_dtype
from modnet.testing.targets import Case, cases

RULES = Rules()

BATCH = 6

LARGE_LOGIT = 1e4

SHIFT = 16.0
"""The number that is added to predictions and targets of a loss of residuals."""


class Trial(of_component.Trial):
    """A loss with the predictions and targets that it takes.

    A loss without a target is tried with targets too, but they are not passed to it.
    """

    component: Loss

    @cached_property
    def cases(self) -> list[Case]:
        """The accepted predictions and targets; raises Broken if there are none."""
        return cases(self.shapes, self._takes, self.given, self.component.takes_target)

    def _takes(self, prediction: Array, target: Array) -> bool:
        loss = self.component
        loss.check_shapes(prediction.shape[1:], target.shape[1:] if loss.takes_target else ())
        given = prediction.copy(), self.told(target.copy())
        values = loss.batch(Context(prediction.dtype), *given, None)[0] if loss.couples else loss.values(*given)
        return bool(np.isfinite(values).all())

    def told(self, target: Array) -> Any:
        """The target as the loss receives it: None if it takes no target."""
        return target if self.component.takes_target else None

    def values(self, prediction: Array, target: Array) -> Array:
        """The values of the samples, (batch,); for a loss that couples samples, the value of the batch, (1,)."""
        if self.component.couples:
            return self.batch(prediction, target)[0]
        return self.component.values(prediction, self.told(target))

    def gradient(self, prediction: Array, target: Array) -> Array:
        """The derivatives of `values`."""
        if self.component.couples:
            return self.batch(prediction, target)[1]
        return self.component.gradient(prediction, self.told(target))

    def results(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        return self.values(prediction, target), self.gradient(prediction, target)

    def batch(
        self, prediction: Array, target: Array, weights: Array | None = None, context: Context | None = None
    ) -> tuple[Array, Array]:
        """The value of a batch, (1,), and its derivative, for a loss that couples samples."""
        context = Context(prediction.dtype) if context is None else context
        value, gradient = self.component.batch(context, prediction, self.told(target), weights)
        if np.ndim(value):
            raise Broken(f"batch gives a value of shape {np.shape(value)}; the mean loss of the batch is one number")
        if gradient is None and context.needs_input_gradient:
            raise Broken("batch gives no gradient although context.needs_input_gradient is True")
        return np.array([value], np.float64), cast(Array, gradient)

    def scaled(self) -> Iterator[tuple[Case, float]]:
        """Each case with each factor by which its predictions may be multiplied."""
        for case in self.cases:
            for factor in case.factors:
                yield case, factor

    def for_joint(self) -> None:
        """Raises NotApplicable for a loss that is not computed together with an activation."""
        if self.component.couples or not self.component.joint_with:
            raise NotApplicable("it has no joint computation with an activation (joint_with)")

    def for_targets(self) -> None:
        """Raises NotApplicable for a loss without a target."""
        if not self.component.takes_target:
            raise NotApplicable("it takes no target")

    def for_samples(self) -> None:
        """Raises NotApplicable for a loss that couples samples."""
        if self.component.couples:
            raise NotApplicable("it couples the samples of a batch (couples = True)")

    def for_batches(self) -> None:
        """Raises NotApplicable for a loss that does not couple samples."""
        if not self.component.couples:
            raise NotApplicable("it does not couple samples (couples = False)")


@RULES.rule(
    "takes targets",
    "values and gradient must take the targets that check_shapes accepts. If the check cannot find such targets, "
    "pass the shapes of prediction and target, check_component(loss, (3,), (1,)), or return them from examples(): "
    "Example(cls(), ((3,), (1,))).",
    after=("arguments",),
)
def takes_targets(trial: Trial) -> str:
    return ", ".join(map(str, trial.cases))


@RULES.rule(
    "refuses shapes",
    "check_shapes raises a ShapeError that names both shapes. Override target_shapes, which returns the shapes "
    "that are accepted, and not check_shapes.",
    after=("takes targets",),
)
def refuses_shapes(trial: Trial) -> str:
    trial.for_targets()
    shape = trial.cases[0].shape
    wrong = (7, 5, 2, 9)
    try:
        trial.component.check_shapes(shape, wrong)
    except ShapeError as error:
        if str(shape) not in str(error) or str(wrong) not in str(error):
            raise Broken(f"the message does not name {shape} and {wrong}: {error}") from None
        return ""
    except Exception as error:
        raise Broken(raised(error)) from None
    raise Broken(f"a target of shape {wrong} is accepted for a prediction of shape {shape}")


@RULES.rule(
    "values",
    "values returns one number for each sample, shape (batch,): the mean over the elements of the sample, not "
    "over the batch.",
    after=("takes targets",),
)
def values(trial: Trial) -> str:
    trial.for_samples()
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        found = trial.values(prediction, target)
        if not isinstance(found, np.ndarray) or found.shape != (BATCH,):
            shape = getattr(found, "shape", type(found).__name__)
            raise Broken(f"{case}: values has shape {shape}; expected {(BATCH,)}")
        for size in (1, 0):
            few = trial.values(prediction[:size], target[:size])
            same(
                few, found[:size], f"{case}: the values of a batch of {size}, compared with the first {size} of {BATCH}"
            )
    return f"{len(trial.cases)} kinds of targets; batches of 0, 1, {BATCH}"


@RULES.rule(
    "gradients",
    "gradient returns the derivative of each sample's own value, with the shape of the prediction. Divide by the "
    "number of elements of a sample, but not by the batch size, and do not multiply by weights.",
    after=("takes targets", "values"),
)
def gradients(trial: Trial) -> str:
    trial.for_samples()
    rng = np.random.default_rng(1)
    worst = 0.0
    for case, factor in trial.scaled():
        prediction, target = case.data(BATCH)
        prediction *= factor
        weights = rng.uniform(0.5, 1.5, BATCH)
        gradient = trial.gradient(prediction.copy(), target.copy())
        if gradient.shape != prediction.shape:
            raise Broken(f"{case}: the gradient has shape {gradient.shape}, the prediction {prediction.shape}")
        weighted = gradient * weights.reshape(-1, *[1] * (gradient.ndim - 1))

        def value(moved: Array, target: Array = target, weights: Array = weights) -> float:
            return float(weights @ trial.values(moved, target))

        slope = directional_slope(value, weighted, prediction, rng)
        worst = max(worst, _right(slope, f"{case}, predictions times {factor:g}"))
    return f"relative error {worst:.1g}"


def _right(slope: Slope, what: str) -> float:
    """The error of a gradient; raises Broken if it is too large, with a message that begins with `what`."""
    if not slope.error <= LARGEST_ERROR:
        raise Broken(f"{what}: {slope}; at most {LARGEST_ERROR:g} is expected")
    return slope.error


@RULES.rule(
    "batch",
    "batch returns the mean loss of the batch, a finite number, and its gradient, with the shape of the "
    "prediction; also for a single sample. If no gradient is needed, the number is the same.",
    after=("takes targets",),
)
def batch(trial: Trial) -> str:
    trial.for_batches()
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        context = Context(np.float64)
        for size in (BATCH, 1, BATCH):
            few = prediction[:size], target[:size]
            context.begin()
            value, gradient = (array.copy() for array in trial.batch(*few, context=context))
            if gradient.shape != few[0].shape:
                raise Broken(f"{case}: the gradient has shape {gradient.shape}, the prediction {few[0].shape}")
            if not (np.isfinite(value).all() and np.isfinite(gradient).all()):
                raise Broken(f"{case}: for {size} samples the value ({value[0]}) or the gradient is not finite")
            fresh = trial.batch(*few)
            same(value, fresh[0], f"{case}: the value with used buffers, compared with new ones")
            same(gradient, fresh[1], f"{case}: the gradient with used buffers, compared with new ones")
            alone = trial.batch(*few, context=Context(np.float64, needs_input_gradient=False))[0]
            same(alone, value, f"{case}: the value if no gradient is needed")
    return f"{len(trial.cases)} kinds of targets; batches of 1, {BATCH}"


@RULES.rule(
    "batch gradients",
    "The gradient that batch returns is the derivative of the value that it returns, including weights: divide it "
    "by the batch size, or by the sum of the weights.",
    after=("takes targets", "batch"),
)
def batch_gradients(trial: Trial) -> str:
    trial.for_batches()
    rng = np.random.default_rng(1)
    worst = 0.0
    for case, factor in trial.scaled():
        prediction, target = case.data(BATCH)
        prediction *= factor
        for weights in (None, rng.uniform(0.5, 1.5, BATCH)):
            gradient = trial.batch(prediction.copy(), target.copy(), weights)[1].copy()

            def value(moved: Array, target: Array = target, weights: Array | None = weights) -> float:
                return float(trial.batch(moved, target, weights)[0][0])

            slope = directional_slope(value, gradient, prediction, rng)
            what = f"{case}, predictions times {factor:g}" + ("" if weights is None else ", with weights")
            worst = max(worst, _right(slope, what))
    return f"relative error {worst:.1g}"


@RULES.rule(
    "order of samples",
    "The value must not depend on the order of the samples in the batch, and the gradient must follow that order.",
    after=("takes targets", "batch"),
)
def order_of_samples(trial: Trial) -> str:
    trial.for_batches()
    rng = np.random.default_rng(3)
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        weights, order = rng.uniform(0.5, 1.5, BATCH), rng.permutation(BATCH)
        value, gradient = (array.copy() for array in trial.batch(prediction, target, weights))
        other = trial.batch(prediction[order], target[order], weights[order])
        same(other[0], value, f"{case}: the value of the same samples in another order")
        same(other[1], gradient[order], f"{case}: the gradient of the same samples in another order")
    return ""


@RULES.rule(
    "batch weights",
    "The loss of a batch is a weighted mean. Weights of 1 give the same result as no weights, and multiplying all "
    "weights by one factor changes nothing. Weights of 0 are allowed if at least one weight is positive.",
    after=("takes targets", "batch"),
)
def batch_weights(trial: Trial) -> str:
    trial.for_batches()
    rng = np.random.default_rng(4)
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        weights = rng.uniform(0.5, 1.5, BATCH)
        pairs = (
            (np.ones(BATCH), None, "weights of 1, compared with no weights"),
            (3 * weights, weights, "weights times 3, compared with the same weights times 1"),
        )
        for given, other, what in pairs:
            found, expected = trial.batch(prediction, target, given), trial.batch(prediction, target, other)
            for name, array, wanted in zip(("value", "gradient"), found, expected, strict=True):
                same(array, wanted, f"{case}: the {name} with {what}")
        weights[: BATCH - 1] = 0
        if not all(np.isfinite(array).all() for array in trial.batch(prediction, target, weights)):
            raise Broken(f"{case}: if only one of {BATCH} weights is above 0, the value or the gradient is not finite")
    return ""


@RULES.rule(
    "dtypes",
    "Values and gradient have the dtype of the prediction: no np.float64 constants, no arrays of numpy's default "
    "dtype.",
    after=("takes targets", "batch"),
)
def dtypes(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        for dtype in (np.float32, np.float64):
            given = prediction.astype(dtype)
            wanted = in_dtype(target, dtype)
            for name in ("gradient",) if trial.component.couples else ("values", "gradient"):
                found = getattr(trial, name)(given.copy(), wanted.copy())
                if found.dtype != dtype:
                    raise Broken(f"{case}: the {name} of {np.dtype(dtype)} predictions are {found.dtype}")
    return "float32, float64"


def both(call: Any, context: Context, prediction: Array, target: Array, what: str) -> tuple[Array, Array]:
    """Values and gradient, as training asks for them."""
    values, gradient = call(context, prediction, target)
    if gradient is None:
        raise Broken(f"{what} gives no gradient although context.needs_input_gradient is True")
    return values, gradient


@RULES.rule(
    "measure",
    "measure(context, prediction, target) returns the same as values and gradient, whatever its buffers contained "
    "before.",
    after=("takes targets", "values", "gradients"),
)
def measure(trial: Trial) -> str:
    trial.for_samples()
    loss = trial.component
    if type(loss).measure is Loss.measure:
        raise NotApplicable("it does not override measure")
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        context = Context(np.float64)
        for size in (BATCH, 1, BATCH):
            few = prediction[:size], trial.told(target[:size])
            context.begin()
            found = both(loss.measure, context, *few, f"{case}: measure")
            same(found[0], loss.values(*few), f"{case}: the values of measure")
            same(found[1], loss.gradient(*few), f"{case}: the gradient of measure")
        values, _ = loss.measure(Context(np.float64, needs_input_gradient=False), prediction, trial.told(target))
        same(values, trial.values(prediction, target), f"{case}: the values if no gradient is needed")
        wanted = trial.told(in_dtype(target, np.float32))
        for array in both(loss.measure, Context(np.float32), prediction.astype(np.float32), wanted, str(case)):
            if array.dtype != np.float32:
                raise Broken(f"{case}: measure gives {array.dtype} for float32 predictions")
    return f"{len(trial.cases)} kinds of targets; batches of 1, {BATCH}"


@RULES.rule(
    "joint",
    "joint(context, logits, target) returns the same as the activation joint_with followed by values and "
    "gradient, and stays finite for large logits: subtract the largest logit, use log1p.",
    after=("takes targets", "values", "gradients"),
)
def joint(trial: Trial) -> str:
    loss = trial.component
    trial.for_joint()
    compared = sum(_is_compared(trial, case, name) for name in loss.joint_with for case in trial.cases)
    if not compared:
        raise Broken(f"with {' and '.join(loss.joint_with)} it takes none of the targets that it takes otherwise")
    return f"{compared} comparisons"


def _is_compared(trial: Trial, case: Case, name: str) -> bool:
    """Compares joint with the loss after an activation; False if the loss refuses the activation's output."""
    loss = trial.component
    activation = cast(Activation, trial.registry.find(KINDS["activation"], name)())
    _, target = case.data(BATCH)
    logits = np.random.default_rng(3).standard_normal((BATCH, *case.shape))
    context = Context(np.float64, training=True)
    context.begin()
    prediction = activation.forward(context, logits.copy())
    try:
        expected = loss.values(prediction, target), loss.gradient(prediction, target)
    except DataError:
        return False
    slope = activation.backward(context, expected[1].copy())
    found = both(loss.joint, Context(np.float64), logits.copy(), target.copy(), f"{case}: joint")
    same(found[0], expected[0], f"{case}, {name}: the values", 1e-7)
    same(found[1], slope, f"{case}, {name}: the gradient", 1e-7)
    _check_large_logits(loss, case, logits * LARGE_LOGIT, target)
    return True


def _check_large_logits(loss: Loss, case: Case, logits: Array, target: Array) -> None:
    for dtype in (np.float32, np.float64):
        pair = both(loss.joint, Context(dtype), logits.astype(dtype), in_dtype(target, dtype), f"{case}: joint")
        for what, array in zip(("values", "gradient"), pair, strict=True):
            if array.dtype != dtype:
                raise Broken(f"{case}: the {what} of {np.dtype(dtype)} logits are {array.dtype}")
            if not np.isfinite(array).all():
                raise Broken(f"{case}: the {what} of logits of {LARGE_LOGIT:g} are not finite")


@RULES.rule(
    "residuals",
    "A loss with of_residuals = True depends only on prediction - target: adding the same number to both changes "
    "nothing.",
    after=("takes targets", "values"),
)
def residuals(trial: Trial) -> str:
    loss = trial.component
    if not loss.of_residuals:
        raise NotApplicable("it does not have of_residuals = True")
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        expected = trial.values(prediction.copy(), target.copy())
        try:
            found = trial.values(prediction + SHIFT, target + SHIFT)
        except DataError as error:
            raise Broken(f"{case}: with {SHIFT:g} added to prediction and target it refuses them: {error}") from None
        same(found, expected, f"{case}: the values with {SHIFT:g} added to prediction and target", 1e-7)
    return f"{len(trial.cases)} kinds of targets"


@RULES.rule(
    "joint gradients",
    "The gradient of joint is the derivative of its values with respect to the logits, also for large logits: do "
    "not clip logits or probabilities.",
    after=("takes targets", "values", "gradients", "joint"),
)
def joint_gradients(trial: Trial) -> str:
    loss = trial.component
    trial.for_joint()
    rng = np.random.default_rng(2)
    worst = 0.0
    for case, factor in itertools.product(trial.cases, (1.0, 10.0, 100.0)):
        _, target = case.data(BATCH)
        logits = factor * rng.standard_normal((BATCH, *case.shape))
        try:
            _, gradient = both(loss.joint, Context(np.float64), logits.copy(), target.copy(), f"{case}: joint")
        except DataError:
            continue

        def value(moved: Array, target: Array = target) -> float:
            return float(both(loss.joint, Context(np.float64), moved.copy(), target.copy(), "joint")[0].sum())

        slope = directional_slope(value, gradient.copy(), logits, rng)
        worst = max(worst, _right(slope, f"{case}, logits times {factor:g}"))
    return f"relative error {worst:.1g}"

"""The contract of a loss."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array
from modnet.errors import DataError, ModnetError, ShapeError
from modnet.kinds import KINDS
from modnet.kinds.activation import Activation
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.gradients import LARGEST_ERROR, directional_slope
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import changed, same, same_bytes
from modnet.testing.rules.rounding import FITS, ROWS, SENSITIVITY, SINGLE, UNITS
from modnet.testing.targets import WHOLE, Case, cases, of_whole_numbers

RULES = Rules()

BATCH = 6
LARGE_LOGIT = 1e4


class Trial(of_component.Trial):
    """A loss with the predictions and targets that it takes.

    A loss without a target is tried with targets too, but they are not passed to it.
    """

    component: Loss

    @cached_property
    def cases(self) -> list[Case]:
        """Raises Broken where there are none."""
        return cases(self.shapes, self._takes, self.given, self.component.takes_target)

    def _takes(self, prediction: Array, target: Array) -> bool:
        loss = self.component
        loss.check_shapes(prediction.shape[1:], target.shape[1:] if loss.takes_target else ())
        given = prediction.copy(), self.told(target.copy())
        values = loss.batch(Context(prediction.dtype), *given, None)[0] if loss.couples else loss.values(*given)
        return bool(np.isfinite(values).all())

    def told(self, target: Array) -> Any:
        """The target as the loss is given it."""
        return target if self.component.takes_target else None

    def values(self, prediction: Array, target: Array) -> Array:
        """The values of samples, (batch,); of a loss that couples them that of the batch, (1,)."""
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
        """The value of a batch, (1,), and its derivative, of a loss that couples samples."""
        context = Context(prediction.dtype) if context is None else context
        value, gradient = self.component.batch(context, prediction, self.told(target), weights)
        if np.ndim(value):
            raise Broken(f"batch gives a value of shape {np.shape(value)}; the mean loss of the batch is one number")
        if gradient is None and context.needs_input_gradient:
            raise Broken("batch gives no gradient where context.needs_input_gradient is True")
        return np.array([value], np.float64), cast(Array, gradient)

    def for_samples(self) -> None:
        """Raises NotApplicable for a loss that couples samples."""
        if self.component.couples:
            raise NotApplicable("it couples the samples of a batch")

    def for_batches(self) -> None:
        """Raises NotApplicable for a loss that does not couple samples."""
        if not self.component.couples:
            raise NotApplicable("it couples no samples")


@RULES.rule(
    "takes targets",
    "values and gradient take the targets that check_shapes accepts; give the shapes, check_component(loss, (3,), "
    "(3,)), where they cannot be found out.",
)
def takes_targets(trial: Trial) -> str:
    return ", ".join(map(str, trial.cases))


@RULES.rule(
    "refuses shapes",
    "check_shapes raises ShapeError and names both shapes: override target_shapes, which says what is accepted, rather "
    "than check_shapes.",
    after=("takes targets",),
)
def refuses_shapes(trial: Trial) -> str:
    if not trial.component.takes_target:
        raise NotApplicable("it takes no target")
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
    "values gives one number for each sample, shape (batch,): the mean over its elements, and no mean over the batch.",
    after=("takes targets",),
)
def values(trial: Trial) -> str:
    trial.for_samples()
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        found = trial.values(prediction, target)
        if not isinstance(found, np.ndarray) or found.shape != (BATCH,):
            shape = getattr(found, "shape", type(found).__name__)
            raise Broken(f"{case}: values has shape {shape} for {BATCH} samples")
        for size in (1, 0):
            few = trial.values(prediction[:size], target[:size])
            same(few, found[:size], f"{case}: the values of {size} sample of {BATCH}")
    return f"{len(trial.cases)} kinds of targets; batches of 0, 1, {BATCH}"


@RULES.rule(
    "gradients",
    "gradient is the derivative of each sample's own value, not of the batch's mean, of the prediction's shape: the "
    "division by the elements of a sample belongs into it, weights and the batch's mean do not.",
    after=("takes targets", "values"),
)
def gradients(trial: Trial) -> str:
    trial.for_samples()
    rng = np.random.default_rng(1)
    worst = 0.0
    for case, factor in [(each, factor) for each in trial.cases for factor in each.factors]:
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
        worst = max(worst, slope.error)
        if not slope.error <= LARGEST_ERROR:
            raise Broken(f"{case}, predictions times {factor:g}: {slope}; at most {LARGEST_ERROR:g} is expected")
    return f"relative error {worst:.1g}"


@RULES.rule(
    "batch",
    "batch gives the mean loss of the batch, a finite number, and the gradient of that number, of the prediction's "
    "shape, for a single sample too; where no gradient is needed it gives the same number.",
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
                raise Broken(f"{case}: the value of {size} samples is {value[0]}, or their gradient is not finite")
            fresh = trial.batch(*few)
            same(value, fresh[0], f"{case}: the value with buffers that were used before")
            same(gradient, fresh[1], f"{case}: the gradient with buffers that were used before")
            alone = trial.batch(*few, context=Context(np.float64, needs_input_gradient=False))[0]
            same(alone, value, f"{case}: the value where no gradient is needed")
    return f"{len(trial.cases)} kinds of targets; batches of 1, {BATCH}"


@RULES.rule(
    "batch gradients",
    "batch's gradient is the derivative of the value that it gives, weights included: the division by the batch, or by "
    "the sum of its weights, belongs into it.",
    after=("takes targets", "batch"),
)
def batch_gradients(trial: Trial) -> str:
    trial.for_batches()
    rng = np.random.default_rng(1)
    worst = 0.0
    for case, factor in [(each, factor) for each in trial.cases for factor in each.factors]:
        prediction, target = case.data(BATCH)
        prediction *= factor
        for weights in (None, rng.uniform(0.5, 1.5, BATCH)):
            gradient = trial.batch(prediction.copy(), target.copy(), weights)[1].copy()

            def value(moved: Array, target: Array = target, weights: Array | None = weights) -> float:
                return float(trial.batch(moved, target, weights)[0][0])

            slope = directional_slope(value, gradient, prediction, rng)
            worst = max(worst, slope.error)
            if not slope.error <= LARGEST_ERROR:
                what = "" if weights is None else ", with weights"
                raise Broken(
                    f"{case}, predictions times {factor:g}{what}: {slope}; at most {LARGEST_ERROR:g} is expected"
                )
    return f"relative error {worst:.1g}"


@RULES.rule(
    "order of samples",
    "The samples of a batch come in any order: the value stays, and the gradient is in the same order as they.",
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
    "The mean of a batch is a weighted one: weights of 1 change nothing, nor does a factor for all of them, and those "
    "of 0 do no harm where one is above it.",
    after=("takes targets", "batch"),
)
def batch_weights(trial: Trial) -> str:
    trial.for_batches()
    rng = np.random.default_rng(4)
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        weights = rng.uniform(0.5, 1.5, BATCH)
        pairs = ((np.ones(BATCH), None, "weights of 1 against none"), (3 * weights, weights, "weights times 3"))
        for given, other, what in pairs:
            found, expected = trial.batch(prediction, target, given), trial.batch(prediction, target, other)
            for name, array, wanted in zip(("value", "gradient"), found, expected, strict=True):
                same(array, wanted, f"{case}: the {name} with {what}")
        weights[: BATCH - 1] = 0
        if not all(np.isfinite(array).all() for array in trial.batch(prediction, target, weights)):
            raise Broken(f"{case}: with one weight above 0 of {BATCH} the value or the gradient is not finite")
    return ""


@RULES.rule(
    "dtypes",
    "Values and gradient have the prediction's dtype: no np.float64 constants, no arrays of numpy's default dtype.",
    after=("takes targets", "batch"),
)
def dtypes(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        for dtype in (np.float32, np.float64):
            given = prediction.astype(dtype)
            wanted = target.astype(dtype) if target.dtype.kind == "f" else target
            for name in ("gradient",) if trial.component.couples else ("values", "gradient"):
                found = getattr(trial, name)(given.copy(), wanted.copy())
                if found.dtype != dtype:
                    raise Broken(f"{case}: the {name} of {np.dtype(dtype)} predictions are {found.dtype}")
    return "float32, float64"


def both(call: Any, context: Context, prediction: Array, target: Array, what: str) -> tuple[Array, Array]:
    """Values and gradient, as training asks for them."""
    values, gradient = call(context, prediction, target)
    if gradient is None:
        raise Broken(f"{what} gives no gradient where context.needs_input_gradient is True")
    return values, gradient


@RULES.rule(
    "measure",
    "measure(context, prediction, target) gives what values and gradient give, whatever its buffers held before.",
    after=("takes targets", "values", "gradients"),
)
def measure(trial: Trial) -> str:
    trial.for_samples()
    loss = trial.component
    if type(loss).measure is Loss.measure:
        raise NotApplicable("it has values and gradient alone")
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
        same(values, trial.values(prediction, target), f"{case}: the values where no gradient is needed")
        wanted = trial.told(target.astype(np.float32) if target.dtype.kind == "f" else target)
        for array in both(loss.measure, Context(np.float32), prediction.astype(np.float32), wanted, str(case)):
            if array.dtype != np.float32:
                raise Broken(f"{case}: measure gives {array.dtype} for float32 predictions")
    return f"{len(trial.cases)} kinds of targets; batches of 1, {BATCH}"


@RULES.rule(
    "joint",
    "joint(context, logits, target) gives what values and gradient give behind the activation of joint_with, and stays "
    "finite for large logits: subtract the highest, use log1p.",
    after=("takes targets", "values", "gradients"),
)
def joint(trial: Trial) -> str:
    loss = trial.component
    if loss.couples or not loss.joint_with:
        raise NotApplicable("it is joint with no activation")
    compared = 0
    for name in loss.joint_with:
        activation = cast(Activation, trial.registry.find(KINDS["activation"], name)())
        for case in trial.cases:
            _, target = case.data(BATCH)
            logits = np.random.default_rng(3).standard_normal((BATCH, *case.shape))
            context = Context(np.float64, training=True)
            context.begin()
            prediction = activation.forward(context, logits.copy())
            try:
                expected = loss.values(prediction, target), loss.gradient(prediction, target)
            except DataError:
                continue
            slope = activation.backward(context, expected[1].copy())
            found = both(loss.joint, Context(np.float64), logits.copy(), target.copy(), f"{case}: joint")
            same(found[0], expected[0], f"{case}, {name}: the values", 1e-7)
            same(found[1], slope, f"{case}, {name}: the gradient", 1e-7)
            for dtype in (np.float32, np.float64):
                wanted = target.astype(dtype) if target.dtype.kind == "f" else target
                pair = both(loss.joint, Context(dtype), (logits * LARGE_LOGIT).astype(dtype), wanted, f"{case}: joint")
                for what, array in zip(("values", "gradient"), pair, strict=True):
                    if array.dtype != dtype:
                        raise Broken(f"{case}: the {what} of {np.dtype(dtype)} logits are {array.dtype}")
                    if not np.isfinite(array).all():
                        raise Broken(f"{case}: the {what} of logits of {LARGE_LOGIT:g} are not finite")
            compared += 1
    if not compared:
        raise Broken(f"behind {' and '.join(loss.joint_with)} it takes none of the targets that it takes by itself")
    return f"{compared} comparisons"


@RULES.rule(
    "joint gradients",
    "joint's gradient is the derivative of its values by the logits, of large ones too: clip no logits "
    "and no probabilities.",
    after=("takes targets", "values", "gradients", "joint"),
)
def joint_gradients(trial: Trial) -> str:
    loss = trial.component
    if loss.couples or not loss.joint_with:
        raise NotApplicable("it is joint with no activation")
    rng = np.random.default_rng(2)
    worst = 0.0
    for case in trial.cases:
        _, target = case.data(BATCH)
        for factor in (1.0, 10.0, 100.0):
            logits = factor * rng.standard_normal((BATCH, *case.shape))
            try:
                _, gradient = both(loss.joint, Context(np.float64), logits.copy(), target.copy(), f"{case}: joint")
            except DataError:
                continue

            def value(moved: Array, target: Array = target) -> float:
                return float(both(loss.joint, Context(np.float64), moved.copy(), target.copy(), "joint")[0].sum())

            slope = directional_slope(value, gradient.copy(), logits, rng)
            worst = max(worst, slope.error)
            if not slope.error <= LARGEST_ERROR:
                raise Broken(f"{case}, logits times {factor:g}: {slope}; at most {LARGEST_ERROR:g} is expected")
    return f"relative error {worst:.1g}"


@RULES.rule(
    "exact predictions",
    "A prediction that is its target, or a probability of 0 or 1, has a value and a gradient that are "
    "not nan: guard roots "
    "and quotients at 0, clip what log is given.",
    after=("takes targets", "values", "gradients", "batch"),
)
def exact_predictions(trial: Trial) -> str:
    if not trial.component.takes_target:
        raise NotApplicable("it takes no target")
    tried = 0
    for case in trial.cases:
        _, target = case.data(BATCH)
        exact = case.perfect(target)[:1]
        if exact and case.form.classes and not case.form.unbounded:
            exact.append(np.roll(exact[0], 1, axis=-1))  # certain, and wrong where a row is one-hot
        for prediction in exact:
            for dtype in (np.float64, np.float32):
                wanted = target.astype(dtype) if target.dtype.kind == "f" else target
                given = prediction.astype(dtype)
                try:
                    found = trial.results(given.copy(), wanted)
                except DataError:
                    continue
                for name, array in zip(("values", "gradient"), found, strict=True):
                    if np.isnan(array).any():
                        raise Broken(
                            f"{case}, {np.dtype(dtype)}: where predictions are exactly the targets, or 0 and 1, "
                            f"{int(np.isnan(array).sum())} of {array.size} numbers of the {name} are nan"
                        )
                tried += 1
    return f"{tried} batches"


@RULES.rule(
    "labels",
    "Integer labels mean what their one-hot rows mean, and a label that is no class is a DataError.",
    after=("takes targets", "values"),
)
def labels(trial: Trial) -> str:
    loss = trial.component
    trial.for_samples()  # one that couples them may take names of groups, any numbers
    if not loss.takes_labels:
        raise NotApplicable("it takes no labels")
    found = False
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        if target.dtype.kind != "i" or case.shape[-1] == 1:
            continue
        found = True
        rows = np.eye(case.shape[-1])[target]
        try:
            loss.check_shapes(prediction.shape[1:], rows.shape[1:])
            by_rows = loss.values(prediction, rows)
        except (ShapeError, DataError):
            by_rows = None
        if by_rows is not None:
            same(loss.values(prediction, target), by_rows, f"{case}: labels against their one-hot rows")
        for label in (-1, case.shape[-1]):
            wrong = np.full_like(target, label)
            try:
                loss.values(prediction, wrong)
            except DataError:
                continue
            except Exception as error:
                raise Broken(f"{case}: the label {label} gives {raised(error)}, expected a DataError") from None
            raise Broken(f"{case}: the label {label} of {case.shape[-1]} classes is accepted")
    if not found:
        raise Broken("it says takes_labels and takes no integer labels")
    return ""


@RULES.rule(
    "sample weights",
    "sample_weights gives None, or a finite weight of 0 or more for each sample, shape (batch,), which "
    "follows from that "
    "sample's target alone: training divides by their sum.",
    after=("takes targets",),
)
def sample_weights(trial: Trial) -> str:
    trial.for_samples()
    if not trial.component.takes_target:
        raise NotApplicable("it takes no target")
    given = 0
    for case in trial.cases:
        _, target = case.data(BATCH)
        try:
            weights = trial.component.sample_weights(target)
        except DataError:
            continue
        if weights is None:
            continue
        given += 1
        if weights.shape != (BATCH,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise Broken(f"{case}: {weights!r}, expected {BATCH} weights of 0 or more")
        few = trial.component.sample_weights(target[:2])
        same(
            np.asarray(few), weights[:2], f"{case}: the weights of 2 samples against those of the same 2 among {BATCH}"
        )
        if target.dtype.kind == "i" and case.form.classes:
            with suppress(DataError, ShapeError):
                rows = np.eye(case.shape[-1])[target]
                trial.component.check_shapes(case.shape, rows.shape[1:])
                of_rows = trial.component.sample_weights(rows)
                if of_rows is not None:
                    same(of_rows, weights, f"{case}: the weights of one-hot rows against those of labels")
    if not given:
        raise NotApplicable("it weighs no samples")
    return ""


@RULES.rule(
    "leaves its inputs alone",
    "Predictions and targets belong to others, and the network writes into the gradient: give a new array.",
    after=("takes targets", "batch"),
)
def leaves_inputs_alone(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        kept = prediction.copy(), target.copy()
        calls = list(_methods(trial))
        for name, call in calls:
            given = [array.copy() for array in kept]
            try:
                result = call(*given)
            except DataError:
                continue
            for what, array, before in zip(("prediction", "target"), given, kept, strict=True):
                if not np.array_equal(array, before):
                    raise Broken(f"{case}: {name} writes into the {what}: {changed(array, before)}")
                if name not in ("values", "sample_weights") and np.shares_memory(result, array):
                    raise Broken(f"{case}: the gradient of {name} lies in the memory of the {what}")
            if name not in ("values", "sample_weights") and not result.flags.writeable:
                raise Broken(f"{case}: the gradient of {name} cannot be written to")
    return ""


def _methods(trial: Trial) -> Iterator[tuple[str, Any]]:
    """(name, a function of prediction and target) of what the loss computes; a gradient unless the name says other."""
    loss, told = trial.component, trial.told
    if loss.couples:
        yield "batch", lambda p, t: trial.batch(p, t)[1]
        return
    yield "values", lambda p, t: loss.values(p, told(t))
    yield "gradient", lambda p, t: loss.gradient(p, told(t))
    if loss.takes_target:
        yield "sample_weights", lambda p, t: loss.sample_weights(t)
    yield "measure", lambda p, t: loss.measure(Context(np.float64), p, told(t))[1]
    if loss.joint_with:
        yield "joint", lambda p, t: loss.joint(Context(np.float64), p, told(t))[1]


@RULES.rule(
    "strides",
    "Predictions and targets may lie in memory in any order.",
    after=("takes targets", "values", "leaves its inputs alone"),
)
def strides(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        turned = [np.repeat(array, 2, axis=0)[::2] for array in (prediction, target)]
        ordered = [np.array(array, order="F") for array in (prediction, target)]
        for arrays in (turned, ordered):
            same(trial.values(*arrays), trial.values(prediction, target), f"{case}: values")
            same(trial.gradient(*arrays), trial.gradient(prediction, target), f"{case}: gradient")
    return "every other row, Fortran order"


@RULES.rule(
    "nothing hidden",
    "A loss is a pure function: no random numbers, no memory of earlier calls, and gradient does not rely on values.",
    after=("takes targets", "leaves its inputs alone"),
)
def nothing_hidden(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        first = trial.gradient(prediction, target).copy(), trial.values(prediction, target).copy()
        trial.results(*case.data(BATCH + 2, seed=1))
        again = trial.gradient(prediction, target), trial.values(prediction, target)
        for name, one, two in zip(("gradient", "values"), first, again, strict=True):
            same_bytes(two, one, f"{case}: {name} once more, another batch in between")
    return ""


@RULES.rule(
    "float32 as float64",
    "A float32 network's values and gradients are those of a float64 one, to rounding: no small constants that vanish "
    "beside 1, no differences of large numbers, no branches on the dtype.",
    after=("takes targets", "values", "gradients", "dtypes", "measure", "joint"),
)
def float32_as_float64(trial: Trial) -> str:
    for case in trial.cases:
        for factor in case.factors:
            prediction, target = case.data(BATCH)
            # Both dtypes get the same numbers.
            prediction = (factor * prediction).astype(np.float32).astype(np.float64)
            target = target.astype(np.float32).astype(np.float64) if target.dtype.kind == "f" else target
            for what, call in _calls(trial):
                try:
                    _compare_dtypes(call, prediction, target, f"{case}, predictions times {factor:g}: {what}")
                except DataError:
                    continue
    return "values, gradients, and what is computed jointly"


def _calls(trial: Trial) -> Iterator[tuple[str, Callable[[Array, Array], tuple[Array, Array]]]]:
    """(name, a function of prediction, or logits, and target that gives values and gradient)."""
    loss, told = trial.component, trial.told
    if loss.couples:
        yield "batch", trial.batch
        return
    yield "values and gradient", trial.results
    if type(loss).measure is not Loss.measure:
        yield "measure", lambda p, t: both(loss.measure, Context(p.dtype), p, told(t), "measure")
    if loss.joint_with:
        yield "joint", lambda p, t: both(loss.joint, Context(p.dtype), p, told(t), "joint")


def _compare_dtypes(
    call: Callable[[Array, Array], tuple[Array, Array]], prediction: Array, target: Array, what: str
) -> None:
    def run(dtype: DTypeLike, moved: float = 0.0) -> tuple[Array, Array]:
        signs = np.random.default_rng(5).choice([-1.0, 1.0], prediction.shape)
        wanted = target.astype(dtype) if target.dtype.kind == "f" else target.copy()
        values, gradient = call((prediction * (1 + moved * signs)).astype(dtype), wanted)
        return values.astype(np.float64), gradient.astype(np.float64)

    expected, shifted, found = run(np.float64), run(np.float64, SINGLE), run(np.float32)
    for name, one, other, array in zip(("value", "gradient"), found, shifted, expected, strict=True):
        if not np.isfinite(array).all() or not np.abs(array).max() < FITS:
            continue
        # One unit of everything that goes in, and of what a term near 1 leaves.
        allowed = UNITS * SINGLE * max(float(np.abs(array).max()), SINGLE) + SENSITIVITY * float(
            np.abs(other - array).max()
        )
        distance = float(np.abs(one - array).max())
        if not distance <= allowed:
            raise Broken(
                f"{what}, the {name} differs by {distance:.3g} between float32 and float64, where its greatest number "
                f"is {np.abs(array).max():.3g}; at most {allowed:.2g} is expected from rounding"
            )


@RULES.rule(
    "each sample by itself",
    f"A sample's value and gradient are the same in any batch, of one sample or of {ROWS}, in any order: no means, "
    "norms or counts over the batch.",
    after=("takes targets", "values", "gradients", "measure", "joint"),
)
def each_by_itself(trial: Trial) -> str:
    trial.for_samples()
    for case in trial.cases:
        prediction, target = case.data(ROWS)
        for what, call in _calls(trial):
            try:
                whole = call(prediction.copy(), target.copy())
                for rows in (slice(0, 1), slice(1, 1 + ROWS // 3), slice(ROWS - 7, ROWS), slice(None, None, -1)):
                    few = call(prediction[rows].copy(), target[rows].copy())
                    for name, found, expected in zip(("value", "gradient"), few, whole, strict=True):
                        place = f"{case}: {what}, the {name} of {len(found)} samples against a batch of {ROWS}"
                        same(found, expected[rows], place)
            except DataError:
                continue
    return f"1 to {ROWS} samples"


@RULES.rule(
    "quiet", "No warnings of numpy: guard divisions and logarithms.", after=("takes targets", "values", "batch")
)
def quiet(trial: Trial) -> str:
    with warnings.catch_warnings(), np.errstate(divide="raise", over="raise", invalid="raise"):
        warnings.simplefilter("error")
        for case in trial.cases:
            prediction, target = case.data(BATCH)
            for size in (BATCH, 1) if trial.component.couples else (BATCH, 1, 0):
                try:
                    trial.results(prediction[:size], target[:size])
                except (Warning, FloatingPointError) as error:
                    raise Broken(f"{case} with {size} samples: {raised(error)}") from None
    return ""


@RULES.rule(
    "whole numbers",
    "Targets come in the dtype in which they were given: labels as uint8 as well as int64, numbers as int32 as well as "
    "float64. Results have the prediction's dtype: compute with target.astype(prediction.dtype).",
    after=("takes targets", "values", "gradients", "leaves its inputs alone"),
)
def whole_numbers(trial: Trial) -> str:
    if not trial.component.takes_target:
        raise NotApplicable("it takes no target")
    for case in trial.cases:
        for prediction, target, dtype in of_whole_numbers(case, BATCH):
            expected = trial.results(prediction, target)
            given = target.astype(dtype)
            try:
                found = trial.results(prediction, given)
            except ModnetError:
                continue
            except Exception as error:
                raise Broken(f"{case}: targets of {dtype} give {raised(error)}") from None
            for name, array, other in zip(("values", "gradient"), found, expected, strict=True):
                same(array, other, f"{case}: the {name} of targets of {dtype} against {target.dtype}")
    return ", ".join(WHOLE)

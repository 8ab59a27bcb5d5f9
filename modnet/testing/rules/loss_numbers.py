"""What a loss's numbers keep: for exact predictions and labels, in both dtypes, in any batch and order in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array
from modnet.errors import DataError, ModnetError, ShapeError
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.rules.component import changed, how_many, same, same_bytes, warnings_raised
from modnet.testing.rules.loss import BATCH, Trial, both
from modnet.testing.rules.rounding import FITS, ROWS, SINGLE, check_single, greatest, in_dtype, moved, room, rounded
from modnet.testing.targets import WHOLE, Case, of_whole_numbers

RULES = Rules()


@RULES.rule(
    "exact predictions",
    "A prediction that equals its target, or a probability of exactly 0 or 1, must not give nan, neither in the "
    "value nor in the gradient: protect roots and quotients at 0, and clip the argument of log.",
    after=("takes targets", "values", "gradients", "batch"),
)
def exact_predictions(trial: Trial) -> str:
    trial.for_targets()
    tried = 0
    for case in trial.cases:
        _, target = case.data(BATCH)
        for prediction, dtype in itertools.product(_exact(case, target), (np.float64, np.float32)):
            with suppress(DataError):
                found = trial.results(prediction.astype(dtype), in_dtype(target, dtype))
                _check_no_nan(found, f"{case}, {np.dtype(dtype)}")
                tried += 1
    return f"{tried} batches"


def _exact(case: Case, target: Array) -> list[Array]:
    """The predictions that are the target itself and, of classes, those that are certain of another one."""
    found = case.perfect(target)[:1]
    if found and case.form.classes and not case.form.unbounded:
        found.append(np.roll(found[0], 1, axis=-1))  # wrong where a row is one-hot
    return found


def _check_no_nan(found: tuple[Array, Array], what: str) -> None:
    for name, array in zip(("values", "gradient"), found, strict=True):
        if np.isnan(array).any():
            raise Broken(
                f"{what}: for predictions that equal the targets, or are exactly 0 and 1, "
                f"{how_many(np.isnan(array))} of the "
                f"{name} are nan"
            )


@RULES.rule(
    "labels",
    "An integer label gives the same as its one-hot row. A label outside of the classes raises DataError.",
    after=("takes targets", "values"),
)
def labels(trial: Trial) -> str:
    trial.for_samples()  # one that couples them may take names of groups, any numbers
    if not trial.component.takes_labels:
        raise NotApplicable("it takes no labels")
    of_labels = [case for case in trial.cases if case.data(BATCH)[1].dtype.kind == "i" and case.shape[-1] != 1]
    if not of_labels:
        raise Broken("it has takes_labels = True, but takes no integer labels")
    for case in of_labels:
        _check_one_hot(trial.component, case)
        for label in (-1, case.shape[-1]):
            _check_no_class(trial.component, case, label)
    return ""


def _check_one_hot(loss: Loss, case: Case) -> None:
    prediction, target = case.data(BATCH)
    rows = np.eye(case.shape[-1])[target]
    try:
        loss.check_shapes(prediction.shape[1:], rows.shape[1:])
        by_rows = loss.values(prediction, rows)
    except (ShapeError, DataError):  # it may take labels alone
        return
    same(loss.values(prediction, target), by_rows, f"{case}: labels, compared with their one-hot rows")


def _check_no_class(loss: Loss, case: Case, label: int) -> None:
    prediction, target = case.data(BATCH)
    try:
        loss.values(prediction, np.full_like(target, label))
    except DataError:
        return
    except Exception as error:
        raise Broken(f"{case}: the label {label} gives {raised(error)}, expected a DataError") from None
    raise Broken(f"{case}: the label {label} is accepted, although there are {case.shape[-1]} classes")


@RULES.rule(
    "sample weights",
    "sample_weights returns None, or one finite weight of 0 or more for each sample, shape (batch,). A weight "
    "depends only on that sample's target: training divides by the sum of the weights.",
    after=("takes targets",),
)
def sample_weights(trial: Trial) -> str:
    trial.for_samples()
    trial.for_targets()
    given = 0
    for case in trial.cases:
        _, target = case.data(BATCH)
        try:
            weights = trial.component.sample_weights(target)
        except DataError:
            continue
        if weights is not None:
            given += 1
            _check_weights(trial.component, case, target, weights)
    if not given:
        raise NotApplicable("it gives samples no weights")
    return ""


def _check_weights(loss: Loss, case: Case, target: Array, weights: Array) -> None:
    if weights.shape != (BATCH,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise Broken(f"{case}: {weights!r}, expected {BATCH} weights of 0 or more")
    few = np.asarray(loss.sample_weights(target[:2]))
    same(few, weights[:2], f"{case}: the weights of 2 samples, compared with the weights of the same 2 among {BATCH}")
    if target.dtype.kind != "i" or not case.form.classes:
        return
    with suppress(DataError, ShapeError):  # it may take labels alone
        rows = np.eye(case.shape[-1])[target]
        loss.check_shapes(case.shape, rows.shape[1:])
        of_rows = loss.sample_weights(rows)
        if of_rows is not None:
            same(of_rows, weights, f"{case}: the weights of one-hot rows, compared with the weights of labels")


@RULES.rule(
    "leaves its inputs alone",
    "Do not write into predictions and targets. Return the gradient in a new array, because the network writes "
    "into it.",
    after=("takes targets", "batch"),
)
def leaves_inputs_alone(trial: Trial) -> str:
    for case in trial.cases:
        for name, call in _methods(trial):
            with suppress(DataError):
                _check_call(call, name not in ("values", "sample_weights"), case, name)
    return ""


def _check_call(call: Callable[[Array, Array], Any], gives_gradient: bool, case: Case, name: str) -> None:
    kept = case.data(BATCH)
    given = [array.copy() for array in kept]
    result = call(*given)
    for what, array, before in zip(("prediction", "target"), given, kept, strict=True):
        if not np.array_equal(array, before):
            raise Broken(f"{case}: {name} writes into the {what}: {changed(array, before)}")
        if gives_gradient and np.shares_memory(result, array):
            raise Broken(f"{case}: the gradient of {name} lies in the memory of the {what}")
    if gives_gradient and not result.flags.writeable:
        raise Broken(f"{case}: the gradient of {name} cannot be written to")


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
    "Predictions and targets may have any memory layout.",
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
    "A loss is a pure function: no random numbers, no memory of earlier calls, and gradient must not rely on an "
    "earlier call of values.",
    after=("takes targets", "leaves its inputs alone"),
)
def nothing_hidden(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(BATCH)
        first = trial.gradient(prediction, target).copy(), trial.values(prediction, target).copy()
        trial.results(*case.data(BATCH + 2, seed=1))
        again = trial.gradient(prediction, target), trial.values(prediction, target)
        for name, one, two in zip(("gradient", "values"), first, again, strict=True):
            same_bytes(two, one, f"{case}: {name} called again, after another batch")
    return ""


@RULES.rule(
    "float32 as float64",
    "In float32, values and gradients are the same as in float64, except for rounding. Look for small constants "
    "that vanish next to 1, differences of large numbers, and branches on the dtype.",
    after=("takes targets", "values", "gradients", "dtypes", "measure", "joint"),
)
def float32_as_float64(trial: Trial) -> str:
    for case, factor in trial.scaled():
        prediction, target = case.data(BATCH)
        # Both dtypes get the same numbers.
        prediction, target = rounded(factor * prediction), rounded(target)
        for what, call in _calls(trial):
            with suppress(DataError):
                _compare_dtypes(call, prediction, target, f"{case}, predictions times {factor:g}: {what}")
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
    def run(dtype: DTypeLike, by: float = 0.0) -> tuple[Array, Array]:
        given = moved(prediction, by, np.random.default_rng(5)).astype(dtype)
        values, gradient = call(given, in_dtype(target, dtype).copy())
        return values.astype(np.float64), gradient.astype(np.float64)

    expected, shifted, found = run(np.float64), run(np.float64, SINGLE), run(np.float32)
    for name, single, other, double in zip(("value", "gradient"), found, shifted, expected, strict=True):
        if not np.isfinite(double).all() or not greatest(double) < FITS:
            continue
        # One unit of everything that goes in, and of what a term near 1 leaves.
        allowed = room(max(greatest(double), SINGLE), greatest(other - double))
        check_single(single, double, allowed, f"{what}, the {name}")


@RULES.rule(
    "each sample by itself",
    f"The value and the gradient of a sample are the same in every batch, of one sample or of {ROWS}, in any "
    "order: no means, norms or counts over the batch.",
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
                        place = f"{case}: {what}, the {name} of {len(found)} samples, compared with a batch of {ROWS}"
                        same(found, expected[rows], place)
            except DataError:
                continue
    return f"1 to {ROWS} samples"


@RULES.rule(
    "quiet", "numpy must not warn: protect divisions and logarithms.", after=("takes targets", "values", "batch")
)
def quiet(trial: Trial) -> str:
    with warnings_raised():
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
    "Targets arrive in the dtype of the data: labels as uint8 or int64, numbers as int32 or float64. Results have "
    "the dtype of the prediction: compute with target.astype(prediction.dtype).",
    after=("takes targets", "values", "gradients", "leaves its inputs alone"),
)
def whole_numbers(trial: Trial) -> str:
    trial.for_targets()
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
                same(array, other, f"{case}: the {name} of targets of {dtype}, compared with {target.dtype}")
    return ", ".join(WHOLE)

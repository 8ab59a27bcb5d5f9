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
    "A prediction that is its target, or a probability of 0 or 1, has a value and a gradient that are not nan: guard "
    "roots and quotients at 0, clip what log is given.",
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
                f"{what}: where predictions are exactly the targets, or 0 and 1, {how_many(np.isnan(array))} of the "
                f"{name} are nan"
            )


@RULES.rule(
    "labels",
    "Integer labels mean what their one-hot rows mean, and a label that is no class is a DataError.",
    after=("takes targets", "values"),
)
def labels(trial: Trial) -> str:
    trial.for_samples()  # one that couples them may take names of groups, any numbers
    if not trial.component.takes_labels:
        raise NotApplicable("it takes no labels")
    of_labels = [case for case in trial.cases if case.data(BATCH)[1].dtype.kind == "i" and case.shape[-1] != 1]
    if not of_labels:
        raise Broken("it says takes_labels and takes no integer labels")
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
    same(loss.values(prediction, target), by_rows, f"{case}: labels against their one-hot rows")


def _check_no_class(loss: Loss, case: Case, label: int) -> None:
    prediction, target = case.data(BATCH)
    try:
        loss.values(prediction, np.full_like(target, label))
    except DataError:
        return
    except Exception as error:
        raise Broken(f"{case}: the label {label} gives {raised(error)}, expected a DataError") from None
    raise Broken(f"{case}: the label {label} of {case.shape[-1]} classes is accepted")


@RULES.rule(
    "sample weights",
    "sample_weights gives None, or a finite weight of 0 or more for each sample, shape (batch,), which follows from "
    "that sample's target alone: training divides by their sum.",
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
        raise NotApplicable("it weighs no samples")
    return ""


def _check_weights(loss: Loss, case: Case, target: Array, weights: Array) -> None:
    if weights.shape != (BATCH,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise Broken(f"{case}: {weights!r}, expected {BATCH} weights of 0 or more")
    few = np.asarray(loss.sample_weights(target[:2]))
    same(few, weights[:2], f"{case}: the weights of 2 samples against those of the same 2 among {BATCH}")
    if target.dtype.kind != "i" or not case.form.classes:
        return
    with suppress(DataError, ShapeError):  # it may take labels alone
        rows = np.eye(case.shape[-1])[target]
        loss.check_shapes(case.shape, rows.shape[1:])
        of_rows = loss.sample_weights(rows)
        if of_rows is not None:
            same(of_rows, weights, f"{case}: the weights of one-hot rows against those of labels")


@RULES.rule(
    "leaves its inputs alone",
    "Predictions and targets belong to others, and the network writes into the gradient: give a new array.",
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
    "Targets come in the dtype in which they were given: labels as uint8 as well as int64, numbers as int32 as well as "
    "float64. Results have the prediction's dtype: compute with target.astype(prediction.dtype).",
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
                same(array, other, f"{case}: the {name} of targets of {dtype} against {target.dtype}")
    return ", ".join(WHOLE)

"""The contract of a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import ModnetError
from modnet.kinds.metric import Metric
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import changed, difference, same, warnings_raised
from modnet.testing.rules.rounding import ROWS
from modnet.testing.targets import WHOLE, Case, cases, of_whole_numbers

RULES = Rules()

SAMPLES = 20
TOLERANCE = 1e-6

SINGLE_TOLERANCE = 1e-4
"""Of a metric of float32 predictions: some 1,000 rounding units."""

TABLES = 8
"""Of samples on which good predictions are held against bad ones: what ignores the target is the same way round
in all of them once in 256 times.
"""


class Trial(of_component.Trial):
    """A metric with the predictions and targets that it takes."""

    component: Metric

    @cached_property
    def cases(self) -> list[Case]:
        """Raises Broken if there are none."""
        return cases(self.shapes, self._takes, self.given)

    def _takes(self, prediction: Array, target: Array) -> bool:
        return bool(np.isfinite(self.over(prediction, target)).all())

    def over(
        self,
        prediction: Array,
        target: Array,
        weights: Array | None = None,
        cuts: Sequence[int] = (),
        stored: bool = False,
    ) -> Array:
        """The result over batches that end at `cuts`; `stored`, with the accumulator as a checkpoint gives it back."""
        metric = self.component
        accumulator = metric.start()
        for start, end in zip((0, *cuts), (*cuts, len(prediction)), strict=True):
            if stored:
                accumulator = copied(accumulator)
            part = None if weights is None else weights[start:end].copy()
            accumulator = metric.update(accumulator, prediction[start:end].copy(), target[start:end].copy(), part)
        return np.asarray(metric.result(accumulator))


def copied(value: Any) -> Any:
    """A plain value as a checkpoint gives it back: named tuples as tuples, arrays as others.

    Raises:
        Broken: a checkpoint cannot hold it.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.ndarray() | np.generic() if value.dtype.kind in "biuf":
            return value.copy()
        case list():
            return [copied(item) for item in value]
        case tuple():
            return tuple(copied(item) for item in value)
        case dict() if all(type(key) is str for key in value):
            return {key: copied(item) for key, item in value.items()}
    raise Broken(f"a checkpoint cannot hold {type(value).__module__}.{type(value).__qualname__}")


@RULES.rule(
    "takes targets",
    "If the check cannot find targets that the metric takes, pass the shapes of prediction and target, "
    "check_component(metric, (3,), ()), or return them from examples(): Example(cls(), ((3,), ())).",
    after=("arguments",),
)
def takes_targets(trial: Trial) -> str:
    for name in ("start", "update", "result"):
        if getattr(type(trial.component), name) is getattr(Metric, name):
            raise Broken(f"it does not define {name}")
    return ", ".join(map(str, trial.cases))


@RULES.rule(
    "result",
    "result returns a float or an array, and does not change the accumulator. greater_is_better is True, False or "
    "None.",
    after=("takes targets",),
)
def result(trial: Trial) -> str:
    metric = trial.component
    if metric.greater_is_better not in (True, False, None):
        raise Broken(f"greater_is_better is {metric.greater_is_better!r}")
    for case in trial.cases:
        accumulator = metric.update(metric.start(), *case.data(SAMPLES), None)
        first, second = metric.result(accumulator), metric.result(accumulator)
        if not isinstance(first, float | int | np.ndarray):
            raise Broken(f"{case}: result gives a {type(first).__name__}")
        same(np.asarray(second), np.asarray(first), f"{case}: a second call of result", 0.0)
        if metric.greater_is_better is not None and np.ndim(first):
            raise Broken("result gives an array, which has no order: set greater_is_better = None")
    return ""


@RULES.rule(
    "no samples",
    "result(start()) and an update with 0 samples must not raise. The mean of nothing is nan; a metric with a "
    "direction also gives nan if there are no samples, or if all weights are 0.",
    after=("takes targets",),
)
def no_samples(trial: Trial) -> str:
    metric = trial.component
    with warnings_raised():
        nothing = metric.result(metric.start())
        if metric.greater_is_better is not None and not np.isnan(nothing).all():
            raise Broken(
                f"the value of no samples is {_shown(np.asarray(nothing))}, which early_stopping and plateau would "
                "compare with other values; expected nan"
            )
        for case in trial.cases:
            prediction, target = case.data(SAMPLES)
            whole = trial.over(prediction, target)
            same(trial.over(prediction, target, cuts=(0,)), whole, f"{case}: after a batch of 0 samples", TOLERANCE)
    return ""


@RULES.rule(
    "splits",
    "The value belongs to the whole epoch and must not depend on how the epoch is cut into batches: add up sums "
    "and counts, not means of batches.",
    after=("takes targets", "result"),
)
def splits(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(SAMPLES)
        whole = trial.over(prediction, target)
        for cuts in ((7,), (1, 2, 15), tuple(range(1, SAMPLES))):
            found = trial.over(prediction, target, cuts=cuts)
            same(found, whole, f"{case}: in {len(cuts) + 1} batches, compared with one batch", TOLERANCE)
    return f"1, 2, 4 and {SAMPLES} batches"


@RULES.rule(
    "plain accumulators",
    "An accumulator consists of numbers, text, arrays, lists, tuples and dicts, and update returns it: a "
    "checkpoint in the middle of an epoch saves it. A named tuple is restored as a plain tuple.",
    after=("takes targets", "splits"),
)
def plain_accumulators(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(SAMPLES)
        whole = trial.over(prediction, target)
        found = trial.over(prediction, target, cuts=(7, 11), stored=True)
        same(found, whole, f"{case}: saved and restored between the batches", TOLERANCE)
    return ""


@RULES.rule(
    "nothing hidden",
    "start returns a new accumulator at each call, and update stores what it learns only in the accumulator: two "
    "epochs may run at the same time.",
    after=("takes targets", "splits"),
)
def nothing_hidden(trial: Trial) -> str:
    metric = trial.component
    for case in trial.cases:
        data = [case.data(SAMPLES, seed) for seed in (0, 1)]
        expected = [trial.over(*pair) for pair in data]
        accumulators = [metric.start(), metric.start()]
        for rows in (slice(0, 9), slice(9, SAMPLES)):
            for number, (prediction, target) in enumerate(data):
                accumulators[number] = metric.update(accumulators[number], prediction[rows], target[rows], None)
        for number in (0, 1):
            found = np.asarray(metric.result(accumulators[number]))
            same(found, expected[number], f"{case}: two accumulators used in turn", TOLERANCE)
    return ""


@RULES.rule(
    "weights",
    "weights has one number for each sample. A sample of weight 0 counts as if it were left out, a sample of "
    "weight 2 as if it occurred twice, and weights of 1 change nothing.",
    after=("takes targets", "splits", "no samples"),
)
def weights(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(SAMPLES)
        ones = np.ones(SAMPLES)
        same(trial.over(prediction, target, ones), trial.over(prediction, target), f"{case}: weights of 1", TOLERANCE)
        kept = np.arange(SAMPLES) % 3 > 0
        expected = trial.over(prediction[kept], target[kept])
        found = trial.over(prediction, target, kept.astype(np.float64))
        same(found, expected, f"{case}: weights of 0, compared with samples that are left out", TOLERANCE)
        twice = np.concatenate([np.arange(SAMPLES), np.arange(0, SAMPLES, 3)])
        expected = trial.over(prediction[twice], target[twice])
        found = trial.over(prediction, target, np.where(kept, 1.0, 2.0))
        same(found, expected, f"{case}: weights of 2, compared with samples that occur twice", TOLERANCE)
        both = np.repeat(np.arange(SAMPLES), 2)
        quarters = np.tile([0.25, 0.75], SAMPLES)
        found = trial.over(prediction[both], target[both], quarters)
        expected = trial.over(prediction, target)
        same(
            found, expected, f"{case}: each sample twice, with weights of 0.25 and 0.75, compared with once", TOLERANCE
        )
        if trial.component.greater_is_better is not None:
            unweighed = trial.over(prediction, target, np.zeros(SAMPLES))
            if not np.isnan(unweighed).all():
                raise Broken(
                    f"{case}: the value of {SAMPLES} samples of weight 0 is {_shown(unweighed)}; "
                    "expected nan, because there is nothing to average"
                )
        drawn = np.random.default_rng(4).uniform(0.1, 3.0, SAMPLES)
        found = trial.over(prediction, target, drawn, cuts=(3, 11))
        same(
            found,
            trial.over(prediction, target, drawn),
            f"{case}: with weights, in 3 batches, compared with one batch",
            TOLERANCE,
        )
    return ""


@RULES.rule(
    "whole numbers",
    "Targets arrive in the dtype of the data: labels as uint8 or int64, numbers as int32 or float64. Compute with "
    "target.astype(prediction.dtype), or only compare.",
    after=("takes targets", "splits"),
)
def whole_numbers(trial: Trial) -> str:
    for case in trial.cases:
        for prediction, target, dtype in of_whole_numbers(case, SAMPLES):
            expected = trial.over(prediction, target)
            try:
                found = trial.over(prediction, target.astype(dtype))
            except ModnetError:
                continue
            except Exception as error:
                raise Broken(f"{case}: targets of {dtype} give {raised(error)}") from None
            same(found, expected, f"{case}: targets of {dtype}, compared with {target.dtype}", TOLERANCE)
    return ", ".join(WHOLE)


@RULES.rule(
    "leaves its inputs alone",
    "Do not write into predictions and targets, and copy what you keep of them.",
    after=("takes targets",),
)
def leaves_inputs_alone(trial: Trial) -> str:
    metric = trial.component
    for case in trial.cases:
        prediction, target = case.data(SAMPLES)
        kept = prediction.copy(), target.copy()
        weights = np.linspace(0.5, 2.0, SAMPLES)
        metric.update(metric.start(), prediction, target, weights)
        accumulator = metric.update(metric.start(), prediction, target, None)
        expected = np.array(metric.result(accumulator))
        for what, array, before in (
            ("prediction", prediction, kept[0]),
            ("target", target, kept[1]),
            ("weights", weights, np.linspace(0.5, 2.0, SAMPLES)),
        ):
            if not np.array_equal(array, before):
                raise Broken(f"{case}: update writes into the {what}: {changed(array, before)}")
        # The network writes its next batch into the same arrays.
        prediction[...] = case.data(SAMPLES, seed=1)[0]
        target[...] = case.data(SAMPLES, seed=1)[1]
        found = np.asarray(metric.result(accumulator))
        same(found, expected, f"{case}: after the next batch was written into the same arrays; copy them", 0.0)
    return ""


@RULES.rule(
    "direction",
    "greater_is_better says which of two values is better, for early_stopping and plateau: True for a share of "
    "hits, False for an error, None if the values have no such order.",
    after=("takes targets", "result"),
)
def direction(trial: Trial) -> str:
    greater = trial.component.greater_is_better
    if greater is None:
        raise NotApplicable("greater_is_better is None")
    for case in trial.cases:
        if case.target_shape is not None:
            continue
        pairs = [_good_and_bad(trial, case, seed, greater) for seed in range(TABLES)]
        # A metric may take predictions to be something else than the target's own numbers.
        if all(bad > good if greater else bad < good for good, bad in pairs):
            good, bad = pairs[0]
            raise Broken(
                f"{case}: predictions that equal the targets have {good:.4g} and random ones {bad:.4g}, which is "
                f"better according to greater_is_better = {greater}, in all of {TABLES} tables"
            )
    return "greater is better" if greater else "smaller is better"


def _good_and_bad(trial: Trial, case: Case, seed: int, greater: bool) -> tuple[float, float]:
    """The best result of perfect predictions, and that of random ones."""
    random, target = case.data(SAMPLES, seed)
    results = []
    for perfect in case.perfect(target):
        try:
            results.append(float(trial.over(perfect, target)))
        except Exception:  # they are no probabilities, for example
            continue
    finite = [result for result in results if np.isfinite(result)] or [math.inf if greater else -math.inf]
    return (max(finite) if greater else min(finite)), float(trial.over(random, target))


@RULES.rule(
    "any order",
    f"The samples of an epoch come in any order, and {ROWS} of them come in one batch or in many. Keep only sums, "
    "counts and extremes from earlier batches.",
    after=("takes targets", "splits"),
)
def any_order(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(SAMPLES)
        order = np.random.default_rng(2).permutation(SAMPLES)
        found = trial.over(prediction[order], target[order], cuts=(7, 11))
        same(found, trial.over(prediction, target), f"{case}: {SAMPLES} samples in another order", TOLERANCE)
        prediction, target = case.data(ROWS)
        found = trial.over(prediction, target, cuts=tuple(range(64, ROWS, 640)))
        same(
            found,
            trial.over(prediction, target),
            f"{case}: {ROWS} samples in pieces, compared with one batch",
            TOLERANCE,
        )
    return f"{SAMPLES} and {ROWS} samples"


@RULES.rule(
    "float32 as float64",
    "The predictions of a float32 network are float32. Add them up in float64: prediction.astype(np.float64).",
    after=("takes targets", "splits"),
)
def float32_as_float64(trial: Trial) -> str:
    for case in trial.cases:
        prediction, target = case.data(ROWS)
        single = prediction.astype(np.float32)
        wanted = target.astype(np.float32) if target.dtype.kind == "f" else target
        widened = wanted.astype(np.float64) if target.dtype.kind == "f" else target
        found, expected = trial.over(single, wanted), trial.over(single.astype(np.float64), widened)
        if not difference(found, expected) <= SINGLE_TOLERANCE and np.isfinite(expected).all():
            raise Broken(
                f"{case}: {ROWS} predictions in float32 give {_shown(found)}, the same numbers in float64 give "
                f"{_shown(expected)}; a relative difference of at most {SINGLE_TOLERANCE:g} is expected"
            )
    return f"{ROWS} samples"


def _shown(value: Array) -> str:
    return f"{float(value):.6g}" if not value.ndim else str(value.ravel()[:4].tolist())

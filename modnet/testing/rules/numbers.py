"""What a layer's numbers keep: in both dtypes, with other weights, large inputs, many samples, one sample."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array
from modnet.errors import DataError, ShapeError
from modnet.kinds.layer import Layer
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.rules.component import changed, how_many
from modnet.testing.rules.dtypes import Setting, compare_dtypes
from modnet.testing.rules.layer import (
    Trial,
    copies,
    first_axis_variable,
    is_taken,
    put_back,
    sized,
    text,
    times,
    weights_for,
)
from modnet.testing.rules.passes import check_gradients
from modnet.testing.rules.results import Results, draws, is_of_parameter, mode, named, results, weights_of
from modnet.testing.rules.rounding import (
    EXACT,
    FACTORS,
    FITS,
    LARGEST,
    ROWS,
    SINGLE,
    UNITS,
    greatest,
    in_dtype,
)

RULES = Rules()

LARGEST_ERROR_OF_LARGE = 1e-3
"""Of gradients at inputs of 36, where some units are saturated."""

SINGLE_FACTORS = (2.0**-70, 2.0**63)
"""Of gradients in float32, whose squares it cannot hold: 8e-22 and 9e18. Powers of two change no digits."""

OFFSET = 1000.0
"""Of inputs, as years and temperatures in kelvin have: subtract it before squaring."""

OWN_DATA = "its example has its own data, and other numbers may be meaningless"

PROMISED = 1e-4
"""By which a number may be outside of what a layer says of its output, as such bounds are written with few digits."""


def _require_any_numbers(trial: Trial) -> None:
    """Raises NotApplicable if the inputs may not be any numbers."""
    if trial.component.integer_input:
        raise NotApplicable("its inputs are ids, not numbers")
    if trial.given is not None:
        raise NotApplicable(OWN_DATA)


@RULES.rule(
    "float32 as float64",
    "In float32, a network computes the same as in float64, except for rounding. Look for branches on the dtype, "
    "small constants that vanish (1 + 1e-12), differences of large numbers, and intermediate integers or float16.",
    after=("runs", "shapes", "dtypes", "gradients", "gradients in prediction"),
)
def float32_as_float64(trial: Trial) -> str:
    worst = 0.0
    for weights, training in itertools.product(("initial", "random"), (True, False)):
        worst = max(worst, compare_dtypes(trial, Setting(weights, training)) or 0.0)
    if not trial.component.integer_input and trial.given is None:
        for training in (True, False):
            compare_dtypes(trial, Setting("initial", training, offset=OFFSET))
    return f"differences of at most {worst:.2g} of what is allowed"


@RULES.rule(
    "backward is linear",
    "backward is linear in the gradient that it receives: twice the gradient gives twice the result, and a "
    "gradient of zeros gives zeros. Do not clip, round or cut off gradients, and do not add to them.",
    after=("runs", "shapes", "gradients", "gradients in prediction", "buffers", "same seed, same bytes"),
)
def backward_is_linear(trial: Trial) -> str:
    for training in (True, False):
        _check_linear(trial, training)
        _check_linear_in_single(trial, training)
    return "sums; multiples by 1e-25 to 1e8, in float32 by 1e-21 to 1e19; zero"


def _check_linear_in_single(trial: Trial, training: bool) -> None:
    inputs = [in_dtype(x, np.float32) for x in trial.inputs()]
    context = trial.context(np.float32, training)
    given = weights_for(trial.forward(context, inputs))
    if draws(context) or context.penalty:  # what is added to the loss has a gradient of its own, of its own size
        return

    def gradients(factor: float) -> Results:
        outcome = trial.run(trial.context(np.float32, training), inputs, given * np.float32(factor))
        return {name: array.astype(np.float64) for name, array in named(outcome).items() if name != "the output"}

    expected = gradients(1.0)
    scale = max(map(greatest, expected.values()), default=0.0)
    if not np.isfinite(scale):
        return
    for factor in SINGLE_FACTORS:
        for name, array in gradients(factor).items():
            distance = greatest(array / factor - expected[name])
            if not distance <= UNITS * SINGLE * scale:
                raise Broken(
                    f"in float32, in {mode(training)}, {name} for {factor:.3g} times a gradient is "
                    f"{greatest(array):.3g} at most, expected {factor:.3g} times {greatest(expected[name]):.3g}: "
                    "square no gradients"
                )


def _check_linear(trial: Trial, training: bool) -> None:
    inputs = trial.inputs()
    context = trial.context(training=training)
    output = trial.forward(context, inputs)
    rng = np.random.default_rng(13)
    first, second = (rng.standard_normal(output.shape) for _ in range(2))

    def gradients(given: Array) -> Results:
        outcome = trial.run(trial.context(training=training), inputs, given.copy())
        return {name: array for name, array in named(outcome).items() if name != "the output"}

    if context.penalty:
        of_penalty = gradients(np.zeros_like(first))

        def without_penalty(given: Array) -> Results:
            return {name: array - of_penalty[name] for name, array in gradients(given).items()}

        _check_combinations(without_penalty, first, second, training, ((2.5, -0.75),))
        return
    _check_combinations(gradients, first, second, training)
    # The loss of a whole batch often has gradients of one sign alone.
    _check_combinations(gradients, np.maximum(first, 0), np.minimum(first, 0), training, ((1.0, -1.0),))


def _check_combinations(
    gradients: Callable[[Array], Results],
    first: Array,
    second: Array,
    training: bool,
    factors: Sequence[tuple[float, float]] = ((2.5, -0.75), (1e-8, 0.0), (1e-25, 0.0), (1e8, 0.0), (0.0, 0.0)),
) -> None:
    of_first, of_second = gradients(first), gradients(second)
    for a, b in factors:
        found = gradients(a * first + b * second)
        scale = max((abs(a) * greatest(array) for array in of_first.values()), default=0.0)
        scale = max((scale, *(abs(b) * greatest(array) for array in of_second.values())))
        for name, array in found.items():
            expected = a * of_first[name] + b * of_second[name]
            distance = greatest(array - expected)
            if not distance <= EXACT * scale:
                whole = f"{a:g} times a gradient" + (f" plus {b:g} times another" if b else "")
                raise Broken(
                    f"in {mode(training)}, {name} for {whole} differs by {distance:.3g} from the same combination "
                    "of what "
                    f"backward gives for each alone, whose greatest number is {greatest(expected):.3g}; at most "
                    f"{EXACT * scale:.2g} is expected"
                )


@RULES.rule(
    "one sample in training",
    "The last batch of an epoch may have one sample, and a sequence may have one step. Give finite numbers and "
    'their gradient; if the result has no meaning, raise ShapeError or DataError("expects ...").',
    after=("runs", "shapes", "gradients", "batches"),
)
def one_sample(trial: Trial) -> str:
    candidates = [trial.sizes]
    (variable,) = first_axis_variable(trial) or [trial.shapes]
    if variable != trial.sizes and is_taken(trial, variable):
        candidates.append(sized(variable, 1))
    refused = sum(_is_refused(trial, sizes) for sizes in candidates)
    return f"refused {refused} of {len(candidates)} times" if refused else f"{len(candidates)} shapes"


def _is_refused(trial: Trial, sizes: tuple[tuple[int, ...], ...]) -> bool:
    """Whether the layer refuses to be trained with one sample.

    Raises:
        Broken: it does not refuse, and fails.
    """
    what = f"one sample of shape {text(sizes)} in training"
    inputs = trial.inputs(1, sizes=sizes)
    try:
        found = results(trial, trial.context(sizes=sizes), inputs)
    except (ShapeError, DataError):
        return True
    except Exception as error:
        raise Broken(f"{what}: {raised(error)}") from None
    for name, array in found.items():
        if not np.isfinite(array).all():
            raise Broken(f"{what}: {how_many(~np.isfinite(array))} of {name} are nan or inf")
    with suppress(NotApplicable):
        check_gradients(trial, trial.context(sizes=sizes), inputs, f"{what}, ")
    return False


@RULES.rule(
    "each sample by itself",
    "In training, the result for a sample may depend on the other samples only through statistics of the batch, "
    "as in batch_norm. It must not depend on the number of samples or on the row of the sample.",
    after=(
        *("runs", "shapes", "gradients", "batches", "buffers", "same seed, same bytes", "one sample in training"),
        *("nothing hidden", "prediction"),
    ),
)
def each_sample(trial: Trial) -> str:
    inputs = trial.inputs(6)
    try:
        expected = _of_one_sample(trial, inputs, range(6))
        if not all(np.isfinite(array).all() for array in expected.values()):
            raise NotApplicable("its numbers are not finite")
        if _first_difference(_of_one_sample(trial, _with_others(trial, inputs), range(6)), expected):
            raise NotApplicable("it uses statistics of the batch")
        tried = {
            "alone": _of_one_sample(trial, inputs, (0,)),
            "as the first of 3": _of_one_sample(trial, inputs, (0, 1, 2)),
            "in a batch that contains everything twice": _of_one_sample(trial, inputs, (*range(6), *range(6))),
            "as the last of 6": _of_one_sample(trial, inputs, (5, 1, 2, 3, 4, 0), place=5),
        }
    except (ShapeError, DataError):
        raise NotApplicable("it refuses batches of some sizes") from None
    for what, found in tried.items():
        wrong = _first_difference(found, expected)
        if wrong:
            raise Broken(
                f"in training, {wrong[0]} of a sample differs by {wrong[1]:.3g} between a batch where it is the first "
                f"of 6 and one where it is given {what}, although it does not depend on the numbers of the other "
                "samples; at most "
                f"{EXACT:g} is expected"
            )
    return "alone, among 3, 6 and 12, first and last"


def _with_others(trial: Trial, inputs: Sequence[Array]) -> list[Array]:
    """The inputs with all samples but the first replaced."""
    pairs = zip(inputs, trial.inputs(len(inputs[0]), seed=1), strict=True)
    return [np.concatenate([x[:1], other[1:]]) for x, other in pairs]


def _of_one_sample(trial: Trial, inputs: Sequence[Array], rows: Sequence[int], place: int = 0) -> Results:
    """The output of one sample of a batch in training, and its gradients, where each sample is given the same.

    Args:
        rows: of the inputs, that make up the batch.
        place: where the sample stands in the batch.
    """
    given = [x[list(rows)] for x in inputs]
    context = trial.context()
    output = trial.forward(context, given)
    if draws(context):
        raise NotApplicable("it draws random numbers")
    if context.penalty:
        raise NotApplicable("it adds to the loss of the batch")
    gradient = np.broadcast_to(weights_for(output[:1]), output.shape).copy()
    outcome = trial.run(trial.context(), given, gradient)
    return {name: array[place] for name, array in named(outcome).items() if not is_of_parameter(name)}


def _first_difference(found: Results, expected: Results) -> tuple[str, float] | None:
    """The name of the first result that differs, and by how much."""
    for name, array in expected.items():
        distance = greatest(found[name] - array)
        if not distance <= EXACT * max(1.0, greatest(array)):
            return name, distance
    return None


@RULES.rule(
    "equal numbers",
    "Samples of zeros (such as padding), constant columns and constant samples must not give nan, neither in the "
    "output nor in the gradients: add epsilon to a norm or deviation before the root, and define the quotient 0 / "
    "0.",
    after=("runs", "shapes", "gradients", "quiet"),
)
def equal_numbers(trial: Trial) -> str:
    _require_any_numbers(trial)
    for dtype, training in itertools.product((np.float64, np.float32), (True, False)):
        usual = named(trial.run(trial.context(dtype, training), trial.inputs(dtype=dtype)))
        if any(np.isnan(array).any() for array in usual.values()):
            raise NotApplicable("it gives nan for other numbers too")
        for number in (0.0, 1.0, -1.0):
            with suppress(ShapeError, DataError):
                _check_equal_numbers(trial, dtype, training, number)
    return "0, 1 and -1 everywhere"


def _check_equal_numbers(trial: Trial, dtype: DTypeLike, training: bool, number: float) -> None:
    inputs = [np.full_like(x, number) for x in trial.inputs(dtype=dtype)]
    for name, array in results(trial, trial.context(dtype, training), inputs).items():
        if np.isnan(array).any():
            raise Broken(
                f"in {mode(training)}, {np.dtype(dtype)}, if all inputs are {number:g}, {how_many(np.isnan(array))} "
                f"of {name} are nan"
            )


@RULES.rule(
    "large batches",
    f"A batch of {ROWS} samples gives the same predictions as its pieces, and its gradients are the sum of theirs. "
    "Look for code that works in blocks, counts in small integers, or keeps the size of an earlier batch.",
    after=("runs", "shapes", "prediction", "batches", "gradients", "gradients in prediction", "writes gradients"),
)
def large_batches(trial: Trial) -> str:
    sample = max(1, *(math.prod(sizes) for sizes in trial.sizes))
    output = trial.forward(trial.context(training=False), trial.inputs(1))
    rows = max(64, min(ROWS, LARGEST // max(sample, output.size)))
    weights = weights_of(trial, "random")
    inputs = trial.inputs(rows)
    cut = rows // 3 + 1
    for training in (True, False):
        if not training or _is_per_sample(trial, weights):
            gradient = np.random.default_rng(17).standard_normal((rows, *output.shape[1:]))
            whole = _of_large_batch(trial, weights, training, inputs, gradient)
            pieces = [
                _of_piece(trial, weights, training, [x[part] for x in inputs], gradient[part])
                for part in (slice(0, cut), slice(cut, rows))
            ]
            for name, array in whole.items():
                what = f"in {mode(training)}, {name} of a batch of {rows} samples"
                _check_joined(name, array, [piece[name] for piece in pieces], what, f"{cut} and {rows - cut}")
    return f"{rows} samples against pieces of {cut} and {rows - cut}"


def _of_piece(
    trial: Trial, weights: Mapping[str, Array], training: bool, inputs: Sequence[Array], gradient: Array
) -> Results:
    return named(trial.run(trial.context(training=training, weights=weights), inputs, gradient.copy()))


def _of_large_batch(
    trial: Trial, weights: Mapping[str, Array], training: bool, inputs: Sequence[Array], gradient: Array
) -> Results:
    """The results of a batch in a context that was used for a small batch before."""
    context = trial.context(training=training, weights=weights)
    state = copies(context.state)
    trial.run(context, [x[:3] for x in inputs])
    put_back(context.state, state)  # which the pieces begin with too
    try:
        return named(trial.run(context, inputs, gradient.copy()))
    except Exception as error:
        raise Broken(f"in {mode(training)}, {len(gradient)} samples after a batch of 3: {raised(error)}") from None


def _check_joined(name: str, whole: Array, parts: Sequence[Array], what: str, cuts: str) -> None:
    """Compares a batch with its pieces: results are joined, gradients of parameters are added."""
    of_parameter = is_of_parameter(name)
    expected = sum(parts[1:], parts[0]) if of_parameter else np.concatenate(parts)
    scale = max(map(greatest, (expected, *parts)))
    distances = np.abs(whole - expected)
    distance = greatest(distances)
    if not np.isfinite(scale) or distance <= EXACT * scale:
        return
    where = ""
    if not of_parameter:
        first = int(np.argmax(distances.reshape(len(whole), -1).max(axis=1) > EXACT * scale))
        where = f", first in row {first}"
    raise Broken(
        f"{what} differs by {distance:.3g} from that of pieces of {cuts}{where}, where the greatest number is "
        f"{scale:.3g}; at most {EXACT * scale:.2g} is expected"
    )


def _is_per_sample(trial: Trial, weights: Mapping[str, Array]) -> bool:
    """Whether the layer treats each sample by itself in training too, and draws nothing."""
    inputs = trial.inputs(8)
    context = trial.context(weights=weights)
    whole = trial.forward(context, inputs).copy()
    if draws(context) or context.penalty:
        return False
    part = trial.forward(trial.context(weights=weights), [x[2:5] for x in inputs])
    return bool(np.allclose(part, whole[2:5], rtol=1e-6, atol=1e-9, equal_nan=True))


@RULES.rule(
    "other weights",
    "Training can give parameters any value. Derive backward for weights of either sign and any size, and read "
    "context.params in each pass; do not keep the first values.",
    after=("runs", "shapes", "gradients", "gradients in prediction", "leaves its inputs alone"),
)
def other_weights(trial: Trial) -> str:
    if not trial.component.parameters(*trial.sizes):
        raise NotApplicable("it has no parameters")
    worst = 0.0
    for kind, training in itertools.product(("random", "large", "negated", "small"), (True, False)):
        weights = weights_of(trial, kind)
        context = trial.context(training=training, weights=weights)
        inputs = trial.inputs()
        output = trial.forward(context, inputs)
        for name, array in weights.items():
            if not np.array_equal(context.params[name], array):
                raise Broken(
                    f"in {mode(training)}, with {kind} weights, forward writes into the parameter {name}: "
                    f"{changed(context.params[name], array)}"
                )
        # With small weights, gradients are too small for differences; and a parameter may have to be positive.
        if kind == "small" or not np.isfinite(output).all():
            continue
        context = trial.context(training=training, weights=weights)
        what = f"in {mode(training)}, with {kind} weights, "
        worst = max(worst, check_gradients(trial, context, inputs, what))
    return f"random, large and negated weights: relative error {worst:.1g}"


@RULES.rule(
    "large inputs",
    "Inputs of 36 and 360 must give finite numbers in float32 if they do in float64, and correct gradients: "
    "subtract the largest number before exp, use log1p and logaddexp, and avoid squares that are not needed.",
    after=("runs", "shapes", "gradients", "float32 as float64"),
)
def large_inputs(trial: Trial) -> str:
    _require_any_numbers(trial)
    for factor in FACTORS:
        inputs = [factor * x for x in trial.inputs()]
        found = named(trial.run(trial.context(), inputs))
        # With larger ones, units are saturated, and rounding dominates the differences.
        if factor == FACTORS[0] and all(greatest(array) < FITS for array in found.values()):
            with suppress(NotApplicable):
                check_gradients(
                    trial, trial.context(), inputs, f"with inputs times {factor:g}, ", LARGEST_ERROR_OF_LARGE
                )
        for training in (True, False):
            compare_dtypes(trial, Setting("initial", training, factor))
    return f"times {' and '.join(f'{factor:g}' for factor in FACTORS)}"


@RULES.rule(
    "promises",
    "Losses are refused because of these promises, so they must be true. output_range is the lowest and the "
    "highest number that the output can have. normalizes = True: each last axis is normalised, as by softmax. "
    "keeps_numbers = True: the output contains only numbers of the input.",
    after=("runs", "shapes", "prediction"),
)
def promises(trial: Trial) -> str:
    layer = trial.component
    if not (layer.output_range or layer.normalizes or layer.keeps_numbers):
        raise NotApplicable("it makes no promise about its numbers")
    factors = (1.0, *FACTORS) if trial.given is None else (1.0,)
    for kind, factor in itertools.product(("initial", "random"), factors):
        inputs = times(factor, trial.inputs())
        context = trial.context(training=False, weights=weights_of(trial, kind))
        output = trial.forward(context, inputs)
        if np.isfinite(output).all():  # another rule tests large numbers
            _check_promises(layer, inputs, output, f"weights {kind}, inputs times {factor:g}: ")
    return "the output is as promised"


def _check_promises(layer: Layer, inputs: Sequence[Array], output: Array, what: str) -> None:
    if layer.output_range and output.size:
        _check_range(layer.output_range, output, what)
    if layer.normalizes and not _is_normalised(output):
        sums = output.sum(axis=-1)
        raise Broken(
            f"{what}sums along the last axis range from {sums.min():.6g} to {sums.max():.6g}, although normalizes "
            "= True"
        )
    if layer.keeps_numbers:
        foreign = ~np.isin(output, np.concatenate([x.ravel() for x in inputs]))
        if foreign.any():
            raise Broken(f"{what}{how_many(foreign)} of the output do not occur in the input")


def _check_range(promised: tuple[float, float], output: Array, what: str) -> None:
    low, high = promised
    least, greatest_found = float(output.min()), float(output.max())
    if least < low - PROMISED * max(1.0, abs(low)) or greatest_found > high + PROMISED * max(1.0, abs(high)):
        raise Broken(
            f"{what}the output has numbers from {least:.6g} to {greatest_found:.6g}; output_range says {low:g} to "
            f"{high:g}"
        )


def _is_normalised(output: Array) -> bool:
    """Whether a total is the same for each last axis: of numbers, magnitudes, squares or exponentials."""
    if output.ndim < 2 or not output.size:
        return True
    totals = (f(output).sum(axis=-1) for f in (np.asarray, np.abs, np.square, np.exp))
    return any(np.ptp(total) <= PROMISED * max(1.0, greatest(total)) for total in totals)

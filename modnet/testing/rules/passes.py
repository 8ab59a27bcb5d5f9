"""What a layer's passes compute, and what they must not change: gradients, inputs, random numbers, state, memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import DataError, ShapeError
from modnet.kinds.context import Context
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.gradients import LARGEST_ERROR, directional_slopes
from modnet.testing.rules.allocation import allocated, most_allocated, tracing
from modnet.testing.rules.component import GlobalNumbers, NoOtherGenerators, changed, same, same_bytes, warnings_raised
from modnet.testing.rules.layer import (
    BATCH,
    LARGE,
    Outcome,
    Trial,
    copies,
    ending_mask,
    fixed,
    put_back,
    same_gradients,
    same_outcome,
    sequence_sizes,
    shapes_taken,
    sized,
    text,
    times,
    weights_for,
)

RULES = Rules()


@RULES.rule(
    "gradients",
    "Derive backward from forward again. In training, return the gradient of every input, and write the gradient "
    "of every parameter into context.grads[name].",
    after=("runs", "shapes"),
)
def gradients(trial: Trial) -> str:
    error = check_gradients(trial, trial.context(), trial.inputs())
    return f"relative error {error:.1g}"


@RULES.rule(
    "gradients in prediction",
    "backward must match what forward does if context.training is False: a frozen layer runs in this way during "
    "training.",
    after=("runs", "shapes", "gradients"),
)
def gradients_in_prediction(trial: Trial) -> str:
    error = check_gradients(trial, trial.context(training=False), trial.inputs())
    return f"relative error {error:.1g}"


@RULES.rule(
    "gradients with a mask",
    "backward must match what forward does with context.masks: steps after the end of a sequence get a gradient "
    "only if forward uses them.",
    after=("runs", "shapes", "gradients", "gradients in prediction"),
)
def gradients_with_a_mask(trial: Trial) -> str:
    sizes = sequence_sizes(trial)
    masks = [ending_mask(sizes) for _ in sizes]
    error = check_gradients(trial, trial.context(sizes=sizes, masks=masks), trial.inputs(sizes=sizes))
    return f"relative error {error:.1g}"


def check_gradients(
    trial: Trial, context: Context, inputs: Sequence[Array], what: str = "", largest_error: float = LARGEST_ERROR
) -> float:
    """The greatest error of a gradient in a context, of float64.

    Raises:
        Broken: one is wrong; the message begins with `what`.
    """
    if not trial.component.differentiable:
        raise NotApplicable("it has no gradients (differentiable = False)")
    if not trial.component.true_gradient:
        raise NotApplicable("its gradients are deliberately not the derivatives of its output (true_gradient = False)")
    first = copies(context.state)
    outcome = trial.run(context, inputs)
    weights = weights_for(outcome.output)

    def functional() -> float:
        put_back(context.state, first)
        return float(np.vdot(weights, trial.forward(context, inputs))) + context.penalty

    slopes = directional_slopes(functional, _claims(trial, context, inputs, outcome), np.random.default_rng(0))
    if not slopes:
        raise NotApplicable("it has no parameters, and its inputs are not numbers but ids")
    wrong = {name: slope for name, slope in slopes.items() if not slope.error <= largest_error}
    if wrong:
        texts = [f"{name}: {slope}{_unwritten(outcome, name)}" for name, slope in wrong.items()]
        raise Broken(f"{what}{'; '.join(texts)}; at most {largest_error:g} is expected")
    return max(slope.error for slope in slopes.values())


def _claims(
    trial: Trial, context: Context, inputs: Sequence[Array], outcome: Outcome
) -> dict[str, tuple[Array, Array]]:
    """Name -> an input of numbers, or a parameter that is trained, and the gradient that backward gives for it."""
    claims: dict[str, tuple[Array, Array]] = {}
    for number, (x, gradient) in enumerate(zip(inputs, outcome.inputs, strict=True)):
        if x.dtype.kind == "f" and gradient is not None:
            claims["input" if len(inputs) == 1 else f"input {number + 1}"] = x, gradient
    return claims | {name: (context.params[name], outcome.parameters[name]) for name in trial.trained()}


def _unwritten(outcome: Outcome, name: str) -> str:
    gradient = outcome.parameters.get(name)
    return " (the gradient is zero: was it written?)" if gradient is not None and not gradient.any() else ""


@RULES.rule(
    "writes gradients",
    "Overwrite the gradient of every parameter, np.add.reduce(..., out=context.grads[name]), instead of adding to "
    "it with +=. If parameters are shared, the network adds up their gradients.",
    after=("runs", "gradients"),
)
def writes_gradients(trial: Trial) -> str:
    if not trial.component.parameters(*trial.sizes):
        raise NotApplicable("it has no parameters")
    found = []
    for fill in (0.0, 7.0):
        context = trial.context()
        for gradient in context.grads.values():
            gradient.fill(fill)
        found.append(trial.run(context, trial.inputs()).parameters)
    for name in trial.trained():
        same(found[1][name], found[0][name], f"the gradient of {name} if its array contained 7, compared with 0")
    return f"{len(found[0])} parameters"


@RULES.rule(
    "needs_input_gradient",
    "If context.needs_input_gradient is False, only the gradient of the input may be left out.",
    after=("runs",),
)
def needs_input_gradient(trial: Trial) -> str:
    expected = trial.run(trial.context(), trial.inputs())
    context = trial.context()
    context.needs_input_gradient = False
    found = trial.run(context, trial.inputs())
    for name in trial.trained():
        same(
            found.parameters[name],
            expected.parameters[name],
            f"the gradient of {name} if that of the input is not needed",
        )
    return "left out" if all(gradient is None for gradient in found.inputs) else "computed nevertheless"


@RULES.rule(
    "leaves its inputs alone",
    "Do not write into inputs, masks and parameters: write into context.buffer(shape) instead.",
    after=("runs",),
)
def leaves_inputs_alone(trial: Trial) -> str:
    for training in (True, False):
        context, inputs = trial.context(training=training), trial.inputs()
        kept = [x.copy() for x in inputs]
        parameters = copies(context.params)
        output = trial.forward(context, inputs, copy=False)
        weights = weights_for(output)
        for when in ("forward", "backward"):
            if when == "backward":
                trial.backward(context, weights)
            for number, (x, before) in enumerate(zip(inputs, kept, strict=True)):
                if not np.array_equal(x, before):
                    raise Broken(f"{when} writes into input {number + 1}: {changed(x, before)}")
            _hold_unchanged(context.params, parameters, when + " writes into the parameter {}")
    return ""


def _hold_unchanged(arrays: Mapping[str, Array], before: Mapping[str, Array], fault: str) -> None:
    """Raises Broken if an array has changed; `fault` is the message, with {} for the name."""
    for name, array in arrays.items():
        if not np.array_equal(array, before[name]):
            raise Broken(f"{fault.format(name)}: {changed(array, before[name])}")


@RULES.rule(
    "gives arrays of its own",
    "The network adds to the gradient of an input, and overwrites it. Return an array from context.buffer, or the "
    "gradient that backward received; never an input, a parameter, a parameter's gradient, or overlapping views.",
    after=("runs",),
)
def own_arrays(trial: Trial) -> str:
    context, inputs = trial.context(), trial.inputs()
    results = trial.backward(context, weights_for(trial.forward(context, inputs, copy=False)))
    others = _of_others(context, inputs)
    given = {number: result for number, result in enumerate(results, 1) if result is not None}
    for number, result in given.items():
        for name, array in others.items():
            if np.shares_memory(result, array):
                raise Broken(f"the gradient of input {number} shares memory with {name}")
        if not _is_writable(result):
            raise Broken(
                f"the gradient of input {number} is not writable element by element (read-only, or a broadcast array)"
            )
        _check_overlaps(number, given)
    return ""


def _of_others(context: Context, inputs: Sequence[Array]) -> dict[str, Array]:
    """The arrays that a layer is given and does not own."""
    return {
        **{f"input {number}": x for number, x in enumerate(inputs, 1)},
        **{f"the parameter {name}": array for name, array in context.params.items()},
        **{f"the gradient of {name}": array for name, array in context.grads.items()},
        **{f"the state {name}": array for name, array in context.state.items()},
    }


def _check_overlaps(number: int, gradients: Mapping[int, Array]) -> None:
    """Compares the memory of one input's gradient with that of later ones; the same array may serve several inputs."""
    gradient = gradients[number]
    for later, other in gradients.items():
        if later > number and other is not gradient and np.shares_memory(gradient, other):
            raise Broken(f"the gradients of inputs {number} and {later} share memory")


def _is_writable(array: Array) -> bool:
    """Whether each element can be written separately; in a broadcast array several elements share memory."""
    broadcast = array.size > 1 and 0 in array.strides and 1 not in array.shape
    return array.flags.writeable and not broadcast


@RULES.rule(
    "scratch_output",
    "backward reads the output again, or the output is an array that does not belong to the layer. Leave "
    "scratch_output at False, or compute the output into a context.buffer that backward does not read.",
    after=("runs",),
)
def scratch_output(trial: Trial) -> str:
    if not trial.component.scratch_output:
        raise NotApplicable("it does not promise this")
    for training in (True, False):
        expected = trial.run(trial.context(training=training), trial.inputs())
        context, inputs = trial.context(training=training), trial.inputs()
        output = trial.forward(context, inputs, copy=False)
        others = {**context.params, **context.state, **{f"input {i + 1}": x for i, x in enumerate(inputs)}}
        for name, array in others.items():
            if np.shares_memory(output, array):
                raise Broken(f"the output shares memory with {name}")
        weights = weights_for(output)
        output.fill(np.nan)
        results = trial.backward(context, weights)
        found = Outcome(expected.output, list(results), dict(context.grads))
        same_gradients(found, expected, "after the next layer has overwritten the output")
    return "overwritten with nan before backward"


@RULES.rule(
    "prediction",
    "If context.training is False, draw nothing from context.rng and only read context.state. This holds for "
    "backward too: a frozen layer runs in this way during training.",
    after=("runs",),
)
def prediction(trial: Trial) -> str:
    context, inputs = trial.context(training=False), trial.inputs()
    state = copies(context.state)
    outputs = []
    for seed in (0, 1, 1):
        drawn = np.random.default_rng(seed).bit_generator.state
        outputs.append(trial.forward(context, inputs, seed).copy())
        if context.rng.bit_generator.state != drawn:
            raise Broken(f"it draws random numbers in the prediction of {BATCH} samples")
        _hold_unchanged(context.state, state, "it writes into its state {} in prediction")
    for output in outputs[1:]:
        same_bytes(output, outputs[0], "the same prediction, repeated")
    trial.backward(context, weights_for(outputs[0]))
    _hold_unchanged(context.state, state, "backward writes into its state {} in prediction")
    return ""


@RULES.rule(
    "same seed, same bytes",
    "Draw all random numbers from context.rng: no np.random functions and no other generator. Do not use the time "
    "or id().",
    after=("runs", "prediction"),
)
def same_seed(trial: Trial) -> str:
    outcomes = []
    for seed in (1, 2):
        context = trial.context()
        with GlobalNumbers(seed), NoOtherGenerators():
            outcomes.append(trial.run(context, trial.inputs()))
    first, second = outcomes
    same_bytes(second.output, first.output, "two training passes with the same seed, the output")
    for number, (gradient, other) in enumerate(zip(second.inputs, first.inputs, strict=True)):
        if gradient is not None and other is not None:
            same_bytes(gradient, other, f"two training passes with the same seed, the gradient of input {number + 1}")
    for name, gradient in second.parameters.items():
        same_bytes(gradient, first.parameters[name], f"two training passes with the same seed, the gradient of {name}")
    return ""


@RULES.rule(
    "masks",
    "context.masks[i] is None or a bool array (batch, time). A mask that is True everywhere changes nothing. Do "
    "not write into masks. If the layer has makes_mask = True, set context.output_mask to a new bool array "
    "(batch, time).",
    after=("runs",),
)
def masks(trial: Trial) -> str:
    sizes = sequence_sizes(trial)
    for training in (True, False):
        _check_whole_masks(trial, sizes, training)
        _check_ending_masks(trial, sizes, training)
    _check_without_masks(trial, sizes)
    return f"samples of shape {text(sizes)}"


def _check_whole_masks(trial: Trial, sizes: tuple[tuple[int, ...], ...], training: bool) -> None:
    inputs = trial.inputs(sizes=sizes)
    whole = [np.ones((BATCH, sizes[0][0]), bool) for _ in sizes]
    expected = trial.run(trial.context(sizes=sizes, training=training), inputs)
    found = trial.run(trial.context(sizes=sizes, training=training, masks=whole), inputs)
    same_outcome(found, expected, "with a mask that is True everywhere")


def _check_ending_masks(trial: Trial, sizes: tuple[tuple[int, ...], ...], training: bool) -> None:
    ending = [ending_mask(sizes) for _ in sizes]
    context = trial.context(sizes=sizes, training=training, masks=ending)
    output = trial.run(context, trial.inputs(sizes=sizes)).output
    for mask in ending:
        if not np.array_equal(mask, ending_mask(sizes)):
            raise Broken(f"it writes into its mask: {changed(mask, ending_mask(sizes))}")
    _check_mask(context.output_mask, output)
    if not np.isfinite(output).all():
        raise Broken("with a mask in which a sequence has no step, the output has nan or inf")


def _check_without_masks(trial: Trial, sizes: tuple[tuple[int, ...], ...]) -> None:
    makes_mask = trial.component.makes_mask
    context = trial.context(sizes=sizes)
    output = trial.run(context, trial.inputs(sizes=sizes)).output
    _check_mask(context.output_mask, output)
    if context.output_mask is not None and not makes_mask:
        raise Broken(
            f"without a mask it sets context.output_mask, of shape {context.output_mask.shape}, and does not say "
            "makes_mask, so that nobody sees it"
        )
    if makes_mask and context.output_mask is None:
        raise Broken("it says makes_mask and leaves context.output_mask at None")


def _check_mask(mask: Any, output: Array) -> None:
    if mask is None:
        return
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.ndim != 2 or len(mask) != len(output):
        found = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else f"a {type(mask).__name__}"
        raise Broken(f"context.output_mask is {found}, expected bool (batch, time)")


@RULES.rule(
    "strides",
    "Inputs and gradients may have any memory layout: use reshape, do not set .shape, do not use .view, and do "
    "not rely on contiguous arrays.",
    after=("runs",),
)
def strides(trial: Trial) -> str:
    inputs = trial.inputs()
    expected = trial.run(trial.context(), inputs)
    weights = weights_for(expected.output)
    for name, turned in (("every other row", _spread), ("reversed rows", _reversed), ("Fortran order", _fortran)):
        try:
            found = trial.run(trial.context(), [turned(x) for x in inputs], turned(weights), copy=False)
        except Exception as error:
            raise Broken(f"{name}: {raised(error)}") from None
        same_outcome(found, expected, name)
    return "every other row, reversed, Fortran order"


def _spread(x: Array) -> Array:
    return np.repeat(x, 2, axis=0)[::2]


def _reversed(x: Array) -> Array:
    return x[::-1].copy()[::-1]


def _fortran(x: Array) -> Array:
    return np.array(x, order="F")


@RULES.rule(
    "batches",
    "The prediction for a sample must not depend on its batch. Batches of 0 and 1 samples, and a smaller batch "
    "after a larger one, must work: take sizes from x.shape, and do not divide by the size of an empty batch.",
    after=("runs", "shapes", "prediction", "leaves its inputs alone", "writes gradients"),
)
def batches(trial: Trial) -> str:
    for shapes in shapes_taken(trial):
        _check_parts(trial, sized(shapes, 3))
    context = trial.context()
    trial.run(context, trial.inputs(8))
    for size in (3, 1, 0, 8):
        _check_smaller(trial, context, size)
    return "0, 1, 3, 8 samples"


def _check_parts(trial: Trial, sizes: tuple[tuple[int, ...], ...]) -> None:
    inputs = trial.inputs(8, sizes=sizes)
    context = trial.context(training=False, sizes=sizes)
    try:
        whole = trial.forward(context, inputs).copy()
    except ShapeError:  # as in "shapes"
        return
    for rows in (slice(0, 5), slice(5, 8), slice(7, 8), slice(0, 0), slice(0, 8)):
        what = f"{text(sizes)}, predicting {rows.stop - rows.start} of 8 samples"
        try:
            found = trial.forward(context, [x[rows] for x in inputs]).copy()
        except Exception as error:
            raise Broken(f"{what}: {raised(error)}") from None
        same(found, whole[rows], f"{what} compared with all 8")


def _check_smaller(trial: Trial, context: Context, size: int) -> None:
    """Trains with some of the samples in a context that has had 8 of them."""
    what = f"training with {size} samples after 8"
    few = [x[:size] for x in trial.inputs(8)]
    fresh = trial.context()
    put_back(context.state, fresh.state)
    try:
        found = trial.run(context, few)
    except (ShapeError, DataError) as error:
        if size == 1:  # which has no spread, for example
            return
        raise Broken(f"{what}: {raised(error)}") from None
    except Exception as error:
        raise Broken(f"{what}: {raised(error)}") from None
    if size:
        same_outcome(found, trial.run(fresh, few), f"{what}, compared with a new context")
        return
    written = [name for name, gradient in found.parameters.items() if gradient.any()]
    if written and not context.penalty:  # what is added to the loss has a gradient without samples too
        raise Broken(f"for a batch of 0 samples the gradient of {written[0]} is not 0")


@RULES.rule(
    "streams",
    "If a sequence comes in pieces, with context.memory kept between them, the outputs must be the pieces of the "
    "whole output. Keep the past in context.memory and do not read later steps, or leave streams at False.",
    after=("runs", "shapes", "batches"),
)
def streams(trial: Trial) -> str:
    if not trial.component.streams:
        raise NotApplicable("it does not promise this")
    sizes = sequence_sizes(trial)
    inputs = trial.inputs(sizes=sizes)
    whole = trial.forward(trial.context(sizes=sizes, training=False), inputs).copy()
    steps = sizes[0][0]
    for cuts in ((2,), (1, steps - 1), tuple(range(1, steps))):
        context = trial.context(sizes=sizes, training=False)
        context.memory = {}
        pieces = [
            trial.forward(context, [x[:, start:end] for x in inputs]).copy()
            for start, end in zip((0, *cuts), (*cuts, steps), strict=True)
        ]
        try:
            found = np.concatenate(pieces, axis=1)
        except ValueError as error:
            raise Broken(
                f"pieces of shapes {[piece.shape for piece in pieces]} cannot be put together: {error}"
            ) from None
        same(found, whole, f"in {len(pieces)} pieces, compared with the whole")
    return f"{steps} steps in 2 to {steps} pieces"


@RULES.rule(
    "buffers",
    "A buffer is uninitialised in every pass. Keep what must last in context.state, or, for streams, in "
    "context.memory.",
    after=("runs", "prediction", "leaves its inputs alone", "writes gradients", "same seed, same bytes"),
)
def buffers(trial: Trial) -> str:
    storage: list[Array]
    for training in (True, False):
        storage = []
        context, inputs = trial.context(training=training, storage=storage), trial.inputs()
        state = copies(context.state)
        expected = trial.run(context, inputs)
        for byte in (0xFF, 0x00):
            put_back(context.state, state)
            for array in storage:
                array.fill(byte)
            found = trial.run(context, inputs)
            same_outcome(found, expected, f"after the buffers were filled with bytes {byte:#x}")
    return f"{len(storage)} buffers"


@RULES.rule(
    "nothing hidden",
    "Other networks and threads use the same component. Pass what backward needs from forward with context.save; "
    "do not keep it on self, on the class or in the module.",
    after=("runs", "same seed, same bytes"),
)
def nothing_hidden(trial: Trial) -> str:
    expected = [trial.run(trial.context(seed=seed), trial.inputs(seed=seed)) for seed in (0, 1)]
    contexts = [trial.context(seed=seed) for seed in (0, 1)]
    inputs = [trial.inputs(seed=seed) for seed in (0, 1)]
    outputs = [trial.forward(context, x) for context, x in zip(contexts, inputs, strict=True)]
    kept = [output.copy() for output in outputs]
    weights = [weights_for(output) for output in outputs]
    results = [trial.backward(context, gradient) for context, gradient in zip(contexts, weights, strict=True)]
    for number in (0, 1):
        found = Outcome(kept[number], list(results[number]), dict(contexts[number].grads))
        same_outcome(found, expected[number], "two contexts: forward, forward, backward, backward")
    return "two contexts in turn"


@RULES.rule(
    "quiet",
    "numpy must not warn, also for batches of 0 and 1: protect divisions and logarithms, and clip the argument of exp.",
    after=("runs", "batches"),
)
def quiet(trial: Trial) -> str:
    factors = sorted({trial.factor(factor) for factor in (1, 0, 100)})
    with warnings_raised():
        for training, batch, factor in itertools.product((True, False), (BATCH, 1, 0), factors):
            try:
                trial.run(trial.context(training=training), times(factor, trial.inputs(batch)))
            except (ShapeError, DataError):
                if not training or batch != 1:
                    raise
            except (Warning, FloatingPointError) as error:
                size = f"{batch} samples" + ("" if factor == 1 else f", numbers times {factor}")
                raise Broken(f"{'training' if training else 'prediction'} with {size}: {raised(error)}") from None
    return "batches of 0, 1, 4; zeros; numbers up to 360"


@RULES.rule(
    "memory",
    "After the first step, do not allocate arrays as large as the batch, and keep none: take arrays from "
    "context.buffer(shape), and pass out= to numpy functions.",
    after=("runs", "prediction", "nothing hidden"),
)
def memory(trial: Trial) -> str:
    if trial.component.allocates:
        raise NotApplicable("it declares that it allocates in every pass (allocates = True)")
    shapes = wide(trial)
    sample = max(math.prod(sizes) for sizes in (*shapes, fixed(trial.component.output_shape(*shapes))))
    batch = max(8, math.ceil(LARGE / 8 / max(1, sample)))
    largest = batch * sample * 8
    with tracing():
        worst = max(_most_of_a_pass(trial, training, shapes, batch, largest) for training in (True, False))
    if worst > 0.9 * largest:
        raise Broken(f"a pass allocates {worst / 2**20:.2f} MiB, {worst / largest:.1f} times an array of the batch")
    return f"at most {worst / largest:.2f} of an array of the batch ({largest / 2**20:.1f} MiB)"


def _most_of_a_pass(trial: Trial, training: bool, sizes: tuple[tuple[int, ...], ...], batch: int, largest: int) -> int:
    """Bytes that three passes after the first two allocate at once.

    Args:
        largest: the bytes of an array of the batch, of which the passes may keep a quarter.
    """
    context, inputs = trial.context(training=training, sizes=sizes), trial.inputs(batch, sizes=sizes)
    weights = weights_for(trial.forward(context, inputs))
    gradient = weights.copy()

    def passes() -> None:
        gradient[...] = weights  # backward writes into what it is given
        trial.forward(context, inputs, copy=False)
        trial.backward(context, gradient)

    for _ in range(2):
        passes()
    before = allocated()
    worst = max(most_allocated(passes, before) for _ in range(3))
    kept = allocated() - before
    if kept > largest // 4:
        raise Broken(f"three passes keep an additional {kept / 2**20:.2f} MiB; a batch is {largest / 2**20:.2f} MiB")
    return worst


def wide(trial: Trial) -> tuple[tuple[int, ...], ...]:
    """The sizes with a last axis of 16 or more, where the layer takes that: a mean over few numbers is nearly as large
    as they are.
    """
    shapes = tuple(fixed((*sizes[:-1], max(16, sizes[-1] or 0))) if sizes else () for sizes in trial.sizes)
    try:
        trial.component.output_shape(*shapes)
        trial.component.parameters(*shapes)
        trial.run(trial.context(sizes=shapes), trial.inputs(sizes=shapes))
    except Exception:
        return tuple(map(fixed, trial.sizes))
    return shapes

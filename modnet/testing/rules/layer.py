"""The contract of a layer, by itself: one context, or several, and no network."""

from __future__ import annotations

import math
import tracemalloc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array, Shape, common_mask
from modnet.errors import DataError, ShapeError
from modnet.kinds.activation import Activation
from modnet.kinds.component import Example
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer, Parameter, State
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.gradients import LARGEST_ERROR, directional_slopes, layer_context, layer_inputs
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import GlobalNumbers, NoOtherGenerators, changed, same, same_bytes

RULES = Rules()

BATCH = 4
LENGTHS = (7, 5, 3)
"""Of a sequence that is given in pieces, or has a mask: the first that the layer takes."""

ODD_SHAPES: tuple[Shape, ...] = (
    (),
    (3,),
    (4, 3),
    (5, 4, 3),
    (2, 3, 4, 5),
    (None,),
    (None, 3),
    (None, None, 3),
    (3, None),
)
"""Shapes on which a layer may say no, but may not fail."""

LARGE = 1 << 20
"""Bytes of the arrays that are large enough to be seen when they are allocated anew."""


HUGE = 1 << 22
"""An axis; an array along it has at least 4 MiB."""


@dataclass
class Outcome:
    """A forward pass and the backward pass after it, in copies."""

    output: Array
    inputs: list[Array | None]
    parameters: dict[str, Array]


class Trial(of_component.Trial):
    """A layer on shapes of one sample; a variable axis gets the size 3."""

    component: Layer

    def __init__(self, example: Example) -> None:
        super().__init__(example)
        self.sizes = sized(self.shapes, 3) if self.given is None else self.given.shapes

    def context(
        self,
        dtype: DTypeLike = np.float64,
        training: bool = True,
        seed: int = 0,
        sizes: Sequence[Shape] | None = None,
        masks: Sequence[Array | None] | None = None,
        storage: list[Array] | None = None,
        weights: Mapping[str, Array] | None = None,
    ) -> Context:
        """A context of a node in which the layer stands alone; gradients are zero.

        Args:
            weights: the parameters; by default the initial ones, shifted a little.
        """
        sizes = self.sizes if sizes is None else sizes
        made = layer_context(self.component, *sizes, dtype=dtype, training=training, seed=seed)
        context = Context(dtype, made.params, made.grads, made.state, made.rng, training, storage=storage)
        context.masks = (None,) * len(sizes) if masks is None else tuple(masks)
        for gradient in context.grads.values():
            gradient.fill(0)
        for name, array in (weights or {}).items():
            context.params[name][...] = array
        return context

    def inputs(
        self, batch: int = BATCH, dtype: DTypeLike = np.float64, seed: int = 0, sizes: Sequence[Shape] | None = None
    ) -> list[Array]:
        shapes = self.sizes if sizes is None else sizes
        if self.given is not None:
            return self.given.inputs(shapes, batch, dtype, seed, self.component.integer_input)
        return layer_inputs(self.component, *shapes, batch=batch, dtype=dtype, seed=seed)

    def factor(self, factor: int) -> int:
        """What inputs may be multiplied by: data of the author's own would mean something else."""
        return factor if self.given is None else 1

    def forward(self, context: Context, inputs: Sequence[Array], seed: int = 0, *, copy: bool = True) -> Array:
        """The output. The layer gets copies of the inputs, so that one that writes into them fails one rule only."""
        context.rng = np.random.default_rng(seed)
        context.penalty = 0.0
        context.begin()
        context.output_mask = common_mask(context.masks)
        output: Array = self.component.forward(context, *((x.copy() for x in inputs) if copy else inputs))
        return output

    def backward(self, context: Context, gradient: Any) -> tuple[Any, ...]:
        result = self.component.backward(context, gradient)
        return result if isinstance(result, tuple) else (result,)

    def frozen(self) -> set[str]:
        """The names of the parameters that are never trained."""
        declared = self.component.parameters(*self.sizes)
        return {name for name, parameter in declared.items() if not parameter.trainable}

    def run(
        self, context: Context, inputs: Sequence[Array], gradient: Array | None = None, *, copy: bool = True
    ) -> Outcome:
        """Both passes."""
        output = self.forward(context, inputs, copy=copy).copy()
        results = self.backward(context, weights_for(output) if gradient is None else gradient)
        return Outcome(
            output,
            [None if result is None else result.copy() for result in results],
            {name: array.copy() for name, array in context.grads.items()},
        )


def text(shapes: Sequence[Shape]) -> str:
    return " and ".join(map(str, shapes))


def sized(shapes: Sequence[Shape], size: int) -> tuple[tuple[int, ...], ...]:
    """The shapes with that size for variable axes."""
    return tuple(tuple(size if axis is None else axis for axis in shape) for shape in shapes)


def weights_for(output: Array) -> Array:
    """A gradient to begin with: the weights of a linear functional of the output."""
    return np.random.default_rng(7).standard_normal(output.shape).astype(output.dtype)


def same_outcome(found: Outcome, expected: Outcome, what: str, tolerance: float = 1e-9) -> None:
    same(found.output, expected.output, f"{what}, the output", tolerance)
    same_gradients(found, expected, what, tolerance)


def same_gradients(found: Outcome, expected: Outcome, what: str, tolerance: float = 1e-9) -> None:
    for number, (gradient, other) in enumerate(zip(found.inputs, expected.inputs, strict=True)):
        if gradient is not None and other is not None:
            same(gradient, other, f"{what}, the gradient of input {number + 1}", tolerance)
    for name, gradient in found.parameters.items():
        same(gradient, expected.parameters[name], f"{what}, the gradient of {name}", tolerance)


@RULES.rule(
    "declarations",
    "parameters and state return name -> Parameter(shape, initializer) and State(shape), the same for the same shapes; "
    "multiply_adds a whole number.",
)
def declarations(trial: Trial) -> str:
    layer = trial.component
    parameters, state = layer.parameters(*trial.shapes), layer.state(*trial.shapes)
    for declared, kind in ((parameters, Parameter), (state, State)):
        if not isinstance(declared, Mapping):
            raise Broken(f"expected a mapping from name to {kind.__name__}, found a {type(declared).__name__}")
        for name, item in declared.items():
            if not isinstance(item, kind) or not all(isinstance(size, int) and size >= 0 for size in item.shape):
                raise Broken(f"{name}: expected a {kind.__name__} with a fixed shape, found {item!r}")
    if parameters != layer.parameters(*trial.shapes) or state != layer.state(*trial.shapes):
        raise Broken("a second call says something else than the first")
    count = layer.multiply_adds(*trial.shapes)
    if not isinstance(count, int) or count < 0:
        raise Broken(f"multiply_adds gives {count!r}, expected a whole number")
    return f"{len(parameters)} parameters, {len(state)} arrays of state"


@RULES.rule(
    "refusals",
    'A shape that the layer cannot take is refused by output_shape or parameters: raise ShapeError("expects ...", '
    "hint).",
    after=("declarations",),
)
def refusals(trial: Trial) -> str:
    layer = trial.component
    taken = 0
    for shape in ODD_SHAPES:
        shapes = (shape,) * len(trial.shapes)
        try:
            found = layer.output_shape(*shapes)
            layer.parameters(*shapes)
            layer.state(*shapes)
        except ShapeError as error:
            if not error.message.startswith("expects "):
                raise Broken(f'{shape}: the ShapeError begins "{error.message[:40]}", not "expects "') from None
            continue
        except Exception as error:
            raise Broken(f"{shape}: {raised(error)}") from None
        if not isinstance(found, tuple) or not all(size is None or isinstance(size, int) for size in found):
            raise Broken(f"{shape}: output_shape gives {found!r}, expected a tuple of sizes")
        taken += 1
    return f"{len(ODD_SHAPES) - taken} of {len(ODD_SHAPES)} shapes refused"


@RULES.rule(
    "needs_input",
    "derivative(x, y, out) reads x: leave needs_input at True, or give the derivative by y alone.",
)
def needs_input(trial: Trial) -> str:
    layer = trial.component
    if not isinstance(layer, Activation) or layer.needs_input:
        raise NotApplicable("it promises nothing")
    if not layer.elementwise:
        raise NotApplicable("it is not element by element; see overwrites its input")
    (x,) = trial.inputs()
    y = layer.function(x, np.empty_like(x))
    expected = layer.derivative(x, y, np.empty_like(y)).copy()
    try:
        found = layer.derivative(np.full_like(x, np.nan), y, np.empty_like(y)).copy()
        # The engine gives no x at all.
        layer.derivative(None, y, np.empty_like(y))  # type: ignore[arg-type]
    except Exception as error:
        raise Broken(f"without x derivative raises {raised(error)}") from None
    same_bytes(found, expected, "the derivative with another x and the same y")
    return ""


@RULES.rule(
    "runs",
    "forward gives an array; backward one gradient, or a tuple with one for each input (none for ids).",
    after=("declarations", "needs_input"),
)
def runs(trial: Trial) -> str:
    for training in (True, False):
        mode = "training" if training else "prediction"
        context, inputs = trial.context(training=training), trial.inputs()
        try:
            output = trial.forward(context, inputs)
            if not isinstance(output, np.ndarray):
                raise Broken(f"in {mode}, forward gives a {type(output).__name__}")
            results = trial.backward(context, weights_for(output))
        except Broken:
            raise
        except Exception as error:
            raise Broken(f"in {mode}: {raised(error)}") from None
        if len(results) != len(inputs):
            raise Broken(f"in {mode}, backward gives {len(results)} gradients for {len(inputs)} inputs")
        for number, (x, result) in enumerate(zip(inputs, results, strict=True)):
            if x.dtype.kind == "f" and not isinstance(result, np.ndarray):
                raise Broken(f"in {mode}, backward gives {result!r} for input {number + 1}, which needs a gradient")
    return ""


@RULES.rule(
    "shapes",
    "forward gives (batch, *output_shape(...)), also where an axis is variable (None), and backward the shape of each "
    "input.",
    after=("runs",),
)
def shapes(trial: Trial) -> str:
    tried = 0
    for shapes in shapes_taken(trial):
        for time in (3, 5):
            sizes = sized(shapes, time)
            announced = trial.component.output_shape(*sizes)
            general = trial.component.output_shape(*shapes)
            if len(general) != len(announced) or any(
                g not in (None, a) for g, a in zip(general, announced, strict=True)
            ):
                raise Broken(f"output_shape says {general} for {text(shapes)} and {announced} for {text(sizes)}")
            context, inputs = trial.context(sizes=sizes), trial.inputs(sizes=sizes)
            try:
                outcome = trial.run(context, inputs)
            except ShapeError as error:
                if shapes != sizes:
                    break  # it has a greatest size, which no shape with a variable axis can say
                raise Broken(f"{text(sizes)} is accepted by output_shape and refused by forward: {error}") from None
            except Exception as error:
                raise Broken(f"{text(sizes)} is accepted by output_shape and then {raised(error)}") from None
            if outcome.output.shape != (BATCH, *announced):
                raise Broken(f"for {text(sizes)} it announces {(BATCH, *announced)} and gives {outcome.output.shape}")
            for x, gradient in zip(inputs, outcome.inputs, strict=True):
                if gradient is not None and gradient.shape != x.shape:
                    raise Broken(f"it gives a gradient of shape {gradient.shape} for an input of shape {x.shape}")
            tried += 1
            if shapes == sizes:
                break
    return f"{tried} shapes"


def shapes_taken(trial: Trial) -> Iterator[tuple[Shape, ...]]:
    """The shapes of the trial, with the first axis variable, and of `ODD_SHAPES` those that the layer accepts."""
    yield trial.shapes
    if trial.given is not None:
        return  # data of its own have one shape
    candidates = [tuple((None, *shape[1:]) for shape in trial.shapes)] if all(trial.shapes) else []
    candidates += [(shape,) * len(trial.shapes) for shape in ODD_SHAPES]
    for shapes in candidates:
        if is_taken(trial, shapes):
            yield shapes


def is_taken(trial: Trial, shapes: Sequence[Shape]) -> bool:
    """Whether the layer says nothing against shapes of one sample."""
    try:
        trial.component.output_shape(*shapes)
        trial.component.parameters(*shapes)
        trial.component.state(*shapes)
    except Exception:
        return False
    return True


@RULES.rule(
    "shapes alone",
    "output_shape, parameters, state, scratch_size and multiply_adds compute with shapes and make no arrays: check and "
    "summary ask them for networks of any size, and a stranger's model file may name such a size.",
    after=("shapes",),
)
def shapes_alone(trial: Trial) -> str:
    layer = trial.component
    methods = (layer.output_shape, layer.parameters, layer.state, layer.scratch_size, layer.multiply_adds)
    largest = 0
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        for sizes in _with_an_axis_of(HUGE, trial.sizes):
            for method in methods:
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                try:
                    method(*sizes)
                except (ShapeError, DataError):
                    break
                except Exception as error:
                    raise Broken(f"{method.__name__} of {text(sizes)}: {raised(error)}") from None
                allocated = tracemalloc.get_traced_memory()[1] - before
                largest = max(largest, allocated)
                if allocated >= LARGE:
                    raise Broken(f"{method.__name__} of {text(sizes)} allocates {allocated / 2**20:.1f} MiB")
    finally:
        if started:
            tracemalloc.stop()
    return f"at most {largest:,} bytes with an axis of {HUGE:,}"


def _with_an_axis_of(size: int, shapes: tuple[tuple[int, ...], ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """The shapes with one axis of that size: the first of all, then the second, and then all axes."""
    for axis in range(max(map(len, shapes), default=0)):
        yield tuple(tuple(size if at == axis else old for at, old in enumerate(shape)) for shape in shapes)
    yield tuple((size,) * len(shape) for shape in shapes)


@RULES.rule(
    "dtypes",
    "Outputs and gradients have the dtype of the network, context.dtype: np.float64 constants and arrays of numpy's "
    "default dtype turn float32 into float64.",
    after=("runs",),
)
def dtypes(trial: Trial) -> str:
    for dtype in (np.float32, np.float64):
        for training in (True, False):
            outcome = trial.run(trial.context(dtype, training), trial.inputs(dtype=dtype))
            for name, array in (
                ("output", outcome.output),
                *((f"gradient of input {i + 1}", g) for i, g in enumerate(outcome.inputs)),
            ):
                if array is not None and array.dtype != dtype:
                    raise Broken(f"the {name} of a {np.dtype(dtype)} network is {array.dtype}")
    return "float32, float64"


@RULES.rule(
    "gradients",
    "Derive backward anew from forward: every input, and every parameter into context.grads[name], in training.",
    after=("runs", "shapes"),
)
def gradients(trial: Trial) -> str:
    error = check_gradients(trial, trial.context(), trial.inputs())
    return f"relative error {error:.1g}"


@RULES.rule(
    "gradients in prediction",
    "backward has to fit what forward does where context.training is False: a frozen layer runs so in training.",
    after=("runs", "shapes", "gradients"),
)
def gradients_in_prediction(trial: Trial) -> str:
    error = check_gradients(trial, trial.context(training=False), trial.inputs())
    return f"relative error {error:.1g}"


@RULES.rule(
    "gradients with a mask",
    "backward has to fit what forward does with context.masks; what lies behind the end of a sequence has no part in "
    "it, or the part that forward gives it.",
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
    if not trial.component.true_gradient:
        raise NotApplicable("its gradients are not meant to be the derivatives of its output (true_gradient = False)")
    first = {name: array.copy() for name, array in context.state.items()}
    outcome = trial.run(context, inputs)
    weights = weights_for(outcome.output)

    def functional() -> float:
        for name, array in first.items():
            context.state[name][...] = array
        return float(np.vdot(weights, trial.forward(context, inputs))) + context.penalty

    claims: dict[str, tuple[Array, Array]] = {}
    for number, (x, gradient) in enumerate(zip(inputs, outcome.inputs, strict=True)):
        if x.dtype.kind == "f" and gradient is not None:
            claims["input" if len(inputs) == 1 else f"input {number + 1}"] = x, gradient
    trained = [name for name in context.params if name not in trial.frozen()]
    claims |= {name: (context.params[name], outcome.parameters[name]) for name in trained}
    slopes = directional_slopes(functional, claims, np.random.default_rng(0))
    wrong = {name: slope for name, slope in slopes.items() if not slope.error <= largest_error}
    if wrong:
        texts = [f"{name}: {slope}{_unwritten(outcome, name)}" for name, slope in wrong.items()]
        raise Broken(f"{what}{'; '.join(texts)}; at most {largest_error:g} is expected")
    if not slopes:
        raise NotApplicable("it has neither parameters nor inputs of numbers")
    return max(slope.error for slope in slopes.values())


def _unwritten(outcome: Outcome, name: str) -> str:
    gradient = outcome.parameters.get(name)
    return " (it is zero: was it written?)" if gradient is not None and not gradient.any() else ""


@RULES.rule(
    "writes gradients",
    "Write the gradient of every parameter over what stands there, np.add.reduce(..., out=context.grads[name]): no +=, "
    "the network adds up where parameters are shared.",
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
    for name in found[0].keys() - trial.frozen():
        same(found[1][name], found[0][name], f"the gradient of {name} where 7 stood before, against 0")
    return f"{len(found[0])} parameters"


@RULES.rule(
    "needs_input_gradient",
    "Where context.needs_input_gradient is False only the input's gradient may be left out.",
    after=("runs",),
)
def needs_input_gradient(trial: Trial) -> str:
    expected = trial.run(trial.context(), trial.inputs())
    context = trial.context()
    context.needs_input_gradient = False
    found = trial.run(context, trial.inputs())
    for name in expected.parameters.keys() - trial.frozen():
        same(found.parameters[name], expected.parameters[name], f"the gradient of {name} without that of the input")
    return "left out" if all(gradient is None for gradient in found.inputs) else "computed all the same"


@RULES.rule(
    "leaves its inputs alone",
    "Inputs, masks and parameters belong to others: write into context.buffer(shape) instead.",
    after=("runs",),
)
def leaves_inputs_alone(trial: Trial) -> str:
    for training in (True, False):
        context, inputs = trial.context(training=training), trial.inputs()
        kept = [x.copy() for x in inputs]
        parameters = {name: array.copy() for name, array in context.params.items()}
        output = trial.forward(context, inputs, copy=False)
        weights = weights_for(output)
        for when in ("forward", "backward"):
            if when == "backward":
                trial.backward(context, weights)
            for number, (x, before) in enumerate(zip(inputs, kept, strict=True)):
                if not np.array_equal(x, before):
                    raise Broken(f"{when} writes into input {number + 1}: {changed(x, before)}")
            for name, parameter in context.params.items():
                if not np.array_equal(parameter, parameters[name]):
                    raise Broken(f"{when} writes into the parameter {name}: {changed(parameter, parameters[name])}")
    return ""


@RULES.rule(
    "gives arrays of its own",
    "The gradient of an input is added to, and overwritten, by the network: give an array from context.buffer, or the "
    "gradient that backward was given, never an input, a parameter, a parameter's gradient, or overlapping views.",
    after=("runs",),
)
def own_arrays(trial: Trial) -> str:
    context, inputs = trial.context(), trial.inputs()
    results = trial.backward(context, weights_for(trial.forward(context, inputs, copy=False)))
    others = {
        **{f"input {i + 1}": x for i, x in enumerate(inputs)},
        **{f"the parameter {name}": array for name, array in context.params.items()},
        **{f"the gradient of {name}": array for name, array in context.grads.items()},
        **{f"the state {name}": array for name, array in context.state.items()},
    }
    for number, result in enumerate(results):
        if result is None:
            continue
        for name, array in others.items():
            if np.shares_memory(result, array):
                raise Broken(f"the gradient of input {number + 1} lies in the memory of {name}")
        if not result.flags.writeable or (result.size > 1 and 0 in result.strides and 1 not in result.shape):
            raise Broken(f"the gradient of input {number + 1} cannot be written to element by element")
        for later, other in enumerate(results[number + 1 :], number + 1):
            if other is not None and other is not result and np.shares_memory(result, other):
                raise Broken(f"the gradients of inputs {number + 1} and {later + 1} overlap")
    return ""


@RULES.rule(
    "scratch_output",
    "The output is read again, or belongs to another: leave scratch_output at False, or compute it into a "
    "context.buffer that backward does not read.",
    after=("runs",),
)
def scratch_output(trial: Trial) -> str:
    if not trial.component.scratch_output:
        raise NotApplicable("it promises nothing")
    for training in (True, False):
        expected = trial.run(trial.context(training=training), trial.inputs())
        context, inputs = trial.context(training=training), trial.inputs()
        output = trial.forward(context, inputs, copy=False)
        others = {**context.params, **context.state, **{f"input {i + 1}": x for i, x in enumerate(inputs)}}
        for name, array in others.items():
            if np.shares_memory(output, array):
                raise Broken(f"the output lies in the memory of {name}")
        weights = weights_for(output)
        output.fill(np.nan)
        results = trial.backward(context, weights)
        found = Outcome(expected.output, list(results), dict(context.grads))
        same_gradients(found, expected, "after the next layer has overwritten the output")
    return "overwritten with nan before backward"


@RULES.rule(
    "prediction",
    "Where context.training is False nothing is drawn from context.rng and context.state is only read, "
    "by backward too, "
    "which a frozen layer runs in training.",
    after=("runs",),
)
def prediction(trial: Trial) -> str:
    context, inputs = trial.context(training=False), trial.inputs()
    state = {name: array.copy() for name, array in context.state.items()}
    outputs = []
    for seed in (0, 1, 1):
        drawn = np.random.default_rng(seed).bit_generator.state
        outputs.append(trial.forward(context, inputs, seed).copy())
        if context.rng.bit_generator.state != drawn:
            raise Broken(f"it draws random numbers to predict {BATCH} samples")
        for name, array in context.state.items():
            if not np.array_equal(array, state[name]):
                raise Broken(f"it writes into its state {name} in prediction: {changed(array, state[name])}")
    for output in outputs[1:]:
        same_bytes(output, outputs[0], "the same prediction once more")
    trial.backward(context, weights_for(outputs[0]))
    for name, array in context.state.items():
        if not np.array_equal(array, state[name]):
            raise Broken(f"backward writes into its state {name} in prediction: {changed(array, state[name])}")
    return ""


@RULES.rule(
    "same seed, same bytes",
    "All randomness comes from context.rng: no np.random functions, no generator of its own, no time, no ids.",
    after=("runs", "prediction"),
)
def same_seed(trial: Trial) -> str:
    outcomes = []
    for seed in (1, 2):
        context = trial.context()
        with GlobalNumbers(seed), NoOtherGenerators():
            outcomes.append(trial.run(context, trial.inputs()))
    first, second = outcomes
    same_bytes(second.output, first.output, "two training passes with one seed, the output")
    for number, (gradient, other) in enumerate(zip(second.inputs, first.inputs, strict=True)):
        if gradient is not None and other is not None:
            same_bytes(gradient, other, f"two training passes with one seed, the gradient of input {number + 1}")
    for name, gradient in second.parameters.items():
        same_bytes(gradient, first.parameters[name], f"two training passes with one seed, the gradient of {name}")
    return ""


@RULES.rule(
    "masks",
    "context.masks[i] is None or a bool array (batch, time): one that is True everywhere changes nothing, and none is "
    "written to. context.output_mask is set, where the layer says makes_mask, to a new bool array (batch, time).",
    after=("runs",),
)
def masks(trial: Trial) -> str:
    layer = trial.component
    sizes = sequence_sizes(trial)
    for training in (True, False):
        inputs = trial.inputs(sizes=sizes)
        whole = [np.ones((BATCH, sizes[0][0]), bool) for _ in sizes]
        expected = trial.run(trial.context(sizes=sizes, training=training), inputs)
        found = trial.run(trial.context(sizes=sizes, training=training, masks=whole), inputs)
        same_outcome(found, expected, "with a mask that is True everywhere")
        ending = [ending_mask(sizes) for _ in sizes]
        context = trial.context(sizes=sizes, training=training, masks=ending)
        output = trial.run(context, inputs).output
        for mask in ending:
            if not np.array_equal(mask, ending_mask(sizes)):
                raise Broken(f"it writes into its mask: {changed(mask, ending_mask(sizes))}")
        _check_mask(context.output_mask, output)
        if not np.isfinite(output).all():
            raise Broken("with a mask, and a sequence without any step, the output has nan or inf")
    context = trial.context(sizes=sizes)
    output = trial.run(context, inputs).output
    _check_mask(context.output_mask, output)
    if context.output_mask is not None and not layer.makes_mask:
        raise Broken(
            f"without a mask it sets context.output_mask, of shape {context.output_mask.shape}, and does not say "
            "makes_mask, so that nobody sees it"
        )
    if layer.makes_mask and context.output_mask is None:
        raise Broken("it says makes_mask and leaves context.output_mask at None")
    return f"samples of shape {text(sizes)}"


def fits(mask: Array, output: Array) -> bool:
    """Whether a mask has as many steps as an output."""
    return output.ndim > 1 and mask.shape == output.shape[:2]


def _check_mask(mask: Any, output: Array) -> None:
    if mask is None:
        return
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.ndim != 2 or len(mask) != len(output):
        found = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else f"a {type(mask).__name__}"
        raise Broken(f"context.output_mask is {found}, expected bool (batch, time)")


def ending_mask(sizes: tuple[tuple[int, ...], ...]) -> Array:
    """A mask of `BATCH` sequences of different lengths: one whole, one empty."""
    steps = sizes[0][0]
    lengths = np.array([steps, steps // 2, 0, 1])
    return np.asarray(np.arange(steps) < lengths[:, None])


def sequence_sizes(trial: Trial, axes: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Sizes of sequences that the layer takes, of a length that is variable to it.

    Args:
        axes: how many a sample has, time included, unless the layer takes ids; by default any number.

    Raises:
        NotApplicable: it takes none.
    """
    candidates = [tuple((None, *shape[1:]) for shape in trial.shapes)] if all(trial.shapes) else []
    candidates += [((None, 4),) * len(trial.shapes), ((None, 4, 3),) * len(trial.shapes)]
    if trial.component.integer_input:
        candidates.append(((None,),) * len(trial.shapes))
    for shapes in candidates:
        if len(shapes[0]) == 1 and not trial.component.integer_input:
            continue  # that is a vector of a variable number of features
        if axes is not None and not trial.component.integer_input and any(len(shape) != axes for shape in shapes):
            continue
        if not is_taken(trial, shapes):
            continue
        for length in LENGTHS:
            sizes = sized(shapes, length)
            try:
                trial.forward(trial.context(sizes=sizes), trial.inputs(sizes=sizes))
            except ShapeError:  # it has a greatest length, which no shape with a variable axis can say
                continue
            except Exception:
                pass
            return sizes
    raise NotApplicable("it takes no sequences of variable length")


@RULES.rule(
    "strides",
    "Inputs and gradients may lie in memory in any order: reshape instead of setting .shape, no .view, no order that "
    "is taken for granted.",
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
    "A sample's prediction may not depend on its batch, and batches of 0 and 1 samples, and a smaller one after a "
    "larger one, have to pass: take sizes from x.shape, divide by no empty batch.",
    after=("runs", "shapes", "prediction", "leaves its inputs alone", "writes gradients"),
)
def batches(trial: Trial) -> str:
    for shapes in shapes_taken(trial):
        sizes = sized(shapes, 3)
        inputs = trial.inputs(8, sizes=sizes)
        context = trial.context(training=False, sizes=sizes)
        try:
            whole = trial.forward(context, inputs).copy()
        except ShapeError:  # as in "shapes"
            continue
        for rows in (slice(0, 5), slice(5, 8), slice(7, 8), slice(0, 0), slice(0, 8)):
            what = f"{text(sizes)}, predicting {rows.stop - rows.start} of 8 samples"
            try:
                found = trial.forward(context, [x[rows] for x in inputs]).copy()
            except Exception as error:
                raise Broken(f"{what}: {raised(error)}") from None
            same(found, whole[rows], f"{what} against all 8")
    inputs = trial.inputs(8)
    context = trial.context()
    trial.run(context, inputs)
    for size in (3, 1, 0, 8):
        few = [x[:size] for x in inputs]
        fresh = trial.context()
        for name, array in fresh.state.items():
            context.state[name][...] = array
        try:
            found_outcome = trial.run(context, few)
        except (ShapeError, DataError) as error:
            if size == 1:  # which has no spread, for example
                continue
            raise Broken(f"training with {size} samples after 8: {raised(error)}") from None
        except Exception as error:
            raise Broken(f"training with {size} samples after 8: {raised(error)}") from None
        if size == 0:
            written = [name for name, gradient in found_outcome.parameters.items() if gradient.any()]
            if written and not context.penalty:
                raise Broken(f"after a batch of 0 samples the gradient of {written[0]} is not 0")
        else:
            same_outcome(
                found_outcome, trial.run(fresh, few), f"training with {size} samples after 8, against a fresh start"
            )
    return "0, 1, 3, 8 samples"


@RULES.rule(
    "streams",
    "The pieces of a sequence, with context.memory kept between them, have to give the pieces of the whole output: "
    "keep the past in context.memory, read nothing later, or leave streams at False.",
    after=("runs", "shapes", "batches"),
)
def streams(trial: Trial) -> str:
    if not trial.component.streams:
        raise NotApplicable("it promises nothing")
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
        same(found, whole, f"in {len(pieces)} pieces against the whole")
    return f"{steps} steps in 2 to {steps} pieces"


@RULES.rule(
    "buffers",
    "A buffer is uninitialised in every pass: what has to last goes into context.state, or, for streams, "
    "context.memory.",
    after=("runs", "prediction", "leaves its inputs alone", "writes gradients", "same seed, same bytes"),
)
def buffers(trial: Trial) -> str:
    storage: list[Array]
    for training in (True, False):
        storage = []
        context, inputs = trial.context(training=training, storage=storage), trial.inputs()
        state = {name: array.copy() for name, array in context.state.items()}
        expected = trial.run(context, inputs)
        for byte in (0xFF, 0x00):
            for name, array in state.items():
                context.state[name][...] = array
            for array in storage:
                array.fill(byte)
            found = trial.run(context, inputs)
            same_outcome(found, expected, f"after the buffers were overwritten with bytes {byte:#x}")
    return f"{len(storage)} buffers"


@RULES.rule(
    "nothing hidden",
    "Another network or thread uses the same component: what forward leaves for backward goes through context.save, "
    "not into self, the class or the module.",
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
        same_outcome(found, expected[number], "two contexts in turn, forward, forward, backward, backward")
    return "two contexts in turn"


@RULES.rule(
    "quiet",
    "No warnings of numpy, also with batches of 0 and 1: guard divisions and logarithms, clip what exp is given.",
    after=("runs", "batches"),
)
def quiet(trial: Trial) -> str:
    with warnings.catch_warnings(), np.errstate(divide="raise", over="raise", invalid="raise"):
        warnings.simplefilter("error")
        for training in (True, False):
            for batch in (BATCH, 1, 0):
                for factor in sorted({trial.factor(factor) for factor in (1, 0, 100)}):
                    inputs = [x * factor if x.dtype.kind == "f" else x for x in trial.inputs(batch)]
                    try:
                        trial.run(trial.context(training=training), inputs)
                    except (ShapeError, DataError):
                        if training and batch == 1:
                            continue
                        raise
                    except (Warning, FloatingPointError) as error:
                        size = f"{batch} samples" + ("" if factor == 1 else f", numbers times {factor}")
                        raise Broken(
                            f"{'training' if training else 'prediction'} with {size}: {raised(error)}"
                        ) from None
    return "batches of 0, 1, 4; zeros; numbers up to 360"


@RULES.rule(
    "memory",
    "After the first step nothing as large as the batch is allocated, and nothing is kept: arrays come from "
    "context.buffer(shape), numpy functions get out=.",
    after=("runs", "prediction", "nothing hidden"),
)
def memory(trial: Trial) -> str:
    if trial.component.allocates:
        raise NotApplicable("it says that it allocates in every pass")
    shapes = wide(trial)
    sample = max(math.prod(sizes) for sizes in (*shapes, fixed(trial.component.output_shape(*shapes))))
    batch = max(8, math.ceil(LARGE / 8 / max(1, sample)))
    largest = batch * sample * 8
    worst = 0
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        for training in (True, False):
            context, inputs = trial.context(training=training, sizes=shapes), trial.inputs(batch, sizes=shapes)
            weights = weights_for(trial.forward(context, inputs))
            gradient = weights.copy()
            for _ in range(2):
                trial.forward(context, inputs, copy=False)
                trial.backward(context, gradient)
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(3):
                gradient[...] = weights
                tracemalloc.reset_peak()
                trial.forward(context, inputs, copy=False)
                trial.backward(context, gradient)
                worst = max(worst, tracemalloc.get_traced_memory()[1] - before)
            kept = tracemalloc.get_traced_memory()[0] - before
            if kept > largest // 4:
                raise Broken(f"three passes keep {kept / 2**20:.2f} MiB more; a batch is {largest / 2**20:.2f} MiB")
    finally:
        if started:
            tracemalloc.stop()
    numbers = f"at most {worst / largest:.2f} of an array of the batch ({largest / 2**20:.1f} MiB)"
    if worst > 0.9 * largest:
        raise Broken(
            f"a pass allocates {worst / 2**20:.2f} MiB anew, {worst / largest:.1f} times an array of the batch"
        )
    return numbers


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


def fixed(shape: Shape) -> tuple[int, ...]:
    return tuple(size or 1 for size in shape)

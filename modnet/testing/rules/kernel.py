"""The contract of a kernel: it gives the same results as its component's own numpy code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import DataError
from modnet.kinds.component import Component, Example
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.kinds.node import Composite
from modnet.kinds.optimizer import Optimizer
from modnet.plugins.kernels import Maker
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.rules import layer as of_layer
from modnet.testing.rules import loss as of_loss
from modnet.testing.rules import optimizer as of_optimizer
from modnet.testing.rules.component import changed, same
from modnet.testing.rules.rounding import ROWS, in_dtype

RULES = Rules()

METHODS = {
    "layer": ("forward", "backward"),
    "activation": ("forward", "backward"),
    "loss": ("joint",),
    "optimizer": ("update",),
}
"""Kind -> the methods for which the engine asks for kernels."""

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))

UNITS = 1000
"""How far a kernel may differ, in rounding units of the greatest number."""

BATCHES = ((8, 1), (1, 1), (0, 1), (5, 1), (ROWS, 1), (8, 10), (8, 100))
"""(samples, factor of the inputs), used one after the other in one context; with a factor, weights are random too."""

SATURATING = 10
"""The factor above which units are saturated: gradients are then only the rounding errors of 1 - 1."""

Results = dict[str, Array]


class Accelerated:
    """A component with a kernel in place of one of its methods."""

    def __init__(self, component: Component, method: str, kernel: Callable[..., Any]) -> None:
        self.component = component
        setattr(self, method, kernel)
        if getattr(kernel, "whole", False):
            self.scratch = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.component, name)


class Trial:
    """A kernel's maker with a component for which it may have one."""

    def __init__(self, maker: Maker, example: Example, method: str) -> None:
        self.example = example
        self.component: Any = example.component
        self.method = method
        self.make = cache(lambda dtype: maker(self.component, dtype))

    def each(self) -> Iterator[tuple[np.dtype[Any], Any]]:
        """(dtype, the component with its kernel) for each dtype that there is a kernel for.

        Raises:
            NotApplicable: there is none.
        """
        made = [(dtype, kernel) for dtype in DTYPES if (kernel := self.make(dtype)) is not None]
        if not made:
            raise NotApplicable("it has none for this configuration")
        for dtype, kernel in made:
            yield dtype, Accelerated(self.component, self.method, kernel)

    def passes(
        self,
        subject: Any,
        dtype: np.dtype[Any],
        turned: Callable[[Array], Array] = np.copy,
        turned_gradient: Callable[[Array], Array] | None = None,
    ) -> Iterator[tuple[str, Results]]:
        """What a subject, the component with a kernel or without, gives: (for what, name -> array).

        Args:
            turned: what is done to each input beforehand, such as to give it another order in memory.
            turned_gradient: the same for the gradient that `backward` is given; by default as for inputs.
        """
        if isinstance(self.component, Optimizer):
            yield from self._steps(subject, dtype)
        elif isinstance(self.component, Loss):
            yield from self._losses(subject, dtype, turned)
        else:
            yield from self._layers(subject, dtype, turned, turned_gradient or turned)

    def _layers(
        self,
        subject: Any,
        dtype: np.dtype[Any],
        turned: Callable[[Array], Array],
        turned_gradient: Callable[[Array], Array],
    ) -> Iterator[tuple[str, Results]]:
        trial = of_layer.Trial(self.example.replace(component=subject))
        for (sizes, masks), training in itertools.product(_lengths(trial), (True, False)):
            context = trial.context(dtype, training, sizes=sizes, masks=masks)
            mode = f"{'training' if training else 'prediction'}{' with a mask' if sizes else ''}"
            for batch, asked in ((of_layer.BATCH, 1),) if sizes else BATCHES:
                if asked > 1:
                    _randomize(context)
                factor = trial.factor(asked)
                inputs = [turned(_times(factor, x)) for x in trial.inputs(batch, dtype, sizes=sizes)]
                found = _pass(trial, context, inputs, turned_gradient, saturated=factor > SATURATING)
                large = f", inputs times {factor}, random weights" if asked > 1 else ""
                yield f"{mode} with {batch} samples{large}", found
        yield from self._further(subject, dtype, turned, turned_gradient)

    def _further(
        self,
        subject: Any,
        dtype: np.dtype[Any],
        turned: Callable[[Array], Array],
        turned_gradient: Callable[[Array], Array],
    ) -> Iterator[tuple[str, Results]]:
        """Passes that are rarer: gradients of all sizes, none for the input, two contexts in turn."""
        trial = of_layer.Trial(self.example.replace(component=subject))
        for factor, needed in ((1e-12, True), (1e6, True), (1.0, False)):
            context = trial.context(dtype)
            context.needs_input_gradient = needed
            output = trial.forward(context, [turned(x) for x in trial.inputs(dtype=dtype)], copy=False)
            given = of_layer.weights_for(output) * dtype.type(factor)
            results = trial.backward(context, turned_gradient(given))
            found = _gradients(results if needed else (), context)
            yield (f"gradients times {factor:g}" if needed else "no gradient of the input is needed"), found
        contexts = [trial.context(dtype, seed=seed) for seed in (0, 1)]
        sets = [trial.inputs(dtype=dtype, seed=seed) for seed in (0, 1)]
        outputs = [trial.forward(c, [turned(x) for x in xs], copy=False) for c, xs in zip(contexts, sets, strict=True)]
        for number, (context, output) in enumerate(zip(contexts, outputs, strict=True)):
            found = {"the output": output.copy()}
            results = trial.backward(context, turned_gradient(of_layer.weights_for(output)))
            yield f"two contexts in turn, number {number + 1}", found | _gradients(results, context)

    def _losses(
        self, subject: Any, dtype: np.dtype[Any], turned: Callable[[Array], Array]
    ) -> Iterator[tuple[str, Results]]:
        for case in of_loss.Trial(self.example).cases:
            context = Context(dtype, training=True)
            for batch, factor in BATCHES:
                _, target = case.data(batch)
                logits = 3 * factor * np.random.default_rng(3).standard_normal((batch, *case.shape))
                wanted = turned(in_dtype(target, dtype))
                context.begin()
                try:
                    values, gradient = subject.joint(context, turned(logits.astype(dtype)), wanted)
                except DataError:
                    values, gradient = np.full(batch, -1.0, dtype), np.zeros((0,), dtype)
                large = f", logits times {factor}" if factor > 1 else ""
                yield f"{case}, {batch} samples{large}", {"values": values.copy(), "the gradient": gradient.copy()}
            if target.dtype.kind == "i":
                wrong = np.full_like(target, case.shape[-1])
                try:
                    subject.joint(context, logits.astype(dtype), wrong)
                    refused = 0.0
                except DataError:
                    refused = 1.0
                yield f"{case}, labels of {case.shape[-1]}", {"refused (1) or taken (0)": np.array([refused])}

    def _steps(self, subject: Any, dtype: np.dtype[Any]) -> Iterator[tuple[str, Results]]:
        for size, cuts, late, factor in (
            (of_optimizer.SIZE, (), 0, 1.0),
            (of_optimizer.SIZE, (1, 40), 0, 1.0),
            (1, (), 0, 1.0),
            (0, (), 0, 1.0),
            (of_optimizer.SIZE, (), 10_000, 1.0),
            (of_optimizer.SIZE, (), 0, 1e6),
            (of_optimizer.SIZE, (), 0, 1e-6),
            (ROWS, (), 0, 1.0),
        ):
            state = of_optimizer.State(subject, dtype=dtype, size=size)
            whole = getattr(subject.update, "whole", False)
            state.steps = late
            for number in range(of_optimizer.STEPS):
                rate = 0.3 * subject.learning_rate if number % 3 == 2 else None
                state.step(cuts=() if whole else cuts, decay=0.1 * (number % 2), rate=rate, factor=factor)
            slots = {f"slot {name}": slot for name, slot in zip(subject.slots, state.slots, strict=True)}
            what = f", after {late:,} others" if late else f", gradients times {factor:g}" if factor != 1 else ""
            yield f"{of_optimizer.STEPS} steps of {size} numbers{what}", {"the parameter": state.parameter, **slots}


def _lengths(trial: of_layer.Trial) -> Iterator[tuple[Sequence[tuple[int, ...]] | None, list[Array] | None]]:
    """(sizes, masks) of inputs: none of them, and where the layer takes sequences those of some that end early."""
    yield None, None
    with suppress(NotApplicable):
        sizes = of_layer.sequence_sizes(trial)
        yield sizes, [of_layer.ending_mask(tuple(sizes)) for _ in sizes]


def _times(factor: int, x: Array) -> Array:
    return x * x.dtype.type(factor) if x.dtype.kind == "f" else x


def _pass(
    trial: of_layer.Trial,
    context: Context,
    inputs: Sequence[Array],
    turned_gradient: Callable[[Array], Array],
    saturated: bool,
) -> Results:
    """The results of a forward and a backward pass; for saturated units only the output."""
    y = trial.forward(context, inputs, copy=False).copy()
    results = trial.backward(context, turned_gradient(of_layer.weights_for(y)))
    found = {"the output": y}
    if saturated:
        return found
    return found | _gradients(results, context) | {f"the state {n}": a.copy() for n, a in context.state.items()}


def _gradients(results: Sequence[Array | None], context: Context) -> Results:
    """Copies of the gradients of inputs and of parameters."""
    found = {f"the gradient of input {i + 1}": g.copy() for i, g in enumerate(results) if g is not None}
    return found | {f"the gradient of {name}": array.copy() for name, array in context.grads.items()}


def _randomize(context: Context) -> None:
    rng = np.random.default_rng(11)
    for array in context.params.values():
        array[...] = rng.standard_normal(array.shape)


@RULES.rule(
    "offered",
    "The name of the entry point is KIND.TYPE.METHOD, with a method for which the engine uses kernels. Its value "
    "names a function (component, dtype) that returns the kernel (a function), or None if it has none for this "
    "configuration.",
)
def offered(trial: Trial) -> str:
    component = trial.component
    methods = () if isinstance(component, Composite) else METHODS.get(component.kind, ())
    if trial.method not in methods:
        known = " and ".join(methods) or "none"
        raise Broken(f"the method is {trial.method}; for this {component.kind} the engine uses kernels of {known} only")
    found = []
    for dtype in DTYPES:
        try:
            kernel = trial.make(dtype)
        except Exception as error:
            raise Broken(f"for {dtype}: {raised(error)}") from None
        if kernel is not None and not callable(kernel):
            raise Broken(f"for {dtype} the function gives a {type(kernel).__name__}, expected a function or None")
        found += [str(dtype)] * (kernel is not None)
    if not found:
        raise NotApplicable("it has none for this configuration")
    return ", ".join(found)


@RULES.rule(
    "agrees",
    "A kernel gives the same as the component's own method, except for rounding: shapes, dtypes, state and "
    "gradients, for batches of any size, with masks, in training and in prediction. It also saves what the "
    "component's other method reads.",
    after=("offered",),
)
def agrees(trial: Trial) -> str:
    return _compare(trial, np.copy, "")


@RULES.rule(
    "strides",
    "Inputs and gradients may have any memory layout: compile the kernel for any layout, or copy the arrays first.",
    after=("offered", "agrees"),
)
def strides(trial: Trial) -> str:
    if isinstance(trial.component, Optimizer):
        raise NotApplicable("an optimizer receives contiguous arrays")
    for name, turned in (("Fortran order", np.asfortranarray), ("every other row", lambda x: np.repeat(x, 2, 0)[::2])):
        _compare(trial, turned, f"{name}, ")
    return "every other row, Fortran order"


def _compare(trial: Trial, turned: Callable[[Array], Array], what: str) -> str:
    compared = 0
    for dtype, subject in trial.each():
        expected = trial.passes(trial.component, dtype)
        try:
            for (case, arrays), (_, found) in zip(expected, trial.passes(subject, dtype, turned), strict=True):
                where = f"{dtype}, {what}{case}"
                if arrays.keys() != found.keys():
                    raise Broken(f"{where}: the kernel gives {', '.join(found)}, expected {', '.join(arrays)}")
                for name, array in arrays.items():
                    if found[name].dtype != array.dtype:
                        raise Broken(f"{where}: {name} is {found[name].dtype}, expected {array.dtype}")
                    same(found[name], array, f"{where}: {name}", UNITS * float(np.finfo(dtype).eps))
                    compared += 1
        except (Broken, NotApplicable):
            raise
        except Exception as error:
            raise Broken(f"{dtype}, {what}{raised(error)}") from None
    return f"{compared} arrays"


@RULES.rule(
    "leaves its inputs alone",
    "Do not write into inputs, logits and targets. Only the gradient that backward receives may be overwritten.",
    after=("offered", "agrees"),
)
def leaves_inputs_alone(trial: Trial) -> str:
    if isinstance(trial.component, Optimizer):
        raise NotApplicable("an optimizer may change its arrays")
    watched: list[tuple[Array, Array]] = []

    def watch(x: Array) -> Array:
        watched.append((x.copy(), x.copy()))
        return watched[-1][0]

    for dtype, subject in trial.each():
        for case, _ in trial.passes(subject, dtype, watch, np.copy):
            for given, before in watched:
                if not np.array_equal(given, before):
                    raise Broken(
                        f"{dtype}, {case}: the kernel overwrites {changed(given, before)} of an array that it received"
                    )
            watched.clear()
    return ""

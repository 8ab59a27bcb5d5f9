"""What a layer with several outputs keeps: of each output what a layer keeps of its only one, and of all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.kinds.context import Context
from modnet.specs.model import NAME
from modnet.testing.contract import LAYER, Broken, NotApplicable, Rule, Rules, rules_of
from modnet.testing.rules import engine
from modnet.testing.rules import layer as of_layer
from modnet.testing.rules.component import same
from modnet.testing.rules.layer import copies, fits, weights_for

RULES = Rules()


class OneContext(Context):
    """The context of a layer of which one output is looked at: it keeps the shapes of all."""

    __slots__ = ("shapes",)

    shapes: list[tuple[int, ...]]


class One:
    """A layer with one of its outputs; the others are not used. It stores nothing."""

    outputs = ()

    def __init__(self, layer: Any, position: int) -> None:
        self.layer = layer
        self.position = position

    def __getattr__(self, name: str) -> Any:
        return getattr(self.layer, name)

    def output_shape(self, *shapes: Shape) -> Shape:
        return self.layer.output_shapes(*shapes)[self.position]  # type: ignore[no-any-return]

    def forward(self, context: OneContext, *inputs: Array) -> Array:
        made = self.layer.forward(context, *inputs)
        context.shapes = [array.shape for array in made]
        output: Array = made[self.position]
        masks = context.output_mask
        if isinstance(masks, tuple):
            context.output_mask = masks[self.position]
        elif masks is not None and self.position and not (output.ndim > 2 and fits(masks, output)):
            context.output_mask = None
        return output

    def backward(self, context: OneContext, gradient: Array) -> Any:
        given = []
        for position, shape in enumerate(context.shapes):
            if position == self.position:
                given.append(gradient)
            else:
                given.append(context.buffer(shape))
                given[-1].fill(0)
        return self.layer.backward(context, tuple(given))


class OneTrial(of_layer.Trial):
    """One output of a layer, tried as a layer."""

    component: Any

    def around(self, made: Context, sizes: tuple[Shape, ...], storage: list[Array] | None) -> Context:
        return OneContext(made.dtype, made.params, made.grads, made.state, made.rng, made.training, storage=storage)


class Trial(engine.Trial):
    @cached_property
    def each(self) -> dict[str, OneTrial]:
        """Output name -> the trial of it."""
        layer: Any = self.component
        return {name: OneTrial(self.example.replace(component=One(layer, i))) for i, name in enumerate(layer.outputs)}


@RULES.rule(
    "outputs",
    "outputs is a tuple of at least 2 names (letters, digits, _ and -). output_shape and forward return a tuple "
    "in that order, and backward receives one. The gradients for all outputs together are the sum of the "
    "gradients for each output alone.",
    after=("declarations",),
)
def outputs(trial: Trial) -> str:
    layer: Any = trial.component
    names = layer.outputs
    _check_names(names)
    for sizes in (trial.shapes, trial.sizes):
        try:
            layer.output_shapes(*sizes)
        except TypeError as error:
            raise Broken(str(error)) from None
    for training in (True, False):
        context, inputs = trial.context(training=training), trial.inputs()
        made = trial.forward(context, inputs)
        if not isinstance(made, tuple) or len(made) != len(names):
            found = f"a tuple of {len(made)}" if isinstance(made, tuple) else f"a {type(made).__name__}"
            raise Broken(f"forward gives {found}, expected a tuple of {len(names)} arrays: {', '.join(names)}")
        if context.penalty:
            raise NotApplicable("it adds to the loss, so that gradients are not zero even if no output has one")
        _check_sum(trial, training, [weights_for(array) for array in made])
    return ", ".join(names)


def _check_names(names: Any) -> None:
    valid = isinstance(names, tuple) and all(isinstance(name, str) and NAME.fullmatch(name) for name in names)
    if not valid or len(set(names)) < max(2, len(names)):
        raise Broken(f"outputs = {names!r}, expected 2 or more different names of letters, digits, _ and -")


def _check_sum(trial: Trial, training: bool, weights: Sequence[Array]) -> None:
    """Compares the gradients for all outputs together with the sum of the gradients for each output."""
    parts = [
        _gradients(trial, training, [w if i == number else np.zeros_like(w) for i, w in enumerate(weights)])
        for number in range(len(weights))
    ]
    for name, array in _gradients(trial, training, weights).items():
        same(array, np.sum([part[name] for part in parts], axis=0), f"the gradient of {name} for all outputs", 1e-9)


def _gradients(trial: Trial, training: bool, given: Sequence[Array]) -> dict[str, Array]:
    context, inputs = trial.context(training=training), trial.inputs()
    trial.forward(context, inputs)
    results = trial.backward(context, tuple(array.copy() for array in given))
    found = {f"input {i + 1}": result.copy() for i, result in enumerate(results) if result is not None}
    return found | copies(context.grads)


def _borrowed(rule: Rule) -> Rule:
    """A rule of a layer, for each of the outputs in turn."""

    def check(trial: Trial) -> str | None:
        said: dict[str, str | None] = {}
        reasons = []
        for name, one in trial.each.items():
            try:
                said[name] = rule.check(one)
            except NotApplicable as reason:
                reasons.append(str(reason))
            except Broken as fault:
                raise Broken(f"output {name}: {fault}") from None
        if not said:
            raise NotApplicable(reasons[0])
        return "; ".join(f"{name}: {text}" for name, text in said.items() if text)

    return replace(rule, check=check, after=(*rule.after, *(() if rule.name == "declarations" else ("outputs",))))


_borrowed_rules = [_borrowed(rule) for rule in rules_of(LAYER)]
# First the declarations of the layer, then its outputs, then everything else.
RULES[:0] = [rule for rule in _borrowed_rules if rule.name == "declarations"]
RULES += [rule for rule in _borrowed_rules if rule.name != "declarations"]

"""What a layer declares about scales and shifts, which is used to fold a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer
from modnet.testing.contract import Broken, NotApplicable, Rules
from modnet.testing.rules.component import same
from modnet.testing.rules.layer import Trial
from modnet.testing.rules.rounding import EXACT

RULES = Rules()


@RULES.rule(
    "scale and shift",
    "scale_and_shift(context) returns the scale and the shift that prediction applies to each feature. It may use "
    "only context.params and context.state. Return None if forward does more than scale and shift.",
    after=("runs", "shapes", "dtypes", "prediction"),
)
def scale_and_shift(trial: Trial) -> str:
    if type(trial.component).scale_and_shift is Layer.scale_and_shift:
        raise NotApplicable("it has no scale_and_shift")
    context, inputs = trial.context(training=False), trial.inputs()
    found = trial.component.scale_and_shift(context)
    if found is None:
        raise NotApplicable("it does more than scale and shift")
    expected = trial.forward(context, inputs).copy()
    same(inputs[0] * found[0] + found[1], expected, "x * scale + shift, compared with the prediction", EXACT)
    return "the same as the prediction"


@RULES.rule(
    "takes a scale",
    "with_scaled_output(params, scale, shift) returns a layer and its parameters whose output is y * scale + "
    "shift, where y is the output of this layer. with_scaled_input returns those whose output for x is the output "
    "of this layer for x * scale + shift. Return None if no layer does this exactly.",
    after=("runs", "shapes", "dtypes", "prediction"),
)
def takes_a_scale(trial: Trial) -> str:
    layer, context = trial.component, trial.context(training=False)
    if not trial.inputs()[0].ndim > 1 or trial.component.integer_input:
        raise NotApplicable("its input has no features")
    rng = np.random.default_rng(0)
    done = []
    for name, features in (
        ("with_scaled_output", trial.forward(context, trial.inputs()).shape[-1:]),
        ("with_scaled_input", trial.sizes[0][-1:]),
    ):
        for scale, shift in ((2.0, 0.0), (rng.uniform(0.5, 2.0, features), rng.standard_normal(features))):
            pair = np.asarray(scale), np.asarray(shift)
            made = getattr(layer, name)(dict(context.params), *pair)
            if made is not None:
                _hold(trial, context, name, made, pair)
                done.append(name)
    if not done:
        raise NotApplicable("it takes no scale")
    return " and ".join(dict.fromkeys(done))


def _hold(
    trial: Trial, context: Context, name: str, made: tuple[Layer, dict[str, Array]], pair: tuple[Array, Array]
) -> None:
    layer, params = made
    declared = layer.parameters(*trial.sizes)
    if {key: array.shape for key, array in params.items()} != {key: one.shape for key, one in declared.items()}:
        raise Broken(f"{name} gives the arrays {', '.join(params)}, not those of its layer, {', '.join(declared)}")
    (scale, shift), inputs = pair, trial.inputs()
    given: Sequence[Any] = inputs
    if name == "with_scaled_input":
        given = [inputs[0] * scale + shift, *inputs[1:]]
    expected = trial.forward(context, given).copy()
    if name == "with_scaled_output":
        expected = expected * scale + shift
    other = Context(np.float64, params, state=context.state)
    other.masks = context.masks
    same(layer.forward(other, *inputs), expected, f"{name}, compared with this layer and a scale and shift", EXACT)

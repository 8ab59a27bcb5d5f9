"""What a layer's passes give, by name, and with which parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array, Shape
from modnet.kinds.context import Context
from modnet.testing.rules.layer import Outcome, Trial
from modnet.testing.rules.rounding import rounded

Results = dict[str, Array]


def weights_of(trial: Trial, kind: str, sizes: Sequence[Shape] | None = None) -> dict[str, Array]:
    """Parameters in float64 that float32 holds exactly.

    Args:
        kind: "initial" (shifted a little), "negated", "random" (standard normal), "large" (four times that) or "small"
            (a hundred-thousandth of that).
    """
    context = trial.context(sizes=sizes)
    rng = np.random.default_rng(11)
    found = {}
    for name, initial in context.params.items():
        drawn = rng.standard_normal(initial.shape)
        array = {"initial": initial, "negated": -initial, "random": drawn, "large": 4 * drawn, "small": 1e-5 * drawn}[
            kind
        ]
        found[name] = rounded(np.asarray(array))
    return found


def results(
    trial: Trial,
    context: Context,
    inputs: Sequence[Array],
    gradient: Array | None = None,
) -> Results:
    """What a forward and a backward pass give, by name, in copies: output, gradients, state."""
    outcome = trial.run(context, inputs, gradient)
    return {**named(outcome), **{f"the state {name}": array.copy() for name, array in context.state.items()}}


def named(outcome: Outcome) -> Results:
    found = {"the output": outcome.output}
    for number, array in enumerate(outcome.inputs):
        if array is not None:
            found[f"the gradient of input {number + 1}"] = array
    return found | {f"the gradient of {name}": array for name, array in outcome.parameters.items()}


def is_of_parameter(name: str) -> bool:
    """Whether a result of that name is the gradient of a parameter."""
    return name.startswith("the gradient of ") and not name.startswith("the gradient of input ")


def draws(context: Context) -> bool:
    """Whether the pass that a context has gone through has drawn random numbers."""
    return bool(context.rng.bit_generator.state != np.random.default_rng(0).bit_generator.state)


def mode(training: bool) -> str:
    return "training" if training else "prediction"

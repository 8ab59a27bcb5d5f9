"""What a layer promises for ensembles: members that run together give what each gives when it runs alone."""

from __future__ import annotations

import numpy as np

from modnet.arrays import Array
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer
from modnet.layers.members import Members, for_members
from modnet.testing.contract import NotApplicable, Rules
from modnet.testing.gradients import layer_context
from modnet.testing.rules.component import same
from modnet.testing.rules.layer import Outcome, Trial, copies, same_outcome, weights_for

RULES = Rules()

COUNT = 3
"""How many members are tried."""


@RULES.rule(
    "members",
    "Each member of an ensemble must get what it would get if it ran alone. This holds for the layer that "
    "for_members returns, and for a layer with featurewise = True. If you cannot promise it, override neither: "
    "the layer then runs once for each member.",
    after=("runs", "shapes", "declarations", "gradients"),
)
def members(trial: Trial) -> str:
    layer = trial.component
    whole = for_members(layer, COUNT, shared=False)
    if type(whole) is Members:
        raise NotApplicable("it has no version for all members at once; it runs once for each member")
    training = not layer.draws  # members draw different noise
    alone = [trial.context(training=training, seed=member) for member in range(COUNT)]
    inputs = [trial.inputs(seed=member) for member in range(COUNT)]
    together = layer_context(whole, *((COUNT, *size) for size in trial.sizes), training=training)
    together.masks = (None,) * len(trial.sizes)
    _give(alone, together)
    outcomes = [trial.run(context, x) for context, x in zip(alone, inputs, strict=True)]
    found = _run(whole, together, inputs, outcomes)
    for number, (context, expected) in enumerate(zip(alone, outcomes, strict=True)):
        same_outcome(_of_member(found, number), expected, f"member {number + 1}")
        for name, array in context.state.items():
            same(together.state[name][number, ...], array, f"member {number + 1}, the state {name}")
    return f"{COUNT} members at once"


def _run(whole: Layer, context: Context, inputs: list[list[Array]], outcomes: list[Outcome]) -> Outcome:
    """Both passes of all members, with the gradients that each had when it ran alone."""
    joined = [np.stack(arrays, axis=1) for arrays in zip(*inputs, strict=True)]
    output: Array = whole.forward(context, *joined).copy()
    found = whole.backward(context, np.stack([weights_for(outcome.output) for outcome in outcomes], axis=1))
    slopes = found if isinstance(found, tuple) else (found,)
    return Outcome(output, [None if slope is None else slope.copy() for slope in slopes], copies(context.grads))


def _of_member(found: Outcome, number: int) -> Outcome:
    slopes = [None if slope is None else slope[:, number] for slope in found.inputs]
    own = {name: array[number, ...] for name, array in found.parameters.items()}
    return Outcome(found.output[:, number], slopes, own)


def _give(alone: list[Context], together: Context) -> None:
    """Gives all members together the arrays that each has alone."""
    for number, context in enumerate(alone):
        for own, whole in ((context.params, together.params), (context.state, together.state)):
            for name, array in own.items():
                whole[name][number, ...] = array

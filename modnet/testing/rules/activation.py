"""The contract of an activation, in addition to that of a layer."""

from __future__ import annotations

import numpy as np

from modnet.kinds.activation import Activation
from modnet.testing.contract import Broken, Rules
from modnet.testing.rules.component import same_bytes
from modnet.testing.rules.layer import Outcome, Trial, same_gradients, weights_for

RULES = Rules()


@RULES.rule(
    "keeps the shape",
    "The output of an activation has the shape of its input. If yours has another shape, derive the class from Layer.",
)
def keeps_the_shape(trial: Trial) -> str:
    for shape in (*trial.shapes, (None, 3)):
        found = trial.component.output_shape(shape)
        if found != shape:
            raise Broken(f"output_shape gives {found} for an input of shape {shape}")
    return ""


@RULES.rule(
    "overwrites its input",
    "function(x, out) must give the same result when out is x itself: read each element before you write it. In "
    "forward, write into x only if context.may_overwrite_input is True. If needs_input is False, backward may "
    "read y, but not x.",
    after=("runs", "needs_input"),
)
def overwrites_its_input(trial: Trial) -> str:
    layer = trial.component
    assert isinstance(layer, Activation)
    (x,) = trial.inputs()
    if type(layer).function is not Activation.function:  # an activation with parameters has only forward
        expected = layer.function(x.copy(), np.empty_like(x)).copy()
        in_place = x.copy()
        same_bytes(layer.function(in_place, in_place), expected, "function(x, out=x)")
    for training in (False,) if layer.needs_input else (False, True):
        whole = trial.run(trial.context(training=training), [x])
        context = trial.context(training=training)
        context.may_overwrite_input = True
        output = trial.forward(context, [x])
        same_bytes(output, whole.output, "forward with may_overwrite_input")
        if training:
            results = trial.backward(context, weights_for(output))
            found = Outcome(whole.output, list(results), dict(context.grads))
            same_gradients(found, whole, "after the output was written over the input")
    return "in training too" if not layer.needs_input else "in prediction"

"""Numbers that are not finite: those of the beginning, and those that a training has made."""

import math

import numpy as np
import pytest

import modnet
from modnet.errors import TrainingError


class Hidden(modnet.Layer, type="hidden"):
    """Adds an array of state, which is -inf in one place."""

    def output_shape(self, shape):
        return shape

    def state(self, shape):
        return {"added": modnet.State(shape, fill=-math.inf), "other": modnet.State(shape)}

    def forward(self, context, x):
        if context.training and x[0, 0] > 1:
            context.state["other"][0] = math.nan
        return np.maximum(x + context.state["added"], 0) + context.state["other"]

    def backward(self, context, gradient):
        return gradient * 0


class Opaque(modnet.Layer, type="opaque"):
    """A layer without a gradient."""

    differentiable = False

    def output_shape(self, shape):
        return shape

    def forward(self, context, x):
        return x + 1


def train(layer, x, **first):
    before = {"type": "linear", "out_features": 2, "name": "first", **first}
    layers = [before, modnet.Node(layer=layer), {"type": "linear", "out_features": 1}]
    network = modnet.build({"network": {"input": [2], "layers": layers}})
    network.parameters["first.weight"][...] = np.eye(2)
    modnet.train(network, x, np.ones((4, 1)), loss="mse", epochs=2)


def test_state_may_be_infinite_from_the_beginning():
    train(Hidden(), np.ones((4, 2)))


def test_state_must_not_become_nan():
    with np.errstate(all="ignore"), pytest.raises(modnet.Diverged):
        train(Hidden(), np.full((4, 2), 3.0))


def test_weights_before_a_layer_without_gradient_are_refused_unless_frozen():
    with pytest.raises(TrainingError, match=r"layers\[1\] \(opaque\) has no gradient.*trainable = false"):
        train(Opaque(), np.ones((4, 2)))
    train(Opaque(), np.ones((4, 2)), trainable=False)

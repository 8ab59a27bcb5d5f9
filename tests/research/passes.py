"""One step of a layer in a network of its own, to be compared with the same in torch."""

import numpy as np

import modnet
from modnet.engine.passes import Pass
from modnet.initializers import Zeros
from modnet.kinds.node import Node


def network_of(layer, *shapes, seed=0):
    """A float64 network of one node, `it`, all of whose outputs are the network's."""
    names = [f"in_{number}" for number in range(len(shapes))]
    spec = {
        "input": dict(zip(names, shapes, strict=True)),
        "layers": [
            # In front of it stands what learns, so that its inputs have gradients too.
            *(Node(Shift(), name=f"x_{name}", inputs=(name,)) for name in names),
            Node(layer, name="it", inputs=tuple(f"x_{name}" for name in names)),
        ],
        "outputs": [f"it.{output}" for output in layer.outputs] or ["it"],
        "dtype": "float64",
    }
    return modnet.build({"network": spec}, seed=seed)


class Shift(modnet.Layer, type="research_shift"):
    """y = x + shift, with a shift for each number of the batch's samples together; its gradient is that of x."""

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def parameters(self, *input_shapes):
        return {"shift": modnet.Parameter((ROWS, *input_shapes[0]), Zeros())}

    def forward(self, context, x):
        return x + context.params["shift"]

    def backward(self, context, gradient):
        context.grads["shift"][...] = gradient
        return gradient


ROWS = 6


class Step:
    """A training pass with random numbers as inputs and as the gradients of the outputs.

    Attributes:
        inputs, given: these numbers.
        outputs: the values.
        penalty: what the layer adds to the loss.
        gradients: name -> gradient of a parameter of the node, and "in_0", "in_1", ... of the inputs.
    """

    def __init__(self, network, *, training=True, progress=None, seed=0):
        rng = np.random.default_rng(seed)
        gradients = network.parameters.like()
        run = Pass(network, list(network.graph.outputs.values()), training=training, gradients=gradients, rng=rng)
        run.ask_progress(lambda: progress)
        self.inputs = [rng.standard_normal((ROWS, *shape)) for shape in network.inputs.values()]
        self.outputs = [value.copy() for value in run.forward(self.inputs)]
        self.penalty = run.penalty
        self.given = [rng.standard_normal(value.shape) for value in self.outputs]
        run.backward([array.copy() for array in self.given])
        self.gradients = {
            name.removeprefix("it.").removeprefix("x_").removesuffix(".shift"): array
            for name, array in gradients.items()
        }


def close(found, tensor):
    np.testing.assert_allclose(found, tensor.detach().numpy(), rtol=1e-9, atol=1e-12)

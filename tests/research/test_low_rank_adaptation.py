"""Hu et al. 2021, "LoRA: low-rank adaptation of large language models"."""

import numpy as np
import pytest

import modnet
from modnet import Layer, Parameter, ShapeError, field
from modnet.initializers import Normal, Zeros
from modnet.layers import Linear
from modnet.testing import check_component
from tests.research.passes import Step, close, network_of


class LowRankAdapter(Layer, type="low_rank_adapter"):
    """y = layer(x) + alpha / rank * x A B: the layer stays as it is, and A (features, rank), B (rank, out) learn.

    B begins at 0, so that at first y is what the layer gives.

    Source: Hu et al. 2021, arXiv:2106.09685, section 4.1.
    """

    layer: Layer = Linear(out_features=4)
    rank: int = field(default=2, minimum=1)
    alpha: float = 1.0

    def output_shape(self, *input_shapes):
        shape = self.layer.output_shape(*input_shapes)
        if len(input_shapes[0]) != 1:
            raise ShapeError("expects samples of one axis")
        return shape

    def parameters(self, *input_shapes):
        inner = self.layer.parameters(*input_shapes)
        (features,), (size,) = input_shapes[0], self.layer.output_shape(*input_shapes)
        return {
            **{f"layer.{name}": parameter.replace(trainable=False) for name, parameter in inner.items()},
            "A": Parameter((features, self.rank), Normal(standard_deviation=1.0)),
            "B": Parameter((self.rank, size), Zeros()),
        }

    def forward(self, context, x):
        y = self.layer.forward(context.child("layer"), x)
        reduced = np.dot(x, context.params["A"], out=context.buffer((len(x), self.rank)))
        context.save(x, reduced)
        change = np.dot(reduced, context.params["B"], out=context.buffer(y.shape))
        np.multiply(change, self.alpha / self.rank, out=change)
        return np.add(y, change, out=change)

    def backward(self, context, gradient):
        x, reduced = context.saved
        scaled = np.multiply(gradient, self.alpha / self.rank, out=context.buffer(gradient.shape))
        np.dot(reduced.T, scaled, out=context.grads["B"])
        of_reduced = np.dot(scaled, context.params["B"].T, out=context.buffer(reduced.shape))
        np.dot(x.T, of_reduced, out=context.grads["A"])
        if not context.needs_input_gradient:
            return None
        through = np.dot(of_reduced, context.params["A"].T, out=context.buffer(x.shape))
        return np.add(through, self.layer.backward(context.child("layer"), gradient), out=through)


def test_the_kit():
    check_component(LowRankAdapter(), (5,))


def test_the_formula_in_torch():
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    network = network_of(LowRankAdapter(rank=3, alpha=2.0), (5,))
    network.parameters["it.B"] = np.random.default_rng(1).standard_normal((3, 4))
    step = Step(network)
    x, a, b, weight, bias = (
        torch.tensor(array, requires_grad=True)
        for array in (
            step.inputs[0],
            *(network.parameters[f"it.{name}"] for name in ("A", "B", "layer.weight", "layer.bias")),
        )
    )
    y = x @ weight + bias + 2.0 / 3 * (x @ a @ b)
    y.backward(torch.tensor(step.given[0]))
    close(step.outputs[0], y)
    for name, tensor in {"in_0": x, "A": a, "B": b}.items():
        close(step.gradients[name], tensor.grad)


def test_training_leaves_the_layer_as_it_is():
    network = modnet.build({"network": {"input": [5], "layers": [modnet.Node(LowRankAdapter(), name="it")]}})
    before = {name: array.copy() for name, array in network.parameters.items()}
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 5)), rng.standard_normal((64, 4))
    optimizer = {"type": "adamw", "learning_rate": 0.01, "weight_decay": 0.1}
    history = modnet.train(network, x, y, loss="mse", optimizer=optimizer, epochs=5)
    assert history["loss"][-1] < history["loss"][0]
    assert network.trainable_size == 5 * 2 + 2 * 4
    assert "(24 frozen)" in str(network.summary())
    for name, array in before.items():
        assert np.array_equal(network.parameters[name], array) == ("layer" in name), name


def test_the_weights_of_another_network_are_adapted():
    teacher = modnet.build({"network": {"input": [5], "layers": [{"type": "linear", "out_features": 4}]}}, seed=1)
    network = modnet.build({"network": {"input": [5], "layers": [modnet.Node(LowRankAdapter(), name="it")]}})
    modnet.load_parameters(network, teacher, rename={"linear_1": "it.layer"}, strict=False)
    x = np.random.default_rng(0).standard_normal((3, 5))
    np.testing.assert_allclose(network.forward(x), teacher.forward(x), rtol=1e-6)

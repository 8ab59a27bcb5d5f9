"""Layers with several outputs: names, gradients, masks, memory."""

import numpy as np
import pytest

import modnet
from modnet.activations import ReLU
from modnet.engine.passes import Pass
from modnet.errors import BrokenPlugin, SpecError
from modnet.initializers import LecunNormal
from modnet.kinds.layer import Layer, Parameter
from modnet.kinds.node import Node
from modnet.testing.gradients import directional_error


class Polar(Layer, type="test_polar"):
    """Length and direction of x @ weight; the second output is sum(u) of the first's rows, of fewer axes."""

    outputs = ("direction", "length")
    scratch_output = True

    def parameters(self, *input_shapes):
        return {"weight": Parameter((input_shapes[0][-1], 4), LecunNormal())}

    def output_shape(self, *input_shapes):
        return (*input_shapes[0][:-1], 4), (*input_shapes[0][:-1], 1)

    def forward(self, context, x):
        y = np.matmul(x, context.params["weight"], out=context.buffer((*x.shape[:-1], 4)))
        length = np.sqrt(np.sum(y**2, axis=-1, keepdims=True))
        context.save(x, y / length, length)
        return y / length, length

    def backward(self, context, gradient):
        x, direction, length = context.saved
        of_direction, of_length = gradient
        along = np.sum(of_direction * direction, axis=-1, keepdims=True)
        slope = (of_direction - along * direction) / length + of_length * direction
        context.grads["weight"][...] = x.reshape(-1, x.shape[-1]).T @ slope.reshape(-1, 4)
        return slope @ context.params["weight"].T


def polar(**options):
    return Node(Polar(), **options)


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


def build(layers, input=(4,), **network):
    return modnet.build({"network": {"input": input, "layers": layers, "dtype": "float64", **network}})


NETWORKS = {
    "the first alone": ([linear(4), polar(), "tanh", linear(2)], {"outputs": ["linear_2", "test_polar_1.length"]}),
    "both": (
        [
            linear(4),
            polar(name="p"),
            {"type": "multiply", "inputs": ["p.direction", "p"]},
            {"type": "concatenate", "inputs": ["multiply_1", "p.length"]},
            linear(2),
        ],
        {},
    ),
    "the second alone": ([linear(3), polar(name="p"), linear(2, inputs=["p.length"])], {"outputs": ["linear_2", "p"]}),
    "the second, twice": (
        [
            polar(name="p"),
            linear(3, name="a", inputs=["p.length"]),
            linear(3, name="b", inputs=["p.length"]),
            {"type": "add", "inputs": ["a", "b"]},
        ],
        {"outputs": ["add_1", "p"]},
    ),
    "nobody reads the first": ([linear(4), polar(name="p"), linear(2, inputs=["p.length"])], {}),
    "shared": (
        [
            polar(name="p"),
            polar(name="q", shares="p", inputs=["p.direction"]),
            {"type": "concatenate", "inputs": ["q", "q.length", "p.length"]},
        ],
        {},
    ),
    "in a composite": (
        [linear(4), {"type": "repeat", "count": 2, "layers": [polar(name="p"), linear(4, inputs=["p.length"])]}],
        {},
    ),
    "with an activation behind the first": (
        [
            linear(4),
            polar(name="p", activation=ReLU()),
            {"type": "concatenate", "inputs": ["p", "p.length", "p.direction"]},
        ],
        {},
    ),
    "frozen before it": ([linear(4, trainable=False), polar(name="p")], {"outputs": ["p.length", "p"]}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients(name):
    layers, options = NETWORKS[name]
    network = build(layers, **options)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((5, 4))
    gradients = network.parameters.like()
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=gradients)
    directions = [rng.standard_normal(value.shape) for value in run.forward([x])]
    trainable = network.trainable_size

    def value(flat):
        network.parameters.flat[:trainable] = flat
        return sum(float(np.vdot(v, d)) for v, d in zip(run.forward([x]), directions, strict=True))

    at = network.parameters.flat[:trainable].copy()
    for _ in range(2):  # the second time in buffers that are used
        value(at)
        run.backward([direction.copy() for direction in directions])
        assert directional_error(value, gradients.flat[:trainable].copy(), at, rng) < 1e-6
    predicted = network.forward(x)
    found = list(predicted.values()) if isinstance(predicted, dict) else [predicted]
    for a, b in zip(run.forward([x]), found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_outputs_are_named_by_node_and_output():
    network = build([polar(name="p"), linear(2)], outputs=["linear_1", "p.length"])
    assert network.outputs == {"linear_1": (2,), "p.length": (1,)}
    run = Pass(network, list(network.graph.outputs.values()))
    run.forward([np.ones((1, 4))])
    assert list(run.values()) == ["p", "p.length", "linear_1"]
    assert list(network.forward(np.ones((3, 4)))) == ["linear_1", "p.length"]
    text = str(network.summary())
    assert "p.length" in text
    assert "test_polar" in text


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([polar(name="p"), linear(2, inputs=["p.lenght"])], '"p" has no output "lenght"; did you mean "length"'),
        ([polar(name="p"), linear(2, inputs=["p.x"])], '"p" has no output "x".*; it has "direction", "length"'),
        (
            [polar(name="p"), linear(2, inputs=["q.length"])],
            'no earlier node is called "q.length"; did you mean "p.length"',
        ),
        ([linear(2, name="a"), linear(2, inputs=["a.length"])], '"a" has only one output; write "a" alone'),
        ([linear(2, inputs=["input.length"])], '"input" is an input of the network and has no outputs'),
        ([polar(name="p"), linear(2, name="p.length")], "a name consists of letters, digits"),
        ([linear(3), polar(name="p"), linear(2, inputs=["linear_1"])], "the output of this node is not used"),
    ],
)
def test_names_that_mean_nothing(layers, message):
    with pytest.raises(SpecError, match=message):
        build(layers)


class Steps(Layer, type="test_steps"):
    """Sequences, their last step, and their sequence once more, cut by one step."""

    outputs = ("whole", "last", "cut")
    given = "one"

    def output_shape(self, *input_shapes):
        ((time, features),) = input_shapes
        return (time, features), (features,), (time, features)

    def forward(self, context, x):
        mask = context.masks[0]
        if self.given == "each" and mask is not None:
            context.output_mask = (mask, None, mask[:, 1:])
        return x, x[:, -1], x[:, 1:] if self.given == "each" else x

    def backward(self, context, gradient):
        return gradient[0]


class StepsOfEach(Steps, type="test_steps_of_each"):
    given = "each"


@pytest.mark.parametrize("layer", [Steps(), StepsOfEach()])
def test_masks_go_to_the_outputs_that_are_sequences(layer):
    # As many features as steps: what has no steps is not taken for a sequence.
    embedding = {"type": "embedding", "vocabulary_size": 5, "embedding_size": 4, "padding": 0}
    names = [f"s.{output}" for output in Steps.outputs]
    network = build([embedding, Node(layer, name="s")], input=["variable"], outputs=["s", *names[1:]])
    run = Pass(network, list(network.graph.outputs.values()))
    run.forward([np.array([[1, 2, 0, 0], [1, 2, 3, 4]])])
    whole, last, cut = run.wanted_masks()
    mask = np.array([[True, True, False, False], [True] * 4])
    assert (whole == mask).all()
    assert last is None
    assert (cut == (mask[:, 1:] if layer.given == "each" else mask)).all()


class Wrong(Layer, type="test_wrong"):
    outputs = ("a", "b")
    gives: int = 2

    def output_shape(self, *input_shapes):
        return ((4,), (4,)) if self.gives else (4,)

    def forward(self, context, x):
        return {1: x, 2: (x, x), 3: (x, x, x), 4: (x, [1.0]), 5: (x, x[:, :2])}[self.gives]


class Pair(Layer, type="test_pair"):
    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        return x, x


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (
            Wrong(gives=1),
            BrokenPlugin,
            r"test_wrong\): .*: forward gave an array of float64 .*; expected a tuple of 2 arrays \(a, b\)",
        ),
        (Wrong(gives=3), BrokenPlugin, r"forward gave a tuple of 3 arrays; expected a tuple of 2 arrays \(a, b\)"),
        (Wrong(gives=4), BrokenPlugin, r"forward gave a list of 1 value for b; expected one array"),
        (Wrong(gives=5), BrokenPlugin, r"output_shape gave \(4,\) for b, but forward gave \(2,\)"),
        (Pair(), BrokenPlugin, r"test_pair\): .*: forward gave a tuple of 2 arrays; expected one array"),
    ],
)
def test_what_a_layer_gives_is_held_against_what_it_says(layer, error, message):
    outputs = ["x", "x.b"] if layer.outputs else ["x"]
    with pytest.raises(error, match=message):
        build([Node(layer, name="x")], outputs=outputs).forward(np.ones((2, 4)))
    if not layer.outputs:  # the next node stumbles over it, and is not the one to blame
        with pytest.raises(error, match=message):
            build([Node(layer, name="x"), linear(2)]).forward(np.ones((2, 4)))


def test_an_output_shape_that_is_none():
    with pytest.raises(TypeError, match=r"test_wrong: output_shape gives \(4,\), expected a tuple of shapes for a, b"):
        build([Node(Wrong(gives=0))])


def test_a_model_file_keeps_the_names_of_outputs(tmp_path):
    registry = modnet.Registry()
    registry.register(Polar)
    network = build([polar(name="p"), linear(2, inputs=["p.length"])], outputs=["p", "linear_1"])
    with pytest.warns(UserWarning, match="needs the layer"):
        modnet.save(network, tmp_path / "p.modnet", registry=registry)
    x = np.random.default_rng(0).standard_normal((3, 4))
    found = modnet.load(tmp_path / "p.modnet", registry=registry).forward(x)
    for name, expected in network.forward(x).items():
        np.testing.assert_array_equal(found[name], expected)


def test_a_loss_for_an_output_that_is_not_the_first():
    network = build([polar(name="p")], outputs=["p.length", "p.direction"])
    x = np.random.default_rng(0).standard_normal((40, 4))
    y = {"p.length": np.ones((40, 1)), "p.direction": np.ones((40, 4)) / 2}
    loss = {"p.length": "mse", "p.direction": "mse"}
    history = modnet.train(network, x, y, loss=loss, epochs=30, optimizer={"type": "adam", "learning_rate": 0.05})
    assert history["p.length_loss"][-1] < 0.5 * history["p.length_loss"][0]

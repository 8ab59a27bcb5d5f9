"""Padding is no data: more of it, or other numbers in it, change nothing of what is said of the steps that there are.

Every layer that the registry knows is tried, those of the installed plugins too, behind embeddings that make the masks.
"""

import inspect

import numpy as np
import pytest

import modnet
from modnet.engine.passes import Pass
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer
from modnet.kinds.node import Node
from modnet.layers import BatchNorm, Concatenate, LayerNorm, Linear, Reshape, Residual
from modnet.plugins.kernels import NUMPY_ONLY
from modnet.plugins.registry import Registry
from modnet.testing import layer_context
from modnet.testing.examples import examples_of

REGISTRY = Registry()
LENGTHS = np.array([5, 4, 1, 0, 5])
WITHOUT_STEPS = {
    "ensemble_mean": "its first axis is one of members",
    "flatten": "its features are steps of a fixed number, and whoever reads them takes all of them",
}
"""Layers behind which nobody can know any more what was padding."""


def sequences(example):
    """The example with sequences of variable length, or None where the layer takes none."""
    layer, shapes = example.component, example.input_shapes
    if layer.integer_input:
        tried = [((None,),) * len(shapes)]
    elif len(shapes[0]) == 2:
        lengths = (None, int(LENGTHS.max()))
        tried = [tuple((steps, *shape[1:]) if len(shape) == 2 else shape for shape in shapes) for steps in lengths]
    else:
        return None
    for sized in tried:
        inputs = {f"x{number}": shape for number, shape in enumerate(sized)}
        node = {"type": layer.type, **vars(layer), "inputs": list(inputs)}
        try:
            modnet.build({"network": {"input": inputs, "layers": [node]}}, registry=REGISTRY)
        except modnet.SpecError:
            continue
        return Example(layer, sized)
    return None


def further():
    """Uses that no layer gives as examples of its own."""
    yield Example(LayerNorm(axes=2), ((5, 4),))
    yield Example(Reshape(shape=(-1, 2, 2)), ((None, 4),))
    yield Example(Concatenate(axis=0), ((None, 4), (None, 4)))
    yield Example(Residual(layers=(Node(layer=BatchNorm()), Node(layer=Linear(out_features=4)))), ((None, 4),))
    names = REGISTRY.names(Layer)
    if "conv1d" in names:
        for type_, options in (("conv1d", {"out_channels": 2, "kernel_size": 4}), ("max_pool1d", {"pool_size": 4})):
            cls = REGISTRY.find(Layer, type_)
            for padding in ("same", "valid", (3, 0)):
                yield Example(cls(**options, stride=3, padding=padding), ((None, 3),))
    if "transformer_block" in names:
        block = REGISTRY.find(Layer, "transformer_block")
        yield Example(block(features=4, heads=2, norm=BatchNorm()), ((None, 4),))


def every_use():
    yield from further()
    for entry in REGISTRY.entries(Layer):
        for example in examples_of(entry.load()):
            use = sequences(example) if entry.origin.type not in WITHOUT_STEPS else None
            if use is not None:
                yield use


USES = [pytest.param(use, id=f"{use.component} {use.input_shapes}") for use in every_use()]


def trial(use, padding, training, other=False, kernels=NUMPY_ONLY):
    """(outputs of the steps that there are, gradients, state) of a network of embeddings and the layer."""
    layer = use.component
    embeddings, inputs, shapes = [], [], {"ids": (None,)}
    for number, shape in enumerate(use.input_shapes):
        if len(shape) == 2:
            inputs.append(f"words{number}")
            embedding = {"type": "embedding", "vocabulary_size": 9, "embedding_size": shape[1], "padding": 0}
            embeddings.append({**embedding, "inputs": ["ids"], "name": inputs[-1]})
            if shape[0] is not None:
                shapes["ids"] = shape[:1]
        elif layer.integer_input:
            inputs.append("ids")
        else:
            inputs.append(f"state{number}")
            shapes[inputs[-1]] = shape
    node = {"type": layer.type, **vars(layer), "inputs": inputs, "name": "tried"}
    if layer.integer_input and "padding" in vars(layer):
        node["padding"] = 0
    spec = {"network": {"input": shapes, "layers": [*embeddings, node], "dtype": "float64"}}
    network = modnet.build(spec, seed=3, registry=REGISTRY)
    rng = np.random.default_rng(0)
    steps = int(LENGTHS.max())
    ids = rng.integers(1, 9 if embeddings else 3, (len(LENGTHS), steps)) * (np.arange(steps) < LENGTHS[:, None])
    arrays = [np.pad(ids, ((0, 0), (0, padding)))]
    arrays += [rng.standard_normal((len(ids), *shape)) for shape in list(shapes.values())[1:]]
    if other:
        for name in inputs:
            if name.startswith("words"):
                network.parameters[f"{name}.weight"][0] *= 50
    gradients = network.parameters.like()
    slot = network.graph.outputs["output"]
    run = Pass(network, [slot], training=training, gradients=gradients, rng=np.random.default_rng(1), kernels=kernels)
    (output,) = run.forward(arrays)
    mask = run.masks.get(slot)
    if mask is None:
        assert None not in network.outputs["output"], "its output has steps, and nobody is told which are padding"
        mask = np.ones(len(output), bool)
    found = output[mask].copy()
    gradient = np.zeros(output.shape)
    gradient[mask] = np.random.default_rng(2).standard_normal(found.shape)
    run.backward([gradient])
    assert not any(gradients[f"{name}.weight"][0].any() for name in inputs if name.startswith("words")), (
        "padded steps have a gradient"
    )
    return found, dict(gradients), dict(network.state)


def is_random(layer):
    """Whether it draws numbers: as many more as there is more padding."""
    return "rng" in inspect.getsource(type(layer).forward) and layer.type != "multi_head_attention"


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
def test_more_padding_changes_nothing(use, training):
    if None not in use.input_shapes[0]:
        pytest.skip("it takes sequences of one length")
    if training and is_random(use.component):
        pytest.skip("more padding, more random numbers")
    most = getattr(use.component, "max_length", LENGTHS.max() + 7) - LENGTHS.max()
    expected = trial(use, 0, training)
    for padding in range(1, most + 1):
        same(trial(use, padding, training), expected)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
@pytest.mark.parametrize("kernels", [REGISTRY.kernels, NUMPY_ONLY], ids=["kernels", "numpy"])
def test_other_numbers_in_padded_steps_change_nothing(use, training, kernels):
    expected = trial(use, 0, training, kernels=kernels)
    same(trial(use, 0, training, other=True, kernels=kernels), expected)


def same(found, expected):
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9, atol=1e-12)
    for now, then in zip(found[1:], expected[1:], strict=True):
        for name, array in then.items():
            np.testing.assert_allclose(now[name], array, rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("type_", ["add", "multiply", "concatenate"])
@pytest.mark.parametrize(
    "order", [("words", "numbers"), ("numbers", "words"), ("words", "others"), ("others", "words")]
)
def test_a_mask_counts_from_whichever_input_it_comes(type_, order):
    embedding = {"type": "embedding", "vocabulary_size": 9, "embedding_size": 4, "padding": 0}
    makers = {"words": embedding, "others": embedding, "numbers": {"type": "linear", "out_features": 4}}
    shapes = {"words": ["variable"], "others": ["variable"], "numbers": ["variable", 3]}
    layers = [{**makers[name], "inputs": [name], "name": f"from_{name}"} for name in order]
    layers += [{"type": type_, "inputs": [f"from_{name}" for name in order]}, "global_average_pool"]
    network = modnet.build({"network": {"input": {name: shapes[name] for name in order}, "layers": layers}})
    rng = np.random.default_rng(0)
    words, others = rng.integers(1, 9, (2, 2, 6))
    words[:, 4:], others[:, 3:] = 0, 0
    x = {"words": words, "others": others, "numbers": rng.standard_normal((2, 6, 3))}
    short = 3 if "others" in order else 4
    found = network.predict({name: x[name] for name in order})
    expected = network.predict({name: x[name][:, :short] for name in order})
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("type_", ["global_average_pool", "global_max_pool"])
def test_pooling_over_steps_of_several_axes_takes_the_steps_that_there_are(type_):
    if type_ not in REGISTRY.names(Layer):
        pytest.skip("the plugin is not installed")
    layer = REGISTRY.find(Layer, type_)()
    rng = np.random.default_rng(0)
    x, lengths = rng.standard_normal((4, 6, 3, 2)), (6, 3, 1, 0)
    mask = np.arange(6) < np.array(lengths)[:, None]
    context = layer_context(layer, x.shape[1:])
    context.masks = (mask,)
    y = layer.forward(context, np.where(mask[..., None, None], x, 1e6))
    gradient = layer.backward(context, np.ones_like(y))
    assert not gradient[~mask].any()
    for row, length in enumerate(lengths[:3]):
        alone = layer_context(layer, (length, 3, 2))
        np.testing.assert_allclose(y[row : row + 1], layer.forward(alone, x[row : row + 1, :length]), rtol=1e-12)
        expected = layer.backward(alone, np.ones((1, 2)))
        np.testing.assert_allclose(gradient[row : row + 1, :length], expected, rtol=1e-12)
    assert not y[3].any()


def test_batch_norm_follows_the_steps_that_there_are():
    layer = BatchNorm()
    x = np.random.default_rng(0).standard_normal((4, 6, 3)) + 5
    mask = np.arange(6) < np.array([6, 3, 1, 0])[:, None]
    context = layer_context(layer, (None, 3))
    context.masks = (mask,)
    y = layer.forward(context, np.where(mask[..., None], x, 1e6))
    np.testing.assert_allclose(context.state["running_mean"], 0.1 * x[mask].mean(axis=0))
    np.testing.assert_allclose(context.state["running_variance"], 0.9 + 0.1 * x[mask].var(axis=0, ddof=1))
    alone = layer_context(layer, (3,))
    np.testing.assert_allclose(y[mask], layer.forward(alone, x[mask]))


def test_standardize_learns_from_the_steps_that_there_are():
    rng = np.random.default_rng(0)
    x, lengths = rng.standard_normal((20, 5, 2)) + 3, rng.integers(1, 6, 20)
    mask = np.arange(5) < lengths[:, None]
    x[~mask] = 0
    layers = [ZeroIsPadding(), "standardize", {"type": "linear", "out_features": 2}, "unstandardize"]
    network = modnet.build({"network": {"input": ["variable", 2], "layers": layers, "dtype": "float64"}})
    network.prepare(lambda: [([x[:8]], {"output": x[:8] * 2}), ([x[8:]], {"output": x[8:] * 2})])
    for name, factor in (("standardize_1", 1), ("unstandardize_1", 2)):
        np.testing.assert_allclose(network.state[f"{name}.mean"], factor * x[mask].mean(axis=0))
        np.testing.assert_allclose(network.state[f"{name}.deviation"], factor * x[mask].std(axis=0))
        assert network.state[f"{name}.samples"] == mask.sum()


class ZeroIsPadding(Layer, type="zero_is_padding"):
    """Says that steps of zeros are padding."""

    makes_mask = True

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        context.output_mask = (x != 0).any(axis=2)
        return x

    def backward(self, context, gradient):
        return gradient


def test_behind_what_makes_a_mask_far_numbers_keep_their_digits():
    rng = np.random.default_rng(0)
    x = 1.7e9 + rng.random((20, 5, 1))
    x[::3, 3:] = 0
    network = modnet.build({"network": {"input": ["variable", 1], "layers": [ZeroIsPadding(), "standardize"]}})
    network.prepare(lambda: [([x], {})])
    there = x[x > 0]
    np.testing.assert_allclose(network.predict(x)[x > 0], (there - there.mean()) / there.std(), atol=1e-5)


def test_an_affine_map_of_features_ends_the_way_of_a_mask():
    """Four steps become four features by chance; a mask of steps says nothing of them."""
    layers = [ZeroIsPadding(), "flatten", {"type": "linear", "out_features": 4}, {"type": "reshape", "shape": [4, 1]}]
    network = modnet.build({"network": {"input": [4, 1], "layers": layers}})
    passing = Pass(network, [network.graph.outputs["output"]])
    passing.forward([np.array([[[1], [2], [0], [0]]], np.float32)])
    assert list(passing.masks) == [1]

"""What every layer of the plugin keeps: a new one is tested by being among the entry points."""

from importlib.metadata import distribution

import numpy as np
import pytest

import modnet
from modnet import Composite, Layer
from modnet.configuration import Checker
from modnet.network import Pass
from modnet.registry import Registry
from modnet.spec.components import ComponentReader
from modnet.testing.examples import examples_of
from modnet.testing.gradients import layer_context, layer_gradient_errors

POINTS = list(distribution("modnet-conv").entry_points.select(group="modnet.layers"))
REGISTRY = Registry(lambda: POINTS)
CLASSES = [point.load() for point in POINTS]
LAYERS = [
    pytest.param(example, id=f"{example.component} {' '.join(map(str, example.input_shapes))}")
    for cls in CLASSES
    for example in examples_of(cls)
]
SIMPLE = [parameter for parameter in LAYERS if not isinstance(parameter.values[0].component, Composite)]


def network_of(example, dtype="float32"):
    node = {"type": example.component.type, **vars(example.component)}
    spec = {"network": {"input": list(example.input_shapes[0]), "layers": [node], "dtype": dtype}}
    return modnet.build(spec, seed=0, registry=REGISTRY)


def data_for(example, rows=8):
    return np.random.default_rng(0).standard_normal((rows, *example.input_shapes[0]))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.type)
def test_its_entry_point_is_its_type(cls):
    assert {point.name: point.value for point in POINTS}[cls.type].endswith(f":{cls.__name__}")


@pytest.mark.parametrize("example", LAYERS)
def test_comes_back_from_its_plain_form(example):
    checker = Checker(ComponentReader(REGISTRY))
    again = checker.value(Layer, example.component.plain(), ("layer",))
    checker.raise_problems()
    assert again == example.component
    assert hash(again) == hash(example.component)


@pytest.mark.parametrize("example", SIMPLE)
@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
@pytest.mark.parametrize("batch", [1, 4])
def test_gradients_are_true(example, training, batch):
    errors = layer_gradient_errors(example.component, *example.input_shapes, training=training, batch=batch)
    assert max(errors.values(), default=0.0) < 1e-6, errors


@pytest.mark.parametrize("example", LAYERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_half_a_batch_predicts_what_the_whole_batch_predicts(example, dtype):
    network = network_of(example, dtype)
    x = data_for(example)
    whole = network.predict(x)
    assert whole.dtype == dtype
    parts = [network.predict(x[part]) for part in (slice(0, 5), slice(5, 8))]
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(network.predict(x[:1]), whole[:1], rtol=tolerance, atol=tolerance)
    assert network.predict(x[:0]).shape == (0, *whole.shape[1:])


@pytest.mark.parametrize("example", LAYERS)
def test_takes_arrays_that_are_not_contiguous_and_leaves_them_alone(example):
    network = network_of(example, "float64")
    x = data_for(example)
    strided = np.asfortranarray(np.repeat(x, 2, axis=1))[:, ::2]
    kept = strided.copy()
    np.testing.assert_allclose(network.predict(strided), network.predict(x), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(strided, kept)


@pytest.mark.parametrize("example", LAYERS)
def test_is_saved_and_loaded(example, tmp_path):
    network = network_of(example)
    x = data_for(example)
    modnet.save(network, tmp_path / "model", registry=REGISTRY)
    loaded = modnet.load(tmp_path / "model", registry=REGISTRY)
    assert loaded.predict(x).tobytes() == network.predict(x).tobytes()


@pytest.mark.parametrize("example", SIMPLE)
def test_a_step_with_a_smaller_batch_forgets_the_larger_one_before(example):
    """Buffers are kept from step to step; nothing of the last step may shine through."""
    layer, (shape,) = example.component, example.input_shapes
    x = data_for(example)
    results = []
    for batches in ((x, x[5:]), (x[5:],)):
        context = layer_context(layer, shape)
        for batch in batches:
            context.begin()
            context.rng = np.random.default_rng(1)
            y = layer.forward(context, batch).copy()
            result = layer.backward(context, np.ones_like(y)).copy()
        results.append([y, result, *(gradient.copy() for gradient in context.grads.values())])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("example", SIMPLE)
def test_an_empty_batch_passes(example):
    layer, (shape,) = example.component, example.input_shapes
    context = layer_context(layer, shape)
    context.begin()
    y = layer.forward(context, np.zeros((0, *shape)))
    assert layer.backward(context, np.zeros_like(y)).shape == (0, *shape)
    assert all((gradient == 0).all() for gradient in context.grads.values())


@pytest.mark.parametrize("example", LAYERS)
def test_two_training_passes_with_one_seed_give_the_same_bytes(example):
    results = []
    for _ in range(2):
        network = network_of(example)
        gradients = network.parameters.like()
        slots = list(network.graph.outputs.values())
        run = Pass(network, slots, training=True, gradients=gradients, rng=np.random.default_rng(3))
        for _ in range(2):
            (output,) = run.forward(network.arrays(data_for(example)))
            run.backward([np.ones_like(output)])
        results.append((output.tobytes(), gradients.flat.tobytes()))
    assert results[0] == results[1]


@pytest.mark.parametrize("example", SIMPLE)
def test_takes_samples_of_any_size(example):
    layer, (shape,) = example.component, example.input_shapes
    if layer.type == "random_crop":
        return
    *axes, channels = shape
    announced = layer.output_shape((*(None for _ in axes), channels))
    fixed = layer.output_shape(shape)
    assert all(size is None or size == other for size, other in zip(announced, fixed, strict=True))
    assert len(announced) == len(fixed)

"""What every layer keeps: gradients, its plain form, its file, and what it announces."""

from importlib.metadata import distribution

import numpy as np
import pytest

import modnet
from modnet import Composite
from modnet.configuration import Checker
from modnet.network import Pass
from modnet.spec.components import ComponentReader
from modnet.testing.examples import examples_of
from modnet.testing.gradients import directional_error, layer_gradient_errors

CLASSES = [point.load() for point in distribution("modnet-attention").entry_points.select(group="modnet.layers")]
EXAMPLES = [pytest.param(example, id=str(example)) for cls in CLASSES for example in examples_of(cls)]
SIMPLE = [parameter for parameter in EXAMPLES if not isinstance(parameter.values[0].component, Composite)]


def network_of(example, dtype="float32"):
    names = [f"in{i}" for i in range(len(example.input_shapes))]
    node = {"type": example.component.type, **vars(example.component), "inputs": names}
    inputs = dict(zip(names, example.input_shapes, strict=True))
    return modnet.build({"network": {"input": inputs, "layers": [node], "dtype": dtype}}, seed=1)


def data_for(network, rows=5, steps=4):
    rng = np.random.default_rng(0)
    return {
        name: rng.standard_normal((rows, *(axis or steps for axis in shape))) for name, shape in network.inputs.items()
    }


@pytest.mark.parametrize("example", SIMPLE)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_agree_with_finite_differences(example, training):
    errors = layer_gradient_errors(example.component, *example.input_shapes, training=training)
    assert max(errors.values()) < 1e-6, errors


@pytest.mark.parametrize("example", EXAMPLES)
def test_gradients_of_the_whole_network(example):
    network = network_of(example, "float64")
    x = list(data_for(network).values())
    gradients = network.parameters.like()
    run = Pass(network, [len(x) + len(network.graph.nodes) - 1], training=True, gradients=gradients)
    (y,) = run.forward(x)
    weights = np.random.default_rng(2).standard_normal(y.shape)
    run.backward([weights.copy()])

    def value(parameters):
        before = network.parameters.flat.copy()
        network.parameters.flat[...] = parameters
        result = float(np.vdot(run.forward(x)[0], weights))
        network.parameters.flat[...] = before
        return result

    if gradients.flat.size:
        error = directional_error(value, gradients.flat, network.parameters.flat.copy(), np.random.default_rng(3))
        assert error < 1e-6


@pytest.mark.parametrize("example", EXAMPLES)
def test_comes_back_from_its_plain_form(example):
    checker = Checker(ComponentReader(modnet.default_registry()))
    again = checker.value(modnet.Layer, example.component.plain(), ("component",))
    checker.raise_problems()
    assert again == example.component


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_saved_network_predicts_the_same(example, tmp_path):
    network = network_of(example)
    x = data_for(network)
    modnet.save(network, tmp_path / "network.modnet")
    np.testing.assert_array_equal(modnet.load(tmp_path / "network.modnet").predict(x), network.predict(x))


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_batch_of_any_size_and_layout(example):
    network = network_of(example)
    x = data_for(network, rows=7)
    whole = network.predict(x)
    for rows in (0, 1, 3):
        part = network.predict({name: array[:rows] for name, array in x.items()})
        assert part.shape == (rows, *whole.shape[1:])
        np.testing.assert_allclose(part, whole[:rows], rtol=1e-5, atol=1e-6)
    fortran = network.predict({name: np.asfortranarray(array) for name, array in x.items()})
    np.testing.assert_allclose(fortran, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_second_step_allocates_no_buffer(example):
    network = network_of(example)
    x = [array.astype(np.float32) for array in data_for(network).values()]
    slot = len(x) + len(network.graph.nodes) - 1
    run = Pass(network, [slot], training=True, gradients=network.parameters.like())
    storages = []
    for _ in range(2):
        run.backward([np.ones_like(run.forward(x)[0])])
        storages.append([id(storage) for context in run.contexts.values() for storage in context._storage])
    assert storages[0] == storages[1]

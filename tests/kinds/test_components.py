"""What every component keeps, asked of all that the registry knows: a new one is tested by being there."""

import inspect

import numpy as np
import pytest

import modnet
from modnet import Composite, Layer, Loss
from modnet.configuration.checker import ComponentOf
from modnet.configuration.reading import Reading
from modnet.engine.passes import Pass
from modnet.kinds import GROUPS, KINDS
from modnet.kinds.activation import Activation
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.registry import Registry
from modnet.specs.components import ComponentReader
from modnet.testing.examples import examples_of
from modnet.testing.gradients import layer_context, layer_gradient_errors, layer_inputs

REGISTRY = Registry(list)
CLASSES = [REGISTRY.find(KINDS[kind], name) for kind, group in GROUPS.items() for name in BUILTIN[group]]
LAYERS = [
    pytest.param(example, id=f"{example.component} {' '.join(map(str, example.input_shapes))}")
    for cls in CLASSES
    if issubclass(cls, Layer)
    for example in examples_of(cls)
]
SIMPLE = [parameter for parameter in LAYERS if not isinstance(parameter.values[0].component, Composite)]


def network_of(example, dtype="float32", extra=()):
    """A network of the example's layer alone."""
    shapes = example.input_shapes or ((6,),)
    names = [f"in{i}" for i in range(len(shapes))]
    node = {"type": example.component.type, **vars(example.component), "inputs": names}
    inputs = dict(zip(names, shapes, strict=True))
    spec = {"network": {"input": inputs, "layers": [node, *extra], "dtype": dtype}}
    return modnet.build(spec, seed=0, registry=REGISTRY)


def data_for(network, example, rows=5, seed=0):
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in network.inputs.items():
        size = (rows, *(3 if axis is None else axis for axis in shape))
        arrays[name] = rng.integers(0, 3, size) if example.component.integer_input else rng.standard_normal(size)
    return arrays


def promises(layer):
    """Whether a layer that is no activation, which have tests of their own, says what its output holds."""
    return not isinstance(layer, Activation) and (layer.keeps_numbers or layer.output_range is not None)


@pytest.mark.parametrize("example", [p for p in SIMPLE if promises(p.values[0].component)])
def test_the_output_holds_what_the_layer_promises(example):
    layer = example.component
    shapes = [tuple(3 if axis is None else axis for axis in shape) for shape in example.input_shapes or ((6,),)]
    context = layer_context(layer, *shapes, seed=0)
    for array in context.params.values():
        array *= 1000
    inputs = [x * 1000 if x.dtype.kind == "f" else x for x in layer_inputs(layer, *shapes, batch=32)]
    output = layer.forward(context, *inputs)
    if layer.keeps_numbers:
        assert np.isin(output, inputs[0]).all()
    if layer.output_range is not None:
        lowest, highest = layer.output_range
        assert lowest <= output.min() < max(lowest + 1e-3, -100)
        assert min(highest - 1e-3, 100) < output.max() <= highest


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.kind}-{cls.type}")
def test_says_what_it_is(cls):
    assert inspect.getdoc(cls)
    assert inspect.getdoc(cls) != inspect.getdoc(cls.__mro__[1])
    for name, hint in cls.hints().items():
        assert hint is not None, name


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.kind}-{cls.type}")
def test_comes_back_from_its_plain_form(cls):
    for example in examples_of(cls):
        reading = Reading(ComponentReader(REGISTRY))
        again = reading.value(ComponentOf(KINDS[cls.kind]), example.component.plain(), ("component",))
        reading.raise_problems()
        assert again == example.component
        assert hash(again) == hash(example.component)


@pytest.mark.parametrize("example", SIMPLE)
@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
def test_gradients_are_true(example, training):
    errors = layer_gradient_errors(example.component, *example.input_shapes, training=training)
    assert max(errors.values(), default=0.0) < 1e-6, errors


@pytest.mark.parametrize("example", LAYERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_keeps_the_dtype_and_gives_the_shape_it_announces(example, dtype):
    network = network_of(example, dtype)
    arrays = data_for(network, example)
    prediction = network.predict(arrays)
    (shape,) = network.outputs.values()
    assert prediction.dtype == dtype
    assert prediction.shape[0] == 5
    assert all(e is None or e == f for e, f in zip(shape, prediction.shape[1:], strict=True))


@pytest.mark.parametrize("example", LAYERS)
def test_half_a_batch_predicts_what_the_whole_batch_predicts(example):
    network = network_of(example, "float64")
    arrays = data_for(network, example, 8)
    whole = network.predict(arrays)
    halves = [network.predict({n: a[part] for n, a in arrays.items()}) for part in (slice(0, 4), slice(4, 8))]
    np.testing.assert_allclose(np.concatenate(halves), whole, rtol=1e-12, atol=1e-14)
    assert network.predict({n: a[:0] for n, a in arrays.items()}).shape == (0, *whole.shape[1:])
    np.testing.assert_allclose(
        network.predict({n: a[:1] for n, a in arrays.items()}), whole[:1], rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("example", LAYERS)
def test_takes_arrays_that_are_not_contiguous_and_leaves_them_alone(example):
    network = network_of(example, "float64")
    arrays = data_for(network, example, 8)
    strided = {n: np.repeat(a, 2, axis=0)[::2] for n, a in arrays.items()}
    kept = {n: a.copy() for n, a in strided.items()}
    np.testing.assert_allclose(network.predict(strided), network.predict(arrays), rtol=1e-12, atol=1e-14)
    assert all((strided[n] == kept[n]).all() for n in kept)


@pytest.mark.parametrize("example", LAYERS)
def test_is_saved_and_loaded(example, tmp_path):
    network = network_of(example)
    arrays = data_for(network, example)
    modnet.save(network, tmp_path / "model", registry=REGISTRY)
    loaded = modnet.load(tmp_path / "model", registry=REGISTRY)
    assert loaded.predict(arrays).tobytes() == network.predict(arrays).tobytes()


@pytest.mark.parametrize("example", LAYERS)
def test_two_training_passes_with_one_seed_give_the_same_bytes(example):
    results = []
    for _ in range(2):
        network = network_of(example)
        slot = list(network.graph.outputs.values())
        gradients = network.parameters.like()
        run = Pass(network, slot, training=True, gradients=gradients, rng=np.random.default_rng(3))
        arrays = network.arrays(data_for(network, example))
        for _ in range(2):
            (output,) = run.forward(arrays)
            run.backward([np.ones_like(output)])
        results.append((output.tobytes(), gradients.flat.tobytes(), network.state.flat.tobytes()))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "example",
    [p for p in LAYERS if isinstance(p.values[0].component, Activation)],
)
def test_an_activation_keeps_the_shape_and_may_write_over_its_input(example):
    (shape,) = example.input_shapes
    activation = example.component
    assert activation.output_shape(shape) == shape
    if activation.elementwise:
        x = np.linspace(-3, 3, 64)
        expected = activation.function(x.copy(), np.empty_like(x))
        assert (activation.function(x, x) == expected).all()


@pytest.mark.parametrize("cls", [c for c in CLASSES if issubclass(c, Loss)], ids=lambda cls: cls.type)
def test_a_loss_refuses_a_target_of_another_shape_and_names_both(cls):
    (example, *_) = examples_of(cls)
    with pytest.raises(modnet.ShapeError, match=r"\(3,\).*\(7, 5\)"):
        example.component.check_shapes((3,), (7, 5))

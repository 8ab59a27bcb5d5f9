"""Layers of ensembles: what all members together give is what each of them gives by itself."""

import numpy as np
import pytest

import modnet
from modnet.activations import PReLU, ReLU, Softmax
from modnet.initializers import HeNormal, Orthogonal
from modnet.layers import Add, BatchNorm, Concatenate, Dropout, EnsembleMean, LayerNorm, Linear, PerMember, RMSNorm
from modnet.layers.members import Members, for_members
from modnet.specs.model import NetworkSpec
from modnet.testing import layer_context
from modnet.testing.examples import accepted_shapes, examples_of

REGISTRY = modnet.default_registry()
RNG = np.random.default_rng(0)


def test_the_mean_is_that_of_the_members():
    x = RNG.standard_normal((4, 3, 2))
    layer = EnsembleMean()
    np.testing.assert_allclose(layer.forward(layer_context(layer, (3, 2)), x), x.mean(axis=1))
    with pytest.raises(modnet.ShapeError, match="members"):
        layer.output_shape(())


CASES = [
    (Linear(out_features=5), [(4,)]),
    (Linear(out_features=5, bias=False), [(4,)]),
    (Linear(out_features=5), [(6, 4)]),
    (LayerNorm(), [(4,)]),
    (LayerNorm(), [(5, 4)]),
    (LayerNorm(axes=2), [(5, 4)]),
    (RMSNorm(), [(4,)]),
    (RMSNorm(), [(5, 4)]),
    (BatchNorm(), [(4,)]),
    (BatchNorm(), [(5, 4)]),
    (PReLU(), [(4,)]),
    (PReLU(), [(2, 4)]),
    (PReLU(shared=True), [(4,)]),
    (Softmax(), [(4,)]),
    (Concatenate(), [(4,), (2,)]),
    (Concatenate(axis=0), [(4, 2), (3, 2)]),
    (Add(), [(4,), (4,)]),
]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("layer", "shapes"), CASES)
def test_each_member_gives_what_it_would_alone(layer, shapes, shared):
    whole = for_members(layer, 3, shared)
    given = shapes if shared else [(3, *shape) for shape in shapes]
    assert whole.output_shape(*given) == (3, *layer.output_shape(*shapes))
    context = layer_context(whole, *given, training=True)
    inputs = [RNG.standard_normal((7, *shape)) for shape in given]
    y = whole.forward(context, *inputs)
    slope = RNG.standard_normal(y.shape)
    slopes = whole.backward(context, slope.copy())
    slopes = slopes if isinstance(slopes, tuple) else (slopes,)
    expected = [np.zeros(x.shape) for x in inputs]
    for member in range(3):
        alone = layer_context(layer, *shapes, training=True)
        for name in alone.params:
            alone.params[name][...] = context.params[name][member, ...]
        own = inputs if shared else [np.ascontiguousarray(x[:, member]) for x in inputs]
        np.testing.assert_allclose(layer.forward(alone, *own), y[:, member], atol=1e-12)
        found = layer.backward(alone, slope[:, member].copy())
        for name in alone.grads:
            np.testing.assert_allclose(alone.grads[name], context.grads[name][member], atol=1e-12)
        for total, part in zip(expected, found if isinstance(found, tuple) else (found,), strict=True):
            if shared:
                total += part
            else:
                total[:, member] = part
    for total, found in zip(expected, slopes, strict=True):
        np.testing.assert_allclose(found, total, atol=1e-12)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [(4,), (6, 4)])
def test_one_product_gives_what_the_loop_gives(shape, shared):
    layer = Linear(out_features=5)
    given = shape if shared else (3, *shape)
    batched, looped = for_members(layer, 3, shared), Members(layer=layer, members=3, shared=shared)
    assert type(batched) is not Members
    results = []
    for whole in (batched, looped):
        context = layer_context(whole, given, seed=1)
        x = np.random.default_rng(2).standard_normal((8, *given))
        y = whole.forward(context, x).copy()
        slope = whole.backward(context, np.cos(y))
        results.append([y, slope.copy(), *(context.grads[name].copy() for name in context.grads)])
    for first, second in zip(*results, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-12)


def test_layers_of_vectors_are_used_as_they_are():
    assert for_members(ReLU(), 3, False) == ReLU()
    assert for_members(Dropout(rate=0.2), 3, False) == Dropout(rate=0.2)
    assert for_members(Concatenate(axis=0), 3, False) == Concatenate(axis=1)


@pytest.mark.parametrize("layer", [Linear(out_features=6, weight_initializer=Orthogonal()), LayerNorm()])
def test_members_are_drawn_by_themselves(layer):
    for name, parameter in for_members(layer, 3, False).parameters((3, 4)).items():
        whole = np.empty(parameter.shape)
        parameter.initialize(whole, np.random.default_rng(5))
        rng = np.random.default_rng(5)
        for part in whole:
            alone = np.empty(part.shape)
            layer.parameters((4,))[name].initialize(alone, rng)
            np.testing.assert_array_equal(part, alone)


def test_fans_are_those_of_one_member():
    layer = Linear(out_features=6, weight_initializer=HeNormal())
    assert for_members(layer, 3, False).parameters((3, 4))["weight"].fans() == (4, 6)


def test_what_cannot_have_members_is_refused():
    with pytest.raises(ValueError, match="residual stands for several nodes"):
        PerMember(layer=modnet.layers.Residual(layers=(modnet.Node(layer=ReLU()),)), members=2)
    spec = {"network": {"input": [3, 4], "layers": [{"type": "per_member", "layer": "layer_norm", "members": 2}]}}
    with pytest.raises(modnet.SpecError, match="2 members"):
        modnet.build(spec)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", REGISTRY.names(modnet.Layer))
def test_a_layer_takes_as_many_inputs_as_it_does_alone(name, shared):
    for example in examples_of(REGISTRY.find(modnet.Layer, name)):
        layer = example.component
        fewest, most = layer.inputs
        if isinstance(layer, modnet.Composite) or layer.makes_mask:
            continue  # `per_member` refuses them
        (alone, *_) = example.input_shapes or next(accepted_shapes(layer))
        shape = alone if shared else (2, *alone)
        for count in {fewest - 1, most + 1 if most else 0} - {0}:
            inputs = {f"input_{number}": shape for number in range(count)}
            node = modnet.Node(PerMember(layer=layer, members=2, shared=shared), inputs=tuple(inputs))
            spec = modnet.Spec(network=NetworkSpec(input=inputs, layers=(node,)))
            with pytest.raises(modnet.SpecError, match=f"expects .*, found {count}"):
                modnet.build(spec)

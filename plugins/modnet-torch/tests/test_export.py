"""The module of torch that a network becomes, for each type of layer."""

import numpy as np
import pytest

import modnet
from modnet.kinds.layer import Layer
from modnet.testing.examples import examples_of

torch = pytest.importorskip("torch", reason="pip install 'modnet-torch[torch]'")
from modnet_torch import export_torch, load_state_dict  # noqa: E402
from modnet_torch.forms import feature_orders  # noqa: E402
from modnet_torch.layers import BUILDERS  # noqa: E402


def uses():
    for name in BUILDERS:
        cls = modnet.default_registry().find(Layer, name)
        for number, example in enumerate(examples_of(cls)):
            yield pytest.param(example, id=f"{name}-{number}")


def channels_first(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1) if x.ndim > 3 else x))


REFUSED = (
    "with an initial state",
    "rotary",
    "with a stride depends",
    "no such padding",
    "makes a mask",
    "another order",
)


@pytest.mark.parametrize("example", list(uses()))
def test_each_layer_is_equal(example):
    layer, shapes = example.component, example.input_shapes
    names = [f"x{number}" for number in range(len(shapes))]
    inputs = dict(zip(names, [["variable" if n is None else n for n in shape] for shape in shapes], strict=True))
    network = modnet.build({"network": {"input": inputs, "layers": [modnet.Node(layer=layer, inputs=tuple(names))]}})
    rng = np.random.default_rng(0)
    for array in network.state.values():
        array[...] = rng.uniform(0.5, 1.5, array.shape)
    sizes = [(3, *(5 if n is None else n for n in shape)) for shape in shapes]
    arrays = [rng.standard_normal(size).astype(np.float32) for size in sizes]
    if layer.integer_input:
        arrays = [rng.integers(0, layer.vocabulary_size, size) for size in sizes]
    try:
        module = export_torch(network)
    except modnet.DataError as error:
        if not any(reason in str(error) for reason in REFUSED):
            raise
        return
    expected = network.forward(dict(zip(names, arrays, strict=True)))
    order = feature_orders(network.graph).get(next(iter(network.graph.outputs.values())))
    expected = expected if order is None else expected[:, order]
    with torch.no_grad():
        found = module(*map(channels_first, arrays)).numpy()
    np.testing.assert_allclose(np.moveaxis(found, 1, -1) if found.ndim > 3 else found, expected, atol=1e-5)


def test_all_nodes_without_a_counterpart_are_listed():
    layers = [
        "temperature",
        {"type": "gaussian_noise", "standard_deviation": 0.1},
        {"type": "linear", "out_features": 2},
    ]
    with pytest.raises(modnet.DataError) as error:
        export_torch(modnet.build({"network": {"input": [3], "layers": layers}}))
    assert "2 nodes that cannot be exported" in str(error.value)
    assert "temperature_1 (temperature)" in str(error.value)


def test_several_outputs_and_shared_parameters():
    layers = [
        {"type": "linear", "out_features": 4, "name": "a", "inputs": ["x"]},
        {"type": "linear", "out_features": 4, "name": "b", "inputs": ["y"], "shares": "a"},
        {"type": "add", "inputs": ["a", "b"], "name": "forward"},
    ]
    spec = {
        "network": {"input": {"x": [3], "y": [3]}, "layers": layers, "outputs": ["a", "forward"], "dtype": "float64"}
    }
    network = modnet.build(spec)
    module = export_torch(network)
    assert len(list(module.parameters())) == 2
    x, y = np.random.default_rng(0).standard_normal((2, 5, 3))
    found, expected = module(torch.from_numpy(x), torch.from_numpy(y)), network.forward({"x": x, "y": y})
    for name in ("a", "forward"):
        np.testing.assert_allclose(found[name].detach().numpy(), expected[name], rtol=1e-12)


def test_a_flattened_image_beside_other_numbers():
    """What reads both has its weights in torch's order; sums of both have none."""
    layers = [
        {"type": "flatten", "inputs": ["image"], "name": "flat"},
        {"type": "concatenate", "inputs": ["row", "flat"]},
        {"type": "linear", "out_features": 2},
    ]
    network = modnet.build({"network": {"input": {"image": [2, 3, 4], "row": [5]}, "layers": layers}})
    rng = np.random.default_rng(0)
    image, row = (rng.standard_normal(shape).astype(np.float32) for shape in ((6, 2, 3, 4), (6, 5)))
    with torch.no_grad():
        found = export_torch(network)(channels_first(image), torch.from_numpy(row)).numpy()
    np.testing.assert_allclose(found, network.forward({"image": image, "row": row}), atol=1e-5)
    layers[1] = {"type": "add", "inputs": ["row", "flat"]}
    network = modnet.build({"network": {"input": {"image": [2, 3, 4], "row": [24]}, "layers": layers}})
    with pytest.raises(modnet.DataError, match="have another order in torch"):
        export_torch(network)
    with pytest.raises(modnet.DataError, match=r"add_1 \(add\) reads a flattened image"):
        load_state_dict(network, {"fc.weight": np.ones((2, 24)), "fc.bias": np.ones(2)})

"""Batch norm goes into the convolution before it, and into the one after it where no zeros stand around the image."""

import numpy as np
import pytest

import modnet
from modnet.engine.folding import fold

CASES = {
    "same": ({"padding": "same"}, ["conv2d", "conv2d"]),
    "strides": ({"stride": 2, "padding": 1}, ["conv2d", "conv2d"]),
    "dilated, without bias": ({"dilation": 2, "bias": False}, ["conv2d", "conv2d"]),
    "groups": ({"groups": 2}, ["conv2d", "conv2d"]),
}


def built(layers, shape, seed=0):
    network = modnet.build({"network": {"input": list(shape), "layers": layers}}, seed=seed)
    rng = np.random.default_rng(seed)
    for flat in (network.parameters, network.state):
        for name, array in flat.items():
            if not name.endswith(("samples", "mean_rest")):
                array += rng.uniform(0.2, 0.8, array.shape).astype(array.dtype)
    return network


def same(network, *shape):
    found, x = fold(network), np.random.default_rng(1).standard_normal((3, *shape)).astype(np.float32)
    expected = network.forward(x)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.forward(x) / scale, expected / scale, atol=1e-5)
    return [node.layer.type for node in found.graph.nodes]


def convolution(kind="conv2d", **options):
    return {"type": kind, "out_channels": 4, "kernel_size": 3, **options}


@pytest.mark.parametrize("options", [options for options, _ in CASES.values()], ids=CASES)
def test_into_the_convolution_before(options):
    layers = [convolution(), "batch_norm", "relu", convolution(**options), "batch_norm", "relu"]
    assert same(built(layers, (9, 8, 2)), 9, 8, 2) == ["conv2d", "relu", "conv2d", "relu"]


@pytest.mark.parametrize(
    ("padding", "folded"), [("valid", True), ("same", False), (1, False), ([[0, 0], [0, 1]], False), (0, True)], ids=str
)
def test_into_the_convolution_after_unless_zeros_are_added(padding, folded):
    layers = ["relu", "batch_norm", convolution(padding=padding)]
    types = ["relu", "conv2d"] if folded else ["relu", "batch_norm", "conv2d"]
    assert same(built(layers, (6, 7, 3)), 6, 7, 3) == types


def test_a_scale_alone_goes_through_padding():
    network = built(["relu", "batch_norm", convolution(padding="same")], (6, 7, 3))
    network.state["batch_norm_1.running_mean"][...] = 0
    network.parameters["batch_norm_1.shift"][...] = 0
    assert same(network, 6, 7, 3) == ["relu", "conv2d"]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ({"type": "depthwise_conv2d", "kernel_size": 3, "depth_multiplier": 2, "bias": False}, (6, 5, 3)),
        ({"type": "conv_transpose2d", "out_channels": 3, "kernel_size": 3, "stride": 2, "bias": False}, (4, 3, 2)),
        (convolution("conv1d", padding="same"), (7, 3)),
        (convolution("conv3d"), (4, 4, 4, 2)),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_other_convolutions(layer, shape):
    assert same(built([layer, "batch_norm", "tanh"], shape), *shape) == [layer["type"], "tanh"]


def test_a_separable_convolution_in_a_residual():
    inner = [{"type": "separable_conv2d", "out_channels": 3, "kernel_size": 3, "padding": "same"}, "batch_norm", "relu"]
    types = same(built([{"type": "residual", "layers": inner}, "global_average_pool"], (5, 5, 3)), 5, 5, 3)
    assert types == ["depthwise_conv2d", "conv2d", "relu", "add", "global_average_pool"]

"""The compiled kernels against the layers' own numpy code."""

from importlib.metadata import distribution

import numpy as np
import pytest
from modnet_conv import kernels
from modnet_conv.convolution import DepthwiseConv2d
from modnet_conv.pooling import AveragePool2d, MaxPool2d

from modnet.plugins.kernels import GROUP, Kernels
from modnet.testing.examples import examples_of
from modnet.testing.gradients import layer_context, layer_gradient_errors

POINTS = list(distribution("modnet-conv").entry_points.select(group=GROUP))
KERNELS = Kernels(POINTS)
METHODS = ("forward", "backward")
LAYERS = [
    *(example.component for cls in (DepthwiseConv2d, MaxPool2d, AveragePool2d) for example in examples_of(cls)),
    DepthwiseConv2d(kernel_size=3, dilation=2, padding=((0, 3), (2, 1)), stride=(2, 1)),
    DepthwiseConv2d(kernel_size=5, padding="same", stride=3, depth_multiplier=3),
    DepthwiseConv2d(kernel_size=(7, 12), padding="same", bias=False),  # wider than the images of these tests
    DepthwiseConv2d(kernel_size=3, padding=((3, 0), (0, 4))),
    DepthwiseConv2d(kernel_size=(5, 4), dilation=(1, 2), padding="same"),
    MaxPool2d(pool_size=(3, 2), stride=(1, 2), padding=1),
    AveragePool2d(pool_size=3, stride=2, padding=((1, 0), (0, 2)), count_padding=True),
]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_without_numba_there_is_none(point, monkeypatch):
    monkeypatch.setattr(kernels, "available", lambda: False)
    assert point.load()(DepthwiseConv2d(kernel_size=3), np.dtype("float32")) is None


@pytest.fixture
def numba():
    pytest.importorskip("numba", reason="the kernels need numba: extra numba")


def run(layer, methods, x):
    context = layer_context(layer, x.shape[1:], dtype=x.dtype)
    context.begin()
    y = methods["forward"](context, x).copy()
    gradient = np.random.default_rng(1).standard_normal(y.shape).astype(x.dtype)
    context.needs_input_gradient = True
    return {"y": y, "x": methods["backward"](context, gradient).copy(), **context.grads}


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [0, 1, 5])
@pytest.mark.parametrize("spread", ["all different", "many equal"])
def test_a_kernel_does_what_the_numpy_code_does(numba, layer, dtype, batch, spread):
    x = np.random.default_rng(0).standard_normal((batch, 9, 11, 3)).astype(dtype)
    if spread == "many equal":
        x = np.maximum(np.round(x), 0)
    x = np.asfortranarray(x)
    own = {name: getattr(layer, name) for name in METHODS}
    compiled = {name: KERNELS.method(layer, name, np.dtype(dtype)) for name in own}
    expected = run(layer, own, x)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    for methods in (compiled, {**own, "forward": compiled["forward"]}, {**own, "backward": compiled["backward"]}):
        for name, array in run(layer, methods, x).items():
            np.testing.assert_allclose(array, expected[name], rtol=tolerance, atol=tolerance, err_msg=name)
    assert not KERNELS.broken


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("width", "channels"), [(50, 64), (3, kernels.RUN + 1)])
def test_lines_that_are_longer_than_a_run(numba, width, channels, stride):
    layer = DepthwiseConv2d(kernel_size=3, padding="same", stride=stride)
    x = np.random.default_rng(0).standard_normal((2, 6, width, channels))
    expected = run(layer, {name: getattr(layer, name) for name in METHODS}, x)
    found = run(layer, {name: KERNELS.method(layer, name, x.dtype) for name in METHODS}, x)
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_gradients_are_true(numba, layer):
    errors = layer_gradient_errors(WithKernels(layer), (6, 5, 3))
    assert max(errors.values()) < 1e-6, errors


class WithKernels:
    """A layer that runs on its kernels."""

    def __init__(self, layer):
        self.layer = layer

    def __getattr__(self, name):
        return getattr(self.layer, name)

    def forward(self, context, x):
        return KERNELS.method(self.layer, "forward", context.dtype)(context, x)

    def backward(self, context, gradient):
        return KERNELS.method(self.layer, "backward", context.dtype)(context, gradient)


def test_nan_comes_out_of_a_maximum(numba):
    x = np.zeros((1, 4, 4, 1))
    x[0, 1, 1] = np.nan
    for method in (MaxPool2d().forward, KERNELS.method(MaxPool2d(), "forward", x.dtype)):
        y = method(layer_context(MaxPool2d(), (4, 4, 1)), x)
        assert np.isnan(y[0, :, :, 0]).tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("layer", LAYERS[1:4], ids=str)
def test_a_batch_that_is_shared_between_threads(numba, layer):
    x = np.random.default_rng(0).standard_normal((51, 30, 30, 8)).astype(np.float32)
    assert x.nbytes > kernels.WORTH_SHARING
    expected = run(layer, {name: getattr(layer, name) for name in METHODS}, x)
    found = run(layer, {name: KERNELS.method(layer, name, x.dtype) for name in METHODS}, x)
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-4, err_msg=name)

"""The compiled kernels against the numpy code that they stand for."""

from importlib.metadata import distribution

import numpy as np
import pytest
from modnet_recurrent import GRU, LSTM

import modnet
from modnet.plugins.kernels import GROUP, Kernels
from modnet.testing.gradients import layer_context

pytest.importorskip("modnet_numba", reason="modnet-numba (extra `numba`) is not installed")

POINTS = list(distribution("modnet-recurrent").entry_points.select(group=GROUP))
KERNELS = Kernels(POINTS)
OPTIONS = [
    {},
    {"return_sequences": False, "train_initial_state": True},
    {"reverse": True, "bias": False},
]


def run(layer, x, gradient, mask, initial=None, **methods):
    shapes = [x.shape[1:]] if initial is None else [x.shape[1:], initial.shape[1:]]
    context = layer_context(layer, *shapes, dtype=x.dtype)
    context.masks = (mask, None)[: len(shapes)]
    for _ in range(2):
        context.begin()
        y = methods.get("forward", layer.forward)(context, x, *([] if initial is None else [initial])).copy()
        result = methods.get("backward", layer.backward)(context, gradient.copy())
    found = {"x": result} if initial is None else dict(zip(("x", "initial"), result, strict=True))
    return {"y": y, **found, **context.grads}


@pytest.mark.parametrize("kind", [LSTM, GRU], ids=lambda kind: kind.type)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("batch", [0, 1, 5])
@pytest.mark.parametrize("methods", [("forward", "backward"), ("forward",), ("backward",)], ids=str)
def test_does_what_the_numpy_code_does(kind, options, masked, batch, methods, dtype):
    layer = kind(hidden_size=7, **options)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 6, 3)).astype(dtype)
    mask = rng.random((batch, 6)) < 0.6 if masked else None
    gradient = rng.standard_normal((batch, *layer.output_shape((6, 3)))).astype(dtype)
    compiled = {method: KERNELS.method(layer, method, dtype) for method in methods}
    expected, found = run(layer, x, gradient, mask), run(layer, x, gradient, mask, **compiled)
    for name, array in expected.items():
        units = 100 * np.finfo(dtype).eps
        np.testing.assert_allclose(found[name], array, rtol=units, atol=units, err_msg=name)
    assert not KERNELS.broken


@pytest.mark.parametrize("kind", [LSTM, GRU], ids=lambda kind: kind.type)
@pytest.mark.parametrize("options", [{}, {"return_sequences": False}], ids=str)
def test_goes_on_from_a_given_state(kind, options, dtype):
    if options and kind is LSTM:
        options = {**options, "return_state": True}
    layer = kind(hidden_size=7, **options)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 6, 3)).astype(dtype)
    initial = rng.standard_normal((4, 14 if kind is LSTM else 7)).astype(dtype)
    gradient = rng.standard_normal((4, *layer.output_shape((6, 3)))).astype(dtype)
    compiled = {method: KERNELS.method(layer, method, dtype) for method in ("forward", "backward")}
    found = run(layer, x, gradient, None, initial, **compiled)
    for name, array in run(layer, x, gradient, None, initial).items():
        units = 100 * np.finfo(dtype).eps
        np.testing.assert_allclose(found[name], array, rtol=units, atol=units, err_msg=name)


def test_nan_comes_out_as_nan(dtype):
    for layer in (LSTM(hidden_size=3), GRU(hidden_size=3)):
        x = np.zeros((2, 4, 3), dtype)
        x[0, 1, 0] = np.nan
        compiled = {method: KERNELS.method(layer, method, dtype) for method in ("forward", "backward")}
        with np.errstate(invalid="ignore"):
            found = run(layer, x, np.ones((2, 4, 3), dtype), None, **compiled)
        assert np.isnan(found["y"][0, 1:]).all()
        assert np.isfinite(found["y"][0, 0]).all()
        assert np.isfinite(found["y"][1]).all()
        assert np.isnan(found["weight_hidden"]).any()


def test_a_training_takes_them():
    layers = list(distribution("modnet-recurrent").entry_points.select(group="modnet.layers"))
    x = np.random.default_rng(0).standard_normal((40, 5, 3))
    y = x.sum(axis=(1, 2))[:, None]
    nodes = [{"type": "lstm", "hidden_size": 4, "return_sequences": False}, {"type": "linear", "out_features": 1}]
    losses = []
    for points in ([*layers, *POINTS], layers):
        registry = modnet.Registry(lambda points=points: points)
        network = modnet.build({"network": {"input": [5, 3], "dtype": "float64", "layers": nodes}}, registry=registry)
        losses.append(modnet.train(network, x, y, loss="mse", epochs=3, registry=registry)["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-9)

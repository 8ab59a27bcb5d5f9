"""The compiled passes against the numpy code that they stand for."""

import numpy as np
import pytest
from modnet_attention.attention import MultiHeadAttention
from modnet_attention.kernels import backward, compiled, forward
from modnet_attention.tiles import NUMPY

import modnet
from modnet.testing.gradients import layer_context

pytest.importorskip("modnet_numba", reason="modnet-numba (extra `numba`) is not installed")


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.mark.parametrize("shape", [(2, 3, 40, 33), (1, 1, 1, 1), (2, 2, 0, 5), (0, 2, 7, 5)])
@pytest.mark.parametrize("name", ["soften", "exponentiate", "slope"])
def test_a_pass_does_what_numpy_does(shape, name, dtype):
    rng = np.random.default_rng(0)
    scores = (3 * rng.standard_normal(shape)).astype(dtype)
    scores[..., : shape[2] // 2, :1] = -np.inf
    row = rng.standard_normal((*shape[:2], 1, shape[3])).astype(dtype)
    others = {
        "soften": [row, np.empty_like(row)],
        "exponentiate": [row + 9],
        "slope": [row, scores[..., ::-1, :].copy()],
    }
    if name == "slope":
        scores = rng.standard_normal(shape).astype(dtype)
        others["slope"][1][np.isinf(others["slope"][1])] = 0
    results = []
    for softmax in (NUMPY, compiled()):
        arrays = [array.copy() for array in (scores, *others[name])]
        getattr(softmax, name)(*arrays)
        results.append(arrays)
    for expected, found in zip(*results, strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=100 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)


def test_nan_stays_nan(dtype):
    scores = np.zeros((1, 1, 5, 3), dtype)
    scores[0, 0, 2, 1] = np.nan
    top, total = np.full((1, 1, 1, 3), -1.0, dtype), np.empty((1, 1, 1, 3), dtype)
    compiled().soften(scores, top, total)
    np.testing.assert_array_equal(np.isnan(total), [[[[False, True, False]]]])


@pytest.mark.parametrize(
    "options", [{}, {"causal": True, "rotary": True}, {"key_value_heads": 1, "dropout": 0.2}], ids=str
)
@pytest.mark.parametrize("steps", [5, 300])
def test_a_layer_does_what_it_does_without(options, steps, dtype):
    layer = MultiHeadAttention(heads=2, **options)
    x = np.random.default_rng(0).standard_normal((3, steps, 8)).astype(dtype)
    results = []
    for methods in ((layer.forward, layer.backward), (forward(layer, dtype), backward(layer, dtype))):
        context = layer_context(layer, (steps, 8), dtype=dtype)
        y = methods[0](context, x)
        gradient = methods[1](context, np.cos(y))
        results.append([y, gradient, *context.grads.values()])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=300 * np.finfo(dtype).eps * np.abs(expected).max())


def test_training_finds_the_kernels():
    kernels = modnet.default_registry().kernels
    layer = MultiHeadAttention(heads=2)
    assert kernels.method(layer, "forward", np.dtype("float32")).args == (compiled(),)
    assert not kernels.broken

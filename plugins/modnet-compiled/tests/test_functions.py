"""The functions of native/functions.h against numpy's in twice the precision, and at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from modnet_compiled.library import library
from modnet_compiled.operations import FUNCTIONS

import modnet
from modnet.activations import ELU, GELU, Identity, LeakyReLU
from modnet.kinds.activation import Activation

UNITS = {"sigmoid": 4, "tanh": 4, "softplus": 4, "silu": 5, "elu": 4, "mish": 8, "gelu": 12, "gelu_tanh": 12}
"""Function -> the greatest error that is accepted, in units in the last place."""


def native(name, x, a=0.0, b=0.0):
    y = np.full_like(x, 7)
    library(x.dtype.name).activate(FUNCTIONS[name], a, b, x.ctypes.data, y.ctypes.data, x.size)
    return y


def numbers(dtype):
    """Everywhere: dense around 0, all magnitudes, both signs."""
    rng = np.random.default_rng(0)
    tiny, most = float(np.finfo(dtype).tiny), 0.99 * float(np.finfo(dtype).max)
    magnitudes = np.exp(rng.uniform(math.log(tiny), math.log(most), 20_000))
    near = rng.uniform(-30, 30, 200_000)
    return np.concatenate([near, rng.uniform(-1, 1, 50_000), magnitudes, -magnitudes]).astype(dtype)


def reference(name, x):
    x = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        if name in ("sigmoid", "silu", "gelu_tanh"):
            u = (
                x
                if name != "gelu_tanh"
                else 2 * np.sqrt(2 / np.longdouble(math.pi)) * (x + np.longdouble(0.044715) * x**3)
            )
            gate = np.where(u > 0, 1 / (1 + np.exp(-u)), np.exp(u) / (1 + np.exp(u)))
            return gate if name == "sigmoid" else x * gate
        if name == "tanh":
            return np.tanh(x)
        if name == "softplus":
            return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
        if name == "elu":
            return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        if name == "mish":
            return x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
        return x * np.array([0.5 * math.erfc(-float(v) / math.sqrt(2)) for v in x], np.longdouble)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNITS)
def test_errors(name, dtype):
    x = numbers(dtype)
    found, expected = native(name, x, 1.0, 1.0), reference(name, x)
    finite = np.isfinite(expected.astype(dtype))
    # Where the result is hardly more than the smallest normal number, modnet's own stop earlier, too.
    seen = finite & (np.abs(expected) > float(np.finfo(dtype).tiny) * 1e3)
    if name in ("sigmoid", "silu", "gelu_tanh"):  # below, both engines stay at the smallest gate
        seen &= x > -math.log(float(np.finfo(dtype).max)) / 2
    error = np.abs(found[seen] - expected[seen]) / np.spacing(np.abs(expected[seen]).astype(dtype))
    # What is rounded before it goes into exp is off by so many units more.
    far = np.minimum(np.abs(x[seen]), 40)
    exponent = {"gelu": far**2, "gelu_tanh": far + far**3 / 8}.get(name, 0 * far)
    worst = (error - 4 * exponent).argmax()
    assert error[worst] <= UNITS[name] + 4 * exponent[worst], (x[seen][worst], error[worst])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_edges(name, dtype):
    """As the components of modnet have it; errors of rounding are for the other test."""
    special = {"elu": ELU(alpha=0.7), "gelu": GELU(), "gelu_tanh": GELU(form="tanh"), "leaky_relu": LeakyReLU()}
    layer = special.get(name) or modnet.default_registry().find(Activation, name)()
    a, b = {"elu": (0.7, 1.0), "leaky_relu": (0.01, 0.0)}.get(name, (0.0, 0.0))
    tiny, most = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, tiny, -tiny, tiny / 8, most, -most, 88.8, -88.8, 710.0, -746.0, 1e30]
    x = np.array([*edges, *(-v for v in edges), *([1.0] * 19)], dtype)  # in whole vectors, and in the rest
    with np.errstate(all="ignore"):
        expected = x if isinstance(layer, Identity) else layer.function(x.copy(), np.empty_like(x))
    np.testing.assert_allclose(native(name, x, a, b), expected, rtol=1e-5 if dtype == "float32" else 1e-12, atol=tiny)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_signed_zero(dtype):
    zeros = np.array([-0.0, 0.0], dtype)
    np.testing.assert_array_equal(np.signbit(native("tanh", zeros)), [True, False])

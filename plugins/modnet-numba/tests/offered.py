"""What the plugin offers, with the configurations and shapes that it is tested with."""

from importlib.metadata import distribution

import numpy as np

import modnet
from modnet.kinds import KINDS
from modnet.plugins.kernels import GROUP, Kernels
from modnet.testing.examples import examples_of

POINTS = list(distribution("modnet-numba").entry_points.select(group=GROUP))
KERNELS = Kernels(POINTS)
NUMPY = modnet.Registry(list)
COMPILED = modnet.Registry(lambda: POINTS)

SHAPES = [(0, 5), (1, 1), (7, 1), (10, 100), (10, 20, 5), (1000, 100)]
"""Shapes of batches: 0, 1, 7, 1000 and 100 000 numbers."""

FURTHER = {
    "adam": [{"weight_decay": 0.1}],
    "batch_norm": [{"momentum": 0.3, "epsilon": 1e-3}],
    "binary_cross_entropy": [{"label_smoothing": 0.1, "positive_weight": 3.0}],
    "cross_entropy": [{}, {"label_smoothing": 0.1}],
    "elu": [{"alpha": 0.7}],
    "gelu": [{"form": "tanh"}],
    "leaky_relu": [{"negative_slope": 0.2}],
    "lion": [{"weight_decay": 0.1}],
    "nadam": [{"weight_decay": 0.1}],
    "rmsprop": [{"centered": True}, {"momentum": 0.9}, {"centered": True, "momentum": 0.5, "weight_decay": 0.1}],
    "sgd": [
        {"weight_decay": 0.1},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.5},
    ],
}
"""Type -> options that are tested beside the component's own examples."""


def offered(*kinds):
    """(component, method) for all entry points of some kinds, in every configuration that they have a kernel for."""
    found = []
    for point in POINTS:
        kind, name, method = point.name.split(".")
        if kind in kinds:
            cls = NUMPY.find(KINDS[kind], name)
            components = [example.component for example in examples_of(cls)]
            components += [cls(**options) for options in FURTHER.get(name, [])]
            found += [(component, method) for component in dict.fromkeys(components)]
    return found


def kernel(component, method, dtype):
    return KERNELS.method(component, method, np.dtype(dtype))


def assert_close(found, expected, units):
    """Equal to so many rounding units of each number, or of the 1 that it came from by cancellation."""
    eps = np.finfo(expected.dtype).eps
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=units * eps, atol=units * eps)

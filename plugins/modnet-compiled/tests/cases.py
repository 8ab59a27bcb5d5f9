"""Networks with arrays and data that show wrong code, and what both engines make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from modnet_compiled.engine import engine_of

import modnet
from modnet import Example
from modnet.engine.delegation import DelegatedPass
from modnet.testing.examples import examples_of

DISTRIBUTIONS = (
    "modnet-core",
    "modnet-attention",
    "modnet-conv",
    "modnet-recurrent",
    "modnet-tabular",
    "modnet-text",
)
"""Those of this repository whose components are compiled, or could be."""

TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


def examples() -> Iterator[tuple[str, Example]]:
    """Every use of every layer and activation of these distributions: a name, and the example."""
    for entry in modnet.default_registry().entries():
        origin = entry.origin
        if origin.kind in ("layer", "activation") and origin.distribution in DISTRIBUTIONS:
            for number, example in enumerate(examples_of(entry.load())):
                yield f"{origin.type}-{number}", example


def compiled(network: modnet.Network) -> modnet.Network:
    """A copy of a network whose predictions native code computes."""
    import copy

    other = copy.deepcopy(network)
    engine = engine_of(other)
    other.predict_by(lambda: DelegatedPass(other, engine, "compiled"))
    return other


def check(network: modnet.Network, data: Mapping[str, np.ndarray] | np.ndarray, tolerance: float = 0.0) -> None:
    """Both engines give the same."""
    tolerance = tolerance or TOLERANCES[network.dtype.name]
    own, other = network.forward(data), compiled(network).forward(data)
    if not isinstance(own, dict):
        own, other = {"": own}, {"": other}
    for name, value in own.items():
        assert other[name].dtype == value.dtype
        np.testing.assert_allclose(other[name], value, rtol=tolerance, atol=tolerance)

"""Networks with arrays and data that show wrong code, and what both engines make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from modnet_compiled.engine import engine_of

import modnet
from modnet import Example
from modnet.engine.delegation import DelegatedPass
from modnet.testing.examples import examples_of
from modnet.testing.given import Given

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


def network_of(example: Example, dtype: str = "float32") -> modnet.Network:
    """A network of the component alone."""
    shapes = example.input_shapes or Given(example).shapes
    inputs = {f"x{place}": ["variable" if n is None else n for n in shape] for place, shape in enumerate(shapes)}
    node = {**example.component.plain(), "name": "it", "inputs": list(inputs)}
    return stirred(modnet.build({"network": {"input": inputs, "layers": [node], "dtype": dtype}}))


def chain(layers: Sequence[Any], shape: Sequence[Any], **more: Any) -> modnet.Network:
    """A network of layers one behind the other, with an input of that shape."""
    return stirred(modnet.build({"network": {"input": list(shape), "layers": list(layers), **more}}))


def stirred(network: modnet.Network) -> modnet.Network:
    """The same network, whose first values of 0 and 1 hide nothing."""
    rng = np.random.default_rng(5)
    for array in network.parameters.values():
        array += 0.3 * rng.standard_normal(array.shape).astype(array.dtype)
    for name, array in network.state.items():
        if name.endswith("temperature"):
            array[...] = 1.7
        elif name.endswith(("running_variance", "running_mean")):
            array[...] = rng.uniform(0.5, 2, array.shape)
    return network


def data_of(example: Example, network: modnet.Network, rows: int = 6, steps: int = 5) -> dict[str, np.ndarray]:
    """Rows for it; a variable axis has `steps` elements."""
    rng = np.random.default_rng(rows)
    if example.data is not None:
        arrays, _ = Given(example).rows(rows)
        return dict(zip(network.inputs, arrays, strict=True))
    found = {}
    for (name, shape), dtype in zip(network.inputs.items(), network.input_dtypes(), strict=True):
        size = (rows, *(steps if axis is None else axis for axis in shape))
        ids = dtype.kind == "i"
        most = getattr(example.component, "vocabulary_size", 3)
        found[name] = rng.integers(0, most, size) if ids else 2 * rng.standard_normal(size).astype(dtype)
    return found


def prepared(network: modnet.Network, data: Mapping[str, np.ndarray]) -> modnet.Network:
    """The network, which has learned from the data what it learns before training."""
    ((name, shape), *_) = network.outputs.items()
    goal = np.random.default_rng(0).standard_normal((len(next(iter(data.values()))), *(axis or 5 for axis in shape)))
    network.prepare(lambda: [(list(data.values()), {name: goal.astype(network.dtype)})])
    return network


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

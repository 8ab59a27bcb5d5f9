"""Networks with arrays and data that show wrong code, for the tests of what computes a network in another way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.build import build
from modnet.engine.network import Network
from modnet.kinds.component import Example
from modnet.testing.given import Given


def network_of(example: Example, dtype: str = "float32") -> Network:
    """A network of only the component."""
    shapes = example.input_shapes or Given(example).shapes
    inputs = {f"x{place}": ["variable" if n is None else n for n in shape] for place, shape in enumerate(shapes)}
    node = {**example.component.plain(), "name": "it", "inputs": list(inputs)}
    return stirred(build({"network": {"input": inputs, "layers": [node], "dtype": dtype}}))


def chain(layers: Sequence[Any], shape: Sequence[Any], **more: Any) -> Network:
    """A network of layers in sequence, with an input of that shape; `more` of `[network]`."""
    return stirred(build({"network": {"input": list(shape), "layers": list(layers), **more}}))


def stirred(network: Network) -> Network:
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


def prepared(network: Network, data: Mapping[str, Array]) -> Network:
    """The network, which has learned from the data what it learns before training."""
    ((name, shape), *_) = network.outputs.items()
    goal = np.random.default_rng(0).standard_normal((len(next(iter(data.values()))), *(axis or 5 for axis in shape)))
    network.prepare(lambda: [(list(data.values()), {name: goal.astype(network.dtype)})])
    return network


def data_of(example: Example, network: Network, rows: int = 6, steps: int = 5) -> dict[str, Array]:
    """Rows for it, input name -> array; a variable axis has `steps` elements."""
    rng = np.random.default_rng(rows)
    if example.data is not None:
        arrays, _ = Given(example).rows(rows)
        return dict(zip(network.inputs, arrays, strict=True))
    found: dict[str, Array] = {}
    for (name, shape), dtype in zip(network.inputs.items(), network.input_dtypes(), strict=True):
        size = (rows, *(steps if axis is None else axis for axis in shape))
        ids = dtype.kind == "i"
        most = getattr(example.component, "vocabulary_size", 3)
        found[name] = rng.integers(0, most, size) if ids else 2 * rng.standard_normal(size).astype(dtype)
    return found

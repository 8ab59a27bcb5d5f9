"""Networks of one component each, with arrays and data that show a wrong export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

import modnet
from modnet import Example
from modnet.errors import BrokenPlugin
from modnet.kinds.layer import Layer
from modnet.testing.examples import examples_of
from modnet.testing.given import Given

PLUGINS = ("modnet-attention", "modnet-conv", "modnet-recurrent", "modnet-tabular", "modnet-text", "modnet-autograd")
"""The distributions of this repository that have components, beside the core."""


def examples() -> Iterator[tuple[str, Example]]:
    """Every use of every layer and activation of the core and of the plugins here: a name, and the example."""
    for entry in modnet.default_registry().entries():
        origin = entry.origin
        if origin.kind not in ("layer", "activation") or origin.distribution not in ("modnet-core", *PLUGINS):
            continue
        try:
            found = examples_of(entry.load())
        except BrokenPlugin:
            continue
        for number, example in enumerate(found):
            yield f"{origin.type}-{number}", example


def network_of(example: Example, dtype: str = "float32", **more: object) -> modnet.Network:
    """A network of the component alone."""
    shapes = example.input_shapes or Given(example).shapes
    inputs = {f"x{place}": ["variable" if axis is None else axis for axis in shape] for place, shape in enumerate(shapes)}
    node = {**example.component.plain(), "name": "it", "inputs": list(inputs)}
    network = modnet.build({"network": {"input": inputs, "layers": [node], "dtype": dtype, **more}})
    return stirred(network)


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
        most = _vocabulary(example.component)
        found[name] = rng.integers(0, most, size) if dtype.kind == "i" else 2 * rng.standard_normal(size)
    return {name: array if array.dtype.kind == "i" else array.astype(network.dtype) for name, array in found.items()}


def _vocabulary(component: Layer) -> int:
    return getattr(component, "vocabulary_size", 3)


def prepared(network: modnet.Network, data: dict[str, np.ndarray], targets: Sequence[str] = ()) -> modnet.Network:
    """The network, which has learned what it learns before training from the data."""
    name, shape = next(iter(network.outputs.items()))
    goal = np.random.default_rng(0).standard_normal((len(next(iter(data.values()))), *(axis or 5 for axis in shape)))
    network.prepare(lambda: [(list(data.values()), {name: goal.astype(network.dtype)})])
    return network

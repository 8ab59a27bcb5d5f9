"""Networks of one component each, with arrays and data that show a wrong export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from modnet_onnx.exporting.model import Settings, to_onnx

import modnet
from modnet import Example
from modnet.errors import BrokenPlugin
from modnet.testing.examples import examples_of
from modnet.testing.given import Given

DISTRIBUTIONS = (
    "modnet-core",
    "modnet-attention",
    "modnet-autograd",
    "modnet-conv",
    "modnet-onnx",
    "modnet-recurrent",
    "modnet-tabular",
    "modnet-text",
)
"""Those of this repository whose components are to be exported."""

Data = Mapping[str, np.ndarray]

DEFAULTS = Settings()


def examples() -> Iterator[tuple[str, Example]]:
    """Every use of every layer and activation of these distributions: a name, and the example."""
    for entry in modnet.default_registry().entries():
        origin = entry.origin
        if origin.kind not in ("layer", "activation") or origin.distribution not in DISTRIBUTIONS:
            continue
        try:
            found = examples_of(entry.load())
        except BrokenPlugin:
            continue
        for number, example in enumerate(found):
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


def data_of(example: Example, network: modnet.Network, rows: int = 6, steps: int = 5) -> Data:
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


def prepared(network: modnet.Network, data: Data) -> modnet.Network:
    """The network, which has learned from the data what it learns before training."""
    ((name, shape), *_) = network.outputs.items()
    goal = np.random.default_rng(0).standard_normal((len(next(iter(data.values()))), *(axis or 5 for axis in shape)))
    network.prepare(lambda: [(list(data.values()), {name: goal.astype(network.dtype)})])
    return network


def run(model: onnx.ModelProto, data: Mapping[str, Any]) -> list[Any]:
    """The outputs of onnxruntime."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(None, dict(data))
    return found


def check(network: modnet.Network, data: Data, settings: Settings = DEFAULTS, tolerance: float = 1e-5) -> None:
    """onnx.checker accepts the model, and onnxruntime gives what modnet gives, up to a share of the largest number."""
    model = to_onnx(network, settings)
    onnx.checker.check_model(model, full_check=True)
    dtype = np.dtype(settings.dtype or network.dtype)
    given = {name: array if array.dtype.kind == "i" else array.astype(dtype) for name, array in data.items()}
    expected = network.forward(given)
    expected = list(expected.values()) if isinstance(expected, dict) else [expected]
    for found, wanted in zip(run(model, given), expected, strict=True):
        assert found.dtype == dtype
        assert found.shape == wanted.shape
        scale = max(1.0, float(np.abs(wanted).max(initial=0)))
        np.testing.assert_allclose(found.astype(np.float64) / scale, wanted / scale, atol=tolerance, rtol=0)

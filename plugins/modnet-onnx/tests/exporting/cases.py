"""Networks of one component each, with arrays and data that show a wrong export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from modnet_onnx.exporting.model import Settings, to_onnx

import modnet
from modnet import Example
from modnet.errors import BrokenPlugin
from modnet.testing.examples import examples_of

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

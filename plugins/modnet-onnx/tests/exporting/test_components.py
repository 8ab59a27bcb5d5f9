"""Every component of the core and of the plugins here is exported, and gives in onnxruntime what it gives in modnet."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from cases import data_of, examples, network_of, prepared
from modnet_onnx.exporting.model import NEWEST, OLDEST, Settings, to_onnx

onnxruntime = pytest.importorskip("onnxruntime")

NOT_EXPORTED: dict[str, str] = {}
"""The components that have no export, with the reason."""


def run(model, data):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, data)


def check(network, data, settings=Settings(), tolerance=1e-5):
    model = to_onnx(network, settings)
    onnx.checker.check_model(model, full_check=True)
    expected = network.forward(data)
    expected = list(expected.values()) if isinstance(expected, dict) else [expected]
    dtype = settings.dtype or network.dtype
    given = {name: array.astype(np.int64 if array.dtype.kind == "i" else dtype) for name, array in data.items()}
    for found, wanted in zip(run(model, given), expected, strict=True):
        scale = max(1.0, float(np.abs(wanted).max(initial=0)))
        np.testing.assert_allclose(found / scale, wanted / scale, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("name", "example"), [pytest.param(*found, id=found[0]) for found in examples()])
def test_equals_modnet(name, example):
    if name.rpartition("-")[0] in NOT_EXPORTED:
        pytest.skip(NOT_EXPORTED[name.rpartition("-")[0]])
    network = network_of(example)
    data = data_of(example, network)
    prepared(network, data)
    check(network, data)

"""Every component of the core and of the plugins here is exported, and gives in onnxruntime what it gives in modnet."""

from __future__ import annotations

import pytest
from cases import check, examples
from modnet_onnx.exporting.model import NEWEST, OLDEST, Settings, refusals

from modnet.testing.networks import data_of, network_of, prepared

NOT_EXPORTED = {"onnx_graph": "its operators are those of the opset that it was read in"}
"""The components that have no export, with the reason."""

EXAMPLES = [
    pytest.param(example, id=name) for name, example in examples() if name.rpartition("-")[0] not in NOT_EXPORTED
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_equals_modnet(example):
    network = network_of(example)
    data = data_of(example, network)
    prepared(network, data)
    for opset in (OLDEST, NEWEST):
        check(network, data, Settings(opset))


@pytest.mark.parametrize("example", EXAMPLES)
def test_float16(example):
    network = network_of(example)
    data = data_of(example, network)
    prepared(network, data)
    check(network, data, Settings(dtype="float16"), tolerance=2e-2)


def test_what_is_not_exported():
    found = {name.rpartition("-")[0] for name, example in examples() if refusals(network_of(example))}
    assert found == {*NOT_EXPORTED}

"""Every component that is compiled gives what it gives in modnet."""

from __future__ import annotations

import pytest
from cases import check, examples
from modnet_compiled.engine import engine_of
from modnet_compiled.errors import CannotCompile

from modnet.testing.networks import chain, data_of, network_of, prepared

NOT_COMPILED = {
    "conv3d",
    "conv_transpose2d",
    "multi_head_attention",
    "positional_embedding",
    "rotary_embedding",
    "sinusoidal_embedding",
    "transformer_block",
    "upsample2d-1",
}
"""Components, or uses of them, that have no compiled form; the README says so too."""

EXAMPLES = dict(examples())


def is_compiled(name: str) -> bool:
    return NOT_COMPILED.isdisjoint((name, name.rpartition("-")[0]))


@pytest.mark.parametrize("name", [name for name in EXAMPLES if is_compiled(name)])
def test_equals_modnet(name):
    for dtype in ("float32", "float64"):
        network = network_of(EXAMPLES[name], dtype)
        data = data_of(EXAMPLES[name], network)
        check(network, data)  # as it is before training
        check(prepared(network, data), data)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not is_compiled(name)])
def test_what_is_not_compiled(name):
    with pytest.raises(CannotCompile, match=r"1 layer has no compiled form: network\.layers\[0\]"):
        engine_of(network_of(EXAMPLES[name]))


def test_all_that_is_not_compiled_is_named_at_once():
    pytest.importorskip("modnet_attention")
    pytest.importorskip("modnet_conv")
    layers = [
        {"type": "embedding", "vocabulary_size": 5, "embedding_size": 4, "padding": 0},
        {"type": "conv1d", "out_channels": 4, "kernel_size": 1},
        {"type": "positional_embedding", "max_length": 9},
        {"type": "multi_head_attention", "heads": 2},
    ]
    with pytest.raises(CannotCompile) as caught:
        engine_of(chain(layers, ["variable"]))
    text = str(caught.value)
    assert "3 layers have no compiled form" in text
    assert "network.layers[1] (conv1d): it cannot be compiled after padding" in text
    assert "network.layers[2] (positional_embedding): modnet_attention.positions." in text
    assert "(multi_head_attention)" in text

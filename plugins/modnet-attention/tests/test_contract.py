"""Every layer that the plugin offers keeps its contract: a new one is examined by being among the entry points."""

import pytest

import modnet
from modnet.testing import check_component
from modnet.testing.distribution import offered_by
from modnet.testing.examples import examples_of

OFFERED = offered_by("modnet-attention", modnet.default_registry())
EXAMPLES = [pytest.param(example, id=str(example)) for entry in OFFERED for example in examples_of(entry.load())]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_contract(example):
    check_component(example.component, *example.input_shapes)

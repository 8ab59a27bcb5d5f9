"""Every layer and kernel that the plugin offers keeps its contract: a new one is examined by being an entry point."""

import pytest

import modnet
from modnet.testing.distribution import offered_by


@pytest.mark.parametrize("offer", offered_by("modnet-tabular", modnet.default_registry()), ids=str)
def test_the_contract(offer):
    offer.check()

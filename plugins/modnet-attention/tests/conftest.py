"""What every test has: arithmetic that fails loudly."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def loud_arithmetic():
    """Underflow is left out: it is right in a softmax."""
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles so small that a few steps have many of them."""
    monkeypatch.setattr("modnet_attention.tiles.QUERIES", 3)
    monkeypatch.setattr("modnet_attention.tiles.KEYS", 4)
    monkeypatch.setattr("modnet_attention.tiles.ELEMENTS", 30)

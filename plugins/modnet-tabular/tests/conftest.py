"""What every test has: arithmetic that fails loudly."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def loud_arithmetic():
    """Underflow is left out: it is right in a softmax."""
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield

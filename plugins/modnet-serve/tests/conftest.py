import numpy as np
import pytest


@pytest.fixture(autouse=True)
def loud_arithmetic():
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield

import numpy as np
import pytest

from modnet.errors import ShapeError
from modnet.layers import GlobalAveragePool
from modnet.testing import layer_context, layer_gradient_errors


@pytest.mark.parametrize("shape", [(3, 4), (None, 4), (5, 2, 3)])
def test_gradients(shape):
    assert layer_gradient_errors(GlobalAveragePool(), shape)["input"] <= 1e-6


def test_it_is_the_mean_over_the_positions():
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3))
    y = GlobalAveragePool().forward(layer_context(GlobalAveragePool(), (5, 6, 3)), x)
    np.testing.assert_allclose(y, x.mean(axis=(1, 2)))


def test_features_alone_are_refused():
    with pytest.raises(ShapeError, match=r"^expects samples with two axes or more"):
        GlobalAveragePool().output_shape((4,))

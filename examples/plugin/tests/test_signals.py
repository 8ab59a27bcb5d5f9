import numpy as np
import pytest
from modnet_signals import Haar, LogCosh, Snake

from modnet import ShapeError
from modnet.testing import check_component, layer_context


@pytest.mark.parametrize(
    ("component", "shapes"),
    [
        (Haar(), [(6,)]),
        (Haar(levels=3), [(16,)]),
        (Haar(levels=2), [(8, 3)]),
        (Snake(a=0.7), [(5,)]),
        (Snake(), [(None, 3)]),
        (LogCosh(), [(3,), (3,)]),
    ],
    ids=str,
)
def test_keeps_its_contract(component, shapes):
    check_component(component, *shapes)


def test_haar_puts_sums_before_differences():
    layer = Haar(levels=2)
    x = np.array([[4.0, 2.0, 5.0, 5.0]])
    y = layer.forward(layer_context(layer, (4,)), x)
    np.testing.assert_allclose(y, [[8.0, -2.0, np.sqrt(2), 0.0]])


def test_haar_keeps_the_energy_and_its_backward_is_its_inverse():
    layer = Haar(levels=3)
    context = layer_context(layer, (32, 2))
    x = np.random.default_rng(0).standard_normal((5, 32, 2))
    y = layer.forward(context, x)
    np.testing.assert_allclose((y**2).sum(), (x**2).sum())
    np.testing.assert_allclose(layer.backward(context, y.copy()), x, atol=1e-12)


@pytest.mark.parametrize("shape", [(6,), (None, 3), (8, 8, 3)])
def test_haar_says_which_shapes_it_takes(shape):
    with pytest.raises(ShapeError, match="expects"):
        Haar(levels=2).output_shape(shape)


def test_log_cosh_is_exact_and_does_not_overflow():
    prediction, target = np.array([[0.5, -1.0], [1e4, 0.0]]), np.zeros((2, 2))
    near, far = LogCosh().values(prediction, target)
    assert near == pytest.approx(np.log(np.cosh([0.5, -1.0])).mean())
    assert far == pytest.approx((1e4 - np.log(2)) / 2)

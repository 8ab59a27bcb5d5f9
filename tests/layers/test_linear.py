import numpy as np
import pytest

from modnet.errors import ShapeError
from modnet.layers import Linear
from modnet.testing import layer_context, layer_gradient_errors


@pytest.mark.parametrize("shape", [(5,), (3, 5), (None, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients(shape, bias):
    errors = layer_gradient_errors(Linear(out_features=3, bias=bias), shape)
    assert set(errors) == {"input", "weight", "bias"} - ({"bias"} if not bias else set())
    assert max(errors.values()) <= 1e-6


def test_it_is_an_affine_map_of_the_last_axis():
    context = layer_context(Linear(out_features=3), (2, 5))
    x = np.random.default_rng(0).standard_normal((4, 2, 5))
    y = Linear(out_features=3).forward(context, x)
    np.testing.assert_allclose(y, x @ context.params["weight"] + context.params["bias"])


@pytest.mark.parametrize("shape", [(16, 5), (16, 7, 5)])
def test_it_is_that_of_torch(shape):
    torch = pytest.importorskip("torch", reason="install the extra: parity")
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    weights = rng.standard_normal((*shape[:-1], 3)).astype(np.float32)
    layer = Linear(out_features=3)
    context = layer_context(layer, shape[1:], dtype=np.float32)
    theirs = torch.nn.Linear(5, 3)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(context.params["weight"].T))
        theirs.bias.copy_(torch.tensor(context.params["bias"]))
    input = torch.tensor(x, requires_grad=True)
    expected = theirs(input)
    expected.backward(torch.tensor(weights))
    np.testing.assert_allclose(layer.forward(context, x), expected.detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.backward(context, weights), input.grad, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(context.grads["weight"].T, theirs.weight.grad, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(context.grads["bias"], theirs.bias.grad, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_the_input_is_left_out_where_nobody_uses_it():
    layer = Linear(out_features=3)
    context = layer_context(layer, (5,))
    context.needs_input_gradient = False
    layer.forward(context, np.ones((2, 5)))
    assert layer.backward(context, np.ones((2, 3))) is None
    assert np.isfinite(context.grads["weight"]).all()


def test_an_image_is_refused_with_advice():
    with pytest.raises(ShapeError, match=r"^expects samples of shape \(features,\) or \(time, features\)") as caught:
        Linear(out_features=3).output_shape((13, 13, 16))
    assert caught.value.hint == 'put "flatten" or "global_average_pool" between them'


@pytest.mark.parametrize("shape", [(), (None,), (4, None)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match=r"^expects"):
        Linear(out_features=3).output_shape(shape)


def test_multiply_adds():
    assert Linear(out_features=3).multiply_adds((5,)) == 15
    assert Linear(out_features=3).multiply_adds((7, 5)) == 105
    assert Linear(out_features=3).multiply_adds((None, 5)) == 15

import numpy as np
import pytest

from modnet.errors import ShapeError
from modnet.layers import BatchNorm, LayerNorm, RMSNorm
from modnet.testing import layer_context, layer_gradient_errors

LAYERS = [BatchNorm(), LayerNorm(), RMSNorm()]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("shape", [(5,), (None, 5), (3, 2, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_gradients(layer, shape, training):
    errors = layer_gradient_errors(layer, shape, batch=6, training=training)
    assert max(errors.values()) <= 1e-6


def test_gradients_over_several_axes():
    assert max(layer_gradient_errors(LayerNorm(axes=2), (2, 3, 4)).values()) <= 1e-6


@pytest.mark.parametrize(
    ("layer", "shape", "theirs"),
    [
        (BatchNorm(), (6,), "BatchNorm1d(6)"),
        (BatchNorm(momentum=0.3, epsilon=1e-3), (7, 6), "BatchNorm1d(6, momentum=0.3, eps=1e-3)"),
        (BatchNorm(), (4, 5, 6), "BatchNorm2d(6)"),
        (LayerNorm(), (7, 6), "LayerNorm(6)"),
        (LayerNorm(axes=2), (7, 6), "LayerNorm((7, 6))"),
        (RMSNorm(), (7, 6), "RMSNorm(6, eps=1e-6)"),
    ],
)
def test_it_is_that_of_torch(layer, shape, theirs):
    torch = pytest.importorskip("torch", reason="install the extra: parity")
    module = eval(f"torch.nn.{theirs}", {"torch": torch})
    channels_second = isinstance(layer, BatchNorm) and len(shape) > 1
    rng = np.random.default_rng(0)
    context = layer_context(layer, shape, dtype=np.float32)
    with torch.no_grad():
        for ours, parameter in zip(context.params.values(), module.parameters(), strict=True):
            parameter.copy_(torch.tensor(ours))
    for _ in range(3):
        x = (1 + 2 * rng.standard_normal((16, *shape))).astype(np.float32)
        weights = rng.standard_normal(x.shape).astype(np.float32)
        module.zero_grad()
        input = torch.tensor(x, requires_grad=True)
        expected = module(input.movedim(-1, 1)).movedim(1, -1) if channels_second else module(input)
        expected.backward(torch.tensor(weights))
        context.begin()
        np.testing.assert_allclose(layer.forward(context, x), expected.detach(), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(layer.backward(context, weights), input.grad, rtol=1e-5, atol=1e-5)
    for ours, parameter in zip(context.grads.values(), module.parameters(), strict=True):
        np.testing.assert_allclose(ours, parameter.grad, rtol=1e-5, atol=1e-4)
    if isinstance(layer, BatchNorm):
        np.testing.assert_allclose(context.state["running_mean"], module.running_mean, rtol=1e-5)
        np.testing.assert_allclose(context.state["running_variance"], module.running_var, rtol=1e-5)
        module.eval()
        context.training = False
        expected = module(input.movedim(-1, 1)).movedim(1, -1) if channels_second else module(input)
        np.testing.assert_allclose(layer.forward(context, x), expected.detach(), rtol=1e-5, atol=1e-5)


def test_batch_norm_leaves_mean_zero_and_variance_one():
    context = layer_context(BatchNorm(), (4,))
    context.params["scale"].fill(1)
    context.params["shift"].fill(0)
    y = BatchNorm().forward(context, np.random.default_rng(0).normal(5, 3, (100, 4)))
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=0), 1, rtol=1e-4)


def test_batch_norm_of_a_single_row_uses_the_running_statistics_and_leaves_them():
    context = layer_context(BatchNorm(), (4,))
    context.state["running_mean"].fill(2)
    context.state["running_variance"].fill(9)
    x = np.random.default_rng(0).standard_normal((1, 4))
    y = BatchNorm().forward(context, x).copy()
    np.testing.assert_array_equal(context.state["running_mean"], 2)
    np.testing.assert_array_equal(context.state["running_variance"], 9)
    context.training = False
    np.testing.assert_array_equal(y, BatchNorm().forward(context, x))


def test_batch_norm_changes_no_state_in_prediction():
    context = layer_context(BatchNorm(), (4,), training=False)
    BatchNorm().forward(context, np.full((5, 4), 3.0))
    np.testing.assert_array_equal(context.state["running_mean"], 0)
    np.testing.assert_array_equal(context.state["running_variance"], 1)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_constant_input_stays_finite(layer):
    context = layer_context(layer, (4,), dtype=np.float32)
    assert np.isfinite(layer.forward(context, np.zeros((3, 4), np.float32))).all()
    assert np.isfinite(layer.backward(context, np.ones((3, 4), np.float32))).all()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (BatchNorm(), (3, None), "expects a fixed size of axis 1, along which it normalizes; found a variable one"),
        (
            LayerNorm(axes=2),
            (3, None, 4),
            "expects a fixed size of axis 1, along which it normalizes; found a variable one",
        ),
        (LayerNorm(axes=2), (4,), "expects samples with at least 2 axes"),
        (RMSNorm(), (), "expects samples with at least 1 axis"),
    ],
)
def test_shapes_that_do_not_fit(layer, shape, message):
    with pytest.raises(ShapeError) as caught:
        layer.output_shape(shape)
    assert caught.value.message == message


@pytest.mark.parametrize("layer", [LayerNorm(), RMSNorm()], ids=str)
@pytest.mark.parametrize("size", [1e10, 1e19, 1e25, 1e37])
def test_rows_whose_squares_overflow_are_scaled_like_others(layer, size):
    x = np.random.default_rng(0).normal(size=(5, 6))
    x[1:] *= size
    outputs = {}
    for dtype in (np.float32, np.float64):
        context = layer_context(layer, (6,), dtype=dtype)
        context.begin()
        with np.errstate(over="ignore"):
            outputs[dtype] = layer.forward(context, x.astype(dtype))
    np.testing.assert_allclose(outputs[np.float32], outputs[np.float64], rtol=1e-4, atol=1e-5)

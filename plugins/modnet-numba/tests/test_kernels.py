"""Every kernel against the numpy code that it stands for: a new one is tested by being among the entry points."""

import sys
from pathlib import Path

import numpy as np
import pytest

from modnet.errors import DataError
from modnet.kinds.optimizer import Chunk, Step
from modnet.layers import LayerNorm, RMSNorm
from modnet.losses import BinaryCrossEntropy, CrossEntropy
from modnet.testing.gradients import layer_context, layer_gradient_errors

sys.path.insert(0, str(Path(__file__).parent))
from offered import KERNELS, POINTS, SHAPES, assert_close, kernel, offered

LAYERS = offered("layer", "activation")
ACTIVATIONS = [(component, method) for component, method in LAYERS if component.kind == "activation"]
OPTIMIZERS = [component for component, _ in offered("optimizer")]
LOSSES = [component for component, _ in offered("loss") if getattr(component, "class_weights", None) is None]


layers = pytest.mark.parametrize(("layer", "method"), LAYERS, ids=str)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_there_is_a_kernel(point, dtype):
    component, method = next(
        (c, m) for c, m in offered(point.name.split(".")[0]) if f"{c.kind}.{c.type}.{m}" == point.name
    )
    assert kernel(component, method, dtype) != getattr(component, method)
    assert not KERNELS.broken


def numbers(shape, dtype, seed=0, spread=3.0):
    return (np.random.default_rng(seed).standard_normal(shape) * spread).astype(dtype)


def run(layer, x, gradient, training=True, **methods):
    """Output, gradients and state of a layer, with one of its methods replaced."""
    context = layer_context(layer, x.shape[1:], dtype=x.dtype, training=training)
    context.begin()
    y = methods.get("forward", layer.forward)(context, x.copy()).copy()
    result = methods.get("backward", layer.backward)(context, gradient.copy())
    return {"y": y, "x": result, **context.grads, **context.state}


@layers
@shapes
@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
def test_a_layer_does_what_its_numpy_code_does(layer, method, shape, dtype, training):
    x, gradient = numbers(shape, dtype), numbers(shape, dtype, seed=1)
    expected = run(layer, x, gradient, training)
    found = run(layer, x, gradient, training, **{method: kernel(layer, method, dtype)})
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        # A norm divides by a deviation, and sums over up to 1000 rows.
        units = 60 * max(1.0, float(np.abs(array).max(initial=0.0)))
        assert_close(found[name], array, units if layer.kind == "layer" else 60)


@layers
def test_a_layer_takes_arrays_that_are_not_contiguous(layer, method, dtype):
    x, gradient = numbers((40, 6), dtype), numbers((40, 6), dtype, seed=1)
    compiled = {method: kernel(layer, method, dtype)}
    expected = run(layer, x, gradient)
    found = run(layer, np.asfortranarray(x), np.asfortranarray(gradient), **compiled)
    for name in ("y", "x"):
        assert_close(found[name], expected[name], 200)


@layers
def test_nan_comes_out_as_nan(layer, method, dtype):
    x, gradient = numbers((50, 8), dtype), numbers((50, 8), dtype, seed=1)
    x[3, 2] = np.nan
    gradient[7, 1] = np.nan
    with np.errstate(invalid="ignore"):
        expected = run(layer, x, gradient)
        found = run(layer, x, gradient, **{method: kernel(layer, method, dtype)})
    for name, array in expected.items():
        assert np.isnan(found[name]).any() == np.isnan(array).any(), name
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(array), name)


@pytest.mark.parametrize(("activation", "method"), ACTIVATIONS, ids=str)
def test_an_activation_keeps_its_digits_far_out(activation, method, dtype):
    x = np.concatenate([sign * np.logspace(-8, 4, 500) for sign in (-1, 1)]).astype(dtype).reshape(-1, 1)
    expected = run(activation, x, np.ones_like(x))
    found = run(activation, x, np.ones_like(x), **{method: kernel(activation, method, dtype)})
    smallest = float(np.finfo(dtype).tiny) * 1e4
    for name in ("y", "x"):
        assert np.isfinite(found[name]).all()
    # In the tails exp(-x**2 / 2) and its like lose as many digits as the exponent has.
    rtol = 2e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(found["y"], expected["y"], rtol=rtol, atol=smallest)


@layers
@pytest.mark.parametrize("shape", [(6,), (5, 4)], ids=str)
def test_gradients_are_true(layer, method, shape):
    for name, error in layer_gradient_errors(WithKernels(layer), shape).items():
        assert error < 1e-6, name


class WithKernels:
    """A layer that runs on its kernels, also on its own."""

    def __init__(self, layer):
        self.layer = layer

    def __getattr__(self, name):
        return getattr(self.layer, name)

    def forward(self, context, x):
        return kernel(self.layer, "forward", context.dtype)(context, x)

    def backward(self, context, gradient):
        return kernel(self.layer, "backward", context.dtype)(context, gradient)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("size", [0, 1, 7, 1000, 100_000])
def test_an_optimizer_does_what_its_numpy_code_does(optimizer, size, dtype):
    parameters = [numbers(size, dtype) for _ in range(2)]
    slots = [[np.zeros(size, dtype) for _ in optimizer.slots] for _ in range(2)]
    scratch = [np.empty(size, dtype) for _ in range(optimizer.scratch)]
    update = kernel(optimizer, "update", dtype)
    assert update.whole
    for step in (1, 2, 3, 64):  # At the 64th, moments that are about to become subnormal are rounded.
        gradient = numbers(size, dtype, seed=step)
        rates = Step(step, 0.01, optimizer.weight_decay)
        optimizer.update(Chunk(parameters[0], gradient.copy(), slots[0], scratch), rates)
        update(Chunk(parameters[1], gradient, slots[1]), rates)
        assert_close(parameters[1], parameters[0], 400)
        for found, expected in zip(slots[1], slots[0], strict=True):
            assert_close(found, expected, 400)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_parameter_with_a_gradient_of_nan_becomes_nan(optimizer, dtype):
    parameter, gradient = numbers(100, dtype), numbers(100, dtype, seed=1)
    gradient[5] = np.nan
    chunk = Chunk(parameter, gradient, [np.zeros(100, dtype) for _ in optimizer.slots])
    kernel(optimizer, "update", dtype)(chunk, Step(1, 0.01))
    assert np.flatnonzero(np.isnan(parameter)).tolist() == [5]


def targets(loss, shape, dtype):
    """Targets of every form that the loss takes."""
    rng = np.random.default_rng(2)
    if loss.type == "cross_entropy":
        labels = rng.integers(0, shape[-1], shape[:-1])
        rows = rng.uniform(0.1, 1, shape)
        return [
            labels,
            labels.astype(np.uint8),
            labels.astype(dtype),
            (rows / rows.sum(-1, keepdims=True)).astype(dtype),
        ]
    if loss.type == "binary_cross_entropy":
        return [rng.integers(0, 2, shape), rng.uniform(0, 1, shape).astype(dtype)]
    raise NotImplementedError(f"say which targets {loss.type} is tested with")


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@shapes
def test_a_loss_does_what_its_numpy_code_does(loss, shape, dtype):
    logits = numbers(shape, dtype, spread=10.0)
    for target in targets(loss, shape, dtype):
        results = []
        for joint in (loss.joint, kernel(loss, "joint", dtype)):
            context = layer_context_of_loss(dtype)
            results.append([array.copy() for array in joint(context, logits.copy(), target)])
        for found, expected in zip(*results[::-1], strict=True):
            assert_close(found, expected, 100)


def layer_context_of_loss(dtype):
    from modnet.kinds.context import Context

    context = Context(dtype)
    context.begin()
    return context


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_logits_of_nan_give_a_loss_of_nan(loss, dtype):
    for shape in ((6, 3), (6, 40)):
        for target in targets(loss, shape, dtype):
            logits = numbers(shape, dtype)
            logits[4, 1] = np.nan
            values, _ = kernel(loss, "joint", dtype)(layer_context_of_loss(dtype), logits, target)
            assert np.flatnonzero(np.isnan(values)).tolist() == [4]


def test_a_masked_class_has_no_part_in_the_loss(dtype):
    logits = np.array([[1.0, -np.inf, 2.0]], dtype)
    values, gradient = kernel(CrossEntropy(), "joint", dtype)(layer_context_of_loss(dtype), logits, np.array([0]))
    assert values == pytest.approx(np.log1p(np.e), rel=1e-6)
    assert gradient[0, 1] == 0


@pytest.mark.parametrize(
    ("loss", "target", "error"),
    [
        (CrossEntropy(), np.array([0, 3]), DataError),
        (CrossEntropy(), np.array([0, -1]), DataError),
        (CrossEntropy(), np.array([[0.5, 0.5, 0.5]] * 2), DataError),
        (CrossEntropy(), np.array([[-0.5, 1.0, 0.5]] * 2), DataError),
        (BinaryCrossEntropy(), np.array([[0, 1, 2]] * 2), DataError),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_refused_targets_are_refused_in_the_same_words(loss, target, error, dtype):
    target = target.astype(dtype) if target.dtype.kind == "f" else target
    logits = numbers((2, 3), dtype)
    with pytest.raises(error) as expected:
        loss.joint(layer_context_of_loss(dtype), logits, target)
    with pytest.raises(error) as found:
        kernel(loss, "joint", dtype)(layer_context_of_loss(dtype), logits, target)
    assert str(found.value) == str(expected.value)


def test_class_weights_are_left_to_numpy(dtype):
    loss = CrossEntropy(class_weights=(1.0, 2.0))
    assert kernel(loss, "joint", dtype) == loss.joint


@pytest.mark.parametrize("layer", [LayerNorm(), RMSNorm()], ids=str)
@pytest.mark.parametrize("size", [1e19, 1e25, 1e37])
def test_a_norm_of_rows_whose_squares_overflow_is_that_of_numpy(layer, size):
    x, gradient = numbers((20, 6), np.float32, spread=size), numbers((20, 6), np.float32, seed=1)
    with np.errstate(over="ignore"):
        expected = run(layer, x, gradient)
    found = run(layer, x, gradient, forward=kernel(layer, "forward", np.float32))
    for name in ("y", "scale"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)

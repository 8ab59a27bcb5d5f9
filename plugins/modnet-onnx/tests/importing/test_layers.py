"""The layers of the importing side, beside numpy. Their gradients are checked by the kit."""

import numpy as np
import pytest
from modnet_onnx.importing.layers.delegate import ONNXGraph

import modnet


def given_by(layer, *shapes, values=None, dtype="float64"):
    """A network of one layer, and what it gives for random numbers."""
    rng = np.random.default_rng(0)
    names = [f"x{number}" for number in range(len(shapes))]
    node = {**layer, "inputs": names, "name": "it"}
    network = modnet.build(
        {"network": {"input": dict(zip(names, shapes, strict=True)), "layers": [node], "dtype": dtype}}
    )
    arrays = values or [rng.standard_normal((5, *shape)) for shape in shapes]
    return network.forward(dict(zip(names, arrays, strict=True))), arrays


def test_matmul_stretches_axes_before_the_last_two():
    y, (a, b) = given_by({"type": "matmul"}, (2, 3, 4), (1, 4, 5))
    assert np.allclose(y, a @ b)


@pytest.mark.parametrize(
    ("operation", "expected"), [("subtract", np.subtract), ("maximum", np.maximum), ("less", np.less)]
)
def test_arithmetic_of_two(operation, expected):
    y, (a, b) = given_by({"type": "arithmetic", "operation": operation}, (3, 4), (1, 4))
    assert np.array_equal(y, expected(a, b))


def test_arithmetic_with_a_number_in_front():
    y, (a,) = given_by({"type": "arithmetic", "operation": "divide", "number": 2.0, "reverse": True}, (3, 4))
    assert np.allclose(y, 2 / a)


def test_arithmetic_needs_a_second_operand():
    with pytest.raises(modnet.SpecError, match="expects two inputs, or one input and a number"):
        given_by({"type": "arithmetic", "operation": "add"}, (3,))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("sum", np.sum),
        ("mean", np.mean),
        ("max", np.max),
        ("min", np.min),
        ("product", np.prod),
        ("log_sum_exp", lambda x, axis: np.log(np.exp(x).sum(axis))),
    ],
)
def test_reduce(operation, expected):
    y, (a,) = given_by({"type": "reduce", "operation": operation, "axes": [0, 2]}, (3, 4, 2))
    assert np.allclose(y, expected(a, (1, 3)))


def test_the_gradient_of_a_product_with_zeros():
    layer = {"type": "reduce", "operation": "product", "axes": [0]}
    spec = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 3}, layer]}}
    network = modnet.build(spec)
    x = np.zeros((4, 3))
    modnet.train(network, x, np.ones(4), loss="mse", epochs=1)
    assert np.isfinite(network.parameters.flat).all()


def test_select():
    y, (c, a, b) = given_by({"type": "select"}, (3, 4), (1, 4), (3, 1))
    assert np.array_equal(y, np.where(c != 0, a, b))


def test_take_pad_transpose_broadcast():
    y, (a,) = given_by({"type": "take", "indices": [2, -1, 2], "axis": 0}, (4, 3))
    assert np.array_equal(y, a[:, [2, -1, 2]])
    y, (a,) = given_by({"type": "pad", "before": [1, -1], "after": [0, 2], "value": 0.5}, (4, 3))
    assert np.array_equal(y, np.pad(a, ((0, 0), (1, 0), (0, 2)), constant_values=0.5)[:, :, 1:])
    y, (a,) = given_by({"type": "transpose", "axes": [1, 0]}, (4, 3))
    assert np.array_equal(y, a.swapaxes(1, 2))
    y, (a,) = given_by({"type": "broadcast", "shape": [4, 3]}, (4, 1))
    assert np.array_equal(y, np.broadcast_to(a, (5, 4, 3)))


def test_erf_beside_the_exact_one():
    torch = pytest.importorskip("torch")
    y, (a,) = given_by({"type": "elementwise", "formula": "erf"}, (50,))
    assert np.allclose(y, torch.erf(torch.from_numpy(a)).numpy(), rtol=1e-12, atol=1e-15)


def test_a_part_for_so_many_rows_is_run_in_pieces():
    (example,) = [found for found in ONNXGraph.examples() if found.component.rows]
    network = modnet.build(
        {
            "network": {
                "input": [4],
                "layers": [modnet.Node(layer=example.component, name="it")],
                "outputs": ["it.output_1"],
            }
        }
    )
    x = np.array([[3, 1, 2, 0], [0, 5, 6, 1], [9, 8, 7, 6.0]])
    assert np.array_equal(network.forward(x), [[3, 2], [6, 5], [9, 8]])


def test_a_broken_part_is_refused():
    with pytest.raises(ValueError, match="expected an ONNX model in base64"):
        ONNXGraph("no model", (0,), (0,), ((4,),))


def test_weights_before_a_part_that_onnx_runs_cannot_be_trained():
    part = next(iter(ONNXGraph.examples())).component
    first = {"type": "linear", "out_features": 4, "name": "first"}
    spec = {
        "network": {"input": [3], "layers": [first, modnet.Node(layer=part), {"type": "linear", "out_features": 1}]}
    }
    x, y = np.ones((4, 3)), np.ones((4, 1))
    with pytest.raises(modnet.TrainingError, match=r"onnx_graph.*has no gradient.*trainable = false"):
        modnet.train(modnet.build(spec), x, y, loss="mse", epochs=1)
    spec["network"]["layers"][0] = {**first, "trainable": False}
    network = modnet.build(spec)
    before = network.parameters["linear_1.weight"].copy()
    modnet.train(network, x, y, loss="mse", epochs=1)
    assert not np.array_equal(network.parameters["linear_1.weight"], before)

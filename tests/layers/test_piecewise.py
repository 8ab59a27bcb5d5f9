"""The piecewise linear encoding of numbers."""

import numpy as np
import pytest

import modnet
from modnet.errors import DataError, ShapeError
from modnet.layers import PiecewiseEncoding
from modnet.testing import check_component, layer_context, layer_gradient_errors

DATA = np.random.default_rng(0).exponential(2, (1000, 3))


def prepared(layer, rows, dtype=np.float64):
    context = layer_context(layer, (rows.shape[1],), dtype=dtype)
    layer.prepare(context, [(rows[:300], None), (rows[300:], None)])
    return context


def test_it_passes_the_kit():
    check_component(PiecewiseEncoding(bins=3))


def test_a_number_goes_through_its_bins():
    context = prepared(PiecewiseEncoding(bins=4), np.linspace(0, 8, 801)[:, None])
    code = PiecewiseEncoding(bins=4).forward(context, np.array([[-1.0], [0], [1], [5], [8], [9]]))
    np.testing.assert_allclose(
        code, [[0, 0, 0, 0], [0, 0, 0, 0], [0.5, 0, 0, 0], [1, 1, 0.5, 0], [1, 1, 1, 1], [1, 1, 1, 1]], atol=1e-12
    )


def test_the_bins_are_those_of_rtdl_num_embeddings():
    torch = pytest.importorskip("torch", reason="install the extra: parity")
    rtdl = pytest.importorskip("rtdl_num_embeddings", reason="a package that encodes so")
    rows = torch.as_tensor(DATA)
    encoding = rtdl.PiecewiseLinearEncoding(rtdl.compute_bins(rows, n_bins=7))
    code = PiecewiseEncoding(bins=7).forward(prepared(PiecewiseEncoding(bins=7), DATA), DATA)
    np.testing.assert_allclose(code, encoding(rows).numpy(), atol=1e-5)


def test_equal_quantiles_are_one_edge_and_what_is_left_over_stays_zero():
    rows = np.repeat([[0.0, 3.0]], 100, axis=0)
    rows[90:, 0] = 1
    code = PiecewiseEncoding(bins=5).forward(prepared(PiecewiseEncoding(bins=5), rows), rows)
    np.testing.assert_allclose(code[:, 0], rows[:, 0])
    assert not code[:, 1:].any()


def test_the_gradient_is_that_of_the_bin():
    assert layer_gradient_errors(PiecewiseEncoding(bins=3), (4,))["input"] <= 1e-6
    layer = PiecewiseEncoding(bins=2)
    context = prepared(layer, np.linspace(0, 4, 401)[:, None])
    context.needs_input_gradient = True
    layer.forward(context, np.array([[1.0], [3], [9]]))
    np.testing.assert_allclose(layer.backward(context, np.array([[1.0, 5], [1, 5], [1, 5]])), [[0.5], [2.5], [0]])


def test_bins_that_are_learnt_stay_as_they_are():
    layer = PiecewiseEncoding(bins=3)
    context = prepared(layer, DATA)
    left = context.state["left"].copy()
    layer.prepare(context, [(DATA * 2, None)])
    np.testing.assert_array_equal(context.state["left"], left)
    assert context.state["samples"] == len(DATA)


def test_numbers_that_are_not_finite_are_refused():
    rows = DATA.copy()
    rows[5, 1] = np.nan
    with pytest.raises(DataError, match="piecewise_encoding: expected finite numbers, found nan in feature 1"):
        prepared(PiecewiseEncoding(), rows)


def test_a_network_learns_a_step_from_it():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (400, 1)).astype(np.float32)
    layers = [{"type": "piecewise_encoding", "bins": 20}, {"type": "linear", "out_features": 1}]
    spec = {
        "network": {"input": [1], "layers": layers},
        "training": {"loss": "mse", "epochs": 200, "optimizer": {"type": "adam", "learning_rate": 0.05}},
    }
    network = modnet.train(spec, x, (x > 0.3) * 1.0).network
    found = network.predict(np.array([[0.1], [0.6]], np.float32))
    np.testing.assert_allclose(np.ravel(found), [0, 1], atol=0.1)


def test_an_axis_of_variable_size_is_refused():
    with pytest.raises(ShapeError, match="a last axis"):
        PiecewiseEncoding().output_shape((None,))

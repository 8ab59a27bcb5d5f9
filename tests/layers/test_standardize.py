import numpy as np
import pytest

from modnet.errors import DataError, ShapeError, SpecError
from modnet.layers import Standardize, Unstandardize
from modnet.testing import layer_context, layer_gradient_errors

DATA = np.random.default_rng(0).normal([1e4, -2, 0], [0.5, 3, 1e-3], (1000, 3))


def prepared(layer, batches, shape=(3,), dtype=np.float64):
    context = layer_context(layer, shape, dtype=dtype)
    layer.prepare(context, batches)
    return context


def cut(size):
    return [(DATA[start : start + size], None) for start in range(0, len(DATA), size)]


@pytest.mark.parametrize("layer", [Standardize(), Unstandardize()])
@pytest.mark.parametrize("shape", [(3,), (None, 3)])
def test_gradients(layer, shape):
    assert layer_gradient_errors(layer, shape)["input"] <= 1e-6


@pytest.mark.parametrize("size", [1, 7, 256, 1000])
def test_mean_and_deviation_are_those_of_numpy_however_the_data_are_cut(size):
    context = prepared(Standardize(), cut(size))
    np.testing.assert_allclose(context.state["mean"], DATA.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(context.state["deviation"], DATA.std(axis=0), rtol=1e-9)
    assert context.state["samples"] == 1000


def test_the_training_data_come_out_with_mean_zero_and_deviation_one():
    y = Standardize().forward(prepared(Standardize(), cut(100)), DATA)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(y.std(axis=0), 1)


def test_it_is_the_scaler_of_scikit_learn():
    preprocessing = pytest.importorskip("sklearn.preprocessing", reason="install the extra: parity")
    y = Standardize().forward(prepared(Standardize(), cut(100)), DATA)
    np.testing.assert_allclose(y, preprocessing.StandardScaler().fit_transform(DATA), rtol=1e-6, atol=1e-9)


def test_sequences_count_every_step():
    context = prepared(Standardize(), [(DATA.reshape(100, 10, 3), None)], shape=(10, 3))
    np.testing.assert_allclose(context.state["mean"], DATA.mean(axis=0))
    assert context.state["samples"] == 1000


@pytest.mark.parametrize("layer", [Standardize(), Unstandardize()])
def test_before_it_has_seen_data_it_is_the_identity(layer):
    np.testing.assert_array_equal(layer.forward(layer_context(layer, (3,)), DATA), DATA)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8 / 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_feature_becomes_zero(value, dtype):
    x = np.full((999, 3), value, dtype)
    context = prepared(Standardize(), [(x[:500], None), (x[500:], None)], dtype=dtype)
    np.testing.assert_array_equal(context.state["deviation"], 1)
    np.testing.assert_array_equal(Standardize().forward(context, x), 0)


def test_what_was_learnt_stays():
    context = prepared(Standardize(), cut(100))
    before = context.state["mean"].copy()
    Standardize().prepare(context, [(DATA + 5, None)])
    np.testing.assert_array_equal(context.state["mean"], before)


def test_batches_may_come_in_one_array_that_is_used_again():
    buffer = np.empty((100, 3))

    def batches():
        for x, _ in cut(100):
            buffer[...] = x
            yield buffer, None

    context = prepared(Standardize(), batches())
    np.testing.assert_allclose(context.state["mean"], DATA.mean(axis=0))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_data_must_be_finite(bad):
    x = DATA.copy()
    x[17, 1] = bad
    with pytest.raises(DataError, match=rf"^standardize: expected finite numbers, found {bad} in feature 1"):
        prepared(Standardize(), [(x, None)])


@pytest.mark.parametrize("layer", [Standardize(), Unstandardize()])
@pytest.mark.parametrize("shape", [(), (None,)])
def test_features_must_be_known(layer, shape):
    with pytest.raises(ShapeError, match=r"^expects a last axis"):
        layer.state(shape)


def test_unstandardize_is_the_inverse_with_the_targets_of_training():
    context = prepared(Unstandardize(), [(np.zeros((250, 3)), target) for target, _ in cut(250)])
    np.testing.assert_allclose(Unstandardize().forward(context, np.zeros((1, 3)))[0], DATA.mean(axis=0))
    standardized = Standardize().forward(prepared(Standardize(), cut(100)), DATA)
    np.testing.assert_allclose(Unstandardize().forward(context, standardized), DATA)


def test_unstandardize_must_give_the_output():
    with pytest.raises(SpecError, match=r"this node is no output\n *put it last"):
        prepared(Unstandardize(), [(DATA, None)])


def test_targets_must_fit():
    with pytest.raises(ShapeError, match=r"expects targets of its input's shape \(3,\), found \(\)"):
        prepared(Unstandardize(), [(DATA, DATA[:, 0])])

import weakref

import numpy as np
import pytest

import modnet
from modnet.engine.passes import Pass
from modnet.errors import DataError, ShapeError, SpecError
from modnet.kinds.context import Context
from modnet.layers import Standardize, Unstandardize
from modnet.layers.standardize import scaling_state
from modnet.testing import check_component, layer_context, layer_gradient_errors

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
    with pytest.raises(SpecError, match=r"this node is not an output of the network\n *put it last"):
        prepared(Unstandardize(), [(DATA, None)])


def test_targets_must_fit():
    with pytest.raises(ShapeError, match=r"expects targets of the shape of its input, \(3,\), found \(2,\)"):
        prepared(Unstandardize(), [(DATA, DATA[:, :2])])


@pytest.mark.parametrize("target", [DATA[:, 0], DATA[:, :1]], ids=["labels", "column"])
def test_several_outputs_for_one_target_have_its_mean_and_deviation(target):
    context = prepared(Unstandardize(), [(np.zeros((1000, 3)), target)])
    np.testing.assert_allclose(context.state["mean"], [target.mean()] * 3)
    np.testing.assert_allclose(context.state["deviation"], [target.std()] * 3)
    before = Unstandardize().target_before(context, target, np.zeros((1000, 3)))
    np.testing.assert_allclose(before, (target - target.mean()) / target.std())


@pytest.mark.parametrize(("offset", "spread"), [(0, 1), (1.7e9, 60), (-3, 1e20), (1e6, 1e-3)])
def test_the_target_before_is_standardized_in_float64(offset, spread):
    y = offset + spread * np.random.default_rng(0).standard_normal((300, 2))
    network = modnet.build({"network": {"input": [2], "layers": [{"type": "unstandardize", "name": "end"}]}})
    network.prepare(lambda: [([y.astype(np.float32)], {"output": y})])
    node = network.graph.nodes[-1]
    context = Context(np.float32, state=network.arrays_of(network.state, node, node.state))
    before = Unstandardize().target_before(context, y, y)
    np.testing.assert_allclose(before, (y - y.mean(axis=0)) / y.std(axis=0), atol=1e-5)


def network_of(*layers, dtype="float32", width=1):
    return modnet.build({"network": {"input": [width], "layers": list(layers), "dtype": dtype}})


@pytest.mark.parametrize(
    ("offset", "spread"), [(1.7e9, 600), (1.7e9, 1), (2459000.5, 1e-3), (-1e6, 3), (1e5, 1), (3e12, 1e4)]
)
def test_far_from_zero_no_digit_is_lost(offset, spread):
    x = offset + spread * np.random.default_rng(0).random((500, 1))
    network = network_of("standardize")
    network.prepare(lambda: [([x[:200]], {}), ([x[200:]], {})])
    expected = (x - x.mean()) / x.std()
    np.testing.assert_allclose(network.predict(x), expected, atol=1e-5)
    np.testing.assert_allclose(network.predict(x[7:8]), expected[7:8], atol=1e-5)
    assert network.predict(x).dtype == np.float32


def test_whole_numbers_far_from_zero_keep_their_digits():
    x = 1_700_000_000 + np.random.default_rng(0).integers(0, 600, (500, 1))
    network = network_of("standardize")
    network.prepare(lambda: [([x], {})])
    np.testing.assert_allclose(network.predict(x), (x - x.mean()) / x.std(), atol=1e-6)


def test_other_readers_of_the_input_get_it_in_the_dtype_of_the_network():
    layers = [{"type": "standardize", "inputs": ["input"], "name": "near"}]
    layers += [{"type": "identity", "inputs": ["input"]}, {"type": "add", "inputs": ["near", "identity_1"]}]
    x = 1.7e9 + np.arange(10.0)[:, None]
    network = network_of(*layers)
    network.prepare(lambda: [([x], {})])
    passing = Pass(network, [network.graph.outputs["output"]])
    passing.forward([x])
    assert {name: value.dtype for name, value in passing.values().items()} == dict.fromkeys(
        ("near", "identity_1", "add_1"), np.float32
    )
    assert len(np.unique(passing.values()["near"])) == 10


def test_what_was_given_is_not_kept():
    network = network_of("standardize")
    x = 1.7e9 + np.arange(10.0)[:, None]
    network.prepare(lambda: [([1.7e9 + np.arange(10.0)[:, None]], {})])
    given = weakref.ref(x)
    network.predict(x)
    del x
    assert given() is None


def test_near_zero_everything_is_as_it_was():
    """The bytes of ordinary trainings do not change: the numbers are converted before the mean is subtracted."""
    x = np.random.default_rng(0).normal([3, -50, 0], [1, 2, 1e-3], (100, 3))
    network = network_of("standardize", width=3)
    network.prepare(lambda: [([x], {})])
    state = network.state
    assert not state["standardize_1.mean_rest"].any()
    expected = (x.astype(np.float32) - state["standardize_1.mean"]) / state["standardize_1.deviation"]
    assert network.predict(x).tobytes() == expected.tobytes()


def test_targets_far_from_zero_come_out_as_near_as_float32_can_say():
    y = 1.7e9 + np.random.default_rng(0).random((50, 1))
    network = network_of("unstandardize")
    network.prepare(lambda: [([np.zeros((50, 1))], {"output": y})])
    z = np.linspace(-3, 3, 9)[:, None]
    np.testing.assert_array_equal(network.predict(z), (z * y.std() + y.mean()).astype(np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_feature_that_is_constant_but_for_rounding_is_constant(dtype):
    tenth = np.full(999, 0.1)
    columns = [
        np.where(np.arange(999) % 3, 0.1 + 0.2, 0.3),
        np.where(np.arange(999) % 2, 1e9 / 3, 1e9 * (1 / 3)),
        np.where(np.arange(999) % 2, np.cumsum(tenth[:10])[-1], np.sum(tenth[:10])),
        np.arange(999) * 1e-9,
    ]
    x = np.stack(columns, axis=1)
    network = network_of("standardize", width=4, dtype=dtype)
    network.prepare(lambda: [([x], {})])
    np.testing.assert_array_equal(network.state["standardize_1.deviation"][:3], 1)
    np.testing.assert_allclose(network.state["standardize_1.deviation"][3], x[:, 3].std(), rtol=1e-6)
    assert abs(network.predict(x)[:, :3]).max() < 1e-6


def test_float32_that_differs_in_its_last_digit_is_constant_too():
    third = np.float32(1 / 3)
    x = np.where(np.arange(100) % 2, third, np.nextafter(third, np.float32(1)))[:, None].astype(np.float32)
    network = network_of("standardize")
    network.prepare(lambda: [([x], {})])
    assert network.state["standardize_1.deviation"] == 1


def test_a_target_that_the_dtype_cannot_hold_is_named():
    batches = [(np.zeros((2, 1), np.float32), np.array([[1.0], [1e39]]))]
    with pytest.raises(DataError, match=r"^unstandardize: expected finite numbers that float32 can hold, found 1e\+39"):
        prepared(Unstandardize(), batches, shape=(1,), dtype=np.float32)


def test_a_model_from_before_there_was_a_rest_is_read_and_saved_as_it_was(tmp_path, monkeypatch):
    x = np.random.default_rng(0).normal(5, 2, (20, 1))
    with monkeypatch.context() as before:
        before.setattr(
            Standardize,
            "state",
            lambda self, shape: {name: state for name, state in scaling_state(shape).items() if not state.optional},
        )
        network = network_of("standardize")
        network.prepare(lambda: [([x], {})])
        modnet.save(network, tmp_path / "old.modnet")
    loaded = modnet.load(tmp_path / "old.modnet")
    assert list(loaded.state) == ["standardize_1.mean", "standardize_1.deviation", "standardize_1.samples"]
    np.testing.assert_array_equal(loaded.predict(x), network.predict(x))
    modnet.save(loaded, tmp_path / "again.modnet")
    assert (tmp_path / "again.modnet").read_bytes() == (tmp_path / "old.modnet").read_bytes()
    fresh = network_of("standardize")
    fresh.prepare(lambda: [([x + 1e9], {})])
    assert not modnet.load_parameters(fresh, tmp_path / "old.modnet").missing
    np.testing.assert_array_equal(fresh.predict(x), network.predict(x))


# Robust scaling


@pytest.mark.parametrize("size", [1000, 300, 7])
def test_robust_scaling_is_scikit_learns(size):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    data = np.concatenate([DATA, np.random.default_rng(1).standard_cauchy((1000, 2))], axis=1)
    batches = [(data[start : start + size], None) for start in range(0, 1000, size)]
    context = prepared(Standardize(robust=True), batches, (5,))
    expected = preprocessing.RobustScaler().fit_transform(data)
    np.testing.assert_allclose(Standardize(robust=True).forward(context, data), expected, atol=1e-9)
    assert context.state["samples"] == 1000


@pytest.mark.parametrize("shape", [(3,), (4, 3)])
def test_robust_scaling_keeps_the_contract_of_a_layer(shape):
    check_component(Standardize(robust=True), shape)


def test_where_half_of_the_numbers_are_alike_the_deviation_is_taken():
    column = np.r_[np.zeros(900), np.arange(100.0)]
    data = np.stack([column, np.full(1000, 0.1)], axis=1)
    context = prepared(Standardize(robust=True), [(data, None)], (2,))
    np.testing.assert_allclose(context.state["deviation"], [column.std(), 1])
    np.testing.assert_allclose(context.state["mean"], [0, 0.1])


def test_of_many_rows_a_sample_is_enough(monkeypatch):
    monkeypatch.setattr("modnet.layers.row_sample.MOST_KEPT", 4096)
    rows = np.random.default_rng(0).standard_normal((100_000, 1)) + np.linspace(0, 10, 100_000)[:, None]
    parts = np.split(rows, 100)
    found, again = (prepared(Standardize(robust=True), [(part, None) for part in parts], (1,)) for _ in range(2))
    np.testing.assert_array_equal(found.state["mean"], again.state["mean"])
    low, middle, high = np.percentile(rows, (25, 50, 75))
    assert found.state["mean"][0] == pytest.approx(middle, abs=0.4)
    assert found.state["deviation"][0] == pytest.approx(high - low, rel=0.1)
    assert found.state["samples"] == 100_000


def test_one_cell_far_away_leaves_the_others_apart():
    ages = np.random.default_rng(0).uniform(18, 90, 500)
    ages[17] = 9_999_999
    plain, robust = (
        prepared(layer, [(ages[:, None], None)], (1,)) for layer in (Standardize(), Standardize(robust=True))
    )
    rest = np.delete(ages, 17)[:, None]
    assert np.ptp(Standardize().forward(plain, rest)) < 1e-3
    assert np.ptp(Standardize(robust=True).forward(robust, rest)) > 1


def test_with_clip_numbers_beyond_the_range_of_training_become_its_ends():
    layer = Standardize(clip=True)
    context = prepared(layer, cut(100))
    y = layer.forward(context, np.array([DATA.max(0) + 5, DATA.mean(0), DATA.min(0) - 5]))
    plain = Standardize().forward(prepared(Standardize(), cut(100)), np.array([DATA.max(0), DATA.mean(0), DATA.min(0)]))
    np.testing.assert_allclose(y, plain, atol=1e-8)
    np.testing.assert_allclose(layer.forward(context, DATA), Standardize().forward(context, DATA), atol=1e-8)


def test_with_clip_the_gradient_beyond_the_range_is_zero():
    assert layer_gradient_errors(Standardize(clip=True), (3,))["input"] <= 1e-6
    layer = Standardize(clip=True)
    context = prepared(layer, cut(100))
    context.needs_input_gradient = True
    layer.forward(context, np.array([DATA.max(0) + 5, DATA.mean(0)]))
    slope = layer.backward(context, np.ones((2, 3)))
    np.testing.assert_allclose(slope, [[0, 0, 0], 1 / DATA.std(0)], rtol=1e-6)


def test_before_it_has_seen_data_nothing_is_clipped():
    layer = Standardize(clip=True)
    np.testing.assert_array_equal(layer.forward(layer_context(layer, (3,), dtype=np.float64), DATA[:2]), DATA[:2])


def test_clip_passes_the_kit():
    check_component(Standardize(clip=True))

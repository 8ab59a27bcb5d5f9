"""Integrated gradients: complete, right where the answer is known, and captum's."""

import numpy as np
import pytest

import modnet
from modnet.assessment.explanation.attribution import baseline_of, integrated_gradients
from modnet.assessment.explanation.features import features_of
from modnet.assessment.explanation.quantities import quantities_of
from tests.assessment.explanation import networks


def attributed(network, inputs, baseline, steps=None, place=0, **which):
    features = features_of(network, inputs)
    return integrated_gradients(network, inputs, baseline, quantities_of(network, **which)[place], features, steps)


def test_a_linear_network_is_explained_exactly():
    network = modnet.build({"network": {"input": [3], "dtype": "float64", "layers": [networks.linear(2)]}})
    x, baseline = np.random.default_rng(0).standard_normal((5, 3)), np.array([[1.0, 0.0, -1.0]])
    found = attributed(network, {"input": x}, {"input": baseline}, steps=1, place=1)
    weight = network.parameters["linear_1.weight"][:, 1]
    assert found.parts["input"] == pytest.approx((x - baseline) * weight, abs=1e-12)
    assert found.errors == pytest.approx(np.zeros(5), abs=1e-12)


@pytest.mark.parametrize("log_odds", [False, True])
def test_attributions_add_up_to_the_difference_of_the_predictions(log_odds):
    network, table = networks.classes(dtype="float64")
    inputs = {"input": network.encode(table)}
    features = features_of(network, inputs)
    baseline = baseline_of(network, inputs, features)
    found = attributed(network, inputs, baseline, steps=128, log_odds=log_odds)
    p = network.forward(inputs["input"])
    assert found.end == pytest.approx(np.log(p[:, 0] / p[:, 1]) if log_odds else p[:, 0])
    assert np.abs(found.errors).max() < 1e-6
    assert found.of(features).sum(axis=1) == pytest.approx(found.end - found.start, abs=1e-6)


def test_the_numbers_of_a_one_hot_column_are_taken_together():
    network, table = networks.classes()
    inputs = {"input": network.encode(table)}
    features = features_of(network, inputs)
    found = attributed(network, inputs, baseline_of(network, inputs, features), steps=32)
    assert [feature.name for feature in features] == ["size", "colour", "noise"]
    assert found.of(features)[:, 1] == pytest.approx(found.parts["input"][:, 1:4].sum(axis=1))


def test_as_many_steps_as_a_small_error_needs():
    network, x, _ = networks.numbers()
    network.parameters["linear_1.weight"] *= 30  # nearly steps
    found = attributed(network, {"input": x[:20]}, {"input": x[20:21]})
    assert found.steps > 32
    assert (np.abs(found.errors) <= 1e-3 * np.abs(found.end - found.start).max()).all()
    with_few = attributed(network, {"input": x[:20]}, {"input": x[20:21]}, steps=8)
    assert with_few.steps == 8
    assert np.abs(with_few.errors).max() > np.abs(found.errors).max()


def test_captums_integrated_gradients():
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    attr = pytest.importorskip("captum.attr", reason="captum (extra `parity`) is not installed")
    network, x, _ = networks.numbers()
    arrays = {name: torch.tensor(np.asarray(array)) for name, array in network.parameters.items()}

    def same(given):
        hidden = torch.tanh(given @ arrays["linear_1.weight"] + arrays["linear_1.bias"])
        return hidden @ arrays["linear_2.weight"] + arrays["linear_2.bias"]

    baseline = x.mean(axis=0, keepdims=True)
    theirs = attr.IntegratedGradients(same).attribute(
        torch.tensor(x), torch.tensor(baseline), target=0, n_steps=40, method="gausslegendre"
    )
    ours = attributed(network, {"input": x}, {"input": baseline}, steps=40)
    assert ours.parts["input"] == pytest.approx(theirs.numpy(), abs=1e-6)  # captum has its steps in float32


def test_captums_integrated_gradients_of_the_probability_of_a_class():
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    attr = pytest.importorskip("captum.attr", reason="captum (extra `parity`) is not installed")
    network, table = networks.classes(dtype="float64")
    x = network.encode(table)
    known = (*network.parameters.items(), *network.state.items())
    arrays = {name: torch.tensor(np.asarray(array)) for name, array in known}

    def same(given):
        scaled = (given - arrays["standardize_1.mean"]) / arrays["standardize_1.deviation"]
        hidden = torch.tanh(scaled @ arrays["linear_1.weight"] + arrays["linear_1.bias"])
        return torch.softmax(hidden @ arrays["linear_2.weight"] + arrays["linear_2.bias"], dim=1)

    inputs = {"input": x}
    baseline = baseline_of(network, inputs, features_of(network, inputs))
    begin = torch.tensor(baseline["input"])
    theirs = attr.IntegratedGradients(same).attribute(torch.tensor(x), begin, target=1, n_steps=64)
    ours = attributed(network, inputs, baseline, steps=64, target_class="dog")
    assert ours.parts["input"] == pytest.approx(theirs.numpy(), abs=1e-7)


def test_the_baseline_is_the_mean_that_a_standardize_layer_has_learnt():
    network, table = networks.classes()
    inputs = {"input": network.encode({name: values[:3] for name, values in table.items()})}
    found = baseline_of(network, inputs, features_of(network, inputs))
    assert found["input"] == pytest.approx(network.encode(table).mean(axis=0, keepdims=True), rel=1e-5)


def test_without_one_it_is_the_mean_of_the_rows():
    network, x, _ = networks.numbers()
    found = baseline_of(network, {"input": x}, features_of(network, {"input": x}))
    assert found["input"] == pytest.approx(x.mean(axis=0, keepdims=True))


def test_ids_are_exchanged_half_way_and_the_sum_is_complete():
    network, table = networks.ids()
    inputs = network.encode(table)
    features = features_of(network, inputs)
    baseline = baseline_of(network, inputs, features)
    names, counts = np.unique(table["shop"], return_counts=True)
    (column,) = network.card.schema.inputs["shop"]
    assert column.categories[int(baseline["shop"][0, 0]) - 1] == names[counts.argmax()]
    found = attributed(network, inputs, baseline, steps=64)
    amounts = found.of(features)
    assert np.abs(found.errors).max() < 1e-3 * np.ptp(found.end)
    half = {name: (inputs[name] + baseline[name]) / 2 for name in ("numbers",)}
    with_own = network.forward({**half, "shop": inputs["shop"]})
    with_other = network.forward({**half, "shop": np.broadcast_to(baseline["shop"], inputs["shop"].shape)})
    assert [feature.name for feature in features] == ["day", "amount", "shop"]
    assert amounts[:, 2] == pytest.approx((with_own - with_other)[:, 0], abs=1e-5)


def test_several_ids_share_what_they_change_together():
    """For a product of two ids that go from 0 to 1, half of the change goes to each."""
    network = modnet.build(
        {
            "network": {
                "input": {"a": [1], "b": [1]},
                "dtype": "float64",
                "layers": [
                    {"type": "embedding", "vocabulary_size": 2, "embedding_size": 1, "inputs": ["a"], "name": "va"},
                    {"type": "embedding", "vocabulary_size": 2, "embedding_size": 1, "inputs": ["b"], "name": "vb"},
                    {"type": "multiply", "inputs": ["va", "vb"]},
                    "flatten",
                ],
            }
        }
    )
    network.parameters["va.weight"][:, 0] = network.parameters["vb.weight"][:, 0] = [0.0, 3.0]
    ones, zeros = ({name: np.full((1, 1), value) for name in "ab"} for value in (1, 0))
    found = attributed(network, ones, zeros)
    assert found.parts["a"] == pytest.approx(np.array([[4.5]]))
    assert found.parts["b"] == pytest.approx(np.array([[4.5]]))


def test_images_and_sequences_have_a_part_for_each_number():
    network = modnet.build(
        {
            "network": {
                "input": [4, 3],
                "layers": ["flatten", {"type": "linear", "out_features": 1, "activation": "tanh"}],
            }
        }
    )
    x = np.random.default_rng(0).standard_normal((2, 4, 3))
    features = features_of(network, {"input": x})
    assert [feature.name for feature in features] == ["input[0]", "input[1]", "input[2]"]
    found = attributed(network, {"input": x}, {"input": np.zeros((1, 4, 3))}, steps=32)
    assert found.parts["input"].shape == (2, 4, 3)
    assert found.of(features) == pytest.approx(found.parts["input"].sum(axis=1))


def test_numbers_that_come_as_integers_are_numbers():
    network, x, _ = networks.numbers()
    whole = np.round(10 * x).astype(np.int8)
    start = {"input": np.zeros((1, 4), np.uint8)}
    found = attributed(network, {"input": whole}, start, steps=64)
    assert found.parts["input"] == pytest.approx(attributed(network, {"input": whole * 1.0}, start, 64).parts["input"])
    assert np.abs(found.errors).max() < 0.05 * np.ptp(found.end)
    (reasons,) = modnet.explain(network, whole, rows=[1]).reasons
    assert reasons.start + reasons.amounts.sum() == pytest.approx(reasons.end, abs=0.01)

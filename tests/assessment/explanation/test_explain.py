"""modnet.explain: what it computes by default, what it can be asked for, what it shows."""

import numpy as np
import pytest

import modnet
from tests.assessment.explanation import networks


def test_importance_and_dependence_by_default():
    network, table = networks.classes()
    found = modnet.explain(network, table, repeats=3)
    assert found.importance.losses["loss"].shape == (3, 3)
    assert [one.column for one in found.dependence] == ["size", "colour", "noise"]
    assert found.reasons == ()
    text = str(found)
    assert text.splitlines()[0] == "what is lost when a column is shuffled (120 rows, 3 times each)"
    assert "mean prediction if colour had this value in every row" in text


def test_the_same_seed_gives_the_same_explanation():
    network, table = networks.classes()
    first, again, other = (modnet.explain(network, table, repeats=2, seed=seed) for seed in (0, 0, 1))
    assert first.plain() == again.plain()
    assert first.plain() != other.plain()


def test_rows_are_explained_by_the_class_that_is_predicted_for_them():
    network, table = networks.classes()
    without = {name: values for name, values in table.items() if name != "kind"}
    found = modnet.explain(network, without, rows=[4, 0])
    predicted = network.predict(without)
    assert [reasons.row for reasons in found.reasons] == [4, 0]
    for reasons in found.reasons:
        name = predicted["kind"][reasons.row]
        assert reasons.quantity == f"P({name})"
        assert reasons.end == pytest.approx(predicted[f"P({name})"][reasons.row])
        assert reasons.start + reasons.amounts.sum() + reasons.error == pytest.approx(reasons.end)
        assert reasons.cells[1] == table["colour"][reasons.row]
    assert found.importance is None
    assert found.dependence == ()


def test_a_baseline_of_ones_own_and_a_class():
    network, table = networks.classes()
    row = {"size": 5.0, "colour": "red", "noise": 0.0}
    (reasons,) = modnet.explain(network, table, rows=[1], baseline=row, target_class="dog").reasons
    assert reasons.start == pytest.approx(network.predict(row)["P(dog)"])
    with pytest.raises(modnet.DataError, match="baseline: expected one row, found 2"):
        modnet.explain(network, table, rows=[1], baseline=[row, row])


def test_columns_that_are_named_are_shown():
    network, table = networks.classes()
    assert [one.column for one in modnet.explain(network, table, columns=["noise"], repeats=1).dependence] == ["noise"]
    found = modnet.explain(network, table, rows=[0], columns=["colour"])
    assert [one.column for one in found.dependence] == ["colour"]
    with pytest.raises(modnet.DataError, match='reads no column "color"; did you mean "colour"'):
        modnet.explain(network, table, columns=["color"])


def test_a_network_on_arrays():
    network, x, y = networks.numbers(80)
    found = modnet.explain(network, x, y, repeats=2)
    assert found.importance.columns == ("input[0]", "input[1]", "input[2]", "input[3]")
    (reasons,) = modnet.explain(network, x, rows=[3]).reasons
    assert reasons.cells[0] == f"{x[3, 0]:.6g}"
    assert reasons.name == "row 4"
    assert reasons.end == pytest.approx(network.forward(x)[3, 0])


def test_dates_and_ids():
    network, table = networks.ids()
    found = modnet.explain(network, table, repeats=2)
    assert {one.column for one in found.dependence} == {"day", "shop", "amount"}
    (reasons,) = modnet.explain(network, table, rows=[0]).reasons
    assert reasons.cells[0] == str(table["day"][0])
    assert reasons.start + reasons.amounts.sum() == pytest.approx(reasons.end, abs=1e-3)


def test_several_outputs():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    spec = {
        "network": {
            "input": [2],
            "layers": [
                {"type": "linear", "out_features": 1, "name": "height"},
                {"type": "linear", "out_features": 3, "inputs": ["input"]},
                {"type": "softmax", "name": "kind"},
            ],
            "outputs": ["height", "kind"],
        },
        "training": {
            "loss": {"height": "mse", "kind": "cross_entropy"},
            "metrics": {"kind": ["accuracy"]},
            "epochs": 2,
        },
    }
    y = {"height": x[:, :1], "kind": rng.integers(0, 3, 40)}
    network = modnet.train(spec, x, y).network
    found = modnet.explain(network, x, y, repeats=2, figures=["kind_accuracy"])
    assert list(found.importance.figures) == ["kind_accuracy"]
    reasons = modnet.explain(network, x, rows=[5]).reasons
    winner = int(network.forward(x)["kind"][5].argmax())
    assert [one.quantity for one in reasons] == ["height", f"P({winner})"]


def test_what_cannot_be_explained_is_refused():
    network, table = networks.classes()
    with pytest.raises(modnet.DataError, match="there is no row 121; the data have 120 rows"):
        modnet.explain(network, table, rows=[120])
    with pytest.raises(modnet.DataError, match='no column "kind"'):
        modnet.explain(network, {name: values for name, values in table.items() if name != "kind"})
    with pytest.raises(modnet.DataError, match="an iterable of batches"):
        modnet.explain(networks.numbers(20)[0], iter([]))
    with pytest.raises(ValueError, match="repeats: expected at least 1, found 0"):
        modnet.explain(network, table, repeats=0)


def test_long_names_and_many_columns_are_cut_on_the_screen_alone():
    rng = np.random.default_rng(0)
    names = [f"{'very ' * 20}long {place}" for place in range(30)]
    table = {name: rng.standard_normal(20) for name in names} | {"y": rng.standard_normal(20)}
    spec = {
        "network": {"input": [30], "layers": [{"type": "linear", "out_features": 1}]},
        "training": {"loss": "mse", "epochs": 1},
        "data": {"target": "y", "inputs": names},
    }
    network = modnet.train(spec, table).network
    found = modnet.explain(network, table, repeats=1)
    lines = str(found).splitlines()
    assert "  and 10 more columns, which matter less" in lines
    assert max(len(line) for line in lines if not line.startswith("mean prediction")) < 110
    assert len(found.plain()["importance"]["columns"]) == 30
    lines = str(modnet.explain(network, table, rows=[0])).splitlines()
    assert lines[21].startswith("  10 more")


def test_rows_that_the_network_was_trained_on_are_warned_of():
    network, table = networks.classes()
    assert any("trained on exactly these rows" in note for note in modnet.explain(network, table, repeats=1).notes)
    other = {name: values[:50] for name, values in table.items()}
    assert not any("trained on" in note for note in modnet.explain(network, other, repeats=1).notes)


def test_values_outside_of_what_the_network_was_trained_on_are_told():
    network, table = networks.classes()
    notes = modnet.explain(network, {**table, "size": [99.0, *table["size"][1:]]}, rows=[0]).notes
    assert any("outside of what the model was trained on" in note for note in notes)


def test_quantiles_are_named():
    rng = np.random.default_rng(0)
    table = {"a": rng.standard_normal(60), "y": rng.standard_normal(60)}
    spec = {
        "network": {"input": [1], "layers": [networks.linear(3), "unstandardize"]},
        "training": {"loss": {"type": "quantile", "quantiles": [0.1, 0.5, 0.9]}, "epochs": 2},
        "data": {"target": "y", "inputs": ["a"]},
    }
    network = modnet.train(spec, table).network
    found = modnet.explain(network, table, repeats=1)
    assert found.dependence[0].quantities == ("y_0.1", "y_0.5", "y_0.9")
    assert [one.quantity for one in modnet.explain(network, table, rows=[0]).reasons] == ["y_0.1", "y_0.5", "y_0.9"]


def test_an_ensemble_is_explained_as_what_it_predicts():
    network, table = networks.classes(members=3)
    (reasons,) = modnet.explain(network, table, rows=[2]).reasons
    assert reasons.end == pytest.approx(max(network.forward(network.encode(table))[2]), abs=1e-6)
    assert reasons.start + reasons.amounts.sum() == pytest.approx(reasons.end, abs=1e-3)
    assert modnet.explain(network, table, repeats=2).importance.mean("accuracy")[0] > 0.2

"""modnet.compare"""

import numpy as np
import pytest

import modnet
from modnet.errors import DataError, SpecError


def rows(count=80, seed=0):
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 2
    return {
        "size": rng.normal(4 + 1.5 * kind, 1).tolist(),
        "tail": rng.normal(2 - kind, 1).tolist(),
        "owner": [f"o{place // 4}" for place in range(count)],
        "weight": rng.uniform(0.5, 2, count).tolist(),
        "price": (kind * 10 + rng.normal(0, 1, count)).tolist(),
        "kind": ["dog" if one else "cat" for one in kind],
    }


def train(data=None, inputs=("size",), target="kind", end=2, epochs=20, **options):
    classes = target == "kind"
    spec = {
        "network": {
            "input": [len(inputs)],
            "layers": [
                "standardize",
                {"type": "linear", "out_features": end},
                ("sigmoid" if end == 1 else "softmax") if classes else "unstandardize",
            ],
        },
        "training": {
            "loss": ("binary_cross_entropy" if end == 1 else "cross_entropy") if classes else "mse",
            "metrics": ["accuracy", "auc"] if classes else ["r2"],
            "epochs": epochs,
            "optimizer": {"type": "adam", "learning_rate": 0.05},
        },
        "data": {"target": target, "inputs": list(inputs), **options},
    }
    return modnet.train(spec, rows(seed=9) if data is None else data).network


@pytest.fixture(scope="module")
def small():
    return train()


@pytest.fixture(scope="module")
def large():
    return train(inputs=("size", "tail"))


def test_figures_are_those_of_evaluate(small, large):
    found = modnet.compare({"small": small, "large": large}, rows())
    assert list(found.figures["small"]) == ["accuracy", "auc", "log_loss"]
    for name, network in (("small", small), ("large", large)):
        ours = modnet.evaluate(network, rows(), metrics=["accuracy", "auc", "log_loss"])
        assert found.figures[name] == pytest.approx({key: value for key, value in ours.items() if key != "loss"})
    assert (found.rows, found.groups, found.resamples) == (80, None, 2000)


def test_the_interval_of_a_difference_is_that_of_scipy(small, large):
    stats, metrics = pytest.importorskip("scipy.stats"), pytest.importorskip("sklearn.metrics")
    data = rows()
    truth = np.array(data["kind"]) == "dog"
    ours, theirs = (np.array(network.predict(data)["P(dog)"]) for network in (small, large))
    found = modnet.compare({"small": small, "large": large}, data, resamples=300, seed=4, metrics=["auc", "log_loss"])

    def check(name, measure):
        def statistic(truth, a, b):
            return measure(truth, b) - measure(truth, a)

        expected = stats.bootstrap(
            (truth, ours, theirs),
            statistic,
            paired=True,
            vectorized=False,
            n_resamples=300,
            method="percentile",
            random_state=np.random.default_rng(4),
        )
        difference = found.differences["large"][name]
        assert difference.interval[:2] == pytest.approx(tuple(expected.confidence_interval), rel=1e-4)
        assert difference.value == pytest.approx(measure(truth, theirs) - measure(truth, ours), rel=1e-4)
        distribution = expected.bootstrap_distribution if name == "log_loss" else -expected.bootstrap_distribution
        better = np.mean(distribution > 1e-12) + np.mean(np.abs(distribution) <= 1e-12) / 2
        assert difference.first_better == pytest.approx(better)

    check("auc", metrics.roc_auc_score)
    check("log_loss", metrics.log_loss)


def test_verdicts(small):
    useless, data = train(inputs=("weight",)), rows()
    found = modnet.compare({"small": small, "useless": useless}, data)
    assert found.differences["useless"]["auc"].better == "small"
    assert found.differences["useless"]["log_loss"].better == "small"
    assert found.differences["useless"]["auc"].first_better == 1
    other = modnet.compare({"useless": useless, "small": small}, data)
    assert other.differences["small"]["log_loss"].better == "small"
    first_better = [found.differences["useless"]["log_loss"], other.differences["small"]["log_loss"]]
    assert sum(difference.first_better for difference in first_better) == pytest.approx(1)
    same = modnet.compare([small, small], data)
    assert same.differences["B"]["auc"] == (0.0, (0.0, 0.0, 0), 0.5, None)
    lines = str(same).splitlines()
    assert lines[:2] == ["A  A", "B  B"]
    assert lines[-3].endswith("50.0 %   no difference that these rows can show")
    assert lines[-1] == "intervals from 2,000 resamples of the rows, the same for all models"


def test_three_models_are_compared_with_the_first(small, large):
    found = modnet.compare({"small": small, "large": large, "again": small}, rows(), resamples=50)
    assert list(found.differences) == ["large", "again"]
    assert "C - A" in str(found)


def test_groups_are_drawn_together(small, large):
    found = modnet.compare([small, large], rows(), group="owner", resamples=100)
    assert found.groups == 20
    assert "100 resamples of the 20 groups of rows" in str(found)
    with pytest.raises(DataError, match=r'no column "onwer" \(did you mean "owner"\?\)'):
        modnet.compare([small, large], rows(), group="onwer")
    gap = rows()
    gap["owner"][3] = None
    with pytest.raises(DataError, match="row 4, column owner: missing value, so the row is in no group"):
        modnet.compare([small, large], gap, group="owner")


def test_numbers():
    first, second = (train(target="price", inputs=inputs, end=1) for inputs in (("size",), ("size", "tail")))
    found = modnet.compare([first, second], rows())
    assert list(found.figures["A"]) == ["r2", "root_mean_squared_error"]
    ours = modnet.evaluate(second, rows(), metrics=["r2", "root_mean_squared_error"])
    assert found.figures["B"] == pytest.approx({key: ours[key] for key in found.figures["B"]})


def test_weights_are_those_of_the_schema(small):
    weighted = train(weights="weight")
    found = modnet.compare({"weighted": weighted, "small": small}, rows(), resamples=50)
    assert found.figures["weighted"]["accuracy"] == pytest.approx(modnet.evaluate(weighted, rows())["accuracy"])
    assert found.notes == ("rows are weighted by column weight, as in the training of weighted",)


# Models of several forms


def test_one_probability_of_two_classes_and_two_of_them(small):
    single = train(end=1)
    found = modnet.compare({"small": small, "single": single}, rows(), resamples=50)
    ours = modnet.evaluate(single, rows(), metrics=["accuracy", "auc", "log_loss"])
    assert found.figures["single"] == pytest.approx({key: value for key, value in ours.items() if key != "loss"})


def test_classes_in_another_order(small):
    turned = train(columns={"kind": {"categories": ["dog", "cat"]}})
    found = modnet.compare({"small": small, "turned": turned}, rows(), resamples=50)
    ours = modnet.evaluate(turned, rows(), metrics=["accuracy", "log_loss"])
    assert found.figures["turned"]["accuracy"] == pytest.approx(ours["accuracy"])
    assert found.figures["turned"]["log_loss"] == pytest.approx(ours["log_loss"])
    back = modnet.compare({"turned": turned, "small": small}, rows(), resamples=50)
    assert back.figures["small"] == pytest.approx(found.figures["small"])


def test_a_class_that_one_model_does_not_know(small):
    data = rows(seed=9)
    data["kind"][:9] = ["fox"] * 9
    three = train(data, end=3)
    given = rows()
    given["kind"][:4] = ["fox"] * 4
    found = modnet.compare({"three": three, "small": small}, given, resamples=50)
    assert found.rows == 76
    assert any("fox" in note and note.startswith("small: ") for note in found.notes)
    rest = {name: values[4:] for name, values in given.items()}
    ours = modnet.evaluate(small, rest, metrics=["accuracy", "log_loss"])
    assert found.figures["small"]["log_loss"] == pytest.approx(ours["log_loss"])
    ours = modnet.evaluate(three, rest, metrics=["accuracy", "log_loss"])
    assert found.figures["three"]["log_loss"] == pytest.approx(ours["log_loss"])


def test_rows_that_one_model_drops_are_left_out_for_all(small):
    careful = train(inputs=("size", "tail"), missing="drop")
    data = rows()
    data["tail"][5] = None
    found = modnet.compare({"small": small, "careful": careful}, data, resamples=50)
    assert found.rows == 79
    assert found.notes == ("careful: 1 row had missing values: dropped",)


def test_labels():
    data = {**rows(), "topics": ["tax; law" if n % 3 else "law" if n % 2 else "" for n in range(80)]}

    def labelled(inputs):
        spec = {
            "network": {
                "input": [len(inputs)],
                "layers": ["standardize", {"type": "linear", "out_features": 2}, "sigmoid"],
            },
            "training": {"loss": "binary_cross_entropy", "metrics": ["f1"], "epochs": 3},
            "data": {"target": "topics", "inputs": inputs, "columns": {"topics": {"kind": "labels"}}},
        }
        return modnet.train(spec, data).network

    first, second = labelled(["size"]), labelled(["size", "tail"])
    found = modnet.compare([first, second], data, resamples=50)
    ours = modnet.evaluate(second, data, metrics=["f1", "accuracy"])
    assert found.figures["B"] == pytest.approx({key: ours[key] for key in ("f1", "accuracy")})


def test_arrays():
    labels = np.arange(60) % 3
    points = np.random.default_rng(0).standard_normal((60, 2)) + 1.0 * labels[:, None]
    network = {"input": [2], "layers": [{"type": "linear", "out_features": 3}, "softmax"]}
    spec = {"network": network, "training": {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 2}}
    first, second = (modnet.train(spec, points, labels, epochs=epochs).network for epochs in (1, 30))
    found = modnet.compare([first, second], points, labels)
    assert found.figures["B"]["accuracy"] == pytest.approx(modnet.evaluate(second, points, labels)["accuracy"])
    told = "was trained on these rows, and looks better on them than it is; use other rows"
    assert found.notes == (f"A {told}", f"B {told}")
    part = modnet.train(spec, points, labels, validation=0.2).network
    assert modnet.compare({"part": part, "first": first}, points, labels).notes[0] == f"part {told}"
    assert modnet.compare([first, second], points[::-1], labels[::-1]).notes == ()


def test_rows_of_a_table_that_were_trained_on(small, large):
    assert "small was trained on" in modnet.compare({"small": small, "large": large}, rows(seed=9)).notes[0]


def test_several_targets():
    spec = {
        "network": {
            "input": [1],
            "layers": [
                "standardize",
                {"type": "linear", "out_features": 2},
                {"type": "softmax", "name": "kind"},
                {"type": "linear", "out_features": 1, "inputs": ["standardize_1"]},
                {"type": "unstandardize", "name": "price"},
            ],
            "outputs": ["kind", "price"],
        },
        "training": {"loss": {"kind": "cross_entropy", "price": "mse"}, "epochs": 2},
        "data": {"target": {"kind": "kind", "price": "price"}, "inputs": ["size"]},
    }
    both = modnet.train(spec, rows(seed=9)).network
    found = modnet.compare([both, both], rows(), resamples=50)
    assert list(found.figures["A"]) == ["kind_accuracy", "kind_log_loss", "price_root_mean_squared_error", "price_r2"]


# Refusals


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"target": "price", "end": 1},
            "small predicts kind, and other predicts price; only models of the same target",
        ),
        ({"target": "price", "end": 1, "inputs": ("tail",)}, "only models of the same target can be compared"),
    ],
)
def test_models_of_different_targets(small, other, message):
    with pytest.raises(DataError) as told:
        modnet.compare({"small": small, "other": train(**other)}, rows())
    assert message in str(told.value)


def test_a_metric_that_does_not_fit(small, large):
    with pytest.raises(SpecError, match='"r2" does not fit kind, which is predicted as classes'):
        modnet.compare([small, large], rows(), metrics=["r2"])
    with pytest.raises(DataError, match="there is no figure to compare"):
        modnet.compare([small, large], rows(), metrics=["confusion_matrix"])
    with pytest.raises(SpecError, match='unknown metric "acuracy"'):
        modnet.compare([small, large], rows(), metrics=["acuracy"])


def test_wrong_arguments(small, large):
    with pytest.raises(ValueError, match="expected 2 to 26 models to compare, found 1"):
        modnet.compare([small], rows())
    with pytest.raises(ValueError, match="expected at least 40 resamples, found 3"):
        modnet.compare([small, large], rows(), resamples=3)
    nothing = {**rows(), "kind": ["fox"] * 80}
    with pytest.raises(DataError, match="fox"):
        modnet.compare([small, large], nothing)

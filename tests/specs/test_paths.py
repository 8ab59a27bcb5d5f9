"""Dotted paths into a spec: as indices, names and types give the items of lists, and within bare names."""

import pytest

import modnet
from modnet.specs.paths import resolved, value_at, with_value

VALUES = {
    "network": {
        "input": [4],
        "layers": [
            {"type": "linear", "out_features": 8, "activation": "relu"},
            {"type": "dropout", "rate": 0.1, "name": "drop"},
            "relu",
            {"type": "linear", "out_features": 2},
            {"type": "softmax"},
        ],
    },
    "training": {"loss": "cross_entropy", "optimizer": "adam", "callbacks": [{"type": "early_stopping"}]},
    "data": {"train": "a.csv"},
}


@pytest.mark.parametrize(
    ("dotted", "path"),
    [
        ("training.epochs", ("training", "epochs")),
        ("network.layers.3.out_features", ("network", "layers", 3, "out_features")),
        ("network.layers.linear_2.out_features", ("network", "layers", 3, "out_features")),
        ("network.layers.drop.rate", ("network", "layers", 1, "rate")),
        ("network.layers.dropout.rate", ("network", "layers", 1, "rate")),
        ("network.layers.relu_2.name", ("network", "layers", 2, "name")),  # the first is the activation of linear_1
        ("training.callbacks.early_stopping.patience", ("training", "callbacks", 0, "patience")),
        ("training.optimizer.learning_rate", ("training", "optimizer", "learning_rate")),
    ],
)
def test_a_path_leads_to_its_place(dotted, path):
    assert resolved(VALUES, dotted) == path


def test_automatic_names_are_those_of_the_network():
    network = modnet.build({"network": VALUES["network"]})
    for name, place in (("linear_1", 0), ("drop", 1), ("relu_2", 2), ("linear_2", 3), ("softmax_1", 4)):
        assert name in {node.name for node in network.graph.nodes}
        assert resolved(VALUES, f"network.layers.{name}.name") == ("network", "layers", place, "name")


@pytest.mark.parametrize(
    ("dotted", "message"),
    [
        ("network.layers.9.rate", '"9" is not an index of a list of 5 items'),
        (
            "network.layers.linear.rate",
            '"linear" is not an index of a list of 5 items, nor the name of one; did you mean "linear_2"?',
        ),
        ("network.layers.zzz.rate", '"zzz" is not an index of a list of 5 items, nor the name of one'),
        ("network.input.0.size", '4 has no key "size"'),
        ("data.train.path", '"a.csv" has no key "path"'),
    ],
)
def test_a_path_that_leads_nowhere(dotted, message):
    with pytest.raises(LookupError) as caught:
        resolved(VALUES, dotted)
    assert caught.value.args[0] == message


def test_a_value_within_a_bare_name_makes_a_table_of_it():
    changed = with_value(VALUES, ("training", "optimizer", "learning_rate"), 0.1)
    assert changed["training"]["optimizer"] == {"type": "adam", "learning_rate": 0.1}
    assert VALUES["training"]["optimizer"] == "adam"
    assert value_at(changed, ("training", "optimizer", "learning_rate")) == 0.1


def test_overrides_take_names():
    spec, _ = modnet.read_spec({"network": VALUES["network"]}, overrides={"network.layers.linear_2.out_features": 5})
    assert spec.network.layers[3].layer.out_features == 5
    with pytest.raises(modnet.SpecError, match=r'network\.layers\.linear_9\.bias: cannot be set: .*"linear_2"'):
        modnet.read_spec({"network": VALUES["network"]}, overrides={"network.layers.linear_9.bias": False})

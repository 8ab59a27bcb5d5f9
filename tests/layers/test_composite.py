import numpy as np
import pytest

import modnet
from modnet.activations import ReLU
from modnet.errors import SpecError
from modnet.kinds.node import Node
from modnet.layers import Add, Linear, Repeat, Residual

HIDDEN = (Node(layer=Linear(out_features=5), activation=ReLU()), Node(layer=Linear(out_features=4)))


def network(layer, size=4):
    return modnet.build({"network": {"input": [size], "layers": [Node(layer=layer)]}}, seed=0, dtype="float64")


def test_residual_adds_what_it_reads():
    built = network(Residual(layers=HIDDEN))
    params = built.parameters
    assert set(params) == {
        "residual_1.linear_1.weight",
        "residual_1.linear_1.bias",
        "residual_1.linear_2.weight",
        "residual_1.linear_2.bias",
    }
    x = np.random.default_rng(0).standard_normal((3, 4))
    hidden = np.maximum(x @ params["residual_1.linear_1.weight"] + params["residual_1.linear_1.bias"], 0)
    branch = hidden @ params["residual_1.linear_2.weight"] + params["residual_1.linear_2.bias"]
    np.testing.assert_allclose(built.predict(x), branch + x)


def test_residual_with_a_shortcut_changes_the_shape():
    built = network(Residual(layers=HIDDEN, shortcut=(Node(layer=Linear(out_features=4, bias=False)),)), size=6)
    assert built.parameters["residual_1.shortcut.linear_1.weight"].shape == (6, 4)
    x = np.random.default_rng(0).standard_normal((3, 6))
    shortcut = x @ built.parameters["residual_1.shortcut.linear_1.weight"]
    built.parameters["residual_1.linear_2.weight"] = np.zeros((5, 4))
    np.testing.assert_allclose(built.predict(x), shortcut)


def test_branches_of_different_shapes_are_refused():
    with pytest.raises(SpecError, match=r"\(add\): expects inputs of the same shape"):
        network(Residual(layers=HIDDEN), size=6)


def test_repeat_gives_each_repetition_parameters_of_its_own():
    built = network(Repeat(count=3, layers=(Node(layer=Linear(out_features=4), activation=ReLU()),)))
    weights = [built.parameters[f"repeat_1.{number}.linear_1.weight"] for number in (1, 2, 3)]
    assert not np.array_equal(weights[0], weights[1])
    x = np.random.default_rng(0).standard_normal((3, 4))
    expected = x
    for weight in weights:
        expected = np.maximum(expected @ weight, 0)
    np.testing.assert_allclose(built.predict(x), expected)


def test_names_within_a_repetition_are_its_own():
    nodes = (
        Node(layer=Linear(out_features=4), name="a"),
        Node(layer=Add(), inputs=("a", "input")),
    )
    built = network(Repeat(count=2, layers=nodes))
    x = np.random.default_rng(0).standard_normal((3, 4))
    expected = x
    for number in (1, 2):
        expected = expected @ built.parameters[f"repeat_1.{number}.a.weight"] + expected
    np.testing.assert_allclose(built.predict(x), expected)


def test_composites_may_hold_composites():
    built = network(Repeat(count=2, layers=(Node(layer=Residual(layers=HIDDEN)),)))
    assert "repeat_1.2.residual_1.linear_2.weight" in built.parameters
    assert built.predict(np.ones((1, 4))).shape == (1, 4)


@pytest.mark.parametrize("make", [lambda: Residual(layers=()), lambda: Repeat(count=2, layers=())])
def test_no_layers_are_refused(make):
    with pytest.raises(SpecError, match="layers is empty"):
        make()

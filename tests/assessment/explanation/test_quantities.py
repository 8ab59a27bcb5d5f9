"""What is explained: numbers, probabilities, log-odds; each with its derivative."""

import numpy as np
import pytest

import modnet
from modnet.assessment.explanation.quantities import Quantity, quantities_of
from tests.assessment.explanation import networks

FORMS = [Quantity("p", "output", 1, "b", form) for form in ("of_all", "alone", "second", "rest")]


@pytest.mark.parametrize("log_odds", [False, True])
@pytest.mark.parametrize("quantity", [*FORMS, Quantity("n", "output", 1)], ids=lambda quantity: quantity.form)
def test_slopes_agree_with_differences(quantity, log_odds):
    quantity = quantity.replace(log_odds=log_odds and quantity.category is not None)
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 20)
    direction = rng.standard_normal(p.shape) * p  # what a softmax can change
    step = 1e-6
    expected = (quantity.values(p + step * direction) - quantity.values(p - step * direction)) / (2 * step)
    assert (quantity.slope(p) * direction).sum(axis=1) == pytest.approx(expected, rel=1e-6)


def test_log_odds_of_a_class_that_is_nearly_certain_have_digits():
    output = np.array([[1.0, 1e-12, 2e-12]], np.float32)
    quantity = Quantity("", "output", 0, "a", "of_all", log_odds=True)
    assert quantity.values(output) == pytest.approx([-np.log(3e-12)], rel=1e-6)
    assert np.isfinite(quantity.slope(output)).all()


def test_names_of_classes_and_log_odds():
    network, _ = networks.classes()
    assert [quantity.name for quantity in quantities_of(network)] == ["P(cat)", "P(dog)"]
    assert [quantity.name for quantity in quantities_of(network, "dog", log_odds=True)] == ["log-odds of dog"]
    with pytest.raises(modnet.DataError, match='no class is called "cta"; did you mean "cat"'):
        quantities_of(network, "cta")


def test_numbers_have_no_classes():
    network, _, _ = networks.numbers(20)
    assert [(quantity.name, quantity.form) for quantity in quantities_of(network)] == [("output", "number")]
    with pytest.raises(modnet.DataError, match="log-odds are of classes, and the model predicts numbers: output"):
        quantities_of(network, log_odds=True)
    with pytest.raises(modnet.DataError, match='there is no class "a", and the model predicts numbers'):
        quantities_of(network, "a")


def test_one_probability_is_that_of_the_second_of_two_classes():
    spec = {
        "network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}, "sigmoid"]},
        "training": {"loss": "binary_cross_entropy", "epochs": 1},
        "data": {"target": "kind", "inputs": ["a", "b"]},
    }
    network = modnet.train(spec, {"a": [0.0, 1.0], "b": [1.0, 0.0], "kind": ["no", "yes"]}).network
    first, second = quantities_of(network)
    assert (first.name, second.name) == ("P(no)", "P(yes)")
    output = np.array([[0.2]])
    assert first.values(output) == pytest.approx([0.8])
    assert second.values(output) == pytest.approx([0.2])


def test_an_output_of_several_axes_is_refused():
    network = modnet.build({"network": {"input": [3, 2], "layers": [{"type": "linear", "out_features": 1}, "tanh"]}})
    with pytest.raises(modnet.DataError, match="a row"):
        quantities_of(network)

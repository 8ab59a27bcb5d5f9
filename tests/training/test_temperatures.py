"""The temperature of the least log loss, and when it is fitted."""

import math

import numpy as np
import pytest

import modnet
from modnet.errors import DataError
from modnet.training.temperatures import FEWEST, fit_temperature, judgements

RNG = np.random.default_rng(1)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def drawn(rows=400, classes=3, sure=3.0):
    """Probabilities that are `sure` times as sure as they should be, and true classes."""
    z = RNG.normal(size=(rows, classes)) * 1.5
    labels = np.array([RNG.choice(classes, p=p) for p in softmax(z)])
    return softmax(sure * z), labels


def log_loss(p, labels, temperature, weights=None):
    z = np.log(p) / temperature
    z -= z.max(axis=1, keepdims=True)
    values = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]
    return np.average(values, weights=weights)


@pytest.mark.parametrize("sure", [0.2, 1.0, 3.0, 12.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_that_of_scipy(sure, weighted):
    optimize = pytest.importorskip("scipy.optimize")
    p, labels = drawn(sure=sure)
    weights = RNG.uniform(0, 2, len(p)) if weighted else None
    found = fit_temperature(judgements(p, labels, weights, False))
    best = optimize.minimize_scalar(
        lambda t: log_loss(p, labels, math.exp(t), weights), bounds=(-4, 4), method="bounded", options={"xatol": 1e-10}
    )
    assert found.value == pytest.approx(math.exp(best.x), rel=1e-6)
    assert log_loss(p, labels, found.value, weights) <= best.fun + 1e-14


def test_it_is_that_of_torch():
    torch = pytest.importorskip("torch")
    p, labels = drawn()
    z, target = torch.log(torch.tensor(p)), torch.tensor(labels)
    logarithm = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [logarithm], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(z / torch.exp(logarithm), target)
        loss.backward()
        return loss

    optimizer.step(closure)
    found = fit_temperature(judgements(p, labels, None, False))
    assert found.value == pytest.approx(math.exp(logarithm.item()), rel=1e-6)


def test_its_slope_is_zero_there():
    p, labels = drawn()
    t = fit_temperature(judgements(p, labels, None, False)).value
    assert log_loss(p, labels, t) < min(log_loss(p, labels, t * 1.001), log_loss(p, labels, t / 1.001))


def test_one_probability_is_as_good_as_two():
    p, labels = drawn(classes=2)
    two = fit_temperature(judgements(p, labels, None, False))
    one = fit_temperature(judgements(p[:, 1:], labels[:, None], None, False))
    assert one.value == pytest.approx(two.value, rel=1e-9)
    assert one.error == pytest.approx(two.error, rel=1e-9)


def test_rows_of_probabilities_are_targets_too():
    p, labels = drawn()
    one_hot = np.eye(3)[labels]
    assert fit_temperature(judgements(p, one_hot, None, False)) == fit_temperature(judgements(p, labels, None, False))


def test_the_standard_error_is_what_the_temperature_varies_by():
    fits = [fit_temperature(judgements(*drawn(300, sure=2.0), None, False)) for _ in range(150)]
    logarithms = np.log([fit.value for fit in fits])
    assert np.mean(logarithms) == pytest.approx(math.log(2), abs=0.05)
    assert np.mean([fit.error for fit in fits]) == pytest.approx(logarithms.std(), rel=0.2)


def test_too_few_rows_are_refused():
    p, labels = drawn(FEWEST - 1)
    with pytest.raises(DataError, match=f"expected at least {FEWEST} rows to fit a temperature to, found {FEWEST - 1}"):
        fit_temperature(judgements(p, labels, None, False))


def test_rows_that_are_all_right_have_no_temperature():
    p, _ = drawn(50)
    with pytest.raises(DataError, match="all of these 50 rows are predicted correctly"):
        fit_temperature(judgements(p, p.argmax(axis=1), None, False))


def test_nor_have_rows_that_are_worse_than_chance():
    p, _ = drawn(50)
    with pytest.raises(DataError, match="no better than equal ones"):
        fit_temperature(judgements(p, p.argmin(axis=1), None, False))


# At the end of a training

X = RNG.normal(size=(300, 4))
Y = (X @ RNG.normal(size=(4, 3)) + RNG.gumbel(size=(300, 3)) * 2).argmax(axis=1)
LAYERS = [
    {"type": "linear", "out_features": 24, "activation": "tanh"},
    {"type": "linear", "out_features": 3},
    "softmax",
]
TRAINING = {"loss": "cross_entropy", "epochs": 25, "optimizer": {"type": "adam", "learning_rate": 0.02}}


def trained(layers, **how):
    network = modnet.build({"network": {"input": [4], "layers": layers}, "training": TRAINING})
    modnet.train(network, X[:150], Y[:150], **how)
    return network


VALIDATION = {"validation": (X[150:], Y[150:])}


def test_a_spec_with_a_temperature_gives_a_calibrated_model():
    plain, network = trained(LAYERS, **VALIDATION), trained([*LAYERS, "temperature"], **VALIDATION)
    np.testing.assert_array_equal(plain.parameters.flat, network.parameters.flat)
    known = network.card.results["calibration"]["output"]
    assert known["temperature"] == pytest.approx(float(network.state["temperature_1.temperature"]), rel=1e-6)
    assert known["rows"] == 150
    assert known["temperature"] > 1.2
    best = log_loss(plain.forward(X[150:]).astype(float), Y[150:], known["temperature"])
    assert network.card.metrics["validation_loss"] == pytest.approx(best, rel=1e-4)
    assert network.card.metrics["validation_loss"] < plain.card.metrics["validation_loss"]
    assert modnet.evaluate(network, X[150:], Y[150:])["loss"] == pytest.approx(best, rel=1e-4)


def test_further_training_fits_it_anew():
    network = trained([*LAYERS, "temperature"], **VALIDATION)
    before = float(network.state["temperature_1.temperature"])
    modnet.train(network, X[:150], Y[:150], epochs=20, **VALIDATION)
    after = float(network.state["temperature_1.temperature"])
    assert after != before
    with pytest.warns(
        UserWarning, match="the temperature stays 1, as if there were none: there are no validation rows"
    ):
        modnet.train(network, X[:150], Y[:150], epochs=1)
    assert network.state["temperature_1.temperature"] == 1


def test_rows_that_cannot_be_read_again_leave_it_at_one():
    once = ((X[start : start + 50], Y[start : start + 50]) for start in range(150, 300, 50))
    network = modnet.build({"network": {"input": [4], "layers": [*LAYERS, "temperature"]}, "training": TRAINING})
    with pytest.warns(UserWarning, match="there are no validation rows that can be read again"):
        modnet.train(network, X[:150], Y[:150], epochs=1, validation=(once, None))
    assert network.state["temperature_1.temperature"] == 1
    listed = [(X[start : start + 50], Y[start : start + 50]) for start in range(150, 300, 50)]
    modnet.train(network, X[:150], Y[:150], validation=(listed, None))
    assert network.card.results["calibration"]["output"]["rows"] == 150


def test_a_network_without_a_temperature_says_nothing():
    assert "calibration" not in trained(LAYERS, **VALIDATION).card.results

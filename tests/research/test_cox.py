"""Cox's partial likelihood (Cox 1972, J. R. Stat. Soc. B 34): a loss whose samples are compared with those at risk."""

import math

import numpy as np
import pytest

import modnet
from modnet import Loss
from modnet.losses.targets import bad_sample
from modnet.testing import check_component


class Cox(Loss, type="cox"):
    """-(h_i - log(sum of exp(h_j) over all j with t_j >= t_i)), the mean over the samples i whose event was seen.

    h is the logarithm of the hazard, (1,); the target (2,) is the time and 1, or 0 where the observation ended before
    the event. Samples with one time are all at risk at that time (Breslow 1974, Biometrics 30). Weights count a sample
    as often in its own term and among those at risk, divided by their mean.
    """

    couples = True

    def target_shapes(self, prediction_shape):
        return ((2,),)

    def check_targets(self, prediction_shape, target):
        seen = target[:, 1]
        wrong = (seen != 0) & (seen != 1)
        if wrong.any():
            raise bad_sample("expected 1 for an event that was seen and 0 for none", seen, wrong)

    def batch(self, context, prediction, target, weights):
        self.check_targets(prediction.shape[1:], target)
        hazard, time, seen = prediction[:, 0], target[:, 0], target[:, 1] == 1
        weights = np.ones(len(hazard)) if weights is None else weights / weights.mean()
        shares = (weights * seen).astype(prediction.dtype)
        if not shares.any():
            return 0.0, np.zeros_like(prediction)
        shares /= shares.sum()
        at_risk = (time >= time[:, None]) & (weights > 0)  # row i: who is at risk at the time of i
        at_risk[~at_risk.any(axis=1)] = True  # of a row without weight, which does not count
        highest = np.where(at_risk, hazard, -np.inf).max(axis=1)
        risks = np.where(at_risk, hazard - highest[:, None], -np.inf)
        risks = np.exp(risks) * weights.astype(prediction.dtype)
        totals = np.maximum(risks.sum(axis=1), np.finfo(prediction.dtype).tiny)
        value = shares @ (np.log(totals) + highest - hazard)
        gradient = shares @ (risks / totals[:, None]) - shares
        return value, gradient[:, None]


def by_hand(hazard, time, seen):
    """The formula as it stands."""
    total = 0.0
    for i in np.flatnonzero(seen):
        total -= hazard[i] - math.log(sum(math.exp(hazard[j]) for j in range(len(hazard)) if time[j] >= time[i]))
    return total / seen.sum()


def patients(rows=120, seed=0):
    """Times that are shorter the greater the first feature is; a third of them censored; whole days, so with ties."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 3))
    time = np.ceil(20 * rng.exponential(np.exp(-1.5 * x[:, 0])))
    return x, np.stack((time, rng.random(rows) < 0.67), axis=1)


def spec(batch_size=40):
    return {
        "network": {"input": [3], "dtype": "float64", "layers": [{"type": "linear", "out_features": 1}]},
        "training": {
            "loss": Cox(),
            "optimizer": {"type": "adam", "learning_rate": 0.05},
            "epochs": 30,
            "batch_size": batch_size,
        },
    }


def test_it_keeps_the_contract():
    report = check_component(Cox(), (1,), (2,))
    assert "batch gradients" in {row.rule for row in report.passed}


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_formula(seed):
    rng = np.random.default_rng(seed)
    hazard = 2 * rng.standard_normal(30)
    target = np.stack((rng.integers(1, 8, 30), rng.random(30) < 0.6), axis=1).astype(float)
    value, gradient = Cox().batch(modnet.Context(np.float64), hazard[:, None], target, None)
    np.testing.assert_allclose(value, by_hand(hazard, *target.T), rtol=1e-12)
    assert abs(gradient.sum()) < 1e-12  # the likelihood does not feel a shift of all hazards


def test_a_weight_of_two_is_a_sample_that_is_there_twice():
    x, y = patients(20)
    hazard, weights = x[:, :1].copy(), np.tile([1.0, 2.0], 10)
    value, _ = Cox().batch(modnet.Context(np.float64), hazard, y, weights)
    times = weights.astype(int)
    expected = by_hand(np.repeat(hazard[:, 0], times), *np.repeat(y, times, axis=0).T)
    # The risk is measured in samples of mean weight, which shifts the logarithm.
    np.testing.assert_allclose(value, expected - math.log(weights.mean()), rtol=1e-12)


def test_a_batch_in_which_nothing_happened_has_no_loss():
    value, gradient = Cox().batch(modnet.Context(np.float64), np.ones((4, 1)), np.zeros((4, 2)), None)
    assert value == 0
    assert not gradient.any()


def test_it_finds_the_hazard():
    x, y = patients()
    network = modnet.build(spec())
    history = modnet.train(network, x, y, validation=patients(50, seed=1))
    assert history["validation_loss"][-1] < 0.95 * history["validation_loss"][0]
    first, second, third = network.parameters["linear_1.weight"].reshape(-1)
    assert first > 0.8
    assert max(abs(second), abs(third)) < 0.5
    hazard = network.forward(x)[:, 0]
    whole = by_hand(hazard, *y.T)
    np.testing.assert_allclose(modnet.evaluate(network, x, y, batch_size=120)["loss"], whole, rtol=1e-10)
    parts = [by_hand(hazard[start : start + 40], *y[start : start + 40].T) for start in (0, 40, 80)]
    np.testing.assert_allclose(modnet.evaluate(network, x, y)["loss"], np.mean(parts), rtol=1e-10)


def test_a_target_that_is_no_event_is_named_with_its_row():
    x, y = patients()
    y[77, 1] = 2
    with pytest.raises(modnet.DataError, match=r"expected 1 for an event that was seen .* row 77"):
        modnet.train(modnet.build(spec()), x, y)

"""Ensembles whose members are validated with folds of their own, and learn from the other rows."""

import numpy as np
import pytest

import modnet
from modnet.datasets.folds import member_folds
from modnet.kinds.loss import Loss
from tests.training.test_members import CASES, CLASSES, LABELS, NUMBERS, STOPPING, X, Y, alone, built, check_equal

FOLDS = "member_folds"
EXACT = {name: case for name, case in CASES.items() if name not in ("accumulated", "prepared behind others")}
"""Several batches of a step are weighed by the rows of all members together. What learns from the rows before training
learns from all of them, while a single network does not look at rows of weight 0."""


def plain(layers):
    return [layer for layer in layers if layer not in ("standardize", "unstandardize")]


def trained_apart(network, y, how, weights=None):
    """Each member as a network of its own, with the weight 0 for the rows of its fold."""
    members = network.graph.members
    folds = member_folds(len(X), members, 0, None if y.ndim > 1 else y)
    singles = [alone(network, member) for member in range(members)]
    for member, single in enumerate(singles):
        own = (folds != member) * (1.0 if weights is None else weights)
        modnet.train(single, X, y, sample_weights=own, **how)
    return singles, folds


@pytest.mark.parametrize("weights", [None, np.random.default_rng(1).uniform(0.5, 2, 60)], ids=["", "weighted"])
@pytest.mark.parametrize("case", EXACT)
def test_a_member_learns_from_the_rows_of_the_other_folds(case, weights):
    layers, y, how = EXACT[case]
    network = built(plain(layers), 3)
    how = {"epochs": 3, "batch_size": 16, "seed": 5, **how}
    singles, _ = trained_apart(network, y, how, weights)
    modnet.train(network, X, y, validation=FOLDS, sample_weights=weights, **how)
    check_equal(network, singles)


def test_members_of_members_have_the_fold_of_the_outer_one():
    inside = [
        {"type": "per_member", "members": 2, "shared": True, "layer": {"type": "linear", "out_features": 2}},
        "softmax",
        "ensemble_mean",
    ]
    network = built(inside, 3)
    how = {"loss": "cross_entropy", "epochs": 2, "batch_size": 16}
    singles, _ = trained_apart(network, LABELS, how)
    modnet.train(network, X, LABELS, validation=FOLDS, **how)
    check_equal(network, singles)


@pytest.mark.parametrize("steps", [False, True])
def test_the_steps_of_a_sequence_are_in_its_fold(steps):
    rng = np.random.default_rng(2)
    ids = rng.integers(1, 7, (60, 5))
    for row, length in enumerate(rng.integers(1, 6, 60)):
        ids[row, length:] = 0
    layers = [
        {"type": "embedding", "vocabulary_size": 7, "embedding_size": 5, "padding": 0},
        {"type": "linear", "out_features": 1},
    ]
    network = built(layers, 3, shape=(5,))
    y, folds = rng.standard_normal((60, 5, 1)), member_folds(60, 3, 0)
    given = rng.uniform(0.5, 2, (60, 5)) if steps else np.ones(60)
    how = {"loss": "mse", "epochs": 2, "batch_size": 16}
    singles = [alone(network, member) for member in range(3)]
    for member, single in enumerate(singles):
        own = (folds != member).reshape(-1, *[1] * (given.ndim - 1)) * given
        modnet.train(single, ids, y, sample_weights=own, **how)
    modnet.train(network, ids, y, validation=FOLDS, sample_weights=given if steps else None, **how)
    check_equal(network, singles, ids)


class ResidualVariance(Loss, type="residual_variance"):
    """The weighted variance of the residuals of a batch."""

    couples = True

    def batch(self, context, prediction, target, weights):
        shares = np.ones(len(prediction)) if weights is None else weights
        shares = (shares / shares.sum())[:, None]
        residuals = prediction - target
        centred = residuals - (shares * residuals).sum()
        return float((shares * centred**2).sum()), 2 * shares * centred


def test_a_loss_that_couples_samples_does_not_see_the_fold():
    network = built([{"type": "linear", "out_features": 1}], 3)
    # Not adam: it would blow up the rounding of the gradient of the bias, which is 0.
    how = {"loss": ResidualVariance(), "epochs": 2, "batch_size": 16, "optimizer": "sgd"}
    singles, _ = trained_apart(network, Y, how)
    modnet.train(network, X, Y, validation=FOLDS, **how)
    check_equal(network, singles)


def test_the_validation_figures_are_out_of_fold():
    network = built(plain(CLASSES), 3)
    how = {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 2, "batch_size": 16}
    singles, folds = trained_apart(network, LABELS, how)
    history = modnet.train(network, X, LABELS, validation=FOLDS, **how)
    probabilities = np.empty((60, 2))
    for member, single in enumerate(singles):
        probabilities[folds == member] = single.forward(X[folds == member])
    expected = -np.log(probabilities[np.arange(60), LABELS]).mean()
    np.testing.assert_allclose(history["validation_loss"][-1], expected, rtol=1e-9)
    assert history["validation_accuracy"][-1] == np.mean(probabilities.argmax(1) == LABELS)


def test_each_member_stops_by_its_own_rows():
    network = built(plain(CLASSES), 3)
    how = {"loss": "cross_entropy", "epochs": 40, "optimizer": {"type": "adam", "learning_rate": 0.1}}
    folds = member_folds(len(X), 3, 0, LABELS)
    singles = [alone(network, member) for member in range(3)]
    for member, single in enumerate(singles):
        held = folds == member
        how["validation"] = (X[held], LABELS[held])
        modnet.train(single, X, LABELS, sample_weights=~held * 1.0, callbacks=[STOPPING], **how)
    how["validation"] = FOLDS
    history = modnet.train(network, X, LABELS, callbacks=[STOPPING], **how)
    assert len(set(history.best_epochs)) > 1
    check_equal(network, singles)
    found = [single.forward(X[folds == member]) for member, single in enumerate(singles)]
    rows = np.concatenate([np.flatnonzero(folds == member) for member in range(3)])
    expected = -np.log(np.concatenate(found)[np.arange(60), LABELS[rows]]).mean()
    np.testing.assert_allclose(network.card.metrics["validation_loss"], expected, rtol=1e-9)


def test_a_run_goes_on_bit_for_bit(tmp_path):
    layers = [*CLASSES[:2], {"type": "dropout", "rate": 0.2}, "batch_norm", *CLASSES[-1:]]
    how = {"loss": "cross_entropy", "validation": FOLDS, "batch_size": 16}
    how["optimizer"] = {"type": "adam", "learning_rate": 0.1}
    whole, halves = built(layers, 3), [built(layers, 3), built(layers, 3)]
    expected = modnet.train(whole, X, LABELS, epochs=9, callbacks=[STOPPING], **how)
    callbacks = [STOPPING, {"type": "checkpoint", "directory": str(tmp_path)}]
    modnet.train(halves[0], X, LABELS, epochs=4, callbacks=callbacks, **how)
    found = modnet.train(halves[1], X, LABELS, epochs=9, callbacks=callbacks, resume=tmp_path, **how)
    assert found == expected
    np.testing.assert_array_equal(halves[1].parameters.flat, whole.parameters.flat)


def test_what_does_not_go_with_folds_of_members():
    how = {"loss": "cross_entropy", "epochs": 1, "validation": FOLDS}
    with pytest.raises(modnet.DataError, match=r"member_folds is for an ensemble, .* set members in \[network\]"):
        modnet.train(built(CLASSES), X, LABELS, **how)
    with pytest.raises(modnet.DataError, match="found 60 rows; expected at least 70, one for each fold"):
        modnet.train(built(CLASSES, 70), X, LABELS, **how)
    with pytest.raises(modnet.DataError, match="member_folds needs arrays or rows of a table"):
        modnet.train(built(CLASSES, 3), [(X, LABELS)], **how)
    with pytest.raises(modnet.TrainingError, match="mixup would mix rows that a member is validated with"):
        modnet.train(built(CLASSES, 3), X, LABELS, callbacks=["mixup"], **how)
    calibrated = built([*CLASSES, "temperature"], 3)
    with pytest.warns(UserWarning, match="temperature stays 1, .* there is no row from which no member has learnt"):
        modnet.train(calibrated, X, LABELS, **how)
    rows = modnet.train(built(NUMBERS, 3), X, Y, loss="mse", epochs=1, validation=FOLDS)
    assert rows["validation_loss"]


def test_data_in_folds_are_for_as_many_members():
    spec = {
        "network": {"input": [4], "layers": NUMBERS, "members": 3},
        "training": {"loss": "mse", "epochs": 1},
        "data": {"target": "y", "member_folds": True},
    }
    rows = {**{f"x{place}": X[:, place] for place in range(4)}, "y": Y[:, 0]}
    history = modnet.train(spec, rows)
    assert history.notes[0].startswith("60 rows: 60 in 3 folds, each to validate one member and to train the others")
    groups = {**rows, "person": np.arange(60) // 3}
    spec["data"]["split"] = {"by": "group", "column": "person"}
    history = modnet.train(spec, groups)
    assert "(by group person: 20 groups)" in history.notes[0]

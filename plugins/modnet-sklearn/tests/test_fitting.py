"""Fitting: the arguments of MLPClassifier, and what it lacks."""

import numpy as np
import pytest
from modnet_sklearn import ModnetClassifier, ModnetRegressor
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

import modnet

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
SPEC = {
    "network": {
        "layers": [
            "standardize",
            {"type": "linear", "out_features": 16, "activation": "gelu"},
            {"type": "linear", "out_features": 3},
            "softmax",
        ]
    },
    "training": {"loss": "cross_entropy", "epochs": 30, "optimizer": {"type": "adam", "learning_rate": 0.01}},
}


def test_all_arguments_of_scikit_learn_are_known():
    for theirs, ours in ((MLPClassifier, ModnetClassifier), (MLPRegressor, ModnetRegressor)):
        given = theirs().get_params()
        own = ours().get_params()
        assert given.keys() - own.keys() == set()
        assert {name: own[name] for name in given if name != "loss"} == {n: v for n, v in given.items() if n != "loss"}


def weights_of(theirs, ours):
    """Gives a fitted network of modnet the weights of one of scikit-learn."""
    names = [name for name in ours.network_.parameters if name.endswith((".weight", ".bias"))]
    for kind, arrays in (("weight", theirs.coefs_), ("bias", theirs.intercepts_)):
        for name, array in zip([n for n in names if n.endswith(kind)], arrays, strict=True):
            ours.network_.parameters[name] = array


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_step_is_that_of_scikit_learn(solver):
    """One epoch of all rows from the same weights gives the same weights, with the same penalty."""
    scaled = StandardScaler().fit_transform(X)
    options = {"solver": solver, "alpha": 5.0, "learning_rate_init": 0.01, "random_state": 0, "max_iter": 1}
    theirs = MLPClassifier(**options, warm_start=True).fit(scaled, Y)
    ours = ModnetClassifier(**options, warm_start=True, standardize=False).fit(scaled, Y)
    weights_of(theirs, ours)
    np.testing.assert_allclose(ours.predict_proba(scaled), theirs.predict_proba(scaled), rtol=1e-12)
    theirs.fit(scaled, Y)
    ours.fit(scaled, Y)
    # scikit-learn's Adam adds epsilon before it corrects the bias.
    tolerance = {"adam": 1e-4, "sgd": 1e-9}[solver]
    np.testing.assert_allclose(ours.predict_proba(scaled), theirs.predict_proba(scaled), rtol=tolerance)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:scipy.optimize. The .disp.:DeprecationWarning")  # of scikit-learn 1.6
def test_lbfgs_finds_the_minimum_of_scikit_learn():
    """A network without hidden layers has one minimum."""
    scaled = StandardScaler().fit_transform(X)
    options = {"solver": "lbfgs", "alpha": 1.0, "hidden_layer_sizes": (), "max_iter": 500, "tol": 1e-6}
    theirs = MLPClassifier(**options).fit(scaled, Y)
    ours = ModnetClassifier(**options).fit(X, Y)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(scaled), atol=1e-3)
    with pytest.warns(ConvergenceWarning, match="lbfgs has not converged after 2 iterations"):
        ModnetClassifier(solver="lbfgs", max_iter=2).fit(X, Y)


@pytest.mark.parametrize("rate", ["adaptive", "invscaling"])
def test_the_rates_of_sgd_are_those_of_scikit_learn(rate):
    """From the same weights, with all rows in a batch, losses stay the same over many epochs.

    Without momentum: in scikit-learn the rate is part of the velocity, here it applies at once.
    """
    scaled = StandardScaler().fit_transform(X)
    options = {"solver": "sgd", "learning_rate": rate, "learning_rate_init": 0.5, "warm_start": True, "momentum": 0.0}
    theirs = MLPClassifier(**options, max_iter=1).fit(scaled, Y)
    ours = ModnetClassifier(**options, max_iter=1, standardize=False).fit(scaled, Y)
    weights_of(theirs, ours)
    theirs.t_ = 0
    for estimator in (theirs, ours):
        estimator.set_params(max_iter=60, tol=0.02).fit(scaled, Y)
    np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=1e-6)
    assert ours.n_iter_ == theirs.n_iter_


def test_it_stops_where_the_loss_does_not_improve():
    fitted = ModnetClassifier(tol=0.05, learning_rate_init=0.01, random_state=0).fit(X, Y)
    assert fitted.n_iter_ < 100
    assert len(fitted.loss_curve_) == fitted.n_iter_
    with pytest.warns(ConvergenceWarning, match="max_iter = 3 epochs are over"):
        ModnetClassifier(max_iter=3).fit(X, Y)


def test_early_stopping_keeps_the_best_epoch():
    fitted = ModnetClassifier(early_stopping=True, random_state=0, learning_rate_init=0.01).fit(X, Y)
    assert fitted.best_validation_score_ == max(fitted.validation_scores_) > 0.8
    assert len(fitted.validation_scores_) == fitted.n_iter_ < 200
    with pytest.raises(ValueError, match="increase validation_fraction"):
        ModnetRegressor(early_stopping=True, validation_fraction=0.01).fit(X[::10], Y[::10])


def test_partial_fit_goes_on():
    parts = ModnetClassifier(random_state=0, learning_rate_init=0.01)
    for epoch in range(30):
        parts.partial_fit(X, Y, classes=[0, 1, 2])
        assert parts.n_iter_ == len(parts.loss_curve_) == epoch + 1
    assert parts.loss_curve_[-1] < 0.4 * parts.loss_curve_[0]
    assert parts.t_ == 30 * len(X)
    # Adam's averages live on: as good as one run of thirty epochs.
    whole = ModnetClassifier(random_state=0, learning_rate_init=0.01, max_iter=30).fit(X, Y)
    assert parts.loss_ == pytest.approx(whole.loss_, rel=0.05)


def test_partial_fit_refuses_new_classes():
    fitted = ModnetClassifier().partial_fit(X[:100], Y[:100])
    with pytest.raises(ValueError, match=r"y has classes that the first call did not have: \[2\].*classes=..."):
        fitted.partial_fit(X, Y)
    declared = ModnetClassifier().partial_fit(X[:100], Y[:100], classes=[0, 1, 2]).partial_fit(X, Y)
    assert declared.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match="early_stopping=True"):
        ModnetClassifier(early_stopping=True).partial_fit(X, Y)
    with pytest.raises(ValueError, match='found "lbfgs"'):
        ModnetClassifier(solver="lbfgs").partial_fit(X, Y)


def test_the_attributes_of_scikit_learn(capsys):
    fitted = ModnetClassifier(hidden_layer_sizes=(7, 5), max_iter=3, verbose=True).fit(X, Y)
    theirs = MLPClassifier(hidden_layer_sizes=(7, 5), max_iter=3).fit(X, Y)
    for name in ("n_layers_", "n_outputs_", "n_iter_", "t_", "n_features_in_"):
        assert getattr(fitted, name) == getattr(theirs, name), name
    for name in ("coefs_", "intercepts_"):
        assert [a.shape for a in getattr(fitted, name)] == [a.shape for a in getattr(theirs, name)]
    assert fitted.best_loss_ == min(fitted.loss_curve_) == fitted.loss_
    assert capsys.readouterr().out.count("\n") >= 3
    assert not hasattr(ModnetClassifier(), "coefs_")


def test_warm_start_goes_on_with_the_weights():
    fitted = ModnetClassifier(max_iter=20, warm_start=True, random_state=0).fit(X, Y)
    first, network = fitted.loss_, fitted.network_
    fitted.fit(X, Y)
    assert fitted.loss_ < first
    assert fitted.network_ is network
    assert len(fitted.loss_curve_) == 40
    assert ModnetClassifier(max_iter=20, random_state=0).fit(X, Y).fit(X, Y).loss_ == pytest.approx(first)


def test_weights_are_repeated_rows():
    weights = np.arange(len(X)) % 3
    options = {"random_state": 0, "max_iter": 50, "class_weight": {0: 2.0, 2: 0.5}, "alpha": 0.1}
    weighted = ModnetClassifier(**options).fit(X[::4], Y[::4], weights[::4])
    repeated = ModnetClassifier(**options).fit(X[::4].repeat(weights[::4], axis=0), Y[::4].repeat(weights[::4]))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)
    assert not np.allclose(
        weighted.predict_proba(X), ModnetClassifier(random_state=0, max_iter=50).fit(X, Y).predict_proba(X)
    )


def test_balanced_classes_find_the_rare_one():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(0, 1, (180, 2)), rng.normal(1.5, 1, (20, 2))])
    rare = np.arange(200) >= 180
    plain, balanced = (
        ModnetClassifier(class_weight=weight, random_state=0).fit(rows, rare).predict(rows)[rare].mean()
        for weight in (None, "balanced")
    )
    assert balanced > plain + 0.1


def test_losses_and_dropout():
    rows, numbers = load_diabetes(return_X_y=True)
    median = ModnetRegressor(loss="absolute_error", random_state=0, max_iter=30).fit(rows, numbers)
    assert abs((median.predict(rows) > numbers).mean() - 0.5) < 0.1
    high = ModnetRegressor(loss={"type": "quantile", "quantiles": [0.9]}, random_state=0, max_iter=30)
    assert 0.8 < (high.fit(rows, numbers).predict(rows) > numbers).mean() < 0.97
    dropped = ModnetRegressor(hidden_layer_sizes=(30, 30), dropout=0.3, random_state=0, max_iter=10).fit(rows, numbers)
    assert [node.layer.type for node in dropped.network_.graph.nodes].count("dropout") == 2
    focal = ModnetClassifier(loss={"type": "focal", "gamma": 1.0}, random_state=0, max_iter=60).fit(X, Y)
    assert focal.score(X, Y) > 0.8


def test_counts():
    rng = np.random.default_rng(0)
    rows = rng.uniform(0, 1, (300, 2))
    counts = rng.poisson(200 * rows[:, 0])
    fitted = ModnetRegressor(loss="poisson", random_state=0, learning_rate_init=0.01).fit(rows, counts)
    assert fitted.score(rows, counts) > 0.9
    assert fitted.predict(rows).min() >= 0
    with pytest.raises(ValueError, match="counts >= 0"):
        ModnetRegressor(loss="poisson").fit(rows, counts - 300.0)


def test_several_targets_and_labels():
    rows, numbers = load_diabetes(return_X_y=True)
    both = np.stack([numbers, -100 * numbers], axis=1)
    fitted = ModnetRegressor(random_state=0, max_iter=60).fit(rows, both)
    np.testing.assert_allclose(fitted.predict(rows)[:, 1] / -100, fitted.predict(rows)[:, 0], rtol=0.3)
    labels = np.stack([Y == 0, Y > 0, Y == 2], axis=1).astype(int)
    several = ModnetClassifier(random_state=0, learning_rate_init=0.01).fit(X, labels)
    assert several.predict(X).shape == labels.shape
    assert several.score(X, labels) > 0.9
    with pytest.raises(ValueError, match="expected 3 labels"):
        several.partial_fit(X, labels[:, :2])


def test_any_optimizer_schedule_and_callback():
    seen = []

    class Watch(modnet.Callback):
        def modnet_epoch_ended(self, run):
            seen.append(run.learning_rate)

    fitted = ModnetClassifier(
        solver={"type": "adamw", "learning_rate": 0.01}, learning_rate="cosine", callbacks=[Watch()], max_iter=8
    ).fit(X, Y)
    assert len(seen) == fitted.n_iter_ == 8
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < 0.002
    assert ModnetClassifier(solver="lion", max_iter=2).fit(X, Y).n_iter_ == 2


def test_a_spec_says_what_the_network_is(tmp_path):
    fitted = ModnetClassifier(spec=SPEC, random_state=0).fit(X, Y)
    assert fitted.score(X, Y) > 0.9
    assert fitted.n_iter_ == 30
    assert fitted.network_.inputs == {"input": (4,)}
    path = tmp_path / "net.toml"
    path.write_text(
        '[network]\ninput = [4]\nlayers = ["standardize", { type = "linear", out_features = 1 }, "sigmoid"]\n'
        '[training]\nloss = "binary_cross_entropy"\nepochs = 40\noptimizer = { type = "adam", learning_rate = 0.05 }\n'
    )
    two = ModnetClassifier(spec=str(path), random_state=0, class_weight="balanced").fit(X, Y == 0)
    assert two.predict_proba(X).shape == (150, 2)
    assert two.score(X, Y == 0) == 1
    with pytest.raises(
        ValueError, match=r"alpha = 1\.0 is given beside a spec, .* there may be callbacks, random_state"
    ):
        ModnetClassifier(spec=SPEC, alpha=1.0).fit(X, Y)
    with pytest.raises(modnet.ShapeError, match=r"\(batch, 4\)"):
        ModnetClassifier(spec=str(path)).fit(X[:, :3], Y == 0)
    with pytest.raises(modnet.SpecError, match="linaer"):
        ModnetClassifier(spec={"network": {"layers": ["linaer"]}}).fit(X, Y)


def test_a_spec_says_which_rows_validate():
    early = {"type": "early_stopping", "monitor": "validation_loss", "patience": 2}
    training = {**SPEC["training"], "callbacks": [early], "metrics": ["accuracy"]}
    fitted = ModnetClassifier(spec={**SPEC, "training": training, "data": {"validation": 0.2}}, random_state=0).fit(
        X, Y
    )
    assert "validation_accuracy" in fitted.network_.card.history


def test_a_spec_of_a_wrong_width_is_refused():
    rows, classes = load_wine(return_X_y=True)
    narrow = {"network": {"layers": [{"type": "linear", "out_features": 2}, "softmax"]}}
    with pytest.raises(ValueError, match="2"):
        ModnetClassifier(spec=narrow).fit(rows, classes)
    two = {"network": {"input": {"a": [4], "b": [1]}, "layers": [{"type": "concatenate", "inputs": ["a", "b"]}]}}
    with pytest.raises(ValueError, match="a network with one input"):
        ModnetClassifier(spec=two).fit(X, Y)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hidden_layer_sizes": (10, 0)}, "hidden_layer_sizes: expected whole numbers > 0; found 0"),
        ({"hidden_layer_sizes": 2.5}, "hidden_layer_sizes"),
        ({"alpha": -1}, "alpha: expected a number >= 0; found -1"),
        ({"max_iter": 0}, "max_iter: expected a whole number >= 1; found 0"),
        ({"max_iter": 1.5}, "max_iter: expected a whole number"),
        ({"batch_size": "all"}, 'batch_size: expected "auto" or a whole number >= 1; found "all"'),
        ({"momentum": 1.0}, "momentum: expected a number >= 0 and below 1"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"activation": "reul"}, "relu"),
        ({"solver": "adm"}, "adam"),
        ({"learning_rate": "cosin"}, "cosine"),
        ({"loss": "cross_entrop"}, "cross_entropy"),
        ({"dropout": 1.0}, "dropout"),
        ({"callbacks": "progress"}, 'callbacks: expected a list of callbacks; found "progress"'),
    ],
)
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises((ValueError, modnet.PluginError), match=message.replace("(", r"\(")):
        ModnetClassifier(**wrong).fit(X, Y)


def test_more_than_classes_are_refused():
    with pytest.raises(ValueError, match="one class"):
        ModnetClassifier().fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="found several classes"):
        ModnetClassifier().fit(X, np.stack([Y, Y], axis=1))

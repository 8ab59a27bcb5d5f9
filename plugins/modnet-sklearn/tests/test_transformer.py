"""The autoencoder."""

import numpy as np
import pytest
from modnet_sklearn import ModnetTransformer
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = load_iris().data


def lost(transformer, rows):
    """The mean squared error of rows that went through the code."""
    return np.mean((transformer.inverse_transform(transformer.transform(rows)) - rows) ** 2)


def test_linear_layers_are_as_good_as_principal_components():
    options = {"hidden_layer_sizes": (), "standardize": False, "solver": "lbfgs", "alpha": 0.0, "max_iter": 250}
    linear = ModnetTransformer(**options, random_state=0, tol=1e-8).fit(X)
    assert lost(linear, X) == pytest.approx(lost(PCA(2).fit(X), X), rel=0.01)


def test_hidden_layers_are_better():
    rows = load_digits().data[:200]
    fitted = ModnetTransformer(
        n_components=3, hidden_layer_sizes=(60,), max_iter=150, random_state=0, learning_rate_init=0.003
    )
    assert lost(fitted.fit(rows), rows) < 0.9 * lost(PCA(3).fit(rows), rows)


def test_a_spec_names_the_code():
    layers = [
        "standardize",
        {"type": "linear", "out_features": 1, "name": "code"},
        {"type": "linear", "out_features": 4, "inputs": ["code"]},
        "unstandardize",
    ]
    fitted = ModnetTransformer(spec={"network": {"layers": layers}}, random_state=0).fit(X)
    assert fitted.transform(X).shape == (150, 1)
    with pytest.raises(ValueError, match="the code alone does not determine the row"):
        fitted.inverse_transform(fitted.transform(X))
    del layers[2]["inputs"]
    fitted = ModnetTransformer(spec={"network": {"layers": layers}}, random_state=0).fit(X)
    assert fitted.inverse_transform(fitted.transform(X)).shape == X.shape
    with pytest.raises(ValueError, match='no node called "code"'):
        ModnetTransformer(spec={"network": {"layers": layers[2:]}}).fit(X)
    with pytest.raises(ValueError, match="n_components: expected a whole number >= 1"):
        ModnetTransformer(n_components=0).fit(X)

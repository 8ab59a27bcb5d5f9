"""What skl2onnx writes: the numbers of scikit-learn's models."""

import warnings

import numpy as np
import pytest
from modnet_onnx.importing.reading import imported

skl2onnx = pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")

from comparing import expected  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)

MODELS = {
    "mlp_classifier": MLPClassifier(hidden_layer_sizes=(8, 6), max_iter=40, random_state=0),
    "mlp_regressor": MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", max_iter=40, random_state=0),
    "logistic": LogisticRegression(max_iter=400),
    "pipeline": make_pipeline(StandardScaler(), LinearRegression()),
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
}


@pytest.mark.parametrize("zipped", [False, True], ids=["array", "dict"])
@pytest.mark.parametrize("name", MODELS)
def test_outputs(name, zipped):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few iterations do not converge; skl2onnx speaks of its own imports
        fitted = MODELS[name].fit(X, Y)
        options = {} if zipped or name in ("mlp_regressor", "pipeline") else {id(fitted): {"zipmap": False}}
        model = skl2onnx.to_onnx(fitted, X[:1], options=options)
    result = imported(model)
    found = result.network.forward(X)
    values = list(found.values()) if isinstance(found, dict) else [found]
    for ours, theirs in zip(values, expected(model, X), strict=True):
        if isinstance(theirs, list):  # for each row a dict from class to probability
            theirs = np.array([list(row.values()) for row in theirs])
        assert np.allclose(ours, theirs, atol=1e-4)


def test_a_regressor_is_made_of_layers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = skl2onnx.to_onnx(MODELS["mlp_regressor"].fit(X, Y), X[:1])
    assert imported(model).delegated == []

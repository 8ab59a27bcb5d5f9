"""The estimators among scikit-learn's own tools."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from modnet_sklearn import ModnetClassifier, ModnetRegressor, ModnetTransformer
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
pandas = pytest.importorskip("pandas")

X, Y = load_iris(return_X_y=True)
FAST = {"max_iter": 15, "random_state": 0, "learning_rate_init": 0.02}


def test_cross_validation_and_search():
    assert cross_val_score(ModnetClassifier(**FAST), X, Y, cv=3).mean() > 0.9
    pipeline = make_pipeline(StandardScaler(), ModnetClassifier(**FAST))
    layers = ["standardize", {"type": "linear", "out_features": 3}, "softmax"]
    training = {"loss": "cross_entropy", "optimizer": {"type": "adam", "learning_rate": 0.02}}
    specs = [{"network": {"layers": layers}, "training": {**training, "epochs": epochs}} for epochs in (1, 20)]
    grid = {"modnetclassifier__hidden_layer_sizes": [(2,), (30,)], "modnetclassifier__dropout": [0.0, 0.8]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert search.best_params_ == {"modnetclassifier__hidden_layer_sizes": (30,), "modnetclassifier__dropout": 0.0}
    of_specs = GridSearchCV(ModnetClassifier(random_state=0), {"spec": specs}, cv=2).fit(X, Y)
    assert of_specs.best_params_["spec"]["training"]["epochs"] == 20


def test_columns_by_kind_and_names_of_features():
    frame = pandas.DataFrame({"width": X[:, 0], "kind": np.where(Y == 2, "a", "b")})
    by_kind = make_column_transformer((StandardScaler(), ["width"]), (OneHotEncoder(), ["kind"]))
    fitted = make_pipeline(by_kind, ModnetClassifier(**FAST)).fit(frame, Y == 2)
    assert fitted.score(frame, Y == 2) == 1
    named = ModnetTransformer(**FAST).set_output(transform="pandas").fit(frame[["width"]])
    assert list(named.feature_names_in_) == ["width"]
    codes = named.transform(frame[["width"]])
    assert list(codes.columns) == ["modnettransformer0", "modnettransformer1"]
    with pytest.raises(ValueError, match="feature names"):
        named.transform(frame[["width"]].rename(columns={"width": "length"}))


def test_weights_are_routed():
    weights = np.where(Y == 1, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = ModnetClassifier(**FAST).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), estimator)
        pipeline.fit(X, Y, sample_weight=weights)
        scores = cross_val_score(estimator, X, Y, cv=3, params={"sample_weight": weights})
    assert (pipeline.predict(X) != 1).all()
    assert scores.mean() == 1


def test_sparse_rows_are_taken():
    rows = sparse.csr_matrix(np.where(X > 2, X, 0))
    fitted = ModnetClassifier(**FAST).fit(rows, Y)
    assert "standardize" not in [node.layer.type for node in fitted.network_.graph.nodes]
    np.testing.assert_allclose(fitted.predict_proba(rows), fitted.predict_proba(rows.toarray()), rtol=1e-6)


@pytest.mark.parametrize("estimator", [ModnetClassifier(**FAST), ModnetRegressor(**FAST), ModnetTransformer(**FAST)])
def test_a_copy_is_the_same(estimator):
    fitted = clone(estimator).fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    method = "transform" if hasattr(fitted, "transform") else "predict"
    np.testing.assert_array_equal(getattr(again, method)(X), getattr(fitted, method)(X))
    assert repr(clone(fitted)) == repr(estimator)
    assert "random_state=0" in repr(fitted)
    assert type(fitted).__name__ in fitted._repr_html_()


def test_going_on_with_a_copy():
    """A pickled estimator goes on with partial_fit where it stopped."""
    fitted = ModnetClassifier(random_state=0).partial_fit(X, Y).partial_fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.partial_fit(X, Y).predict_proba(X), fitted.partial_fit(X, Y).predict_proba(X))


def test_what_it_warns_of_is_shown_at_the_call():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ModnetClassifier(max_iter=2).fit(X, Y)
    assert caught[0].filename == __file__


class Recorder:
    """A callback of scikit-learn that ends the training after three epochs."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.seen.append(f"{context.task_name} begins with {len(X)} rows, {y[0]}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        quality = "good" if fitted_estimator.score(X, y) > 0.5 else "bad"
        self.seen.append(f"{context.task_name} {context.task_id} ends: {quality}")
        return context.task_name == "epoch" and context.task_id == 2


def test_callbacks_of_scikit_learn():
    pytest.importorskip("sklearn.callback")
    recorder = Recorder()
    names = load_iris().target_names[Y]
    fitted = ModnetClassifier(**FAST).set_callbacks(recorder).fit(X, names)
    assert fitted.n_iter_ == 3
    assert recorder.seen[:3] == ["setup", "fit begins with 150 rows, setosa", "epoch begins with 150 rows, setosa"]
    assert recorder.seen[-3:] == ["epoch 2 ends: good", "fit 0 ends: good", "teardown"]
    assert len(recorder.seen) == 10


def test_callbacks_of_scikit_learn_get_a_transformer():
    pytest.importorskip("sklearn.callback")
    widths = []

    class Transforming(Recorder):
        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
            widths.append(fitted_estimator.transform(X).shape[1])

    ModnetTransformer(n_components=3, max_iter=2).set_callbacks(Transforming()).fit(X)
    assert widths == [3, 3, 3]

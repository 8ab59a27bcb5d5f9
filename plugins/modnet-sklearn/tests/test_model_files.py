"""Estimators and pipelines as model files, which predict without scikit-learn."""

import subprocess
import sys

import numpy as np
import pytest
from modnet_sklearn import ModnetClassifier, ModnetRegressor, ModnetTransformer, network_of, to_modnet
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import modnet

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
pandas = pytest.importorskip("pandas")

X, Y = load_wine(return_X_y=True, as_frame=True)
CLASSES = [f"P({number})" for number in (0, 1, 2)]
FAST = {"max_iter": 5, "random_state": 0}

MIXED = pandas.DataFrame(
    {
        "a": np.arange(300.0) % 7,
        "kind": ["u", "v", "w"] * 100,
        "wet": pandas.Categorical(["x", "y"] * 150),
        "code": np.arange(300) % 3,
    }
)
MIXED.loc[5, "a"] = np.nan
MIXED["kind"] = MIXED["kind"].astype(object).where(np.arange(300) != 7, np.nan)
NUMBERS = MIXED["code"] + MIXED["a"].fillna(0)


def test_a_classifier_comes_back(tmp_path):
    path = tmp_path / "wine.modnet"
    fitted = ModnetClassifier(**FAST).fit(X, Y)
    fitted.to_modnet(path)
    network = modnet.load(path)
    assert network.predict(X)["target"].tolist() == [str(name) for name in fitted.predict(X)]
    again = ModnetClassifier.from_modnet(path)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.classes_.tolist() == [0, 1, 2]
    assert list(again.feature_names_in_) == list(X.columns)
    assert again.loss_curve_ == fitted.loss_curve_
    assert again.set_params(random_state=1).fit(X, Y).n_iter_ == 5  # its spec is that of the file
    with pytest.raises(ValueError, match=r"load it with ModnetClassifier\.from_modnet"):
        ModnetRegressor.from_modnet(path)


@pytest.mark.parametrize("classes", [[1.0, 2.0], [False, True], ["a", "b"], [-1, 1]])
def test_classes_come_back_as_they_were(classes, tmp_path):
    fitted = ModnetClassifier(max_iter=1).fit(X.to_numpy(), np.array(classes)[(Y > 0).astype(int)])
    fitted.to_modnet(tmp_path / "m.modnet")
    again = ModnetClassifier.from_modnet(tmp_path / "m.modnet")
    assert again.classes_.tolist() == classes
    assert again.classes_.dtype == fitted.classes_.dtype


def test_several_labels_and_targets_come_back(tmp_path):
    labels = pandas.DataFrame({"low": Y < 1, "high": Y > 1}).astype(int)
    ModnetClassifier(**FAST).fit(X, labels).to_modnet(tmp_path / "labels.modnet")
    again = ModnetClassifier.from_modnet(tmp_path / "labels.modnet")
    assert again.predict(X).shape == (178, 2)
    assert "P(low)" in modnet.load(tmp_path / "labels.modnet").predict(X).columns
    both = pandas.DataFrame({"first": Y, "second": 2.0 * Y})
    fitted = ModnetRegressor(**FAST).fit(X, both)
    fitted.to_modnet(tmp_path / "both.modnet")
    assert list(modnet.load(tmp_path / "both.modnet").predict(X).columns) == ["first", "second"]
    np.testing.assert_array_equal(ModnetRegressor.from_modnet(tmp_path / "both.modnet").predict(X), fitted.predict(X))


def test_a_transformer_comes_back(tmp_path):
    fitted = ModnetTransformer(n_components=3, **FAST).fit(X)
    fitted.to_modnet(tmp_path / "codes.modnet")
    np.testing.assert_array_equal(
        ModnetTransformer.from_modnet(tmp_path / "codes.modnet").transform(X), fitted.transform(X)
    )
    assert modnet.load(tmp_path / "codes.modnet").predict(X.iloc[:2]).shape == (2, 3)


def test_the_file_needs_no_scikit_learn(tmp_path):
    pipeline = make_pipeline(StandardScaler(), ModnetClassifier(**FAST)).fit(X, Y)
    to_modnet(pipeline, tmp_path / "m.modnet")
    (tmp_path / "rows.csv").write_text(X.iloc[:3].to_csv(index=False))
    code = (
        "import sys; sys.modules['sklearn'] = sys.modules['scipy'] = sys.modules['modnet_sklearn'] = None\n"
        "import csv, modnet\n"
        "rows = list(csv.DictReader(open('rows.csv')))\n"
        "print(*[row['target'] for row in modnet.load('m.modnet').predict(rows)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(name) for name in pipeline.predict(X.iloc[:3])]


@pytest.mark.parametrize(
    "steps",
    [
        (StandardScaler(),),
        (StandardScaler(with_mean=False),),
        (MinMaxScaler((-1, 1)),),
        (RobustScaler(),),
        (MaxAbsScaler(),),
        (PCA(4, whiten=True),),
        (StandardScaler(), PCA(3)),
        (StandardScaler(), SelectKBest(k=5)),
        (SelectKBest(k=5), StandardScaler()),
        (TruncatedSVD(3),),
        (make_union(PCA(2), StandardScaler()),),
        (VarianceThreshold(), FunctionTransformer()),
        (StandardScaler(), ColumnTransformer([("a", PCA(2), [0, 1, 2]), ("d", "drop", [3])], remainder="passthrough")),
        (ColumnTransformer([("a", StandardScaler(), ["ash", "alcohol"])], remainder="passthrough"), MinMaxScaler()),
    ],
    ids=lambda steps: "-".join(type(step).__name__ for step in steps),
)
def test_pipelines_predict_the_same(steps):
    pipeline = make_pipeline(*steps, ModnetClassifier(**FAST)).fit(X, Y)
    found = network_of(pipeline).predict(X)[CLASSES].to_numpy()
    np.testing.assert_allclose(found, pipeline.predict_proba(X), rtol=0, atol=1e-12)


def test_raw_rows_of_all_kinds(tmp_path):
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(drop="first"))
    steps = ColumnTransformer(
        [
            ("numbers", numbers, ["a"]),
            ("texts", texts, ["kind"]),
            ("ordinal", OrdinalEncoder(), ["wet"]),
            ("codes", OneHotEncoder(handle_unknown="ignore"), ["code"]),
        ]
    )
    pipeline = make_pipeline(steps, ModnetRegressor(**FAST)).fit(MIXED, NUMBERS)
    to_modnet(pipeline, tmp_path / "mixed.modnet")
    network = modnet.load(tmp_path / "mixed.modnet")
    np.testing.assert_allclose(network.predict(MIXED)["target"], pipeline.predict(MIXED), rtol=1e-5, atol=1e-5)
    again = ModnetRegressor.from_modnet(tmp_path / "mixed.modnet")
    np.testing.assert_allclose(again.predict(MIXED), pipeline.predict(MIXED), rtol=1e-5, atol=1e-5)
    row = pandas.DataFrame({"a": [np.nan], "kind": [np.nan], "wet": ["y"], "code": [9]})
    assert network.predict(row)["target"][0] == pytest.approx(pipeline.predict(row)[0], rel=1e-5)


def test_gaps_of_numbers_are_filled_in_an_estimator_from_a_file(tmp_path):
    gaps = X.mask(X.quantile(0.9) < X)
    pipeline = make_pipeline(SimpleImputer(), ModnetClassifier(**FAST)).fit(gaps, Y)
    to_modnet(pipeline, tmp_path / "m.modnet")
    again = ModnetClassifier.from_modnet(tmp_path / "m.modnet")
    np.testing.assert_allclose(again.predict_proba(gaps), pipeline.predict_proba(gaps), atol=1e-12)


def test_numbers_far_from_zero_keep_their_digits():
    """In float32 the seconds since 1970 would be 128 apart."""
    rows, numbers = load_diabetes(return_X_y=True)
    far = rows * 1e3 + 1.7e9
    pipeline = make_pipeline(StandardScaler(), ModnetRegressor(**FAST)).fit(far, numbers)
    network = network_of(pipeline)
    assert network.dtype == np.float32
    np.testing.assert_allclose(network.predict(far)[:, 0], pipeline.predict(far), rtol=1e-4)


def test_a_search_gives_its_best():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), ModnetClassifier(**FAST)), {"modnetclassifier__alpha": [1.0, 2.0]}, cv=2
    )
    search.fit(X, Y)
    np.testing.assert_allclose(network_of(search).predict(X)[CLASSES], search.predict_proba(X), atol=1e-12)


def test_a_spec_whose_layers_name_the_input():
    layers = [
        {"type": "linear", "out_features": 4, "name": "hidden", "activation": "relu"},
        {"type": "concatenate", "inputs": ["hidden", "input"]},
        {"type": "linear", "out_features": 3},
        "softmax",
    ]
    spec = {"network": {"layers": layers}, "training": {"loss": "cross_entropy", "epochs": 2}}
    pipeline = make_pipeline(StandardScaler(), ModnetClassifier(spec=spec, random_state=0)).fit(X, Y)
    found = network_of(pipeline).predict(X)[CLASSES].to_numpy()
    np.testing.assert_allclose(found, pipeline.predict_proba(X), atol=1e-6)


def test_what_cannot_be_in_a_file_is_listed(tmp_path):
    steps = (QuantileTransformer(n_quantiles=5), make_union(PCA(2), PolynomialFeatures()), MinMaxScaler(clip=True))
    pipeline = make_pipeline(*steps, ModnetClassifier(**FAST)).fit(X, Y)
    with pytest.raises(ValueError, match=r"(?s)quantiletransformer: Q.*featureunion\.polynomialf.*with clip.*PCA"):
        to_modnet(pipeline, tmp_path / "m.modnet")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="expected an estimator of modnet"):
        network_of(StandardScaler())
    two = make_union(SimpleImputer(), FunctionTransformer())
    fitted = make_pipeline(two, ModnetClassifier(**FAST)).fit(X, Y)
    with pytest.raises(ValueError, match="read in two ways"):
        network_of(fitted)
    late = make_pipeline(StandardScaler(), SimpleImputer(), ModnetClassifier(**FAST)).fit(X, Y)
    with pytest.raises(ValueError, match="expected columns as they are in the table"):
        network_of(late)

"""Data frames with columns that are no numbers."""

import numpy as np
import pytest
from modnet_sklearn import ModnetClassifier, ModnetRegressor

import modnet

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
pandas = pytest.importorskip("pandas")

ROWS = 60
COLUMNS = {
    "length": np.arange(ROWS) % 7.0,
    "kind": ["u", "v", "w"] * 20,
    "wet": [True, False] * 30,
    "day": np.datetime64("2020-01-01") + np.arange(ROWS).astype("m8[D]"),
}
BIG = np.where(COLUMNS["length"] + (np.array(COLUMNS["kind"]) == "v") > 3, "big", "small")
FAST = {"max_iter": 60, "random_state": 0, "learning_rate_init": 0.02}


def frame_of(library):
    module = pytest.importorskip(library)
    return module.table(COLUMNS) if library == "pyarrow" else module.DataFrame(COLUMNS)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_texts_categories_and_dates(library):
    frame = frame_of(library)
    fitted = ModnetClassifier(**FAST).fit(frame, BIG)
    assert fitted.score(frame, BIG) == 1
    (columns,) = fitted.network_.schema.inputs.values()
    assert [column.name for column in columns] == list(COLUMNS)
    if library == "pandas":  # of a new polars, scikit-learn 1.6 does not find the names
        assert list(fitted.feature_names_in_) == list(COLUMNS)
    assert fitted.n_features_in_ == 4
    reference = ModnetClassifier(**FAST).fit(frame_of("pandas"), BIG).predict_proba(frame_of("pandas"))
    np.testing.assert_array_equal(fitted.predict_proba(frame), reference)


def test_the_network_takes_rows():
    frame = frame_of("pandas")
    fitted = ModnetClassifier(**FAST).fit(frame, pandas.Series(BIG, name="size"))
    record = {"length": 6, "kind": "u", "wet": True, "day": "2020-01-07"}
    assert fitted.network_.predict(record)["size"] == "big"
    probabilities = fitted.network_.predict(frame)[["P(big)", "P(small)"]].to_numpy()
    np.testing.assert_allclose(probabilities, fitted.predict_proba(frame), atol=1e-6)


def test_gaps_and_unknown_categories():
    frame = frame_of("pandas")
    gaps = frame.assign(length=np.where(np.arange(ROWS) == 3, np.nan, frame["length"]))
    with pytest.raises(modnet.DataError, match="row 4, column length: missing value"):
        ModnetClassifier(**FAST).fit(gaps, BIG)
    filling = ModnetClassifier(**FAST, spec={"data": {"missing": "median"}}).fit(gaps, BIG)
    assert filling.score(gaps, BIG) > 0.95
    with pytest.raises(modnet.SpecError, match="missing"):
        ModnetClassifier(spec={"data": {"missing": "medan"}}).fit(gaps, BIG)
    new = frame.assign(kind="x")
    assert len(filling.predict(new)) == ROWS


def test_options_of_columns():
    frame = pandas.DataFrame({"price": ["1,5", "2,5", "3,5"] * 10})
    spec = {"data": {"columns": {"price": {"decimal": ","}}}}
    fitted = ModnetRegressor(**FAST, spec=spec).fit(frame, [1.5, 2.5, 3.5] * 10)
    assert fitted.network_.inputs == {"input": (1,)}
    np.testing.assert_allclose(fitted.predict(frame)[:3], [1.5, 2.5, 3.5], atol=0.3)


def test_numbers_keep_their_names():
    frame = pandas.DataFrame({"a": COLUMNS["length"], "b": COLUMNS["wet"]})
    fitted = ModnetClassifier(**FAST).fit(frame, BIG)
    assert [column.name for column in fitted.network_.schema.inputs["input"]] == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame.rename(columns={"a": "c"}))

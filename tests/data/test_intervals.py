"""The bounds of numbers, and sets of classes."""

import numpy as np
import pytest

from modnet.data.column_schema import ColumnSchema
from modnet.data.intervals import Interval, bounds, class_sets, outer_quantiles
from modnet.data.schema import DataSchema
from modnet.errors import SpecError

RNG = np.random.default_rng(0)


def of_margin(margin, coverage=0.9):
    return Interval(coverage=coverage, rows=100, margin=margin)


def of_threshold(threshold):
    return Interval(coverage=0.9, rows=100, threshold=threshold)


def test_a_number_has_the_margin_on_both_sides():
    lower, upper = bounds(of_margin(2.5), np.array([[1.0, 10.0], [2.0, 20.0]]), 1, ())
    np.testing.assert_array_equal(lower, [7.5, 17.5])
    np.testing.assert_array_equal(upper, [12.5, 22.5])


def test_rounding_makes_no_interval_smaller():
    output = (RNG.normal(size=(5000, 1)) * 10.0 ** RNG.integers(-3, 9, (5000, 1))).astype(np.float32)
    lower, upper = bounds(of_margin(0.1), output, 0, ())
    assert lower.dtype == upper.dtype == np.float32
    exact = output[:, 0].astype(np.float64)
    assert (lower.astype(np.float64) <= exact - 0.1).all()
    assert (upper.astype(np.float64) >= exact + 0.1).all()
    assert (np.nextafter(lower, np.float32(np.inf)) > exact - 0.1).all()  # and not larger than it has to be


def test_outer_quantiles_are_moved():
    quantiles = (0.05, 0.5, 0.95)
    output = np.array([[1.0, 2.0, 5.0], [0.0, 1.0, 2.0]])
    for margin in (0.5, -0.5):
        lower, upper = bounds(of_margin(margin), output, 0, quantiles)
        np.testing.assert_array_equal(lower, [1 - margin, -margin])
        np.testing.assert_array_equal(upper, [5 + margin, 2 + margin])


def test_quantiles_that_cross_have_the_interval_between_them():
    lower, upper = bounds(of_margin(-1.0), np.array([[1.0, 2.0]]), 0, (0.1, 0.9))
    assert (lower, upper) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("coverage", "places"), [(0.9, (1, 3)), (0.95, (0, 4)), (0.5, (1, 3)), (0.99, (0, 4)), (0.01, (2, 2))]
)
def test_the_quantiles_nearest_to_the_coverage_are_taken(coverage, places):
    assert outer_quantiles((0.025, 0.05, 0.5, 0.95, 0.975), coverage) == places


def test_a_class_from_the_threshold_on_is_in_the_set_and_the_most_probable_one_always():
    p = np.array([[0.5, 0.3, 0.2], [0.4, 0.35, 0.25], [0.1, 0.2, 0.7]], np.float32)
    found = class_sets(of_threshold(float(np.float32(0.3))), p)
    np.testing.assert_array_equal(found, [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(class_sets(of_threshold(0.99), p), [[1, 0, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(class_sets(of_threshold(0.0), p), np.ones((3, 3)))


def test_of_two_classes_one_probability_is_enough():
    found = class_sets(of_threshold(0.4), np.array([[0.5], [0.61], [0.1]]))
    np.testing.assert_array_equal(found, [[1, 1], [0, 1], [1, 0]])


def test_what_is_no_interval_is_refused():
    with pytest.raises(SpecError, match="expected either margin, of a number, or threshold"):
        Interval(coverage=0.9, rows=10)
    with pytest.raises(SpecError, match="expected either margin"):
        Interval(coverage=0.9, rows=10, margin=1.0, threshold=0.5)
    with pytest.raises(SpecError, match=r"interval.margin: expected a number, found inf"):
        of_margin(float("inf"))
    with pytest.raises(SpecError, match="coverage"):
        of_margin(1.0, coverage=1.0)
    with pytest.raises(SpecError, match="an interval is of a number, with a margin, or of a category"):
        ColumnSchema("price", "number", interval=of_threshold(0.5))
    with pytest.raises(SpecError, match="an interval is of a number"):
        ColumnSchema("kind", "category", ("a", "b"), interval=of_margin(1.0))


# Columns of predictions


def schema_of(**targets):
    return DataSchema({"input": (ColumnSchema("x", "number"),)}, targets)


PRICE = ColumnSchema("price", "number", interval=of_margin(2.0))
KIND = ColumnSchema("kind", "category", ("cat", "dog", "owl"), interval=of_threshold(0.2))
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])


def test_one_target_has_lower_and_upper():
    found = schema_of(output=(PRICE,)).decode({"output": np.array([[5.0], [7.0]])})
    assert {name: values.tolist() for name, values in found.items()} == {
        "price": [5, 7],
        "lower": [3, 5],
        "upper": [7, 9],
    }


def test_classes_have_a_set():
    found = schema_of(output=(KIND,)).decode({"output": P})
    assert list(found) == ["kind", "P(cat)", "P(dog)", "P(owl)", "set"]
    assert found["set"].tolist() == [["cat", "dog"], ["owl"]]


def test_several_targets_have_their_names_before():
    two = (PRICE, ColumnSchema("area", "number", interval=of_margin(1.0)))
    found = schema_of(a=two, b=(KIND,)).decode({"a": np.array([[5.0, 50.0], [7.0, 70.0]]), "b": P})
    own = [name for name in found if not name.startswith("P(")]
    assert own == ["price", "area", "kind", "price_lower", "price_upper", "area_lower", "area_upper", "kind_set"]
    assert found["area_upper"].tolist() == [51, 71]
    assert found["kind_set"].tolist() == [["cat", "dog"], ["owl"]]


def test_a_target_that_is_called_so_itself():
    lower = PRICE.replace(name="lower")
    assert list(schema_of(output=(lower,)).decode({"output": np.zeros((1, 1))})) == [
        "lower",
        "lower_lower",
        "lower_upper",
    ]


def test_quantiles_have_a_column_each_and_the_median_is_the_target():
    column = ColumnSchema("price", "number", quantiles=(0.05, 0.5, 0.95), interval=of_margin(1.0))
    schema = schema_of(output=(column,))
    schema.check_shapes({"input": (1,)}, {"output": (3,)})
    found = schema.decode({"output": np.array([[1.0, 2.0, 4.0]])})
    assert {name: values.tolist() for name, values in found.items()} == {
        "price": [2],
        "price_0.05": [1],
        "price_0.95": [4],
        "lower": [0],
        "upper": [5],
    }
    without = schema_of(output=(column.replace(quantiles=(0.1, 0.9), interval=None),))
    assert list(without.decode({"output": np.zeros((1, 2))})) == ["price_0.1", "price_0.9"]


def test_a_model_file_holds_them_as_plain_values():
    schema = schema_of(a=(PRICE.replace(quantiles=(0.1, 0.9)),), b=(KIND,))
    plain = schema.to_plain()
    assert plain["targets"]["a"][0]["interval"] == {"coverage": 0.9, "rows": 100, "margin": 2.0, "threshold": None}
    assert DataSchema.from_plain(plain) == schema
    assert "interval" not in schema.with_intervals({}).to_plain()["targets"]["a"][0]

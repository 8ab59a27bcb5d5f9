"""Cells that flatten their column."""

import warnings

import numpy as np
import pytest

import modnet
from modnet.datasets.outliers import far_cells

RNG = np.random.default_rng(0)
AGES = RNG.uniform(18, 90, 500).round()
NORMAL = RNG.standard_normal(100_000)


def with_cells(values, **cells):
    changed = np.array(values, float)
    for row, value in cells.items():
        changed[int(row[1:])] = value
    return changed


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (with_cells(AGES, r17=9_999_999), (17, 9_999_999, 1)),
        (with_cells(AGES, r3=-1e9), (3, -1e9, 1)),
        (np.where(np.arange(500) % 40 == 5, -99_999, AGES), (5, -99_999, 13)),
        (
            with_cells(RNG.standard_normal(100_000), **{f"r{row}": 1e6 + row for row in range(10, 40)}),
            (10, 1e6 + 10, 30),
        ),
    ],
    ids=["one", "below", "a code", "thirty of many"],
)
def test_cells_beside_which_the_others_are_alike(values, expected):
    found = far_cells(values)
    assert (found.row, found.value, found.cells) == expected
    assert found.times > 10


@pytest.mark.parametrize(
    "values",
    [
        AGES,
        RNG.standard_normal(10_000),
        RNG.standard_cauchy(5_000),
        np.exp(3 * RNG.standard_normal(20_000)),
        RNG.poisson(0.1, 1000).astype(float),
        np.r_[np.zeros(999), 1e6],
        np.full(100, 7.0),
        with_cells(AGES, r17=300),
        with_cells(AGES[:15], r3=1e9),
        np.r_[RNG.standard_normal(500), 1e6 + RNG.standard_normal(500)],
        with_cells(RNG.standard_normal(1_000_000), r5=150),
    ],
    ids=[
        "ages",
        "normal",
        "cauchy",
        "money",
        "counts",
        "rare",
        "constant",
        "300",
        "few rows",
        "two groups",
        "harmless",
    ],
)
def test_usual_columns(values):
    assert far_cells(values) is None


SPEC = {
    "network": {"input": [2], "layers": ["standardize", {"type": "linear", "out_features": 1}, "unstandardize"]},
    "training": {"loss": "mse", "epochs": 1},
    "data": {"target": "price"},
}


def table(**cells):
    columns = {"age": AGES.copy(), "size": RNG.uniform(0, 9, 500), "price": RNG.uniform(5, 6, 500)}
    for name, value in cells.items():
        columns[name][17] = value
    return columns


def test_the_warning_says_where_and_what_to_do():
    expected = (
        r'row 18, column age: 9999999 is so far from .* set missing_values = \["9999999"\] in \[data.columns.age\]; if '
        r'it is right, write \{ type = "standardize", robust = true \}'
    )
    with pytest.warns(UserWarning, match=expected):
        modnet.train(SPEC, table(age=9_999_999))
    with pytest.warns(UserWarning, match=r'column price: -1000000000 .* take loss = "huber"'):
        modnet.train(SPEC, table(price=-1e9))


def test_where_nothing_is_flattened_nothing_is_said():
    robust = {"type": "standardize", "robust": True}
    network = {**SPEC["network"], "layers": [robust, *SPEC["network"]["layers"][1:]]}
    declared = {"age": {"missing_values": ["9999999"], "missing": "mean"}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modnet.train(SPEC, table())
        modnet.train({**SPEC, "network": network}, table(age=9_999_999))
        modnet.train({**SPEC, "data": {"target": "price", "columns": declared}}, table(age=9_999_999))

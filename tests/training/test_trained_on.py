"""What is known of rows on which a network is measured: that it has learnt from them, or may have."""

import numpy as np
import pytest

import modnet
from modnet.datasets.dataset import Dataset, rows_in
from modnet.training.trained_on import doubts_about_rows

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((50, 3)), RNG.integers(0, 2, 50)
NETWORK = {"input": [3], "layers": [{"type": "linear", "out_features": 2}, "softmax"]}
TRAINING = {"loss": "cross_entropy", "epochs": 1}
ROWS = [{"a": a, "b": b, "c": c, "kind": "xy"[y]} for (a, b, c), y in zip(X, Y, strict=True)]


def doubt(network, x, y=None):
    return "".join(doubts_about_rows(network, Dataset.of(network, x, y)))


@pytest.fixture(scope="module")
def of_table():
    spec = {"network": NETWORK, "training": TRAINING, "data": {"target": "kind", "validation": 0.2}}
    return modnet.train(spec, ROWS).network


def test_arrays():
    spec = {"network": NETWORK, "training": TRAINING}
    whole, part = modnet.train(spec, X, Y).network, modnet.train(spec, X, Y, validation=0.2).network
    assert doubt(whole, X, Y).startswith("the network was trained on exactly these rows")
    assert doubt(part, X, Y).startswith("the network was trained on some of these rows")
    assert doubt(whole, X[::-1], Y[::-1]) == doubt(part, X[:40], Y[:40]) == ""


def test_rows_of_a_table_without_those_that_were_set_aside_cannot_be_told_for_certain(of_table):
    found = "trained on 40 rows and validated on 10, together as many as here; if these are the same rows"
    assert found in doubt(of_table, ROWS)
    assert doubt(of_table, ROWS[:49]) == ""


def test_a_loaded_network(of_table, tmp_path):
    modnet.save(of_table, tmp_path / "model.modnet")
    assert doubt(modnet.load(tmp_path / "model.modnet"), ROWS) == doubt(of_table, ROWS)


def test_nothing_is_said_where_nothing_is_known():
    assert doubt(modnet.build({"network": NETWORK, "training": TRAINING}), X, Y) == ""


@pytest.mark.parametrize(
    ("fingerprint", "rows"),
    [("float64 (275, 5) 66", 275), ("int64 (7,) 0a", 7), ("", 0), ("float64 (, 5) 66", 0), ("a long text", 0)],
)
def test_rows_in_a_fingerprint(fingerprint, rows):
    assert rows_in(fingerprint) == rows

import json

import pytest


def test_a_short_run(examples, modnet):
    printed = modnet(
        examples / "diamonds",
        *("train", "diamonds.toml", "--json"),
        *("--set", "training.epochs=3", "--set", 'data.train={ path = "diamonds.csv.gz", rows = [0, 10000] }'),
    )
    trained = json.loads(printed)
    assert trained["metrics"]["validation_r2"] > 0.8
    assert trained["parameters"] == 9 * 64 + 64 + 64 * 64 + 64 + 64 + 1


def test_the_comparison_runs(examples, python):
    pytest.importorskip("sklearn", reason="the comparison is with scikit-learn: extra parity")
    printed = python(examples / "diamonds", "compare.py", "--epochs", "1", "--rows", "2000", "--runs", "2")
    assert "scikit-learn takes" in printed

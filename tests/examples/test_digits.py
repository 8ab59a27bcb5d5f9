import json

import numpy as np
import pytest


@pytest.mark.parametrize("seed", range(5))
def test_reads_97_of_100_held_out_digits_or_more(examples, modnet, tmp_path, seed):
    spec = examples / "digits" / "digits.toml"
    printed = modnet(tmp_path, "train", spec, "--set", f"training.seed={seed}", "--json")
    assert json.loads(printed)["metrics"]["validation_accuracy"] >= 0.97
    assert (tmp_path / "digits.modnet").exists()


def test_the_spec_is_short(examples):
    assert len((examples / "digits" / "digits.toml").read_text().splitlines()) <= 40


def test_the_data_are_those_of_uci(examples):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn has the digits: extra parity")
    theirs = datasets.load_digits()
    with np.load(examples / "digits" / "digits.npz") as ours:
        np.testing.assert_array_equal(ours["x"], theirs.data)
        np.testing.assert_array_equal(ours["y"], theirs.target)

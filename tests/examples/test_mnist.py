import json
import os
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


@pytest.fixture
def folder(examples):
    """The example with its data, which the environment variable MODNET_MNIST says where to find."""
    try:
        distribution("modnet-conv")
    except PackageNotFoundError:
        pytest.skip("the layers are those of plugins/modnet-conv")
    found = Path(os.environ.get("MODNET_MNIST", ""))
    if not (found / IMAGES).is_file() or not (found / LABELS).is_file():
        pytest.skip(f"{IMAGES} and {LABELS} are not in the folder that MODNET_MNIST names")
    for name in (IMAGES, LABELS):
        shutil.copy(found / name, examples / "mnist" / name)
    return examples / "mnist"


def test_two_epochs_read_95_of_100_digits(folder, modnet):
    printed = modnet(folder, "train", "mnist.toml", "--set", "training.epochs=2", "--json")
    trained = json.loads(printed)
    assert trained["metrics"]["validation_accuracy"] >= 0.95
    assert trained["parameters"] == (25 * 16 + 16) + (9 * 16 * 32 + 32) + (49 * 32 * 10 + 10)


@pytest.mark.slow
def test_reads_985_of_1000_digits_or_more(folder, modnet):
    printed = modnet(folder, "train", "mnist.toml", "--set", "training.seed=1", "--json")
    assert json.loads(printed)["metrics"]["validation_accuracy"] >= 0.985


def test_the_spec_is_short(examples):
    assert len((examples / "mnist" / "mnist.toml").read_text().splitlines()) <= 25

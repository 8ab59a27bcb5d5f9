import json
import os
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
BESIDE = Path(__file__).parents[3] / "shared" / "data"
"""Where a copy of the data sets may lie beside the repository."""


def stored(name):
    """A file of MNIST, as it is called everywhere or with what it belongs to before its name."""
    folders = [Path(folder) for folder in (os.environ.get("MODNET_MNIST"), BESIDE) if folder]
    files = [folder / found for folder in folders for found in (name, f"mnist-{name}")]
    return next((file for file in files if file.is_file()), None)


@pytest.fixture
def folder(examples):
    """The example with its data."""
    try:
        distribution("modnet-conv")
    except PackageNotFoundError:
        pytest.skip("the layers are those of plugins/modnet-conv")
    for name in (IMAGES, LABELS):
        file = stored(name)
        if file is None:
            pytest.skip(f"{name} is neither in the folder that MODNET_MNIST names nor in {BESIDE}")
        shutil.copy(file, examples / "mnist" / name)
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

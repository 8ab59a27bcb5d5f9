import gzip
import json
from pathlib import Path

import numpy as np
import pytest

for plugin in ("recurrent", "text"):
    pytest.importorskip(f"modnet_{plugin}", reason=f"the example needs the plugin: pip install plugins/modnet-{plugin}")

TEXT = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 60


@pytest.fixture
def folder(examples, python):
    folder = examples / "characters"
    (folder / "text.txt").write_text(TEXT)
    printed = python(folder, "prepare.py", "text.txt")
    assert "train.npz  71 stretches of 64 characters" in printed
    return folder


def test_from_text_to_text(folder, modnet, python):
    settings = ["training.epochs=30", "training.optimizer.learning_rate=0.01", "training.seed=0"]
    printed = modnet(folder, "train", "characters.toml", *[word for s in settings for word in ("--set", s)], "--json")
    assert json.loads(printed)["metrics"]["validation_loss"] < 1.0
    written = python(folder, "sample.py", "--start", "To be,", "--length", "40")
    assert written.startswith("To be,")
    assert len(written) == 6 + 40 + 1
    assert written != python(folder, "sample.py", "--start", "To be,", "--length", "40", "--seed", "1")
    likeliest = modnet(
        folder, "sample", "characters.modnet", "--start", "the que", "--length", "6", "--temperature", "0"
    )
    assert likeliest == "the question:\n"


def test_the_end_of_a_compressed_text_is_held_out(folder, python):
    with np.load(folder / "train.npz") as train:
        x, y = train["x"], train["y"]
    assert (x[:, 1:] == y[:, :-1]).all()
    with gzip.open(folder / "text.txt.gz", "wt") as file:
        file.write(TEXT)
    python(folder, "prepare.py", "text.txt.gz", "--held-out", "0.5")
    with np.load(folder / "train.npz") as train, np.load(folder / "validation.npz") as validation:
        assert len(train["x"]) == len(validation["x"]) == 39
        np.testing.assert_array_equal(train["x"], x[:39])


def test_a_character_that_is_not_in_the_vocabulary_is_named(folder, python):
    (folder / "text.txt").write_text("50 € and more")
    with pytest.raises(AssertionError, match="the vocabulary does not have"):
        python(folder, "prepare.py", "text.txt")


def test_the_comparison_runs(folder, python):
    pytest.importorskip("torch", reason="the comparison is with torch: extra parity")
    printed = python(folder, "compare.py", "--epochs", "1", "--seeds", "2", "--stretches", "40")
    assert printed.count("bits per character") == 4
    assert printed.count("mean ") == 2


@pytest.mark.parametrize("example", ["characters", "gpt"])
def test_the_text_of_the_examples_is_cut_as_their_pages_show(example, examples, python):
    text = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare.txt.gz"
    if not text.is_file():
        pytest.skip(f"there is no {text}")
    printed = python(examples / example, "prepare.py", text)
    page = (examples / example / "README.md").read_text()
    for line in printed.splitlines():
        assert f"    {line}\n" in page

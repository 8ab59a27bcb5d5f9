import json
import re

import pytest

for plugin in ("attention", "text"):
    pytest.importorskip(f"modnet_{plugin}", reason=f"the example needs the plugin: pip install plugins/modnet-{plugin}")

TEXT = "the cat sat on the mat; the dog sat on the log. " * 200


@pytest.fixture
def prepared(examples, python):
    folder = examples / "gpt"
    (folder / "text.txt").write_text(TEXT)
    printed = python(folder, "prepare.py", "text.txt")
    assert "train.npz: 134 windows of 64 characters" in printed
    return folder


SMALLER = (
    *("--set", "network.layers.1.count=1"),
    *("--set", "training.epochs=5"),
    *("--set", "training.batch_size=4"),
)


def test_from_a_text_to_a_text(prepared, modnet, python):
    trained = json.loads(modnet(prepared, "train", "gpt.toml", *SMALLER, "--json"))
    assert trained["metrics"]["validation_accuracy"] > 0.9
    written = modnet(prepared, "sample", "gpt.modnet", "--start", "the cat ", "--length", "100", "--context", "64")
    assert written.startswith("the cat ")
    assert len(written) == len("the cat ") + 100 + 1
    assert "sat on the" in written


def test_the_comparison_runs(prepared, python):
    pytest.importorskip("torch", reason="the comparison is with torch: extra parity")
    printed = python(prepared, "compare.py", "--seeds", "0", "--epochs", "1", "--windows", "64")
    ours, theirs = (
        float(number) for number in re.search(r"loss (\S+) \(modnet\) and (\S+) \(torch\)", printed).groups()
    )
    assert ours == pytest.approx(theirs, rel=1e-3)

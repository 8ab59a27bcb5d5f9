import re

import pytest

pytest.importorskip("modnet_conv", reason="the example needs the plugin: pip install plugins/modnet-conv")
pytest.importorskip("modnet_torch", reason="the example needs the plugin: pip install plugins/modnet-torch")


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    pytest.importorskip("sklearn", reason="the comparison is with scikit-learn: extra parity")
    folder = examples / "transfer"
    (folder / "transfer.svg").unlink()
    printed = console(folder, {"python compare.py": ("--seeds", "2", "--sizes", "10")})
    table = printed["modnet import-weights pretrained.safetensors transfer.toml --partial"]
    assert table in (folder / "README.md").read_text()
    accuracy = re.search(r"accuracy +(\S+) \(", printed["modnet evaluate transfer.modnet test.csv"])[1]
    assert float(accuracy) > 0.85
    transfer, scratch, regression = re.findall(r"(\S+) \(", printed["python compare.py"])
    assert float(transfer) > max(float(scratch), float(regression))
    assert "from scratch" in (folder / "transfer.svg").read_text()
    assert (folder / "train.py").read_text().partition("import modnet\n")[2] in (folder / "README.md").read_text()


def test_the_weights_are_those_of_a_torch_model(examples, python):
    pytest.importorskip("torch", reason="the weights are those of a model of PyTorch: extra parity")
    folder = examples / "transfer"
    printed = python(folder, "pretrain.py", "--epochs", "2")
    assert printed.startswith("pretrained.safetensors: 12,122 numbers")
    assert float(printed.rpartition(" ")[2]) > 0.6

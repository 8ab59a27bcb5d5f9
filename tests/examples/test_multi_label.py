import re

import pytest

pytest.importorskip("modnet_conv", reason="the example needs the plugin: pip install plugins/modnet-conv")


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    pytest.importorskip("sklearn", reason="the comparison is with scikit-learn: extra parity")
    folder = examples / "multi-label"
    (folder / "tags.svg").unlink()
    printed = console(folder, {"modnet train": ("--set", "training.epochs=8")})
    baseline = [float(value) for value in re.findall(r"f1 \(\w+\)  (\S+)", printed["python compare.py"])]
    assert baseline == pytest.approx([0.750, 0.756], abs=0.005)
    micro = printed['modnet evaluate tags.modnet test.csv --metric \'{type="f1", average="micro"}\'']
    for base, found in zip(baseline, (printed["modnet evaluate tags.modnet test.csv"], micro), strict=True):
        assert float(re.search(r"f1 +(\S+)", found)[1]) > base
    few = labels(printed["modnet predict tags.modnet test.csv"])
    many = labels(printed["modnet predict tags.modnet test.csv --threshold 0.3"])
    assert len(few) == len(many) == 500
    assert all(least <= most for least, most in zip(few, many, strict=True))
    assert "(is " in (folder / "tags.svg").read_text()


def labels(printed):
    """The labels of each row."""
    rows = [line.split(",") for line in printed.splitlines() if line.count(",") == 10]
    return [set(row[0].split("; ")) - {""} for row in rows[1:]]

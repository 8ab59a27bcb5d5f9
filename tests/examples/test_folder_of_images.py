import csv
import re

import pytest

pytest.importorskip("modnet_tables", reason="the example needs the plugin: pip install 'plugins/modnet-tables[images]'")
pytest.importorskip("modnet_conv", reason="the example needs the plugin: pip install plugins/modnet-conv")
pytest.importorskip("PIL", reason="images need Pillow: pip install 'plugins/modnet-tables[images]'")


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    pytest.importorskip("sklearn", reason="the comparison is with scikit-learn: extra parity")
    folder = examples / "folder-of-images"
    (folder / "misread.svg").unlink()
    printed = console(folder, {"modnet train": ("--set", "training.epochs=4")})
    assert printed["python prepare.py"] == "pictures/  1,400 images, test/  397 images\n"
    assert "next: modnet predict images.modnet NEW_FOLDER" in printed["modnet train images.toml"]
    assert "\n3," in printed["modnet predict images.modnet test/3/1418.png"]
    assert printed["python compare.py"].startswith("logistic regression  360 of 397")
    accuracy = float(re.search(r"accuracy +(\S+)", printed["modnet evaluate images.modnet test"])[1])
    assert accuracy > 360 / 397

    with (folder / "predicted.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["file"].partition("/")[0] for row in rows] == [row["y (given)"] for row in rows]
    assert sum(row["y"] == row["y (given)"] for row in rows) / len(rows) == pytest.approx(accuracy, abs=5e-4)
    assert (folder / "misread.svg").read_text().count("read as") == round((1 - accuracy) * len(rows))

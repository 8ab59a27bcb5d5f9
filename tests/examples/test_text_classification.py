import csv
import re

import pytest


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    pytest.importorskip("sklearn", reason="the comparison is with scikit-learn: extra parity")
    folder = examples / "text-classification"
    (folder / "languages.svg").unlink()
    printed = console(folder, {"modnet train": ("--set", "training.epochs=12")})
    assert re.search(r"val accuracy (0\.\d+) ", printed["modnet train names.toml"])
    predicted = printed["modnet predict names.modnet new.csv --keep name"].splitlines()
    assert [line.split(",")[:2] for line in predicted[1:6]] == [
        ["Johansson", "Swedish"],
        ["Schneider", "German"],
        ["Ferrari", "Italian"],
        ["Van den Berg", "Dutch"],
        ["Ó Briain", "Irish"],
    ]
    accuracy = float(re.search(r"accuracy +(\S+)", printed["modnet evaluate names.modnet test.csv"])[1])
    assert accuracy > 0.7
    assert printed["python compare.py"].startswith("naive Bayes          608 of 800")
    assert (folder / "languages.svg").read_text().count("Finnish") == 2


def test_no_name_is_in_both_files(examples):
    train, test = (names(examples / "text-classification" / file) for file in ("names.csv", "test.csv"))
    assert (len(train), len(test)) == (3102, 800)
    assert not train & test


def names(path):
    with path.open(encoding="utf-8") as file:
        return {row["name"] for row in csv.DictReader(file)}

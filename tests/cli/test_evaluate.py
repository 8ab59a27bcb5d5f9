"""modnet evaluate"""

import json
from pathlib import Path

import numpy as np
import pytest

import modnet


def test_figures(run, model):
    lines = run("evaluate", model, "pets.csv").stdout.splitlines()
    assert lines[0] == "pets.csv: 80 rows"
    assert lines[2] == "accuracy  1.000 (80 of 80)"


def test_standard_input(run, model):
    assert run("evaluate", model, "-", input=Path("pets.csv").read_text()).stdout.startswith("standard input: 80 rows")


def test_a_confusion_matrix_has_the_names_of_the_classes(run):
    run("train", "pets.toml", "--set", 'training.metrics=["confusion_matrix"]')
    assert run("evaluate", "pets.modnet", "pets.csv").stdout.splitlines()[2:] == [
        "confusion matrix",
        "       cat  dog",
        "  cat   40    0",
        "  dog    0   40",
    ]


def test_json(run):
    run("train", "points.toml")
    report = json.loads(run("evaluate", "points.modnet", "points.npz", "--json").stdout)
    assert (report["model"], report["data"], report["rows"]) == ("points.modnet", "points.npz", 60)
    with np.load("points.npz") as points:
        measured = modnet.evaluate(modnet.load("points.modnet"), points["x"], points["y"])
    assert report["metrics"]["loss"] == pytest.approx(measured["loss"])
    assert sum(map(sum, report["metrics"]["confusion_matrix"])) == 60

import csv
import gzip
import re

import pytest


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    pytest.importorskip("sklearn", reason="the comparison is with scikit-learn: extra parity")
    folder = examples / "timeseries"
    (folder / "rides.svg").unlink()
    printed = console(folder, {"modnet train": ("--set", "training.epochs=6")})
    assert printed["python prepare.py"].startswith("train.csv  7,105 rows\n")
    errors = [float(found) for found in re.findall(r"error +(\S+) rides", printed["python compare.py"])]
    assert errors == pytest.approx([119.92, 49.43, 47.55, 39.81], abs=0.05)
    error = float(re.search(r"mean absolute error +(\S+)", printed["modnet evaluate rides.modnet test.csv"])[1])
    assert error < errors[-1]
    (forecast,) = csv.DictReader(printed["modnet predict rides.modnet next.csv"].splitlines())
    assert list(forecast) == [f"ahead_{hour}" for hour in range(1, 25)]
    assert "last week again" in (folder / "rides.svg").read_text()


def test_windows_are_those_of_the_series(examples, python):
    folder = examples / "timeseries"
    python(folder, "prepare.py")
    with gzip.open(folder / "rides.csv.gz", "rt") as file:
        rides = {row["time"]: row["rides"] for row in csv.DictReader(file)}
    times = list(rides)
    with (folder / "test.csv").open() as file:
        window = list(csv.DictReader(file))[100]
    now = times.index(window["time"])
    assert window["ago_1"] == rides[times[now - 1]]
    assert window["ago_48"] == rides[times[now - 48]]
    assert window["week_1"] == rides[times[now - 168]]
    assert window["ahead_1"] == rides[window["time"]]
    assert window["ahead_24"] == rides[times[now + 23]]
    with (folder / "train.csv").open() as file:
        last = list(csv.DictReader(file))[-1]["time"]
    assert times[times.index(last) + 24] == "2011-11-01 00:00"

"""modnet cross-validate"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.training.run import INTERRUPTED, Run


def lines(run, *arguments):
    return run("cross-validate", *arguments).stdout.splitlines()


def test_a_line_for_each_fold_and_the_means(run):
    told = lines(run, "pets.toml", "--folds", "3")
    assert told[0] == "pets.csv      80 rows in 3 folds: stratified"
    assert told[3].split() == ["fold", "loss", "accuracy", "time"]
    assert [line.split()[0] for line in told[4:7]] == ["1", "2", "3"]
    assert told[4].endswith("27 rows, 40 trained on")
    assert told[8].split() == ["mean", "deviation", "std", "error", "all", "rows", "base", "rate"]
    assert [line.split()[0] for line in told[9:12]] == ["loss", "accuracy", "base"]
    assert told[13].split() == ["kind", "rows", "precision", "recall", "f1"]
    assert not Path("pets.folds").exists()


def test_a_terminal_shows_the_epoch_meanwhile(run, monkeypatch):
    monkeypatch.setattr("modnet.cli.status.room", lambda err: 80)
    monkeypatch.setattr("modnet.cli.status.SILENT", 0.0)
    monkeypatch.setattr("modnet.cli.status.INTERVAL", 60.0)
    told = run("cross-validate", "pets.toml", "--folds", "2")
    # The codes that clear a line are for terminals alone.
    assert told.stderr == "\r  fold 1 of 2, epoch 1 of 3\r\r  fold 2 of 2, epoch 1 of 3\r"
    assert "epoch 1 of 3" not in told.stdout


def test_quiet_leaves_the_figures(run):
    loud, silent = (lines(run, "pets.toml", "--folds", "2", *option) for option in ([], ["-q"]))
    start = next(place for place, line in enumerate(loud) if line.split()[:2] == ["mean", "deviation"])
    assert silent == loud[start:]


def test_predictions_are_written_as_by_predict(run):
    told = lines(run, "pets.toml", "--folds", "2", "--repeats", "2", "-o", "out.csv")
    assert told[4].split()[0] == "1.1"
    assert told[-1] == "out.csv  160 predictions, each by a network that had not seen its row"
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["row", "repeat", "fold", "kind (given)", "kind", "P(cat)", "P(dog)"]
    assert [int(row["row"]) for row in rows] == np.repeat(np.arange(1, 81), 2).tolist()
    assert [row["kind (given)"] for row in rows] == ["cat"] * 80 + ["dog"] * 80
    found = modnet.cross_validate("pets.toml", folds=2, repeats=2)
    assert [float(row["P(cat)"]) for row in rows] == pytest.approx(found.predictions["P(cat)"].tolist())


@pytest.mark.parametrize("file", ["out.jsonl", "out.json", "out.tsv", "out.csv.gz", "out.npz"])
def test_all_that_predict_writes(run, file):
    run("cross-validate", "pets.toml", "--folds", "2", "-o", file)
    if file == "out.npz":
        with np.load(file) as arrays:
            assert arrays["output"].shape == (80, 2)
            assert arrays["row"].tolist() == list(range(1, 81))
            assert set(arrays["kind"].tolist()) == {"cat", "dog"}
    if file == "out.jsonl":
        record = json.loads(Path(file).read_text().splitlines()[0])
        assert list(record) == ["row", "fold", "kind (given)", "kind", "P(cat)", "P(dog)"]
    assert Path(file).stat().st_size > 0


def test_arrays(run):
    told = lines(run, "points.toml", "--folds", "3", "-o", "out.csv")
    assert told[0] == "points.npz    60 rows in 3 folds: stratified"
    assert Path("out.csv").read_text().splitlines()[0] == "row,fold,y,class,P(0),P(1),P(2)"


def test_json(run):
    printed = json.loads(run("cross-validate", "pets.toml", "--folds", "3", "--json").stdout)
    assert [fold["rows"] for fold in printed["folds"]] == [27, 27, 26]
    values = [fold["metrics"]["accuracy"] for fold in printed["folds"]]
    assert printed["spread"]["accuracy"]["mean"] == pytest.approx(np.mean(values))
    assert printed["classes"]["kind"]["dog"]["rows"] == 40
    assert printed["predictions"] is None


def test_a_folder_stays_with_the_networks(run):
    told = lines(run, "pets.toml", "--folds", "2", "--folder", "kept")
    assert told[-1] == "kept  the networks of the folds"
    assert sorted(file.name for file in Path("kept").iterdir()) == [
        "cross-validation.json",
        "fold-1.modnet",
        "fold-2.modnet",
    ]
    assert run("predict", "kept/fold-2.modnet", "pets.csv").stdout.startswith("kind,P(cat),P(dog)")
    again = lines(run, "pets.toml", "--folds", "2", "--folder", "kept")
    assert again[:-1] == told[:-1]  # also the times: nothing was trained


def test_ctrl_c_loses_the_running_fold_alone(run, monkeypatch):
    whole = lines(run, "pets.toml", "--folds", "3", "-o", "whole.csv")
    fit, trained = Run.fit, []

    def stopping(self):
        trained.append(self)
        if len(trained) == 2:
            self.stop(INTERRUPTED)
        return fit(self)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "fit", stopping)
        stopped = run("cross-validate", "pets.toml", "--folds", "3", "-o", "out.csv", status=130)
    assert stopped.stderr == (
        "stopped; 1 finished fold in out.folds\ngo on: modnet cross-validate pets.toml --folds 3 -o out.csv\n"
    )
    assert not Path("out.csv").exists()
    again = lines(run, "pets.toml", "--folds", "3", "-o", "out.csv")
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert again[8:-1] == whole[8:-1]
    assert not Path("out.folds").exists()
    with monkeypatch.context() as patch:
        trained[:] = [None]
        patch.setattr(Run, "fit", stopping)
        stopped = run("cross-validate", "pets.toml", "--set", "training.epochs=2", status=130)
    assert stopped.stderr.startswith("stopped before a fold was finished\ngo on: ")
    assert not Path("pets.folds").exists()


def test_a_changed_spec_does_not_go_on(run):
    run("cross-validate", "pets.toml", "--folds", "2", "--folder", "kept")
    asked = ("cross-validate", "pets.toml", "--folds", "2", "--folder", "kept", "--set", "training.epochs=4")
    told = run(*asked, status=1).stderr
    assert told.startswith("error: kept has folds of another cross-validation:\n  training.epochs: 3 before, now 4\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--group", "kind"], "column kind is the target"),
        (["--group", "coller"], 'no column "coller" (did you mean "collar"?)'),
        (["--group", "collar", "--time", "size"], "--group and --time: folds are made by groups or by time"),
        (["--time", "size", "--repeats", "2"], "forward in time can be made in one way alone"),
        (["--folds", "1"], "1 is not in the range"),
        (["--folds", "81"], "found 80 rows; expected at least 81"),
        (["-o", "pets.csv"], "pets.csv: this is the data; name another file with -o"),
        (["-o", "out.xyz"], ".csv, .tsv, .jsonl, .json or .npz"),
        (["-o", "-"], "name a file for the predictions"),
        (["--set", "training.metrics=['acuracy']"], 'unknown metric "acuracy"; did you mean "accuracy"?'),
        (["--set", "network.input=[4]"], "set input = [3]"),
    ],
)
def test_mistakes(run, arguments, message):
    before = sorted(Path().iterdir())
    assert message in run("cross-validate", "pets.toml", *arguments, status=2).stderr
    assert sorted(Path().iterdir()) == before

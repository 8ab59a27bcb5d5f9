"""modnet history: the epochs of a training, and of several side by side."""

import csv
import io
import json

import numpy as np
import pytest

import modnet
from modnet.cli.history import Course, _drawn
from modnet.engine.history import History


@pytest.fixture
def long(run):
    """A model of 130 epochs, whose best one is not the last."""
    run("train", "pets.toml", "-o", "long.modnet", "--set", "training.epochs=130", "--set", "training.batch_size=60")
    return "long.modnet"


def test_the_screen(run, model):
    first, _, heading, *lines = run("history", model).stdout.splitlines()
    history = modnet.load(model).history
    best = int(np.argmin(history["validation_loss"])) + 1
    assert (
        first == f"pets.modnet: 3 epochs, the best is {best} with val loss {history['validation_loss'][best - 1]:.4f}"
    )
    assert heading == "epoch          loss  accuracy  val loss  val accuracy"
    for epoch in (1, 2, 3):
        cells = lines[epoch - 1].split()
        assert cells[0] == str(epoch)
        assert (cells[1] == "best") == (epoch == best)
        assert float(cells[-2]) == pytest.approx(history["validation_loss"][epoch - 1], abs=1e-4)
    curves = [line.rpartition("  ")[0].rpartition("  ")[0].strip() for line in lines[4:]]
    assert [curve.split("  ")[0] for curve in curves] == ["loss", "val loss", "accuracy", "val accuracy"]


def test_of_many_epochs_some_are_shown_with_the_first_the_last_and_the_best(run, long):
    history = modnet.load(long).history
    lines = run("history", long).stdout.splitlines()
    shown = [int(line.split()[0]) for line in lines if line.split()[:1] and line.split()[0].isdigit()]
    best = int(np.argmin(history["validation_loss"])) + 1
    assert {1, 10, 20, best, 130} <= set(shown)
    assert len(shown) <= 23
    assert next(line for line in lines if line.split()[1:2] == ["best"]).split()[0] == str(best)


def test_json_has_all_epochs(run, long):
    (found,) = json.loads(run("history", long, "--json").stdout)
    history = modnet.load(long).history
    assert found["model"] == long
    assert found["epochs"] == 130
    assert found["monitor"] == "validation_loss"
    assert found["best_epoch"] == int(np.argmin(history["validation_loss"])) + 1
    assert found["history"] == {name: history[name].tolist() for name in history}


def test_csv_has_a_line_for_each_epoch(run, model, long):
    rows = list(csv.DictReader(io.StringIO(run("history", long, "--csv").stdout)))
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert [float(row["loss"]) for row in rows] == modnet.load(long).history["loss"].tolist()
    both = list(csv.DictReader(io.StringIO(run("history", model, long, "--csv").stdout)))
    assert [(row["model"], row["epoch"]) for row in both[:4]] == [
        (model, "1"),
        (model, "2"),
        (model, "3"),
        (long, "1"),
    ]


def test_several_models_side_by_side(run, model, long):
    lines = run("history", model, long).stdout.splitlines()
    assert lines[0].startswith("A  pets.modnet: 3 epochs")
    assert lines[1].startswith("B  long.modnet: 130 epochs")
    start = next(place for place, line in enumerate(lines) if line.split()[:2] == ["val", "loss"])
    assert lines[start].split() == ["val", "loss", "A", "B"]
    first = modnet.load(model).history["validation_loss"][0], modnet.load(long).history["validation_loss"][0]
    assert [float(cell.rstrip("*")) for cell in lines[start + 1].split()[2:]] == pytest.approx(first, abs=1e-4)
    assert lines[-1] == "* the best epoch of a model"


def test_the_epoch_whose_weights_the_file_has(run):
    early = '[{type="early_stopping", patience=3}]'
    settings = ["--set", "training.epochs=300", "--set", f"training.callbacks={early}", "--set", "training.seed=3"]
    told = json.loads(
        run("train", "pets.toml", *settings, "--set", "training.optimizer.learning_rate=0.5", "--json").stdout
    )
    (found,) = json.loads(run("history", "pets.modnet", "--json").stdout)
    assert told["best_epoch"] is not None
    assert found["kept_epoch"] in (told["best_epoch"], None)


def test_a_figure_that_is_never_finite_has_no_best_epoch_and_no_curve():
    course = Course("m", History({"loss": [float("nan"), float("inf")]}), {})
    assert course.best is None
    assert _drawn(np.array([np.nan, np.nan]), 0.0, 0.0, 10) == "  "


def test_a_curve_has_the_heights_of_its_values():
    assert _drawn(np.arange(8.0), 0.0, 7.0, 60) == "▁▂▃▄▅▆▇█"
    assert _drawn(np.arange(16.0), 0.0, 15.0, 4) == "▁▃▆█"
    assert _drawn(np.ones(3), 1.0, 1.0, 60) == "▅▅▅"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pets.modnet", "pets.modnet"], "a model is there twice"),
        (["pets.modnet", "--json", "--csv"], "--json and --csv: give one of them"),
        (["pet.modnet"], 'did you mean "pets.modnet"?'),
        (["pets.csv"], "pets.csv: this is not the log of a training"),
        ([], "Missing argument 'MODEL...'"),
    ],
)
def test_mistakes(run, model, arguments, message):
    assert message in run("history", *arguments, status=2).stderr


def test_a_model_that_was_not_trained_has_no_history(run):
    modnet.save(modnet.build("pets.toml"), "new.modnet")
    assert "new.modnet: the file has no history" in run("history", "new.modnet", status=2).stderr


def test_a_log_is_shown_as_its_model_is(run, model):
    run("train", "pets.toml", "--set", 'training.callbacks=[{type="csv_log",path="log.csv"}]')
    of_model, of_log = run("history", model).stdout, run("history", "log.csv").stdout
    assert of_log.partition("\n")[2] == of_model.partition("\n")[2]
    assert of_log.startswith("log.csv: 3 epochs, the best is ")

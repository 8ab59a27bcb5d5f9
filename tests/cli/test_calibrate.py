"""modnet calibrate"""

import json
import re
from pathlib import Path

import pytest

import modnet


@pytest.fixture
def early(run):
    """A model after one epoch, which is wrong about some rows."""
    run("train", "pets.toml", "--set", "training.epochs=1", "--set", "training.optimizer=sgd")
    return "pets.modnet"


def test_the_validation_rows_of_the_spec(run, early):
    before = Path(early).read_bytes()
    result = run("calibrate", early, "--spec", "pets.toml", "-o", "calibrated.modnet")
    lines = result.stdout.splitlines()
    assert lines[0] == "the validation rows of pets.toml: 20 rows"
    assert lines[1].split() == ["before", "after"]
    assert [line.split("  ")[0] for line in lines[2:5]] == ["temperature", "log loss", "calibration error"]
    assert lines[5] == "written to calibrated.modnet"
    assert "warning" not in result.stderr
    assert Path(early).read_bytes() == before
    assert modnet.load("calibrated.modnet").graph.nodes[-1].layer.type == "temperature"
    assert "temperature_1" in run("summary", "calibrated.modnet").stdout
    assert "calibration.output.temperature = " in run("inspect", "calibrated.modnet").stdout
    assert "temperature_1" in run("diff", early, "calibrated.modnet", status=1).stdout


def test_the_model_itself_is_replaced_and_calibrated_again(run, early):
    first = run("calibrate", early, "pets.csv").stdout
    second = run("calibrate", early, "pets.csv").stdout
    assert first.splitlines()[-1] == "written to pets.modnet"
    assert first == second
    assert len(modnet.load(early).graph.nodes) == 6


def test_json(run, early):
    found = json.loads(run("calibrate", early, "pets.csv", "--json").stdout)
    assert found["rows"] == 80
    assert found["model"] == "pets.modnet"
    assert found["after"]["log_loss"] <= found["before"]["log_loss"]
    stored = modnet.load(early).card.results["calibration"]["output"]
    assert found["temperatures"]["output"] == stored["temperature"]
    assert found["errors"]["output"] == stored["standard_error"]


def test_a_calibrated_model_is_edited(run, early):
    run("calibrate", early, "pets.csv", "-o", "calibrated.modnet")
    run("edit", "calibrated.modnet", "-o", "edited.modnet", "--cast", "float64", "--rename", "temperature_1=last")
    assert run("predict", "edited.modnet", "pets.csv").stdout
    again = run("calibrate", "edited.modnet", "pets.csv").stdout
    assert re.search(r"temperature +1 +\d", again)
    assert [node.name for node in modnet.load("edited.modnet").graph.nodes][-1] == "last"


def test_rows_of_the_training_are_told_apart(run, early):
    text = Path("pets.toml").read_text()
    Path("all.toml").write_text(text.replace("validation = 0.25\n", ""))
    run("train", "all.toml", "--set", "training.epochs=1", "--set", "training.optimizer=sgd")
    assert "pets.csv is what the model was trained on" in run("calibrate", "all.modnet", "pets.csv").stderr
    assert (
        "all.toml: its [data] sets no validation rows aside"
        in run("calibrate", "all.modnet", "--spec", "all.toml", status=2).stderr
    )
    folds = text.replace("validation = 0.25\n", "member_folds = true\n")
    Path("folds.toml").write_text(folds.replace("[network]", "[network]\nmembers = 3"))
    run("train", "folds.toml", "--set", "training.epochs=1")
    told = run("calibrate", "folds.modnet", "--spec", "folds.toml", status=2).stderr
    assert "with member_folds each of its rows was used to train some members; give DATA" in " ".join(told.split())
    Path("other.toml").write_text(text.replace("0.25", "0.5"))
    told = run("calibrate", early, "--spec", "other.toml").stderr
    assert "other.toml does not give the rows that the model was trained on" in " ".join(told.split())


def test_rows_have_to_be_given_once(run, early):
    for rows in ((), ("pets.csv", "--spec", "pets.toml")):
        told = run("calibrate", early, *rows, status=2).stderr
        assert "give DATA, rows that the model was not trained on, or --spec SPEC" in told


def test_rows_that_are_all_right_change_nothing(run):
    run("train", "pets.toml", "--set", "training.epochs=40")
    before = Path("pets.modnet").read_bytes()
    told = run("calibrate", "pets.modnet", "pets.csv", status=2).stderr
    assert "all of these 80 rows are predicted correctly" in told
    assert Path("pets.modnet").read_bytes() == before


def test_a_checkpoint_is_not_replaced(run, early):
    run("train", "pets.toml", "--set", 'training.callbacks=[{type="checkpoint", directory="points", every_epochs=1}]')
    checkpoint = sorted(Path("points").glob("*.modnet"))[-1]
    told = run("calibrate", checkpoint, "pets.csv", status=2).stderr
    assert "is a checkpoint, and its run could not be resumed; name another file with -o" in " ".join(told.split())


def test_a_spec_with_a_temperature(run):
    text = Path("pets.toml").read_text().replace('"softmax",', '"softmax",\n  "temperature",')
    Path("own.toml").write_text(text)
    run("train", "own.toml", "--set", "training.epochs=1", "--set", "training.optimizer=sgd")
    network = modnet.load("own.modnet")
    found = network.card.results["calibration"]["output"]
    assert found["rows"] == 20
    assert network.state["temperature_1.temperature"] == pytest.approx(found["temperature"], rel=1e-6)
    assert found["temperature"] != 1

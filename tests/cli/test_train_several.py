"""modnet train with several specs: all are checked first, and one that fails does not stop the others."""

import json
from pathlib import Path

import pytest

import modnet
from modnet.cli import one_training


@pytest.fixture
def specs(folder):
    """Three specs: a.toml, b.toml, and wild.toml, whose training diverges."""
    text = (folder / "pets.toml").read_text()
    for name, epochs in (("a", 2), ("b", 4)):
        (folder / f"{name}.toml").write_text(text.replace("epochs = 3", f"epochs = {epochs}"))
    wild = text.replace('{ type = "adam", learning_rate = 0.05 }', '{ type = "sgd", learning_rate = 1e300 }')
    (folder / "wild.toml").write_text(wild)
    return folder


def test_each_is_trained_and_has_a_line_in_the_table(run, specs):
    lines = run("train", "a.toml", "b.toml").stdout.splitlines()
    assert [line for line in lines if ": " in line and line[0].isdigit()] == ["1 of 2: a.toml", "2 of 2: b.toml"]
    head, first, second = lines[-3:]
    assert head.split() == ["spec", "epochs", "val", "loss", "val", "accuracy", "time", "model"]
    for line, name, epochs in ((first, "a", 2), (second, "b", 4)):
        metrics = modnet.load(f"{name}.modnet").card.metrics
        cells = line.split()
        assert [*cells[:2], cells[-1]] == [f"{name}.toml", str(epochs), f"{name}.modnet"]
        assert float(cells[2]) == pytest.approx(metrics["validation_loss"], abs=1e-4)


def test_the_models_are_those_of_single_trainings(run, specs):
    run("train", "a.toml", "b.toml", "-o", "both/models")
    run("train", "a.toml")
    assert Path("a.modnet").read_bytes() == Path("both/models/a.modnet").read_bytes()


def test_quiet_leaves_the_lines_of_the_models_and_the_table(run, specs):
    result = run("train", "a.toml", "b.toml", "-q")
    assert [line.split()[0] for line in result.stdout.splitlines() if line] == [
        *("a.modnet", "b.modnet"),
        *("spec", "a.toml", "b.toml"),
    ]
    assert result.stderr == ""


def test_one_that_fails_does_not_stop_the_others(run, specs):
    result = run("train", "wild.toml", "a.toml", status=1)
    assert "error: " in result.stderr
    wild, a = result.stdout.splitlines()[-2:]
    assert wild.split()[0] == "wild.toml"
    assert "loss became" in wild
    assert a.split()[-1] == "a.modnet"
    assert Path("a.modnet").exists()
    assert not Path("wild.modnet").exists()


def test_all_are_checked_before_the_first_training(run, specs):
    (specs / "bad.toml").write_text((specs / "a.toml").read_text().replace('"softmax"', '"softmx"'))
    (specs / "lost.toml").write_text((specs / "a.toml").read_text().replace("pets.csv", "lost.csv"))
    result = run("train", "a.toml", "bad.toml", "lost.toml", status=2)
    assert 'did you mean "softmax"?' in result.stderr
    assert "lost.csv" in result.stderr
    assert result.stderr.endswith("2 specs of 3 cannot be trained; no training was started\n")
    assert not Path("a.modnet").exists()


def test_json(run, specs):
    found = json.loads(run("train", "wild.toml", "a.toml", "--json", status=1).stdout)
    assert [row["spec"] for row in found] == ["wild.toml", "a.toml"]
    assert [row["status"] for row in found] == [1, 0]
    assert "loss became" in found[0]["error"]
    assert found[1]["error"] is None
    assert found[1]["model"] == "a.modnet"
    assert found[1]["history"] == modnet.load("a.modnet").history


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.toml", "a.toml"], "a.toml and a.toml: both models would be a.modnet"),
        (["a.toml", "b.toml", "-o", "out.modnet"], "with several specs, -o is the folder for their models"),
        ([], "Missing argument 'SPEC...'"),
    ],
)
def test_wrong_calls(run, specs, arguments, message):
    assert message in run("train", *arguments, status=2).stderr


def test_a_signal_ends_all_of_them(run, specs, monkeypatch):
    fit = one_training.Run.fit

    def stopped_at_once(self):
        self.terminate()
        return fit(self)

    monkeypatch.setattr(one_training.Run, "fit", stopped_at_once)
    result = run("train", "a.toml", "b.toml", status=143)
    assert "not begun: b.toml" in result.stderr
    assert not Path("b.modnet").exists()

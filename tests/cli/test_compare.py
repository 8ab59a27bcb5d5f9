"""modnet compare"""

import json
from pathlib import Path

import pytest

import modnet


@pytest.fixture
def models(run):
    """Three models of one target, one of them without the column that matters."""
    run("train", "pets.toml", "-o", "a.modnet")
    run("train", "pets.toml", "-o", "b.modnet", "--set", "training.seed=1")
    useless = ("--set", 'data.inputs=["collar"]', "--set", "network.input=[2]")
    run("train", "pets.toml", "-o", "c.modnet", *useless)
    return ("a.modnet", "c.modnet")


def test_side_by_side_with_a_verdict(run, models):
    told = run("compare", *models, "pets.csv")
    lines = told.stdout.splitlines()
    assert lines[:4] == ["pets.csv: 80 rows", "", "A  a.modnet", "B  c.modnet"]
    assert lines[5].split() == ["A", "B"]
    assert [line.split()[0] for line in lines[6:8]] == ["accuracy", "log"]
    assert lines[9].split() == ["difference", "95", "%", "of", "them", "A", "better"]
    assert lines[10].endswith("100.0 %   A is better")
    assert lines[-1] == "intervals from 2,000 resamples of the rows, the same for all models"
    assert told.stderr == ""


def test_several_models_and_no_difference(run, models):
    lines = run("compare", "a.modnet", "a.modnet", "pets.csv", status=2).stderr.splitlines()
    assert lines[-1] == "Error: a model is there twice; there would be no difference"
    Path("same.modnet").write_bytes(Path("a.modnet").read_bytes())
    lines = run("compare", "a.modnet", "same.modnet", "c.modnet", "pets.csv", "--resamples", "50").stdout.splitlines()
    assert lines[4] == "C  c.modnet"
    assert sum(line.endswith("no difference that these rows can show") for line in lines) == 2
    assert sum("C - A" in line for line in lines) == 2


def test_groups_metrics_and_standard_input(run, models):
    asked = ("--group", "collar", "--metric", "auc", "--metric", '{type="f1", average="macro"}', "--resamples", "50")
    told = run("compare", *models, "-", *asked, input=Path("pets.csv").read_text()).stdout
    assert told.startswith("standard input: 80 rows\n")
    assert "50 resamples of the 2 groups of rows" in told
    assert "auc  B - A" in told
    assert "accuracy" not in told


def test_json(run, models):
    found = json.loads(run("compare", *models, "pets.csv", "--json", "--seed", "3").stdout)
    assert (found["rows"], found["groups"], found["resamples"], found["seed"]) == (80, None, 2000, 3)
    networks = {model: modnet.load(model) for model in models}
    ours = modnet.compare(networks, _rows(), seed=3)
    assert found["metrics"] == {model: pytest.approx(figures) for model, figures in ours.figures.items()}
    difference = found["differences"]["c.modnet"]["accuracy"]
    assert difference["better"] == "a.modnet"
    assert (difference["low"], difference["high"]) == pytest.approx(
        ours.differences["c.modnet"]["accuracy"].interval[:2]
    )


def _rows():
    names, *lines = (line.split(",") for line in Path("pets.csv").read_text().splitlines())
    return [dict(zip(names, (kind, float(size), collar), strict=True)) for kind, size, collar in lines]


def test_arrays(run):
    run("train", "points.toml", "-o", "a.modnet")
    run("train", "points.toml", "-o", "b.modnet", "--set", "training.epochs=20")
    told = run("compare", "a.modnet", "b.modnet", "points.npz", "--resamples", "50")
    assert told.stdout.startswith("points.npz: 60 rows\n")
    assert "a.modnet was trained on these rows, and looks better on them than it is" in told.stderr
    refused = run("compare", "a.modnet", "b.modnet", "points.npz", "--group", "g", status=2).stderr
    assert "group is a column of a table; found arrays" in refused


@pytest.mark.parametrize(
    ("spec", "settings", "told"),
    [
        ("pets.toml", (), "the validation rows of pets.toml: 20 rows"),
        ("pets.toml", ("data.test=0.1",), "the test rows of pets.toml: 8 rows"),
        ("pets.toml", ('data.test="pets.csv"',), "the test rows of pets.toml: 80 rows"),
        ("points.toml", ("data.validation=0.1",), "the validation rows of points.toml: 6 rows"),
    ],
)
def test_the_rows_that_a_spec_keeps_from_its_training(run, models, spec, settings, told):
    if spec == "points.toml":
        for name in models:
            run("train", spec, "-o", name)
    options = [word for setting in settings for word in ("--set", setting)]
    found = run("compare", *models, "--spec", spec, *options, "--resamples", "50").stdout
    assert found.splitlines()[0] == told
    if not settings:
        validated = modnet.read_data("pets.toml").validation
        ours = modnet.evaluate(modnet.load("a.modnet"), validated)["accuracy"]
        assert found.splitlines()[6].split() == ["accuracy", f"{ours:.3f}", "0.500"]


def test_rows_that_cannot_be_measured(run, models):
    lines = Path("pets.csv").read_text().splitlines()
    Path("holes.csv").write_text("\n".join([*lines[:60], ",5.0,red", "fox,5.0,red"]) + "\n")
    told = run("compare", *models, "holes.csv", "--resamples", "50")
    assert told.stdout.startswith("holes.csv: 59 rows\n")
    assert told.stderr.count("fox") == 1  # once for both


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.modnet", "pets.csv"], "give two models or more, and the data last; found only a.modnet and pets.csv"),
        (["a.modnet", "c.modnet", "--spec", "points.toml"], "the spec sets no rows aside"),
        (["a.modnet", "--spec", "pets.toml"], "Missing argument 'MODEL...'"),
        (["a.modnet", "c.modnet", "pets.cvs"], 'did you mean "pets.csv"?'),
        (["a.modnet", "x.modnet", "pets.csv"], "x.modnet: no such file"),
        (["a.modnet", "pets.csv", "c.modnet"], "pets.csv"),
        (["a.modnet", "c.modnet", "points.npz"], "points.npz"),
        (["a.modnet", "c.modnet", "pets.csv", "--metric", "r2"], '"r2" does not fit'),
        (["a.modnet", "c.modnet", "pets.csv", "--metric", "acuracy"], '--metric acuracy: unknown metric "acuracy"'),
        (["a.modnet", "c.modnet", "pets.csv", "--group", "coler"], 'did you mean "collar"?'),
        (["a.modnet", "c.modnet", "pets.csv", "--resamples", "3"], "3 is not in the range"),
        (["a.modnet", "sizes.modnet", "pets.csv"], "a.modnet predicts kind, and sizes.modnet predicts size"),
    ],
)
def test_mistakes(run, models, arguments, message):
    layers = 'network.layers=["standardize", {type="linear", out_features=1}, "unstandardize"]'
    sizes = ["data.target=size", "network.input=[4]", "training.loss=mse", "training.metrics=[]", layers]
    run("train", "pets.toml", "-o", "sizes.modnet", *(word for setting in sizes for word in ("--set", setting)))
    assert message in run("compare", *arguments, status=2).stderr

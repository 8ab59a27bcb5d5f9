"""modnet evaluate"""

import json
from pathlib import Path

import numpy as np
import pytest

import modnet


def test_figures_with_their_base_rates_and_the_classes(run, model):
    lines = run("evaluate", model, "pets.csv").stdout.splitlines()
    assert lines[0] == "pets.csv: 80 rows"
    assert lines[1].split() == ["base", "rate"]
    assert lines[2].split()[0::2] == ["loss", "0.6931"]
    assert lines[3] == "accuracy  1.000 (80 of 80)      0.500"
    assert lines[4:] == [
        "base rate: always cat (40 of 80 rows)",
        "",
        "kind  rows  precision  recall     f1",
        "cat     40      1.000   1.000  1.000",
        "dog     40      1.000   1.000  1.000",
    ]


def test_standard_input(run, model):
    assert run("evaluate", model, "-", input=Path("pets.csv").read_text()).stdout.startswith("standard input: 80 rows")


def test_a_confusion_matrix_has_the_names_of_the_classes(run):
    run("train", "pets.toml", "--set", 'training.metrics=["confusion_matrix"]')
    assert run("evaluate", "pets.modnet", "pets.csv").stdout.splitlines()[5:9] == [
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
    assert report["base"]["metrics"]["accuracy"] == pytest.approx(1 / 3)
    assert report["base"]["guesses"] == {"output": "0"}
    assert report["classes"]["output"]["2"]["rows"] == 20


def test_any_metric_can_be_measured(run, model):
    asked = ("--metric", "auc", "--metric", "confusion_matrix", "--metric", '{type="f1", average="macro"}')
    told = run("evaluate", model, "pets.csv", *asked).stdout
    assert [line.split()[0] for line in told.splitlines()[2:5]] == ["loss", "auc", "f1"]
    assert "auc   1.000       0.500\n" in told
    assert "confusion matrix\n       cat  dog\n" in told
    assert "accuracy" not in told
    report = json.loads(run("evaluate", model, "pets.csv", "--json", *asked).stdout)
    assert list(report["metrics"]) == ["loss", "auc", "confusion_matrix", "f1"]
    assert report["classes"]["kind"]["dog"] == {"rows": 40, "precision": 1.0, "recall": 1.0, "f1": 1.0}


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("auk", '--metric auk: unknown metric "auk"; did you mean "auc"?'),
        ('{type="f1", averag="macro"}', 'averag="macro"}: unknown key; did you mean "average"?'),
        ('{type="top_k_accuracy", k=0}', "expected a whole number >= 1, found 0"),
        ("top_k_accuracy(k=3)", """written as in a spec: --metric '{type="top_k_accuracy", k=3}'"""),
        ("kind=auc", "--metric kind=auc: no output is called kind; there is output"),
        ("r2", '--metric: "r2" does not fit the model: it measures numbers, but the model predicts kind as classes'),
        ("linear", 'expected a metric, found "linear", which is a layer'),
    ],
)
def test_a_metric_that_is_none_or_does_not_fit_is_refused(run, model, metric, message):
    assert message in run("evaluate", model, "pets.csv", "--metric", metric, status=2).stderr


def test_numbers_are_compared_with_their_mean(run):
    network = 'network.layers=["standardize", { type = "linear", out_features = 1 }, "unstandardize"]'
    settings = ["data.target=size", 'training.loss="mse"', 'training.metrics=["r2", "mean_absolute_error"]', network]
    run(
        "train",
        "pets.toml",
        *(word for setting in settings for word in ("--set", setting)),
        "--set",
        "network.input=[4]",
    )
    told = run("evaluate", "pets.modnet", "pets.csv").stdout
    sizes = [float(line.split(",")[1]) for line in Path("pets.csv").read_text().splitlines()[1:]]
    mean = np.mean(sizes)
    assert f"base rate: always {mean:.4f}, the mean" in told
    report = json.loads(run("evaluate", "pets.modnet", "pets.csv", "--json").stdout)
    assert report["base"]["metrics"]["loss"] == pytest.approx(1, abs=0.05), (
        "in deviations of the target, as the loss is"
    )
    assert f"{np.abs(sizes - mean).mean():.4f}\n" in told
    message = '"accuracy" does not fit the model: it measures classes, but the model predicts size as a number'
    assert message in run("evaluate", "pets.modnet", "pets.csv", "--metric", "accuracy", status=2).stderr


def test_of_several_outputs_a_metric_names_its_own(run):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, 60), rng.standard_normal((60, 1))
    np.savez("two.npz", input=rng.standard_normal((60, 2)), a=a, b=b)
    Path("two.toml").write_text(TWO)
    run("train", "two.toml")
    told = run("evaluate", "two.modnet", "two.npz", "--metric", "a=auc", "--metric", "b=r2", "--json").stdout
    report = json.loads(told)
    assert list(report["metrics"]) == ["loss", "a_loss", "a_auc", "b_loss", "b_r2"]
    assert list(report["classes"]) == ["a"]
    assert report["base"]["guesses"] == {"a": str(int(a.mean() > 0.5)), "b": pytest.approx(b.mean(), rel=1e-5)}
    message = "--metric auc: of several outputs say which: --metric a=METRIC"
    assert message in run("evaluate", "two.modnet", "two.npz", "--metric", "auc", status=2).stderr
    assert "base rate of a: always" in run("evaluate", "two.modnet", "two.npz").stdout


TWO = """\
[network]
input = [2]
layers = [
  { type = "linear", out_features = 4, name = "middle" },
  { type = "linear", out_features = 2, inputs = ["middle"] }, { type = "softmax", name = "a" },
  { type = "linear", out_features = 1, inputs = ["middle"], name = "b" },
]
outputs = ["a", "b"]

[training]
loss = { a = "cross_entropy", b = "mse" }
epochs = 1

[data]
train = "two.npz"
"""


def test_what_was_done_about_values_is_said_on_standard_error(run, model):
    Path("test.csv").write_text("kind,size,collar\ncat,4,red\ndog,,green\n")
    expected = [
        "1 row had missing values: filled (mean of 1 column)",
        "1 row had an unknown category in column collar",
    ]
    for arguments, text in (("test.csv", None), ("-", Path("test.csv").read_text())):
        result = run("evaluate", model, arguments, "--json", input=text)
        assert result.stderr.splitlines() == expected
        assert json.loads(result.stdout)["rows"] == 2


def test_rows_that_cannot_be_measured_are_left_out_and_said(run, model):
    lines = Path("pets.csv").read_text().splitlines()
    place = lines[0].split(",").index("kind")
    for row, kind in ((1, "eel"), (2, ""), (3, "eel")):
        cells = lines[row].split(",")
        cells[place] = kind
        lines[row] = ",".join(cells)
    Path("odd.csv").write_text("\n".join(lines) + "\n")
    found = run("evaluate", model, "odd.csv")
    assert found.stdout.startswith("odd.csv: 77 rows")
    assert found.stderr.splitlines() == [
        "1 row left out: no kind, which is to be predicted",
        '2 rows left out: kind unknown to the model, such as "eel"',
    ]
    assert run("evaluate", model, "-", input="\n".join(lines)).stderr.splitlines()[:2] == found.stderr.splitlines()


def test_rows_none_of_which_can_be_measured_are_refused(run, model):
    lines = Path("pets.csv").read_text().replace("cat", "eel").replace("dog", "eel")
    Path("odd.csv").write_text(lines)
    found = run("evaluate", model, "odd.csv", status=2)
    assert 'unknown category "eel"' in found.stderr


def test_options_of_reading(run, model):
    Path("bars.csv").write_text("title; of\n" + Path("pets.csv").read_text().replace(",", ";"), encoding="utf-16")
    options = ("--delimiter", ";", "--header", "2", "--encoding", "utf-16")
    assert run("evaluate", model, "bars.csv", *options).stdout.startswith("bars.csv: 80 rows")


def test_rows_that_the_model_may_have_learnt_from(run, model):
    told = " ".join(run("evaluate", model, "pets.csv").stderr.split())
    assert "together as many as here; if these are the same rows, it looks better here than it is" in told
    lines = Path("pets.csv").read_text().splitlines(keepends=True)
    Path("some.csv").write_text("".join(lines[:40]))
    assert run("evaluate", model, "some.csv").stderr == ""

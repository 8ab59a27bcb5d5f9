"""modnet explain"""

import json
from pathlib import Path

import numpy as np
import pytest

import modnet


def test_importance_and_dependence(run, model):
    told = run("explain", model, "pets.csv", "--repeats", 2)
    lines = told.stdout.splitlines()
    assert lines[0] == "what is lost when a column is shuffled (80 rows, 2 times each)"
    assert lines[1].split() == ["loss", "rises", "by", "accuracy", "falls", "by"]
    assert lines[2].split()[0] == "size"
    assert lines[2].endswith("####################")
    assert "mean prediction if collar had this value in every row" in lines
    assert told.stderr.splitlines()[0] == "pets.csv: 80 rows"


def test_rows_without_a_target(run, model):
    rows = [line.split(",", 1)[1] for line in Path("pets.csv").read_text().splitlines()]
    Path("new.csv").write_text("\n".join(rows) + "\n")
    told = run("explain", model, "new.csv", "--row", 2, "--rows", "80,4-5", "--class", "dog").stdout
    assert [line for line in told.splitlines() if line.startswith("row")] == [
        line for line in told.splitlines() if ": P(dog) = " in line
    ]
    starts = [line.split(":")[0] for line in told.splitlines() if line.startswith("row")]
    assert starts == ["row 2 (line 3)", "row 80 (line 81)", "row 4 (line 5)", "row 5 (line 6)"]


def test_standard_input_and_json(run, model):
    text = Path("pets.csv").read_text()
    found = json.loads(run("explain", model, "-", "--repeats", 2, "--json", input=text).stdout)
    assert found["importance"]["rows"] == 80
    assert {column["column"] for column in found["importance"]["columns"]} == {"size", "collar"}
    assert found["dependence"][0]["predictions"] == ["P(cat)", "P(dog)"]
    assert found["rows"] == []
    found = json.loads(run("explain", model, "-", "--row", 3, "--json", input=text).stdout)
    (row,) = found["rows"]
    total = row["baseline"] + sum(column["adds"] for column in row["columns"]) + row["error"]
    assert total == pytest.approx(row["value"])
    assert row["row"] == 3


def test_arrays(run):
    run("train", "points.toml")
    lines = run("explain", "points.modnet", "points.npz", "--figure", "accuracy").stdout.splitlines()
    assert lines[2].split()[0] in ("input[0]", "input[1]")
    with np.load("points.npz") as points:
        predicted = modnet.load("points.modnet").forward(points["x"])[6]
    told = run("explain", "points.modnet", "points.npz", "--row", 7).stdout
    assert told.startswith(f"row 7: P({predicted.argmax()}) = {predicted.max():.4f}\n")


def test_pictures(run, model):
    pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")
    told = run("explain", model, "pets.csv", "--repeats", 1, "--plot", "pictures")
    assert "pictures/importance.png" in told.stderr.replace("\\", "/").splitlines()
    assert Path("pictures/dependence-size.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "0"], "--rows: expected numbers of rows from 1, such as 1,5,9 or 3-6; found '0'"),
        (["--rows", "5-3"], "found '5-3'"),
        (["--rows", "a"], "found 'a'"),
        (["--rows", "1-99999"], "--rows 1-99999: more than 1,000 rows"),
        (["--row", "81"], "there is no row 81; the data have 80 rows"),
        (["--column", "colar"], 'the model reads no column "colar"; did you mean "collar"?'),
        (["--class", "cta"], 'no class is called "cta"; did you mean "cat"?'),
        (["--figure", "acuracy"], '--figure acuracy: unknown metric "acuracy"; did you mean "accuracy"?'),
        (["--figure", "confusion_matrix"], "is not one number that can get better or worse"),
        (["--plot", "nowhere/a.png"], "there is no folder nowhere"),
        (["--plot", "nowhere/pictures"], "nowhere"),
        (["--plot", "a.gif"], 'a.gif: no picture is written as ".gif"'),
    ],
)
def test_mistakes(run, model, arguments, message):
    result = run("explain", model, "pets.csv", *arguments, status=2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr

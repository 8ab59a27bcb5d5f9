"""modnet report"""

from pathlib import Path

import pytest

pytest.importorskip("jinja2", reason="jinja2 (extra `report`) is not installed")
pytest.importorskip("matplotlib", reason="matplotlib (extra `report`) is not installed")


def test_a_report_with_rows(run, model):
    told = run("report", model, "pets.csv", "--repeats", 1)
    assert told.stdout.startswith("pets.html  ")
    assert "pets.csv: 80 rows" in told.stderr
    html = Path("pets.html").read_text(encoding="utf-8")
    assert "What matters" in html
    assert "modnet predict pets.modnet" in html


def test_a_report_without_rows_says_what_it_lacks(run, model):
    told = run("report", model, "-o", "about.html")
    assert "without rows it cannot say how good the model is: modnet report pets.modnet TEST.csv" in told.stderr
    assert "What matters" not in Path("about.html").read_text(encoding="utf-8")


def test_arrays(run):
    run("train", "points.toml")
    run("report", "points.modnet", "points.npz", "--repeats", 1)
    assert "network.forward(x)" in Path("points.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pets.csv", "-o", "report.pdf"], "-o report.pdf: a report is a file .html"),
        (["pets.csv", "-o", "nowhere/report.html"], "there is no folder nowhere"),
        (["--decimal", ","], "options of reading are for DATA, which is not given"),
        (["nothing.csv"], "nothing.csv: no such file"),
    ],
)
def test_mistakes(run, model, arguments, message):
    result = run("report", model, *arguments, status=2)
    assert message in result.stderr
    assert not list(Path().glob("*.html"))

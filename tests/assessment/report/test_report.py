"""modnet.report: what the page says, that it is one file, and that nobody's data become part of its code."""

import re

import numpy as np
import pytest

import modnet
from tests.assessment.explanation import networks
from tests.assessment.report.pages import Page

pytest.importorskip("jinja2", reason="jinja2 (extra `report`) is not installed")
pytest.importorskip("matplotlib", reason="matplotlib (extra `report`) is not installed")

ALWAYS = ["training", "data", "network", "use", "provenance"]


def test_classes():
    network, table = networks.classes()
    made = modnet.report(network, table, model="pets.modnet", repeats=2)
    page = Page(made.html)
    assert page.open == []
    assert [name for name in page.sections if name] == ["figures", "certainty", "columns", "worst", *ALWAYS]
    assert "A network that predicts kind (2 classes: cat, dog) from 3 columns of a table." in page.text()
    figures = modnet.evaluate(network, table)
    assert f"accuracy {figures['accuracy']:.3f}" in page.text()
    assert "Confusion of kind" in page.text("figures")
    assert "Calibration error" in page.text("certainty")
    assert "modnet predict pets.modnet new.csv -o predictions.csv" in page.text("use")
    assert "'colour': " in page.text("use")
    assert '"type": "standardize"' in page.text("provenance")
    assert page.text("data").startswith("Data Ranges and missing values are those of the 120 rows here.")
    assert made.notes[0] == "table: 120 rows"


def test_the_program_on_the_page_runs(tmp_path, monkeypatch):
    network, table = networks.classes()
    monkeypatch.chdir(tmp_path)
    modnet.save(network, "pets.modnet")
    for rows in (table, None):
        text = Page(modnet.report(network, rows, model="pets.modnet", repeats=1).html).sections["use"]
        program = text[text.index("import modnet") :].strip()
        found = {}
        exec(program.replace("network.predict", "answer = network.predict"), found)
        assert found["answer"]["kind"] in ("cat", "dog")


def test_numbers():
    network, x, y = networks.numbers(80)
    page = Page(modnet.report(network, x, y, repeats=2).html)
    assert "Truth and prediction of output" in page.text("figures")
    assert "certainty" not in page.sections
    assert "The rows with the largest error" in page.text("worst")
    assert "network.forward(x) # input: (rows, 4)" in page.text("use")
    assert "data" not in page.sections


def test_the_worst_rows_come_first_with_their_values():
    network, table = networks.classes()
    wrong = "dog" if table["kind"][6] == "cat" else "cat"
    table = {**table, "kind": [*table["kind"][:6], wrong, *table["kind"][7:]]}
    page = Page(modnet.report(network, table, repeats=1).html)
    first = page.text("worst").partition("noise ")[2].split()
    assert first[:2] == ["7", wrong]
    assert {f"{table['size'][6]:.7g}", table["colour"][6]} <= set(first[4:6])


def test_without_rows_it_says_what_the_file_knows(tmp_path):
    network, _ = networks.classes()
    modnet.save(network, tmp_path / "pets.modnet")
    page = Page(modnet.report(modnet.load(tmp_path / "pets.modnet")).html)
    assert [name for name in page.sections if name] == ALWAYS
    assert "cross_entropy" in page.text("training")
    assert "2: cat, dog" in page.text("data")


def test_dates_ids_and_gaps():
    network, table = networks.ids()
    page = Page(modnet.report(network, table, repeats=1).html)
    assert "2024-01-01 to 2024-10-26" in page.text("data") or re.search(r"2024-\d\d-\d\d to 2024", page.text("data"))
    assert "day, month" in page.text("data")


HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def hostile():
    """A page whose every name and value from elsewhere is a script."""
    rng = np.random.default_rng(0)
    kinds = [f"{HOSTILE} & 'a'", "b </style><b>"]
    table = {
        f"{HOSTILE} size $x^2$": rng.standard_normal(40),
        "{{ 7 * 7 }}": rng.choice([HOSTILE, "</svg>", "ok"], 40).tolist(),
        "target": [kinds[place] for place in rng.integers(0, 2, 40)],
    }
    names = list(table)[:2]
    spec = {
        "network": {"input": [4], "layers": [{"type": "linear", "out_features": 2}, "softmax"]},
        "training": {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 2},
        "data": {"target": "target", "inputs": names},
    }
    network = modnet.train(spec, table).network
    network.card = network.card.replace(metadata={HOSTILE: HOSTILE})
    return modnet.report(network, table, model=f"{HOSTILE}.modnet", repeats=1).html


def test_nothing_from_elsewhere_becomes_code(hostile):
    page = Page(hostile)
    assert page.open == []
    tags = {tag for tag, _ in page.tags}
    assert "script" not in tags
    assert "b" not in tags
    assert "{{ 7 * 7 }}" in page.text("data")
    assert "<script>" not in hostile
    assert 'alert("x")' in page.text("data")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_it_is_one_file(hostile):
    page = Page(hostile)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert "url(http" not in hostile
    assert "@import" not in hostile
    policy = next(attributes for _, attributes in page.tags if attributes.get("http-equiv"))
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_names_of_parts_are_unique():
    network, table = networks.classes()
    page = Page(modnet.report(network, table, repeats=1).html)
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    wanted = [attributes["href"][1:] for tag, attributes in page.tags if tag == "a"]
    assert set(wanted) <= set(names)


def test_the_same_model_and_rows_give_the_same_page():
    network, table = networks.classes()
    assert modnet.report(network, table, repeats=1).html == modnet.report(network, table, repeats=1).html


def test_it_is_written_as_a_whole(tmp_path):
    network, _ = networks.classes()
    made = modnet.report(network)
    made.save(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == made.html


def test_an_output_that_cannot_be_explained_is_no_obstacle():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 5, 2))
    spec = {
        "network": {"input": [5, 2], "layers": [{"type": "linear", "out_features": 1}]},
        "training": {"loss": "mse", "epochs": 1},
    }
    network = modnet.train(spec, x, x[:, :, :1]).network
    page = Page(modnet.report(network, x, x[:, :, :1], repeats=1).html)
    assert "This cannot be said here" in page.text("columns")


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    network, _ = networks.classes()
    with pytest.raises(modnet.MissingExtra, match=r"a report needs jinja2.*modnet-core\[report\]"):
        modnet.report(network)


def test_the_rows_of_the_training_make_no_good_report():
    network, table = networks.classes()
    made = modnet.report(network, table, repeats=1)
    assert "trained on exactly these rows" in Page(made.html).text("figures")
    assert "trained on exactly these rows" in made.notes[-1]


def test_intervals_and_an_ensemble():
    network, table = networks.classes(members=2)
    certain = modnet.intervals(network, table, coverage=0.9).network
    page = Page(modnet.report(certain, table, repeats=1).html)
    assert "How often the truth is covered." in page.text("certainty")
    assert "ensemble_mean" in page.text("network")

"""A first spec for a table: it is valid, it fits the table, and it trains."""

import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.data.files import read
from modnet.data.spec import column_names
from modnet.data.suggest import suggest_spec
from modnet.data.table import Table
from modnet.datasets.load import Loader
from modnet.errors import DataError

REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the full data sets are not at hand")


def table(rows=60, **columns):
    made = {
        "size": [f"{n * 0.37 % 5:.2f}" for n in range(rows)],
        "colour": [("red", "blue")[n % 2] for n in range(rows)],
        "kind": [("cat", "dog", "eel")[n % 3] for n in range(rows)],
    }
    return Table({name: list(values) for name, values in {**made, **columns}.items()}, "pets.csv")


def suggested(found, *targets):
    text = suggest_spec(found, targets, "pets.csv")
    spec, _ = modnet.read_spec(tomllib.loads(text))
    return text, spec


def types(spec):
    return [node.layer.type for node in spec.network.layers]


def test_classes():
    _, spec = suggested(table(), "kind")
    assert spec.network.input == {"numbers": (1,), "codes": (2,)}
    assert types(spec)[:4] == ["standardize", "piecewise_encoding", "standardize", "concatenate"]
    assert types(spec)[-2:] == ["linear", "softmax"]
    assert spec.network.layers[-2].layer.out_features == 3
    assert spec.training.loss.type == "cross_entropy"
    assert [metric.type for metric in spec.training.metrics] == ["accuracy"]
    assert (spec.data.target, spec.data.validation) == ("kind", 0.2)
    assert spec.data.inputs == {"numbers": ("size",), "codes": ("colour",)}


def test_a_number():
    _, spec = suggested(table(), "size")
    assert types(spec)[0] == "standardize"
    assert types(spec)[-2:] == ["linear", "unstandardize"]
    assert spec.training.loss.type == "mse"
    assert [metric.type for metric in spec.training.metrics] == ["r2", "mean_absolute_error"]


def test_several_numbers():
    text, spec = suggested(table(weight=[str(n % 7 + 0.5) for n in range(60)]), "size", "weight")
    assert spec.data.target == ("size", "weight")
    assert spec.network.layers[-2].layer.out_features == 2
    assert text.startswith("# size, weight from pets.csv: 60 rows\n")


@pytest.mark.parametrize(("values", "loss"), [(3, "cross_entropy"), (30, "mse")])
def test_whole_numbers_are_classes_where_they_are_few(values, loss):
    _, spec = suggested(table(label=[str(n % values) for n in range(60)]), "label")
    assert spec.training.loss.type == loss


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([f"pet {n}" for n in range(60)], "60 different texts"),
        ([str(n + 1) for n in range(60)], "a running number"),
        (["NA"] * 60, "every value is missing"),
        (["here"] * 60, "always the same"),
    ],
)
def test_what_says_nothing_is_left_out(values, why):
    text, spec = suggested(table(name=values), "kind")
    assert f"# left out: name ({why})\n" in text
    assert column_names(spec.data.inputs) == ["size", "colour"]


def test_missing_values():
    sizes = ["NA", "", *(f"{n}.5" for n in range(58))]
    goals = {"kind of pet": ["NA", *["cat", "dog"] * 29, "cat"]}
    text, spec = suggested(table(size=sizes, **goals), "kind of pet")
    assert "# values are missing in size\n" in text
    assert spec.data.missing == "mean"
    assert spec.data.columns["kind of pet"].missing == "drop"


def test_a_column_has_the_options_that_were_found_and_no_others():
    days = [f"{1 + n % 28:02}.{1 + n % 12:02}.2024" for n in range(60)]
    text, _ = suggested(table(day=days), "kind")
    assert text.endswith('[data.columns.day]\nkind = "date"\ndate_format = "%d.%m.%Y"\n')


def test_names_that_need_quotes():
    awkward = 'a "size"\\ in µm\x7f'
    _, spec = suggested(
        table(**{awkward: [str(n % 7) for n in range(60)], "id": [f"{n:03}x" for n in range(60)]}), "kind"
    )
    assert awkward in column_names(spec.data.inputs)


def test_a_name_longer_than_a_line_stands_alone():
    long = "how satisfied are you with " + "the opening hours and " * 6
    _, spec = suggested(table(**{long: ["1", "2", "3"] * 20, "row": [str(n) for n in range(60)]}), "kind")
    assert set(column_names(spec.data.inputs)) == {"size", "colour", long}


@pytest.mark.parametrize(
    "odd", ["a\nb = 1", "a\rb", "a\x1b[2Jb", "a\x7fb", "a\x9b2Jb", "a\u2028b", "a\U000e0001b", 'a"b\\']
)
def test_whatever_a_name_holds_the_spec_is_one_and_moves_no_terminal(odd):
    found = table(**{odd: ["1", "", "3"] * 20, f"{odd}?": [f"{odd}{n}" for n in range(60)]})
    for targets in (["kind"], [odd]):
        text = suggest_spec(found, targets, f"{odd}.csv")
        assert text.replace("\n", "").isprintable()
        spec, _ = modnet.read_spec(tomllib.loads(text))
        assert spec.data.train == f"{odd}.csv"
        assert odd in (*column_names(spec.data.inputs), spec.data.target)


def test_many_columns_are_broken_into_lines():
    many = {f"measurement_{n}": [str(n * row % 41 + 0.5) for row in range(60)] for n in range(1, 40)}
    text, spec = suggested(table(**many, id=[f"{n:03}x" for n in range(60)]), "kind")
    assert len(column_names(spec.data.inputs)) == 41
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["sort"], 'no column "sort"'),
        (["gone"], "column gone: every value is missing"),
        (["kind", "size", "colour", "gone", "same", "born"], "all 6 columns are targets"),
        (["born"], "column born: these are dates, which cannot be a target; make a number of them"),
        (["same"], "column same: every value is 3.5; there is nothing to learn"),
    ],
)
def test_faults(targets, message):
    born = [f"2024-{1 + n % 12:02}-{1 + n % 28:02}" for n in range(60)]
    with pytest.raises(DataError, match=message):
        suggest_spec(table(gone=["NA"] * 60, same=["3.5"] * 60, born=born), targets, "pets.csv")


@pytest.mark.parametrize("gap", ["", "red|wet"])
def test_labels_as_target_want_a_sigmoid_for_each(gap):
    tags = ["red", "wet|old", "old|red|wet", "red|old", gap] * 12
    _, spec = suggested(table(tags=tags), "tags")
    assert types(spec)[-2:] == ["linear", "sigmoid"]
    assert spec.network.layers[-2].layer.out_features == 3
    assert spec.training.loss.type == "binary_cross_entropy"
    assert spec.data.columns["tags"].missing is None  # an empty cell has no label


def test_labels_as_input_are_not_filled_in():
    tags = ["red", "wet|old", "old|red|wet", "red|old", ""] * 12
    text, spec = suggested(table(tags=tags), "kind")
    assert spec.network.input == {"numbers": (1,), "codes": (5,)}
    assert "tags (3 labels)" in text
    assert 'kind = "labels"' in text


def test_lines_are_short_with_several_inputs():
    codes = {f"a column of codes {n}": [f"code {row * n % 67}" for row in range(660)] for n in (1, 2, 3)}
    many = {f"measurement_{n}": [str(n * row % 41 + 0.5) for row in range(660)] for n in range(1, 8)}
    text, spec = suggested(table(660, **codes, **many), "kind")
    assert len(spec.network.input) > 1
    assert max(map(len, text.splitlines())) <= 100
    assert "missing_values = []" not in text


def test_a_running_number_is_an_input_where_there_is_no_other():
    curve = {"x": list(range(60)), "y": [n * n / 7 for n in range(60)]}
    text, spec = suggested(Table(curve, "curve.csv"), "y")
    assert spec.network.input == (1,)
    assert "left out" not in text
    text, _ = suggested(Table({**curve, "more": [n * 7 % 11 for n in range(60)]}, "curve.csv"), "y")
    assert "x (a running number)" in text


def test_nothing_to_predict_from():
    with pytest.raises(DataError, match=r"no column is left to predict from: name \(60 different texts\); if"):
        suggest_spec(Table({"name": [f"n{i}" for i in range(60)], "kind": ["a", "b"] * 30}, "t.csv"), ["kind"], "t.csv")


def trained(file, target, **arguments):
    spec, _ = modnet.read_spec(tomllib.loads(suggest_spec(read(REAL / file), [target], file)))
    network = modnet.build(spec)
    labels = ["output"] if spec.training.loss.takes_labels else []
    names = {"input_names": list(spec.network.input_shapes()), "output_names": ["output"], "label_outputs": labels}
    data = Loader(REAL, **names).load(spec.data)
    modnet.train(network, data.train, validation=data.validation, **arguments)
    return modnet.evaluate(network, data.validation)


@needs_real_data
def test_penguins():
    assert trained("penguins.csv", "species")["accuracy"] >= 0.97


@needs_real_data
def test_diamonds():
    with np.errstate(over="ignore"):
        assert trained("diamonds.csv.gz", "price", epochs=4)["r2"] >= 0.95


def test_a_target_of_names_is_refused():
    with pytest.raises(DataError, match="column tag: 60 different texts in 60 rows are names, not classes"):
        suggest_spec(table(tag=[f"tag {n}" for n in range(60)]), ["tag"], "pets.csv")


def test_names_of_columns_within_the_table_are_told():
    found = table()
    rows = {name: [*column.strings()[:30], name, *column.strings()[30:]] for name, column in found.columns.items()}
    assert "# row 31: the names of the columns again" in suggest_spec(Table(rows, "pets.csv"), ["kind"], "pets.csv")
    assert "again" not in suggest_spec(found, ["kind"], "pets.csv")


ROWS = 240
DAYS = [f"2024-{1 + n // 20:02}-{1 + n % 20:02}" for n in range(ROWS)]
CODES = [f"{n % 70:05}" for n in range(ROWS)]
KINDS = {
    "numbers and categories": ({}, ["kind"]),
    "a number": ({}, ["size"]),
    "gaps": ({"size": ["", *[f"{n}.5" for n in range(ROWS - 1)]]}, ["kind"]),
    "numbers alone": ({"colour": [n % 11 for n in range(ROWS)], "kind": [n % 13 / 2 for n in range(ROWS)]}, ["size"]),
    "categories alone": ({"size": [("s", "m", "l")[n % 3] for n in range(ROWS)]}, ["kind"]),
    "many categories": ({"zip": CODES}, ["size"]),
    "many categories alone": ({"size": CODES, "colour": CODES, "kind": [n % 2 for n in range(ROWS)]}, ["kind"]),
    "labels as input": ({"tags": [("a;b", "b", "a;b;c", "c;a", "")[n % 5] for n in range(ROWS)]}, ["kind"]),
    "labels": ({"tags": [("a;b", "b", "a;b;c", "c;a", "")[n % 5] for n in range(ROWS)]}, ["tags"]),
    "dates in order": ({"day": DAYS}, ["size"]),
    "dates": ({"day": [DAYS[n * 7 % ROWS] for n in range(ROWS)]}, ["kind"]),
    "patients": ({"patient": [n // 4 for n in range(ROWS)]}, ["size"]),
    "counts": ({"visits": [(0, 0, 0, 1, 2, 5)[n % 6] for n in range(ROWS)]}, ["visits"]),
    "a rare class": ({"fraud": [["no", "yes"][n % 40 == 0] for n in range(ROWS)]}, ["fraud"]),
    "classes with one row": ({"kind": ["eel", "ant", *["cat", "dog"] * (ROWS // 2 - 1)]}, ["kind"]),
    "two numbers": ({"weight": [n % 7 + 0.5 for n in range(ROWS)]}, ["size", "weight"]),
    "several kinds": (
        {"weight": [n % 7 + 0.5 for n in range(ROWS)], "sick": [n % 2 for n in range(ROWS)]},
        ["kind", "weight", "size", "sick"],
    ),
    "a target with the name of an input": ({"numbers": [n % 7 + 0.5 for n in range(ROWS)]}, ["numbers", "kind"]),
    "many numbers": ({f"m{n}": [n * row % 41 + 0.5 for row in range(ROWS)] for n in range(1, 90)}, ["kind"]),
}


@pytest.mark.parametrize("effort", ["quick", "good", "best"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_suggestion_fits_its_table_and_trains(kind, effort):
    if effort == "best":
        pytest.importorskip("modnet_tabular", reason="install the plugin modnet-tabular")
    more, targets = KINDS[kind]
    found = table(ROWS, **more)
    text = suggest_spec(found, targets, "pets.csv", effort=effort)
    rows = {name: column.strings() for name, column in found.columns.items()}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "class.* one row", UserWarning)
        history = modnet.train(tomllib.loads(text), rows, epochs=2)
    assert np.isfinite(history["loss"]).all()
    assert len(history["validation_loss"]) == 2
    assert {name for name in history.network.predict(rows) if name in targets} == set(targets)

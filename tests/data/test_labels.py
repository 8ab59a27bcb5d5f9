"""Several labels in one value."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import modnet
from modnet.data.column import Column
from modnet.data.labels import find_labels, find_separator, labels_in, split_labels
from modnet.data.rows import rows_of
from modnet.data.schema import DataSchema
from modnet.data.spec import ColumnSpec, DataSpec
from modnet.data.table import Table
from modnet.errors import DataError, ShapeError

MOVIES = {"year": [1990, 2000, 2010, 2020], "tags": ["comedy; drama", "", "Drama;war ", "comedy"]}


def learn(table=None, label_outputs=(), **column):
    declared = ColumnSpec(kind="labels", **column)
    spec = DataSpec(train="t.csv", target="tags", columns={"tags": declared})
    return DataSchema.learn(table or Table(MOVIES), spec, label_outputs=label_outputs)


def test_labels_become_zeros_and_ones():
    schema = learn()
    assert sorted(map(str.lower, schema.classes()["output"])) == ["comedy", "drama", "war"]
    found = schema.encode(Table(MOVIES)).targets["output"]
    column = schema.targets["output"][0]
    expected = [[tag in row.lower() for tag in map(str.lower, column.categories)] for row in MOVIES["tags"]]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32
    assert schema.describe() == "1 column -> tags (3 labels)"


@pytest.mark.parametrize(
    ("texts", "separator"),
    [(["a,b", "c"], ","), (["a|b, c", "d|e"], "|"), (["a; b, c", "d; e, f"], ";"), (["a", "b"], ";"), ([], ";")],
)
def test_the_separator_is_found(texts, separator):
    assert find_separator(texts) == separator


names = st.lists(st.text("abcdé1 ", min_size=1, max_size=5).filter(str.strip), max_size=4)


@given(rows=st.lists(names, max_size=20), separator=st.sampled_from([";", "|", ",", " / "]))
def test_every_label_of_every_text_is_found(rows, separator):
    texts = [separator.join(row) for row in rows]
    found = labels_in(texts, separator)
    assert len(set(found.labels)) == len(found.labels)
    for place, row in enumerate(rows):
        of_row = [found.labels[label] for label in found.places[found.texts == place]]
        assert of_row == [label.strip() for label in row]
    assert {label.casefold() for label in find_labels(texts, separator)} <= {label.casefold() for label in found.labels}


def test_many_unknown_labels_take_little_memory():
    texts = [";".join(f"label {row} {place}" for place in range(20)) for row in range(3000)]
    with pytest.raises(DataError, match='unknown label "label 0 0"; expected some of') as caught:
        learn().encode(Table({"year": [0] * 3000, "tags": texts}))
    assert len(caught.value.problems) == 3000
    with pytest.raises(DataError, match="column tags: 60,000 different labels, such as"):
        learn(Table({"year": [0] * 3000, "tags": texts}))


def test_the_most_frequent_spelling_counts_and_values_are_compared_by_what_they_mean():
    table = Table({"year": [1, 2, 3], "tags": ["War|x", "war|x", "war"]})
    column = learn(table).targets["output"][0]
    assert column.categories == ("war", "x")
    assert column.separator == "|"
    assert split_labels(" a | |b", "|") == ["a", "b"]


def test_an_unknown_label_is_told_where_labels_are_measured():
    schema = learn()
    table = Table({"year": [1, 2], "tags": ["drama", "drama; comdey"]})
    with pytest.raises(DataError, match=r'row 2, column tags: unknown label "comdey".*did you mean "comedy"\?'):
        schema.encode(table)
    assert len(schema.encode(table, targets=False).inputs["input"]) == 2


def test_a_gap_is_no_empty_list():
    table = Table({"year": [1, 2], "tags": ["drama", None]})
    with pytest.raises(DataError, match="row 2, column tags: missing value"):
        learn().encode(table)
    np.testing.assert_array_equal(learn(missing="drop").encode(table).targets["output"].sum(axis=1), [1])


def test_predictions_are_the_labels_above_one_half():
    schema = learn(categories=("comedy", "drama", "war"))
    found = schema.decode({"output": np.array([[0.9, 0.6, 0.1], [0.1, 0.5, 0.2]])})
    assert found["tags"].tolist() == ["comedy; drama", ""]
    assert found["P(drama)"].tolist() == [0.6, 0.5]
    assert [*found] == ["tags", "P(comedy)", "P(drama)", "P(war)"]


def test_labels_as_an_input():
    spec = DataSpec(train="t.csv", target="year", columns={"tags": ColumnSpec(kind="labels")})
    schema = DataSchema.learn(Table(MOVIES), spec)
    width = schema.input_shapes()["input"][0]
    assert width == 3
    report = modnet.data.faults.Report()
    found = schema.encode(Table({"tags": ["war; drama", "new; war", None]}), targets=False, report=report)
    np.testing.assert_array_equal(found.inputs["input"].sum(axis=1), [2, 1, 0])
    assert report.unknown == {"tags": 1}


def test_what_does_not_fit_labels():
    with pytest.raises(DataError, match="takes one class; end the network with sigmoid"):
        learn(label_outputs=["output"])
    with pytest.raises(ShapeError, match="column tags has 3 labels: "):
        learn().check_shapes({"input": (1,)}, {"output": (2,)})


def test_from_a_spec_to_predictions(tmp_path, monkeypatch):
    pytest.importorskip("click")
    from click.testing import CliRunner

    from modnet.cli.app import cli

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 2))
    on = {"up": x[:, 0] > 0, "right": x[:, 1] > 0, "far": (x**2).sum(axis=1) > 2}
    tags = ["; ".join(name for name in on if on[name][row]) for row in range(300)]
    rows = "".join(f'{a:.3f},{b:.3f},"{tag}"\n' for (a, b), tag in zip(x, tags, strict=True))
    Path("t.csv").write_text("a,b,tags\n" + rows)
    Path("s.toml").write_text(
        '[network]\ninput = [2]\nlayers = [{ type = "linear", out_features = 16, activation = "tanh" }, '
        '{ type = "linear", out_features = 3 }, "sigmoid"]\n[training]\nloss = "binary_cross_entropy"\n'
        'metrics = ["accuracy", "f1"]\nepochs = 60\noptimizer = { type = "adam", learning_rate = 0.02 }\n[data]\n'
        'train = "t.csv"\ntarget = "tags"\nvalidation = 0.2\n[data.columns.tags]\nkind = "labels"\n'
    )

    def run(*words):
        result = CliRunner().invoke(cli, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "tags (3 labels)" in run("check", "s.toml")
    run("train", "s.toml")
    metrics = json.loads(run("evaluate", "s.modnet", "t.csv", "--json"))["metrics"]
    assert metrics["accuracy"] > 0.95
    header, *_ = run("predict", "s.modnet", "t.csv").splitlines()
    assert header.split(",")[-4:] == ["tags", "P(far)", "P(right)", "P(up)"]
    network = modnet.load("s.modnet")
    assert network.predict({"a": 2.0, "b": 2.0})["tags"] == "far; right; up"
    assert network.predict({"a": -0.3, "b": -0.3})["tags"] == ""


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('["red", "wet"]', ["red", "wet"]),
        ("['red', 'it\\'s wet']", ["red", "it\\'s wet"]),
        ("['red', \"a, b\"]", ["red", "a, b"]),
        ("[]", []),
        ("[red, wet]", ["red", "wet"]),
        ("[1, 2]", ["1", "2"]),
        ("red; wet", ["red", "wet"]),
    ],
)
def test_a_list_as_programs_write_it_is_its_items(text, labels):
    assert split_labels(text, ";") == labels


@pytest.mark.parametrize("items", [["x", "y"], ("x", "y"), np.array(["x", "y"]), '["y", "x"]', "x; y"])
def test_a_cell_may_hold_a_list_of_labels(items):
    column = Column.of([items, []], "tags")
    assert [sorted(split_labels(text, ";")) for text in column.strings()] == [["x", "y"], []]


def test_a_list_that_is_no_list_of_texts_is_no_value():
    with pytest.raises(DataError, match=r"found \[1, 2\]"):
        Column.of([[1, 2], [3, 4]], "tags")


def test_a_record_with_a_list_of_labels_is_one_record():
    names, rows = ["age", "tags"], {"age": 1, "tags": ["x", "y"]}
    assert len(rows_of(rows, names, ["tags"]).table(names)) == 1
    with pytest.raises(DataError, match="column age: expected a list"):
        rows_of(rows, names).table(names)

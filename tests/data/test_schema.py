"""From the rows of a table to arrays, and from predictions back to names."""

import copy
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.column import Column
from modnet.data.column_schema import ColumnSchema
from modnet.data.faults import Report
from modnet.data.files import read_table
from modnet.data.schema import DataSchema
from modnet.data.spec import ColumnSpec, DataSpec
from modnet.data.table import Table
from modnet.errors import DataError, ShapeError

PENGUINS = """\
species,island,bill_length_mm,sex,year
Adelie,Torgersen,39,male,2007
Adelie,Torgersen,NA,NA,2007
Gentoo,Biscoe,46,female,2008
Chinstrap,Dream,50,female,2009
Gentoo,Biscoe,50,male,2009
"""


def table_of(text, name="penguins.csv"):
    return read_table(io.BytesIO(text.encode()), name)


def learn(text=PENGUINS, rows=None, inputs=("input",), outputs=("output",), labels=("output",), **spec):
    spec = DataSpec(**{"train": "penguins.csv", "target": "species", "missing": "mean", **spec})
    return DataSchema.learn(
        table_of(text), spec, input_names=inputs, output_names=outputs, label_outputs=labels, rows=rows
    )


def column(schema, name):
    columns = [c for group in (*schema.inputs.values(), *schema.targets.values()) for c in group]
    return next(c for c in columns if c.name == name)


# Learning


def test_a_table_is_learnt():
    schema = learn()
    assert schema.inputs["input"] == (
        ColumnSchema(
            "island", "category", ("Biscoe", "Dream", "Torgersen"), missing="mean", fill="Biscoe", unknown="code"
        ),
        ColumnSchema("bill_length_mm", "number", missing="mean", fill=46.25, lowest=39.0, highest=50.0),
        ColumnSchema("sex", "category", ("female", "male"), missing="mean", fill="female", unknown="code"),
        ColumnSchema("year", "number", missing="mean", fill=2008.0, lowest=2007.0, highest=2009.0),
    )
    assert schema.targets["output"] == (ColumnSchema("species", "category", ("Adelie", "Chinstrap", "Gentoo")),)
    assert schema.classes() == {"output": ("Adelie", "Chinstrap", "Gentoo")}
    assert schema.input_shapes() == {"input": (7,)}
    assert schema.describe() == "4 columns -> species (3 classes)"


def test_what_fills_gaps_is_learnt_from_the_training_rows_alone_but_categories_from_all():
    schema = learn(rows=[0, 1, 2])
    assert column(schema, "bill_length_mm").fill == 42.5
    assert column(schema, "island").fill == "Torgersen"
    assert column(schema, "island").categories == ("Biscoe", "Dream", "Torgersen")


def test_the_most_frequent_value_fills_and_the_first_of_several():
    schema = learn(missing="most_frequent")
    assert column(schema, "bill_length_mm").fill == 50
    assert column(schema, "sex").fill == "female"


def test_columns_can_be_declared():
    schema = learn(
        columns={
            "island": ColumnSpec(categories=("Torgersen", "Dream", "Biscoe"), encoding="ordinal", missing="error"),
            "year": ColumnSpec(kind="category"),
        }
    )
    dataset = schema.encode(table_of(PENGUINS))
    np.testing.assert_array_equal(dataset.inputs["input"][:, 0], [0, 0, 2, 1, 2])
    np.testing.assert_array_equal(dataset.inputs["input"][:, -3:], np.eye(3)[[0, 0, 1, 2, 2]])


def test_ordinal_columns_alone_are_ids():
    ordinal = ColumnSpec(categories=("Biscoe", "Dream", "Torgersen"), encoding="ordinal")
    schema = DataSchema.learn(
        table_of(PENGUINS),
        DataSpec(
            train="penguins.csv",
            target="species",
            inputs={"place": ("island",), "rest": ("year",)},
            columns={"island": ordinal},
        ),
        input_names=["place", "rest"],
        output_names=["output"],
        label_outputs=["output"],
    )
    dataset = schema.encode(table_of(PENGUINS))
    assert dataset.inputs["place"].dtype == np.int64
    np.testing.assert_array_equal(dataset.inputs["place"], [[2], [2], [0], [1], [0]])
    assert dataset.inputs["rest"].dtype == np.float64


def test_labels_that_are_numbers_are_classes_in_numeric_order():
    schema = learn("x,digit\n1,10\n2,9\n3,10\n", target="digit")
    assert schema.classes() == {"output": ("9", "10")}
    np.testing.assert_array_equal(schema.encode(table_of("x,digit\n1,10\n2,9\n")).targets["output"], [1, 0])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"labels": ()}, [[10], [9], [10]]),
        ({"columns": {"y": ColumnSpec(kind="number")}}, [[10], [9], [10]]),
        ({"target": ("y", "x")}, [[10, 1], [9, 2], [10, 3]]),
    ],
)
def test_targets_that_are_numbers(options, expected):
    text = "x,y,z\n1,10,0\n2,9,0\n3,10,0\n"
    schema = learn(text, **{"target": "y", **options})
    target = schema.encode(table_of(text)).targets["output"]
    assert target.dtype == np.float64
    np.testing.assert_array_equal(target, expected)


def test_two_classes_will_do_for_a_loss_of_probabilities():
    schema = learn("x,sick\n1,yes\n2,no\n", target="sick", labels=())
    np.testing.assert_array_equal(schema.encode(table_of("x,sick\n1,yes\n2,no\n")).targets["output"], [1, 0])


def test_several_inputs_and_outputs():
    schema = DataSchema.learn(
        table_of(PENGUINS),
        DataSpec(
            train="penguins.csv",
            target={"kind": "species", "size": ("bill_length_mm", "year")},
            inputs={"wide": ("island",), "deep": ("island", "sex")},
            missing="drop",
        ),
        input_names=["deep", "wide"],
        output_names=["kind", "size"],
        label_outputs=["kind"],
    )
    assert schema.input_shapes() == {"deep": (5,), "wide": (3,)}
    assert schema.describe() == "2 columns -> species (3 classes), bill_length_mm, year"
    dataset = schema.encode(table_of(PENGUINS))
    np.testing.assert_array_equal(dataset.inputs["wide"], np.eye(3)[[2, 0, 1, 0]])
    np.testing.assert_array_equal(dataset.targets["kind"], [0, 2, 1, 2])
    np.testing.assert_array_equal(dataset.targets["size"][0], [39, 2007])


MIXED = "x,y\n" + "\n".join(f"{number},{number}" for number in range(20)) + "\nabc,7\n"
NAMES = "x,y\n" + "\n".join(f"name{number},{number}" for number in range(300)) + "\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": None}, "penguins.csv: no target is set; set target to one of species, island,"),
        ({"target": "specie"}, 'penguins.csv: no column "specie" (did you mean "species"?); the columns are species,'),
        (
            {"target": {"out": "species"}},
            'penguins.csv: target: the network has no output "out"; did you mean "output"?',
        ),
        ({"target": {"zzz": "species"}}, 'penguins.csv: target: the network has no output "zzz"; it has output'),
        (
            {"target": "species", "outputs": ("a", "b")},
            "penguins.csv: the network has the outputs a, b; give target as a table: output -> columns",
        ),
        (
            {"target": {"a": "species"}, "outputs": ("a", "b")},
            'penguins.csv: target: no columns for the output "b" of the network',
        ),
        ({"target": {"output": ()}}, 'penguins.csv: target: the list of columns for the output "output" is empty'),
        (
            {"target": ("bill_length_mm", "year"), "text": "bill_length_mm,year\n1,2\n"},
            "penguins.csv: all columns are targets; there must be a column to predict from",
        ),
        (
            {"inputs": ("a", "b")},
            "penguins.csv: the network has the inputs a, b; give inputs as a table: input -> columns",
        ),
        ({"columns": {"sexx": ColumnSpec()}}, 'penguins.csv: no column "sexx" (did you mean "sex"?)'),
        (
            {"target": ("species", "year")},
            "penguins.csv: row 1 (line 2), column species: expected numbers as target, "
            'found "Adelie"; output "output" has several target columns',
        ),
        (
            {"labels": ()},
            'penguins.csv: row 1 (line 2), column species: expected numbers as target, found "Adelie"; '
            'the loss of output "output" takes numbers or two classes; use cross_entropy for more',
        ),
        (
            {"target": "year", "labels": (), "columns": {"year": ColumnSpec(kind="category")}},
            "penguins.csv: column year: expected numbers as target, found a column of categories; the loss of output",
        ),
        (
            {"text": "x,y\n1,a\n2,a\n", "target": "y"},
            'penguins.csv: column y: expected at least 2 classes, found only "a"',
        ),
        (
            {"text": "x,y\nNA,a\n,b\n", "target": "y"},
            "penguins.csv: column x: every value is missing; leave it out of inputs",
        ),
        (
            {"text": "x,y\n1,a\n,b\n", "target": "y", "rows": [1]},
            "penguins.csv: column x: every value of the training rows is missing; leave it out of inputs",
        ),
        (
            {"text": MIXED, "target": "x"},
            "penguins.csv: row 21 (line 22), column x: expected a number, as in nearly all rows of this column, found "
            '"abc"; if they are categories, set columns.x.kind = "category"',
        ),
        (
            {"text": 'x,y\n"1,5",a\n"2,5",b\n3,b\n', "target": "y"},
            'penguins.csv: row 1 (line 2), column x: "1,5" looks like a number; to read the column as numbers, set '
            'columns.x = { kind = "number", decimal = "," }; if they are categories, set columns.x.kind = "category"',
        ),
        (
            {"text": MIXED, "target": "y"},
            "penguins.csv: row 21 (line 22), column x: expected a number, as in nearly all rows of this column, found "
            '"abc"; if they are categories, set columns.x.kind = "category"',
        ),
        (
            {"text": NAMES, "target": "y"},
            "penguins.csv: column x: 300 different texts; leave it out of inputs, or, if they are categories, "
            'set columns.x.kind = "category"',
        ),
        (
            {"text": "x,y\n1,a\nabc,b\n", "target": "y", "columns": {"x": ColumnSpec(kind="number")}},
            'penguins.csv: row 2 (line 3), column x: expected a number, found "abc"',
        ),
        (
            {"columns": {"island": ColumnSpec(categories=("Biscoe", "Dream"))}},
            'penguins.csv: row 1 (line 2), column island: unknown category "Torgersen" (2 of 5 rows have',
        ),
    ],
)
def test_what_cannot_be_learnt(options, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        learn(**options)


# Encoding


def test_a_table_is_encoded():
    report = Report()
    dataset = learn().encode(table_of(PENGUINS), report=report)
    np.testing.assert_array_equal(
        dataset.inputs["input"],
        [
            [0, 0, 1, 39, 0, 1, 2007],
            [0, 0, 1, 46.25, 1, 0, 2007],
            [1, 0, 0, 46, 1, 0, 2008],
            [0, 1, 0, 50, 1, 0, 2009],
            [1, 0, 0, 50, 0, 1, 2009],
        ],
    )
    assert dataset.targets["output"].dtype == np.int64
    np.testing.assert_array_equal(dataset.targets["output"], [0, 0, 2, 1, 2])
    assert report.texts() == ["1 row had missing values: filled (mean of 1 column, most frequent of 1)"]


def test_rows_are_dropped_in_training_and_evaluation_only():
    schema = learn(missing="drop")
    report = Report()
    dataset = schema.encode(table_of(PENGUINS), report=report)
    assert len(dataset.targets["output"]) == 4
    assert report.texts() == ["1 row had missing values: dropped"]
    np.testing.assert_array_equal(dataset.targets["output"], [0, 2, 1, 2])
    predicted = schema.encode(table_of(PENGUINS), targets=False)
    np.testing.assert_array_equal(predicted.inputs["input"][1], [0, 0, 1, 46.25, 0, 0, 2007])


def test_what_is_filled_with_the_median_is_called_so():
    report = Report()
    learn(missing="median").encode(table_of(PENGUINS), report=report)
    assert report.texts() == ["1 row had missing values: filled (median of 1 column, most frequent of 1)"]


def test_a_gap_in_training_needs_a_policy_but_in_prediction_has_its_code():
    with pytest.raises(DataError, match=r"row 2 \(line 3\), column bill_length_mm: missing value; complete it"):
        learn(missing=None)
    complete = PENGUINS.replace("Adelie,Torgersen,NA,NA,2007\n", "")
    schema = learn(complete, missing=None)
    report = Report()
    gaps = "island,bill_length_mm,sex,year\nAtlantis,NA,,2007\n"
    found = schema.encode(table_of(gaps), targets=False, report=report).inputs["input"]
    np.testing.assert_array_equal(found, [[0, 0, 0, 46.25, 0, 0, 2007]])
    assert report.texts() == [
        "1 row had missing values: filled (mean of 1 column, a code of their own of 1)",
        "1 row had an unknown category in column island",
    ]


def test_declared_categories_are_complete_unless_the_spec_says_what_to_do_with_others():
    declared = ColumnSpec(categories=("Biscoe", "Dream", "Torgersen"))
    complete = PENGUINS.replace("Adelie,Torgersen,NA,NA,2007\n", "")
    for value, message in (("Mars", "unknown category"), ("", "missing value")):
        with pytest.raises(DataError, match=message):
            learn(complete, missing=None, columns={"island": declared}).encode(
                table_of(f"island,bill_length_mm,sex,year\n{value},39,male,2007\n"), targets=False
            )


def test_all_faults_are_told():
    schema = learn(unknown="error")
    bad = "island,bill_length_mm,sex,year\nDream,1,male,2007\nMars,x,male,2007\nDream,1,it,2007\n"
    with pytest.raises(
        DataError, match=r"row 2 \(line 3\), column island: unknown .*; 2 more faults, the next in row 2"
    ) as e:
        schema.encode(table_of(bad), targets=False)
    assert [(p.row, p.column, p.value) for p in e.value.problems] == [
        (1, "island", "Mars"),
        (1, "bill_length_mm", "x"),
        (2, "sex", "it"),
    ]
    encoded = schema.encode(table_of(bad), targets=False, faults="none")
    assert [fault.row for fault in encoded.faults] == [1, 1, 2]
    np.testing.assert_array_equal(encoded.inputs["input"][0], [0, 1, 0, 1, 0, 1, 2007])


def test_a_prediction_needs_no_target_and_other_columns_are_ignored():
    rows = table_of("note,year,sex,bill_length_mm,island\nhello,2008,male,1,Dream\n")
    dataset = learn().encode(rows, targets=False)
    assert dataset.targets == {}
    np.testing.assert_array_equal(dataset.inputs["input"], [[0, 1, 0, 1, 0, 1, 2008]])


def test_a_listed_category_is_no_missing_value():
    text = "country,y\nNA,a\nDE,b\n"
    schema = learn(text, target="y", missing="error", columns={"country": ColumnSpec(categories=("DE", "NA"))})
    np.testing.assert_array_equal(schema.encode(table_of(text)).inputs["input"], [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        (
            {"unknown": "error"},
            "species,island,bill_length_mm,sex,year\nAdelie,Torgensen,39,male,2007\n",
            'row 1 (line 2), column island: unknown category "Torgensen"; '
            'expected one of Biscoe, Dream, Torgersen; did you mean "Torgersen"?',
        ),
        (
            {},
            "species,island,bill_length_mm,sex,year\nKing,Dream,39,male,2007\n",
            'row 1 (line 2), column species: unknown category "King"; expected one of Adelie, Chinstrap, Gentoo',
        ),
        (
            {},
            "species,island,bill_length_mm,sex,year\nAdelie,Dream,39,male,2007\nAdelie,Dream,abc,male,2007\n",
            'row 2 (line 3), column bill_length_mm: expected a number, found "abc"',
        ),
        (
            {},
            "species,island,bill_length_mm,sex,year\nAdelie,Dream,NA,male,2007\nAdelie,Dream,inf,male,2007\n",
            'row 2 (line 3), column bill_length_mm: expected a number, found "inf"',
        ),
        (
            {},
            "island,bill_length,sex,year\nDream,1,male,2007\n",
            'no column "bill_length_mm" (did you mean "bill_length"?), no column "species"; the columns are',
        ),
        (
            {},
            "species,island,bill_length_mm,sex,year\nNA,Dream,39,male,2007\n",
            "row 1 (line 2), column species: missing value; a target is never filled in: complete it, or "
            'train with missing = "drop"',
        ),
        (
            {"missing": "drop"},
            "species,island,bill_length_mm,sex,year\nAdelie,Dream,39,,2007\n",
            "every row has a missing value in one of island, bill_length_mm, sex, year, species; no rows are left",
        ),
    ],
)
def test_rows_that_cannot_be_encoded(options, text, message):
    with pytest.raises(DataError, match=f"^{re.escape(f'new.csv: {message}')}"):
        learn(**options).encode(table_of(text, "new.csv"))


def test_a_model_of_arrays_knows_no_columns():
    with pytest.raises(
        DataError, match=r"^new\.csv: found a table, but the model was trained on arrays and has no columns"
    ):
        DataSchema({}, {"output": (ColumnSchema("y", "category", ("a", "b")),)}).encode(table_of("x\n1\n", "new.csv"))


# Decoding


def decoded(schema, outputs):
    """The predictions as lists."""
    return {name: values.tolist() for name, values in schema.decode(outputs).items()}


def test_classes_are_decoded():
    assert decoded(learn(), {"output": np.array([[0.125, 0.625, 0.25], [0.5, 0.0, 0.5]])}) == {
        "species": ["Chinstrap", "Adelie"],
        "P(Adelie)": [0.125, 0.5],
        "P(Chinstrap)": [0.625, 0.0],
        "P(Gentoo)": [0.25, 0.5],
    }


def test_one_probability_is_that_of_the_second_class():
    schema = learn("x,sick\n1,yes\n2,no\n", target="sick")
    expected = {"sick": ["yes", "no", "no"], "P(yes)": [0.75, 0.5, 0.25]}
    assert decoded(schema, {"output": np.array([[0.75], [0.5], [0.25]])}) == expected


def test_numbers_are_decoded():
    schema = learn(target=("bill_length_mm", "year"), labels=(), missing="drop")
    assert schema.decode({"output": np.array([[1.5, 2007.0]])}) == {"bill_length_mm": [1.5], "year": [2007.0]}


def test_several_targets_of_classes_say_whose_probability_it_is():
    schema = DataSchema(
        {"input": (ColumnSchema("x", "number"),)},
        {
            "a": (ColumnSchema("sick", "category", ("no", "yes")),),
            "b": (ColumnSchema("old", "category", ("no", "yes")),),
        },
    )
    found = schema.decode({"a": np.array([[0.25, 0.75]]), "b": np.array([[0.25]])})
    assert list(found) == ["sick", "P(sick=no)", "P(sick=yes)", "old", "P(old=yes)"]


# Shapes


def test_shapes_that_fit():
    learn().check_shapes({"input": (7,)}, {"output": (3,)})
    learn().check_shapes({"input": (None,)}, {"output": (3,)})
    learn("x,y\n1,a\n2,b\n", target="y").check_shapes({"input": (1,)}, {"output": (1,)})


@pytest.mark.parametrize(
    ("input_shapes", "output_shapes", "message"),
    [
        (
            {"input": (4,)},
            {"output": (3,)},
            'input "input" expects samples of shape (4,), but its columns give (7,): island (3, one-hot), '
            "sex (2, one-hot), 2 single numbers; set input = [7] or choose other columns",
        ),
        (
            {"input": (7, 1)},
            {"output": (3,)},
            'input "input" expects samples of shape (7, 1), but its columns give (7,)',
        ),
        (
            {"input": (7,)},
            {"output": (4,)},
            'output "output" gives samples of shape (4,), but column species has 3 classes: Adelie, Chinstrap, Gentoo; '
            "expected (3,)",
        ),
        (
            {"x": (7,)},
            {"output": (3,)},
            'the data have columns for the input "input", but the network has no such input',
        ),
        ({"input": (7,)}, {}, 'the data have columns for the output "output", but the network has no such output'),
    ],
)
def test_shapes_that_do_not_fit(input_shapes, output_shapes, message):
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}"):
        learn().check_shapes(input_shapes, output_shapes)


def test_an_output_of_numbers_must_have_the_width_of_its_columns():
    schema = learn(target=("bill_length_mm", "year"), labels=(), missing="drop")
    message = (
        'output "output" gives samples of shape (3,), but its target has 2 columns: bill_length_mm, year; expected'
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}"):
        schema.decode({"output": np.zeros((5, 3))})


# Plain values

names = st.text(max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def columns(draw, target=False):
    kind = draw(st.sampled_from(["number", "category"]))
    policies = ["error", "drop"] if target else ["error", "drop", "mean", "most_frequent"]
    missing = draw(st.sampled_from(policies))
    categories = tuple(draw(st.lists(names, min_size=1, max_size=4, unique=True))) if kind == "category" else ()
    fill = draw(st.sampled_from(categories) if categories else numbers) if missing in policies[2:] else None
    encoding = draw(st.sampled_from(["one_hot", "ordinal"])) if categories else "one_hot"
    return ColumnSchema(draw(names), kind, categories, encoding, missing, fill)


schemas = st.builds(
    DataSchema,
    st.dictionaries(
        names, st.lists(columns(), min_size=1, max_size=3, unique_by=lambda c: c.name).map(tuple), max_size=2
    ),
    st.dictionaries(names, columns(target=True).map(lambda c: (c,)), max_size=1),
    st.lists(names, max_size=3).map(tuple),
)


@given(schema=schemas)
def test_plain_values_give_the_schema_back(schema):
    plain = schema.to_plain()
    assert is_plain(plain)
    assert DataSchema.from_plain(plain) == schema


def is_plain(value):
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    return all(map(is_plain, value)) if type(value) is list else type(value) in (type(None), bool, int, float, str)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@given(schema=schemas, data=st.data())
def test_a_mangled_schema_is_refused_or_is_a_schema(schema, data):
    plain = {"root": copy.deepcopy(schema.to_plain())}
    *path, last = data.draw(st.sampled_from([p for p in places(plain) if p]))
    holder = plain
    for key in path:
        holder = holder[key]
    if data.draw(st.booleans()):
        del holder[last]
    else:
        holder[last] = data.draw(junk)
    try:
        found = DataSchema.from_plain(plain.get("root"))
    except DataError:
        return
    assert DataSchema.from_plain(found.to_plain()) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": None}, "data.inputs: expected a table, found nothing"),
        ({"surprise": 1}, "data.surprise: unknown key"),
        ({"inputs": {"x": []}}, "data: expected at least one column for each input and output, with different names"),
        ({"inputs": {"x": [{"name": "a", "kind": "letter"}]}}, 'data.inputs.x[0].kind: expected one of "number"'),
        (
            {"inputs": {"x": [{"name": "a", "kind": "category"}]}},
            "data.inputs.x[0]: expected categories if kind is category, and only then",
        ),
        (
            {"inputs": {"x": [{"name": "a", "kind": "category", "categories": ["a", "a"]}]}},
            "data.inputs.x[0]: expected categories that are all different",
        ),
        (
            {"inputs": {"x": [{"name": "a", "kind": "number", "encoding": "ordinal"}]}},
            "data.inputs.x[0]: the encoding ordinal is for categories, found a number",
        ),
        (
            {"inputs": {"x": [{"name": "a", "kind": "number", "missing": "mean"}]}},
            "data.inputs.x[0]: expected fill if missing is mean, median or most_frequent",
        ),
        (
            {"inputs": {"x": [{"name": "a", "kind": "number", "missing": "mean", "fill": "b"}]}},
            'data.inputs.x[0]: fill is "b"; expected a number, a date, or one of the categories',
        ),
        (
            {"inputs": {"x": [{"name": "a", "kind": "category", "categories": ["a"], "missing": "mean", "fill": 1}]}},
            "data.inputs.x[0]: fill is 1.0; expected a number, a date, or one of the categories",
        ),
        (
            {"targets": {"y": [{"name": "a", "kind": "number", "missing": "mean", "fill": 1}]}},
            "data: a target has a fill; expected none",
        ),
        (
            {"targets": {"y": [{"name": "a", "kind": "number"}], "z": [{"name": "a", "kind": "number"}]}},
            "data: one column is the target of two outputs",
        ),
        (
            {
                "targets": {
                    "y": [{"name": "a", "kind": "number"}, {"name": "b", "kind": "category", "categories": ["c"]}]
                }
            },
            "data: expected one column of categories or labels for an output, or columns of numbers",
        ),
    ],
)
def test_malformed_schemas(change, message):
    with pytest.raises(DataError, match=f"^{re.escape(f'malformed data schema: {message}')}"):
        DataSchema.from_plain({**learn().to_plain(), **change})


def test_a_table_without_columns_has_no_rows():
    assert len(Table({})) == 0


@pytest.mark.parametrize(("known", "value", "code"), [(("0", "1"), "1.0", 1), (("0.0", "1.0"), "0", 0)])
def test_whole_numbers_with_and_without_a_point_are_one_category(known, value, code):
    column = ColumnSchema(name="y", kind="category", categories=known)
    assert column.codes(Column.of([known[0], value])).tolist() == [0, code]


@pytest.mark.parametrize("value", ["01", "1.5", "x.0", "1.0.0", "-"])
def test_other_spellings_are_no_category(value):
    column = ColumnSchema(name="y", kind="category", categories=("0", "1"))
    assert column.codes(Column.of([value])).tolist() == [-1]


@pytest.mark.parametrize("others", [[], ["99"], ["abc", None], [99], [True]])
@pytest.mark.parametrize("value", [501, 501.0, "501", "00501"])
def test_a_code_that_has_lost_its_zeros_is_known_whatever_stands_beside_it(value, others):
    column = ColumnSchema(name="zip", kind="category", categories=("99", "00501"))
    assert column.codes(Column.of([value, *others]))[0] == 1


def test_a_number_that_may_be_two_codes_is_neither():
    column = ColumnSchema(name="zip", kind="category", categories=("0501", "00501"))
    assert column.codes(Column.of([501, "501", "00501"])).tolist() == [-1, -1, 1]


@pytest.mark.parametrize("missing", [None, "error", "mean", "most_frequent", "code", "drop"])
def test_an_empty_text_is_a_text_without_words(missing):
    text = 'note,y\n"a red house",a\n,b\n"a red house",a\n'
    columns = {"note": ColumnSpec(kind="text", buckets=8)}
    schema = learn(text, target="y", columns=columns, missing=missing)
    found = schema.encode(table_of(text)).inputs["input"]
    assert found.shape == (3, 8)
    assert [row.any() for row in found] == [True, False, True]


@pytest.mark.parametrize("missing", ["mean", "most_frequent", "code"])
def test_no_text_is_filled_with_that_of_other_rows(missing):
    text = 'note,y\n"a red house",a\nNA,b\n"a red house",a\n'
    columns = {"note": ColumnSpec(kind="text", buckets=8)}
    schema = learn(text, target="y", columns=columns, missing=missing)
    assert not schema.encode(table_of(text)).inputs["input"][1].any()

"""The `[data]` table and its checks."""

import re

import pytest

from modnet.configuration.reading import Reader, Reading
from modnet.data.spec import ColumnSpec, DataSource, DataSpec
from modnet.errors import SpecError


def from_table(table):
    """As a spec file's `[data]` is read."""
    reading = Reading(Reader())
    spec = DataSpec.from_table(table, ("data",), reading)
    reading.raise_problems()
    return spec


def test_a_table_gives_what_the_constructor_gives():
    table = {
        "train": {"x": "images.gz", "y": "labels.gz", "rows": [0, 8000]},
        "validation": 0.1,
        "target": ["price", "depth"],
        "inputs": {"wide": ["cut"], "deep": ["carat", "x"]},
        "columns": {"cut": {"categories": ["Fair", "Ideal"], "encoding": "ordinal"}},
        "missing": "mean",
    }
    spec = from_table(table)
    assert spec == DataSpec(
        train=DataSource(x="images.gz", y="labels.gz", rows=(0, 8000)),
        validation=0.1,
        target=("price", "depth"),
        inputs={"wide": ("cut",), "deep": ("carat", "x")},
        columns={"cut": ColumnSpec(categories=("Fair", "Ideal"), encoding="ordinal")},
        missing="mean",
    )
    assert from_table(spec.plain()) == spec


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"train": {}}, "data.train: give either path, or x and y"),
        ({"train": {"path": "a.csv", "x": "b.npy"}}, "data.train: give either path, or x and y"),
        ({"train": {"path": "a.csv", "y": "b.npy"}}, "data.train: give either path, or x and y"),
        ({"train": {"path": "a.csv", "rows": [3, 3]}}, "rows = [3, 3] is empty; expected the first row"),
        ({"train": {"path": "a.csv", "rows": [-1, 3]}}, "expected a whole number >= 0, found -1"),
        ({"train": "a.csv", "validation": 1.5}, "data.validation: expected a number > 0 and < 1 or"),
        ({"train": "a.csv", "validation": 0}, "data.validation: expected a number > 0 and < 1 or"),
        ({"train": "a.csv", "missing": "means"}, 'found "means"; did you mean "mean"?'),
        (
            {"train": "a.csv", "columns": {"a": {"ngrams": [3, 1]}}},
            "ngrams = [3, 1]; expected the shortest length, then the longest",
        ),
        (
            {"train": "a.csv", "columns": {"a": {"kind": "number", "ngrams": [1, 3]}}},
            'ngrams is for a text, found kind = "number"',
        ),
        ({"train": "a.csv", "target": ["a", "a"]}, 'data: target names "a" twice'),
        ({"train": "a.csv", "inputs": ["b", "b"]}, 'data: inputs names "b" twice'),
        ({"train": "a.csv", "inputs": {"p": ["b", "b"]}}, 'data: inputs.p names "b" twice'),
        ({"train": "a.csv", "target": {"p": "a", "q": ["b", "a"]}}, 'data: target names "a" twice'),
        ({"train": "a.csv", "target": "a", "inputs": ["b", "a"]}, 'data: column "a" is both a target and an input'),
        ({"train": "a.csv", "columns": {"a": {"encoding": "ordinal"}}}, "needs categories, in their order"),
        ({"train": "a.csv", "columns": {"a": {"kind": "number", "categories": ["x"]}}}, "categories is not a number"),
        (
            {"train": "a.csv", "columns": {"a": {"categories": ["x", "x"]}}},
            "expected categories that are all different",
        ),
        ({"train": "a.csv", "columns": {"a": {"categories": []}}}, "expected categories that are all different"),
    ],
)
def test_faults(table, message):
    with pytest.raises(SpecError, match=re.escape(message)):
        from_table(table)


def test_messages_have_no_names_of_classes():
    with pytest.raises(SpecError, match=r"^data: target names"):
        DataSpec(target=("a", "a"))
    with pytest.raises(SpecError, match=r"expected a number > 0 and < 1 or a string or a source table, found"):
        from_table({"train": "a.csv", "validation": [1]})

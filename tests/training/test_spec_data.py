"""Training with the data of a spec, and with rows of a table that the spec's [data] describes."""

import re
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.errors import DataError, SpecError

RNG = np.random.default_rng(0)
KINDS = np.repeat(["cat", "dog"], 40)
ROWS = [
    {"kind": str(kind), "size": float(np.round(RNG.normal(9 if kind == "dog" else 4), 2)), "collar": str(collar)}
    for kind, collar in zip(KINDS, RNG.choice(["red", "blue"], 80), strict=True)
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
LAYERS = ["standardize", {"type": "linear", "out_features": 8, "activation": "tanh"}]
SPEC = {
    "network": {"input": [3], "layers": [*LAYERS, {"type": "linear", "out_features": 2}, "softmax"]},
    "training": {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 3, "batch_size": 8, "seed": 3},
    "data": {"target": "kind", "validation": 0.25},
}
FILE = """\
network = { input = [3], layers = [
  "standardize", { type = "linear", out_features = 8, activation = "tanh" },
  { type = "linear", out_features = 2 }, "softmax",
] }
training = { loss = "cross_entropy", metrics = ["accuracy"], epochs = 3, batch_size = 8, seed = 3 }
data = { train = "pets.csv", target = "kind", validation = 0.25 }
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """The path of a spec in another folder than the current one, with its data beside it."""
    folder = tmp_path / "specs"
    folder.mkdir()
    lines = [",".join(COLUMNS), *(",".join(map(str, row.values())) for row in ROWS)]
    (folder / "pets.csv").write_text("\n".join(lines) + "\n")
    (folder / "pets.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return "specs/pets.toml"


def same(history, other):
    """Whether two trainings are the same: figures, weights and schema."""
    networks = history.network, other.network
    assert history == other
    assert networks[0].schema == networks[1].schema
    np.testing.assert_array_equal(*(network.parameters.flat for network in networks))


def test_a_spec_names_its_data(spec):
    history = modnet.train(spec)
    assert (history.epochs, list(history)[:3]) == (3, ["loss", "accuracy", "validation_loss"])
    assert history.notes == ["80 rows: 60 to train, 20 to validate (stratified); 2 columns -> kind (2 classes)"]
    same(modnet.train(modnet.build(spec)), history)
    same(modnet.train(Path(spec)), history)
    network = modnet.build(spec)
    assert modnet.train(network).network is network
    assert network.predict({"size": 9.5, "collar": "red"})["kind"] in ("cat", "dog")


def test_it_is_the_training_of_the_command_line(spec, tmp_path):
    pytest.importorskip("click", reason="the command line needs the extra cli")
    pytest.importorskip("rich", reason="the command line needs the extra cli")
    from click.testing import CliRunner

    from modnet.cli.app import cli

    assert CliRunner().invoke(cli, ["train", spec, "-o", "a.modnet"]).exit_code == 0
    modnet.save(modnet.train(spec).network, "b.modnet")
    made, other = modnet.load("a.modnet"), modnet.load("b.modnet")
    np.testing.assert_array_equal(made.parameters.flat, other.parameters.flat)
    assert (made.schema, made.history, made.card.data) == (other.schema, other.history, other.card.data)
    assert made.predict(ROWS) == other.predict(ROWS)


def test_a_dict_names_data_in_the_current_folder(spec):
    given = {**SPEC, "data": {**SPEC["data"], "train": "specs/pets.csv"}}
    same(modnet.train(given), modnet.train(spec))
    same(modnet.train(modnet.read_spec(given)[0]), modnet.train(spec))


Pet = namedtuple("Pet", COLUMNS)


def of_sqlite():
    with closing(sqlite3.connect(":memory:")) as base:
        base.row_factory = sqlite3.Row
        base.execute("create table pets (kind, size, collar)")
        base.executemany("insert into pets values (?, ?, ?)", [tuple(row.values()) for row in ROWS])
        return base.execute("select * from pets").fetchall()


FORMS = {
    "records": lambda: ROWS,
    "columns": lambda: COLUMNS,
    "arrays": lambda: {name: np.array(values) for name, values in COLUMNS.items()},
    "structured": lambda: np.array([tuple(row.values()) for row in ROWS], "U3,f8,U4").astype(
        [("kind", "U3"), ("size", "f8"), ("collar", "U4")]
    ),
    "named tuples": lambda: [Pet(**row) for row in ROWS],
    "sqlite": of_sqlite,
    "pandas": lambda: pytest.importorskip("pandas").DataFrame(COLUMNS),
    "polars": lambda: pytest.importorskip("polars").DataFrame(COLUMNS),
    "lazy": lambda: pytest.importorskip("polars").LazyFrame(COLUMNS),
    "pyarrow": lambda: pytest.importorskip("pyarrow").table(COLUMNS),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_in_any_form_train_as_their_file_does(spec, form):
    rows = FORMS[form]()
    expected = modnet.train(spec)
    same(modnet.train(SPEC, rows), expected)
    same(modnet.train(spec, rows), expected)  # instead of the file
    network = modnet.build(SPEC)
    same(modnet.train(network, rows), expected)
    figures = modnet.evaluate(network, rows, metrics=["accuracy", "f1"])
    assert figures == pytest.approx(modnet.evaluate(expected.network, ROWS, metrics=["accuracy", "f1"]))


def test_the_seed_of_the_call_is_that_of_everything(spec):
    seeded = modnet.train(spec, seed=5)
    same(seeded, modnet.train({**SPEC, "training": {**SPEC["training"], "seed": 5}}, ROWS))
    assert seeded != modnet.train(spec)


@pytest.mark.parametrize(
    ("validation", "rows", "validated"),
    [(None, 60, True), (0.5, 40, True), (ROWS[::2], 80, True), ({n: v[::4] for n, v in COLUMNS.items()}, 80, True)],
)
def test_the_validation_of_the_call_counts(spec, validation, rows, validated):
    for given in ((spec,), (SPEC, ROWS)):
        history = modnet.train(*given, validation=validation)
        assert history.notes[0].startswith(f"{'80 rows: ' if rows < 80 else ''}{rows} ")
        assert ("validation_loss" in history) is validated


def test_a_trained_network_takes_further_rows_as_before(tmp_path):
    network = modnet.train(SPEC, ROWS).network
    modnet.save(network, tmp_path / "m.modnet")
    loaded, schema = modnet.load(tmp_path / "m.modnet"), network.schema
    few = [row for row in ROWS if row["collar"] == "red"]  # one category is not among them
    for known in (network, loaded):
        history = modnet.train(known, few, epochs=1, validation=0.25)
        assert history.epochs == 1
        assert known.schema == schema


def test_missing_values_of_frames_are_those_of_the_spec():
    pandas = pytest.importorskip("pandas")
    rows = [{**row, "size": None if index % 9 == 0 else row["size"]} for index, row in enumerate(ROWS)]
    given = {**SPEC, "data": {**SPEC["data"], "missing": "mean"}}
    history = modnet.train(given, rows)
    same(history, modnet.train(given, pandas.DataFrame(rows)))
    assert history.notes[1] == "9 rows had missing values: filled (mean of 1 column)"


def test_faults_are_told():
    without = {name: part for name, part in SPEC.items() if name != "data"}
    build, rows = modnet.build, ROWS
    numbers = {
        **SPEC,
        "network": {"input": [3], "layers": [{"type": "linear", "out_features": 1}]},
        "training": {"loss": "mse"},
    }
    cases = [
        ((build(without),), DataError, "there are no data to train on: the spec has no [data] table; give x and y, or"),
        ((without,), DataError, "there are no data to train on: the spec has no [data] table"),
        ((SPEC,), SpecError, 'data: missing key "train": the file with the training data'),
        ((build(SPEC),), SpecError, "or give the rows: modnet.train(spec, rows)"),
        ((without, rows), DataError, 'or train with a spec that has a [data] table with target = "COLUMN"'),
        ((SPEC, [{"size": 1, "collar": "red"}]), DataError, 'table: no column "kind"; the columns are size, collar'),
        ((SPEC, {"kind": ["cat"], "size": 1}), DataError, "column size: expected a list with a value for each row"),
        ((SPEC, [*rows, 3]), DataError, "row 81: expected a record, column -> value, as in row 1; found 3"),
        ((SPEC, [{}]), DataError, "table: no columns and no rows"),
        ((numbers, rows), DataError, "table: column kind has the classes cat, dog, but mse takes numbers"),
        ((3,), TypeError, "expected a spec (the path of its file, a dict or a Spec), found 3"),
        (("no.toml",), SpecError, "no.toml: no such file"),
        (({"network": {}},), SpecError, 'missing key "input"'),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=re.escape(message)):
            modnet.train(*arguments)
    with pytest.raises(DataError, match="expected a fraction between 0 and 1"):
        modnet.train(SPEC, rows, validation=2.0)
    with pytest.raises(DataError, match="sample_weights cannot be given with the data of a spec"):
        modnet.train(SPEC, rows, sample_weights=np.ones(80))
    with pytest.raises(DataError, match="the network was not trained on one"):
        modnet.evaluate(build(SPEC), rows)


def test_a_model_file_has_no_data_of_its_spec(spec, tmp_path):
    modnet.save(modnet.train(spec).network, tmp_path / "m.modnet")
    with pytest.raises(DataError, match=r"a model file does not hold the \[data\] of its spec; give x and y, or rows"):
        modnet.train(modnet.load(tmp_path / "m.modnet"))


def test_arrays_go_their_own_way_beside_data_of_the_spec(spec):
    x, y = RNG.standard_normal((20, 3)), RNG.integers(0, 2, 20)
    network = modnet.build(spec)
    assert modnet.train(network, x, y).notes == []
    assert network.schema is None
    batch = namedtuple("Batch", ["x", "y"])  # has names, as a record has, but arrays
    for batches in ([(x, y)], [batch(x, y)], iter([(x, y)]), lambda: [(x, y)]):
        assert modnet.train(network, batches, epochs=1).epochs == 1


def test_a_loss_without_a_target_takes_rows_without_one():
    spec = {
        "network": {"input": [2], "layers": [{"type": "linear", "out_features": 2}]},
        "training": {"loss": Small(), "epochs": 1},
    }
    columns = {"a": [1.0, 2.0], "b": [0.5, 1.0]}
    history = modnet.train({**spec, "data": {}}, columns)
    assert history.network.schema.columns() == ("a", "b")
    assert modnet.train(spec, {"input": np.ones((4, 2))}).network.schema is None
    pandas = pytest.importorskip("pandas")
    assert modnet.train(spec, pandas.DataFrame(columns)).network.schema is None


class Small(modnet.Loss, type="small_for_rows"):
    """The mean square of the prediction."""

    takes_target = False

    def values(self, prediction, target):
        return np.square(prediction).mean(axis=1)

    def gradient(self, prediction, target):
        return 2 * prediction / prediction.shape[1]


@pytest.mark.parametrize("form", ["columns", "records", "pandas", "polars"])
def test_the_target_may_be_apart_from_the_rows(form):
    rows, y = [{name: row[name] for name in ("size", "collar")} for row in ROWS], COLUMNS["kind"]
    columns = {name: COLUMNS[name] for name in ("size", "collar")}
    if form in ("pandas", "polars"):
        library = pytest.importorskip(form)
        x, y = library.DataFrame(columns), library.Series(y)
    else:
        x = rows if form == "records" else columns
    expected = modnet.train(SPEC, ROWS)
    history = modnet.train(SPEC, x, y)
    same(history, expected)
    network = history.network
    assert modnet.evaluate(network, x, y) == modnet.evaluate(network, ROWS)
    assert "validation_loss" in modnet.train(SPEC, x, y, validation=(x, y))
    assert modnet.train(network, x, y, epochs=1).epochs == 1
    with pytest.raises(DataError, match='the rows have the target column "kind" already; leave y out'):
        modnet.train(SPEC, ROWS, y)

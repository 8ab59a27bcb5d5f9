"""The `[data]` table -> datasets."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from modnet.data.spec import DataSource, DataSpec
from modnet.data.table import Table
from modnet.datasets.dataset import Dataset
from modnet.datasets.load import Loader
from modnet.errors import DataError

REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the full data sets are not at hand")

ONE = {"input_names": ["input"], "output_names": ["output"]}
LABELS = {**ONE, "label_outputs": ["output"]}

DIAMONDS = """\
"carat","cut","color","price"
0.23,"Ideal","E",326
0.21,"Premium","E",326
0.29,"Premium","I",334
0.31,"Good","J",335
0.24,"Very Good","J",336
0.26,"Very Good","H",337
"""


@pytest.fixture
def folder(tmp_path):
    with gzip.open(tmp_path / "diamonds.csv.gz", "wt") as stream:
        stream.write(DIAMONDS)
    rows = "".join(f"{kind},{size}\n" for kind in ("cat", "dog") for size in range(10))
    (tmp_path / "pets.csv").write_text("kind,size\n" + rows)
    (tmp_path / "gaps.csv").write_text("kind,size,age\n" + rows.replace("\n", ",1\n") + "cat,NA,1\ndog,3,NA\nNA,3,1\n")
    images = np.arange(20 * 4, dtype=np.uint8).reshape(20, 2, 2)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.arange(20) % 2)
    np.savez(tmp_path / "pair.npz", x=images, y=np.arange(20) % 2)
    np.savez(tmp_path / "pets.npz", x=images, y=np.array(["dog", "cat"] * 10))
    np.savez(tmp_path / "several.npz", left=images, right=images, output=np.arange(20.0))
    np.savez(tmp_path / "uneven.npz", x=images, y=np.arange(19))
    return tmp_path


# Tables


def test_a_table_with_a_part_set_aside(folder):
    data = Loader(folder, **LABELS).load(DataSpec(train="pets.csv", target="kind", validation=0.2))
    assert data.notes == ["20 rows: 16 to train, 4 to validate (stratified); 1 column -> kind (2 classes)"]
    assert data.train.inputs["input"].shape == (16, 1)
    np.testing.assert_array_equal(np.bincount(data.train.targets["output"]), [8, 8])
    np.testing.assert_array_equal(np.bincount(data.validation.targets["output"]), [2, 2])


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
@pytest.mark.parametrize("step", [1, 7])
def test_the_numbers_of_rows_that_pandas_and_r_write_are_no_input(tmp_path, name, step):
    rows = "".join(f"{row * step % 20},{row % 5},{'ab'[row % 2]}\n" for row in range(20))
    (tmp_path / "t.csv").write_text(f"{name},size,kind\n{rows}")
    data = Loader(tmp_path, **LABELS).load(DataSpec(train="t.csv", target="kind"))
    assert data.schema.columns() == ("size",)
    assert data.notes[-1] == f"column {name or 'index'} numbers the rows: left out"
    listed = DataSpec(train="t.csv", target="kind", inputs=(name or "index", "size"))
    assert Loader(tmp_path, **LABELS).load(listed).schema.columns() == (name or "index", "size")


def test_a_first_column_called_index_that_does_not_number_the_rows_is_an_input(tmp_path):
    (tmp_path / "t.csv").write_text("index,kind\n" + "3,a\n4,b\n" * 9)
    assert Loader(tmp_path, **LABELS).load(DataSpec(train="t.csv", target="kind")).schema.columns() == ("index",)


def test_the_seed_decides_which_part(folder):
    spec = DataSpec(train="pets.csv", target="kind", validation=0.2)
    loader = Loader(folder, **LABELS)
    first, again, other = (loader.load(spec.replace(split_seed=seed)).validation.inputs["input"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_regression_from_a_compressed_table(folder):
    spec = DataSpec(train="diamonds.csv.gz", target="price", validation=0.5)
    data = Loader(folder, **ONE).load(spec)
    assert data.notes == ["6 rows: 3 to train, 3 to validate; 3 columns -> price"]
    assert data.train.inputs["input"].shape == (3, 1 + 4 + 4)
    assert data.train.targets["output"].shape == (3, 1)


def test_missing_values_are_told_of_both_parts(folder):
    spec = DataSpec(train="gaps.csv", target="kind", validation=0.5, missing="drop")
    data = Loader(folder, **LABELS).load(spec)
    assert data.notes[1] == "3 rows had missing values: dropped"
    assert len(data.train) + len(data.validation) == 20
    spec = DataSpec(train=DataSource("gaps.csv", rows=(0, 22)), target="kind", validation=0.5, missing="mean")
    assert Loader(folder, **LABELS).load(spec).notes[1] == "2 rows had missing values: filled (mean of 2 columns)"


def test_validation_and_test_files_of_their_own(folder):
    spec = DataSpec(
        train=DataSource("pets.csv", rows=(0, 15)),
        validation=DataSource("pets.csv", rows=(15, 20)),
        target="kind",
    )
    data = Loader(folder, **LABELS).load(spec)
    assert data.notes == [
        "15 rows to train; 1 column -> kind (2 classes)",
        f"{folder / 'pets.csv'}: 5 rows to validate",
    ]
    np.testing.assert_array_equal(data.validation.targets["output"], [1] * 5)
    test, notes = Loader(folder, **LABELS).load_source("pets.csv", data.schema)
    assert len(test) == 20
    assert notes == [f"{folder / 'pets.csv'}: 20 rows"]


def test_rows_to_predict(folder):
    schema = Loader(folder, **LABELS).load(DataSpec(train="pets.csv", target="kind")).schema
    (folder / "new.csv").write_text("size\n3\n4\n")
    new, _ = Loader(folder, **LABELS).load_source("new.csv", schema, targets=False)
    np.testing.assert_array_equal(new.inputs["input"], [[3], [4]])
    assert new.targets == {}


def test_further_kinds_of_files_by_readers(folder):
    (folder / "pets.parquet").write_bytes(b"PAR1")
    reader = {".parquet": Table({"kind": ["cat", "dog"], "size": ["1", "2"]})}
    spec = DataSpec(train="pets.parquet", target="kind")
    data = Loader(folder, readers=[lambda path, options: reader.get(path.suffix)], **LABELS).load(spec)
    assert len(data.train) == 2


# Arrays


@pytest.mark.parametrize(
    "source",
    ["pair.npz", DataSource("pair.npz"), DataSource(x="images.npy", y="labels.npy")],
    ids=["path", "source", "x and y"],
)
def test_arrays_stay_as_they_are_and_a_part_is_their_rows(folder, source):
    data = Loader(folder, **LABELS).load(DataSpec(train=source, validation=0.2))
    assert data.schema is None
    assert data.notes == ["20 rows: 16 to train, 4 to validate (stratified); x (2, 2) -> y"]
    assert data.train.inputs["input"] is data.validation.inputs["input"]
    assert data.train.inputs["input"].dtype == np.uint8
    assert sorted([*data.train.rows, *data.validation.rows]) == list(range(20))
    assert len(data.validation) == 4


@pytest.mark.parametrize("values", [("no", "yes"), ("0", "1"), ("-1", "1.0"), ("0", "1;1.0")], ids=str)
def test_a_table_is_stratified_by_a_target_of_two_values(tmp_path, values):
    low, high = values
    spellings = [*high.split(";"), high.split(";")[0]]
    rows = "".join(f"{i},{spellings[i % 2] if i < 8 else low}\n" for i in range(80))
    (tmp_path / "t.csv").write_text("a,y\n" + rows)
    for seed in range(5):
        data = Loader(tmp_path, **ONE).load(DataSpec(train="t.csv", target="y", validation=0.25, split_seed=seed))
        assert sum(data.validation.inputs["input"][:, 0] < 8) == 2
        assert "20 to validate (stratified)" in data.notes[0]


def test_a_class_of_one_row_stays_in_training_and_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{'pq'[i % 2]}\n" for i in range(40)) + "99,rare\n")
    for seed in range(5):
        with pytest.warns(UserWarning, match='^class "rare" has one row, which stays in training'):
            data = Loader(tmp_path, **LABELS).load(
                DataSpec(train="t.csv", target="y", validation=0.25, split_seed=seed)
            )
        assert 99 in data.train.inputs["input"]
        assert "(stratified)" in data.notes[0]


def test_rows_are_dropped_before_some_are_set_aside(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i if i % 50 == 7 else ''}\n" for i in range(500)))
    for seed in range(5):
        data = Loader(tmp_path, **ONE).load(
            DataSpec(train="t.csv", target="y", validation=0.2, missing="drop", split_seed=seed)
        )
        assert (len(data.train), len(data.validation)) == (8, 2)
        assert data.notes[1] == "490 rows had missing values: dropped"


@pytest.mark.parametrize(("complete", "left"), [(0, "0 rows"), (1, "1 row")])
def test_too_few_rows_are_left_to_set_some_aside(tmp_path, complete, left):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i if i < complete else ''}\n" for i in range(5)))
    with pytest.raises(DataError, match=f"only {left} of 5 without missing values; expected at least 2, to set"):
        Loader(tmp_path, **ONE).load(DataSpec(train="t.csv", target="y", validation=0.2, missing="drop"))


def test_a_mapped_file_stays_mapped(folder):
    data = Loader(folder, **LABELS).load(
        DataSpec(train=DataSource(x="images.npy", y="labels.npy", rows=(5, 20)), validation=0.2)
    )
    assert isinstance(data.train.inputs["input"], np.memmap)
    assert len(data.train) == 12
    assert data.train.inputs["input"][0, 0, 0] == 20


def test_arrays_may_have_the_names_of_the_network(folder):
    data = Loader(folder, ["right", "left"], ["output"]).load(DataSpec(train="several.npz"))
    assert list(data.train.inputs) == ["right", "left"]
    assert data.notes == ["20 rows to train; right (2, 2), left (2, 2) -> output"]


def test_numbers_get_the_axis_of_features_that_an_output_has(folder):
    assert Loader(folder, **ONE).load(DataSpec(train="pair.npz")).train.targets["output"].shape == (20, 1)
    assert Loader(folder, **LABELS).load(DataSpec(train="pair.npz")).train.targets["output"].shape == (20,)


def test_labels_that_are_text_are_classes(folder):
    data = Loader(folder, **LABELS).load(DataSpec(train="pets.npz", validation=0.5))
    assert data.notes == ["20 rows: 10 to train, 10 to validate (stratified); x (2, 2) -> y (2 classes)"]
    assert data.schema.classes() == {"output": ("cat", "dog")}
    np.testing.assert_array_equal(data.train.targets["output"], [1, 0] * 10)
    assert data.schema.decode({"output": np.array([[0.25, 0.75]])})["y"] == ["dog"]
    np.savez(folder / "new.npz", x=np.zeros((1, 2, 2)), y=np.array(["cow"]))
    with pytest.raises(
        DataError, match=r'row 1, column y: unknown category "cow"; expected one of cat, dog; correct or drop'
    ):
        Loader(folder, **LABELS).load_source("new.npz", data.schema)


def test_one_array_is_enough_to_predict(folder):
    data, notes = Loader(folder, **LABELS).load_source("images.npy", None, targets=False)
    assert data.inputs["input"].shape == (20, 2, 2)
    assert notes == [f"{folder / 'images.npy'}: 20 rows"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"train": "pets.cvs"}, '{folder}/pets.cvs: no such file; did you mean "pets.csv"?'),
        ({"train": "pets.csv"}, "{folder}/pets.csv: no target is set; set target to one of kind, size"),
        (
            {"train": "pair.npz", "target": "y"},
            "{folder}/pair.npz: target is only for columns of a table; found arrays: x (20, 2, 2), y (20,)",
        ),
        (
            {"train": "several.npz"},
            '{folder}/several.npz: no array for the network\'s input "input": expected "input" or "x", '
            "found left (20, 2, 2), right (20, 2, 2), output (20,)",
        ),
        (
            {"train": "images.npy"},
            '{folder}/images.npy: no array for the network\'s output "output": expected "output" or "y", '
            "found x (20, 2, 2)",
        ),
        ({"train": "uneven.npz"}, "{folder}/uneven.npz: x has 20 rows, y has 19; expected the same number"),
        (
            {"train": DataSource("pair.npz", rows=(5, 21))},
            "{folder}/pair.npz: rows = [5, 21], but it has 20 rows",
        ),
        (
            {"train": DataSource("pets.csv", rows=(0, 99)), "target": "kind"},
            "{folder}/pets.csv: rows = [0, 99], but it",
        ),
        (
            {"train": DataSource(x="pair.npz", y="labels.npy")},
            "{folder}/pair.npz: expected a file with a single array (.npy, IDX) for x or y; use path for this file",
        ),
        (
            {"train": "pair.npz", "validation": "pets.csv"},
            "{folder}/pets.csv: found a table, but the model was trained on arrays and has no columns",
        ),
    ],
)
def test_faults(folder, spec, message):
    with pytest.raises(DataError, match=f"^{re.escape(message.format(folder=folder))}"):
        Loader(folder, **LABELS).load(DataSpec(**spec))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 3), complex), np.zeros(2), "x contains complex128; expected numbers"),
        (np.array(["a", "b"]), np.zeros(2), "x contains <U1; expected numbers"),
        (np.zeros((2, 3)), np.array([b"a", b"b"]), "y contains |S1; expected numbers"),
        (np.zeros((2, 3)), np.array([["a"], ["b"]]), "y has shape (2, 1); expected one class name for each row"),
        (np.zeros((0, 3)), np.zeros(0), "x has shape (0, 3); expected rows"),
        (np.zeros(()), np.zeros(2), "x has shape (); expected rows"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, x, y, message):
    np.savez(tmp_path / "a.npz", x=x, y=y)
    with pytest.raises(DataError, match=re.escape(f"a.npz: {message}")):
        Loader(tmp_path, **LABELS).load(DataSpec(train="a.npz"))


def test_parts_of_parts_count_their_own_rows():
    whole = Dataset({"input": np.arange(10)})
    part = whole.take([1, 3, 5, 7]).take([0, 3])
    assert list(part.rows) == [1, 7]
    assert (len(whole), len(part)) == (10, 2)
    assert part.inputs["input"] is whole.inputs["input"]


# Real files


@needs_real_data
def test_penguins():
    data = Loader(REAL, **LABELS).load(DataSpec(train="penguins.csv", target="species", validation=0.2, missing="mean"))
    assert data.notes == [
        "344 rows: 275 to train, 69 to validate (stratified); 7 columns -> species (3 classes)",
        "11 rows had missing values: filled (mean of 4 columns, most frequent of 1)",
    ]


@needs_real_data
def test_diamonds():
    data = Loader(REAL, **ONE).load(DataSpec(train="diamonds.csv.gz", target="price", validation=0.2))
    assert data.notes == ["53,940 rows: 43,152 to train, 10,788 to validate; 9 columns -> price"]


@needs_real_data
def test_handwritten_digits():
    source = DataSource(x="mnist-t10k-images-idx3-ubyte.gz", y="mnist-t10k-labels-idx1-ubyte.gz", rows=(8000, 10000))
    data, _ = Loader(REAL, **LABELS).load_source(source, None)
    assert data.inputs["input"].shape == (2000, 28, 28)
    assert set(data.targets["output"].tolist()) == set(range(10))

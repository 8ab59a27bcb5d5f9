"""modnet predict with rows of every kind: columns carried through, chunks, rows at fault, thresholds, JSON."""

import csv
import gzip
import io
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import modnet
from tests.cli.test_train import start

NEW = """\
id,collar,size,when
007,red,4.10,01.02.2024
008,blue,9.2,"1 Feb, 2024"
009,red,5e0,
"""


def rows(text, delimiter=","):
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def records(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def new(folder):
    (folder / "new.csv").write_text(NEW)
    return "new.csv"


@pytest.fixture
def numbers(run, folder):
    """A model that predicts a number, in float64."""
    lines = "".join(f"{place / 7},{place / 3 - 5}\n" for place in range(40))
    (folder / "line.csv").write_text("a,y\n" + lines)
    (folder / "line.toml").write_text("""\
[network]
input = [1]
dtype = "float64"
layers = [{ type = "linear", out_features = 1 }]
[training]
loss = "mse"
epochs = 1
[data]
train = "line.csv"
target = "y"
""")
    run("train", "line.toml")
    return "line.modnet"


# --keep


def test_columns_are_carried_through_as_they_are_spelled(run, model, new):
    header, *found = rows(run("predict", model, new, "--keep", "when", "--keep", "id", "--keep", "size").stdout)
    assert header == ["when", "id", "size", "kind", "P(cat)", "P(dog)"]
    assert [row[:4] for row in found] == [
        ["01.02.2024", "007", "4.10", "cat"],
        ["1 Feb, 2024", "008", "9.2", "dog"],
        ["", "009", "5e0", "cat"],
    ]


@pytest.mark.parametrize("chunk", [(), ("--chunk", 2)])
def test_all_columns_are_carried_through(run, model, new, chunk):
    header, *found = rows(run("predict", model, new, "--keep-all", *chunk).stdout)
    assert header == ["id", "collar", "size", "when", "kind", "P(cat)", "P(dog)"]
    assert [row[:4] for row in found] == rows(NEW)[1:]


def test_a_column_of_the_name_of_a_prediction_is_called_otherwise(run, model):
    result = run("predict", model, "pets.csv", "--keep", "kind")
    assert rows(result.stdout)[0] == ["kind (given)", "kind", "P(cat)", "P(dog)"]
    assert result.stderr == "kind is what is predicted: the column of the data is called kind (given)\n"


def test_several_such_columns_are_told_in_one_line(run, numbers):
    Path("both.csv").write_text("a,y,z\n" + "".join(f"{place},{place},{place}\n" for place in range(9)))
    targets = ("--set", 'data.target=["y", "z"]', "--set", "network.layers.linear_1.out_features=2")
    run("train", "line.toml", "--set", "data.train=both.csv", *targets)
    result = run("predict", "line.modnet", "both.csv", "--keep-all")
    assert rows(result.stdout)[0] == ["a", "y (given)", "z (given)", "y", "z"]
    told = "y, z are what is predicted: the column of the data is called y (given), and so on\n"
    assert result.stderr == told


def test_a_column_that_is_not_there_cannot_be_kept(run, model, new):
    result = run("predict", model, new, "--keep", "wen", status=2)
    assert 'new.csv: no column "wen" (did you mean "when"?)' in result.stderr
    run("train", "points.toml")
    found = run("predict", "points.modnet", "points.npz", "--keep", "x", status=2).stderr
    assert 'points.npz: no column "x"; ' in found
    assert "an array with one value for each row is a column" in found


@pytest.mark.parametrize("chunk", [(), ("--chunk", "7")])
def test_arrays_with_one_value_for_each_row_can_be_kept(run, chunk):
    run("train", "points.toml")
    with np.load("points.npz") as arrays:
        points = arrays["x"]
    names = [f"point {number}" for number in range(len(points))]
    np.savez("named.npz", x=points, name=np.array(names), note=np.array(["not one for each"]))
    header, *found = rows(run("predict", "points.modnet", "named.npz", "--keep", "name", *chunk).stdout)
    assert header[0] == "name"
    assert [row[0] for row in found] == names
    plain = rows(run("predict", "points.modnet", "named.npz", *chunk).stdout)
    assert [row[1:] for row in found] == plain[1:]
    assert rows(run("predict", "points.modnet", "named.npz", "--keep-all", *chunk).stdout)[1:] == found


def test_what_is_carried_through_is_no_formula_of_the_model(run, model):
    """A key has to stay what it was; it is the user's own."""
    Path("new.csv").write_text('id,size,collar\n=a1,4,red\n-b2,4,red\n"a,""b""\nc",4,red\n')
    result = run("predict", model, "new.csv", "--keep", "id")
    assert [row[0] for row in rows(result.stdout)[1:]] == ["=a1", "-b2", 'a,"b"\nc']
    assert result.stderr == ""


# --json, and files of JSON


def test_json_lines(run, model, new):
    found = records(run("predict", model, new, "--json", "--keep", "id").stdout)
    assert [record["kind"] for record in found] == ["cat", "dog", "cat"]
    assert [*found[0]] == ["id", "kind", "P(cat)", "P(dog)"]
    assert found[0]["id"] == "007"
    assert found[0]["P(cat)"] + found[0]["P(dog)"] == pytest.approx(1)


def test_json_lines_are_read_as_well(run, model):
    Path("new.jsonl").write_text('{"id": 7, "size": 4.1, "collar": "red"}\n{"collar": "blue", "size": 9.2, "id": 8}\n')
    found = records(run("predict", model, "new.jsonl", "--json", "--keep", "id").stdout)
    assert [(record["id"], record["kind"]) for record in found] == [(7, "cat"), (8, "dog")]
    text = Path("new.jsonl").read_text()
    for options in ((), ("--chunk", 1)):
        assert records(run("predict", model, "-", "--json", "--keep", "id", *options, input=text).stdout) == found


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("out.jsonl", records),
        ("out.ndjson", records),
        ("out.json", json.loads),
        ("out.csv", lambda text: list(csv.DictReader(io.StringIO(text)))),
        ("out.tsv", lambda text: list(csv.DictReader(io.StringIO(text), delimiter="\t"))),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("chunk", [(), ("--chunk", 2)])
def test_files_of_every_kind(run, model, new, name, read, packed, chunk):
    output = f"{name}.gz" if packed else name
    assert run("predict", model, new, "-o", output, "--keep", "id", *chunk).stdout == ""
    data = Path(output).read_bytes()
    found = read((gzip.decompress(data) if packed else data).decode())
    assert [(record["id"], record["kind"]) for record in found] == [("007", "cat"), ("008", "dog"), ("009", "cat")]
    assert float(found[0]["P(cat)"]) > 0.5


def test_no_rows_in_json(run, model):
    Path("none.csv").write_text("size,collar\n")
    assert run("predict", model, "none.csv", "--json").stdout == ""
    run("predict", model, "none.csv", "-o", "none.json")
    assert json.loads(Path("none.json").read_text()) == []


def test_json_of_other_values(run, model):
    Path("new.jsonl").write_text(
        '{"size": 4, "collar": "red", "n": 17, "x": null, "b": true, "t": "\\u202e\\n%s", "f": 1.5}\n'
        '{"size": 4, "collar": "red", "n": null, "x": null, "b": null, "t": null, "f": 1e300}\n'
    )
    result = run("predict", model, "new.jsonl", "--json", "--keep-all")
    first, second = records(result.stdout)
    assert [first[name] for name in "nxbtf"] == [17, None, True, "\u202e\n%s", 1.5]
    assert [second[name] for name in "nxbtf"] == [None, None, None, None, 1e300]
    assert '"n": 17,' in result.stdout
    assert "\u202e" not in result.stdout


def test_arrays_with_columns_that_are_carried_through(run, model, new):
    run("predict", model, new, "-o", "out.npz", "--keep", "id", "--keep", "when")
    with np.load("out.npz") as found:
        assert found["id"].tolist() == ["007", "008", "009"] or found["id"].tolist() == [7, 8, 9]
        assert found["output"].shape == (3, 2)
    Path("new.csv").write_text("output,size,collar\n1,4,red\n")
    message = run("predict", model, "new.csv", "-o", "out.npz", "--keep", "output", status=2).stderr
    assert "the network's output is called so too" in message


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.csv.gz", "out.npz"])
def test_json_contradicts_the_name_of_another_file(run, model, new, name):
    assert f"--json: {name} would be no JSON" in run("predict", model, new, "--json", "-o", name, status=2).stderr


# Numbers


def test_numbers_come_back_as_they_were(run, model, numbers):
    for name, file, dtype in ((model, "pets.csv", "float32"), (numbers, "line.csv", "float64")):
        network = modnet.load(name)
        with open(file, newline="") as stream:
            expected = network.predict(list(csv.DictReader(stream)))
        column = "P(dog)" if dtype == "float32" else "y"
        for options in ((), ("--json",)):
            text = run("predict", name, file, *options).stdout
            found = records(text) if options else csv.DictReader(io.StringIO(text))
            values = np.array([float(row[column]) for row in found]).astype(dtype)
            np.testing.assert_array_equal(values, np.array([row[column] for row in expected], dtype))
        longest = max(
            len(row[-1].replace("-", "").replace(".", "").lstrip("0").split("e")[0])
            for row in rows(run("predict", name, file).stdout)[1:]
        )
        assert longest <= (9 if dtype == "float32" else 17)


# --chunk


@pytest.mark.parametrize("chunk", [1, 3, 79, 80, 1000])
@pytest.mark.parametrize("options", [(), ("--json",), ("--keep", "collar"), ("--faults", "blank")])
def test_chunks_give_the_same(run, model, chunk, options):
    whole = run("predict", model, "pets.csv", *options).stdout
    assert alike(run("predict", model, "pets.csv", *options, "--chunk", chunk).stdout, whole)
    text = Path("pets.csv").read_text()
    assert alike(run("predict", model, "-", *options, "--chunk", chunk, input=text).stdout, whole)


def alike(text, other):
    """Whether predictions are the same but for the last digits, which depend on how many rows are in a batch."""
    parts, others = (re.split(r"([0-9.]+(?:e-[0-9]+)?)", part) for part in (text, other))
    numbers, known = (np.array([float(part) for part in part[1::2]]) for part in (parts, others))
    return parts[::2] == others[::2] and np.allclose(numbers, known, rtol=1e-4)


def test_chunks_of_arrays(run, folder):
    run("train", "points.toml")
    whole = run("predict", "points.modnet", "points.npz").stdout
    assert alike(run("predict", "points.modnet", "points.npz", "--chunk", 7).stdout, whole)
    run("predict", "points.modnet", "points.npz", "--chunk", 7, "-o", "out.npz")
    assert np.load("out.npz")["output"].shape == (60, 3)


def test_an_error_in_a_later_chunk_names_the_row_of_the_file(run, model):
    Path("new.csv").write_text("size,collar\n" + "4,red\n" * 7 + "large,red\n4,red\n")
    result = run("predict", model, "new.csv", "--chunk", 3, status=2)
    assert "new.csv: row 8 (line 9), column size: expected a number" in result.stderr
    assert len(rows(result.stdout)) == 7
    Path("out.csv").write_text("before")
    run("predict", model, "new.csv", "--chunk", 3, "-o", "out.csv", status=2)
    assert Path("out.csv").read_text() == "before"


@pytest.mark.parametrize("text", ["csv", "json"])
def test_a_row_on_standard_input_is_answered_at_once(run, model, text):
    lines = ["size,collar\n", "4.1,red\n", "9.2,blue\n", "4.2,blue\n"]
    if text == "json":
        lines = [json.dumps(row) + "\n" for row in csv.DictReader(lines)]
    process = start(
        "predict",
        model,
        "-",
        "--chunk",
        "1",
        "--json",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    kinds = []
    for line in lines:
        process.stdin.write(line)
        process.stdin.flush()
        if line != "size,collar\n":
            kinds.append(json.loads(process.stdout.readline())["kind"])
    assert kinds == ["cat", "dog", "cat"]
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    process.stderr.close()


def test_a_reader_who_leaves_a_stream_gets_no_traceback(run, model):
    Path("long.csv").write_text("size,collar\n" + "4.1,red\n" * 40_000)
    process = start("predict", model, "long.csv", "--chunk", "100", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "kind,P(cat),P(dog)\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=300) == 0


# --faults

FAULTY = """\
id,size,collar
a,4.1,red
b,large,red
c,9.2,blue
d,1e39,blue
e,,red
"""


@pytest.mark.parametrize("chunk", [(), ("--chunk", 1), ("--chunk", 2)])
def test_rows_at_fault_are_left_out(run, model, chunk):
    Path("new.csv").write_text(FAULTY)
    result = run("predict", model, "new.csv", "--faults", "skip", "--keep", "id", *chunk)
    assert [row[:2] for row in rows(result.stdout)[1:]] == [["a", "cat"], ["c", "dog"], ["e", "cat"]] or [
        row[0] for row in rows(result.stdout)[1:]
    ] == ["a", "c", "e"]
    lines = result.stderr.splitlines()
    assert lines[0] == "1 row had missing values: filled (mean of 1 column)"
    assert lines[1] == "2 of 5 rows were left out:"
    assert lines[2] == '  row 2 (line 3), column size: expected a number, found "large"'
    assert lines[3].startswith("  row 4 (line 5)")
    assert "beyond what float32 can hold" in lines[3]


def test_rows_at_fault_stay_without_a_prediction(run, model):
    Path("new.csv").write_text(FAULTY)
    result = run("predict", model, "new.csv", "--faults", "blank", "--keep", "id")
    found = rows(result.stdout)[1:]
    assert [row[0] for row in found] == ["a", "b", "c", "d", "e"]
    assert [row[1:] == ["", "", ""] for row in found] == [False, True, False, True, False]
    assert "2 of 5 rows have no prediction:" in result.stderr
    found = records(run("predict", model, "new.csv", "--faults", "blank", "--json").stdout)
    assert found[1] == {"kind": None, "P(cat)": None, "P(dog)": None}
    run("predict", model, "new.csv", "--faults", "blank", "-o", "out.npz")
    assert np.isnan(np.load("out.npz")["output"]).all(axis=1).tolist() == [False, True, False, True, False]


def test_a_blank_row_of_one_column_is_no_empty_line(run, numbers):
    Path("new.csv").write_text("a\n1\nx\n2\n")
    found = rows(run("predict", numbers, "new.csv", "--faults", "blank").stdout)
    assert [row != [""] for row in found] == [True, True, False, True]


def test_only_the_first_rows_at_fault_are_told(run, model):
    Path("new.csv").write_text("size,collar\n4,red\n" + "x,red\n" * 20)
    for options in ((), ("--chunk", 3)):
        lines = run("predict", model, "new.csv", "--faults", "skip", *options).stderr.splitlines()
        assert lines[0] == "20 of 21 rows were left out:"
        assert lines[-1] == "  and 15 more"
        assert len(lines) == 7


@pytest.mark.parametrize("how", ["skip", "blank"])
def test_no_row_at_all_is_an_error(run, model, how):
    Path("new.csv").write_text("size,collar\nx,red\ny,red\n")
    result = run("predict", model, "new.csv", "--faults", how, status=2)
    assert "new.csv: no prediction could be made for any of its 2 rows" in result.stderr


def test_arrays_with_rows_at_fault(run, folder):
    run("train", "points.toml")
    points = np.load("points.npz")["x"]
    points[[3, 50]] = np.nan
    np.save("x.npy", points)
    assert "row 3" in run("predict", "points.modnet", "x.npy", status=2).stderr
    result = run("predict", "points.modnet", "x.npy", "--faults", "skip")
    assert len(rows(result.stdout)) == 59
    assert "  row 3, " in result.stderr
    assert "  row 50, " in result.stderr


def test_what_was_coded_is_said_once(run, model):
    Path("new.csv").write_text("size,collar\n4,green\n,red\n9,grey\n4,red\n")
    for options in ((), ("--chunk", 1)):
        result = run("predict", model, "new.csv", *options)
        assert len(rows(result.stdout)) == 5
        assert result.stderr.splitlines() == [
            "1 row had missing values: filled (mean of 1 column)",
            "2 rows had an unknown category in column collar",
        ]


# --threshold


def test_a_threshold_for_two_classes(run, model):
    found = rows(run("predict", model, "pets.csv").stdout)[1:]
    for threshold in (0.0, 0.02, 0.5, 0.98, 1.0):
        changed = rows(run("predict", model, "pets.csv", "--threshold", threshold).stdout)[1:]
        assert [row[1:] for row in changed] == [row[1:] for row in found]
        assert [row[0] for row in changed] == [
            "dog" if np.float32(row[2]) >= np.float32(threshold) else "cat" for row in found
        ]
        changed = rows(run("predict", model, "pets.csv", "--threshold", f"cat={threshold}").stdout)[1:]
        assert [row[0] for row in changed] == [
            "cat" if np.float32(row[1]) >= np.float32(threshold) else "dog" for row in found
        ]


def test_a_threshold_for_one_probability(run, folder):
    spec = (
        Path("pets.toml").read_text().replace("out_features = 2", "out_features = 1").replace('"softmax"', '"sigmoid"')
    )
    Path("pets.toml").write_text(spec.replace("cross_entropy", "binary_cross_entropy"))
    run("train", "pets.toml")
    probabilities = [float(row[1]) for row in rows(run("predict", "pets.modnet", "pets.csv").stdout)[1:]]
    for threshold, first, second in (("0.2", "cat", "dog"), ("cat=0.8", "cat", "dog"), ("dog=0.2", "cat", "dog")):
        found = [row[0] for row in rows(run("predict", "pets.modnet", "pets.csv", "--threshold", threshold).stdout)[1:]]
        if "cat" in threshold:
            assert found == [first if 1 - p >= 0.8 else second for p in probabilities]
        else:
            assert found == [second if p >= 0.2 else first for p in probabilities]


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ("x", "--threshold x: expected a probability from 0 to 1, as in 0.3 or CLASS=0.3"),
        ("1.5", "expected a probability from 0 to 1"),
        ("nan", "expected a probability from 0 to 1"),
        ("dgo=0.3", 'no class is called "dgo"; did you mean "dog"?'),
    ],
)
def test_wrong_thresholds(run, model, threshold, message):
    assert message in run("predict", model, "pets.csv", "--threshold", threshold, status=2).stderr


def test_thresholds_that_are_not_possible(run, model, numbers):
    assert "this model predicts numbers" in run("predict", numbers, "line.csv", "--threshold", 0.3, status=2).stderr
    run("train", "points.toml")
    message = run("predict", "points.modnet", "points.npz", "--threshold", 0.3, status=2).stderr
    assert "class has 3 classes; a threshold decides between two" in message
    arguments = ["--threshold", 0.3, "--threshold", "cat=0.3"]
    assert "kind has a threshold already" in run("predict", model, "pets.csv", *arguments, status=2).stderr
    message = run("predict", model, "pets.csv", "--threshold", 0.3, "-o", "out.npz", status=2).stderr
    assert "a .npz file has the network's outputs, and no classes" in message


def test_thresholds_of_labels(run, folder):
    texts = ["comedy; drama", "drama", "comedy", "", "thriller"]
    lines = "".join(f"{place % 5},{place % 7},{texts[place % 5]}\n" for place in range(70))
    (folder / "films.csv").write_text("a,b,tags\n" + lines)
    spec = Path("pets.toml").read_text().replace("pets", "films").replace('"kind"', '"tags"')
    spec = spec.replace("input = [3]", "input = [2]").replace("out_features = 2", "out_features = 3")
    spec = spec.replace('"softmax"', '"sigmoid"').replace("cross_entropy", "binary_cross_entropy")
    (folder / "films.toml").write_text(f'{spec}\n[data.columns.tags]\nkind = "labels"\n')
    run("train", "films.toml")

    def expected(found, least):
        columns = {name: np.array([float(row[f"P({name})"]) for row in found], np.float32) for name in least}
        return ["; ".join(n for n in least if columns[n][row] >= np.float32(least[n])) for row in range(len(found))]

    def predicted(*options):
        return list(csv.DictReader(io.StringIO(run("predict", "films.modnet", "films.csv", *options).stdout)))

    found = predicted()
    for options, least in (
        (["--threshold", 0.2], {"comedy": 0.2, "drama": 0.2, "thriller": 0.2}),
        (["--threshold", "drama=0.1", "--threshold", "comedy=0.9"], {"comedy": 0.9, "drama": 0.1, "thriller": 0.5}),
    ):
        assert [row["tags"] for row in predicted(*options)] == expected(found, least)


# What a plugin writes


WRITER = """
import json
import modnet

@modnet.hookimpl
def modnet_write_data(table, path):
    if path.suffix != ".columns":
        return None
    path.write_text(json.dumps({name: column.strings() for name, column in table.columns.items()}))
    return True
"""


def test_a_plugin_writes_its_own_kind_of_file(run, model, new):
    Path("mine.py").write_text(WRITER)
    for options in ((), ("--chunk", 2)):
        run("predict", model, new, "-o", "out.columns", "--plugin", "mine.py", "--keep", "id", *options)
        found = json.loads(Path("out.columns").read_text())
        assert found["kind"] == ["cat", "dog", "cat"]
        assert len(found["id"]) == 3
        assert len(found["P(cat)"]) == 3
        Path("out.columns").unlink()
    message = run("predict", model, new, "-o", "out.other", "--plugin", "mine.py", status=2).stderr
    assert "no plugin writes .other files; expected .csv, .tsv, .jsonl, .json or .npz" in message
    assert not [path for path in Path().iterdir() if "unfinished" in path.name]


# Rows that are unlike those of the training


def test_rows_outside_of_the_training_are_told(run, model):
    Path("new.csv").write_text("size,collar\n4.1,red\n-50,red\n99.5,blue\n")
    result = run("predict", model, "new.csv")
    assert len(rows(result.stdout)) == 4
    lines = result.stderr.splitlines()
    assert lines[0] == "2 rows with a value outside of what the model was trained on:"
    assert lines[1].startswith("  size was ")
    assert lines[1].endswith(": 2 rows, the farthest 99.5")
    assert run("predict", model, "new.csv", "--chunk", 1).stderr == result.stderr
    assert "ranges          size " in run("inspect", model).stdout

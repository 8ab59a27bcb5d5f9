"""The same rows predict the same, whatever read them: values count, not their spelling or type."""

import csv
import datetime
import json
import random
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import modnet

SPEC = """
[network]
input = [WIDTH]
layers = [
  "standardize",
  { type = "linear", out_features = 8, activation = "tanh" },
  { type = "linear", out_features = 2 },
  "softmax",
]
[training]
loss = "cross_entropy"
epochs = 2
[data]
train = "train.csv"
target = "label"
missing = "code"
[data.columns.count]
missing = "mean"
[data.columns.grade]
kind = "category"
[data.columns.score]
kind = "category"
encoding = "embedding"
[data.columns.zip]
kind = "category"
[data.columns.alley]
kind = "category"
categories = ["none", "Grvl", "Pave"]
unknown = "code"
[data.columns.day]
kind = "date"
"""

HEADER = ["price", "count", "grade", "score", "zip", "member", "Member", "colour", "alley", "day", "seen", "label"]


def lines_of(rows, seed=0):
    """Rows with gaps in most columns."""
    draw = random.Random(seed)

    def perhaps(value, gap=""):
        return gap if draw.random() < 0.2 else value

    for _ in range(rows):
        member = draw.random() < 0.5
        day = datetime.date(2024, 1, 1) + datetime.timedelta(draw.randrange(400))
        yield [
            round(draw.uniform(-5, 5), 3),
            perhaps(draw.randrange(100)),
            draw.choice([1, 2, 3]),
            perhaps(draw.choice([10, 20, 30])),
            draw.choice(["00501", "01234", "10001"]),
            "true" if member else "false",
            perhaps("True" if member else "False", "NA"),
            perhaps(draw.choice(["red", "blue", "bright green"]), draw.choice(["", "NA"])),
            draw.choice(["none", "Grvl", "Pave"]),
            perhaps(day.isoformat()),
            f"{day.isoformat()} {draw.randrange(24):02}:30:00",
            "yes" if member else "no",
        ]


def write(path, rows):
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows)


@pytest.fixture
def trained(run, folder):
    write("train.csv", lines_of(200))
    write("new.csv", lines_of(40, seed=1))
    spec = SPEC
    Path("spec.toml").write_text(spec.replace("WIDTH", "1"))
    # The width is in the message, so that this test does not repeat how each kind of column is encoded.
    message = run("check", "spec.toml", status=2).output
    width = message.partition("set input = [")[2].partition("]")[0]
    Path("spec.toml").write_text(spec.replace("WIDTH", width))
    run("train", "spec.toml", "-o", "spec.modnet")
    run("predict", "spec.modnet", "new.csv", "-o", "new.npz")
    return modnet.load("spec.modnet")


def records():
    with Path("new.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def typed():
    """The values as a program has them: numbers, truth values, dates, None."""

    def value(name, text):
        if text in ("", "NA"):
            return None
        if name in ("member", "Member"):
            return text.lower() == "true"
        if name == "day":
            return datetime.date.fromisoformat(text)
        if name == "seen":
            return datetime.datetime.fromisoformat(text)
        if name in ("price", "count", "grade", "score"):
            return float(text) if name == "price" else int(text)
        return text

    return [{name: value(name, text) for name, text in row.items()} for row in records()]


def with_types(change):
    return [{name: change(value) for name, value in row.items()} for row in typed()]


def as_numpy(value):
    if isinstance(value, datetime.date):
        return np.datetime64(value)
    return {bool: np.bool_, int: np.int64, float: np.float64, str: np.str_}.get(type(value), lambda same: same)(value)


def columns_of(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def arrays_of(rows, dtype=object):
    return {name: np.array(values, dtype) for name, values in columns_of(rows).items()}


def masked_of(rows):
    columns = {}
    for name, values in columns_of(rows).items():
        gaps = [value is None for value in values]
        some = next(value for value in values if value is not None)
        columns[name] = np.ma.array([some if value is None else value for value in values], mask=gaps)
    return columns


FORMS = {
    "csv.DictReader": records,
    "columns of texts": lambda: columns_of(records()),
    "arrays of texts": lambda: arrays_of(records(), str),
    "arrays of texts as objects": lambda: arrays_of(records()),
    "an array": lambda: np.array([[*row.values()][:-1] for row in records()]),
    "lists": lambda: [[*row.values()][:-1] for row in typed()],
    "JSON": lambda: json.loads(json.dumps(typed(), default=str)),
    "Python values": typed,
    "columns": lambda: columns_of(typed()),
    "arrays of objects": lambda: arrays_of(typed()),
    "masked arrays": lambda: masked_of(typed()),
    "numpy's scalars": lambda: with_types(as_numpy),
    "Decimal": lambda: with_types(lambda value: Decimal(str(value)) if type(value) in (int, float) else value),
    "nan": lambda: with_types(lambda value: float("nan") if value is None else value),
    "whole numbers as floats": lambda: with_types(lambda value: float(value) if type(value) is int else value),
    "bytes": lambda: with_types(lambda value: value.encode() if isinstance(value, str) else value),
}


def check(network, rows):
    expected = np.load("new.npz")["output"]
    found = network.predict(rows)
    if isinstance(found, list):
        found = columns_of(found)
    elif hasattr(found, "to_pydict"):  # of pyarrow
        found = found.to_pydict()
    np.testing.assert_array_equal(np.stack([found["P(no)"], found["P(yes)"]], axis=1).astype(np.float32), expected)
    assert list(found["label"]) == ["yes" if row[1] > row[0] else "no" for row in expected.tolist()]


def test_forms_of_python(trained):
    for form in FORMS.values():
        check(trained, form())
    for rows in (records(), typed()):
        alone = [trained.predict(row) for row in rows]
        np.testing.assert_allclose(
            [row["P(yes)"] for row in alone], np.load("new.npz")["output"][:, 1], rtol=1e-6
        )  # a batch of one may be added up in another order


def test_pandas(trained):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    default = pandas.read_csv("new.csv", keep_default_na=True)
    frames = [
        default,
        pandas.read_csv("new.csv", dtype=str),
        pandas.read_csv("new.csv", dtype=object),
        pandas.read_csv("new.csv", dtype_backend="numpy_nullable"),
        pandas.read_csv("new.csv", dtype="category"),
        pandas.read_csv("new.csv", parse_dates=["day", "seen"]),
        default.convert_dtypes(),
        default.astype(object),
        pandas.DataFrame(typed()),
        pandas.DataFrame(with_types(lambda value: pandas.NA if value is None else value)),
        pandas.DataFrame(with_types(lambda value: pandas.NaT if value is None else value)),
    ]
    for frame in frames:
        check(trained, frame)
        check(trained, dict(frame))
        check(trained, frame.to_dict("records"))
        check(trained, frame[frame.columns[::-1]])


def test_pandas_with_the_types_of_pyarrow(trained):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    check(trained, pandas.read_csv("new.csv", dtype_backend="pyarrow"))
    check(trained, pandas.read_csv("new.csv", engine="pyarrow", dtype_backend="pyarrow"))


def test_polars(trained):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frames = [
        polars.read_csv("new.csv"),
        polars.read_csv("new.csv", null_values=["NA", ""]),
        polars.read_csv("new.csv", null_values=["NA"], try_parse_dates=True),
        polars.read_csv("new.csv", infer_schema=False),
        polars.read_csv("new.csv", infer_schema=False).cast(polars.Categorical),
        polars.scan_csv("new.csv").collect(),
        polars.DataFrame(typed()),
    ]
    for frame in frames:
        check(trained, frame)
        check(trained, frame.to_dicts())
        check(trained, frame.to_dict(as_series=True))
    lazy = trained.predict(frames[0].lazy())
    assert type(lazy) is polars.LazyFrame
    assert lazy.collect().equals(trained.predict(frames[0]))


def test_pyarrow(trained):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import csv as arrow

    for options in (
        arrow.ConvertOptions(),
        arrow.ConvertOptions(strings_can_be_null=True),
        arrow.ConvertOptions(auto_dict_encode=True),
    ):
        table = arrow.read_csv("new.csv", convert_options=options)
        check(trained, table.combine_chunks())
        check(trained, table.to_pydict())
        check(trained, table.to_pylist())
        check(trained, table.to_batches()[0])
    check(trained, pyarrow.Table.from_pylist(typed()))


def test_the_reading_of_frames_from_frames(trained):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    frame = pandas.read_csv("new.csv", dtype={"zip": str})
    check(trained, polars.from_pandas(frame))
    check(trained, pyarrow.Table.from_pandas(frame))
    check(trained, polars.read_csv("new.csv").to_pandas())
    check(trained, polars.read_csv("new.csv").to_arrow())


WRITTEN = """
[network]
input = [WIDTH]
layers = ["standardize", { type = "linear", out_features = 2 }, "softmax"]
[training]
loss = "cross_entropy"
epochs = 1
[data]
train = "train.csv"
target = "label"
delimiter = ";"
[data.columns.price]
kind = "number"
decimal = ","
thousands = "."
unit = "€"
[data.columns.day]
kind = "date"
date_format = "%d.%m.%Y"
[data.columns.note]
kind = "text"
"""


def test_texts_are_read_as_those_of_the_training_data_were(run, folder):
    lines = ["price;day;note;label"]
    prices, days, notes = [1234.5, 0.25, -3.0, 7.0], [1, 12, 30, 15], ["bright red", "blue", "blue sky", "red"]
    for price, day, note in zip(prices, days, notes, strict=True):
        text = f"{price:,.2f}".translate(str.maketrans(",.", ".,"))
        lines.append(f"{text} €;{day:02}.04.2024;{note};{'no' if day % 2 else 'yes'}")
    Path("train.csv").write_text("\n".join(lines) + "\n")
    Path("spec.toml").write_text(WRITTEN.replace("WIDTH", "1"))
    width = run("check", "spec.toml", status=2).output.partition("set input = [")[2].partition("]")[0]
    Path("spec.toml").write_text(WRITTEN.replace("WIDTH", width))
    run("train", "spec.toml", "-o", "spec.modnet")
    run("predict", "spec.modnet", "train.csv", "-o", "new.npz")
    network = modnet.load("spec.modnet")
    with Path("train.csv").open(newline="") as file:
        texts = list(csv.DictReader(file, delimiter=";"))
    values = [
        {"price": price, "day": datetime.date(2024, 4, day), "note": note}
        for price, day, note in zip(prices, days, notes, strict=True)
    ]
    iso = [{**row, "day": row["day"].isoformat()} for row in values]
    for rows in (texts, values, iso):
        check(network, rows)
        check(network, columns_of(rows))
        for row, expected in zip(rows, np.load("new.npz")["output"], strict=True):
            assert network.predict(row)["P(yes)"] == pytest.approx(expected[1], rel=1e-5)

"""Networks for tables: the graph takes the columns of raw rows, and prepares them as modnet does."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import onnxruntime
import pytest

import modnet
from modnet.errors import ModelFileError
from modnet.testing.networks import stirred

COLUMNS = {
    "moment": {"kind": "number", "missing": "error"},
    "size": {"kind": "number", "missing": "mean"},
    "colour": {"kind": "category", "missing": "code", "unknown": "code"},
    "member": {"kind": "boolean", "missing": "most_frequent"},
    "zip": {"kind": "category", "unknown": "error"},
    "shop": {"kind": "category", "encoding": "embedding", "unknown": "code", "missing": "code"},
    "floor": {"kind": "category", "encoding": "ordinal", "categories": ["low", "high"]},
}


def table(rows=200):
    rng = np.random.default_rng(0)
    return [
        {
            "moment": f"{1.7e9 + 10 * rng.standard_normal():.6f}",
            "size": "" if place % 17 == 0 else f"{rng.exponential():.4f}",
            "colour": str(rng.choice(["red", "Green", "n/a", ""])),
            "member": "" if place % 23 == 0 else str(rng.choice(["yes", "no"])),
            "zip": str(rng.choice(["01", "02", "10"])),
            "shop": str(rng.choice(["north", "south"])),
            "floor": str(rng.choice(["low", "high"])),
            "kind": str(rng.choice(["cat", "dog", "bird"])),
            "yes": str(rng.choice(["no", "yes"])),
            "price": f"{rng.exponential():.4f}",
        }
        for place in range(rows)
    ]


def trained(folder, target, layers, loss="cross_entropy", columns=COLUMNS, inputs=None):
    """A network for some columns of the table, and the rows."""
    rows = [{name: row[name] for name in (*columns, target)} for row in table()]
    path = folder / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    data = {"train": str(path), "target": target, "columns": columns}
    if inputs is not None:
        data["inputs"] = inputs
    spec = {"network": {"input": [1], "layers": layers}, "training": {"loss": loss, "epochs": 1}, "data": data}
    width = {"input": [8]} if inputs is None else {"input": {"numbers": [8], "shop": [1], "floor": [1]}}
    spec["network"].update(width)
    return stirred(modnet.train(spec).network), rows


def session(network, path, **options):
    modnet.save(network, path, options=options)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def feed(found, rows):
    """The rows as the inputs of the graph: numbers, nan for gaps, and texts."""
    given = {}
    for value in found.get_inputs():
        texts = [row[value.name] for row in rows]
        is_number = value.type == "tensor(double)"
        array = np.array([float(t) if t else math.nan for t in texts]) if is_number else np.array(texts, object)
        given[value.name] = array[:, None]
    return given


def columns_of(rows):
    """The same rows as modnet takes them."""
    numbers = ("moment", "size")
    return {
        name: [float(r[name]) if name in numbers and r[name] else r[name] or None for r in rows] for name in rows[0]
    }


MLP = ["standardize", {"type": "linear", "out_features": 8, "activation": "relu"}]
ONE_HOT = {name: column for name, column in COLUMNS.items() if name not in ("shop", "floor")}


def test_classes(tmp_path):
    layers = [*MLP, {"type": "linear", "out_features": 3}, "softmax"]
    network, rows = trained(tmp_path, "kind", layers, columns=ONE_HOT)
    found = session(network, tmp_path / "m.onnx")
    assert [(value.name, value.type) for value in found.get_inputs()] == [
        ("moment", "tensor(double)"),
        ("size", "tensor(double)"),
        ("colour", "tensor(string)"),
        ("member", "tensor(string)"),
        ("zip", "tensor(string)"),
    ]
    probabilities, kinds = found.run(["output", "kind"], feed(found, rows))
    expected = network.predict(columns_of(rows))
    assert kinds.tolist() == expected["kind"]
    for place, name in enumerate(network.schema.classes()["output"]):
        np.testing.assert_allclose(probabilities[:, place], expected[f"P({name})"], atol=1e-5)
    schema = json.loads(found.get_modelmeta().custom_metadata_map["modnet.schema"])
    assert schema == network.schema.to_plain()


def test_two_classes_by_one_probability(tmp_path):
    layers = [*MLP, {"type": "linear", "out_features": 1}, "sigmoid"]
    network, rows = trained(tmp_path, "yes", layers, "binary_cross_entropy", ONE_HOT)
    found = session(network, tmp_path / "m.onnx")
    assert found.run(["yes"], feed(found, rows))[0].tolist() == network.predict(columns_of(rows))["yes"]


def test_numbers_in_float16(tmp_path):
    layers = [*MLP, {"type": "linear", "out_features": 1}, "unstandardize"]
    network, rows = trained(tmp_path, "price", layers, "mse", ONE_HOT)
    expected = np.array(network.predict(columns_of(rows))["price"])
    for dtype, tolerance in ((None, 1e-5), ("float16", 2e-2)):
        found = session(network, tmp_path / "m.onnx", **({"dtype": dtype} if dtype else {}))
        (made,) = found.run(None, feed(found, rows))
        assert made.dtype == (dtype or "float32")
        np.testing.assert_allclose(
            made[:, 0] / np.abs(expected).max(), expected / np.abs(expected).max(), atol=tolerance
        )


def test_ids(tmp_path):
    inputs = {"numbers": [*ONE_HOT], "shop": ["shop"], "floor": ["floor"]}
    layers = [
        {"type": "embedding", "vocabulary_size": 3, "embedding_size": 2, "inputs": ["shop"]},
        {"type": "flatten", "name": "shops"},
        {"type": "embedding", "vocabulary_size": 2, "embedding_size": 2, "inputs": ["floor"]},
        {"type": "flatten", "name": "floors"},
        {"type": "standardize", "inputs": ["numbers"], "name": "scaled"},
        {"type": "concatenate", "inputs": ["scaled", "shops", "floors"]},
        {"type": "linear", "out_features": 3},
        "softmax",
    ]
    network, rows = trained(tmp_path, "kind", layers, inputs=inputs)
    found = session(network, tmp_path / "m.onnx")
    assert found.run(["kind"], feed(found, rows))[0].tolist() == network.predict(columns_of(rows))["kind"]
    rows[0]["shop"], rows[1]["shop"] = "east", ""
    assert found.run(["kind"], feed(found, rows))[0].tolist() == network.predict(columns_of(rows))["kind"]


def test_other_spellings_and_unknown_categories(tmp_path):
    layers = [*MLP, {"type": "linear", "out_features": 3}, "softmax"]
    network, rows = trained(tmp_path, "kind", layers, columns=ONE_HOT)
    found = session(network, tmp_path / "m.onnx")
    rows = rows[1:9]
    for row, change in zip(
        rows,
        [
            {"colour": "RED"},
            {"colour": "green"},
            {"colour": "mauve"},
            {"colour": "NA"},
            {"member": "TRUE"},
            {"member": "0"},
        ],
        strict=False,
    ):
        row.update(change)
    made, _ = found.run(None, feed(found, rows))
    expected = network.forward(network.encode(columns_of(rows)))
    np.testing.assert_allclose(made, expected, atol=1e-5)
    rows[2]["zip"], rows[3]["moment"] = "99", ""  # modnet refuses both
    made, kinds = found.run(None, feed(found, rows))
    assert [kind == "" for kind in kinds] == [place in (2, 3) for place in range(8)]
    assert np.isnan(made).all(axis=1).tolist() == [place in (2, 3) for place in range(8)]


def test_what_onnx_cannot_say_is_told(tmp_path):
    rows = "day,words,y\n2024-01-05,good fish,1\n2024-02-05,bad fish,2\n2024-03-05,no fish,3\n2024-04-01,fish,4\n"
    (tmp_path / "rows.csv").write_text(rows)
    columns = {"day": {"kind": "date", "parts": ["year", "month"]}, "words": {"kind": "text", "buckets": 4}}
    spec = {
        "network": {"input": [1], "layers": [{"type": "linear", "out_features": 1}]},
        "training": {"loss": "mse", "epochs": 1},
        "data": {"train": str(tmp_path / "rows.csv"), "target": "y", "columns": columns},
    }
    with pytest.raises(modnet.ModnetError) as caught:
        modnet.train(spec)
    spec["network"]["input"] = [int(str(caught.value).partition("set input = [")[2].partition("]")[0])]
    network = modnet.train(spec).network
    path = tmp_path / "m.onnx"
    with pytest.raises(ModelFileError) as caught:
        modnet.save(network, path)
    assert "\n  column day: ONNX has no dates; give the option inputs=encoded" in str(caught.value)
    assert "\n  column words: ONNX cannot hash texts" in str(caught.value)
    assert not path.exists()
    encoded = network.encode({"day": ["2024-01-05"], "words": ["good"]})
    (made,) = session(network, path, inputs="encoded").run(None, {"input": encoded.astype(np.float32)})
    np.testing.assert_allclose(made, network.forward(encoded), rtol=1e-5)

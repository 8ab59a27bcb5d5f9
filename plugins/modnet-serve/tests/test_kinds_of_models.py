"""Models of every kind are asked by both ways and give what the library gives."""

import numpy as np
import pytest
from people import CLASSES, INPUTS, ROWS, TRAINING
from starlette.testclient import TestClient

import modnet
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema

NUMBER = [*CLASSES[:-2], {"type": "linear", "out_features": 1}]


def people(target, layers, loss, **more):
    data = {"target": target, "columns": {"height": {"missing": "error"}, **more}}
    spec = {"network": {"input": [1], "layers": layers}, "training": {**TRAINING, "loss": loss}, "data": data}
    rows = [{"height": row["height"], target: row[target]} for row in ROWS]
    return modnet.train(spec, rows).network, [{"height": row["height"]} for row in INPUTS]


def asked(client, name, rows):
    """What both ways answer for rows: records, and output -> values."""
    records = client.post(f"/predict/{name}", json=rows)
    assert records.status_code == 200, records.text
    heights = [row["height"] for row in rows]
    tensor = {"name": "height", "datatype": "FP64", "shape": [len(rows)], "data": heights}
    answer = client.post(f"/v2/models/{name}/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    return records.json(), {output["name"]: output["data"] for output in answer.json()["outputs"]}


@pytest.mark.parametrize("count", [1, 50])
def test_sets_of_classes(served, folder, count):
    network, rows = people("size", CLASSES, "cross_entropy")
    network = modnet.intervals(
        network, [{**row, "size": ROWS[place]["size"]} for place, row in enumerate(rows)]
    ).network
    modnet.save(network, folder / "sets.modnet")
    expected = network.predict(rows[:count])
    with TestClient(served(folder / "sets.modnet").app) as client:
        records, outputs = asked(client, "sets", rows[:count])
    assert records == expected
    assert outputs["set"] == ["; ".join(row["set"]) for row in expected]
    assert outputs["size"] == [row["size"] for row in expected]


@pytest.mark.parametrize("count", [1, 50])
def test_numbers_with_intervals(served, folder, count):
    network, rows = people("age", NUMBER, "mse", age={"missing": "drop"})
    network = modnet.intervals(network, [{**row, "age": ROWS[place]["age"]} for place, row in enumerate(rows)]).network
    modnet.save(network, folder / "intervals.modnet")
    expected = network.predict(rows[:count])
    with TestClient(served(folder / "intervals.modnet").app) as client:
        records, outputs = asked(client, "intervals", rows[:count])
    assert set(expected[0]) == {"age", "lower", "upper"}
    assert records == expected
    assert outputs == {name: [row[name] for row in expected] for name in expected[0]}


def test_names_of_classes_of_a_model_of_arrays(served, folder):
    x = np.random.default_rng(0).normal(size=(30, 5))
    spec = {"network": {"input": [5], "layers": CLASSES}, "training": TRAINING}
    network = modnet.train(spec, x, np.arange(30) % 3).network
    classes = ColumnSchema(name="pet", kind="category", categories=("cat", "dog", "owl"))
    network.card = network.card.replace(schema=DataSchema({}, {"output": (classes,)}))
    modnet.save(network, folder / "pets.modnet")
    with TestClient(served(folder / "pets.modnet").app) as client:
        tensor = {"name": "input", "datatype": "FP64", "shape": [2, 5], "data": x[:2].tolist()}
        answer = client.post("/v2/models/pets/infer", json={"inputs": [tensor]}).json()
        records = client.post("/predict", json=x[:2].tolist()).json()
        described = client.get("/v2/models/pets").json()["outputs"]
    outputs = {output["name"]: output for output in answer["outputs"]}
    forward = network.forward(x[:2])
    assert outputs["output"]["data"] == forward.reshape(-1).tolist()
    expected = {name: values.tolist() for name, values in network.decode(forward).items()}
    assert records == [{name: values[row] for name, values in expected.items()} for row in range(2)]
    for name, values in expected.items():
        assert outputs[name]["data"] == values
    assert [(tensor["name"], tensor["datatype"]) for tensor in described] == [
        (output["name"], output["datatype"]) for output in answer["outputs"]
    ]


def test_ids_of_any_length(served, folder):
    layers = [{"type": "embedding", "vocabulary_size": 9, "embedding_size": 3}, "global_average_pool"]
    network = modnet.build({"network": {"input": ["variable"], "layers": layers}})
    modnet.save(network, folder / "ids.modnet")
    with TestClient(served(folder / "ids.modnet").app) as client:
        (described,) = client.get("/v2/models/ids").json()["inputs"]
        tensor = {"name": "input", "datatype": "INT32", "shape": [2, 4], "data": [1, 2, 3, 4, 5, 6, 7, 8]}
        answer = client.post("/v2/models/ids/infer", json={"inputs": [tensor]}).json()
        wrong = client.post("/v2/models/ids/infer", json={"inputs": [{**tensor, "data": [1, 2, 3, 4, 5, 6, 7, 80]}]})
    assert described == {"name": "input", "datatype": "INT64", "shape": [-1, -1]}
    expected = network.forward(np.arange(1, 9).reshape(2, 4))
    assert answer["outputs"][0]["data"] == expected.reshape(-1).tolist()
    assert wrong.status_code == 400
    assert "80" in wrong.json()["error"]

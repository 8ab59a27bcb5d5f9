"""Records as JSON: the same answers as the library gives."""

import json

import numpy as np
import pytest
from people import INPUTS
from starlette.testclient import TestClient

import modnet


@pytest.fixture
def client(served, people, numbers, pair):
    with TestClient(served(people, numbers, pair).app) as client:
        yield client


def test_a_record_is_answered_by_a_record(client, people):
    response = client.post("/predict/people", json=INPUTS[0])
    assert response.status_code == 200
    assert response.json() == modnet.load(people).predict(INPUTS[0])


@pytest.mark.parametrize("count", [1, 40])
def test_records_are_answered_by_records(client, people, count):
    found = client.post("/predict/people", json=INPUTS[:count]).json()
    assert found == modnet.load(people).predict(INPUTS[:count])


def test_the_report_tells_what_was_replaced_ignored_and_outside(client, people):
    row = {**INPUTS[1], "age": None, "height": 300, "city": "Rom", "note": 1}
    found = client.post("/predict/people?report=true", json=row).json()
    report = []
    assert found["predictions"] == modnet.load(people).predict(row, report=report)
    assert found["report"] == [
        {key: value for key, value in fault._asdict().items() if key == "value" or value is not None}
        for fault in report
    ]
    assert {fault["kind"] for fault in found["report"]} == {"replaced", "outside", "ignored"}


def test_samples_of_arrays(client, numbers):
    x = np.random.default_rng(0).normal(size=(3, 5))
    network = modnet.load(numbers)
    expected = network.decode(network.forward(x))
    found = client.post("/predict/numbers", json=x.tolist()).json()
    assert found == [{name: values[row].item() for name, values in expected.items()} for row in range(3)]
    alone = network.decode(network.forward(x[:1]))
    assert client.post("/predict/numbers", json=x[0].tolist()).json() == {n: v[0].item() for n, v in alone.items()}


def test_samples_of_several_arrays(client, pair):
    found = client.post("/predict/pair", json={"left": [1, 2], "right": [3, 4, 5]}).json()
    assert set(found) == {"total", "parts_0", "parts_1", "parts_2", "parts_3"}


def test_one_model_needs_no_name(served, people):
    with TestClient(served(people).app) as client:
        assert client.post("/predict", json=INPUTS[0]).json() == modnet.load(people).predict(INPUTS[0])


def test_several_models_need_one(client):
    response = client.post("/predict", json=INPUTS[0])
    assert response.status_code == 404
    message = "several models are served: ask /predict/NAME with one of people, numbers, pair"
    assert response.json() == {"error": message}


@pytest.mark.parametrize(
    ("name", "message", "text"),
    [
        ("people", 3, "expected a record, column -> value, or a list of them, found 3"),
        ("people", [], "found no rows; expected at least one"),
        ("people", [INPUTS[0], 3], "row 2: expected a record, column -> value, found 3"),
        ("people", {**INPUTS[0], "height": "tall"}, 'column height: expected a number, found "tall"'),
        ("people", {**INPUTS[0], "height": None}, "column height: "),
        ("people", {**INPUTS[0], "height": [1]}, "height"),
        ("people", {**INPUTS[0], "height": {"cm": 1}}, "height"),
        ("people", {**INPUTS[0], "height": 1e300}, "beyond what float32 can hold"),
        ("people", {k: v for k, v in INPUTS[0].items() if k != "height"} | {"heigth": 1}, '"height"'),
        ("numbers", "abc", 'input "input": expected numbers, in lists of equal lengths, found "abc"'),
        ("numbers", [[1, 2], [3]], 'input "input": expected numbers, in lists of equal lengths'),
        ("numbers", [1, 2, 3], "(batch, 5)"),
        ("numbers", [], "(batch, 5)"),
        ("numbers", {"x": 1}, 'expected an object with "input", found ["x"]'),
        ("numbers", [[0, 0, 0, 0, 1e39]], "beyond what float32 can hold"),
        ("pair", [1, 2], 'expected an object with "left", "right", found [1, 2]'),
        ("pair", {"left": [1, 2]}, 'expected an object with "left", "right", found ["left"]'),
    ],
)
def test_what_cannot_be_used_is_refused(client, name, message, text):
    response = client.post(f"/predict/{name}", json=message)
    assert response.status_code == 400, response.text
    assert text in response.json()["error"]


def test_a_flag_is_true_or_false(client):
    response = client.post("/predict/people?report=maybe", json=INPUTS[0])
    assert (response.status_code, response.json()) == (400, {"error": "report: expected true or false, found maybe"})


def test_numbers_that_are_not_finite_become_null(served, folder):
    network = modnet.build({"network": {"input": [1], "layers": [{"type": "linear", "out_features": 1}]}})
    network.parameters.flat[:] = 3e38
    path = folder / "great.modnet"
    modnet.save(network, path)
    with TestClient(served(path).app) as client:
        assert client.post("/predict/great", json=[[3.0]]).json() == [{"output": None}]
        tensor = {"name": "input", "datatype": "FP32", "shape": [1, 1], "data": [3]}
        answer = client.post("/v2/models/great/infer", json={"inputs": [tensor]}).json()
        assert answer["outputs"][0]["data"] == [None]


def test_the_answers_are_plain_json(client):
    response = client.post("/predict/people", json=INPUTS[:3])
    assert response.headers["content-type"] == "application/json"
    json.loads(response.text, parse_constant=pytest.fail)

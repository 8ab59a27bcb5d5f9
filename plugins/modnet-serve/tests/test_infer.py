"""The Open Inference Protocol: what is asked for, what comes, what is refused."""

import json

import httpx
import numpy as np
import pytest
from modnet_serve.datatypes import from_bytes
from modnet_serve.protocol import HEADER_LENGTH
from people import INPUTS
from starlette.testclient import TestClient

import modnet

DATATYPES = {"height": "FP64", "age": "FP64", "member": "BOOL"}


def columns(rows, **changes):
    """The tensors of rows, one for each column."""
    listed = {name: [row[name] for row in rows] for name in rows[0]} | changes
    return [
        {"name": name, "datatype": DATATYPES.get(name, "BYTES"), "shape": [len(values)], "data": values}
        for name, values in listed.items()
    ]


@pytest.fixture
def client(served, people, numbers, pair):
    with TestClient(served(people, numbers, pair).app) as client:
        yield client


def infer(client, name, message, **options):
    return client.post(f"/v2/models/{name}/infer", json=message, **options)


def outputs(response):
    assert response.status_code == 200, response.text
    return {output["name"]: output for output in response.json()["outputs"]}


def test_the_tensors_of_a_table_are_its_columns(client):
    found = client.get("/v2/models/people").json()
    assert (found["name"], found["versions"], found["platform"]) == ("people", ["1"], "modnet")
    assert {tensor["name"]: tensor["datatype"] for tensor in found["inputs"]} == {
        "height": "FP64",
        "age": "FP64",
        "city": "BYTES",
        "member": "BOOL",
        "joined": "BYTES",
        "tags": "BYTES",
    }
    assert {tensor["name"]: tensor["datatype"] for tensor in found["outputs"]} == {
        "size": "BYTES",
        "P(large)": "FP32",
        "P(medium)": "FP32",
        "P(small)": "FP32",
    }
    assert all(tensor["shape"] == [-1] for tensor in found["inputs"] + found["outputs"])


@pytest.mark.parametrize("count", [1, 5, 40])
def test_rows_of_a_table_are_predicted_as_by_the_library(client, people, count):
    rows = INPUTS[:count]
    found = outputs(infer(client, "people", {"inputs": columns(rows)}))
    expected = modnet.load(people).predict({name: [row[name] for row in rows] for name in rows[0]})
    for name, values in expected.items():
        values = np.asarray(values)
        assert found[name]["shape"] == [count]
        assert found[name]["data"] == values.tolist()


def test_a_column_may_be_written_in_other_ways(client):
    """As texts, as whole numbers, with an axis of one more: values count."""
    rows = INPUTS[1:3]
    expected = outputs(infer(client, "people", {"inputs": columns(rows)}))
    tensors = {tensor["name"]: tensor for tensor in columns(rows)}
    tensors["height"] |= {"datatype": "BYTES", "data": [str(row["height"]) for row in rows], "shape": [2, 1]}
    tensors["age"] |= {"datatype": "INT32"}
    tensors["member"] |= {"datatype": "BYTES", "data": ["yes" if row["member"] else "no" for row in rows]}
    assert outputs(infer(client, "people", {"inputs": list(tensors.values())})) == expected


def test_missing_values(client, people):
    rows = [{**INPUTS[1], "age": None, "city": None}]
    found = outputs(infer(client, "people", {"inputs": columns(rows)}))
    assert found["size"]["data"] == [modnet.load(people).predict(rows[0])["size"]]


def test_the_id_and_the_outputs_that_are_asked_for(client):
    message = {"id": "42", "inputs": columns(INPUTS[:2]), "outputs": [{"name": "P(small)"}, {"name": "size"}]}
    response = infer(client, "people", message)
    assert list(outputs(response)) == ["P(small)", "size"]
    assert {key: response.json()[key] for key in ("id", "model_name", "model_version")} == {
        "id": "42",
        "model_name": "people",
        "model_version": "1",
    }


def test_arrays(client, numbers):
    x = np.random.default_rng(3).normal(size=(4, 5)).astype(np.float32)
    tensor = {"name": "input", "datatype": "FP32", "shape": [4, 5], "data": x.tolist()}
    found = outputs(infer(client, "numbers", {"inputs": [tensor]}))["output"]
    assert (found["datatype"], found["shape"]) == ("FP32", [4, 3])
    np.testing.assert_array_equal(np.array(found["data"], np.float32).reshape(4, 3), modnet.load(numbers).forward(x))


def test_several_inputs_and_outputs(client, pair):
    left, right = np.ones((2, 2), np.float32), np.full((2, 3), 2, np.float32)
    tensors = [
        {"name": "right", "datatype": "FP64", "shape": [2, 3], "data": right.tolist()},
        {"name": "left", "datatype": "INT8", "shape": [2, 2], "data": [1, 1, 1, 1]},
    ]
    found = outputs(infer(client, "pair", {"inputs": tensors}))
    expected = modnet.load(pair).forward({"left": left, "right": right})
    for name, values in expected.items():
        assert found[name]["data"] == values.reshape(-1).tolist()


def binary(client, parts, message, headers=()):
    head = json.dumps(message).encode()
    headers = {HEADER_LENGTH: str(len(head)), **dict(headers)}
    return client.post("/v2/models/numbers/infer", content=head + b"".join(parts), headers=headers)


def test_raw_bytes_come_and_go(client, numbers):
    x = np.random.default_rng(3).normal(size=(4, 5)).astype(np.float32)
    tensor = {"name": "input", "datatype": "FP32", "shape": [4, 5], "parameters": {"binary_data_size": x.nbytes}}
    message = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    response = binary(client, [x.tobytes()], message)
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers[HEADER_LENGTH])
    (output,) = json.loads(response.content[:length])["outputs"]
    raw = response.content[length:]
    assert len(raw) == output["parameters"]["binary_data_size"]
    found = from_bytes(memoryview(raw), output["datatype"], output["shape"], "output")
    np.testing.assert_array_equal(found, modnet.load(numbers).forward(x))


def test_an_output_says_for_itself_how_it_is_sent(client):
    message = {
        "inputs": columns(INPUTS[:1]),
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "size", "parameters": {"binary_data": False}}, {"name": "P(small)"}],
    }
    response = infer(client, "people", message)
    found = json.loads(response.content[: int(response.headers[HEADER_LENGTH])])["outputs"]
    assert "data" in found[0]
    assert found[1]["parameters"] == {"binary_data_size": 4}


GOOD = {"name": "input", "datatype": "FP32", "shape": [1, 5], "data": [0, 0, 0, 0, 0]}
REFUSALS = [
    ([], 'expected an object with "inputs", found []'),
    ({}, "inputs: expected a list of objects, found nothing"),
    ({"inputs": []}, 'input "input" is missing; expected all of input FP32[-1, 5]'),
    ({"inputs": [3]}, "inputs: expected a list of objects, found [3]"),
    ({"inputs": [{**GOOD, "name": 3}]}, "inputs[0]: expected a text as name, found 3"),
    ({"inputs": [GOOD, GOOD]}, 'inputs: "input" is there twice'),
    (
        {"inputs": [{**GOOD, "name": "imput"}]},
        'input "imput": model "numbers" has no such input; did you mean "input"?',
    ),
    ({"inputs": [GOOD], "id": 5}, "id: expected a text, found 5"),
    ({"inputs": [GOOD], "outputs": [{"name": "x"}]}, 'output "x": model "numbers" has no such output; it has "output"'),
    ({"inputs": [GOOD], "outputs": {}}, "outputs: expected a list of objects, found a table"),
    ({"inputs": [GOOD], "parameters": 3}, "the request: expected an object as parameters, found 3"),
    (
        {"inputs": [GOOD], "parameters": {"binary_data_output": 1}},
        "the request: expected true or false for binary_data_output, found 1",
    ),
    (
        {"inputs": [GOOD], "outputs": [{"name": "output", "parameters": {"classification": 3}}]},
        'output "output": classification is not offered; the names of classes are a separate output',
    ),
    (
        {"inputs": [{**GOOD, "parameters": {"shared_memory_region": "r"}}]},
        'input "input": shared memory is not offered; send the values in the request',
    ),
    ({"inputs": [{**GOOD, "datatype": "FP8"}]}, 'input "input": expected one of BOOL, UINT8'),
    ({"inputs": [{**GOOD, "shape": []}]}, 'input "input": expected a list of whole numbers as shape'),
    ({"inputs": [{**GOOD, "shape": [-1, 5]}]}, 'input "input": expected a list of whole numbers as shape'),
    ({"inputs": [{**GOOD, "shape": [1, 4]}]}, 'input "input": expected 4 values of the shape [1, 4], found 5 in data'),
    ({"inputs": [{**GOOD, "shape": [5]}]}, "(batch, 5)"),
    ({"inputs": [{**GOOD, "shape": [0, 5], "data": []}]}, 'input "input": found no rows; expected at least one'),
    ({"inputs": [{**GOOD, "data": None}]}, 'input "input": expected data to be a list of values, found nothing'),
    (
        {"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 5]}]},
        'input "input": expected data, or binary_data_size in its parameters',
    ),
    (
        {"inputs": [{**GOOD, "parameters": {"binary_data_size": 20}}]},
        'input "input": found data and binary_data_size; expected one of them',
    ),
    ({"inputs": [{**GOOD, "datatype": "BYTES", "data": ["a"] * 5}]}, "expected numbers, found text"),
    ({"inputs": [{**GOOD, "data": [0, 0, None, 0, 0]}]}, "nan"),
]


@pytest.mark.parametrize(("message", "text"), REFUSALS, ids=[text[:40] for _, text in REFUSALS])
def test_what_cannot_be_used_is_refused(client, message, text):
    response = infer(client, "numbers", message)
    assert response.status_code == 400, response.text
    assert text in response.json()["error"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "the body is not JSON: line 1, column 2"),
        (b"", "the body is not JSON: line 1, column 1"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 100_000, "the body is nested too deeply"),
        (b"1" * 5000, "the body has a whole number with too many digits"),
    ],
)
def test_what_is_no_json_is_refused(client, body, text):
    response = client.post("/v2/models/numbers/infer", content=body)
    assert response.status_code == 400
    assert text in response.json()["error"]


@pytest.mark.parametrize(
    ("parts", "size", "header", "text"),
    [
        ([b"\0" * 20], 21, None, "binary_data_size is 21, and 20 raw bytes are left in the body"),
        ([b"\0" * 20], -1, None, "binary_data_size is -1"),
        ([b"\0" * 20], "20", None, 'binary_data_size is "20"'),
        ([b"\0" * 20], 16, None, "expected 20 bytes (FP32 of the shape [1, 5]), found 16"),
        ([b"\0" * 24], 20, None, "4 raw bytes belong to no input"),
        ([b"\0" * 20], 20, "x", "Inference-Header-Content-Length: expected a number of bytes"),
        ([b"\0" * 20], 20, "99999", "Inference-Header-Content-Length: expected a number of bytes"),
        ([b"\0" * 20], 20, "9" * 5000, "Inference-Header-Content-Length: expected a number of bytes"),
    ],
)
def test_raw_bytes_that_do_not_fit_are_refused(client, parts, size, header, text):
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, 5], "parameters": {"binary_data_size": size}}
    response = binary(client, parts, {"inputs": [tensor]}, [] if header is None else [(HEADER_LENGTH, header)])
    assert response.status_code == 400
    assert text in response.json()["error"]


def test_a_value_that_is_wrong_is_told_with_its_row_and_column(client):
    rows = [INPUTS[1], {**INPUTS[2], "joined": "yesterday"}]
    response = infer(client, "people", {"inputs": columns(rows)})
    assert response.status_code == 400
    assert 'row 2, column joined: expected a date, found "yesterday"' in response.json()["error"]


def test_columns_of_different_lengths_are_refused(client):
    response = infer(client, "people", {"inputs": columns(INPUTS[:2], height=[1.0])})
    assert response.status_code == 400
    assert response.json()["error"] == 'found 1 rows in "height" and 2 in "age"; expected as many in each input'


def test_a_column_of_two_axes_is_refused(client):
    tensors = columns(INPUTS[:2])
    tensors[0] |= {"shape": [1, 2]}
    response = infer(client, "people", {"inputs": tensors})
    assert response.json()["error"] == 'input "height": expected the shape [rows] or [rows, 1], found [1, 2]'


def test_more_rows_than_allowed_are_refused(served, numbers):
    with TestClient(served(numbers, most_rows=3).app) as client:
        tensor = {"name": "input", "datatype": "FP32", "shape": [4, 5], "data": [0] * 20}
        response = infer(client, "numbers", {"inputs": [tensor]})
    assert response.status_code == 413
    assert response.json()["error"] == "found 4 rows; expected at most 3 in a request"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v2/models/peple", 'no model is called "peple"; did you mean "people"?'),
        ("/v2/models/other/ready", 'no model is called "other"; there are "people", "numbers", "pair"'),
        ("/v2/models/people/versions/7", 'model "people" has no version "7"; there are 1'),
        ("/v3", "nothing is at /v3; /openapi.json and /docs have all addresses"),
    ],
)
def test_what_is_not_there(client, path, text):
    response = client.get(path)
    assert (response.status_code, response.json()) == (404, {"error": text})


def test_another_method_is_refused(client):
    response = client.get("/v2/models/people/infer")
    assert response.status_code == 405
    assert response.json() == {"error": "expected POST, found GET"}


def test_health_and_versions(client: httpx.Client):
    assert client.get("/v2").json() == {
        "name": "modnet",
        "version": modnet.__version__,
        "extensions": ["binary_tensor_data"],
    }
    assert client.get("/v2/health/live").json() == {"live": True}
    ready = client.get("/v2/health/ready").json()
    assert ready["ready"]
    assert [model["name"] for model in ready["models"]] == ["people", "numbers", "pair"]
    assert client.post("/v2/repository/index").json() == ready["models"]
    assert client.get("/v2/models/people/versions/1/ready").json() == {"name": "people", "ready": True}

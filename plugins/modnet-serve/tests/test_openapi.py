"""The description of the server is true: what it shows as examples is taken, what comes is what it says."""

import pytest
from people import INPUTS
from starlette.testclient import TestClient

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture
def client(served, people, numbers, pair):
    with TestClient(served(people, numbers, pair).app) as client:
        yield client


@pytest.fixture
def described(client):
    return client.get("/openapi.json").json()


def valid(described, name, value):
    schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    return jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("name", ["people", "numbers", "pair"])
def test_its_examples_are_taken(client, described, name):
    post = described["paths"][f"/predict/{name}"]["post"]
    row = post["requestBody"]["content"]["application/json"]["examples"]["row"]["value"]
    assert valid(described, f"{name}.row", row)
    answer = client.post(f"/predict/{name}", json=row)
    assert answer.status_code == 200, answer.text
    assert valid(described, f"{name}.prediction", answer.json())
    (request,) = described["components"]["schemas"][f"{name}.request"]["examples"]
    assert valid(described, f"{name}.request", request)
    answer = client.post(f"/v2/models/{name}/infer", json=request)
    assert answer.status_code == 200, answer.text
    assert valid(described, f"{name}.answer", answer.json())


def test_what_it_describes_is_there(client, described):
    for path, methods in described["paths"].items():
        for method in methods:
            assert client.request(method, path).status_code not in (404, 405), path


def test_columns_say_what_they_take(described):
    columns = described["components"]["schemas"]["people.row"]["properties"]
    assert columns["height"]["type"] == ["number"]
    assert columns["age"]["type"] == ["number", "null"]
    low, high = columns["age"]["x-training-range"]
    assert (low, high) == (min(r["age"] for r in INPUTS if r["age"]), max(r["age"] for r in INPUTS if r["age"]))
    assert columns["age"]["description"] == f"In training {low:g} to {high:g}."
    assert columns["city"]["anyOf"] == [{"enum": ["Oslo", "Rome", "Łódź", None]}, {"type": "string"}]
    assert columns["member"]["type"] == ["boolean", "null"]
    assert (columns["joined"]["format"], columns["joined"]["examples"]) == ("date", ["2020-01-01", "2020-04-29"])
    assert columns["tags"]["x-categories"] == ["blue", "green", "red"]
    prediction = described["components"]["schemas"]["people.prediction"]["properties"]
    assert prediction["size"]["enum"] == ["large", "medium", "small"]


def test_a_token_is_told_of(served, people):
    with TestClient(served(people, token="secret").app) as client:
        described = client.get("/openapi.json", headers={"Authorization": "Bearer secret"}).json()
    assert described["security"] == [{"token": []}]
    assert described["paths"]["/v2/health/live"]["get"]["security"] == []

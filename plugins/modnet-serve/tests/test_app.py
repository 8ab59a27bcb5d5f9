"""What every answer goes through: bodies, the token, headers, figures."""

import gzip
import json
import re
import zlib

import pytest
from people import INPUTS
from starlette.testclient import TestClient

import modnet

ROW = json.dumps(INPUTS[0]).encode()
MANY = json.dumps(INPUTS).encode()


@pytest.fixture
def client(served, people):
    with TestClient(served(people, most_bytes=200_000).app) as client:
        yield client


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_packed_bodies(client, encoding, pack):
    expected = client.post("/predict", content=ROW).json()
    response = client.post("/predict", content=pack(ROW), headers={"Content-Encoding": encoding})
    assert response.json() == expected


@pytest.mark.parametrize(
    ("encoding", "body", "status", "text"),
    [
        ("br", ROW, 415, "Content-Encoding: expected gzip, deflate or identity, found br"),
        ("gzip", ROW, 400, "the body is not gzip, although Content-Encoding says so"),
        ("gzip", gzip.compress(ROW)[:-9], 400, "the body is cut off gzip"),
        ("gzip", gzip.compress(ROW) + b"x", 400, "the body is longer than its gzip"),
        ("gzip", gzip.compress(bytes(10_000_000)), 413, "the body is longer than 200,000 bytes"),
        ("identity", bytes(200_001), 413, "the body is longer than 200,000 bytes, the limit of this server"),
    ],
)
def test_bodies_that_are_refused(client, encoding, body, status, text):
    response = client.post("/predict", content=body, headers={"Content-Encoding": encoding})
    assert response.status_code == status
    assert text in response.json()["error"]


def test_a_body_of_unknown_length_is_refused_when_it_gets_too_long(client):
    response = client.post("/predict", content=(bytes(50_000) for _ in range(5)))
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("deflate", "deflate"), ("br, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("identity", None)],
)
def test_answers_are_packed_as_the_client_takes_them(client, accepted, encoding):
    response = client.post("/predict", content=MANY, headers={"Accept-Encoding": accepted})
    assert response.headers.get("content-encoding") == encoding
    assert len(response.json()) == len(INPUTS)


def test_short_answers_are_not_packed(client):
    response = client.post("/predict", content=ROW, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in response.headers


def test_a_token(served, people):
    with TestClient(served(people, token="secret").app) as client:
        for path in ("/predict", "/v2/models/people/infer"):
            response = client.post(path, content=ROW)
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
            assert response.json() == {"error": "expected the header Authorization: Bearer TOKEN"}
        for path in ("/metrics", "/openapi.json", "/v2", "/v2/models/people", "/nothing"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"Authorization": "Bearer secrets"}).status_code == 401
            assert client.get(path, headers={"Authorization": "Bearer secret"}).status_code != 401
        for path in ("/", "/docs", "/pages/form.js", "/v2/health/live", "/v2/health/ready"):
            assert client.get(path).status_code == 200
        assert client.get("/v2/health/ready").json() == {"ready": True}
        assert "models" in client.get("/v2/health/ready", headers={"Authorization": "Bearer secret"}).json()


def test_pages_run_their_own_scripts_alone(client):
    for path in ("/", "/docs"):
        response = client.get(path)
        assert "script-src 'self'" in response.headers["content-security-policy"]
        assert response.headers["x-frame-options"] == "DENY"
        assert not re.search(r"<script(?! type=\"module\" src=)|<style|https?:", response.text)
        for address in re.findall(r"(?:src|href)=\"([^\"]+)\"", response.text):
            assert address == "data:," or client.get(f"/{address}").status_code == 200
    assert client.get("/pages/form.js").headers["x-content-type-options"] == "nosniff"


def test_no_other_page_may_ask(client):
    response = client.post("/predict", content=ROW, headers={"Origin": "https://example.org"})
    assert "access-control-allow-origin" not in response.headers
    assert client.options("/predict", headers={"Origin": "https://example.org"}).status_code == 405


def figures(client):
    lines = [line.rpartition(" ") for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_figures(client, people):
    for body in (ROW, ROW, MANY, b"{"):
        client.post("/predict", content=body)
    client.get("/nothing")
    found = figures(client)
    assert found['modnet_requests_total{code="200",endpoint="predict",model="people"}'] == 3
    assert found['modnet_requests_total{code="400",endpoint="predict",model="people"}'] == 1
    assert found['modnet_requests_total{code="404",endpoint="other",model=""}'] == 1
    assert found['modnet_request_seconds_count{endpoint="predict"}'] == 4
    assert found['modnet_rows_total{model="people"}'] == 2 + len(INPUTS)
    assert found["modnet_batch_requests_count"] == 4
    assert found["modnet_queue_requests"] == 0
    identity = modnet.load(people).id
    assert found[f'modnet_model_info{{id="{identity}",model="people",version="1"}}'] == 1
    assert client.post("/v2/repository/index").json() == [
        {"name": "people", "version": "1", "id": identity, "state": "READY"}
    ]


def test_an_unexpected_error_tells_nothing_of_the_server(served, people, monkeypatch, caplog):
    server = served(people)
    monkeypatch.setattr("modnet_serve.recorded.answer", lambda *_: 1 / 0)
    with TestClient(server.app) as client:
        response = client.post("/predict", content=ROW)
    assert response.status_code == 500
    assert response.json() == {"error": "an unexpected error, which the server's log shows"}
    assert "ZeroDivisionError" in caplog.text

"""Files that are replaced while they are served, and the names and versions of models."""

import asyncio
import os
import shutil

import pytest
from modnet_serve.metrics import Metrics
from modnet_serve.repository import Place, Repository, name_of
from people import INPUTS, people_network
from starlette.testclient import TestClient

import modnet


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """The same model after a longer training."""
    path = tmp_path_factory.mktemp("newer") / "people.modnet"
    modnet.save(people_network(epochs=6), path)
    return path


@pytest.fixture
def serving(served, people, tmp_path):
    """serving() gives a client, the file that is served, and what whoever runs the server is told."""
    path = shutil.copy(people, tmp_path / "people.modnet")
    told = []
    server = served(path, tell=told.append, poll=3600)
    with TestClient(server.app) as client:
        yield server, client, path, told


def replace(path, source):
    shutil.copy(source, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def refresh(server):
    asyncio.run(server.repository.refresh())


def ask(client):
    return client.post("/predict", json=INPUTS[0]).json()


def figure(server, name, **labels):
    return server.metrics.registry.get_sample_value(name, {"model": "people", "version": "1", **labels})


def test_a_replaced_file_is_served(serving, newer):
    server, client, path, told = serving
    before = ask(client)
    replace(path, newer)
    assert ask(client) == before
    refresh(server)
    assert ask(client) == modnet.load(newer).predict(INPUTS[0]) != before
    assert told == [f"people, version 1: {path} was replaced, and the new file is served"]
    assert figure(server, "modnet_reloads_total", outcome="loaded") == 1


def broken(path):
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(bytes(data))


def cut(path):
    path.write_bytes(path.read_bytes()[:500])


def gone(path):
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (broken, "the arrays do not match their checksum"),
        (cut, "the file ends inside the header"),
        (gone, "the file is gone"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_not_served(serving, newer, spoil, reason):
    server, client, path, told = serving
    before = ask(client)
    spoil(path)
    refresh(server)
    assert ask(client) == before
    assert told[0].startswith("people, version 1: the new file is not taken, the old model stays in use: ")
    assert reason in told[0]
    ready = client.get("/v2/health/ready")
    assert ready.status_code == 200
    assert reason in ready.json()["models"][0]["reason"]
    assert figure(server, "modnet_reload_failed") == 1
    refresh(server)
    assert len(told) == 1
    replace(path, newer)
    refresh(server)
    assert "reason" not in client.get("/v2/health/ready").json()["models"][0]
    assert figure(server, "modnet_reload_failed") == 0
    assert ask(client) != before


def test_a_model_with_other_tensors_is_not_served(serving, numbers):
    server, client, path, told = serving
    before = ask(client)
    replace(path, numbers)
    refresh(server)
    assert ask(client) == before
    assert (
        'its tensors are not those of the model that is served: input "height" was FP64[-1] and is not there' in told[0]
    )


def test_the_version_is_that_of_the_file(serving, newer, tmp_path):
    server, client, path, _ = serving
    network = modnet.load(newer)
    network.card = network.card.replace(metadata={"version": "2.1"})
    modnet.save(network, tmp_path / "versioned.modnet")
    replace(path, tmp_path / "versioned.modnet")
    refresh(server)
    assert client.get("/v2/models/people").json()["versions"] == ["2.1"]
    assert client.get("/v2/models/people/versions/1").status_code == 404
    assert client.get("/v2/models/people/versions/2.1/ready").json()["ready"]


def load(*places):
    return Repository.load([Place(*place) for place in places], None, Metrics(), print)


def test_files_of_one_name_are_its_versions(people, newer):
    repository = load(("people", str(people)), ("people", str(newer)))
    assert repository.versions("people") == ["1", "2"]
    assert repository.slot("people").served.path == str(newer)
    assert repository.slot("people", "1").served.path == str(people)


def test_a_version_is_there_once(people, tmp_path):
    network = modnet.load(people)
    network.card = network.card.replace(metadata={"version": 1})
    modnet.save(network, tmp_path / "one.modnet")
    with pytest.raises(ValueError, match=r"are both people, version 1; name one of them otherwise: NAME=PATH"):
        load(("people", str(people)), ("people", str(tmp_path / "one.modnet")))


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b/cats.modnet", "cats"), ("my cats?.modnet", "my_cats_"), ("x.onnx", "x.onnx"), (".modnet", "model")],
)
def test_names_of_files_become_names_of_models(path, name):
    assert name_of(path) == name

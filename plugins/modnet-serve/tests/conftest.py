import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from modnet_serve.app import Server
from modnet_serve.metrics import Metrics
from modnet_serve.repository import Place, Repository, name_of
from modnet_serve.settings import Settings
from people import CLASSES, TRAINING, people_network

import modnet

# How fast values are drawn depends on what else the machine does.
settings.register_profile("any machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def loud_arithmetic():
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def people(folder):
    """A model of a table with a column of every kind."""
    path = folder / "people.modnet"
    modnet.save(people_network(), path)
    return path


@pytest.fixture(scope="session")
def numbers(folder):
    """A model of arrays, and the rows that it was trained on."""
    x = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)
    spec = {"network": {"input": [5], "layers": CLASSES}, "training": TRAINING}
    path = folder / "numbers.modnet"
    modnet.save(modnet.train(spec, x, np.arange(60) % 3).network, path)
    return path


@pytest.fixture(scope="session")
def pair(folder):
    """A model with two inputs and two outputs, not trained."""
    network = modnet.build(
        {
            "network": {
                "input": {"left": [2], "right": [3]},
                "layers": [
                    {"name": "both", "type": "concatenate", "inputs": ["left", "right"]},
                    {"name": "total", "type": "linear", "out_features": 1, "inputs": ["both"]},
                    {"name": "parts", "type": "linear", "out_features": 4, "inputs": ["both"]},
                ],
                "outputs": ["total", "parts"],
            }
        }
    )
    path = folder / "pair.modnet"
    modnet.save(network, path)
    return path


@pytest.fixture
def served():
    """served(PATH...) gives a server of these files; further arguments are its settings."""

    def make(*paths, tell=lambda line: None, **settings):
        metrics = Metrics()
        settings = Settings(**settings)
        places = [Place(name_of(str(path)), str(path)) for path in paths]
        return Server(Repository.load(places, settings.engine, metrics, tell), settings, metrics)

    return make

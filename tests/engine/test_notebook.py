"""What a notebook shows of networks, histories, specs, cards and registries: well-formed, escaped, what matters."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import modnet
from modnet.pictures.svg import UNTRUSTED
from modnet.plugins.registry import Registry

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=y>"
SVG = "{http://www.w3.org/2000/svg}"


def page(shown):
    """The elements of what an object shows in a notebook; it has to be well-formed."""
    found = ET.fromstring(f"<html>{shown._repr_html_()}</html>")
    tags = {element.tag.rpartition("}")[2] for element in found.iter()}
    assert not tags & {"script", "img", "iframe", "object", "style", "link", "a", "image", "use"}
    assert {"".join(element.itertext()) for element in found.iter(f"{SVG}foreignObject")} <= {UNTRUSTED}
    assert not [key for element in found.iter() for key in element.attrib if key.startswith("on") or "href" in key]
    return found


def text_of(shown):
    return " ".join(" ".join(page(shown).itertext()).split())


@pytest.fixture(scope="module")
def trained():
    """A network that was trained on a table whose every name is a script."""
    rng = np.random.default_rng(0)
    table = {f"{HOSTILE} {place}": rng.standard_normal(40) for place in range(2)}
    table[f"{HOSTILE} target"] = [[HOSTILE, "</svg>"][place] for place in rng.integers(0, 2, 40)]
    spec = {
        "network": {"input": [2], "layers": [{"type": "linear", "out_features": 2, "name": "first"}, "softmax"]},
        "training": {"loss": "cross_entropy", "metrics": ["accuracy", "confusion_matrix"], "epochs": 3},
        "data": {"target": f"{HOSTILE} target", "validation": 0.25},
    }
    history = modnet.train(spec, table)
    network = history.network
    network.card = network.card.replace(metadata={HOSTILE: HOSTILE}, results={HOSTILE: [HOSTILE]})
    return history


def test_a_network_shows_its_drawing_and_its_nodes(trained):
    text = text_of(trained.network)
    assert text.startswith("Network of 2 nodes, 6 parameters A network of 2 nodes")
    assert "first · softmax" in text
    assert "nodes and their sizes node type output parameters multiply-adds" in text


def test_a_network_too_large_to_be_drawn_shows_its_nodes():
    layers = [{"type": "linear", "out_features": 2, "name": f"n{place}"} for place in range(130)]
    network = modnet.build({"network": {"input": [2], "layers": layers}})
    assert not list(page(network).iter("{http://www.w3.org/2000/svg}svg"))
    assert "and 71 more" in text_of(network)


def test_a_history_shows_its_curves_and_last_figures(trained):
    found = page(trained)
    assert len(list(found.iter("{http://www.w3.org/2000/svg}polyline"))) == 4
    last = f"{trained['loss'][-1]:.4f}"
    assert re.search(rf"epoch 3 training validation loss {last} [\d.]+ accuracy ", text_of(trained))
    assert "History of 0 epochs" in text_of(modnet.History())


def test_the_history_of_names_that_are_scripts():
    history = modnet.History({HOSTILE: [1.0, 2.0], f"validation_{HOSTILE}": [1.0, float("nan")], "words": ["a", "b"]})
    history.stopped = HOSTILE
    assert "<script>" in text_of(history)


def test_a_spec_shows_what_is_not_by_default(trained):
    spec, _ = modnet.read_spec(
        {
            "network": {
                "input": [2],
                "layers": [
                    {"type": "residual", "layers": [{"type": "linear", "out_features": 2, "activation": "relu"}]},
                    {"type": "linear", "out_features": 2, "name": "last"},
                ],
            },
            "training": {"loss": "mse", "optimizer": {"type": "adam", "learning_rate": 0.1}, "epochs": 10},
        }
    )
    lines = "".join(page(spec).find(".//pre").itertext())
    assert lines == (
        "[network]\ninput = [2]\n"
        "layers = [\n"
        '  { type = "residual", layers = [{ type = "linear", out_features = 2, activation = "relu" }] },\n'
        '  { type = "linear", out_features = 2, name = "last" },\n]\n\n'
        '[training]\nloss = "mse"\noptimizer = { type = "adam", learning_rate = 0.1 }'
    )
    assert HOSTILE in "".join(page(trained.network.spec).itertext()).replace('\\"', '"')


def test_a_card_shows_what_is_known(trained):
    text = text_of(trained.network.card)
    assert "column use kind" in text
    assert f"{HOSTILE} 0 input number" in text
    assert f"{HOSTILE} target target category" in text
    assert "metadata" in text
    assert "History of 3 epochs" in text
    assert "Model card" in text_of(modnet.build({"network": {"input": [2], "layers": ["flatten"]}}).card)


def test_a_registry_shows_who_offers_what():
    registry = Registry(list)

    @registry.register
    class Odd(modnet.Layer, type="odd_layer"):
        pass

    text = text_of(registry)
    assert re.match(r"Registry of \d+ components modnet-core layer add, ", text)
    assert "this program this program layer odd_layer" in text

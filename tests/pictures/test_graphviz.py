"""Graphviz: its source is escaped, and its places are those of the boxes; without it, our own layout is used."""

import re
import shutil
import xml.etree.ElementTree as ET

import pytest

import modnet
from modnet.engine.drawing import sketch_of
from modnet.pictures import graphviz
from modnet.pictures.graph import HEIGHT, WIDTH, Box, Edge, Sketch

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")

HOSTILE = 'a"]; x [label="\\N <b>'
LINEAR = {"type": "linear", "out_features": 4}
RESIDUAL = {"type": "residual", "layers": [LINEAR, LINEAR]}


@pytest.fixture(scope="module")
def network():
    layers = [{"type": "repeat", "count": 2, "layers": [RESIDUAL]}, LINEAR, "softmax"]
    return modnet.build({"network": {"input": [4], "layers": layers}})


def test_the_source_has_a_box_for_each_and_a_cluster_for_each_composite(network):
    sketch = sketch_of(network)
    source = graphviz.dot_source(sketch)
    assert len(re.findall(r"^  n\d+ \[label", source, re.MULTILINE)) == len(sketch.boxes)
    assert len(re.findall(r" -> ", source)) == len(sketch.edges)
    assert re.findall(r"cluster_\d+ \{ label=(.*)", source) == [
        '"repeat_1"', '"1"', '"residual_1"', '"2"', '"residual_1"'
    ]  # fmt: skip
    assert source.count("{") == source.count("}")


@needs_dot
def test_the_places_are_those_of_graphviz(network):
    sketch = sketch_of(network)
    placed = graphviz.placed_by_dot(sketch)
    for edge in placed.edges:
        source, target = placed.boxes[edge.source], placed.boxes[edge.target]
        (x, y), (to, down) = edge.curve[0], edge.curve[-1]
        assert source.x - 1 <= x <= source.x + WIDTH + 1
        assert abs(y - source.y - HEIGHT) < 2
        assert target.x - 1 <= to <= target.x + WIDTH + 1
        assert abs(down - target.y) < 2
        assert len(edge.curve) % 3 == 1


@needs_dot
def test_nothing_in_a_name_is_a_part_of_the_source():
    boxes = (Box(HOSTILE, HOSTILE, "input", HOSTILE), Box("b", "", "output", "", (HOSTILE,)))
    sketch = Sketch(boxes, (Edge(0, 1, HOSTILE),))
    found = ET.fromstring(graphviz.by_dot(sketch, "svg").decode())
    texts = [element.text for element in found.iter("{http://www.w3.org/2000/svg}text")]
    assert HOSTILE in texts
    assert len(graphviz.placed_by_dot(sketch).boxes) == 2


def test_what_dot_says_is_told(network, monkeypatch, tmp_path):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho 'no such layout' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(modnet.ModnetError, match=r"^dot \(Graphviz\) failed: no such layout$"):
        graphviz.by_dot(sketch_of(network), "png")
    ET.fromstring(network.plot().file())  # by our own layout instead

"""network.plot(): what is in the boxes and on the lines, and the formats."""

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import modnet
from modnet.engine.drawing import LETTERS, sketch_of

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def linear(size=4, **options):
    return {"type": "linear", "out_features": size, **options}


def network_of(layers, inputs=(4,), **network):
    return modnet.build({"network": {"input": inputs, "layers": layers, **network}})


@pytest.fixture
def without_graphviz(monkeypatch):
    monkeypatch.setattr("modnet.engine.drawing.is_installed", lambda: False)


def texts_of(drawing):
    return [element.text for element in ET.fromstring(drawing.file()).iter(f"{SVG}text")]


def test_boxes_have_names_and_sizes_and_lines_have_shapes():
    sketch = sketch_of(network_of(["standardize", linear(8, activation="relu"), linear(2), "softmax"]))
    assert [(box.title, box.text, box.kind) for box in sketch.boxes] == [
        ("input", "", "input"),
        ("standardize_1", "", "node"),
        ("linear_1 · relu", "40 parameters", "node"),
        ("linear_2 · softmax", "18 parameters", "node"),
        ("output", "", "output"),
    ]
    assert [edge.label for edge in sketch.edges] == ["(4,)", "(4,)", "(8,)", "(2,)"]


def test_several_inputs_and_outputs_have_their_names():
    layers = [
        {"type": "concatenate", "inputs": ["left", "right"], "name": "both"},
        linear(1, name="one"),
        linear(2, name="two", inputs=["both"]),
    ]
    sketch = sketch_of(network_of(layers, {"left": [2], "right": [3]}, outputs=["one", "two"]))
    assert [box.title for box in sketch.boxes if box.kind == "input"] == ["left", "right"]
    assert [box.title for box in sketch.boxes if box.kind == "output"] == ["one", "two"]
    assert {edge.label for edge in sketch.edges} == {"(2,)", "(3,)", "(5,)", "(1,)", ""}


def test_an_activation_that_others_read_too_has_its_own_box():
    layers = [linear(name="a"), {"type": "relu", "name": "b"}, {"type": "add", "inputs": ["a", "b"], "name": "c"}]
    assert [(box.title, box.text) for box in sketch_of(network_of(layers)).boxes] == [
        ("input", ""),
        ("a", "linear, 20 parameters"),
        ("b", "relu"),
        ("c", "add"),
        ("output", ""),
    ]


def test_names_are_cut_so_that_they_fit_into_their_boxes():
    layers = [{"type": "standardize", "name": "measurements_of_all_kinds"}, linear(name="x" * 40, activation="relu")]
    lines = [line for box in sketch_of(network_of(layers)).boxes for line in (box.title, box.text)]
    assert {"measurements_of_all_k...", "standardize"} <= set(lines)
    assert max(len(line) for line in lines) <= LETTERS + len("...")


def test_what_a_composite_is_made_of_stands_in_its_panel(without_graphviz):
    network = network_of([{"type": "residual", "layers": [linear(activation="relu"), linear()]}, linear(1)])
    boxes = sketch_of(network).boxes
    assert [box.title for box in boxes if box.group == ("residual_1",)] == ["linear_1 · relu", "linear_2", "add_1"]
    assert "residual_1" in texts_of(network.plot())


def test_shared_parameters_are_counted_once():
    network = network_of([linear(name="a"), linear(name="b", shares="a")])
    assert [box.text for box in sketch_of(network).boxes] == ["", "linear, 20 parameters", "linear", ""]


def test_the_file_is_the_drawing(tmp_path, without_graphviz):
    network = network_of([linear()])
    drawing = network.plot(tmp_path / "n.svg")
    assert (tmp_path / "n.svg").read_text() == drawing.file()
    assert texts_of(drawing) == ["(4,)", "(4,)", "input", "linear_1", "20 parameters", "output"]
    assert network.plot(tmp_path / "n.dot") is not None
    assert (tmp_path / "n.dot").read_text().startswith("digraph network {")
    assert repr(drawing).startswith("<Drawing: A network of 1 node, ")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize(("suffix", "beginning"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg")])
def test_graphviz_writes_further_formats(suffix, beginning, tmp_path):
    path = tmp_path / f"n.{suffix}"
    network_of([linear()]).plot(path)
    assert path.read_bytes().startswith(beginning)


def test_what_cannot_be_written_is_refused(tmp_path, without_graphviz):
    network = network_of([linear()])
    with pytest.raises(modnet.DataError, match=r'no network is drawn as "\.gif"; expected \.svg, \.dot, \.png, \.pdf'):
        network.plot(tmp_path / "n.gif")
    with pytest.raises(modnet.ModnetError, match=r"the program dot of Graphviz writes \.png, and is not installed"):
        network.plot(tmp_path / "n.png")
    assert list(tmp_path.iterdir()) == []


def test_an_ensemble_and_ids_can_be_drawn():
    assert "ensemble_mean_1" in str(texts_of(network_of([linear(), linear(2)], members=3).plot()))
    layers = [{"type": "embedding", "vocabulary_size": 9, "embedding_size": 3}, "flatten", linear(2)]
    assert "(5, 3)" in texts_of(network_of(layers, (5,)).plot())


def test_the_picture_in_the_documentation_is_what_is_drawn(without_graphviz):
    network = modnet.build(ROOT / "examples" / "penguins" / "penguins.toml")
    assert (ROOT / "docs" / "pictures" / "penguins-network.svg").read_text() == network.plot().file()

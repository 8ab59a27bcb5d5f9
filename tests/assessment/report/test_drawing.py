"""The drawing of a network: no boxes upon each other, lines downward, from one box to many."""

import itertools
import re

import pytest

import modnet
from modnet.assessment.report.drawing import HEIGHT, MOST_BOXES, WIDTH, drawing_of


def drawn(layers, inputs=(4,), **network):
    return drawing_of(modnet.build({"network": {"input": inputs, "layers": layers, **network}}))


def linear(size=4, **options):
    return {"type": "linear", "out_features": size, **options}


def check(drawing):
    for one, other in itertools.combinations(drawing.boxes, 2):
        assert abs(one.x - other.x) >= WIDTH - 0.1 or abs(one.y - other.y) >= HEIGHT, (one.title, other.title)
    for box in drawing.boxes:
        assert -0.1 <= box.x <= drawing.width - WIDTH + 0.1
        assert 0 <= box.y <= drawing.height - HEIGHT
    for line in drawing.lines:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", line)]
        assert numbers[1] < numbers[7]
        assert all(-0.1 <= x <= drawing.width + 0.1 for x in numbers[0:8:2])


def test_a_chain_with_activations_in_the_boxes_before_them():
    drawing = drawn(["standardize", linear(activation="relu"), linear(2), "softmax"])
    assert [box.title for box in drawing.boxes] == ["input", "standardize_1", "linear_1 · relu", "linear_2 · softmax"]
    assert [box.kind for box in drawing.boxes] == ["input", "node", "node", "output"]
    assert drawing.boxes[2].text == "(4,)  20 parameters"
    assert len({box.x for box in drawing.boxes}) == 1
    assert len(drawing.lines) == 3
    check(drawing)


def test_branches_and_lines_that_pass_boxes_by():
    layers = [
        linear(name="a"),
        linear(inputs=["a"], name="b"),
        linear(inputs=["b"], name="c"),
        {"type": "add", "inputs": ["a", "c"], "name": "sum"},
        linear(3, inputs=["sum"], name="one"),
        linear(5, inputs=["sum"], name="two"),
        {"type": "concatenate", "inputs": ["one", "two", "a"], "name": "all"},
    ]
    drawing = drawn(layers, outputs=["all", "two"])
    assert {box.title for box in drawing.boxes if box.kind == "output"} == {"all: concatenate", "two: linear"}
    check(drawing)


@pytest.mark.parametrize("count", [5, 30, 60])
def test_many_nodes(count):
    repeated = {
        "type": "repeat",
        "count": count // 3,
        "layers": [{"type": "residual", "layers": [linear(activation="relu")]}],
    }
    drawing = drawn([repeated, linear(1)])
    assert len(drawing.boxes) > count / 2
    check(drawing)


def test_several_inputs():
    layers = [
        {"type": "concatenate", "inputs": ["left", "right"], "name": "both"},
        linear(1, name="end"),
    ]
    drawing = drawn(layers, {"left": [2], "right": [3]})
    assert [box.title for box in drawing.boxes[:2]] == ["left", "right"]
    check(drawing)


def test_too_many_nodes_are_not_drawn():
    assert drawn([{"type": "repeat", "count": MOST_BOXES, "layers": [linear()]}]) is None

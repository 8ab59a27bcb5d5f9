"""A placed graph as SVG: panels around composites, and boxes inside of the picture."""

import xml.etree.ElementTree as ET

import pytest

import modnet
from modnet.engine.drawing import sketch_of
from modnet.pictures.graph import HEIGHT, WIDTH, Box, Placed
from modnet.pictures.graph_svg import graph_drawing
from modnet.pictures.layout import layered

SVG = "{http://www.w3.org/2000/svg}"
LINEAR = {"type": "linear", "out_features": 4}
RESIDUAL = {"type": "residual", "layers": [LINEAR, LINEAR]}


def drawn(layers):
    network = modnet.build({"network": {"input": [4], "layers": layers}})
    return ET.fromstring(graph_drawing(layered(sketch_of(network)), "a network").inline())


def panels_of(found):
    """Name -> (x, y, width, height) of each panel."""
    return {
        group.findtext(f"{SVG}text"): tuple(float(group.find(f"{SVG}rect").get(key)) for key in RECT)
        for group in found.iter(f"{SVG}g")
        if (rect := group.find(f"{SVG}rect")) is not None and rect.get("rx") == "8"
    }


RECT = ("x", "y", "width", "height")


def test_panels_lie_within_each_other_the_outer_ones_below():
    panels = panels_of(drawn([{"type": "repeat", "count": 2, "layers": [RESIDUAL]}, LINEAR]))
    assert list(panels) == ["repeat_1", "2.residual_1", "1.residual_1"]  # the last is drawn above the others
    outer, *inner = panels.values()
    for x, y, width, height in inner:
        assert outer[0] < x < x + width < outer[0] + outer[2]
        assert outer[1] < y < y + height < outer[1] + outer[3]


def test_everything_lies_within_the_picture():
    found = drawn([{"type": "repeat", "count": 2, "layers": [RESIDUAL]}, LINEAR])
    left, top = map(float, found.find(f"{SVG}g").get("transform").removeprefix("translate(").rstrip(")").split())
    width, height = float(found.get("width")), float(found.get("height"))
    for rect in found.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.get(key)) for key in RECT)
        assert 0 <= left + x < left + x + wide <= width + 0.5
        assert 0 <= top + y < top + y + high <= height + 0.5


@pytest.mark.parametrize(("away", "names"), [(0, []), (2 * WIDTH, ["block"])])
def test_a_composite_among_whose_boxes_another_one_stands_has_no_panel(away, names):
    boxes = (
        Box("a", "", "node", "", ("block",), 0, 0),
        Box("other", "", "node", "", (), away, 2 * HEIGHT),
        Box("b", "", "node", "", ("block",), 0, 4 * HEIGHT),
    )
    found = ET.fromstring(graph_drawing(Placed(boxes, (), 3 * WIDTH, 5 * HEIGHT), "").inline())
    assert list(panels_of(found)) == names


def test_a_composite_of_one_box_has_no_panel():
    assert panels_of(drawn([{"type": "repeat", "count": 1, "layers": [LINEAR]}])) == {}

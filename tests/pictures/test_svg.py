"""SVG and HTML: well-formed, escaped, with a background of its own as a file and none on a page."""

import xml.etree.ElementTree as ET

import pytest

from modnet.pictures import html
from modnet.pictures.curves import MOST_POINTS, Panel, curves_drawing
from modnet.pictures.svg import UNTRUSTED, Drawing, escaped, text_at

HOSTILE = "<script>alert('x')</script>\" onload=\"x()\x00\x1b[2J &lt;"
SVG = "{http://www.w3.org/2000/svg}"


def test_a_file_has_a_background_and_a_page_gives_its_own():
    drawing = Drawing(text_at(5, 10, "a < b"), 40, 20, "A picture")
    file, inline = ET.fromstring(drawing.file()), ET.fromstring(drawing.inline())
    assert file.find(f"{SVG}rect").get("class") == "paper"
    assert "prefers-color-scheme: dark" in file.find(f"{SVG}style").text
    assert inline.find(f"{SVG}style") is None
    assert inline.find(f"{SVG}rect") is None
    for found in (file, inline):
        assert found.find(f"{SVG}title").text == "A picture"
        assert found.find(f"{SVG}text").text == "a < b"
        assert found.get("fill") == "currentColor"


def test_nothing_in_a_text_is_an_element_or_ends_an_attribute():
    drawing = Drawing(text_at(0, 0, HOSTILE, id=HOSTILE), 10, 10, HOSTILE)
    for text in (drawing.file(), drawing.inline()):
        found = ET.fromstring(text)
        assert [element.tag for element in found.iter() if "script" in element.tag] == []
        assert [key for element in found.iter() for key in element.attrib if key.startswith("on")] == []
        assert found.find(f"{SVG}title").text.startswith("<script>")
    assert "\x00" not in escaped(HOSTILE)


def test_without_its_elements_a_drawing_is_a_note():
    """As Jupyter shows it in a notebook that is not trusted: other elements are removed, and their texts are left."""
    drawing = Drawing(text_at(5, 10, "a < b", size=11), 40, 20, "A picture")
    outer = ET.fromstring(drawing.in_notebook())
    (note,) = outer.iter(f"{SVG}foreignObject")
    assert (outer.tag, outer.get("style"), note.get("display")) == ("div", "font-size: 0px", "none")
    # An element of HTML without a namespace in SVG, which an HTML parser keeps in a foreignObject.
    assert [(element.tag, element.get("style"), element.text) for element in note] == [
        (f"{SVG}span", "font-size: 13px", UNTRUSTED)
    ]
    assert ET.fromstring(drawing._repr_html_()).find(f"{SVG}svg/{SVG}text").get("font-size") == "11"


def test_tables_and_code_are_escaped():
    page = html.block(HOSTILE, html.table([HOSTILE], [[HOSTILE]]), html.code(HOSTILE), html.line(HOSTILE))
    page += html.folded(HOSTILE, html.scrolled("", 10))
    found = ET.fromstring(f"<html>{page}</html>")
    assert {element.tag for element in found.iter()} <= {
        "html", "div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "pre", "details", "summary"
    }  # fmt: skip


def curves(**values):
    return ET.fromstring(curves_drawing([Panel("loss", values)], "curves").inline())


def points_of(element):
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def test_a_curve_goes_through_its_values_from_the_left_to_the_right():
    (line,) = curves(training=[3.0, 1.0, 2.0]).iter(f"{SVG}polyline")
    points = points_of(line)
    across, down = zip(*points, strict=True)
    assert list(across) == sorted(across)
    assert down[0] < down[2] < down[1]  # a greater value stands higher


def test_what_is_not_finite_leaves_a_gap():
    found = curves(training=[3.0, 2.0, float("nan"), 1.0, float("inf"), 2.0, 2.5])
    assert [len(points_of(line)) for line in found.iter(f"{SVG}polyline")] == [2, 2]
    assert len(list(found.iter(f"{SVG}circle"))) == 1


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1.0],
        [2.0, 2.0],
        [0.0, 0.0],
        [float("nan")],
        [1e308, -1e308],
        [1e-320, 2e-320],
        [1e-300, 1e300],
        [5e15, 6e15],
    ],
    ids=str,
)
def test_any_values_can_be_drawn(values):
    found = curves(training=values, validation=values)
    assert "nan" not in ET.tostring(found).decode()
    for line in found.iter(f"{SVG}polyline"):
        assert all(0 <= x <= 300 and 0 <= y <= 180 for x, y in points_of(line))


def test_a_long_curve_keeps_its_end():
    values = [float(place % 7) for place in range(9 * MOST_POINTS)] + [100.0]
    (line,) = curves(training=values).iter(f"{SVG}polyline")
    points = points_of(line)
    assert len(points) <= MOST_POINTS + 1
    assert points[-1][1] == min(y for _, y in points)


def test_values_of_many_sizes_have_a_logarithmic_scale():
    found = curves(training=[10.0, 1.0, 0.1])
    (line,) = found.iter(f"{SVG}polyline")
    (_, first), (_, middle), (_, last) = points_of(line)
    assert middle == pytest.approx((first + last) / 2, abs=0.1)
    assert {"10", "1", "0.1"} <= {element.text for element in found.iter(f"{SVG}text")}
    texts = [element.text for element in curves(training=[1.5, 0.03]).iter(f"{SVG}text")]
    assert {"0.05", "0.1", "0.2", "0.5", "1"} <= set(texts)

"""Places for boxes: none upon another, lines downward from one box to the next, labels beside no line."""

import itertools

import pytest

import modnet
from modnet.engine.drawing import MOST_BOXES, drawing_of, sketch_of
from modnet.pictures.graph import HEIGHT, WIDTH, label_width
from modnet.pictures.layout import layered, without_label


def placed(layers, inputs=(4,), **network):
    return layered(sketch_of(modnet.build({"network": {"input": inputs, "layers": layers, **network}})))


def linear(size=4, **options):
    return {"type": "linear", "out_features": size, **options}


def check(found):
    for one, other in itertools.combinations(found.boxes, 2):
        assert abs(one.x - other.x) >= WIDTH - 0.1 or abs(one.y - other.y) >= HEIGHT, (one.title, other.title)
    for box in found.boxes:
        assert -0.1 <= box.x <= found.width - WIDTH + 0.1
        assert 0 <= box.y <= found.height - HEIGHT
    for edge in found.edges:
        source, target = found.boxes[edge.source], found.boxes[edge.target]
        assert edge.curve[0] == pytest.approx((source.x + WIDTH / 2, source.y + HEIGHT))
        assert edge.curve[-1] == pytest.approx((target.x + WIDTH / 2, target.y))
        heights = [y for _, y in edge.curve]
        assert heights == sorted(heights)
        assert all(-0.1 <= x <= found.width + 0.1 for x, _ in edge.curve)


def test_a_chain_is_straight():
    found = placed(["standardize", linear(activation="relu"), linear(2), "softmax"])
    assert len({box.x for box in found.boxes}) == 1
    assert len(found.edges) == 4
    check(found)


def test_a_residual_is_straight_too_and_its_shortcut_passes_by():
    found = placed([{"type": "residual", "layers": [linear(activation="relu"), linear()]}, linear(1)])
    places = [box.x for box in found.boxes]
    assert max(places) - min(places) < 6
    (shortcut,) = (edge for edge in found.edges if len(edge.curve) > 4)
    right = max(box.x + WIDTH for box in found.boxes)
    assert max(x for x, _ in shortcut.curve) > right
    check(found)


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
    found = placed(layers, outputs=["all", "two"])
    assert [box.title for box in found.boxes if box.kind == "output"] == ["all", "two"]
    check(found)


@pytest.mark.parametrize("count", [5, 30, 60])
def test_many_nodes(count):
    repeated = {
        "type": "repeat",
        "count": count // 3,
        "layers": [{"type": "residual", "layers": [linear(activation="relu")]}],
    }
    found = placed([repeated, linear(1)])
    assert len(found.boxes) > count / 2
    check(found)


def test_several_inputs():
    layers = [{"type": "concatenate", "inputs": ["left", "right"], "name": "both"}, linear(1, name="end")]
    found = placed(layers, {"left": [2], "right": [3]})
    assert [box.title for box in found.boxes[:2]] == ["left", "right"]
    check(found)


def test_a_line_leaves_its_label_free():
    found = placed([linear(5, name="a"), linear(7, inputs=["a"], name="b"), linear(3, inputs=["a"], name="c")],
                   outputs=["b", "c"])  # fmt: skip
    for edge in found.edges:
        pieces = without_label(edge)
        assert len(pieces) == (2 if edge.label else 1)
        for x, y in (pieces[0][-1], pieces[-1][0]) if edge.label else ():
            across, down = abs(x - edge.label_at[0]), abs(y - edge.label_at[1])
            assert across >= label_width(edge.label) / 2 or down >= 5


def test_a_composite_is_one_box_where_there_are_very_many():
    layers = [linear(), {"type": "repeat", "count": MOST_BOXES, "layers": [linear()]}, linear(2)]
    sketch = sketch_of(modnet.build({"network": {"input": [4], "layers": layers}}))
    assert [box.title for box in sketch.boxes] == ["input", "linear_1", "repeat_1", "linear_2", "output"]
    assert sketch.boxes[2].text == f"{MOST_BOXES * 20:,} parameters"
    assert [(edge.source, edge.target, edge.label) for edge in sketch.edges] == [
        (0, 1, "(4,)"), (1, 2, "(4,)"), (2, 3, "(4,)"), (3, 4, "(2,)")
    ]  # fmt: skip


def test_a_page_has_no_drawing_of_very_many_boxes():
    layers = [linear(name=f"layer_{place}") for place in range(MOST_BOXES)]
    assert drawing_of(modnet.build({"network": {"input": [4], "layers": layers}})) is None

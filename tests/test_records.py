"""Records: what a frozen dataclass is, without its time."""

import copy
import pickle
from functools import cached_property

import pytest

from modnet.records import Record, fresh


class Point(Record):
    x: int
    y: int = 2
    names: list[str] = fresh(factory=list)


class Named(Point):
    name: str = "origin"

    @cached_property
    def norm(self) -> int:
        return abs(self.x) + abs(self.y)


class Cell(Record, frozen=False, eq=False):
    value: int


def test_attributes_are_given_by_position_by_name_or_by_default():
    point = Point(1, names=["a"])
    assert (point.x, point.y, point.names) == (1, 2, ["a"])
    assert (Named(1, 2, [], "n").name, Named(x=0).name) == ("n", "origin")


def test_each_has_a_fresh_default_of_its_own():
    assert Point(1).names is not Point(1).names


@pytest.mark.parametrize(("arguments", "named"), [((), {}), ((1, 2, [], 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1})])
def test_a_missing_or_an_unknown_argument_is_refused(arguments, named):
    with pytest.raises(TypeError, match=r"Point (needs x|takes each of x, y, names once)"):
        Point(*arguments, **named)


def test_attributes_cannot_be_set_or_deleted_unless_the_class_lets_them():
    point = Point(1)
    with pytest.raises(AttributeError, match=r"Point is immutable; make a new one with .replace\(x=...\)"):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        del point.x  # type: ignore[misc]
    cell = Cell(1)
    cell.value = 2
    assert cell.value == 2


def test_records_of_equal_attributes_are_equal_unless_the_class_compares_none():
    named = Named(1)
    assert named.norm == 3, "what is cached does not count"
    assert named == Named(1) != Named(2)
    assert Point(1) != named
    assert Cell(1) != Cell(1)
    assert len({Cell(1), Cell(1)}) == 2
    assert hash(Point(1, 2, ())) == hash(Point(1, names=()))  # type: ignore[arg-type]


def test_they_can_be_replaced_copied_pickled_matched_and_shown():
    point = Point(1, 5)
    assert point.replace(x=2) == Point(2, 5)
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == copy.copy(point) == point
    match point:
        case Point(x, y):
            assert (x, y) == (1, 5)
    assert repr(point) == "Point(x=1, y=5, names=[])"

"""Declared fields: constructors, immutability, equality, and what is said of every kind of wrong value."""

import inspect
import math
import pydoc
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from modnet.configuration.bounds import Bounds
from modnet.configuration.fields import MISSING, Configuration, field, plain
from modnet.configuration.hints import checker_of
from modnet.configuration.reading import DEEPEST, INVALID, Reader, Reading
from modnet.errors import SpecError
from modnet.initializers import Constant, Zeros
from modnet.kinds.initializer import Initializer
from modnet.words import did_you_mean, nearest, path_text, show


class Point(Configuration):
    """A place on a map."""

    x: float
    y: float = 0.0


class Trip(Configuration):
    """One of every kind of field; the required ones are not first."""

    count: ClassVar[int] = 0
    label: str = "trip"
    stops: tuple[Point, ...] = ()
    days: int = field(default=1, minimum=1, maximum=30)
    start: Point
    by: Literal["foot", "bike"] = "foot"
    speed: float | None = field(default=None, above=0.0, below=300.0)
    box: tuple[int, int] | dict[str, int] = field(default=(1, 1), minimum=0)
    notes: Mapping[str, str] = {}
    fast: bool = field(default=False, renamed_from="quick")

    def check(self) -> None:
        if self.fast and self.by == "foot":
            raise ValueError('fast needs by = "bike"')


def messages(error: pytest.ExceptionInfo[SpecError]) -> list[str]:
    return [str(problem) for problem in error.value.problems]


class Files(Reader):
    """Reads as model files are read."""

    old_names = True


def read(table: Any, cls: type = Trip, reader: Reader | None = None) -> Any:
    """A configuration from plain values, as a spec has them."""
    reading = Reading(reader or Reader())
    made = cls.from_table(table, (), reading)
    reading.raise_problems()
    return made


# Constructors


def test_arguments_by_position_and_by_name():
    assert Point(1, 2) == Point(x=1.0, y=2.0) == Point(1, y=2)
    assert Point(1).y == 0.0


def test_required_fields_come_first():
    assert list(Trip.__fields__)[:2] == ["start", "label"]
    assert Trip(Point(1)).start == Point(1)


def test_values_are_converted_to_what_the_field_asks_for():
    trip = Trip(Point(1), stops=[Point(2)], speed=np.float32(2), days=np.int64(3), box=[2, 3])
    assert type(trip.speed) is float
    assert type(trip.days) is int
    assert type(trip.start.x) is float
    assert trip.stops == (Point(2),)
    assert trip.box == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, "Point needs x"),
        ((1, 2, 3), {}, "Point takes at most 2 arguments, 3 were given"),
        ((1,), {"x": 2}, "Point: x was given twice"),
        ((1,), {"z": 2}, 'Point has no field "z"'),
    ],
)
def test_wrong_arguments_are_type_errors(arguments, options, message):
    with pytest.raises(TypeError, match=message):
        Point(*arguments, **options)


def test_a_misspelt_argument_gets_the_nearest_name():
    with pytest.raises(TypeError, match=r'Trip has no field "stop"; did you mean "stops"\?'):
        Trip(Point(1), stop=())


def test_a_constructor_reports_every_wrong_value_at_once():
    with pytest.raises(SpecError) as caught:
        Trip(Point(1), days=0, by="car")
    assert messages(caught) == [
        "Trip.days: expected a whole number >= 1 and <= 30, found 0",
        'Trip.by: expected one of "foot", "bike", found "car"',
    ]
    assert isinstance(caught.value, ValueError)


def test_a_constructor_takes_no_tables_for_configurations():
    with pytest.raises(SpecError, match=r"Trip\.start: expected a point, found a table"):
        Trip({"x": 1})


def test_what_concerns_several_fields_is_checked_last():
    with pytest.raises(SpecError, match='Trip: fast needs by = "bike"'):
        Trip(Point(1), fast=True)
    assert Trip(Point(1), fast=True, by="bike").fast


# Immutable values


def test_fields_cannot_be_set_or_deleted():
    point = Point(1)
    with pytest.raises(AttributeError, match=r"Point is immutable; make a new one with .replace\(x=...\)"):
        point.x = 2
    with pytest.raises(AttributeError, match="Point is immutable"):
        del point.x
    with pytest.raises(AttributeError, match='has no field "new": an option is an annotated field, such as'):
        point.new = 2


def test_an_option_without_an_annotation_is_explained():
    class Rated(Configuration):
        rate = 0.5

    with pytest.raises(TypeError, match=r'no field "rate"; Rated.rate has no annotation: write rate: float = 0.5'):
        Rated(rate=0.2)


def test_a_default_that_cannot_be_compared_can_be_shown():
    class Held(Configuration):
        array: np.ndarray = np.ones(3)

    assert repr(Held()) == "Held()"


def test_equality_and_hash_are_those_of_type_and_values():
    class Place(Point):
        pass

    assert Point(1) == Point(1.0, 0)
    assert Point(1) != Point(2)
    assert Point(1) != Place(1)
    assert len({Point(1), Point(1), Point(2), Place(1)}) == 3
    assert hash(Trip(Point(1), notes={"a": "b"})) == hash(Trip(Point(1), notes={"a": "b"}))


def test_replace_makes_a_checked_copy():
    trip = Trip(Point(1), days=2)
    assert trip.replace(days=3) == Trip(Point(1), days=3)
    assert trip.days == 2
    with pytest.raises(SpecError, match=r"Trip\.days"):
        trip.replace(days=31)
    with pytest.raises(TypeError, match="Trip has no field"):
        trip.replace(weeks=1)


def test_repr_shows_what_differs_from_the_defaults():
    assert repr(Trip(Point(1), days=2, label="trip")) == "Trip(start=Point(x=1.0), days=2)"
    assert eval(repr(Point(1, 2))) == Point(1, 2)


def test_plain_values_and_back():
    trip = Trip(Point(1), stops=(Point(2), Point(3)), box={"a": 1}, notes={"n": "m"}, speed=4)
    table = trip.plain()
    assert table["start"] == {"x": 1.0, "y": 0.0}
    assert table["stops"] == [{"x": 2.0, "y": 0.0}, {"x": 3.0, "y": 0.0}]
    assert table["speed"] == 4.0
    assert read(table) == trip
    assert plain((1, [Point(2)], None)) == [1, [{"x": 2.0, "y": 0.0}], None]


# Declarations


def test_fields_are_inherited_and_may_be_declared_anew():
    class Marked(Point):
        y: float = 5.0
        mark: str

    assert list(Marked.__fields__) == ["x", "mark", "y"]
    assert Marked(1, "a").y == 5.0
    assert Point(1).y == 0.0
    assert Marked.y == 5.0


def test_a_field_needs_an_annotation():
    with pytest.raises(TypeError) as caught:

        class Box(Configuration):
            size = field(default=3)

    assert str(caught.value) == "Box.size is not a field without an annotation; write size: int = field(...)"


def test_a_default_can_be_taken_back():
    class Strict(Point):
        y: float

    with pytest.raises(TypeError, match="Strict needs y"):
        Strict(1)


def test_class_variables_are_no_fields():
    assert "count" not in Trip.__fields__
    with pytest.raises(TypeError, match="no field"):
        Trip(Point(1), count=1)


def test_hints_are_resolved_where_the_class_was_written():
    assert Constant.hints() == {"value": float}
    assert Trip.hints()["start"] is Point
    assert Trip.__fields__["start"].default is MISSING


def test_a_component_serves_as_a_default():
    class Layer(Configuration):
        initializer: Initializer = Zeros()

    assert Layer().initializer == Zeros()
    assert Layer(Constant(2)).plain() == {"initializer": {"type": "constant", "value": 2.0}}
    with pytest.raises(SpecError, match='expected an initializer, found "zeros"'):
        Layer("zeros")


# Signatures


def test_a_signature_has_the_fields_with_types_and_defaults():
    signature = inspect.signature(Trip)
    assert list(signature.parameters) == list(Trip.__fields__)
    assert str(inspect.signature(Point)) == "(x: float, y: float = 0.0) -> None"
    assert signature.parameters["start"].default is inspect.Parameter.empty
    assert signature.parameters["days"].default == 1
    assert signature.parameters["speed"].annotation == float | None
    signature.bind(Point(1), days=2)


def test_help_shows_the_fields():
    assert "Point(x: float, y: float = 0.0) -> None" in pydoc.plain(pydoc.render_doc(Point))


def test_a_signature_does_without_what_cannot_be_resolved():
    class Unknown(Configuration):
        size: "NotHere" = 3  # noqa: F821

    assert str(inspect.signature(Unknown)) == "(size=3) -> None"


def test_a_class_with_a_constructor_of_its_own_has_the_signature_of_that():
    class Own(Configuration):
        size: int = 3

        def __init__(self, half: int) -> None:
            super().__init__(2 * half)

    assert list(inspect.signature(Own).parameters) == ["half"]


# Wrong values, one of every kind


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("days", True, "days: expected a whole number >= 1 and <= 30, found true"),
        ("days", 1.0, "days: expected a whole number >= 1 and <= 30, found 1.0"),
        ("days", "1", 'days: expected a whole number >= 1 and <= 30, found "1"'),
        ("days", None, "days: expected a whole number >= 1 and <= 30, found nothing"),
        ("days", 31, "days: expected a whole number >= 1 and <= 30, found 31"),
        ("speed", 0, "speed: expected a number > 0 and < 300, found 0"),
        ("speed", 300.0, "speed: expected a number > 0 and < 300, found 300.0"),
        ("speed", math.nan, "speed: expected a number > 0 and < 300, found nan"),
        ("speed", math.inf, "speed: expected a number > 0 and < 300, found inf"),
        ("speed", False, "speed: expected a number > 0 and < 300, found false"),
        ("speed", 10**400, "speed: expected a number > 0 and < 300, found a whole number too large for one"),
        ("label", 1, "label: expected a string, found 1"),
        ("fast", 1, "fast: expected true or false, found 1"),
        ("fast", "yes", 'fast: expected true or false, found "yes"'),
        ("by", "bikes", 'by: expected one of "foot", "bike", found "bikes"; did you mean "bike"?'),
        ("by", 1, 'by: expected one of "foot", "bike", found 1'),
        ("stops", "here", 'stops: expected a list of points, found "here"'),
        ("stops", {"x": 1}, "stops: expected a list of points, found a table"),
        ("stops", b"ab", "stops: expected a list of points, found "),
        ("stops", [{"x": 1}, 2], "stops[1]: expected a point, found 2"),
        ("stops", [{"y": 1}], 'stops[0]: missing key "x" (a number)'),
        ("stops", [{"x": 1, "z": 1}], "stops[0].z: unknown key; expected one of: x, y"),
        ("start", [1, 2], "start: expected a point, found [1, 2]"),
        ("box", [1], "box: expected a list of 2: a whole number >= 0, a whole number >= 0 or a table, found [1]"),
        ("box", [1, -1], "box[1]: expected a whole number >= 0, found -1"),
        ("box", {"a": -1}, "box.a: expected a whole number >= 0, found -1"),
        ("box", {1: 1}, "box.1: expected a string as key, found 1"),
        ("notes", [], "notes: expected a table, found []"),
        ("notes", {"a b": 1}, 'notes."a b": expected a string, found 1'),
        ("day", 2, 'day: unknown key; did you mean "days"?'),
        ("colour", 2, "colour: unknown key; expected one of: start, label, "),
        ("quick", True, 'quick: this key is now called "fast"'),
        ("fast", True, 'fast needs by = "bike"'),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(key, value, message):
    with pytest.raises(SpecError) as caught:
        read({"start": {"x": 1}, key: value})
    (found,) = messages(caught)
    assert found.startswith(message)


def test_every_fault_is_reported_at_once():
    with pytest.raises(SpecError) as caught:
        read({"days": 0, "stops": [1, {"x": "a"}]})
    assert messages(caught) == [
        "days: expected a whole number >= 1 and <= 30, found 0",
        "stops[0]: expected a point, found 1",
        'stops[1].x: expected a number, found "a"',
        'missing key "start" (a point)',
    ]


def test_a_misspelt_required_key_is_not_missing_too():
    with pytest.raises(SpecError) as caught:
        read({"strat": {"x": 1}})
    assert messages(caught) == ['strat: unknown key; did you mean "start"?']


def test_a_table_without_options_says_so():
    with pytest.raises(SpecError, match="a: unknown key; there are no options here"):
        read({"a": 1}, Zeros)


def test_problems_know_their_path_and_whether_the_key_is_at_fault():
    with pytest.raises(SpecError) as caught:
        read({"start": {"x": 1, "z": 1}, "stops": [{"x": ""}]})
    key, value = caught.value.problems
    assert (key.keys, key.at_key) == (("start", "z"), True)
    assert (value.keys, value.at_key) == (("stops", 0, "x"), False)


def test_an_old_name_is_taken_from_files_but_not_from_specs():
    table = {"start": {"x": 1}, "by": "bike", "quick": True}
    assert read(table, reader=Files()).fast
    with pytest.raises(SpecError, match='this key is now called "fast"'):
        read(table)


def test_values_nested_too_deep_are_refused():
    class Tree(Configuration):
        branches: "tuple[Any, ...]" = ()

    Tree.__hints__ = {"branches": tuple[Tree, ...]}
    value: dict[str, Any] = {}
    for _ in range(2 * DEEPEST):
        value = {"branches": [value]}
    with pytest.raises(SpecError, match=f"nested more than {DEEPEST} levels deep"):
        read(value, Tree)


# Unions


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int | None, None, None),
        (int | None, 3, 3),
        (int | str, "a", "a"),
        (int | float, 1, 1),
        (int | float, 1.5, 1.5),
        (bool | int, True, True),
        (tuple[int, ...] | dict[str, int], [1, 2], (1, 2)),
        (tuple[int, ...] | dict[str, int], {"a": 1}, {"a": 1}),
        (Literal["all"] | int, "all", "all"),
        (Literal[1, "1"], 1, 1),
        (Any, [object], [object]),
    ],
)
def test_what_fits_an_alternative_is_accepted(hint, value, expected):
    reading = Reading()
    found = reading.value(checker_of(hint), value, ("key",))
    assert not reading.problems
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (int | None, "a", 'key: expected a whole number, found "a"'),
        (int | str, 1.5, "key: expected a whole number or a string, found 1.5"),
        (int | str, None, "key: expected a whole number or a string, found nothing"),
        (tuple[int, ...] | dict[str, int], ["a"], 'key[0]: expected a whole number, found "a"'),
        (tuple[int, ...] | dict[str, int], {"a": "b"}, 'key.a: expected a whole number, found "b"'),
        (Literal["all"] | int, "al", 'key: expected "all", found "al"; did you mean "all"?'),
        (Literal[1], True, "key: expected 1, found true"),
        (Literal[True], 1, "key: expected true, found 1"),
        (None, 1, "key: expected nothing, found 1"),
        (bytes, "a", 'key: expected a bytes, found "a"'),
    ],
)
def test_what_fits_no_alternative_is_reported_by_the_one_that_got_furthest(hint, value, message):
    reading = Reading()
    assert reading.value(checker_of(hint), value, ("key",)) is INVALID
    assert [str(problem) for problem in reading.problems] == [message]


# Samples


@pytest.mark.parametrize("hint", [int, float])
@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(),
        Bounds(minimum=5),
        Bounds(maximum=-5),
        Bounds(above=-1, below=1),
        Bounds(above=4.5, maximum=5),
        Bounds(minimum=7, maximum=7),
        Bounds(above=4, below=6),
    ],
    ids=str,
)
def test_a_sample_lies_within_the_bounds(hint, bounds):
    sample = checker_of(hint, bounds).sample()
    assert type(sample) is hint
    assert bounds.admits(sample)


@pytest.mark.parametrize(
    ("hint", "sample"),
    [
        (bool, True),
        (str, "name"),
        (Any, None),
        (int | str, 3),
        (Literal["b", "a"], "b"),
        (tuple[int, ...], (3,)),
        (tuple[int, str], (3, "name")),
        (dict[str, float], {"name": 0.5}),
        (Point, Point(0.5)),
        (Zeros, Zeros()),
        (tuple[Initializer, ...], ()),
        (dict[str, Initializer], {}),
        (Initializer | int, 3),
        (Initializer | None, None),
    ],
)
def test_samples(hint, sample):
    assert checker_of(hint).sample() == sample


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        (Initializer, "no example value is known for an initializer"),
        (bytes, "no example value is known for a bytes"),
        (list[int], "no example value is known for a list"),
    ],
)
def test_what_no_value_can_be_made_up_for(hint, message):
    with pytest.raises(LookupError, match=message):
        checker_of(hint).sample()


def test_bounds_that_no_number_meets_have_no_sample():
    with pytest.raises(LookupError, match="found no number that is > 4 and < 5"):
        checker_of(int, Bounds(above=4, below=5)).sample()


# Words


@pytest.mark.parametrize(
    ("hint", "bounds", "words"),
    [
        (int, Bounds(minimum=1), "a whole number >= 1"),
        (float, Bounds(minimum=0, below=1), "a number >= 0 and < 1"),
        (tuple[float, ...], Bounds(above=0), "a list of numbers > 0"),
        (tuple[tuple[int, ...], ...], Bounds(), "a list of lists of whole numbers"),
        (tuple[int, str], Bounds(), "a list of 2: a whole number, a string"),
        (tuple[str, ...] | dict[str, str], Bounds(), "a list of strings or a table"),
        (Initializer, Bounds(), "an initializer"),
        (tuple[Initializer, ...], Bounds(), "a list of initializers"),
        (Literal["a", "b"], Bounds(), 'one of "a", "b"'),
        (int | None, Bounds(), "a whole number"),
    ],
)
def test_hints_in_words(hint, bounds, words):
    assert checker_of(hint, bounds).describe() == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        (1.5, "1.5"),
        ('say "a"\n', r'"say \"a\"\n"'),
        ("a" * 70, '"' + "a" * 57 + '..."'),
        ([1, "a", None], '[1, "a", nothing]'),
        (list(range(9)), "[0, 1, 2, 3, 4, 5, ...]"),
        (["a" * 50] * 2, "a list of 2"),
        ({"type": "relu"}, 'a table with type = "relu"'),
        ({"type": 1}, "a table"),
        (object(), "an object"),
    ],
)
def test_values_in_words(value, text):
    assert show(value) == text


def test_paths_in_words():
    assert path_text(("network", "layers", 2, "type")) == "network.layers[2].type"
    assert path_text(("data", "columns", "a b", "kind")) == 'data.columns."a b".kind'
    assert path_text(("a.b",)) == '"a.b"'
    assert path_text(()) == ""


@pytest.mark.parametrize(
    ("name", "found"), [("flaten", "flatten"), ("LayerNorm", "layer_norm"), ("layer-norm", "layer_norm"), ("qqq", None)]
)
def test_the_nearest_name(name, found):
    names = ["flatten", "layer_norm", "linear"]
    assert nearest(name, names) == found
    assert did_you_mean(name, names) == (f'; did you mean "{found}"?' if found else "")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("lr", "learning_rate"),
        ("cos", "cosine"),
        ("RMSE", "root_mean_squared_error"),
        ("cosine_annealing", "cosine"),
        ("units", "out_features"),
        ("in_features", None),
        ("wz", None),  # two have these initials
    ],
)
def test_the_nearest_name_for_one_of_another_kind(name, found):
    names = ["learning_rate", "root_mean_squared_error", "cosine", "out_features", "wide_zone", "west_zone"]
    assert nearest(name, names) == found


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ({"count": "3"}, "write 3"),
        ({"count": 3.0}, "write 3"),
        ({"share": "20%"}, "write 0.2"),
        ({"sizes": 4}, "write [4]"),
        ({"sizes": "4"}, ""),
        ({"is_on": "True"}, "write true"),
        ({"count": "many"}, ""),
        ({"tables": {"a": 1}}, "put it into brackets: [{ ... }]"),
    ],
)
def test_a_value_in_another_notation_has_a_hint(value, hint):
    class Hinted(Configuration):
        count: int = 1
        share: float = 0.5
        sizes: tuple[int, ...] = ()
        is_on: bool = True
        tables: tuple[dict[str, int], ...] = ()

    reading = Reading(Reader())
    assert Hinted.from_table(value, (), reading) is INVALID
    assert [problem.hint for problem in reading.problems] == [hint]


def test_the_nearest_name_is_looked_for_among_a_bounded_number(monkeypatch):
    import difflib

    ratios = []
    exact = difflib.SequenceMatcher.ratio
    monkeypatch.setattr(difflib.SequenceMatcher, "ratio", lambda self: ratios.append(1) or exact(self))
    names = [f"{number:05d}abcdef" for number in range(100_000)]
    assert nearest("0000abcdef", names) is not None
    assert len(ratios) <= 40
    assert nearest("widht", [f"n{number}" for number in range(1000)] + ["width"]) == "width"
    assert nearest("x" * 65, ["x" * 64]) is None


def test_a_whole_number_has_64_bits():
    class Count(Configuration):
        number: int

    assert Count(2**64 - 1).number == 2**64 - 1
    assert Count(-(2**63)).number == -(2**63)
    for number in (2**64, -(2**63) - 1, 10**6000):
        with pytest.raises(SpecError, match=r"Count\.number: expected a whole number of 64 bits, found"):
            Count(number)

"""The JSON Schema and the spec reader give the same verdict."""

import json
import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal
from urllib.parse import unquote

import jsonschema
import pytest

import modnet
from modnet.configuration.checker import ComponentOf, UseOf
from modnet.configuration.fields import Configuration, field, plain
from modnet.configuration.reading import Reading
from modnet.kinds.activation import Activation
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer
from modnet.kinds.loss import Loss
from modnet.kinds.loss import WeightedLoss as Weighted
from modnet.kinds.metric import Metric
from modnet.kinds.node import Composite, Node
from modnet.kinds.schedule import Schedule
from modnet.specs.components import ComponentReader
from modnet.specs.json_schema import _Builder, json_schema
from modnet.specs.model import NamedCallback, NetworkSpec, Spec, TrainingSpec


class Part(Configuration):
    """A table within a component."""

    size: int = field(minimum=1)
    label: str = ""


class Everything(Composite, type="everything"):
    """A layer with every kind of hint. Its `name` and `l1` are its own, not the node's.

    Fields:
        name, label: two fields with one text, which goes on
            in a second line.
    """

    name: int
    part: Part
    label: str | None = None
    l1: Literal["on", "off", 3, None] = "on"
    pair: tuple[int, float] = field(default=(1, 0.5), minimum=0)
    rows: tuple[tuple[int, ...], ...] = ()
    either: int | Literal["all"] | None = field(default=None, minimum=1, below=9)
    number: int | float | str = field(default=1, above=-1.0, maximum=1.0)
    parts: Mapping[str, Part] | tuple[Part, ...] = ()
    tables: dict[str, float] | Part | bool = True
    nodes: tuple[Node, ...] = ()
    inner: Layer | None = None
    squash: Activation | str = "none"
    filled: Initializer | tuple[Initializer, ...] = ()
    anything: Any = None
    limit: float = math.inf
    plain_list: list = ()
    now: bool = field(default=False, renamed_from="before")


class Special(Layer):
    """What a field may ask for that does not take every layer."""


class Rare(Special, type="rare"):
    """The only special layer."""


class Wrapper(Layer, type="wrapper"):
    """Takes special layers only."""

    layer: Special


class Odd(Layer, type="odd/na~me 100%"):
    """A type name that has to be escaped in a reference."""


REGISTRY = modnet.Registry(entry_points=lambda: ())
for component in (Everything, Odd, Rare, Wrapper):
    REGISTRY.register(component)
SCHEMA = json_schema(REGISTRY)
PLACES = {
    "Node": UseOf(Node),
    "WeightedLoss": UseOf(Weighted),
    "NamedCallback": UseOf(NamedCallback),
    **{k.kind: ComponentOf(k) for k in (Activation, Initializer, Loss, Metric, modnet.Optimizer, Schedule)},
}
"""Definition -> what it stands for."""

# To JSON Schema 1.0 is a whole number, and JSON has no nan: the two differences that no schema can express.
TYPES = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
    {
        "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
        "number": lambda _, value: type(value) in (int, float) and math.isfinite(value),
    }
)
VALIDATOR = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=TYPES)(SCHEMA)


def schema_accepts(spec) -> bool:
    return VALIDATOR.is_valid(spec)


def reader_accepts(spec) -> bool:
    try:
        modnet.read_spec(spec, REGISTRY)
    except modnet.SpecError:
        return False
    return True


def spec_with(*layers, **training):
    return {"network": {"input": [4], "layers": list(layers)}, **({"training": training} if training else {})}


@pytest.fixture(scope="module")
def without_cross_field_checks():
    """What concerns several fields is beyond a schema; here the reader leaves it to others too."""
    with pytest.MonkeyPatch.context() as patch:
        todo = [Configuration]
        while todo:
            cls = todo.pop()
            todo += cls.__subclasses__()
            if "check" in vars(cls) and cls is not Configuration:
                patch.delattr(cls, "check")
        yield


def test_the_schema_is_valid_json_and_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_is_self_contained_and_the_same_every_time():
    text = json.dumps(SCHEMA)
    references = {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}
    assert all(reference.startswith("#/$defs/") for reference in references)
    names = {
        unquote(reference.removeprefix("#/$defs/")).replace("~1", "/").replace("~0", "~") for reference in references
    }
    assert names == SCHEMA["$defs"].keys()
    assert json.dumps(json_schema(REGISTRY)) == text


def test_every_default_is_valid():
    for name, definition in SCHEMA["$defs"].items():
        for key, schema in definition.get("properties", {}).items():
            if "default" in schema:
                assert VALIDATOR.evolve(schema=schema).is_valid(schema["default"]), f"{name}.{key}"


def test_every_component_that_is_on_offer_has_a_definition():
    definitions = SCHEMA["$defs"]
    assert {f"Node.{name}" for name in REGISTRY.names(Layer)} <= definitions.keys()
    for kind in (Loss, modnet.Optimizer, Initializer, Schedule, Metric, Activation):
        assert {f"{kind.kind}.{name}" for name in REGISTRY.names(kind)} <= definitions.keys()


def test_what_a_definition_says_to_a_reader():
    definition = SCHEMA["$defs"]["Node.everything"]
    assert definition["description"].startswith("A layer with every kind of hint.")
    assert definition["properties"]["name"]["description"] == (
        "two fields with one text, which goes on in a second line."
    )
    assert definition["properties"]["l2"]["default"] is None
    assert "default" not in definition["properties"]["limit"]
    assert definition["required"] == ["type", "name", "part"]


def test_editors_can_complete_types_and_bare_names():
    node = SCHEMA["$defs"]["Node"]
    assert node["properties"]["type"]["enum"] == REGISTRY.names(Layer)
    names = node["allOf"][0]["then"]["enum"]
    assert "relu" in names
    assert "linear" not in names


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (spec_with({"type": "linear", "out_features": 0}), "0 is less than the minimum of 1"),
        (spec_with({"type": "linear"}), "'out_features' is a required property"),
        (
            spec_with({"type": "linear", "out_features": 3, "biases": True}),
            "Additional properties are not allowed ('biases' was unexpected)",
        ),
        (spec_with({"type": "liner"}), "'liner' is not one of ['add', "),
        (spec_with("relu", loss="mse", epochs=0), "0 is less than the minimum of 1"),
        (
            spec_with({"type": "linear", "out_features": 3, "activation": {"type": "elu", "alpha": "1"}}),
            "'1' is not of type 'number'",
        ),
        (spec_with("flaten"), "'flaten' is not one of ['"),
        (spec_with({"out_features": 3}), "'type' is a required property"),
        (spec_with(3), "3 is not of type 'string', 'object'"),
        ({"network": {"input": "four", "layers": ["relu"]}}, "'four' is not of type 'array', 'object'"),
    ],
)
def test_a_fault_is_reported_where_it_is(spec, message):
    (error,) = VALIDATOR.iter_errors(spec)
    assert error.message.startswith(message)


def test_a_renamed_key_is_refused():
    spec = spec_with({"type": "everything", "name": 1, "part": {"size": 1}})
    assert schema_accepts(spec)
    assert reader_accepts(spec)
    spec["network"]["layers"][0]["before"] = True
    assert not schema_accepts(spec)
    assert not reader_accepts(spec)


def test_a_whole_number_written_with_a_point_is_the_difference_that_remains():
    spec = spec_with("relu", loss="mse", epochs=3.0)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(spec)
    assert not reader_accepts(spec)


# Every field of every component, with values of all sorts

# Whole numbers have 64 bits: what is longer modnet refuses, and the schema says nothing of it.
SORTS = (
    *(None, True, False, -2, -1, 0, 1, 3, 10**18, -0.5, 0.5, 0.999, 7.5, 1e300, math.nan, math.inf, 1.0),
    *("", "relu", "linear", "zeros", "constant", "mse", "rare", "variable", "auto", "on", "float32"),
    *([], [1], [0], [1, 2], [1, 0.5], [0.5], [True], [None], ["a"], ["relu"], ["zeros"], [[1], []], [["a"]]),
    *({}, {"a": 1}, {"a": 0.5}, {"a": "mse"}, {"a": ["accuracy"]}, {"size": 1}, {"size": 0}, {"size": 1, "x": 1}),
    *({"type": "relu"}, {"type": "relu", "x": 1}, {"type": "constant"}, {"type": "constant", "value": 1}),
    *({"type": "constant", "value": "1"}, {"type": 1}, {"type": None}, {"type": ["relu"]}, {"type": "rare"}),
    *([{"type": "linear", "out_features": 1}], [{"type": "linear", "out_features": 1, "name": "a", "l2": -1}]),
    *({"a": {"size": 1}}, {"a": {"size": True}}, [{"size": 1}], [{"label": ""}]),
)


def field_checkers():
    """Every field of every component and place, and of the class with every kind of hint."""
    places = {place.__name__: place for place in (Node, Weighted, NamedCallback, Spec, NetworkSpec, TrainingSpec, Part)}
    components = {entry.label: entry.load() for entry in REGISTRY.entries()}
    for label, cls in {**places, **components}.items():
        for name, checker in cls.checkers().items():
            yield pytest.param(checker, id=f"{label}.{name}")


CHECKERS = list(field_checkers())


class Builder(_Builder):
    """Makes schemas that stand within `SCHEMA`."""

    def __init__(self) -> None:
        super().__init__(REGISTRY)
        self.definitions = SCHEMA["$defs"]


def reader_accepts_value(checker, value) -> bool:
    reading = Reading(ComponentReader(REGISTRY))
    reading.value(checker, value, ("key",))
    return not reading.problems


@pytest.mark.usefixtures("without_cross_field_checks")
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_field_and_its_schema_accept_the_same_values(checker):
    validator = VALIDATOR.evolve(schema={"$defs": SCHEMA["$defs"], **checker.schema(Builder())})
    for value in SORTS:
        assert validator.is_valid(value) == reader_accepts_value(checker, value), value


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_sample_is_accepted(checker):
    try:
        sample = checker.sample()
    except LookupError:
        pytest.skip("none can be made up")
    assert reader_accepts_value(checker, sample)
    validator = VALIDATOR.evolve(schema={"$defs": SCHEMA["$defs"], **checker.schema(Builder())})
    assert validator.is_valid(plain(sample))


def offers():
    for definition, checker in PLACES.items():
        kind = checker.cls.kind_of_component() if isinstance(checker, UseOf) else checker.cls
        for name in REGISTRY.names(kind):
            yield pytest.param(definition, REGISTRY.find(kind, name), id=f"{definition}-{name}")


def same_verdict(definition, value):
    accepted = reader_accepts_value(PLACES[definition], value)
    assert VALIDATOR.evolve(schema=SCHEMA["$defs"][definition]).is_valid(value) == accepted, value
    return accepted


@pytest.mark.usefixtures("without_cross_field_checks")
@pytest.mark.parametrize(("definition", "cls"), list(offers()))
def test_keys_that_are_missing_and_unknown(definition, cls):
    """Whatever the required fields hold: that they are there is looked at."""
    required = {name: 1 for name, declared in cls.__fields__.items() if declared.required}
    assert same_verdict(definition, cls.type) == (not required)
    assert not same_verdict(definition, required)
    assert not same_verdict(definition, {"type": cls.type, **required, "unknown": 1})
    for key in required:
        assert not same_verdict(definition, {"type": cls.type, **{n: v for n, v in required.items() if n != key}})


# Whole specs: a complete one with one thing changed


def places(value):
    """(container, key) of everything within a plain value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from places(item)


COMPLETE = spec_with(
    {"type": "linear", "out_features": 3, "activation": {"type": "elu", "alpha": 2}, "name": "a", "l1": 0.5},
    {"type": "residual", "layers": [{"type": "repeat", "count": 2, "layers": ["relu"], "trainable": False}]},
    loss={"out": {"type": "huber", "delta": 2.0, "weight": 3}},
    metrics={"out": ["accuracy", {"type": "top_k_accuracy", "k": 3}]},
    callbacks=[{"type": "early_stopping", "name": "stop"}],
)


@pytest.mark.usefixtures("without_cross_field_checks")
def test_a_complete_spec_with_anything_anywhere():
    assert reader_accepts(COMPLETE)
    assert schema_accepts(COMPLETE)
    for number in range(len(list(places(COMPLETE)))):
        for value in (None, True, -1, 0.5, "relu", [], {}, {"type": "relu"}):
            spec = deepcopy(COMPLETE)
            container, key = list(places(spec))[number]
            container[key] = value
            assert schema_accepts(spec) == reader_accepts(spec), (key, value)


# Plugins

CONV = """
import modnet
class Conv(modnet.Layer, type="conv2d"):
    "A convolution."
    filters: int
"""


def plugin_verdicts(environment, layer):
    validator = jsonschema.Draft202012Validator(json_schema(environment.registry))
    try:
        modnet.read_spec(spec_with(layer), environment.registry)
    except (modnet.SpecError, modnet.PluginError):
        return validator.is_valid(spec_with(layer)), False
    return validator.is_valid(spec_with(layer)), True


@pytest.mark.parametrize("name", ["conv2d", "conv2d@modnet-conv"])
def test_a_plugins_component_goes_by_its_bare_and_its_qualified_name(environment, name):
    environment.install("modnet-conv", CONV, layers={"conv2d": "Conv"})
    assert plugin_verdicts(environment, {"type": name, "filters": 3}) == (True, True)
    assert plugin_verdicts(environment, {"type": name}) == (False, False)


@pytest.mark.parametrize(
    ("name", "accepted"), [("conv2d", False), ("conv2d@modnet-conv", True), ("conv2d@other", True), ("conv2d@x", False)]
)
def test_a_name_that_two_plugins_offer_has_to_be_qualified(environment, name, accepted):
    environment.install("modnet-conv", CONV, layers={"conv2d": "Conv"})
    environment.install("other", CONV, layers={"conv2d": "Conv"})
    assert plugin_verdicts(environment, {"type": name, "filters": 3}) == (accepted, accepted)


def test_a_broken_plugin_is_left_out_and_breaks_nothing_else(environment):
    environment.install("broken", "import nothing_of_that_name", layers={"folded": "Folded"})
    assert plugin_verdicts(environment, "folded") == (False, False)
    assert plugin_verdicts(environment, "relu") == (True, True)

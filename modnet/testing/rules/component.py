"""The contract of every component, of any kind."""

from __future__ import annotations

import inspect
import json
import random
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.configuration.checker import ComponentOf
from modnet.configuration.fields import Configuration
from modnet.configuration.reading import Reading
from modnet.errors import PluginError, SpecError
from modnet.kinds import KINDS
from modnet.kinds.component import Component, Example
from modnet.kinds.layer import Layer
from modnet.plugins.registry import Registry
from modnet.specs.components import ComponentReader
from modnet.specs.json_schema import json_schema as schema_of
from modnet.testing.contract import Broken, NotExamined, Rules
from modnet.testing.given import Given
from modnet.words import counted, show

RULES = Rules()
PLACES = {
    "layer": "Node",
    "activation": "Node",
    "loss": "WeightedLoss",
    "callback": "NamedCallback",
}
"""Kind -> the name of its definition in the JSON Schema, if it is not the name of the kind."""

PROBES: tuple[Any, ...] = (None, True, 0, -1, 3, 10**9, 0.5, -0.5, "no such name", [], [1], ["x"], {}, {"x": 1})
"""Values with which each field is tried: the spec reader and the JSON Schema must agree on them."""


class Trial:
    """A component with a registry that knows it."""

    def __init__(self, example: Example) -> None:
        self.example = example
        self.component: Any = example.component
        self.given = None if example.data is None else Given(example)
        self.shapes = example.input_shapes or (self.given.shapes if self.given is not None else ())
        self.fields = dict(vars(self.component))

    @cached_property
    def registry(self) -> Registry:
        """A registry with the component and those within it, whether their distributions are installed or not.

        Raises:
            PluginError: the component cannot be registered: it has no type name, or one of the core's.
        """
        registry = Registry()
        for component in components_within(self.component):
            if not _is_known(registry, type(component)):
                registry.register(type(component))
        return registry

    @cached_property
    def definitions(self) -> dict[str, Any]:
        """Those of the JSON Schema of a whole spec."""
        definitions: dict[str, Any] = schema_of(self.registry)["$defs"]
        return definitions

    @property
    def place(self) -> str:
        """The name of the definition of any component of the kind, where a spec has one."""
        kind: str = self.component.kind
        return PLACES.get(kind, kind)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the component."""
        found: dict[str, Any] = self.definitions[f"{self.place}.{self.component.type}"]
        return found


def _is_known(registry: Registry, cls: type[Component]) -> bool:
    try:
        return registry.find(KINDS[cls.kind], cls.type) is cls
    except PluginError:
        return False


def components_within(value: Any) -> Iterator[Component]:
    """A component and all components in its fields, at any depth."""
    if isinstance(value, Component):
        yield value
    if isinstance(value, Configuration):
        value = vars(value)
    if isinstance(value, Mapping):
        for item in value.values():
            yield from components_within(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from components_within(item)


def difference(found: Array, expected: Array) -> float:
    """The greatest difference of two arrays relative to the greatest expected number; inf where one is not finite."""
    if found.shape != expected.shape:
        return np.inf
    if not found.size or np.array_equal(found, expected, equal_nan=True):
        return 0.0
    distance = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max())
    scale = float(np.abs(expected.astype(np.float64)).max())
    return distance / max(scale, float(np.finfo(np.float64).tiny)) if np.isfinite(distance) else np.inf


def same(found: Array, expected: Array, what: str, tolerance: float = 1e-9) -> None:
    """Raises Broken if two arrays are not the same to a relative tolerance."""
    if not difference(found, expected) <= tolerance:
        raise Broken(f"{what}: {_contrast(found, expected)}; at most {tolerance:g} is expected")


def same_bytes(found: Array, expected: Array, what: str) -> None:
    """Raises Broken if two arrays are not the same to the last bit."""
    if found.shape != expected.shape or found.tobytes() != expected.tobytes():
        raise Broken(f"{what}: {_contrast(found, expected)}; the same bytes are expected")


def _contrast(found: Array, expected: Array) -> str:
    """How two arrays differ."""
    if found.shape != expected.shape:
        return f"shapes {found.shape} and {expected.shape}"
    error = difference(found, expected)
    if np.isfinite(error):
        return f"relative difference {error:.2g}"
    counts = [int(np.sum(~np.isfinite(array))) for array in (found, expected)]
    return f"{counts[0]} of {found.size} numbers are not finite; in the expected result {counts[1]} are not"


def how_many(which: Array) -> str:
    """How many elements of a bool array are True, as text."""
    return f"{int(np.sum(which))} of {which.size} numbers"


def changed(found: Array, before: Array) -> str:
    """How many numbers have changed, as text."""
    return how_many(found != before)


@contextmanager
def warnings_raised() -> Iterator[None]:
    """A context in which warnings, those of numpy's arithmetic too, are errors; underflow is right in a softmax."""
    with warnings.catch_warnings(), np.errstate(divide="raise", over="raise", invalid="raise"):
        warnings.simplefilter("error")
        yield


class GlobalNumbers:
    """A context that seeds numpy's and Python's global generators, and restores their state at its end."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        self._numpy, self._python = np.random.get_state(), random.getstate()
        np.random.seed(self.seed)
        random.seed(self.seed)

    def __exit__(self, *error: object) -> None:
        np.random.set_state(self._numpy)
        random.setstate(self._python)


class NoOtherGenerators:
    """A context in which creating a random generator is an error: a generator with a constant seed looks
    reproducible, but ignores the seed of the run.

    The kit creates the generators that it needs beforehand.
    """

    def __enter__(self) -> None:
        self._make = np.random.default_rng
        thread = threading.get_ident()

        def refuse(*arguments: Any, **options: Any) -> np.random.Generator:
            made = self._make(*arguments, **options)
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if threading.get_ident() == thread and not caller.startswith("modnet.testing"):
                given = ", ".join(map(repr, arguments))
                raise Broken(f"it creates its own random generator, default_rng({given}), in {caller}")
            return made

        np.random.default_rng = refuse

    def __exit__(self, *error: object) -> None:
        np.random.default_rng = self._make


@RULES.rule(
    "documented",
    "Write a docstring for the class (an inherited one does not count): what it computes, shapes, parameters, source.",
)
def documented(trial: Trial) -> str:
    cls = type(trial.component)
    text = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    if not text:
        raise Broken(f"{cls.__name__} has no docstring")
    return f"{len(text)} characters"


@RULES.rule(
    "type hints",
    "Type hints must be resolvable at run time: import the names that they use at module level, not only under "
    "TYPE_CHECKING.",
)
def type_hints(trial: Trial) -> str:
    try:
        return f"{len(type(trial.component).hints())} fields"
    except (NameError, AttributeError) as error:
        raise Broken(f"a hint cannot be resolved: {error}") from None


@RULES.rule(
    "named",
    "Choose the name that the literature uses, in small letters, digits and _, and different from every component "
    'of the core: class Scale(Layer, type="scale").',
    after=("type hints",),
)
def named(trial: Trial) -> str:
    cls = type(trial.component)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", cls.type):
        raise Broken(f"the type name is {show(cls.type)}; expected small letters, digits and _, with a letter first")
    try:
        trial.registry.find(KINDS[cls.kind], cls.type)
    except PluginError as error:
        raise Broken(str(error)) from None
    return str(cls.type)


@RULES.rule(
    "fields",
    "The types of fields are bool, int, float, str, Literal, tuples, Mappings, components and unions of these. "
    "Use tuple[int, ...] for a list; arrays are not allowed.",
    after=("type hints", "named"),
)
def fields(trial: Trial) -> str:
    if isinstance(trial.component, Layer) and "name" in trial.fields:
        raise Broken('a spec gives each node a name, whose place a field called "name" would take; rename the field')
    for name, part in trial.schema["properties"].items():
        if name in trial.fields and '{"not": {}}' in json.dumps(part):
            raise Broken(
                f"the field {name} has the type hint {type(trial.component).hints()[name]}, which no value in a "
                "spec can match"
            )
    return ", ".join(trial.fields)


@RULES.rule(
    "arguments",
    "Give each method the arguments of the same method in modnet.kinds: they come by position, and a layer with two "
    "inputs, inputs = (2, 2), has one for each: forward(self, context, first, second).",
)
def arguments(trial: Trial) -> str:
    component, cls = trial.component, type(trial.component)
    count = len(trial.shapes) or 1
    if isinstance(component, Layer) and trial.shapes:
        fewest, most = component.inputs
        if not fewest <= count <= (count if most is None else most):
            raise Broken(f"it is tried with {counted(count, 'input')}, but its class has inputs = {component.inputs}")
    methods = list(_overridden(cls))
    for name, specified in methods:
        given = list(_positional(specified, count))
        own = inspect.signature(getattr(component, name))
        try:
            own.bind(*given)
        except TypeError as error:
            raise Broken(f"{cls.__name__}.{name}{own} is called as {name}({', '.join(given)}): {error}") from None
    return counted(len(methods), "method")


def _overridden(cls: type[Component]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The methods of a kind that a component defines itself, each as the kind declares it; not the events of a run,
    whose arguments come by name."""
    for base in (base for base in cls.__mro__ if base.__module__.startswith("modnet.kinds.")):
        for name, specified in vars(base).items():
            own = inspect.getattr_static(cls, name)
            is_method = inspect.isfunction(specified) and inspect.isfunction(own) and own is not specified
            if is_method and not name.startswith(("_", "modnet_")):
                yield name, specified


def _positional(method: Callable[..., Any], count: int) -> Iterator[str]:
    """The names of the arguments that a method of a kind is called with; `*inputs` stands for `count` of them."""
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            yield from [parameter.name] if count == 1 else (f"{parameter.name}_{n + 1}" for n in range(count))
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty:
            yield parameter.name


@RULES.rule(
    "immutable",
    "The fields of a component hold plain values that do not change. Use tuples, not lists, as defaults, and keep "
    "what is computed in the context (save, buffer, state, memory), not on self.",
    after=("type hints",),
)
def immutable(trial: Trial) -> str:
    component = trial.component
    cls = type(component)
    for name, value in vars(component).items():
        if name not in cls.__fields__:
            raise Broken(f"self.{name} is not a field")
        if not isinstance(value, Mapping):
            try:
                hash(value)
            except TypeError:
                raise Broken(f"the field {name} holds a {type(value).__name__}, which is mutable") from None
    if "__setattr__" in vars(cls) or "__delattr__" in vars(cls):
        raise Broken(f"{cls.__name__} overrides __setattr__ or __delattr__")
    return ""


@RULES.rule(
    "round trip",
    "A component that is built from plain() must equal the original: do not override plain, __eq__, __hash__ and "
    "__init__, and let `check` accept everything that the constructor accepts.",
    after=("named", "fields", "immutable"),
)
def round_trip(trial: Trial) -> str:
    component = trial.component
    again = read(trial, component.plain())
    if again != component or hash(again) != hash(component):
        raise Broken(f"built from its own plain values, {component!r} becomes {again!r}")
    return ""


def read(trial: Trial, plain: Any) -> Any:
    """The component of plain values.

    Raises:
        Broken: the spec reader refuses them.
    """
    reading = Reading(ComponentReader(trial.registry))
    found = reading.value(ComponentOf(KINDS[trial.component.kind]), plain, (trial.component.type,))
    try:
        reading.raise_problems()
    except SpecError as error:
        raise Broken(f"the spec reader refuses its own plain values: {error}") from None
    return found


@RULES.rule(
    "JSON Schema",
    "Declare the values that a field accepts in its type hint and in field(minimum=...), so that editors and the "
    "spec reader agree. Use the method `check` only for conditions on several fields.",
    after=("round trip",),
)
def json_schema(trial: Trial) -> str:
    if find_spec("jsonschema") is None:
        raise NotExamined("jsonschema is not installed: pip install jsonschema")
    jsonschema = import_module("jsonschema")
    cls = type(trial.component)
    whole = jsonschema.Draft202012Validator({"$defs": trial.definitions, "$ref": f"#/$defs/{trial.place}"})
    for error in whole.iter_errors(trial.component.plain()):
        raise Broken(f"the schema refuses its own plain values: {error.message}")
    tried = 0
    for name, checker in cls.checkers().items():
        validator = jsonschema.Draft202012Validator({"$defs": trial.definitions, **trial.schema["properties"][name]})
        for probe in PROBES:
            reading = Reading(ComponentReader(trial.registry))
            reading.value(checker, probe, (name,))
            tried += 1
            if validator.is_valid(probe) == bool(reading.problems):
                verdicts = ("refuses", "accepts") if reading.problems else ("accepts", "refuses")
                raise Broken(f"{name} = {show(probe)}: the spec reader {verdicts[0]} it, the schema {verdicts[1]} it")
    return f"{tried} values"

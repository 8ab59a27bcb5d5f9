"""Checkers: what a field accepts, one class for each kind of type hint.

A checker is made once for each field (`hints.checker_of`) and then serves constructor calls, specs and model files
(`check`), messages (`describe`), the JSON Schema (`schema`) and the kit's examples (`sample`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from numbers import Integral
from numbers import Real as RealNumber
from typing import Any, ClassVar, Protocol

from modnet.configuration.bounds import UNBOUNDED, Bounds
from modnet.configuration.reading import INVALID, Reader, Reading
from modnet.errors import Problem
from modnet.words import Path, did_you_mean, show

Schema = dict[str, Any]


class SchemaBuilder(Protocol):
    """The services that checkers need from the maker of a JSON Schema."""

    def table_reference(self, cls: Any) -> Schema:
        """A reference to the definition of a configuration class."""

    def place_reference(self, cls: Any) -> Schema:
        """A reference to the definition of a kind of component, or of its use at a place."""

    def union(self, alternatives: Sequence[tuple[Sequence[str], Schema]]) -> Schema:
        """One schema for alternatives, each given with the JSON types that it accepts, as far as they are known."""


class Checker:
    """What a field accepts.

    Attributes:
        json_types: the JSON types that are accepted, as far as they are known.
    """

    __slots__ = ()
    json_types: ClassVar[tuple[str, ...]] = ()

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        """The value, converted if necessary, or INVALID with the problem noted in `reading`."""
        raise NotImplementedError

    def describe(self, plural: bool = False) -> str:
        """What is accepted, in words: "a whole number >= 1", "a list of numbers", "an initializer"."""
        raise NotImplementedError

    def schema(self, builder: SchemaBuilder) -> Schema:
        """The JSON Schema of what `check` accepts of plain values."""
        return {"type": self.json_types[0]}

    def sample(self) -> Any:
        """A value that `check` accepts.

        Raises:
            LookupError: none can be constructed.
        """
        raise LookupError(f"no example value is known for {self.describe()}")

    def expected(self, value: Any, path: Path, reading: Reading) -> Any:
        """Notes that something else was expected, and what to write if the value needs only another notation."""
        for other in _in_other_notations(value) if reading.reader else ():
            attempt = Reading(reading.reader)
            self.check(other, path, attempt)
            if not attempt.problems:
                hint = "put it into brackets: [{ ... }]" if isinstance(value, Mapping) else f"write {show(other)}"
                return reading.problem(path, f"expected {self.describe()}, found {show(value)}", hint)
        return reading.problem(path, f"expected {self.describe()}, found {show(value)}")


def _in_other_notations(value: Any) -> Iterator[Any]:
    """What may be meant: a number by a text, a whole number by 32.0, a list by its only item."""
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            yield value.lower() == "true"
        with suppress(ValueError):
            yield int(value)
        with suppress(ValueError):
            yield float(value)
        if value.endswith("%"):
            with suppress(ValueError):
                yield float(value[:-1]) / 100
    if isinstance(value, float) and value.is_integer():
        yield int(value)
    if isinstance(value, str | int | float | Mapping):
        yield [value]


class Anything(Checker):
    """`Any`: accepts everything."""

    __slots__ = ()

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        return value

    def describe(self, plural: bool = False) -> str:
        return "values" if plural else "any value"

    def schema(self, builder: SchemaBuilder) -> Schema:
        return {}

    def sample(self) -> Any:
        return None


class Nothing(Checker):
    """`None`."""

    __slots__ = ()
    json_types = ("null",)

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        return None if value is None else self.expected(value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return "nothing"

    def sample(self) -> Any:
        return None


class Truth(Checker):
    """`bool`."""

    __slots__ = ()
    json_types = ("boolean",)

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        return value if isinstance(value, bool) else self.expected(value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return "true or false"

    def sample(self) -> Any:
        return True


class Text(Checker):
    """`str`."""

    __slots__ = ()
    json_types = ("string",)

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        return value if isinstance(value, str) else self.expected(value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return "strings" if plural else "a string"

    def sample(self) -> Any:
        return "name"


class Whole(Checker):
    """`int`: a whole number of 64 bits within bounds. Refuses True, an int in Python; converts numpy's numbers."""

    __slots__ = ("bounds",)
    json_types = ("integer",)

    def __init__(self, bounds: Bounds = UNBOUNDED) -> None:
        self.bounds = bounds

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        if isinstance(value, bool) or not isinstance(value, Integral):
            return self.expected(value, path, reading)
        number = int(value)
        if not -(2**63) <= number < 2**64:  # MessagePack, and so a model file, holds no others
            return reading.problem(path, f"expected {self.describe()} of 64 bits, found {show(number)}")
        return number if self.bounds.admits(number) else self.expected(value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return f"{'whole numbers' if plural else 'a whole number'} {self.bounds}".rstrip()

    def schema(self, builder: SchemaBuilder) -> Schema:
        return {"type": "integer", **self.bounds.keywords()}

    def sample(self) -> Any:
        return int(self.bounds.sample(3, whole=True))


class Real(Checker):
    """`float`: a finite number within bounds. Converts whole numbers; refuses True."""

    __slots__ = ("bounds",)
    json_types = ("number",)

    def __init__(self, bounds: Bounds = UNBOUNDED) -> None:
        self.bounds = bounds

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        if isinstance(value, bool) or not isinstance(value, RealNumber):
            return self.expected(value, path, reading)
        try:
            number = float(value)
        except OverflowError:
            return reading.problem(path, f"expected {self.describe()}, found a whole number too large for one")
        is_good = math.isfinite(number) and self.bounds.admits(number)
        return number if is_good else self.expected(value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return f"{'numbers' if plural else 'a number'} {self.bounds}".rstrip()

    def schema(self, builder: SchemaBuilder) -> Schema:
        return {"type": "number", **self.bounds.keywords()}

    def sample(self) -> Any:
        return float(self.bounds.sample(0.5))


class OneOf(Checker):
    """`Literal`: one of several values. Types count: 1 is not True, and 1.0 is not 1."""

    __slots__ = ("choices",)

    def __init__(self, choices: Sequence[Any]) -> None:
        self.choices = choices

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        if any(type(value) is type(choice) and value == choice for choice in self.choices):
            return value
        words = [choice for choice in self.choices if isinstance(choice, str)]
        suggestion = did_you_mean(value, words) if isinstance(value, str) else ""
        return reading.problem(path, f"expected {self.describe()}, found {show(value)}{suggestion}")

    def describe(self, plural: bool = False) -> str:
        return ("one of " if len(self.choices) > 1 else "") + ", ".join(map(show, self.choices))

    def schema(self, builder: SchemaBuilder) -> Schema:
        return {"enum": list(self.choices)}

    def sample(self) -> Any:
        return self.choices[0]


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | Mapping)


class ListOf(Checker):
    """`tuple[X, ...]`: any number of items; a list becomes a tuple."""

    __slots__ = ("item",)
    json_types = ("array",)

    def __init__(self, item: Checker) -> None:
        self.item = item

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        if not _is_list(value):
            return self.expected(value, path, reading)
        # Every item is checked, also after a faulty one: all problems are reported at once.
        items = tuple([reading.value(self.item, item, (*path, i)) for i, item in enumerate(value)])
        return INVALID if any(item is INVALID for item in items) else items

    def describe(self, plural: bool = False) -> str:
        return f"{'lists' if plural else 'a list'} of {self.item.describe(plural=True)}"

    def schema(self, builder: SchemaBuilder) -> Schema:
        return {"type": "array", "items": self.item.schema(builder)}

    def sample(self) -> Any:
        try:
            return (self.item.sample(),)
        except LookupError:
            return ()


class TupleOf(Checker):
    """`tuple[X, Y]`: a fixed number of items, each with a checker of its own."""

    __slots__ = ("items",)
    json_types = ("array",)

    def __init__(self, items: Sequence[Checker]) -> None:
        self.items = items

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        if not _is_list(value) or len(value) != len(self.items):
            return self.expected(value, path, reading)
        pairs = zip(self.items, value, strict=True)
        found = tuple([reading.value(checker, item, (*path, i)) for i, (checker, item) in enumerate(pairs)])
        return INVALID if any(item is INVALID for item in found) else found

    def describe(self, plural: bool = False) -> str:
        return f"a list of {len(self.items)}: " + ", ".join(item.describe() for item in self.items)

    def schema(self, builder: SchemaBuilder) -> Schema:
        items = [item.schema(builder) for item in self.items]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

    def sample(self) -> Any:
        return tuple(item.sample() for item in self.items)


class TableOf(Checker):
    """`dict[str, X]`, `Mapping[str, X]`: any names, with values of one kind."""

    __slots__ = ("item",)
    json_types = ("object",)

    def __init__(self, item: Checker) -> None:
        self.item = item

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        if not isinstance(value, Mapping):
            return self.expected(value, path, reading)
        items = {}
        for key, item in value.items():
            if isinstance(key, str):
                items[key] = reading.value(self.item, item, (*path, key))
            else:
                reading.problem((*path, str(key)), f"expected a string as key, found {show(key)}", at_key=True)
        return INVALID if any(item is INVALID for item in items.values()) else items

    def describe(self, plural: bool = False) -> str:
        return "tables" if plural else "a table"

    def schema(self, builder: SchemaBuilder) -> Schema:
        return {"type": "object", "additionalProperties": self.item.schema(builder)}

    def sample(self) -> Any:
        try:
            return {"name": self.item.sample()}
        except LookupError:
            return {}


class Either(Checker):
    """`X | Y`: the alternatives are tried in the order of the hint."""

    __slots__ = ("all", "is_optional", "parts")

    def __init__(self, alternatives: Sequence[Checker]) -> None:
        self.all = alternatives
        self.parts = [part for part in alternatives if not isinstance(part, Nothing)]
        self.is_optional = len(self.parts) < len(alternatives)

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        if value is None and self.is_optional:
            return None
        attempts: list[list[Problem]] = []
        for part in self.parts:
            attempt = Reading(reading.reader)  # of its own: the problems of a failed alternative may not matter
            found = part.check(value, path, attempt)
            if not attempt.problems:
                return found
            attempts.append(attempt.problems)
        best = self._best(attempts, value, path)
        if best is None:
            return self.expected(value, path, reading)
        reading.problems.extend(best)
        return INVALID

    @staticmethod
    def _best(attempts: Sequence[list[Problem]], value: Any, path: Path) -> list[Problem] | None:
        """The problems of the alternative that got furthest; None if no alternative accepts values of this type.

        An alternative that accepts the type of the value, and finds a fault inside it, gives a better message than
        "expected a or b". "expected ..., found ..." for the value as a whole means that its type was not accepted.
        """
        if len(attempts) == 1:
            return attempts[0]
        found = f", found {show(value)}"
        for problems in attempts:
            if not any(problem.keys == path and problem.message.endswith(found) for problem in problems):
                return problems
        return None

    def describe(self, plural: bool = False) -> str:
        return " or ".join(dict.fromkeys(part.describe(plural) for part in self.parts))

    def schema(self, builder: SchemaBuilder) -> Schema:
        return builder.union([(part.json_types, part.schema(builder)) for part in self.all])

    def sample(self) -> Any:
        for part in self.all:
            try:
                return part.sample()
            except LookupError:
                continue
        return super().sample()


_OF_CLASSES = {list: "array", dict: "object"}


class InstanceOf(Checker):
    """A class that is not a configuration: accepts only instances of it."""

    __slots__ = ("cls",)

    def __init__(self, cls: type) -> None:
        self.cls = cls

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        return value if isinstance(value, self.cls) else self.expected(value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return _noun(self.cls.__name__.lower(), plural)

    def schema(self, builder: SchemaBuilder) -> Schema:
        # {"not": {}} accepts nothing: no JSON value is an instance of another class.
        return {"type": _OF_CLASSES[self.cls]} if self.cls in _OF_CLASSES else {"not": {}}


class Unsupported(Checker):
    """A hint that is not supported: accepts nothing; the kit reports it to the author of the component.

    Not an error when the class is defined: only a process that uses the field has to fail.
    """

    __slots__ = ("hint",)

    def __init__(self, hint: Any) -> None:
        self.hint = hint

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        return self.expected(value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return _noun(getattr(self.hint, "__name__", str(self.hint)).lower(), plural)

    def schema(self, builder: SchemaBuilder) -> Schema:
        return {"not": {}}


class ConfigurationOf(Checker):
    """A configuration class: accepts an instance, or a table from which one is read."""

    __slots__ = ("cls",)
    json_types: ClassVar[tuple[str, ...]] = ("object",)

    def __init__(self, cls: Any) -> None:
        self.cls = cls

    def check(self, value: Any, path: Path, reading: Reading) -> Any:
        if isinstance(value, self.cls):
            return value
        if reading.reader is None:
            return self.expected(value, path, reading)
        return self.read(reading.reader, value, path, reading)

    def read(self, reader: Reader, value: Any, path: Path, reading: Reading) -> Any:
        """The configuration of a plain value, or INVALID."""
        return self.cls.from_table(value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return _noun(f"{self.cls.called} table" if self.cls.called else self.cls.__name__.lower(), plural)

    def schema(self, builder: SchemaBuilder) -> Schema:
        return builder.table_reference(self.cls)

    def sample(self) -> Any:
        return self.cls(**self.cls.sample_arguments())


class ComponentOf(ConfigurationOf):
    """A kind of component: accepts an instance, or its type name or table."""

    __slots__ = ()
    json_types = ("string", "object")

    def read(self, reader: Reader, value: Any, path: Path, reading: Reading) -> Any:
        return reader.component(self.cls, value, path, reading)

    def describe(self, plural: bool = False) -> str:
        return _noun(self.cls.kind, plural)

    def schema(self, builder: SchemaBuilder) -> Schema:
        return builder.place_reference(self.cls)

    def sample(self) -> Any:
        # `Layer` itself is only a kind, not a component, and which layers there are only the registry knows.
        return super().sample() if getattr(self.cls, "type", "") else Checker.sample(self)


class UseOf(ComponentOf):
    """A component at its place: accepts an instance, or a type name or table with the options of the place."""

    __slots__ = ()

    def read(self, reader: Reader, value: Any, path: Path, reading: Reading) -> Any:
        return reader.use(self.cls, value, path, reading)


def _noun(word: str, plural: bool) -> str:
    if plural:
        return f"{word}es" if word.endswith("s") else f"{word}s"
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"

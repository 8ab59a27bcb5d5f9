"""Immutable, declared, checked configuration: the ground on which components and the parts of a spec stand.

A subclass of `Configuration` declares its fields as annotations. It gets a constructor, equality, a repr and
immutability, as a frozen dataclass would, and type checkers treat it as one (PEP 681). It is not made by
`dataclasses`: that compiles several functions for each class, about a millisecond, and a process that only predicts
would pay for every component in the modules it imports.

The annotations are also what values are checked against, by `Checker`: the same rules serve a constructor call and a
spec file, and the JSON Schema is made from them.
"""

from __future__ import annotations

import inspect
import math
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, TypeVar, Union, cast, dataclass_transform, get_args, get_origin

from modnet.errors import Problem, SpecError, printable

T = TypeVar("T")
Path = tuple[str | int, ...]

DEEPEST = 64
"""How many levels of tables and lists a value may have."""

MOST_CANDIDATES, LONGEST_CANDIDATE = 2000, 64
"""Among so many names, and so long, the nearest one is looked for: a message is not worth more time, and a file may
have any number of names.
"""

MOST_PROBLEMS = 1000
"""So many faults of one spec are told; whoever has more can mend these first."""


class Missing:
    """The default of a field that has none."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


class Invalid:
    """What `Checker` gives for a value that has a problem."""


INVALID = Invalid()


class Field:
    """A declared field: its name, default and the bounds that its annotation cannot say.

    Attributes:
        minimum, maximum: inclusive bounds of a number, or of each number of a list.
        above, below: exclusive bounds.
        renamed_from: the name that this field had in an earlier version of its component.
    """

    __slots__ = ("above", "below", "default", "maximum", "minimum", "name", "renamed_from")

    def __init__(
        self,
        default: Any = MISSING,
        minimum: float | None = None,
        maximum: float | None = None,
        above: float | None = None,
        below: float | None = None,
        renamed_from: str | None = None,
    ) -> None:
        self.name = ""
        self.default = default
        self.minimum = minimum
        self.maximum = maximum
        self.above = above
        self.below = below
        self.renamed_from = renamed_from

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def bounds(self) -> str:
        """The bounds as they read after "a number", or ""."""
        signs = ((">=", self.minimum), (">", self.above), ("<=", self.maximum), ("<", self.below))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in signs if bound is not None)

    def admits(self, number: float) -> bool:
        return (
            (self.minimum is None or number >= self.minimum)
            and (self.maximum is None or number <= self.maximum)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )


def field(
    default: Any = MISSING,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    renamed_from: str | None = None,
) -> Any:
    """Declares a field with bounds: `rate: float = field(default=0.5, minimum=0.0, below=1.0)`."""
    return Field(default, minimum, maximum, above, below, renamed_from)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Configuration:
    """Immutable configuration whose fields are its annotations.

    Raises:
        SpecError: from the constructor, for a value of the wrong type or out of bounds.
        TypeError: from the constructor, for a missing or an unknown argument.
    """

    __fields__: ClassVar[dict[str, Field]] = {}
    __hints__: ClassVar[dict[str, Any] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fields: dict[str, Field] = {}
        for base in reversed(cls.__mro__[1:]):
            fields.update(base.__dict__.get("__fields__", {}))
        annotations = inspect.get_annotations(cls)
        for name, value in vars(cls).items():
            if isinstance(value, Field) and name not in annotations:
                raise TypeError(
                    f"{cls.__name__}.{name} has no annotation, which makes it a field: {name}: int = field(...)"
                )
        for name, annotation in annotations.items():
            if _is_class_variable(annotation):
                continue
            value = cls.__dict__.get(name, MISSING)
            declared = value if isinstance(value, Field) else Field(value)
            declared.name = name
            fields[name] = declared
            if declared.required:
                if name in cls.__dict__:
                    delattr(cls, name)
            else:
                setattr(cls, name, declared.default)
        # Required fields first, as a dataclass demands of its author; here it is arranged.
        ordered = sorted(fields.values(), key=lambda declared: not declared.required)
        cls.__fields__ = {declared.name: declared for declared in ordered}
        cls.__hints__ = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fields = type(self).__fields__
        label = self._label()
        if len(args) > len(fields):
            raise TypeError(f"{label} takes {len(fields)} arguments at most, {len(args)} were given")
        values = dict(zip(fields, args, strict=False))
        for name, value in kwargs.items():
            if name not in fields:
                raise TypeError(f"{label} has no field {show(name)}{did_you_mean(name, fields)}")
            if name in values:
                raise TypeError(f"{label}: {name} was given twice")
            values[name] = value
        missing = [name for name, declared in fields.items() if declared.required and name not in values]
        if missing:
            raise TypeError(f"{label} needs {', '.join(missing)}")
        checker = Checker()
        hints = type(self).hints() if values else {}
        for name, declared in fields.items():
            if name in values:
                self.__dict__[name] = checker.value(hints[name], values[name], (label, name), declared)
            else:
                self.__dict__[name] = declared.default
        checker.raise_problems()
        try:
            self.check()
        except ValueError as error:
            raise SpecError([Problem(label, str(error))]) from None

    def check(self) -> None:
        """Checks what concerns several fields at once. Override it; it says what is wrong by a ValueError."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self._label()} is immutable; make a new one with .replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self._label()} is immutable")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(map(_hashable, self.__dict__.values()))))

    def __repr__(self) -> str:
        changed = [
            f"{name}={self.__dict__[name]!r}"
            for name, declared in type(self).__fields__.items()
            if declared.required or self.__dict__[name] != declared.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def replace(self, **changes: Any) -> Self:
        """The same configuration with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """Field name -> resolved type hint."""
        if cls.__hints__ is None:
            cls.__hints__ = {name: _resolve(cls, name) for name in cls.__fields__}
        return cls.__hints__

    @classmethod
    def _label(cls) -> str:
        return cls.__name__

    def plain(self) -> dict[str, Any]:
        """The configuration as plain values: what a spec file or a model file holds."""
        return {name: plain(value) for name, value in self.__dict__.items()}


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def _resolve(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        annotation = inspect.get_annotations(base).get(name)
        if annotation is None:
            continue
        if not isinstance(annotation, str):
            return annotation
        module = sys.modules.get(base.__module__)
        return eval(annotation, vars(module) if module else {}, dict(vars(base)))
    raise KeyError(name)


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return value


def plain(value: Any) -> Any:
    """A configuration value as plain None, bool, int, float, str, list and dict."""
    if isinstance(value, Configuration):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


# Words for messages


def show(value: Any) -> str:
    """A value as a message quotes it, in the notation of a spec file."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value if len(value) <= 60 else value[:57] + "..."
        return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, Real):
        return str(value)
    if isinstance(value, Mapping):
        return f"a table with type = {show(value['type'])}" if isinstance(value.get("type"), str) else "a table"
    if isinstance(value, Sequence):
        inner = ", ".join(show(item) for item in value[:6]) + (", ..." if len(value) > 6 else "")
        return f"[{inner}]" if len(inner) <= 60 else f"a list of {len(value)}"
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" or name == "ndarray" else f"a {name}"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` was most likely meant to be, or None."""
    if len(name) > LONGEST_CANDIDATE:
        return None
    candidates = [name for name in islice(names, MOST_CANDIDATES) if len(name) <= LONGEST_CANDIDATE]
    folded = {candidate.replace("_", "").replace("-", "").lower(): candidate for candidate in candidates}
    key = name.replace("_", "").replace("-", "").lower()
    if key in folded:
        return folded[key]
    import difflib  # only for messages
    import heapq

    matcher = difflib.SequenceMatcher(b=key)

    def promise(candidate: str) -> float:
        """How near it is at most; cheap where it is far."""
        matcher.set_seq1(candidate)
        bound = matcher.real_quick_ratio()
        return bound if bound < 0.6 else matcher.quick_ratio()

    # The exact ratio takes long, and only the names that promise most are worth it.
    promising = heapq.nlargest(20, folded, key=promise)
    found = difflib.get_close_matches(key, promising, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean "x"?`, or "" where nothing is near."""
    found = nearest(name, names)
    return f"; did you mean {show(found)}?" if found else ""


def path_text(path: Path) -> str:
    """("network", "layers", 2, "type") -> network.layers[2].type"""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif (
            isinstance(part, str) and 0 < len(part) <= 60 and all(letter.isalnum() or letter in "_-" for letter in part)
        ):
            text += f".{part}" if text else part
        else:
            text += f".{show(part)}" if text else show(part)
    return text


def describe(hint: Any, declared: Field | None = None, plural: bool = False) -> str:
    """A type hint in words: "a whole number >= 1", "a list of numbers", "an initializer"."""
    origin, arguments = get_origin(hint), get_args(hint)
    bounds = declared.bounds() if declared else ""
    if hint is bool:
        return "true or false"
    if hint is int or hint is float:
        word = (
            ("whole numbers" if plural else "a whole number") if hint is int else ("numbers" if plural else "a number")
        )
        return f"{word} {bounds}" if bounds else word
    if hint is str:
        return "strings" if plural else "a string"
    if hint is None or hint is type(None):
        return "nothing"
    if origin is Literal:
        return ("one of " if len(arguments) > 1 else "") + ", ".join(show(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        words = dict.fromkeys(describe(part, declared, plural) for part in arguments if part is not type(None))
        return " or ".join(words)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"{'lists' if plural else 'a list'} of {describe(arguments[0], declared, plural=True)}"
        return f"a list of {len(arguments)}: " + ", ".join(describe(part, declared) for part in arguments)
    if origin in (dict, Mapping):
        return "tables" if plural else "a table"
    word = getattr(hint, "kind", None) or getattr(hint, "__name__", str(hint)).replace("Spec", " table").lower()
    if plural:
        return f"{word}s" if word != "loss" else "losses"
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


# Checking


ReadComponent = Callable[["Checker", Any, Any, Path], Any]


class Checker:
    """Checks plain values against type hints, converts them, and gathers every problem instead of stopping at one.

    Args:
        read_component: (checker, hint, value, path) -> component, for values that stand for a component by name or
            table; None where only ready components are accepted.
        old_names: whether a field may come under the name that it had before (files may, specs may not).
    """

    def __init__(self, read_component: ReadComponent | None = None, old_names: bool = False) -> None:
        self.read_component = read_component
        self.old_names = old_names
        self.problems: list[Problem] = []

    @property
    def is_full(self) -> bool:
        """Whether there are so many problems that no more are looked for: a hostile file can have any number."""
        return len(self.problems) >= MOST_PROBLEMS

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Invalid:
        """Notes a problem. `at_key` says that the key, not its value, is at fault."""
        if not self.is_full:
            self.problems.append(Problem(path_text(path), message, hint, keys=path, at_key=at_key))
        return INVALID

    def raise_problems(self) -> None:
        """Raises SpecError if there were any."""
        if self.problems:
            raise SpecError(self.problems)

    def value(self, hint: Any, value: Any, path: Path, declared: Field | None = None) -> Any:
        """The value converted to what `hint` asks for, or INVALID with the problem noted."""
        if self.is_full:
            return INVALID
        if len(path) > DEEPEST:
            return self.problem(path, f"nested more than {DEEPEST} levels deep")
        origin, arguments = get_origin(hint), get_args(hint)
        if hint is Any:
            return value
        if hint is None or hint is type(None):
            return None if value is None else self._expected(hint, declared, value, path)
        if hint is bool:
            return value if isinstance(value, bool) else self._expected(hint, declared, value, path)
        if hint is int:
            return self._whole_number(value, path, declared)
        if hint is float:
            return self._number(value, path, declared)
        if hint is str:
            return value if isinstance(value, str) else self._expected(hint, declared, value, path)
        if origin is Literal:
            if any(value == choice and type(value) is type(choice) for choice in arguments):
                return value
            suggestion = (
                did_you_mean(value, [c for c in arguments if isinstance(c, str)]) if isinstance(value, str) else ""
            )
            return self.problem(path, f"expected {describe(hint)}, found {show(value)}{suggestion}")
        if origin in (Union, types.UnionType):
            return self._union(hint, arguments, value, path, declared)
        if origin is tuple:
            return self._tuple(hint, arguments, value, path, declared)
        if origin in (dict, Mapping):
            return self._mapping(hint, arguments, value, path, declared)
        if isinstance(hint, type) and isinstance(value, hint):
            return value
        if isinstance(hint, type) and issubclass(hint, Configuration) and self.read_component is not None:
            found = self.read_component(self, hint, value, path)
            return self.table(hint, value, path) if found is NotImplemented else found
        return self._expected(hint, declared, value, path)

    def table(self, cls: type[T], table: Any, path: Path, ignore: Iterable[str] = ()) -> T | Invalid:
        """A `Configuration` made from a table: unknown and missing keys, and every value, are checked."""
        if self.is_full:
            return INVALID
        if not isinstance(table, Mapping):
            return self._expected(cls, None, table, path)
        configuration = cast(type[Configuration], cls)
        fields, hints = configuration.__fields__, configuration.hints()
        renamed = {declared.renamed_from: name for name, declared in fields.items() if declared.renamed_from}
        before = len(self.problems)
        values: dict[str, Any] = {}
        meant: set[str | None] = set()
        for key, value in table.items():
            if key in ignore:
                continue
            name = key
            if key in renamed and key not in fields:
                name = renamed[key]
                if not self.old_names:
                    self.problem((*path, key), f'this key is now called "{name}"', at_key=True)
                    continue
            if name not in fields:
                if self.is_full:
                    break
                meant.add(nearest(str(key), [*fields, *ignore]))
                self.unknown_key(path, key, [*fields, *ignore])
                continue
            values[name] = self.value(hints[name], value, (*path, key), fields[name])
        for name, declared in fields.items():
            if declared.required and name not in values and name not in meant:
                self.problem(path, f'missing key "{name}" ({describe(hints[name], declared)})')
        if len(self.problems) > before:
            return INVALID
        made = cls.__new__(cls)
        for name, declared in fields.items():
            made.__dict__[name] = values.get(name, declared.default)
        try:
            cast(Configuration, made).check()
        except ValueError as error:
            return self.problem(path, str(error))
        return made

    def unknown_key(self, path: Path, key: Any, known: Sequence[str]) -> Invalid:
        """Notes a key that is none of `known`."""
        suggestion = did_you_mean(str(key), known)
        rest = suggestion or (f"; expected one of: {', '.join(known)}" if known else "; there are no options here")
        return self.problem((*path, key), f"unknown key{rest}", at_key=True)

    def _expected(self, hint: Any, declared: Field | None, value: Any, path: Path) -> Invalid:
        return self.problem(path, f"expected {describe(hint, declared)}, found {show(value)}")

    def _whole_number(self, value: Any, path: Path, declared: Field | None) -> Any:
        if isinstance(value, bool) or not isinstance(value, Integral):
            return self._expected(int, declared, value, path)
        number = int(value)
        if not -(2**63) <= number < 2**64:  # no model file could hold it
            return self.problem(path, f"expected {describe(int, declared)} of 64 bits, found {show(number)}")
        if declared is not None and not declared.admits(number):
            return self._expected(int, declared, value, path)
        return number

    def _number(self, value: Any, path: Path, declared: Field | None) -> Any:
        if isinstance(value, bool) or not isinstance(value, Real):
            return self._expected(float, declared, value, path)
        try:
            number = float(value)
        except OverflowError:
            return self.problem(path, f"expected {describe(float, declared)}, found a whole number too large for one")
        if not math.isfinite(number) or (declared is not None and not declared.admits(number)):
            return self._expected(float, declared, value, path)
        return number

    def _union(self, hint: Any, arguments: Sequence[Any], value: Any, path: Path, declared: Field | None) -> Any:
        if value is None and type(None) in arguments:
            return None
        attempts: list[list[Problem]] = []
        for part in arguments:
            if part is type(None):
                continue
            attempt = Checker(self.read_component, self.old_names)
            found = attempt.value(part, value, path, declared)
            if not attempt.problems:
                return found
            attempts.append(attempt.problems)
        # An alternative that knows more than that it is another type knows better what is wrong than "expected a or b".
        found = f", found {show(value)}"
        deeper = [a for a in attempts if not any(p.keys == path and p.message.endswith(found) for p in a)]
        if len(attempts) == 1:
            self.problems.extend(attempts[0])
        elif deeper:
            self.problems.extend(deeper[0])
        else:
            return self._expected(hint, declared, value, path)
        return INVALID

    def _tuple(self, hint: Any, arguments: Sequence[Any], value: Any, path: Path, declared: Field | None) -> Any:
        if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Sequence):
            return self._expected(hint, declared, value, path)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            hints: Sequence[Any] = [arguments[0]] * len(value)
        elif len(arguments) != len(value):
            return self._expected(hint, declared, value, path)
        else:
            hints = arguments
        items = [
            self.value(part, item, (*path, i), declared)
            for i, (part, item) in enumerate(zip(hints, value, strict=True))
        ]
        return INVALID if any(item is INVALID for item in items) else tuple(items)

    def _mapping(self, hint: Any, arguments: Sequence[Any], value: Any, path: Path, declared: Field | None) -> Any:
        if not isinstance(value, Mapping):
            return self._expected(hint, declared, value, path)
        items = {}
        for key, item in value.items():
            if not isinstance(key, str):
                self.problem((*path, str(key)), f"expected a string as key, found {show(key)}", at_key=True)
                continue
            items[key] = self.value(arguments[1], item, (*path, key), declared)
        return INVALID if any(item is INVALID for item in items.values()) else items

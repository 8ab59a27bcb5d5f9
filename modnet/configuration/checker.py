"""Checks values against the hints of fields, and gathers every problem."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from modnet.configuration.fields import Configuration, Field
from modnet.errors import Problem, SpecError
from modnet.words import Path, did_you_mean, nearest, path_text, show

T = TypeVar("T")


DEEPEST = 64
"""How many levels of tables and lists a value may have."""


MOST_PROBLEMS = 1000
"""So many faults of one spec are told; whoever has more can mend these first."""


class Invalid:
    """What `Checker` gives for a value that has a problem."""


INVALID = Invalid()


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

"""Reading values: the problems that checkers find are collected, and components are made from names and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from modnet.errors import Problem, SpecError
from modnet.words import Path, nearest, path_text, show

DEEPEST = 64
"""How deeply tables and lists may be nested: checkers recurse, and a hostile file must not exhaust Python's stack."""


MOST_PROBLEMS = 1000
"""How many problems of one spec are reported at most."""


class Invalid:
    """What a checker returns for a value that has a problem."""


INVALID = Invalid()


class _Checks(Protocol):
    def check(self, value: Any, path: Path, reading: Reading) -> Any: ...


class Reader:
    """How plain values become configurations. This one reads tables but no components.

    Attributes:
        old_names: whether a field's earlier name is accepted (in model files yes, in specs no).
    """

    old_names: ClassVar[bool] = False

    def component(self, kind: Any, value: Any, path: Path, reading: Reading) -> Any:
        """A component of a kind by name or table, or INVALID."""
        return reading.problem(path, f"expected an instance of {kind.__name__}, found {show(value)}")

    def use(self, use: Any, value: Any, path: Path, reading: Reading) -> Any:
        """A component with the options of its place, by name or table, or INVALID."""
        return reading.problem(path, f"expected an instance of {use.__name__}, found {show(value)}")

    def home_of(self, key: str) -> str:
        """Where a key belongs that is unknown at its place, or what to do about it, or ""."""
        return ""


class Reading:
    """One reading of values, which collects every problem instead of stopping at the first.

    Args:
        reader: how plain values become configurations; None if only instances are accepted, as in a constructor.
    """

    __slots__ = ("problems", "reader")

    def __init__(self, reader: Reader | None = None) -> None:
        self.reader = reader
        self.problems: list[Problem] = []

    @property
    def is_full(self) -> bool:
        """Whether the limit of problems is reached, and checking stops: a hostile file can have any number."""
        return len(self.problems) >= MOST_PROBLEMS

    def value(self, checker: _Checks, value: Any, path: Path) -> Any:
        """The value that the checker returns, or INVALID with the problem noted."""
        if len(self.problems) >= MOST_PROBLEMS:  # `is_full` without its call: this runs for every value of a file
            return INVALID
        if len(path) > DEEPEST:
            return self.problem(path, f"nested more than {DEEPEST} levels deep")
        return checker.check(value, path, self)

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Invalid:
        """Notes a problem. `at_key` says that the key, not its value, is at fault."""
        if not self.is_full:
            self.problems.append(Problem(path_text(path), message, hint, keys=path, at_key=at_key))
        return INVALID

    def unknown_key(self, path: Path, key: Any, known: Sequence[str]) -> str | None:
        """Notes a key that is not among `known`, and returns the one that was probably meant."""
        meant = nearest(str(key), known)
        if meant:
            rest = f"; did you mean {show(meant)}?"
        elif home := self.reader.home_of(str(key)) if self.reader else "":
            rest = f"; {home}"
        else:
            rest = f"; expected one of: {', '.join(known)}" if known else "; there are no options here"
        self.problem((*path, key), f"unknown key{rest}", at_key=True)
        return meant

    def raise_problems(self) -> None:
        """Raises SpecError if there were any."""
        if self.problems:
            raise SpecError(self.problems)

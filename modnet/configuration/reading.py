"""One reading of values: it gathers the problems that checkers find, and makes components from names and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from modnet.errors import Problem, SpecError
from modnet.words import Path, nearest, path_text, show

DEEPEST = 64
"""How many levels of tables and lists a value may have."""


MOST_PROBLEMS = 1000
"""So many problems of one spec are reported; whoever has more can mend these first."""


class Invalid:
    """What a checker returns for a value that has a problem."""


INVALID = Invalid()


class _Checks(Protocol):
    def check(self, value: Any, path: Path, reading: Reading) -> Any: ...


class Reader:
    """How plain values become configurations. This one reads tables, and no components.

    Attributes:
        old_names: whether a field may have the name that it had before (in model files yes, in specs no).
    """

    old_names: ClassVar[bool] = False

    def component(self, kind: Any, value: Any, path: Path, reading: Reading) -> Any:
        """A component of a kind by name or table, or INVALID."""
        return reading.problem(path, f"expected a ready {kind.__name__}, found {show(value)}")

    def use(self, use: Any, value: Any, path: Path, reading: Reading) -> Any:
        """A component with the options of its place, by name or table, or INVALID."""
        return reading.problem(path, f"expected a ready {use.__name__}, found {show(value)}")


class Reading:
    """One reading of values, which gathers every problem instead of stopping at the first.

    Args:
        reader: how plain values become configurations; None where only ready configurations are accepted, as by a
            constructor.
    """

    __slots__ = ("problems", "reader")

    def __init__(self, reader: Reader | None = None) -> None:
        self.reader = reader
        self.problems: list[Problem] = []

    @property
    def is_full(self) -> bool:
        """Whether there are so many problems that no more are looked for: a hostile file can have any number."""
        return len(self.problems) >= MOST_PROBLEMS

    def value(self, checker: _Checks, value: Any, path: Path) -> Any:
        """What the checker makes of a value, or INVALID with the problem noted."""
        if len(self.problems) >= MOST_PROBLEMS:
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
        """Notes a key that is none of `known`, and returns the one that was probably meant."""
        meant = nearest(str(key), known)
        if meant:
            rest = f"; did you mean {show(meant)}?"
        else:
            rest = f"; expected one of: {', '.join(known)}" if known else "; there are no options here"
        self.problem((*path, key), f"unknown key{rest}", at_key=True)
        return meant

    def raise_problems(self) -> None:
        """Raises SpecError if there were any."""
        if self.problems:
            raise SpecError(self.problems)

"""Everything that modnet raises on purpose.

ModnetError
  SpecError              .problems: every fault of a spec, each with file, line, column and path
  ShapeError             arrays or nodes whose shapes do not fit (also a ValueError)
  DataError              a data file or an array that cannot be used: which file, row and column; .problems
    SampleError          one sample of it: .sample, .step
  PluginError
    UnknownType          no component of that kind has that name
    AmbiguousType        two plugins offer the name
    NotInstalled         the distribution that offers it is not installed: .distribution, .version
    BrokenPlugin         a plugin that fails: whose fault it is; the plugin's own error is __cause__
  ModelFileError         a .modnet file that cannot be read or written: .path, .what, .where
    NotAModelFile        another format, or no regular file
    Truncated            shorter than its own header says
    MalformedFile        a rule of the format is broken
    ChecksumMismatch     the bytes are not those that were written
    WrongId              a whole file, but not the requested one: .found, .expected
    NewerFormat          written by a newer modnet
    ParameterMismatch    arrays and network differ: .missing, .unexpected, .mismatched
  TrainingError
    Diverged             the loss became nan or infinite: .step, .epoch, .node
  TooLarge               more memory than there is, or a computation that would not end in reasonable time (also a
                         MemoryError)
  MissingExtra           an optional library is needed: which extra to install
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Literal, NamedTuple

from modnet.records import Record
from modnet.words import itemised, legible, printable

MESSAGE_LIMIT = 4000
"""Characters in the message of a `ModelFileError`, and in that of each `Problem`."""

MARGIN = 9
"""Before a line of a file stands its number: `     6 | `."""

LONGEST_PATH = 400
"""How many characters of a `Problem`'s path its text shows."""


class ModnetError(Exception):
    """The base of every error that modnet raises on purpose."""


class Problem(Record):
    """One fault of a spec.

    `path` is the place in the spec (`network.layers[2].type`), `message` the fault in one line, `hint` what to do
    about it in one more. `file`, `line`, `column` and `length` (1-based, in characters) are the place in the file, and
    `excerpt` is that line of the file; all are empty for a spec that was given as a dict. `keys` is the path in parts;
    `at_key` says that the last key itself is at fault, not its value.
    """

    path: str
    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    length: int = 0
    excerpt: str = ""
    keys: tuple[str | int, ...] = ()
    at_key: bool = False

    def __post_init__(self) -> None:
        if len(self.message) > MESSAGE_LIMIT:  # it may quote a list of any length
            self.__dict__["message"] = f"{self.message[: MESSAGE_LIMIT - 4]} ..."

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """The fault for people; of a line of the file that is wider than the screen, the part around the fault."""
        place = self.file
        if self.line:
            place += f":{self.line}:{self.column}"
        text = ": ".join(part for part in (place, legible(self.path, LONGEST_PATH), self.message) if part)
        if self.excerpt.strip():
            shown, start, length = self._window(width)
            before = "".join("\t" if sign == "\t" else " " for sign in shown[:start])  # a tab is as wide below itself
            text += f"\n{self.line:>6} | {shown}\n{'':>6} | {before:<{start}}{'^' * length}"
        if self.hint:
            text += f"\n     {self.hint}"
        return text

    def _window(self, width: int | None) -> tuple[str, int, int]:
        """The part of the line that is shown, where in it the carets begin, and how many there are."""
        start, length = self.column - 1, max(1, self.length)
        room = len(self.excerpt) if width is None else max(width - MARGIN, 8)
        if max(len(self.excerpt), start + length) <= room or width is None:
            return self.excerpt, start, length
        length = min(length, room - 2)
        first = max(0, min(start - (room - length) // 2, len(self.excerpt) - room))
        shown = self.excerpt[first : first + room]
        if first:
            shown = f"…{shown[1:]}"
        if first + room < len(self.excerpt):
            shown = f"{shown[:-1]}…"
        return shown, start - first, length


class SpecError(ModnetError, ValueError):
    """A spec with faults: all of them, in the order of the file.

    Attributes:
        problems: the faults, in order.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)  # not a text: unpickling calls the class with `args`

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        if len(lines) > 1:
            lines.append(f"{len(lines)} problems")
        return "\n".join(lines)


class ShapeError(ModnetError, ValueError):
    """Shapes that do not fit.

    Attributes:
        hint: what to do about it, where that is known.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}; {hint}" if hint else message)


class Fault(NamedTuple):
    """A value of a table, or a whole column, that cannot be used, or of which there is something else to tell.

    Attributes:
        row: its row, counted from 0; None for a whole column.
        column: the name of its column.
        value: as text; None for a missing one.
        message: what is wrong with it, and what was expected or done.
        kind: "fault" if it cannot be used, "replaced" if the network was given something else in its place, "outside"
            if it was used although it lies outside of what the network was trained on, and "ignored".
    """

    row: int | None
    column: str
    value: str | None
    message: str
    kind: Literal["fault", "replaced", "outside", "ignored"] = "fault"


class DataError(ModnetError, ValueError):
    """A data file or an array that cannot be used.

    Attributes:
        problems: the values of a table that are at fault, or its columns that are missing, all of them, each a `Fault`;
            empty if the error is of another kind.
    """

    def __init__(self, message: str, problems: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class SampleError(DataError):
    """A sample that cannot be used.

    Attributes:
        sample: its index in the array that was checked.
        step: the index of the step within it, or None.
    """

    def __init__(self, before: str, sample: int, after: str = "", place: str = "", step: int | None = None) -> None:
        self.sample, self.step = sample, step
        self._before, self._after = before, after
        where = (place or f"sample {sample} of the batch") + ("" if step is None else f", step {step}")
        super().__init__(f"{before} in {where}{after}")

    def at(self, place: str) -> SampleError:
        """The same error, with a place that is better known: a row of all the data instead of one of a batch."""
        return SampleError(self._before, self.sample, self._after, place, self.step)

    def of_step(self, number: int, steps: int) -> SampleError:
        """The same error if the check has seen the batch as one row of steps: for step `number`, `steps` per sample."""
        sample, step = divmod(number, steps)
        return SampleError(self._before, sample, self._after, step=step)

    def of_member(self, members: int) -> SampleError:
        """The same error if the check has seen each sample once for each of the members of an ensemble."""
        return self if members == 1 else SampleError(self._before, self.sample // members, self._after, step=self.step)

    def counted_from(self, start: int) -> SampleError:
        """The same error if the check has seen the rows from `start` on: the row counts from the first one."""
        row = start + self.sample
        return SampleError(self._before, row, self._after, f"row {row}", self.step)


class PluginError(ModnetError):
    """A component that is not available or does not work."""


class UnknownType(PluginError):
    """No component of that kind has that name.

    Attributes:
        hint: what to do about it, where that is known.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}; {hint}" if hint else message)


class AmbiguousType(PluginError):
    """Two plugins offer a component of one kind under one name."""


class NotInstalled(PluginError):
    """A component's distribution is not installed.

    Attributes:
        distribution: the name to install.
        version: the version that is known to have had the component, or "".
    """

    def __init__(self, message: str, distribution: str, version: str = "") -> None:
        self.distribution = distribution
        self.version = version
        super().__init__(message)


class BrokenPlugin(PluginError):
    """A plugin that cannot be imported, or a component that breaks its contract.

    The message says whose fault it is: the distribution, its version, the class and the method. `__cause__` is the
    plugin's own error, if it raised one.

    Attributes:
        at_work: True if the plugin was loaded, and then raised an unexpected error or returned something invalid.
    """

    def __init__(self, message: str, at_work: bool = False) -> None:
        self.at_work = at_work
        super().__init__(message)


class ModelFileError(ModnetError):
    """A model file that cannot be read or written.

    Files may be hostile: the message has a bounded length, and control characters in it are escaped.

    Attributes:
        path: the file.
        what: what is wrong.
        where: the part of the file, or "".
    """

    def __init__(self, path: str | PathLike[str], what: str, where: str = "") -> None:
        self.path = fspath(path)
        self.what = what
        self.where = where
        place = f"{where}: " if where else ""
        # Line by line, since `printable` would escape the line breaks of our own message too.
        message = f"{printable(str(self.path))}: " + "\n".join(map(printable, f"{place}{what}".split("\n")))
        super().__init__(message if len(message) <= MESSAGE_LIMIT else f"{message[: MESSAGE_LIMIT - 4]} ...")


class NotAModelFile(ModelFileError):
    """Another format, or no regular file."""


class Truncated(ModelFileError):
    """Shorter than its own header says."""


class MalformedFile(ModelFileError):
    """A rule of the format is broken."""


class ChecksumMismatch(ModelFileError):
    """The bytes are not those that were written."""


class WrongId(ModelFileError):
    """A whole model file, but not the one that was asked for.

    Attributes:
        found, expected: the two ids, as text.
    """

    def __init__(self, path: str | PathLike[str], found: str, expected: str) -> None:
        self.found, self.expected = found, expected
        super().__init__(path, f"this is another model: its id is {found}, expected {expected}")


class NewerFormat(ModelFileError):
    """Written by a newer modnet than this one."""


class ParameterMismatch(ModelFileError):
    """The arrays of a file and those of a network differ in name, shape or type.

    Attributes:
        missing: names that only the network has.
        unexpected: names that only the file has.
        mismatched: name -> (found, expected), both as text.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        missing: Sequence[str],
        unexpected: Sequence[str],
        mismatched: dict[str, tuple[str, str]],
    ) -> None:
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        self.mismatched = mismatched
        differing = (
            f"{legible(name)}: found {found}, expected {expected}" for name, (found, expected) in mismatched.items()
        )
        lines = ["the arrays of the file do not match the network"]
        lines += itemised(map(legible, self.missing), "  missing: ")
        lines += itemised(map(legible, self.unexpected), "  unexpected: ")
        lines += itemised(differing, "  mismatched: ")
        super().__init__(path, "\n".join(lines))


class TrainingError(ModnetError):
    """Training cannot continue."""


class Diverged(TrainingError):
    """The loss became nan or infinite.

    Attributes:
        step: the optimizer step, counted from 1.
        epoch: the epoch, counted from 1.
        node: the first node whose output is not finite, or "".
        best_epoch: the epoch whose weights have been restored, if a callback (early_stopping) had kept them; None if
            the network still has the weights of the divergence.
    """

    def __init__(self, message: str, step: int, epoch: int, node: str, best_epoch: int | None = None) -> None:
        self.step = step
        self.epoch = epoch
        self.node = node
        self.best_epoch = best_epoch
        super().__init__(message)


class TooLarge(ModnetError, MemoryError):
    """More memory than this process can have, or more work than anyone would wait for; refused before it began."""


class MissingExtra(ModnetError, ImportError):
    """An optional library is needed and is not installed.

    A plugin raises it too, for an extra of its own: `MissingExtra("numba", "modnet-wave", extra="fast")`.

    Attributes:
        library: what is needed.
        distribution: whose extra it is; by default the core's.
        extra: which extra installs it.
    """

    def __init__(self, library: str, distribution: str = "modnet-core", *, extra: str, purpose: str = "") -> None:
        self.library, self.distribution, self.extra = library, distribution, extra
        what = f"{purpose} needs {library}, which is not installed" if purpose else f"{library} is not installed"
        super().__init__(f"{what}:  pip install '{distribution}[{extra}]'")

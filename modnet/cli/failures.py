"""How commands report errors, and their exit statuses."""

from __future__ import annotations

import errno
from pathlib import Path

import click

from modnet.cli.output import echo, room
from modnet.errors import BrokenPlugin, ModnetError, SpecError, TrainingError
from modnet.screen import folded
from modnet.words import counted, harmless, nearest, show

FAILED, WRONG_INPUT, HUNG_UP, INTERRUPTED, TERMINATED = 1, 2, 129, 130, 143
"""Exit statuses other than 0."""

REQUIRED = ("numpy", "pluggy", "msgpack")
"""What no command works without."""

WRONG_PLACE = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Errors of the system that are caused by the arguments of a command, and not by its work."""


def warn(message: str) -> None:
    _labelled("warning:", message, "yellow")


def report(error: Exception) -> int:
    """Prints an error on standard error, and returns the exit status."""
    if isinstance(error, SpecError):
        echo(faults_text(error, room(err=True)), err=True)
        return WRONG_INPUT
    status, message = _told(_fault_of(error))
    _labelled("error:", message, "red")
    return status


def _labelled(label: str, message: str, colour: str) -> None:
    """Prints a message on standard error after its label, in lines that fit the terminal."""
    text = folded(f"{label} {harmless(message)}", room(err=True)).removeprefix(label)
    echo(f"{click.style(label, fg=colour, bold=True)}{text}", err=True, styled=True)


def _told(error: Exception) -> tuple[int, str]:
    """The exit status for an error, and its message."""
    message = str(error)
    if isinstance(error, ModnetError):
        return FAILED if _is_of_the_work(error) else WRONG_INPUT, message
    if isinstance(error, MemoryError):
        return FAILED, f"not enough memory{f': {message}' if message else ''}"
    if isinstance(error, OSError):
        reason = (error.strerror or message).lower() + _advice(error)
        wrong = isinstance(error, WRONG_PLACE) or error.errno == errno.EROFS
        return WRONG_INPUT if wrong else FAILED, f"{error.filename}: {reason}" if error.filename else reason
    where = "this is an unexpected error; modnet --debug shows where it happened"
    return FAILED, f"{type(error).__name__}: {message}\n{where}"


def _fault_of(error: Exception) -> Exception:
    """The error, or a BrokenPlugin if a plugin has caused it."""
    if isinstance(error, ModnetError):
        return error
    if isinstance(error, ImportError) and error.name in REQUIRED:
        return _without_library(error)
    try:
        # Not at the top: it imports numpy, which a command without an error, such as --help, does not need.
        from modnet.plugins.faults import fault_of
    except ImportError as missing:
        return _without_library(missing)
    return fault_of(error)


def _without_library(error: ImportError) -> ModnetError:
    again = f"pip install --force-reinstall {' '.join(REQUIRED)}"
    return ModnetError(f"a library that modnet needs cannot be imported: {error}\n{again}")


def _is_of_the_work(error: ModnetError) -> bool:
    """Whether the command's arguments are not at fault: the training, or a plugin's own code, has failed."""
    return isinstance(error, TrainingError) or (isinstance(error, BrokenPlugin) and error.at_work)


def _advice(error: OSError) -> str:
    """Advice for a file that does not exist, or exists already."""
    if isinstance(error, FileExistsError):
        return "; it is not overwritten"
    if not isinstance(error, FileNotFoundError) or not isinstance(error.filename, str):
        return ""
    path = Path(error.filename)
    try:
        siblings = {file.stem: file.name for file in path.parent.iterdir() if file.suffix == path.suffix}
    except OSError:
        return ""
    near = nearest(path.stem, siblings)
    return f"; did you mean {show(siblings[near])}?" if near else ""


def faults_text(error: SpecError, width: int | None) -> str:
    """All faults of a spec, and their number, in lines of at most this width, if there is one."""
    lines = [folded(harmless(problem.text(width)), width) for problem in error.problems]
    count = counted(len(lines), "problem")
    files = [problem.file for problem in error.problems if problem.line]
    if files:
        lines.append(f"{count} in {files[0]}")
    elif len(lines) > 1:
        lines.append(count)
    return "\n".join(lines)


def first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)

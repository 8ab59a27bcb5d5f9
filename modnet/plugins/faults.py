"""What goes wrong within a component is told as that component's: who offers it, the method, its own error.

An unexpected error (KeyError, TypeError, ...) names a line of code, but nobody who only uses a plugin knows whose line
that is. Which component was at work stands in the error's own traceback, so methods are called without a wrapper and
nothing here takes time until something fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import FrameType

from modnet.errors import BrokenPlugin, ModnetError
from modnet.kinds.component import Component
from modnet.plugins.registry import Registry, default_registry
from modnet.records import Record
from modnet.words import show

OF_OTHERS = (ModnetError, MemoryError, OSError, Warning)
"""Errors that say what they have to say: of what a user gave, of the machine, warnings that somebody made errors."""

LANGUAGE = ("builtins", "numpy")
"""Where the classes of unexpected errors come from. One of a class that a library has defined for itself, such as
optuna.TrialPruned, is meant for whoever waits for it, and passes as it is.
"""

LONGEST = 500
"""Characters of the error's own message."""


class Culprit(Record):
    """The component, or other code of a plugin, in which an error arose.

    Attributes:
        label: what messages call it: `layer "gate" of modnet-gate 1.0 (modnet_gate:Gate)`.
        method: which of its methods, or a function.
        place: the file and line in it.
        installed: whether an installed distribution offers it; otherwise the program itself has defined it.
    """

    label: str
    method: str
    place: str
    installed: bool

    def says(self, error: BaseException) -> str:
        return f"{self.label}: {self.method} raised {raised_text(error)} ({self.place})"


def culprit_of(error: BaseException) -> Culprit | None:
    """In which code that is not modnet's own an error arose: the innermost component, else a plugin's function."""
    frames = list(_frames(error))[::-1]
    return next(filter(None, map(_component_at, frames)), None) or next(filter(None, map(_plugin_at, frames)), None)


def raise_fault(error: Exception, where: str = "") -> None:
    """Raises an unexpected error of a plugin's component as `BrokenPlugin`, with the error as its cause.

    The error of a class that the program itself has defined only gets a note: whoever wrote it wants to catch it, and
    to see its traceback. Those of the core, and those that say what they have to say, are left alone.

    Args:
        error: as it was caught; the caller raises it on.
        where: the place in the spec, `network.layers[3] (gate)`.
    """
    if isinstance(error, OF_OTHERS):
        return
    culprit = culprit_of(error)
    if culprit is None:
        return
    if not culprit.installed:
        if where and not any(where in note for note in getattr(error, "__notes__", ())):
            error.add_note(f"in {culprit.method} of {where}, {culprit.label}")
        return
    if type(error).__module__.partition(".")[0] in LANGUAGE:
        raise BrokenPlugin(f"{where}: {culprit.says(error)}" if where else culprit.says(error), at_work=True) from error


def fault_of(error: Exception) -> Exception:
    """What to tell a person of an error: where it is an unexpected one of code that is not modnet's own, a
    `BrokenPlugin` that says whose; also of a class that the program itself, or a file given by `--plugin`, has defined.
    """
    if isinstance(error, OF_OTHERS):
        return error
    culprit = culprit_of(error)
    return error if culprit is None else BrokenPlugin(culprit.says(error), at_work=True)


class NamingFaults:
    """A context in which components are run: `raise_fault` for what goes wrong in it.

    No decorator, whose frame would be in the way of `warnings.warn(..., stacklevel=2)`.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            raise_fault(error)


def broken(where: str, component: Component, fault: str) -> BrokenPlugin:
    """The error for a component that does not do what it has to."""
    return BrokenPlugin(f"{where}: {label_of(type(component))}: {fault}", at_work=True)


def raised_text(error: BaseException) -> str:
    """An error with its class: `KeyError: 'size'`."""
    message = str(error)
    message = message if len(message) <= LONGEST else f"{message[:LONGEST]} ..."
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def label_of(cls: type[Component], registry: Registry | None = None) -> str:
    """What messages call a component class: its kind, its type, who offers it."""
    origin = (registry or default_registry()).origin(cls)
    name = f"{origin.kind} {show(origin.type or cls.__name__)}"
    offered = f"{origin.distribution} {origin.version} ({origin.value})" if origin.distribution else origin.value
    return f"{name} of {offered}"


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    # Not traceback.walk_tb: that module takes 5 ms to import.
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame, step.tb_lineno
        step = step.tb_next


def _component_at(at: tuple[FrameType, int]) -> Culprit | None:
    """The component whose method a frame runs, unless it is one of the core's."""
    frame, line = at
    code = frame.f_code
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    cls = first if isinstance(first, type) else type(first)
    if not issubclass(cls, Component) or _is_core(cls.__module__):
        return None
    return Culprit(label_of(cls), code.co_name, _place(frame, line), bool(default_registry().origin(cls).distribution))


def _plugin_at(at: tuple[FrameType, int]) -> Culprit | None:
    """The function of an installed plugin that a frame runs."""
    frame, line = at
    module = str(frame.f_globals.get("__name__", ""))
    offered = "" if _is_core(module) else default_registry().distribution_of(module)
    return Culprit(f"{offered} ({module})", frame.f_code.co_name, _place(frame, line), True) if offered else None


def _is_core(module: str) -> bool:
    return module.partition(".")[0] == "modnet"


def _place(frame: FrameType, line: int) -> str:
    return f"{os.path.basename(frame.f_code.co_filename)}:{line}"

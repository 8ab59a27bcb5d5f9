"""Attributes an unexpected error to the component that raised it: its distribution, its method, its own error.

An unexpected error (KeyError, TypeError, ...) points to a line of code, but a user of a plugin does not know whose line
that is. The component is found in the error's traceback, so methods are called without wrappers, and all of this costs
nothing until something fails.
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
"""Errors that are clear as they are: about the user's input or the machine, and warnings turned into errors."""

LANGUAGE = ("builtins", "numpy")
"""The packages whose exception classes are unexpected errors. Other libraries define classes of their own, such as
optuna.TrialPruned, in order to catch them somewhere, so these pass unchanged.
"""

LONGEST = 500
"""How many characters of the error's own message are shown."""


class Culprit(Record):
    """The component, or other code of a plugin, in which an error was raised.

    Attributes:
        label: its name in messages: `layer "gate" of modnet-gate 1.0 (modnet_gate:Gate)`.
        method: the method or function.
        place: the file and line in it.
        installed: whether an installed distribution offers it; if not, the program itself has defined it.
    """

    label: str
    method: str
    place: str
    installed: bool

    def says(self, error: BaseException) -> str:
        if isinstance(error, NotImplementedError) and not str(error):  # as the methods of a kind's base class do
            return f"{self.label} does not define {self.method}"
        return f"{self.label}: {self.method} raised {raised_text(error)} ({self.place})"


def culprit_of(error: BaseException) -> Culprit | None:
    """The code outside modnet in which an error was raised: the innermost component, else a plugin's function.

    A component comes first: it may call helpers of another plugin, or be called by them, and the user has named it.
    """
    frames = list(_frames(error))[::-1]
    return next(filter(None, map(_component_at, frames)), None) or next(filter(None, map(_plugin_at, frames)), None)


def raise_fault(error: Exception, where: str = "") -> None:
    """Raises an unexpected error of a plugin's component as `BrokenPlugin`, with the error as its cause.

    If the program itself has defined the component, the error only gets a note: the author wants to catch it, and to
    see its traceback. Errors of the core, and errors that are clear as they are, do not change.

    Args:
        error: as it was caught; the caller re-raises it if this function returns.
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
    """The error to show to a user: for an unexpected error in code outside modnet, a `BrokenPlugin` that says whose.

    That includes components that the program itself, or a file given by `--plugin`, has defined.
    """
    if isinstance(error, OF_OTHERS):
        return error
    culprit = culprit_of(error)
    return error if culprit is None else BrokenPlugin(culprit.says(error), at_work=True)


class NamingFaults:
    """A context for calls of components: applies `raise_fault` to their errors.

    Not a decorator: its frame would be the one that `warnings.warn(..., stacklevel=2)` blames.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            raise_fault(error)


def broken(where: str, component: Component, fault: str) -> BrokenPlugin:
    """The error for a component that breaks its contract."""
    return BrokenPlugin(f"{where}: {label_of(type(component))}: {fault}", at_work=True)


def raised_text(error: BaseException) -> str:
    """An error with its class: `KeyError: 'size'`."""
    message = str(error)
    message = message if len(message) <= LONGEST else f"{message[:LONGEST]} ..."
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def label_of(cls: type[Component], registry: Registry | None = None) -> str:
    """The name of a component class in messages: its kind, its type, its distribution."""
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
    # The first argument of a method is the component (self), or its class (cls).
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

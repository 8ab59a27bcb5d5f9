"""Modules of hooks: what a plugin can do besides offering components. `modnet/hookspecs.py` has the list.

A plugin names a module with `@modnet.hookimpl` functions as an entry point of the group `modnet`. Modules are imported
when a hook is first called; a module that cannot be imported is left out and reported, but never stops the others.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any

import pluggy

from modnet.errors import BrokenPlugin, ModnetError
from modnet.kinds.callback import Callback
from modnet.words import did_you_mean, show

GROUP = "modnet"

hookimpl = pluggy.HookimplMarker("modnet")


def specifications() -> Any:
    """The module with the hooks. Imported here by name, because it uses types of the levels above this one."""
    return import_module("modnet.hookspecs")


class Manager(pluggy.PluginManager):
    """A pluggy manager that refuses what does not match the specifications as a fault of the plugin.

    Args:
        specified: a class or module with the specifications.
    """

    def __init__(self, specified: Any) -> None:
        super().__init__("modnet")
        self.add_hookspecs(specified)

    def add(self, plugin: object, name: str, label: str) -> None:
        """Registers a plugin under a name; messages call it by its label. Raises BrokenPlugin."""
        try:
            self.register(plugin, name)
        except pluggy.PluginValidationError as error:
            self.unregister(name=name)
            raise BrokenPlugin(f"{label}: {' '.join(str(error).split())}") from error


class HookManager(Manager):
    """A manager of the hooks of modnet: `manager.hook.modnet_read_spec(path=path)`."""

    def __init__(self) -> None:
        super().__init__(specifications().Specifications)

    def join(self, module: object, name: str, label: str = "") -> None:
        """Registers the hooks of a module.

        Args:
            name: its name in the manager.
            label: its name in messages; by default `name`.

        Raises:
            BrokenPlugin: a hook does not exist or has the wrong arguments.
        """
        label = label or name
        self.add(_Guarded(module, label), name, label)


class _Guarded:
    """The hooks of a plugin's module, wrapped so that an unexpected error in one of them names the plugin.

    Args:
        module: the module, or another object with hooks.
        label: its name in messages.
    """

    def __init__(self, module: Any, label: str) -> None:
        self.__name__ = getattr(module, "__name__", label)
        known = specifications().Specifications
        hooks = [name for name in vars(known) if name.startswith("modnet_")]
        _refuse_unmarked(module, hooks, label)
        for name in dir(module):
            function = getattr(module, name)
            if callable(function) and hasattr(function, "modnet_impl"):
                where = f"{label}: {name}"
                if hasattr(Callback, name):
                    raise BrokenPlugin(f"{where} is an event of a run, not a hook; define it in a Callback component")
                if name not in hooks:
                    raise BrokenPlugin(f"{label}: there is no hook {name}{did_you_mean(name, hooks)}")
                check_arguments(function, getattr(known, name), name, where)
                setattr(self, name, _guarded(function, name, where))


def _refuse_unmarked(module: Any, hooks: Iterable[str], label: str) -> None:
    """Raises BrokenPlugin for a function with the name of a hook and without the mark, which would never be called."""
    for name in hooks:
        function = getattr(module, name, None)
        if inspect.isfunction(function) and not hasattr(function, "modnet_impl"):
            raise BrokenPlugin(f"{label}: {name} is not marked as a hook; write @modnet.hookimpl above it")


def check_arguments(function: Callable[..., Any], specified: Callable[..., Any], name: str, where: str) -> None:
    """Checks that the implementation of a hook or an event requires no argument that the hook does not have.

    Args:
        specified: the hook as it is specified, with `self`.
        name, where: the names of the hook and of the implementation, for the message.

    Raises:
        BrokenPlugin: it requires one; the message has both signatures.
    """
    given = list(inspect.signature(specified).parameters)[1:]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    asked = [p.name for p in parameters if p.kind in kinds and p.default is inspect.Parameter.empty]
    unknown = [name for name in asked if name not in given]
    if unknown:
        raise BrokenPlugin(
            f"{where}({', '.join(asked)}) requires {' and '.join(unknown)}, but the hook is {name}({', '.join(given)})"
        )


def _guarded(function: Callable[..., Any], hook: str, where: str) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*arguments: Any, **named: Any) -> Any:
        with _told_as(where):
            result = function(*arguments, **named)
        _check_result(result, hook, where)
        return _guarded_parts(result, where) if isinstance(result, Iterator) else result

    @wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
        with _told_as(where):
            result = yield from function(*arguments, **named)
        _check_result(result, hook, where)
        return result

    return wrapper if inspect.isgeneratorfunction(function) else guarded


def _guarded_parts(parts: Iterator[Any], where: str) -> Iterator[Any]:
    """The same parts; their plugin is at work while they are made, too."""
    with _told_as(where):
        yield from parts


@contextmanager
def _told_as(where: str) -> Generator[None]:
    try:
        yield
    except ModnetError:
        raise
    except Exception as error:
        raise BrokenPlugin(f"{where} raised {type(error).__name__}: {error}") from error


def _check_result(result: Any, hook: str, where: str) -> None:
    """Checks the result of a hook; None, "not mine", is always valid.

    Raises:
        BrokenPlugin: the result has the wrong type.
    """
    expected, is_right = specifications().RESULTS.get(hook, ("", None))
    if result is not None and is_right is not None and not is_right(result):
        raise BrokenPlugin(f"{where} gave {show(result)}; expected {expected}, or None for what it does not handle")


@dataclass
class HookModule:
    """A module with hooks that an installed distribution names.

    Attributes:
        name: that of its entry point; another distribution may use the same one.
        distribution, version: where it comes from.
        value: the entry point's value, `package.module`.
        seconds: how long the import took.
        hooks: the names of its hooks.
        error: why it is left out, or None.
    """

    name: str
    distribution: str
    version: str
    value: str
    seconds: float = 0.0
    hooks: tuple[str, ...] = ()
    error: BrokenPlugin | None = None

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"hooks {show(self.name)} of {self.distribution} {self.version} ({self.value})"

    @property
    def key(self) -> str:
        """Its name in the manager."""
        return f"{self.distribution}:{self.name}"

    def join(self, manager: HookManager, entry_point: EntryPoint) -> None:
        """Imports it and registers its hooks; a failure becomes its `error`."""
        began = time.perf_counter()
        try:
            try:
                module = entry_point.load()
            finally:
                self.seconds = time.perf_counter() - began
            manager.join(module, self.key, self.label)
        except BrokenPlugin as error:
            self.error = error
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self.error = BrokenPlugin(f"{self.label} cannot be imported: {reason}")
            self.error.__cause__ = error
        else:
            callers = manager.get_hookcallers(manager.get_plugin(self.key)) or ()
            self.hooks = tuple(sorted(caller.name for caller in callers))
            if not self.hooks:
                self.error = BrokenPlugin(f"{self.label} has no hooks: no function is marked with @modnet.hookimpl")


def installed_hooks(entry_points: Iterable[EntryPoint]) -> tuple[HookManager, list[HookModule]]:
    """The manager with the hook modules that `entry_points` name, and all modules with their hooks or errors."""
    manager = HookManager()
    modules = []
    for entry_point in entry_points:
        name, version = (entry_point.dist.name, entry_point.dist.version) if entry_point.dist else ("", "")
        modules.append(HookModule(entry_point.name, name, version, entry_point.value))
        modules[-1].join(manager, entry_point)
    return manager, modules

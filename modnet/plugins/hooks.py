"""The pluggy hooks of modnet: what a plugin can do beside offering components.

A plugin names a module with `@modnet.hookimpl` functions as an entry point of the group `modnet`. Modules are imported
when a hook is first called, and a module that cannot be imported is left out and reported, never in the way.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pluggy

from modnet.arrays import Array
from modnet.errors import BrokenPlugin, ModnetError
from modnet.kinds.callback import Callback
from modnet.plugins.distributions import too_old_for
from modnet.words import did_you_mean, show

if TYPE_CHECKING:
    import click

    from modnet.engine.network import Network

GROUP = "modnet"

hookspec = pluggy.HookspecMarker("modnet")
hookimpl = pluggy.HookimplMarker("modnet")


class Specifications:
    """The hooks, with what they are given and what they give back."""

    @hookspec
    def modnet_commands(self, cli: click.Group) -> None:
        """Adds sub-commands: `@cli.command()`."""

    @hookspec(firstresult=True)
    def modnet_read_data(self, path: Path) -> Any:
        """A table (column name -> list of str) or named arrays from a file of a further kind, or None."""

    @hookspec(firstresult=True)
    def modnet_read_spec(self, path: Path) -> dict[str, Any] | None:
        """A spec as plain values from a file of a further kind, or None."""

    @hookspec(firstresult=True)
    def modnet_export(self, network: Network, path: Path) -> bool | None:
        """Writes the network in a further format, by the path's suffix; True when it did."""

    @hookspec(firstresult=True)
    def modnet_import(self, path: Path) -> Network | None:
        """A network from a file of a further format, or None."""

    # The events of a run: `modnet.Callback` says more of them.

    @hookspec
    def modnet_training_started(self, run: Any) -> None:
        """Called once, before the first step."""

    @hookspec
    def modnet_batch(self, run: Any, inputs: list[Array], targets: dict[str, Array]) -> Any:
        """Called with every batch; may give changed (inputs, targets)."""

    @hookspec
    def modnet_reduce_gradients(self, run: Any, gradients: Array) -> None:
        """May change the flat array of gradients in place before the optimizer steps."""

    @hookspec
    def modnet_step_ended(self, run: Any) -> None:
        """Called after every optimizer step."""

    @hookspec
    def modnet_epoch_ended(self, run: Any) -> None:
        """Called after every epoch, when its metrics are in `run.history`."""

    @hookspec
    def modnet_training_ended(self, run: Any) -> None:
        """Called once, after the last step, also when the run was stopped early or failed."""


HOOKS = tuple(name for name in vars(Specifications) if name.startswith("modnet_"))

EVENTS = tuple(name for name in HOOKS if hasattr(Callback, name))
"""The hooks that are events of a run."""


class Participant:
    """What takes part in a run, as pluggy sees it: the events that it implements, and equal to nothing but itself.

    Args:
        member: what `Callback.join` gave.

    Raises:
        BrokenPlugin: it implements an event that does not exist, or asks for what the event does not give.
    """

    def __init__(self, member: object) -> None:
        for name in events_of(member):
            where = f"{type(member).__name__}.{name}"
            if name not in EVENTS:
                raise BrokenPlugin(f"{where}: there is no such event; there are: {', '.join(sorted(EVENTS))}")
            function = getattr(member, name)
            _check_arguments(function, name, where)
            setattr(self, name, function)


def events_of(member: object) -> list[str]:
    """The names of the events that an object implements; a `Callback` has all of them, and those do nothing."""
    return [
        name
        for name in dir(type(member))
        if name.startswith("modnet_") and getattr(type(member), name) is not getattr(Callback, name, None)
    ]


class Guarded:
    """The hooks of a plugin's module: what goes wrong in one of them is told as the plugin's.

    Args:
        module: what has the hooks.
        label: who is to be named.
    """

    def __init__(self, module: Any, label: str) -> None:
        self.__name__ = getattr(module, "__name__", label)
        for name in dir(module):
            function = getattr(module, name)
            if callable(function) and hasattr(function, "modnet_impl"):
                where = f"{label}: {name}"
                if name not in HOOKS:
                    raise BrokenPlugin(f"{label}: there is no hook {name}{did_you_mean(name, HOOKS)}")
                _check_arguments(function, name, where)
                setattr(self, name, _guarded(function, name, where))


def _check_arguments(function: Callable[..., Any], hook: str, where: str) -> None:
    """Checks that a hook asks for nothing that it is not given.

    Raises:
        BrokenPlugin: it does; the message has both signatures.
    """
    given = list(inspect.signature(getattr(Specifications, hook)).parameters)[1:]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    asked = [p.name for p in parameters if p.kind in kinds and p.default is inspect.Parameter.empty]
    unknown = [name for name in asked if name not in given]
    if unknown:
        raise BrokenPlugin(
            f"{where}({', '.join(asked)}) asks for {' and '.join(unknown)}, and the hook is {hook}({', '.join(given)})"
        )


def _guarded(function: Callable[..., Any], hook: str, where: str) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*arguments: Any, **named: Any) -> Any:
        with _told_as(where):
            result = function(*arguments, **named)
        _check_result(result, hook, where)
        return result

    @wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
        with _told_as(where):
            result = yield from function(*arguments, **named)
        _check_result(result, hook, where)
        return result

    return wrapper if inspect.isgeneratorfunction(function) else guarded


@contextmanager
def _told_as(where: str) -> Generator[None]:
    try:
        yield
    except ModnetError:
        raise
    except Exception as error:
        raise BrokenPlugin(f"{where} raised {type(error).__name__}: {error}") from error


def _check_result(result: Any, hook: str, where: str) -> None:
    """Checks what a hook has given; None, "not mine", is always right.

    Raises:
        BrokenPlugin: it is of no use.
    """
    expected, is_right = RESULTS.get(hook, ("", None))
    if result is not None and is_right is not None and not is_right(result):
        raise BrokenPlugin(f"{where} gave {show(result)}; expected {expected}, or None for what is not its own")


def _is_data(value: Any) -> bool:
    if not isinstance(value, Mapping):
        from modnet.data.table import Table

        return isinstance(value, Table | np.ndarray)
    return all(isinstance(name, str) for name in value) and (
        all(isinstance(item, np.ndarray) for item in value.values())
        or all(isinstance(item, list) and all(isinstance(cell, str) for cell in item) for item in value.values())
    )


def _is_network(value: Any) -> bool:
    import modnet

    return isinstance(value, modnet.Network)


RESULTS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "modnet_read_data": ("a dict from name to array, or from column name to list of str", _is_data),
    "modnet_read_spec": ("a dict with the tables of a spec", lambda value: isinstance(value, Mapping)),
    "modnet_export": ("True", lambda value: isinstance(value, bool)),
    "modnet_import": ("a modnet.Network", _is_network),
}
"""Hook -> what it gives, in words, and whether something is that."""


class PluginManager(pluggy.PluginManager):
    """A pluggy manager with the hooks of modnet; the events of a callback need no mark, but may have one."""

    def __init__(self) -> None:
        super().__init__("modnet")
        self.add_hookspecs(Specifications)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        options = super().parse_hookimpl_opts(plugin, name)
        if options is None and isinstance(plugin, Participant) and name.startswith("modnet_"):
            return hookimpl_options()
        return options

    def join(self, plugin: object, name: str, label: str = "") -> None:
        """Registers a plugin's module under a name.

        Args:
            label: whom messages name; by default `name`.

        Raises:
            BrokenPlugin: for a hook that does not exist or has the wrong arguments.
        """
        label = label or name
        self._join(Guarded(plugin, label), name, label)

    def join_run(self, member: object, name: str) -> None:
        """Registers what takes part in a run for the callback of that name.

        Raises:
            BrokenPlugin: for an event that does not exist or has the wrong arguments.
        """
        self._join(Participant(member), name, name)

    def _join(self, plugin: object, name: str, label: str) -> None:
        try:
            self.register(plugin, name)
        except pluggy.PluginValidationError as error:
            self.unregister(name=name)
            raise BrokenPlugin(f"{label}: {' '.join(str(error).split())}") from error


def hookimpl_options() -> pluggy.HookimplOpts:
    """What `hookimpl` without arguments says."""
    return pluggy.HookimplOpts(
        wrapper=False, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False, specname=None
    )


@dataclass
class HookModule:
    """A module with hooks that an installed distribution names.

    Attributes:
        name: that of its entry point, which another distribution's may have too.
        distribution, version: who offers it.
        value: the entry point's value, `package.module`.
        seconds: how long it took to import.
        hooks: the names of those that it has.
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
        """What messages call it."""
        return f"hooks {show(self.name)} of {self.distribution} {self.version} ({self.value})"

    @property
    def key(self) -> str:
        """What it is registered as."""
        return f"{self.distribution}:{self.name}"

    def join(self, manager: PluginManager, entry_point: EntryPoint) -> None:
        """Imports it and registers its hooks; what is wrong with it is then its `error`."""
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
            reason = f"{type(error).__name__}: {error}{too_old_for(self.distribution)}"
            self.error = BrokenPlugin(f"{self.label} cannot be imported: {reason}")
            self.error.__cause__ = error
        else:
            callers = manager.get_hookcallers(manager.get_plugin(self.key)) or ()
            self.hooks = tuple(sorted(caller.name for caller in callers))


def installed_hooks(entry_points: Iterable[EntryPoint]) -> tuple[PluginManager, list[HookModule]]:
    """The manager with every hook module among `entry_points`, and what became of each of these."""
    manager = PluginManager()
    modules = []
    for entry_point in entry_points:
        name, version = (entry_point.dist.name, entry_point.dist.version) if entry_point.dist else ("", "")
        modules.append(HookModule(entry_point.name, name, version, entry_point.value))
        modules[-1].join(manager, entry_point)
    return manager, modules

"""The pluggy hooks of modnet: what a plugin can do beside offering components.

A plugin names a module with `@modnet.hookimpl` functions as an entry point of the group `modnet`. Modules are imported
when a hook is first called, and a module that cannot be imported is left out and reported, never in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from modnet.component import Array, Callback
from modnet.configuration import did_you_mean
from modnet.errors import BrokenPlugin, ModnetError

if TYPE_CHECKING:
    import click

    from modnet.network import Network
    from modnet.training.run import Run

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

    @hookspec
    def modnet_training_started(self, run: Run) -> None:
        """Called once, before the first step."""

    @hookspec
    def modnet_step_ended(self, run: Run) -> None:
        """Called after every optimizer step."""

    @hookspec
    def modnet_epoch_ended(self, run: Run) -> None:
        """Called after every epoch, when its metrics are in `run.history`."""

    @hookspec
    def modnet_training_ended(self, run: Run) -> None:
        """Called once, after the last step, also when the run was stopped early or failed."""

    @hookspec
    def modnet_reduce_gradients(self, run: Run, gradients: Array) -> None:
        """May change the flat array of gradients in place before the optimizer steps."""


class Participant:
    """A callback as pluggy sees it: the events that it implements, and equal to nothing but itself."""

    def __init__(self, callback: Callback) -> None:
        for name in dir(type(callback)):
            if not name.startswith("modnet_") or getattr(type(callback), name) is getattr(Callback, name, None):
                continue
            if not hasattr(Specifications, name):
                events = ", ".join(sorted(hook for hook in vars(Specifications) if hook.startswith("modnet_")))
                raise BrokenPlugin(f"{type(callback).__name__}.{name}: there is no such event; there are: {events}")
            setattr(self, name, getattr(callback, name))


class Guarded:
    """The hooks of a plugin's module; what goes wrong in one of them is told as the plugin's."""

    def __init__(self, module: Any, name: str) -> None:
        self.__name__ = getattr(module, "__name__", name)
        for hook in dir(module):
            function = getattr(module, hook)
            if callable(function) and hasattr(function, "modnet_impl"):
                if not hasattr(Specifications, hook):
                    known = [known for known in vars(Specifications) if known.startswith("modnet_")]
                    raise BrokenPlugin(f"{name}: there is no hook {hook}{did_you_mean(hook, known)}")
                setattr(self, hook, _guarded(function, f"the plugin {name}, in its hook {hook}"))


def _guarded(function: Callable[..., Any], where: str) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except ModnetError:
            raise
        except Exception as error:
            raise BrokenPlugin(f"{where}: {type(error).__name__}: {error}") from error

    return guarded


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

    def join(self, plugin: object, name: str) -> None:
        """Registers a plugin, a module or a callback, under a name.

        Raises:
            BrokenPlugin: for a hook that does not exist or has the wrong arguments.
        """
        try:
            self.register(Participant(plugin) if isinstance(plugin, Callback) else Guarded(plugin, name), name)
        except pluggy.PluginValidationError as error:
            self.unregister(name=name)
            raise BrokenPlugin(f"{name}: {error}") from error


def hookimpl_options() -> pluggy.HookimplOpts:
    """What `hookimpl` without arguments says."""
    return pluggy.HookimplOpts(
        wrapper=False, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False, specname=None
    )


def installed_hooks(entry_points: Iterable[EntryPoint]) -> tuple[PluginManager, dict[str, BrokenPlugin]]:
    """The manager with every hook module among `entry_points`, and entry name -> why for those left out."""
    manager = PluginManager()
    broken = {}
    for entry_point in entry_points:
        try:
            manager.join(entry_point.load(), entry_point.name)
        except BrokenPlugin as error:
            broken[entry_point.name] = error
        except Exception as error:
            problem = BrokenPlugin(f"{entry_point.name} ({entry_point.value}): {type(error).__name__}: {error}")
            problem.__cause__ = error
            broken[entry_point.name] = problem
    return manager, broken

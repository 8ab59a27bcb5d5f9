"""The events of a training run, for what takes part in it: methods of `Callback`, called by pluggy."""

from __future__ import annotations

from typing import Any

import pluggy

from modnet.errors import BrokenPlugin
from modnet.kinds.callback import Callback
from modnet.plugins.hooks import check_arguments

EVENTS = tuple(name for name in vars(Callback) if name.startswith("modnet_"))


def events_of(member: object) -> list[str]:
    """The names of the events that an object implements; those of `Callback` itself do nothing."""
    return [
        name
        for name in dir(type(member))
        if name.startswith("modnet_") and getattr(type(member), name) is not getattr(Callback, name, None)
    ]


class _Member:
    """What takes part in a run, as pluggy sees it: the events that it implements, and equal to nothing but itself.

    Args:
        member: what `Callback.join` gave.
    """

    def __init__(self, member: object) -> None:
        for name in events_of(member):
            where = f"{type(member).__name__}.{name}"
            if name not in EVENTS:
                raise BrokenPlugin(f"{where}: there is no such event; there are: {', '.join(sorted(EVENTS))}")
            function = getattr(member, name)
            check_arguments(function, getattr(Callback, name), name, where)
            setattr(self, name, function)


class RunEvents(pluggy.PluginManager):
    """Calls the events of one run: `events.hook.modnet_step_ended(run=run)`.

    An event needs no mark, but may have `@modnet.hookimpl(tryfirst=True)` and the like.
    """

    def __init__(self) -> None:
        super().__init__("modnet")
        self.add_hookspecs(Callback)

    def join(self, member: object, name: str) -> None:
        """Adds what takes part in the run, under a name.

        Raises:
            BrokenPlugin: it has an event that does not exist, or one with the wrong arguments.
        """
        try:
            self.register(_Member(member), name)
        except pluggy.PluginValidationError as error:
            self.unregister(name=name)
            raise BrokenPlugin(f"{name}: {' '.join(str(error).split())}") from error

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> pluggy.HookspecOpts | None:
        if not name.startswith("modnet_"):
            return None
        return pluggy.HookspecOpts(firstresult=False, historic=False, warn_on_impl=None, warn_on_impl_args=None)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        options = super().parse_hookimpl_opts(plugin, name)
        if options is not None or not name.startswith("modnet_"):
            return options
        return pluggy.HookimplOpts(
            wrapper=False, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False, specname=None
        )

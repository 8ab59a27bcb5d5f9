"""The events of a training run: methods of its callbacks, called by pluggy."""

from __future__ import annotations

from typing import Any

import pluggy

from modnet.errors import BrokenPlugin
from modnet.kinds.callback import Callback
from modnet.plugins.hooks import Manager, check_arguments

EVENTS = tuple(name for name in vars(Callback) if name.startswith("modnet_"))


def events_of(member: object) -> list[str]:
    """The names of the events that an object implements; the methods of `Callback` itself do nothing."""
    return [
        name
        for name in dir(type(member))
        if name.startswith("modnet_") and getattr(type(member), name) is not getattr(Callback, name, None)
    ]


def _foreign_events(member: object) -> list[str]:
    """The methods of a callback that has no event of modnet, but some as other libraries name them: `on_epoch_end`."""
    return [name for name in dir(type(member)) if name.startswith("on_")] if isinstance(member, Callback) else []


class _Member:
    """A participant of a run, as pluggy sees it: only the events that it implements.

    pluggy identifies plugins by equality, and equal callbacks (two `json_log`, say) are equal; these are not.

    Args:
        member: the object that `Callback.join` returned.
    """

    def __init__(self, member: object) -> None:
        for name in events_of(member) or _foreign_events(member):
            where = f"{type(member).__name__}.{name}"
            if name not in EVENTS:
                raise BrokenPlugin(f"{where}: there is no such event; expected one of: {', '.join(sorted(EVENTS))}")
            function = getattr(member, name)
            check_arguments(function, getattr(Callback, name), name, where)
            setattr(self, name, function)


class RunEvents(Manager):
    """Calls the events of one run: `events.hook.modnet_step_ended(run=run)`.

    A method needs no mark to be an event, but may have options: `@modnet.hookimpl(tryfirst=True)`.
    """

    def __init__(self) -> None:
        super().__init__(Callback)

    def join(self, member: object, name: str) -> None:
        """Adds a participant of the run, under a name.

        Raises:
            BrokenPlugin: it has an event that does not exist, or one with the wrong arguments.
        """
        self.add(_Member(member), name, name)

    # pluggy asks these two which methods are hooks; by default, only marked ones are.

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

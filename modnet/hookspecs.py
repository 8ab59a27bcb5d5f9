"""What a module of hooks can do for modnet, hook by hook: what each is given, and what it gives.

The manager of `plugins/hooks.py` finds this module by its name, when the first hook is called: the hooks speak of
networks and tables, which are on floors above the one where plugins are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pluggy

from modnet.data.table import Table
from modnet.engine.network import Network

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker("modnet")


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


def _is_data(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return isinstance(value, Table | np.ndarray)
    return all(isinstance(name, str) for name in value) and (
        all(isinstance(item, np.ndarray) for item in value.values())
        or all(isinstance(item, list) and all(isinstance(cell, str) for cell in item) for item in value.values())
    )


RESULTS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "modnet_read_data": ("a dict from name to array, or from column name to list of str", _is_data),
    "modnet_read_spec": ("a dict with the tables of a spec", lambda value: isinstance(value, Mapping)),
    "modnet_export": ("True", lambda value: isinstance(value, bool)),
    "modnet_import": ("a modnet.Network", lambda value: isinstance(value, Network)),
}
"""Hook -> what it gives, in words, and whether something is that."""

"""What a module of hooks can do for modnet, hook by hook: what each is given, and what it gives.

The manager of `plugins/hooks.py` finds this module by its name, when the first hook is called: the hooks speak of
networks and tables, which are on levels above the one where plugins are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pluggy

from modnet.data.column import Column
from modnet.data.frames import is_frame
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import ReadOptions
from modnet.data.table import Table
from modnet.engine.delegation import Engine
from modnet.engine.network import Network
from modnet.kinds.callback import Callback
from modnet.plugins.schedulers import Scheduler

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker("modnet")


class Specifications:
    """The hooks, with what they are given and what they give back."""

    @hookspec
    def modnet_commands(self, cli: click.Group) -> None:
        """Adds sub-commands: `@cli.command()`."""

    @hookspec(firstresult=True)
    def modnet_read_data(self, path: Path, options: ReadOptions) -> Any:
        """The data of a file, or folder, of a further kind, or None.

        A table is a `Table`, a data frame, or column name -> values (lists, columns of frames, `Column`s). One larger
        than memory is an iterator of tables with the same columns. Arrays are a dict from name to `numpy.ndarray`, or
        one array.
        """

    @hookspec(firstresult=True)
    def modnet_read_url(self, url: str, options: ReadOptions) -> Any:
        """The data at an address, such as that of a database, or None; in any form that `modnet_read_data` may give."""

    @hookspec(firstresult=True)
    def modnet_write_data(self, table: Table, path: Path) -> bool | None:
        """Writes a table in a further format, by the path's suffix; True when it did."""

    @hookspec(firstresult=True)
    def modnet_write_blocks(self, tables: Iterator[Table], path: Path) -> bool | None:
        """Writes tables that follow each other, with the same columns, which need not fit into memory at once.

        As `modnet_write_data`, which is asked for the formats that no plugin writes so. What does not know the format
        takes nothing from the iterator.
        """

    @hookspec(firstresult=True)
    def modnet_read_spec(self, path: Path) -> dict[str, Any] | None:
        """A spec as plain values from a file of a further kind, or None."""

    @hookspec
    def modnet_formats(self) -> Mapping[str, Mapping[str, str]] | None:
        """The formats that `modnet_export` writes: suffix -> its options, each with what it takes, in a few words.

        `{".onnx": {"opset": "17 to 23"}}`: so messages can say what is possible, and options are checked by name.
        """

    @hookspec(firstresult=True)
    def modnet_export(self, network: Network, path: Path, options: Mapping[str, Any]) -> bool | None:
        """Writes the network in a further format, by the path's suffix; True when it did.

        `options` are those that the caller has given, of the ones that `modnet_formats` names: values from Python as
        they are, values from the command line as TOML reads them, and else as texts.
        """

    @hookspec(firstresult=True)
    def modnet_engine(self, network: Network, name: str) -> Engine | None:
        """What computes the outputs of a network by an engine of that name, or None for another name.

        It is called with the network's inputs in order, arrays (batch, ...) in the network's dtype, or int64 for ids,
        and gives its outputs in order. Several threads may call it at once. The parameters do not change any more.
        `modnet.engine.delegation.Engine` says what it may ask for by attributes.
        """

    @hookspec(firstresult=True)
    def modnet_shared_training(self) -> Callback | None:
        """The callback by which processes share a training (`Callback.processes`).

        Asked for where a launcher, such as `mpirun`, has started `modnet train` in several processes, and no callback
        of the spec does so.
        """

    @hookspec(firstresult=True)
    def modnet_scheduler(self, address: str) -> Scheduler | None:
        """Workers for `modnet predict --scheduler ADDRESS` and `modnet search --scheduler ADDRESS`, or None.

        `modnet.plugins.schedulers` says what they are given to do. Raises ModnetError if nothing answers there.
        """

    @hookspec(firstresult=True)
    def modnet_import(self, path: Path) -> Network | None:
        """A network from a file of a further format, or None."""


def _are_formats(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(suffix, str) and suffix.startswith(".") and isinstance(options, Mapping)
        for suffix, options in value.items()
    )


def _is_data(value: Any) -> bool:
    if isinstance(value, Mapping):
        return _are_columns(value) or _are_arrays(value)
    return isinstance(value, Table | NamedArrays | np.ndarray | Iterator) or is_frame(value)


def _are_arrays(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(item, np.ndarray) for name, item in value.items())


def _are_columns(value: Mapping[Any, Any]) -> bool:
    return all(
        isinstance(name, str)
        and isinstance(item, Iterable | Column)
        and not isinstance(item, np.ndarray | str | bytes | Mapping)
        for name, item in value.items()
    )


DATA = "a Table, a data frame, a dict from column name to a list of values, or a dict from name to array"

RESULTS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "modnet_read_data": (DATA, _is_data),
    "modnet_read_url": (DATA, _is_data),
    "modnet_write_data": ("True", lambda value: isinstance(value, bool)),
    "modnet_write_blocks": ("True", lambda value: isinstance(value, bool)),
    "modnet_read_spec": ("a dict with the tables of a spec", lambda value: isinstance(value, Mapping)),
    "modnet_formats": ("a dict from suffix to the options of its format", _are_formats),
    "modnet_export": ("True", lambda value: isinstance(value, bool)),
    "modnet_engine": ("a function of the inputs that gives the outputs", callable),
    "modnet_shared_training": ("a modnet.Callback", lambda value: isinstance(value, Callback)),
    "modnet_scheduler": (
        "what has the methods share, run and close of modnet.plugins.schedulers.Scheduler",
        lambda value: isinstance(value, Scheduler),
    ),
    "modnet_import": ("a modnet.Network", lambda value: isinstance(value, Network)),
}
"""Hook -> what it gives, in words, and whether something is that."""

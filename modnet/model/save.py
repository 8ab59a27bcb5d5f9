"""From a network to a model file."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

import modnet
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray, laid_out
from modnet.errors import ModelFileError, PluginError, Problem, SpecError
from modnet.kinds.component import Component
from modnet.model import container
from modnet.model.container import DTYPES, NETWORK_GROUPS, Fault
from modnet.model.figures import KEYS, PLAIN_LIMIT, packed
from modnet.model.header import CARD_KEYS, Header
from modnet.model.load import checked_network, read_schema
from modnet.model.needs import bare, components_of, origins_of, plain_needs
from modnet.model.reader import parsed
from modnet.model.stored import UnreadTraining, most_nodes
from modnet.model.writer import Group, StreamedGroup, rehearse, write
from modnet.plugins.builtin import CORE
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.model import TrainingSpec
from modnet.words import legible, path_text, show


def save(network: Network, path: str | PathLike[str], *, registry: Registry | None = None) -> None:
    """Writes a network to a model file: its arrays and its card, and where its components come from.

    The file is replaced as a whole or not at all. The same network gives the same bytes. For a suffix other than
    .modnet an installed plugin may write its own format (hook `modnet_export`).

    Warns of components that the program has defined itself: whoever loads the file needs them too.

    Raises:
        ModelFileError: the network cannot be stored in that place.
        OSError: the file cannot be written.
    """
    registry = registry or default_registry()
    name = Path(path).expanduser()
    if name.suffix.lower() not in (".modnet", "") and registry.hooks.hook.modnet_export(network=network, path=name):
        return
    components = components_of(network.card.spec.network)
    header, figures = _header(network, path, registry, components)
    groups = [*_groups(network), *figures]
    _require_loadable(network, path, registry, components, header, groups)
    write(path, header, groups)
    _warn_of_local(path, components, header)


def _warn_of_local(path: str | PathLike[str], components: Iterable[Component], header: Mapping[str, Any]) -> None:
    """Warns of the components of a network that no distribution offers."""
    rows = [row["components"] for row in header["needs"] if not row["distribution"]]
    local = {(row["kind"], row["type"]) for found in rows for row in found}
    classes: Iterable[type[Component]] = dict.fromkeys(map(type, components)) if local else ()
    for component in classes:
        if (component.kind, component.type) in local:
            warnings.warn(
                f"{path} needs the {component.kind} {show(component.type)} of {_place(component)}, which no "
                "distribution that is installed offers; to load it, register it "
                "(modnet.default_registry().register, or --plugin FILE)",
                stacklevel=3,
            )


def _place(cls: type[Component]) -> str:
    """Where the program defines a class: `__main__:Scale (/home/me/train.py)`."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or "<none>"
    where = "a notebook or an interactive session" if file.startswith("<") else file
    return f"{cls.__module__}:{cls.__qualname__} ({where})"


def store(
    network: Network,
    path: str | PathLike[str],
    registry: Registry,
    training: Mapping[str, Any],
    groups: Sequence[Group] = (),
    further: Collection[Any] = (),
) -> None:
    """Writes a network to a model file, with what a checkpoint has beside it.

    Args:
        training: where the run stands, as plain values.
        groups: groups of arrays.
        further: configuration values whose components are listed in the file's needs, too.

    Raises the errors of `save`.
    """
    components = components_of((network.card.spec.network, *further))
    header, figures = _header(network, path, registry, components)
    write(path, {**header, "training": training}, [*_groups(network), *figures, *groups])


def _header(
    network: Network, path: str | PathLike[str], registry: Registry, components: Iterable[Component]
) -> tuple[dict[str, Any], list[Group]]:
    """The header of a network's file as plain values, and the groups of the figures that are too many for it.

    Args:
        components: those that the file needs beside those of its training.
    """
    card = network.card
    stored = {"network": bare(card.spec.network.plain()), "nodes": network.graph.names}
    size = network.layout.nbytes(network.dtype)
    if len(network.graph.nodes) > most_nodes(size):
        what = f"the network has {len(network.graph.nodes):,} nodes; a file with arrays of {size:,} bytes may have"
        raise ModelFileError(path, f"{what} {most_nodes(size):,}", "header.spec.network")
    origins = origins_of(components, registry)
    if card.spec.training is not None:
        # Where the data were and what else took part in the run is no part of the model.
        training = card.spec.training.replace(callbacks=())
        stored["training"] = bare(training.plain())
        origins |= origins_of(components_of(training), registry)
    elif isinstance(card.stored_training, UnreadTraining):
        stored["training"] = card.stored_training.plain
        origins = card.stored_training.reader.needs | origins
    figures, arrays = packed({key: getattr(card, key) for key in KEYS})
    header = {
        "features": [],
        "made_by": {CORE: modnet.__version__, "numpy": np.__version__},
        "needs": plain_needs(origins),
        "spec": stored,
        "schema": card.schema.to_plain() if card.schema is not None else None,
        **{key: getattr(card, key) for key in CARD_KEYS},
        "results": _plain(card.results),
        **figures,
    }
    return header, arrays


def _plain(value: Any) -> Any:
    """A value with lists in place of arrays, which callbacks may give as results."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _groups(network: Network) -> list[Group | StreamedGroup]:
    return [_group(name, getattr(network, name)) for name in NETWORK_GROUPS]


def _group(name: str, array: FlatArray) -> Group | StreamedGroup:
    """An array to be written; one that was mapped in several pieces is not joined for that."""
    if len(array.flats) == 1:
        return Group(name, array.flat, array.layout)
    pieces = (flat.view(np.uint8).data for flat in array.flats)
    return StreamedGroup(name, DTYPES[array.dtype.name], pieces, array.layout)


def _planned_groups(network: Network) -> list[Group | StreamedGroup]:
    """What `_groups` will have, for `rehearse`: a network that is only looked at has no arrays."""
    dtype = DTYPES[network.dtype.name]
    return [
        StreamedGroup(name, dtype, (), [*laid_out(getattr(network.layout, name).items())]) for name in NETWORK_GROUPS
    ]


# What could not be loaded is not written


def _require_loadable(
    network: Network,
    path: str | PathLike[str],
    registry: Registry,
    components: Iterable[Component],
    header: Mapping[str, Any],
    groups: Sequence[Group | StreamedGroup],
) -> None:
    """Checks that what would be written of a network could be loaded.

    Raises:
        ModelFileError: it could not be written, or not be loaded.
    """
    try:
        raw, size = rehearse(header, groups)
        found = parsed(raw, b"", size)
        reading = Header.parse(found.header)
    except Fault as fault:
        raise _Unwritable(path, fault) from None
    training = network.card.spec.training
    try:
        reader, _, graph = checked_network(path, reading, found, registry, [*components, *components_of(training)])
        if training is not None:  # what another file said of it, and nobody has read, stays as it is
            reader.configuration(TrainingSpec, reading.require_spec().training, "training")
        read_schema(path, reading, graph)
    except (ModelFileError, PluginError) as error:
        what, where = (error.what, error.where) if isinstance(error, ModelFileError) else (str(error), "")
        raise ModelFileError(path, f"not written, as it could not be loaded again: {what}", where) from error


class _Unwritable(ModelFileError):
    """A header that breaks a rule of the format; `keys` is the place in it."""

    def __init__(self, path: str | PathLike[str], fault: Fault) -> None:
        self.keys = fault.keys
        super().__init__(path, fault.what, fault.where)


def require_savable(network: Network, figures: Collection[str] = (), registry: Registry | None = None) -> None:
    """Checks, while there is nothing to lose, that a network can be saved and loaded again, whatever it will learn.

    Nothing is written, and of the arrays nothing is looked at but their names and sizes.

    Args:
        figures: the names of those that its history will have.

    Raises:
        SpecError: it cannot; with what is too large or cannot be stored, and where that stands.
    """
    registry = registry or default_registry()
    problem = _too_long_a_name(network)
    if problem is not None:
        raise SpecError([problem])
    path = "the model"
    components = components_of(network.card.spec.network)
    try:
        header, arrays = _header(network, path, registry, components)
        groups = [*_planned_groups(network), *arrays]
        _require_loadable(network, path, registry, components, header, groups)
        # The history may come to stand in the header, as long as it is short, or in arrays.
        header["history"] = {"": [0.0] * PLAIN_LIMIT}
        columns = Group("history.float64", np.zeros(len(figures)), [(name, i, (1,)) for i, name in enumerate(figures)])
        _require_loadable(network, path, registry, components, header, [*groups, columns] if figures else groups)
    except ModelFileError as error:
        raise SpecError([_problem(error)]) from None


def _problem(error: ModelFileError) -> Problem:
    """What a file could not hold, as a fault of the spec."""
    keys: tuple[str | int, ...] = ()
    if error.where.startswith("header.spec") and not isinstance(error, _Unwritable):
        keys = ("network", "layers")
    elif isinstance(error, _Unwritable) and error.keys[:1] == ("spec",):
        # Of what is nested too deeply the outermost is shown.
        keys = error.keys[1:] if len(error.keys) < container.DEPTH_LIMIT - 2 else error.keys[1:4]
    place = path_text(keys) or error.where.removeprefix("header.")
    return Problem(place, f"no model file can hold this, so it could not be saved: {error.what}", keys=keys)


def _too_long_a_name(network: Network) -> Problem | None:
    for node in network.graph.nodes:
        for name in (*node.parameters, *node.state):
            length = len(f"{node.name}.{name}".encode())
            if length > container.NAME_LIMIT:
                what = f"the name of its array {legible(name)} has {length} bytes, and a model file holds names of"
                hint = "give the node, or what it is in, a shorter name"
                return Problem(
                    path_text(node.keys), f"{what} {container.NAME_LIMIT} bytes at most", hint, keys=node.keys
                )
    return None

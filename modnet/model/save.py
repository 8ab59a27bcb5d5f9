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
from modnet.engine.card import ModelCard
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray, laid_out
from modnet.errors import ModelFileError, PluginError, Problem, SpecError
from modnet.kinds.component import Component
from modnet.model import container
from modnet.model.container import DTYPES, NETWORK_GROUPS, Fault
from modnet.model.figures import KEYS, PLAIN_LIMIT, packed
from modnet.model.formats import OWN, check_options, export, is_own
from modnet.model.header import CARD_KEYS, Header
from modnet.model.identity import Identity
from modnet.model.load import checked_network, read_schema
from modnet.model.needs import bare, components_of, origins_of, plain_needs
from modnet.model.reader import parsed
from modnet.model.source import is_path, name_of, require_writable
from modnet.model.stored import UnreadTraining, most_nodes
from modnet.model.url import is_url
from modnet.model.writer import Group, Place, StreamedGroup, rehearse, write
from modnet.plugins.builtin import CORE
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.model import TrainingSpec
from modnet.words import legible, path_text, show


def save(
    network: Network,
    path: Place,
    *,
    options: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
) -> None:
    """Writes a network to a model file: its arrays, its card, and where its components come from.

    The file is replaced as a whole or not at all. The same network gives the same bytes. A suffix other than .modnet
    (`iris.onnx`) asks for another format, which an installed plugin writes (hook `modnet_export`).

    Components that the program has defined itself cause a warning: they are needed to load the file.

    Args:
        path: a path; a URL, which fsspec opens (extra `fsspec`); or a binary file that is open, such as `io.BytesIO`,
            into which a model file is written from its present position, with all checks made before the first byte.
        options: of another format, such as `{"opset": 18}` for `.onnx`; a model file has none.
        registry: where components and plugins are looked up.

    Raises:
        ModelFileError: the network cannot be stored in that place; no installed plugin writes files with that suffix.
        MissingExtra: what opens the URL is not installed.
        TypeError: it is no place to write to.
        OSError: the file cannot be written.
    """
    registry = registry or default_registry()
    name = name_of(path)
    if not _is_own(path, name):
        export(network, Path(name), options or {}, registry)
        return
    if options:
        check_options(Path(name), options, registry)
    components = components_of(network.card.spec.network)
    header, figures = _header(network, name, registry, components)
    groups = [*_groups(network), *figures]
    _require_loadable(network, name, registry, components, header, groups)
    written = write(path, header, groups)
    network.identify(Identity(network, *written))
    _warn_of_local(name, components, header)


def _is_own(place: Place, name: str) -> bool:
    """Whether a model file of modnet will be written; checks that this is possible."""
    if not is_path(place):
        require_writable(place)
        return True
    own = is_own(Path(name.partition("::")[0]))
    if is_url(place) and not own:
        raise ModelFileError(name, f"only model files ({OWN}) are written to URLs; export to a path and copy the file")
    return own


def _warn_of_local(path: str | PathLike[str], components: Iterable[Component], header: Mapping[str, Any]) -> None:
    """Warns about the components of a network that no distribution offers."""
    rows = [row["components"] for row in header["needs"] if not row["distribution"]]
    local = {(row["kind"], row["type"]) for found in rows for row in found}
    classes: Iterable[type[Component]] = dict.fromkeys(map(type, components)) if local else ()
    for component in classes:
        if (component.kind, component.type) in local:
            warnings.warn(
                f"{path} needs the {component.kind} {show(component.type)} of {_place(component)}, which is not part "
                "of an installed distribution; to load the file, register it first "
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
    """Writes a checkpoint: a network, with the state of its run.

    Args:
        training: the state of the run, as plain values.
        groups: its arrays.
        further: configuration values whose components are also listed in the file's needs.

    Raises the errors of `save`.
    """
    components = components_of((network.card.spec.network, *further))
    header, figures = _header(network, path, registry, components)
    write(path, {**header, "training": training}, [*_groups(network), *figures, *groups])


def described(network: Network, path: str | PathLike[str], *, registry: Registry | None = None) -> dict[str, Any]:
    """What a model file says about a network besides its arrays, as plain values that JSON can hold.

    For plugins that keep it with the arrays in files of another kind; `restored` (`modnet/model/load.py`) makes a
    network of it.

    Args:
        path: the file that will be written, for messages.

    Raises:
        ModelFileError: the network could not be made of it again.
    """
    registry = registry or default_registry()
    components = components_of(network.card.spec.network)
    header, figures = _header(network, path, registry, components)
    _require_loadable(network, path, registry, components, header, [*_groups(network), *figures])
    return {**header, **{key: _plain(_figures(network.card, key)) for key in KEYS}}


def _header(
    network: Network, path: str | PathLike[str], registry: Registry, components: Iterable[Component]
) -> tuple[dict[str, Any], list[Group]]:
    """The header of a network's file as plain values, and groups for figures that are too large for it.

    Args:
        components: those that the file needs, without those of its training.
    """
    card = network.card
    stored = {"network": bare(card.spec.network.plain()), "nodes": network.graph.names}
    size = network.layout.nbytes(network.dtype)
    if len(network.graph.nodes) > most_nodes(size):
        what = f"the network has {len(network.graph.nodes):,} nodes; a file with arrays of {size:,} bytes may have"
        raise ModelFileError(path, f"{what} {most_nodes(size):,}", "header.spec.network")
    origins = origins_of(components, registry)
    training = _known_training(card)
    if training is not None:
        # The places of the data and the callbacks belong to the run, not to the model.
        training = training.replace(callbacks=())
        stored["training"] = bare(training.plain())
        origins |= origins_of(components_of(training), registry)
    elif isinstance(card.stored_training, UnreadTraining):
        stored["training"] = card.stored_training.plain
        origins = card.stored_training.reader.needs | origins
    known = {key: getattr(card, key) for key in CARD_KEYS}
    figures, arrays = packed({key: _figures(card, key) for key in KEYS})
    header = {
        "features": [],
        "made_by": {CORE: modnet.__version__, "numpy": np.__version__},
        "needs": plain_needs(origins),
        "spec": stored,
        "schema": card.schema.to_plain() if card.schema is not None else None,
        **known,
        "results": _plain(card.results),
        **figures,
    }
    return header, arrays


def _known_training(card: ModelCard) -> TrainingSpec | None:
    """The training of a card; None if it has none, or if that of another file has not been read."""
    return card.trained_as or card.spec.training


def _figures(card: ModelCard, key: str) -> Any:
    """The figures of one of `KEYS`: those of a history stand in an object of their own."""
    return getattr(getattr(card, key), "figures", getattr(card, key))


def _plain(value: Any) -> Any:
    """A value with arrays, which callbacks may give as results, replaced by lists."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _groups(network: Network) -> list[Group | StreamedGroup]:
    return [_group(name, getattr(network, name)) for name in NETWORK_GROUPS]


def _group(name: str, array: FlatArray) -> Group | StreamedGroup:
    """An array to be written. If it is mapped in several pieces, these are not joined, which would copy them."""
    if len(array.flats) == 1:
        return Group(name, array.flat, array.layout)
    pieces = [flat.view(np.uint8).data for flat in array.flats]
    return StreamedGroup(name, DTYPES[array.dtype.name], pieces, array.layout)


def _planned_groups(network: Network) -> list[Group | StreamedGroup]:
    """Stand-ins for `_groups` in `rehearse`, so that a network that is only checked need not allocate its arrays."""
    dtype = DTYPES[network.dtype.name]
    return [
        StreamedGroup(name, dtype, (), [*laid_out(getattr(network.layout, name).items())]) for name in NETWORK_GROUPS
    ]


# Nothing is written that could not be loaded again


def _require_loadable(
    network: Network,
    path: str | PathLike[str],
    registry: Registry,
    components: Iterable[Component],
    header: Mapping[str, Any],
    groups: Sequence[Group | StreamedGroup],
) -> None:
    """Checks that the file of a network could be written and loaded again.

    Raises:
        ModelFileError: it could not.
    """
    try:
        raw, size = rehearse(header, groups)
        found = parsed(raw, b"", size)
        reading = Header.parse(found.header)
    except Fault as fault:
        raise _Unwritable(path, fault) from None
    training = _known_training(network.card)
    try:
        reader, _, graph = checked_network(path, reading, found, registry, [*components, *components_of(training)])
        if training is not None:  # a training that came unread from another file is copied unread
            reader.configuration(TrainingSpec, reading.require_spec().training, "training")
        read_schema(path, reading, graph)
    except (ModelFileError, PluginError) as error:
        what, where = (error.what, error.where) if isinstance(error, ModelFileError) else (str(error), "")
        raise ModelFileError(path, f"not written, because it could not be loaded again: {what}", where) from error


class _Unwritable(ModelFileError):
    """A header that breaks a rule of the format; `keys` is the place in it."""

    def __init__(self, path: str | PathLike[str], fault: Fault) -> None:
        self.keys = fault.keys
        super().__init__(path, fault.what, fault.where)


def require_savable(network: Network, figures: Collection[str] = (), registry: Registry | None = None) -> None:
    """Checks before a training, which would otherwise be lost, that a network can be saved and loaded again.

    Nothing is written, and only the names and sizes of arrays are used.

    Args:
        figures: the names of the figures that its history will have.

    Raises:
        SpecError: it cannot be saved; with what is too large or cannot be stored, and its place.
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
        # A short history will be in the header, a long one in arrays: both must be possible.
        header["history"] = {"": [0.0] * PLAIN_LIMIT}
        columns = Group("history.float64", np.zeros(len(figures)), [(name, i, (1,)) for i, name in enumerate(figures)])
        _require_loadable(network, path, registry, components, header, [*groups, columns] if figures else groups)
    except ModelFileError as error:
        raise SpecError([_problem(error)]) from None


def _problem(error: ModelFileError) -> Problem:
    """Turns the error of a file into a problem of the spec."""
    keys: tuple[str | int, ...] = ()
    if error.where.startswith("header.spec") and not isinstance(error, _Unwritable):
        keys = ("network", "layers")
    elif isinstance(error, _Unwritable) and error.keys[:1] == ("spec",):
        # For a value that is nested too deeply, show only the outermost part.
        keys = error.keys[1:] if len(error.keys) < container.DEPTH_LIMIT - 2 else error.keys[1:4]
    place = path_text(keys) or error.where.removeprefix("header.")
    return Problem(place, f"this cannot be saved in a model file: {error.what}", keys=keys)


def _too_long_a_name(network: Network) -> Problem | None:
    for node in network.graph.nodes:
        for name in (*node.parameters, *node.state):
            length = len(f"{node.name}.{name}".encode())
            if length > container.NAME_LIMIT:
                what = f"the name of its array {legible(name)} has {length} bytes; a model file allows"
                hint = "give the node, or the composite around it, a shorter name"
                return Problem(path_text(node.keys), f"{what} {container.NAME_LIMIT}", hint, keys=node.keys)
    return None

"""Saving and loading networks: what a model file means, on top of the container's bytes."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

import modnet
from modnet.configuration.fields import Configuration
from modnet.configuration.reading import INVALID, Reading
from modnet.engine.built import Layout
from modnet.engine.card import ModelCard
from modnet.engine.graph import Graph, build_graph
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray, laid_out
from modnet.errors import (
    BrokenPlugin,
    DataError,
    MalformedFile,
    ModelFileError,
    NewerFormat,
    NotAModelFile,
    NotInstalled,
    ParameterMismatch,
    PluginError,
    Problem,
    ShapeError,
    SpecError,
    UnknownType,
)
from modnet.kinds import KINDS
from modnet.kinds.callback import Callback
from modnet.kinds.component import Component
from modnet.memory import require
from modnet.model import container
from modnet.model.container import DTYPES, NETWORK_GROUPS, Fault, Segment
from modnet.model.figures import KEYS, PLAIN_LIMIT, packed, unpacked
from modnet.model.reader import File, HeaderOnly, map_whole, mapped_group, opened, parsed, read_group, structure
from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import is_older, normalized
from modnet.plugins.registry import Entry, Registry, default_registry
from modnet.specs.components import Choice, ComponentReader
from modnet.specs.model import NetworkSpec, Spec, TrainingSpec
from modnet.words import itemised, legible, path_text, show

if TYPE_CHECKING:
    from modnet.model.writer import Group, StreamedGroup

C = TypeVar("C", bound=Configuration)

NODE_LIMIT, BYTES_FOR_A_NODE = 10_000, 256
"""How many nodes the network of any file may have, as one line of its spec can ask for any number, and how many bytes
of the file justify a further one.
"""

COMPONENTS_FOR_A_NODE = 4
"""How many components the spec of a file may name for each node that it may have: a layer and its options."""


def save(network: Network, path: str | PathLike[str], *, registry: Registry | None = None) -> None:
    """Writes a network to a model file: spec, parameters, state, data schema, history, metrics, origins.

    The file is replaced as a whole or not at all. The same network gives the same bytes. For a suffix other than
    .modnet an installed plugin may write its own format (hook `modnet_export`).

    Warns of components that the program has defined itself: whoever loads the file needs them too.

    Raises:
        ModelFileError: the network cannot be stored in that place.
        OSError: the file cannot be written.
    """
    from pathlib import Path  # a process that only predicts does without these

    from modnet.model.writer import write

    registry = registry or default_registry()
    name = Path(path).expanduser()
    if name.suffix.lower() not in (".modnet", "") and registry.hooks.hook.modnet_export(network=network, path=name):
        return
    header, figures = _header(network, path, registry)
    groups = [*_groups(network), *figures]
    _require_loadable(network, path, registry, header, groups)
    write(path, header, groups)
    for component in dict.fromkeys(map(type, components_of(network.card.spec.network))):
        origin = registry.origin(component)
        if not origin.distribution:
            warnings.warn(
                f"{path} needs the {origin.kind} {show(origin.type)} of {_place(component)}, which no distribution "
                "that is installed offers; to load it, register it (modnet.default_registry().register, or "
                "--plugin FILE)",
                stacklevel=2,
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
    further: Mapping[str, Any] | None = None,
    groups: Sequence[Group] = (),
    components: Collection[Any] = (),
) -> None:
    """Writes a network to a model file, with what a checkpoint has beside it.

    Args:
        further: header keys.
        groups: groups of arrays.
        components: configuration values whose components are listed in the file's needs, too.

    Raises the errors of `save`.
    """
    from modnet.model.writer import write

    header, figures = _header(network, path, registry, further, components)
    write(path, header, [*_groups(network), *figures, *groups])


def _header(
    network: Network,
    path: str | PathLike[str],
    registry: Registry,
    further: Mapping[str, Any] | None = None,
    components: Collection[Any] = (),
) -> tuple[dict[str, Any], list[Group]]:
    """The header of a network's file, and the groups of the figures that are too many for it."""
    card = network.card
    spec = card.spec
    stored = {"network": bare(spec.network.plain())}
    size = network.layout.nbytes(network.dtype)
    if len(network.graph.nodes) > most_nodes(size):
        what = f"the network has {len(network.graph.nodes):,} nodes; a file with arrays of {size:,} bytes may have"
        raise ModelFileError(path, f"{what} {most_nodes(size):,}", "spec.network")
    needs = origins((spec.network, *components), registry)
    if spec.training is not None:
        # Where the data were and what else took part in the run is no part of the model.
        training = spec.training.replace(callbacks=())
        stored["training"] = bare(training.plain())
        needs |= origins(training, registry)
    elif isinstance(card.stored_training, UnreadTraining):
        stored["training"] = card.stored_training.plain
        needs = card.stored_training.reader.needs | needs
    figures, arrays = packed({key: getattr(card, key) for key in KEYS})
    header = {
        "features": [],
        "made_by": {CORE: modnet.__version__, "numpy": np.__version__},
        "needs": _rows(needs),
        "spec": stored,
        "schema": card.schema.to_plain() if card.schema is not None else None,
        **figures,
        "metadata": card.metadata,
        **(further or {}),
    }
    return header, arrays


def _groups(network: Network) -> list[Group | StreamedGroup]:
    return [_group(name, getattr(network, name)) for name in NETWORK_GROUPS]


def _planned_groups(network: Network) -> list[Group | StreamedGroup]:
    """What `_groups` will have, for `rehearse`: a network that is only looked at has no arrays."""
    from modnet.model.writer import StreamedGroup

    dtype = DTYPES[network.dtype.name]
    return [
        StreamedGroup(name, dtype, (), [*laid_out(getattr(network.layout, name).items())]) for name in NETWORK_GROUPS
    ]


def _require_loadable(
    network: Network,
    path: str | PathLike[str],
    registry: Registry,
    header: Mapping[str, Any],
    groups: Sequence[Group | StreamedGroup],
) -> None:
    """Checks that what would be written of a network could be loaded.

    Raises:
        ModelFileError: it could not be written, or not be loaded.
    """
    from modnet.model.writer import rehearse

    try:
        raw, size = rehearse(header, groups)
        found = parsed(raw, b"", size)
    except Fault as fault:
        raise _Unwritable(path, fault) from None
    training = network.card.spec.training
    try:
        reader, _, graph = _checked_spec(path, found, registry, (network.card.spec.network, training))
        if training is not None:  # what another file said of it, and nobody has read, stays as it is
            reader.configuration(TrainingSpec, found.header["spec"]["training"], "training")
        _schema(path, found.header, graph)
    except (ModelFileError, PluginError) as error:
        what, where = (error.what, error.where) if isinstance(error, ModelFileError) else (str(error), "")
        raise ModelFileError(path, f"it is not written, as it could not be loaded: {what}", where) from error


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
    from modnet.model.writer import Group

    registry = registry or default_registry()
    problem = _too_long_a_name(network)
    if problem is not None:
        raise SpecError([problem])
    path = "the model"
    try:
        header, arrays = _header(network, path, registry)
        groups = [*_planned_groups(network), *arrays]
        _require_loadable(network, path, registry, header, groups)
        # The history may come to stand in the header, as long as it is short, or in arrays.
        header["history"] = {"": [0.0] * PLAIN_LIMIT}
        columns = Group("history.float64", np.zeros(len(figures)), [(name, i, (1,)) for i, name in enumerate(figures)])
        _require_loadable(network, path, registry, header, [*groups, columns] if figures else groups)
    except ModelFileError as error:
        keys: tuple[str | int, ...] = ()
        if error.where.startswith("spec"):
            keys = ("network", "layers")
        elif isinstance(error, _Unwritable) and error.keys[:1] == ("spec",):
            # Of what is nested too deeply the outermost is shown.
            keys = error.keys[1:] if len(error.keys) < container.DEPTH_LIMIT - 2 else error.keys[1:4]
        place = path_text(keys) or error.where.removeprefix("header.")
        what = f"no model file can hold this, so it could not be saved: {error.what}"
        raise SpecError([Problem(place, what, keys=keys)]) from None


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


def _group(name: str, array: FlatArray) -> Group | StreamedGroup:
    """An array to be written; one that was mapped in several pieces is not joined for that."""
    from modnet.model.writer import Group, StreamedGroup

    if len(array.flats) == 1:
        return Group(name, array.flat, array.layout)
    pieces = (flat.view(np.uint8).data for flat in array.flats)
    return StreamedGroup(name, DTYPES[array.dtype.name], pieces, array.layout)


def load(
    path: str | PathLike[str], *, mmap: bool = False, verify: bool | None = None, registry: Registry | None = None
) -> Network:
    """A network from a model file; no spec file is needed.

    A file that is no model file is offered to the installed plugins (hook `modnet_import`).

    Args:
        mmap: map the file instead of reading it: the parameters then cannot be changed, and the file must not be
            changed while the network is in use.
        verify: compare the arrays with their digests. By default this is done unless the file is mapped, as that would
            read all of it. Without it a damaged array goes unnoticed; the header is compared in any case.
        registry: where components are looked up.

    Raises:
        ModelFileError: the file is damaged or is no model file.
        NotInstalled: a plugin is missing; the message has the distribution, the version and the command.
        BrokenPlugin: a plugin is installed but cannot be imported; its own error is the cause.
        OSError: the file cannot be read.
    """
    registry = registry or default_registry()
    try:
        with opened(path) as file:
            network, reader = _loaded(file, registry, mmap, not mmap if verify is None else verify)
    except NotAModelFile:
        from pathlib import Path

        imported = registry.hooks.hook.modnet_import(path=Path(path).expanduser())
        if imported is None:
            raise
        return cast(Network, imported)
    reader.warn_of_older(stacklevel=2)
    return network


def _loaded(file: File, registry: Registry, mmap: bool, verify: bool) -> tuple[Network, StoredComponentReader]:
    """The network of a file. Nothing else that the file holds, such as an optimizer's slots, is read."""
    found = structure(file)
    network, reader = _network(file.path, found, registry)
    if not mmap:
        require(
            network.layout.nbytes(network.dtype), "the network with all its arrays", "mmap=True leaves them in the file"
        )
    figures = {key: values or {} for key, values in unpacked(file, found, verify).items()}
    network.card = network.card.replace(**figures)
    mapped = map_whole(file) if mmap else None
    for name, array in zip(NETWORK_GROUPS, (network.parameters, network.state), strict=True):
        segments = found.groups.get(name)
        if segments is None:
            continue
        if mapped is None:
            read_group(file, segments, array.flat, verify)
        else:
            group = mapped_group(file, mapped, segments, verify)
            flats = [flat.astype(array.dtype, copy=False) for flat in group.flats]
            for flat in flats:
                flat.flags.writeable = False
            array.adopt(*flats)
    return network, reader


def _network(path: str | PathLike[str], found: HeaderOnly, registry: Registry) -> tuple[Network, StoredComponentReader]:
    """The network that a file describes, not yet with its arrays, and what has read its spec."""
    header = found.header
    reader, spec, graph = _checked_spec(path, found, registry)
    training = header["spec"].get("training")
    card = ModelCard(
        Spec(network=spec),
        schema=_schema(path, header, graph),
        metadata=header.get("metadata") or {},
        stored_training=UnreadTraining(training, reader) if isinstance(training, dict) else None,
    )
    return Network(card, graph), reader


def _checked_spec(
    path: str | PathLike[str], found: HeaderOnly, registry: Registry, known: Any = ()
) -> tuple[StoredComponentReader, NetworkSpec, Graph]:
    """What a file says of its network, checked without making it, and what has read that.

    Args:
        known: as for `read_spec`.
    """
    header = found.header
    reader, spec = read_spec(path, header, found.size, registry, known)
    try:
        graph = build_graph(spec, most_nodes(found.size), stored=True)
    except SpecError as error:
        raise MalformedFile(path, "\n".join(itemised(map(str, error.problems))), "spec") from None
    _leave_out(graph, {name for segment in found.groups.get("state", ()) for name in segment.names})
    _check_arrays(path, Layout.of(graph), np.dtype(spec.dtype), found.groups)
    training = header["spec"].get("training")
    if isinstance(training, dict):
        check_training(path, training, "spec.training")
    for name in ("history", "metrics", "metadata"):
        value = header.get(name) or {}
        if not isinstance(value, dict):
            raise MalformedFile(path, f"expected a map, found {show(value)}", name)
    return reader, spec, graph


def _schema(path: str | PathLike[str], header: Mapping[str, Any], graph: Graph) -> Any:
    if header.get("schema") is None:
        return None
    from modnet.data.schema import DataSchema  # most models have none, and pay nothing for it

    try:
        schema = DataSchema.from_plain(header["schema"])
        schema.check_shapes(graph.inputs, {name: graph.shape(slot) for name, slot in graph.outputs.items()})
    except (DataError, ShapeError) as error:
        raise MalformedFile(path, str(error), "schema") from None
    return schema


def read_spec(
    path: str | PathLike[str], header: Mapping[str, Any], size: int, registry: Registry, known: Any = ()
) -> tuple[StoredComponentReader, NetworkSpec]:
    """The network's spec as components of today understand it, and the reader for further components of the file.

    Args:
        size: of the file, in bytes.
        known: configuration values whose components stand for those that no distribution offers.

    Raises:
        ModelFileError: the file needs a newer modnet, or its spec is malformed.
        NotInstalled, BrokenPlugin: a component cannot be had.
    """
    check_features(path, header)
    stored = header.get("spec")
    if not isinstance(stored, dict) or not isinstance(stored.get("network"), dict):
        raise MalformedFile(path, "there is no network in it", "spec")
    most = COMPONENTS_FOR_A_NODE * most_nodes(size)
    local = {(component.kind, component.type): type(component) for component in components_of(known)}
    reader = StoredComponentReader(registry, path, _needs(path, header.get("needs")), most, local)
    return reader, reader.configuration(NetworkSpec, stored["network"], "network")


def most_nodes(size: int) -> int:
    """How many nodes the network of a file of so many bytes may have."""
    return NODE_LIMIT + size // BYTES_FOR_A_NODE


def check_training(path: str | PathLike[str], training: Mapping[str, Any], where: str) -> None:
    """Checks that a stored training has no callbacks: they write files, and whoever made this one is not asked to.

    Raises:
        MalformedFile: it has.
    """
    if training.get("callbacks"):
        what = "there are callbacks; they belong to a run, they write files, and no model file holds them"
        raise MalformedFile(path, what, where)


def check_features(path: str | PathLike[str], header: Mapping[str, Any]) -> None:
    """Checks that a file uses no further feature of the format: this version knows none."""
    features = header.get("features", [])
    if not isinstance(features, list) or not all(isinstance(feature, str) for feature in features):
        raise MalformedFile(path, "expected a list of text", "features")
    if features:
        message = f"needs a newer {CORE}: it uses {', '.join(itemised(map(legible, features)))}"
        raise NewerFormat(path, message, "features")


def _leave_out(graph: Graph, stored: Container[str]) -> None:
    """Takes from the nodes what a file from before does not have, and they can do without."""
    for node in graph.nodes:
        owner = graph.owner(node)
        if any(state.optional for state in node.state.values()):
            node.state = {
                name: state
                for name, state in node.state.items()
                if not state.optional or f"{owner.name}.{name}" in stored
            }


def _check_arrays(
    path: str | PathLike[str], layout: Layout, dtype: np.dtype[Any], groups: Mapping[str, tuple[Segment, ...]]
) -> None:
    """Checks, before anything is allocated, that a file has the arrays of the network: names, order, shapes, dtype."""
    for name, shapes in zip(NETWORK_GROUPS, (layout.parameters, layout.state), strict=True):
        segments = groups.get(name, ())
        stored = segments[0].dtype if segments else dtype
        # float16 is a way to store numbers, and becomes the network's dtype in memory.
        kept = dtype if stored == np.float16 else stored
        found = {
            key: (shape, kept) for segment in segments for key, shape in zip(segment.names, segment.shapes, strict=True)
        }
        expected = {key: (shape, dtype) for key, shape in shapes.items()}
        if list(found.items()) == list(expected.items()):
            continue
        missing = [key for key in expected if key not in found]
        unexpected = [key for key in found if key not in expected]
        mismatched = {
            key: (_described(found[key]), _described(expected[key]))
            for key in expected
            if key in found and found[key] != expected[key]
        }
        if not (missing or unexpected or mismatched):
            raise MalformedFile(path, "the arrays are not in the order of the network", name)
        raise ParameterMismatch(path, missing, unexpected, mismatched)


def _described(shape_and_dtype: tuple[tuple[int, ...], np.dtype[Any]]) -> str:
    return f"{shape_and_dtype[0]} {shape_and_dtype[1]}"


# Origins


def bare(plain: Any) -> Any:
    """A plain value as a file holds it: components under their names alone, as the file's needs say whose they are."""
    if isinstance(plain, dict):
        made = {key: bare(value) for key, value in plain.items()}
        if isinstance(made.get("type"), str):
            made["type"] = made["type"].partition("@")[0]
        return made
    return [bare(item) for item in plain] if isinstance(plain, list) else plain


def components_of(value: Any) -> Iterator[Component]:
    """All components within a configuration value, each before those within it."""
    if isinstance(value, Component):
        yield value
    if isinstance(value, Configuration):
        value = vars(value)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for item in value:
            yield from components_of(item)


_DISTRIBUTION = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,200}[A-Za-z0-9])?)?")
_VERSION = re.compile(r"[A-Za-z0-9.!+_-]{0,200}")

Needs = dict[tuple[str, str], tuple[str, str, int]]
"""(kind, type) -> (distribution, its version, the component's version)"""


def origins(value: Any, registry: Registry) -> Needs:
    """Where the components within a configuration value come from.

    Raises:
        SpecError: two of one name come from two places; a file could not tell them apart.
    """
    needs: Needs = {}
    for component in components_of(value):
        origin = registry.origin(type(component))
        other = needs.get((origin.kind, origin.type))
        if other is not None and other[0] != origin.distribution:
            places = " and ".join(name or "this program" for name in sorted((other[0], origin.distribution)))
            what = f"two components are called {origin.kind} {show(origin.type)}, of {places}"
            raise SpecError(
                [Problem("network", f"{what}; a model file holds only one of that name", "take one of them")]
            )
        needs[origin.kind, origin.type] = (origin.distribution, origin.version, component.version)
    return needs


def _rows(needs: Needs) -> list[dict[str, Any]]:
    """Needs as a header has them: by distribution, sorted."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for (kind, name), (distribution, version, number) in sorted(needs.items()):
        rows.setdefault((distribution, version), []).append({"kind": kind, "type": name, "version": number})
    return [
        {"distribution": distribution, "version": version, "components": components}
        for (distribution, version), components in sorted(rows.items())
    ]


def _needs(path: str | PathLike[str], stored: Any) -> Needs:
    needs: Needs = {}
    try:
        for row in stored:
            for component in row["components"]:
                values = (row["distribution"], row["version"], component["version"])
                key = (component["kind"], component["type"])
                if tuple(map(type, (*key, *values))) != (str, str, str, str, int) or values[2] < 1 or key in needs:
                    raise TypeError
                # They go into a command that a message asks the user to type.
                if not (_DISTRIBUTION.fullmatch(values[0]) and _VERSION.fullmatch(values[1])):
                    raise TypeError
                needs[key] = values
    except (TypeError, KeyError):
        raise MalformedFile(path, "expected distributions with version and components", "needs") from None
    if any(kind == Callback.kind for kind, _ in needs):
        raise MalformedFile(
            path, "a callback is listed; callbacks belong to a run, and no model file holds them", "needs"
        )
    return needs


class StoredComponentReader(ComponentReader):
    """Reads components from a model file: from the distribution that the file names and no other.

    Args:
        registry: where they are looked up.
        path: the file.
        needs: what the file says of the origin of each.
        most: how many components may be read.
        local: (kind, type) -> a class of the program, for those that no distribution offers.
    """

    old_names = True

    def __init__(
        self,
        registry: Registry,
        path: str | PathLike[str],
        needs: Needs,
        most: int,
        local: Mapping[tuple[str, str], type[Component]],
    ) -> None:
        super().__init__(registry)
        self.path = path
        self.needs = needs
        self.most = most
        self.local = local
        self._count = 0
        self._older: dict[tuple[str, str], str] = {}

    def configuration(self, cls: type[C], plain: Any, where: str) -> C:
        """A part of the file's spec.

        Raises:
            MalformedFile: with all that is wrong in it.
            NotInstalled, BrokenPlugin: a component cannot be had.
        """
        reading = Reading(self)
        made = cls.from_table(plain, (where,), reading)
        if made is INVALID:
            lines = [*itemised(map(str, reading.problems)), *self.other_releases()]
            raise MalformedFile(self.path, "\n".join(lines), "spec")
        return cast(C, made)

    def warn_of_older(self, stacklevel: int) -> None:
        """Warns, once, of distributions that are older than those that the file was made with."""
        for (distribution, version), installed in self._older.items():
            warnings.warn(
                f"{self.path} was made with {distribution} {version}, and {installed}, which is older, is installed; "
                f"what it computes may differ:  pip install '{distribution}>={version}'",
                stacklevel=stacklevel + 1,
            )
        self._older.clear()

    def find(self, kind: type[Component], name: str) -> Choice:
        self._count += 1
        if self._count > self.most:
            raise MalformedFile(self.path, f"there are more than {self.most:,} components, which is the limit", "spec")
        allowed = ("layer", "activation") if kind.kind == "layer" else (kind.kind,)
        kinds = [key for key in allowed if (key, name) in self.needs]
        if not kinds:
            raise UnknownType(f"{kind.kind} {show(name)} is not listed in the file's needs")
        distribution, version, _ = self.needs[kinds[0], name]
        if not distribution and (kinds[0], name) in self.local:
            return Choice(self.local[kinds[0], name])
        entry = self._entry(kinds[0], name, distribution, version)
        found = entry.load()
        if (found.kind, found.type) != (kinds[0], name):  # an activation listed as a layer, or a name with an @
            raise UnknownType(f"{found.kind} {show(found.type)} is not listed in the file's needs")
        installed = entry.origin.version or modnet.__version__  # the core's entries do not say it
        if distribution and is_older(installed, version):
            self._older[distribution, version] = installed
        is_another = bool(distribution) and self.registry.is_taken(KINDS[kinds[0]], name)
        is_another = is_another and normalized(distribution) != CORE
        return Choice(found, f"{name}@{distribution}" if is_another else "")

    def _entry(self, kind: str, name: str, distribution: str, version: str) -> Entry:
        """Where a component that the file needs is installed. Raises NotInstalled."""
        what = f"{kind} {show(name)}"
        try:
            return self.registry.entry(KINDS[kind], f"{name}@{distribution}" if distribution else name)
        except NotInstalled:
            command = f"pip install {distribution}=={version}" if version else f"pip install {distribution}"
            message = f"this model needs {what} of {distribution} {version}, which is not installed:  {command}"
            raise NotInstalled(message, distribution, version) from None
        except UnknownType:
            if not distribution:
                raise NotInstalled(
                    f"this model needs {what}, which the program that saved it had defined itself; register it first "
                    "(modnet.default_registry().register, or --plugin FILE)",
                    "",
                ) from None
            if normalized(distribution) == CORE:
                message = f"this model needs {what} of {CORE} {version}; this is {CORE} {modnet.__version__}"
            else:
                message = f"this model needs {what} of {distribution} {version}; the version that is installed has none"
            raise NotInstalled(f"{message}:  pip install {distribution}=={version}", distribution, version) from None

    def other_releases(self) -> list[str]:
        """A line for each distribution that is installed in another release than the one that wrote the file."""
        lines = {}
        for (kind, name), (distribution, release, _) in self.needs.items():
            if kind not in KINDS or not distribution or normalized(distribution) == CORE:
                continue
            try:
                installed = self.registry.entry(KINDS[kind], f"{name}@{distribution}").origin.version
            except PluginError:
                continue
            if installed != release:
                message = f"written with {distribution} {release}, and {installed} is installed"
                lines[distribution] = f"{message}:  pip install {distribution}=={release}"
        return list(lines.values())

    def upgraded(self, cls: type[Component], table: dict[str, Any]) -> dict[str, Any]:
        distribution, release, version = self.needs[cls.kind, cls.type]
        what = f"{cls.kind} {show(cls.type)}"
        if version > cls.version:
            if not distribution:
                raise NotInstalled(
                    f"this model needs version {version} of {what}, which the program that saved it had defined "
                    f"itself; the one that is registered is version {cls.version}",
                    "",
                )
            raise NotInstalled(
                f"this model needs version {version} of {what}, which {distribution} {release} has; the one that is "
                f"installed is version {cls.version}:  pip install '{distribution}>={release}'",
                distribution,
                release,
            )
        if version == cls.version:
            return table
        try:
            return cls.upgrade(table, version)
        except Exception as error:
            message = f"{what} cannot be upgraded from version {version} to {cls.version}"
            raise BrokenPlugin(f"{message}: {type(error).__name__}: {error}") from error


class UnreadTraining:
    """The training of a model file as it stands there."""

    def __init__(self, plain: dict[str, Any], reader: StoredComponentReader) -> None:
        self.plain = plain
        self.reader = reader

    def read(self) -> TrainingSpec:
        training = self.reader.configuration(TrainingSpec, self.plain, "training")
        self.reader.warn_of_older(stacklevel=3)
        return training

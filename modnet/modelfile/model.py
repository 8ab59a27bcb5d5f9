"""Saving and loading networks: what a model file means, on top of the container's bytes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import modnet
from modnet.component import KINDS, Component
from modnet.configuration import INVALID, Checker, Configuration, show
from modnet.errors import (
    BrokenPlugin,
    DataError,
    MalformedFile,
    NewerFormat,
    NotAModelFile,
    NotInstalled,
    ParameterMismatch,
    ShapeError,
    SpecError,
    UnknownType,
    itemised,
    legible,
)
from modnet.graph import build_graph
from modnet.modelfile.container import DTYPES, NAME_LIMIT, NETWORK_GROUPS
from modnet.modelfile.reader import Contents, read
from modnet.network import Layout, Network
from modnet.parameters import FlatArray
from modnet.registry import CORE, Registry, default_registry, normalized
from modnet.spec.components import ComponentReader
from modnet.spec.model import NetworkSpec, Spec, TrainingSpec

if TYPE_CHECKING:
    from modnet.modelfile.writer import Group, StreamedGroup

NODES_WITHOUT_ARRAYS, NODES_FOR_EACH_ARRAY = 1_000, 16
"""How many nodes the network of a file may have: one line of its spec can ask for any number."""


def save(network: Network, path: str | PathLike[str], *, registry: Registry | None = None) -> None:
    """Writes a network to a model file: spec, parameters, state, data schema, history, metrics, origins.

    The file is replaced as a whole or not at all. The same network gives the same bytes. For a suffix other than
    .modnet an installed plugin may write its own format (hook `modnet_export`).

    Warns of components that the program has defined itself: whoever loads the file needs them too.

    Raises:
        ModelFileError: the network cannot be stored in that place.
        OSError: the file cannot be written.
    """
    from pathlib import Path  # a process that only predicts does without it

    registry = registry or default_registry()
    name = Path(path)
    if name.suffix.lower() not in (".modnet", "") and registry.hooks.hook.modnet_export(network=network, path=name):
        return
    store(network, path, registry)
    for component in dict.fromkeys(map(type, components_of(network.spec.network))):
        origin = registry.origin(component)
        if not origin.distribution:
            warnings.warn(
                f"{path} needs the {origin.kind} {show(origin.type)} of {origin.value}, which no distribution that is "
                "installed offers; to load it, register it (modnet.default_registry().register, or --plugin FILE)",
                stacklevel=2,
            )


def store(
    network: Network,
    path: str | PathLike[str],
    registry: Registry,
    further: Mapping[str, Any] | None = None,
    groups: Sequence[Group] = (),
) -> None:
    """Writes a network to a model file, with further header keys and groups of arrays, such as those of a checkpoint.

    Raises the errors of `save`.
    """
    from modnet.modelfile.writer import write

    spec = network.spec
    stored = {"network": spec.network.plain()}
    needs = origins(spec.network, registry)
    if spec.training is not None:
        # Where the data were and what else took part in the run is no part of the model.
        training = spec.training.replace(callbacks=())
        stored["training"] = training.plain()
        needs |= origins(training, registry)
    elif isinstance(network.stored_training, UnreadTraining):
        stored["training"] = network.stored_training.plain
        needs = network.stored_training.reader.needs | needs
    header = {
        "features": [],
        "made_by": {CORE: modnet.__version__, "numpy": np.__version__},
        "needs": _rows(needs),
        "spec": stored,
        "schema": network.schema.to_plain() if network.schema is not None else None,
        "history": network.history,
        "metrics": network.metrics,
        "metadata": network.metadata,
        **(further or {}),
    }
    own = [_group(name, getattr(network, name)) for name in NETWORK_GROUPS]
    write(path, header, [*own, *groups])


def _group(name: str, array: FlatArray) -> Group | StreamedGroup:
    """An array to be written; one that was mapped in several pieces is not joined for that."""
    from modnet.modelfile.writer import Group, StreamedGroup

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
        contents = read(path, mmap=mmap, verify=not mmap if verify is None else verify)
    except NotAModelFile:
        from pathlib import Path

        imported = registry.hooks.hook.modnet_import(path=Path(path))
        if imported is None:
            raise
        return cast(Network, imported)
    network = _network(path, contents, registry)
    for name in NETWORK_GROUPS:
        array: FlatArray = getattr(network, name)
        group = contents.groups.get(name)
        if group is not None:
            array.adopt(*(flat.astype(array.dtype, copy=False) for flat in group.flats))
    return network


def _network(path: str | PathLike[str], contents: Contents, registry: Registry) -> Network:
    """The network that a file describes, not yet with its arrays."""
    header = contents.header
    check_features(path, header)
    stored = header.get("spec")
    if not isinstance(stored, dict) or not isinstance(stored.get("network"), dict):
        raise MalformedFile(path, "there is no network in it", "spec")
    reader = StoredComponentReader(registry, _needs(path, header.get("needs")))
    checker = Checker(reader, old_names=True)
    spec = checker.table(NetworkSpec, stored["network"], ("network",))
    if spec is INVALID:
        raise _malformed(path, checker)
    arrays = sum(len(group.shapes) for group in contents.groups.values())
    try:
        graph = build_graph(cast(NetworkSpec, spec), NODES_WITHOUT_ARRAYS + NODES_FOR_EACH_ARRAY * arrays)
    except SpecError as error:
        raise MalformedFile(path, "\n".join(itemised(map(str, error.problems))), "spec") from None
    _check_arrays(path, Layout.of(graph), np.dtype(cast(NetworkSpec, spec).dtype), contents)
    network = Network(Spec(network=cast(NetworkSpec, spec)), graph)
    if isinstance(stored.get("training"), dict):
        network.stored_training = UnreadTraining(path, stored["training"], reader)
    if header.get("schema") is not None:
        from modnet.data.schema import DataSchema  # most models have none, and pay nothing for it

        try:
            network.schema = DataSchema.from_plain(header["schema"])
            network.schema.check_shapes(network.inputs, network.outputs)
        except (DataError, ShapeError) as error:
            raise MalformedFile(path, str(error), "schema") from None
    for name in ("history", "metrics", "metadata"):
        value = header.get(name) or {}
        if not isinstance(value, dict):
            raise MalformedFile(path, f"expected a map, found {show(value)}", name)
        setattr(network, name, value)
    return network


def check_features(path: str | PathLike[str], header: Mapping[str, Any]) -> None:
    """Checks that a file uses no further feature of the format: this version knows none."""
    features = header.get("features", [])
    if not isinstance(features, list) or not all(isinstance(feature, str) for feature in features):
        raise MalformedFile(path, "expected a list of text", "features")
    if features:
        message = f"needs a newer {CORE}: it uses {', '.join(itemised(map(legible, features)))}"
        raise NewerFormat(path, message, "features")


def _check_arrays(path: str | PathLike[str], layout: Layout, dtype: np.dtype[Any], contents: Contents) -> None:
    """Checks, before anything is allocated, that a file has the arrays of the network: names, order, shapes, dtype."""
    for name in NETWORK_GROUPS:
        shapes: Mapping[str, tuple[int, ...]] = getattr(layout, name)
        group = contents.groups.get(name)
        stored = group.dtype.newbyteorder("=") if group else dtype
        # float16 is a way to store numbers, and becomes the network's dtype in memory.
        kept = dtype if stored == np.float16 else stored
        found = {key: (shape, kept) for key, shape in group.shapes.items()} if group else {}
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


def _malformed(path: str | PathLike[str], checker: Checker) -> MalformedFile:
    return MalformedFile(path, "\n".join(itemised(map(str, checker.problems))), "spec")


# Origins


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


_DISTRIBUTION = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_VERSION = re.compile(r"[A-Za-z0-9.!+_-]*")

Needs = dict[tuple[str, str], tuple[str, str, int]]
"""(kind, type) -> (distribution, its version, the component's version)"""


def origins(value: Any, registry: Registry) -> Needs:
    """Where the components within a configuration value come from."""
    needs: Needs = {}
    for component in components_of(value):
        origin = registry.origin(type(component))
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
                if max(map(len, values[:2])) > NAME_LIMIT:
                    raise TypeError
                if not (_DISTRIBUTION.fullmatch(values[0]) and _VERSION.fullmatch(values[1])):
                    raise TypeError
                needs[key] = values
    except (TypeError, KeyError):
        raise MalformedFile(path, "expected distributions with version and components", "needs") from None
    return needs


class StoredComponentReader(ComponentReader):
    """Reads components from a model file: from the distribution that the file names and no other.

    Args:
        registry: where they are looked up.
        needs: what the file says of the origin of each.
    """

    def __init__(self, registry: Registry, needs: Needs) -> None:
        super().__init__(registry)
        self.needs = needs

    def find(self, kind: type[Component], name: str) -> type[Component]:
        allowed = ("layer", "activation") if kind.kind == "layer" else (kind.kind,)
        kinds = [key for key in allowed if (key, name) in self.needs]
        if not kinds:
            raise UnknownType(f"{kind.kind} {show(name)} is not listed in the file's needs")
        distribution, version, _ = self.needs[kinds[0], name]
        what = f"{kinds[0]} {show(name)}"
        try:
            found = self.registry.find(KINDS[kinds[0]], f"{name}@{distribution}" if distribution else name)
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
        if (found.kind, found.type) != (kinds[0], name):  # an activation listed as a layer, or a name with an @
            raise UnknownType(f"{found.kind} {show(found.type)} is not listed in the file's needs")
        return found

    def table(self, cls: type[Component], table: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
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

    def __init__(self, path: str | PathLike[str], plain: dict[str, Any], reader: StoredComponentReader) -> None:
        self.path = path
        self.plain = plain
        self.reader = reader

    def read(self) -> TrainingSpec:
        checker = Checker(self.reader, old_names=True)
        training = checker.table(TrainingSpec, self.plain, ("training",))
        if training is INVALID:
            raise _malformed(self.path, checker)
        return cast(TrainingSpec, training)

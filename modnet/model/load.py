"""From a model file to a network."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from modnet.engine.built import Layout
from modnet.engine.card import ModelCard
from modnet.engine.expansion import build_graph
from modnet.engine.graph import Graph
from modnet.engine.network import Network
from modnet.errors import (
    DataError,
    MalformedFile,
    ModelFileError,
    NotAModelFile,
    ParameterMismatch,
    ShapeError,
    SpecError,
)
from modnet.kinds.component import Component
from modnet.memory import require
from modnet.model.container import NETWORK_GROUPS, Fault, Segment, check_plain
from modnet.model.figures import unpacked
from modnet.model.header import CARD_KEYS, Header, naming_newer_release
from modnet.model.identity import Identity, require_id
from modnet.model.reader import HeaderOnly, mapped_group, opened, read_group, structure
from modnet.model.source import File, is_path
from modnet.model.stored import StoredComponentReader, UnreadTraining, most_nodes, read_spec
from modnet.model.url import is_url
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.model import NetworkSpec, Spec
from modnet.words import itemised

if TYPE_CHECKING:
    from modnet.model.source import Source

_Arrays = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]
"""Name -> shape and dtype."""


def load(
    path: Source,
    *,
    id: str | None = None,
    mmap: bool = False,
    verify: bool | None = None,
    engine: str | None = None,
    fold: bool = False,
    registry: Registry | None = None,
) -> Network:
    """A network from a model file; no spec file is needed.

    A file in another format is offered to the installed plugins (hook `modnet_import`).

    Args:
        path: a path; a URL, which fsspec opens (extra `fsspec`); the bytes of a model file; a binary file that is open,
            which is read from its current position to its end; or a resource,
            `importlib.resources.files(...) / "m.modnet"`.
        id: which model it has to be: its id, or the first digits of it (8 at least), as `network.id` and `modnet
            inspect` have it. All of the file is then compared with it, mapped or not, unless `verify` is False.
        mmap: use the arrays where they are, in the file, which is mapped, or in the given bytes, without a copy: the
            parameters then cannot be changed, and the file or bytes must not be while the network is in use.
        verify: compare the arrays with their digests. By default this is done unless the file is mapped, since it would
            read the whole file. Without it a damaged array is not noticed; the header is always verified.
        engine: what computes `forward` and `predict`, in place of modnet's own layers: "compiled", "onnxruntime", or
            what another plugin offers (hook `modnet_engine`). The parameters then cannot be changed.
        fold: for prediction: multiply layers that only scale and shift into the weights next to them (`modnet.fold`).
            `network.card.results["folding"]` says what was folded and what was left.
        registry: where components and plugins are looked up.

    Raises:
        ModelFileError: the file is damaged or is not a model file; it has another id (`WrongId`); it cannot be mapped.
        NotInstalled, MissingExtra: a plugin, or what opens the URL, is missing; the message says what to install.
        BrokenPlugin: a plugin is installed but cannot be imported; its own error is the cause.
        OSError: the file cannot be read.
        ValueError, TypeError: `id` cannot be one; both fold and mmap; a model cannot be read from such an object.
    """
    registry = registry or default_registry()
    network = (_folded if fold else _of_any_format)(path, _Wanted(id, mmap, verify), registry)
    return network if engine is None else _computed_by(engine, network, registry)


def _computed_by(engine: str, network: Network, registry: Registry) -> Network:
    from modnet.model.engines import use_engine  # not at the top: few networks are computed by another engine

    use_engine(network, engine, registry)
    return network


class _Wanted(NamedTuple):
    """The arguments of `load`."""

    id: str | None
    mmap: bool
    verify: bool | None

    @property
    def verified(self) -> bool:
        """Whether the arrays are compared with their digests."""
        return (self.id is not None or not self.mmap) if self.verify is None else self.verify


def _folded(source: Source, wanted: _Wanted, registry: Registry) -> Network:
    if wanted.mmap:
        raise ValueError("fold computes new weights, and mmap maps those of the file; use only one of the two")
    from modnet.engine.folding import fold  # not at the top: few networks are folded

    return fold(_of_any_format(source, wanted, registry))


def _of_any_format(source: Source, wanted: _Wanted, registry: Registry) -> Network:
    try:
        with opened(source) as file:
            network, reader = _loaded(file, registry, wanted)
    except NotAModelFile:
        if not is_path(source) or is_url(source):
            raise  # plugins read files
        from pathlib import Path  # not at the top: a process that only predicts saves it and the 5 modules it imports

        imported = registry.hooks.hook.modnet_import(path=Path(source).expanduser())
        if imported is None:
            raise
        if wanted.id is not None:
            raise ModelFileError(source, "only model files of modnet have an id; this is another format") from None
        return cast(Network, imported)
    reader.warn_of_older(stacklevel=3)
    return network


def _loaded(file: File, registry: Registry, wanted: _Wanted) -> tuple[Network, StoredComponentReader]:
    """The network of a file. Other groups of arrays, such as an optimizer's slots, are not read."""
    found = structure(file)
    if wanted.id is not None:
        require_id(file.path, found.id, wanted.id)
    with naming_newer_release(file.path, found.header):
        header = Header.parse(found.header)
        reader, spec, graph = checked_network(file.path, header, found, registry)
        card = _card(file.path, header, reader, spec, graph, unpacked(file, header, found, wanted.verified))
    network = Network(card, graph)
    if not wanted.mmap:
        require(
            network.layout.nbytes(network.dtype), "the network with all its arrays", "use mmap=True to map the file"
        )
    _fill(network, file, found, wanted.mmap, wanted.verified)
    network.identify(Identity(network, found.id, (segment.hashed for segment in found.segments)))
    return network, reader


def checked_network(
    path: str | PathLike[str],
    header: Header,
    found: HeaderOnly,
    registry: Registry,
    known: Iterable[Component] = (),
) -> tuple[StoredComponentReader, NetworkSpec, Graph]:
    """The reader, the spec and the graph of a file's network, checked against its arrays before any are allocated.

    Args:
        known: as for `read_spec`.

    Raises:
        ModelFileError, Fault: the file is malformed, or its arrays do not match the network.
        NotInstalled, BrokenPlugin: a component is not available.
    """
    groups = found.groups
    state = {name for segment in groups.get("state", ()) for name in segment.names}
    reader, spec, graph = _stored_graph(path, header, found.size, state, registry, known)
    _check_arrays(path, Layout.of(graph), np.dtype(spec.dtype), groups)
    return reader, spec, graph


def _stored_graph(
    path: str | PathLike[str],
    header: Header,
    size: int,
    arrays: Container[str],
    registry: Registry,
    known: Iterable[Component] = (),
) -> tuple[StoredComponentReader, NetworkSpec, Graph]:
    """The reader, the spec and the graph of a header's network, without optional state that is not among the arrays."""
    reader, spec = read_spec(path, header, size, registry, known)
    try:
        graph = build_graph(spec, most_nodes(size), stored=True)
    except SpecError as error:
        raise MalformedFile(path, "\n".join(itemised(map(str, error.problems))), "header.spec") from None
    names = header.require_spec().nodes
    if names is not None and names != graph.names:
        raise Fault("the names of the nodes do not match header.spec.network", "header.spec.nodes")
    _leave_out(graph, arrays)
    return reader, spec, graph


def restored(
    path: str | PathLike[str],
    values: dict[str, Any],
    size: int,
    arrays: Container[str],
    *,
    registry: Registry | None = None,
) -> Network:
    """The network that `described` has described, its arrays not filled: for plugins with files of another kind.

    Args:
        path: the file, for messages.
        values: the description, as plain values that may have been tampered with.
        size: of the file, in bytes; it limits the number of nodes.
        arrays: the names of the arrays that the file has.

    Raises:
        ModelFileError: the description is malformed.
        NotInstalled, BrokenPlugin: a component is not available.
    """
    try:
        check_plain(values)
        with naming_newer_release(path, values):
            header = Header.parse(values)
            reader, spec, graph = _stored_graph(path, header, size, arrays, registry or default_registry())
            card = _card(path, header, reader, spec, graph, {})
    except Fault as fault:
        raise MalformedFile(path, fault.what, fault.where) from None
    require(Layout.of(graph).nbytes(np.dtype(spec.dtype)), "the network with all its arrays")
    network = Network(card, graph)
    reader.warn_of_older(stacklevel=2)
    return network


def _card(
    path: str | PathLike[str],
    header: Header,
    reader: StoredComponentReader,
    spec: NetworkSpec,
    graph: Graph,
    figures: Mapping[str, Any],
) -> ModelCard:
    """The card of a header; `figures` are those that are not in the header itself."""
    training = header.require_spec().training
    known = {key: getattr(header, key) for key in CARD_KEYS}
    return ModelCard(
        Spec(network=spec),
        schema=read_schema(path, header, graph),
        stored_training=None if training is None else UnreadTraining(training, reader),
        **{**known, **figures},
    )


def read_schema(path: str | PathLike[str], header: Header, graph: Graph) -> Any:
    """The schema of the table that a network was trained on, checked against its shapes; None if there was none."""
    if header.schema is None:
        return None
    from modnet.data.schema import DataSchema  # not at the top: most models have no schema

    try:
        schema = DataSchema.from_plain(header.schema)
        schema.check_shapes(graph.inputs, {name: graph.shape(slot) for name, slot in graph.outputs.items()})
    except (DataError, ShapeError) as error:
        raise MalformedFile(path, str(error), "header.schema") from None
    return schema


def _fill(network: Network, file: File, found: HeaderOnly, mmap: bool, verify: bool) -> None:
    """Reads the arrays of a network, or lets it use those in the file."""
    groups = found.groups
    # The bytes of a stream are kept if hardly anything else is in them, so that the network is there once.
    own = file.own() if groups.keys() <= {*NETWORK_GROUPS} else None
    mapped = file.mapped() if mmap else own
    for name, array in zip(NETWORK_GROUPS, (network.parameters, network.state), strict=True):
        segments = groups.get(name)
        if segments is None:
            continue
        if mapped is None:
            read_group(file, segments, array.flat, verify)
        else:
            group = mapped_group(file, mapped, segments, verify)
            flats = [flat.astype(array.dtype, copy=False) for flat in group.flats]
            for flat in flats:
                flat.flags.writeable = not mmap
            array.adopt(*flats)


def _leave_out(graph: Graph, stored: Container[str]) -> None:
    """Removes from the nodes the optional state that an older file does not have."""
    for node in graph.nodes:
        if any(state.optional for state in node.state.values()):
            owner = graph.owner(node)
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
        found = _stored_arrays(groups.get(name, ()), dtype)
        expected = {key: (shape, dtype) for key, shape in shapes.items()}
        if list(found.items()) != list(expected.items()):
            raise _mismatch(path, name, found, expected)


def _stored_arrays(segments: Sequence[Segment], dtype: np.dtype[Any]) -> _Arrays:
    stored = segments[0].dtype if segments else dtype
    # float16 is only a way to store numbers; in memory they have the network's dtype.
    kept = dtype if stored == np.float16 else stored
    return {
        key: (shape, kept) for segment in segments for key, shape in zip(segment.names, segment.shapes, strict=True)
    }


def _mismatch(path: str | PathLike[str], group: str, found: _Arrays, expected: _Arrays) -> ModelFileError:
    missing = [key for key in expected if key not in found]
    unexpected = [key for key in found if key not in expected]
    mismatched = {
        key: (_described(found[key]), _described(wanted))
        for key, wanted in expected.items()
        if found.get(key, wanted) != wanted
    }
    if missing or unexpected or mismatched:
        return ParameterMismatch(path, missing, unexpected, mismatched)
    return MalformedFile(path, "the arrays are not in the order that the network has", group)


def _described(shape_and_dtype: tuple[tuple[int, ...], np.dtype[Any]]) -> str:
    return f"{shape_and_dtype[0]} {shape_and_dtype[1]}"

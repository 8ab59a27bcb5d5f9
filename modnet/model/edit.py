"""Changing a model file without building its network: no plugin that it needs has to be installed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, groupby
from operator import attrgetter
from os import PathLike, fspath
from typing import Any, Literal

import numpy as np

from modnet.errors import MalformedFile, ModelFileError
from modnet.model.container import DTYPES, NETWORK_GROUPS, Fault, Segment, View
from modnet.model.damage import Checked, mismatch, require_whole
from modnet.model.figures import KEYS, is_figures
from modnet.model.header import Header, automatic_names
from modnet.model.reader import HeaderOnly, check_frames, front, layout, opened, require_length, structure
from modnet.model.source import File
from modnet.model.writer import StreamedGroup, write
from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import normalized
from modnet.specs.model import NAME
from modnet.words import did_you_mean, legible, show

DType = Literal["float16", "float32", "float64"]


def edit(
    path: str | PathLike[str],
    out: str | PathLike[str],
    *,
    drop_resume_state: bool = False,
    drop_history: bool = False,
    cast: DType | None = None,
    metadata: Mapping[str, Any] | None = None,
    remove_metadata: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    take: Mapping[str, str | PathLike[str]] | None = None,
) -> None:
    """Writes a changed copy of a model file, or changes the file itself if `out` is `path`.

    Everything else stays unchanged, including unknown header keys and groups of arrays. The file is replaced as a whole
    or not at all.

    Args:
        drop_resume_state: remove what is only needed to resume the training. A checkpoint becomes a model.
        drop_history: remove the figures of each epoch. The final ones (`metrics`) stay.
        cast: the type of the numbers, see `_cast`.
        metadata: entries to set.
        remove_metadata: entries to remove.
        rename: old -> new name of nodes, see `_Renaming`.
        take: node -> another model file, from which its arrays are taken before the other changes, see `_Taking`.
            Intervals of predictions are then left out.

    Raises:
        ModelFileError: the file is damaged, in a part that is needed; a name does not exist, or is taken; a number is
            too large for the dtype; arrays do not match. `out` is unchanged.
        OSError: the file cannot be read or written.
    """
    changes = _Changes(drop_resume_state, drop_history, cast, metadata or {}, remove_metadata, rename or {}, take or {})
    with ExitStack() as files:
        header, groups = changes.applied(files.enter_context(opened(path)), files)
        write(out, header.plain(), groups)


@dataclass(frozen=True)
class _Changes:
    """The arguments of `edit`."""

    drop_resume_state: bool
    drop_history: bool
    cast: DType | None
    metadata: Mapping[str, Any]
    remove_metadata: Sequence[str]
    rename: Mapping[str, str]
    take: Mapping[str, str | PathLike[str]]

    def applied(self, file: File, files: ExitStack) -> tuple[Header, list[StreamedGroup]]:
        """The header and the groups to write; what has been opened is closed with the last of their pieces."""
        found = front(file)
        header = Header.of_file(file.path, found.header)
        header.require_features(file.path)
        groups = _copies(file, found, is_for_resuming if self.drop_resume_state else lambda _: False)
        taking = _Taking(self.take, files)
        try:
            header = taking.header(self._header(header))
            if self.drop_history:
                groups = [group for group in groups if not is_figures(group.name, "history")]
            groups = taking.apply(groups)
            if self.rename:
                header, groups = _Renaming(header, self.rename).apply(groups)
            if self.cast:
                header, groups = _cast(file.path, header, groups, self.cast)
        except Fault as fault:
            raise ModelFileError(file.path, fault.what, fault.where) from None
        if groups:
            groups[-1] = replace(groups[-1], pieces=_closing(groups[-1].pieces, (file, *taking.files)))
        return header, groups

    def _header(self, header: Header) -> Header:
        """The header without the dropped parts, and with other metadata."""
        if self.drop_resume_state:
            header = header.replace(training=None)
        elif header.training is not None and (self.drop_history or self.cast or self.rename or self.take):
            what = "this is a checkpoint, and its run could not be resumed after this change"
            raise Fault(f"{what}; drop its resume state as well")
        if self.drop_history:
            header = header.replace(history={})
        if self.metadata or self.remove_metadata:
            header = header.replace(metadata=_edited_metadata(header.metadata, self.metadata, self.remove_metadata))
        return header


def is_for_resuming(group: str) -> bool:
    """Whether a group of arrays is only needed to resume a training: `optimizer.*` and `training.*`."""
    return group.partition(".")[0] in ("optimizer", "training")


def _copies(file: File, found: HeaderOnly, is_dropped: Callable[[str], bool]) -> list[StreamedGroup]:
    """The groups except those that are dropped. They are read and verified while the new file is written."""
    members = {name: [*segments] for name, segments in groupby(found.segments, key=attrgetter("group"))}
    kept = {name: segments for name, segments in members.items() if not is_dropped(name)}
    if len(kept) == len(members):
        check_frames(file, found)
    for segments in kept.values():
        require_length(file, segments[-1].end)
    return [
        StreamedGroup(name, segments[0].dtype, _pieces(file, segments), layout(segments))
        for name, segments in kept.items()
    ]


def _pieces(file: File, segments: Sequence[Segment]) -> Iterator[memoryview]:
    for segment in segments:
        checked = Checked(file, segment)
        try:
            yield from checked
        except Fault as fault:
            raise MalformedFile(file.path, fault.what, fault.where) from None
        if not checked.whole:
            raise mismatch(file, segment)


def _closing(pieces: Iterable[memoryview], files: Iterable[File]) -> Iterator[memoryview]:
    """The last pieces; then the files are closed, because Windows cannot replace an open file."""
    yield from pieces
    for file in files:
        file.close()


def _edited_metadata(old: Mapping[str, Any], new: Mapping[str, Any], removed: Sequence[str]) -> dict[str, Any]:
    metadata = dict(old)
    for key in removed:
        if key not in metadata:
            raise Fault(f"no entry is called {show(key)}{did_you_mean(key, metadata)}", "metadata")
        del metadata[key]
    return {**metadata, **new}


# Types of numbers


def _cast(
    path: str | PathLike[str], header: Header, groups: Sequence[StreamedGroup], cast: DType
) -> tuple[Header, list[StreamedGroup]]:
    """The header and the groups with numbers of another type.

    "float32" and "float64" convert parameters and state, and the network computes in that type from then on. "float16"
    only changes how parameters are stored, in half of the space of float32; loading converts them to the network's
    dtype again. State is small, and its means and variances can have any size: it is not cast.
    """
    if cast not in ("float16", "float32", "float64"):
        raise Fault(f"expected float16, float32 or float64, found {show(cast)}", "cast")
    if cast != "float16":
        network = {**header.require_spec().network, "dtype": cast}
        header = header.replace(spec={**header.values["spec"], "network": network})
    chosen = ("parameters",) if cast == "float16" else NETWORK_GROUPS
    return header, [
        replace(group, dtype=DTYPES[cast], pieces=_converted(path, group, DTYPES[cast]))
        if group.name in chosen and group.dtype.kind == "f"
        else group
        for group in groups
    ]


def _converted(path: str | PathLike[str], group: StreamedGroup, dtype: np.dtype[Any]) -> Iterator[memoryview]:
    starts = np.array([start for _, start, _ in group.views], np.int64)
    lost: dict[int, None] = {}  # the positions of the arrays in which a number became infinite
    done = 0
    for piece in group.pieces:
        stored = np.frombuffer(piece, group.dtype)
        with np.errstate(over="ignore"):
            flat = stored.astype(dtype)
        places = np.flatnonzero(np.isinf(flat) & np.isfinite(stored)) + done
        lost |= dict.fromkeys((np.searchsorted(starts, places, "right") - 1).tolist())
        done += stored.size
        yield flat.view(np.uint8).data
    if lost:
        names = ", ".join(legible(group.views[position][0]) for position in [*lost][:8])
        more = f" and {len(lost) - 8} more" if len(lost) > 8 else ""
        what = f"numbers above {np.finfo(dtype).max:g}, the maximum of {dtype.name}, in {names}{more}"
        raise ModelFileError(path, f"{what}; choose a wider type", "cast")


# Arrays of other files


_Arrays = dict[tuple[str, str], tuple[np.dtype[Any], tuple[int, ...]]]
"""Group and name -> dtype and shape."""


class _Taking:
    """Arrays of nodes, and of nodes inside them, in other files that stay open.

    They must have the same names, shapes and dtype as those that they replace. Figures (`history`, `metrics`) stay,
    although the new arrays were not measured.

    Args:
        take: node -> file.
        files: closes the files at the end.

    Raises:
        ModelFileError: one of the files is damaged.
    """

    def __init__(self, take: Mapping[str, str | PathLike[str]], files: ExitStack) -> None:
        self.take = {node: fspath(path) for node, path in take.items()}
        self.files: list[File] = []
        self._views: dict[str, dict[tuple[str, str], tuple[File, View]]] = {}
        for path in dict.fromkeys(self.take.values()):
            file = files.enter_context(opened(path))
            try:
                found = structure(file)
                for segment in found.segments:
                    if segment.group in NETWORK_GROUPS:
                        require_whole(file, segment)
            except Fault as fault:
                raise MalformedFile(path, fault.what, fault.where) from None
            Header.of_file(path, found.header).require_features(path)
            self._views[path] = {(view.group, view.name): (file, view) for view in found.views}
            self.files.append(file)

    def header(self, header: Header) -> Header:
        """The header without the intervals of targets, which were made from the errors of the arrays before."""
        targets = (header.schema or {}).get("targets") if self.take else None
        if not isinstance(targets, dict) or not all(isinstance(columns, list) for columns in targets.values()):
            return header

        def without(column: Any) -> Any:
            return {k: v for k, v in column.items() if k != "interval"} if isinstance(column, dict) else column

        kept = {name: [*map(without, columns)] for name, columns in targets.items()}
        return header.replace(schema={**(header.schema or {}), "targets": kept})

    def apply(self, groups: Sequence[StreamedGroup]) -> list[StreamedGroup]:
        """The groups, with the arrays of these nodes replaced by those of the other files."""
        self._check(groups)
        return [
            replace(group, pieces=_patched(group, patches)) if (patches := self._patches(group)) else group
            for group in groups
        ]

    def _check(self, groups: Sequence[StreamedGroup]) -> None:
        """Compares the arrays here with those that are to take their places."""
        arrays: _Arrays = {
            (group.name, name): (group.dtype, shape)
            for group in groups
            if group.name in NETWORK_GROUPS
            for name, _, shape in group.views
        }
        for node, path in self.take.items():
            ours = {key: found for key, found in arrays.items() if _is_of(key[1], node)}
            if not ours:
                nodes = {name.partition(".")[0] for group in groups for name, _, _ in group.views}
                raise Fault(f"no node with arrays is called {show(node)}{did_you_mean(node, nodes)}", "take")
            self._check_same(node, path, ours)

    def _check_same(self, node: str, path: str, ours: _Arrays) -> None:
        theirs: _Arrays = {
            key: (view.dtype, view.shape)
            for key, (_, view) in self._views[path].items()
            if key[0] in NETWORK_GROUPS and _is_of(key[1], node)
        }
        for key in dict.fromkeys((*ours, *theirs)):
            if ours.get(key) != theirs.get(key):
                here, there = (_described(arrays.get(key)) for arrays in (ours, theirs))
                raise Fault(f"{legible(key[1])} is {there} in {path}, and {here} here", "take")

    def _patches(self, group: StreamedGroup) -> list[_Patch]:
        patches = []
        for name, start, shape in group.views if group.name in NETWORK_GROUPS else ():
            path = next((path for node, path in self.take.items() if _is_of(name, node)), None)
            if path is not None:
                file, view = self._views[path][group.name, name]
                begin, length = start * group.dtype.itemsize, math.prod(shape) * group.dtype.itemsize
                patches.append(_Patch(begin, begin + length, file, view.offset))
        return patches


@dataclass(frozen=True)
class _Patch:
    """The bytes from `begin` to `end` of a group, which are in another file from `offset` on."""

    begin: int
    end: int
    file: File
    offset: int


def _patched(group: StreamedGroup, patches: Sequence[_Patch]) -> Iterator[memoryview]:
    start = 0
    for piece in group.pieces:
        stop = start + len(piece)
        inside = [patch for patch in patches if patch.begin < stop and start < patch.end]
        if inside:
            piece = memoryview(bytearray(piece))  # a copy: other threads may still be hashing the old bytes
        for patch in inside:
            first, last = max(start, patch.begin), min(stop, patch.end)
            piece[first - start : last - start] = patch.file.read(patch.offset + first - patch.begin, last - first)
        yield piece
        start = stop


def _is_of(array: str, node: str) -> bool:
    return array.startswith(f"{node}.")


def _described(found: tuple[np.dtype[Any], tuple[int, ...]] | None) -> str:
    return f"{found[1]} {found[0].name}" if found else "missing"


# Nodes


class _Renaming:
    """New names for nodes, in all places where the header uses the old ones.

    Nodes are those of `network.layers`, not those inside a composite or a node's `activation`. Arrays and references to
    a node are renamed as well. If the automatic names of other nodes (`linear_2`) depend on the old name, these
    nodes get their present names explicitly.
    """

    def __init__(self, header: Header, names: Mapping[str, str]) -> None:
        self.header = header
        self.spec = header.require_spec()
        self.network, self.training = self.spec.network, self.spec.training
        self.names = names
        self.nodes = header.stored_nodes()
        self.own = [node for node in self.nodes if not node.is_activation]
        self._check_old_names()
        self._check_new_names()
        if self.spec.nodes is None:
            self._check_that_all_names_are_known()
        losses = (self.training or {}).get("loss")
        self.outputs: list[str] = []  # with several outputs, names of figures begin with them: "species_loss"
        if isinstance(losses, dict) and type(losses.get("type")) is not str and len(losses) > 1:
            self.outputs = [*losses]

    def _check_old_names(self) -> None:
        own = {node.name for node in self.own}
        for old in self.names:
            if old in own:
                continue
            what = f"no node of network.layers is called {show(old)}"
            if any(node.name == old for node in self.nodes):
                what = f"{show(old)} is the activation of another node and cannot be named"
            elif old.partition(".")[0] in own:
                what = f"{show(old)} is inside a composite; only the nodes of network.layers can be renamed"
            raise Fault(what + did_you_mean(old, [node.name for node in self.own]), "rename")

    def _check_new_names(self) -> None:
        inputs = self.network.get("input")
        taken = set(inputs) if isinstance(inputs, dict) else {"input"}
        taken |= {node.name for node in self.nodes if node.name not in self.names}
        for new in self.names.values():
            if not NAME.fullmatch(new):
                raise Fault(f"a name consists of letters, digits, _ and -; found {show(new)}", "rename")
            if new in taken:
                raise Fault(f"the name {show(new)} is already used", "rename")
            taken.add(new)

    def _check_that_all_names_are_known(self) -> None:
        """Refuses a file without the names of its nodes if its automatic names cannot be known.

        A plugin's layer may have `activation` as a field of its own, and then it is not a node. Only the layer's class
        knows that, but the numbers in the automatic names of other nodes depend on it.
        """
        core = self._types_of_the_core()
        unnamed = (node for node in self.nodes if node.is_activation or not isinstance(node.table.get("name"), str))
        counts = Counter(node.type for node in unnamed)
        owners = {node.position: node.type for node in self.own}
        for node in self.nodes:
            if node.is_activation and owners[node.position] not in core and counts[node.type] > 1:
                owner = show(owners[node.position])
                what = f"the automatic names of {show(node.type)} nodes depend on {owner}, a layer of a plugin"
                raise Fault(f"{what}; load the model and save it again, which stores all names", "rename")

    def _types_of_the_core(self) -> set[str]:
        """The layers and activations of the file that come with modnet."""
        return {
            component.type
            for need in self.header.needs
            if normalized(need.distribution) == CORE
            for component in need.components
            if component.kind in ("layer", "activation")
        }

    def apply(self, groups: Sequence[StreamedGroup]) -> tuple[Header, list[StreamedGroup]]:
        """The header with the new names, and the groups with arrays named accordingly."""
        known = {node.name for node in self.nodes}
        for group in groups:
            for name, _, _ in group.views if group.name in NETWORK_GROUPS else ():
                if name.partition(".")[0] not in known:
                    raise Fault(f"the array {show(name)} does not belong to a node of the spec", "rename")
        return self._header(), [self._renamed(group) for group in groups]

    def _renamed(self, group: StreamedGroup) -> StreamedGroup:
        if group.name in NETWORK_GROUPS:
            new: Callable[[str], str] = self._of_array
        elif any(is_figures(group.name, key) for key in KEYS):
            new = self._of_figure
        else:
            return group
        return replace(group, views=[(new(name), offset, shape) for name, offset, shape in group.views])

    def _of(self, name: str) -> str:
        """The new name of a node, or of one of its outputs, `lstm_1.state`."""
        node, dot, output = name.partition(".")
        return self.names.get(name, f"{self.names.get(node, node)}{dot}{output}")

    def _of_array(self, name: str) -> str:
        node, dot, rest = name.partition(".")
        return f"{self._of(node)}{dot}{rest}"

    def _of_reference(self, name: Any) -> Any:
        """The new name in `inputs` or `shares`: of a node, or of one of its outputs, after a dot."""
        return self._of_array(name) if isinstance(name, str) else name

    def _header(self) -> Header:
        network = {**self.network, "layers": self._layers()}
        spec = {**self.header.values["spec"], "network": network}
        if self.spec.nodes is not None:
            spec["nodes"] = [[self._of(name) for name in names] for names in self.spec.nodes]
        if not isinstance(network.get("outputs"), list):
            return self.header.replace(spec=spec)
        # Outputs are called by their nodes where the spec lists them.
        network["outputs"] = [self._of_reference(name) for name in network["outputs"]]
        if self.training is not None:
            spec["training"] = self._training(self.training)
        return self.header.replace(spec=spec, **self._by_output())

    def _by_output(self) -> dict[str, Any]:
        """The parts of the header besides the spec that are named by outputs: figures and the targets of the data."""
        changes: dict[str, Any] = {}
        for key in KEYS if self.outputs else ():
            figures = getattr(self.header, key)
            changes[key] = {self._of_figure(name): value for name, value in figures.items()}
        schema = self.header.schema
        if schema is not None and isinstance(schema.get("targets"), dict):
            changes["schema"] = {**schema, "targets": self._rekeyed(schema["targets"])}
        return changes

    def _layers(self) -> list[dict[str, Any]]:
        """The tables of the nodes. Nodes whose automatic names would change get their present names explicitly.

        Each explicit name can change further automatic ones, so this repeats until all names are as wanted.
        """
        layers = [self._referring(node.table) for node in self.own]
        wanted = [self._of(node.name) for node in self.nodes]
        with_activation = {node.position for node in self.nodes if node.is_activation}
        explicit = set(self.names)
        while True:
            for node, table in zip(self.own, layers, strict=True):
                if node.name in explicit:
                    table["name"] = self._of(node.name)
            found = list(chain.from_iterable(automatic_names(layers, with_activation)))
            if found == wanted:
                return layers
            explicit |= self._changed(wanted, found, explicit)

    def _changed(self, wanted: Sequence[str], found: Sequence[str], explicit: Collection[str]) -> set[str]:
        """The nodes that would get other automatic names than they have, and need explicit ones."""
        changed = [node for node, old, new in zip(self.nodes, wanted, found, strict=True) if old != new]
        more = {node.name for node in changed if not node.is_activation}
        if more.issubset(explicit):
            what = f"this would also rename {show(changed[0].name)}, the activation of another node"
            raise Fault(what, "rename")
        return more

    def _referring(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """The table of a node with the new names of the nodes that it refers to."""
        made = dict(table)
        if isinstance(made.get("inputs"), list):
            made["inputs"] = [self._of_reference(name) for name in made["inputs"]]
        if isinstance(made.get("shares"), str):
            made["shares"] = self._of(made["shares"])
        return made

    def _training(self, training: Mapping[str, Any]) -> dict[str, Any]:
        """The training table, with new names in the parts that are keyed by output."""
        made = dict(training)
        for key in ("loss", "metrics"):
            value = made.get(key)
            if isinstance(value, dict) and not isinstance(value.get("type"), str):
                made[key] = self._rekeyed(value)
        return made

    def _rekeyed(self, table: Mapping[str, Any]) -> dict[str, Any]:
        return {self._of_array(key): value for key, value in table.items()}

    def _of_figure(self, figure: str) -> str:
        """The new name of a figure; if there are several outputs, it begins with the output's name."""
        rest = figure.removeprefix("validation_")
        output = max((name for name in self.outputs if rest.startswith(f"{name}_")), key=len, default="")
        return figure[: len(figure) - len(rest)] + self._of_array(output) + rest[len(output) :]

"""Components, spec and training of a model file, converted to the present versions of their classes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, TypeVar, cast

import modnet
from modnet.configuration.fields import Configuration
from modnet.configuration.reading import INVALID, Reading
from modnet.errors import BrokenPlugin, MalformedFile, NotInstalled, PluginError, UnknownType
from modnet.kinds import KINDS
from modnet.kinds.component import Component
from modnet.model.header import Header
from modnet.model.needs import Origins, by_component
from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import is_older, normalized
from modnet.plugins.faults import label_of, raised_text
from modnet.plugins.registry import Entry, Registry
from modnet.specs.components import Choice, ComponentReader
from modnet.specs.model import NetworkSpec, TrainingSpec
from modnet.words import itemised, show

C = TypeVar("C", bound=Configuration)

NODE_LIMIT, BYTES_FOR_A_NODE = 10_000, 256
"""How many nodes the network of a small file may have, and for how many bytes of a larger file there may be one more:
a single line of a spec can ask for any number.
"""

COMPONENTS_FOR_A_NODE = 4
"""How many components the spec of a file may name for each node that it may have: a layer and its options."""


def most_nodes(size: int) -> int:
    """How many nodes the network of a file of `size` bytes may have."""
    return NODE_LIMIT + size // BYTES_FOR_A_NODE


def read_spec(
    path: str | PathLike[str], header: Header, size: int, registry: Registry, known: Iterable[Component] = ()
) -> tuple[StoredComponentReader, NetworkSpec]:
    """The network's spec, converted to the present, and the reader for further components of the file.

    Args:
        size: of the file, in bytes.
        known: components whose classes are used for those that no distribution offers.

    Raises:
        ModelFileError: the file needs a newer modnet, or its spec is malformed.
        NotInstalled, BrokenPlugin: a component is not available.
        Fault: there is no network in it.
    """
    header.require_features(path)
    stored = header.require_spec()
    local = {(component.kind, component.type): type(component) for component in known}
    most = COMPONENTS_FOR_A_NODE * most_nodes(size)
    reader = StoredComponentReader(registry, path, by_component(header.needs), most, local)
    return reader, reader.configuration(NetworkSpec, stored.network, "network")


class StoredComponentReader(ComponentReader):
    """Reads components from a model file: only from the distribution that the file names for each.

    Args:
        registry: where they are looked up.
        path: the file.
        needs: the origin of each, from the file.
        most: how many components may be read.
        local: (kind, type) -> a class of the program, for those that no distribution offers.
    """

    old_names = True

    def __init__(
        self,
        registry: Registry,
        path: str | PathLike[str],
        needs: Origins,
        most: int,
        local: Mapping[tuple[str, str], type[Component]],
    ) -> None:
        super().__init__(registry)
        self.path = path
        self.needs = needs
        self.most = most
        self.local = local
        self._count = 0
        self._found: dict[tuple[str, str], Choice] = {}  # most components occur several times
        self._older: dict[tuple[str, str], str] = {}

    def configuration(self, cls: type[C], plain: Any, where: str) -> C:
        """A part of the file's spec.

        Raises:
            MalformedFile: with all its problems.
            NotInstalled, BrokenPlugin: a component is not available.
        """
        reading = Reading(self)
        made = cls.from_table(plain, (where,), reading)
        if made is INVALID:
            lines = [*itemised(map(str, reading.problems)), *self.other_releases()]
            raise MalformedFile(self.path, "\n".join(lines), "header.spec")
        return cast(C, made)

    def warn_of_older(self, stacklevel: int) -> None:
        """Warns, once, about installed distributions that are older than those that wrote the file."""
        for (distribution, version), installed in self._older.items():
            warnings.warn(
                f"{self.path} was written with {distribution} {version}, but {installed} is installed, which is older; "
                f"its results may differ:  pip install '{distribution}>={version}'",
                stacklevel=stacklevel + 1,
            )
        self._older.clear()

    def find(self, kind: type[Component], name: str) -> Choice:
        self._count += 1
        if self._count > self.most:
            raise MalformedFile(self.path, f"there are more components than the limit of {self.most:,}", "header.spec")
        found = self._found.get((kind.kind, name))
        if found is None:
            found = self._found[kind.kind, name] = self._find(kind, name)
        return found

    def _find(self, kind: type[Component], name: str) -> Choice:
        key = self._key(kind, name)
        distribution, version, _ = self.needs[key]
        if not distribution and key in self.local:
            return Choice(self.local[key])
        entry = self._entry(*key, distribution, version)
        found = entry.load()
        if (found.kind, found.type) != key:  # an activation listed as a layer, or a name with @
            raise UnknownType(f"{found.kind} {show(found.type)} is not listed in the file's needs")
        installed = entry.origin.version or modnet.__version__  # entries of the core have no version
        if distribution and installed != version and is_older(installed, version):
            self._older[distribution, version] = installed
        return Choice(found, self._qualified(key[0], name, distribution))

    def _qualified(self, kind: str, name: str, distribution: str) -> str:
        """The name with its distribution, or "" if the name is clear without it."""
        of_plugin = bool(distribution) and normalized(distribution) != CORE
        return f"{name}@{distribution}" if of_plugin and self.registry.is_taken(KINDS[kind], name) else ""

    def _key(self, kind: type[Component], name: str) -> tuple[str, str]:
        """Kind and name under which the file's needs list the component; activations are listed as layers."""
        for allowed in ("layer", "activation") if kind.kind == "layer" else (kind.kind,):
            if (allowed, name) in self.needs:
                return allowed, name
        raise UnknownType(f"{kind.kind} {show(name)} is not listed in the file's needs")

    def _entry(self, kind: str, name: str, distribution: str, version: str) -> Entry:
        """The installed entry of a component that the file needs. Raises NotInstalled."""
        try:
            return self.registry.entry(KINDS[kind], f"{name}@{distribution}" if distribution else name)
        except NotInstalled:
            what = f"{kind} {show(name)}"
            command = f"pip install {distribution}=={version}" if version else f"pip install {distribution}"
            message = f"this model needs {what} of {distribution} {version}, which is not installed:  {command}"
            raise NotInstalled(message, distribution, version) from None
        except UnknownType:
            raise _not_offered(f"{kind} {show(name)}", distribution, version) from None

    def other_releases(self) -> list[str]:
        """A line for each distribution of which another release is installed than the one that wrote the file."""
        lines = {}
        for (kind, name), (distribution, release, _) in self.needs.items():
            if kind not in KINDS or not distribution or normalized(distribution) == CORE:
                continue
            try:
                installed = self.registry.entry(KINDS[kind], f"{name}@{distribution}").origin.version
            except PluginError:
                continue
            if installed != release:
                message = f"written with {distribution} {release}, but {installed} is installed"
                lines[distribution] = f"{message}:  pip install {distribution}=={release}"
        return list(lines.values())

    def upgraded(self, cls: type[Component], table: dict[str, Any]) -> dict[str, Any]:
        distribution, release, version = self.needs[cls.kind, cls.type]
        if version == cls.version:
            return table
        what = f"{cls.kind} {show(cls.type)}"
        if version > cls.version:
            raise _too_new(what, cls.version, version, distribution, release)
        step = f"{label_of(cls, self.registry)} cannot be upgraded from version {version} to {cls.version}"
        try:
            upgraded = cls.upgrade(table, version)
        except Exception as error:
            raise BrokenPlugin(f"{step}: {raised_text(error)}") from error
        if not isinstance(upgraded, dict):
            raise BrokenPlugin(f"{step}: upgrade gave {show(upgraded)}; expected a table of options")
        return upgraded


def _not_offered(what: str, distribution: str, version: str) -> NotInstalled:
    """The error for a component that no installed distribution has."""
    if not distribution:
        return NotInstalled(
            f"this model needs {what}, which was defined by the program that saved it; register it first "
            "(modnet.default_registry().register, or --plugin FILE)",
            "",
        )
    if normalized(distribution) == CORE:
        message = f"this model needs {what} of {CORE} {version}; this is {CORE} {modnet.__version__}"
    else:
        message = f"this model needs {what} of {distribution} {version}; the installed version does not have it"
    return NotInstalled(f"{message}:  pip install {distribution}=={version}", distribution, version)


def _too_new(what: str, ours: int, theirs: int, distribution: str, release: str) -> NotInstalled:
    """The error for a component that is installed in an older version than the file needs."""
    if not distribution:
        return NotInstalled(
            f"this model needs version {theirs} of {what}, which was defined by the program that saved it; version "
            f"{ours} is registered",
            "",
        )
    return NotInstalled(
        f"this model needs version {theirs} of {what}, which is in {distribution} {release}; version {ours} is "
        f"installed:  pip install '{distribution}>={release}'",
        distribution,
        release,
    )


class UnreadTraining:
    """The training of a model file, as plain values: its components are loaded only if somebody needs them."""

    def __init__(self, plain: dict[str, Any], reader: StoredComponentReader) -> None:
        self.plain = plain
        self.reader = reader

    def read(self) -> TrainingSpec:
        training = self.reader.configuration(TrainingSpec, self.plain, "training")
        self.reader.warn_of_older(stacklevel=3)
        return training

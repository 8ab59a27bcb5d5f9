"""The typed header of a model file. Every rule about it is checked once, in `Header.parse`, and can be trusted then.

The container (`reader`, `writer`) treats a header as plain values; this module gives them their meaning. Only the class
of a component knows its options, so the tables of `spec` are checked only as far as possible without plugins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any, NamedTuple

import modnet
from modnet.errors import MalformedFile, NewerFormat
from modnet.kinds.node import automatic_name
from modnet.model.container import Fault
from modnet.model.needs import VERSION, Need, parse_needs
from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import is_older
from modnet.words import itemised, legible, show

CARD_KEYS = ("history", "metrics", "results", "metadata", "data")
"""The keys that are attributes of the model card, unchanged. `schema` is one as well, but has a class there."""


class StoredSpec(NamedTuple):
    """`header.spec`.

    Attributes:
        network: the `[network]` table.
        training: the `[training]` table, if it is known how the network was trained.
        nodes: for each of `network.layers` its name, and that of its activation if that is a separate node; None in an
            older file, in which automatic names follow from the list.
    """

    network: dict[str, Any]
    training: dict[str, Any] | None
    nodes: list[list[str]] | None


class StoredNode(NamedTuple):
    """A node of `spec.network.layers`, or its activation if that is a separate node.

    Attributes:
        name: chosen by the spec, or automatic.
        table: its type, its configuration and its options.
        position: in `network.layers`.
        is_activation: it is the `activation` of the node before it; its name is always automatic.
    """

    name: str
    table: dict[str, Any]
    position: int
    is_activation: bool

    @property
    def type(self) -> str:
        return str(self.table["type"])


# The rules. Each takes a value and its place, and returns the header's attribute for it, or raises Fault.


def _map(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise Fault(f"expected a map, found {show(value)}", where)
    return value


def _texts(value: Any, where: str) -> list[str]:
    if value is None:
        return []
    if type(value) is not list or not all(type(item) is str for item in value):
        raise Fault(f"expected a list of text, found {show(value)}", where)
    return value


def _map_of_text(value: Any, where: str) -> dict[str, str]:
    found = _map(value, where)
    for key, text in found.items():
        if type(text) is not str:
            raise Fault(f"expected text, found {show(text)}", f"{where}.{legible(key)}")
    return found


def _map_or_nil(value: Any, where: str) -> dict[str, Any] | None:
    return None if value is None else _map(value, where)


def _spec(value: Any, where: str) -> StoredSpec | None:
    if value is None:
        return None
    network = value.get("network") if type(value) is dict else None
    if type(network) is not dict:
        raise Fault("there is no network in it", where)
    layers = network.get("layers")
    if type(layers) is not list:
        raise Fault(f"expected a list of nodes, found {show(layers)}", f"{where}.network.layers")
    for position, layer in enumerate(layers):
        if _table(layer) is None:
            raise Fault(f"expected a table with a type, found {show(layer)}", f"{where}.network.layers[{position}]")
    training = _training(value.get("training"), f"{where}.training")
    return StoredSpec(network, training, _names(value.get("nodes"), layers, f"{where}.nodes"))


def _training(value: Any, where: str) -> dict[str, Any] | None:
    """A training table. Callbacks are refused: they write files, and a file from a stranger must not."""
    training = _map_or_nil(value, where)
    if training and training.get("callbacks"):
        what = "callbacks are not allowed in a model file: they belong to a run, and can write files"
        raise Fault(what, f"{where}.callbacks")
    return training


def _names(value: Any, layers: Sequence[Any], where: str) -> list[list[str]] | None:
    if value is None:
        return None
    if type(value) is not list or len(value) != len(layers):
        found = f"a list of {len(value):,}" if type(value) is list else show(value)
        raise Fault(f"expected a list of the names of {len(layers):,} nodes, found {found}", where)
    seen: set[str] = set()
    for position, (names, layer) in enumerate(zip(value, layers, strict=True)):
        place = f"{where}[{position}]"
        for name in _names_of_layer(names, layer, place):
            if name in seen:
                raise Fault(f"the name {show(name)} occurs twice", place)
            seen.add(name)
    return value


def _names_of_layer(names: Any, layer: Any, place: str) -> list[str]:
    """The name of a node, and that of its activation if it has one."""
    most = 1 if _activation(layer) is None else 2
    texts = _texts(names, place)
    if not 1 <= len(texts) <= most:
        what = "the name of the node" if most == 1 else "the name of the node and that of its activation"
        raise Fault(f"expected {what}, found {show(names)}", place)
    return texts


def _checkpoint(value: Any, where: str) -> dict[str, Any] | None:
    checkpoint = _map_or_nil(value, where)
    for key in ("step", "epoch") if checkpoint is not None else ():
        number = checkpoint.get(key) if checkpoint else None
        if type(number) is not int or number < 0:
            raise Fault(f"expected a whole number >= 0, found {show(number)}", f"{where}.{key}")
    if checkpoint is not None:
        _training(checkpoint.get("spec"), f"{where}.spec")
    return checkpoint


RULES: dict[str, Callable[[Any, str], Any]] = {
    "features": _texts,
    "made_by": _map_of_text,
    "needs": parse_needs,
    "spec": _spec,
    "schema": _map_or_nil,
    "history": _map,
    "metrics": _map,
    "results": _map,
    "metadata": _map,
    "data": _map_of_text,
    "training": _checkpoint,
}
"""Key -> the conversion of its value, which is None if the file has no such key."""


class Header:
    """What a model file says about itself. Made by `parse`; never changed: `replace` makes another.

    The attributes are the keys of the header; docs/format.md describes them. If a file does not have a key, the
    attribute is empty or None.

    Attributes:
        values: everything as plain values, including unknown keys, in the order of the file.
        training: the state of the run, in a checkpoint.
    """

    values: dict[str, Any]
    features: list[str]
    made_by: dict[str, str]
    needs: tuple[Need, ...]
    spec: StoredSpec | None
    schema: dict[str, Any] | None
    history: dict[str, Any]
    metrics: dict[str, Any]
    results: dict[str, Any]
    metadata: dict[str, Any]
    data: dict[str, str]
    training: dict[str, Any] | None

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Header:
        """Plain values as a header.

        Raises:
            Fault: what is wrong, and where: `header.spec.network.layers[0]`.
        """
        header = cls()
        header.values = values
        for key, rule in RULES.items():
            setattr(header, key, rule(values.get(key), f"header.{key}"))
        return header

    @classmethod
    def of_file(cls, path: str | PathLike[str], values: dict[str, Any]) -> Header:
        """The header of a file. Raises MalformedFile, or NewerFormat for a file of a newer release."""
        try:
            with naming_newer_release(path, values):
                return cls.parse(values)
        except Fault as fault:
            raise MalformedFile(path, fault.what, fault.where) from None

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for the container to write."""
        return self.values

    def replace(self, **changes: Any) -> Header:
        """The same header with other plain values for some keys; None removes a key."""
        dropped = [key for key, value in changes.items() if value is None]
        return Header.parse({key: value for key, value in {**self.values, **changes}.items() if key not in dropped})

    def unknown(self) -> dict[str, Any]:
        """The keys that later versions, or other programs, have put into the file."""
        return {key: value for key, value in self.values.items() if key not in RULES}

    def require_features(self, path: str | PathLike[str]) -> None:
        """Raises NewerFormat if the file uses any feature of later formats: this version knows none."""
        if self.features:
            names = ", ".join(itemised(map(legible, self.features)))
            release = _newer_release(self.values)
            wrote = f"; {CORE} {release} has written it:  pip install '{CORE}>={release}'" if release else ""
            raise NewerFormat(path, f"needs a newer {CORE}: it uses {names}{wrote}", "header.features")

    def require_spec(self) -> StoredSpec:
        """The spec of the network. Raises Fault if the file has none."""
        if self.spec is None:
            raise Fault("there is no network in it", "header.spec")
        return self.spec

    def stored_nodes(self) -> list[StoredNode]:
        """The nodes of the network, in order, a composite as one node; empty if there is no network."""
        if self.spec is None:
            return []
        tables = [_table(layer) or {} for layer in self.spec.network["layers"]]
        names = automatic_names(tables) if self.spec.nodes is None else self.spec.nodes
        made = []
        for position, (table, (name, *activation)) in enumerate(zip(tables, names, strict=True)):
            made.append(StoredNode(name, table, position, False))
            if activation:
                made.append(StoredNode(activation[0], _activation(table) or {}, position, True))
        return made


@contextmanager
def naming_newer_release(path: str | PathLike[str], values: Mapping[str, Any]) -> Iterator[None]:
    """Turns the error about what a file's header says into a NewerFormat if a newer release of the core has written it.

    Such a file may have options and keys that this release takes for mistakes.
    """
    try:
        yield
    except (Fault, MalformedFile) as error:
        release = _newer_release(values)
        if not release:
            raise
        advice = f"written with {CORE} {release}, which may know more than {modnet.__version__}, which is installed"
        # First, since the faults can be many and a message is cut.
        raise NewerFormat(path, f"{advice}:  pip install '{CORE}>={release}'\n{error.what}", error.where) from None


def _newer_release(values: Mapping[str, Any]) -> str:
    """The release of the core that has written a file, if it is newer than this one; otherwise empty."""
    made_by = values.get("made_by")
    release = made_by.get(CORE) if type(made_by) is dict else None
    if type(release) is not str or VERSION.fullmatch(release) is None or not is_older(modnet.__version__, release):
        return ""
    return release


def _table(value: Any) -> dict[str, Any] | None:
    """A component as a table; None if the value is not a component."""
    if type(value) is str:
        return {"type": value}
    return value if type(value) is dict and type(value.get("type")) is str else None


def _activation(layer: Any) -> dict[str, Any] | None:
    """The option `activation` of a node as a table; None if it has none."""
    return _table(layer.get("activation")) if type(layer) is dict else None


def automatic_names(
    tables: Sequence[dict[str, Any]], with_activation: Collection[int] | None = None
) -> list[list[str]]:
    """The names that modnet.engine.graph gives to nodes, for a header that does not have them. Keep the two the same.

    Args:
        with_activation: the positions of the nodes whose `activation` is a separate node; by default all that have one.
            Only the layer's class knows whether it is, or is a field of the layer itself.
    """
    chosen = {table["name"] for table in tables if type(table.get("name")) is str}
    counts: dict[str, int] = {}
    made = []
    for position, table in enumerate(tables):
        name = table.get("name")
        names = [name if type(name) is str else automatic_name(table["type"], counts, chosen)]
        activation = _activation(table)
        if activation is not None and (with_activation is None or position in with_activation):
            names.append(automatic_name(activation["type"], counts, chosen))
        made.append(names)
    return made

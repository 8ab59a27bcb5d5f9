"""Dotted paths into a spec: `training.optimizer.learning_rate`, `network.layers.linear_1.out_features`.

`--set`, overrides in Python and the ranges of `[search]` name values by them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from modnet.configuration.fields import Configuration
from modnet.kinds.node import automatic_name
from modnet.words import Path, did_you_mean, show

WITH_COMPONENTS = ("network", "training")
"""The tables of a spec in which a text may stand for a component, so that `"adam"` is `{ type = "adam" }`."""


def resolved(values: Any, dotted: str) -> Path:
    """The path of a dotted text in a spec's plain values: keys, and places in lists.

    An item of a list is given by its index, by its `name`, by the name that the network gives it (`linear_1`), or by
    its type where no other item has that. A key that is not there is taken as one to be added: whether the spec has
    such a key is known when it is read.

    Raises:
        LookupError: a list has no such item, or there can be nothing within a value.
    """
    path: list[str | int] = []
    for part in dotted.split("."):
        if not isinstance(values, str) or (path and path[0] in WITH_COMPONENTS):
            values = _table(values)
        key: str | int = part
        if isinstance(values, list | tuple):
            key = _place(values, part)
            values = values[key]
        elif isinstance(values, Mapping):
            values = values.get(part, {})
        else:
            raise LookupError(f"{show(values)} has no key {show(part)}")
        path.append(key)
    return tuple(path)


def with_value(values: Any, path: Path, value: Any) -> Any:
    """A copy of nested `values` with one value replaced or added.

    Args:
        path: as `resolved` gives it.
    """
    if not path:
        return value
    values = _table(values)
    key, *rest = path
    if isinstance(key, int):
        return [*values[:key], with_value(values[key], tuple(rest), value), *values[key + 1 :]]
    return {**values, key: with_value(values.get(key, {}), tuple(rest), value)}


def value_at(values: Any, path: Path) -> Any:
    """The value at a path that `resolved` gives.

    Raises:
        LookupError: there is none.
    """
    for key in path:
        values = _table(values)
        if not isinstance(values, Mapping | list | tuple):
            raise LookupError(f"{show(values)} has no key {show(key)}")
        values = values[key]  # type: ignore[index]  # a place in a list, or a key of a table
    return values


def single_values(values: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The single values within plain ones, each with its path; that of a component's type is the component's own."""
    if isinstance(values, Mapping | list | tuple):
        for key, item in values.items() if isinstance(values, Mapping) else enumerate(values):
            yield from single_values(item, (*path, key))
    elif values is not None:
        yield (path[:-1] if len(path) > 1 and path[-1] == "type" else path), values


def _table(values: Any) -> Any:
    """The table that a value stands for: of a component by its bare name, of one that is made already, of none."""
    if isinstance(values, str):
        return {"type": values}
    if values is None:
        return {}
    return values.plain() if isinstance(values, Configuration) else values


def _place(items: Sequence[Any], part: str) -> int:
    """The place of an item of a list."""
    if part.isascii() and part.isdigit():
        if len(part) < 10 and int(part) < len(items):
            return int(part)
        raise LookupError(f"{show(part)} is not an index of a list of {len(items)} items")
    names = _names(items)
    if part not in names:
        neither = f"{show(part)} is not an index of a list of {len(items)} items, nor the name of one"
        raise LookupError(f"{neither}{did_you_mean(part, names)}")
    return names[part]


def _names(items: Sequence[Any]) -> dict[str, int]:
    """Name -> the place of the item in its list: by its type, by the name that the network gives it, by its own."""
    tables = [table if isinstance(table, Mapping) else {} for table in map(_table, items)]
    types = [_type_of(table) for table in tables]
    chosen = {str(table["name"]): place for place, table in enumerate(tables) if "name" in table}
    return {**_single(types), **_automatic(tables, types, chosen), **chosen}


def _single(types: Sequence[str]) -> dict[str, int]:
    """The types that occur once."""
    frequent = Counter(types)
    return {kind: place for place, kind in enumerate(types) if kind and frequent[kind] == 1}


def _automatic(tables: Sequence[Mapping[str, Any]], types: Sequence[str], chosen: Container[str]) -> dict[str, int]:
    names = {}
    counts: dict[str, int] = {}
    for place, (table, kind) in enumerate(zip(tables, types, strict=True)):
        if kind and "name" not in table:
            names[automatic_name(kind, counts, chosen)] = place
        if table.get("activation") is not None:  # it is a node of its own, which is counted
            automatic_name(_type_of(_table(table["activation"])), counts, chosen)
    return names


def _type_of(table: Any) -> str:
    """The type name of a component's table, without the distribution that offers it; or ""."""
    return str(table.get("type", "")).partition("@")[0] if isinstance(table, Mapping) else ""

"""Where the components of a model come from: the key `needs` of a model file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from modnet.configuration.fields import Configuration
from modnet.errors import Problem, SpecError
from modnet.kinds.callback import Callback
from modnet.kinds.component import Component
from modnet.model.container import Fault
from modnet.plugins.registry import Registry
from modnet.words import show

_DISTRIBUTION = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,200}[A-Za-z0-9])?)?")
VERSION = re.compile(r"[A-Za-z0-9.!+_-]{0,200}")
"""What may be a version in a command that a message or card asks people to run."""


class NeededComponent(NamedTuple):
    """A component that a file needs, and its version."""

    kind: str
    type: str
    version: int


class Need(NamedTuple):
    """A distribution that a file needs, with the version that wrote it; "" for components of the program itself."""

    distribution: str
    version: str
    components: tuple[NeededComponent, ...]


Origins = dict[tuple[str, str], tuple[str, str, int]]
"""(kind, type) -> (distribution, its version, the component's version)"""


def parse_needs(value: Any, where: str) -> tuple[Need, ...]:
    """The needs of a header. Raises Fault with the place of what is wrong."""
    if value is None:
        return ()
    needs = tuple(_need(row, f"{where}[{number}]") for number, row in enumerate(_list(value, where)))
    seen: set[tuple[str, str]] = set()
    for component in (component for need in needs for component in need.components):
        key = component.kind, component.type
        if key in seen:
            raise Fault(f"the {component.kind} {show(component.type)} is listed twice", where)
        seen.add(key)
        if component.kind == Callback.kind:
            raise Fault("a callback is listed; callbacks are not allowed in a model file", where)
    return needs


def _list(value: Any, where: str) -> list[Any]:
    if type(value) is not list:
        raise Fault(f"expected a list, found {show(value)}", where)
    return value


def _need(row: Any, where: str) -> Need:
    if type(row) is not dict:
        raise Fault(f"expected a map of distribution, version and components, found {show(row)}", where)
    # Both become part of a command (pip install ...) that a message asks the user to run.
    for key, pattern in (("distribution", _DISTRIBUTION), ("version", VERSION)):
        if type(row.get(key)) is not str or not pattern.fullmatch(row[key]):
            raise Fault(f"expected the {key} of a Python package, found {show(row.get(key))}", f"{where}.{key}")
    components = _list(row.get("components"), f"{where}.components")
    parsed = (_component(item, f"{where}.components[{number}]") for number, item in enumerate(components))
    return Need(row["distribution"], row["version"], tuple(parsed))


def _component(item: Any, where: str) -> NeededComponent:
    if type(item) is not dict:
        raise Fault(f"expected a map of kind, type and version, found {show(item)}", where)
    for key in ("kind", "type"):
        if type(item.get(key)) is not str:
            raise Fault(f"expected text, found {show(item.get(key))}", f"{where}.{key}")
    version = item.get("version")
    if type(version) is not int or version < 1:
        raise Fault(f"expected a whole number >= 1, found {show(version)}", f"{where}.version")
    return NeededComponent(item["kind"], item["type"], version)


def by_component(needs: Iterable[Need]) -> Origins:
    """Each component that is needed, and where it comes from."""
    return {
        (component.kind, component.type): (need.distribution, need.version, component.version)
        for need in needs
        for component in need.components
    }


def plain_needs(origins: Origins) -> list[dict[str, Any]]:
    """Needs in the form of the header: by distribution, sorted, so that the same network gives the same bytes."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for (kind, name), (distribution, version, number) in sorted(origins.items()):
        rows.setdefault((distribution, version), []).append({"kind": kind, "type": name, "version": number})
    return [
        {"distribution": distribution, "version": version, "components": components}
        for (distribution, version), components in sorted(rows.items())
    ]


def origins_of(components: Iterable[Component], registry: Registry) -> Origins:
    """Where components come from.

    Raises:
        SpecError: two components have the same name but different distributions; a file could not tell them apart.
    """
    found: Origins = {}
    versions = {type(component): component.version for component in components}
    for cls, number in versions.items():
        origin = registry.origin(cls)
        key = origin.kind, origin.type
        other = found.get(key)
        if other is not None and other[0] != origin.distribution:
            places = " and ".join(name or "this program" for name in sorted((other[0], origin.distribution)))
            what = f"there are two components {origin.kind} {show(origin.type)}, of {places}"
            hint = "use only one of them"
            raise SpecError([Problem("network", f"{what}; a model file can hold only one with that name", hint)])
        found[key] = origin.distribution, origin.version, number
    return found


def components_of(value: Any) -> list[Component]:
    """All components in a configuration value, each before those inside it."""
    found = [value] if isinstance(value, Component) else []
    if isinstance(value, Configuration):
        value = vars(value)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for item in value:
            found += components_of(item)
    return found


def bare(plain: Any) -> Any:
    """A plain value as a file holds it: components by bare names, because `needs` has their distributions."""
    if isinstance(plain, dict):
        made = {key: bare(value) for key, value in plain.items()}
        if isinstance(made.get("type"), str):
            made["type"] = made["type"].partition("@")[0]
        return made
    return [bare(item) for item in plain] if isinstance(plain, list) else plain

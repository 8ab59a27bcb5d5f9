"""The pages of the reference for the plugins in this repository."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from generation.components import PLURALS, Offered, Page, component, contents
from generation.markdown import table
from modnet.kinds import GROUPS
from modnet.kinds.component import Component
from modnet.plugins.registry import Registry

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


class Plugin(NamedTuple):
    """A plugin that has components.

    Attributes:
        name: of the distribution, and of its folder.
        description: what its metadata say.
        types: the names of its components.
        offered: kind -> the components; None where what the plugin needs is not installed here.
    """

    name: str
    description: str
    types: list[str]
    offered: dict[str, Offered] | None


def plugins() -> Iterator[Plugin]:
    """Imported from this clone, whether they are installed or not."""
    for path in sorted(PLUGINS.glob("*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        points = project.get("entry-points", {})
        groups = {kind: points[group] for kind, group in GROUPS.items() if group in points}
        if groups:
            types = [name for offered in groups.values() for name in offered]
            yield Plugin(project["name"], project["description"], types, imported(path.parent, groups))


def imported(folder: Path, groups: dict[str, dict[str, str]]) -> dict[str, Offered] | None:
    sys.path.insert(0, str(folder))
    try:
        return {kind: {found(value): value for value in points.values()} for kind, points in groups.items()}
    except ImportError:
        return None
    finally:
        sys.path.remove(str(folder))


def found(value: str) -> type:
    module, _, name = value.partition(":")
    return getattr(import_module(module), name)


def classes_of(plugin: Plugin) -> list[type[Component]]:
    return [cls for classes in (plugin.offered or {}).values() for cls in classes]


def plugin_page(plugin: Plugin) -> str:
    assert plugin.offered is not None
    registry = Registry(list)
    for cls in classes_of(plugin):
        registry.register(cls)
    page = Page.of(registry, "../", plugin.types)
    blocks = [
        f"# {plugin.name}",
        f"{plugin.description}. How to install and use it: [{plugin.name}](../../../plugins/{plugin.name}/README.md).",
    ]
    for kind, classes in plugin.offered.items():
        blocks += [f"## {PLURALS[kind].capitalize()}", contents(classes)]
        for cls, value in classes.items():
            blocks += [f"### `{cls.type}`", *component(cls, value, page)]
    return "\n\n".join(blocks) + "\n"


def table_of_plugins(known: list[Plugin]) -> str:
    rows = []
    for plugin in known:
        page = f"plugins/{plugin.name}.md"
        rows.append((f"[{plugin.name}]({page})", " ".join(f"[`{name}`]({page}#{name})" for name in plugin.types)))
    return table(("plugin", "types"), rows)

"""How a registry shows itself in a notebook: the types that a spec can name, and who offers them."""

from __future__ import annotations

from collections.abc import Iterable

from modnet.kinds import GROUPS
from modnet.pictures import html
from modnet.plugins.builtin import CORE
from modnet.words import counted


def registry_html(components: Iterable[tuple[str, str, str]]) -> str:
    """The types of each distribution, kind by kind.

    Args:
        components: (distribution, kind, type) of each; the first is "" for a class of the program.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for distribution, kind, name in components:
        found.setdefault(distribution or "this program", {}).setdefault(kind, []).append(name)
    count = sum(len(types) for offered in found.values() for types in offered.values())
    parts = []
    for distribution, offered in found.items():
        rows = ((kind, ", ".join(offered[kind])) for kind in GROUPS if kind in offered)
        shown = html.table((distribution, ""), rows, left=2)
        parts.append(shown if distribution == CORE else html.folded(distribution, shown))
    return html.block(f"Registry of {counted(count, 'component')}", *parts)

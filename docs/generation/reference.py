"""The reference: its front page, and which pages there are."""

from __future__ import annotations

from collections.abc import Iterator

from generation.components import PLURALS, built_in, kind_page, path_of_drawing, table_of_types
from generation.curves import drawing
from generation.markdown import table
from generation.names import python_page, testing_page
from generation.plugins import Plugin, classes_of, plugin_page, plugins, table_of_plugins

MADE = "<!-- Made by `python docs/generate.py` from the classes and their docstrings: change those. -->"


def reference() -> Iterator[tuple[str, str]]:
    """(name in docs/reference, text) of each page and each drawing."""
    known = list(plugins())
    pages = {
        "index.md": front_page(known),
        **{f"{plural}.md": kind_page(kind) for kind, plural in PLURALS.items()},
        "python.md": python_page(),
        "testing.md": testing_page(),
        **{f"plugins/{plugin.name}.md": plugin_page(plugin) for plugin in known if plugin.offered is not None},
    }
    for name, text in pages.items():
        yield name, f"{MADE}\n\n{text}"
    classes = [cls for kind in PLURALS for cls in built_in(kind)]
    classes += [cls for plugin in known for cls in classes_of(plugin)]
    for cls in classes:
        drawn = drawing(cls)
        if drawn:
            yield path_of_drawing(cls), drawn[1]


def not_imported() -> list[str]:
    """The plugins whose pages are left as they are, because something that they need is not installed."""
    return [plugin.name for plugin in plugins() if plugin.offered is None]


def front_page(known: list[Plugin]) -> str:
    others = [
        ("[python.md](python.md)", "the public names of `modnet`: classes, functions, errors"),
        ("[testing.md](testing.md)", "`modnet.testing`: what the author of a component tests it with"),
    ]
    blocks = [
        "# Reference",
        "What is built in, a page for each kind of component. Each component has its equation, its source, its "
        "options, an example in TOML and, where it is a function of a number, its curve.",
        table_of_types("", linked=True),
        'A component\'s options are keys of its table in a [spec](../spec.md), `{ type = "dropout", rate = 0.2 }`, '
        "and arguments of its class, `Dropout(rate=0.2)`; both are checked in the same way. Shapes are those of one "
        "sample, without the batch axis, unless they say `batch`.",
        "The plugins that are developed together with modnet have pages of the same form:",
        table_of_plugins(known),
        "The names for programs:",
        table(("page", "what it has"), others),
    ]
    return "\n\n".join(blocks) + "\n"

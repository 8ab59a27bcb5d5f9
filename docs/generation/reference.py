"""The reference: its front page, and which pages there are."""

from __future__ import annotations

from collections.abc import Iterator

from generation.components import PLURALS, kind_page, table_of_types
from generation.markdown import table
from generation.names import python_page, testing_page

MADE = "<!-- Made by `python docs/generate.py` from the classes and their docstrings: change those. -->"


def reference() -> Iterator[tuple[str, str]]:
    """(name in docs/reference, text) of each page."""
    pages = {
        "index.md": front_page(),
        **{f"{plural}.md": kind_page(kind) for kind, plural in PLURALS.items()},
        "python.md": python_page(),
        "testing.md": testing_page(),
    }
    for name, text in pages.items():
        yield name, f"{MADE}\n\n{text}"


def front_page() -> str:
    others = [
        ("[python.md](python.md)", "the public names of `modnet`: classes, functions, errors"),
        ("[testing.md](testing.md)", "`modnet.testing`: what the author of a component tests it with"),
    ]
    blocks = [
        "# Reference",
        "What is built in, a page for each kind of component.",
        table_of_types("", linked=True),
        'A component\'s options are keys of its table in a [spec](../spec.md), `{ type = "dropout", rate = 0.2 }`, and '
        "arguments of its class, `Dropout(rate=0.2)`; both are checked alike. Shapes are those of one sample, without "
        "the batch axis, unless they say `batch`.",
        "The names for programs:",
        table(("page", "what it has"), others),
    ]
    return "\n\n".join(blocks) + "\n"

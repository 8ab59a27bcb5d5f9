"""Markdown of docstrings, tables and values."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from typing import Any

from modnet.configuration.fields import Configuration
from modnet.kinds.component import Component
from modnet.words import show

SECTION = re.compile(r"^(Attributes|Fields|Args|Returns|Raises):\n((?: {4}.*(?:\n|$)|\n(?= {4}))+)", re.MULTILINE)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def prose(text: str) -> str:
    """The text of a docstring as Markdown: what would be emphasis, markup or a list is escaped outside of `code`."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([*\\]|<(?=\w)|^[-+#>](?= ))", r"\\\1", part, flags=re.MULTILINE) for part in parts[::2]]
    return "".join(parts)


def documentation(documented: Any) -> Iterator[str]:
    """The paragraphs and lists of an object's own docstring, but for fields, which have a table of their own."""
    fields = getattr(documented, "__fields__", ())
    # `__doc__` and not `getdoc`: what a base class says is said of the base class.
    text = cleandoc(documented.__doc__ or "") + "\n"
    first, *rest = SECTION.split(text)
    yield prose(first.strip())
    for title, body, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if title == "Returns":
            yield f"Returns: {prose(' '.join(body.split()))}"
        else:
            entries = re.sub(r"\n +", " ", textwrap.dedent(body)).strip().splitlines()
            pairs = [entry.partition(": ")[::2] for entry in entries]
            items = [f"- `{names}`: {prose(text)}" for names, text in pairs if names.split(", ")[0] not in fields]
            if items:
                yield f"{title}:\n\n" + "\n".join(items)
        if after.strip():
            yield prose(after.strip())


def toml(value: Any) -> str:
    """A value as a spec file has it."""
    if isinstance(value, Configuration):
        fields = type(value).__fields__
        options = {n: v for n, v in vars(value).items() if fields[n].required or v != fields[n].default}
        if isinstance(value, Component):
            options = {"type": value.type, **options}
        else:  # a node: the layer's options stand in the node's table
            return toml(next(iter(options.values())))
        if len(options) == 1:
            return show(value.type)
        return "{ " + ", ".join(f"{name} = {toml(option)}" for name, option in options.items()) + " }"
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return show(value)


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """The page with the blocks between their markers."""
    for name, block in blocks.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found and found_end):
            raise SystemExit(f"expected {begin} and {end} in the page, found them not")
        page = f"{before}{begin}\n{block}\n{end}{after}"
    return page

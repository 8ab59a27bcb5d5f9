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

GREEK = {"theta": "θ", "eta": "η", "lambda": "λ", "pi": "π", "Phi": "Φ"}
"""Those letters that are no names of options."""
SUPERSCRIPTS = {"2": "²", "3": "³", "4": "⁴", "-1": "⁻¹"}
SIGNS = [
    (re.compile(r"(?<=[\w)])(?:\*\*|\^)(2|3|4|-1)(?!\.?\d)"), lambda found: SUPERSCRIPTS[found[1]]),
    (re.compile(r"(?<=[\w)])\*\*(?=\w)"), "^"),
    (re.compile(r"(?<=\S)( |\n)\*\s(?=\S)"), r"\1· "),
    (re.compile(r"\bsqrt(?=\()"), "√"),
    (re.compile(r"(?<=\s)->(?=\s)"), "→"),
    (re.compile(r"<="), "≤"),
    (re.compile(r">="), "≥"),
    (re.compile(rf"\b({'|'.join(GREEK)})\b"), lambda found: GREEK[found[1]]),
]
"""What is typed in docstrings -> the sign that is shown."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def prose(text: str) -> str:
    """The text of a docstring as Markdown: with signs for what is typed in ASCII, and without accidental markup.

    `code` and indented lines stay as they are.
    """
    parts = re.split(r"(`[^`]*`|^ {4}.*$)", text, flags=re.MULTILINE)
    parts[::2] = [
        re.sub(r"([*\\]|<(?=\w)|^[-+#>](?= ))", r"\\\1", typeset(part), flags=re.MULTILINE) for part in parts[::2]
    ]
    return "".join(parts)


def typeset(text: str) -> str:
    """`theta**2 * sqrt(x) >= 0` as θ² · √(x) ≥ 0."""
    for pattern, sign in SIGNS:
        text = pattern.sub(sign, text)
    return text


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

"""The page: its parts, and how they become one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import modnet
from modnet.arrays import Array
from modnet.assessment.pictures import Picture, svg_element
from modnet.errors import MissingExtra
from modnet.pictures.svg import Drawing
from modnet.records import Record


class Tile(Record):
    """A figure at the top of the page: what it is, its value, and how sure it is or what it is to be compared with."""

    label: str
    value: str
    note: str = ""


class Block(Record, eq=False):
    """A piece of a part: a heading, texts, and one thing to look at.

    Attributes:
        head, rows: of a table; the first `left` columns are texts.
        kind: of the table, a class of the style sheet.
        facts: pairs of a name and a value.
        confusion: the names of classes, and how many rows of each class are predicted as each.
        code: lines of a program or a command.
    """

    heading: str = ""
    texts: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    left: int = 1
    kind: str = ""
    facts: Sequence[Sequence[str]] = ()
    confusion: tuple[Sequence[str], Array] | None = None
    drawing: Drawing | None = None
    code: str = ""


class Part(Record, eq=False):
    """A part of the page, with its title and the anchor for links to it."""

    anchor: str
    title: str
    blocks: Sequence[Block]


def require_page() -> None:
    """Checks that all is installed that a page needs.

    Raises:
        MissingExtra: it is not.
    """
    for library in ("jinja2", "matplotlib"):
        try:
            __import__(library)
        except ImportError:
            raise MissingExtra(library, extra="report", purpose="a report") from None


def page_of(title: str, sentence: str, tiles: Sequence[Tile], parts: Sequence[Part]) -> str:
    """The whole page. Every text in it is escaped: names of columns and classes may be anything.

    Raises:
        MissingExtra: jinja2 or matplotlib is not installed.
    """
    require_page()
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = files("modnet.assessment.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(folder.joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(
        title=title,
        sentence=sentence,
        tiles=tiles,
        parts=[{**vars(part), "blocks": [_plain(block, Markup) for block in part.blocks]} for part in parts],
        style=Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
        version=modnet.__version__,
    )


def _plain(block: Block, markup: Any) -> dict[str, Any]:
    """A block as the template takes it; `markup` says of a text that it is HTML already."""
    drawn = [(picture.name, markup(svg_element(picture))) for picture in block.pictures]
    drawing = block.drawing and markup(block.drawing.inline())
    confusion = block.confusion and _cells(*block.confusion)
    return {**vars(block), "pictures": drawn, "drawing": drawing, "confusion": confusion}


def _cells(classes: Sequence[str], counts: Array) -> dict[str, Any]:
    """The cells of a confusion matrix, each with its share of its row."""
    totals = counts.sum(axis=1)
    rows = [
        [{"count": f"{count:,}", "share": f"{count / max(total, 1):.3f}"} for count in row]
        for row, total in zip(counts.tolist(), totals.tolist(), strict=True)
    ]
    return {"classes": list(classes), "rows": rows}

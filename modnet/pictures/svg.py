"""SVG without a library: texts are escaped, and a file can be read on a light and on a dark background."""

from __future__ import annotations

import os
from html import escape

from modnet.pictures.palette import THEMES
from modnet.records import Record
from modnet.words import printable

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"

UNTRUSTED = "Jupyter shows this picture when the notebook is trusted, or when you run the cell."

MARGIN = 12
"""Around a picture that is a file, in pixels."""


def escaped(text: object) -> str:
    """A text as part of HTML or SVG, in which no name from a stranger's file is taken for an element or a quote."""
    return escape(printable(str(text)), quote=True)


class Drawing(Record):
    """A picture as SVG; its text and lines have the colour of the text around it.

    Attributes:
        body: the elements.
        width, height: in pixels.
        title: what it shows, for those who cannot see it.
    """

    body: str
    width: float
    height: float
    title: str

    def inline(self) -> str:
        """An element `svg` for a page, which gives it its colour and its background."""
        return self._inline()

    def in_notebook(self) -> str:
        """An element for a notebook.

        In a notebook that is not trusted, Jupyter removes the elements of SVG and leaves their texts. They have no size
        then, and a note says why there is no picture.
        """
        note = (
            f'<foreignObject display="none"><span style="font-size: 13px">{escaped(UNTRUSTED)}</span></foreignObject>'
        )
        return f'<div style="font-size: 0px">{self._inline(note)}</div>'

    def _inline(self, last: str = "") -> str:
        box = f"0 0 {self.width:.0f} {self.height:.0f}"
        size = f'width="{self.width:.0f}" height="{self.height:.0f}" style="max-width: 100%; height: auto"'
        return f"{_opening(box, size)}<title>{escaped(self.title)}</title>{self.body}{last}</svg>"

    def file(self) -> str:
        """The content of a file: it has a background of its own, light or dark as the reader's system is."""
        width, height = self.width + 2 * MARGIN, self.height + 2 * MARGIN
        box = f"{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}"
        size = f'width="{width:.0f}" height="{height:.0f}"'
        paper = f'<rect class="paper" x="{-MARGIN}" y="{-MARGIN}" width="100%" height="100%"/>'
        title = f"<title>{escaped(self.title)}</title>"
        return f"{_opening(box, size)}{title}{THEME}{paper}\n{self.body}</svg>\n"

    def _repr_html_(self) -> str:
        return self.in_notebook()

    def __repr__(self) -> str:
        return f"<Drawing: {self.title}, {self.width:.0f} x {self.height:.0f}>"


def _opening(box: str, size: str) -> str:
    font = f'font-family="{FONT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" {size} role="img" {font} fill="currentColor">'


def _theme() -> str:
    rules = {name: f"svg {{ color: {ink} }} .paper {{ fill: {paper} }}" for name, (ink, paper) in THEMES.items()}
    return f"<style>{rules['light']} @media (prefers-color-scheme: dark) {{ {rules['dark']} }}</style>"


THEME = _theme()
"""The style sheet of a file."""


def text_at(x: float, y: float, text: object, **attributes: object) -> str:
    """A text at a place; `anchor`, `size` and `weight` are those of the font, others attributes of their name."""
    names = {"anchor": "text-anchor", "size": "font-size", "weight": "font-weight"}
    given = "".join(f' {names.get(name, name)}="{escaped(value)}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{escaped(text)}</text>'


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a picture that is complete in memory, so that an older file is kept if one cannot be drawn.

    Raises:
        OSError: the file cannot be written.
    """
    with open(os.path.expanduser(path), "wb") as file:
        file.write(content)

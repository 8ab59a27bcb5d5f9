"""Figures of matplotlib: in the colours of all pictures, and as files that can be read on light and dark screens."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import PurePath
from typing import Any
from zlib import crc32

from modnet.errors import DataError, MissingExtra
from modnet.pictures.palette import COLOURS, INK
from modnet.pictures.svg import FONT, THEME, write_whole
from modnet.words import show

FORMATS = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")

DPI = 150
"""Pixels in an inch of a file that has pixels."""

_INKED = ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")


def draw(
    fill: Callable[[Any], object],
    size: tuple[float, float],
    path: str | os.PathLike[str] | None = None,
    extra: str = "plot",
) -> Any:
    """A picture by matplotlib.

    Args:
        fill: draws into the empty figure that it is given.
        size: width and height in inches.
        path: the file to write; by default the figure is only returned.
        extra: with which matplotlib is installed, for the message.

    Raises:
        MissingExtra: matplotlib is not installed.
        DataError: the suffix of the path is of no format of pictures.
        OSError: the file cannot be written.
    """
    if path is not None:
        check_format(path)
    require_matplotlib(extra)
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    with rc_context(_style()):
        figure = _with_picture(Figure)(figsize=size, layout="constrained")
        fill(figure)
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # a $ in the name of a column is a $
        for axes in figure.axes:
            _plain_numbers(axes.xaxis)
            _plain_numbers(axes.yaxis)
    if path is not None:
        write_whole(path, drawn(figure, PurePath(path).suffix[1:].lower()))
    return figure


def require_matplotlib(extra: str = "plot") -> None:
    """Checks that pictures can be drawn.

    Args:
        extra: with which matplotlib is installed, for the message.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtra("matplotlib", extra=extra, purpose="plotting" if extra == "plot" else "a report") from None


def _plain_numbers(axis: Any) -> None:
    """Writes the numbers of a logarithmic axis without formulas, which would stay as they are."""
    if axis.get_scale() == "log":
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")


def _style() -> dict[Any, Any]:
    """The options of matplotlib, on which no file of the user's has an influence as far as they go."""
    return {
        **dict.fromkeys(_INKED, INK),
        "axes.prop_cycle": f"cycler('color', {COLOURS!r})",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": "medium",
        "font.size": 9,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "path.simplify_threshold": 0.4,
    }


def drawn(figure: Any, form: str) -> bytes:
    """A figure as the content of a file of a format, "png" or "svg"."""
    return _svg_file(_saved_svg(figure, "modnet")).encode() if form == "svg" else _saved(figure, form, dpi=DPI)


def inline_svg(figure: Any, name: str) -> str:
    """A figure as an element `svg` of a page: as wide as its place, in the page's own font and colour of text.

    Args:
        name: of the picture; no other one of the page has it.
    """
    text = re.sub(r"<style\b.*?</style>", "", _saved_svg(figure, name), flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?) (?:width|height)="[^"]*"', r"\1", text)
    text = re.sub(r'(<svg [^>]*?) (?:width|height)="[^"]*"', r"\1", text)
    own = crc32(name.encode())  # the names of its parts are names of the whole page
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>p{own:08x}-", text)


def check_format(path: str | os.PathLike[str]) -> None:
    """Checks a path before there is anything to draw.

    Raises:
        DataError: the suffix is of no format of pictures.
    """
    suffix = PurePath(path).suffix
    if suffix.lower() not in FORMATS:
        raise DataError(f"{path}: no picture is written as {show(suffix)}; expected {', '.join(FORMATS)}")


def _saved(figure: Any, form: str, **options: Any) -> bytes:
    from matplotlib import rc_context

    buffer = BytesIO()
    # The same figure gives the same file; texts stay texts, in a font of the reader.
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        # The names of columns and classes may be in any script; a sign that a font lacks becomes a box.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        figure.savefig(buffer, format=form, **options)
    return buffer.getvalue()


def _saved_svg(figure: Any, salt: str) -> str:
    """An element `svg` whose texts have the colour of the text around it."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": salt}):
        text = _saved(figure, "svg", transparent=True, metadata={"Date": None}).decode()
    text = re.sub(r"<metadata\b.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"(font: [^;\"]*?\d+px) [^;\"]*", rf"\1 {FONT}", text)
    return text.replace(INK, "currentColor")


def _svg_file(element: str) -> str:
    """The element as a file, with a background that is light or dark as the reader's system is."""
    paper = f'{THEME}<rect class="paper" width="100%" height="100%"/>'
    return re.sub(r"(<svg [^>]*>)", rf"\1{paper}", element, count=1)


def _with_picture(figure: Any) -> Any:
    """A class of figures that notebooks display without matplotlib's own integration (pyplot)."""

    class Figure(figure):  # type: ignore[misc]
        def _repr_png_(self) -> bytes:
            return _saved(self, "png", dpi=100)

    return Figure

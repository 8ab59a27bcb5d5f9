"""Pictures by matplotlib, for explanations and reports: made in memory, and written as whole files."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

from modnet.engine.history import draw
from modnet.errors import DataError, MissingExtra
from modnet.model.atomic import replace_file
from modnet.records import Record
from modnet.words import legible, show

FORMATS = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")

WIDTH, NARROW = 6.4, 4.2
"""Of a picture in a file, and on a page that is also read on a phone, in inches."""

INK = "#010203"
"""Of texts and axes in a picture for a page, where they get the colour of the page's own text."""

LONGEST = 28
"""The most characters of a name in a picture."""

FIRST, SECOND = "#3b7dd8", "#d9663b"
"""Colours that can be told apart by everyone, on white and on black."""

COLOURS = (FIRST, SECOND, "#3f9e6b", "#a55bc2", "#b8922b", "#5aa7b5", "#c2557f", "#7d7d7d")


class Picture(Record, eq=False):
    """A picture that can be drawn by itself or beside others.

    Attributes:
        name: for its file, without the suffix.
        draw: draws it, given axes of matplotlib.
        height: in inches.
    """

    name: str
    draw: Callable[[Any], None]
    height: float = 3.2


def figure_of(pictures: Sequence[Picture], width: float = WIDTH) -> Any:
    """A figure of matplotlib with some pictures, one below the other.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    heights = [picture.height for picture in pictures]

    def fill(figure: Any) -> None:
        from matplotlib.text import Text

        axes = figure.subplots(len(pictures), 1, squeeze=False, height_ratios=heights)[:, 0]
        for picture, place in zip(pictures, axes, strict=True):
            picture.draw(place)
            place.spines[["top", "right"]].set_visible(False)
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # a $ in the name of a column is a $

    return draw(fill, (width, sum(heights)))


def drawn(figure: Any, form: str, **options: Any) -> bytes:
    """A figure as the content of a file of a format, "png" or "svg"."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        # The names of columns and classes may be in any script; a sign that a font lacks becomes a box.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        figure.savefig(buffer, format=form, **options)
    return buffer.getvalue()


def inline_svg(picture: Picture) -> str:
    """A picture as an element `svg` of a page: as wide as its place, in the page's own font and colour of text.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
    except ImportError:
        raise MissingExtra("matplotlib", extra="report", purpose="a report") from None
    colours = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    options: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": picture.name, "font.size": 9}
    options["legend.frameon"] = False
    options |= dict.fromkeys(colours, INK)
    with rc_context(options):
        made = drawn(figure_of([picture], NARROW), "svg", transparent=True, metadata={"Date": None})
    text = made.decode("utf-8")
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?) (?:width|height)="[^"]*"', r"\1", text)
    text = re.sub(r'(<svg [^>]*?) (?:width|height)="[^"]*"', r"\1", text)
    text = re.sub(r"(font: [^;\"]*?\d+px) [^;\"]*", r"\1 system-ui, sans-serif", text)
    own = crc32(picture.name.encode())  # the names of its parts are names of the whole page
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>p{own:08x}-", text)
    return text.replace(INK, "currentColor")


def check_pictures(path: str | os.PathLike[str]) -> None:
    """Checks a path for `write_pictures` before there is anything to draw.

    Raises:
        DataError: the suffix is of no format of pictures.
    """
    suffix = Path(path).suffix
    if suffix and suffix.lower() not in FORMATS and not Path(path).is_dir():
        raise DataError(f"{path}: no picture is written as {show(suffix)}; expected a folder, or {', '.join(FORMATS)}")


def write_pictures(pictures: Sequence[Picture], path: str | os.PathLike[str]) -> list[Path]:
    """Writes pictures: all into one file if the path has the suffix of a picture, each as .png into a folder otherwise.

    Returns:
        The files.

    Raises:
        MissingExtra: matplotlib is not installed.
        DataError: the suffix is of no format of pictures.
        OSError: a file cannot be written.
    """
    check_pictures(path)
    place = Path(path).expanduser()
    if place.suffix and not place.is_dir():
        _write(place, pictures)
        return [place]
    place.mkdir(exist_ok=True)
    written = [place / f"{name}.png" for name in _file_names(picture.name for picture in pictures)]
    for file, picture in zip(written, pictures, strict=True):
        _write(file, [picture])
    return written


def _write(path: Path, pictures: Sequence[Picture]) -> None:
    replace_file(path, [drawn(figure_of(pictures), path.suffix[1:].lower(), dpi=150)], durable=False)


def _file_names(names: Iterable[str]) -> list[str]:
    """Names of pictures as names of files, each another."""
    found: list[str] = []
    for name in names:
        plain = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name)[:80].strip(".") or "_"
        free, count = plain, 1
        while free.lower() in {known.lower() for known in found}:
            count += 1
            free = f"{plain}_{count}"
        found.append(free)
    return found


def short(name: str) -> str:
    """A name, short enough for a picture."""
    return legible(name, LONGEST)


def legend_above(axes: Any, entries: int) -> None:
    """Draws a legend above the axes, where it covers nothing."""
    columns = min(entries, 3)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, fontsize="small", borderpad=0)


def bars(axes: Any, amounts: Mapping[str, float] | Sequence[tuple[str, float]], **options: Any) -> None:
    """Draws bars to the right and the left, the first at the top, with their names.

    Args:
        options: of `barh`.
    """
    pairs = list(amounts.items()) if isinstance(amounts, Mapping) else list(amounts)
    places = range(len(pairs), 0, -1)
    values = [amount for _, amount in pairs]
    axes.barh(places, values, color=[FIRST if value >= 0 else SECOND for value in values], **options)
    axes.set_yticks(places, labels=[short(name) for name, _ in pairs])
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)

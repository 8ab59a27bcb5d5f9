"""Pictures by matplotlib, for explanations and reports: made in memory, and written as whole files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modnet.errors import DataError
from modnet.model.atomic import replace_file
from modnet.pictures.figure import FORMATS, check_format, draw, drawn, inline_svg
from modnet.pictures.palette import FIRST, QUIET, SECOND
from modnet.records import Record
from modnet.words import legible, show

WIDTH, NARROW = 6.4, 4.2
"""Of a picture in a file, and on a page that is also read on a phone, in inches."""

LONGEST = 28
"""The most characters of a name in a picture."""


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


def figure_of(pictures: Sequence[Picture], width: float = WIDTH, extra: str = "plot") -> Any:
    """A figure of matplotlib with some pictures, one below the other.

    Args:
        extra: with which matplotlib is installed, for the message.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    heights = [picture.height for picture in pictures]

    def fill(figure: Any) -> None:
        axes = figure.subplots(len(pictures), 1, squeeze=False, height_ratios=heights)[:, 0]
        for picture, place in zip(pictures, axes, strict=True):
            picture.draw(place)

    return draw(fill, (width, sum(heights)), extra=extra)


def svg_element(picture: Picture) -> str:
    """A picture as an element `svg` of a page: as wide as its place, in the page's own font and colour of text.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    return inline_svg(figure_of([picture], NARROW, extra="report"), picture.name)


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
    write_figure(figure_of(pictures), path)


def write_figure(figure: Any, path: str | os.PathLike[str]) -> None:
    """Writes a figure of matplotlib as a whole file, in the format of its suffix.

    Raises:
        DataError: the suffix is of no format of pictures.
        OSError: the file cannot be written.
    """
    check_format(path)
    place = Path(path).expanduser()
    replace_file(place, [drawn(figure, place.suffix[1:].lower())], durable=False)


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
    axes.axvline(0, color=QUIET, linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)

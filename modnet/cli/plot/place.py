"""Where a picture is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modnet.assessment.pictures import write_figure
from modnet.cli.output import echo
from modnet.cli.places import check_place
from modnet.pictures.figure import check_format, require_matplotlib
from modnet.words import readable_bytes


def figure_place(output: str | None, source: str, kind: str) -> Path:
    """The file to write a figure of matplotlib to: what `-o` says, or `penguins-history.svg` beside penguins.modnet.

    Raises:
        MissingExtra: matplotlib is not installed.
        DataError, ModnetError: as `place_of`.
    """
    require_matplotlib()
    return place_of(output, source, kind, check_format)


def place_of(output: str | None, source: str, kind: str, check: Callable[[Path], object]) -> Path:
    """The file to write a picture to: what `-o` says, or `penguins-network.svg` beside penguins.toml.

    Args:
        check: refuses a suffix of which no picture is written.

    Raises:
        DataError: no such picture is written in this format.
        ModnetError: the file cannot be written there.
    """
    path = Path(output) if output is not None else Path(source).with_name(f"{Path(source).stem}-{kind}.svg")
    check(path)
    check_place(path)
    return path


def write(figure: Any, path: Path) -> None:
    """Writes a figure and says so."""
    write_figure(figure, path)
    tell(path)


def tell(path: Path) -> None:
    """Says which file was written."""
    echo(f"{path}  {readable_bytes(path.stat().st_size)}")

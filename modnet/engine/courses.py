"""The courses of trainings as figures of matplotlib: of one run, or of several side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import DataError
from modnet.kinds.figures import VALIDATION, figure_title
from modnet.pictures.curves import is_logarithmic
from modnet.pictures.figure import draw
from modnet.pictures.palette import COLOURS, FIRST, QUIET, SECOND, colour
from modnet.words import legible

ACROSS = 3
"""The number of panels in a row."""

MARKERS = ("", "o", "s", "^")
"""Of the runs with the first colours, the second ones, and so on."""

LONGEST = 32
"""The most characters of the name of a run."""


def plot_history(history: Mapping[str, Any], path: str | os.PathLike[str] | None = None) -> Any:
    """Draws the loss, and each metric, over the epochs: as `History.plot`."""
    names = measured(history)
    if not names:
        raise DataError("the history has no epochs, so that there is nothing to draw")

    def fill(figure: Any) -> None:
        for axes, name in zip(_panels(figure, len(names)), names, strict=False):
            plot_course(history, name, axes)

    return draw(fill, _size(len(names)), path)


def plot_histories(histories: Mapping[str, Mapping[str, Any]], path: str | os.PathLike[str] | None = None) -> Any:
    """Draws several trainings in one figure: a panel for the loss and each metric, a colour for each training.

    The line of the validation is solid, and that of the training is dashed.

        modnet.plot_histories({"narrow": narrow.history, "wide": wide.history}, "widths.svg")

    Args:
        histories: the name of each training -> its history, or another mapping from figure to a value for each epoch.
        path: the file to write: .png, .svg, .pdf ...; by default the figure is only returned.

    Returns:
        The matplotlib figure.

    Raises:
        DataError: none of them has an epoch; the suffix is of no format of pictures.
        MissingExtra: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    names = list(dict.fromkeys(name for history in histories.values() for name in measured(history)))
    if not names:
        raise DataError("none of the histories has an epoch, so that there is nothing to draw")

    def fill(figure: Any) -> None:
        for axes, name in zip(_panels(figure, len(names)), names, strict=False):
            for place, history in enumerate(histories.values()):
                _draw_beside(history, name, axes, _style(place))
            _label(axes, name)
        _legend(figure, histories)

    return draw(fill, _size(len(names), 0.5 + 0.1 * len(histories)), path)


def courses_of(history: Mapping[str, Any]) -> dict[str, Array]:
    """The figures of a history that have one number for each epoch: name -> array."""
    arrays = {name: np.asarray(values) for name, values in history.items()}
    return {name: array for name, array in arrays.items() if array.ndim == 1 and len(array) and array.dtype.kind == "f"}


def measured(history: Mapping[str, Any]) -> list[str]:
    """The figures that have one number for each epoch, without those of the validation."""
    courses = courses_of(history)
    bare = (name.removeprefix(VALIDATION) for name in courses)
    return list(dict.fromkeys(name if name in courses else f"{VALIDATION}{name}" for name in bare))


def plot_course(history: Mapping[str, Any], name: str, axes: Any) -> None:
    """Draws a figure over the epochs, with that of the validation, on axes of matplotlib."""
    _line(axes, history[name], label="training", color=FIRST)
    if f"{VALIDATION}{name}" in history:
        _line(axes, history[f"{VALIDATION}{name}"], label="validation", color=SECOND)
        axes.legend()
    for epoch in getattr(history, "restored", ()):
        axes.axvline(epoch, color=QUIET, linewidth=0.8, linestyle=":")
    _label(axes, name)


def _style(place: int) -> dict[str, Any]:
    """How the line of a run looks; when the colours begin again, its points are marked."""
    marker = MARKERS[place // len(COLOURS) % len(MARKERS)]
    return {"color": colour(place), "marker": marker, "markevery": 0.1, "markersize": 4}


def _draw_beside(history: Mapping[str, Any], name: str, axes: Any, look: dict[str, Any]) -> None:
    validated = f"{VALIDATION}{name}" in history
    if validated:
        _line(axes, history[f"{VALIDATION}{name}"], **look)
    if name in history:
        style = {"linestyle": "--", "linewidth": 1.0, "alpha": 0.8} if validated else {}
        _line(axes, history[name], **look, **style)


def _line(axes: Any, values: Any, **options: Any) -> None:
    if len(values) == 1:
        options |= {"marker": "o", "markersize": 4, "markevery": None}  # a line of one point cannot be seen
    axes.plot(np.arange(1, len(values) + 1), values, **options)


def _label(axes: Any, name: str) -> None:
    axes.set(xlabel="epoch", ylabel=figure_title(name))
    axes.xaxis.get_major_locator().set_params(integer=True)
    drawn = np.concatenate([line.get_ydata() for line in axes.lines if line.get_linestyle() != ":"] or [[]])
    known = drawn[np.isfinite(drawn)]
    if len(known) and is_logarithmic(name, float(known.min()), float(known.max())):
        axes.set_yscale("log")
    axes.grid(visible=True)


def _legend(figure: Any, runs: Mapping[str, Mapping[str, Any]]) -> None:
    """The names of the runs above all panels, and what the two kinds of lines are."""
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], **{**_style(place), "markevery": None}) for place in range(len(runs))]
    labels = [legible(name, LONGEST) for name in runs]
    if any(f"{VALIDATION}{name}" in history for history in runs.values() for name in history):
        entries += [Line2D([], [], color=QUIET), Line2D([], [], color=QUIET, linestyle="--", linewidth=1.0)]
        labels += ["validation", "training"]
    figure.legend(entries, labels, loc="outside upper left", ncols=min(len(labels), 4), fontsize="small")


def _panels(figure: Any, count: int) -> list[Any]:
    """Axes in rows; those that are left over do not show."""
    across = min(count, ACROSS)
    grid: list[Any] = figure.subplots(-(-count // across), across, squeeze=False).ravel().tolist()
    for axes in grid[count:]:
        axes.set_visible(False)
    return grid[:count]


def _size(count: int, above: float = 0.0) -> tuple[float, float]:
    across = min(count, ACROSS)
    return 3.9 * across if across > 1 else 5.2, 2.9 * -(-count // across) + above

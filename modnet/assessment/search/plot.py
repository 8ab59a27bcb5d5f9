"""The picture of a search."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from modnet.assessment.pictures import short, write_figure
from modnet.assessment.search.names import short_names, value_text
from modnet.assessment.search.result import DONE, PRUNED, SearchResult, Trial
from modnet.kinds.figures import figure_title
from modnet.pictures.curves import is_logarithmic
from modnet.pictures.figure import draw
from modnet.pictures.palette import FIRST, QUIET, SECOND

SHOWN = 6
"""Of how many values, those that mattered most, there is a panel."""


def plot_search(found: SearchResult, path: str | PathLike[str] | None = None) -> Any:
    """Draws the trials in their order, what mattered, and the figure over each of the values that mattered most.

    Args:
        path: the file to write; by default the figure is only returned.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtra: matplotlib is not installed.
        DataError: the suffix is of no format of pictures.
        OSError: the file cannot be written.
    """
    values = list(found.importance) or list(found.trials[0].values)
    shown = values[:SHOWN]
    names = short_names(values)
    rows = 1 + -(-len(shown) // 3)

    def fill(figure: Any) -> None:
        above, below = figure.subfigures(2, 1, height_ratios=[1, rows - 1])
        panels = above.subplots(1, 2 if found.importance else 1, squeeze=False)[0]
        _history(panels[0], found)
        if found.importance:
            _importance(panels[1], found, names)
        columns = min(3, len(shown))
        grid = below.subplots(rows - 1, columns, squeeze=False).flat
        for axes, dotted in zip(grid, shown, strict=False):
            _slice(axes, found, dotted, names[dotted])
        for axes in grid[len(shown) :]:
            axes.set_visible(False)

    figure = draw(fill, (12.0, 3.4 * rows))
    if path is not None:
        write_figure(figure, path)
    return figure


def _of(found: SearchResult, outcome: str) -> list[Trial]:
    return [trial for trial in found.trials if trial.outcome == outcome and trial.value is not None]


def _scale(axes: Any, found: SearchResult) -> None:
    """A loss that spans more than one order of magnitude has a logarithmic axis."""
    values = [trial.value for trial in _of(found, DONE) if trial.value is not None]
    if is_logarithmic(found.monitor, min(values), max(values)):
        axes.set_yscale("log")
    axes.grid(alpha=0.3)


def _history(axes: Any, found: SearchResult) -> None:
    done, pruned = _of(found, DONE), _of(found, PRUNED)
    axes.plot([t.number for t in done], [t.value for t in done], "o", ms=4, color=FIRST, label="done")
    if pruned:
        axes.plot([t.number for t in pruned], [t.value for t in pruned], "x", ms=4, color=QUIET, label="pruned")
    best = (np.maximum if found.greater else np.minimum).accumulate(np.array([t.value for t in done], float))
    axes.step([t.number for t in done], best, where="post", color=SECOND, label="best so far")
    _scale(axes, found)
    axes.set(xlabel="trial", ylabel=figure_title(found.monitor), title="trials")
    axes.legend(fontsize="small")


def _importance(axes: Any, found: SearchResult, names: dict[str, str]) -> None:
    shares = list(found.importance.items())[::-1]
    bars = axes.barh([names[dotted] for dotted, _ in shares], [share for _, share in shares], color=FIRST)
    axes.bar_label(bars, [f"{share:.0%}" for _, share in shares], padding=3, fontsize="small")
    axes.set(xlim=(0, 1.15 * max(share for _, share in shares)), title="what mattered", xticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _slice(axes: Any, found: SearchResult, dotted: str, name: str) -> None:
    """The figure over one value, with the best trial marked."""
    values = [trial.values[dotted] for trial in found.trials if dotted in trial.values]
    places, ticks = _places(values)
    marks = [*_marks(_of(found, PRUNED), "x", QUIET), *_marks(_of(found, DONE), "o", FIRST)]
    for trial, style in (*marks, *_marks([found.best] if found.best else [], "*", SECOND)):
        axes.plot(places(trial.values[dotted]), trial.value, ms=13 if style["marker"] == "*" else 4, **style)
    if ticks:
        axes.set_xticks(range(len(ticks)), ticks)
        axes.margins(x=0.15)
    elif min(values) > 0 and max(values) > 50 * min(values):
        axes.set_xscale("log")
    _scale(axes, found)
    axes.set(xlabel=name, ylabel=figure_title(found.monitor))


def _marks(trials: Sequence[Trial], marker: str, color: str) -> list[tuple[Trial, dict[str, str]]]:
    return [(trial, {"marker": marker, "color": color}) for trial in trials]


def _places(values: Sequence[Any]) -> tuple[Any, list[str]]:
    """Where a value stands on its axis: a number at itself, others side by side, with their labels."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return (lambda value: value), []
    ticks = sorted({value_text(value) for value in values})
    return (lambda value: ticks.index(value_text(value))), [short(text) for text in ticks]

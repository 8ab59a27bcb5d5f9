"""Explanations as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.assessment.explanation.dependence import Dependence
from modnet.assessment.explanation.importance import Importance
from modnet.assessment.explanation.reasons import Reasons
from modnet.assessment.pictures import Picture, bars, legend_above, short
from modnet.kinds.figures import figure_title, number_text
from modnet.pictures.palette import QUIET, colour

MOST_BARS = 20
"""How many columns a picture has."""

MOST_LINES = 6
"""For how many classes a picture has a line each."""


MOST_DATES = 4
"""How many dates are written below a picture."""


def pictures_of(
    importance: Importance | None, dependence: Sequence[Dependence], reasons: Sequence[Reasons]
) -> list[Picture]:
    """A picture of the importance, of each column, and of each row."""
    found = [] if importance is None else [importance_picture(importance)]
    found += [dependence_picture(one) for one in dependence]
    for one in reasons:
        bars = min(len(one.columns), MOST_BARS)
        name = f"row-{one.row + 1}-{one.quantity}"
        found.append(Picture(name, partial(_draw_reasons, one), 1.4 + 0.24 * bars))
    return found


def importance_picture(found: Importance) -> Picture:
    """Bars for what is lost without each column, with one standard deviation to both sides."""
    return Picture("importance", partial(_draw_importance, found), 1.4 + 0.24 * min(len(found.columns), MOST_BARS))


def dependence_picture(found: Dependence) -> Picture:
    """The mean predictions over the values of a column."""
    height = 2.8 if found.grid.numbers is not None else 1.2 + 0.3 * len(found.grid.texts)
    return Picture(f"dependence-{found.column}", partial(_draw_dependence, found), height)


def _draw_importance(found: Importance, axes: Any) -> None:
    figure, greater = next(iter(found.greater_is_better.items()))
    order = found.order()[:MOST_BARS]
    deviation = found.deviation(figure)[order]
    pairs = [(found.columns[place], float(found.mean(figure)[place])) for place in order]
    bars(axes, pairs, xerr=deviation, ecolor=QUIET, error_kw={"elinewidth": 1})
    axes.set(xlabel=f"{figure_title(figure)} {'falls' if greater else 'rises'} by, when shuffled")


def _draw_dependence(found: Dependence, axes: Any) -> None:
    lines = min(len(found.quantities), MOST_LINES)
    what = "mean prediction" if lines > 1 else f"{short(found.quantities[0])}, mean"
    if found.grid.numbers is None:
        _draw_categories(found, lines, axes)
        axes.set(xlabel=what, ylabel=short(found.column))
    else:
        _draw_numbers(found, found.grid.numbers, lines, axes)
        axes.set(xlabel=short(found.column), ylabel=what)
    if lines > 1:
        legend_above(axes, lines)


def _draw_numbers(found: Dependence, values: Array, lines: int, axes: Any) -> None:
    """A line for each prediction; behind a single one, faintly, the lines of some rows."""
    if lines == 1:
        axes.plot(values, found.lines[:, :, 0].T, color=QUIET, alpha=0.25, linewidth=0.6)
    for line in range(lines):
        axes.plot(values, found.mean[:, line], color=colour(line), label=short(found.quantities[line]), marker=".")
    axes.grid(alpha=0.3)
    if values.dtype.kind == "M":
        some = np.linspace(0, len(values) - 1, min(len(values), MOST_DATES)).round().astype(int)
        axes.set_xticks(values[some], labels=[short(found.grid.texts[place]) for place in some])


def _draw_categories(found: Dependence, lines: int, axes: Any) -> None:
    """A point for each category and prediction."""
    places = np.arange(len(found.grid.texts), 0, -1)
    for line in range(lines):
        axes.plot(found.mean[:, line], places, "o", color=colour(line), label=short(found.quantities[line]))
    axes.set_yticks(places, labels=[short(text) for text in found.grid.texts])
    axes.set_ylim(0.5, len(places) + 0.5)
    axes.grid(alpha=0.3)


def _draw_reasons(found: Reasons, axes: Any) -> None:
    order = found.order()[:MOST_BARS]
    pairs = [(f"{short(found.columns[p])} = {short(found.cells[p])}", float(found.amounts[p])) for p in order]
    bars(axes, pairs)
    start, end = number_text(found.start), number_text(found.end)
    axes.set(xlabel=f"adds to {short(found.quantity)}, from {start} for the baseline to {end}", title=found.name)

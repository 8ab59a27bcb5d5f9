"""Explanations as text for the screen, and as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.assessment.explanation.dependence import Dependence
from modnet.assessment.explanation.importance import Importance
from modnet.assessment.explanation.reasons import Reasons
from modnet.kinds.figures import figure_text, figure_title, number_text
from modnet.screen import fitted, folded, with_bars
from modnet.words import counted, legible

WIDEST = 32
"""The most characters of a name or value in a table."""

MOST_COLUMNS, MOST_POINTS, MOST_QUANTITIES = 20, 8, 6
"""How many columns, values of a column, and classes a table has on the screen; JSON has all."""

INDENT = "  "

BAR = 20
"""The length of the longest bar."""


def text_of(
    importance: Importance | None,
    dependence: Sequence[Dependence],
    reasons: Sequence[Reasons],
    width: int | None = None,
) -> str:
    """Tables of all that was found, in lines of at most this width, if there is one."""
    room = width and width - len(INDENT)
    blocks = [] if importance is None else [_importance(importance, room)]
    blocks += [_dependence(found, room) for found in dependence]
    return folded("\n\n".join([*blocks, *(_reasons(found, room) for found in reasons)]), width)


def _importance(found: Importance, width: int | None) -> str:
    (_, losses), *_ = found.losses.items()
    head = ["", *(_changed(name, greater) for name, greater in found.greater_is_better.items()), ""]
    rows = [head]
    order = found.order()
    largest = max(float(found.mean(next(iter(found.figures))).max()), 0.0)
    decimals = {figure: _decimals(found.mean(figure)) for figure in found.figures}
    for place in order[:MOST_COLUMNS]:
        cells = [_spread(found, figure, place, decimals[figure]) for figure in found.figures]
        first = float(losses[place].mean())
        bar = "#" * round(BAR * max(first, 0.0) / largest) if largest else ""
        rows.append([_short(found.columns[place]), *cells, bar])
    figures = ", ".join(f"{figure_title(name)} {figure_text(name, value)}" for name, value in found.figures.items())
    repeats = losses.shape[1]
    return "\n".join(
        [
            f"what is lost when a column is shuffled ({counted(found.rows, 'row')}, {counted(repeats, 'time')} each)",
            *_indented(_aligned(rows, 1, width)),
            *_more(len(order) - MOST_COLUMNS),
            f"  unshuffled: {figures}",
        ]
    )


def _changed(figure: str, greater_is_better: bool) -> str:
    return f"{figure_title(figure)} {'falls' if greater_is_better else 'rises'} by"


def _spread(found: Importance, figure: str, place: int, decimals: int) -> str:
    return f"{found.mean(figure)[place]:,.{decimals}f} ± {found.deviation(figure)[place]:,.{decimals}f}"


def _dependence(found: Dependence, width: int | None) -> str:
    shown = _evenly(len(found.grid.texts), MOST_POINTS)
    if found.grid.rows is not None:  # of categories the most frequent
        shown = sorted(np.argsort(-found.grid.rows, kind="stable")[:MOST_POINTS].tolist())
    quantities = found.quantities[:MOST_QUANTITIES]
    head = [_short(found.column), *map(_short, quantities), *(["rows"] if found.grid.rows is not None else [])]
    rows = [head]
    for point in shown:
        count = [f"{found.grid.rows[point]:,}"] if found.grid.rows is not None else []
        values = [number_text(float(value)) for value in found.mean[point, : len(quantities)]]
        rows.append([_short(found.grid.texts[point]), *values, *count])
    more = len(found.quantities) - len(quantities)
    return "\n".join(
        [
            f"mean prediction if {legible(found.column)} had this value in every row",
            *_indented(fitted(rows, 1, width)),
            *([f"  and {more:,} more predictions"] if more > 0 else []),
        ]
    )


def _evenly(count: int, most: int) -> list[int]:
    return list(range(count)) if count <= most else np.linspace(0, count - 1, most).round().astype(int).tolist()


def _reasons(found: Reasons, width: int | None) -> str:
    rows = []
    largest = float(np.abs(found.amounts).max(initial=0.0))
    decimals, order = _decimals(found.amounts), found.order()
    for place in order[:MOST_COLUMNS]:
        amount = float(found.amounts[place])
        bar = ("+" if amount > 0 else "-") * round(BAR * abs(amount) / largest) if largest else ""
        rows.append([_short(found.columns[place]), _short(found.cells[place]), f"{amount:+,.{decimals}f}", bar])
    rest = float(sum(found.amounts[place] for place in order[MOST_COLUMNS:]))
    if len(order) > MOST_COLUMNS:
        rows.append([f"{len(order) - MOST_COLUMNS:,} more", "", f"{rest:+,.{decimals}f}", ""])
    seen = abs(found.error) >= 0.5 * 10.0**-decimals
    error = f", of which {found.error:+,.{decimals}f} is the error of the integral" if seen else ""
    total = f"{found.end - found.start:+,.{decimals}f}"
    return "\n".join(
        [
            f"{found.name}: {legible(found.quantity)} = {number_text(found.end)}",
            *_indented(_aligned(rows, 2, width)),
            f"  from {number_text(found.start)} for the baseline: {total} in all{error}",
        ]
    )


def _aligned(rows: Sequence[Sequence[str]], left: int, width: int | None) -> list[str]:
    """A table whose last column, of bars, is aligned on the left."""
    lines = fitted([row[:-1] for row in rows], left, width)
    return with_bars(lines, [row[-1] for row in rows], width) if len(lines) == len(rows) else lines


def _indented(lines: Sequence[str]) -> Iterator[str]:
    return (f"{INDENT}{line}".rstrip() for line in lines)


def _more(count: int) -> list[str]:
    return [f"  and {count:,} more columns, which matter less"] if count > 0 else []


def _decimals(amounts: Array) -> int:
    """How many decimals show four digits of the greatest of some amounts, and of all others the same places."""
    largest = float(np.abs(amounts).max(initial=0.0))
    return min(max(3 - math.floor(math.log10(largest)), 0), 9) if largest > 0 else 4


def _short(text: str) -> str:
    return legible(text, WIDEST)


def plain(
    importance: Importance | None, dependence: Sequence[Dependence], reasons: Sequence[Reasons]
) -> dict[str, Any]:
    """All that was found, as plain values."""
    return {
        "importance": None if importance is None else _plain_importance(importance),
        "dependence": [_plain_dependence(found) for found in dependence],
        "rows": [_plain_reasons(found) for found in reasons],
    }


def _plain_importance(found: Importance) -> dict[str, Any]:
    columns = []
    for place in found.order():
        figures = {
            name: {"mean": float(found.mean(name)[place]), "deviation": float(found.deviation(name)[place])}
            for name in found.figures
        }
        columns.append({"column": found.columns[place], "lost": figures})
    repeats = next(iter(found.losses.values())).shape[1]
    return {"rows": found.rows, "repeats": repeats, "figures": dict(found.figures), "columns": columns}


def _plain_dependence(found: Dependence) -> dict[str, Any]:
    numbers = found.grid.numbers
    is_number = numbers is not None and numbers.dtype.kind != "M"
    return {
        "column": found.column,
        "values": numbers.tolist() if numbers is not None and is_number else list(found.grid.texts),
        "rows": None if found.grid.rows is None else found.grid.rows.tolist(),
        "predictions": list(found.quantities),
        "mean": found.mean.tolist(),
        "low": found.low.tolist(),
        "high": found.high.tolist(),
    }


def _plain_reasons(found: Reasons) -> dict[str, Any]:
    columns = [
        {"column": found.columns[place], "value": found.cells[place], "adds": float(found.amounts[place])}
        for place in found.order()
    ]
    return {
        "row": found.row + 1,
        "prediction": found.quantity,
        "value": found.end,
        "baseline": found.start,
        "error": found.error,
        "columns": columns,
    }

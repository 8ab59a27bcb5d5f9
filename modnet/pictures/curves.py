"""Curves over the epochs as SVG: drawn in a millisecond and by no library, so that they can be live."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from modnet.pictures.palette import colour
from modnet.pictures.svg import Drawing, text_at
from modnet.records import Record
from modnet.words import legible

WIDE, HIGH, ACROSS = 300, 180, 3
"""The size of a panel in pixels, and how many stand side by side."""

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 34
"""The space around the curves of a panel, for its texts, in pixels."""

TICKS = 5
"""About how many numbers an axis has."""

LOGARITHMIC = 20.0
"""Losses and sizes of which the greatest is more than so many times the least are drawn on a logarithmic scale."""

MOST_POINTS = 400
"""How many points of a curve are drawn."""


class Panel(Record, eq=False):
    """One panel: curves that share their axes.

    Attributes:
        title: above it.
        curves: the name of each -> its values, one for each epoch; what is not finite leaves a gap.
        marks: epochs that are marked.
    """

    title: str
    curves: Mapping[str, Sequence[float]]
    marks: Sequence[int] = ()


def curves_drawing(panels: Sequence[Panel], title: str) -> Drawing:
    """The panels in rows."""
    across = max(1, min(len(panels), ACROSS))
    parts = [
        f'<g transform="translate({place % across * WIDE} {place // across * HIGH})">{"".join(_panel(panel))}</g>'
        for place, panel in enumerate(panels)
    ]
    return Drawing("\n".join(parts) + "\n", across * WIDE, -(-len(panels) // across) * HIGH, title)


def is_logarithmic(figure: str, low: float, high: float) -> bool:
    """Whether the values of a figure, from a least to a greatest one, are drawn on a logarithmic scale.

    Shares such as an accuracy are not: theirs is the scale from 0 to 1.
    """
    is_share = high <= 1 and not figure.endswith(("loss", "error"))
    return low > 0 and high > LOGARITHMIC * low and not is_share


def _panel(panel: Panel) -> Iterator[str]:
    epochs = max(map(len, panel.curves.values()), default=0)
    known = [value for values in panel.curves.values() for value in values if math.isfinite(value)] or [0.0, 1.0]
    across = _Scale(1, max(epochs, 2), LEFT, WIDE - RIGHT)
    upright = _LogarithmicScale if is_logarithmic(panel.title, min(known), max(known)) else _Scale
    down = upright(min(known), max(known), HIGH - BOTTOM, TOP)
    yield text_at(LEFT, 12, legible(panel.title, 24), size=12, weight=600)
    yield from _axes(across, down)
    for mark in panel.marks:
        yield _line(across(mark), TOP, across(mark), HIGH - BOTTOM, 0.5, ' stroke-dasharray="2 3"')
    for place, (name, values) in enumerate(panel.curves.items()):
        start = LEFT + place * 92
        yield f'<path d="M{start},22 h14" stroke="{colour(place)}" stroke-width="2"/>'
        yield text_at(start + 18, 25.5, legible(name, 12), size=10, opacity=0.85)
        yield from _curve(values, across, down, colour(place))


def _axes(across: _Scale, down: _Scale) -> Iterator[str]:
    for tick in down.ticks():
        yield _line(LEFT, down(tick), WIDE - RIGHT, down(tick), 0.15)
        yield text_at(LEFT - 6, down(tick) + 3.5, f"{tick:.4g}", size=10, anchor="end", opacity=0.75)
    for tick in across.ticks(whole=True):
        yield text_at(across(tick), HIGH - BOTTOM + 15, f"{tick:.0f}", size=10, anchor="middle", opacity=0.75)
    yield text_at((LEFT + WIDE - RIGHT) / 2, HIGH - 6, "epoch", size=10, anchor="middle", opacity=0.75)
    yield _line(LEFT, HIGH - BOTTOM, WIDE - RIGHT, HIGH - BOTTOM, 0.5)


def _curve(values: Sequence[float], across: _Scale, down: _Scale, stroke: str) -> Iterator[str]:
    step = max(1, -(-len(values) // MOST_POINTS))
    places = sorted({*range(0, len(values), step), len(values) - 1} - {-1})
    pieces: list[list[str]] = [[]]
    for place in places:
        if math.isfinite(values[place]):
            pieces[-1].append(f"{across(place + 1):.1f},{down(values[place]):.1f}")
        elif pieces[-1]:
            pieces.append([])
    for points in filter(None, pieces):
        if len(points) == 1:
            x, y = points[0].split(",")
            yield f'<circle cx="{x}" cy="{y}" r="2.5" fill="{stroke}"/>'
        else:
            yield f'<polyline points="{" ".join(points)}" fill="none" stroke="{stroke}" stroke-width="1.8"/>'


def _line(x: float, y: float, to: float, down: float, opacity: float, more: str = "") -> str:
    place = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to:.1f}" y2="{down:.1f}"'
    return f'<line {place} stroke="currentColor" stroke-opacity="{opacity}"{more}/>'


class _Scale:
    """From a number to its place in pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if not high - low > 1e-12 * max(abs(low), abs(high), 1e-300):
            spare = abs(low) / 2 or 1.0  # a single value, or always the same one
            low, high = low - spare, high + spare
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        # Halves first: the distance of two finite numbers may not be one.
        part = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return self.start + part * (self.end - self.start)

    def ticks(self, whole: bool = False) -> list[float]:
        """Round numbers within the scale: multiples of 1, 2 or 5 times a power of ten."""
        rough = (self.high / 2 - self.low / 2) * 2 / TICKS
        if not math.isfinite(rough):
            return [self.low, self.high]
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((size * power for size in (1, 2, 5) if size * power >= rough), 10 * power)
        step = max(1.0, round(step)) if whole else step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [place * step for place in range(first, last + 1)]


class _LogarithmicScale(_Scale):
    """From a positive number to its place in pixels, by its logarithm."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        super().__init__(math.log10(low), math.log10(high), start, end)

    def __call__(self, value: float) -> float:
        return super().__call__(math.log10(value))

    def ticks(self, whole: bool = False) -> list[float]:
        """Powers of ten within the scale; of few, their multiples by 2 and 5 too."""
        first, last = math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9)
        step = max(1, -(-(last - first + 1) // TICKS))
        powers = [10.0**power for power in range(first, last + 1, step)]
        if last - first >= 2:
            return powers
        between = [size * 10.0**power for power in range(first - 1, last + 1) for size in (2, 5)]
        return sorted([*powers, *(tick for tick in between if self.low <= math.log10(tick) <= self.high)])

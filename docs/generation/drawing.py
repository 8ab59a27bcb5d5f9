"""Small drawings of curves as SVG, written by hand so that they stay the same whatever else is installed.

They have no background, and their colours are of middle lightness, so that they can be read on light and on dark pages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from modnet.pictures.palette import COLOURS, QUIET
from modnet.pictures.svg import FONT, escaped, text_at

DASHES = ("", "6 3", "2 3", "8 3 2 3")
"""Beside the colours, for readers who cannot tell these apart."""

WIDTH, HEIGHT = 232.0, 150.0
LEFT, RIGHT, TOP, BOTTOM, GAP, ROW = 44.0, 8.0, 22.0, 36.0, 8.0, 18.0
SAMPLE = 28.0
"""The room in a legend for a piece of the line."""
LETTER = 6.1
"""The mean width of a letter of 11 pixels."""

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
TOLERANCE = 0.6
"""In pixels: what the rounding of other processors and versions may move."""


class Curve(NamedTuple):
    """Points that are joined by a line; nan breaks it.

    Attributes:
        label: for the legend; "" for a curve that has none.
        colour: its place among the colours of all pictures; curves of the same label in several panels have the same.
        markers: whether the points are marked.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    colour: int = 0
    markers: bool = False


NO_CURVE = Curve("", (), ())


class Panel(NamedTuple):
    """A pair of axes.

    Attributes:
        title: above it, what is drawn.
        x_label: below it.
        curves: what is drawn.
        xs, ys: the ranges of the axes; None for that of the curves, which for y includes 0.
        bars: heights of bars of equal width over the range of x, instead of curves.
        ellipses: the half axes of ellipses around 0, drawn below the curves.
    """

    title: str
    x_label: str
    curves: Sequence[Curve] = ()
    xs: tuple[float, float] | None = None
    ys: tuple[float, float] | None = None
    bars: Sequence[float] = ()
    ellipses: Sequence[tuple[float, float]] = ()


def svg(title: str, panels: Sequence[Panel]) -> str:
    """A drawing of panels side by side, with one legend below them."""
    longest = max(len(curve.label) for panel in panels for curve in (*panel.curves, NO_CURVE))
    of_panels = len(panels) * (LEFT + WIDTH) + (len(panels) - 1) * GAP
    width = max(of_panels, LEFT + SAMPLE + LETTER * longest) + RIGHT
    entries, rows = legend(panels, width)
    height = TOP + HEIGHT + BOTTOM + ROW * rows
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONT}" font-size="11" '
        f'fill="{QUIET}">',
        f"<title>{escaped(title)}</title>",
    ]
    for position, panel in enumerate(panels):
        lines += drawn(panel, LEFT + position * (LEFT + WIDTH + GAP), position)
    return "\n".join([*lines, *entries, "</svg>"]) + "\n"


def legend(panels: Iterable[Panel], width: float) -> tuple[list[str], int]:
    """The entries of the legend, and the number of rows that they take."""
    labels = {curve.label: curve.colour for panel in panels for curve in panel.curves if curve.label}
    entries = []
    x, row = LEFT, 0
    for label, colour in labels.items():
        needed = SAMPLE + LETTER * len(label)
        if entries and x + needed > width:
            x, row = LEFT, row + 1
        y = TOP + HEIGHT + BOTTOM + ROW * row
        entries.append(f'<path d="M{number(x)},{number(y + 8)}h22" {stroke(colour)}/>')
        entries.append(text_at(x + SAMPLE, y + 12, label))
        x += needed + 16
    return entries, row + 1 if entries else 0


def drawn(panel: Panel, left: float, position: int) -> Iterator[str]:
    axes = Axes(panel, left)
    yield text_at(left + WIDTH / 2, 14, panel.title, anchor="middle")
    yield from axes.grid(panel.x_label)
    yield (
        f'<clipPath id="c{position}"><rect x="{number(left)}" y="{number(TOP)}" width="{number(WIDTH)}" '
        f'height="{number(HEIGHT)}"/></clipPath>'
    )
    yield f'<g clip-path="url(#c{position})" fill="none">'
    for half_x, half_y in panel.ellipses:
        size_x, size_y = axes.x(half_x) - axes.x(0), axes.y(0) - axes.y(half_y)
        yield (
            f'<ellipse cx="{number(axes.x(0))}" cy="{number(axes.y(0))}" rx="{number(size_x)}" ry="{number(size_y)}" '
            f'stroke="{QUIET}" stroke-opacity="0.45"/>'
        )
    if panel.bars:
        yield f'<path d="{axes.steps(panel.bars)}" stroke="{COLOURS[0]}" fill="{COLOURS[0]}" fill-opacity="0.35"/>'
    for curve in panel.curves:
        yield f'<path d="{axes.path(curve)}" {stroke(curve.colour)}/>'
        if curve.markers:
            dots = "".join(f"M{number(x)},{number(y)}h0" for x, y in axes.points(curve))
            yield f'<path d="{dots}" stroke="{COLOURS[curve.colour]}" stroke-width="4" stroke-linecap="round"/>'
    yield "</g>"


class Axes:
    """From numbers to pixels."""

    def __init__(self, panel: Panel, left: float) -> None:
        self.left = left
        self.x_low, self.x_high = panel.xs or span([x for curve in panel.curves for x in curve.xs])
        ys = [0.0, *(y for curve in panel.curves for y in curve.ys if math.isfinite(y))]
        self.y_low, self.y_high = panel.ys or widened(*span(ys))

    def x(self, value: float) -> float:
        return self.left + WIDTH * (value - self.x_low) / (self.x_high - self.x_low)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return TOP + HEIGHT * (1 - min(max(share, -1.0), 2.0))  # what is far outside is cut off anyway

    def points(self, curve: Curve) -> Iterator[tuple[float, float]]:
        for x, y in zip(curve.xs, curve.ys, strict=True):
            if math.isfinite(y):
                yield self.x(x), self.y(y)

    def path(self, curve: Curve) -> str:
        parts, command = [], "M"
        for x, y in zip(curve.xs, curve.ys, strict=True):
            if not math.isfinite(y):
                command = "M"
                continue
            parts.append(f"{command}{number(self.x(x))},{number(self.y(y))}")
            command = "L"
        return "".join(parts)

    def steps(self, bars: Sequence[float]) -> str:
        """The outline of a histogram."""
        width = WIDTH / len(bars)
        tops = "".join(f"V{number(self.y(bar))}h{number(width)}" for bar in bars)
        return f"M{number(self.left)},{number(self.y(0))}{tops}V{number(self.y(0))}"

    def grid(self, x_label: str) -> Iterator[str]:
        right, bottom = self.left + WIDTH, TOP + HEIGHT
        yield (
            f'<path d="M{number(self.left)},{number(TOP)}V{number(bottom)}H{number(right)}" fill="none" '
            f'stroke="{QUIET}"/>'
        )
        lines = []
        for tick in ticks(self.x_low, self.x_high):
            x = self.x(tick)
            lines.append(f"M{number(x)},{number(TOP)}V{number(bottom)}")
            yield text_at(x, bottom + 14, f"{tick:g}", anchor="middle")
        for tick in ticks(self.y_low, self.y_high):
            y = self.y(tick)
            lines.append(f"M{number(self.left)},{number(y)}H{number(right)}")
            yield text_at(self.left - 6, y + 4, f"{tick:g}", anchor="end")
        yield f'<path d="{"".join(lines)}" stroke="{QUIET}" stroke-opacity="0.25"/>'
        yield text_at(self.left + WIDTH / 2, bottom + 29, x_label, anchor="middle")


def stroke(colour: int) -> str:
    dashes = f' stroke-dasharray="{DASHES[colour]}"' if DASHES[colour] else ""
    return f'fill="none" stroke="{COLOURS[colour]}" stroke-width="2" stroke-linejoin="round"{dashes}'


def number(value: float) -> str:
    """With one digit behind the point, where it has one."""
    return f"{round(value, 1) + 0.0:g}"


def span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high - low > 1e-9 else (low - 1.0, high + 1.0)


def widened(low: float, high: float) -> tuple[float, float]:
    """The range with room for the width of a line."""
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers within a range."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(round(low / step, 6))
    return [round(step * k, 10) + 0.0 for k in range(first, math.floor(round(high / step, 6)) + 1)]


def looks_like(old: str, new: str) -> bool:
    """Whether two drawings differ at most in what rounding does."""
    if NUMBER.sub("#", old) != NUMBER.sub("#", new):
        return False
    pairs = zip(NUMBER.findall(old), NUMBER.findall(new), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE for a, b in pairs)

"""The colours of every picture.

They are those of Okabe and Ito 2008, "Color Universal Design: How to make figures and presentations that are friendly
to colorblind people", https://jfly.uni-koeln.de/color/. Yellow and black are left out: the first cannot be read on a
white background, the second on a dark one. The order puts those first that have a contrast of 3 to 1 on both.
"""

from __future__ import annotations

FIRST, SECOND, THIRD = "#0072B2", "#D55E00", "#009E73"
"""Blue, vermillion and bluish green: for one or two or three things in a picture."""

QUIET = "#7d7d7d"
"""For lines that something is compared with."""

COLOURS = (FIRST, SECOND, THIRD, "#CC79A7", "#E69F00", "#56B4E9", QUIET)
"""For several lines, in this order: those above, reddish purple, orange, sky blue, and grey."""

INK = "#010203"
"""Of texts and axes in a figure of matplotlib. In an SVG file they get the colour of the text around them."""

THEMES = {"light": ("#1c2430", "#ffffff"), "dark": ("#e6eaf0", "#14181f")}
"""The colours of texts and of the background where a picture has its own."""


def colour(place: int) -> str:
    """The colour of the line at a place, counted from 0; they begin again when there are no more."""
    return COLOURS[place % len(COLOURS)]

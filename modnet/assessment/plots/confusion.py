"""The confusion matrix as a picture: how many rows of each class are predicted as each."""

from __future__ import annotations

from functools import partial
from typing import Any

from modnet.arrays import Array
from modnet.assessment.pictures import Picture, figure_of, short
from modnet.assessment.report.targets import MOST_CELLS, ClassTarget, targets_of
from modnet.assessment.samples import Samples
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.pictures.palette import FIRST

CELL, AROUND = 0.42, 1.6
"""The size of a cell, and the space for the names of the classes, in inches."""

LEVEL = 5
"""The most letters of a name below the picture that is not turned."""

NUMBERED = 15
"""With more classes the cells have no numbers."""


def confusion_figure(network: Network, samples: Samples) -> Any:
    """A figure of matplotlib with the confusion matrix of each target of classes.

    Raises:
        DataError: the network predicts no classes, or more of them than can be drawn.
        MissingExtra: matplotlib is not installed.
    """
    targets = [target for target in targets_of(network, samples) if isinstance(target, ClassTarget)]
    if not targets:
        raise DataError("the model predicts no classes for single rows, so that it has no confusion matrix")
    pictures = []
    for target in targets:
        counts = target.confusion()
        if counts is None:
            raise DataError(f"{target.name} has {len(target.classes):,} classes; up to {MOST_CELLS} are drawn")
        size = CELL * len(counts) + AROUND
        pictures.append((Picture(f"confusion-{target.name}", partial(_draw, target, counts), size), size))
    return figure_of([picture for picture, _ in pictures], max(4.2, *(size + 1.0 for _, size in pictures)))


def _draw(target: ClassTarget, counts: Array, axes: Any) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    # From transparent, so that texts and cells can be told from a light and from a dark background.
    shades = LinearSegmentedColormap.from_list("share", [f"{FIRST}00", f"{FIRST}b0"])
    size = len(counts)
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1, extent=(0, size, size, 0), interpolation="nearest")
    names = [short(name) for name in target.classes]
    middles = [place + 0.5 for place in range(len(names))]
    turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > LEVEL else {}
    axes.set_xticks(middles, labels=names, **turned)
    axes.set_yticks(middles, labels=names)
    for one in (axes.set_xticks, axes.set_yticks):
        one(range(size + 1), minor=True)
    axes.grid(visible=True, which="minor")
    axes.tick_params(which="both", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    rows = int(counts.sum())
    right = f"{counts.trace() / max(rows, 1):.1%} of {rows:,} rows right"
    axes.set(xlabel="predicted", ylabel="true", title=f"{short(target.name)}: {right}")
    for (row, column), count in _numbers(counts):
        axes.text(column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", fontsize=8)


def _numbers(counts: Array) -> list[tuple[tuple[int, int], int]]:
    """(row, column), rows of data, for the cells that have any; none where there are very many."""
    if len(counts) > NUMBERED:
        return []
    return [((row, column), int(counts[row, column])) for row, column in zip(*counts.nonzero(), strict=True)]

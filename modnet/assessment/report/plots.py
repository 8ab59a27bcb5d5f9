"""The pictures of a report: the course of the training, and predictions beside the truth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from modnet.assessment.pictures import Picture, legend_above, short
from modnet.assessment.report.targets import ClassTarget, NumberTarget
from modnet.engine.courses import measured, plot_course
from modnet.engine.history import History
from modnet.pictures.palette import FIRST, QUIET, SECOND

MOST_DOTS = 1500
"""How many rows are drawn as dots."""


def curves_of(history: History) -> Iterator[Picture]:
    """A picture for the loss and each metric, over the epochs."""
    for name in measured(history):
        yield Picture(f"curve-{name}", partial(plot_course, history, name), 2.4)


def reliability_picture(target: ClassTarget) -> Picture:
    """How often predictions are right, by how sure they are."""
    return Picture(f"reliability-{target.name}", partial(_draw_reliability, target), 3.6)


def _draw_reliability(target: ClassTarget, axes: Any) -> None:
    parts = np.array(target.reliability())
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", label="as often as they say")
    axes.plot(parts[:, 0], parts[:, 1], color=FIRST, label="these rows")
    axes.scatter(parts[:, 0], parts[:, 1], s=12 + 160 * parts[:, 2] / parts[:, 2].sum(), color=FIRST, zorder=3)
    axes.set(xlabel="probability of the predicted class", ylabel="share of rows that are right")
    axes.set(xlim=(0, 1.03), ylim=(0, 1.06))
    axes.grid(alpha=0.3)
    legend_above(axes, 2)


def number_pictures(target: NumberTarget) -> tuple[Picture, Picture]:
    """Predictions beside the truth, and the residuals beside the predictions."""
    return (
        Picture(f"truth-{target.name}", partial(_draw_truth, target), 3.6),
        Picture(f"residuals-{target.name}", partial(_draw_residuals, target), 3.6),
    )


def _some(target: NumberTarget) -> Any:
    """Rows at equal distances, as many as are drawn."""
    rows = len(target.truth)
    return np.arange(rows) if rows <= MOST_DOTS else np.linspace(0, rows - 1, MOST_DOTS).astype(int)


def _draw_truth(target: NumberTarget, axes: Any) -> None:
    rows = _some(target)
    both = np.concatenate([target.truth, target.predicted])
    ends = [both.min(), both.max()]
    axes.plot(ends, ends, color=QUIET, linewidth=0.8, linestyle=":")
    axes.scatter(target.truth[rows], target.predicted[rows], s=7, alpha=0.5, color=FIRST, linewidths=0)
    axes.set(xlabel=f"true {short(target.name)}", ylabel="predicted")
    axes.grid(alpha=0.3)


def _draw_residuals(target: NumberTarget, axes: Any) -> None:
    rows = _some(target)
    axes.axhline(0, color=QUIET, linewidth=0.8, linestyle=":")
    residuals = target.truth - target.predicted
    axes.scatter(target.predicted[rows], residuals[rows], s=7, alpha=0.5, color=SECOND, linewidths=0)
    axes.set(xlabel=f"predicted {short(target.name)}", ylabel="truth less prediction")
    axes.grid(alpha=0.3)

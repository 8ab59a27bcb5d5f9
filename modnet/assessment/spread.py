"""Figures of several networks: their mean, and how far they lie apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modnet.kinds.figures import figure_text, figure_title
from modnet.screen import fitted, folded
from modnet.training.measured import Figures, base_text
from modnet.words import counted


class Spread(NamedTuple):
    """A figure over the folds.

    Attributes:
        mean: over all folds in which it has a value; nan where it has none.
        deviation: the standard deviation between them (n - 1); nan for fewer than two.
        error: the standard error of the mean, deviation / sqrt(folds). Repeats do not lessen it: they part the same
            rows again. The folds share rows that their networks were trained on, so the error is rather too small
            (Bengio and Grandvalet 2004, "No unbiased estimator of the variance of k-fold cross-validation", JMLR 5).
        undefined: in how many folds it has no value, as `auc` where a class is not there.
    """

    mean: float
    deviation: float
    error: float
    undefined: int = 0

    @classmethod
    def of(cls, values: Sequence[float], folds: int) -> Spread:
        """The spread of a figure's values.

        Args:
            folds: how many are independent of each other: those of one repeat.
        """
        known = np.array([value for value in values if not math.isnan(value)])
        if len(known) < 2:
            return cls(float(known[0]) if len(known) else math.nan, math.nan, math.nan, len(values) - len(known))
        deviation = float(known.std(ddof=1))
        return cls(
            float(known.mean()), deviation, deviation / math.sqrt(min(folds, len(known))), len(values) - len(known)
        )


def spread_table(
    spread: Mapping[str, Spread], together: Figures, base: Mapping[str, float], width: int | None = None
) -> str:
    """The means with their spread, the figures of all rows together, and those of guessing, for the screen."""
    rows = [["", "mean", "deviation", "std error", "all rows", *(["base rate"] if base else [])]]
    notes = []
    for name, found in spread.items():
        mean = figure_text(name, found.mean)
        apart = [f"± {like(mean, found.deviation)}", like(mean, found.error)]
        compared = [base_text(name, base.get(name))] if base else []
        rows.append([figure_title(name), mean, *apart, figure_text(name, together[name]), *compared])
        if found.undefined:
            notes.append(f"{figure_title(name)} has no value in {counted(found.undefined, 'fold')}, which is left out")
    return "\n".join([*fitted(rows, 1, width), *(folded(note, width) for note in notes), *together.guess_texts(width)])


def like(text: str, value: float) -> str:
    """A value with as many decimals as another one has; for a text with an exponent, three digits."""
    if math.isnan(value) or "e" in text or "n" in text:
        return f"{value:.2e}" if math.isfinite(value) else "-"
    return f"{value:.{len(text.partition('.')[2])}f}"

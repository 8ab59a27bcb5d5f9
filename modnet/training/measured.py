"""The figures of a network on data, with the figures of a baseline."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.datasets.dataset import Dataset
from modnet.errors import DataError, ShapeError
from modnet.kinds.figures import figure_text, figure_title, number_text
from modnet.metrics.classes import ClassCounts, Counts
from modnet.screen import fitted, folded
from modnet.words import itemised, legible

MOST_CLASSES = 40
"""Of how many classes a text has a line each."""

ROUNDING = 1e-5

OF_CLASS = ("rows", "precision", "recall", "f1")
"""What is known of each class."""


class ByClass(ClassCounts, type="by class"):
    """Rows, precision, recall and F1 of each class, (classes, 4); nan if the targets are not classes."""

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        try:
            return super().update(accumulator, prediction, target, weights)
        except (DataError, ShapeError):  # targets between 0 and 1, for example; the losses and metrics know better
            nothing = np.full(max(prediction.shape[-1], 2), np.nan)
            return Counts(nothing, nothing, nothing, nothing)

    def result(self, accumulator: Any) -> Array:
        if accumulator is None:
            return np.zeros((0, len(OF_CLASS)))
        hit, predicted, true, _ = Counts(*accumulator)
        both = predicted + true
        precision, recall, f1 = (
            np.divide(above, below, out=np.zeros(len(hit)), where=~(below == 0))
            for above, below in ((hit, predicted), (hit, true), (2 * hit, both))
        )
        return np.stack([true, precision, recall, f1], axis=1)


class Figures(dict[str, Any]):
    """Figure name -> value, a number or an array, as `modnet.evaluate` measures them; `print` shows a table.

    Attributes:
        base: figure name -> its value for a guess that does not look at the inputs: for classes always the most
            frequent one, with the shares of the classes as probabilities; for numbers always the mean of these data.
            Empty if there is no such guess (for sequences, or a stream of batches).
        guesses: output name -> that guess: the name of a class, or numbers.
        classes: output name -> class name -> "rows", "precision", "recall" and "f1" of the class; where a sample may
            have several labels, of each label.
        coverage: target -> "asked", the coverage that its intervals or sets of classes were made for, "covered", the
            share of these rows with the truth in them, and "width" or "size", their mean.
        rows: how many rows were measured; None for a stream of batches.
    """

    def __init__(self, figures: Mapping[str, Any], rows: int | None = None) -> None:
        super().__init__(figures)
        self.rows = rows
        self.base: dict[str, float] = {}
        self.guesses: dict[str, Any] = {}
        self.classes: dict[str, dict[str, dict[str, float]]] = {}
        self.coverage: dict[str, dict[str, float]] = {}
        self.hits = ""

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        arrays = {name: value for name, value in self.items() if isinstance(value, np.ndarray)}
        numbers = self._table([name for name in self if name not in arrays], width)
        blocks = ["\n".join([*numbers, *self.guess_texts(width)])]
        for name, value in arrays.items():
            blocks.append(
                f"{figure_title(name)}\n{textwrap.indent(self._array_text(value, width and width - 2), '  ')}"
            )
        return "\n\n".join([*blocks, *self.class_tables(width), *self._coverage_table(width)])

    def _table(self, names: Sequence[str], width: int | None) -> list[str]:
        """The figures that are numbers, with those of a guess."""
        rows = [["", "", "base rate"]] if self.base else []
        for name in names:
            text = figure_text(name, self[name]) + (self.hits if name == "accuracy" else "")
            rows.append([figure_title(name), text, *([base_text(name, self.base.get(name))] if self.base else [])])
        return fitted(rows, 2, width)

    def guess_texts(self, width: int | None = None) -> Iterator[str]:
        several = len(self.guesses) > 1
        for output, guess in self.guesses.items():
            of = f" of {legible(output)}" if several else ""
            yield folded(f"base rate{of}: always {self._guess_text(output, guess)}", width)
        if not several:
            yield from self._positive_text()

    def _positive_text(self) -> Iterator[str]:
        """Which of two classes the figures are about that look for one of them."""
        (output, classes), *_ = self.classes.items() or [("", {})]
        if len(classes) != 2 or not isinstance(self.guesses.get(output), str):
            return
        name, known = list(classes.items())[1]
        # Of another `average` they are not those of the class.
        about = [figure for figure in OF_CLASS[1:] if abs(self.get(figure, np.inf) - known[figure]) < ROUNDING]
        about += [figure for figure in ("average_precision",) if figure in self]
        if about:
            titles = ", ".join(map(figure_title, about))
            yield f"{titles}: of {legible(name)}, the second of the two classes"

    def _guess_text(self, output: str, guess: Any) -> str:
        if isinstance(guess, str):
            rows = {name: known["rows"] for name, known in self.classes.get(output, {}).items()}
            counted = guess in rows and sum(rows.values()) == self.rows  # and not weighted
            share = f" ({rows[guess]:,.10g} of {self.rows:,} rows)" if counted else ""
            return f"{legible(guess)}{share}"
        if isinstance(guess, float):
            return f"{number_text(guess)}, the mean"
        if isinstance(guess[0], str):
            return ", ".join(itemised(map(legible, guess)))
        return f"{', '.join(itemised(map(number_text, guess)))}, the means"

    def class_tables(self, width: int | None = None) -> Iterator[str]:
        for output, classes in self.classes.items():
            if len(classes) > MOST_CLASSES:
                yield f"{legible(output)}: {len(classes):,} classes, too many to show each"
                continue
            rows = [[legible(output), *OF_CLASS]]
            for name, known in classes.items():
                rows.append([legible(name), f"{known['rows']:,.10g}", *(f"{known[key]:.3f}" for key in OF_CLASS[1:])])
            yield "\n".join(fitted(rows, 1, width))

    def _coverage_table(self, width: int | None) -> Iterator[str]:
        rows = [["", "coverage", "asked", "mean width or size"]]
        for target, known in self.coverage.items():
            size = number_text(known["width"]) if "width" in known else f"{known['size']:.3f} classes"
            kind = "intervals" if "width" in known else "sets"
            rows.append([f"{kind} of {legible(target)}", f"{known['covered']:.3f}", f"{known['asked']:g}", size])
        if self.coverage:
            yield "\n".join(fitted(rows, 1, width))

    def _array_text(self, array: Array, width: int | None) -> str:
        """An array as a table; with class names if it has a row and a column for each class."""
        names = next((list(known) for known in self.classes.values() if len(known) == len(array)), None)
        names = [legible(str(own)) for own in names or range(len(array))]
        if array.ndim == 3 and array.shape[1:] == (2, 2):  # a confusion matrix of each label
            head = ["", "rightly absent", "wrongly present", "wrongly absent", "rightly present"]
            return "\n".join(fitted([head, *_rows(names, array.reshape(-1, 4))], 1, width))
        if array.ndim != 2:
            return "  ".join(f"{value:g}" for value in array.flat)
        head = ["", *(names if array.shape[0] == array.shape[1] else map(str, range(array.shape[1])))]
        return "\n".join(fitted([head, *_rows(names, array)], 0, width))


def _rows(names: Sequence[str], array: Array) -> Iterator[list[str]]:
    return ([name, *(f"{value:g}" for value in row)] for name, row in zip(names, array, strict=True))


def base_text(name: str, value: float | None) -> str:
    """The figure of a guess as text; "" if there is none."""
    if value is None:
        return ""
    # r2 of the mean is 0, but for rounding.
    rounded = 0.0 if abs(value) < ROUNDING and not name.endswith(("loss", "error")) else value
    return figure_text(name, rounded)


def hits_text(accuracy: float, dataset: Dataset) -> str:
    """` (69 of 69)`, if every row has one label."""
    target = next(iter(dataset.targets.values()))
    return f" ({round(accuracy * len(dataset)):,} of {len(dataset):,})" if target.ndim == 1 else ""

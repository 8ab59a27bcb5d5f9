"""The truth and the predictions of held-out rows, target by target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.assessment.samples import Samples
from modnet.data.column_schema import ColumnSchema
from modnet.data.intervals import predicted_bounds, probabilities_of
from modnet.datasets.predictions import schema_of
from modnet.engine.network import Network
from modnet.kinds.figures import number_text
from modnet.records import Record
from modnet.training.heads import title_of

MOST_CELLS = 30
"""The most classes of a confusion matrix that is shown."""

BINS = 10
"""Into how many parts the probabilities from 0 to 1 are divided."""


class ClassTarget(Record, eq=False):
    """A target of classes.

    Attributes:
        name: of the column.
        classes: their names.
        truth: the class of each row, intp (rows,).
        probabilities: float64 (rows, classes).
    """

    name: str
    classes: tuple[str, ...]
    truth: Array
    probabilities: Array

    @property
    def predicted(self) -> Array:
        """The most probable class of each row, intp (rows,)."""
        found: Array = self.probabilities.argmax(axis=1)
        return found

    def badness(self) -> Array:
        """How wrong each prediction is, float64 (rows,): 1 less the probability of the true class."""
        found: Array = 1 - self.probabilities[np.arange(len(self.truth)), self.truth]
        return found

    def confusion(self) -> Array | None:
        """How many rows of each class (rows) are predicted as each (columns); None for very many classes."""
        count = len(self.classes)
        if count > MOST_CELLS:
            return None
        found: Array = np.bincount(self.truth * count + self.predicted, minlength=count**2).reshape(count, count)
        return found

    def reliability(self) -> list[tuple[float, float, int]]:
        """(mean confidence, share that is right, rows) for equally wide parts of the confidence, those with rows.

        The confidence is the probability of the predicted class. Source: Guo, Pleiss, Sun and Weinberger 2017, "On
        Calibration of Modern Neural Networks", arXiv:1706.04599, section 2.
        """
        confidence = self.probabilities.max(axis=1)
        right = self.predicted == self.truth
        part = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
        chosen = [part == number for number in range(BINS)]
        return [(float(confidence[c].mean()), float(right[c].mean()), int(c.sum())) for c in chosen if c.any()]

    def calibration_error(self) -> float:
        """The mean distance between confidence and accuracy over the parts, weighted by their rows."""
        parts = self.reliability()
        return sum(rows * abs(confidence - right) for confidence, right, rows in parts) / len(self.truth)

    def said(self, row: int) -> tuple[str, str]:
        """The truth and the prediction for a row, as text."""
        winner, truth = int(self.predicted[row]), int(self.truth[row])
        return self.classes[truth], f"{self.classes[winner]} ({self.probabilities[row, winner]:.3f})"


class NumberTarget(Record, eq=False):
    """A target of numbers.

    Attributes:
        name: of the column.
        truth, predicted: float64 (rows,).
    """

    name: str
    truth: Array
    predicted: Array

    def badness(self) -> Array:
        """How wrong each prediction is, float64 (rows,): its distance from the truth."""
        found: Array = np.abs(self.truth - self.predicted)
        return found

    def said(self, row: int) -> tuple[str, str]:
        """The truth and the prediction for a row, as text."""
        return number_text(float(self.truth[row])), number_text(float(self.predicted[row]))


Target = ClassTarget | NumberTarget


def targets_of(network: Network, samples: Samples) -> list[Target]:
    """The targets of classes and of numbers; not those of labels, of sequences, or of outputs without a target."""
    data = samples.data.copied()
    found = network.forward(dict(data.inputs))
    outputs = found if isinstance(found, dict) else dict.fromkeys(network.outputs, found)
    shown = {name: shape for name, shape in network.outputs.items() if len(shape) == 1 and shape[0] is not None}
    if len(shown) < len(network.outputs):
        return []
    columns = schema_of(network).targets
    return [
        target
        for name in network.outputs
        if name in data.targets
        for target in _of_output(title_of(network, name), columns[name], outputs[name], data.targets[name])
    ]


def _of_output(title: str, columns: Sequence[ColumnSchema], output: Array, truth: Array) -> Iterator[Target]:
    if columns[0].kind == "number":
        truths = truth.reshape(len(truth), -1).astype(np.float64)
        for place, column in enumerate(columns[: truths.shape[1]]):
            low, high = predicted_bounds(output, place, column.quantiles, 0.0)  # the middle one of quantiles
            yield NumberTarget(title if len(columns) == 1 else column.name, truths[:, place], (low + high) / 2)
    elif columns[0].has_categories and columns[0].kind != "labels" and _are_labels(truth):
        labels = truth.reshape(-1).astype(np.intp)
        yield ClassTarget(title, columns[0].categories, labels, probabilities_of(output))


def _are_labels(truth: Array) -> bool:
    """Whether targets are one class for each row, and not shares of classes."""
    return bool(truth.size == len(truth) and (truth == np.rint(truth)).all())

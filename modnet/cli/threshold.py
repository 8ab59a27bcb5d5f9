"""`--threshold`: from which probability on a class is predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.data.table import shorten
from modnet.records import Record
from modnet.words import did_you_mean, legible, show


class Decision(Record):
    """How one of two classes is chosen.

    Attributes:
        output: of the network.
        column: the name of the prediction.
        classes: the first and the second class.
        wanted: which of them is predicted from the threshold on, 0 or 1.
        threshold: the probability.
    """

    output: str
    column: str
    classes: tuple[str, ...]
    wanted: int
    threshold: float

    def decided(self, outputs: Mapping[str, Array]) -> Column:
        """The class of each row."""
        probabilities = outputs[self.output]
        if probabilities.shape[1] == 1:  # that of the second class
            probability = probabilities[:, 0] if self.wanted else 1 - probabilities[:, 0]
        else:
            probability = probabilities[:, self.wanted]
        chosen = np.where(probability >= self.threshold, self.wanted, 1 - self.wanted)
        return Column(chosen.astype(np.int32), None, self.classes)


def decisions(given: Sequence[str], schema: DataSchema) -> list[Decision]:
    """The decisions that `--threshold` asks for: 0.3 for the second of two classes, or CLASS=0.3.

    Raises:
        UsageError: it is no number from 0 to 1, or the model does not decide between two classes.
    """
    found = [_decision(text, schema) for text in given]
    for index, decision in enumerate(found):
        if decision.column in [other.column for other in found[:index]]:
            raise click.UsageError(f"--threshold {legible(given[index])}: {decision.column} has a threshold already")
    return found


def _decision(text: str, schema: DataSchema) -> Decision:
    name, equals, number = text.rpartition("=")
    threshold = _probability(number, text)
    targets = {output: columns[0] for output, columns in schema.targets.items() if columns[0].kind == "category"}
    if not targets:
        raise _refused(text, "this model predicts numbers; a threshold decides between two classes")
    if equals:
        targets = _with_class(targets, name, text)
    if len(targets) > 1:
        example = next(iter(targets.values())).categories[-1]
        several = shorten(column.name for column in targets.values())
        raise _refused(text, f"which of {several}? name a class: --threshold {legible(example)}={number}")
    ((output, column),) = targets.items()
    if len(column.categories) != 2:
        raise _refused(
            text,
            f"{legible(column.name)} has {len(column.categories)} classes; a threshold decides between two. "
            "The probability of each class is beside the prediction",
        )
    wanted = column.categories.index(name) if equals else 1
    return Decision(output, column.name, column.categories, wanted, threshold)


def _with_class(targets: Mapping[str, ColumnSchema], name: str, text: str) -> dict[str, ColumnSchema]:
    """Those of the targets that have this class."""
    found = {output: column for output, column in targets.items() if name in column.categories}
    if not found:
        known = [known for column in targets.values() for known in column.categories]
        near = did_you_mean(name, known)
        raise _refused(text, f"no class is called {show(name)}{near or f'; the classes are {shorten(known)}'}")
    return found


def _probability(number: str, text: str) -> float:
    try:
        threshold = float(number)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= 1:
        raise _refused(text, "expected a probability from 0 to 1, as in 0.3 or CLASS=0.3")
    return threshold


def _refused(text: str, reason: str) -> click.UsageError:
    return click.UsageError(f"--threshold {legible(text)}: {reason}")

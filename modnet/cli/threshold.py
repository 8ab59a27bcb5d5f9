"""`--threshold`: from which probability on a class or a label is predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema, labels_text
from modnet.data.table import shorten
from modnet.records import Record
from modnet.words import did_you_mean, legible, show


class Decision(Record):
    """How one of two classes, or some of several labels, are chosen.

    Attributes:
        output: of the network.
        column: what is predicted.
        wanted: which of two classes is predicted from its threshold on, 0 or 1; of no meaning for labels.
        thresholds: label -> its probability; of two classes that of the wanted one.
    """

    output: str
    column: ColumnSchema
    wanted: int
    thresholds: Mapping[str, float]

    def decided(self, outputs: Mapping[str, Array]) -> Column:
        """The class, or the labels, of each row."""
        probabilities, names = outputs[self.output], self.column.categories
        if self.column.kind == "labels":
            least = np.array([self.thresholds.get(name, 0.5) for name in names], probabilities.dtype)
            above = np.array([name in self.thresholds for name in names])
            # Without a threshold of its own a label has to be above one half, as everywhere.
            has = np.where(above, probabilities >= least, probabilities > least)
            return Column.of_texts([labels_text(self.column, row) for row in has])
        if probabilities.shape[1] == 1:  # that of the second class
            probability = probabilities[:, 0] if self.wanted else 1 - probabilities[:, 0]
        else:
            probability = probabilities[:, self.wanted]
        chosen = np.where(probability >= self.thresholds[names[self.wanted]], self.wanted, 1 - self.wanted)
        return Column(chosen.astype(np.int32), None, names)


def decisions(given: Sequence[str], schema: DataSchema) -> list[Decision]:
    """The decisions that `--threshold` asks for: 0.3 for the second of two classes or for all labels, or NAME=0.3.

    Raises:
        UsageError: it is no number from 0 to 1, or the model decides neither between two classes nor on labels.
    """
    found: dict[str, Decision] = {}
    for text in given:
        decision = _decision(text, schema)
        earlier = found.get(decision.output)
        if earlier is None:
            found[decision.output] = decision
        elif decision.column.kind != "labels":
            raise click.UsageError(f"--threshold {legible(text)}: {decision.column.name} has a threshold already")
        else:
            found[decision.output] = earlier.replace(thresholds={**earlier.thresholds, **decision.thresholds})
    return list(found.values())


def _decision(text: str, schema: DataSchema) -> Decision:
    name, equals, number = text.rpartition("=")
    threshold = _probability(number, text)
    output, column = _target(schema, name if equals else None, text, number)
    if column.kind == "labels":
        return Decision(output, column, 0, dict.fromkeys([name] if equals else column.categories, threshold))
    if len(column.categories) != 2:
        raise _refused(
            text,
            f"{legible(column.name)} has {len(column.categories)} classes; a threshold decides between two. "
            "The probability of each class is beside the prediction",
        )
    wanted = column.categories.index(name) if equals else 1
    return Decision(output, column, wanted, {column.categories[wanted]: threshold})


def _target(schema: DataSchema, name: str | None, text: str, number: str) -> tuple[str, ColumnSchema]:
    """The only output with classes or labels, and its target; that with this class, if one is named."""
    targets = {output: columns[0] for output, columns in schema.targets.items() if columns[0].has_categories}
    if not targets:
        raise _refused(text, "this model predicts numbers; a threshold decides between two classes")
    if name is not None:
        targets = _with_class(targets, name, text)
    if len(targets) > 1:
        example = next(iter(targets.values())).categories[-1]
        several = shorten(column.name for column in targets.values())
        raise _refused(text, f"which of {several}? name a class: --threshold {legible(example)}={number}")
    return next(iter(targets.items()))


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

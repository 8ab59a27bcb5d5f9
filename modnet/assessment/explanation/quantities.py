"""The numbers that a network predicts for a row, each by itself: what an explanation explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.table import shorten
from modnet.datasets.predictions import schema_of
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.records import Record
from modnet.words import did_you_mean, show

SMALLEST = 1e-30
"""In the place of a probability of 0, which has no logarithm."""


Form = Literal["number", "of_all", "second", "rest", "alone"]


class Quantity(Record):
    """One number that a network predicts for a row: a number, or the probability of a class.

    Attributes:
        name: `price`, `P(Gentoo)`, `log-odds of Gentoo`.
        output: the network's output.
        position: of the number in the output.
        category: the class or label whose probability it is; None for a number.
        form: "number" for a number; "of_all" for one of the classes whose probabilities are the output; "second" for
            the second of two classes, whose probability p alone is the output, and "rest" for the first, 1 - p;
            "alone" for a label.
        log_odds: whether it is log(p / (1 - p)) instead of p.
    """

    name: str
    output: str
    position: int
    category: str | None = None
    form: Form = "number"
    log_odds: bool = False

    @property
    def excludes_others(self) -> bool:
        """Whether it is the probability of one of several classes, of which one is predicted."""
        return self.form in ("of_all", "second", "rest")

    def values(self, output: Array) -> Array:
        """Float64 (rows,), from the network's output (rows, width)."""
        p = np.asarray(output[:, self.position], np.float64)
        if not self.log_odds:
            return 1.0 - p if self.form == "rest" else p
        found = np.log(np.maximum(p, SMALLEST)) - np.log(self._others(output, p))
        return -found if self.form == "rest" else found

    def _others(self, output: Array, p: Array) -> Array:
        """1 - p: the sum of the other classes, which has digits where p is nearly 1."""
        others = 1.0 - p
        if self.form == "of_all":
            rest = np.delete(np.asarray(output, np.float64), self.position, axis=1)
            others = rest.sum(axis=1)
        return np.maximum(others, SMALLEST)

    def slope(self, output: Array) -> Array:
        """The derivative of `values` with respect to the output, of its shape and dtype."""
        slope = np.zeros_like(output)
        sign = -1.0 if self.form == "rest" else 1.0
        if not self.log_odds:
            slope[:, self.position] = sign
            return slope
        p = np.asarray(output[:, self.position], np.float64)
        others = self._others(output, p)
        if self.form == "of_all":
            slope[...] = -1.0 / others[:, None]
            slope[:, self.position] = 1.0 / np.maximum(p, SMALLEST)
        else:
            slope[:, self.position] = sign * (1.0 / np.maximum(p, SMALLEST) + 1.0 / others)
        return slope


def values_by_output(network: Network, inputs: Mapping[str, Array], quantities: Sequence[Quantity]) -> Array:
    """What a network predicts for rows, float64 (rows, quantities)."""
    found = network.forward(dict(inputs))
    outputs = found if isinstance(found, dict) else dict.fromkeys(network.outputs, found)
    return np.stack([quantity.values(outputs[quantity.output]) for quantity in quantities], axis=1)


def quantities_of(network: Network, target_class: str | None = None, log_odds: bool = False) -> list[Quantity]:
    """What a network predicts for a row, number by number.

    Args:
        target_class: only the probability of this class or label.
        log_odds: of probabilities, log(p / (1 - p)).

    Raises:
        DataError: an output is no row of numbers; there is no such class, or nothing has classes.
    """
    schema = schema_of(network)
    several = sum(columns[0].kind != "number" for columns in schema.targets.values()) > 1
    found: list[Quantity] = []
    for output, columns in schema.targets.items():
        shape = network.outputs[output]
        if len(shape) != 1 or shape[0] is None:
            raise DataError(f"output {show(output)} has samples of shape {shape}; expected a row of numbers to explain")
        found += _of_output(output, columns, shape[0], several)
    if target_class is not None:
        found = _of_class(_probabilities_among(found, f"there is no class {show(target_class)}"), target_class)
    if log_odds:
        classes = _probabilities_among(found, "log-odds are of classes")
        found = [q.replace(name=f"log-odds of {q.name[2:-1]}", log_odds=True) for q in classes]
    return found


def _probabilities_among(found: Sequence[Quantity], what: str) -> list[Quantity]:
    """The probabilities among them; `what` is asked of them, for the error if there are none."""
    classes = [quantity for quantity in found if quantity.category is not None]
    if not classes:
        raise DataError(f"{what}, and the model predicts numbers: {shorten(q.name for q in found)}")
    return classes


def _of_class(classes: Sequence[Quantity], name: str) -> list[Quantity]:
    """The probabilities of one class."""
    names = [str(quantity.category) for quantity in classes]
    if name not in names:
        raise DataError(f"no class is called {show(name)}{did_you_mean(name, names) or '; there is ' + shorten(names)}")
    return [quantity for quantity in classes if quantity.category == name]


def _of_output(output: str, columns: Sequence[ColumnSchema], width: int, several: bool) -> list[Quantity]:
    """The quantities of one output."""
    if columns[0].kind == "number":
        names = [known.name for known in columns]
        names = [f"{columns[0].name}_{q:g}" for q in columns[0].quantiles] or names
        names = names if len(names) == width else [f"{output}_{place}" for place in range(width)]
        return [Quantity(name, output, place) for place, name in enumerate(names)]
    return list(_probabilities(output, columns[0], width, several))


def _probabilities(output: str, column: ColumnSchema, width: int, several: bool) -> Iterator[Quantity]:
    """The probability of each class or label of one output."""
    alone = width < len(column.categories)
    for place, category in enumerate(column.categories):
        form: Form = "alone" if column.kind == "labels" else "of_all"
        if alone:
            form = "second" if place else "rest"
        name = f"P({column.name}={category})" if several else f"P({category})"
        yield Quantity(name, output, 0 if alone else place, category, form)

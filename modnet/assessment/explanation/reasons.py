"""What each column adds to the prediction of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.assessment.explanation.attribution import integrated_gradients
from modnet.assessment.explanation.features import Feature, rows_taken
from modnet.assessment.explanation.quantities import Quantity, values_by_output
from modnet.assessment.samples import Samples
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.records import Record
from modnet.words import counted


class Reasons(Record, eq=False):
    """What each column adds to one number that a network predicts for a row.

    `start + amounts.sum() + error == end`

    Attributes:
        row: its position, from 0.
        name: of the row, as in messages: `row 5 (line 6)`.
        quantity: what is predicted: `price`, `P(Gentoo)`.
        columns: their names.
        cells: the value of each column in this row, as text; "" for a missing one.
        amounts: what each column adds, float64 (columns,).
        start: the prediction for the baseline.
        end: the prediction for this row.
        error: what the amounts lack of end - start: the error of the numerical integral.
        steps: at how many points the gradient was taken.
    """

    row: int
    name: str
    quantity: str
    columns: tuple[str, ...]
    cells: tuple[str, ...]
    amounts: Array
    start: float
    end: float
    error: float
    steps: int

    def order(self) -> list[int]:
        """The positions of the columns, those that add or take the most before the others."""
        found: list[int] = np.argsort(-np.abs(self.amounts), kind="stable").tolist()
        return found


class Reasoning:
    """Finds what each column adds to the predictions for single rows.

    Args:
        baseline: input name -> array (1, *shape), from which the lines to the rows begin.
    """

    def __init__(
        self,
        network: Network,
        samples: Samples,
        features: Sequence[Feature],
        quantities: Sequence[Quantity],
        baseline: Mapping[str, Array],
    ) -> None:
        self.network, self.samples, self.features, self.quantities = network, samples, features, quantities
        self.baseline = baseline
        if any(len(array) != 1 for array in baseline.values()):
            raise DataError(f"baseline: expected one row, found {len(next(iter(baseline.values())))}")

    def of(self, places: Sequence[int]) -> tuple[Reasons, ...]:
        """The reasons for each row and quantity; of classes that exclude each other, for the predicted one alone.

        Args:
            places: positions of rows, from 0.

        Raises:
            DataError: there is no such row.
        """
        count = len(self.samples)
        for place in places:
            if not 0 <= place < count:
                raise DataError(f"there is no row {place + 1}; the data have {counted(count, 'row')}")
        rows = np.asarray(places, np.intp)
        if self.samples.data.rows is not None:
            rows = self.samples.data.rows[rows]
        inputs = rows_taken(self.samples.data.inputs, rows)
        asked = self._asked(inputs)
        found: dict[tuple[int, int], Reasons] = {}
        for number, quantity in enumerate(self.quantities):
            own = np.flatnonzero(asked[:, number])
            if len(own):
                made = self._reasons(quantity, rows_taken(inputs, own), [places[row] for row in own.tolist()])
                found.update(((row, number), reasons) for row, reasons in zip(own.tolist(), made, strict=True))
        return tuple(found[key] for key in sorted(found))

    def _asked(self, inputs: Mapping[str, Array]) -> Array:
        """bool (rows, quantities): which are explained for each row."""
        values = values_by_output(self.network, inputs, self.quantities)
        asked = np.ones(values.shape, bool)
        for output in {quantity.output for quantity in self.quantities}:
            own = [n for n, q in enumerate(self.quantities) if q.output == output and q.excludes_others]
            if own:
                asked[:, own] = False
                asked[np.arange(len(values)), np.asarray(own)[values[:, own].argmax(axis=1)]] = True
        return asked

    def _reasons(self, quantity: Quantity, inputs: Mapping[str, Array], places: Sequence[int]) -> list[Reasons]:
        found = integrated_gradients(self.network, inputs, self.baseline, quantity, self.features)
        amounts, errors = found.of(self.features), found.errors
        names = tuple(feature.name for feature in self.features)
        return [
            Reasons(
                row,
                self.samples.row_name(row),
                quantity.name,
                names,
                tuple(self._cell(feature, inputs, row, place) for feature in self.features),
                amounts[place],
                float(found.start[place]),
                float(found.end[place]),
                float(errors[place]),
                found.steps,
            )
            for place, row in enumerate(places)
        ]

    def _cell(self, feature: Feature, inputs: Mapping[str, Array], row: int, place: int) -> str:
        """The value of a column as it was read, or the number of an array."""
        if self.samples.table is not None and feature.column is not None:
            return self.samples.cell(feature.column.name, row)
        values = next(iter(feature.of(inputs).values()))[place].reshape(-1)
        return f"{values[0]:.6g}" if len(values) == 1 else f"{len(values)} numbers"

"""Arrays to train on, to evaluate on or to predict from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from modnet.arrays import Array


@dataclass(frozen=True, eq=False)
class Dataset:
    """Arrays by the names of a network's inputs and outputs, and which of their rows count.

    A part of a dataset shares its arrays, so that no part of a file that is mapped into memory is copied before a
    batch of it is needed.

    Attributes:
        inputs: input name -> array (rows, ...).
        targets: output name -> array: class labels int64 (rows,) or numbers (rows, ...). Empty where there are none.
        rows: the rows of the arrays that belong to the dataset, in its order; None for all.
        name: how messages call the data: their file; "" where they come from none.
        row_name: how messages call a row of the arrays; None for row 0, row 1, ...
    """

    inputs: Mapping[str, Array]
    targets: Mapping[str, Array] = field(default_factory=dict)
    rows: Array | None = None
    name: str = ""
    row_name: Callable[[int], str] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values()))) if self.rows is None else len(self.rows)

    def take(self, rows: Sequence[int] | Array) -> Dataset:
        """The part with these rows, counted in this dataset. Copies no array."""
        chosen = np.asarray(rows, np.intp)
        return replace(self, rows=chosen if self.rows is None else self.rows[chosen])

"""Arrays to train on, to evaluate on or to predict from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modnet.component import Array


@dataclass(frozen=True, eq=False)
class Dataset:
    """Arrays by the names of a network's inputs and outputs, and which of their rows count.

    A part of a dataset shares its arrays, so that no part of a file that is mapped into memory is copied before a
    batch of it is needed.

    Attributes:
        inputs: input name -> array (rows, ...).
        targets: output name -> array: class labels int64 (rows,) or numbers (rows, ...). Empty where there are none.
        rows: the rows of the arrays that belong to the dataset, in its order; None for all.
    """

    inputs: Mapping[str, Array]
    targets: Mapping[str, Array] = field(default_factory=dict)
    rows: Array | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values()))) if self.rows is None else len(self.rows)

    def take(self, rows: Sequence[int] | Array) -> Dataset:
        """The part with these rows, counted in this dataset. Copies no array."""
        chosen = np.asarray(rows, np.intp)
        return Dataset(self.inputs, self.targets, chosen if self.rows is None else self.rows[chosen])

"""Measuring a network on data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batch, Batches
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.errors import DataError
from modnet.kinds.sharing import Processes
from modnet.training.objective import Objective, row_of
from modnet.training.tally import Tally
from modnet.words import show


class Evaluation:
    """Measures a network on data without changing it."""

    def __init__(self, network: Network, objective: Objective) -> None:
        self.network = network
        self.objective = objective
        self._pass = Pass(network, objective.measured)

    def figures(
        self, batches: Batches, refuse_nan: bool = False, processes: Processes | None = None
    ) -> dict[str, float | Array]:
        """Figure name -> value over all batches of an epoch.

        Args:
            refuse_nan: whether a loss of nan raises an error with the row that it comes from.
            processes: who measures them together; every process then has the figures of all rows.

        Raises:
            DataError: no sample has a weight, or a loss is nan.
        """
        tally = self.tally(batches, refuse_nan, processes=processes)
        refuse_nothing(tally)
        return tally.result()

    def tally(
        self,
        batches: Batches,
        refuse_nan: bool = False,
        tally: Tally | None = None,
        processes: Processes | None = None,
    ) -> Tally:
        """The sums over all batches of an epoch; raises as `figures`, except if no sample has a weight.

        Args:
            tally: sums to which these are added.
        """
        tally, rows = tally or Tally(self.objective.heads), 0
        for batch in batches.epoch(processes=processes):
            if batch.counts():
                values = self._pass.forward(batch.inputs)
                self.objective.evaluate(values, batch, tally, self._pass.wanted_masks())
                if refuse_nan and tally.has_nan():
                    raise self._nan(values, batch, rows)
            rows += len(batch)
        return tally

    def _nan(self, values: Sequence[Array], batch: Batch, before: int) -> DataError:
        """The error for a batch whose loss is nan; `before` rows were measured before it."""
        inputs = zip((f"input {show(name)}" for name in self.network.inputs), batch.inputs, strict=True)
        targets = ((f"the target of {show(name)}", target) for name, target in batch.targets.items())
        predictions = (
            (f"the prediction of {show(head.name)}", value)
            for head, value in zip(self.objective.heads, values, strict=False)
        )
        for what, array in (*inputs, *targets, *predictions):
            if array.dtype.kind == "f" and np.isnan(array).any():
                position = int(np.argwhere(np.isnan(array))[0][0])
                row = before + position if batch.rows is None else row_of(batch.rows, position)
                return DataError(f"the loss is nan: {what} contains nan in row {row}")
        return DataError(f"the loss is nan in one of the rows {before} to {before + len(batch) - 1}")


def refuse_nothing(tally: Tally) -> None:
    """Raises DataError if no sample has a weight."""
    nothing = tally.empty()
    if nothing:
        raise DataError(f"there is nothing to measure: output {show(nothing[0])} has no samples, or all weights are 0")

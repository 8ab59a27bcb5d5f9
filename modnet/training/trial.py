"""The check of the data before the first step: rows that the network, a loss or a metric cannot use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from modnet.arrays import Array, beyond, beyond_error
from modnet.datasets.batches import Batches
from modnet.datasets.dataset import Dataset, DatasetBatches, naming
from modnet.datasets.stream import BatchStream
from modnet.datasets.unusual import extremes, unusual_rows, what_is_not_finite
from modnet.errors import DataError, SampleError, ShapeError
from modnet.training.evaluation import Evaluation
from modnet.training.heads import Head
from modnet.training.objective import Objective, are_labels, representable, row_of
from modnet.training.unfit import refuse_unfit

ROWS_AT_A_TIME = 1 << 16
"""How many targets a loss checks at a time."""

USUAL = 8
"""How many of the first rows represent normal ones."""


def check_targets(objective: Objective, dataset: Dataset) -> None:
    """Lets the losses check all targets in memory, and labels in mapped files, before there is a prediction.

    Raises:
        DataError: the loss cannot use a target, with its row.
    """
    for head in objective.heads:
        shape = objective.network.outputs[head.name]
        if not head.loss.takes_target:
            head.loss.check_shapes(shape, ())
        elif not _is_left_to_batches(objective, dataset, head):
            head.loss.check_shapes(shape, dataset.targets[head.name].shape[1:])
            if dataset.weights is None or dataset.weights.ndim == 1:
                _check_targets(objective, dataset, head)
            # otherwise targets of steps without weight may be anything; the others are checked in their batches


def _is_left_to_batches(objective: Objective, dataset: Dataset, head: Head) -> bool:
    """Whether the targets cannot be looked at beforehand: those of padded steps may be anything."""
    shape, target = objective.network.outputs[head.name], dataset.targets[head.name]
    by_rows = isinstance(target, np.memmap) and target.ndim > 1
    return by_rows or shape[-1:] == (None,) or (objective.masked and len(shape) > 1)


def _check_targets(objective: Objective, dataset: Dataset, head: Head) -> None:
    shape = objective.network.outputs[head.name]
    for chosen, few in _targets(objective, dataset, head):
        try:
            head.loss.check_targets(shape, few)
        except SampleError as error:
            raise error.at(dataset.row_name(row_of(chosen, error.sample))) from None


def check_class_weights(objective: Objective, dataset: Dataset) -> None:
    """Checks that the weights that losses derive from targets leave something; the losses have been fitted.

    Raises:
        DataError: they are 0 for all targets.
    """
    for head in objective.heads:
        if not head.loss.takes_target or _is_left_to_batches(objective, dataset, head):
            continue
        if dataset.weights is not None and dataset.weights.ndim > 1:
            continue
        weight = 0.0
        for chosen, few in _targets(objective, dataset, head):
            by_class = head.loss.sample_weights(few)
            if by_class is None:
                weight = 1.0
                break
            weight += float(np.sum(by_class if dataset.weights is None else by_class * dataset.weights[chosen]))
        if not weight:
            raise DataError(f"no sample has a weight: the class weights of {head.loss.type} are 0 for all of them")


def _targets(objective: Objective, dataset: Dataset, head: Head) -> Iterator[tuple[Any, Array]]:
    """The rows and targets of the dataset, some at a time, as the loss receives them."""
    network, target = objective.network, dataset.targets[head.name]
    for start in range(0, len(dataset), ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        chosen = part if dataset.rows is None else dataset.rows[part]
        few = representable(target[chosen], network.dtype, head.name, chosen, dataset.row_name)
        if not are_labels(head.loss, few, len(network.outputs[head.name])):
            few = few.astype(network.dtype, copy=False)
        yield chosen, few


def look_over(evaluation: Evaluation, batches: Batches, what: str) -> None:
    """Searches all data in memory once, and sends their first and their most unusual rows through the network.

    This takes as long as reading the data from memory once. The batches of a generator cannot be checked beforehand.

    Args:
        what: the name of the data in messages.

    Raises:
        DataError: a row cannot be used, or its loss is not finite because the row is not; with its number.
        ShapeError: shapes do not match.
        SpecError: a metric does not fit what the network predicts.
    """
    try:
        if isinstance(batches, DatasetBatches):
            _LookOver(evaluation, batches.dataset, what).run()
        elif isinstance(batches, BatchStream) and isinstance(batches.source, list | tuple):
            _look_over_list(evaluation, batches, what)
    except (ShapeError, DataError):
        if isinstance(batches, DatasetBatches):
            refuse_unfit(evaluation.objective, batches.dataset)
        raise
    except Exception:
        return  # other errors are not caused by a row; the run will raise them in the right place


class _LookOver:
    """The first rows of a dataset, which are assumed to be normal, and the most unusual ones.

    Args:
        what: the name of the data in messages.
    """

    def __init__(self, evaluation: Evaluation, dataset: Dataset, what: str) -> None:
        self.evaluation = evaluation
        self.dataset = replace(dataset, weights=_weights_of_steps(dataset.weights))
        self.what = what
        self.dtypes = evaluation.network.input_dtypes()
        rows: Any = range(len(dataset)) if dataset.rows is None else dataset.rows
        self.usual = [int(row) for row in rows[:USUAL]]
        self.unusual = sorted(set(unusual_rows(dataset, self.dtypes)) - set(self.usual))

    def run(self) -> None:
        usual, unusual = self.usual, self.unusual
        try:
            if self.is_finite(usual + unusual):
                return
            suspects = [[row] for row in usual] + [[*usual, row] for row in unusual]
        except (ShapeError, DataError):
            for row in usual + unusual:
                self.check_representable(row)
            self.try_rows(usual)
            suspects = [[*usual, row] for row in unusual]
        for chosen in suspects:
            row = chosen[-1]
            place = self.dataset.row_name(row)
            if not self.try_rows(chosen, place):
                holder = what_is_not_finite(self.dataset, row)
                if holder:
                    remedy = "clean the data, or leave the row out"
                    raise DataError(f"{self.what}: {holder} in {place}, so the loss is not finite; {remedy}")

    def is_finite(self, chosen: list[int]) -> bool:
        """Whether the loss of these rows of the arrays is finite."""
        rows, weights = np.asarray(chosen), self.dataset.weights
        if weights is not None and not weights[rows].any():
            return True
        with np.errstate(all="ignore"):
            return self.evaluation.tally(replace(self.dataset, rows=rows).batches(len(chosen))).is_finite()

    def try_rows(self, chosen: list[int], place: str = "") -> bool:
        """The same; the errors say where the rows are."""
        try:
            return self.is_finite(chosen)
        except ShapeError as error:
            raise ShapeError(f"{self.what}: {error.message}", error.hint) from None
        except SampleError as error:
            raise DataError(f"{self.what}: {error.at(self.dataset.row_name(chosen[error.sample]))}") from None
        except DataError as error:
            raise DataError(f"{self.what}, {place}: {error}" if place else f"{self.what}: {error}") from None

    def check_representable(self, row: int) -> None:
        """Refuses a row with a number that the network's dtype cannot hold."""
        for (name, array), dtype in zip(self.dataset.inputs.items(), self.dtypes, strict=True):
            if array.dtype.kind == "f" and dtype.kind == "f" and beyond(array[row], dtype).any():
                error = beyond_error(name, array[row : row + 1], dtype).at(self.dataset.row_name(row))
                raise DataError(f"{self.what}: {error}")


def _weights_of_steps(weights: Array | None) -> Array | None:
    """Weights of steps, without which a step that does not count would be refused; those of samples decide nothing."""
    return weights if weights is not None and weights.ndim > 1 else None


def _look_over_list(evaluation: Evaluation, batches: BatchStream, what: str) -> None:
    """The same for a list of batches: shapes, targets, and numbers that are not finite."""
    stream = BatchStream(batches.source, batches.network, batches.outputs)
    for number, batch in enumerate(stream.epoch()):
        if not batch.counts():
            continue
        weights = _weights_of_steps(batch.weights)
        dataset = Dataset(dict(zip(batches.network.inputs, batch.inputs, strict=True)), batch.targets, weights=weights)
        where = f"{what}, batch {number}"
        with naming(where):
            check_targets(evaluation.objective, dataset)
        for row in {row for array in (*batch.inputs, *batch.targets.values()) for row in extremes(array)}:
            holder = what_is_not_finite(dataset, row)
            if holder and (weights is None or weights[row].any()):
                with np.errstate(all="ignore"):
                    finite = evaluation.tally(dataset.take([row]).batches(1)).is_finite()
                if not finite:
                    raise DataError(f"{where}: {holder} in row {row}, so the loss is not finite")

"""Rows that a network was not trained on, from which something is learnt about it."""

from __future__ import annotations

from modnet.datasets.dataset import Dataset
from modnet.errors import DataError
from modnet.training.objective import Objective
from modnet.training.sources import Given, data_to_measure


def held_out_rows(objective: Objective, given: Given) -> Dataset:
    """The rows of a caller with their targets, as `modnet.evaluate` takes them.

    Raises:
        DataError: they are a stream of batches, which may not be there a second time.
        SpecError, ShapeError, DataError: as `data_to_measure`.
    """
    data = data_to_measure(objective, given)
    if not isinstance(data, Dataset):
        raise DataError("expected rows of a table, or arrays x and y; found a stream of batches")
    return data

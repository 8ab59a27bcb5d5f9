"""Data files for commands, including kinds that plugins read, by the schema of a model."""

from __future__ import annotations

import sys

from modnet.data.files import read_table
from modnet.datasets.dataset import Dataset
from modnet.datasets.read import loader_for
from modnet.engine.network import Network
from modnet.errors import DataError


def read_for(network: Network, data: str, *, targets: bool) -> Dataset:
    """The rows of a data file, or of a table on standard input for "-", as the network takes them."""
    if data == "-":
        if network.card.schema is None:
            raise DataError("standard input: expected a file with arrays: the model knows no columns")
        return Dataset.of_table(network.card.schema, read_table(sys.stdin.buffer), targets)
    return loader_for(network).load_source(data, network.card.schema, targets=targets)[0]

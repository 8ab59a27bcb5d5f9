"""Data files as a command takes them: what plugins can read too, and what a model knows of its columns."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modnet.data.dataset import Dataset
from modnet.data.files import Read, read_table
from modnet.data.load import load_source
from modnet.data.table import Table
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.kinds.loss import Loss
from modnet.plugins.registry import default_registry

FORMATS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".npz", ".npy", ".idx", "-ubyte", "-ubyte.gz")
"""Names of data files for which no plugin needs to be asked."""


def output_losses(network: Network) -> dict[str, Loss]:
    """The outputs that have a loss, with it; none for a network that does not know how it was trained."""
    training = network.card.training
    if training is None:
        return {}
    if isinstance(training.loss, Mapping):
        return {name: used.loss for name, used in training.loss.items()}
    return dict.fromkeys(network.outputs, training.loss)


def label_outputs(network: Network) -> list[str]:
    """The outputs whose loss takes class labels."""
    return [name for name, loss in output_losses(network).items() if loss.takes_labels]


def read_foreign(path: Path) -> Read | None:
    """A data file of a kind that only a plugin knows, or None."""
    if path.name.lower().endswith(FORMATS):
        return None
    found: Any = default_registry().hooks.hook.modnet_read_data(path=path)
    return found if found is None or not isinstance(found, Mapping) else _table_or_arrays(found, path)


def _table_or_arrays(found: Mapping[str, Any], path: Path) -> Read:
    if all(isinstance(values, list) for values in found.values()):
        return Table(found, str(path))
    return dict(found)


def read_data(network: Network, data: str, *, targets: bool) -> Dataset:
    """The rows of a data file, or of a table on standard input for "-", as the network takes them."""
    if data == "-":
        if network.card.schema is None:
            raise DataError("standard input: expected a file with arrays: the model knows no columns")
        dataset: Dataset = network.card.schema.encode(read_table(sys.stdin.buffer), targets)
        return dataset
    dataset, _ = load_source(
        data,
        "",
        schema=network.card.schema,
        input_names=list(network.inputs),
        output_names=list(output_losses(network) or network.outputs),
        label_outputs=label_outputs(network),
        targets=targets,
        readers=(read_foreign,),
    )
    return dataset

"""The data of a spec, as `modnet train` uses them, for the commands of modnet and of plugins."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, cast

from modnet.arrays import Array
from modnet.data.files import Read, Reader
from modnet.data.foreign import as_data
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import DEFAULTS, ReadOptions
from modnet.data.rows import are_rows, table_of
from modnet.data.schema import DataSchema
from modnet.data.source import without_password
from modnet.data.spec import DataSpec
from modnet.data.table import Table, shorten
from modnet.datasets.dataset import naming, target_column
from modnet.datasets.load import LoadedData, Loader
from modnet.datasets.outliers import warn_of_far_cells
from modnet.datasets.targets import named_targets
from modnet.datasets.units import warn_of_units
from modnet.engine.build import plan
from modnet.engine.network import Network
from modnet.errors import DataError, Problem, SpecError
from modnet.kinds.loss import Loss
from modnet.losses.quantile import Quantile
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.reader import SpecLike
from modnet.words import legible


def read_data(
    spec: SpecLike, *, folder: str | PathLike[str] | None = None, registry: Registry | None = None
) -> LoadedData:
    """The data of a spec's `[data]` table, to train, validate and test, as `modnet train` uses them.

    Use it in a sub-command of a plugin; `train`, `evaluate` and `predict` accept its results:

        data = modnet.read_data("digits.toml")
        network = modnet.build("digits.toml")
        modnet.train(network, data.train, validation=data.validation)

    Args:
        spec: the path of a spec file, the same as a dict, or a `Spec`.
        folder: the folder to which its paths are relative; by default that of the spec file, or the current one.
        registry: where components, and readers of other kinds of files, are looked up.

    Returns:
        `.train`, `.validation` and `.test`, a `Dataset` each (None without), with `.inputs` and `.targets` by name;
        `.schema`, how a table's columns are encoded as numbers, or None; `.notes`, lines for the screen.

    Raises:
        SpecError: the spec has faults (all are listed), or no `[data]` table.
        DataError, ShapeError: the data cannot be read, or do not match the network.
    """
    network = plan(spec, registry=registry)
    if folder is not None:
        network.card = network.card.replace(folder=os.fspath(folder))
    return data_of(network, registry=registry)


def data_of(
    network: Network,
    *,
    rows: Table | NamedArrays | None = None,
    only: Array | None = None,
    data: DataSpec | None = None,
    registry: Registry | None = None,
) -> LoadedData:
    """The data of the spec that a network was built from, checked against the network, whose card gets the schema.

    Args:
        rows: the training data, instead of those that `data.train` names.
        only: the positions of those of them that there are; see `Loader.load`.
        data: instead of the `[data]` table of the network's spec.

    Raises:
        SpecError: there is no `[data]` table, or there are no rows and it names no file.
        DataError, ShapeError: the data cannot be read, or do not match the network.
    """
    data = require_data(data or network.card.spec.data, given=rows is not None)
    loader = loader_for(network, network.card.folder, registry)
    loaded = loader.load(data, rows=rows, only=only, schema=network.card.schema)
    loaded = _with_quantiles(loaded, output_losses(network))
    network.card = network.card.replace(schema=loaded.schema)
    if loaded.schema is not None:
        loaded.schema.check_shapes(network.inputs, network.outputs)
        with naming(loaded.train.name):
            _check_losses(network, loaded.schema)
        warn_of_far_cells(network, loaded.train, loaded.schema)
        warn_of_units(network, loaded.train, loaded.schema, output_losses(network))
    for part in (loaded.train, loaded.validation, loaded.test):
        if part is not None:
            with naming(part.name):
                network.arrays(part.inputs)
    return loaded


def require_data(data: DataSpec | None, given: bool = False) -> DataSpec:
    """The `[data]` table of a spec, which names the training data unless they are given.

    Raises:
        SpecError: there is none, or it names no file.
    """
    if data is None:
        raise SpecError([Problem("data", 'missing table; expected [data] with train = "FILE"', keys=("data",))])
    if data.train is None and not given:
        hint = "or give the rows: modnet.train(spec, rows)"
        raise SpecError([Problem("data", 'missing key "train": the file with the training data', hint, keys=("data",))])
    return data


def _with_quantiles(loaded: LoadedData, losses: Mapping[str, Loss]) -> LoadedData:
    """The data, whose schema knows which outputs give several quantiles of their target."""
    schema = loaded.schema
    several = {name: loss.quantiles for name, loss in losses.items() if isinstance(loss, Quantile)}
    several = {name: found for name, found in several.items() if len(found) > 1}
    if schema is None or not several.keys() & schema.targets.keys():
        return loaded
    targets = {
        name: tuple(column.replace(quantiles=several.get(name, ())) for column in columns)
        for name, columns in schema.targets.items()
    }
    return replace(loaded, schema=schema.replace(targets=targets))


def _check_losses(network: Network, schema: DataSchema) -> None:
    """Raises DataError for a column of classes whose loss takes numbers."""
    losses = output_losses(network)
    for output, classes in schema.classes().items():
        loss = losses.get(output)
        (column,) = schema.targets[output]
        if loss is None or not loss.takes_target or column.kind == "labels":
            continue
        if () not in loss.target_shapes(network.outputs[output]):
            raise DataError(
                f"column {legible(column.name)} has the classes {shorten(classes)}, but {loss.type} takes numbers; "
                f"for classes end the network with softmax and {len(classes)} outputs, and use cross_entropy"
            )


def source_of(
    network: Network, x: Any, y: Any = None, registry: Registry | None = None, target: str = ""
) -> Table | NamedArrays:
    """The data of a caller, not encoded yet: rows of a table, or arrays by the names of a network's inputs and outputs.

    Args:
        x, y: rows, with the target among their columns or as `y`; or arrays, or dicts of them by those names.
        target: the column of `y`, where a network does not know it yet.

    Raises:
        ShapeError, DataError: they have none of these forms.
    """
    if isinstance(x, Table | NamedArrays):
        return x
    if are_rows(x, network.inputs):
        return table_of(x, (target or target_column(network)) if y is not None else "", y)
    inputs = dict(zip(network.inputs, network.arrays(x), strict=True))
    return NamedArrays("data", {**inputs, **named_targets(y, loader_for(network, registry=registry).output_names)})


def loader_for(network: Network, folder: str | PathLike[str] = "", registry: Registry | None = None) -> Loader:
    """A loader that reads files as a network's inputs and targets."""
    losses = output_losses(network)
    targets = [name for name, loss in losses.items() if loss.takes_target] if losses else list(network.outputs)
    inputs, readers = list(network.inputs), (foreign_reader(registry),)
    members = network.graph.members
    return Loader(Path(folder), inputs, targets, label_outputs(network), members, readers, _options_for(network))


def _options_for(network: Network) -> ReadOptions:
    """How files for a network are read that no spec names: images come in its shape, and texts as the spec has them.

    What a reader finds in each file by itself is not taken from the spec: later files may come from another program.
    """
    images = _images_for(network)
    data = network.card.spec.data
    if data is None:
        return images
    return images.replace(
        encoding=None if data.encoding in FOUND_ENCODINGS else data.encoding,
        delimiter=None if data.delimiter in FOUND_DELIMITERS else data.delimiter,
        comment=data.comment,
        header=data.header,
    )


def _images_for(network: Network) -> ReadOptions:
    """Images in the size and with the channels that a network takes."""
    shapes = [shape for shape in network.inputs.values() if len(shape) == 3 and None not in shape]
    sizes, channels = {shape[:2] for shape in shapes}, {shape[2] for shape in shapes}
    return DEFAULTS.replace(
        size=cast(tuple[int, int], sizes.pop()) if len(sizes) == 1 else None,
        channels=channels.pop() if channels in ({1}, {3}) else None,
    )


FOUND_ENCODINGS = (None, "utf-8", "cp1252", "utf-16", "utf-16-le", "utf-16-be")
FOUND_DELIMITERS = (None, ",", ";", "\t", "|")
"""What the csv reader finds in a file by itself."""


def foreign_reader(registry: Registry | None = None) -> Reader:
    """A function that reads files of kinds that plugins know, and addresses; it returns None for others."""

    def read_foreign(place: Path | str, options: ReadOptions) -> Read | Iterator[Table] | None:
        # Only when it is called: `hooks` imports every plugin that has any.
        hooks: Any = (registry or default_registry()).hooks.hook
        if isinstance(place, str):
            name, found = without_password(place), hooks.modnet_read_url(url=place, options=options)
        else:
            name, found = str(place), hooks.modnet_read_data(path=place, options=options)
        return cast(Read | Iterator[Table] | None, as_data(found, name))

    return read_foreign


def write_foreign(tables: Iterator[Table], path: Path, registry: Registry | None = None) -> bool:
    """Writes tables that follow each other in a format that a plugin knows by the path's suffix; False if none does."""
    hooks: Any = (registry or default_registry()).hooks.hook
    if hooks.modnet_write_blocks(tables=tables, path=path):
        return True
    return bool(hooks.modnet_write_data(table=Table.joined(list(tables)), path=path))


def output_losses(network: Network) -> dict[str, Loss]:
    """Output name -> its loss; empty for a network without a training."""
    training = network.card.training
    return {} if training is None else {name: used.loss for name, used in training.losses(network.outputs).items()}


def label_outputs(network: Network) -> list[str]:
    """The outputs whose loss takes class labels."""
    return [name for name, loss in output_losses(network).items() if loss.takes_labels]

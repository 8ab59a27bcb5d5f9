"""The data of a spec, as `modnet train` sees them: for the commands, and for those of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, cast

from modnet.data.dataset import naming
from modnet.data.files import Read, Reader
from modnet.data.load import LoadedData, Loader
from modnet.data.table import Table
from modnet.engine.build import plan
from modnet.engine.network import Network
from modnet.errors import Problem, SpecError
from modnet.kinds.loss import Loss
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.reader import SpecLike


def read_data(
    spec: SpecLike, *, folder: str | PathLike[str] | None = None, registry: Registry | None = None
) -> LoadedData:
    """The training and validation data of a spec's `[data]` table, as `modnet train` sees them.

    A sub-command of a plugin reads its data with it; `train`, `evaluate` and `predict` take them as they are:

        data = modnet.read_data("digits.toml")
        network = modnet.build("digits.toml")
        modnet.train(network, data.train, validation=data.validation)

    Args:
        spec: the path of a spec file, the same as a dict, or a `Spec`.
        folder: what the paths in it are relative to; by default the spec file's folder, or the current one.
        registry: where components, and readers of further kinds of files, are looked up.

    Returns:
        `.train` and `.validation`, a `Dataset` each (None without validation), with `.inputs` and `.targets` by name;
        `.schema`, how a table's columns became numbers, or None; `.notes`, lines for the screen.

    Raises:
        SpecError: with every fault of the spec; or it has no `[data]` table.
        DataError, ShapeError: the data cannot be read, or do not fit the network.
    """
    if folder is None:
        folder = Path(spec).expanduser().parent if isinstance(spec, str | PathLike) else ""
    return data_of(plan(spec, registry=registry), folder, registry)


def data_of(network: Network, folder: str | PathLike[str], registry: Registry | None = None) -> LoadedData:
    """The data of the spec that a network was built from; they fit it. Errors as of `read_data`."""
    spec = network.card.spec
    if spec.data is None:
        raise SpecError([Problem("data", 'missing table; expected [data] with train = "FILE"', keys=("data",))])
    loaded = loader_for(network, folder, registry).load(spec.data, spec.training.seed if spec.training else 0)
    if loaded.schema is not None:
        loaded.schema.check_shapes(network.inputs, network.outputs)
    for part in (loaded.train, loaded.validation):
        if part is not None:
            with naming(part.name):
                network.arrays(part.inputs)
    return loaded


def loader_for(network: Network, folder: str | PathLike[str] = "", registry: Registry | None = None) -> Loader:
    """What reads files as a network's inputs and targets."""
    losses = output_losses(network)
    targets = [name for name, loss in losses.items() if loss.takes_target] if losses else list(network.outputs)
    return Loader(Path(folder), list(network.inputs), targets, label_outputs(network), (foreign_reader(registry),))


def foreign_reader(registry: Registry | None = None) -> Reader:
    """A function that reads a data file of a kind which only a plugin knows; it gives None for others."""

    def read_foreign(path: Path) -> Read | None:
        # Only now: asking for the hooks imports every plugin that has some.
        found: Any = (registry or default_registry()).hooks.hook.modnet_read_data(path=path)
        if isinstance(found, Mapping):
            table = all(isinstance(values, list) for values in found.values())
            found = Table(found, str(path)) if table else dict(found)
        return cast(Read | None, found)

    return read_foreign


def output_losses(network: Network) -> dict[str, Loss]:
    """The outputs that have a loss, with it; none for a network that does not know how it was trained."""
    training = network.card.training
    return {} if training is None else {name: used.loss for name, used in training.losses(network.outputs).items()}


def label_outputs(network: Network) -> list[str]:
    """The outputs whose loss takes class labels."""
    return [name for name, loss in output_losses(network).items() if loss.takes_labels]

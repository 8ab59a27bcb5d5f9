"""From a spec to a network."""

from __future__ import annotations

import os
from collections.abc import Mapping

from modnet.engine.built import checked_seed
from modnet.engine.card import ModelCard
from modnet.engine.expansion import build_graph
from modnet.engine.network import Network
from modnet.errors import SpecError
from modnet.plugins.faults import NamingFaults
from modnet.plugins.registry import Registry
from modnet.specs.model import Spec
from modnet.specs.reader import SpecLike, located_error, read_spec


def build(
    spec: SpecLike,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    registry: Registry | None = None,
) -> Network:
    """A network with fresh parameters.

    Args:
        spec: the path of a spec file, the same as a dict, or a `Spec`. A dict may contain components instead of tables.
        seed: of the initial parameters; by default the spec's `training.seed`, or 0.
        dtype: "float32" or "float64", instead of the spec's.
        registry: where components are looked up; by default the registry of this process.

    Raises:
        SpecError: with all faults of the spec, and their places.
        PluginError: a component is broken.
        TooLarge: the arrays need more memory than there is.
        ValueError: the seed is not a whole number >= 0.
    """
    network = plan(spec, seed=seed, dtype=dtype, registry=registry)
    with NamingFaults():
        _ = network.parameters, network.state
    return network


def plan(
    spec: SpecLike, *, seed: int | None = None, dtype: str | None = None, registry: Registry | None = None
) -> Network:
    """The network of `build`, except that its arrays are allocated and drawn only when they are first used.

    Code that needs only shapes (summary, check) can therefore handle networks of any size. Raises as `build`.
    """
    checked, source = read_spec(spec, registry, {"network.dtype": dtype} if dtype else None)
    try:
        graph = build_graph(checked.network)
    except SpecError as error:
        raise located_error(error, source) from None
    network = Network(ModelCard(checked, folder=folder_of(spec)), graph)
    if seed is None:
        seed = checked.training.seed if checked.training else 0
    network.seed = checked_seed(seed)
    return network


def folder_of(spec: SpecLike) -> str:
    """The folder of a spec file; "" for a spec that is not from a file, whose paths are relative to the current one."""
    return "" if isinstance(spec, Mapping | Spec) else os.path.dirname(os.path.expanduser(os.fspath(spec)))

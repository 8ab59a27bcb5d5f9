"""Starting from another model's weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.network import Network
from modnet.errors import ParameterMismatch
from modnet.model.container import NETWORK_GROUPS
from modnet.model.header import Header
from modnet.model.reader import read
from modnet.model.source import name_of
from modnet.words import itemised, legible


@dataclass
class Transfer:
    """The result of copying arrays from another model.

    Attributes:
        taken: names of the arrays that were copied.
        missing: names that only the network has; these arrays keep their values.
        left_over: names that only the source has.
        mismatched: name -> (shape found, shape expected); these arrays keep their values.
    """

    taken: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{len(self.taken)} arrays taken"]
        lines += itemised(map(legible, self.missing), "  missing: ")
        lines += itemised(map(legible, self.left_over), "  left over: ")
        lines += itemised(
            (f"{legible(name)}: found {found}, expected {want}" for name, (found, want) in self.mismatched.items()),
            "  mismatched: ",
        )
        return "\n".join(lines)


def load_parameters(
    network: Network, source: Any, *, rename: Mapping[str, str] | None = None, strict: bool = True
) -> Transfer:
    """Copies parameters and state from another model into a network, by name and shape.

    Args:
        network: the network that receives them.
        source: a model file, in any way that `modnet.load` reads one; a network; or a mapping from name to array.
        rename: name in the source -> name in the network; the name of a node renames all of its arrays.
        strict: whether every array must have a counterpart.

    Returns:
        A report with `.taken`, `.missing`, `.left_over` and `.mismatched`, which prints as text.

    Raises:
        ParameterMismatch: if strict and anything is missing, left over or of another shape; nothing is copied then.
    """
    path, given = _arrays_of(source)
    arrays = {_renamed(name, rename or {}): array for name, array in given.items()}
    ours: dict[str, Array] = {**network.parameters, **network.state}
    # Optional state that an older source does not have gets its initial value, which tells the layer to work without.
    fills = {name: fill for name, fill in network.graph.optional_state().items() if name not in arrays}
    report = _compared(arrays, ours, fills)
    if strict and (report.missing or report.left_over or report.mismatched):
        raise ParameterMismatch(path, report.missing, report.left_over, report.mismatched)
    for name in report.taken:
        ours[name][...] = arrays[name]
    _fill(ours, fills, report.taken)
    return report


def _arrays_of(source: Any) -> tuple[str, dict[str, Array]]:
    """What messages call a source, and its arrays by name."""
    if isinstance(source, Network):
        return "the given arrays", {**source.parameters, **source.state}
    if hasattr(source, "items"):
        return "the given arrays", {name: np.asarray(value) for name, value in source.items()}
    path = name_of(source)
    contents = read(source, only=NETWORK_GROUPS)
    Header.of_file(path, contents.header).require_features(path)
    return path, {name: array for group in contents.groups.values() for name, array in group.views.items()}


def _compared(arrays: Mapping[str, Array], ours: Mapping[str, Array], optional: Collection[str]) -> Transfer:
    report = Transfer(left_over=[name for name in arrays if name not in ours])
    for name, array in ours.items():
        if name in optional:
            continue
        if name not in arrays:
            report.missing.append(name)
        elif arrays[name].shape != array.shape:
            report.mismatched[name] = (str(arrays[name].shape), str(array.shape))
        else:
            report.taken.append(name)
    return report


def _fill(ours: Mapping[str, Array], fills: Mapping[str, float], taken: Sequence[str]) -> None:
    """Fills state that the source does not have, of those nodes for which it has other arrays."""
    nodes = {_node_of(name) for name in taken}
    for name, fill in fills.items():
        if _node_of(name) in nodes:
            ours[name].fill(fill)


def _node_of(array: str) -> str:
    return array.rpartition(".")[0]


def _renamed(name: str, rename: Mapping[str, str]) -> str:
    """The new name by the longest entry of `rename` that matches: the whole name, or the nodes at its beginning."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        head = ".".join(parts[:count])
        if head in rename:
            return ".".join([rename[head], *parts[count:]])
    return name

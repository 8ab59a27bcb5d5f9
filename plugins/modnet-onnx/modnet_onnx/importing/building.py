"""The network that a graph becomes: its nodes and arrays so far, and numbers put into the order that a layer needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.kinds.layer import Layer
from modnet.kinds.node import Node, automatic_name
from modnet.layers.shape import Flatten, Reshape
from modnet.plugins.registry import default_registry
from modnet.records import Record
from modnet.words import free_name
from modnet_onnx.importing.layers.axes import Constant, Transpose
from modnet_onnx.importing.values import NotNative, Value, elements, is_open

Groups = Sequence[Sequence[int]]
"""For each axis of an array that is wanted the axes of the present one that it joins; () for a new one of size 1."""


def as_name(text: str) -> str:
    """A name of ONNX as one that modnet allows."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "tensor"


class Mark(Record):
    """How far a network was, to go back to it."""

    nodes: int
    arrays: tuple[str, ...]
    counts: Mapping[str, int]


class Builder:
    """The nodes of a network, and the arrays with which they begin.

    Attributes:
        nodes: in order.
        arrays: name of a parameter or an array of state -> its numbers.
        first_input: the name of an input; arrays that are the same for each sample find the number of samples there.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.arrays: dict[str, Array] = {}
        self.first_input = ""
        self._counts: dict[str, int] = {}
        self._names: set[str] = set()

    def reserve(self, name: str) -> str:
        """A name like this one that nothing in the network has yet."""
        found = free_name(name, self._names)
        self._names.add(found)
        return found

    def add(
        self,
        layer: Layer,
        *sources: str,
        arrays: Mapping[str, Array] | None = None,
        name: str = "",
        shares: str | None = None,
    ) -> str:
        """A node that reads these outputs of others; its name, which is that of its first output.

        Args:
            arrays: those of the layer, by their names in it.
            name: a wish.
            shares: the node whose arrays it uses.
        """
        own = self.reserve(as_name(name)) if name else automatic_name(layer.type, self._counts, self._names)
        self._names.add(own)
        self.nodes.append(Node(layer=layer, name=own, inputs=sources, shares=shares))
        self.arrays.update({f"{own}.{key}": array for key, array in (arrays or {}).items()})
        return own

    def mark(self) -> Mark:
        return Mark(len(self.nodes), tuple(self.arrays), dict(self._counts))

    def go_back(self, mark: Mark) -> None:
        """Removes what was added since."""
        for node in self.nodes[mark.nodes :]:
            self._names.discard(str(node.name))
        del self.nodes[mark.nodes :]
        self._counts = dict(mark.counts)
        self.arrays = {name: self.arrays[name] for name in mark.arrays}

    def arranged(self, value: Value, groups: Groups) -> str:
        """The numbers of a tensor in an array with other axes, by as few nodes as it takes.

        Args:
            groups: the first is that of the batch alone.

        Raises:
            NotNative: axes cannot be joined so.
        """
        mentioned = [part for group in groups for part in group]
        absent = [part for part in range(len(value.sizes)) if part not in mentioned]
        if groups[0] != (0,) or any(value.sizes[part] != 1 for part in absent):
            raise NotNative("the batch is joined with another axis")
        source, sizes = value.source, list(value.sizes)
        order = [*mentioned, *absent]
        moved = [part for part in order if sizes[part] != 1 and part]
        if moved != sorted(moved):
            source = self.add(Transpose(tuple(part - 1 for part in order[1:])), source)
            sizes = [sizes[part] for part in order]
        return self.reshaped(source, sizes, [elements([value.sizes[part] for part in group]) for group in groups])

    def reshaped(self, source: str, sizes: Sequence[int], wanted: Sequence[int]) -> str:
        """An array with its numbers in the same order, and axes of other sizes.

        Raises:
            NotNative: several axes are open, or there are none of something.
        """
        if list(sizes) == list(wanted):
            return source
        if len(wanted) == 2 and len(sizes) > 2 and not any(map(is_open, sizes[1:])):
            return self.add(Flatten(), source)
        if sum(map(is_open, wanted[1:])) > 1:
            raise NotNative("several axes of variable size change places")
        if 0 in wanted:
            raise NotNative("an axis has no elements")
        fixed = [elements([size for size in given[1:] if not is_open(size)]) for given in (sizes, wanted)]
        if fixed[0] % fixed[1]:
            raise NotNative("an axis of variable size would be split")
        return self.add(Reshape(tuple(-1 if is_open(size) else size for size in wanted[1:])), source)

    def constant(self, array: Array, learned: bool, name: str = "") -> str:
        """An array that is the same for each sample."""
        layer = Constant(array.shape, trained=learned)
        return self.add(layer, self.first_input, arrays={"value": array}, name=name)

    def kept(self, outputs: Sequence[str]) -> list[Node]:
        """The nodes on which these outputs depend."""
        wanted, found = {source.partition(".")[0] for source in outputs}, []
        for node in reversed(self.nodes):
            if node.name in wanted:
                wanted.update(source.partition(".")[0] for source in node.inputs or ())
                found.append(node)
        return found[::-1]


def layer_of(distribution: str, type_name: str, **fields: Any) -> Layer:
    """A layer of another plugin.

    Raises:
        NotInstalled: the plugin is missing; the message says how to install it.
    """
    return default_registry().find(Layer, f"{type_name}@{distribution}")(**fields)


def plain_groups(value: Value, order: Sequence[int] | None = None) -> list[tuple[int, ...]]:
    """The groups that give a tensor's axes one by one, the batch first and then those of `order`.

    Raises:
        NotNative: the batch is joined with another axis.
    """
    axes = value.of_samples()
    return [(0,), *(value.parts(axis) for axis in (sorted(axes) if order is None else order))]


def plain_axes(count: int, batch: int | None, order: Sequence[int]) -> list[tuple[int, ...]]:
    """The axes of a tensor of so many axes whose array has the batch first and then those of `order`."""
    places = {axis: (position + 1,) for position, axis in enumerate(order)}
    return [(0,) if axis == batch else places.get(axis, ()) for axis in range(count)]


def numbers(array: Array) -> Any:
    """Weights as numbers to compute with: those of 16 bits, and whole ones, as float64."""
    found = np.asarray(array)
    return found if found.dtype in (np.float32, np.float64) else found.astype(np.float64)

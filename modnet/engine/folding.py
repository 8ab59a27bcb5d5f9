"""Layers that only scale and shift features, folded into the weights of adjacent layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.expansion import build_graph
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.kinds.activation import Activation
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer
from modnet.kinds.node import Node
from modnet.specs.model import NetworkSpec

Arrays = Mapping[str, Array]
Absorbed = tuple[Layer, Arrays]
"""A layer with its parameters."""

RESULT = "folding"
"""The key of `card.results` with what was folded and what was left."""


def fold(network: Network) -> Network:
    """The same network in fewer layers, for prediction: layers that only scale and shift are in the weights of others.

    `batch_norm`, `standardize` and other layers that say so (`Layer.scale_and_shift`) go into the linear layer or the
    convolution before them, or else into those that read them, where that is exact in algebra; what does nothing in
    prediction, such as `dropout`, is left out. The predictions are the same to rounding. `card.results["folding"]` says
    what was folded, and what was left, with the reason.

    The result is an ordinary network with its own weights: it can be saved and trained. But in a training of it
    there is no batch norm or dropout any more, and a loss that is measured in deviations of the targets is then in
    their units: keep the original for that. Composites are replaced by their nodes.
    """
    return _Folding(network).result()


class _Folding:
    """The nodes that are left, while others are folded away.

    Attributes:
        inputs: slot -> the slots that its node reads now.
        arrays: slot -> (the node's layer, its parameters) if they have changed, for each member.
    """

    def __init__(self, network: Network) -> None:
        self.network, spec = network, network.card.spec.network
        self.members = spec.members
        self.graph = network.graph if self.members == 1 else build_graph(spec.replace(members=1), stored=True)
        for node in self.graph.nodes:
            if node.layer.stands_for is not node.layer:
                raise DataError(f"a network with {node.name} ({node.type} for each member) cannot be folded")
        self.nodes = {node.slot: node for node in self.graph.nodes}
        self.inputs = {node.slot: node.inputs for node in self.graph.nodes}
        self.outputs = dict(self.graph.outputs)
        self.owners = {node.owner for node in self.graph.nodes if node.owner is not None}
        self.absorbed: dict[int, list[Absorbed]] = {}
        self.folded: dict[str, str] = {}
        self.left: dict[str, str] = {}

    def result(self) -> Network:
        for slot in [*self.nodes]:
            self._fold(self.nodes[slot])
        spec, names = self._spec()
        graph = build_graph(spec, stored=True)
        card = self.network.card
        results = {**card.results, RESULT: {"folded": self.folded, "left": self.left}}
        made = Network(card.replace(spec=card.spec.replace(network=spec), results=results), graph)
        self._fill(made, names)
        return made

    # Which node goes where

    def _fold(self, node: GraphNode) -> None:
        found = self._scales(node)
        if found is None:
            return
        if all(np.ndim(part) == 0 for pair in found for part in pair) and found[0] == (1.0, 0.0):
            self._remove(node, "it does nothing in prediction")
            return
        if self.graph.nodes.index(node) in self.owners:
            self.left[node.name] = "another node shares its parameters"
            return
        if (reason := self._into_maker(node, found)) and (other := self._into_readers(node, found)):
            self.left[node.name] = f"{reason}; {other}"

    def _scales(self, node: GraphNode) -> list[tuple[Any, Any]] | None:
        """(scale, shift) for each member, in float64; None for a layer that does something else."""
        if type(node.layer).scale_and_shift is Layer.scale_and_shift or len(node.inputs) != 1:
            return None
        found = []
        for member in range(self.members):
            params, state = (self._of_member(node, kind, member) for kind in ("parameters", "state"))
            context = Context(np.float64, params, state=state, needs_input_gradient=False)
            pair = node.layer.scale_and_shift(context)
            if pair is None:
                self.left[node.name] = "with these options or statistics it does more than to scale and shift"
                return None
            found.append(pair)
        return found

    def _of_member(self, node: GraphNode, kind: str, member: int) -> dict[str, Array]:
        """The parameters or the state of a node for one member of an ensemble, in float64."""
        declared, flat = getattr(node, kind), getattr(self.network, kind)
        owner = self.graph.owner(node).name
        found = {}
        for name, one in declared.items():
            if f"{owner}.{name}" in flat:
                array = flat[f"{owner}.{name}"]
                array = array[member] if array.ndim > len(one.shape) else array
                found[name] = array.astype(np.float64)
        return found

    def _readers(self, slot: int) -> list[int]:
        return [reader for reader, sources in self.inputs.items() if slot in sources]

    def _into_maker(self, node: GraphNode, pairs: list[tuple[Any, Any]]) -> str:
        """Folds a node into the one that it reads; why not, or ""."""
        (source,) = self.inputs[node.slot]
        maker = self.nodes.get(source)
        if maker is None:
            return "it reads an input of the network"
        if len(self._readers(source)) > 1 or source in self.outputs.values():
            return f"others read {maker.name} too"
        if reason := self._absorb(maker, "with_scaled_output", pairs):
            return reason
        self._remove(node, f"into {maker.name}")
        return ""

    def _into_readers(self, node: GraphNode, pairs: list[tuple[Any, Any]]) -> str:
        """Folds a node into all that read it; why not, or ""."""
        readers = [self.nodes[slot] for slot in self._readers(node.slot)]
        if node.slot in self.outputs.values() or not readers:
            return "it is an output of the network"
        before = dict(self.absorbed)
        for reader in readers:
            reason = f"{reader.name} reads something else too"
            if self.inputs[reader.slot] == (node.slot,):
                reason = self._absorb(reader, "with_scaled_input", pairs)
            if reason:
                self.absorbed = before
                return reason
        self._remove(node, "into " + " and ".join(reader.name for reader in readers))
        return ""

    def _absorb(self, into: GraphNode, method: str, pairs: list[tuple[Any, Any]]) -> str:
        """Puts scales and shifts into the parameters of a node; why not, or ""."""
        if into.owner is not None or self.graph.nodes.index(into) in self.owners:
            return f"{into.name} shares its parameters"
        held = self.absorbed.get(into.slot) or [
            (into.layer, self._of_member(into, "parameters", member)) for member in range(self.members)
        ]
        found = []
        for (layer, params), (scale, shift) in zip(held, pairs, strict=True):
            made = getattr(layer, method)(params, np.asarray(scale, np.float64), np.asarray(shift, np.float64))
            if made is None:
                return f"{into.name} ({into.type}) cannot take it exactly"
            found.append(made)
        limit = float(np.finfo(self.network.dtype).max)
        if not all(np.abs(array).max(initial=0.0) < limit for _, params in found for array in params.values()):
            return f"the weights of {into.name} would be beyond what {self.network.dtype} can hold"
        self.absorbed[into.slot] = found
        return ""

    def _remove(self, node: GraphNode, where: str) -> None:
        (source,) = self.inputs.pop(node.slot)
        for reader, sources in self.inputs.items():
            self.inputs[reader] = tuple(source if slot == node.slot else slot for slot in sources)
        for name, slot in self.outputs.items():
            if slot == node.slot:
                self.outputs[name] = source
        del self.nodes[node.slot]
        self.folded[node.name] = where

    # The network of what is left

    def _spec(self) -> tuple[NetworkSpec, dict[int, str]]:
        """The spec of the nodes that are left, and slot -> name in it."""
        old = self.network.card.spec.network
        listed = list(old.input_shapes())
        pairs = self._activations()
        names = self._names(pairs)
        known = {**dict(enumerate(listed)), **names}
        known |= {after: known[slot] for slot, after in pairs.items()}
        layers: list[Node] = []
        before: int | None = 0 if len(listed) == 1 else None
        for slot, node in self.nodes.items():
            if slot in names:
                sources = self.inputs[slot]
                inputs = None if sources == (before,) else tuple(self._reference(source, known) for source in sources)
                layers.append(self._node(node, known, inputs, pairs))
                before = pairs.get(slot, slot)
        # A single output without a name is that of the last node, which nothing reads: so it is still the last one.
        outputs = None if old.outputs is None else tuple(self.outputs)
        return old.replace(layers=tuple(layers), outputs=outputs), names

    def _activations(self) -> dict[int, int]:
        """Slot of a node -> slot of the activation that is an option of it."""
        taken = set(self.outputs.values())
        found: dict[int, int] = {}
        for slot, node in self.nodes.items():
            source = self.inputs[slot][0]
            maker = self.nodes.get(source)
            if maker is None or maker.layer.outputs or not self._is_option(node):
                continue
            if source not in taken and source not in found.values() and self._readers(source) == [slot]:
                found[source] = slot
        return found

    def _is_option(self, node: GraphNode) -> bool:
        return isinstance(node.layer, Activation) and node.keys[-1:] == ("activation",)

    def _names(self, pairs: Mapping[int, int]) -> dict[int, str]:
        """Slot -> name of its node; an output keeps its name, and dots of composites become underscores."""
        first = {after: slot for slot, after in pairs.items()}
        wanted = {first.get(slot, slot): name for name, slot in self.outputs.items()}
        if self.network.card.spec.network.outputs is None:
            wanted = {}
        taken = Counter([*self.graph.inputs, *wanted.values()])
        found = dict(wanted)
        for slot, node in self.nodes.items():
            if slot not in found and slot not in first:
                name = node.name.replace(".", "_")
                while taken[name]:
                    name += "_"
                taken[name] += 1
                found[slot] = name
        return {slot: found[slot] for slot in self.nodes if slot in found}

    def _reference(self, source: int, known: Mapping[int, str]) -> str:
        if source in known:
            return known[source]
        node = self.graph.node(source)
        return f"{known[node.slot]}.{node.layer.outputs[source - node.slot]}"

    def _node(
        self, node: GraphNode, known: Mapping[int, str], inputs: tuple[str, ...] | None, pairs: Mapping[int, int]
    ) -> Node:
        held = self.absorbed.get(node.slot)
        after: Any = self.nodes[pairs[node.slot]].layer if node.slot in pairs else None
        made = Node(
            layer=node.layer if held is None else held[0][0],
            name=known[node.slot],
            inputs=inputs,
            activation=after,
            trainable=node.trainable or node.owner is not None,
        )
        if node.owner is not None:
            return made.replace(shares=known[self.graph.nodes[node.owner].slot])
        if not node.parameters:
            return made
        # What stands at a composite was passed on to its nodes; 1 and 0 are what a node has by itself.
        options = {"l1": (node.l1, 0.0), "l2": (node.l2, 0.0)}
        options |= {"learning_rate": (node.learning_rate, 1.0), "weight_decay": (node.weight_decay, 1.0)}
        return made.replace(**{name: value for name, (value, usual) in options.items() if value != usual})

    def _fill(self, made: Network, names: Mapping[int, str]) -> None:
        """Writes the arrays of what is left."""
        slots = {name: slot for slot, name in names.items()}
        for kind in ("parameters", "state"):
            before = getattr(self.network, kind)
            for key, array in getattr(made, kind).items():
                name, _, part = key.partition(".")
                node, held = self.nodes[slots[name]], self.absorbed.get(slots[name])
                if held is None or kind == "state":
                    array[...] = before[f"{node.name}.{part}"]
                else:
                    parts = [params[part] for _, params in held]
                    array[...] = np.stack(parts) if array.ndim > parts[0].ndim else parts[0]

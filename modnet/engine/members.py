"""Ensembles: the nodes of a network, each made one for several members that are trained side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modnet.engine.graph import Graph, GraphNode
from modnet.engine.promises import size_fault
from modnet.errors import Problem, SpecError
from modnet.kinds.activation import Activation
from modnet.kinds.layer import Layer
from modnet.kinds.node import automatic_name
from modnet.layers.members import EnsembleMean, ToMembers, each_alone, for_members
from modnet.words import Path, path_text, show


def spread(graph: Graph, members: int) -> Graph:
    """The graph of an ensemble, made of that of one member.

    Every node with parameters, and every one behind such a node, has an axis of members, (members, ...); what stands
    before all parameters, such as the standardisation of the inputs, is shared. Each output is the mean over the
    members, which comes before a last layer that changes the unit (unstandardize) or corrects what the network gives.

    Raises:
        SpecError: with every node that members cannot have, and why.
    """
    return _Spreader(graph, members).spread()


class _Spreader:
    def __init__(self, graph: Graph, members: int) -> None:
        self.graph, self.members = graph, members
        self.nodes: list[GraphNode] = []
        self.slots = {slot: slot for slot in range(len(graph.inputs))}  # of the single network -> of the ensemble
        self.shapes = list(graph.inputs.values())
        self.apart: set[int] = set()  # the ensemble's slots with an axis of members
        self.positions: list[int] = []  # of the single network's nodes among the ensemble's
        self.means: dict[int, int] = {}  # slot -> that of the mean over its members
        self.copies: dict[int, int] = {}  # slot -> that of the same for each member
        self.behind: set[int] = set()  # the single network's slots that come after a mean
        self.counts: dict[str, int] = {}
        self.names = {node.name for node in graph.nodes}
        self.problems: list[Problem] = []
        self.masked = any(node.layer.makes_mask for node in graph.nodes)
        self.last = {slot for output in graph.outputs.values() for slot in _after_the_mean(graph, output)}

    def spread(self) -> Graph:
        for node in self.graph.nodes:
            self.place(node)
        outputs = {name: self.joined(self.slots[slot]) for name, slot in self.graph.outputs.items()}
        if not self.means and not self.problems:
            what = f"members = {self.members}, but no output depends on a layer with parameters, so all would be equal"
            self.problems.append(_problem(("network", "members"), what, "remove it"))
        if self.problems:
            raise SpecError(self.problems)
        return Graph(self.graph.inputs, self.nodes, outputs, self.graph.names, self.members)

    def place(self, node: GraphNode) -> None:
        """Adds a node of the single network, for all members or shared by them."""
        inputs = [self.slots[slot] for slot in node.inputs]
        if node.slot in self.last:
            self.place_last(node, inputs)
            return
        self.check_readers(node)
        if node.layer.draws or not self.apart.isdisjoint(inputs):
            # Each member has its own noise; and if one input has an axis of members, all have.
            inputs = [slot if slot in self.apart else self.copied(slot) for slot in inputs]
        elif not node.parameters:
            self.add(node, node.layer, inputs)
            return
        self.add(node, self.layer_of(node, self.apart.isdisjoint(inputs)), inputs, apart=True)

    def place_last(self, node: GraphNode, inputs: Sequence[int]) -> None:
        """Adds a node that comes after the mean of the members."""
        joined = [self.joined(slot) for slot in inputs]
        if joined != inputs or not self.behind.isdisjoint(node.inputs):
            self.behind.update(node.slots)
        self.add(node, node.layer, joined)

    def layer_of(self, node: GraphNode, shared: bool) -> Layer:
        """The layer that does for each member what the node's does for one."""
        layer = node.layer
        if self.masked and not shared and not (isinstance(layer, Activation) and layer.elementwise):
            # One that looks at the mask of its steps expects them behind the batch axis, where the members are.
            return each_alone(layer, self.members, shared)
        return for_members(layer, self.members, shared)

    def check_readers(self, node: GraphNode) -> None:
        """Refuses a node of each member that reads a node after the mean of all members."""
        for slot in self.behind.intersection(node.inputs):
            name = show(self.graph.node(slot).name)
            what = f"members = {self.members}, but this node reads {name}, which comes after the mean of the members"
            self.problems.append(_problem(node.keys, what, f"let it read what {name} reads", node.label()))

    def add(self, node: GraphNode, layer: Layer, inputs: Sequence[int], apart: bool = False) -> None:
        """Adds a node with its layer for all members, or, unless `apart`, as it is."""
        first = len(self.shapes)
        made = node.replace(
            layer=layer,
            inputs=tuple(inputs),
            slot=first,
            owner=None if node.owner is None else self.positions[node.owner],
            input_shapes=tuple(self.shapes[slot] for slot in inputs),
            apart=apart,
        )
        if apart:
            made.shapes = tuple((self.members, *shape) for shape in node.shapes)
            made.parameters = {name: array.for_members(self.members) for name, array in node.parameters.items()}
            made.state = {name: array.for_members(self.members) for name, array in node.state.items()}
            self.check_size(made)
            self.apart.update(range(first, first + len(node.shapes)))
        self.positions.append(len(self.nodes))
        self.slots.update(zip(node.slots, range(first, first + len(node.shapes)), strict=True))
        self.append(made)

    def append(self, node: GraphNode) -> int:
        self.nodes.append(node)
        self.shapes += node.shapes
        return node.slot

    def joined(self, slot: int) -> int:
        """The slot of the mean over the members; the slot itself, if it is shared."""
        if slot in self.apart and slot not in self.means:
            self.means[slot] = self.between(EnsembleMean(), slot)
        return self.means.get(slot, slot)

    def copied(self, slot: int) -> int:
        """The slot of the same numbers for each member."""
        if slot not in self.copies:
            self.copies[slot] = self.between(ToMembers(members=self.members), slot, apart=True)
            self.apart.add(self.copies[slot])
        return self.copies[slot]

    def between(self, layer: Layer, slot: int, apart: bool = False) -> int:
        """Adds a node that is not in the spec."""
        name = automatic_name(layer.type, self.counts, self.names)
        shape, first = self.shapes[slot], len(self.shapes)
        node = GraphNode(name, layer, (slot,), ("network", "members"), True, 0.0, 0.0, 1.0, 1.0, first)
        node.input_shapes, node.shapes, node.apart = (shape,), layer.output_shapes(shape), apart
        return self.append(node)

    def check_size(self, node: GraphNode) -> None:
        parameters = [array.shape for array in node.parameters.values()]
        for shape in (*node.shapes, *parameters, *(array.shape for array in node.state.values())):
            if fault := size_fault(shape):
                what = f"members = {self.members} is too much: an array of all of them has {fault}"
                self.problems.append(_problem(node.keys, what, "", node.label()))
                return


def _after_the_mean(graph: Graph, output: int) -> Iterator[int]:
    """The slots of the last layers before an output that only change the unit, or are only in prediction."""
    slot = output
    while slot >= len(graph.inputs):
        node = graph.node(slot)
        if len(node.inputs) != 1 or not (node.changes_unit or node.layer.only_in_prediction):
            return
        yield slot
        (slot,) = node.inputs


def _problem(keys: Path, message: str, hint: str = "", label: str = "") -> Problem:
    return Problem(label or path_text(keys), message, hint, keys=keys)

"""A checked network without arrays: its nodes in order, with their shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from modnet.arrays import Shape
from modnet.kinds.layer import Layer, Parameter, State
from modnet.records import Record, fresh
from modnet.words import Path, path_text


class GraphNode(Record, frozen=False, eq=False):
    """A layer at its place, with everything about it that follows from the spec.

    Attributes:
        name: unique in the network; for a node inside a composite, the composite's name, a dot, and its own name.
        layer: what it computes.
        inputs: the slots that it reads. Slots number the network's inputs first, then the nodes, in order.
        keys: its place in the spec.
        trainable, l1, l2, learning_rate, weight_decay: as in the spec, or inherited from the composite around it.
        slot: the slot of its output, or the first of them if it has several outputs.
        owner: the position of the node whose parameters and state it uses, if not its own.
        input_shapes, shapes: of one sample, for each input and for each output.
        parameters, state: what the layer asks for.
        apart: whether it runs for each member of an ensemble, so that its outputs have an axis of members.
    """

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    keys: Path
    trainable: bool
    l1: float
    l2: float
    learning_rate: float
    weight_decay: float
    slot: int
    owner: int | None = None
    input_shapes: tuple[Shape, ...] = ()
    shapes: tuple[Shape, ...] = ()
    parameters: Mapping[str, Parameter] = fresh(factory=dict)
    state: Mapping[str, State] = fresh(factory=dict)
    apart: bool = False

    @property
    def slots(self) -> range:
        """Its slots: one for each output."""
        return range(self.slot, self.slot + (len(self.layer.outputs) or 1))

    @property
    def shape(self) -> Shape:
        """Of one sample of its output, or of the first of them."""
        return self.shapes[0]

    @property
    def type(self) -> str:
        """The type of its layer in summaries and messages."""
        return self.layer.stands_for.type

    @property
    def learns(self) -> bool:
        """Whether it has, or uses, a parameter that is trained."""
        return self.trainable and any(parameter.trainable for parameter in self.parameters.values())

    def penalized(self) -> list[str]:
        """The names of its own parameters to which its l1 and l2 apply."""
        if self.owner is not None or not self.trainable or not (self.l1 or self.l2):
            return []
        return [name for name, parameter in self.parameters.items() if parameter.decay and parameter.trainable]

    @property
    def changes_unit(self) -> bool:
        """Whether it does nothing but give its numbers another unit."""
        return type(self.layer).target_before is not Layer.target_before and not self.parameters

    def output_name(self, slot: int) -> str:
        """The name of one of its outputs: `lstm_1` for the first, `lstm_1.state` for another."""
        return f"{self.name}.{self.layer.outputs[slot - self.slot]}" if slot > self.slot else self.name

    def label(self) -> str:
        """The name of the node in messages: `network.layers[3] (linear)`."""
        return f"{path_text(self.keys)} ({self.type})"


class Graph(Record, eq=False):
    """A checked network without arrays.

    Attributes:
        inputs: input name -> shape of one sample.
        nodes: in an order in which each comes after the nodes that it reads.
        outputs: output name -> slot.
        names: for each of the spec's layers its name, and that of its activation if it has one.
        members: how many networks are trained side by side, each with its part of every array; 1 for a single network.
    """

    inputs: dict[str, Shape]
    nodes: list[GraphNode]
    outputs: dict[str, int]
    names: list[list[str]] = fresh(factory=list)
    members: int = 1

    def shape(self, slot: int) -> Shape:
        """The shape of one sample of a slot."""
        if slot < len(self.inputs):
            return list(self.inputs.values())[slot]
        node = self.node(slot)
        return node.shapes[slot - node.slot]

    def node(self, slot: int) -> GraphNode:
        """The node whose output is in a slot; not for the slots of inputs."""
        return self._makers[slot - len(self.inputs)]

    @property
    def slot_count(self) -> int:
        """The number of slots, including those of the inputs."""
        return len(self.inputs) + len(self._makers)

    def owner(self, node: GraphNode) -> GraphNode:
        """The node whose parameters and state a node uses: its own, unless it shares."""
        return node if node.owner is None else self.nodes[node.owner]

    def behind(self, slots: Iterable[int]) -> list[GraphNode]:
        """The nodes on which the given slots depend, in order."""
        wanted, found = set(slots), []
        for node in reversed(self.nodes):
            if not wanted.isdisjoint(node.slots):
                wanted.update(node.inputs)
                found.append(node)
        return found[::-1]

    def before_prediction(self, slot: int) -> list[int]:
        """A slot, and those before it through layers that are only in prediction; the last is what training sees."""
        found = [slot]
        while found[-1] >= len(self.inputs):
            node = self.node(found[-1])
            if not node.layer.only_in_prediction or len(node.inputs) != 1:
                break
            found.append(node.inputs[0])
        return found

    def learning_rates(self) -> dict[str, float]:
        """Parameter name -> its factor of the learning rate."""
        return {
            f"{node.name}.{name}": node.learning_rate * parameter.learning_rate
            for node in self.nodes
            if node.owner is None
            for name, parameter in node.parameters.items()
        }

    def weight_decays(self) -> dict[str, float]:
        """Parameter name -> its factor of the weight decay; 0 for biases and norms."""
        return {
            f"{node.name}.{name}": node.weight_decay * parameter.decay
            for node in self.nodes
            if node.owner is None
            for name, parameter in node.parameters.items()
        }

    def member_axes(self) -> dict[str, int]:
        """Name of a parameter or of an array of state -> how many of its first axes number members."""
        found: dict[str, int] = {}
        for node in self.nodes:
            if node.owner is None:
                found.update({f"{node.name}.{name}": array.member_axes for name, array in node.parameters.items()})
                found.update({f"{node.name}.{name}": array.member_axes for name, array in node.state.items()})
        return found

    def optional_state(self) -> dict[str, float]:
        """Name of an array of state that an older file may not have -> the initial value of its elements."""
        return {
            f"{node.name}.{name}": state.fill
            for node in self.nodes
            if node.owner is None
            for name, state in node.state.items()
            if state.optional
        }

    @cached_property
    def _makers(self) -> list[GraphNode]:
        """The node of each slot after those of the inputs."""
        return [node for node in self.nodes for _ in node.slots]

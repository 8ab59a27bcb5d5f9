"""A layer at its place in a network, and layers that stand for several nodes."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import ClassVar

from modnet.configuration.fields import field
from modnet.kinds.activation import Activation
from modnet.kinds.component import Use
from modnet.kinds.layer import Layer


class Node(Use):
    """A layer at its place in a network.

    Attributes:
        layer: the layer.
        name: its name in the network; by default its type and a number, `linear_1`.
        inputs: the names of the nodes or network inputs that it reads; by default the node before it.
        activation: an activation that follows it.
        trainable: False freezes its parameters, and those of all nodes inside it.
        shares: the name of an earlier node of the same type, whose parameters and state it uses.
        l1, l2: factors of the sum of absolute and of squared weights that are added to the loss; frozen weights are
            left out. A node inside a composite uses those of the composite unless it has its own.
        learning_rate: a factor of the learning rate for its parameters, such as 0.1 for fine-tuning. A node inside a
            composite uses that of the composite unless it has its own.
        weight_decay: a factor of the optimizer's weight decay for its weights. Within a composite as `learning_rate`.
    """

    kind: ClassVar[str] = "layer"

    layer: Layer
    name: str | None = None
    inputs: tuple[str, ...] | None = None
    activation: Activation | None = None
    trainable: bool = True
    shares: str | None = None
    l1: float | None = field(default=None, minimum=0.0)
    l2: float | None = field(default=None, minimum=0.0)
    learning_rate: float | None = field(default=None, above=0.0)
    weight_decay: float | None = field(default=None, minimum=0.0)


class Composite(Layer):
    """A layer that consists of several nodes. The network never runs it, but replaces it by its nodes.

    Their parameters are named under its own name: `residual_1.linear_1.weight`. It has one output, the first output of
    its last node.
    """

    inputs: ClassVar[tuple[int, int | None]] = (1, 1)

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        """The nodes, the last of which gives the output.

        `inputs` are the names by which its nodes can read the composite's inputs; by default the first node reads the
        first of them.
        """
        raise NotImplementedError


def automatic_name(type_name: str, counts: dict[str, int], chosen: Container[str]) -> str:
    """The default name of a node: its type and a number, `linear_1`.

    Args:
        counts: type -> the last number that was given; counted up.
        chosen: the names that the spec gives, which are passed over.
    """
    while True:
        counts[type_name] = counts.get(type_name, 0) + 1
        name = f"{type_name}_{counts[type_name]}"
        if name not in chosen:
            return name

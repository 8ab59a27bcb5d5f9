"""Layers that are replaced by several nodes."""

from __future__ import annotations

from collections.abc import Sequence

from modnet.activations.rectified import Identity, ReLU
from modnet.configuration.fields import field
from modnet.kinds.component import Example
from modnet.kinds.node import Composite, Node
from modnet.layers.linear import Linear
from modnet.layers.merge import Add


class Chain(Composite):
    """A list of nodes under a name of their own. Not available in specs: other composites are made of it."""

    layers: tuple[Node, ...]

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        return self.layers


class Residual(Composite, type="residual"):
    """y = F(x) + S(x), with F the chain of `layers` and S that of `shortcut`, by default the identity.

    Both have to end in the same shape. Inside the chains, x has the name `input`.

    Source: He et al. 2015, arXiv:1512.03385, equations 1 and 2.

    Attributes:
        layers: the nodes of F.
        shortcut: the nodes of S, for an F that changes the shape.
    """

    layers: tuple[Node, ...]
    shortcut: tuple[Node, ...] = ()

    @classmethod
    def examples(cls) -> Sequence[Example]:
        narrow = cls(layers=(Node(layer=Linear(out_features=3), activation=ReLU()), Node(layer=Linear(out_features=5))))
        return (
            Example(narrow, ((5,),)),
            Example(cls(layers=narrow.layers, shortcut=(Node(layer=Linear(out_features=5, bias=False)),)), ((4,),)),
        )

    def check(self) -> None:
        if not self.layers:
            raise ValueError("layers is empty; expected at least one")

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        # The identity gives the output of F a known name, while its last node keeps its own.
        nodes = [*self.layers, Node(layer=Identity(), name="branch")]
        shortcut = inputs[0]
        if self.shortcut:
            shortcut = "shortcut"
            nodes.append(Node(layer=Chain(layers=self.shortcut), name=shortcut, inputs=tuple(inputs)))
        return [*nodes, Node(layer=Add(), inputs=("branch", shortcut))]


class Repeat(Composite, type="repeat"):
    """The chain of `layers`, repeated `count` times; each repetition has its own parameters.

    The repetitions are named 1, 2, ...: `repeat_1.2.linear_1.weight`. Inside a repetition, its input has the name
    `input`.

    Attributes:
        count: how many times.
        layers: the nodes of one repetition; their output has the shape of their input.
    """

    count: int = field(minimum=1, maximum=10_000)
    layers: tuple[Node, ...]

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(count=3, layers=(Node(layer=Linear(out_features=4), activation=ReLU()),)), ((4,),)),)

    def check(self) -> None:
        if not self.layers:
            raise ValueError("layers is empty; expected at least one")

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        chain = Chain(layers=self.layers)  # one for all repetitions: its constructor checks all nodes
        return [Node(layer=chain, name=str(number + 1)) for number in range(self.count)]

"""The contract of a composite: as a whole, that of a layer; its nodes can also be tested separately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from modnet.arrays import Array, Shape, common_mask
from modnet.engine.build import build
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.errors import ShapeError, SpecError
from modnet.kinds.context import Context, Shared
from modnet.kinds.layer import Parameter, State
from modnet.kinds.node import Composite, Node
from modnet.plugins.registry import Registry
from modnet.testing.contract import LAYER, Broken, Rule, Rules, rules_of
from modnet.testing.rules import engine
from modnet.testing.rules import layer as of_layer
from modnet.testing.rules.layer import fits

RULES = Rules()

OF_A_LAYER = (
    *("gradients", "gradients in prediction", "gradients with a mask", "leaves its inputs alone"),
    *("prediction", "same seed, same bytes", "batches", "buffers", "quiet"),
    *("float32 as float64", "backward is linear", "one sample in training", "each sample by itself", "large batches"),
    *("other weights", "large inputs", "equal numbers", "padding"),
)
"""The rules of a layer that apply to a composite as a whole."""


class WholeContext(Context):
    """The context of a composite: its parameters and state by the names of the network, and one for each node."""

    __slots__ = ("parts", "values")

    parts: list[Context]
    values: list[Array]


class Whole:
    """A composite as one layer that runs its nodes in order. It stores only networks, for their graphs."""

    scratch_output = False
    outputs = ()
    streams = False
    allocates = True

    def __init__(self, component: Composite, registry: Registry) -> None:
        self.type = component.type
        self.inputs = component.inputs
        self.integer_input = component.integer_input
        self.component = component
        self._registry = registry
        self._networks: dict[tuple[Shape, ...], Network] = {}

    def network(self, shapes: tuple[Shape, ...]) -> Network:
        found = self._networks.get(shapes)
        if found is None:
            try:
                found = build(spec_of(self.component, shapes), seed=0, registry=self._registry)
            except SpecError as error:  # one of the nodes refuses what it would be given
                raise ShapeError(f"expects other shapes than {shapes}: {error}") from error
            self._networks[shapes] = found
        return found

    @property
    def makes_mask(self) -> bool:
        return self.component.makes_mask or any(
            node.layer.makes_mask for network in self._networks.values() for node in network.graph.nodes
        )

    @property
    def differentiable(self) -> bool:
        return all(node.layer.differentiable for network in self._networks.values() for node in network.graph.nodes)

    @property
    def divisible(self) -> bool:
        return all(node.layer.divisible for network in self._networks.values() for node in network.graph.nodes)

    @property
    def true_gradient(self) -> bool:
        return all(node.layer.true_gradient for network in self._networks.values() for node in network.graph.nodes)

    def output_shape(self, *shapes: Shape) -> Shape:
        graph = self.network(shapes).graph
        return graph.shape(next(iter(graph.outputs.values())))

    def parameters(self, *shapes: Shape) -> Mapping[str, Parameter]:
        nodes = self.network(shapes).graph.nodes
        return {f"{n.name}.{name}": p for n in nodes if n.owner is None for name, p in n.parameters.items()}

    def state(self, *shapes: Shape) -> Mapping[str, State]:
        nodes = self.network(shapes).graph.nodes
        return {f"{n.name}.{name}": s for n in nodes if n.owner is None for name, s in n.state.items()}

    def forward(self, context: WholeContext, *inputs: Array) -> Array:
        nodes = self.network(tuple(x.shape[1:] for x in inputs)).graph.nodes
        values: list[Array] = list(inputs)
        masks: list[Array | None] = list(context.masks)
        for node, part in zip(nodes, context.parts, strict=True):
            part.rng = context.rng
            part.begin()
            part.masks = tuple(masks[slot] for slot in node.inputs)
            part.output_mask = common_mask(part.masks)
            if node.layer.raw_input:
                part.raw = (None,) * len(node.inputs)
            made = node.layer.forward(part, *(values[slot] for slot in node.inputs))
            outputs = made if node.layer.outputs else (made,)
            masks += _masks_of(part.output_mask, outputs)
            values += outputs
        last = nodes[-1].slot
        context.output_mask = masks[last]
        context.values = values
        return values[last]

    def backward(self, context: WholeContext, gradient: Array) -> tuple[Array | None, ...]:
        first = len(context.masks)
        graph = self.network(tuple(x.shape[1:] for x in context.values[:first])).graph
        flowing: list[Array | None] = [None] * len(context.values)
        flowing[graph.nodes[-1].slot] = gradient
        for array in context.grads.values():
            array.fill(0)
        for node, part in reversed(list(zip(graph.nodes, context.parts, strict=True))):
            if all(flowing[slot] is None for slot in node.slots):
                continue  # nothing uses its output
            _flow_back(node, part, context.values, flowing)
            owner = graph.owner(node)
            for name in node.parameters:
                context.grads[f"{owner.name}.{name}"][...] += part.grads[name]
        return tuple(
            np.zeros_like(x) if found is None and x.dtype.kind == "f" else found
            for x, found in zip(context.values[:first], flowing, strict=False)
        )


def _masks_of(mask: Any, outputs: Sequence[Array]) -> list[Array | None]:
    """The mask of each output of a node; as in the network, only an output with the same steps has it."""
    given = mask if isinstance(mask, tuple) else (mask,) * len(outputs)
    return [one if one is not None and fits(one, output) else None for one, output in zip(given, outputs, strict=True)]


def _flow_back(node: GraphNode, part: Context, values: Sequence[Array], flowing: list[Array | None]) -> None:
    """Runs a node's backward and adds the gradients of its inputs to those that flow from other nodes.

    Args:
        values, flowing: by slot, the outputs of forward and their gradients; None before the first one arrives.
    """
    given = tuple(_or_zeros(flowing[slot], values[slot]) for slot in node.slots)
    result = node.layer.backward(part, given if node.layer.outputs else given[0])
    for source, found in zip(node.inputs, result if isinstance(result, tuple) else (result,), strict=True):
        before = flowing[source]
        if found is not None:
            flowing[source] = found.copy() if before is None else before + found


def _or_zeros(gradient: Array | None, value: Array) -> Array:
    return np.zeros_like(value) if gradient is None else gradient


class WholeTrial(of_layer.Trial):
    """A composite, tried as a layer."""

    component: Any

    def around(self, made: Context, sizes: tuple[Shape, ...], storage: list[Array] | None) -> Context:
        dtype, training, shared = made.dtype, made.training, Shared()
        context = WholeContext(dtype, made.params, made.grads, made.state, made.rng, training, shared=shared)
        graph = self.component.network(sizes).graph
        context.parts = []
        for node in graph.nodes:
            owner = graph.owner(node)
            names = {name: f"{owner.name}.{name}" for name in node.parameters}
            context.parts.append(
                Context(
                    dtype,
                    {name: made.params[full] for name, full in names.items()},
                    {name: np.zeros_like(made.params[full]) for name, full in names.items()},
                    {name: made.state[f"{owner.name}.{name}"] for name in node.state},
                    made.rng,
                    training and (node.trainable or not node.parameters),
                    storage=storage if storage is None else _part(storage),
                    shared=shared,
                )
            )
        return context


def _part(storage: list[Array]) -> list[Array]:
    """The storage of one node; its arrays are also appended to the storage of the whole."""

    class Part(list[Array]):
        def append(self, array: Array) -> None:
            storage.append(array)
            super().append(array)

    return Part()


class Trial(engine.Trial):
    @cached_property
    def whole(self) -> WholeTrial:
        assert isinstance(self.component, Composite)
        return WholeTrial(self.example.replace(component=Whole(self.component, self.registry)))


def spec_of(component: Composite, shapes: Sequence[Shape], dtype: str = "float32") -> Any:
    names = [f"in{number}" for number in range(len(shapes))]
    return {
        "network": {
            "input": dict(zip(names, shapes, strict=True)),
            "layers": [Node(component, inputs=tuple(names))],
            "dtype": dtype,
        }
    }


@RULES.rule(
    "expands",
    "expand(inputs) returns the nodes, the same ones at each call; the last node is the output. The nodes refer "
    "to `inputs` by name.",
    after=("named",),
)
def expands(trial: Trial) -> str:
    composite = trial.component
    assert isinstance(composite, Composite)
    names = [f"in{number}" for number in range(len(trial.shapes))]
    nodes = list(composite.expand(names))
    if not nodes or not all(isinstance(node, Node) for node in nodes):
        raise Broken(f"expand gives {nodes!r}, expected a list of nodes")
    again = list(composite.expand(names))
    if nodes != again:
        raise Broken(f"expand gives {len(nodes)} nodes, and {len(again)} different ones at the second call")
    network = trial.network()
    network.forward(trial.data(network))
    return f"{len(network.graph.nodes)} nodes"


def _borrowed(rule: Rule) -> Rule:
    """A rule of a layer, for a composite as a whole."""

    def check(trial: Trial) -> str | None:
        return rule.check(trial.whole)

    return replace(
        rule,
        remedy=f"The fault is in one of its nodes, or in their connections: test the nodes one by one. {rule.remedy}",
        check=check,
        after=("expands", *rule.after),
    )


RULES += [_borrowed(rule) for rule in rules_of(LAYER) if rule.name in OF_A_LAYER]

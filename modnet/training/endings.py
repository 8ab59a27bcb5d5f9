"""Whether the end of a network fits its loss, as far as the spec shows it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.kinds.activation import Activation
from modnet.kinds.layer import Layer
from modnet.kinds.loss import Loss
from modnet.losses.targets import TOLERANCE
from modnet.words import show

Range = tuple[float, float]


def unfit_ending(network: Network, output: str, loss: Loss) -> tuple[str, str] | None:
    """What is wrong with a loss for an output, and what to do about it; None if no fault is known."""
    shape = network.outputs[output]
    if loss.normalized and shape[-1:] == (1,):
        return (
            f"{loss.type} cannot train a single unit; output {show(output)} needs at least 2",
            "end the network with sigmoid and use binary_cross_entropy, or give it one unit for each class",
        )
    nodes = _ending(network, output)
    if nodes is None:
        return None
    last, same_axis = nodes
    if _promise(last, "normalizes") and same_axis and shape[-1:] == (1,):
        return (
            f"{last.type} of a single unit is constant, so nothing would be learnt",
            "end the network with sigmoid, or give it one unit for each class",
        )
    numbers: Range | None = _promise(last, "output_range")
    if numbers is None or (last.layer.type in loss.joint_with and last is _last(network, output)):
        return None
    lowest, highest = numbers
    what = f"output {show(output)} ends with {last.type}, which gives {_described(numbers)}"
    if loss.prediction_range is not None:
        least, most = loss.prediction_range
        if lowest < least or highest > most:
            return f"{loss.type} expects predictions {_bounds(loss.prediction_range)}; {what}", loss.ending
    if loss.normalized and same_axis and not _promise(last, "normalizes"):
        what = f"{what} that may not sum to 1"
        return f"{loss.type} expects probabilities that sum to 1 along the last axis; {what}", loss.ending
    if loss.decides_at is not None and not lowest < loss.decides_at < highest:
        return f"{loss.type} expects scores below and above {loss.decides_at:g}; {what}", loss.ending
    if loss.normalized is False and same_axis and _promise(last, "normalizes"):
        return f"{loss.type} treats each output as a separate decision; {what} that sum to 1", loss.ending
    return None


def limited_ending(network: Network, output: str, loss: Loss) -> str | None:
    """What limits the probabilities of an output: an activation before the last one, as in softmax after relu."""
    nodes = _ending(network, output)
    if nodes is None or nodes[0].layer.type not in loss.joint_with or nodes[0].inputs[0] < len(network.inputs):
        return None
    last, before = nodes[0], network.graph.node(nodes[0].inputs[0])
    numbers: Range | None = _promise(before, "output_range") if isinstance(before.layer, Activation) else None
    if numbers is None or numbers == (-math.inf, math.inf):
        return None
    return (
        f"output {show(output)}: the {last.type} at its end takes any numbers, but the {before.type} before it gives "
        f"only {_described(numbers)}; leave out the {before.type} before it"
    )


def check_normalized(output: str, loss: Loss, prediction: Array) -> None:
    """Checks that predictions of a layer without promises are rows of probabilities that sum to 1.

    Raises:
        DataError: a row does not; nan is accepted here, because training says where it comes from.
    """
    totals = np.add.reduce(prediction, axis=-1, dtype=np.float64)
    if totals.size and (totals.min() < 1 - TOLERANCE or totals.max() > 1 + TOLERANCE):
        found = totals[abs(totals - 1) > TOLERANCE][0]
        raise DataError(
            f"{loss.type} expects probabilities that sum to 1 along the last axis; "
            f"those of output {show(output)} sum to {found:.4g}; {loss.ending}"
        )


def _last(network: Network, output: str) -> GraphNode:
    return network.graph.node(network.graph.outputs[output])


def _ending(network: Network, output: str) -> tuple[GraphNode, bool] | None:
    """The node that computes the numbers of the output, and whether these have its last axis; None for an input."""
    node, same = _last(network, output), True
    while (_promise(node, "keeps_numbers") or node.layer.only_in_prediction) and len(node.inputs) == 1:
        same = same and node.input_shapes[0][-1:] == node.shape[-1:]
        if node.inputs[0] < len(network.inputs):
            return None
        node = network.graph.node(node.inputs[0])
    return node, same


def _promise(node: GraphNode, name: str) -> Any:
    """A promise that a layer's class makes about its output, or None.

    A promise holds for trained weights only: frozen ones may have been chosen so that it does not. And a subclass that
    overrides the computation does not inherit the promise, which was made about another computation.
    """
    if node.parameters and not node.trainable:
        return None
    for cls in type(node.layer).__mro__:
        if name in vars(cls):
            return None if cls is Layer else vars(cls)[name]
        if "forward" in vars(cls) or "function" in vars(cls):
            return None
    return None


def _bounds(numbers: Range) -> str:
    lowest, highest = numbers
    return f">= {lowest:g}" if math.isinf(highest) else f"from {lowest:g} to {highest:g}"


def _described(numbers: Range) -> str:
    lowest, highest = numbers
    if math.isinf(lowest):
        return "any number" if math.isinf(highest) else f"numbers up to {highest:g}"
    return f"numbers {_bounds(numbers)}"

"""What a loss looks at: in training one value of the network, in validation and `evaluate` perhaps another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.graph import Graph, GraphNode
from modnet.engine.network import Network
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.plugins.kernels import Kernels


class TargetBefore:
    """Called with a target and the input of a node, it gives the target for that input; see `Layer.target_before`."""

    def __init__(self, network: Network, node: GraphNode) -> None:
        self._network, self._node = network, node
        self._context: Context | None = None

    def __call__(self, target: Array, x: Array) -> Array:
        if self._context is None:  # only now: asking for the state allocates all of it
            network, node = self._network, self._node
            self._context = Context(network.dtype, state=network.arrays_of(network.state, node, node.state))
        self._context.begin()
        return self._node.layer.target_before(self._context, target, x)


class Place:
    """Where a loss is measured.

    Attributes:
        slot: the slot that the loss reads.
        joint: whether this is the input of an activation (logits) with which the loss has a joint form.
        unit: the node that only changes the unit (unstandardize) and is left out; or None.
        inverted: whether that node is inverted instead of left out, because other nodes follow it.
        member_axes: how many axes of members the values have, (batch, members, ...), each of which has the sample's
            target.
    """

    __slots__ = ("inverted", "joint", "member_axes", "slot", "unit")

    def __init__(
        self,
        slot: int,
        joint: bool = False,
        unit: GraphNode | None = None,
        *,
        inverted: bool = False,
        member_axes: int = 0,
    ) -> None:
        self.slot, self.joint, self.unit = slot, joint, unit
        self.inverted, self.member_axes = inverted, member_axes


def places(graph: Graph, slot: int, loss: Loss) -> tuple[Place, Place]:
    """Where the loss of an output in a slot is measured: in training, and in validation and `evaluate`.

    In training, layers that are `only_in_prediction` are left out, and so is the last activation, if the loss has a
    joint form with it.
    """
    last = graph.before_prediction(slot)[-1]
    axes, behind = _more_axes(graph, last, slot), last != slot
    if last < len(graph.inputs):
        return Place(last, member_axes=axes), Place(slot)
    node = graph.node(last)
    before = node.inputs[0]
    if node.layer.type in loss.joint_with:
        return Place(before, True, member_axes=axes), Place(slot if behind else before, not behind)
    if loss.of_residuals and node.changes_unit:
        first = graph.before_prediction(before)[-1]
        learning = Place(first, unit=node, member_axes=axes + _more_axes(graph, first, before))
        return learning, Place(slot if behind else before, unit=node, inverted=behind)
    return Place(last, member_axes=axes), Place(slot)


def _more_axes(graph: Graph, slot: int, output: int) -> int:
    """How many axes the values of a slot have more than those that are made of them: these number members."""
    return len(graph.shape(slot)) - len(graph.shape(output))


@dataclass(kw_only=True)
class View:
    """What a loss looks at, and how.

    Attributes:
        slot, joint, member_axes: as of its `Place`.
        target_before: the target for what the loss reads, from target and prediction, if the unit of the loss is
            that before a layer which only changes it; otherwise None.
        prediction_before: the same for the prediction, if that layer cannot be left out; otherwise None.
        measure: `loss.measure`, `loss.joint` or `loss.batch`, or a kernel for one of them.
        context: with the loss's buffers.
        position: the position, among the values of a pass, of the one that the loss reads.
        prediction: the position, among the values of a pass, of the prediction for the metrics.
    """

    slot: int
    joint: bool
    member_axes: int
    target_before: TargetBefore | None
    prediction_before: TargetBefore | None
    measure: Callable[..., tuple[Any, Array]]
    context: Context
    position: int = 0
    prediction: int = 0

    @classmethod
    def of(cls, network: Network, place: Place, loss: Loss, kernels: Kernels, learns: bool) -> View:
        unit = place.unit
        return cls(
            slot=place.slot,
            joint=place.joint,
            member_axes=place.member_axes,
            target_before=None if unit is None else TargetBefore(network, unit),
            prediction_before=TargetBefore(network, unit) if unit is not None and place.inverted else None,
            measure=measure_of(loss, place.joint, network.dtype, kernels),
            context=Context(network.dtype, needs_input_gradient=learns),
        )

    def members(self, value: Array) -> int:
        """How many values there are for each sample."""
        return math.prod(value.shape[1 : 1 + self.member_axes])

    def sample(self, value: Array) -> Array:
        """The values of one member, if there are several; they are compared with a sample's target."""
        for _ in range(self.member_axes):
            value = value[:, 0]
        return value

    def in_unit(self, value: Array) -> Array:
        """The prediction in the unit of the loss."""
        before = self.prediction_before
        return value if before is None else before(value, value).astype(value.dtype, copy=False)

    def joined(self, value: Array) -> Array:
        """(batch, members, ...) as (batch * members, ...): each member of a sample is a sample of its own."""
        return value.reshape(len(value) * self.members(value), *value.shape[1 + self.member_axes :])

    def repeated(self, array: Array | None, members: int) -> Array | None:
        """The array with each row once for each member, as `joined` has the values."""
        if array is None:
            return None
        rows = self.context.buffer((len(array), members, *array.shape[1:]), array.dtype)
        np.copyto(rows, array[:, None])
        return rows.reshape(len(array) * members, *array.shape[1:])


def measure_of(loss: Loss, joint: bool, dtype: np.dtype[Any], kernels: Kernels) -> Callable[..., tuple[Any, Array]]:
    method = "batch" if loss.couples else "joint" if joint else "measure"
    found: Callable[..., tuple[Any, Array]] = kernels.method(loss, method, dtype)
    return found

"""Numbers that have become nan or inf: where they come from, and what to do about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batch
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.errors import Diverged
from modnet.words import show


@dataclass(frozen=True)
class Divergence:
    """Finds the place at which a training has diverged.

    Attributes:
        network: the network that is trained.
        learning_rate: the optimizer's, without a schedule.
        clipped: whether the norm of the gradient is limited.
        infinite: the arrays of state that are so from the beginning, such as the -inf of a causal mask.
    """

    network: Network
    learning_rate: float
    clipped: bool
    infinite: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        state = self.network.state
        names = () if np.isfinite(state.flat).all() else state
        object.__setattr__(self, "infinite", frozenset(name for name in names if not np.isfinite(state[name]).all()))

    def check_parameters(self, step: int, epoch: int) -> None:
        """Checks the parameters after the last step of an epoch; until then, the loss of the next step would show it.

        Raises:
            Diverged: a parameter or a number of the state is not finite.
        """
        for array in (self.network.parameters, self.network.state):
            if np.isfinite(array.flat).all():
                continue
            broken = (name for name, view in array.items() if not np.isfinite(view).all())
            name = next((name for name in broken if name not in self.infinite), None)
            if name is not None:
                what = f"{name} became nan or infinite by step {step} (epoch {epoch})"
                raise Diverged(f"{what}\n  {self._advice()}", step, epoch, name.rpartition(".")[0])

    def of_validation(self, loss: float, step: int, epoch: int) -> Diverged:
        """The error for a validation loss that is not finite."""
        what = f"validation loss became {loss} after step {step} (epoch {epoch})"
        advice = f"{self._advice()}, and look for values that are not finite in the data"
        return Diverged(f"{what}\n  {advice}", step, epoch, "")

    def of_loss(self, loss: float, pass_: Pass, batch: Batch, step: int, epoch: int) -> Diverged:
        """The error for the loss of a batch that is not finite.

        Args:
            pass_: the pass of the batch.
            step: the number of the step that would have followed.
        """
        what = "nan" if math.isnan(loss) else "infinite"
        where, node = self._first_not_finite(pass_, batch)
        advice = self._advice()
        if step == 1:
            advice = "the weights have not changed yet: scale inputs and targets to numbers of about 1"
        if not node and "input" in where:
            advice = "clean the data, or set missing in [data] for missing values"
        return Diverged(f"loss became {what} at step {step} (epoch {epoch})\n  {where}\n  {advice}", step, epoch, node)

    def _advice(self) -> str:
        advice = f"try a smaller learning_rate (now {self.learning_rate:g})"
        return advice if self.clipped else f"{advice} or gradient_clipping = 1.0"

    def _first_not_finite(self, pass_: Pass, batch: Batch) -> tuple[str, str]:
        """The first place with numbers that are not finite, in words, and its node if it is one."""
        for name, array in zip(self.network.inputs, batch.inputs, strict=True):
            if _not_finite(array):
                return f"input {show(name)} of this batch has values that are not finite", ""
        for name, target in batch.targets.items():
            if _not_finite(target):
                return f"the target of {show(name)} in this batch, like an input, holds values that are not finite", ""
        reached = max((float(np.abs(array).max()) for array in batch.inputs if array.size), default=0.0)
        values = pass_.values()
        for node in self.network.graph.nodes:
            if node.name not in values:
                continue
            with np.errstate(all="ignore"):
                peak = float(np.abs(values[node.name]).max(initial=0.0))
            if not math.isfinite(peak):
                return self._in_node(node, reached), node.name
            reached = peak
        return f"all outputs of the nodes are finite and reach {reached:.2g}, but the loss is not", ""

    def _in_node(self, node: GraphNode, reached: float) -> str:
        """What is wrong with a node whose output is not finite, although its input is."""
        arrays = self.network.arrays_of(self.network.parameters, node, node.parameters)
        broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if broken:
            return f"first not finite: {node.name}.{broken[0]}, since the step before"
        return f"first not finite: output of {node.name}; its input reached {reached:.2g}"


def _not_finite(array: Array) -> bool:
    return array.dtype.kind == "f" and not bool(np.isfinite(array).all())

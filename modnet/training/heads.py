"""The outputs that have a loss, and how each is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from modnet.arrays import Array
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.errors import Problem, SpecError
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer
from modnet.kinds.loss import Loss, WeightedLoss
from modnet.kinds.metric import Metric
from modnet.plugins.kernels import Kernels
from modnet.specs.model import TrainingSpec
from modnet.training.endings import unfit_ending
from modnet.words import did_you_mean, free_name, show


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


@dataclass(kw_only=True)
class Head:
    """One output with its loss.

    Attributes:
        name: of the output.
        slot: the slot that the loss reads.
        loss, weight: the loss, and its factor in the sum over the outputs.
        joint: whether the loss reads the input of the output's activation (logits) instead of its output.
        metrics: name -> metric.
        target_before: the target for the input of the output's last layer, from target and input, where the loss reads
            that input because the layer only changes the unit (unstandardize); otherwise None.
        measure: `loss.measure`, `loss.joint` or `loss.batch`, or a kernel for one of them.
        learning, evaluating: the contexts with the loss's buffers, with the gradient and without.
        position: the position, among the values of a pass, of the one that the loss reads.
        prediction: the position, among the values of a pass, of the prediction for the metrics.
    """

    name: str
    slot: int
    loss: Loss
    weight: float
    joint: bool
    target_before: TargetBefore | None
    metrics: dict[str, Metric]
    measure: Callable[..., tuple[Any, Array]]
    learning: Context
    evaluating: Context
    position: int = 0
    prediction: int = 0

    @classmethod
    def of(cls, network: Network, name: str, used: WeightedLoss, metrics: Sequence[Metric], kernels: Kernels) -> Head:
        """The head of an output; its positions among the values of a pass are set later."""
        slot, loss = network.graph.outputs[name], used.loss
        node = network.graph.node(slot)
        joint = node.layer.type in loss.joint_with
        rescales = type(node.layer).target_before is not Layer.target_before and not node.parameters
        rescaled = loss.of_residuals and rescales
        return cls(
            name=name,
            slot=node.inputs[0] if joint or rescaled else slot,
            loss=loss,
            weight=used.weight,
            joint=joint,
            target_before=TargetBefore(network, node) if rescaled else None,
            metrics=_named_metrics(metrics, has_labels(network, name, loss)),
            measure=_measure(loss, joint, network.dtype, kernels),
            learning=Context(network.dtype),
            evaluating=Context(network.dtype, needs_input_gradient=False),
        )

    def take(self, loss: Loss, kernels: Kernels) -> None:
        """Puts another loss of the same class into the place of this one."""
        self.loss = loss
        self.measure = _measure(loss, self.joint, self.learning.dtype, kernels)


def _measure(loss: Loss, joint: bool, dtype: np.dtype[Any], kernels: Kernels) -> Callable[..., tuple[Any, Array]]:
    method = "batch" if loss.couples else "joint" if joint else "measure"
    found: Callable[..., tuple[Any, Array]] = kernels.method(loss, method, dtype)
    return found


def make_heads(network: Network, training: TrainingSpec, kernels: Kernels) -> tuple[list[Head], list[int]]:
    """The heads of a network, and the slots of predictions that only metrics read, which follow those of the losses.

    Raises:
        SpecError: a loss or a metric is for an unknown output, or does not fit it.
    """
    losses, metrics = losses_by_output(network, training), metrics_by_output(network, training)
    _check_names(network, losses, metrics)
    for name, used in losses.items():
        _check_use(network, training, name, used.loss, metrics.get(name, ()))
    heads = [Head.of(network, name, used, metrics.get(name, ()), kernels) for name, used in losses.items()]
    predictions: list[int] = []
    for position, head in enumerate(heads):
        head.position = head.prediction = position
        if head.slot != network.graph.outputs[head.name] and head.metrics:
            head.prediction = len(heads) + len(predictions)
            predictions.append(network.graph.outputs[head.name])
    return heads, predictions


def _check_names(network: Network, losses: Mapping[str, Any], metrics: Mapping[str, Sequence[Metric]]) -> None:
    for place, names in (("loss", losses), ("metrics", metrics)):
        for name in names:
            if name not in network.outputs:
                refuse(f"{place}.{name}", f"no output is called {show(name)}{did_you_mean(name, network.outputs)}")
    for name, chosen in metrics.items():
        if chosen and name not in losses:
            refuse(f"metrics.{name}", "metrics need a loss for the same output")


def _check_use(network: Network, training: TrainingSpec, output: str, loss: Loss, metrics: Sequence[Metric]) -> None:
    unfit = unfit_ending(network, output, loss)
    if unfit is not None:
        refuse(f"loss.{output}" if isinstance(training.loss, Mapping) else "loss", *unfit)
    if metrics and not loss.takes_target:
        what = f"{loss.type} takes no target, but metrics compare predictions with targets"
        refuse(f"metrics.{output}" if isinstance(training.metrics, Mapping) else "metrics", what, "leave them out")


def losses_by_output(network: Network, training: TrainingSpec) -> dict[str, WeightedLoss]:
    """Output name -> its loss.

    Raises:
        SpecError: there is a single loss for several outputs.
    """
    if not isinstance(training.loss, Mapping) and len(network.outputs) > 1:
        names = ", ".join(network.outputs)
        hint = f"give each a loss: loss = {{ {next(iter(network.outputs))} = ... }}"
        refuse("loss", f"the network has several outputs ({names})", hint)
    return training.losses(network.outputs)


def metrics_by_output(network: Network, training: TrainingSpec) -> Mapping[str, Sequence[Metric]]:
    if isinstance(training.metrics, Mapping):
        return training.metrics
    if training.metrics and isinstance(training.loss, Mapping) and len(training.loss) > 1:
        first = next(iter(training.loss))
        refuse("metrics", "the network has several outputs", f"name them: metrics = {{ {first} = [...] }}")
    return dict.fromkeys(network.outputs, training.metrics)


def decides(network: Network, output: str, loss: Loss) -> bool:
    """Whether an output is a decision between classes, or about labels."""
    schema = network.card.schema
    probabilities = loss.normalized is False and loss.prediction_range == (0.0, 1.0)
    return loss.takes_target and (
        loss.takes_labels or probabilities or (schema is not None and output in schema.classes())
    )


def has_labels(network: Network, output: str, loss: Loss) -> bool:
    """Whether an output has several labels, each of which is present or absent by itself."""
    probabilities = loss.normalized is False and loss.prediction_range == (0.0, 1.0)
    return probabilities and network.outputs[output][-1:] not in ((), (1,))


def title_of(network: Network, output: str) -> str:
    """The column that an output predicts, or the output's own name."""
    schema = network.card.schema
    columns: Sequence[Any] = () if schema is None else schema.targets.get(output, ())
    return str(columns[0].name) if len(columns) == 1 else output


def class_names(network: Network, output: str, count: int) -> list[str]:
    """The names of an output's classes, or of its labels; numbers if they have none."""
    schema = network.card.schema
    columns: Sequence[Any] = () if schema is None else schema.targets.get(output, ())
    names = columns[0].categories if len(columns) == 1 else [column.name for column in columns]
    return [*map(str, names)] if len(names) == count else [*map(str, range(count))]


def _named_metrics(metrics: Sequence[Metric], of_labels: bool) -> dict[str, Metric]:
    """Metrics under their type names; a second one of a type gets a number."""
    named: dict[str, Metric] = {}
    for metric in metrics:
        try:
            named[free_name(metric.type, named)] = metric.of_labels() if of_labels else metric
        except ValueError as error:
            refuse("metrics", str(error))
    return named


def refuse(place: str, message: str, hint: str = "") -> NoReturn:
    """Raises SpecError for a place in `[training]`."""
    keys = ("training", *place.split("."))
    raise SpecError([Problem(".".join(keys), message, hint, keys=keys)])

"""The outputs that have a loss, and how each is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from modnet.engine.network import Network
from modnet.errors import Problem, SpecError
from modnet.kinds.loss import Loss, WeightedLoss
from modnet.kinds.metric import Metric
from modnet.plugins.kernels import Kernels
from modnet.specs.model import TrainingSpec
from modnet.training.endings import unfit_ending
from modnet.training.views import View, measure_of, places
from modnet.words import did_you_mean, free_name, show


@dataclass(kw_only=True)
class Head:
    """One output with its loss.

    Attributes:
        name: of the output.
        loss, weight: the loss, and its factor in the sum over the outputs.
        metrics: name -> metric.
        learning, evaluating: what the loss looks at in training, with the gradient, and elsewhere, without.
    """

    name: str
    loss: Loss
    weight: float
    metrics: dict[str, Metric]
    learning: View
    evaluating: View

    @classmethod
    def of(cls, network: Network, name: str, used: WeightedLoss, metrics: Sequence[Metric], kernels: Kernels) -> Head:
        """The head of an output; the positions of its views among the values of a pass are set later."""
        loss = used.loss
        learning, evaluating = places(network.graph, network.graph.outputs[name], loss)
        return cls(
            name=name,
            loss=loss,
            weight=used.weight,
            metrics=named_metrics(metrics, has_labels(network, name, loss)),
            learning=View.of(network, learning, loss, kernels, learns=True),
            evaluating=View.of(network, evaluating, loss, kernels, learns=False),
        )

    def take(self, loss: Loss, kernels: Kernels) -> None:
        """Puts another loss of the same class into the place of this one."""
        self.loss = loss
        for view in (self.learning, self.evaluating):
            view.measure = measure_of(loss, view.joint, view.context.dtype, kernels)


def make_heads(network: Network, training: TrainingSpec, kernels: Kernels) -> list[Head]:
    """The heads of a network.

    Raises:
        SpecError: a loss or a metric is for an unknown output, or does not fit it.
    """
    losses, metrics = losses_by_output(network, training), metrics_by_output(network, training)
    _check_names(network, losses, metrics)
    for name, used in losses.items():
        _check_use(network, training, name, used.loss, metrics.get(name, ()))
    return [Head.of(network, name, used, metrics.get(name, ()), kernels) for name, used in losses.items()]


def slots_of(network: Network, heads: Sequence[Head], views: Sequence[View]) -> list[int]:
    """The slots that the views read, followed by those of predictions that only metrics read."""
    slots = [view.slot for view in views]
    for position, (head, view) in enumerate(zip(heads, views, strict=True)):
        view.position = view.prediction = position
        output = network.graph.outputs[head.name]
        if view.slot != output and head.metrics:
            view.prediction = len(slots)
            slots.append(output)
    return slots


def _check_names(network: Network, losses: Mapping[str, Any], metrics: Mapping[str, Sequence[Metric]]) -> None:
    for place, names in (("loss", losses), ("metrics", metrics)):
        for name in names:
            if name not in network.outputs:
                refuse(f"{place}.{name}", f"no output is called {show(name)}{did_you_mean(name, network.outputs)}")
    for name, chosen in metrics.items():
        if chosen and name not in losses:
            refuse(f"metrics.{name}", "metrics need a loss for the same output")


def _check_use(network: Network, training: TrainingSpec, output: str, loss: Loss, metrics: Sequence[Metric]) -> None:
    unfit = unfit_ending(network, output, loss) or _unfit_members(network, output, loss)
    if unfit is not None:
        refuse(f"loss.{output}" if isinstance(training.loss, Mapping) else "loss", *unfit)
    if metrics and not loss.takes_target:
        what = f"{loss.type} takes no target, but metrics compare predictions with targets"
        refuse(f"metrics.{output}" if isinstance(training.metrics, Mapping) else "metrics", what, "leave them out")


def _unfit_members(network: Network, output: str, loss: Loss) -> tuple[str, str] | None:
    """What is wrong with the loss of an ensemble whose members it cannot see, and what to do about it."""
    graph = network.graph
    place, _ = places(graph, graph.outputs[output], loss)
    if graph.members == 1 or place.member_axes or not network.parameters_behind([place.slot]):
        return None
    what = f"{loss.type} would be measured on the mean of the {graph.members} members, which stands before"
    last = graph.node(graph.outputs[output])
    return (
        f"{what} {last.type}; each member needs a loss of its own",
        f"use a loss of residuals, or leave out {last.type}",
    )


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


def named_metrics(metrics: Sequence[Metric], of_labels: bool) -> dict[str, Metric]:
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

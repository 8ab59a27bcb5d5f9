"""What is made small and what is reported: losses, penalties and metrics of all outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modnet.component import Array, Callback, Loss, Metric, Schedule, WeightedLoss
from modnet.configuration import did_you_mean, path_text, show
from modnet.context import Context
from modnet.errors import Problem, ShapeError, SpecError, TrainingError
from modnet.kernels import NUMPY_ONLY, Kernels
from modnet.network import Network
from modnet.parameters import FlatArray
from modnet.spec.model import TrainingSpec
from modnet.training.batches import Batch
from modnet.training.optimization import safe_norm

VALIDATION = "validation_"
"""What the names of the validation's figures begin with."""


@dataclass
class Head:
    """One output with its loss.

    Attributes:
        name: of the output.
        loss, weight: what is computed, and its factor in the sum over the outputs.
        joint: whether the loss reads what the output's activation would have read.
        metrics: name -> metric.
        slot: what the loss reads.
        prediction: where the prediction is among the values of a pass, for the metrics.
        measure: `loss.measure`, or `loss.joint`, or a faster kernel of either.
        training, evaluating: where the loss has its buffers.
    """

    name: str
    loss: Loss
    weight: float
    joint: bool
    metrics: dict[str, Metric]
    slot: int
    prediction: int
    measure: Callable[..., tuple[Array, Array]]
    training: Context
    evaluating: Context


class Objective:
    """The losses and metrics of a network's outputs.

    Attributes:
        heads: the outputs that have a loss.
        wanted: the slots whose values `measure` takes; the losses' own come first.
        reached: the names of the parameters that any of the losses depends on.
    """

    def __init__(self, network: Network, training: TrainingSpec, kernels: Kernels = NUMPY_ONLY) -> None:
        self.network = network
        outputs = network.graph.outputs
        losses = training.loss if isinstance(training.loss, Mapping) else _for_the_only_output(network, training.loss)
        metrics = (
            training.metrics if isinstance(training.metrics, Mapping) else dict.fromkeys(outputs, training.metrics)
        )
        if not isinstance(training.metrics, Mapping) and training.metrics and len(losses) > 1:
            _refuse(
                "metrics", "the network has several outputs", f"name them: metrics = {{ {next(iter(losses))} = [...] }}"
            )
        for place, names in (("loss", losses), ("metrics", metrics)):
            for name in names:
                if name not in outputs:
                    _refuse(f"{place}.{name}", f"no output is called {show(name)}{did_you_mean(name, outputs)}")
        for name, chosen in metrics.items():
            if chosen and name not in losses:
                _refuse(f"metrics.{name}", "metrics need the loss of their output too")
        self.heads: list[Head] = []
        predictions: list[int] = []
        for name, used in losses.items():
            node = network.graph.nodes[outputs[name] - len(network.inputs)]
            joint = node.layer.type in used.loss.joint_with
            slot = node.inputs[0] if joint else outputs[name]
            position = len(self.heads)
            if joint and metrics.get(name):
                position = len(losses) + len(predictions)
                predictions.append(outputs[name])
            self.heads.append(
                Head(
                    name,
                    used.loss,
                    used.weight,
                    joint,
                    _named_metrics(metrics.get(name, ())),
                    slot,
                    position,
                    kernels.method(used.loss, "joint" if joint else "measure", network.dtype),
                    Context(network.dtype),
                    Context(network.dtype, needs_input_gradient=False),
                )
            )
        self.wanted = [head.slot for head in self.heads] + predictions
        self.reached = network.parameters_behind(head.slot for head in self.heads)
        self._checked: set[tuple[Any, ...]] = set()

    def figures(self, validation: bool = False) -> dict[str, bool | None]:
        """The name of every figure -> whether a greater value is better; with those of the validation, if wanted.

        Raises:
            SpecError: two figures would have one name, or one of the training would pass for one of the validation.
        """
        several = len(self.heads) > 1
        found: list[tuple[str, bool | None, str]] = [("loss", False, "")]
        for head in self.heads:
            if several:
                found.append((f"{head.name}_loss", False, f"the loss of the output {show(head.name)}"))
            for name, metric in head.metrics.items():
                own = f"{head.name}_{name}" if several else name
                found.append(
                    (own, metric.greater_is_better, f"the metric {show(name)} of the output {show(head.name)}")
                )
        names: dict[str, bool | None] = {}
        for name, greater, whose in found:
            if name in names or name.startswith(VALIDATION):
                taken = "is another figure's" if name in names else "is that of a figure of the validation"
                _refuse(
                    "loss" if several else "metrics",
                    f"{whose} would be recorded as {show(name)}, which {taken}",
                    "give the output, or the metric's type, another name",
                )
            names[name] = greater
        return {**names, **{VALIDATION + name: greater for name, greater in names.items()}} if validation else names

    def measure(self, values: Sequence[Array], batch: Batch, tally: Tally) -> tuple[float, list[Array]]:
        """The loss of a batch, and its gradient for the first wanted slots; the loss is added to `tally` too.

        Raises:
            ShapeError: a prediction and its target do not fit.
        """
        total = 0.0
        gradients = []
        for head, value in zip(self.heads, values, strict=False):
            losses, gradient, weights = self._losses(head, head.training, values, value, batch, tally)
            loss_sum, weight_sum = tally.add_losses(head.name, losses, weights)
            scale = head.weight / weight_sum if weight_sum else 0.0
            if weights is None:
                gradient *= scale
            else:
                shares = np.multiply(weights, scale, out=head.training.buffer(weights.shape))
                gradient *= shares.reshape(-1, *[1] * (gradient.ndim - 1))
            gradients.append(gradient)
            total += scale * loss_sum
        return total, gradients

    def evaluate(self, values: Sequence[Array], batch: Batch, tally: Tally) -> None:
        """Adds the loss of a batch to `tally`, without the gradient; raises as `measure`."""
        for head, value in zip(self.heads, values, strict=False):
            losses, _, weights = self._losses(head, head.evaluating, values, value, batch, tally)
            tally.add_losses(head.name, losses, weights)

    def _losses(
        self, head: Head, context: Context, values: Sequence[Array], value: Array, batch: Batch, tally: Tally
    ) -> tuple[Array, Array, Array | None]:
        """Each sample's loss, its gradient and its weight; the metrics are added to `tally`."""
        context.begin()
        target = self._target(head, context, value, batch.targets[head.name])
        for name, metric in head.metrics.items():
            tally.add_metric(head.name, name, metric, values[head.prediction], target, batch.weights)
        losses, gradient = head.measure(context, value, target)
        weights = head.loss.sample_weights(target)
        if batch.weights is not None:
            weights = batch.weights if weights is None else weights * batch.weights
        return losses, gradient, None if weights is None else np.asarray(weights, losses.dtype)

    def _target(self, head: Head, context: Context, value: Array, target: Array) -> Array:
        shapes = (head.name, value.shape[1:], target.shape[1:])
        if shapes not in self._checked:
            head.loss.check_shapes(*shapes[1:])
            self._checked.add(shapes)
        if len(target) != len(value):
            raise ShapeError(f"{len(value)} samples in a batch, but {len(target)} targets (output {show(head.name)})")
        if target.dtype == value.dtype:
            return target
        if head.loss.takes_labels and target.dtype.kind in "biu" and target.ndim < value.ndim:
            return target
        buffer = context.buffer(target.shape, value.dtype)
        np.copyto(buffer, target, casting="unsafe")
        return buffer


def check_figures(training: TrainingSpec, figures: Mapping[str, bool | None]) -> None:
    """Checks that the schedule and the callbacks find the figures that they need among those that the run will record.

    Raises:
        SpecError: one is not there, or has no order; with all of them.
    """
    users: list[tuple[tuple[str | int, ...], Schedule | Callback]] = []
    if training.schedule is not None:
        users.append((("training", "schedule"), training.schedule))
    users += [(("training", "callbacks", place), used.callback) for place, used in enumerate(training.callbacks)]
    problems = []
    for keys, user in users:
        try:
            user.check_figures(figures)
        except ValueError as error:
            at = (*keys, "monitor") if "monitor" in type(user).__fields__ else keys
            problems.append(Problem(path_text(at), str(error), keys=at))
    if problems:
        raise SpecError(problems)


class Tally:
    """Sums over the batches of an epoch, from which its figures are made."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._restored = False
        self._losses = {head.name: [0.0, 0.0] for head in objective.heads}
        self._metrics = {(h.name, name): metric.start() for h in objective.heads for name, metric in h.metrics.items()}

    def add_losses(self, output: str, losses: Array, weights: Array | None) -> tuple[float, float]:
        """Adds the losses of samples (batch,); gives their sum, and that of their weights."""
        if weights is None:
            loss_sum, weight_sum = float(np.add.reduce(losses)), float(len(losses))
        else:
            loss_sum, weight_sum = float(np.dot(losses, weights)), float(np.add.reduce(weights))
        self._losses[output][0] += loss_sum
        self._losses[output][1] += weight_sum
        return loss_sum, weight_sum

    def add_metric(
        self, output: str, name: str, metric: Metric, prediction: Array, target: Array, weights: Array | None
    ) -> None:
        key = (output, name)
        try:
            self._metrics[key] = metric.update(self._metrics[key], prediction, target, weights)
        except Exception as error:
            if not self._restored:
                raise
            raise _foreign_sums(name, error) from error

    def state(self) -> dict[str, Any]:
        """The sums, for a checkpoint."""
        metrics: dict[str, dict[str, Any]] = {}
        for (head, name), accumulator in self._metrics.items():
            metrics.setdefault(head, {})[name] = accumulator
        return {"losses": self._losses, "metrics": metrics}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over the sums of a checkpoint; metrics that it does not have begin anew.

        What a metric's sums are is known to the metric alone: it is told where it cannot go on from them.
        """
        self._restored = True
        self._losses = {name: list(state["losses"][name]) for name in self._losses}
        for head, name in self._metrics:
            if name in state["metrics"].get(head, {}):
                self._metrics[head, name] = state["metrics"][head][name]

    def result(self, penalty: float = 0.0) -> dict[str, float | Array]:
        """Figure name -> value; `penalty` is added to the total loss."""
        several = len(self.objective.heads) > 1
        means = {name: total / weight if weight else 0.0 for name, (total, weight) in self._losses.items()}
        figures: dict[str, float | Array] = {
            "loss": sum(head.weight * means[head.name] for head in self.objective.heads) + penalty
        }
        for head in self.objective.heads:
            prefix = f"{head.name}_" if several else ""
            if several:
                figures[f"{head.name}_loss"] = means[head.name]
            for name, metric in head.metrics.items():
                try:
                    figures[prefix + name] = metric.result(self._metrics[head.name, name])
                except Exception as error:
                    if not self._restored:
                        raise
                    raise _foreign_sums(name, error) from error
        return figures


def _foreign_sums(metric: str, error: Exception) -> TrainingError:
    what = f"the metric {show(metric)} cannot go on from the sums that the checkpoint has"
    return TrainingError(f"{what} ({type(error).__name__}: {error})")


class Penalty:
    """The sum of l1 |w| + l2 w^2 over the weights, not the biases, of the nodes that ask for it.

    Args:
        reached: the names of the parameters that a loss depends on; others have no penalty. By default all have.
    """

    def __init__(self, network: Network, gradients: FlatArray, reached: Container[str] | None = None) -> None:
        self._terms: list[tuple[Array, Array, Array, float, float]] = []
        for node in network.graph.nodes:
            if node.owner is None and node.trainable and (node.l1 or node.l2):
                names = [name for name, parameter in node.parameters.items() if parameter.decay]
                weights = network.arrays_of(network.parameters, node, names)
                slopes = network.arrays_of(gradients, node, names)
                for name in names:
                    if reached is not None and f"{node.name}.{name}" not in reached:
                        continue
                    scratch = np.empty_like(weights[name])
                    self._terms.append((weights[name], slopes[name], scratch, node.l1, node.l2))

    def add(self) -> float:
        """Adds the penalty's gradient to the gradients, and gives its value."""
        total = 0.0
        for weight, gradient, scratch, l1, l2 in self._terms:
            if l1:
                total += l1 * float(np.abs(weight, out=scratch).sum())
                gradient += np.multiply(np.sign(weight, out=scratch), l1, out=scratch)
            if l2:
                square = float(np.vdot(weight, weight))
                total += l2 * (square if math.isfinite(square) else safe_norm(weight.reshape(-1)) ** 2)
                gradient += np.multiply(weight, 2 * l2, out=scratch)
        return total


def _for_the_only_output(network: Network, loss: Loss) -> dict[str, Any]:
    if len(network.outputs) > 1:
        names = ", ".join(network.outputs)
        _refuse(
            "loss",
            f"the network has several outputs ({names})",
            f"give each a loss: loss = {{ {names.split(', ')[0]} = ... }}",
        )
    return {next(iter(network.outputs)): WeightedLoss(loss)}


def _named_metrics(metrics: Sequence[Metric]) -> dict[str, Metric]:
    """Metrics under their type names; a second one of a type gets a number."""
    named: dict[str, Metric] = {}
    for metric in metrics:
        named[free_name(metric.type, named)] = metric
    return named


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or the first of name_2, name_3 and so on that is not taken."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    return free


def _refuse(place: str, message: str, hint: str = "") -> None:
    keys = ("training", *place.split("."))
    raise SpecError([Problem(".".join(keys), message, hint, keys=keys)])

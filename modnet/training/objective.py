"""What is made small and what is reported: losses, penalties and metrics of all outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modnet.arrays import Array, norm
from modnet.data.batches import Batch
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray
from modnet.errors import DataError, Problem, SampleError, ShapeError, SpecError
from modnet.kinds.callback import Callback
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss, WeightedLoss
from modnet.kinds.metric import Metric
from modnet.kinds.schedule import Schedule
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.kernels import NUMPY_ONLY, Kernels
from modnet.specs.model import TrainingSpec
from modnet.training.endings import check_normalized, unfit_ending
from modnet.training.tally import Tally
from modnet.words import did_you_mean, path_text, show

VALIDATION = "validation_"
"""What the names of the validation's figures begin with."""

COUPLING = 1e-3
"""By how much of it a sample's value may differ in a smaller batch: rounding differs, by far less."""


@dataclass
class Head:
    """One output with its loss.

    Attributes:
        name: of the output.
        position: where what the loss reads is among the values of a pass.
        loss, weight: what is computed, and its factor in the sum over the outputs.
        joint: whether the loss reads what the output's activation would have read.
        metrics: name -> metric.
        slot: what the loss reads.
        prediction: where the prediction is among the values of a pass, for the metrics.
        measure: `loss.measure`, or `loss.joint`, or a faster kernel of either.
        training, evaluating: where the loss has its buffers.
    """

    name: str
    position: int
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
        masked: whether a layer says which steps count.
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
        for name, used in losses.items():
            unfit = unfit_ending(network, name, used.loss)
            if unfit is not None:
                _refuse(f"loss.{name}" if isinstance(training.loss, Mapping) else "loss", *unfit)
        self.heads: list[Head] = []
        predictions: list[int] = []
        for name, used in losses.items():
            node = network.graph.node(outputs[name])
            joint = node.layer.type in used.loss.joint_with
            slot = node.inputs[0] if joint else outputs[name]
            prediction = len(self.heads)
            if joint and metrics.get(name):
                prediction = len(losses) + len(predictions)
                predictions.append(outputs[name])
            self.heads.append(
                Head(
                    name,
                    len(self.heads),
                    used.loss,
                    used.weight,
                    joint,
                    _named_metrics(metrics.get(name, ())),
                    slot,
                    prediction,
                    kernels.method(used.loss, "joint" if joint else "measure", network.dtype),
                    Context(network.dtype),
                    Context(network.dtype, needs_input_gradient=False),
                )
            )
        self.wanted = [head.slot for head in self.heads] + predictions
        self.reached = network.parameters_behind(head.slot for head in self.heads)
        self._checked: set[tuple[Any, ...]] = set()
        self.masked = any(node.layer.makes_mask for node in network.graph.nodes)

    @property
    def target_outputs(self) -> list[str]:
        """The outputs whose loss takes a target."""
        return [head.name for head in self.heads]

    @property
    def label_outputs(self) -> list[str]:
        """The outputs whose loss takes class labels."""
        return [head.name for head in self.heads if head.loss.takes_labels]

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

    def measure(
        self, values: Sequence[Array], batch: Batch, tally: Tally, masks: Sequence[Array | None] = ()
    ) -> tuple[float, list[Array]]:
        """The loss of a batch, and its gradient for the first wanted slots; the loss is added to `tally` too.

        Where nothing in the batch has a weight there is no loss, nan, and there are no gradients.

        Args:
            masks: for each of the values which steps count, (batch, time), or None; nothing where no layer makes masks.

        Raises:
            ShapeError: a prediction and its target do not fit.
            DataError: a target or a prediction is none that the loss can take.
        """
        total, weighted = 0.0, False
        gradients = []
        for head, value in zip(self.heads, values, strict=False):
            found = self._losses(head, head.training, values, batch, tally, masks)
            losses, gradient, factors, weights, chosen, steps = found
            loss_sum, weight_sum = tally.add_losses(head.name, losses, factors, weights, steps)
            scale = head.weight / weight_sum if weight_sum else 0.0
            weighted = weighted or weight_sum > 0
            if factors is None:
                gradient *= scale
            else:
                shares = np.multiply(factors, scale, out=head.training.buffer(factors.shape))
                gradient *= shares.reshape(-1, *[1] * (gradient.ndim - 1))
            gradients.append(gradient if chosen is None else _spread(gradient, chosen, value, head.training))
            total += scale * loss_sum
        return (total, gradients) if weighted else (math.nan, [])

    def evaluate(self, values: Sequence[Array], batch: Batch, tally: Tally, masks: Sequence[Array | None] = ()) -> None:
        """Adds the loss of a batch to `tally`, without the gradient; arguments and errors as of `measure`."""
        for head in self.heads:
            losses, _, factors, weights, _, steps = self._losses(head, head.evaluating, values, batch, tally, masks)
            tally.add_losses(head.name, losses, factors, weights, steps)

    def _losses(
        self,
        head: Head,
        context: Context,
        values: Sequence[Array],
        batch: Batch,
        tally: Tally,
        masks: Sequence[Array | None],
    ) -> _Losses:
        """The losses of samples, or of the steps that count; the metrics are added to `tally`."""
        context.begin()
        value, given, weights = values[head.position], batch.targets[head.name], batch.weights
        target = self._target(head, context, value, given, batch)
        mask = masks[head.position] if masks else None
        chosen, steps = None, 1
        if mask is not None or (weights is not None and weights.ndim > 1):
            chosen, weights = self._positions(head, value, mask, weights)
            if chosen is None and head.loss.positions and value.ndim > 2:
                steps = value.shape[1]  # in other batches it is steps that count, and not samples
        shown, looked_at = values[head.prediction], chosen
        try:
            for name, metric in head.metrics.items():
                looked_at = chosen if metric.positions else None
                if looked_at is None:
                    tally.add_metric(head.name, name, metric, shown, given, batch.weights)
                else:
                    tally.add_metric(head.name, name, metric, _at(shown, looked_at), _at(given, looked_at), weights)
            looked_at = chosen
            if chosen is not None:
                value, target = _at(value, chosen, context), _at(target, chosen, context)
            losses, gradient = head.measure(context, value, target)
            by_class = head.loss.sample_weights(target)
        except SampleError as error:
            if looked_at is not None and given.ndim > 1:
                error = error.of_step(int(looked_at[error.sample]), given.shape[1])
            if batch.rows is None:
                raise error from None
            raise error.at(f"row {row_of(batch.rows, error.sample)}") from None
        if by_class is None and weights is None:
            return losses, gradient, None, None, chosen, steps
        self._look_for_coupling(head, value, target, losses)
        total = weights if by_class is None else by_class if weights is None else by_class * weights
        factors = weights if head.loss.weighted else total
        return losses, gradient, _of_dtype(factors, losses), _of_dtype(total, losses), chosen, steps

    def _positions(
        self, head: Head, value: Array, mask: Array | None, weights: Array | None
    ) -> tuple[Array | None, Array | None]:
        """The steps that count, as numbers of all the batch's steps, and their weights.

        None for the steps says that all count alike, with the weights of their samples.
        """
        by_step = weights is not None and weights.ndim > 1
        if by_step and weights is not None:
            steps = value.shape[:2] if value.ndim > 2 else (len(value),)
            if weights.shape != steps:
                raise DataError(
                    f"sample weights: expected shape {steps[:1]}, a weight for each sample"
                    + (f", or {steps}, one for each step" if len(steps) > 1 else "")
                    + f", found {weights.shape} (output {show(head.name)} of shape {value.shape})"
                )
            unfit = [] if head.loss.positions else [head.loss.type]
            unfit += [metric.type for metric in head.metrics.values() if not metric.positions]
            if unfit:
                raise DataError(f"sample weights: {unfit[0]} takes a weight for each sample, not one for each step")
        elif not head.loss.positions or value.ndim < 3:
            return None, weights
        counted = np.ones(value.shape[:2], np.bool_) if mask is None else mask
        if by_step and weights is not None:
            counted = counted & (weights > 0)
        elif counted.all():
            return None, weights
        chosen = np.flatnonzero(counted)
        if weights is None:
            return chosen, None
        return chosen, weights.reshape(-1)[chosen] if by_step else weights[chosen // value.shape[1]]

    def _look_for_coupling(self, head: Head, value: Array, target: Array, losses: Array) -> None:
        """Holds once the values of a batch against those of its halves: weights need values that stand by themselves.

        Raises:
            DataError: they differ.
        """
        if ("coupling", head.name) in self._checked or len(value) < 2:
            return
        self._checked.add(("coupling", head.name))
        half = len(value) // 2
        measure = head.loss.joint if head.joint else head.loss.measure
        for part in (slice(half), slice(half, None)):
            context = Context(self.network.dtype, needs_input_gradient=False)
            alone = measure(context, value[part], target[part])[0]
            tolerance = COUPLING * float(np.abs(alone).max())
            if math.isfinite(tolerance) and not np.allclose(losses[part], alone, rtol=COUPLING, atol=tolerance):
                raise DataError(
                    f"{head.loss.type} gives a sample another value where other samples are in the batch, "
                    "and weights would be wrong for it; train without sample weights and class weights"
                )

    def _target(self, head: Head, context: Context, value: Array, target: Array, batch: Batch) -> Array:
        if len(target) != len(value):
            raise ShapeError(f"{len(value)} samples in a batch, but {len(target)} targets (output {show(head.name)})")
        shapes = (head.name, value.shape[1:], target.shape[1:])
        if shapes not in self._checked:
            head.loss.check_shapes(*shapes[1:])
            if head.loss.normalized and not head.joint:
                check_normalized(head.name, head.loss, value)
            self._checked.add(shapes)
        if target.dtype == value.dtype:
            return target
        if are_labels(head.loss, target, value.ndim - 1):
            return target
        buffer = context.buffer(target.shape, value.dtype)
        with np.errstate(over="raise"):
            try:
                np.copyto(buffer, target, casting="unsafe")
            except FloatingPointError:
                representable(target, value.dtype, head.name, batch.rows)
                raise
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
            problems.append(Problem(path_text(at), str(error), _missing_metric(user, figures), keys=at))
    if problems:
        raise SpecError(problems)


def _missing_metric(user: Schedule | Callback, figures: Mapping[str, bool | None]) -> str:
    """What to do where what is monitored is one of the core's metrics, and merely not asked for."""
    name = str(getattr(user, "monitor", "")).removeprefix("val_").removeprefix(VALIDATION)
    if name in BUILTIN["modnet.metrics"] and name not in figures:
        return f'{name} is a metric; record it with metrics = ["{name}"] in [training]'
    return ""


_Losses = tuple[Array, Array, Array | None, Array | None, Array | None, int]
"""Losses and their gradient; what they are multiplied by, and what their sum is divided by, None for ones; and the
steps that they belong to, numbered through the batch, None where they are those of samples; and as how many steps each
counts in the figures of an epoch.
"""


def _spread(gradient: Array, chosen: Array, value: Array, context: Context) -> Array:
    """The gradient of all steps, 0 for those that do not count."""
    whole = context.buffer(value.shape)
    whole.fill(0)
    whole.reshape(-1, *value.shape[2:])[chosen] = gradient
    return whole


def _at(array: Array, chosen: Array, context: Context | None = None) -> Array:
    """Some steps of (batch, time, ...), one behind the other."""
    steps = array.reshape(-1, *array.shape[2:])
    if context is None:
        return steps[chosen]
    return steps.take(chosen, axis=0, out=context.buffer((len(chosen), *steps.shape[1:]), array.dtype), mode="clip")


def are_labels(loss: Loss, target: Array, axes: int) -> bool:
    """Whether targets for predictions of so many axes are labels, which stay integers."""
    return loss.takes_labels and target.dtype.kind in "biu" and target.ndim <= axes


def _of_dtype(weights: Array | None, losses: Array) -> Array | None:
    return None if weights is None else np.asarray(weights, losses.dtype)


def row_of(rows: slice | Array | None, position: int) -> int:
    """The row of all the data that stands at a place of a batch."""
    if rows is None:
        return position
    return (rows.start or 0) + position if isinstance(rows, slice) else int(rows[position])


def representable(
    target: Array,
    dtype: np.dtype[Any],
    output: str,
    rows: slice | Array | None,
    row_name: Callable[[int], str] = "row {}".format,
) -> Array:
    """The target; a number in it that the dtype cannot hold raises DataError, with its row."""
    if target.dtype.kind != "f" or target.dtype.itemsize <= dtype.itemsize or not target.size:
        return target
    most = float(np.finfo(dtype).max)
    if np.fmin.reduce(target, axis=None) < -most or np.fmax.reduce(target, axis=None) > most:
        huge = (np.abs(target) > most) & np.isfinite(target)
        if huge.any():
            first = np.argwhere(huge)[0]
            raise DataError(
                f"target of {show(output)}: {target[tuple(first)]:g} in {row_name(row_of(rows, int(first[0])))} "
                f'is beyond what {dtype} can hold ({most:.2g}); take smaller units, or dtype = "float64" in [network]'
            )
    return target


class Penalty:
    """The sum of l1 |w| + l2 w^2 over the weights, not the biases, of the nodes that ask for it.

    Args:
        reached: the names of the parameters that a loss depends on; others have no penalty. By default all have.
    """

    def __init__(self, network: Network, gradients: FlatArray, reached: Container[str] | None = None) -> None:
        self._terms: list[tuple[Array, Array, Array, float, float]] = []
        for node in network.graph.nodes:
            if node.owner is None and node.trainable and (node.l1 or node.l2):
                names = [name for name, parameter in node.parameters.items() if parameter.decay and parameter.trainable]
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
                with np.errstate(over="ignore"):
                    square = float(np.vdot(weight, weight))
                total += l2 * (square if math.isfinite(square) else norm(weight) ** 2)
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

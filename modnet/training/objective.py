"""What is minimised and what is reported: the losses and metrics of all outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batch
from modnet.datasets.dataset import Dataset
from modnet.engine.network import Network
from modnet.errors import DataError, SampleError, ShapeError
from modnet.kinds.context import Context
from modnet.kinds.figures import TEST, VALIDATION
from modnet.kinds.loss import Loss, WeightedLoss
from modnet.kinds.sharing import Share
from modnet.plugins.kernels import NUMPY_ONLY, Kernels
from modnet.specs.model import TrainingSpec
from modnet.training.endings import check_normalized
from modnet.training.heads import Head, make_heads, refuse, slots_of
from modnet.training.member_weights import balanced, of_learning, who_learns
from modnet.training.tally import Tally
from modnet.training.views import View
from modnet.words import show

COUPLING = 1e-3
"""The relative difference that a sample's value may have in a smaller batch; rounding is far less."""


class Losses(NamedTuple):
    """The losses of samples, or of the steps of sequences that count.

    Attributes:
        values, gradient: of each sample or step; the gradient is None if none is needed.
        factors: the factors of the values; None for ones.
        weights: the weighted sum of values is divided by the sum of these; None for ones.
        chosen: the steps of the values, as indices into all steps of the batch; None if they are those of samples.
        steps: the number of steps for which each value counts in the figures of an epoch.
        members: how many members of the ensemble have a value with a weight.
    """

    values: Array
    gradient: Array
    factors: Array | None
    weights: Array | None
    chosen: Array | None
    steps: int
    members: int


class Objective:
    """The losses and metrics of a network's outputs.

    Attributes:
        training: with the losses of the heads.
        heads: the outputs that have a loss.
        wanted: the slots whose values `measure` takes; those for the losses come first.
        measured: the slots whose values `evaluate` takes.
        reached: the names of the parameters on which any of the losses depends.
        masked: whether a layer makes masks.
        couples: whether a loss couples the samples of a batch, so that batches must not be cut.
        over: the members of an ensemble whose training is over; their losses do not count any more.
    """

    def __init__(self, network: Network, training: TrainingSpec, kernels: Kernels = NUMPY_ONLY) -> None:
        self.network = network
        self.training = training
        self._kernels = kernels
        self.heads = make_heads(network, training, kernels)
        self.wanted = slots_of(network, self.heads, [head.learning for head in self.heads])
        self.measured = slots_of(network, self.heads, [head.evaluating for head in self.heads])
        self.reached = network.parameters_behind(head.learning.slot for head in self.heads)
        self.masked = any(node.layer.makes_mask for node in network.graph.nodes)
        self.couples = any(head.loss.couples for head in self.heads)
        self.over: frozenset[int] = frozenset()
        self._checked: set[tuple[Any, ...]] = set()

    @property
    def target_outputs(self) -> list[str]:
        """The outputs whose loss takes a target."""
        return [head.name for head in self.heads if head.loss.takes_target]

    @property
    def label_outputs(self) -> list[str]:
        """The outputs whose loss takes class labels."""
        return [head.name for head in self.heads if head.loss.takes_labels]

    def fit(self, data: Dataset | None) -> None:
        """Lets the losses take from the training data what they need to know (`Loss.fitted`).

        Args:
            data: None if there are none to check.

        Raises:
            SpecError: an option of a loss does not fit them, such as a weight for a class that there is not.
        """
        schema = self.network.card.schema
        known = data.classes if data is not None and data.classes else schema.classes() if schema else {}
        alone = isinstance(self.training.loss, Loss)
        for head in self.heads:
            target, weights = _targets_of(data, head)
            try:
                loss = head.loss.fitted(self.network.outputs[head.name], target, weights, known.get(head.name, ()))
            except ValueError as error:
                refuse("loss" if alone else f"loss.{head.name}", str(error))
            if loss is not head.loss:
                head.take(loss, self._kernels)
        several = {head.name: WeightedLoss(head.loss, head.weight) for head in self.heads}
        self.training = self.training.replace(loss=self.heads[0].loss if alone else several)

    def figures(self, validation: bool = False) -> dict[str, bool | None]:
        """The name of every figure -> whether a greater value is better; with those of the validation, if `validation`.

        Raises:
            SpecError: two figures would have the same name, or a training figure the name of a validation figure.
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
            if name in names or name.startswith((VALIDATION, TEST)):
                kind = "test" if name.startswith(TEST) else "validation"
                taken = "is used by another figure" if name in names else f"is reserved for {kind} figures"
                refuse(
                    "loss" if several else "metrics",
                    f"{whose} would be recorded as {show(name)}, which {taken}",
                    "give the output, or the metric's type, another name",
                )
            names[name] = greater
        return {**names, **{VALIDATION + name: greater for name, greater in names.items()}} if validation else names

    def measure(
        self, values: Sequence[Array], batch: Batch, tally: Tally, masks: Sequence[Array | None] = ()
    ) -> tuple[float, list[Array]]:
        """The loss of a batch, and its gradients for the first wanted slots; the loss is also added to `tally`.

        If nothing in the batch has a weight, the loss is nan and there are no gradients.

        Args:
            masks: for each of the values, which steps count, (batch, time), or None; empty if no layer makes masks.

        Raises:
            ShapeError: the shapes of a prediction and its target do not match.
            DataError: the loss cannot use a target or a prediction.
        """
        total, weighted = 0.0, False
        gradients = []
        members = self.network.graph.members  # each has the gradient of its own loss, and not of their mean
        for head, value in zip(self.heads, values, strict=False):
            if head.loss.couples:
                mean, gradient = self._coupled(head, head.learning, values, batch, tally, masks)
                weighted = True
                total += head.weight * mean
                if head.weight * members != 1:
                    gradient *= head.weight * members
                gradients.append(gradient)
                continue
            found = self._losses(head, head.learning, values, batch, tally, masks)
            loss_sum, weight_sum = tally.add_losses(
                head.name, found.values, found.factors, found.weights, found.steps, batch.share
            )
            scale = head.weight / weight_sum if weight_sum else 0.0
            weighted = weighted or weight_sum > 0
            gradients.append(_scaled(found, scale * found.members, value, head.learning))
            total += scale * loss_sum
        return (total, gradients) if weighted else (math.nan, [])

    def evaluate(self, values: Sequence[Array], batch: Batch, tally: Tally, masks: Sequence[Array | None] = ()) -> None:
        """Adds the loss of a batch to `tally`, without the gradient; arguments and errors as of `measure`."""
        for head in self.heads:
            if head.loss.couples:
                self._coupled(head, head.evaluating, values, batch, tally, masks)
            else:
                found = self._losses(head, head.evaluating, values, batch, tally, masks)
                tally.add_losses(head.name, found.values, found.factors, found.weights, found.steps, batch.share)

    def _coupled(
        self,
        head: Head,
        view: View,
        values: Sequence[Array],
        batch: Batch,
        tally: Tally,
        masks: Sequence[Array | None],
    ) -> tuple[float, Array]:
        """The mean loss of a batch of coupled samples, and its gradient.

        If several processes share the batch, each computes the loss of all of it, and takes the gradient of its own
        rows.
        """
        share = batch.share
        if share is None:
            return self._of_whole(head, view, values, batch, tally, masks)
        joined = [share.joined(value) for value in values]
        masks = [None if mask is None else share.joined(mask) for mask in masks]
        mean, gradient = self._of_whole(head, view, joined, batch.whole_targets(), tally, masks)
        return mean, gradient[share.own]

    def _of_whole(
        self,
        head: Head,
        view: View,
        values: Sequence[Array],
        batch: Batch,
        tally: Tally,
        masks: Sequence[Array | None],
    ) -> tuple[float, Array]:
        """The mean loss of a batch of coupled samples, and its gradient; metrics and loss are added to `tally`.

        In the figures of an epoch, a batch is weighted by the number of its samples, or by the sum of their weights.
        """
        view.context.begin()
        value, weights = values[view.position], batch.weights
        if weights is not None and weights.ndim > 1:
            raise DataError(f"sample weights: {head.loss.type} takes a weight for each sample, not one for each step")
        view.context.masks = (masks[view.position] if masks else None,)
        target = self._target(head, view, value, batch)
        if head.metrics:
            self._add_metrics(head, values[view.prediction], batch, tally, None, weights)
        try:
            learns = self._who_learns(batch, view, value)
            mean, gradient = _of_batch(view, view.in_unit(value), target, _of_dtype(weights, value), learns)
        except SampleError as error:
            raise _in_all_data(error, batch) from None
        tally.add_mean(head.name, float(mean), float(len(value) if weights is None else np.add.reduce(weights)))
        return float(mean), gradient

    def _losses(
        self,
        head: Head,
        view: View,
        values: Sequence[Array],
        batch: Batch,
        tally: Tally,
        masks: Sequence[Array | None],
    ) -> Losses:
        """The losses of samples, or of the steps that count; the metrics are added to `tally`."""
        context = view.context
        context.begin()
        value, weights = values[view.position], batch.weights
        mask = masks[view.position] if masks else None
        context.masks = (mask,)
        target = self._target(head, view, value, batch)
        chosen, steps = None, 1
        by_step = weights is not None and weights.ndim > 1
        # Where a batch is shared, another process may have a mask.
        if mask is not None or by_step or (batch.share is not None and self.masked):
            sample = view.sample(value)
            chosen, weights = self._positions(head, sample, mask, weights, batch.share)
            if chosen is None and head.loss.positions and sample.ndim > 2:
                # All steps of this batch count, so values are means of samples; other batches of the epoch may have
                # values of single steps, and the figures must weight both alike.
                steps = sample.shape[1]
        if head.metrics:
            self._add_metrics(head, values[view.prediction], batch, tally, chosen, weights)
        members, ensemble = view.members(value), self.network.graph.members
        learns = self._who_learns(batch, view, value, chosen)
        try:
            value = view.in_unit(value)
            if chosen is not None:
                value = _at(np.moveaxis(value, 1 + view.member_axes, 1), chosen, context)
                target = None if target is None else _at(target, chosen, context)
            if view.member_axes:
                value = view.joined(value)
                target, weights = view.repeated(target, members), view.repeated(weights, members)
            if learns is not None:
                weights = of_learning(weights, learns, members)
            losses, gradient = view.measure(context, value, target)
            by_class = None if target is None else head.loss.sample_weights(target)
        except SampleError as error:
            raise _in_all_data(error.of_member(members), batch, chosen, head.name) from None
        if by_class is not None or batch.weights is not None or batch.folds is not None:
            self._look_for_coupling(head, view, value, target, losses)
        factors, total = _factors(head.loss, by_class, weights)
        if learns is not None and factors is not None and total is not None:
            factors, total, ensemble = balanced(factors, total, ensemble, members, batch.share)
        return Losses(losses, gradient, _of_dtype(factors, losses), _of_dtype(total, losses), chosen, steps, ensemble)

    def _who_learns(self, batch: Batch, view: View, value: Array, chosen: Array | None = None) -> Array | None:
        """Which members learn from which samples, or of the chosen steps; None if all do, or if none is seen apart."""
        if not view.member_axes or (batch.folds is None and not self.over):
            return None
        learns = who_learns(batch.folds, self.over, len(value), self.network.graph.members)
        return learns if chosen is None else learns[chosen // view.sample(value).shape[1]]

    def _add_metrics(
        self,
        head: Head,
        shown: Array,
        batch: Batch,
        tally: Tally,
        chosen: Array | None,
        weights: Array | None,
    ) -> None:
        """Adds a batch to the metrics of an output; metrics with `positions` get only the chosen steps."""
        given = batch.targets[head.name]
        for name, metric in head.metrics.items():
            steps = chosen if metric.positions else None
            try:
                if steps is None:
                    tally.add_metric(head.name, name, metric, shown, given, batch.weights, batch.share)
                else:
                    at = _at(shown, steps), _at(given, steps)
                    tally.add_metric(head.name, name, metric, *at, weights, batch.share)
            except SampleError as error:
                raise _in_all_data(error, batch, steps, head.name) from None

    def _positions(
        self, head: Head, value: Array, mask: Array | None, weights: Array | None, share: Share | None
    ) -> tuple[Array | None, Array | None]:
        """The steps that count, as indices into all steps of the batch, and their weights.

        None for the steps means that all of them count, with the weights of their samples.
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
        elif not (share.any(not counted.all()) if share else not counted.all()):
            return None, weights
        chosen = np.flatnonzero(counted)
        if weights is None:
            return chosen, None
        return chosen, weights.reshape(-1)[chosen] if by_step else weights[chosen // value.shape[1]]

    def _look_for_coupling(self, head: Head, view: View, value: Array, target: Any, losses: Array) -> None:
        """Compares the values of a batch once with those of its halves; sample weights need independent values.

        Raises:
            DataError: they differ.
        """
        if ("coupling", head.name) in self._checked or len(value) < 2:
            return
        self._checked.add(("coupling", head.name))
        half = len(value) // 2
        measure = head.loss.joint if view.joint else head.loss.measure
        for part in (slice(half), slice(half, None)):
            context = Context(self.network.dtype, needs_input_gradient=False)
            alone = measure(context, value[part], None if target is None else target[part])[0]
            tolerance = COUPLING * float(np.abs(alone).max())
            if math.isfinite(tolerance) and not np.allclose(losses[part], alone, rtol=COUPLING, atol=tolerance):
                raise DataError(
                    f"{head.loss.type} gives a sample a different value in another batch, so weights would be wrong; "
                    "train without sample weights and class weights (a loss that couples samples has to set "
                    "couples = True, and then receives the weights)"
                )

    def _target(self, head: Head, view: View, value: Array, batch: Batch) -> Any:
        """The target in the form of the loss: labels, or numbers of the network's dtype; None if it takes no target."""
        sample = view.sample(value)
        if not head.loss.takes_target:
            if (head.name, sample.shape[1:]) not in self._checked:
                head.loss.check_shapes(sample.shape[1:], ())
                self._checked.add((head.name, sample.shape[1:]))
            return None
        target = batch.targets[head.name]
        if len(target) != len(value):
            raise ShapeError(f"{len(value)} samples in a batch, but {len(target)} targets (output {show(head.name)})")
        shapes = (head.name, sample.shape[1:], target.shape[1:])
        if shapes not in self._checked:
            head.loss.check_shapes(*shapes[1:])
            if head.loss.normalized and not view.joint:
                check_normalized(head.name, head.loss, value)
            self._checked.add(shapes)
        if view.target_before is not None:
            target = view.target_before(target, sample)
        if target.dtype == value.dtype:
            return target
        if are_labels(head.loss, target, sample.ndim - 1):
            return target
        return _converted(target, view.context, value.dtype, head.name, batch)


def _factors(loss: Loss, by_class: Array | None, weights: Array | None) -> tuple[Array | None, Array | None]:
    """The factors of losses, and the weights by whose sum they are divided; None for ones."""
    total = weights if by_class is None else by_class if weights is None else by_class * weights
    return (weights if loss.weighted else total), total


def _targets_of(data: Dataset | None, head: Head) -> tuple[Array | None, Array | None]:
    """The targets of an output and the weights, for the dataset's own rows; None if there are none."""
    if data is None or not head.loss.takes_target:
        return None, None
    target, weights = data.targets[head.name], data.weights
    if data.rows is None:
        return target, weights
    return target[data.rows], None if weights is None else weights[data.rows]


def _converted(target: Array, context: Context, dtype: np.dtype[Any], output: str, batch: Batch) -> Array:
    """The target in a buffer of the dtype. Raises DataError if it has a number that the dtype cannot hold."""
    buffer = context.buffer(target.shape, dtype)
    with np.errstate(over="raise"):
        try:
            np.copyto(buffer, target, casting="unsafe")
        except FloatingPointError:
            representable(target, dtype, output, batch.rows)
            raise
    return buffer


def _of_batch(
    view: View, value: Array, target: Any, weights: Array | None, learns: Array | None
) -> tuple[float, Array]:
    """The mean loss of a batch of coupled samples, and its gradient; each member is measured by itself."""
    if not view.member_axes:
        mean, gradient = view.measure(view.context, value, target, weights)
        return float(mean), gradient
    members, total = view.members(value), 0.0
    whole = view.context.buffer(value.shape)
    by_member = value.reshape(len(value), members, *value.shape[1 + view.member_axes :])
    slopes = whole.reshape(by_member.shape)
    for member in range(members):
        own = weights
        if learns is not None:
            rows = learns[:, member // (members // learns.shape[1])]
            own = rows.astype(value.dtype) if weights is None else np.where(rows, weights, 0)
            if not own.any():
                slopes[:, member] = 0
                continue
        mean, gradient = view.measure(view.context, np.ascontiguousarray(by_member[:, member]), target, own)
        total += float(mean)
        if gradient is not None:
            np.divide(gradient, members, out=slopes[:, member])
    return total / members, whole


def _scaled(found: Losses, scale: float, value: Array, view: View) -> Array:
    """The gradient of the weighted mean, for all steps of a batch; 0 for those that do not count."""
    gradient = found.gradient
    if found.factors is None:
        gradient *= scale
    else:
        shares = np.multiply(found.factors, scale, out=view.context.buffer(found.factors.shape))
        gradient *= shares.reshape(-1, *[1] * (gradient.ndim - 1))
    if found.chosen is None:
        return gradient.reshape(value.shape)
    time = 1 + view.member_axes
    whole = (len(value), value.shape[time], *value.shape[1:time], *value.shape[time + 1 :])
    slopes = _spread(gradient.reshape(len(found.chosen), *whole[2:]), found.chosen, whole, view.context)
    return np.moveaxis(slopes, 1, time)


def _in_all_data(error: SampleError, batch: Batch, chosen: Array | None = None, output: str = "") -> Exception:
    """An error about a sample of a batch, or one of its chosen steps, with the row of the sample in all the data."""
    if chosen is not None and batch.targets[output].ndim > 1:
        error = error.of_step(int(chosen[error.sample]), batch.targets[output].shape[1])
    return error if batch.rows is None else error.at(f"row {row_of(batch.rows, error.sample)}")


def _spread(gradient: Array, chosen: Array, shape: tuple[int, ...], context: Context) -> Array:
    """The gradient of all steps, 0 for those that do not count."""
    whole = context.buffer(shape)
    whole.fill(0)
    whole.reshape(-1, *shape[2:])[chosen] = gradient
    return whole


def _at(array: Array, chosen: Array, context: Context | None = None) -> Array:
    """Some steps of (batch, time, ...), joined along one axis."""
    steps = array.reshape(-1, *array.shape[2:])
    if context is None:
        return steps[chosen]
    return steps.take(chosen, axis=0, out=context.buffer((len(chosen), *steps.shape[1:]), array.dtype), mode="clip")


def are_labels(loss: Loss, target: Array, axes: int) -> bool:
    """Whether targets are labels, which stay integers, for predictions with `axes` axes without the batch."""
    return loss.takes_labels and target.dtype.kind in "biu" and target.ndim <= axes


def _of_dtype(weights: Array | None, losses: Array) -> Array | None:
    return None if weights is None else np.asarray(weights, losses.dtype)


def row_of(rows: slice | Array | None, position: int) -> int:
    """The row, in all the data, of a sample at a position of a batch."""
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
    """The target. Raises DataError, with the row, if it has a number that the dtype cannot hold."""
    if target.dtype.kind != "f" or target.dtype.itemsize <= dtype.itemsize or not target.size:
        return target
    most = float(np.finfo(dtype).max)
    if np.fmin.reduce(target, axis=None) < -most or np.fmax.reduce(target, axis=None) > most:
        huge = (np.abs(target) > most) & np.isfinite(target)
        if huge.any():
            first = np.argwhere(huge)[0]
            raise DataError(
                f"target of {show(output)}: {target[tuple(first)]:g} in {row_name(row_of(rows, int(first[0])))} "
                f'is beyond what {dtype} can hold ({most:.2g}); rescale it, or set dtype = "float64" in [network]'
            )
    return target

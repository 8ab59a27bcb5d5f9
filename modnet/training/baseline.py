"""What the figures of a network are compared with: those of a guess that does not look at the inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modnet.arrays import Array
from modnet.datasets.dataset import Dataset
from modnet.errors import ModnetError
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.training.heads import Head
from modnet.training.objective import Objective, are_labels
from modnet.training.tally import Tally

ROWS_AT_A_TIME = 1 << 16


def baseline(objective: Objective, data: Dataset) -> tuple[dict[str, Array], dict[str, float | Array]]:
    """The mean target of the data, and the figures of predicting it for every row.

    The mean of classes, or of labels, is the share of each, so that the class which most rows have is the decision.

    Returns:
        Output name -> what is predicted, of the shape of a sample; and figure name -> value. Both are empty where a
        loss has no such guess: for sequences, or if it couples the samples of a batch or takes no target.
    """
    if not all(_has_guess(objective, head, data) for head in objective.heads):
        return {}, {}
    guesses = {head.name: _mean(objective, head, data) for head in objective.heads}
    tally = Tally(objective.heads)
    try:
        with np.errstate(all="ignore"):
            for head in objective.heads:
                _add(tally, objective, head, data, guesses[head.name])
            return guesses, tally.result()
    except ModnetError:  # a loss that has no value for a mean: of predictions that must be -1 or 1, for example
        return {}, {}


def _has_guess(objective: Objective, head: Head, data: Dataset) -> bool:
    shape = objective.network.outputs[head.name]
    weights_of_steps = data.weights is not None and data.weights.ndim > 1
    usual = head.loss.takes_target and not head.loss.couples and not weights_of_steps
    return usual and len(shape) == 1 and None not in shape and data.targets[head.name].ndim <= 2


def _targets(head: Head, data: Dataset, width: int) -> Iterator[tuple[Array, Array | None]]:
    """The targets of an output and their weights: each label once, with its count, or some rows at a time."""
    if not _has_labels(head, data):
        yield from _chunks(head, data)
        return
    counts = np.zeros(width)
    for target, weights in _chunks(head, data):
        counts += np.bincount(target.astype(np.intp), weights, width)
    (there,) = np.nonzero(counts)
    yield there, counts[there]


def _has_labels(head: Head, data: Dataset) -> bool:
    return head.loss.takes_labels and data.targets[head.name].ndim == 1


def _chunks(head: Head, data: Dataset) -> Iterator[tuple[Array, Array | None]]:
    target = data.targets[head.name]
    for start in range(0, len(data), ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        chosen = part if data.rows is None else data.rows[part]
        yield target[chosen], None if data.weights is None else data.weights[chosen]


def _mean(objective: Objective, head: Head, data: Dataset) -> Array:
    (width,) = objective.network.outputs[head.name]
    assert width is not None
    total, count = np.zeros(width), 0.0
    for target, weights in _targets(head, data, width):
        factors = np.ones(len(target)) if weights is None else weights.astype(np.float64)
        if _has_labels(head, data):
            total[target] += factors
        else:
            total += factors @ target.reshape(len(target), -1).astype(np.float64)
        count += factors.sum()
    return (total / count).astype(objective.network.dtype)


def _add(tally: Tally, objective: Objective, head: Head, data: Dataset, guess: Array) -> None:
    context = Context(objective.network.dtype, needs_input_gradient=False)
    for target, weights in _targets(head, data, len(guess)):
        guessed = prediction = np.ascontiguousarray(np.broadcast_to(guess, (len(target), len(guess))))
        for name, metric in head.metrics.items():
            tally.add_metric(head.name, name, metric, guessed, target, weights)
        context.begin()
        if head.evaluating.target_before is not None:  # such a loss is measured in deviations of the target
            prediction = head.evaluating.target_before(prediction, prediction).astype(guess.dtype)
            target = head.evaluating.target_before(target, guessed)
        goal = target if are_labels(head.loss, target, 1) else target.astype(guess.dtype)
        values = head.loss.measure(context, prediction, goal)[0]
        tally.add_losses(head.name, values, *_factors(head.loss, goal, weights))


def _factors(loss: Loss, target: Array, weights: Array | None) -> tuple[Array | None, Array | None]:
    """The factors of the values, and what their sum is divided by, as in training."""
    own = loss.sample_weights(target)
    both = weights if own is None else own if weights is None else own * weights
    return (weights if loss.weighted else both), both

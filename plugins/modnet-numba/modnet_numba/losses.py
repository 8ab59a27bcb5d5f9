"""Losses together with the activation at the network's end.

Targets that the loss refuses are found in the same pass; the loss itself then says what is wrong with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from modnet.losses.targets import sample_means
from modnet_numba.compiling import loop, reduction
from modnet_numba.mathematics import ONE, ZERO, exp, log1p
from modnet_numba.rows import exponentiate, subtract_highest

Joint = Callable[..., Any]
TOLERANCE = 1e-3
"""How far the sum of a target's probabilities may be from 1."""


@reduction
def cross_entropy_of_labels(logits, labels, gradient, values, chosen, rest, share):
    """The target is `rest` everywhere, and `chosen` more at the label. Gives whether all labels are classes."""
    classes = logits.shape[1]
    subtract_highest(logits, gradient)
    for i in range(len(labels)):
        if not 0 <= labels[i] < classes:
            return False
        values[i] = -chosen * gradient[i, labels[i]]
        if rest > ZERO(rest):
            for j in range(classes):
                values[i] -= rest * gradient[i, j]
    exponentiate(gradient.reshape(-1))
    for i in range(len(labels)):
        total = ZERO(share)
        for j in range(classes):
            total += gradient[i, j]
        values[i] += math.log(total)
        factor = share / total
        for j in range(classes):
            gradient[i, j] = gradient[i, j] * factor - rest * share
        gradient[i, labels[i]] -= chosen * share
    return True


@reduction
def cross_entropy_of_rows(logits, targets, gradient, values, kept, rest, share):
    """The target is kept * targets + rest. Gives whether all targets are probabilities."""
    classes = logits.shape[1]
    subtract_highest(logits, gradient)
    weights = np.empty_like(values)
    for i in range(len(targets)):
        value, sum_of_targets, lowest = ZERO(share), ZERO(share), False
        for j in range(classes):
            lowest |= targets[i, j] < ZERO(share)
            sum_of_targets += targets[i, j]
            value -= (kept * targets[i, j] + rest) * gradient[i, j]
        if lowest or abs(sum_of_targets - ONE(share)) > TOLERANCE:
            return False
        values[i] = value
        weights[i] = kept * sum_of_targets + rest * classes
    exponentiate(gradient.reshape(-1))
    for i in range(len(targets)):
        total = ZERO(share)
        for j in range(classes):
            total += gradient[i, j]
        values[i] += weights[i] * math.log(total)
        factor = weights[i] * share / total
        for j in range(classes):
            gradient[i, j] = gradient[i, j] * factor - (kept * targets[i, j] + rest) * share
    return True


def cross_entropy_joint(loss: Any, dtype: np.dtype[Any]) -> Joint | None:
    if loss.class_weights is not None:
        return None
    real = dtype.type

    def joint(context, logits, target):
        *batch, classes = logits.shape
        if target.shape == (*batch,) and target.dtype.kind in "biu":
            compiled, targets = cross_entropy_of_labels, target.astype(np.int64, copy=False).reshape(-1)
        elif target.shape == logits.shape and target.dtype == dtype:
            compiled, targets = cross_entropy_of_rows, np.ascontiguousarray(target).reshape(-1, classes)
        else:
            return loss.joint(context, logits, target)
        gradient, values = context.buffer(logits.shape), context.buffer((*batch,))
        smoothing = (1 - loss.label_smoothing, loss.label_smoothing / classes)
        numbers = map(real, (*smoothing, 1 / math.prod(batch[1:])))
        rows = np.ascontiguousarray(logits).reshape(-1, classes)
        if not compiled(rows, targets, gradient.reshape(-1, classes), values.reshape(-1), *numbers):
            return loss.joint(context, logits, target)
        return sample_means(values), gradient

    return joint


@loop
def binary_cross_entropy(logits, targets, gradient, values, kept, rest, positive_weight, share):
    """The target is kept * targets + rest. Gives whether all targets are from 0 to 1."""
    bad = False
    for i in range(len(logits)):
        z, t = logits[i], targets[i]
        bad |= (t < ZERO(t)) | (t > ONE(t))
        smooth = kept * t + rest
        positive, negative = smooth * positive_weight, ONE(t) - smooth
        decay = exp(-abs(z))
        lower = ZERO(z) if z > ZERO(z) else z
        # sigmoid(z) = exp(min(z, 0)) / (1 + exp(-abs(z)))
        probability = (ONE(z) if z > ZERO(z) else decay) / (ONE(z) + decay)
        gradient[i] = (probability * (positive + negative) - positive) * share
        # -log(sigmoid(z)) = max(-z, 0) + log(1 + exp(-abs(z)))
        remainder = log1p(decay)
        values[i] = positive * (remainder - lower) + negative * (remainder + (z if z > ZERO(z) else ZERO(z)))
    return not bad


def binary_cross_entropy_joint(loss: Any, dtype: np.dtype[Any]) -> Joint | None:
    if loss.class_weights is not None:
        return None
    real = dtype.type
    constants = (1 - loss.label_smoothing, loss.label_smoothing / 2, loss.positive_weight)

    def joint(context, logits, target):
        if len(target) != len(logits) or target.size != logits.size:
            return loss.joint(context, logits, target)
        gradient, values = context.buffer(logits.shape), context.buffer(logits.shape)
        arrays = (np.ascontiguousarray(logits), target.astype(dtype, order="C", copy=False), gradient, values)
        numbers = map(real, (*constants, 1 / math.prod(logits.shape[1:])))
        if not binary_cross_entropy(*(array.reshape(-1) for array in arrays), *numbers):
            return loss.joint(context, logits, target)
        return sample_means(values), gradient

    return joint

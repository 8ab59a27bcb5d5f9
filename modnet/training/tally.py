"""The sums from which the figures of an epoch are computed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import TrainingError
from modnet.kinds.metric import Metric
from modnet.kinds.sharing import Share
from modnet.training.heads import Head
from modnet.words import show


class Tally:
    """Sums over the batches of an epoch, from which its figures are computed."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.heads = heads
        self._restored = False
        self._losses = {head.name: [0.0, 0.0] for head in heads}
        self._metrics = {(h.name, name): metric.start() for h in heads for name, metric in h.metrics.items()}

    def add_losses(
        self,
        output: str,
        losses: Array,
        factors: Array | None = None,
        weights: Array | None = None,
        steps: int = 1,
        share: Share | None = None,
    ) -> tuple[float, float]:
        """Adds the losses of samples; returns their weighted sum, and the sum of the weights.

        Args:
            factors: the factors of the losses; None for ones.
            weights: the mean loss is the sum divided by the sum of these; None for ones.
            steps: the number of steps for which each loss counts in the figures.
            share: which part of a batch the samples are, if several processes share it: the sums are of all of it.
        """
        loss_sum = float(np.add.reduce(losses) if factors is None else np.dot(losses, factors))
        weight_sum = float(len(losses) if weights is None else np.add.reduce(weights))
        if share is not None:
            loss_sum, weight_sum = share.add_up(np.array([loss_sum, weight_sum], np.float64)).tolist()
        self._losses[output][0] += loss_sum * steps
        self._losses[output][1] += weight_sum * steps
        return loss_sum, weight_sum

    def add_mean(self, output: str, mean: float, weight: float) -> None:
        """Adds the mean loss of a batch with a weight: the number of its samples, or the sum of their weights."""
        self._losses[output][0] += mean * weight
        self._losses[output][1] += weight

    def add_metric(
        self,
        output: str,
        name: str,
        metric: Metric,
        prediction: Array,
        target: Array,
        weights: Array | None,
        share: Share | None = None,
    ) -> None:
        """Adds a batch to a metric; if several processes share it, all of its rows."""
        key = (output, name)
        if share is not None:
            prediction, target = share.joined(prediction), share.joined(target)
            weights = None if weights is None else share.joined(weights)
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
        """Takes over the sums of a checkpoint; metrics that are not in it start from zero.

        Only a metric itself knows the form of its sums, so wrong ones are noticed when it uses them: `_restored` makes
        its error name the checkpoint.
        """
        self._restored = True
        self._losses = {name: list(state["losses"][name]) for name in self._losses}
        for head, name in self._metrics:
            if name in state["metrics"].get(head, {}):
                self._metrics[head, name] = state["metrics"][head][name]

    def weight(self) -> float:
        """The sum of all weights so far, over all outputs."""
        return sum(weight for _, weight in self._losses.values())

    def has_nan(self) -> bool:
        """Whether a loss so far is nan."""
        return any(math.isnan(total) for total, _ in self._losses.values())

    def is_finite(self) -> bool:
        """Whether all losses so far are."""
        return all(math.isfinite(total) for total, _ in self._losses.values())

    def empty(self) -> list[str]:
        """The outputs without any sample with a weight."""
        return [head.name for head in self.heads if not self._losses[head.name][1]]

    def result(self, penalty: float = 0.0) -> dict[str, float | Array]:
        """Figure name -> value; `penalty` is added to the total loss. The loss is nan if nothing had a weight."""
        several = len(self.heads) > 1
        means = {name: total / weight if weight else math.nan for name, (total, weight) in self._losses.items()}
        figures: dict[str, float | Array] = {
            "loss": sum(head.weight * means[head.name] for head in self.heads if head.weight) + penalty
        }
        for head in self.heads:
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
    what = f"the metric {show(metric)} cannot resume from the sums in the checkpoint"
    return TrainingError(f"{what} ({type(error).__name__}: {error})")

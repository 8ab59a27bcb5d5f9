"""The loss of batches, and its gradient with respect to the parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batch
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.kinds.sharing import Processes
from modnet.plugins.kernels import NUMPY_ONLY, Kernels
from modnet.training.objective import Objective
from modnet.training.penalty import Penalty
from modnet.training.row_noise import RowNoise
from modnet.training.tally import Tally


class Backpropagation:
    """Sends batches forward and backward through a network in training.

    Between `begin` and `finish` there may be one batch or several. The gradients of several are averaged, weighted by
    the sum of each batch's sample weights. The result is the gradient of a single batch of all these samples, except
    for layers such as `batch_norm`, whose statistics are those of each batch.

    The loss and the penalty of an ensemble are means over its members, while the gradient of each member is that of its
    own loss, so that it is trained as if it were alone.

    Where several processes share the batches, each sends its rows through the network, and the gradients are added up
    before the penalties, which are of the parameters and not of rows.

    Args:
        processes: the processes that share the batches; None if there is only this one.

    Attributes:
        gradients: of the loss with respect to the parameters, in their layout, after `finish`.
        penalty: what layers and the factors l1 and l2 add to the loss, after `finish`.
        counted: how many of the batches since `begin` had a weight above 0.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        noise: np.random.Generator,
        kernels: Kernels = NUMPY_ONLY,
        several: bool = False,
        processes: Processes | None = None,
    ) -> None:
        self.objective = objective
        self.processes = processes
        self.gradients = network.parameters.like()
        self._noise: Any = noise
        if processes is not None:
            self._noise = RowNoise(noise)
        self.pass_ = Pass(
            network, objective.wanted, training=True, gradients=self.gradients, rng=self._noise, kernels=kernels
        )
        self._trained = self.gradients.flat[: network.trainable_size]
        self._members = network.graph.members
        self._regularization = Penalty(network, self.gradients, objective.reached)
        self._sum: Array | None = np.zeros_like(self.gradients.flat) if several else None
        self.begin()

    def begin(self) -> None:
        """Forgets the previous batches."""
        self.penalty, self.counted = 0.0, 0
        self._loss, self._weight = 0.0, 0.0
        if self._sum is not None:
            self._sum.fill(0)

    def add(self, batch: Batch, tally: Tally) -> float | None:
        """Adds a batch; its losses and metrics are added to `tally`.

        Returns:
            Its loss without penalties, None if nothing in it has a weight. If the loss is not finite, the batch is not
            added to the gradients.
        """
        if not batch.counts():
            return None
        before = 0.0 if self._sum is None else tally.weight()  # one batch is not weighed against others
        if self.processes is not None:
            self._noise.share = batch.share
            self.pass_.take_share(batch.share)
        values = self.pass_.forward(batch.inputs)
        loss, slopes = self.objective.measure(values, batch, tally, self.pass_.wanted_masks())
        if not slopes:
            return None
        if math.isfinite(loss):
            self.pass_.backward(slopes)
            self.counted += 1
            penalty = self.pass_.penalty / self._members
            if self._sum is None:
                self._loss, self.penalty = loss, penalty
            else:
                self._take(loss, penalty, tally.weight() - before, self._sum)
        return loss

    def _take(self, loss: float, penalty: float, weight: float, total: Array) -> None:
        """Adds a batch to those before; the next one overwrites its gradients."""
        self._weight += weight
        self._loss += loss * weight
        self.penalty += penalty * weight
        gradients = self.gradients.flat  # may be changed in place, as the next batch overwrites them
        gradients *= weight
        total += gradients

    def finish(self) -> float:
        """Completes the gradients, and returns the loss with penalties."""
        if self._sum is not None and self.counted:
            np.divide(self._sum, self._weight, out=self.gradients.flat)
            self._loss /= self._weight
            self.penalty /= self._weight
        if self.processes is not None and self.counted:
            self.processes.add_up(self._trained)
        self.penalty += self._regularization.add()
        return self._loss + self.penalty

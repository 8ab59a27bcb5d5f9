"""The members of an ensemble, each as a network of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batches
from modnet.engine.expansion import build_graph
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray
from modnet.specs.model import TrainingSpec
from modnet.training.evaluation import Evaluation
from modnet.training.objective import Objective


class Members:
    """Measures the members of an ensemble one by one, as if each were alone.

    Args:
        network: the ensemble.
        training: with the losses and metrics, fitted to the training data.
    """

    def __init__(self, network: Network, training: TrainingSpec) -> None:
        self.network = network
        spec = network.card.spec
        single = spec.replace(network=spec.network.replace(members=1))
        self.alone = Network(network.card.replace(spec=single), build_graph(single.network, stored=True))
        self._evaluation = Evaluation(self.alone, Objective(self.alone, training))
        self._axes = network.graph.member_axes()

    def figures(self, member: int, weights: Array, batches: Batches) -> Mapping[str, float | Array]:
        """Figure name -> value for one member.

        Args:
            weights: the ensemble's parameters, a flat array.
            batches: the data to measure it on.
        """
        offsets = {name: (offset, shape) for name, offset, shape in self.network.parameters.layout}
        for name, array in self.alone.parameters.items():
            offset, shape = offsets[name]
            whole = weights[offset : offset + int(np.prod(shape))].reshape(shape)
            array[...] = whole[member] if self._axes[name] else whole
        self._take_state(self.network.state, member)
        return self._evaluation.figures(batches)

    def _take_state(self, state: FlatArray, member: int) -> None:
        for name, array in self.alone.state.items():
            array[...] = state[name][member] if self._axes[name] else state[name]

"""The members of an ensemble, each as a separate network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batches
from modnet.datasets.dataset import DatasetBatches
from modnet.engine.expansion import build_graph
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray
from modnet.specs.model import TrainingSpec
from modnet.training.evaluation import Evaluation, refuse_nothing
from modnet.training.objective import Objective


class Members:
    """Measures the members of an ensemble one by one, as if each were alone.

    Args:
        network: the ensemble.
        training: with the losses and metrics, fitted to the training data.
        validation: the data to measure them on: all members on all of the rows, or, where these are in folds
            (`Dataset.folds`), each on those that it has not learnt from.

    Attributes:
        apart: whether they are in folds.
    """

    def __init__(self, network: Network, training: TrainingSpec, validation: Batches) -> None:
        self.network = network
        count = network.graph.members
        self.apart = in_folds(validation)
        if isinstance(validation, DatasetBatches) and self.apart:
            rows, size = validation.dataset, validation.batch_size
            self._batches: list[Batches] = [rows.fold(member).batches(size) for member in range(count)]
        else:
            self._batches = [validation] * count
        spec = network.card.spec
        single = spec.replace(network=spec.network.replace(members=1))
        self.alone = Network(network.card.replace(spec=single), build_graph(single.network, stored=True))
        self._evaluation = Evaluation(self.alone, Objective(self.alone, training))
        self._axes = network.graph.member_axes()

    def figures(self, member: int, weights: Array) -> Mapping[str, float | Array]:
        """Figure name -> value for one member, on its rows.

        Args:
            weights: the ensemble's parameters, a flat array.
        """
        self._become(member, weights)
        return self._evaluation.figures(self._batches[member])

    def out_of_fold(self, weights: Array) -> dict[str, float | Array]:
        """Figure name -> value for all rows, each predicted by the one member that has not learnt from it."""
        tally = None
        for member, batches in enumerate(self._batches):
            self._become(member, weights)
            tally = self._evaluation.tally(batches, tally=tally)
        assert tally is not None
        refuse_nothing(tally)
        return tally.result()

    def _become(self, member: int, weights: Array) -> None:
        """Gives the single network the parameters and the state of a member."""
        offsets = {name: (offset, shape) for name, offset, shape in self.network.parameters.layout}
        for name, array in self.alone.parameters.items():
            offset, shape = offsets[name]
            whole = weights[offset : offset + int(np.prod(shape))].reshape(shape)
            array[...] = whole[member] if self._axes[name] else whole
        self._take_state(self.network.state, member)

    def _take_state(self, state: FlatArray, member: int) -> None:
        for name, array in self.alone.state.items():
            array[...] = state[name][member] if self._axes[name] else state[name]


def in_folds(batches: Batches | None) -> bool:
    """Whether the rows are in folds, one for each member of an ensemble."""
    return isinstance(batches, DatasetBatches) and batches.dataset.folds is not None

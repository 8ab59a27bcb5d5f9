"""Targets of different units in one loss."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from modnet.data.schema import DataSchema
from modnet.datasets.dataset import Dataset
from modnet.engine.network import Network
from modnet.kinds.layer import Layer
from modnet.kinds.loss import Loss
from modnet.words import legible

TIMES = 30
"""How many times the deviation of one target is that of another before the loss hardly sees the latter."""


def warn_of_units(network: Network, dataset: Dataset, schema: DataSchema, losses: Mapping[str, Loss]) -> None:
    """Warns of targets of one output that differ so much in size that a loss of residuals sees the largest alone."""
    for output, columns in schema.targets.items():
        last = network.graph.before_prediction(network.graph.outputs[output])[-1]
        loss, layer = losses.get(output), network.graph.node(last).layer
        rescaled = type(layer).target_before is not Layer.target_before
        if len(columns) < 2 or loss is None or not loss.of_residuals or rescaled:
            continue
        spread = dataset.targets[output].std(axis=0)
        small, large = int(spread.argmin()), int(spread.argmax())
        if spread[small] > 0 and np.isfinite(spread[large]) and spread[large] > TIMES * spread[small]:
            warnings.warn(
                f"{dataset.name}: {legible(columns[large].name)} deviates by {spread[large]:.3g} from its mean and "
                f"{legible(columns[small].name)} by {spread[small]:.3g}, so {loss.type} will hardly see the latter; "
                'end the network with "unstandardize", after which all columns count equally',
                stacklevel=2,
            )

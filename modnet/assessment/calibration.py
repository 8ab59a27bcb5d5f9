"""Calibration: probabilities that come true as often as they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modnet.assessment.held_out import held_out_rows
from modnet.datasets.dataset import Dataset, naming
from modnet.engine.expansion import build_graph
from modnet.engine.network import Network
from modnet.errors import DataError, ShapeError
from modnet.kinds.figures import figure_text, figure_title
from modnet.kinds.node import Node
from modnet.layers.temperature import Temperature
from modnet.metrics.probabilities import CalibrationError, LogLoss
from modnet.model.transfer import load_parameters
from modnet.plugins.registry import Registry, default_registry
from modnet.records import Record
from modnet.screen import fitted
from modnet.specs.model import NetworkSpec
from modnet.training.evaluate import evaluate
from modnet.training.heads import Head, decides, has_labels
from modnet.training.objective import Objective
from modnet.training.sources import Given, evaluation_batches
from modnet.training.temperatures import (
    RESULT,
    FittedTemperature,
    fit_temperatures,
    last_node,
    plain_temperatures,
    reset_temperatures,
)
from modnet.training.train import merged_training
from modnet.words import free_name, show

BEFORE = "_uncalibrated"
"""Is added to the name of a node that gave an output, where the temperature behind it takes the name."""


class Calibration(Record, eq=False):
    """The result of `calibrate`; `print` shows a table.

    Attributes:
        network: the calibrated network.
        temperatures: output name -> its temperature.
        before, after: figure name -> value on the rows of the calibration, without a temperature and with it.
    """

    network: Network
    temperatures: Mapping[str, FittedTemperature]
    before: Mapping[str, float]
    after: Mapping[str, float]

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        several = len(self.temperatures) > 1
        rows = [["", "before", "after"]]
        for name, found in self.temperatures.items():
            rows.append([f"temperature of {name}" if several else "temperature", "1", str(found)])
        for name, value in self.before.items():
            rows.append([figure_title(name), figure_text(name, value), figure_text(name, self.after[name])])
        return "\n".join(fitted(rows, 1, width))


def calibrate(network: Network, x: Any, y: Any = None, *, registry: Registry | None = None) -> Calibration:
    """A network whose probabilities are calibrated by a temperature, fitted to rows that it was not trained on.

        calibrated = modnet.calibrate(network, held_out).network

    Behind each output with probabilities of classes or labels stands a layer `temperature` then, so that `forward`,
    `predict` and whatever else reads the network give calibrated probabilities. Which class is the most probable does
    not change. An existing temperature is fitted again. Intervals are left out, since they were made for the
    probabilities before.

    Args:
        network: a network that was trained; it is not changed.
        x, y: data as for `modnet.evaluate`: rows of a table, or arrays.
        registry: where names are looked up.

    Raises:
        DataError: there are too few rows, no classes, or no probabilities; all are predicted correctly.
        SpecError, ShapeError: as `modnet.evaluate`.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599.
    """
    registry = registry or default_registry()
    training = merged_training(network, {}, registry)
    heads = _of_classes(Objective(network, training))
    made = _with_temperatures(network, heads)
    objective = Objective(made, merged_training(made, {}, registry))
    data = held_out_rows(objective, Given(x, y))
    batches = evaluation_batches(objective, objective.training, data)
    figures: list[Mapping[str, float]] = []
    metrics = {head.name: [LogLoss(), CalibrationError()] for head in heads}
    reset_temperatures(made)
    figures.append(_figures(made, data, metrics, registry))
    with naming(batches.name):
        found = fit_temperatures(made, batches)
    figures.append(_figures(made, data, metrics, registry))
    made.card = made.card.replace(results={**made.card.results, RESULT: plain_temperatures(found)})
    return Calibration(made, found, *figures)


def _figures(network: Network, data: Dataset, metrics: Mapping[str, Any], registry: Registry) -> dict[str, float]:
    """Log loss and calibration error."""
    alone = len(network.outputs) == 1
    asked = next(iter(metrics.values())) if alone else dict(metrics)
    found = evaluate(network, data, metrics=asked, registry=registry)
    return {name: float(value) for name, value in found.items() if name.endswith(("log_loss", "calibration_error"))}


# The layers


def _of_classes(objective: Objective) -> list[Head]:
    """The outputs with classes or labels.

    Raises:
        DataError: there are none, or they are sequences.
    """
    network = objective.network
    found = [head for head in objective.heads if decides(network, head.name, head.loss)]
    if not found:
        names = ", ".join(map(show, network.outputs))
        raise DataError(f"calibration is for probabilities of classes; {names} of this network predicts numbers")
    for head in found:
        shape = network.outputs[head.name]
        if len(shape) != 1:
            raise ShapeError(f"calibration is for one decision in each row; output {show(head.name)} has shape {shape}")
    return found


def _with_temperatures(network: Network, heads: list[Head]) -> Network:
    """A copy of a network with a temperature behind each of these outputs."""
    spec, renamed = network.card.spec.network, dict[str, str]()
    for head in heads:
        if not isinstance(last_node(network, head.name).layer, Temperature):
            layer = Temperature(independent=has_labels(network, head.name, head.loss))
            spec = _with_layer(spec, network, head.name, layer, renamed)
    schema = network.card.schema
    card = network.card.replace(
        spec=network.card.spec.replace(network=spec), schema=None if schema is None else schema.with_intervals({})
    )
    made = Network(card, build_graph(spec, stored=True))
    load_parameters(made, network, rename=renamed, strict=False)
    return made


def _with_layer(
    spec: NetworkSpec, network: Network, output: str, layer: Temperature, renamed: dict[str, str]
) -> NetworkSpec:
    """The network with a layer behind an output. Where outputs are called by their nodes it takes over the name.

    Args:
        renamed: is told the new name of the node that had it.
    """
    if spec.outputs is None:
        return spec.replace(layers=(*spec.layers, Node(layer)))
    names = network.graph.names
    place = next((place for place, found in enumerate(names) if output in found), None)
    if place is None:
        raise DataError(f"output {show(output)} is one of several outputs of a node, which no temperature can follow")
    before, layers = names[place][0], list(spec.layers)
    if before == output:
        taken = {*spec.input_shapes(), *(name for found in names for name in found)}
        before = renamed[output] = free_name(f"{output}{BEFORE}", taken)
        layers = [_referring(node, output, before) for node in layers]
        layers[place] = layers[place].replace(name=before)
    return spec.replace(layers=(*layers, Node(layer, name=output, inputs=(before,))))


def _referring(node: Node, old: str, new: str) -> Node:
    """A node that reads or shares another one by its new name."""

    def renamed(name: str) -> str:
        found, dot, part = name.partition(".")
        return f"{new}{dot}{part}" if found == old else name

    inputs = None if node.inputs is None else tuple(map(renamed, node.inputs))
    shares = None if node.shares is None else renamed(node.shares)
    return node if (inputs, shares) == (node.inputs, node.shares) else node.replace(inputs=inputs, shares=shares)

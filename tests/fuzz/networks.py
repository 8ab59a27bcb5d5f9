"""Random networks that are right: chains and branches of what the registry offers, each with its shapes and data."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import modnet
from modnet.arrays import Shape
from modnet.errors import ShapeError, SpecError
from modnet.kinds.layer import Layer
from modnet.testing.examples import examples_of

START: tuple[Shape, ...] = ((6,), (5, 4), (None, 4), (6, 4, 3))
"""Shapes of a sample that a network begins with."""

LEFT_OUT = ("dropout", "gaussian_noise", "unstandardize")
"""Layers that draw random numbers, which prediction leaves out, and one that has to be an output."""


def layers_of(registry: modnet.Registry) -> list[dict[str, Any]]:
    """The layers and activations of a registry, as tables of a spec."""
    examples = [example for entry in registry.entries(Layer) for example in examples_of(entry.load())]
    chain = [found.component for found in examples if found.component.inputs[0] <= 1]
    return [
        json.loads(json.dumps(layer.plain()))
        for layer in chain
        if layer.type not in LEFT_OUT and not layer.integer_input
    ]


def random_network(random: Random, layers: list[dict[str, Any]], registry: modnet.Registry) -> modnet.Network:
    """A network of up to eight places, of which each is a layer, a pair of branches, or several in a `repeat`."""
    nodes: list[Any] = []
    start = list(random.choice(START))
    spec = {"network": {"input": start, "layers": nodes, "dtype": random.choice(["float32", "float64"])}}
    network = None
    for _ in range(random.randrange(1, 9)):
        node = {**random.choice(layers)}
        further = nodes[-1:]
        match random.randrange(6):
            case 0:
                node = {"type": "repeat", "count": random.randrange(1, 4), "layers": [node]}
            case 1:
                node = {"type": "residual", "layers": [node]}
            case 2 if nodes and isinstance(nodes[-1], dict):
                before, branch = f"before_{len(nodes)}", f"branch_{len(nodes)}"
                further = [{**nodes[-1], "name": nodes[-1].get("name", before)}, {**node, "name": branch}]
                node = {"type": "concatenate", "inputs": [further[0]["name"], branch]}
        if random.randrange(4) == 0:
            node["trainable"] = False
        trial = [*nodes[:-1], *further, node]
        try:
            network = modnet.build({"network": {**spec["network"], "layers": trial}}, registry=registry)
        except (ShapeError, SpecError):
            continue
        nodes[:] = trial
    return network or random_network(random, layers, registry)

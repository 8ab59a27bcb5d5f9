"""Networks made of the layers of others, with their arrays."""

from __future__ import annotations

import modnet
from modnet.specs.model import NetworkSpec


def with_arrays(network: modnet.Network, spec: NetworkSpec, here: int, there: int) -> modnet.Network:
    """The network of a spec some of whose layers are those of another network, with their arrays.

    Args:
        here: the position in the other network of the first node that they share.
        there: its position in the new one.
    """
    made = modnet.build(modnet.Spec(spec))
    for own, node in zip(made.graph.nodes[there:], network.graph.nodes[here:], strict=False):
        for name in node.parameters:
            made.parameters[f"{own.name}.{name}"] = network.parameters[f"{node.name}.{name}"]
        for name in node.state:
            made.state[f"{own.name}.{name}"] = network.state[f"{node.name}.{name}"]
    return made

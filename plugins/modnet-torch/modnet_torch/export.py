"""A network as a module of torch, for further work in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

import modnet
from modnet.engine.graph import Graph, GraphNode
from modnet.engine.network import Network
from modnet.words import counted, itemised
from modnet_torch.forms import convolved, feature_orders, mixing
from modnet_torch.layers import BUILDERS, Step, Unlike
from modnet_torch.transfer import state_dict


class _Placed(NamedTuple):
    """A step at its place: its module if it has one, and which slots it reads and writes."""

    module: nn.Module | None
    apply: Callable[..., Any]
    inputs: tuple[int, ...]
    slots: range


class Exported(nn.Module):
    """The steps of a graph, in order, over slots."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._graph = graph
        self._steps: list[_Placed] = []
        problems = []
        sequences, mixed = convolved(graph), mixing(graph, feature_orders(graph))
        for node in graph.nodes:
            try:
                if node in mixed:
                    raise Unlike("it reads a flattened image, whose numbers have another order in torch")
                step = _step(node, node.inputs[0] in sequences)
            except Unlike as error:
                problems.append(f"{node.name} ({node.type}): {error}")
                continue
            module = None if step.module is None else self._placed(graph.owner(node).name, step.module)
            self._steps.append(_Placed(module, step.apply, node.inputs, node.slots))
        if problems:
            what = f"{counted(len(problems), 'node')} that cannot be exported to torch"
            raise modnet.DataError("\n".join([what, *itemised(problems, "  ")]))

    @classmethod
    def of(cls, network: Network) -> Exported:
        """The module of a network, with its weights, in the mode of evaluation."""
        module = cls(network.graph).to(getattr(torch, network.dtype.name))
        module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state_dict(network).items()})
        return module.eval()

    def _placed(self, name: str, part: nn.Module) -> nn.Module:
        """The sub-module of a name: the given one, unless there is one already."""
        around: nn.Module = self
        *outer, last = name.split(".")
        # Into _modules itself, since add_module refuses a node that is called as a method is, such as "forward".
        for each in outer:
            around = around._modules.setdefault(each, nn.Module())  # type: ignore[assignment]
        return around._modules.setdefault(last, part)  # type: ignore[return-value]

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor | Mapping[str, torch.Tensor]:
        values = dict(enumerate(inputs))
        for step in self._steps:
            given = [values[slot] for slot in step.inputs]
            found = step.apply(*given) if step.module is None else step.apply(step.module, *given)
            values.update(zip(step.slots, found if len(step.slots) > 1 else (found,), strict=True))
        outputs = {name: values[slot] for name, slot in self._graph.outputs.items()}
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def _step(node: GraphNode, channels_first: bool) -> Step:
    if node.apart or node.layer.type not in BUILDERS:
        members = "the members of an ensemble have no counterpart"
        raise Unlike(members if node.apart else "there is no counterpart")
    if getattr(node.layer, "makes_mask", False):
        raise Unlike("it makes a mask, which the modules after it would not know")
    return BUILDERS[node.layer.type](node, channels_first)

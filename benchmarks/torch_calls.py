"""The workloads of `calls` as modules of torch, with the network's weights, and as ONNX files that torch writes."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.calls import Workload

torch.set_num_threads(1)

Tensor = torch.Tensor


class Recurrent(nn.Module):
    """An LSTM of one layer and the map after it; with states (1, batch, hidden) it gives them, too."""

    def __init__(self, features: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)
        self.last = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, *states: Tensor) -> Any:
        y, after = self.lstm(x, states or None)
        return (self.last(y), *after) if states else self.last(y)


class Attention(nn.Module):
    """Causal self-attention with rotary positions, a cache of keys and values (batch, heads, steps, size)."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projection = nn.Linear(features, 3 * features, bias=False)
        self.output = nn.Linear(features, features, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        batch, steps, features = x.shape
        parts = self.projection(x).view(batch, steps, 3, self.heads, features // self.heads).permute(2, 0, 3, 1, 4)
        q, k = (part * cos + torch.cat(part.chunk(2, -1)[::-1], -1) * sin for part in (parts[0], parts[1]))
        key, value = torch.cat([key, k], 2), torch.cat([value, parts[2]], 2)
        scores = q @ key.transpose(2, 3) / math.sqrt(q.shape[-1])
        if steps > 1:  # never in the module that is timed: its steps are one at a time
            scores = scores + torch.full(scores.shape[-2:], -math.inf).triu(1)
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, steps, features)
        return self.output(mixed), key, value


class Transformer(nn.Module):
    """A language model of pre-norm blocks: (batch, steps) of ids and the caches so far -> probabilities, caches."""

    def __init__(self, ids: int, features: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(ids, features)
        self.attentions = nn.ModuleList(Attention(features, heads) for _ in range(blocks))
        self.hidden = nn.ModuleList(nn.Linear(features, 4 * features, bias=False) for _ in range(blocks))
        self.outputs = nn.ModuleList(nn.Linear(4 * features, features, bias=False) for _ in range(blocks))
        self.norms = nn.ModuleList(nn.LayerNorm(features) for _ in range(2 * blocks + 1))
        self.last = nn.Linear(features, ids)
        size = features // heads
        self.register_buffer("frequencies", 10_000.0 ** (-torch.arange(0, size, 2) / size))

    def forward(self, ids: Tensor, *caches: Tensor) -> Any:
        first, x = caches[0].shape[2], self.embedding(ids)
        angles = (first + torch.arange(ids.shape[1]))[:, None] * self.frequencies
        cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([-angles.sin(), angles.sin()], -1)
        kept: list[Tensor] = []
        for number, attention in enumerate(self.attentions):
            norm, other = self.norms[2 * number], self.norms[2 * number + 1]
            mixed, *both = attention(norm(x), cos, sin, *caches[2 * number : 2 * number + 2])
            kept += both
            x = x + mixed
            x = x + self.outputs[number](nn.functional.gelu(self.hidden[number](other(x))))
        return (self.last(self.norms[-1](x)).softmax(-1), *kept)


def module_of(workload: Workload) -> tuple[nn.Module, list[Tensor]]:
    """The module in the mode of evaluation, and the states that a stream of it begins with."""
    network = workload.network()
    types = [node.layer.type for node in network.graph.nodes]
    states: list[Tensor] = []
    if "lstm" in types:
        module, states = _lstm(network), [torch.zeros(1, workload.shape[0], 64) for _ in range(2)]
    elif "multi_head_attention" in types:
        module, states = _transformer(network), [torch.zeros(workload.shape[0], 4, 0, 16) for _ in range(8)]
    else:
        module = _chain(network)
    return module.eval(), states if workload.streamed else []


def _arrays(network: Any, node: Any) -> dict[str, Tensor]:
    found = {
        **network.arrays_of(network.parameters, node, node.parameters),
        **network.arrays_of(network.state, node, node.state),
    }
    return {name: torch.from_numpy(array.copy()) for name, array in found.items()}


def _fill(module: nn.Module, **arrays: Tensor) -> nn.Module:
    module.load_state_dict(arrays, strict=False)
    return module


def _linear(arrays: dict[str, Tensor], name: str = "weight", bias: str = "bias") -> nn.Module:
    weight = arrays[name].T.contiguous()
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias in arrays)
    return _fill(made, weight=weight, **({"bias": arrays[bias]} if bias in arrays else {}))


def _chain(network: Any) -> nn.Module:
    modules: list[nn.Module] = []
    for node in network.graph.nodes:
        arrays = _arrays(network, node)
        match node.layer.type:
            case "linear":
                modules.append(_linear(arrays))
            case "conv2d":
                weight = arrays["weight"].permute(3, 2, 0, 1).contiguous()
                modules.append(nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]), padding="same"))
                _fill(modules[-1], weight=weight, bias=arrays["bias"])
            case "batch_norm":
                modules.append(nn.BatchNorm2d(len(arrays["scale"])))
                names = {"weight": "scale", "bias": "shift", "running_mean": "running_mean"}
                _fill(modules[-1], **{key: arrays[name] for key, name in names.items()})
                _fill(modules[-1], running_var=arrays["running_variance"])
            case "relu":
                modules.append(nn.ReLU())
            case "softmax":
                modules.append(nn.Softmax(dim=-1))
            case "max_pool2d":
                modules.append(nn.MaxPool2d(2))
            case "global_average_pool":
                modules += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            case other:
                raise ValueError(f"no module of torch is known for {other}")
    return nn.Sequential(*modules)


def _lstm(network: Any) -> nn.Module:
    recurrent, last = (_arrays(network, node) for node in network.graph.nodes)
    hidden, features = recurrent["weight_hidden"].shape[0], recurrent["weight_input"].shape[0]
    made = Recurrent(features, hidden, last["weight"].shape[1])
    made.last = _linear(last)
    _fill(
        made.lstm,
        weight_ih_l0=recurrent["weight_input"].T.contiguous(),
        weight_hh_l0=recurrent["weight_hidden"].T.contiguous(),
        bias_ih_l0=recurrent["bias"],
        bias_hh_l0=torch.zeros_like(recurrent["bias"]),
    )
    return made


def _transformer(network: Any) -> nn.Module:
    nodes = [(node.layer, _arrays(network, node)) for node in network.graph.nodes]
    of_type = {name: [found for layer, found in nodes if layer.type == name] for name in ("linear", "layer_norm")}
    attentions = [(layer, found) for layer, found in nodes if layer.type == "multi_head_attention"]
    embedding = nodes[0][1]["weight"]
    made = Transformer(*embedding.shape, attentions[0][0].heads, len(attentions))
    _fill(made.embedding, weight=embedding)
    for module, arrays in zip(made.norms, of_type["layer_norm"], strict=True):
        _fill(module, weight=arrays["scale"], bias=arrays["shift"])
    for module, (_, arrays) in zip(made.attentions, attentions, strict=True):
        module.projection = _linear(arrays, "query_key_value_weight", "")
        module.output = _linear(arrays, "output_weight", "")
    for number in range(len(attentions)):
        made.hidden[number] = _linear(of_type["linear"][2 * number])
        made.outputs[number] = _linear(of_type["linear"][2 * number + 1])
    made.last = _linear(of_type["linear"][-1])
    return made


def write_onnx(workload: Workload, path: Path) -> list[Tensor]:
    """Writes the module, with inputs "x" and the states; gives the states that a stream begins with."""
    module, states = module_of(workload)
    x = torch.from_numpy(workload.given())
    if x.ndim == 4:
        x = x.movedim(-1, 1).contiguous()
    caches = "gpt" if states and states[0].ndim == 4 else ""
    if caches:
        # The piece before the timed calls is given step by step, so that the file needs no causal mask.
        states = [torch.zeros(state.shape[0], state.shape[1], 1, state.shape[3]) for state in states]
    names = ["x", *(f"state{number}" for number in range(len(states)))]
    axes = {name: {2: "steps"} for name in names[1:]} if caches else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (x, *states),
            str(path),
            input_names=names,
            output_names=["y", *(f"{name}_after" for name in names[1:])],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    return module_of(workload)[1]

"""The networks of `problems`, in the libraries that modnet is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.problems import NETWORKS


def torch_model(name: str) -> Any:
    """The network in torch, up to the logits."""
    from torch import nn

    features, layers = NETWORKS[name]
    modules: list[Any] = []
    for layer in layers:
        match layer:
            case {"type": "linear", "out_features": size}:
                modules.append(nn.Linear(features, size))
                features = size
            case {"type": "dropout", "rate": rate}:
                modules.append(nn.Dropout(rate))
            case "batch_norm":
                modules.append(nn.BatchNorm1d(features))
            case "relu":
                modules.append(nn.ReLU())
            case "tanh":
                modules.append(nn.Tanh())
            case _:
                raise ValueError(f"no module of torch is known for {layer}")
    return nn.Sequential(*modules)


def take_weights(model: Any, network: Any) -> None:
    """Copies the linear layers' weights of a modnet network into its torch counterpart."""
    import torch

    linears = [module for module in model if isinstance(module, torch.nn.Linear)]
    with torch.no_grad():
        for number, module in enumerate(linears, start=1):
            module.weight.copy_(torch.from_numpy(network.parameters[f"linear_{number}.weight"].T.copy()))
            module.bias.copy_(torch.from_numpy(network.parameters[f"linear_{number}.bias"]))


def write_onnx(network: Any, path: Path) -> None:
    """Writes a modnet network of linear, relu and softmax nodes as an ONNX file, input "x" and output "y"."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    nodes, weights, value = [], [], "x"
    for node in network.graph.nodes:
        inputs = [value]
        if node.parameters:
            arrays = network.arrays_of(network.parameters, node, ("weight", "bias"))
            weights += [numpy_helper.from_array(array, f"{node.name}.{key}") for key, array in arrays.items()]
            inputs += [f"{node.name}.{key}" for key in arrays]
        value = "y" if node is network.graph.nodes[-1] else node.name
        kind = {"linear": "Gemm", "relu": "Relu", "softmax": "Softmax"}[node.layer.type]
        nodes.append(helper.make_node(kind, inputs, [value]))
    ((features,),), ((classes,),) = network.inputs.values(), network.outputs.values()
    ends = [
        [helper.make_tensor_value_info(end, TensorProto.FLOAT, ["batch", size])]
        for end, size in (("x", features), ("y", classes))
    ]
    graph = helper.make_graph(nodes, "mlp", *ends, initializer=weights)
    # Old versions of both, so that also an older onnxruntime reads the file.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, path)

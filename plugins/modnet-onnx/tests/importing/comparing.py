"""Models made by other libraries, and their outputs by onnxruntime."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from modnet_onnx.importing.reading import Imported


def exported(
    module: Any, example: Any, folder: Path, *, dynamo: bool, variable: bool, steps: bool = False
) -> onnx.ModelProto:
    """What torch writes, by either of its exporters, with a fixed or a variable number of samples, and of steps."""
    import torch

    options: dict[str, Any] = {}
    if variable:
        options["input_names"] = ["x"]
        if dynamo:
            options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
        else:
            options["dynamic_axes"] = {"x": {0: "batch", 1: "time"} if steps else {0: "batch"}}
    path = folder / "model.onnx"
    # Its exporters speak of their progress, and of what will change in torch.
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            torch.onnx.export(module.eval(), (example,), path, dynamo=dynamo, **options)
    return onnx.load(path)


def expected(model: onnx.ModelProto, *inputs: np.ndarray) -> list[np.ndarray]:
    """The outputs by onnxruntime."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def found(imported: Imported, *inputs: np.ndarray) -> list[np.ndarray]:
    """The outputs by modnet, in the order of the axes that ONNX has."""
    network = imported.network
    outputs = network.forward(dict(zip(network.inputs, inputs, strict=True)))
    values = list(outputs.values()) if isinstance(outputs, dict) else [outputs]
    axes = imported.outputs.values()
    return [np.moveaxis(value, 0, axis) for value, axis in zip(values, axes, strict=True)]


def difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """The greatest one of any number of any output."""
    assert [a.shape for a in ours] == [b.shape for b in theirs]
    return max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))

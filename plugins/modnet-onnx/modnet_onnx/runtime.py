"""onnxruntime as an engine of modnet: the network is exported, and its session computes predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import modnet
from modnet import threads
from modnet.arrays import Array
from modnet.engine.delegation import Engine
from modnet_onnx.exporting.model import Settings, to_onnx

try:
    import onnxruntime
except ImportError as error:
    raise modnet.MissingExtra(
        "onnxruntime", "modnet-onnx", extra="runtime", purpose='engine = "onnxruntime"'
    ) from error

SEVERE = 3
"""The level of onnxruntime's log from which on it writes to the screen: errors are told by exceptions."""


def engine_of(network: modnet.Network) -> Engine:
    """Computes the outputs of a network, on the processor, with as many threads as modnet has.

    Raises:
        CannotExport: a part of the network has no export.
        ModnetError: onnxruntime lacks an operator, as it does for many in float64.
    """
    model = to_onnx(network, Settings(encoded=True), "onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.count()
    options.log_severity_level = SEVERE + 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        hint = "; it lacks many operators in float64" if network.dtype == "float64" else ""
        raise modnet.ModnetError(f"onnxruntime cannot run this network: {text}{hint}") from error
    inputs = [value.name for value in session.get_inputs()]
    outputs = [value.name for value in session.get_outputs()]

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        made: list[Any] = session.run(outputs, dict(zip(inputs, arrays, strict=True)))
        return made

    return run

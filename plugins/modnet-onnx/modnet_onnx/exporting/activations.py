"""The core's activations."""

from __future__ import annotations

import math

import numpy as np

from modnet.activations.gated import GELU, GELU_CUBIC, GELU_SCALE
from modnet.activations.rectified import ELU, LeakyReLU, PReLU
from modnet.activations.softmax import LogSoftmax, Softmax
from modnet.kinds.activation import Activation
from modnet.kinds.layer import Layer
from modnet.kinds.translations import Translation
from modnet_onnx.exporting.writer import Writer


def unchanged(writer: Writer, layer: Layer, x: str) -> str:
    """For a layer that gives its input itself."""
    return x


def _same(operator: str) -> Translation:
    """For an activation that is an operator of ONNX."""
    return lambda writer, layer, x: writer.op(operator, x)


def _leaky_relu(writer: Writer, layer: LeakyReLU, x: str) -> str:
    return str(writer.op("LeakyRelu", x, alpha=layer.negative_slope))


def _prelu(writer: Writer, layer: PReLU, x: str) -> str:
    return str(writer.op("PRelu", x, writer.params["alpha"]))


def _elu(writer: Writer, layer: ELU, x: str) -> str:
    return str(writer.op("Elu", x, alpha=layer.alpha))


def _hard_sigmoid(writer: Writer, layer: Activation, x: str) -> str:
    return str(writer.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))


def _silu(writer: Writer, layer: Activation, x: str) -> str:
    return str(writer.op("Mul", x, writer.op("Sigmoid", x)))


def _mish(writer: Writer, layer: Activation, x: str) -> str:
    if writer.opset >= 18:
        return str(writer.op("Mish", x))
    return str(writer.op("Mul", x, writer.op("Tanh", writer.op("Softplus", x))))


def _gelu(writer: Writer, layer: GELU, x: str) -> str:
    if writer.opset >= 20:
        return str(writer.op("Gelu", x, approximate="none" if layer.form == "exact" else "tanh"))
    if layer.form == "exact":
        gate = writer.op("Erf", writer.op("Div", x, math.sqrt(2.0)))
    else:
        cubic = writer.op("Add", writer.op("Mul", writer.op("Mul", x, x), GELU_CUBIC), 1.0)
        gate = writer.op("Tanh", writer.op("Mul", writer.op("Mul", cubic, x), GELU_SCALE / 2))
    return str(writer.op("Mul", writer.op("Mul", x, 0.5), writer.op("Add", gate, 1.0)))


def steps_mask(writer: Writer) -> str | None:
    """The mask, where the last axis is time, (batch, time); else None."""
    return writer.masks[0] if len(writer.input_shapes[0]) == 1 else None


def lowest(writer: Writer) -> float:
    """A number far below all others, whose differences do not overflow."""
    return float(np.finfo(writer.dtype).min / 4)


def _softmax(writer: Writer, layer: Softmax, x: str) -> str:
    mask = steps_mask(writer)
    if mask is None:
        return str(writer.op("Softmax", x, axis=-1))
    left = writer.op("Softmax", writer.op("Where", mask, x, lowest(writer)), axis=-1)
    return str(writer.op("Where", mask, left, 0.0))


def _log_softmax(writer: Writer, layer: LogSoftmax, x: str) -> str:
    mask = steps_mask(writer)
    return str(writer.op("LogSoftmax", x if mask is None else writer.op("Where", mask, x, lowest(writer)), axis=-1))


EXPORTS: dict[str, Translation] = {
    "ELU": _elu,
    "GELU": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _same("HardSwish"),
    "Identity": unchanged,
    "LeakyReLU": _leaky_relu,
    "LogSoftmax": _log_softmax,
    "Mish": _mish,
    "PReLU": _prelu,
    "ReLU": _same("Relu"),
    "SELU": _same("Selu"),
    "SiLU": _silu,
    "Sigmoid": _same("Sigmoid"),
    "Softmax": _softmax,
    "Softplus": _same("Softplus"),
    "Tanh": _same("Tanh"),
}

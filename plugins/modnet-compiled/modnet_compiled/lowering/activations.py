"""Activations, and the temperature of probabilities."""

from __future__ import annotations

from functools import partial
from typing import Any

from modnet.activations.gated import GELU
from modnet.activations.rectified import ELU, SELU_ALPHA, SELU_SCALE, LeakyReLU, PReLU
from modnet.activations.softmax import LogSoftmax, Softmax
from modnet.kinds.layer import Layer
from modnet.kinds.translations import Translation
from modnet.layers.temperature import Temperature
from modnet_compiled.operations import Value
from modnet_compiled.writer import Writer


def unchanged(writer: Writer, layer: Layer, x: Value) -> Value:
    return x


def _plain(name: str) -> Translation:
    return partial(_function, name)


def _function(name: str, writer: Writer, layer: Layer, x: Value) -> Value:
    return writer.activation(x, name)


def _leaky_relu(writer: Writer, layer: LeakyReLU, x: Value) -> Value:
    return writer.activation(x, "leaky_relu", layer.negative_slope)


def _elu(writer: Writer, layer: ELU, x: Value) -> Value:
    return writer.activation(x, "elu", layer.alpha, 1.0)


def _selu(writer: Writer, layer: Layer, x: Value) -> Value:
    return writer.activation(x, "elu", SELU_ALPHA, SELU_SCALE)


def _gelu(writer: Writer, layer: GELU, x: Value) -> Value:
    return writer.activation(x, "gelu" if layer.form == "exact" else "gelu_tanh")


def _prelu(writer: Writer, layer: PReLU, x: Value) -> Value:
    alpha = writer.params["alpha"]
    if layer.shared:
        alpha = alpha.reshape(1).repeat(x.shape[-1] if x.shape else 1)
    return writer.add("prelu", (x,), x.shape, numbers=writer.by_features(x, alpha.size), arrays=[alpha])


def _softmax(writer: Writer, layer: Softmax | LogSoftmax, x: Value) -> Value:
    if len(x.shape) == 1:
        writer.refuse_masks()
    numbers = [*writer.by_features(x, x.shape[-1]), int(isinstance(layer, LogSoftmax))]
    return writer.add("softmax", (x,), x.shape, numbers=numbers)


def _temperature(writer: Writer, layer: Temperature, x: Value) -> Value:
    alone = layer.independent or x.shape[-1] == 1
    numbers: list[Any] = [*writer.by_features(x, x.shape[-1]), int(alone)]
    factors = [float(writer.state["temperature"])]
    return writer.add("temperature", (x,), x.shape, numbers=numbers, factors=factors)


LOWERINGS: dict[str, Translation] = {
    "ELU": _elu,
    "GELU": _gelu,
    "HardSigmoid": _plain("hard_sigmoid"),
    "HardSwish": _plain("hard_swish"),
    "Identity": unchanged,
    "LeakyReLU": _leaky_relu,
    "LogSoftmax": _softmax,
    "Mish": _plain("mish"),
    "PReLU": _prelu,
    "ReLU": _plain("relu"),
    "SELU": _selu,
    "Sigmoid": _plain("sigmoid"),
    "SiLU": _plain("silu"),
    "Softmax": _softmax,
    "Softplus": _plain("softplus"),
    "Tanh": _plain("tanh"),
    "Temperature": _temperature,
}

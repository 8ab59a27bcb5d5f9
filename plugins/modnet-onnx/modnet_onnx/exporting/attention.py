"""The layers of modnet-attention."""

from __future__ import annotations

import math

import numpy as np
from modnet_attention.attention import MultiHeadAttention
from modnet_attention.positions import PositionalEmbedding, RotaryEmbedding, SinusoidalEmbedding, angles

from modnet.arrays import Array
from modnet.kinds.translations import Translation
from modnet_onnx.exporting.activations import lowest
from modnet_onnx.exporting.writer import Operand, Writer


def _positional(writer: Writer, layer: PositionalEmbedding, x: str) -> str:
    time = writer.input_shapes[0][0]
    weight = writer.params["weight"]
    if time is not None:
        return str(writer.op("Add", x, weight[:time]))
    # Gather, unlike Slice, does not give fewer rows than there are steps.
    return str(writer.op("Add", x, writer.op("Gather", weight, writer.arange(writer.length(x, 1)), axis=0)))


def _turns(writer: Writer, x: str, time: int | None, features: int, base: float) -> tuple[Operand, Operand]:
    """sin and cos of the angles, (time, pairs)."""
    if time is not None:
        turned = angles(0, time, features, base)
        return np.sin(turned), np.cos(turned)
    frequencies = writer.constant(angles(1, 1, features, base), np.float64)
    steps = writer.cast(writer.unsqueeze(str(writer.arange(writer.length(x, 1))), 1), np.float64)
    turned = writer.op("Mul", steps, frequencies)
    # The cosine as a sine: that is the one which runtimes have in float64.
    ahead = writer.op("Add", turned, writer.constant(math.pi / 2, np.float64))
    sine, cosine = (writer.cast(writer.op("Sin", angle), writer.dtype) for angle in (turned, ahead))
    return sine, cosine


def _sinusoidal(writer: Writer, layer: SinusoidalEmbedding, x: str) -> str:
    time, features = writer.input_shapes[0]
    assert features is not None
    sine, cosine = _turns(writer, x, time, features, layer.base)
    if isinstance(sine, np.ndarray) and isinstance(cosine, np.ndarray):
        return str(writer.op("Add", x, np.stack([sine, cosine], 2).reshape(len(sine), -1)[:, :features]))
    pairs = writer.concat([writer.unsqueeze(str(sine), 2), writer.unsqueeze(str(cosine), 2)], 2)
    table = writer.slice(writer.reshape(pairs, [0, -1]), 1, 0, features)
    return str(writer.op("Add", x, table))


def _turned(writer: Writer, x: str, time: int | None, size: int, base: float) -> str:
    """Turns pairs of the last axis by their positions; x is (batch, time, heads, size)."""
    sine, cosine = _turns(writer, x, time, size, base)
    both = [_for_heads(writer, value) for value in (sine, cosine)]
    half = size // 2
    first, second = writer.slice(x, -1, 0, half), writer.slice(x, -1, half)
    across = [writer.op("Mul", part, both[1]) for part in (first, second)]
    along = [writer.op("Mul", part, both[0]) for part in (first, second)]
    left, right = writer.op("Sub", across[0], along[1]), writer.op("Add", across[1], along[0])
    return writer.concat([left, right], -1)


def _for_heads(writer: Writer, turns: Operand) -> Operand:
    """(time, pairs) -> (time, 1, pairs)."""
    return turns[:, None] if isinstance(turns, np.ndarray) else writer.unsqueeze(str(turns), 1)


def _rotary(writer: Writer, layer: RotaryEmbedding, x: str) -> str:
    time, features = writer.input_shapes[0]
    size = (features or 0) // layer.heads
    turned = _turned(writer, writer.reshape(x, [0, 0, layer.heads, size]), time, size, layer.base)
    return writer.reshape(turned, [0, 0, features or 0])


def _affine(writer: Writer, x: str, name: str) -> str:
    y = writer.op("MatMul", x, writer.params[f"{name}_weight"])
    bias = writer.params.get(f"{name}_bias")
    return str(y if bias is None else writer.op("Add", y, bias))


def _parts(writer: Writer, layer: MultiHeadAttention, inputs: tuple[str, ...]) -> dict[str, str]:
    """Queries, keys and values, (batch, time, heads, size) each."""
    found: dict[str, str] = {}
    for x, projection in zip(inputs, layer.projections(*writer.input_shapes), strict=True):
        y = _affine(writer, x, projection.name)
        widths = list(projection.parts.values())
        values = (y,) if len(widths) == 1 else writer.op("Split", y, widths, outputs=len(widths), axis=2)
        for (name, width), value in zip(projection.parts.items(), values, strict=True):
            heads = layer.heads if name == "query" else layer.groups
            found[name] = writer.reshape(value, [0, 0, heads, width // heads])
    return found


def _allowed(writer: Writer, layer: MultiHeadAttention, query: str, key: str) -> str | Array | None:
    """Which queries see which keys, for an array (batch, groups, members, queries, keys); None for all."""
    found: str | Array | None = None
    masks = [mask for mask in writer.masks[1:] or writer.masks if mask is not None]
    if layer.causal:
        steps = writer.unsqueeze(str(writer.arange(writer.length(query, 1))), 1)
        found = str(writer.op("LessOrEqual", writer.arange(writer.length(key, 1)), steps))
    if masks:
        keys = writer.unsqueeze(str(writer.common_mask(masks)), 1, 2, 3)
        found = keys if found is None else str(writer.op("And", keys, found))
    return found


def _attention(writer: Writer, layer: MultiHeadAttention, *inputs: str) -> str:
    writer.output_mask = writer.masks[0]
    parts = _parts(writer, layer, inputs)
    size = layer.size_of_heads(writer.input_shapes[0][-1] or 0)
    if layer.rotary:
        for name, shape in (("query", writer.input_shapes[0]), ("key", writer.input_shapes[min(1, len(inputs) - 1)])):
            parts[name] = _turned(writer, parts[name], shape[0], size, layer.rotary_base)
    allowed = _allowed(writer, layer, parts["query"], parts["key"])
    members = layer.heads // layer.groups
    query = writer.transpose(writer.reshape(parts["query"], [0, 0, layer.groups, members, size]), [0, 2, 3, 1, 4])
    key = writer.unsqueeze(writer.transpose(parts["key"], [0, 2, 3, 1]), 2)
    value = writer.unsqueeze(writer.transpose(parts["value"], [0, 2, 1, 3]), 2)
    scores = writer.op("MatMul", writer.op("Mul", query, 1 / math.sqrt(size)), key)
    if allowed is None:
        weights = writer.op("Softmax", scores, axis=-1)
    else:
        weights = writer.op("Softmax", writer.op("Where", allowed, scores, lowest(writer)), axis=-1)
        weights = writer.op("Where", allowed, weights, 0.0)
    mixed = writer.transpose(writer.op("MatMul", weights, value), [0, 3, 1, 2, 4])
    return _affine(writer, writer.reshape(mixed, [0, 0, layer.heads * size]), "output")


EXPORTS: dict[str, Translation] = {
    "MultiHeadAttention": _attention,
    "PositionalEmbedding": _positional,
    "RotaryEmbedding": _rotary,
    "SinusoidalEmbedding": _sinusoidal,
}

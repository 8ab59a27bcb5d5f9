"""Multi-head attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modnet.arrays import Array, Shape, sum_rows
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import GlorotUniform, Zeros
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter
from modnet_attention.positions import BLOCK, Rotation, advance, features_of, turns_of_block
from modnet_attention.tiles import NUMPY, Heads, Softmax, attend, attend_backward, attend_one

if TYPE_CHECKING:
    from modnet.kinds.context import Context

PARTS = {
    1: (("query", "key", "value"),),
    2: (("query",), ("key", "value")),
    3: (("query",), ("key",), ("value",)),
}
"""Number of inputs -> what is made of each, by one product for each input."""


class Projection(NamedTuple):
    """One product: `name` is that of its parameters, `parts` its outputs with their widths, in order."""

    name: str
    parts: Mapping[str, int]

    @property
    def width(self) -> int:
        return sum(self.parts.values())


class MultiHeadAttention(Layer, type="multi_head_attention"):
    """Each step looks at all steps of a sequence, by several heads: softmax(q k^T / sqrt(head_size)) v for each head.

    q, k and v are affine maps of the inputs, and so is the output of the heads' outputs side by side. With one input
    the sequence looks at itself; with two, the first (queries) looks at the second (keys and values); with three they
    are queries, keys and values. Shapes: (time, features) for queries, (other time, any features) for keys and values
    -> (time, features) of the queries.

    Parameters, with one input: query_key_value_weight (features, (heads + 2 key_value_heads) * head_size), which is
    torch's `in_proj_weight` transposed; with two: query_weight and key_value_weight; with three: query_weight,
    key_weight and value_weight; then output_weight (heads * head_size, features), and a bias of each. Each of the parts
    is initialised as a separate weight.

    No step looks at a step that a mask leaves out. A step that can look at none gets the output for zeros.

    Memory grows with the sequences' length, not with its square (see `modnet_attention.tiles`). In a stream, where
    attention is causal, keys and values of all steps so far are kept.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2; Ainslie et al. 2023, arXiv:2305.13245
    (`key_value_heads`); Su et al. 2021, arXiv:2104.09864 (`rotary`).

    Attributes:
        heads: how many.
        head_size: features of a head, by default those of the queries by `heads`.
        key_value_heads: heads of keys and values, each shared by heads / key_value_heads heads of queries; by default
            one for each. 1 is multi-query attention.
        causal: whether step i looks at the steps 0 ... i only.
        rotary: whether queries and keys are turned by their positions.
        rotary_base: the slowest pair of features turns once in about 2 pi rotary_base steps.
        dropout: the rate at which weights become 0 in training.
        bias: whether the maps to q, k and v have a bias.
        output_bias: whether the output has one; by default as `bias`.
        weight_initializer: of all weights.
        bias_initializer: of all biases.

    Raises:
        ShapeError: samples with other than two axes or without fixed features; features that `heads` do not divide;
            keys and values of different lengths; an odd head size with `rotary`.
    """

    inputs = (1, 3)
    repeats = True
    scratch_output = True
    output_range = (-math.inf, math.inf)
    heads: int = field(minimum=1)
    head_size: int | None = field(default=None, minimum=1)
    key_value_heads: int | None = field(default=None, minimum=1)
    causal: bool = False
    rotary: bool = False
    rotary_base: float = field(default=10_000.0, above=1.0)
    dropout: float = field(default=0.0, minimum=0.0, below=1.0)
    bias: bool = True
    output_bias: bool | None = None
    weight_initializer: Initializer = GlorotUniform()
    bias_initializer: Initializer = Zeros()

    @property
    def streams(self) -> bool:  # type: ignore[override]
        return self.causal

    @property
    def divisible(self) -> bool:  # type: ignore[override]
        # The random numbers of a weight depend on where its tile is in the batch.
        return not self.dropout

    @classmethod
    def examples(cls) -> Sequence[Example]:
        rotary = cls(heads=4, key_value_heads=2, head_size=6, causal=True, rotary=True, output_bias=False)
        return (
            Example(cls(heads=2), ((5, 4),)),
            Example(cls(heads=2, causal=True, bias=False), ((None, 4),)),
            Example(cls(heads=3), ((5, 6), (4, 3))),
            Example(cls(heads=2, bias=False), ((5, 4), (3, 2), (3, 7))),
            Example(rotary, ((5, 4),)),
        )

    def check(self) -> None:
        if self.heads % self.groups:
            raise ValueError(f"key_value_heads = {self.groups} does not divide heads = {self.heads}")

    @property
    def groups(self) -> int:
        return self.key_value_heads or self.heads

    def size_of_heads(self, features: int) -> int:
        size = self.head_size
        if size is None:
            if features % self.heads:
                raise ShapeError(
                    f"expects features that can be divided by heads = {self.heads}", "or give it a head_size"
                )
            size = features // self.heads
        if self.rotary and size % 2:
            raise ShapeError(f"expects an even head_size with rotary, found {size}")
        return size

    def output_shape(self, *input_shapes: Shape) -> Shape:
        features, *_ = [features_of(shape) for shape in input_shapes]
        self.size_of_heads(features)
        if len({shape[0] for shape in input_shapes[1:] if shape[0] is not None}) > 1:
            raise ShapeError("expects keys and values (the second and third input) of one length")
        return input_shapes[0]

    def projections(self, *input_shapes: Shape) -> list[Projection]:
        """One for each input."""
        size = self.size_of_heads(features_of(input_shapes[0]))
        widths = {"query": self.heads * size, "key": self.groups * size, "value": self.groups * size}
        return [
            Projection("_".join(parts), {part: widths[part] for part in parts}) for parts in PARTS[len(input_shapes)]
        ]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        projections = self.projections(*input_shapes)
        features, heads = features_of(input_shapes[0]), projections[0].parts["query"]
        found = {}
        for shape, projection in zip(input_shapes, projections, strict=True):
            name, width = projection.name, projection.width
            # Of several parts each gets the values that it would get by itself.
            fan_out = max(projection.parts.values())
            found[f"{name}_weight"] = Parameter(
                (features_of(shape), width), self.weight_initializer, fan_in=features_of(shape), fan_out=fan_out
            )
            if self.bias:
                found[f"{name}_bias"] = Parameter((width,), self.bias_initializer, decay=False)
        found["output_weight"] = Parameter((heads, features), self.weight_initializer)
        if self.bias if self.output_bias is None else self.output_bias:
            found["output_bias"] = Parameter((features,), self.bias_initializer, decay=False)
        return found

    def forward(self, context: Context, *inputs: Array) -> Array:
        if self._is_step(context, inputs):
            return self._forward_step(context, inputs[0])
        context.cannot_repeat()
        return self.forward_by(NUMPY, context, *inputs)

    def _is_step(self, context: Context, inputs: Sequence[Array]) -> bool:
        """Whether this is one further step of a stream that looks at itself, without masks."""
        memory = context.memory
        if not memory or "mask" in memory or context.masks[0] is not None:
            return False
        return len(inputs) == 1 and inputs[0].shape[1] == 1 and self.causal and len(inputs[0]) > 0

    def _forward_step(self, context: Context, x: Array) -> Array:
        """`forward` for one step: the same numbers, in fewer calls."""
        projections = self.projections(x.shape[1:])
        projected = _affine(context, x, projections[0].name)
        parts = self._parts(projections, [projected])
        batch, size = len(x), parts["query"].shape[-1]
        mixed = context.buffer((batch, 1, self.heads * size))
        q = parts["query"]
        if batch > 1:  # the parts of several samples have gaps between them
            q = context.buffer(q.shape)
        shape = (batch, self.groups, self.heads // self.groups, size)
        if self.rotary:
            turned = projected[:, 0, : (self.heads + self.groups) * size]
            other = context.buffer(turned.shape)
            context.do(self._turn, context, turned, other, size)
        if batch > 1:
            context.do(np.copyto, q, parts["query"])
        context.do(_attend_step, context, q.reshape(shape), parts["key"], parts["value"], mixed.reshape(shape))
        context.output_mask = None
        return _affine(context, mixed, "output")

    def _turn(self, context: Context, x: Array, other: Array, size: int) -> None:
        """Turns all queries and keys (batch, heads * size) of one step, side by side, by the step's position."""
        assert context.memory is not None
        number, place = divmod(context.memory.get("position", 0), BLOCK)
        cos, sin = turns_of_block(number, self.heads + self.groups, size, self.rotary_base, x.dtype)
        halves, others = (array.reshape(len(x), -1, 2, size // 2) for array in (x, other))
        others[...] = halves[:, :, ::-1]
        np.multiply(other, sin[place], other)
        np.multiply(x, cos[place], x)
        np.add(x, other, x)

    def backward(self, context: Context, gradient: Array) -> Any:
        return self.backward_by(NUMPY, context, gradient)

    def forward_by(self, softmax: Softmax, context: Context, *inputs: Array) -> Array:
        """`forward` with the passes of a softmax over tiles of scores."""
        projections = self.projections(*(x.shape[1:] for x in inputs))
        projected = [_affine(context, x, projection.name) for x, projection in zip(inputs, projections, strict=True)]
        parts = self._parts(projections, projected)
        query, key, value = parts["query"], parts["key"], parts["value"]
        position = advance(context, query.shape[1])
        turns: list[tuple[str, Rotation]] = []
        if self.rotary:
            size = query.shape[-1]
            for name in ("query", "key"):
                x = parts[name]
                turns.append((name, Rotation(position, x.shape[1], size, self.rotary_base, x.dtype)))
                turns[-1][1].turn(context, x)
        context.output_mask = context.masks[0]  # of the queries, whatever the keys are
        mask = _key_mask(context.masks)
        if context.memory is not None:
            mask = _remembered_mask(context.memory, mask, key)
            key = _remembered(context.memory, "key", key)
            value = _remembered(context.memory, "value", value)
        dropout = self.dropout if context.training else 0.0
        heads = Heads(
            self._by_group(query),
            key.transpose(0, 2, 1, 3),
            value.transpose(0, 2, 1, 3),
            position if self.causal else None,
            mask,
            dropout,
            int(context.rng.integers(2**63)) if dropout else 0,
        )
        mixed = context.buffer((*query.shape[:2], self.heads * query.shape[-1]))
        out = self._by_group(mixed.reshape(query.shape))
        # Without gradients to write there is no backward pass.
        statistics = attend(context, heads, out, keep=bool(context.grads), softmax=softmax)
        context.save(inputs, projections, turns, heads, statistics, mixed)
        return _affine(context, mixed, "output")

    def backward_by(self, softmax: Softmax, context: Context, gradient: Array) -> Any:
        inputs, projections, turns, heads, statistics, mixed = context.saved
        d_mixed = context.buffer(mixed.shape)
        _affine_backward(context, mixed, "output", gradient, d_mixed)
        d_projected = [
            context.buffer((*x.shape[:2], projection.width)) for x, projection in zip(inputs, projections, strict=True)
        ]
        d_parts = self._parts(projections, d_projected)
        batch, steps, width = mixed.shape
        by_head = (batch, steps, self.heads, width // self.heads)
        attend_backward(
            context,
            heads,
            statistics,
            self._by_group(mixed.reshape(by_head)),
            self._by_group(d_mixed.reshape(by_head)),
            self._by_group(d_parts["query"]),
            d_parts["key"].transpose(0, 2, 1, 3),
            d_parts["value"].transpose(0, 2, 1, 3),
            softmax,
        )
        for name, rotation in turns:
            rotation.turn(context, d_parts[name], back=True)
        results = []
        for x, projection, d in zip(inputs, projections, d_projected, strict=True):
            result = context.buffer(x.shape) if context.needs_input_gradient else None
            _affine_backward(context, x, projection.name, d, result)
            results.append(result)
        return results[0] if len(results) == 1 else tuple(results)

    def _parts(self, projections: Sequence[Projection], projected: Sequence[Array]) -> dict[str, Array]:
        """Views (batch, time, heads, size) of the parts of each projection."""
        views = {}
        for projection, x in zip(projections, projected, strict=True):
            bounds = pairwise(accumulate(projection.parts.values(), initial=0))
            for name, (start, stop) in zip(projection.parts, bounds, strict=True):
                heads = self.heads if name == "query" else self.groups
                views[name] = x[..., start:stop].reshape(*x.shape[:2], heads, (stop - start) // heads)
        return views

    def _by_group(self, x: Array) -> Array:
        """A view (batch, groups, members, time, size) of (batch, time, heads, size)."""
        batch, time, heads, size = x.shape
        return x.reshape(batch, time, self.groups, heads // self.groups, size).transpose(0, 2, 3, 1, 4)

    def multiply_adds(self, *input_shapes: Shape) -> int:
        projections = self.projections(*input_shapes)
        times = [shape[0] or 1 for shape in input_shapes]
        heads, features = projections[0].parts["query"], features_of(input_shapes[0])
        products = sum(
            time * features_of(shape) * projection.width
            for time, shape, projection in zip(times, input_shapes, projections, strict=True)
        )
        return products + times[0] * heads * (2 * times[-1] + features)


def _affine(context: Context, x: Array, name: str) -> Array:
    """x W + b, with the parameters of that name; x is (batch, time, features)."""
    weight, bias = context.params[f"{name}_weight"], context.params.get(f"{name}_bias")
    y = context.buffer((*x.shape[:2], weight.shape[1]))
    rows = y.reshape(-1, y.shape[-1])
    context.do(np.matmul, x.reshape(-1, x.shape[-1]), weight, rows)
    if bias is not None:
        context.do(np.add, rows, bias, rows)
    return y


def _affine_backward(context: Context, x: Array, name: str, gradient: Array, out: Array | None) -> None:
    """The gradients of the parameters of that name, and into `out` that of x."""
    rows = gradient.reshape(-1, gradient.shape[-1])
    np.matmul(x.reshape(-1, x.shape[-1]).T, rows, out=context.grads[f"{name}_weight"])
    if f"{name}_bias" in context.grads:
        sum_rows(rows, context.grads[f"{name}_bias"])
    if out is not None:
        np.matmul(rows, context.params[f"{name}_weight"].T, out=out.reshape(-1, out.shape[-1]))


def _key_mask(masks: Sequence[Array | None]) -> Array | None:
    """The mask of the keys: of keys and values, where they are two inputs, both must be there."""
    found = [mask for mask in masks[1:] or masks if mask is not None]
    return np.logical_and(*found) if len(found) > 1 else next(iter(found), None)


def _attend_step(context: Context, query: Array, key: Array, value: Array, out: Array) -> None:
    """Adds the key and the value (batch, 1, groups, size) of a step to those before it, and looks at all of them."""
    memory = context.memory
    assert memory is not None
    advance(context, 1)
    keys, values = (_remembered(memory, name, piece) for name, piece in (("key", key), ("value", value)))
    attend_one(query, keys.transpose(0, 2, 1, 3), values.transpose(0, 2, 1, 3), out)


def _remembered_mask(memory: dict[str, Any], mask: Array | None, piece: Array) -> Array | None:
    """The mask of all pieces so far, of which any may have none; called before the keys of the piece are kept."""
    if mask is None and "mask" not in memory:
        return None
    if "mask" not in memory:
        before = memory["key"].shape[1] if "key" in memory else 0
        _remembered(memory, "mask", np.ones((len(piece), before), np.bool_))
    return _remembered(memory, "mask", np.ones(piece.shape[:2], np.bool_) if mask is None else mask)


def _remembered(memory: dict[str, Any], name: str, piece: Array) -> Array:
    """All pieces (batch, time, ...) of that name so far, this one at their end."""
    before, kept = memory.get(name), memory.get(f"_{name}")
    known = 0 if before is None else before.shape[1]
    length = known + piece.shape[1]
    if kept is None or kept.shape[1] < length:
        # Twice as long each time, so that a step costs the same on average, however many there are.
        kept = memory[f"_{name}"] = np.empty((len(piece), max(2 * known, length), *piece.shape[2:]), piece.dtype)
        if before is not None:
            kept[:, :known] = before
    kept[:, known:length] = piece
    found: Array = kept[:, :length]
    memory[name] = found
    return found

"""Products: with weights they are `linear`, of two values `matmul`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array
from modnet.layers.linear import Linear
from modnet_onnx.importing.building import numbers
from modnet_onnx.importing.layers.products import MatMul
from modnet_onnx.importing.laying import arithmetic, laid, turned, with_axes, without_axes
from modnet_onnx.importing.operators.pointwise import owner, scalar
from modnet_onnx.importing.step import Step, converts
from modnet_onnx.importing.values import NotNative, Value, elements


def linear(step: Step, value: Value, weight: Array, bias: Array | None, name: str) -> Value:
    """The product of the last axis of a tensor with weights (in, out).

    Raises:
        NotNative: the last axis is the batch.
    """
    last = len(value.shape) - 1
    joined = value.whole(last)
    lead = sorted({part for axis in range(last) for part in value.parts(axis)} - {0})
    between = [tuple(lead)] if lead else []
    source = step.builder.arranged(value, [(0,), *between, joined])
    arrays = {"weight": numbers(weight)} | ({} if bias is None else {"bias": numbers(bias)})
    layer = Linear(out_features=weight.shape[1], bias=bias is not None)
    source = step.builder.add(layer, source, arrays=arrays, name=owner(name))
    sizes = [value.sizes[part] for part in lead]
    first, features = value.sizes[0], weight.shape[1]
    before = [first, *([elements(sizes)] if lead else []), features]
    after = [first, *sizes, features]
    source = step.builder.reshaped(source, before, after)
    places = {0: 0, **{part: at + 1 for at, part in enumerate(lead)}}
    axes = [tuple(places[part] for part in value.parts(axis)) for axis in range(last)]
    return laid(value, source, after, [*axes, (len(after) - 1,)])


@converts("Gemm")
def gemm(step: Step) -> None:
    alpha, beta = step.attribute("alpha", 1.0), step.attribute("beta", 1.0)
    value = step.any(0)
    if step.any(1).constant is None and (step.count < 3 or step.any(2).source or not value.source):
        step.give(_gemm_of_values(step, alpha, beta))
        return
    if step.attribute("transA", 0):
        value = turned(step.floats(), (1, 0))
    weight = step.constant(1) * np.asarray(alpha, np.float64)
    weight = weight.T if step.attribute("transB", 0) else weight
    bias, rest = None, None
    if step.has(2):
        rest = step.any(2)
        if rest.constant is not None and elements(rest.shape) == elements(rest.shape[-1:]):
            bias, rest = np.broadcast_to(rest.constant.reshape(-1) * np.float64(beta), weight.shape[1:]), None
    found = linear(step, step.floats() if value.constant is not None else value, weight, bias, step.learned(1))
    if rest is not None:
        if beta != 1:
            raise NotNative("beta, with an addend that is no vector")
        found = arithmetic(step.builder, "add", found, rest)
    step.give(found)


def _gemm_of_values(step: Step, alpha: float, beta: float) -> Value:
    values = [step.any(0), step.any(1)]
    for position, name in enumerate(("transA", "transB")):
        if step.attribute(name, 0):
            values[position] = _turned(values[position])
    found = product(step, *values)
    if alpha != 1:
        found = arithmetic(step.builder, "multiply", found, scalar(found, alpha))
    if step.has(2):
        more = step.any(2)
        if beta != 1:
            more = (
                arithmetic(step.builder, "multiply", more, scalar(more, beta))
                if more.source
                else more.replace(constant=numbers(more.constant) * beta)  # type: ignore[arg-type]
            )
        found = arithmetic(step.builder, "add", found, more)
    return found


def _turned(value: Value) -> Value:
    if value.constant is not None:
        return value.replace(constant=value.constant.T, shape=value.shape[::-1])
    return turned(value, (1, 0))


@converts("MatMul")
def matmul(step: Step) -> None:
    first, second = step.any(0), step.any(1)
    if first.source and second.constant is not None and len(second.shape) == 2 and not second.shape_of_batch:
        bias = step.bias_after(second.shape[1])
        found = linear(step, step.floats(), second.constant, bias, step.learned(1))
        step.give(found)
        return
    if not first.is_float:
        raise NotNative("it computes with whole numbers")
    step.give(product(step, first, second))


def product(step: Step, first: Value, second: Value) -> Value:
    """ONNX's MatMul of two tensors, one of which may be a constant."""
    vectors = len(first.shape) == 1, len(second.shape) == 1
    if any(vectors) and not (first.source and second.source):
        raise NotNative("the product of a vector and a constant")
    first = with_axes(first, (0,)) if vectors[0] else first
    second = with_axes(second, (1,)) if vectors[1] else second
    found = _product(step, first, second)
    count = len(found.shape)
    return without_axes(found, [axis for axis, gone in zip((count - 2, count - 1), vectors, strict=True) if gone])


def _product(step: Step, first: Value, second: Value) -> Value:
    count = max(len(first.shape), len(second.shape))
    lead = first if first.source else second
    if not lead.source:
        raise NotNative("both factors are constants")
    values = [with_axes(value, range(count - len(value.shape))) if value.source else value for value in (first, second)]
    lead = values[0] if first.source else values[1]
    parts = _leading(values, count - 2)
    sizes = [next(v.sizes[p[at]] for v in values if v.source for p in [_lead_parts(v)] if at in p) for at in parts]
    sources = []
    for value in values:
        if value.source:
            own = _lead_parts(value)
            groups = [
                (0,),
                *((own[at],) if at in own else () for at in parts),
                value.whole(count - 2),
                value.whole(count - 1),
            ]
            sources.append(step.builder.arranged(value, groups))
        else:
            sources.append(_constant_factor(step, value, parts, sizes, count))
    source = step.builder.add(MatMul(), *sources)
    places = {at: position + 1 for position, at in enumerate(parts)}
    axes = [_axis(lead, axis, places) for axis in range(count - 2)]
    rows, columns = (value.shape[at] for value, at in ((first, -2), (second, -1)))
    end = len(parts) + 1
    return laid(lead, source, [lead.sizes[0], *sizes, rows, columns], [*axes, (end,), (end + 1,)])


def _axis(lead: Value, axis: int, places: dict[tuple[int, int], int]) -> tuple[int, ...]:
    found = [places[part] for part in sorted(places) if part[0] == axis]
    if lead.batch_axis != axis:
        return tuple(found)
    # The batch may be joined with other axes, before or behind them.
    return tuple(places[axis, number] if part else 0 for number, part in enumerate(lead.parts(axis)))


def _lead_parts(value: Value) -> dict[tuple[int, int], int]:
    """(axis, number of the part) -> axis of the array, without the batch, for all axes but the last two."""
    return {
        (axis, number): part
        for axis in range(len(value.axes) - 2)
        for number, part in enumerate(value.parts(axis))
        if part
    }


def _leading(values: Sequence[Value], count: int) -> list[tuple[int, int]]:
    """The parts of the leading axes of both factors.

    Raises:
        NotNative: they are put together in different ways, or the batch is not the same axis of both.
    """
    with_source = [value for value in values if value.source]
    if len({value.batch_axis for value in with_source}) > 1 or with_source[0].batch_axis in (count, count + 1):
        raise NotNative("the batch is not the same axis of both factors")
    found: dict[tuple[int, int], int] = {}
    for axis in range(count):
        made = [[value.sizes[part] for part in value.parts(axis)] for value in with_source]
        made = [sizes for sizes in made if sizes]
        if any(sizes != made[0] for sizes in made):
            raise NotNative("the axes of its inputs are put together in different ways")
    for value in with_source:
        for part in _lead_parts(value):
            found.setdefault(part, 0)
    return sorted(found)


def _constant_factor(
    step: Step, value: Value, parts: Sequence[tuple[int, int]], sizes: Sequence[int], count: int
) -> str:
    assert value.constant is not None
    array = value.constant.reshape((1,) * (count - len(value.shape)) + value.shape)
    shape = []
    for axis in range(count - 2):
        own = [size for part, size in zip(parts, sizes, strict=True) if part[0] == axis]
        if array.shape[axis] not in (1, elements(own)):
            raise NotNative("a constant does not fit to the axes of the other factor")
        shape += own if array.shape[axis] != 1 else [1] * len(own)
    return step.builder.constant(
        array.reshape(*shape, *array.shape[-2:]), value.learned, value.name if value.learned else ""
    )

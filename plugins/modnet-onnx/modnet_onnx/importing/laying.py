"""What operators are made of: views of tensors that move no numbers, and layers of modnet upon tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import mul
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.kinds.layer import Layer
from modnet.layers.merge import Add, Multiply
from modnet_onnx.importing.building import Builder, Groups, plain_axes
from modnet_onnx.importing.layers.arithmetic import Arithmetic, Operation
from modnet_onnx.importing.layers.elementwise import Elementwise
from modnet_onnx.importing.layers.reduction import Reduce
from modnet_onnx.importing.values import NotNative, Value, elements

Part = tuple[int, int]
"""An axis of a tensor, and which of the axes of an array that it is made of."""


def seen_as(value: Value, axes: Sequence[Sequence[int]]) -> Value:
    """The same numbers, with other axes."""
    axes = tuple(tuple(parts) for parts in axes)
    return value.replace(axes=axes, shape=tuple(elements([value.sizes[part] for part in parts]) for parts in axes))


def laid(value: Value, source: str, sizes: Sequence[int], axes: Sequence[Sequence[int]]) -> Value:
    """A tensor of the same type whose numbers are in this array."""
    sizes = tuple(sizes)
    found = value.replace(source=source, sizes=sizes, constant=None, learned=False, shape_of_batch=False)
    return seen_as(found, axes)


def turned(value: Value, order: Sequence[int]) -> Value:
    """ONNX's Transpose."""
    return seen_as(value, [value.axes[axis] for axis in order])


def without_axes(value: Value, axes: Sequence[int]) -> Value:
    """ONNX's Squeeze.

    Raises:
        NotNative: an axis has another size than 1, or is the batch.
    """
    if any(value.shape[axis] != 1 for axis in axes):
        raise NotNative("it removes an axis whose size is not 1")
    return seen_as(value, [parts for axis, parts in enumerate(value.axes) if axis not in axes])


def with_axes(value: Value, axes: Sequence[int]) -> Value:
    """ONNX's Unsqueeze: axes of size 1, at these places of the result."""
    count = len(value.axes) + len(axes)
    places = {axis % count for axis in axes}
    old = iter(value.axes)
    return seen_as(value, [() if axis in places else next(old) for axis in range(count)])


def plainly(builder: Builder, value: Value, order: Sequence[int]) -> Value:
    """The tensor in an array with the batch first and then these axes of it, each as one.

    Raises:
        NotNative: the batch is joined with another axis.
    """
    groups = [(0,), *(value.whole(axis) for axis in order)]
    source = builder.arranged(value, groups)
    axes = plain_axes(len(value.axes), value.batch_axis, order)
    return laid(value, source, [elements([value.sizes[part] for part in group]) for group in groups], axes)


def in_place(builder: Builder, value: Value) -> Value:
    """The tensor with each of its axes as one, in the order in which they lie in the array already."""
    return plainly(builder, value, value.of_samples())


def through(builder: Builder, value: Value, layer: Layer, name: str = "") -> Value:
    """What a layer makes of each number of a tensor by itself."""
    return laid(value, builder.add(layer, value.source, name=name), value.sizes, value.axes)


def elementwise(builder: Builder, value: Value, formula: str, alpha: float = 0.0, beta: float = 0.0) -> Value:
    return through(builder, value, Elementwise(formula, alpha, beta))  # type: ignore[arg-type]


def reduced(builder: Builder, value: Value, operation: str, axes: Sequence[int], keep: bool) -> Value:
    """ONNX's reductions.

    Raises:
        NotNative: one of the axes is the batch.
    """
    gone = sorted(part for axis in axes for part in value.whole(axis))
    left = [part for part in range(len(value.sizes)) if part not in gone]
    source, sizes = value.source, [value.sizes[part] for part in left]
    if gone or operation == "log_sum_exp":
        layer = Reduce(operation, tuple(part - 1 for part in gone))  # type: ignore[arg-type]
        source = builder.add(layer, source)
    moved = [
        () if axis in axes else tuple(left.index(part) for part in parts if part in left)
        for axis, parts in enumerate(value.axes)
        if keep or axis not in axes
    ]
    return laid(value, source, sizes, moved)


def combined(builder: Builder, values: Sequence[Value], layer_for: Callable[[bool], Layer]) -> Value:
    """What a layer of several inputs makes of tensors, which are stretched as numpy does it.

    Args:
        layer_for: the layer, for inputs of one shape (True) or of several.

    Raises:
        NotNative: the axes of their arrays do not fit to each other.
    """
    values = [with_axes(value, range(_missing(value, values))) if value.source else value for value in values]
    lead = max((value for value in values if value.source), key=lambda value: elements(value.shape))
    parts, sizes = _common_parts(values, lead)
    same = all(value.source and value.shape == lead.shape for value in values)
    sources = [
        builder.arranged(value, _groups(value, parts))
        if value.source
        else _constant(builder, value, parts, sizes, lead)
        for value in values
    ]
    places: dict[int, list[int]] = {}
    for position, (axis, _) in enumerate(parts):
        places.setdefault(axis, []).append(position)
    batch = lead.batch_axis
    axes = [
        tuple(sorted(places.get(axis, []), key=lambda p: parts[p][1])) if axis != batch or places.get(axis) else (0,)
        for axis in range(len(lead.axes))
    ]
    return laid(lead, builder.add(layer_for(same), *sources), sizes, axes)


def _missing(value: Value, values: Sequence[Value]) -> int:
    return max(len(other.shape) for other in values) - len(value.shape)


def _parts_of(value: Value) -> dict[Part, int]:
    """Part -> axis of the array, for those of other sizes than 1."""
    return {(axis, at): part for axis in range(len(value.axes)) for at, part in enumerate(value.parts(axis))}


def _common_parts(values: Sequence[Value], lead: Value) -> tuple[list[Part], list[int]]:
    """The parts of all tensors together, the batch first and then in the order of `lead`, and their sizes.

    Raises:
        NotNative: an axis is made of other parts in one tensor than in another.
    """
    found: dict[Part, int] = {}
    by_axis: dict[int, list[int]] = {}
    for value in [lead, *(value for value in values if value.source and value is not lead)]:
        own = _parts_of(value)
        for axis in range(len(value.axes)):
            sizes = [value.sizes[part] for part in value.parts(axis)]
            if sizes and by_axis.setdefault(axis, sizes) != sizes:
                raise NotNative("the axes of its inputs are put together in different ways")
        for part in sorted(own, key=lambda part: own[part]):
            found.setdefault(part, value.sizes[own[part]])
    for value in values:
        for axis, size in enumerate(value.shape if not value.source else ()):
            at = axis + _missing(value, values)
            if size != 1 and at not in by_axis:
                by_axis[at] = [size]
                found[at, 0] = size
    batch = next((part for part, at in _parts_of(lead).items() if at == 0), None)
    if batch is None:
        return [(-1, 0), *found], [lead.sizes[0], *found.values()]
    return [batch, *(p for p in found if p != batch)], [found[batch], *(found[p] for p in found if p != batch)]


def _groups(value: Value, parts: Sequence[Part]) -> Groups:
    own = _parts_of(value)
    if own.get(parts[0], 0) != 0 or any(at == 0 and part != parts[0] for part, at in own.items()):
        raise NotNative("the batch is not the same axis of its inputs")
    return [(0,), *((own[part],) if part in own else () for part in parts[1:])]


def _constant(builder: Builder, value: Value, parts: Sequence[Part], sizes: Sequence[int], lead: Value) -> str:
    """A node that gives a constant in the order of these parts."""
    assert value.constant is not None
    if value.shape_of_batch:
        raise NotNative("one of its inputs is made of sizes that are not known yet")
    count = len(lead.axes)
    array = value.constant.reshape((1,) * (count - value.constant.ndim) + value.constant.shape)
    array = without_batch(array, lead.batch_axis)
    known = dict(zip(parts, sizes, strict=True))
    axes, shape = [], []
    for axis in range(count):
        own = sorted(part for part in parts[1:] if part[0] == axis)
        if array.shape[axis] != 1 and array.shape[axis] != elements([known[part] for part in own]):
            raise NotNative("a constant does not fit to the axes of the other input")
        axes += own
        shape += [known[part] if array.shape[axis] != 1 else 1 for part in own]
    array = array.reshape(shape).transpose([axes.index(part) for part in parts[1:]])
    return builder.constant(array, value.learned and value.is_float, value.name if value.learned else "")


def without_batch(array: Array, axis: int | None) -> Array:
    """A constant with one row for all samples, where the file has the same one for each sample of its own batch.

    Raises:
        NotNative: they differ.
    """
    if axis is None or array.shape[axis] == 1:
        return array
    first = array.take([0], axis=axis)
    if not np.array_equal(np.broadcast_to(first, array.shape), array):
        raise NotNative("a constant differs from sample to sample")
    return first


def arithmetic(builder: Builder, operation: Operation, x: Value, z: Value) -> Value:
    """x + z, x * z and so on, for two tensors, or a tensor and a constant."""
    for value, other, reverse in ((x, z, False), (z, x, True)):
        number = other.constant
        if number is not None and number.size == 1 and not other.learned and len(other.shape) <= len(value.shape):
            if not math.isfinite(number.reshape(())):
                break  # a spec has finite numbers only; an array may have others
            if other.shape_of_batch:
                raise NotNative("one of its inputs is made of sizes that are not known yet")
            return through(builder, value, Arithmetic(operation, float(number.reshape(())), reverse=reverse))

    def layer_for(same: bool) -> Layer:
        core = {"add": Add(), "multiply": Multiply()}.get(operation) if same else None
        return core or Arithmetic(operation)

    return combined(builder, [x, z], layer_for)


def viewed(builder: Builder, value: Value, shape: Sequence[int]) -> Value:
    """ONNX's Reshape, to a shape without -1 and 0; numbers are moved only where axes are not just joined and split.

    Raises:
        NotNative: the batch would be split, or joined with numbers that are not next to it.
    """
    if elements(shape) != elements(value.shape):
        raise NotNative("its shape is not one for any number of samples")
    if 0 in shape:
        raise NotNative("an axis has no elements")
    flat = [part for axis in range(len(value.axes)) for part in value.parts(axis)]
    pieces = _pieces(flat, _segments([value.sizes[part] for part in flat], list(shape)), shape)
    # In the order of the array, so that nothing moves that need not.
    order = sorted(pieces, key=lambda piece: (0 not in piece.parts, min(piece.parts)))
    groups: list[tuple[int, ...]] = [piece.parts for piece in order]
    sizes = []
    if value.batch_axis is None:
        groups, sizes = [(0,), *groups], [value.sizes[0]]
    places: dict[Piece, list[int]] = {}
    for piece in order:
        places[piece] = list(range(len(sizes), len(sizes) + len(piece.becomes)))
        sizes += [size for _, size in piece.becomes]
    axes: list[list[int]] = [[] for _ in shape]
    for piece in pieces:
        for (target, _), place in zip(piece.becomes, places[piece], strict=True):
            axes[target].append(place)
    before = [elements([value.sizes[part] for part in group]) for group in groups]
    source = builder.reshaped(builder.arranged(value, groups), before, sizes)
    return laid(value, source, sizes, axes)


class Piece(NamedTuple):
    """Axes of an array that are joined, and what they are split into: (axis of the new shape, size)."""

    parts: tuple[int, ...]
    becomes: tuple[tuple[int, int], ...]


def _pieces(flat: Sequence[int], segments: Sequence[Segment], shape: Sequence[int]) -> list[Piece]:
    found = []
    for own, targets, split in segments:
        if split is None:
            joined = tuple(flat[at] for at in own)
            found.append(Piece(joined, tuple((target, shape[target]) for target in targets if shape[target] != 1)))
        else:
            found += [Piece((flat[at],), tuple(into)) for at, into in zip(own, split, strict=True)]
    return found


Segment = tuple[list[int], list[int], list[list[tuple[int, int]]] | None]


def _segments(sizes: list[int], shape: list[int]) -> list[Segment]:
    """Runs of axes, before and after a Reshape, that have the same numbers of elements.

    Returns:
        For each the positions in `sizes`, those in `shape`, and for each of the first the (position in `shape`, size)
        of what it is split into; None where they can only be joined to one and split again.
    """
    ends = [list(accumulate(sizes, mul)), list(accumulate(shape, mul))]
    cuts = sorted(set(ends[0]) & set(ends[1]))
    found, start = [], 1
    for end in cuts:
        own = [at for at, total in enumerate(ends[0]) if start < total <= end]
        targets = [at for at, total in enumerate(ends[1]) if start < total <= end]
        inner = sorted({ends[0][at] for at in own} | {ends[1][at] for at in targets})
        nested = all(after % before == 0 for before, after in zip([start, *inner], inner, strict=False))
        found.append((own, targets, _splits(own, targets, ends, inner, start) if nested else None))
        start = end
    return [segment for segment in found if segment[0]]


def _splits(
    own: list[int], targets: list[int], ends: list[list[int]], inner: list[int], start: int
) -> list[list[tuple[int, int]]]:
    found: list[list[tuple[int, int]]] = [[] for _ in own]
    before = start
    for total in inner:
        at = next(number for number, axis in enumerate(own) if total <= ends[0][axis])
        target = next(axis for axis in targets if total <= ends[1][axis] and ends[1][axis] != before)
        found[at].append((target, total // before))
        before = total
    return found

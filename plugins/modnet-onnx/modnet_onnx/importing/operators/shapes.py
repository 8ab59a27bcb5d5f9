"""Operators that give the numbers of a tensor another order or shape, or take a part of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array
from modnet.layers.embedding import Embedding
from modnet.layers.merge import Concatenate
from modnet.layers.shape import Slice
from modnet_onnx.importing.building import numbers
from modnet_onnx.importing.layers.axes import Broadcast, Pad, Take
from modnet_onnx.importing.laying import (
    in_place,
    laid,
    plainly,
    turned,
    viewed,
    with_axes,
    without_axes,
    without_batch,
)
from modnet_onnx.importing.operators.pointwise import owner
from modnet_onnx.importing.step import Step, converts
from modnet_onnx.importing.values import BATCH, NotNative, Value, elements, is_open

END = 1 << 31
"""Bounds of slices from here on mean the end."""


@converts("Transpose")
def transpose(step: Step) -> None:
    value = step.value()
    step.give(turned(value, step.attribute("perm") or range(len(value.shape))[::-1]))


@converts("Squeeze")
def squeeze(step: Step) -> None:
    value, axes = step.value(), step.integers("axes", 1)
    if axes is None:
        axes = [axis for axis, size in enumerate(value.shape) if size == 1]
    step.give(without_axes(value, [value.positive(axis) for axis in axes]))


@converts("Unsqueeze")
def unsqueeze(step: Step) -> None:
    step.give(with_axes(step.value(), step.integers("axes", 1) or []))


@converts("Flatten")
def flatten(step: Step) -> None:
    value = step.value()
    axis = step.attribute("axis", 1)
    axis = axis + len(value.shape) if axis < 0 else axis
    step.give(viewed(step.builder, value, [elements(value.shape[:axis]), elements(value.shape[axis:])]))


@converts("Reshape")
def reshape(step: Step) -> None:
    value = step.value()
    wanted = list(step.attribute("shape") or ()) if not step.has(1) else step.sizes(1)
    failed = NotNative("its shape is not one for any number of samples")
    for sizes in resolved(value, wanted, step.attribute("allowzero", 0) == 1, step.rows):
        try:
            step.give(viewed(step.builder, value, sizes))
            return
        except NotNative as error:
            failed = error
    raise failed


def resolved(value: Value, wanted: Sequence[int], zeros: bool, rows: int) -> list[list[int]]:
    """The sizes that a Reshape may ask for, without -1 and 0.

    Args:
        zeros: whether a 0 is a size, and not that of the tensor.
        rows: how many samples the file was made with. Where the sizes are those for so many, one of them has to do with
            the batch; it is not always clear which.

    Raises:
        NotNative: it asks for no elements.
    """
    count = len(value.shape)
    sizes = [value.shape[at] if size == 0 and not zeros and at < count else size for at, size in enumerate(wanted)]
    total, known = elements(value.shape), elements([size for size in sizes if size != -1])
    if known == 0:
        raise NotNative("an axis has no elements")
    if -1 in sizes and total % known == 0:
        return [[total // known if size == -1 else size for size in sizes]]
    if -1 not in sizes and total == known:
        return [sizes]
    if not rows or total % BATCH or (total // BATCH * rows) % known:
        return []
    sizes = [total // BATCH * rows // known if size == -1 else size for size in sizes]
    return [
        [size // rows * BATCH if place == at else size for place, size in enumerate(sizes)]
        for at, chosen in enumerate(sizes)
        if chosen % rows == 0
    ]


@converts("Concat")
def concat(step: Step) -> None:
    values = [step.any(position) for position in range(step.count)]
    lead = next((value for value in values if value.source), None)
    if lead is None:
        raise NotNative("all its inputs are constants")
    axis = lead.positive(step.attribute("axis", 1))
    lead.whole(axis)
    if len(values) == 1:
        step.give(lead)
        return
    order = lead.of_samples()
    if axis not in order:
        raise NotNative("it works along the batch")
    sources = []
    for value in values:
        if value.source:
            if value.batch_axis != lead.batch_axis:
                raise NotNative("the batch is not the same axis of its inputs")
            sources.append(plainly(step.builder, value, order).source)
        else:
            sources.append(_beside(step, value, lead, order))
    plain = plainly(step.builder, lead, order)
    source = step.builder.add(Concatenate(axis=order.index(axis)), *sources)
    sizes = list(plain.sizes)
    sizes[order.index(axis) + 1] = sum(value.shape[axis] for value in values)
    step.give(laid(plain, source, sizes, plain.axes))


def _beside(step: Step, value: Value, lead: Value, order: Sequence[int]) -> str:
    """A constant that is to stand beside a tensor, its axes in this order."""
    assert value.constant is not None
    if value.shape_of_batch:
        raise NotNative("one of its inputs is made of sizes that are not known yet")
    array = without_batch(value.constant, lead.batch_axis)
    array = array if lead.batch_axis is None else array[(slice(None),) * lead.batch_axis + (0,)]
    kept = sorted(order)
    array = array.transpose([kept.index(axis) for axis in order])
    return step.builder.constant(array, value.learned, value.name if value.learned else "")


def along(step: Step, value: Value, axis: int) -> tuple[Value, int]:
    """A tensor with each axis as one, and the place of one of them in a sample."""
    value.whole(axis)
    plain = in_place(step.builder, value)
    (place,) = plain.axes[axis]
    return plain, place - 1


def sliced(step: Step, value: Value, axis: int, start: int, stop: int, stride: int = 1) -> Value:
    """A part of a tensor along one axis, as Python's slices have it.

    Raises:
        NotNative: the axis is the batch, or open and not cut at known places.
    """
    size = value.shape[axis]
    if is_open(size):
        return _open_slice(step, value, axis, start, stop, stride)
    chosen = range(size)[slice(start, None if stop <= -END else stop, stride)]
    if chosen == range(size):
        return value
    if not chosen:
        raise NotNative("an axis has no elements")
    plain, place = along(step, value, axis)
    layer = Slice(axis=place, start=chosen[0], stop=chosen[-1] + 1) if stride == 1 else Take(tuple(chosen), place)
    source = step.builder.add(layer, plain.source)
    sizes = [len(chosen) if at == place + 1 else size for at, size in enumerate(plain.sizes)]
    return laid(plain, source, sizes, plain.axes)


def _open_slice(step: Step, value: Value, axis: int, start: int, stop: int, stride: int) -> Value:
    if stride == 1 and start == 0 and (stop >= END or stop == value.shape[axis]):
        return value
    raise NotNative("it cuts an axis of variable size")


@converts("Slice")
def slices(step: Step) -> None:
    value = step.value()
    if step.attribute("starts") is not None:
        starts, ends = step.attribute("starts"), step.attribute("ends")
        axes, strides = step.attribute("axes", list(range(len(starts)))), [1] * len(starts)
    else:
        starts, ends = step.sizes(1), step.sizes(2)
        axes = step.sizes(3) if step.has(3) else list(range(len(starts)))
        strides = step.sizes(4) if step.has(4) else [1] * len(starts)
    for start, stop, axis, stride in zip(starts, ends, axes, strides, strict=True):
        value = sliced(step, value, value.positive(axis), start, stop, stride)
    step.give(value)


@converts("Split")
def split(step: Step) -> None:
    value = step.value()
    axis = value.positive(step.attribute("axis", 0))
    outputs = len(step.node.output)
    lengths = step.integers("split", 1)
    if lengths is None:
        each = -(-value.shape[axis] // outputs)
        lengths = [each] * (outputs - 1) + [value.shape[axis] - each * (outputs - 1)]
    start = 0
    for position, length in enumerate(lengths):
        if step.wants(position):
            step.give(sliced(step, value, axis, start, start + length), position)
        start += length


@converts("Gather")
def gather(step: Step) -> None:
    table, ids = step.any(0), step.any(1)
    axis = step.attribute("axis", 0)
    if table.constant is not None and ids.source and table.is_float and axis in (0, -len(table.shape)):
        step.give(_embedded(step, table, ids))
        return
    value, indices = step.value(), step.constant(1)
    axis = value.positive(axis)
    step.give(_taken(step, value, axis, indices))


def _taken(step: Step, value: Value, axis: int, indices: Array) -> Value:
    size = value.shape[axis]
    if is_open(size):
        raise NotNative("it takes elements of an axis of variable size")
    places = [int(index) % size for index in indices.reshape(-1)]
    if not places:
        raise NotNative("an axis has no elements")
    if places == list(range(places[0], places[0] + len(places))):
        found = sliced(step, value, axis, places[0], places[0] + len(places))
    else:
        plain, place = along(step, value, axis)
        source = step.builder.add(Take(tuple(places), place), plain.source)
        sizes = [len(places) if at == place + 1 else size for at, size in enumerate(plain.sizes)]
        found = laid(plain, source, sizes, plain.axes)
    return viewed(step.builder, found, [*found.shape[:axis], *indices.shape, *found.shape[axis + 1 :]])


def _embedded(step: Step, table: Value, ids: Value) -> Value:
    """Rows of a table of weights, by ids: an embedding."""
    assert table.constant is not None
    rows = numbers(table.constant).reshape(len(table.constant), -1)
    layer = Embedding(vocabulary_size=rows.shape[0], embedding_size=rows.shape[1])
    source = step.builder.add(layer, ids.source, arrays={"weight": rows}, name=owner(step.learned(0)))
    wanted = [*ids.sizes, *table.shape[1:]]
    source = step.builder.reshaped(source, [*ids.sizes, rows.shape[1]], wanted)
    more = [(len(ids.sizes) + at,) for at in range(len(table.shape) - 1)]
    return laid(ids, source, wanted, [*ids.axes, *more])


@converts("Expand")
def expand(step: Step) -> None:
    value = step.value()
    wanted = step.sizes(1)
    value = with_axes(value, range(max(0, len(wanted) - len(value.shape))))
    wanted = [1] * (len(value.shape) - len(wanted)) + wanted
    batch = value.batch_axis
    if batch is not None:
        wanted[batch] = 1
    step.give(stretched_to(step, value, wanted))


def stretched_to(step: Step, value: Value, wanted: Sequence[int]) -> Value:
    """A tensor whose axes of size 1 have other sizes.

    Raises:
        NotNative: one is open.
    """
    longer = [axis for axis, size in enumerate(wanted) if size not in (1, value.shape[axis])]
    if any(is_open(wanted[axis]) or value.shape[axis] != 1 for axis in longer):
        raise NotNative("it repeats numbers along an axis of variable size")
    if 0 in wanted:
        raise NotNative("an axis has no elements")
    if not longer:
        return value
    order = value.of_samples()
    plain = plainly(step.builder, value, order)
    layer = Broadcast(tuple(wanted[axis] if axis in longer else 1 for axis in order))
    sizes = [plain.sizes[0], *(wanted[axis] if axis in longer else value.shape[axis] for axis in order)]
    return laid(plain, step.builder.add(layer, plain.source), sizes, plain.axes)


@converts("Tile")
def tile(step: Step) -> None:
    value = step.value()
    for axis, count in enumerate(step.sizes(1)):
        size = value.shape[axis]
        if count != 1:
            value = _taken(step, value, axis, np.tile(np.arange(0 if is_open(size) else size), count))
    step.give(value)


@converts("Pad")
def pad(step: Step) -> None:
    value = step.value()
    sides = step.integers("pads", 1) or []
    axes = [value.positive(int(axis)) for axis in step.constant(3)] if step.has(3) else range(len(value.shape))
    before, after = dict(zip(axes, sides, strict=False)), dict(zip(axes, sides[len(sides) // 2 :], strict=False))
    mode = step.attribute("mode", "constant")
    if mode == "constant":
        number = step.constant(2).reshape(()) if step.has(2) else step.attribute("value", 0.0)
        step.give(_padded(step, value, before, after, float(number)))
        return
    for axis in axes:
        if before[axis] or after[axis]:
            size = value.shape[axis]
            if is_open(size):
                raise NotNative("it repeats elements of an axis of variable size")
            places = np.pad(np.arange(size), (max(before[axis], 0), max(after[axis], 0)), mode)  # type: ignore[call-overload]
            value = _taken(step, value, axis, places[max(-before[axis], 0) : len(places) + min(after[axis], 0)])
    step.give(value)


def _padded(step: Step, value: Value, before: dict[int, int], after: dict[int, int], number: float) -> Value:
    changed = [axis for axis in before if before[axis] or after[axis]]
    if value.batch_axis in changed:
        raise NotNative("it works along the batch")
    if not changed:
        return value
    order = value.of_samples()
    plain = plainly(step.builder, value, order)
    sides = [[side.get(axis, 0) for axis in order] for side in (before, after)]
    if any(is_open(value.shape[axis]) for axis in changed):
        raise NotNative("it makes an axis of variable size longer")
    source = step.builder.add(Pad(tuple(sides[0]), tuple(sides[1]), number), plain.source)
    more = [0, *(first + last for first, last in zip(*sides, strict=True))]
    return laid(plain, source, [size + by for size, by in zip(plain.sizes, more, strict=True)], plain.axes)


@converts("DepthToSpace", "SpaceToDepth")
def blocks(step: Step) -> None:
    value, size = step.value(), step.attribute("blocksize")
    batch, channels, *image = value.shape
    height, width = image
    if step.node.op_type == "SpaceToDepth":
        cut = viewed(step.builder, value, [batch, channels, height // size, size, width // size, size])
        moved = turned(cut, (0, 3, 5, 1, 2, 4))
        step.give(viewed(step.builder, moved, [batch, channels * size**2, height // size, width // size]))
        return
    rest = channels // size**2
    if step.attribute("mode", "DCR") == "DCR":
        cut = turned(viewed(step.builder, value, [batch, size, size, rest, height, width]), (0, 3, 4, 1, 5, 2))
    else:
        cut = turned(viewed(step.builder, value, [batch, rest, size, size, height, width]), (0, 1, 4, 2, 5, 3))
    step.give(viewed(step.builder, cut, [batch, rest, height * size, width * size]))

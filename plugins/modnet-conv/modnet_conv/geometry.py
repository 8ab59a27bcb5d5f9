"""The positions of windows along the axes of an image: sizes, strides, padding."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import ShapeError

Padding1d = Literal["same", "valid"] | int | tuple[int, int]
Padding2d = Literal["same", "valid"] | int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]
Padding3d = (
    Literal["same", "valid"] | int | tuple[int, int, int] | tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
)

AXES = {1: ("time",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""Number of axes that windows move along -> what they are called."""


class Window(NamedTuple):
    """The windows along one axis.

    Attributes:
        size: of the axis.
        kernel, stride, dilation: of the windows.
        before, after: zeros that are added at its ends; less than 0 for elements that are left out.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def reach(self) -> int:
        """From the first element of a window to its last."""
        return (self.kernel - 1) * self.dilation

    @property
    def count(self) -> int:  # type: ignore[override]
        """How many windows there are."""
        return (self.size + self.before + self.after - self.reach - 1) // self.stride + 1

    @property
    def length(self) -> int:
        """What all windows together reach over."""
        return (self.count - 1) * self.stride + self.reach + 1

    def trimmed(self) -> Window:
        """For a dilation of 1: the same windows without the places at which none of them meets the axis.

        A window can be any times as large as what it is moved over; where padding counts for nothing, its size then
        costs nothing.
        """
        first = max(0, self.before - (self.count - 1) * self.stride)
        last = min(self.kernel, self.before + self.size)
        if (first, last) == (0, self.kernel):
            return self
        before = self.before - first
        length = (self.count - 1) * self.stride + last - first
        return Window(self.size, last - first, self.stride, 1, before, length - self.size - before)

    def mirrored(self) -> Window:
        """For a stride of 1: the windows on the output that each element of the input has gone into."""
        return Window(self.count, self.kernel, 1, self.dilation, self.reach - self.before, self.reach - self.after)


def per_axis(value: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else value


def margins(padding: object, axes: int) -> tuple[tuple[int, int], ...] | None:
    """The explicit padding of each axis; None for "same", which depends on the size."""
    if padding == "same":
        return None
    if padding == "valid":
        return ((0, 0),) * axes
    if isinstance(padding, int):
        return ((padding, padding),) * axes
    assert isinstance(padding, tuple)
    if axes == 1:
        return (padding,)
    return tuple((side, side) if isinstance(side, int) else side for side in padding)


@lru_cache(maxsize=1024)
def windows(
    sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], padding: object
) -> tuple[Window, ...]:
    """The windows along axes of these sizes.

    "same" gives ceil(size / stride) windows and pads equally at both ends, with one more at the end where that does
    not come out even: TensorFlow's rule.

    Raises:
        ShapeError: "expects ...", if not even one window fits.
    """
    explicit = margins(padding, len(sizes))
    found = []
    for axis, size in enumerate(sizes):
        reach = (kernel[axis] - 1) * dilation[axis]
        if explicit is None:
            total = max(0, (math.ceil(size / stride[axis]) - 1) * stride[axis] + reach + 1 - size)
            before, after = total // 2, total - total // 2
        else:
            before, after = explicit[axis]
        if size + before + after <= reach or size == 0:
            needed = max(1, reach + 1 - before - after)
            raise ShapeError(
                f"expects {AXES[len(sizes)][axis]} of at least {needed}: its windows are {reach + 1} wide",
                'padding = "same" or a smaller kernel_size or dilation fits' if size else "",
            )
        step = min(stride[axis], size + before + after)  # a single window makes no step, and buffers are steps long
        found.append(Window(size, kernel[axis], step, dilation[axis], before, after))
    return tuple(found)


def padded_size(windows: Sequence[Window], channels: int) -> int:
    """The numbers of a sample with the padding that its windows reach."""
    return math.prod(window.length for window in windows) * channels


def image_shape(shape: Shape, axes: int) -> tuple[Shape, int]:
    """The sizes of a sample's axes, and its channels.

    Raises:
        ShapeError: "expects ...", for samples with another number of axes, or without a fixed number of channels.
    """
    names = AXES[axes]
    if len(shape) != axes + 1:
        hint = ""
        if len(shape) == axes and None not in shape:
            hint = f'put {{ type = "reshape", shape = {[*shape, 1]} }} before it'
        raise ShapeError(f"expects samples of shape ({', '.join(names)}, channels)", hint)
    if shape[-1] is None:
        raise ShapeError("expects a last axis (channels) of fixed size")
    return shape[:-1], shape[-1]


@lru_cache(maxsize=1024)
def divisor(number: int, most: int) -> int:
    """The greatest divisor of a number that is not above `most`; 1 at least."""
    return max((d for d in range(1, min(number, max(most, 1)) + 1) if number % d == 0), default=1)


SMALL = 1 << 15
"""Up to this size in bytes, an image is filled as fast as one of its sides."""


def at_once(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Calls a function: what is done where nobody notes the calls."""
    return function(*arguments, **options)


def place(
    target: Array, source: Array, offsets: Sequence[int], fill: float = 0.0, do: Callable[..., Any] = at_once
) -> None:
    """Writes `source` into `target` so that its element 0 is at `offsets`, and `fill` around it.

    `offsets` are those of the axes after the first; what would be outside of `target` is left out. `do` makes the
    calls that write.
    """
    at_first = target.nbytes <= SMALL and target.shape[1:] != source.shape[1:]
    if at_first:  # all at once is faster then than each side by itself
        do(target.fill, fill)
    for axis, offset in enumerate(offsets, 1):
        size, before = target.shape[axis], (slice(None),) * axis
        start, stop = min(max(offset, 0), size), max(min(offset + source.shape[axis], size), 0)
        stop = max(stop, start)
        if start and not at_first:
            do(target[(*before, slice(0, start))].fill, fill)
        if stop < size and not at_first:
            do(target[(*before, slice(stop, size))].fill, fill)
        target = target[(*before, slice(start, stop))]
        source = source[(*before, slice(start - offset, stop - offset))]
    do(np.copyto, target, source)

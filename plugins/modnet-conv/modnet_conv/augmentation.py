"""Random changes of images in training, each sample by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer
from modnet_conv.geometry import AXES, image_shape, per_axis, place

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class RandomFlip(Layer, type="random_flip"):
    """In training mirrors images at random; in prediction it gives them as they are.

    Attributes:
        direction: "horizontal" exchanges left and right, "vertical" top and bottom, "both" does either by itself.
        probability: of each exchange.

    Raises:
        ShapeError: samples that are no images.
    """

    direction: Literal["horizontal", "vertical", "both"] = "horizontal"
    probability: float = field(default=0.5, minimum=0.0, maximum=1.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return tuple(Example(cls(direction=way), ((4, 3, 2),)) for way in ("horizontal", "both"))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        image_shape(input_shapes[0], 2)
        return input_shapes[0]

    def forward(self, context: Context, x: Array) -> Array:
        context.save(None)
        if not context.training:
            return x
        ways = {"horizontal": (False, True), "vertical": (True, False), "both": (True, True)}[self.direction]
        down, across = (context.rng.random(len(x)) < self.probability * way for way in ways)
        context.save((down, across))
        return _flipped(context, x, down, across)

    def backward(self, context: Context, gradient: Array) -> Array:
        (flips,) = context.saved
        return gradient if flips is None else _flipped(context, gradient, *flips)


def _flipped(context: Context, x: Array, down: Array, across: Array) -> Array:
    y = context.buffer(x.shape)
    for sample, vertical, horizontal, target in zip(x, down, across, y, strict=True):
        target[...] = sample[:: -1 if vertical else 1, :: -1 if horizontal else 1]
    return y


class RandomShift(Layer, type="random_shift"):
    """In training moves images by a random number of pixels each way; in prediction it gives them as they are.

    What moves in from outside is zero, and what moves out is lost.

    Attributes:
        distance: the greatest: one number, or [vertical, horizontal]. All distances up to it are equally likely.

    Raises:
        ShapeError: samples that are no images.
    """

    distance: int | tuple[int, int] = field(default=2, minimum=0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(distance=(1, 2)), ((4, 5, 2),)),)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        image_shape(input_shapes[0], 2)
        return input_shapes[0]

    def forward(self, context: Context, x: Array) -> Array:
        context.save(None)
        if not context.training:
            return x
        down, across = (context.rng.integers(-most, most + 1, len(x)) for most in per_axis(self.distance, 2))
        offsets = np.stack((down, across), axis=1)
        context.save(offsets)
        return _placed(x, offsets, context.buffer(x.shape))

    def backward(self, context: Context, gradient: Array) -> Array:
        (offsets,) = context.saved
        return gradient if offsets is None else _placed(gradient, -offsets, context.buffer(gradient.shape))


class RandomCrop(Layer, type="random_crop"):
    """A part of an image: (more height, more width, channels) -> (height, width, channels).

    In training at a random place; in prediction in the middle, or one pixel nearer to the top left where both margins
    cannot be equal. For crops of an image with zeros around it, in its own size, see random_shift.

    Attributes:
        height, width: of the part.

    Raises:
        ShapeError: samples that are no images, smaller than the part, or of variable size.
    """

    height: int = field(minimum=1)
    width: int = field(minimum=1)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(height=3, width=2), ((4, 5, 2),)),)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        sizes, channels = image_shape(input_shapes[0], 2)
        for name, size, wanted in zip(AXES[2], sizes, (self.height, self.width), strict=True):
            if size is None or size < wanted:
                raise ShapeError(f"expects a fixed {name} of at least {wanted}, the size of the part")
        return (self.height, self.width, channels)

    def forward(self, context: Context, x: Array) -> Array:
        spare = [size - wanted for size, wanted in zip(x.shape[1:3], (self.height, self.width), strict=True)]
        if not context.training:
            context.save(x.shape, np.tile([[most // 2 for most in spare]], (len(x), 1)))
            top, left = (most // 2 for most in spare)
            return x[:, top : top + self.height, left : left + self.width]
        offsets = np.stack([context.rng.integers(0, most + 1, len(x)) for most in spare], axis=1)
        context.save(x.shape, offsets)
        return _placed(x, -offsets, context.buffer((len(x), self.height, self.width, x.shape[-1])))

    def backward(self, context: Context, gradient: Array) -> Array:
        shape, offsets = context.saved
        return _placed(gradient, offsets, context.buffer(shape))


def _placed(x: Array, offsets: Array, out: Array) -> Array:
    """Each sample of x at its own offsets, with zeros around it."""
    for sample, offset, target in zip(x, offsets.tolist(), out, strict=True):
        place(target[None], sample[None], offset)
    return out

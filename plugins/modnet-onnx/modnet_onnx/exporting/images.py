"""The layers of modnet-conv that change the size of images, and those that change images only in training."""

from __future__ import annotations

import numpy as np
from modnet_conv.augmentation import RandomCrop
from modnet_conv.geometry import per_axis
from modnet_conv.resampling import Upsample2d, ZeroPad2d

from modnet.kinds.translations import Translation
from modnet_onnx.exporting.activations import unchanged
from modnet_onnx.exporting.normalization import channels_first, channels_last
from modnet_onnx.exporting.writer import Writer


def _upsample(writer: Writer, layer: Upsample2d, x: str) -> str:
    factors = [1.0, 1.0, *map(float, per_axis(layer.scale_factor, 2))]
    scales = writer.constant(np.array(factors), np.float32)
    nearest = layer.mode == "nearest"
    y = writer.op(
        "Resize",
        channels_first(writer, x),
        None,
        scales,
        mode="nearest" if nearest else "linear",
        coordinate_transformation_mode="asymmetric" if nearest else "half_pixel",
        nearest_mode="floor" if nearest else None,
    )
    return channels_last(writer, y)


def _zero_pad(writer: Writer, layer: ZeroPad2d, x: str) -> str:
    (top, bottom), (left, right) = layer.sides()
    return str(writer.op("Pad", x, [0, top, left, 0, 0, bottom, right, 0]))


def _random_crop(writer: Writer, layer: RandomCrop, x: str) -> str:
    for axis, wanted in ((1, layer.height), (2, layer.width)):
        first = ((writer.input_shapes[0][axis - 1] or 0) - wanted) // 2
        x = writer.slice(x, axis, first, first + wanted)
    return x


EXPORTS: dict[str, Translation] = {
    "RandomCrop": _random_crop,
    "RandomFlip": unchanged,
    "RandomShift": unchanged,
    "Upsample2d": _upsample,
    "ZeroPad2d": _zero_pad,
}

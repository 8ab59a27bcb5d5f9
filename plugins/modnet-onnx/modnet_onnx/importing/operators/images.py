"""Convolutions, pooling and resizing: modnet's have the channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modnet.kinds.layer import Layer
from modnet.layers.pooling import GlobalAveragePool
from modnet_onnx.importing.building import layer_of, numbers
from modnet_onnx.importing.laying import laid, plainly
from modnet_onnx.importing.operators.pointwise import owner
from modnet_onnx.importing.step import Step, converts
from modnet_onnx.importing.values import NotNative, Value, is_open

CONV = "modnet-conv"


def image(step: Step, value: Value) -> tuple[Value, list[int]]:
    """A tensor (N, C, ...) with its channels last, and the sizes of the axes between.

    Raises:
        NotNative: another axis than the first is the batch, or the samples are several images.
    """
    if len(value.shape) < 3:
        raise NotNative("an image without axes")
    if value.batch_axis != 0 and (value.batch_axis is not None or value.shape[0] != 1):
        raise NotNative("its first axis is not the batch")
    order = [*range(2, len(value.shape)), 1]
    return plainly(step.builder, value, order), list(value.shape[2:])


def given(step: Step, plain: Value, layer: Layer, sizes: Sequence[int], channels: int, **more: Any) -> None:
    """Gives what a layer makes of an image whose channels are last, of these sizes."""
    source = step.builder.add(layer, plain.source, **more)
    count = len(sizes)
    first = (0,) if plain.batch_axis is not None else ()
    axes = [first, (count + 1,), *((at + 1,) for at in range(count))]
    step.give(laid(plain, source, [plain.sizes[0], *sizes, channels], axes))


def shape_after(step: Step) -> list[int]:
    """The sizes of the axes after the channels that ONNX finds for the output.

    Raises:
        NotNative: it does not find them.
    """
    shape = step.kinds[0].shape
    if shape is None:
        raise NotNative("the shape of its output is not known")
    return list(shape[2:])


def one_or_several(sizes: Sequence[int]) -> Any:
    """A size for each axis as a layer takes it."""
    return sizes[0] if len(sizes) == 1 or len(set(sizes)) == 1 else tuple(sizes)


def sides(
    step: Step, sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """The padding before and after each axis.

    Raises:
        NotNative: it depends on a size that is not known.
    """
    automatic, count = step.attribute("auto_pad", "NOTSET"), len(sizes)
    if automatic in ("NOTSET", ""):
        pads = step.attribute("pads") or [0] * (2 * count)
        return list(zip(pads[:count], pads[count:], strict=True))
    if automatic == "VALID":
        return [(0, 0)] * count
    found = []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        if is_open(size):
            raise NotNative("its padding depends on a size that is not known")
        total = max(0, (-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size)
        small = total // 2
        found.append((small, total - small) if automatic == "SAME_UPPER" else (total - small, small))
    return found


def padding(pairs: Sequence[tuple[int, int]]) -> Any:
    """The padding as a layer takes it."""
    if all(first == last for first, last in pairs):
        return one_or_several([first for first, _ in pairs])
    return pairs[0] if len(pairs) == 1 else tuple(pairs)


@converts("Conv")
def convolution(step: Step) -> None:
    plain, sizes = image(step, step.floats())
    weight = numbers(step.constant(1))
    count = len(sizes)
    if count > 3:
        raise NotNative("more than three axes")
    kernel = list(weight.shape[2:])
    strides, dilations = (step.attribute(name) or [1] * count for name in ("strides", "dilations"))
    groups = step.attribute("group", 1)
    bias = numbers(step.constant(2)) if step.has(2) else None
    fields: dict[str, Any] = {
        "kernel_size": one_or_several(kernel),
        "stride": one_or_several(strides),
        "dilation": one_or_several(dilations),
        "padding": padding(sides(step, sizes, kernel, strides, dilations)),
        "bias": bias is not None,
    }
    channels = plain.sizes[-1]
    turned = weight.transpose(*range(2, count + 2), 1, 0)
    if count == 2 and groups == channels > 1:
        layer = layer_of(CONV, "depthwise_conv2d", depth_multiplier=len(weight) // channels, **fields)
        turned = turned[:, :, 0]
    else:
        layer = layer_of(CONV, f"conv{count}d", out_channels=len(weight), groups=groups, **fields)
    arrays = {"weight": turned} | ({} if bias is None else {"bias": bias})
    given(step, plain, layer, shape_after(step), len(weight), arrays=arrays, name=owner(step.learned(1)))


@converts("ConvTranspose")
def transposed_convolution(step: Step) -> None:
    plain, sizes = image(step, step.floats())
    weight = numbers(step.constant(1))
    if len(sizes) != 2:
        raise NotNative("it has other than two axes")
    kernel, groups = list(weight.shape[2:]), step.attribute("group", 1)
    strides, dilations = (step.attribute(name) or [1, 1] for name in ("strides", "dilations"))
    further = step.attribute("output_padding") or [0, 0]
    if step.attribute("output_shape") or step.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise NotNative("it gives the sizes of its output instead of a padding")
    bias = numbers(step.constant(2)) if step.has(2) else None
    pads = step.attribute("pads") or [0] * 4
    if any(more >= stride for more, stride in zip(further, strides, strict=True)):
        raise NotNative("an output_padding that is not less than the stride")
    layer = layer_of(
        CONV,
        "conv_transpose2d",
        out_channels=weight.shape[1] * groups,
        kernel_size=one_or_several(kernel),
        stride=one_or_several(strides),
        dilation=one_or_several(dilations),
        padding=padding([(pads[0], pads[2]), (pads[1], pads[3])]),
        output_padding=one_or_several(further),
        groups=groups,
        bias=bias is not None,
    )
    arrays = {"weight": weight.transpose(2, 3, 1, 0)} | ({} if bias is None else {"bias": bias})
    outputs = weight.shape[1] * groups
    given(step, plain, layer, shape_after(step), outputs, arrays=arrays, name=owner(step.learned(1)))


@converts("MaxPool", "AveragePool")
def pooling(step: Step) -> None:
    if step.wants(1):
        raise NotNative("its indices are wanted")
    plain, sizes = image(step, step.floats())
    count, kernel = len(sizes), step.attribute("kernel_shape")
    strides = step.attribute("strides") or [1] * count
    if count > 2 or set(step.attribute("dilations") or [1]) != {1}:
        raise NotNative("windows with gaps, or of three axes")
    after = shape_after(step)
    pairs = sides(step, sizes, kernel, strides, [1] * count)
    average = step.node.op_type == "AveragePool"
    if step.attribute("ceil_mode", 0):
        pairs = _longer(pairs, sizes, kernel, strides, after)
        if average:
            raise NotNative("means of windows that go beyond the padding")
    if any(max(pair) >= width for pair, width in zip(pairs, kernel, strict=True)):
        raise NotNative("a padding that is not less than the window")
    fields = {"pool_size": one_or_several(kernel), "stride": one_or_several(strides), "padding": padding(pairs)}
    if average:
        fields["count_padding"] = bool(step.attribute("count_include_pad", 0)) and any(map(any, pairs))
    name = f"{'average' if average else 'max'}_pool{count}d"
    given(step, plain, layer_of(CONV, name, **fields), after, plain.sizes[-1])


def _longer(
    pairs: Sequence[tuple[int, int]],
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    after: Sequence[int],
) -> list[tuple[int, int]]:
    """The padding with which there are as many windows as ONNX has with `ceil_mode`."""
    if any(map(is_open, sizes)):
        raise NotNative("its padding depends on a size that is not known")
    return [
        (first, max(last, (windows - 1) * stride + width - size - first))
        for (first, last), size, width, stride, windows in zip(pairs, sizes, kernel, strides, after, strict=True)
    ]


@converts("GlobalAveragePool", "GlobalMaxPool")
def global_pooling(step: Step) -> None:
    plain, sizes = image(step, step.floats())
    layer = GlobalAveragePool() if step.node.op_type == "GlobalAveragePool" else layer_of(CONV, "global_max_pool")
    source = step.builder.add(layer, plain.source)
    first = (0,) if plain.batch_axis is not None else ()
    step.give(laid(plain, source, [plain.sizes[0], plain.sizes[-1]], [first, (1,), *(() for _ in sizes)]))


@converts("Resize", "Upsample")
def resize(step: Step) -> None:
    value = step.floats()
    factors, after = _factors(step, value)
    mode = step.attribute("mode", "nearest")
    upsample = step.node.op_type == "Upsample"
    transform = step.attribute("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        rounding = step.attribute("nearest_mode", "round_prefer_floor")
        # For whole factors both choose the element that an output lies within.
        fits = upsample or (transform, rounding) == ("asymmetric", "floor") or transform == "half_pixel"
    else:
        fits = mode == "linear" and transform in ("half_pixel", "pytorch_half_pixel") and not upsample
    if not fits or step.attribute("antialias", 0):
        raise NotNative(f"{mode} with {transform}")
    plain, _ = image(step, value)
    factor = one_or_several(factors)
    layer = layer_of(CONV, "upsample2d", scale_factor=factor, mode="bilinear" if mode == "linear" else "nearest")
    given(step, plain, layer, after, plain.sizes[-1])


def _factors(step: Step, value: Value) -> tuple[list[int], list[int]]:
    """By what an image is enlarged, and its sizes then.

    Raises:
        NotNative: not by whole numbers, or along other axes than those of an image.
    """
    if len(value.shape) != 4 or step.attribute("axes"):
        raise NotNative("other than the two axes of an image")
    after = shape_after(step)
    factors = []
    for size, wanted in zip(value.shape[2:], after, strict=True):
        if is_open(size) or wanted % size:
            raise NotNative("it enlarges by no whole number")
        factors.append(wanted // size)
    shape = step.kinds[0].shape
    assert shape is not None
    if shape[1] != value.shape[1] or shape[0] != value.shape[0]:
        raise NotNative("other than the two axes of an image")
    return factors, after

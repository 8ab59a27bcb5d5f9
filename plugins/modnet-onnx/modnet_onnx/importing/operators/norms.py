"""Normalizations, sums and means along axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array
from modnet.layers.norm import BatchNorm, LayerNorm, RMSNorm
from modnet_onnx.importing.building import numbers
from modnet_onnx.importing.laying import arithmetic, elementwise, laid, plainly, reduced
from modnet_onnx.importing.operators.pointwise import owner, scalar
from modnet_onnx.importing.step import Step, converts
from modnet_onnx.importing.values import NotNative, Value

SMALLEST = 1e-30
"""A length that is not 0."""

REDUCTIONS = {
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "product",
    "ReduceLogSumExp": "log_sum_exp",
    "ReduceL1": "sum",
    "ReduceL2": "sum",
    "ReduceSumSquare": "sum",
    "ReduceLogSum": "sum",
}
"""Operator -> operation of `reduce`, which for some is done to other numbers, or followed by a function."""


@converts(*REDUCTIONS)
def reduction(step: Step) -> None:
    operator, value = step.node.op_type, step.value()
    if not value.is_float and operator in ("ReduceMean", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"):
        raise NotNative("it computes with whole numbers")
    axes = step.integers("axes", 1)
    if axes == [] or axes is None:
        axes = [] if step.attribute("noop_with_empty_axes", 0) else list(range(len(value.shape)))
    axes = [value.positive(axis) for axis in axes]
    if operator == "ReduceL1":
        value = elementwise(step.builder, value, "abs")
    elif operator in ("ReduceL2", "ReduceSumSquare"):
        value = arithmetic(step.builder, "power", value, scalar(value, 2))
    value = reduced(step.builder, value, REDUCTIONS[operator], axes, bool(step.attribute("keepdims", 1)))
    if operator in ("ReduceL2", "ReduceLogSum"):
        value = elementwise(step.builder, value, "sqrt" if operator == "ReduceL2" else "log")
    step.give(value)


@converts("BatchNormalization")
def batch_norm(step: Step) -> None:
    if step.attribute("training_mode", 0) or any(step.wants(position) for position in range(1, 5)):
        raise NotNative("it is in training mode")
    if not step.attribute("spatial", 1):
        raise NotNative("statistics for each pixel")
    value = step.floats()
    value.whole(1)
    order = [axis for axis in value.of_samples() if axis != 1]
    plain = plainly(step.builder, value, [*order, 1])
    names = ("scale", "shift", "running_mean", "running_variance")
    arrays = {name: numbers(step.constant(position + 1)) for position, name in enumerate(names)}
    layer = BatchNorm(momentum=1 - step.attribute("momentum", 0.9), epsilon=step.attribute("epsilon", 1e-5))
    source = step.builder.add(layer, plain.source, arrays=arrays, name=owner(step.learned(1)))
    step.give(laid(plain, source, plain.sizes, plain.axes))


@converts("LayerNormalization")
def layer_norm(step: Step) -> None:
    if step.wants(1) or step.wants(2):
        raise NotNative("its mean is wanted")
    value = step.floats()
    first = value.positive(step.attribute("axis", -1))
    shape = value.shape[first:]
    scale, shift = (_of_shape(step, position, shape) for position in (1, 2))
    layer = LayerNorm(epsilon=step.attribute("epsilon", 1e-5), axes=len(shape))
    _normalized(step, value, first, layer, {"scale": scale, "shift": shift})


@converts("RMSNormalization")
def rms_norm(step: Step) -> None:
    value = step.floats()
    first = value.positive(step.attribute("axis", -1))
    if first != len(value.shape) - 1:
        raise NotNative("over several axes")
    layer = RMSNorm(epsilon=step.attribute("epsilon", 1e-5))
    _normalized(step, value, first, layer, {"scale": _of_shape(step, 1, value.shape[first:])})


def _of_shape(step: Step, position: int, shape: Sequence[int]) -> Array:
    """Weights, stretched to a shape; zeros where there are none."""
    found = np.zeros(shape) if not step.has(position) else numbers(step.constant(position))
    if len(shape) < found.ndim or any(a not in (1, b) for a, b in zip(found.shape[::-1], shape[::-1], strict=False)):
        raise NotNative("its weights have other axes than it goes over")
    return np.broadcast_to(found, shape)


def _normalized(step: Step, value: Value, first: int, layer: LayerNorm | RMSNorm, arrays: dict[str, Array]) -> None:
    inner = list(range(first, len(value.shape)))
    for axis in inner:
        value.whole(axis)
    order = [axis for axis in value.of_samples() if axis < first]
    plain = plainly(step.builder, value, [*order, *inner])
    source = step.builder.add(layer, plain.source, arrays=arrays, name=owner(step.learned(1)))
    step.give(laid(plain, source, plain.sizes, plain.axes))


@converts("InstanceNormalization")
def instance_norm(step: Step) -> None:
    value = step.floats()
    if len(value.shape) < 3:
        raise NotNative("an image without axes")
    centred = _centred(step, value, range(2, len(value.shape)), step.attribute("epsilon", 1e-5))
    shape = (-1, *(1 for _ in value.shape[2:]))
    for position, operation in ((1, "multiply"), (2, "add")):
        weights = step.constant(position).reshape(shape)
        name = step.learned(position)
        more = Value(name, value.dtype, weights.shape, weights, bool(name))
        centred = arithmetic(step.builder, operation, centred, more)  # type: ignore[arg-type]
    step.give(centred)


def _centred(step: Step, value: Value, axes: Sequence[int], epsilon: float) -> Value:
    """A tensor with the mean 0 and the variance 1 along these axes."""
    mean = reduced(step.builder, value, "mean", axes, keep=True)
    centred = arithmetic(step.builder, "subtract", value, mean)
    squares = arithmetic(step.builder, "multiply", centred, centred)
    variance = reduced(step.builder, squares, "mean", axes, keep=True)
    spread = elementwise(step.builder, arithmetic(step.builder, "add", variance, scalar(variance, epsilon)), "sqrt")
    return arithmetic(step.builder, "divide", centred, spread)


@converts("LpNormalization")
def lp_normalization(step: Step) -> None:
    value = step.floats()
    axis, order = value.positive(step.attribute("axis", -1)), step.attribute("p", 2)
    if order == 2:
        squares = arithmetic(step.builder, "multiply", value, value)
        length = elementwise(step.builder, reduced(step.builder, squares, "sum", [axis], keep=True), "sqrt")
    else:
        length = reduced(step.builder, elementwise(step.builder, value, "abs"), "sum", [axis], keep=True)
    # What is 0 stays 0.
    length = arithmetic(step.builder, "maximum", length, scalar(length, SMALLEST))
    step.give(arithmetic(step.builder, "divide", value, length))

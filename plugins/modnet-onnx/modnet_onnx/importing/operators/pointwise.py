"""Activations, functions of single numbers, arithmetic, comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from modnet.activations.gated import GELU, Mish, SiLU
from modnet.activations.rectified import ELU, SELU, SELU_ALPHA, SELU_SCALE, HardSwish, LeakyReLU, PReLU, ReLU
from modnet.activations.sigmoid import Sigmoid, Softplus, Tanh
from modnet.activations.softmax import LogSoftmax, Softmax
from modnet.layers.noise import Dropout
from modnet_onnx.importing.layers.arithmetic import Operation, Select
from modnet_onnx.importing.laying import arithmetic, combined, elementwise, laid, plainly, through
from modnet_onnx.importing.step import Step, converts
from modnet_onnx.importing.values import FLOATS, NotNative, Value

PLAIN: dict[str, Any] = {
    "Relu": ReLU(),
    "Sigmoid": Sigmoid(),
    "Tanh": Tanh(),
    "Softplus": Softplus(),
    "HardSwish": HardSwish(),
    "Mish": Mish(),
}
"""The activations without options."""

FUNCTIONS = {
    **{
        name: name.lower() for name in ("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh")
    },
    **{name: name.lower() for name in ("Erf", "Exp", "Floor", "Log", "Reciprocal", "Round", "Sign", "Sin", "Sinh")},
    **{name: name.lower() for name in ("Softsign", "Sqrt", "Tan", "Not")},
    "Neg": "negative",
    "IsNaN": "is_nan",
}
"""The functions without options -> formula of `elementwise`."""

WHOLE_TOO = ("Abs", "Neg", "Sign", "Not", "Ceil", "Floor", "Round")
"""The functions that give whole numbers for whole numbers."""


@converts(*PLAIN)
def activation(step: Step) -> None:
    value = step.value() if step.node.op_type == "Relu" else step.floats()
    step.give(through(step.builder, value, PLAIN[step.node.op_type]))


@converts(*FUNCTIONS)
def function(step: Step) -> None:
    value = step.value() if step.node.op_type in WHOLE_TOO else step.floats()
    step.give(elementwise(step.builder, value, FUNCTIONS[step.node.op_type]))


@converts("LeakyRelu")
def leaky_relu(step: Step) -> None:
    slope = step.attribute("alpha", 0.01)
    if not 0 <= slope <= 1:
        raise NotNative(f"a slope of {slope:g}")
    step.give(through(step.builder, step.floats(), LeakyReLU(negative_slope=slope)))


@converts("Elu")
def elu(step: Step) -> None:
    step.give(through(step.builder, step.floats(), ELU(alpha=step.attribute("alpha", 1.0))))


@converts("Selu")
def selu(step: Step) -> None:
    alpha, gamma = step.attribute("alpha", SELU_ALPHA), step.attribute("gamma", SELU_SCALE)
    if np.allclose([alpha, gamma], [SELU_ALPHA, SELU_SCALE], rtol=1e-5):
        step.give(through(step.builder, step.floats(), SELU()))
        return
    # gamma (elu(x) with this alpha)
    value = through(step.builder, step.floats(), ELU(alpha=alpha))
    step.give(arithmetic(step.builder, "multiply", value, scalar(value, gamma)))


@converts("Gelu")
def gelu(step: Step) -> None:
    layer = GELU(form="tanh") if step.attribute("approximate", "none") == "tanh" else GELU()
    step.give(through(step.builder, step.floats(), layer))


@converts("Swish")
def swish(step: Step) -> None:
    if step.attribute("alpha", 1.0) != 1.0:
        raise NotNative("a factor within the sigmoid")
    step.give(through(step.builder, step.floats(), SiLU()))


@converts("Celu", "ThresholdedRelu")
def with_alpha(step: Step) -> None:
    formula = {"Celu": "celu", "ThresholdedRelu": "thresholded_relu"}[step.node.op_type]
    step.give(elementwise(step.builder, step.floats(), formula, step.attribute("alpha", 1.0)))


@converts("HardSigmoid")
def hard_sigmoid(step: Step) -> None:
    numbers = step.attribute("alpha", 0.2), step.attribute("beta", 0.5)
    step.give(elementwise(step.builder, step.floats(), "hard_sigmoid", *numbers))


@converts("Shrink")
def shrink(step: Step) -> None:
    numbers = step.attribute("lambd", 0.5), step.attribute("bias", 0.0)
    step.give(elementwise(step.builder, step.floats(), "shrink", *numbers))


@converts("Clip")
def clip(step: Step) -> None:
    lowest, highest = -np.finfo(np.float32).max, np.finfo(np.float32).max
    bounds = []
    for name, position, default in (("min", 1, lowest), ("max", 2, highest)):
        given = float(step.constant(position).reshape(())) if step.has(position) else step.attribute(name, default)
        bounds.append(float(np.clip(given, lowest, highest)))
    step.give(elementwise(step.builder, step.value(), "clip", *bounds))


@converts("PRelu")
def prelu(step: Step) -> None:
    value = step.floats()
    slope = step.constant(1)
    padded = slope.reshape((1,) * (len(value.shape) - slope.ndim) + slope.shape)
    longer = [axis for axis, size in enumerate(padded.shape) if size != 1]
    if len(longer) > 1:
        raise NotNative("a slope for each of several axes")
    name = step.learned(1)
    if not longer:
        layer = PReLU(shared=True)
        source = step.builder.add(layer, value.source, arrays={"alpha": slope.reshape(())}, name=owner(name))
        step.give(laid(value, source, value.sizes, value.axes))
        return
    order = [axis for axis in value.of_samples() if axis != longer[0]]
    plain = plainly(step.builder, value, [*order, longer[0]])
    source = step.builder.add(PReLU(), plain.source, arrays={"alpha": slope.reshape(-1)}, name=owner(name))
    step.give(laid(plain, source, plain.sizes, plain.axes))


@converts("Softmax", "LogSoftmax")
def softmax(step: Step) -> None:
    value = step.floats()
    axis = value.positive(step.attribute("axis", -1 if step.version >= 13 else 1))
    if step.version < 13 and any(size != 1 for size in value.shape[axis + 1 :]):
        raise NotNative("over several axes at once")
    order = [other for other in value.of_samples() if other != axis]
    value.whole(axis)
    plain = plainly(step.builder, value, [*order, axis])
    step.give(through(step.builder, plain, Softmax() if step.node.op_type == "Softmax" else LogSoftmax()))


@converts("Dropout")
def dropout(step: Step) -> None:
    if step.wants(1):
        raise NotNative("its mask is wanted")
    if step.has(2) and bool(step.constant(2)):
        raise NotNative("it is in training mode")
    rate = float(step.constant(1).reshape(())) if step.has(1) else step.attribute("ratio", 0.5)
    value = step.floats()
    step.give(through(step.builder, value, Dropout(rate=rate)) if 0 < rate < 1 else value)


@converts("Identity")
def identity(step: Step) -> None:
    step.give(step.value())


@converts("Cast", "CastLike")
def cast(step: Step) -> None:
    value, target = step.value(), step.kinds[0].dtype
    if target in FLOATS:
        if target not in FLOATS[:2] and value.dtype != target:
            raise NotNative("it rounds to fewer digits")
        step.give(value)
    elif target == onnx.TensorProto.BOOL:
        if value.dtype != target:
            nought = elementwise(step.builder, value, "not")
            value = elementwise(step.builder, nought, "not")
        step.give(value)
    elif target in (onnx.TensorProto.INT32, onnx.TensorProto.INT64):
        step.give(elementwise(step.builder, value, "truncate") if value.is_float else value)
    else:
        raise NotNative("it makes numbers of a small range")


ARITHMETIC: dict[str, Operation] = {
    "Add": "add",
    "Sub": "subtract",
    "Mul": "multiply",
    "Div": "divide",
    "Pow": "power",
    "Max": "maximum",
    "Min": "minimum",
    "Sum": "add",
    "Mean": "add",
    "And": "and",
    "Or": "or",
    "Xor": "xor",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_or_equal",
    "Less": "less",
    "LessOrEqual": "less_or_equal",
}
"""Operator -> operation of `arithmetic`; those of any number of inputs go from one input to the next."""


def _is_constant(value: Value) -> bool:
    return not value.source


@converts(*ARITHMETIC)
def of_two(step: Step) -> None:
    values = (
        sorted((step.any(position) for position in range(step.count)), key=_is_constant)
        if step.count > 2
        else [step.any(position) for position in range(step.count)]
    )
    operation = ARITHMETIC[step.node.op_type]
    if operation in ("divide", "power") and not values[0].is_float:
        raise NotNative("it divides whole numbers, or raises them to a power")
    if step.version < 7 and step.attribute("broadcast", 0):
        raise NotNative("it is of a version before 7")
    found = values[0]
    for value in values[1:]:
        found = arithmetic(step.builder, operation, found, value)
    if step.node.op_type == "Mean" and len(values) > 1:
        found = arithmetic(step.builder, "multiply", found, scalar(found, 1 / len(values)))
    step.give(found)


@converts("Mod")
def modulo(step: Step) -> None:
    operation: Operation = "fmod" if step.attribute("fmod", 0) else "remainder"
    step.give(arithmetic(step.builder, operation, step.any(0), step.any(1)))


@converts("Where")
def where(step: Step) -> None:
    values = [step.any(position) for position in range(3)]
    if not any(value.source for value in values):
        raise NotNative("all its inputs are constants")
    step.give(combined(step.builder, values, lambda same: Select()).replace(dtype=values[1].dtype))


def scalar(like: Value, number: float) -> Value:
    """A number as a tensor."""
    return Value("", like.dtype, (), np.array(number))


def owner(name: str) -> str:
    """What a weight belongs to by its name: `fc1` for `fc1.weight`."""
    return name.rpartition(".")[0] if "." in name and "::" not in name else ""

"""The contract of a kernel: right ones pass, and each fault is found by its rule."""

import math

import numpy as np
import pytest

from modnet.activations import Tanh
from modnet.layers import LayerNorm, Linear
from modnet.losses import CrossEntropy
from modnet.optimizers import SGD
from modnet.testing import ContractError, check_kernel, examine_kernel


def always(kernel):
    """A maker that has the same kernel for everything."""
    return lambda component, dtype: kernel


def scale_free(layer, dtype):
    """A kernel of a linear layer's forward, for float32 alone."""
    if dtype != np.float32:
        return None

    def forward(context, x):
        context.save(x)
        return x @ context.params["weight"] + context.params["bias"]

    return forward


def descent(optimizer, dtype):
    def update(chunk, step):
        chunk.parameter -= step.learning_rate * (chunk.gradient + step.weight_decay * chunk.parameter)

    update.whole = True
    return update


@pytest.mark.parametrize(
    ("maker", "component", "method", "shapes"),
    [
        (lambda layer, dtype: layer.forward, Linear(out_features=2), "forward", [(4,)]),
        (scale_free, Linear(out_features=2), "forward", [(4,)]),
        (lambda layer, dtype: layer.backward, LayerNorm(), "backward", [(None, 3)]),
        (lambda loss, dtype: loss.joint, CrossEntropy(), "joint", []),
        (descent, SGD(), "update", []),
        (lambda optimizer, dtype: optimizer.update, SGD(momentum=0.9), "update", []),
    ],
    ids=["a layer's own", "float32 alone", "backward", "a loss", "an optimizer, whole", "an optimizer, in chunks"],
)
def test_what_does_the_same_passes(maker, component, method, shapes):
    report = check_kernel(maker, component, method, *shapes)
    assert (report.kind, report.type) == ("kernel", f"{component.kind}.{component.type}.{method}")
    assert {row.rule: row.status for row in report.rows}["agrees"] == "passed"


def tanh(context, x):
    y = np.tanh(x, out=context.buffer(x.shape))
    context.save(None, y)
    return y


def double(context, x):
    return tanh(context, x.astype(np.float64)).astype(np.float64)


def in_place(context, x):
    y = tanh(context, x).copy()
    np.copyto(x, y)
    context.save(None, y)
    return y


def as_it_lies(context, x):
    y = np.tanh(x.ravel(order="K")).reshape(x.shape)
    context.save(None, y)
    return y


def nothing_saved(context, x):
    return np.tanh(x)


def first_row(context, x):
    tanh(context, x[0])
    return tanh(context, x)


def no_decay(chunk, step):
    chunk.parameter -= step.learning_rate * chunk.gradient


def of_the_first_class(context, logits, target):
    values, gradient = CrossEntropy().joint(context, logits, np.zeros_like(target))
    return values, gradient


@pytest.mark.parametrize(
    ("maker", "component", "method", "rule", "text"),
    [
        (
            always(tanh),
            Tanh(),
            "derivative",
            "offered",
            "the method is derivative; for this activation the engine uses kernels of forward and backward only",
        ),
        (
            always("fast"),
            Tanh(),
            "forward",
            "offered",
            "for float32 the function gives a str, expected a function or None",
        ),
        (lambda layer, dtype: 1 / 0, Tanh(), "forward", "offered", "for float32: ZeroDivisionError"),
        (always(lambda context, x: x), Tanh(), "forward", "agrees", "float32, "),
        (always(double), Tanh(), "forward", "agrees", "the output is float64, expected float32"),
        (always(nothing_saved), Tanh(), "forward", "agrees", "float32, ValueError"),
        (always(first_row), Tanh(), "forward", "agrees", "IndexError: index 0 is out of bounds"),
        (
            always(as_it_lies),
            Tanh(),
            "forward",
            "strides",
            "Fortran order, training with 8 samples: the output: relative",
        ),
        (always(in_place), Tanh(), "forward", "leaves its inputs alone", "the kernel overwrites 48 of 48 numbers"),
        (always(no_decay), SGD(), "update", "agrees", "12 steps of 64 numbers: the parameter: relative difference "),
        (always(of_the_first_class), CrossEntropy(), "joint", "agrees", "values: relative difference "),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_fault_is_found_by_its_rule(maker, component, method, rule, text):
    shapes = [(6,)] if component.kind == "activation" else []
    failures = examine_kernel(maker, component, method, *shapes).failures
    assert [row.rule for row in failures] == [rule]
    assert text in failures[0].text
    assert failures[0].remedy


def test_the_error_names_kernel_and_configuration():
    with pytest.raises(ContractError) as caught:
        check_kernel(always(lambda context, x: math.nan * x), Tanh(), "forward", (3,))
    assert str(caught.value).startswith('kernel "activation.tanh.forward" for Tanh() on (3,) breaks 1 rule:')


def test_none_for_a_configuration_is_no_fault():
    report = check_kernel(always(None), Tanh(), "forward", (3,))
    assert {row.status for row in report.rows} == {"not applicable"}

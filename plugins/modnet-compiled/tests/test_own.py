"""A stranger's layer: made of the operations that there are, or with C of its own."""

from __future__ import annotations

import numpy as np
import pytest
from cases import check
from modnet_compiled.operations import Value
from modnet_compiled.writer import Writer

import modnet
from modnet.arrays import Array, Shape
from modnet.initializers import Ones
from modnet.kinds.context import Context

X = np.random.default_rng(0).standard_normal((70, 5))


class CReLU(modnet.Layer, type="test_crelu"):
    """max(x, 0) beside max(-x, 0)."""

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return (2 * input_shapes[0][0],)

    def forward(self, context: Context, x: Array) -> Array:
        return np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis=1)

    def compiled(self, writer: Writer, x: Value) -> Value:
        other = writer.affine(x, np.full(x.size, -1, writer.dtype))
        return writer.concatenated([writer.activation(x, "relu"), writer.activation(other, "relu")], 0)


class Logistic(modnet.Layer, type="test_steps"):
    """The logistic map, so many times."""

    times: int = 3

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def parameters(self, *input_shapes: Shape):
        return {"rate": modnet.Parameter((input_shapes[0][-1],), Ones())}

    def forward(self, context: Context, x: Array) -> Array:
        for _ in range(self.times):
            x = context.params["rate"] * x * (1 - x)
        return x

    def compiled(self, writer: Writer, x: Value) -> Value:
        numbers, arrays = [x.size, self.times], [writer.params["rate"]]
        return writer.own(self.SOURCE, [x], x.shape, numbers=numbers, arrays=arrays)

    SOURCE = """
    int64_t operate(const call *job) {
        const int64_t features = job->op->n[0];
        const real *x = job->from, *rate = job->op->p[0];
        real *y = job->to;
        for (int64_t i = 0; i < job->samples * features; i++) {
            y[i] = x[i];
            for (int64_t k = 0; k < job->op->n[1]; k++)
                y[i] = rate[i % features] * y[i] * (1 - y[i]);
        }
        return 0;
    }
    """


@pytest.fixture
def registry():
    made = modnet.Registry()
    made.register(CReLU)
    made.register(Logistic)
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_own_layers(registry, dtype):
    layers = [
        {"type": "linear", "out_features": 5},
        "test_crelu",
        {"type": "linear", "out_features": 3, "activation": "sigmoid"},
        "test_steps",
    ]
    network = modnet.build({"network": {"input": [5], "layers": layers, "dtype": dtype}}, registry=registry)
    check(network, X)


def test_faults_of_own_code():
    writer = Writer(np.dtype(np.float32))
    with pytest.raises(modnet.ModnetError, match="no function `int64_t operate"):
        writer.own("int x;", [writer.value((3,))], (3,))
    with pytest.raises(modnet.ModnetError, match=r"cannot compile this: .*nonsense"):
        writer.own("nonsense!", [writer.value((3,))], (3,))

"""Random chains of operators that look at numbers in another way, beside onnx's reference implementation."""

import numpy as np
import pytest
from modnet_onnx.importing.reading import imported
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

SIZES = (2, 3, 4, 6)


class Chain:
    """A graph that grows at its end, with what comes out of it for two samples."""

    def __init__(self, rng):
        self.rng = rng
        self.shape = [5, *(int(size) for size in rng.choice(SIZES, 3))]
        self.nodes, self.stored, self.name = [], [], "x"
        self.batch = 0

    def add(self, operator, *more, **attributes):
        stored = [
            numpy_helper.from_array(np.asarray(array), f"c{len(self.stored) + n}") for n, array in enumerate(more)
        ]
        self.stored += stored
        made = f"t{len(self.nodes)}"
        names = [given.name for given in stored]
        self.nodes.append(helper.make_node(operator, [self.name, *names], [made], **attributes))
        self.name = made

    def transpose(self):
        order = self.rng.permutation(len(self.shape))
        self.add("Transpose", perm=[int(axis) for axis in order])
        self.shape = [self.shape[axis] for axis in order]
        self.batch = list(order).index(self.batch)

    def split(self):
        axis = int(self.rng.integers(len(self.shape)))
        if axis != self.batch and self.shape[axis] in (4, 6):
            self.reshape([*self.shape[:axis], 2, self.shape[axis] // 2, *self.shape[axis + 1 :]], axis, 1)

    def join(self):
        axis = int(self.rng.integers(len(self.shape) - 1))
        if self.batch not in (axis, axis + 1) and len(self.shape) > 2:
            joined = self.shape[axis] * self.shape[axis + 1]
            self.reshape([*self.shape[:axis], joined, *self.shape[axis + 2 :]], axis, -1)

    def swap(self):
        """Two axes with each other's sizes, which moves numbers."""
        axis = int(self.rng.integers(len(self.shape) - 1))
        if self.batch not in (axis, axis + 1):
            self.reshape([*self.shape[:axis], self.shape[axis + 1], self.shape[axis], *self.shape[axis + 2 :]], axis, 0)

    def reshape(self, shape, axis, more):
        wanted = list(shape)
        if self.batch > axis:
            self.batch += more
        wanted[self.batch] = -1
        self.add("Reshape", np.array(wanted))
        self.shape = list(shape)

    def wider(self):
        if len(self.shape) < 6:
            axis = int(self.rng.integers(len(self.shape) + 1))
            self.add("Unsqueeze", np.array([axis]))
            self.shape.insert(axis, 1)
            self.batch += axis <= self.batch

    def narrower(self):
        ones = [axis for axis, size in enumerate(self.shape) if size == 1]
        if ones:
            self.add("Squeeze", np.array([ones[0]]))
            del self.shape[ones[0]]
            self.batch -= ones[0] < self.batch

    def bias(self):
        axis = int(self.rng.integers(len(self.shape)))
        if axis != self.batch:
            shape = [size if at >= axis and at != self.batch else 1 for at, size in enumerate(self.shape)]
            self.add("Add", self.rng.standard_normal(shape).astype(np.float32))

    def mean(self):
        axis = int(self.rng.integers(len(self.shape)))
        if axis != self.batch and len(self.shape) > 2:
            self.add("ReduceMean", np.array([axis]), keepdims=1)
            self.shape[axis] = 1

    def multiply(self):
        if self.batch != len(self.shape) - 1:
            self.add("MatMul", self.rng.standard_normal((self.shape[-1], 3)).astype(np.float32))
            self.shape[-1] = 3

    def softmax(self):
        axis = int(self.rng.integers(len(self.shape)))
        if axis != self.batch:
            self.add("Softmax", axis=axis)

    def model(self, given):
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *given[1:]])]
        outputs = [helper.make_tensor_value_info(self.name, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "chain", inputs, outputs, self.stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


MOVES = (
    *("transpose", "transpose", "split", "join", "swap", "wider", "narrower"),
    *("bias", "mean", "multiply", "softmax"),
)


@pytest.mark.parametrize("seed", range(60))
def test_random_chains(seed):
    rng = np.random.default_rng(seed)
    chain = Chain(rng)
    given = list(chain.shape)
    for move in rng.choice(MOVES, 12):
        getattr(chain, move)()
    chain.add("Relu")
    model = chain.model(given)
    x = rng.standard_normal(given).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    result = imported(model)
    assert result.delegated == [], result.reasons
    (axis,) = result.outputs.values()
    assert axis == chain.batch
    found = np.moveaxis(result.network.forward(x), 0, axis)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-5)

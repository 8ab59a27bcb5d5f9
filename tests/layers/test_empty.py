"""No rows, no steps: every layer gives the right empty result, or says by a ShapeError that it needs some."""

import contextlib

import numpy as np
import pytest

import modnet
from modnet.engine.passes import Pass
from modnet.kinds.layer import Layer
from modnet.plugins.kernels import NUMPY_ONLY
from modnet.plugins.registry import Registry
from modnet.testing.examples import examples_of

REGISTRY = Registry()
EXAMPLES = [
    pytest.param(example, id=f"{example.component} {example.input_shapes}")
    for entry in REGISTRY.entries(Layer)
    for example in examples_of(entry.load())
]


def run(layer, shapes, batch, training, kernels):
    """Both passes; warnings are errors here, and nan is looked for."""
    inputs = {f"x{number}": shape for number, shape in enumerate(shapes)}
    node = {"type": layer.type, **vars(layer), "inputs": list(inputs)}
    network = modnet.build({"network": {"input": inputs, "layers": [node]}}, registry=REGISTRY)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((batch, *(axis or 0 for axis in shape))).astype(np.float32) for shape in shapes]
    if layer.integer_input:
        arrays = [np.zeros(array.shape, np.intp) for array in arrays]
    state = network.state.flat.copy()
    gradients = network.parameters.like() if training else None
    slot = network.graph.outputs["output"]
    passing = Pass(network, [slot], training=training, gradients=gradients, rng=rng, kernels=kernels)
    (output,) = passing.forward(arrays)
    assert len(output) == batch
    assert np.isfinite(output).all()
    if gradients is not None:
        passing.backward([np.ones_like(output)])
        assert np.isfinite(gradients.flat).all()
    if not output.size or not batch:
        np.testing.assert_array_equal(network.state.flat, state)
    return output


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
def test_no_rows(example, training):
    """Kernels agree with numpy on batches of no rows, as `check_kernel` asks of each."""
    output = run(example.component, [tuple(a or 3 for a in s) for s in example.input_shapes], 0, training, NUMPY_ONLY)
    assert len(output) == 0


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
@pytest.mark.parametrize("kernels", [REGISTRY.kernels, NUMPY_ONLY], ids=["kernels", "numpy"])
@pytest.mark.parametrize("axes", [1, 2])
def test_no_steps(example, training, kernels, axes):
    """A variable axis, or two, that turn out to be 0 long."""
    layer = example.component
    count = 0 if layer.integer_input else 1
    shapes = [
        (None,) * min(axes, len(shape) - count) + shape[min(axes, len(shape) - count) :]
        for shape in example.input_shapes
    ]
    with contextlib.suppress(modnet.ShapeError, modnet.SpecError):
        run(layer, shapes, 2, training, kernels)

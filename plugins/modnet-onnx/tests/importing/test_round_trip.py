"""What was read from ONNX is written to ONNX again, and gives the same."""

import numpy as np
import pytest

import modnet
from modnet.testing.examples import examples_of
from modnet.testing.given import Given

pytest.importorskip("onnxruntime")

import onnx
from comparing import difference, expected, exported
from modnet_onnx.importing.layers.arithmetic import Arithmetic, Select
from modnet_onnx.importing.layers.axes import Broadcast, Constant, Pad, Take, Transpose
from modnet_onnx.importing.layers.elementwise import Elementwise
from modnet_onnx.importing.layers.products import MatMul
from modnet_onnx.importing.layers.reduction import Reduce
from modnet_onnx.importing.reading import imported

LAYERS = (Arithmetic, Broadcast, Constant, Elementwise, MatMul, Pad, Reduce, Select, Take, Transpose)

EXAMPLES = [(f"{cls.type}-{number}", found) for cls in LAYERS for number, found in enumerate(examples_of(cls))]


@pytest.mark.parametrize("example", [example for _, example in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_layers(example, tmp_path):
    given = Given(example) if example.data is not None else None
    shapes = given.shapes if given else example.input_shapes
    ids = example.component.integer_input
    rng = np.random.default_rng(0)

    def drawn(shape):
        size = (5, *(3 if n is None else n for n in shape))
        return rng.integers(0, 2, size) if ids else rng.standard_normal(size).astype(np.float32)

    arrays = [x.astype(np.float32) for x in given.rows(5)[0]] if given else [drawn(shape) for shape in shapes]
    inputs = {f"x{place}": ["variable" if n is None else n for n in shape] for place, shape in enumerate(shapes)}
    node = modnet.Node(layer=example.component, name="it", inputs=tuple(inputs))
    network = modnet.build({"network": {"input": inputs, "layers": [node]}})
    network.parameters.flat[...] = 0.5
    modnet.save(network, tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    ours = network.forward(dict(zip(inputs, arrays, strict=True)))
    assert difference([ours], expected(model, *arrays)) < 1e-5
    again = imported(model)
    if isinstance(example.component, Pad) and None in shapes[0]:
        # How long a variable axis is with more at its ends, is not known; and onnx cannot run what leaves elements out.
        assert again.delegated == ["Pad"]
        return
    assert again.delegated == []
    theirs = again.network.forward(dict(zip(again.network.inputs, arrays, strict=True)))
    assert np.allclose(theirs, ours, atol=1e-5)


@pytest.mark.parametrize("name", ["cnn", "lstm_both_ways", "gpt"])
def test_networks(name, tmp_path):
    torch = pytest.importorskip("torch")
    from architectures import ARCHITECTURES

    torch.manual_seed(0)
    module, example = (make() for make in ARCHITECTURES[name])
    network = imported(exported(module, example, tmp_path, dynamo=False, variable=True)).network
    modnet.save(network, tmp_path / "again.onnx")
    x = example.numpy()
    model = onnx.load(tmp_path / "again.onnx")
    assert difference([network.forward(x)], expected(model, x)) < 1e-5
    again = imported(model)
    assert again.delegated == []
    assert np.allclose(again.network.forward(x), network.forward(x), atol=1e-5)

"""What every component keeps, asked of all that the registry knows: a new one is tested by being there."""

import numpy as np
import pytest

from modnet import Composite, Layer
from modnet.kinds import GROUPS, KINDS
from modnet.kinds.activation import Activation
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.registry import Registry
from modnet.testing.examples import examples_of
from modnet.testing.gradients import layer_context, layer_inputs

REGISTRY = Registry(list)
CLASSES = [REGISTRY.find(KINDS[kind], name) for kind, group in GROUPS.items() for name in BUILTIN[group]]
LAYERS = [
    pytest.param(example, id=f"{example.component} {' '.join(map(str, example.input_shapes))}")
    for cls in CLASSES
    if issubclass(cls, Layer)
    for example in examples_of(cls)
]
SIMPLE = [parameter for parameter in LAYERS if not isinstance(parameter.values[0].component, Composite)]


def promises(layer):
    """Whether a layer that is no activation, which have tests of their own, says what its output holds."""
    return not isinstance(layer, Activation) and (layer.keeps_numbers or layer.output_range is not None)


@pytest.mark.parametrize("example", [p for p in SIMPLE if promises(p.values[0].component)])
def test_the_output_holds_what_the_layer_promises(example):
    layer = example.component
    shapes = [tuple(3 if axis is None else axis for axis in shape) for shape in example.input_shapes or ((6,),)]
    context = layer_context(layer, *shapes, seed=0)
    for array in context.params.values():
        array *= 1000
    small = layer_inputs(layer, *shapes, batch=32)
    layer.prepare(context, [(small[0], None)])
    inputs = [x * 1000 if x.dtype.kind == "f" else x for x in small]
    output = layer.forward(context, *inputs)
    if layer.keeps_numbers:
        assert np.isin(output, inputs[0]).all()
    if layer.output_range is not None:
        lowest, highest = layer.output_range
        assert lowest <= output.min() < max(lowest + 1e-3, -100)
        assert min(highest - 1e-3, 100) < output.max() <= highest


class NewArray(Activation, type="new_array"):
    """Does not write into `out`, which is not noticed before the calls are repeated."""

    def function(self, x, out):
        return np.tanh(x)


def test_an_activation_gives_the_array_that_it_was_given():
    context = layer_context(NewArray(), (3,))
    with pytest.raises(TypeError, match="function gives another array; expected that it writes into out"):
        NewArray().forward(context, np.zeros((1, 3)))


@pytest.mark.parametrize("given", [2, (2,), ("first", "second"), (3, 2)])
def test_the_number_of_inputs_is_the_fewest_and_the_most(given):
    with pytest.raises(TypeError, match=r"Two.inputs is .*; expected the fewest and the most inputs: \(2, 2\) for two"):
        type("Two", (Layer,), {"inputs": given})


def test_outputs_are_names():
    with pytest.raises(TypeError, match=r'Two.outputs is 2; expected the names of several outputs: \("sequence"'):
        type("Two", (Layer,), {"outputs": 2})


@pytest.mark.parametrize(
    ("kind", "name"), [("layer", "inputs"), ("layer", "type"), ("loss", "values"), ("metric", "check")]
)
def test_an_option_has_no_name_that_every_component_of_its_kind_has(kind, name):
    with pytest.raises(TypeError, match=f"It.{name}: an annotation makes it an option, but every {kind} has {name}"):
        type("It", (KINDS[kind],), {"__annotations__": {name: int}, name: 1})

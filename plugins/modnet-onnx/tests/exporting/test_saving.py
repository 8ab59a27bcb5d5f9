"""modnet.save: what is written, what is refused, and how a component of somebody else is exported."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from cases import check
from modnet_onnx.exporting.model import NEWEST, CannotExport

import modnet
from modnet import Activation
from modnet.errors import DataError, ModelFileError
from modnet.layers.linear import Linear
from modnet.testing.networks import chain


class Halve(Activation, type="halve"):
    """y = x / 2, which says how ONNX computes it."""

    def function(self, x, out):
        return np.multiply(x, 0.5, out=out)

    def derivative(self, x, y, out):
        out.fill(0.5)
        return out

    def to_onnx(self, writer, x):
        return writer.op("Mul", x, 0.5)


class Cube(Activation, type="cube"):
    """y = x^3, of which ONNX knows nothing."""

    def function(self, x, out):
        return np.power(x, 3, out=out)

    def derivative(self, x, y, out):
        return np.multiply(3, x * x, out=out)


class Doubled(Linear, type="doubled"):
    """Twice what a linear layer gives: its export would be wrong here."""

    def forward(self, context, x):
        return 2 * super().forward(context, x)


class Wide(Linear, type="wide"):
    """A linear layer with another name, whose export is right here."""


def network(*layers, **more):
    registry = modnet.Registry()
    for cls in (Broken, Halve, Cube, Doubled, Wide):
        registry.register(cls)
    spec = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}, *layers], **more}}
    return modnet.build(spec, registry=registry)


class Broken(Halve, type="broken"):
    """Its export is none."""

    fault: int = 0

    def to_onnx(self, writer, x):
        if self.fault == 1:
            raise DataError("it is Tuesday")
        return writer.opp("Mul", x, 0.5) if self.fault else (x, x)


X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


def test_a_component_exports_itself():
    check(network("halve"), {"input": X})
    check(network("halve", {"type": "wide", "out_features": 2}, members=2), {"input": X})


def test_all_that_cannot_be_exported_is_told_before_anything_is_written(tmp_path):
    made = network("cube", {"type": "doubled", "out_features": 2, "name": "last"}, members=2)
    path = tmp_path / "m.onnx"
    path.write_bytes(b"before")
    with pytest.raises(CannotExport) as caught:
        modnet.save(made, path)
    assert str(caught.value).splitlines()[1:] == [
        f"  network.layers[1] (cube): {__name__}.Cube has no method to_onnx",
        f"  network.layers[2] (doubled): {__name__}.Doubled has no method to_onnx",
    ]
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (0, modnet.BrokenPlugin, 'gave ["linear_1/Gemm", "linear_1/Gemm"]; expected the name of a value'),
        (1, CannotExport, "\n  network.layers[1] (broken): it is Tuesday"),
        (2, modnet.BrokenPlugin, "its export to ONNX raised AttributeError: 'Writer' object has no attribute 'opp'"),
    ],
)
def test_an_export_that_fails_names_its_component(tmp_path, fault, error, message):
    with pytest.raises(error) as caught:
        modnet.save(network({"type": "broken", "fault": fault}), tmp_path / "m.onnx")
    assert message in str(caught.value)
    assert "network.layers[1] (broken)" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 16}, f"opset: expected 17 to {NEWEST}, by default 21, found 16"),
        ({"opset": "18"}, "opset: expected 17"),
        ({"opset": True}, "opset: expected 17"),
        ({"dtype": "half"}, 'dtype: expected float16, float32 or float64, by default the network\'s, found "half"'),
        ({"inputs": "rows"}, "inputs: expected columns, or encoded"),
        ({"opsets": 18}, '"opsets" is no option of .onnx files, which have opset (17 to'),
    ],
)
def test_options(tmp_path, options, message):
    with pytest.raises(ModelFileError) as caught:
        modnet.save(network(), tmp_path / "m.onnx", options=options)
    assert message in str(caught.value)


def test_the_options_are_kept(tmp_path):
    path = tmp_path / "M.ONNX"
    modnet.save(network(), path, options={"opset": 18, "dtype": "float16"})
    model = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert {value.data_type for value in model.graph.initializer} == {onnx.TensorProto.FLOAT16}
    assert model.producer_name == "modnet"


def test_a_number_beyond_float16(tmp_path):
    made = network()
    made.parameters["linear_1.weight"][0, 0] = 1e6
    with pytest.raises(CannotExport, match=r"linear_1.weight: 1e\+06 is beyond what float16 can hold"):
        modnet.save(made, tmp_path / "m.onnx", options={"dtype": "float16"})


def test_the_same_network_gives_the_same_bytes(tmp_path):
    made = chain([{"type": "lstm", "hidden_size": 3}, {"type": "linear", "out_features": 2}], ["variable", 4])
    modnet.save(made, tmp_path / "first.onnx")
    modnet.save(made, tmp_path / "second.onnx")
    assert (tmp_path / "first.onnx").read_bytes() == (tmp_path / "second.onnx").read_bytes()


def test_several_inputs_and_outputs():
    spec = {
        "network": {
            "input": {"left": [3], "right": [3]},
            "layers": [
                {"type": "add", "inputs": ["left", "right"], "name": "sum"},
                {"type": "identity", "inputs": ["left"], "name": "same"},
            ],
            "outputs": ["sum", "same"],
        }
    }
    check(modnet.build(spec), {"left": X, "right": X + 1})

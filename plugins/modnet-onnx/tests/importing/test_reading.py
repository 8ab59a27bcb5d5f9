"""Graphs that are written down: what becomes layers, what onnx runs, what is refused."""

import numpy as np
import onnx
import pytest
from modnet_onnx.importing.graph import NotImportable
from modnet_onnx.importing.reading import imported
from onnx import TensorProto, helper, numpy_helper

import modnet

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)


def model(*nodes, inputs=(X,), outputs=(Y,), **weights):
    stored = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def types(result):
    return [node.type for node in result.network.graph.nodes]


def test_transposes_move_nothing():
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
        helper.make_node("Relu", ["t"], ["r"]),
        helper.make_node("Transpose", ["r"], ["y"], perm=[1, 0]),
    ]
    assert types(imported(model(*nodes))) == ["relu"]


def test_reshapes_that_split_and_join_axes_move_nothing():
    shapes = {"split": np.array([0, 2, 2]), "joined": np.array([0, 4])}
    nodes = [
        helper.make_node("Reshape", ["x", "split"], ["t"]),
        helper.make_node("Relu", ["t"], ["r"]),
        helper.make_node("Reshape", ["r", "joined"], ["y"]),
    ]
    result = imported(model(*nodes, **shapes))
    assert result.delegated == []
    x = np.arange(8, dtype=np.float32).reshape(2, 4) - 3
    assert np.array_equal(result.network.forward(x), np.maximum(x, 0))


def test_what_modnet_has_no_layer_for_is_run_by_onnx_as_one_part():
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("CumSum", ["r", "axis"], ["c"]),
        helper.make_node("Hardmax", ["c"], ["h"]),
        helper.make_node("Neg", ["h"], ["y"]),
    ]
    result = imported(model(*nodes, axis=np.array(1)))
    assert result.delegated == ["CumSum", "Hardmax"]
    assert types(result) == ["relu", "onnx_graph", "elementwise"]
    x = np.array([[1, 2, -3, 4]], np.float32)
    assert np.array_equal(result.network.forward(x), [[0, 0, 0, -1]])


def test_a_part_that_onnx_runs_is_in_the_model_file(tmp_path):
    result = imported(model(helper.make_node("CumSum", ["x", "axis"], ["y"]), axis=np.array(1)))
    modnet.save(result.network, tmp_path / "m.modnet")
    x = np.ones((3, 4), np.float32)
    assert np.array_equal(modnet.load(tmp_path / "m.modnet").forward(x), np.tile([1, 2, 3, 4], (3, 1)))


def test_what_cannot_be_read_is_listed_at_once():
    texts = helper.make_tensor_value_info("texts", TensorProto.STRING, ["n"])
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["b"])], "branch", [], [helper.make_tensor_value_info("b", 1, None)]
    )
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    with pytest.raises(
        NotImportable, match=r"the operator If \(control flow\); the input texts, which consists of string"
    ):
        imported(model(*nodes, inputs=[X, texts], c=np.array(True)))


def test_a_file_with_the_columns_of_a_table_says_what_can_be_read(tmp_path):
    rows = [{"size": place, "kind": "ab"[place % 2], "sort": "xy"[place % 2]} for place in range(20)]
    layers = [{"type": "linear", "out_features": 2}, "softmax"]
    spec = {
        "network": {"input": [3], "layers": layers},
        "training": {"loss": "cross_entropy", "epochs": 1},
        "data": {"target": "sort"},
    }
    network = modnet.train(spec, rows).network
    modnet.save(network, tmp_path / "columns.onnx")
    with pytest.raises(modnet.DataError, match=r"use the model file .*, or write it with the option inputs=encoded"):
        modnet.load(tmp_path / "columns.onnx")
    modnet.save(network, tmp_path / "encoded.onnx", options={"inputs": "encoded"})
    assert modnet.load(tmp_path / "encoded.onnx").forward([[0, 0, 1]]).shape == (1, 2)


def test_an_output_of_texts_is_refused():
    kind = helper.make_tensor_value_info("y", TensorProto.STRING, None)
    nodes = [
        helper.make_node("ArgMax", ["x"], ["a"], axis=1),
        helper.make_node("Cast", ["a"], ["y"], to=TensorProto.STRING),
    ]
    with pytest.raises(NotImportable, match="the output y: y consists of string"):
        imported(model(*nodes, outputs=[kind]))


def test_a_file_that_is_no_model(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(modnet.DataError, match="cannot be read as an ONNX model"):
        modnet.load(tmp_path / "m.onnx")


def test_several_outputs_keep_their_names():
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["y"], ["second::out"])]
    more = helper.make_tensor_value_info("second::out", TensorProto.FLOAT, None)
    result = imported(model(*nodes, outputs=[Y, more]))
    found = result.network.forward(np.array([[1, -2, 3, 0]], np.float32))
    assert {name: values.tolist() for name, values in found.items()} == {
        "y": [[1, 0, 3, 0]],
        "second_out": [[-1, 0, -3, 0]],
    }


def test_a_part_for_one_sample_is_run_for_each():
    one = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    result = imported(model(helper.make_node("CumSum", ["x", "axis"], ["y"]), inputs=[one], axis=np.array(1)))
    assert np.array_equal(result.network.forward(np.ones((3, 4))), np.tile([1, 2, 3, 4], (3, 1)))


def test_loading_warns_of_what_onnx_has_to_run(tmp_path):
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    part = model(helper.make_node("CumSum", ["x", "axis"], ["y"]), outputs=[output], axis=np.array(1))
    onnx.save(part, tmp_path / "m.onnx")
    with pytest.warns(UserWarning, match="modnet has no layers for CumSum; onnx's reference implementation runs them"):
        network = modnet.load(tmp_path / "m.onnx")
    assert np.array_equal(network.forward(np.ones((1, 4))), [[1, 2, 3, 4]])


def test_convert(tmp_path, monkeypatch):
    cli = pytest.importorskip("click.testing")
    from modnet.cli.app import cli as command

    weights = {"fc.weight": np.ones((4, 2), np.float32), "fc.bias": np.ones(2, np.float32)}
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    node = helper.make_node("Gemm", ["x", "fc.weight", "fc.bias"], ["y"])
    onnx.save(model(node, outputs=[output], **weights), tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    result = cli.CliRunner().invoke(command, ["convert", "m.onnx", "m.modnet"])
    assert result.exit_code == 0, result.output
    network = modnet.load("m.modnet")
    assert list(network.parameters) == ["fc.weight", "fc.bias"]
    assert np.array_equal(network.forward(np.ones((1, 4))), [[5, 5]])

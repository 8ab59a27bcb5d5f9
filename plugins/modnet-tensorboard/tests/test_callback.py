"""What the callback writes, read back from its files."""

import struct

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

import modnet

LAYERS = [
    "standardize",
    {"type": "linear", "out_features": 4, "activation": "relu"},
    {"type": "residual", "layers": [{"type": "linear", "out_features": 4}, "batch_norm"]},
    {"type": "linear", "out_features": 2},
    "softmax",
]
SPEC = {
    "network": {"input": [3], "layers": LAYERS},
    "training": {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 3, "optimizer": "adam"},
}


def train(folder, epochs=3, more=(), resume=None, **options):
    rng = np.random.default_rng(0)
    callbacks = [{"type": "tensorboard", "directory": str(folder), **options}, *more]
    x, y = rng.standard_normal((40, 3)), rng.integers(0, 2, 40)
    return modnet.train(SPEC, x, y, validation=0.2, epochs=epochs, callbacks=callbacks, resume=resume)


def events(folder):
    """The events of a run: records of a length, a checksum, the event, another checksum."""
    for path in sorted(folder.glob("events*")):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            yield Event.FromString(content[place + 12 : place + 12 + length])
            place += length + 16


def scalars(folder):
    found = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_the_figures_of_every_epoch(tmp_path):
    history = train(tmp_path)
    found = scalars(tmp_path / "run_1")
    assert set(found) == {
        *("loss/training", "loss/validation", "accuracy/training", "accuracy/validation", "learning_rate", "seconds")
    }
    for tag, figure in {"loss/training": "loss", "accuracy/validation": "validation_accuracy"}.items():
        assert list(found[tag]) == [1, 2, 3]
        np.testing.assert_allclose(list(found[tag].values()), history[figure], rtol=1e-6)


def histograms(folder):
    return {
        (value.tag, event.step): value.histo
        for event in events(folder)
        for value in event.summary.value
        if value.WhichOneof("value") == "histo"
    }


def test_histograms_of_parameters_and_gradients(tmp_path):
    history = train(tmp_path)
    found = histograms(tmp_path / "run_1")
    names = {f"{group}/{name}" for group in ("parameters", "gradients") for name in history.network.parameters}
    assert set(found) == {(name, epoch) for name in names for epoch in (1, 2, 3)}
    weight = history.network.parameters["linear_1.weight"]
    last = found["parameters/linear_1.weight", 3]
    assert (last.min, last.max, last.num) == (weight.min(), weight.max(), weight.size)
    assert last.sum == pytest.approx(weight.sum(), abs=1e-5)
    assert found["gradients/linear_1.weight", 3].sum_squares > 0


def test_histograms_every_few_epochs_or_never(tmp_path):
    train(tmp_path, histograms=2)
    train(tmp_path, histograms=0)
    assert {step for _, step in histograms(tmp_path / "run_1")} == {2}
    assert not histograms(tmp_path / "run_2")


def test_the_gradients_are_those_of_the_last_step(tmp_path):
    kept = []

    class Keeping(modnet.Callback, type="keeping"):
        def modnet_reduce_gradients(self, run, gradients):
            kept.append(gradients.copy())

    history = train(tmp_path, more=[Keeping()])
    found = histograms(tmp_path / "run_1")
    total = sum(found[f"gradients/{name}", 3].sum_squares for name in history.network.parameters)
    assert total == pytest.approx(float(np.square(kept[-1].astype(np.float64)).sum()), rel=1e-4)


def test_the_graph(tmp_path):
    train(tmp_path)
    (graph,) = [GraphDef.FromString(event.graph_def) for event in events(tmp_path / "run_1") if event.graph_def]
    nodes = {node.name: node for node in graph.node}
    assert nodes["residual_1/linear_1"].op == "linear"
    assert nodes["residual_1/linear_1"].input == ["relu_1"]
    assert nodes["residual_1/linear_1"].attr["out_features"].s == b"4"
    shape = nodes["linear_1"].attr["_output_shapes"].list.shape[0]
    assert [dim.size for dim in shape.dim] == [-1, 4]


def test_the_hyper_parameters(tmp_path):
    train(tmp_path)
    found = {
        value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for event in events(tmp_path / "run_1")
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "hparams"
    }
    start = found["_hparams_/session_start_info"].session_start_info.hparams
    assert start["optimizer"].string_value == "adam"
    assert start["optimizer.learning_rate"].number_value == 1e-3
    assert start["metrics[0]"].string_value == "accuracy"
    metrics = found["_hparams_/experiment"].experiment.metric_infos
    assert {metric.name.tag for metric in metrics} >= {"loss/training", "accuracy/validation"}
    assert "_hparams_/session_end_info" in found


def test_each_run_has_a_folder_and_one_that_resumes_goes_on_in_its_own(tmp_path):
    checkpoints = {"type": "checkpoint", "directory": str(tmp_path / "kept"), "keep": 9}
    train(tmp_path, epochs=3, more=[checkpoints])
    train(tmp_path)
    second = sorted((tmp_path / "kept").glob("*.modnet"))[1]
    train(tmp_path, epochs=4, more=[checkpoints], resume=second)
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "run_1", "run_2"}
    assert list(scalars(tmp_path / "run_1")["loss/training"]) == [1, 2, 3, 4]
    starts = [event for event in events(tmp_path / "run_1") if event.session_log.status == 1]
    assert [event.step for event in starts] == [3]  # what was written from there on counts no more


def test_a_checkpoint_that_was_tampered_with_writes_nowhere_else(tmp_path):
    member = modnet.default_registry().find(modnet.Callback, "tensorboard")(histograms=0).join(None)
    for name in ("../x", "run_", "run_1/../../x", 3, None):
        with pytest.raises(ValueError, match="expected the name of a folder such as run_1"):
            member.restore({"name": name})


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(modnet.TrainingError, match=r"tensorboard: .*file: cannot be written to"):
        train(tmp_path / "file")


def test_a_cross_validation_writes_no_runs(tmp_path):
    rng = np.random.default_rng(0)
    training = {**SPEC["training"], "callbacks": [{"type": "tensorboard", "directory": str(tmp_path)}]}
    x, y = rng.standard_normal((40, 3)), rng.integers(0, 2, 40)
    modnet.cross_validate({**SPEC, "training": training}, x, y, folds=2)
    assert not list(tmp_path.iterdir())

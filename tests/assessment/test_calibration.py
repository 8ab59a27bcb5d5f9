"""modnet.calibrate: a temperature behind the outputs of any network with classes."""

import numpy as np
import pytest

import modnet
from modnet.errors import DataError

RNG = np.random.default_rng(2)
X = RNG.normal(size=(400, 4))
Y = (X @ RNG.normal(size=(4, 3)) + RNG.gumbel(size=(400, 3)) * 2).argmax(axis=1)
OLD, NEW = slice(150), slice(150, None)
HIDDEN = {"type": "linear", "out_features": 24, "activation": "tanh", "name": "hidden"}
ADAM = {"type": "adam", "learning_rate": 0.02}


def network_of(layers, loss, y=Y, outputs=None, **training):
    network = {"input": [4], "layers": layers} | ({} if outputs is None else {"outputs": outputs})
    made = modnet.build({"network": network, "training": {"loss": loss, "epochs": 25, "optimizer": ADAM, **training}})
    target = {name: value[OLD] for name, value in y.items()} if isinstance(y, dict) else y[OLD]
    modnet.train(made, X[OLD], target)
    return made


@pytest.fixture(scope="module")
def classifier():
    return network_of([HIDDEN, {"type": "linear", "out_features": 3}, "softmax"], "cross_entropy")


def test_held_out_rows_are_predicted_with_less_log_loss(classifier):
    found = modnet.calibrate(classifier, X[NEW], Y[NEW])
    assert found.temperatures["output"].value > 1.2
    assert found.after["log_loss"] < found.before["log_loss"]
    assert found.after["calibration_error"] < found.before["calibration_error"]
    assert modnet.evaluate(found.network, X[NEW], Y[NEW])["loss"] == pytest.approx(found.after["log_loss"], rel=1e-5)
    before, after = classifier.forward(X), found.network.forward(X)
    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))
    logits = np.log(before) / found.temperatures["output"].value
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(after, expected, rtol=1e-4)
    text = str(found)
    assert text.splitlines()[0].split() == ["before", "after"]
    assert "calibration error" in text


def test_the_network_itself_does_not_change(classifier):
    before, nodes = classifier.forward(X), len(classifier.graph.nodes)
    modnet.calibrate(classifier, X[NEW], Y[NEW])
    np.testing.assert_array_equal(classifier.forward(X), before)
    assert len(classifier.graph.nodes) == nodes


def test_calibrating_again_fits_the_temperature_anew(classifier):
    once = modnet.calibrate(classifier, X[NEW], Y[NEW])
    twice = modnet.calibrate(once.network, X[NEW], Y[NEW])
    assert len(twice.network.graph.nodes) == len(once.network.graph.nodes)
    assert twice.temperatures == once.temperatures
    assert twice.before == pytest.approx(once.before)
    other = modnet.calibrate(once.network, X[OLD], Y[OLD])
    assert other.temperatures["output"].value < once.temperatures["output"].value


def test_a_calibrated_model_is_stored(classifier, tmp_path):
    found = modnet.calibrate(classifier, X[NEW], Y[NEW]).network
    modnet.save(found, tmp_path / "calibrated.modnet")
    loaded = modnet.load(tmp_path / "calibrated.modnet")
    np.testing.assert_array_equal(loaded.forward(X), found.forward(X))
    assert loaded.card.results["calibration"]["output"]["rows"] == 250
    modnet.calibrate(loaded, X[NEW], Y[NEW])
    mapped = modnet.load(tmp_path / "calibrated.modnet", mmap=True)
    np.testing.assert_array_equal(modnet.calibrate(mapped, X[NEW], Y[NEW]).network.forward(X), found.forward(X))


def test_a_calibrated_network_is_trained_further(classifier):
    found = modnet.calibrate(classifier, X[NEW], Y[NEW]).network
    modnet.train(found, X[OLD], Y[OLD], validation=(X[NEW], Y[NEW]), epochs=2)
    assert found.state["temperature_1.temperature"] > 1
    assert found.card.metrics["validation_loss"] == pytest.approx(modnet.evaluate(found, X[NEW], Y[NEW])["loss"])


def test_one_probability_of_two_classes():
    y = (Y == 1).astype(float)[:, None]
    network = network_of([HIDDEN, {"type": "linear", "out_features": 1}, "sigmoid"], "binary_cross_entropy", y)
    found = modnet.calibrate(network, X[NEW], y[NEW])
    assert found.after["log_loss"] < found.before["log_loss"]
    assert not found.network.graph.nodes[-1].layer.independent


def test_several_labels():
    y = np.stack([Y == 1, X[:, 0] + RNG.normal(size=400) > 0], axis=1).astype(float)
    network = network_of([HIDDEN, {"type": "linear", "out_features": 2}, "sigmoid"], "binary_cross_entropy", y)
    found = modnet.calibrate(network, X[NEW], y[NEW])
    assert found.network.graph.nodes[-1].layer.independent
    assert found.after["log_loss"] < found.before["log_loss"]


def test_several_outputs_keep_their_names():
    y = {"kind": Y, "size": X[:, :1] * 2, "odd": (Y == 1).astype(float)[:, None]}
    layers = [
        HIDDEN,
        {"type": "linear", "out_features": 3, "inputs": ["hidden"], "activation": "softmax", "name": "kind"},
        {"type": "linear", "out_features": 1, "inputs": ["hidden"], "name": "size"},
        {"type": "concatenate", "inputs": ["hidden", "kind"]},
        {"type": "linear", "out_features": 1, "activation": "sigmoid", "name": "odd"},
    ]
    loss = {"kind": "cross_entropy", "size": "mse", "odd": "binary_cross_entropy"}
    network = network_of(layers, loss, y, ["kind", "size", "odd"])
    found = modnet.calibrate(network, X[NEW], {name: value[NEW] for name, value in y.items()})
    assert list(found.network.outputs) == ["kind", "size", "odd"]
    assert found.temperatures.keys() == {"kind", "odd"}
    assert {"kind_log_loss", "odd_log_loss"} <= found.after.keys()
    assert all(found.after[name] < found.before[name] for name in ("kind_log_loss", "odd_log_loss"))
    before, after = network.forward(X), found.network.forward(X)
    np.testing.assert_array_equal(before["size"], after["size"])
    np.testing.assert_array_equal(before["kind"].argmax(axis=1), after["kind"].argmax(axis=1))
    # What read the probabilities inside the network still reads them as they were.
    assert ((before["odd"] > 0.5) == (after["odd"] > 0.5)).all()
    assert {"kind_uncalibrated", "odd_uncalibrated"} <= {node.name for node in found.network.graph.nodes}
    assert "temperature of kind" in str(found)


def test_an_output_that_is_called_by_its_type():
    layers = [{"type": "linear", "out_features": 3}, "softmax", {"type": "linear", "out_features": 3}, "softmax"]
    network = network_of(layers, {"softmax_2": "cross_entropy"}, {"softmax_2": Y}, ["softmax_2"])
    found = modnet.calibrate(network, X[NEW], {"softmax_2": Y[NEW]}).network
    assert list(found.outputs) == ["softmax_2"]
    np.testing.assert_array_equal(found.forward(X).argmax(axis=1), network.forward(X).argmax(axis=1))


def test_weights_count(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(kind=np.array(["x", "y", "z"])[Y], w=1.0)
    spec = {
        "network": {"input": [4], "layers": [HIDDEN, {"type": "linear", "out_features": 3}, "softmax"]},
        "training": {"loss": "cross_entropy", "epochs": 25, "optimizer": ADAM},
        "data": {"target": "kind", "weights": "w"},
    }
    network = modnet.train(spec, frame[OLD]).network
    twice = pandas.concat([frame[NEW], frame[150:200]])
    heavy = frame[NEW].assign(w=[2.0] * 50 + [1.0] * 200)
    first, second = (modnet.calibrate(network, rows).temperatures["output"].value for rows in (twice, heavy))
    assert first == pytest.approx(second, rel=1e-6)


def test_numbers_have_no_probabilities():
    network = network_of([{"type": "linear", "out_features": 1}], "mse", X[:, :1])
    with pytest.raises(DataError, match=r'calibration is for probabilities of classes; "output" of this network'):
        modnet.calibrate(network, X[NEW], X[NEW, :1])


def test_scores_are_no_probabilities():
    y = np.where(Y == 1, 1.0, -1.0)[:, None]
    network = network_of([{"type": "linear", "out_features": 1}], "hinge", y)
    with pytest.raises(DataError, match="calibration is for probabilities of classes"):
        modnet.calibrate(network, X[NEW], y[NEW])


def test_a_stream_may_not_be_there_a_second_time(classifier):
    for learn in (modnet.calibrate, modnet.intervals):
        with pytest.raises(DataError, match=r"stream of batches|trained on arrays"):
            learn(classifier, [(X[NEW], Y[NEW])])


def test_too_few_rows(classifier):
    with pytest.raises(DataError, match="at least 20 rows to fit a temperature to, found 5 rows"):
        modnet.calibrate(classifier, X[:5], Y[:5])


def test_the_members_of_an_ensemble_are_calibrated_together():
    layers = [
        HIDDEN,
        {"type": "linear", "out_features": 3, "inputs": ["hidden"], "activation": "softmax", "name": "kind"},
        {"type": "linear", "out_features": 1, "inputs": ["hidden"], "name": "size"},
    ]
    spec = {
        "network": {"input": [4], "members": 3, "layers": layers, "outputs": ["kind", "size"]},
        "training": {"loss": {"kind": "cross_entropy", "size": "mse"}, "epochs": 25, "optimizer": ADAM},
    }
    network = modnet.build(spec)
    y = {"kind": Y, "size": X[:, :1]}
    modnet.train(network, X[OLD], {name: value[OLD] for name, value in y.items()})
    found = modnet.calibrate(network, X[NEW], {name: value[NEW] for name, value in y.items()})
    before, after = network.forward(X), found.network.forward(X)
    np.testing.assert_array_equal(before["size"], after["size"])
    logits = np.log(before["kind"]) / found.temperatures["kind"].value
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(after["kind"], expected, rtol=1e-4)


def test_an_ensemble_is_calibrated_by_its_mean():
    member = {"type": "per_member", "members": 3, "shared": True, "layer": {"type": "linear", "out_features": 3}}
    network = network_of([HIDDEN, member, "softmax", "ensemble_mean"], "cross_entropy")
    found = modnet.calibrate(network, X[NEW], Y[NEW])
    assert found.after["log_loss"] <= found.before["log_loss"]
    assert [node.layer.type for node in found.network.graph.nodes[-2:]] == ["ensemble_mean", "temperature"]

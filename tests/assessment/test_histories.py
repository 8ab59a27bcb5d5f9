"""A history from a file: a model, whose plugins need not be there, or a log."""

import numpy as np
import pytest

import modnet
from modnet.assessment.histories import read_history
from tests.assessment.explanation.networks import linear


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model file and two logs of the same training."""
    place = tmp_path_factory.mktemp("runs")
    x = np.random.default_rng(0).standard_normal((40, 2))
    network = modnet.build({"network": {"input": [2], "layers": [linear(3), "softmax"]}})
    history = modnet.train(
        network,
        x,
        np.arange(40) % 3,
        loss="cross_entropy",
        metrics=["accuracy", "confusion_matrix"],
        validation=0.25,
        epochs=4,
        callbacks=[{"type": kind, "path": str(place / name)} for kind, name in LOGS],
    )
    modnet.save(network, place / "m.modnet")
    return place, history


LOGS = [("csv_log", "log.csv"), ("json_log", "log.jsonl")]


@pytest.mark.parametrize("name", ["m.modnet", "log.csv", "log.jsonl"])
def test_it_is_that_of_the_training(folder, name):
    place, history = folder
    found, metrics = read_history(place / name).history, read_history(place / name).metrics
    assert found.epochs == 4
    assert (metrics.get("loss") is not None) == (name == "m.modnet")
    for figure in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        np.testing.assert_array_equal(found[figure], history[figure])
    assert len(found.seconds) == (0 if name == "m.modnet" else 4)


def test_the_epoch_whose_weights_a_model_file_has(tmp_path):
    x = np.random.default_rng(0).standard_normal((40, 2))
    network = modnet.build({"network": {"input": [2], "layers": [linear(3), "softmax"]}})
    optimizer = {"type": "sgd", "learning_rate": 20.0}  # so high that the first epochs are the best
    stopping = {"type": "early_stopping", "patience": 5}
    history = modnet.train(
        network, x, np.arange(40) % 3, loss="cross_entropy", optimizer=optimizer, validation=0.25, callbacks=[stopping]
    )
    modnet.save(network, tmp_path / "m.modnet")
    found = read_history(tmp_path / "m.modnet")
    assert history.best_epoch < history.epochs
    assert found.kept == found.history.best_epoch == history.best_epoch


def test_a_log_that_is_being_written_has_the_epochs_so_far(folder, tmp_path):
    place, history = folder
    text = (place / "log.jsonl").read_text()
    (tmp_path / "log.jsonl").write_text(text[:-20])
    (tmp_path / "log.csv").write_text((place / "log.csv").read_text()[:-20])
    for name in ("log.jsonl", "log.csv"):
        assert read_history(tmp_path / name).history["loss"].tolist() == history["loss"][:3].tolist()


def test_what_is_not_finite_is_nan(tmp_path):
    (tmp_path / "a.csv").write_text("epoch,step,seconds,learning_rate,loss\n1,4,0.1,0.01,\n2,8,0.1,0.01,2.5\n")
    line = '{"epoch": %d, "step": 4, "seconds": 0.1, "learning_rate": 0.01, "loss": %s}\n'
    (tmp_path / "a.jsonl").write_text(line % (1, "null") + line % (2, "2.5"))
    for name in ("a.csv", "a.jsonl"):
        np.testing.assert_array_equal(read_history(tmp_path / name).history["loss"], [np.nan, 2.5])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("table.csv", "a,b\n1,2\n"),
        ("empty.jsonl", "[1, 2]\n"),
        ("text.csv", '"epoch\n'),
        ("word.csv", "epoch,step,seconds,learning_rate,loss\n1,4,0.1,0.01,low\n"),
        ("short.csv", "epoch,step,seconds,learning_rate,loss\n1,4\n"),
        ("no.jsonl", "{}\n"),
        ("bytes.csv", "\udcff\udcfe\n"),
    ],
)
def test_another_file_is_refused(name, text, tmp_path):
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(
        modnet.DataError, match=rf"{name}: this is not the log of a training; expected a file of csv_log"
    ):
        read_history(tmp_path / name)


def test_a_model_without_a_training_has_no_history(tmp_path):
    network = modnet.build({"network": {"input": [2], "layers": [linear(3)]}})
    modnet.save(network, tmp_path / "m.modnet")
    with pytest.raises(modnet.DataError, match=r"m\.modnet: the file has no history"):
        read_history(tmp_path / "m.modnet")


def test_a_log_without_an_epoch_is_told(tmp_path):
    (tmp_path / "log.jsonl").write_text("")
    with pytest.raises(modnet.DataError, match=r"log\.jsonl: no epoch of the training has ended yet"):
        read_history(tmp_path / "log.jsonl")

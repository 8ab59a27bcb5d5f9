"""What the callback logs, read back by MLflow's client, and the model as a pyfunc."""

import json
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

import modnet

SPEC = {
    "network": {"input": [3], "layers": ["standardize", {"type": "linear", "out_features": 2}, "softmax"]},
    "training": {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 3, "optimizer": "adam"},
}
X = np.random.default_rng(0).standard_normal((40, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all tests, since MLflow takes seconds to make a store."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("store")
        patch.chdir(path)
        yield path


def train(experiment, more=(), **options):
    callback = {"type": "mlflow", "experiment": experiment}
    return modnet.train(SPEC, X, Y, validation=0.2, callbacks=[callback, *more], **options)


def runs(experiment):
    client = MlflowClient("sqlite:///mlflow.db")
    return client, client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


def test_parameters_figures_card_and_model(folder):
    history = train("whole")
    client, (run,) = runs("whole")
    assert run.info.status == "FINISHED"
    assert run.data.params["optimizer"] == "adam"
    assert run.data.params["optimizer.learning_rate"] == "0.001"
    assert run.data.params["metrics.0"] == "accuracy"
    assert run.data.params["network.parameters"] == "8"
    found = client.get_metric_history(run.info.run_id, "validation_accuracy")
    assert [metric.step for metric in found] == [1, 2, 3]
    np.testing.assert_allclose([metric.value for metric in found], history["validation_accuracy"])
    card = json.loads(Path(client.download_artifacts(run.info.run_id, "card.json")).read_text())
    assert card["history"]["loss"] == history["loss"].tolist()
    assert card["spec"]["network"]["layers"][1]["out_features"] == 2
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    np.testing.assert_array_equal(model.predict(X), history.network.predict(X))
    np.testing.assert_array_equal(model.predict(pd.DataFrame(X)), history.network.predict(X))
    assert mlflow.active_run() is None


def test_rows_of_a_table(folder):
    (folder / "pets.csv").write_text("weight,kind\n" + "4.1,cat\n30,dog\n5,cat\n22,dog\n" * 10)
    spec = {
        "network": {"input": [1], "layers": ["standardize", {"type": "linear", "out_features": 2}, "softmax"]},
        "training": {"loss": "cross_entropy", "epochs": 2, "callbacks": [{"type": "mlflow", "experiment": "pets"}]},
        "data": {"train": "pets.csv", "target": "kind"},
    }
    (folder / "pets.json").write_text(json.dumps(spec))
    network = modnet.train("pets.json").network
    _, (run,) = runs("pets")
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    rows = pd.DataFrame({"weight": [3.0, 40.0]})
    pd.testing.assert_frame_equal(model.predict(rows), network.predict(rows))


def test_a_run_that_fails_is_marked(folder):
    class Failing(modnet.Callback, type="failing"):
        def modnet_epoch_ended(self, run):
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        train("failed", more=[Failing()])
    _, (run,) = runs("failed")
    assert run.info.status == "FAILED"


def test_a_run_that_resumes_goes_on(folder):
    checkpoints = {"type": "checkpoint", "directory": str(folder / "kept"), "keep": 9}
    train("resumed", more=[checkpoints], epochs=2)
    train("resumed", more=[checkpoints], epochs=4, resume=folder / "kept")
    client, (run,) = runs("resumed")
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, "loss")] == [1, 2, 3, 4]
    assert run.info.status == "FINISHED"


def test_a_store_that_is_not_there(folder):
    with pytest.raises(modnet.TrainingError, match="mlflow: nonsense://x: "):
        modnet.train(SPEC, X, Y, callbacks=[{"type": "mlflow", "store": "nonsense://x"}])


def test_a_checkpoint_that_was_tampered_with(folder):
    member = modnet.default_registry().find(modnet.Callback, "mlflow")().join(None)
    for name in ("../x", "", 3, None):
        with pytest.raises(ValueError, match="expected the id of a run of MLflow"):
            member.restore({"id": name})

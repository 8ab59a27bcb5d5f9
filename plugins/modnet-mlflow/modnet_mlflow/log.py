"""What is logged of one run to MLflow, which is imported with this module: that takes seconds."""

from __future__ import annotations

import random
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.registry import resolve_tags

import modnet
from modnet.model.needs import components_of, origins_of
from modnet.model.save import described
from modnet.plugins.builtin import CORE
from modnet.specs.paths import single_values
from modnet.words import show

if TYPE_CHECKING:
    from modnet_mlflow.callback import MLflow

MOST_AT_ONCE = 100
"""How many parameters MLflow takes in one call."""


class Log:
    """What is logged of one run; `id` is that of MLflow's run, "" until it begins."""

    def __init__(self, callback: MLflow) -> None:
        self.callback = callback
        self.store = _absolute(callback.store)
        self.id = ""
        self._client: MlflowClient | None = None

    def state(self) -> dict[str, Any]:
        return {"id": self.id}

    def restore(self, state: Mapping[str, Any]) -> None:
        identity = state.get("id")
        if not isinstance(identity, str) or not identity.isalnum():
            raise ValueError(f"expected the id of a run of MLflow, found {show(identity)}")
        self.id = identity

    @property
    def client(self) -> MlflowClient:
        assert self._client is not None
        return self._client

    def modnet_training_started(self, run: modnet.Run) -> None:
        callback = self.callback
        with _told(callback.store):
            self._client = MlflowClient(tracking_uri=self.store)
            if self.id:
                self.client.update_run(self.id, status="RUNNING")
                return
            known = self.client.get_experiment_by_name(callback.experiment)
            experiment = known.experiment_id if known else self.client.create_experiment(callback.experiment)
            tags = resolve_tags()  # who runs it, by which program, at which commit
            self.id = self.client.create_run(experiment, tags=tags, run_name=callback.name).info.run_id
            found = [Param(name, str(value)[:6000]) for name, value in _parameters(run)]
            for start in range(0, len(found), MOST_AT_ONCE):
                self.client.log_batch(self.id, params=found[start : start + MOST_AT_ONCE])

    def modnet_epoch_ended(self, run: modnet.Run) -> None:
        values = {**run.figures, "learning_rate": run.learning_rate, "seconds": run.seconds}
        now = int(time.time() * 1000)
        found = [Metric(name, number, now, run.epoch) for name, number in _numbers(values)]
        try:
            self.client.log_batch(self.id, metrics=found)
        except (MlflowException, OSError) as error:
            what = f"mlflow: {self.callback.store} could not be written to ({_text(error)})"
            warnings.warn(f"{what}; the training continues without the figures of epoch {run.epoch}", stacklevel=2)

    def modnet_training_ended(self, run: modnet.Run) -> None:
        if self._client is not None and self.id and run.failed:
            with _told(self.callback.store):
                self.client.set_terminated(self.id, "FAILED")

    def modnet_training_concluded(self, run: modnet.Run) -> None:
        with _told(self.callback.store):
            if self.callback.model:
                self._log_model(run)
            self.client.set_terminated(self.id, "KILLED" if run.terminated else "FINISHED")

    def _log_model(self, run: modnet.Run) -> None:
        network = run.network
        self.client.log_dict(self.id, described(network, "card.json", registry=run.registry), "card.json")
        with tempfile.TemporaryDirectory() as folder, _at(self.store):
            path = Path(folder) / "network.modnet"
            modnet.save(network, path, registry=run.registry)
            # Within the run, since the model would otherwise belong to another experiment.
            with mlflow.start_run(run_id=self.id, nested=True):
                mlflow.pyfunc.log_model(
                    name="model",
                    loader_module="modnet_mlflow.served",
                    data_path=str(path),
                    pip_requirements=_requirements(run),
                )


def _absolute(store: str) -> str:
    """The store with the whole path of its file: MLflow keeps open what it has opened by this text."""
    kind, prefix, path = store.partition("sqlite:///")
    return f"{prefix}{Path(path).expanduser().absolute()}" if prefix and not kind else store


def _requirements(run: modnet.Run) -> list[str]:
    """What has to be installed to predict: the core, this plugin, and those that the network needs."""
    origins = origins_of(components_of(run.network.card.spec.network), run.registry).values()
    needed = {distribution: version for distribution, version, _ in origins if distribution and distribution != CORE}
    plugins = [f"{distribution}=={version}" for distribution, version in sorted(needed.items())]
    return [f"{CORE}=={modnet.__version__}", "modnet-mlflow", *plugins]


@contextmanager
def _at(store: str) -> Iterator[None]:
    """MLflow's own functions use this store for the time being, as the client does."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


@contextmanager
def _told(store: str) -> Iterator[None]:
    """Errors of MLflow as those of the training. What it draws from Python's generator is not the program's."""
    before = random.getstate()
    try:
        yield
    except (MlflowException, OSError) as error:
        raise modnet.TrainingError(f"mlflow: {store}: {_text(error)}") from error
    finally:
        random.setstate(before)


def _text(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _parameters(run: modnet.Run) -> Iterator[tuple[str, Any]]:
    plain = run.training.replace(callbacks=()).plain()
    yield from ((".".join(map(str, path)), value) for path, value in single_values(plain))
    yield "network.parameters", len(run.network.parameters.flat)
    yield "network.nodes", len(run.network.graph.nodes)


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures, of an array each number: `recall.0`, since MLflow's names have no brackets."""
    for name, value in values.items():
        for place in np.ndindex(np.shape(value)):
            yield ".".join([name, *map(str, place)]), float(value[place] if place else value)

"""The callback `mlflow`."""

from __future__ import annotations

import modnet
from modnet import Callback


class MLflow(Callback, type="mlflow"):
    """Logs a run to MLflow, whose page `mlflow ui --backend-store-uri sqlite:///mlflow.db` shows.

    At the beginning it logs the parameters: single values of the training by their paths, and the network's size. Every
    epoch it logs the figures, the learning rate and the seconds. At the end it logs the model with its card: the model
    file, which MLflow loads as a pyfunc (`mlflow.pyfunc.load_model`), and `card.json` with spec, schema, history and
    results.

    Fields:
        store: where runs are kept: `sqlite:///FILE`, relative to the working directory, or the address of a server. A ~
            at the beginning of FILE is the home folder.
        experiment: the name of the experiment; it is created if it does not exist.
        name: of the run; MLflow makes one by default.
        model: whether the model is logged.
    """

    of_one_run = True

    store: str = "sqlite:///mlflow.db"
    experiment: str = "modnet"
    name: str | None = None
    model: bool = True

    def join(self, run: modnet.Run) -> object:
        # Only now: MLflow takes seconds to import, and whoever lists components should not wait for it.
        from modnet_mlflow.log import Log

        return Log(self)

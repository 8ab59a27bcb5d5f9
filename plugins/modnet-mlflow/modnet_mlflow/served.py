"""What MLflow calls for a logged model: the loader of its pyfunc."""

from __future__ import annotations

from typing import Any

import numpy as np

import modnet


class Served:
    """A network with the interface of a pyfunc."""

    def __init__(self, network: modnet.Network) -> None:
        self.network = network

    def predict(self, model_input: Any, params: Any = None) -> Any:
        """The predictions for a data frame, records or arrays: what `network.predict` gives for them.

        Numbers in a data frame, for a network that was trained on arrays, are an array (rows, columns).
        """
        if self.network.schema is None and hasattr(model_input, "to_numpy"):
            model_input = np.asarray(model_input.to_numpy())
        return self.network.predict(model_input)


def _load_pyfunc(path: str) -> Served:
    """Called by MLflow with the path of the model file."""
    return Served(modnet.load(path))

"""A warning of targets of different units in one loss."""

import warnings

import numpy as np
import pytest

import modnet

RNG = np.random.default_rng(0)
ROWS = {"x": RNG.standard_normal(50), "price": 1e4 * RNG.standard_normal(50), "cost": RNG.standard_normal(50)}


def spec(*last, loss="mse", target=("price", "cost")):
    layers = [{"type": "linear", "out_features": len(target)}, *last]
    data = {"target": list(target), "inputs": ["x"]}
    return {"network": {"input": [1], "layers": layers}, "training": {"loss": loss, "epochs": 1}, "data": data}


def test_a_target_that_drowns_another_is_named():
    with pytest.warns(UserWarning, match='price deviates by .* cost by .* mae will hardly see .* with "unstandardize"'):
        modnet.train(spec(loss="mae"), ROWS)


@pytest.mark.parametrize("given", [spec("unstandardize"), spec(target=("price",))], ids=["rescaled", "one"])
def test_nothing_is_said_where_each_counts_alike(given):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modnet.train(given, ROWS)

"""Random networks of what the registry offers: trained, saved, loaded, and asked in pieces, they say the same."""

from random import Random

import numpy as np
import pytest

import modnet

from .networks import layers_of, random_network

REGISTRY = modnet.Registry(list)
LAYERS = layers_of(REGISTRY)


@pytest.mark.parametrize("seed", range(60))
def test_a_random_network(seed, tmp_path):
    network = random_network(Random(seed), LAYERS, REGISTRY)
    rng = np.random.default_rng(seed)
    (shape,) = network.inputs.values()
    x = rng.standard_normal((7, *(5 if axis is None else axis for axis in shape)))
    with np.errstate(all="ignore"):  # a step of chance may lead anywhere
        y = rng.uniform(0.1, 0.9, network.predict(x).shape)
        if network.trainable_size and np.isfinite(network.predict(x)).all():
            try:
                modnet.train(network, x, y, loss="mse", epochs=1, batch_size=4, callbacks=(), registry=REGISTRY)
            except modnet.TrainingError:
                pytest.skip("the loss is not finite")
        whole = network.predict(x)
        modnet.save(network, tmp_path / "model.modnet", registry=REGISTRY)
        loaded = modnet.load(tmp_path / "model.modnet", registry=REGISTRY)
        np.testing.assert_array_equal(loaded.predict(x), whole)
        modnet.save(loaded, tmp_path / "again.modnet", registry=REGISTRY)
        assert (tmp_path / "again.modnet").read_bytes() == (tmp_path / "model.modnet").read_bytes()
        tolerance = 1e-4 if network.dtype == np.float32 else 1e-9
        for batch_size in (1, 3):
            pieces = network.predict(x, batch_size=batch_size)
            np.testing.assert_allclose(pieces, whole, rtol=tolerance, atol=tolerance * max(1.0, np.abs(whole).max()))

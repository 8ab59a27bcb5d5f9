"""Networks for the tests of exporters and engines."""

import numpy as np

import modnet
from modnet.layers.linear import Linear
from modnet.layers.norm import BatchNorm
from modnet.testing.networks import chain, data_of, network_of, prepared


def test_no_first_value_hides_anything():
    network = network_of(modnet.Example(BatchNorm(), ((3,),)))
    assert not np.any(np.isin(network.parameters.flat, (0, 1)))
    assert not np.any(np.isin(network.state.flat, (0, 1)))
    assert network_of(modnet.Example(Linear(2), ((3,),)), dtype="float64").dtype == "float64"


def test_rows_fit_the_network_and_variable_axes_have_steps():
    example = modnet.Example(Linear(2), ((None, 3),))
    network = network_of(example)
    data = data_of(example, network, rows=4, steps=7)
    assert {name: rows.shape for name, rows in data.items()} == {"x0": (4, 7, 3)}
    assert network.predict(data).shape == (4, 7, 2)


def test_a_prepared_network_has_learned_from_the_data():
    network = chain(["standardize", {"type": "linear", "out_features": 2}], [3])
    rows = 5 + np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    found = prepared(network, {"input": rows})
    np.testing.assert_allclose(found.state["standardize_1.mean"], rows.mean(axis=0), rtol=1e-5)

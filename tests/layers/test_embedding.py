import numpy as np
import pytest

import modnet
from modnet.errors import DataError
from modnet.layers import Embedding
from modnet.testing import layer_context, layer_gradient_errors


@pytest.mark.parametrize("shape", [(), (7,), (2, 3)])
def test_gradients(shape):
    assert layer_gradient_errors(Embedding(vocabulary_size=5, embedding_size=3), shape)["weight"] <= 1e-6


def test_an_id_stands_for_a_row_of_the_weight():
    layer = Embedding(vocabulary_size=5, embedding_size=3)
    context = layer_context(layer, (2,))
    y = layer.forward(context, np.array([[4, 0], [1, 4]]))
    np.testing.assert_array_equal(y, context.params["weight"][[[4, 0], [1, 4]]])


def test_it_is_that_of_torch():
    torch = pytest.importorskip("torch", reason="install the extra: parity")
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 50, (8, 20))
    weights = rng.standard_normal((8, 20, 6)).astype(np.float32)
    layer = Embedding(vocabulary_size=50, embedding_size=6)
    context = layer_context(layer, (20,), dtype=np.float32)
    theirs = torch.nn.Embedding.from_pretrained(torch.tensor(context.params["weight"]), freeze=False)
    expected = theirs(torch.tensor(ids))
    expected.backward(torch.tensor(weights))
    np.testing.assert_array_equal(layer.forward(context, ids), expected.detach())
    assert layer.backward(context, weights) is None
    np.testing.assert_allclose(context.grads["weight"], theirs.weight.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [5, -1])
def test_an_id_out_of_range_is_named(bad):
    layer = Embedding(vocabulary_size=5, embedding_size=3)
    with pytest.raises(DataError, match=rf"found the id {bad} at \[1, 2\] of the batch, expected 0 to 4"):
        layer.forward(layer_context(layer, (3,)), np.array([[0, 1, 2], [3, 4, bad]]))


def test_numbers_that_are_no_ids_are_not_cut_down_to_ids():
    layers = ["identity", {"type": "embedding", "vocabulary_size": 5, "embedding_size": 2}]
    network = modnet.build({"network": {"input": [3], "layers": layers}})
    assert network.predict([[0.0, 1.0, 4.0]]).shape == (1, 3, 2)
    with pytest.raises(
        DataError, match=r"^embedding: expected whole numbers \(ids\), found 1.5 at \[0, 1\] of the batch"
    ):
        network.predict([[0.0, 1.5, 4.0]])

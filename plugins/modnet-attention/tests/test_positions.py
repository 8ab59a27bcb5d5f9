import numpy as np
import pytest
from modnet_attention.attention import MultiHeadAttention
from modnet_attention.positions import PositionalEmbedding, RotaryEmbedding, Rotation, SinusoidalEmbedding

from modnet import ShapeError
from modnet.testing.gradients import layer_context


def test_sinusoids():
    layer = SinusoidalEmbedding(base=100.0)
    y = layer.forward(layer_context(layer, (3, 4)), np.zeros((1, 3, 4)))
    # The second pair's wave is sqrt(100) = 10 times as long.
    expected = [[np.sin(t), np.cos(t), np.sin(t / 10), np.cos(t / 10)] for t in range(3)]
    np.testing.assert_allclose(y, [expected])


def test_sinusoids_of_an_odd_number_of_features():
    layer = SinusoidalEmbedding(base=100.0)
    y = layer.forward(layer_context(layer, (2, 3)), np.zeros((1, 2, 3)))
    np.testing.assert_allclose(y[0, 1], [np.sin(1), np.cos(1), np.sin(100 ** (-2 / 3))])


def test_learned_positions():
    layer = PositionalEmbedding(max_length=4)
    context = layer_context(layer, (None, 2))
    x = np.random.default_rng(0).standard_normal((3, 2, 2))
    np.testing.assert_allclose(layer.forward(context, x), x + context.params["weight"][:2])
    layer.backward(context, np.ones((3, 2, 2)))
    np.testing.assert_array_equal(context.grads["weight"], [[3, 3], [3, 3], [0, 0], [0, 0]])


def test_more_steps_than_positions():
    layer = PositionalEmbedding(max_length=4)
    with pytest.raises(ShapeError, match=r"at most 4 steps \(max_length\), found 5"):
        layer.output_shape((5, 2))
    context = layer_context(layer, (None, 2))
    context.memory = {}
    layer.forward(context, np.ones((1, 3, 2)))
    with pytest.raises(ShapeError, match="at most 4 steps"):
        layer.forward(context, np.ones((1, 2, 2)))


def test_a_rotation_turns_pairs_by_the_position():
    x = np.array([[[[1.0, 0.0, 0.0, 2.0]], [[1.0, 0.0, 0.0, 2.0]]]])
    context = layer_context(PositionalEmbedding(max_length=1), (1, 1))
    rotation = Rotation(5, 2, 4, 100.0, np.dtype("float64"))
    turned = x.copy()
    rotation.turn(context, turned)
    for step, angle in enumerate((5, 6)):
        slow = angle / 10
        expected = [np.cos(angle), -2 * np.sin(slow), np.sin(angle), 2 * np.cos(slow)]
        np.testing.assert_allclose(turned[0, step, 0], expected)
    rotation.turn(context, turned, back=True)
    np.testing.assert_allclose(turned, x, atol=1e-15)


def test_rotary_attention_turns_its_queries_and_keys_as_the_layer_does():
    """Both maps are identities, so that queries and keys are the inputs themselves; values are not turned."""
    x = np.random.default_rng(0).standard_normal((2, 7, 8))
    outputs = []
    for turned in (False, True):
        layer = MultiHeadAttention(heads=2, bias=False, rotary=not turned)
        context = layer_context(layer, (7, 8), (7, 8), (7, 8))
        for weight in context.params.values():
            weight[...] = np.eye(8)
        rotary = RotaryEmbedding(heads=2)
        looked_at = rotary.forward(layer_context(rotary, (7, 8)), x) if turned else x
        outputs.append(layer.forward(context, looked_at, looked_at, x).copy())
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("heads", [2, 4])
def test_rotary_heads_are_of_an_even_size(heads):
    with pytest.raises(ShapeError, match=rf"divided by 2 heads = {2 * heads}, found 6"):
        RotaryEmbedding(heads=heads).output_shape((5, 6))

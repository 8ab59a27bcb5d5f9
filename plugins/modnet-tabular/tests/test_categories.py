import numpy as np
import pytest
from modnet_tabular.categories import CategoryEmbedding

import modnet
from modnet.testing.gradients import layer_context

LAYER = CategoryEmbedding(vocabulary_size=6, embedding_size=3)


def context_of(ids):
    context = layer_context(LAYER, (1,))
    LAYER.prepare(context, [(ids[:4], None), (ids[4:], None)])
    context.begin()
    return context


def test_a_category_that_training_had_not_gets_the_mean_of_those_that_it_had():
    ids = np.array([[1], [1], [1], [4], [4], [2]])
    context = context_of(ids)
    weight = context.params["weight"]
    found = LAYER.forward(context, np.array([[4], [0], [5]]))[:, 0]
    mean = (3 * weight[1] + 2 * weight[4] + weight[2]) / 6
    np.testing.assert_allclose(found, [weight[4], mean, mean], rtol=1e-12)


def test_the_gradient_with_new_categories_is_that_of_finite_differences():
    context = context_of(np.array([[1], [1], [2], [4]]))
    ids = np.array([[0], [1], [4], [5], [1]])
    direction = np.random.default_rng(0).standard_normal((5, 1, 3))

    def value():
        context.begin()
        return float(np.vdot(LAYER.forward(context, ids), direction))

    value()
    LAYER.backward(context, direction.copy())
    found, weight = context.grads["weight"].copy(), context.params["weight"]
    expected = np.zeros_like(found)
    for place in np.ndindex(weight.shape):
        before = weight[place]
        weight[place] = before + 1e-6
        above = value()
        weight[place] = before - 1e-6
        expected[place] = (above - value()) / 2e-6
        weight[place] = before
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_an_id_out_of_range_is_refused():
    with pytest.raises(modnet.DataError, match="found the id 6"):
        context_of(np.array([[1], [6]]))

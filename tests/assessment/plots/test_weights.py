"""The weights as a picture: a histogram of each array, and filters as images where they are some."""

import numpy as np
import pytest

import modnet
from modnet.assessment.plots.weights import MOST_ARRAYS, MOST_FILTERS, filters_of, weights_figure
from tests.assessment.explanation.networks import linear

pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")


def network_of(layers, inputs=(4,), **network):
    return modnet.build({"network": {"input": inputs, "layers": layers, **network}})


def titles_of(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_visible() and axes.get_title()]


def test_each_array_has_a_histogram_of_all_its_numbers():
    network = network_of([linear(5, activation="relu"), "batch_norm", linear(2)])
    figure, notes = weights_figure(network)
    nodes = ("linear_1.weight", "linear_1.bias", "batch_norm_1.scale", "batch_norm_1.shift")
    assert titles_of(figure) == [*nodes, "linear_2.weight", "linear_2.bias"]
    weight = network.parameters["linear_1.weight"]
    (outline,) = figure.axes[0].patches
    low, high = outline.get_xy()[:, 0].min(), outline.get_xy()[:, 0].max()
    np.testing.assert_allclose([low, high], [weight.min(), weight.max()], rtol=1e-6)
    assert figure.axes[0].get_xlabel().startswith("4 x 5; mean ")
    assert notes == []


def test_a_node_or_composite_alone():
    network = network_of([linear(4), {"type": "residual", "layers": [linear(4)]}, "flatten"])
    assert titles_of(weights_figure(network, "linear_1")[0]) == ["linear_1.weight", "linear_1.bias"]
    within = ["residual_1.linear_1.weight", "residual_1.linear_1.bias"]
    assert titles_of(weights_figure(network, "residual_1")[0]) == within
    assert titles_of(weights_figure(network, "residual_1.linear_1")[0]) == within


def test_what_is_not_there_is_told():
    network = network_of([linear(4, name="first"), "flatten"])
    with pytest.raises(modnet.DataError, match=r'the node "frist" is not there; did you mean "first"\?'):
        weights_figure(network, "frist")
    with pytest.raises(modnet.DataError, match='the node "flatten_1" has no weights'):
        weights_figure(network, "flatten_1")
    with pytest.raises(modnet.DataError, match="the network has no weights"):
        weights_figure(network_of(["flatten"]))


def test_weights_that_are_not_finite_or_all_the_same():
    network = network_of([linear(4)])
    network.parameters["linear_1.weight"][...] = np.nan
    figure, _ = weights_figure(network)
    assert figure.axes[0].get_xlabel() == "4 x 4; no finite number"


@pytest.mark.parametrize(("shape", "channels"), [((6, 5), 1), ((6, 5, 1), 1), ((6, 5, 3), 3)], ids=str)
def test_the_filters_of_a_dense_layer_are_images(shape, channels):
    network = network_of(["flatten", "standardize", linear(7, name="first"), linear(2)], shape)
    name, images = filters_of(network)
    assert name == "first"
    assert images.shape == (7, 6, 5, channels)
    np.testing.assert_array_equal(images[3].ravel(), network.parameters["first.weight"][:, 3])
    figure, _ = weights_figure(network)
    assert sum(len(axes.images) for axes in figure.axes) == 7


def test_the_filters_of_a_convolution_are_images():
    pytest.importorskip("modnet_conv", reason="modnet-conv is not installed")
    network = network_of([{"type": "conv2d", "out_channels": 50, "kernel_size": 3}, "flatten", linear(2)], (8, 8, 1))
    _, images = filters_of(network)
    np.testing.assert_array_equal(images[4], network.parameters["conv2d_1.weight"][..., 4])
    figure, (note,) = weights_figure(network)
    assert sum(len(axes.images) for axes in figure.axes) == MOST_FILTERS
    assert note == "the first 40 of 50 filters of conv2d_1 are drawn"


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([linear(3)], (4,)),
        (["flatten", linear(3)], (4, 4, 2)),
        ([linear(3)], (None, 4)),
        ([{"type": "embedding", "vocabulary_size": 9, "embedding_size": 4}, "flatten", linear(2)], (6,)),
    ],
    ids=str,
)
def test_other_weights_are_no_images(layers, shape):
    network = network_of(layers, shape)
    assert filters_of(network) is None
    weights_figure(network)


def test_an_ensemble_shows_the_filters_of_its_first_member():
    network = network_of(["flatten", linear(3)], (5, 5), members=2)
    _, images = filters_of(network)
    np.testing.assert_array_equal(images[0].ravel(), network.parameters["linear_1.weight"][0][:, 0])


def test_very_many_arrays_are_not_all_drawn():
    network = network_of([linear(4)] * MOST_ARRAYS)
    figure, (note,) = weights_figure(network)
    assert len(titles_of(figure)) == MOST_ARRAYS
    assert note == "the first 30 of 60 arrays are drawn; name a node for others"

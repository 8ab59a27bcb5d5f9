"""What is particular to each layer, with values written out."""

import numpy as np
import pytest
from modnet_conv.augmentation import RandomCrop, RandomFlip, RandomShift
from modnet_conv.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose2d, DepthwiseConv2d, SeparableConv2d
from modnet_conv.pooling import AveragePool1d, AveragePool2d, GlobalMaxPool, MaxPool1d, MaxPool2d
from modnet_conv.resampling import Upsample2d

import modnet
from modnet.errors import ShapeError, SpecError
from modnet.testing.gradients import layer_context


def forward(layer, x, training=False, **params):
    context = layer_context(layer, x.shape[1:], training=training)
    for name, value in params.items():
        context.params[name][...] = value
    return layer.forward(context, x)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Conv2d(out_channels=4, kernel_size=3), (28, 28, 1), (26, 26, 4)),
        (Conv2d(out_channels=4, kernel_size=3, padding="same"), (28, 28, 1), (28, 28, 4)),
        (Conv2d(out_channels=4, kernel_size=3, padding="same", stride=2), (7, 8, 1), (4, 4, 4)),
        (Conv2d(out_channels=4, kernel_size=(5, 1), padding=(2, 0)), (9, 9, 1), (9, 9, 4)),
        (Conv2d(out_channels=4, kernel_size=3, dilation=2), (9, 9, 1), (5, 5, 4)),
        (Conv2d(out_channels=4, kernel_size=3, padding="same", stride=2), (None, 8, 1), (None, 4, 4)),
        (Conv1d(out_channels=4, kernel_size=3, padding=(2, 0)), (None, 2), (None, 4)),
        (Conv3d(out_channels=4, kernel_size=2, stride=2), (6, 4, 5, 2), (3, 2, 2, 4)),
        (ConvTranspose2d(out_channels=4, kernel_size=3, stride=2, padding="same"), (7, 8, 1), (14, 16, 4)),
        (ConvTranspose2d(out_channels=4, kernel_size=4, stride=2, padding=1), (7, None, 1), (14, None, 4)),
        (DepthwiseConv2d(kernel_size=3, depth_multiplier=2), (9, 9, 3), (7, 7, 6)),
        (MaxPool2d(), (7, 8, 3), (3, 4, 3)),
        (MaxPool2d(padding="same"), (7, 8, 3), (4, 4, 3)),
        (Upsample2d(scale_factor=(1, 3)), (2, None, 3), (2, None, 3)),
        (GlobalMaxPool(), (None, 5, 3), (3,)),
    ],
    ids=str,
)
def test_shapes(layer, shape, expected):
    assert layer.output_shape(shape) == expected


def test_conv2d_by_hand():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    y = forward(Conv2d(out_channels=1, kernel_size=2), x, weight=np.reshape([1, 10, 100, 1000], (2, 2, 1, 1)), bias=0.5)
    assert y[0, :, :, 0].tolist() == [[4310.5, 5421.5], [7643.5, 8754.5]]


def test_same_puts_the_odd_one_at_the_end():
    x = np.arange(1.0, 5.0).reshape(1, 4, 1)
    layer = Conv1d(out_channels=1, kernel_size=3, stride=2, padding="same", bias=False)
    assert forward(layer, x, weight=np.reshape([1, 10, 100], (3, 1, 1))).ravel().tolist() == [321, 43]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda stride: Conv1d(out_channels=2, kernel_size=3, stride=stride), (4, 3)),
        (lambda stride: Conv2d(out_channels=2, kernel_size=3, stride=stride), (4, 5, 3)),
        (lambda stride: Conv3d(out_channels=2, kernel_size=3, stride=stride, padding="same"), (4, 5, 4, 3)),
        (lambda stride: SeparableConv2d(out_channels=2, kernel_size=3, stride=stride), (4, 5, 3)),
    ],
    ids=["conv1d", "conv2d", "conv3d", "separable_conv2d"],
)
def test_a_stride_beyond_the_image_takes_no_memory(layer, shape):
    network = {"input": list(shape), "layers": [layer(2**62)]}
    x = np.random.default_rng(0).standard_normal((2, *shape), np.float32)
    far = modnet.build({"network": network}, seed=1)
    near = modnet.build({"network": {**network, "layers": [layer(6)]}}, seed=1)
    assert np.array_equal(far.predict(x), near.predict(x))


def test_padding_on_the_left_alone_is_causal():
    layer = Conv1d(out_channels=1, kernel_size=3, padding=(2, 0), bias=False)
    x = np.arange(1.0, 5.0).reshape(1, 4, 1)
    assert forward(layer, x, weight=np.reshape([1, 10, 100], (3, 1, 1))).ravel().tolist() == [100, 210, 321, 432]


def test_conv_transpose2d_by_hand():
    layer = ConvTranspose2d(out_channels=1, kernel_size=(1, 3), stride=(1, 2), bias=False)
    x = np.reshape([1.0, 2.0], (1, 1, 2, 1))
    y = forward(layer, x, weight=np.reshape([1, 10, 100], (1, 3, 1, 1)))
    assert y.ravel().tolist() == [1, 10, 102, 20, 200]


def test_a_kernel_narrower_than_its_stride_leaves_zeros():
    layer = ConvTranspose2d(out_channels=1, kernel_size=1, stride=2, padding="same", bias=False)
    y = forward(layer, np.ones((1, 1, 2, 1)), weight=3)
    assert y[0, :, :, 0].tolist() == [[3, 0, 3, 0], [0, 0, 0, 0]]


def test_padding_counts_in_a_mean_where_asked():
    x = np.full((1, 2, 2, 1), 8.0)
    for counted, corner in ((False, 8.0), (True, 2.0)):
        layer = AveragePool2d(pool_size=2, stride=1, padding=1, count_padding=counted)
        assert forward(layer, x)[0, 0, 0, 0] == corner


def test_the_first_of_equal_numbers_takes_the_gradient():
    layer = MaxPool2d()
    context = layer_context(layer, (2, 2, 1))
    layer.forward(context, np.zeros((1, 2, 2, 1)))
    assert layer.backward(context, np.ones((1, 1, 1, 1)))[0, :, :, 0].tolist() == [[1, 0], [0, 0]]


def test_padding_is_never_the_greatest():
    assert (forward(MaxPool2d(pool_size=3, padding="same"), np.full((1, 4, 4, 1), -5.0)) == -5).all()


def test_global_max_pool_heeds_a_mask():
    layer = GlobalMaxPool()
    context = layer_context(layer, (3, 1))
    x = np.reshape([1.0, 2.0, 9.0, 4.0, 5.0, 6.0], (2, 3, 1))
    context.masks = (np.array([[True, True, False], [False, False, False]]),)
    assert layer.forward(context, x).ravel().tolist() == [2, 0]
    assert context.output_mask is None
    assert layer.backward(context, np.ones((2, 1))).ravel().tolist() == [0, 1, 0, 0, 0, 0]


SEQUENTIAL = [
    Conv1d(out_channels=3, kernel_size=3, padding="same"),
    Conv1d(out_channels=3, kernel_size=3, padding=(2, 0), dilation=2, stride=2),
    Conv1d(out_channels=3, kernel_size=2, stride=3),
    Conv1d(out_channels=3, kernel_size=1, stride=2, padding="same"),
    MaxPool1d(),
    MaxPool1d(pool_size=3, stride=1, padding="same"),
    AveragePool1d(),
    AveragePool1d(pool_size=3, stride=2, padding=1),
    AveragePool1d(pool_size=3, stride=2, padding=(2, 1), count_padding=True),
]


@pytest.mark.parametrize("layer", SEQUENTIAL, ids=str)
def test_a_sequence_that_ends_early_gives_what_it_gives_alone(layer):
    """The same windows, and the same gradients; what stands behind its end, be it nan, has no part in it."""
    rng = np.random.default_rng(0)
    lengths = [9, 6, 4, 3]
    x = np.full((len(lengths), 9, 2), np.nan)
    for sample, length in zip(x, lengths, strict=True):
        sample[:length] = rng.standard_normal((length, 2))
    context = layer_context(layer, (9, 2))
    context.masks = (np.arange(9) < np.reshape(lengths, (-1, 1)),)
    context.output_mask = context.masks[0]
    y = layer.forward(context, x).copy()
    seen = context.output_mask
    gradient = rng.standard_normal(y.shape) * seen[..., None]
    result = layer.backward(context, gradient.copy()).copy()
    found = {name: array.copy() for name, array in context.grads.items()}
    expected = {name: np.zeros_like(array) for name, array in found.items()}
    for number, length in enumerate(lengths):
        alone = x[number : number + 1, :length]
        context.begin()
        context.masks = (None,)
        one = layer.forward(context, alone)
        count = one.shape[1]
        assert seen[number].tolist() == [True] * count + [False] * (y.shape[1] - count)
        np.testing.assert_allclose(y[number, :count], one[0], rtol=1e-12)
        one_gradient = layer.backward(context, gradient[number : number + 1, :count].copy())
        np.testing.assert_allclose(result[number, :length], one_gradient[0], rtol=1e-12, atol=1e-14)
        assert (result[number, length:] == 0).all()
        for name, array in context.grads.items():
            expected[name] += array
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer", [SEQUENTIAL[1], MaxPool1d(), AveragePool1d()], ids=str)
def test_masks_come_from_the_network_and_go_on(layer):
    pytest.importorskip("modnet_recurrent", reason="masks are made by masking, of modnet-recurrent")
    layers = ["masking", {**vars(layer), "type": layer.type}, "global_max_pool"]
    network = modnet.build({"network": {"input": ["variable", 2], "layers": layers}})
    x = np.random.default_rng(0).standard_normal((1, 4, 2)).astype("float32")
    longer = np.concatenate([x, np.zeros((1, 5, 2), "float32")], axis=1)
    np.testing.assert_allclose(network.predict(longer), network.predict(x), rtol=1e-6)


def test_bilinear_by_hand():
    y = forward(Upsample2d(scale_factor=(1, 2), mode="bilinear"), np.reshape([0.0, 4.0], (1, 1, 2, 1)))
    assert y.ravel().tolist() == [0, 1, 3, 4]


AUGMENTATIONS = [RandomFlip(direction="both"), RandomShift(distance=2), RandomFlip(), RandomFlip(direction="vertical")]


@pytest.mark.parametrize("layer", AUGMENTATIONS, ids=str)
def test_augmentation_is_the_identity_in_prediction(layer):
    x = np.random.default_rng(0).standard_normal((20, 6, 7, 2))
    assert forward(layer, x) is x
    assert not np.array_equal(forward(layer, x, training=True), x)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_random_flip_flips_with_its_probability(probability):
    x = np.random.default_rng(0).standard_normal((5, 6, 7, 2))
    y = forward(RandomFlip(probability=probability), x, training=True)
    np.testing.assert_array_equal(y, x[:, :, ::-1] if probability else x)


def test_random_shift_moves_by_every_distance():
    x = np.zeros((500, 5, 5, 1))
    x[:, 2, 2] = 1
    y = forward(RandomShift(distance=(1, 2)), x, training=True)
    places = {tuple(place) for place in np.argwhere(y[..., 0])[:, 1:].tolist()}
    assert places == {(row, column) for row in (1, 2, 3) for column in range(5)}


def test_random_crop():
    x = np.arange(30.0).reshape(1, 5, 6, 1)
    layer = RandomCrop(height=4, width=3)
    np.testing.assert_array_equal(forward(layer, x), x[:, 0:4, 1:4])
    corners = {y[0, 0, 0] for y in forward(layer, np.repeat(x, 200, axis=0), training=True)}
    assert corners == {0, 1, 2, 3, 6, 7, 8, 9}


def test_separable_conv2d_is_its_two_parts():
    separable = {"type": "separable_conv2d", "out_channels": 5, "kernel_size": 3, "stride": 2, "depth_multiplier": 2}
    network = modnet.build({"network": {"input": [8, 8, 3], "layers": [separable]}})
    assert {name: array.shape for name, array in network.parameters.items()} == {
        "separable_conv2d_1.depthwise.weight": (3, 3, 6),
        "separable_conv2d_1.pointwise.weight": (1, 1, 6, 5),
        "separable_conv2d_1.pointwise.bias": (5,),
    }


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (Conv2d(out_channels=4, kernel_size=5), (4, 9, 1), "expects height of at least 5: its windows are 5 wide"),
        (Conv2d(out_channels=4, kernel_size=3, dilation=3), (9, 6, 1), "expects width of at least 7"),
        (Conv2d(out_channels=4, kernel_size=3), (28, 28), r"expects samples of shape \(height, width, channels\)"),
        (Conv2d(out_channels=4, kernel_size=3), (28, 28, None), "expects a last axis .channels. of fixed size"),
        (Conv2d(out_channels=4, kernel_size=3, groups=4), (9, 9, 6), "expects channels that groups = 4 divides"),
        (
            ConvTranspose2d(out_channels=4, kernel_size=3, groups=4),
            (9, 9, 6),
            "expects channels that groups = 4 divides",
        ),
        (Conv1d(out_channels=4, kernel_size=3), (2, 1), "expects time of at least 3"),
        (MaxPool2d(pool_size=3), (9, 2, 1), "expects width of at least 3"),
        (ConvTranspose2d(out_channels=1, kernel_size=1, padding=2), (4, 9, 1), "nothing is left"),
        (RandomCrop(height=4, width=4), (3, 9, 1), "expects a fixed height of at least 4"),
        (GlobalMaxPool(), (3,), "axes to go over"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(layer, shape, words):
    with pytest.raises(ShapeError, match=words):
        layer.output_shape(shape)


def test_a_missing_axis_of_channels_is_hinted_at():
    with pytest.raises(ShapeError) as error:
        Conv2d(out_channels=4, kernel_size=3).output_shape((28, 28))
    assert error.value.hint == 'put { type = "reshape", shape = [28, 28, 1] } before it'


def test_a_variable_axis_that_is_too_short_is_found_in_prediction():
    layer = {"type": "conv2d", "out_channels": 2, "kernel_size": 3}
    network = modnet.build({"network": {"input": ["variable", 5, 1], "layers": [layer]}})
    assert network.predict(np.zeros((1, 4, 5, 1))).shape == (1, 2, 3, 2)
    with pytest.raises(ShapeError, match="expects height of at least 3"):
        network.predict(np.zeros((1, 2, 5, 1)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conv2d(out_channels=4, kernel_size=3, groups=3), "does not divide out_channels = 4"),
        (lambda: ConvTranspose2d(out_channels=4, kernel_size=3, groups=3), "does not divide out_channels = 4"),
        (lambda: Conv2d(out_channels=4, kernel_size=0), "kernel_size"),
        (lambda: Conv2d(out_channels=4, kernel_size=3, padding="full"), "padding"),
        (lambda: MaxPool2d(padding=2), "less than pool_size"),
        (lambda: ConvTranspose2d(out_channels=1, kernel_size=3, output_padding=1), "less than stride"),
        (
            lambda: ConvTranspose2d(out_channels=1, kernel_size=3, stride=2, padding="same", output_padding=1),
            "explicit padding",
        ),
    ],
)
def test_configurations_that_are_refused(make, words):
    with pytest.raises(SpecError, match=words):
        make()


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(out_channels=4, kernel_size=3, groups=2),
        SeparableConv2d(4, 3),
        ConvTranspose2d(out_channels=4, kernel_size=3, groups=2),
    ],
    ids=str,
)
def test_counts_what_it_multiplies(layer):
    network = modnet.build({"network": {"input": [6, 6, 4], "layers": [{**vars(layer), "type": layer.type}]}})
    counts = {
        "conv2d": 16 * 9 * 2 * 4,
        "separable_conv2d": 16 * 9 * 4 + 16 * 4 * 4,
        "conv_transpose2d": 36 * 9 * 4 * 2,
    }
    expected = counts[layer.type]
    found = sum(node.layer.multiply_adds(*node.input_shapes) for node in network.graph.nodes)
    assert found == expected


def test_initializers_see_the_connections_of_one_output():
    weight = Conv2d(out_channels=8, kernel_size=3, groups=2).parameters((9, 9, 4))["weight"]
    assert weight.fans() == (9 * 2, 9 * 4)
    assert DepthwiseConv2d(kernel_size=3, depth_multiplier=2).parameters((9, 9, 4))["weight"].fans() == (9, 18)
    assert ConvTranspose2d(out_channels=8, kernel_size=3).parameters((9, 9, 4))["weight"].fans() == (36, 72)
    assert ConvTranspose2d(out_channels=8, kernel_size=3, groups=2).parameters((9, 9, 4))["weight"].fans() == (18, 36)


@pytest.mark.parametrize("layer", [MaxPool2d, AveragePool2d])
@pytest.mark.parametrize("options", [{"stride": 1}, {"stride": 2}, {"stride": [1, 3]}], ids=repr)
def test_a_window_costs_no_more_than_what_it_meets(layer, options):
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3))
    small, large = (layer(pool_size=size, padding="same", **options) for size in (25, 10**9))
    if layer is MaxPool2d:
        contexts = [layer_context(each, x.shape[1:], training=True) for each in (small, large)]
        y, other = (each.forward(context, x) for each, context in zip((small, large), contexts, strict=True))
        np.testing.assert_array_equal(y, other)
        assert (y == x.max(axis=(1, 2), keepdims=True)).all()
        gradients = [
            each.backward(context, np.ones_like(y)) for each, context in zip((small, large), contexts, strict=True)
        ]
        np.testing.assert_array_equal(*gradients)
    else:
        expected = np.broadcast_to(x.mean(axis=(1, 2), keepdims=True), forward(large, x).shape)
        np.testing.assert_allclose(forward(large, x), expected, rtol=1e-12)
    assert large.scratch_size(x.shape[1:]) < 1000


def test_what_is_padded_far_is_refused_before_it_is_padded(monkeypatch):
    monkeypatch.setattr("modnet.memory.limit", lambda: 10**9)
    layer = {"type": "conv1d", "out_channels": 1, "kernel_size": 2, "dilation": 10**9, "padding": "same"}
    network = modnet.build({"network": {"input": [4, 1], "layers": [layer]}})
    with pytest.raises(
        modnet.TooLarge, match=r"\(conv1d\) for 1 sample needs 4 GB of memory; this process can have 1 GB"
    ):
        network.predict(np.ones((1, 4, 1)))

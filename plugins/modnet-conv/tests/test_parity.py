"""Values and all gradients against torch, whose images have their channels first."""

import itertools

import numpy as np
import pytest
from modnet_conv.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose2d, DepthwiseConv2d, SeparableConv2d
from modnet_conv.geometry import per_axis
from modnet_conv.pooling import AveragePool1d, AveragePool2d, GlobalMaxPool, MaxPool1d, MaxPool2d
from modnet_conv.resampling import Upsample2d, ZeroPad2d

import modnet
from modnet.engine.passes import Pass
from modnet.testing.gradients import layer_context

torch = pytest.importorskip("torch", reason="the comparison is with torch: extra parity")
functional = torch.nn.functional


def first(array):
    """Channels first, as a copy: torch is wrong on arrays that it takes for contiguous by their single channel."""
    return np.moveaxis(array, -1, 1).copy()


def last(tensor):
    """Channels last."""
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def leaf(array, dtype=torch.float32):
    return torch.tensor(np.ascontiguousarray(array), dtype=dtype, requires_grad=True)


def run(layer, shape, batch=3):
    """Input, gradient of the output, output, gradients and parameters of a layer, in float32."""
    rng = np.random.default_rng(0)
    context = layer_context(layer, shape, dtype=np.float32)
    x = rng.standard_normal((batch, *shape)).astype(np.float32)
    context.begin()
    y = layer.forward(context, x)
    assert y.shape == (batch, *layer.output_shape(shape))
    gradient = rng.standard_normal(y.shape).astype(np.float32)
    result = layer.backward(context, gradient.copy())
    return x, gradient, y, {"input": result, **context.grads}, context.params


def assert_close(found, expected):
    """Within 1e-5 of the largest number: sums that cancel have no more digits."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def padded(x, windows):
    """Explicit padding, which torch has for every side."""
    return functional.pad(x, [side for window in reversed(windows) for side in (window.before, window.after)])


CONVOLUTION = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def compare_convolution(layer, shape, batch=3, dtype=torch.float32):
    """`dtype` is torch's; in float32 its own sums over 80,000 windows are off by more than 1e-5."""
    x, gradient, y, gradients, params = run(layer, shape, batch)
    windows = layer.windows(shape[:-1])
    turned = (layer.axes + 1, layer.axes, *range(layer.axes))
    xt, weight = leaf(first(x), dtype), leaf(params["weight"].transpose(turned), dtype)
    bias = leaf(params["bias"], dtype) if layer.bias else None
    options = (tuple(w.stride for w in windows), 0, tuple(w.dilation for w in windows), layer.groups)
    expected = CONVOLUTION[layer.axes](padded(xt, windows), weight, bias, *options)
    expected.backward(torch.tensor(first(gradient), dtype=dtype))
    assert_close(y, last(expected))
    assert_close(gradients["input"], last(xt.grad))
    assert_close(gradients["weight"], weight.grad.numpy().transpose(*range(2, layer.axes + 2), 1, 0))
    if layer.bias:
        assert_close(gradients["bias"], bias.grad.numpy())


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, (1, 3), (4, 2)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3, (2, 1)], ids=str)
@pytest.mark.parametrize("padding", ["same", "valid", 1, (2, 0), ((0, 2), (3, 1))], ids=str)
def test_conv2d(kernel, stride, padding):
    for dilation, groups, channels in itertools.product((1, 2), (1, 2, 4), (4, 8, 20)):
        for size in ((11, 13), (9, 10)):
            layer = Conv2d(
                out_channels=8, kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups
            )
            compare_convolution(layer, (*size, channels))


@pytest.mark.parametrize("size", [(28, 28), (14, 14), (31, 17), (64, 64)], ids=str)
@pytest.mark.parametrize("channels", [1, 3, 32, 64])
def test_conv2d_of_images_that_take_several_parts(size, channels):
    layer = Conv2d(out_channels=32, kernel_size=3, padding="same", bias=False)
    compare_convolution(layer, (*size, channels), batch=9)


def test_conv2d_of_an_image_that_takes_several_parts():
    for layer, shape in (
        (Conv2d(out_channels=16, kernel_size=3, padding="same"), (200, 200, 24)),
        (Conv2d(out_channels=8, kernel_size=3, stride=2, padding="same"), (300, 200, 24)),
    ):
        compare_convolution(layer, shape, batch=2, dtype=torch.float64)


@pytest.mark.parametrize("padding", ["same", "valid", 2, (6, 0)], ids=str)
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_conv1d(kernel, padding):
    for stride, dilation, groups, channels in itertools.product((1, 2), (1, 3), (1, 2), (2, 8, 32)):
        layer = Conv1d(
            out_channels=6, kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups
        )
        compare_convolution(layer, (31, channels))


@pytest.mark.parametrize("padding", ["same", 1, ((0, 1), (2, 0), (1, 1))], ids=str)
@pytest.mark.parametrize("kernel", [1, 3, (1, 2, 3)], ids=str)
def test_conv3d(kernel, padding):
    for stride, dilation, groups, channels in itertools.product((1, 2, (1, 2, 3)), (1, 2), (1, 2), (2, 8)):
        layer = Conv3d(
            out_channels=6, kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups
        )
        compare_convolution(layer, (7, 6, 9, channels))


@pytest.mark.parametrize("kernel", [1, 3, (2, 5)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, (3, 1)], ids=str)
@pytest.mark.parametrize("padding", ["same", "valid", ((0, 2), (3, 1))], ids=str)
@pytest.mark.parametrize("multiplier", [1, 2, 3])
def test_depthwise_conv2d(kernel, stride, padding, multiplier):
    sizes = ((11, 13, 5), (9, 10, 3), (5, 17, 32))
    for (dilation, bias), shape in itertools.product(((1, True), (2, False)), sizes):
        layer = DepthwiseConv2d(
            kernel_size=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            depth_multiplier=multiplier,
            bias=bias,
        )
        if 1 + (max(per_axis(kernel, 2)) - 1) * dilation > min(shape[:2]) and padding == "valid":
            continue
        x, gradient, y, gradients, params = run(layer, shape)
        windows = layer.windows(shape[:2])
        xt, weight = leaf(first(x)), leaf(params["weight"].transpose(2, 0, 1)[:, None])
        tb = leaf(params["bias"]) if bias else None
        options = (tuple(w.stride for w in windows), 0, tuple(w.dilation for w in windows), shape[-1])
        expected = functional.conv2d(padded(xt, windows), weight, tb, *options)
        expected.backward(torch.tensor(first(gradient)))
        assert_close(y, last(expected))
        assert_close(gradients["input"], last(xt.grad))
        assert_close(gradients["weight"], weight.grad.numpy()[:, 0].transpose(1, 2, 0))
        if bias:
            assert_close(gradients["bias"], tb.grad.numpy())


@pytest.mark.parametrize("stride", [1, 2], ids=str)
@pytest.mark.parametrize("padding", ["same", "valid", 1], ids=str)
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("bias", [True, False], ids=["", "no bias"])
def test_separable_conv2d(stride, padding, multiplier, bias):
    layer = SeparableConv2d(
        out_channels=6, kernel_size=(3, 2), stride=stride, padding=padding, depth_multiplier=multiplier, bias=bias
    )
    network = modnet.build({"network": {"input": [8, 9, 4], "layers": [{**vars(layer), "type": layer.type}]}})
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 8, 9, 4)).astype(np.float32)
    gradients = network.parameters.like()
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=gradients)
    (y,) = run.forward([x])
    gradient = rng.standard_normal(y.shape).astype(np.float32)
    run.backward([gradient.copy()])
    prefix = "separable_conv2d_1"
    depthwise, pointwise = (network.parameters[f"{prefix}.{part}.weight"] for part in ("depthwise", "pointwise"))
    leaves = {
        f"{prefix}.depthwise.weight": leaf(depthwise.transpose(2, 0, 1)[:, None]),
        f"{prefix}.pointwise.weight": leaf(pointwise.transpose(3, 2, 0, 1)),
    }
    if bias:
        leaves[f"{prefix}.pointwise.bias"] = leaf(network.parameters[f"{prefix}.pointwise.bias"])
    windows = network.graph.nodes[0].layer.windows((8, 9))
    first_part, second_part, *rest = leaves.values()
    middle = functional.conv2d(padded(torch.tensor(first(x)), windows), first_part, None, stride, groups=4)
    expected = functional.conv2d(middle, second_part, *rest)
    expected.backward(torch.tensor(first(gradient)))
    assert_close(y, last(expected))
    assert_close(gradients[f"{prefix}.depthwise.weight"], first_part.grad.numpy()[:, 0].transpose(1, 2, 0))
    assert_close(gradients[f"{prefix}.pointwise.weight"], second_part.grad.numpy().transpose(2, 3, 1, 0))
    if bias:
        assert_close(gradients[f"{prefix}.pointwise.bias"], rest[0].grad.numpy())


@pytest.mark.parametrize("kernel", [1, 2, 3, (4, 5)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, (3, 2)], ids=str)
@pytest.mark.parametrize("padding", ["same", "valid", 1, (0, 1), ((0, 1), (2, 0))], ids=str)
def test_conv_transpose2d(kernel, stride, padding):
    steps = per_axis(stride, 2)
    choices = itertools.product((1, 2), (0, 1, (0, 1)), ((2, 1), (16, 1), (6, 2), (8, 4)), ((5, 6), (9, 4)))
    for number, (dilation, further, (channels, groups), size) in enumerate(choices):
        if further and (padding == "same" or any(a >= b for a, b in zip(per_axis(further, 2), steps, strict=True))):
            continue
        layer = ConvTranspose2d(
            out_channels=4,
            kernel_size=kernel,
            stride=stride,
            padding=padding,
            output_padding=further,
            dilation=dilation,
            groups=groups,
            bias=number % 2 == 0,
        )
        x, gradient, y, gradients, params = run(layer, (*size, channels))
        xt, weight = leaf(first(x)), leaf(params["weight"].transpose(3, 2, 0, 1))
        bias = leaf(params["bias"]) if layer.bias else None
        # torch pads both sides alike: the whole, and what `padding` and `output_padding` leave of it.
        whole = functional.conv_transpose2d(xt, weight, bias, stride, 0, 0, groups, dilation)
        sides = [side for window in reversed(layer.sizes(size)) for side in (-window.before, -window.after)]
        expected = functional.pad(whole, sides)
        if layer.bias:
            # What output_padding adds is bias alone.
            covered = functional.pad(torch.ones_like(whole), sides)
            expected = expected + (1 - covered) * bias[:, None, None]
        expected.backward(torch.tensor(first(gradient)))
        assert y.shape[1:3] == tuple(window.size for window in layer.sizes(size))
        assert_close(y, last(expected))
        assert_close(gradients["input"], last(xt.grad))
        assert_close(gradients["weight"], weight.grad.numpy().transpose(2, 3, 1, 0))
        if layer.bias:
            assert_close(gradients["bias"], bias.grad.numpy())


@pytest.mark.parametrize("further", [0, 1], ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_conv_transpose2d_has_torchs_sizes(further, groups):
    """The same with torch's own padding, which is for both sides alike."""
    layer = ConvTranspose2d(
        out_channels=4, kernel_size=3, stride=2, padding=1, output_padding=further, groups=groups, bias=False
    )
    x, _, y, _, params = run(layer, (5, 6, 8))
    weight = torch.tensor(params["weight"].transpose(3, 2, 0, 1).copy())
    xt = torch.tensor(first(x))
    assert_close(y, last(functional.conv_transpose2d(xt, weight, None, 2, 1, further, groups)))


def compare(layer, shape, function, rounded=False):
    """A layer without parameters; `rounded` makes equal numbers frequent."""
    rng = np.random.default_rng(0)
    context = layer_context(layer, shape, dtype=np.float32)
    x = rng.standard_normal((3, *shape)).astype(np.float32)
    if rounded:
        x = np.maximum(np.round(x), 0)
    y = layer.forward(context, x)
    gradient = rng.standard_normal(y.shape).astype(np.float32)
    xt = leaf(first(x))
    expected = function(xt)
    expected.backward(torch.tensor(first(gradient)))
    assert_close(y, last(expected))
    assert_close(layer.backward(context, gradient.copy()), last(xt.grad))


SIZES = [(2, None), (3, 2), ((3, 2), (1, 3)), ((2, 4), 2)]


@pytest.mark.parametrize(("size", "stride"), SIZES, ids=str)
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("shape", [(11, 13, 3), (8, 8, 2), (5, 4, 1)], ids=str)
@pytest.mark.parametrize("rounded", [False, True], ids=["", "with ties"])
def test_max_pool2d(size, stride, padding, shape, rounded):
    layer = MaxPool2d(pool_size=size, stride=stride, padding=padding)
    compare(layer, shape, lambda x: functional.max_pool2d(x, size, stride, padding), rounded)


@pytest.mark.parametrize(("size", "stride"), SIZES, ids=str)
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("counted", [False, True], ids=["", "counting padding"])
def test_average_pool2d(size, stride, padding, counted):
    layer = AveragePool2d(pool_size=size, stride=stride, padding=padding, count_padding=counted)
    options = {"count_include_pad": counted}
    compare(layer, (11, 13, 3), lambda x: functional.avg_pool2d(x, size, stride, padding, **options))


@pytest.mark.parametrize(("size", "stride"), [(3, 2), ((4, 3), (1, 2)), (2, None)], ids=str)
@pytest.mark.parametrize("padding", ["same", ((0, 1), (1, 0)), ((1, 0), (0, 1))], ids=str)
@pytest.mark.parametrize("shape", [(11, 13, 3), (8, 8, 2), (4, 3, 32)], ids=str)
def test_pooling_with_other_padding_than_torch_has(size, stride, padding, shape):
    """With the padding made beforehand, of what leaves the result as it is."""
    options = {"pool_size": size, "stride": stride, "padding": padding}

    def pad(x, value=0.0):
        windows = MaxPool2d(**options).windows(shape[:2])
        sides = [side for window in reversed(windows) for side in (window.before, window.after)]
        return functional.pad(x, sides, value=value)

    compare(MaxPool2d(**options), shape, lambda x: functional.max_pool2d(pad(x, -torch.inf), size, stride))
    counting = AveragePool2d(**options, count_padding=True)
    compare(counting, shape, lambda x: functional.avg_pool2d(pad(x), size, stride))
    compare(
        AveragePool2d(**options),
        shape,
        lambda x: (
            functional.avg_pool2d(pad(x), size, stride) / functional.avg_pool2d(pad(torch.ones_like(x)), size, stride)
        ),
    )


@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, 2), (4, 1)], ids=str)
@pytest.mark.parametrize("padding", [0, 1])
def test_pooling_along_time(size, stride, padding):
    maximum = MaxPool1d(pool_size=size, stride=stride, padding=padding)
    compare(maximum, (12, 3), lambda x: functional.max_pool1d(x, size, stride, padding))
    average = AveragePool1d(pool_size=size, stride=stride, padding=padding, count_padding=True)
    compare(average, (12, 3), lambda x: functional.avg_pool1d(x, size, stride, padding))


def test_global_max_pool():
    compare(GlobalMaxPool(), (5, 4, 3), lambda x: x.amax((2, 3)))
    compare(GlobalMaxPool(), (7, 3), lambda x: x.amax(2))


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("factor", [1, 2, (3, 2)], ids=str)
def test_upsample2d(mode, factor):
    options = {"align_corners": False} if mode == "bilinear" else {}
    factors = (factor, factor) if isinstance(factor, int) else factor
    compare(
        Upsample2d(scale_factor=factor, mode=mode),
        (5, 7, 3),
        lambda x: functional.interpolate(x, scale_factor=factors, mode=mode, **options),
    )


def test_zero_pad2d():
    compare(ZeroPad2d(padding=((1, 2), (0, 3))), (4, 5, 2), lambda x: functional.pad(x, (0, 3, 1, 2)))

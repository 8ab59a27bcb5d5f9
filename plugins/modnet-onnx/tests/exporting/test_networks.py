"""Layers behind one another: masks of sequences, members of ensembles, variable axes."""

from __future__ import annotations

import numpy as np
import pytest
from cases import check
from modnet_onnx.exporting.model import NEWEST, OLDEST, Settings, to_onnx

from modnet.testing.networks import chain, prepared


def layer(type, **options):
    return {"type": type, **options}


def sequences():
    """Of different lengths, one with a gap and one without a step: (6, 9, 3), and such ids."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 9, 3)).astype(np.float32)
    ids = rng.integers(1, 7, (6, 9))
    for array in (x, ids):
        array[1, 5:], array[2, 2:], array[3], array[4, 3:5] = 0, 0, 0, 0
    return x, ids


POOL = "global_average_pool"
"""Shows what the mask is."""

MASKED = {
    "attention": [layer("multi_head_attention", heads=3), POOL],
    "attention, causal": [layer("multi_head_attention", heads=3, causal=True)],
    "average_pool1d": [layer("average_pool1d"), POOL],
    "average_pool1d, counting": [layer("average_pool1d", pool_size=3, stride=1, padding=1, count_padding=True), POOL],
    "average_pool1d, padded": [layer("average_pool1d", pool_size=3, stride=1, padding=1), POOL],
    "average_pool1d, same": [layer("average_pool1d", pool_size=3, stride=2, padding="same"), POOL],
    "batch_norm": ["batch_norm", POOL],
    "bidirectional": [layer("bidirectional", layer=layer("gru", hidden_size=3)), POOL],
    "conv1d": [layer("conv1d", out_channels=2, kernel_size=3), POOL],
    "conv1d, causal": [layer("conv1d", out_channels=2, kernel_size=2, padding=[1, 0]), POOL],
    "conv1d, dilated": [layer("conv1d", out_channels=2, kernel_size=4, stride=2, dilation=2, padding="same"), POOL],
    "conv1d, same": [layer("conv1d", out_channels=2, kernel_size=3, padding="same"), POOL],
    "conv1d, strided": [layer("conv1d", out_channels=2, kernel_size=3, stride=2), POOL],
    "conv1d, strided, same": [layer("conv1d", out_channels=2, kernel_size=4, stride=3, padding="same"), POOL],
    "global_max_pool": ["global_max_pool"],
    "gru": [layer("gru", hidden_size=4), POOL],
    "gru, last": [layer("gru", hidden_size=4, return_sequences=False)],
    "layer_norm": ["layer_norm", "global_max_pool"],
    "linear": [layer("linear", out_features=2), POOL],
    "lstm": [layer("lstm", hidden_size=4), POOL],
    "lstm, last": [layer("lstm", hidden_size=4, return_sequences=False, train_initial_state=True)],
    "lstm, reverse": [layer("lstm", hidden_size=4, reverse=True)],
    "lstm, state": [layer("lstm", hidden_size=4, return_sequences=False, return_state=True, reverse=True)],
    "max_pool1d": [layer("max_pool1d"), POOL],
    "max_pool1d, padded": [layer("max_pool1d", pool_size=3, stride=1, padding=1), POOL],
    "max_pool1d, same": [layer("max_pool1d", pool_size=3, stride=2, padding="same"), POOL],
    "positions": ["sinusoidal_embedding", layer("positional_embedding", max_length=12), POOL],
    "reshape": [layer("reshape", shape=[-1, 1]), POOL],
    "rnn": [layer("rnn", hidden_size=4, nonlinearity="relu"), POOL],
    "slice": [layer("slice", axis=0, start=1, stop=4), POOL],
    "slice, from the end": [layer("slice", axis=0, start=-3), POOL],
    "transformer": [
        layer("linear", out_features=4),
        layer("transformer_block", features=4, heads=2, rotary=True),
        POOL,
    ],
}


@pytest.mark.parametrize("steps", ["variable", 9])
@pytest.mark.parametrize("layers", MASKED.values(), ids=MASKED)
def test_masks(layers, steps):
    x, _ = sequences()
    for before in (["masking"], []):
        network = prepared(chain([*before, *layers], [steps, 3]), {"input": x})
        check(network, {"input": x}, Settings(OLDEST if before else NEWEST))


def test_masks_of_ids():
    _, ids = sequences()
    embedded = layer("embedding", vocabulary_size=7, embedding_size=1, padding=0)
    for last in ("softmax", "log_softmax", "layer_norm", "rms_norm"):
        check(chain([embedded, layer("reshape", shape=[-1]), last], [9]), {"input": ids})
    check(chain([embedded, layer("lstm", hidden_size=4), POOL], ["variable"]), {"input": ids})


ENSEMBLES = {
    "attention": ([9, 3], ["masking", layer("multi_head_attention", heads=3), POOL]),
    "conv1d": ([9, 3], ["masking", layer("conv1d", out_channels=2, kernel_size=3), POOL]),
    "embedded numbers": ([4], ["pbld", layer("linear", out_features=2)]),
    "lstm": (["variable", 3], [layer("lstm", hidden_size=4), POOL]),
    "mlp": ([4], ["standardize", layer("linear", out_features=5, activation="relu"), "batch_norm", "softmax"]),
    "mlp_ple": ([4], [layer("mlp_ple", out_features=3, hidden_features=[4]), "unstandardize", "clip_to_target"]),
    "norms": ([4], [layer("linear", out_features=5, activation="prelu"), "layer_norm", "rms_norm", "unstandardize"]),
    "realmlp": ([4], [layer("realmlp", out_features=3, hidden_features=[4]), "softmax", "temperature"]),
    "residual": ([4], [layer("residual", layers=[layer("linear", out_features=4)]), layer("linear", out_features=2)]),
    "steps": ([9, 3], [layer("linear", out_features=2), layer("linear", out_features=3), "flatten"]),
}


@pytest.mark.parametrize(("shape", "layers"), ENSEMBLES.values(), ids=ENSEMBLES)
def test_members(shape, layers):
    x, _ = sequences()
    x = x if len(shape) == 2 else x[:, 0, :].repeat(2, axis=1)[:, :4] + x[:, 1:2, 0]
    network = prepared(chain(layers, shape, members=3), {"input": x})
    check(network, {"input": x})


IMAGES = {
    "average": [layer("average_pool2d", pool_size=3, stride=2, padding="same")],
    "depthwise": [layer("depthwise_conv2d", kernel_size=3, depth_multiplier=2, padding="same")],
    "dilated": [layer("conv2d", out_channels=2, kernel_size=3, stride=2, dilation=2, padding="same")],
    "norm": [layer("conv2d", out_channels=2, kernel_size=3, stride=2, padding="same"), "batch_norm"],
    "pool": [layer("max_pool2d", pool_size=2, stride=2, padding="same")],
    "transposed": [layer("conv_transpose2d", out_channels=2, kernel_size=2, stride=3, padding="same")],
    "upsampled": [layer("upsample2d", scale_factor=2), layer("upsample2d", scale_factor=3, mode="bilinear")],
}


@pytest.mark.parametrize("layers", IMAGES.values(), ids=IMAGES)
def test_images_of_variable_size(layers):
    x = np.random.default_rng(0).standard_normal((3, 8, 7, 3)).astype(np.float32)
    check(chain(layers, ["variable", "variable", 3]), {"input": x})


def test_variable_axes_have_names():
    model = to_onnx(chain([layer("lstm", hidden_size=4), layer("linear", out_features=2)], ["variable", 3]))
    (given,), (made,) = model.graph.input, model.graph.output
    names = [[axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in (given, made)]
    assert names == [["batch", "time", 3], ["batch", "time", 2]]


def test_a_mean_that_needs_more_digits():
    x = (1.7e9 + 10 * np.random.default_rng(0).standard_normal((50, 2))).astype(np.float64)
    network = chain(["standardize"], [2])
    prepared(network, {"input": x})
    assert network.state["standardize_1.mean_rest"].any()
    check(network, {"input": x.astype(np.float32)})

import numpy as np
import pytest
from modnet_attention.attention import MultiHeadAttention

import modnet
from modnet import ShapeError
from modnet.testing.gradients import directional_error, layer_context, layer_gradient_errors, layer_inputs

CONFIGURATIONS = {
    "one head": MultiHeadAttention(heads=1),
    "causal": MultiHeadAttention(heads=2, causal=True),
    "grouped": MultiHeadAttention(heads=4, key_value_heads=2, head_size=3),
    "one group, rotary": MultiHeadAttention(heads=4, key_value_heads=1, head_size=2, causal=True, rotary=True),
    "dropout": MultiHeadAttention(heads=2, causal=True, dropout=0.3),
}
INPUTS = {
    "itself": [(11, 4)],
    "another sequence": [(11, 4), (9, 3)],
    "keys and values": [(5, 4), (9, 3), (9, 2)],
}

configurations = pytest.mark.parametrize("layer", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
inputs = pytest.mark.parametrize("shapes", INPUTS.values(), ids=INPUTS)


def plain(layer, context, *arrays, masks=()):
    """The output by the textbook: all scores at once, one head after the other, in float64."""
    projections = layer.projections(*(x.shape[1:] for x in arrays))
    parts = {}
    for x, projection in zip(arrays, projections, strict=True):
        y = x @ context.params[f"{projection.name}_weight"] + context.params.get(f"{projection.name}_bias", 0.0)
        for name, width in projection.parts.items():
            parts[name], y = y[..., :width], y[..., width:]
    heads, groups = layer.heads, layer.groups
    size = parts["query"].shape[-1] // heads
    outputs = []
    for head in range(heads):
        q = parts["query"][..., head * size : (head + 1) * size]
        group = head * groups // heads
        k, v = (parts[name][..., group * size : (group + 1) * size] for name in ("key", "value"))
        scores = q @ k.swapaxes(1, 2) / np.sqrt(size)
        seen = np.ones(scores.shape, bool)
        if layer.causal:
            seen &= np.tri(*scores.shape[1:], dtype=bool)
        for mask in masks:
            seen &= mask[:, None, :]
        weights = np.where(seen, np.exp(scores - scores.max(-1, keepdims=True)), 0)
        weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-300)
        outputs.append(weights @ v)
    return np.concatenate(outputs, -1) @ context.params["output_weight"] + context.params.get("output_bias", 0.0)


@configurations
@inputs
@pytest.mark.parametrize("tiled", [False, True], ids=["one tile", "tiles"])
def test_gradients_agree_with_finite_differences(layer, shapes, tiled, request):
    if tiled:
        request.getfixturevalue("small_tiles")
    errors = layer_gradient_errors(layer, *shapes)
    # All scores of a query grow alike with it, so its gradient is 0 but for rounding.
    errors.pop("key_bias", None)
    assert max(errors.values()) < 1e-6, errors


def test_the_bias_of_keys_alone_has_no_gradient():
    layer, shapes = MultiHeadAttention(heads=2), INPUTS["keys and values"]
    context = layer_context(layer, *shapes)
    y = layer.forward(context, *layer_inputs(layer, *shapes, batch=3))
    layer.backward(context, np.random.default_rng(0).standard_normal(y.shape))
    np.testing.assert_allclose(context.grads["key_bias"], 0, atol=1e-12)


@pytest.mark.parametrize("name", ["one head", "causal", "grouped"])
@inputs
@pytest.mark.parametrize("tiled", [False, True], ids=["one tile", "tiles"])
@pytest.mark.parametrize("masked", [False, True], ids=["", "mask"])
def test_the_output_is_the_textbooks(name, shapes, tiled, masked, request):
    if tiled:
        request.getfixturevalue("small_tiles")
    layer = CONFIGURATIONS[name]
    arrays = layer_inputs(layer, *shapes, batch=5)
    context = layer_context(layer, *shapes)
    masks = []
    if masked:
        lengths = np.random.default_rng(0).integers(1, 8, (len(arrays), 5))
        all_masks = [np.arange(x.shape[1]) < n[:, None] for x, n in zip(arrays, lengths, strict=True)]
        context.masks = tuple(all_masks)
        masks = all_masks[1:] or all_masks
    np.testing.assert_allclose(layer.forward(context, *arrays), plain(layer, context, *arrays, masks=masks), atol=1e-12)


@pytest.mark.parametrize("tiled", [False, True], ids=["one tile", "tiles"])
def test_gradients_with_a_mask(tiled, request):
    if tiled:
        request.getfixturevalue("small_tiles")
    layer = CONFIGURATIONS["grouped"]
    (x,) = layer_inputs(layer, (9, 4), batch=4)
    context = layer_context(layer, (9, 4))
    context.masks = (np.arange(9) < np.array([[9], [1], [5], [0]]),)
    weights = np.random.default_rng(0).standard_normal(x.shape)

    def value(x):
        context.begin()
        return float(np.vdot(layer.forward(context, x), weights))

    value(x)
    gradient = layer.backward(context, weights.copy()).copy()
    assert np.isfinite(gradient).all()
    assert directional_error(value, gradient, x, np.random.default_rng(1)) < 1e-6


def test_a_step_that_can_look_at_nothing_gets_zeros():
    layer = MultiHeadAttention(heads=2, output_bias=False)
    context = layer_context(layer, (3, 4))
    context.masks = (np.zeros((2, 3), bool),)
    y = layer.forward(context, np.ones((2, 3, 4)))
    np.testing.assert_array_equal(y, np.zeros((2, 3, 4)))


def test_steps_behind_the_end_change_nothing():
    layers = [
        {"type": "embedding", "vocabulary_size": 9, "embedding_size": 8, "padding": 0},
        {"type": "transformer_block", "features": 8, "heads": 2},
        "global_average_pool",
    ]
    network = modnet.build({"network": {"input": ["variable"], "layers": layers}})
    ids = np.array([[3, 1, 4, 1, 5]])
    padded = np.concatenate([ids, np.zeros((1, 4), int)], axis=1)
    np.testing.assert_allclose(network.predict(padded), network.predict(ids), rtol=1e-5, atol=1e-6)


def test_large_scores_do_not_overflow():
    layer = MultiHeadAttention(heads=1, bias=False)
    context = layer_context(layer, (4, 2), dtype="float32")
    x = np.random.default_rng(0).standard_normal((2, 4, 2)).astype(np.float32) * 1e4
    y = layer.forward(context, x)
    assert np.isfinite(y).all()
    assert np.isfinite(layer.backward(context, np.ones_like(y))).all()


def test_rotary_attention_feels_distances_only():
    layer = MultiHeadAttention(heads=2, rotary=True, bias=False)
    context = layer_context(layer, (6, 8))
    x = np.random.default_rng(0).standard_normal((1, 6, 8))
    context.memory = {}
    layer_at_0 = layer.forward(context, x).copy()
    context.memory = {"position": 100}
    np.testing.assert_allclose(layer.forward(context, x), layer_at_0, atol=1e-12)
    context.memory = None
    other_base = layer.replace(rotary_base=100.0)
    assert not np.allclose(other_base.forward(context, x), layer_at_0, atol=1e-3)


def test_dropout_is_of_training_alone_and_keeps_the_mean():
    layer = MultiHeadAttention(heads=2, dropout=0.4)
    x = np.random.default_rng(0).standard_normal((2, 5, 4))
    expected = layer.forward(layer_context(layer, (5, 4), training=False), x)
    context = layer_context(layer, (5, 4))
    total = np.zeros_like(x)
    for _ in range(2000):
        context.begin()
        total += layer.forward(context, x)
    np.testing.assert_allclose(total / 2000, expected, atol=0.06)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rotary": True},
        {"key_value_heads": 2, "rotary": True, "norm": "rms_norm", "activation": "silu", "gated": True, "bias": False},
    ],
    ids=["plain", "rotary", "grouped"],
)
@pytest.mark.parametrize("tiled", [False, True], ids=["one tile", "tiles"])
def test_a_stream_gives_piece_by_piece_what_the_whole_sequence_gives(options, tiled, request):
    if tiled:
        request.getfixturevalue("small_tiles")
    layers = [
        {"type": "embedding", "vocabulary_size": 20, "embedding_size": 16},
        {"type": "positional_embedding", "max_length": 30},
        "sinusoidal_embedding",
        {
            "type": "repeat",
            "count": 2,
            "layers": [{"type": "transformer_block", "features": 16, "heads": 4, "causal": True, **options}],
        },
        {"type": "linear", "out_features": 5},
    ]
    network = modnet.build({"network": {"input": ["variable"], "layers": layers}})
    ids = np.random.default_rng(0).integers(0, 20, (3, 21))
    whole = network.predict(ids)
    stream = network.stream()
    for _ in range(2):
        pieces = [stream.predict(ids[:, a:b]) for a, b in ((0, 5), (5, 6), (6, 7), (7, 18), (18, 21))]
        np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, rtol=1e-4, atol=1e-5)
        stream.reset()


def test_a_stream_keeps_the_mask():
    layers = [
        {"type": "embedding", "vocabulary_size": 20, "embedding_size": 16, "padding": 0},
        {"type": "multi_head_attention", "heads": 2, "causal": True},
    ]
    network = modnet.build({"network": {"input": ["variable"], "layers": layers}})
    ids = np.array([[0, 0, 3, 4, 0, 5], [1, 2, 3, 0, 0, 0]])
    stream = network.stream()
    pieces = [stream.predict(ids[:, a:b]) for a, b in ((0, 1), (1, 4), (4, 6))]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), network.predict(ids), rtol=1e-4, atol=1e-6)


class Ends(modnet.Layer, type="ends"):
    """Says that steps of -1 are none, and says nothing about pieces that have none of them."""

    streams = True
    makes_mask = True

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        there = (x != -1).any(axis=2)
        context.output_mask = None if there.all() else there
        return x


@pytest.mark.parametrize("masked", [[6], [0], [3, 4]], ids=str)
def test_a_mask_may_begin_and_end_in_the_middle_of_a_stream(masked):
    layers = [Ends(), {"type": "multi_head_attention", "heads": 2, "causal": True}]
    network = modnet.build({"network": {"input": ["variable", 4], "layers": layers, "dtype": "float64"}})
    x = np.random.default_rng(0).standard_normal((2, 8, 4))
    x[1, masked] = -1
    stream = network.stream()
    pieces = [stream.predict(piece) for piece in np.split(x, (2, 3, 5), axis=1)]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), network.predict(x), rtol=1e-12, atol=1e-14)


def test_attention_that_looks_ahead_does_not_stream():
    network = modnet.build(
        {"network": {"input": ["variable", 4], "layers": [{"type": "multi_head_attention", "heads": 2}]}}
    )
    with pytest.raises(ShapeError, match="needs whole sequences"):
        network.stream()


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (MultiHeadAttention(heads=2), [(4,)], r"expects samples of shape \(time, features\)"),
        (MultiHeadAttention(heads=2), [(4, None)], "of fixed size"),
        (MultiHeadAttention(heads=3), [(5, 4)], "divided by heads = 3"),
        (MultiHeadAttention(heads=4, rotary=True), [(5, 4)], "even head_size"),
        (MultiHeadAttention(heads=1), [(5, 4), (6, 4), (7, 4)], "of one length"),
    ],
)
def test_shapes_that_do_not_fit(layer, shapes, message):
    with pytest.raises(ShapeError, match=message):
        layer.output_shape(*shapes)


def test_groups_divide_the_heads():
    with pytest.raises(modnet.ModnetError, match="key_value_heads = 3 does not divide heads = 4"):
        MultiHeadAttention(heads=4, key_value_heads=3)


def test_multiply_adds():
    layer = MultiHeadAttention(heads=2, key_value_heads=1)
    # q, k and v: 5 * 4 * (4 + 2 + 2); scores and outputs: 2 * 5 * 5 * 4; the output's map: 5 * 4 * 4
    assert layer.multiply_adds((5, 4)) == 160 + 200 + 80


@pytest.mark.parametrize("masked", [(True, False), (False, True), (True, True), (False, False)])
def test_the_mask_that_goes_on_is_that_of_the_queries(masked):
    layer = MultiHeadAttention(heads=2)
    context = layer_context(layer, (3, 4), (3, 4))
    masks = tuple(np.array([[True, True, False], [True] * 3][:: 1 - 2 * number]) for number in range(2))
    context.masks = tuple(mask if there else None for mask, there in zip(masks, masked, strict=True))
    context.output_mask = masks[1]
    layer.forward(context, *np.random.default_rng(0).standard_normal((2, 2, 3, 4)))
    assert context.output_mask is context.masks[0]

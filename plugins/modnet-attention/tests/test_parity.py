"""The same numbers as torch's, values and all gradients, in float32."""

import numpy as np
import pytest
from modnet_attention.attention import MultiHeadAttention
from modnet_attention.positions import RotaryEmbedding

import modnet
from modnet.engine.passes import Pass
from modnet.testing import layer_context

torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")


def assert_close(found, expected, name="", tolerance=1e-5):
    """Within a tolerance that is relative to the largest element."""
    found, expected = np.asarray(found), expected.detach().numpy()
    assert found.shape == expected.shape, name
    largest = np.abs(expected).max()
    assert np.abs(found - expected).max() <= tolerance * largest, (name, np.abs(found - expected).max() / largest)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def tensor(array):
    return torch.from_numpy(np.array(array)).requires_grad_()


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("steps", [1, 7, 64, 300])
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize("masked", [False, True], ids=["", "mask"])
def test_self_attention(heads, steps, causal, masked):
    features, batch = 32, 3
    layer = MultiHeadAttention(heads=heads, causal=causal)
    context = layer_context(layer, (steps, features), dtype=np.float32)
    x, gradient = numbers(batch, steps, features), numbers(batch, steps, features, seed=1)
    theirs = torch.nn.MultiheadAttention(features, heads, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.from_numpy(context.params["query_key_value_weight"].T.copy()))
        theirs.in_proj_bias.copy_(torch.from_numpy(context.params["query_key_value_bias"]))
        theirs.out_proj.weight.copy_(torch.from_numpy(context.params["output_weight"].T.copy()))
        theirs.out_proj.bias.copy_(torch.from_numpy(context.params["output_bias"]))
    options = {"need_weights": False}
    if masked:
        mask = np.arange(steps) < np.array([[steps], [steps - steps // 3], [1]])
        context.masks = (mask,)
        options["key_padding_mask"] = torch.from_numpy(~mask)
    if causal:
        options["attn_mask"] = torch.ones(steps, steps, dtype=torch.bool).triu(1)
    xt = tensor(x)
    expected, _ = theirs(xt, xt, xt, **options)
    expected.backward(torch.from_numpy(gradient))
    assert_close(layer.forward(context, x), expected, "output")
    assert_close(layer.backward(context, gradient.copy()), xt.grad, "input")
    assert_close(context.grads["query_key_value_weight"].T, theirs.in_proj_weight.grad, "weight")
    assert_close(context.grads["output_weight"].T, theirs.out_proj.weight.grad, "output weight")
    assert_close(context.grads["query_key_value_bias"], theirs.in_proj_bias.grad, "bias")
    assert_close(context.grads["output_bias"], theirs.out_proj.bias.grad, "output bias")


def rotated(x, base):
    """x (batch, heads, time, size), its features i and i + size / 2 turned as one complex number."""
    size = x.shape[-1]
    angles = torch.outer(torch.arange(x.shape[2]).double(), base ** (-torch.arange(0, size, 2).double() / size))
    turns = torch.polar(torch.ones_like(angles), angles).to(x.dtype.to_complex())
    turned = torch.complex(*x.unflatten(-1, (2, size // 2)).unbind(-2)) * turns
    return torch.cat([turned.real, turned.imag], -1)


def attention_of_torch(layer, weights, inputs, mask=None):
    """What a layer without biases gives, from its weights and inputs as tensors, and a mask of the keys."""
    size = len(weights["output_weight"]) // layer.heads
    counts = {"query": layer.heads, "key": layer.groups, "value": layer.groups}
    names = {1: ["query_key_value"], 2: ["query", "key_value"], 3: ["query", "key", "value"]}[len(inputs)]
    parts = {}
    for x, name in zip(inputs, names, strict=True):
        widths = {part: counts[part] * size for part in name.split("_")}
        projected = (x @ weights[f"{name}_weight"]).split([*widths.values()], -1)
        for part, y in zip(widths, projected, strict=True):
            parts[part] = y.unflatten(-1, (-1, size)).transpose(1, 2)
    q, k, v = parts["query"], parts["key"], parts["value"]
    if layer.rotary:
        q, k = rotated(q, layer.rotary_base), rotated(k, layer.rotary_base)
    seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool)
    seen = (seen.tril() if layer.causal else seen)[None, None]
    if mask is not None:
        seen = seen & torch.from_numpy(mask)[:, None, None]
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=True)
    return mixed.transpose(1, 2).flatten(2) @ weights["output_weight"]


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"rotary": True}, {"causal": True, "rotary": True}], ids=str)
@pytest.mark.parametrize(("heads", "groups"), [(4, 4), (4, 2), (8, 1)])
@pytest.mark.parametrize("inputs", [1, 2, 3])
@pytest.mark.parametrize(("queries", "keys"), [(2, 5), (20, 33), (150, 280), (40, 9)])
@pytest.mark.parametrize("masked", [False, True], ids=["", "mask"])
def test_attention_of_any_kind(options, heads, groups, inputs, queries, keys, masked):
    size, batch = 6, 2
    layer = MultiHeadAttention(
        heads=heads, key_value_heads=groups, head_size=size, rotary_base=100.0, bias=False, **options
    )
    shapes = ((queries, 10), (keys, 7), (keys, 5))[:inputs]
    context = layer_context(layer, *shapes, dtype=np.float32)
    arrays = [numbers(batch, *shape, seed=i) for i, shape in enumerate(shapes)]
    gradient = numbers(batch, queries, 10, seed=9)
    mask = None
    if masked:
        steps = shapes[-1][0]
        mask = np.arange(steps) < np.array([[steps], [1 + steps // 3]])
        context.masks = (mask,) if inputs == 1 else (None, *(mask,) * (inputs - 1))
    weights = {name: tensor(weight) for name, weight in context.params.items()}
    tensors = [tensor(x) for x in arrays]
    expected = attention_of_torch(layer, weights, tensors, mask)
    expected.backward(torch.from_numpy(gradient))
    assert_close(layer.forward(context, *arrays), expected, "output")
    results = layer.backward(context, gradient.copy())
    for found, x in zip(results if inputs > 1 else [results], tensors, strict=True):
        assert_close(found, x.grad, "input")
    for name, weight in weights.items():
        assert_close(context.grads[name], weight.grad, name)


@pytest.mark.parametrize(("heads", "features"), [(1, 2), (1, 12), (4, 32)])
@pytest.mark.parametrize("base", [100.0, 10_000.0])
@pytest.mark.parametrize("steps", [1, 9, 300])
def test_rotary_positions(heads, features, base, steps):
    layer = RotaryEmbedding(heads=heads, base=base)
    context = layer_context(layer, (steps, features), dtype=np.float32)
    x, gradient = numbers(3, steps, features), numbers(3, steps, features, seed=1)
    xt = tensor(x)
    expected = rotated(xt.double().unflatten(-1, (heads, -1)).transpose(1, 2), base).transpose(1, 2).flatten(2)
    expected.backward(torch.from_numpy(gradient).double())
    assert_close(layer.forward(context, x), expected, "output")
    assert_close(layer.backward(context, gradient.copy()), xt.grad, "input")


NAMES = {
    "self_attn.in_proj_weight": "attention.multi_head_attention_1.query_key_value_weight",
    "self_attn.in_proj_bias": "attention.multi_head_attention_1.query_key_value_bias",
    "self_attn.out_proj.weight": "attention.multi_head_attention_1.output_weight",
    "self_attn.out_proj.bias": "attention.multi_head_attention_1.output_bias",
    "linear1.weight": "feed_forward.feed_forward_1.hidden.weight",
    "linear1.bias": "feed_forward.feed_forward_1.hidden.bias",
    "linear2.weight": "feed_forward.feed_forward_1.output.weight",
    "linear2.bias": "feed_forward.feed_forward_1.output.bias",
}
NORMS = {
    True: {"norm1": "attention.layer_norm_1", "norm2": "feed_forward.layer_norm_1"},
    False: {"norm1": "layer_norm_1", "norm2": "layer_norm_2"},
}


@pytest.mark.parametrize("norm_first", [True, False], ids=["norm first", "norm last"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("steps", [10, 200])
def test_a_transformer_block(norm_first, activation, steps):
    features, heads, hidden, batch = 16, 4, 40, 3
    block = {
        "type": "transformer_block",
        "features": features,
        "heads": heads,
        "hidden_features": hidden,
        "norm_first": norm_first,
        "activation": activation,
        "name": "block",
    }
    # The first layer is there so that the block has a gradient of its input.
    layers = [{"type": "linear", "out_features": features, "bias": False, "name": "before"}, block]
    network = modnet.build({"network": {"input": [steps, features], "layers": layers}})
    theirs = torch.nn.TransformerEncoderLayer(
        features, heads, hidden, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first
    )
    names = dict(NAMES)
    for norm, name in NORMS[norm_first].items():
        names |= {f"{norm}.weight": f"{name}.scale", f"{norm}.bias": f"{name}.shift"}
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
            network.parameters[f"block.{names[name]}"] = parameter.numpy().T
    network.parameters["before.weight"] = np.eye(features)
    x, gradient = numbers(batch, steps, features), numbers(batch, steps, features, seed=1)
    xt = tensor(x)
    expected = theirs.train()(xt)
    expected.backward(torch.from_numpy(gradient))
    gradients = network.parameters.like()
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=gradients)
    assert_close(run.forward([x])[0], expected, "output")
    run.backward([gradient.copy()])
    for name, parameter in theirs.named_parameters():
        assert_close(gradients[f"block.{names[name]}"].T, parameter.grad, name)
    before = torch.from_numpy(x).flatten(0, 1).T @ xt.grad.flatten(0, 1)
    assert_close(gradients["before.weight"], before, "input")


MODERN = {"norm": "rms_norm", "activation": "silu", "gated": True, "bias": False, "rotary": True, "causal": True}


@pytest.mark.parametrize("norm_first", [True, False], ids=["norm first", "norm last"])
@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize(
    "options",
    [MODERN, {**MODERN, "rotary": False, "causal": False}, {**MODERN, "activation": "gelu", "norm": "layer_norm"}],
    ids=["today's", "plain positions", "geglu"],
)
@pytest.mark.parametrize("steps", [1, 10, 200])
def test_a_block_of_todays_models(norm_first, groups, options, steps):
    features, batch = 16, 3
    sizes = {"features": features, "heads": 4, "key_value_heads": groups, "hidden_features": 24}
    block = {"type": "transformer_block", **sizes, **options, "norm_first": norm_first, "name": "block"}
    layers = [{"type": "linear", "out_features": features, "bias": False, "name": "before"}, block]
    network = modnet.build({"network": {"input": [steps, features], "layers": layers}})
    network.parameters.flat += 0.1 * numbers(network.parameters.flat.size, seed=5)
    network.parameters["before.weight"] = np.eye(features)
    weights = {name: tensor(array) for name, array in network.parameters.items()}

    kind = options["norm"]
    norms = [f"attention.{kind}_1", f"feed_forward.{kind}_1"] if norm_first else [f"{kind}_1", f"{kind}_2"]

    def norm(x, number):
        scale = weights[f"block.{norms[number]}.scale"]
        if kind == "rms_norm":
            return torch.nn.functional.rms_norm(x, x.shape[-1:], scale, eps=modnet.layers.RMSNorm().epsilon)
        return torch.nn.functional.layer_norm(x, x.shape[-1:], scale, weights[f"block.{norms[number]}.shift"])

    def attention(x):
        prefix = "block.attention.multi_head_attention_1."
        own = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
        return attention_of_torch(MultiHeadAttention(heads=4, key_value_heads=groups, **positions), own, [x])

    def feed_forward(x):
        first, second, last = (
            weights[f"block.feed_forward.feed_forward_1.{name}.weight"] for name in ("hidden", "linear", "output")
        )
        return (getattr(torch.nn.functional, options["activation"])(x @ first) * (x @ second)) @ last

    positions = {"rotary": options["rotary"], "causal": options["causal"]}
    x, gradient = numbers(batch, steps, features), numbers(batch, steps, features, seed=1)
    expected = torch.from_numpy(x) @ weights["before.weight"]
    for number, branch in enumerate((attention, feed_forward)):
        if norm_first:
            expected = expected + branch(norm(expected, number))
        else:
            expected = norm(expected + branch(expected), number)
    expected.backward(torch.from_numpy(gradient))

    gradients = network.parameters.like()
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=gradients)
    assert_close(run.forward([x])[0], expected, "output")
    run.backward([gradient.copy()])
    for name, weight in weights.items():
        assert_close(gradients[name], weight.grad, name)

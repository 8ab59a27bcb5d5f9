"""The same numbers as torch's, values and all gradients, in float32."""

import numpy as np
import pytest
from modnet_attention.attention import MultiHeadAttention

import modnet
from modnet.network import Pass
from modnet.testing.gradients import layer_context

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


@pytest.mark.parametrize(("heads", "groups"), [(4, 4), (4, 2), (8, 1)])
@pytest.mark.parametrize(("queries", "keys"), [(1, 5), (20, 33), (150, 280)])
def test_cross_attention_with_grouped_heads(heads, groups, queries, keys):
    size, batch = 6, 2
    layer = MultiHeadAttention(heads=heads, key_value_heads=groups, head_size=size, bias=False)
    shapes = ((queries, 10), (keys, 7), (keys, 5))
    context = layer_context(layer, *shapes, dtype=np.float32)
    arrays = [numbers(batch, *shape, seed=i) for i, shape in enumerate(shapes)]
    gradient = numbers(batch, queries, 10, seed=9)
    weights = {name: tensor(weight) for name, weight in context.params.items()}
    inputs = [tensor(x) for x in arrays]
    q, k, v = (
        (x @ weights[f"{name}_weight"]).unflatten(-1, (-1, size)).transpose(1, 2)
        for x, name in zip(inputs, ("query", "key", "value"), strict=True)
    )
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    expected = mixed.transpose(1, 2).flatten(2) @ weights["output_weight"]
    expected.backward(torch.from_numpy(gradient))
    assert_close(layer.forward(context, *arrays), expected, "output")
    for found, x in zip(layer.backward(context, gradient.copy()), inputs, strict=True):
        assert_close(found, x.grad, "input")
    for name, weight in weights.items():
        assert_close(context.grads[name], weight.grad, name)


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

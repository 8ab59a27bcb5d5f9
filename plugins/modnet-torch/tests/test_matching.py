"""Which weights go into which node, where names do not tell."""

import numpy as np
import pytest
from modnet_torch import WeightsMismatch, load_state_dict, state_dict
from modnet_torch.modules import by_name, split, whole

import modnet


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


def build(layers, size=4, **tables):
    return modnet.build({"network": {"input": size if isinstance(size, list) else [size], "layers": layers}, **tables})


def weights(*modules):
    """name -> array, for (name, shape of the weight) of linear maps and norms; each array has a number of its own."""
    made = {}
    for number, (name, shape) in enumerate(modules, 1):
        made[f"{name}.weight"] = np.full(shape, number, np.float32)
        made[f"{name}.bias"] = np.full(shape[:1], number, np.float32)
    return made


def taken(found):
    return {match.node.name: [module.name for module in match.modules] for match in found.matching.matches}


def test_equal_shapes_go_by_order():
    found = load_state_dict(build([linear(4), linear(4)]), weights(("b", (4, 4)), ("a", (4, 4))))
    assert taken(found) == {"linear_1": ["b"], "linear_2": ["a"]}
    assert [match.how for match in found.matching.matches] == ["order", "order"]


def test_names_count_more_than_order():
    network = build([linear(4, name="layers_1"), linear(4, name="x")])
    found = load_state_dict(network, weights(("x", (4, 4)), ("layers.1", (4, 4))))
    assert taken(found) == {"layers_1": ["layers.1"], "x": ["x"]}


def test_the_spec_counts_more_than_names():
    table = {"nodes": {"linear_1": "a", "linear_2": "linear_1"}}
    found = load_state_dict(build([linear(4), linear(4)], weights=table), weights(("linear_1", (4, 4)), ("a", (4, 4))))
    assert taken(found) == {"linear_1": ["a"], "linear_2": ["linear_1"]}
    assert {match.how for match in found.matching.matches} == {"spec"}


def test_a_composite_goes_as_a_whole():
    block = {"type": "residual", "layers": [linear(4), "layer_norm"]}
    network = build([block, block], weights={"nodes": {"residual_2": "first", "residual_1": "second"}})
    each = [("first.fc", (4, 4)), ("first.n", (4,)), ("second.fc", (4, 4)), ("second.n", (4,))]
    found = load_state_dict(network, weights(*each))
    assert taken(found)["residual_1.linear_1"] == ["second.fc"]
    assert taken(found)["residual_2.layer_norm_1"] == ["first.n"]


def test_one_weight_for_two_nodes():
    """A head that is tied to the embedding."""
    layers = [{"type": "embedding", "vocabulary_size": 9, "embedding_size": 4}, linear(9, bias=False)]
    given = {"wte.weight": np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)}
    network = build(layers, ["variable"], weights={"nodes": {"embedding_1": "wte", "linear_1": "wte"}})
    load_state_dict(network, given)
    np.testing.assert_array_equal(network.parameters["linear_1.weight"], given["wte.weight"].T)
    np.testing.assert_array_equal(state_dict(network, like=given)["wte.weight"], given["wte.weight"])
    network.parameters["linear_1.weight"][...] += 1
    with pytest.raises(modnet.DataError, match=r"wte.weight is that of embedding_1 and of linear_1, which now differ"):
        state_dict(network, like=given)


def test_a_head_and_an_embedding_that_look_alike_go_by_their_names():
    layers = [{"type": "embedding", "vocabulary_size": 9, "embedding_size": 4}, linear(9, bias=False)]
    given = {"lm_head.weight": np.zeros((9, 4)), "wte.weight": np.ones((9, 4))}
    found = load_state_dict(build(layers, ["variable"]), given)
    assert taken(found) == {"embedding_1": ["wte"], "linear_1": ["lm_head"]}


def test_a_norm_stands_behind_what_it_reads():
    """The order of the spec and of the model differ, but for what follows what."""
    conv = {"type": "conv2d", "out_channels": 3, "kernel_size": 3, "padding": 1}
    short = {**conv, "kernel_size": 1, "padding": 0}
    layers = [
        {**short, "name": "short", "inputs": ["input"]},
        {"type": "batch_norm", "name": "short_norm", "inputs": ["short"]},
        {**conv, "name": "long", "inputs": ["input"]},
        {"type": "batch_norm", "name": "long_norm", "inputs": ["long"]},
        {"type": "add", "inputs": ["short_norm", "long_norm"]},
    ]
    norm = {"running_mean": np.zeros(3), "running_var": np.ones(3)}
    given = weights(("a", (3, 3, 3, 3)), ("a_bn", (3,)), ("down", (3, 3, 1, 1)), ("down_bn", (3,)))
    given = {**given, **{f"{name}.{key}": array for name in ("a_bn", "down_bn") for key, array in norm.items()}}
    found = load_state_dict(build(layers, [4, 4, 3]), given)
    assert taken(found) == {"short": ["down"], "short_norm": ["down_bn"], "long": ["a"], "long_norm": ["a_bn"]}


def test_what_does_not_fit_is_listed_and_nothing_is_copied():
    network = build([linear(4), linear(3)])
    before = network.parameters.flat.copy()
    with pytest.raises(WeightsMismatch) as error:
        load_state_dict(network, weights(("fc1", (4, 4)), ("fc2", (5, 4)), ("aux", (9, 9))))
    text = str(error.value)
    assert "1 node without weights and 4 arrays left over" in text
    assert "missing: linear_2 (linear) looks for weight (3, 4), bias (3,)" in text
    assert "left over: fc2 has weight (5, 4), bias (5,)" in text
    assert "left over: aux has weight (9, 9), bias (9,)" in text
    assert 'nodes = { linear_1 = "fc1" }' in text
    np.testing.assert_array_equal(network.parameters.flat, before)


def test_what_fits_alone():
    network = build([linear(4), linear(3)])
    found = load_state_dict(network, weights(("fc1", (4, 4)), ("fc2", (5, 4))), strict=False)
    assert found.missing == ["linear_2"]
    assert found.left_over == ["fc2.weight", "fc2.bias"]
    assert (network.parameters["linear_1.weight"] == 1).all()


def test_what_is_ignored_is_not_left_over():
    given = weights(("fc1", (4, 4)), ("aux.fc", (4, 4)))
    found = load_state_dict(build([linear(4)], weights={"ignore": ["aux"]}), given)
    assert found.left_over == []
    back = state_dict(build([linear(4)], weights={"ignore": ["aux"]}), like=given)
    np.testing.assert_array_equal(back["aux.fc.weight"], given["aux.fc.weight"])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"nodes": {"linear_2": "fc1"}}, r'weights.nodes: no node with arrays is called "linear_2"; did you mean'),
        ({"nodes": {"linear_1": "fc2"}}, r'weights.nodes: the file has no "fc2"; did you mean "fc1"'),
        ({"ignore": ["aux"]}, r'weights.ignore: the file has no "aux"'),
    ],
)
def test_names_that_do_not_exist(table, message):
    with pytest.raises(modnet.DataError, match=message):
        load_state_dict(build([linear(4)], weights=table), weights(("fc1", (4, 4))))


def test_norms_without_shift_or_scale():
    network = build(["layer_norm", "batch_norm"])
    given = {"n.weight": np.full(4, 2.0), "b.running_mean": np.ones(4), "b.running_var": np.ones(4)}
    load_state_dict(network, given)
    assert network.parameters["layer_norm_1.scale"].tolist() == [2] * 4
    assert network.parameters["layer_norm_1.shift"].tolist() == [0] * 4
    assert network.parameters["batch_norm_1.scale"].tolist() == [1] * 4
    network.parameters["layer_norm_1.shift"][...] = 3
    with pytest.raises(modnet.DataError, match="a norm without bias"):
        state_dict(network, like=given)


def attention(layer, inputs, given):
    network = build([layer], inputs)
    load_state_dict(network, given)
    return network


def test_attention_of_separate_maps_whatever_their_order():
    rng = np.random.default_rng(0)
    maps = {f"attn.{name}.weight": rng.standard_normal((4, 4)) for name in ("k_proj", "o_proj", "q_proj", "v_proj")}
    layer = {"type": "multi_head_attention", "heads": 2, "bias": False}
    network = attention(layer, ["variable", 4], maps)
    packed = network.parameters["multi_head_attention_1.query_key_value_weight"]
    expected = np.concatenate([maps[f"attn.{name}_proj.weight"] for name in "qkv"]).T
    np.testing.assert_allclose(packed, expected, rtol=1e-6)
    output = network.parameters["multi_head_attention_1.output_weight"]
    np.testing.assert_allclose(output, maps["attn.o_proj.weight"].T, rtol=1e-6)


def test_grouped_heads():
    rng = np.random.default_rng(0)
    shapes = {"q_proj": (8, 8), "k_proj": (4, 8), "v_proj": (4, 8), "o_proj": (8, 8)}
    maps = {f"a.{name}.weight": rng.standard_normal(shape) for name, shape in shapes.items()}
    layer = {"type": "multi_head_attention", "heads": 4, "key_value_heads": 2, "bias": False}
    network = attention(layer, ["variable", 8], maps)
    np.testing.assert_allclose(state_dict(network, like=maps)["a.k_proj.weight"], maps["a.k_proj.weight"], rtol=1e-6)
    assert "multi_head_attention_1.k_proj.weight" in state_dict(network)


def test_the_weights_of_gpt2_lie_the_other_way_round():
    """Its Conv1D has (in, out), as here."""
    rng = np.random.default_rng(0)
    shapes = {"attn.c_attn": (6, 18), "attn.c_proj": (6, 6), "mlp.c_fc": (6, 24), "mlp.c_proj": (24, 6)}
    given = {}
    for name, shape in shapes.items():
        given |= {f"h.0.{name}.weight": rng.standard_normal(shape), f"h.0.{name}.bias": rng.standard_normal(shape[1])}
    for name in ("h.0.ln_1", "h.0.ln_2"):
        given |= {f"{name}.weight": np.ones(6), f"{name}.bias": np.zeros(6)}
    network = build([{"type": "transformer_block", "features": 6, "heads": 2, "causal": True}], ["variable", 6])
    load_state_dict(network, given)
    block = "transformer_block_1.attention.multi_head_attention_1"
    for ours, theirs in {
        f"{block}.query_key_value_weight": "attn.c_attn",
        f"{block}.output_weight": "attn.c_proj",
        "transformer_block_1.feed_forward.feed_forward_1.hidden.weight": "mlp.c_fc",
        "transformer_block_1.feed_forward.feed_forward_1.output.weight": "mlp.c_proj",
    }.items():
        np.testing.assert_allclose(network.parameters[ours], given[f"h.0.{theirs}.weight"], rtol=1e-6)
    back = state_dict(network, like=given)
    for name, array in given.items():
        np.testing.assert_allclose(back[name], array, rtol=1e-6)


def test_positions_that_stand_by_themselves():
    network = build([{"type": "positional_embedding", "max_length": 5}], ["variable", 4])
    load_state_dict(network, {"pos_embed": np.arange(20.0).reshape(1, 5, 4)})
    np.testing.assert_array_equal(network.parameters["positional_embedding_1.weight"].ravel(), np.arange(20.0))


def test_what_is_no_weight():
    given = {**weights(("fc", (4, 4))), "bn.num_batches_tracked": np.array(3), "mask": np.tri(5)[None, None]}
    found = load_state_dict(build([linear(4)]), given)
    assert found.ignored == ("bn.num_batches_tracked", "mask")
    assert "not a weight: mask" in str(found)


def test_names_sort_as_models_stand():
    names = ["head.weight", "layers.10.weight", "layers.2.bn1.weight", "layers.2.conv1.weight", "layers.2.conv2.weight"]
    axes = {name: 1 if "bn" in name else 4 for name in [*names, "embed.weight"]}
    assert by_name(axes) == [
        *("embed.weight", "layers.2.conv1.weight", "layers.2.bn1.weight", "layers.2.conv2.weight"),
        *("layers.10.weight", "head.weight"),
    ]


@pytest.mark.parametrize("name", ["weight", "a.0.bias", "lstm.weight_ih_l0_reverse", "weight_hh_l1", "scale", "a.pos"])
def test_names_come_apart_and_together(name):
    assert whole(*split(name)) == name

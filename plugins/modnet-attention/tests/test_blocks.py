import numpy as np
import pytest

import modnet

SPELLED_OUT = """
[network]
input = [5, 8]
layers = [
  { type = "residual", name = "attention", layers = [
    "layer_norm", { type = "multi_head_attention", heads = 2 }, { type = "dropout", rate = 0.1 },
  ] },
  { type = "residual", name = "feed_forward", layers = [
    "layer_norm", { type = "feed_forward", hidden_features = 32, out_features = 8, dropout = 0.1 },
    { type = "dropout", rate = 0.1 },
  ] },
]
"""


def test_a_block_is_what_its_docstring_spells_out(tmp_path):
    (tmp_path / "spec.toml").write_text(SPELLED_OUT)
    spelled = modnet.build(tmp_path / "spec.toml")
    layers = [{"type": "transformer_block", "features": 8, "heads": 2, "dropout": 0.1, "name": "block"}]
    block = modnet.build({"network": {"input": [5, 8], "layers": layers}})
    assert [f"block.{name}" for name in spelled.parameters] == list(block.parameters)
    x = np.random.default_rng(0).standard_normal((3, 5, 8))
    np.testing.assert_array_equal(block.predict(x), spelled.predict(x))


def test_swiglu():
    layers = [
        {
            "type": "feed_forward",
            "hidden_features": 6,
            "out_features": 3,
            "activation": "silu",
            "gated": True,
            "bias": False,
            "name": "ff",
        }
    ]
    network = modnet.build({"network": {"input": [4], "layers": layers}})
    assert list(network.parameters) == ["ff.hidden.weight", "ff.linear.weight", "ff.output.weight"]
    x = np.random.default_rng(0).standard_normal((3, 4))
    w, v, w2 = network.parameters.values()
    gate = x @ w
    expected = (gate / (1 + np.exp(-gate)) * (x @ v)) @ w2
    np.testing.assert_allclose(network.predict(x), expected, rtol=1e-5, atol=1e-6)


def test_a_fault_in_the_heads_of_a_block_is_told_of_the_block():
    layers = [{"type": "transformer_block", "features": 8, "heads": 2, "key_value_heads": 3}]
    with pytest.raises(modnet.SpecError, match="key_value_heads = 3 does not divide heads = 2"):
        modnet.build({"network": {"input": [5, 8], "layers": layers}})


def test_a_block_learns_to_copy_the_step_before():
    """What a feed-forward network alone cannot: the step before is elsewhere."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 4, (256, 8))
    layers = [
        {"type": "embedding", "vocabulary_size": 4, "embedding_size": 16},
        {"type": "positional_embedding", "max_length": 8},
        {"type": "transformer_block", "features": 16, "heads": 2, "causal": True},
        {"type": "linear", "out_features": 4},
        "softmax",
    ]
    network = modnet.build({"network": {"input": [8], "layers": layers}})
    before = np.roll(ids, 1, axis=1)
    before[:, 0] = 0
    modnet.train(
        network, ids, before, loss="cross_entropy", optimizer={"type": "adam", "learning_rate": 0.01}, epochs=15
    )
    assert (network.predict(ids).argmax(-1) == before).mean() > 0.95

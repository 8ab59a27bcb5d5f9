"""modnet summary"""

import json

import modnet


def test_a_spec_and_its_model_have_the_same_summary(run, model):
    from_spec = run("summary", "pets.toml").stdout
    assert from_spec == run("summary", model).stdout == f"{modnet.load(model).summary()}\n"


def test_a_setting(run):
    assert "(99,)" in run("summary", "pets.toml", "--set", "network.layers.1.out_features=99").stdout


def test_json(run):
    summary = json.loads(run("summary", "pets.toml", "--json", "--set", "network.input=['variable', 3]").stdout)
    assert summary["inputs"] == {"input": [None, 3]}
    assert summary["nodes"][1] == {
        "name": "linear_1",
        "type": "linear",
        "shape": [None, 8],
        "parameters": 32,
        "multiply_adds": 24,
        "trainable": True,
    }
    assert (summary["parameters"], summary["dtype"], summary["bytes"]) == (50, "float32", 200)

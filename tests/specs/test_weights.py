"""The `[weights]` table of a spec, which core commands accept and do not look at."""

import pytest

import modnet

NETWORK = {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}


def test_the_table_is_read():
    spec, _ = modnet.read_spec({"network": NETWORK, "weights": {"nodes": {"linear_1": "fc"}, "ignore": ["aux"]}})
    assert spec.weights.nodes == {"linear_1": "fc"}
    assert spec.weights.ignore == ("aux",)
    assert spec.plain()["weights"] == {"nodes": {"linear_1": "fc"}, "ignore": ["aux"]}
    assert "weights" not in modnet.read_spec({"network": NETWORK})[0].plain()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"nodes": {"linear_1": 3}}, "weights.nodes.linear_1: expected a string, found 3"),
        ({"ignor": ["x"]}, 'weights.ignor: unknown key; did you mean "ignore"?'),
        ({"nodes": {"linear_1": "fc"}, "ignore": ["fc"]}, 'ignore has "fc", which nodes gives to a node'),
    ],
)
def test_mistakes(table, message):
    with pytest.raises(modnet.SpecError) as error:
        modnet.read_spec({"network": NETWORK, "weights": table})
    assert message in str(error.value)

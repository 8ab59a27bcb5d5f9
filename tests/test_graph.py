"""From the list of a spec to nodes: names, inputs, shapes, and every way in which they can be wrong."""

import time

import pytest

import modnet
from modnet.graph import build_graph


def graph(layers, input=(4,), **network):
    spec, _ = modnet.read_spec({"network": {"input": input, "layers": layers, **network}})
    return build_graph(spec.network)


def problems(layers, input=(4,), **network) -> list[str]:
    with pytest.raises(modnet.SpecError) as caught:
        graph(layers, input, **network)
    return [str(problem) for problem in caught.value.problems]


def linear(out_features=3, **options):
    return {"type": "linear", "out_features": out_features, **options}


def test_nodes_are_named_by_type_and_number():
    built = graph([linear(), "relu", linear(2), {"type": "softmax", "name": "out"}])
    assert [node.name for node in built.nodes] == ["linear_1", "relu_1", "linear_2", "out"]
    assert [node.shape for node in built.nodes] == [(3,), (3,), (2,), (2,)]
    assert built.outputs == {"output": 4}


def test_automatic_names_keep_away_from_chosen_ones():
    built = graph([linear(name="linear_2"), linear(), linear()])
    assert [node.name for node in built.nodes] == ["linear_2", "linear_1", "linear_3"]


def test_an_activation_on_a_node_is_a_node_of_its_own_and_the_name_stands_for_both():
    built = graph(
        [linear(name="hidden", activation="relu"), linear(), {"type": "add", "inputs": ["hidden", "linear_1"]}]
    )
    assert [node.name for node in built.nodes] == ["hidden", "relu_1", "linear_1", "add_1"]
    assert built.nodes[3].inputs == (2, 3)


def test_branches_and_several_inputs_and_outputs():
    built = graph(
        [
            linear(name="a", inputs=["left"]),
            linear(name="b", inputs=["right"]),
            {"type": "concatenate", "inputs": ["a", "b"], "name": "both"},
            linear(1, name="value"),
            linear(2, name="policy", inputs=["both"]),
        ],
        {"left": [4], "right": [5]},
        outputs=["value", "policy"],
    )
    assert built.nodes[2].shape == (6,)
    assert built.outputs == {"value": 5, "policy": 6}


def test_composites_are_replaced_by_their_nodes():
    built = graph(
        [
            {"type": "residual", "name": "block", "layers": [linear(4), "relu"]},
            {"type": "repeat", "count": 2, "layers": [linear(4), "tanh"]},
        ]
    )
    names = [node.name for node in built.nodes]
    assert names[:2] == ["block.linear_1", "block.relu_1"]
    assert len([name for name in names if name.startswith("repeat_1.")]) == 4
    assert built.nodes[-1].shape == (4,)


def test_freezing_and_penalties_reach_the_nodes_within():
    built = graph([{"type": "residual", "trainable": False, "l2": 0.1, "layers": [linear(4)]}])
    assert (built.nodes[0].trainable, built.nodes[0].l2) == (False, 0.1)


def test_a_variable_axis_passes_through():
    built = graph([linear(3), "relu"], ["variable", 4])
    assert built.nodes[-1].shape == (None, 3)


def test_shared_nodes_have_one_owner():
    built = graph([linear(4, name="a"), linear(4, shares="a"), linear(4, shares="linear_1")])
    assert [node.owner for node in built.nodes] == [None, 0, 0]


@pytest.mark.parametrize(
    ("layers", "network", "expected"),
    [
        (
            [linear(), "flatten", {"type": "reshape", "shape": [2, 2]}],
            {},
            "network.layers[2] (reshape): expects samples of 4 elements",
        ),
        (
            [linear(name="a"), linear(name="a")],
            {},
            'network.layers[1].name: the name "a" is taken by network.layers[0]',
        ),
        ([linear(name="input")], {}, 'network.layers[0].name: the name "input" is taken by an input'),
        ([linear(name="a b")], {}, 'a name consists of letters, digits, _ and -; found "a b"'),
        (
            [linear(name="hidden"), linear(inputs=["hiden"])],
            {},
            'network.layers[1].inputs[0]: no earlier node is called "hiden"; did you mean "hidden"?',
        ),
        ([linear(), "add"], {}, "network.layers[1] (add): expects at least 2 inputs, found 1"),
        (
            [linear()],
            {"outputs": ["linear_2"]},
            'network.outputs[0]: no node is called "linear_2"; did you mean "linear_1"?',
        ),
        (
            [linear(name="a"), linear(inputs=["input"])],
            {},
            "network.layers[0] (linear): nobody reads the output of this node",
        ),
        (
            [linear()],
            {"input": {"a": [2], "b": [2]}},
            'network.layers[0]: the network has several inputs; say which one this node reads: inputs = ["a", "b"]',
        ),
        ([linear(inputs=["a"])], {"input": {"a": [2], "b": [2]}}, "network.input.b: no node reads this input"),
        ([linear(shares="nobody")], {}, 'network.layers[0].shares: no earlier node is called "nobody"'),
        (
            [linear(name="a"), {"type": "relu", "shares": "a"}],
            {},
            '"a" is linear, this node is relu; expected the same type',
        ),
        (
            [linear(3, name="a"), linear(3, shares="a")],
            {},
            'same shapes: "a" has weight (4, 3), bias (3,); this node needs weight (3, 3), bias (3,)',
        ),
    ],
)
def test_what_cannot_be_built_is_explained(layers, network, expected):
    assert any(expected in problem for problem in problems(layers, **network)), problems(layers, **network)


def test_a_spec_that_stands_for_too_many_nodes_is_refused(monkeypatch):
    monkeypatch.setattr("modnet.graph.MOST_NODES", 1000)
    inner = {"type": "repeat", "count": 10_000, "layers": ["relu"]}
    assert problems([{"type": "repeat", "count": 10_000, "layers": [inner]}]) == [
        "network.layers: there are more than 1,000 nodes, which is the limit"
    ]


def test_a_conflict_of_shapes_names_both_nodes_and_what_to_do():
    (problem,) = problems([{"type": "identity", "name": "image"}, linear()], [13, 13, 16])
    assert problem == (
        "network.layers[1] (linear): expects samples of shape (features,) or (time, features), "
        "but network.layers[0] (identity) gives (13, 13, 16)\n"
        '     put "flatten" or "global_average_pool" between them'
    )


def test_one_conflict_does_not_hide_another_and_causes_no_further_ones():
    found = problems(
        [
            linear(inputs=["nowhere"], name="a"),
            linear(inputs=["a"]),
            {"type": "reshape", "shape": [7], "inputs": ["input"]},
        ]
    )
    assert len(found) == 2


@pytest.mark.slow
def test_building_grows_linearly():
    def seconds(count: int) -> float:
        """Of the processor, the least of three: other work on the machine hardly changes that."""
        took = []
        for _ in range(3):
            started = time.process_time()
            graph([linear(4), *["relu"] * count])
            took.append(time.process_time() - started)
        return min(took)

    seconds(100)
    assert seconds(8_000) < 16 * seconds(2_000)

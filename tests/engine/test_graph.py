"""From the list of a spec to nodes: names, inputs, shapes, and every way in which they can be wrong."""

import time

import numpy as np
import pytest

import modnet
from modnet.configuration.checker import ListOf
from modnet.engine.expansion import build_graph
from modnet.kinds.layer import MOST_AXES
from modnet.words import MOST_LISTED


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
            'network.layers[1].name: the name "a" is already used by network.layers[0]',
        ),
        ([linear(name="input")], {}, 'network.layers[0].name: the name "input" is already used by an input'),
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
            "network.layers[0] (linear): the output of this node is not used",
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
    monkeypatch.setattr("modnet.engine.expansion.MOST_NODES", 1000)
    inner = {"type": "repeat", "count": 10_000, "layers": ["relu"]}
    assert problems([{"type": "repeat", "count": 10_000, "layers": [inner]}]) == [
        "network.layers: there are more nodes than the limit of 1,000"
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


@pytest.mark.parametrize("between", [[], ["relu"], ["identity", {"type": "reshape", "shape": [2, 2]}]])
def test_ids_behind_weights_to_train(between):
    layers = ["layer_norm", *between, {"type": "embedding", "vocabulary_size": 5, "embedding_size": 2}]
    with pytest.raises(modnet.SpecError) as caught:
        modnet.build({"network": {"input": [4], "layers": layers}})
    place = f"network.layers[{len(layers) - 1}] (embedding): expects ids, which have no gradient"
    assert place in str(caught.value)
    assert "but depends on the trainable weights of network.layers[0] (layer_norm)" in str(caught.value)
    layers[0] = {"type": "layer_norm", "trainable": False}
    modnet.build({"network": {"input": [4], "layers": layers}})


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"type": "tanh", "l2": 0.1}, "network.layers[1].l2: tanh has no weights to which l2 could apply"),
        ({"type": "dropout", "rate": 0.1, "l1": 0.1}, "network.layers[1].l1: dropout has no weights"),
        ({"type": "batch_norm", "l2": 0.1}, "network.layers[1].l2: batch_norm has no weights"),
        (
            {"type": "residual", "l2": 0.1, "layers": ["tanh", "layer_norm"]},
            "network.layers[1].l2: no node in it has weights",
        ),
        (linear(4, shares="first", l2=0.1), "network.layers[1].l2: a node with shares has the l2 of the node that it"),
        (linear(4, shares="first", l1=0.0), "network.layers[1].l1: a node with shares has the l1 of the node that it"),
    ],
)
def test_a_penalty_that_would_act_on_nothing_is_refused_unless_a_file_has_it(layer, message):
    layers = [linear(4, name="first"), layer]
    found = problems(layers)
    assert len(found) == 1
    assert message in found[0]
    spec, _ = modnet.read_spec({"network": {"input": [4], "layers": layers}})
    build_graph(spec.network, stored=True)


def test_a_penalty_of_zero_within_a_composite_is_none():
    inner = [linear(4, l2=0.0), linear(4), linear(4, l2=0.3)]
    built = graph([{"type": "residual", "l1": 0.5, "l2": 0.1, "layers": inner}])
    assert [(node.l1, node.l2) for node in built.nodes[:3]] == [(0.5, 0.0), (0.5, 0.1), (0.5, 0.3)]


def test_a_penalty_of_zero_is_kept_in_the_plain_spec():
    spec, _ = modnet.read_spec({"network": {"input": [4], "layers": [linear(4, l2=0.0), linear(4)]}})
    first, second = spec.network.plain()["layers"]
    assert first["l2"] == 0.0
    assert "l2" not in second


# What nodes may carry

REPEATED = {
    "inputs": {"type": "add", "inputs": ["input"] * 20_000},
    "characters of a name": {"type": "relu", "name": "x" * 500_000},
    "characters of a composite's name": {"type": "repeat", "count": 1, "name": "x" * 500_000, "layers": ["relu"]},
}


@pytest.mark.parametrize("what", REPEATED)
def test_what_repeat_multiplies_has_a_limit(what):
    layers = [
        {"type": "repeat", "count": 10_000, "layers": [{"type": "repeat", "count": 3, "layers": [REPEATED[what]]}]}
    ]
    spec, _ = modnet.read_spec({"network": {"input": [4], "layers": layers}})
    with pytest.raises(modnet.SpecError, match=r"the nodes have more parts than the limit of 1,280,000 \(inputs, axes"):
        build_graph(spec.network, most_nodes=20_000)


def test_the_nodes_of_a_composite_are_not_looked_at_again_for_each_round(monkeypatch):
    made = []
    check = ListOf.check
    monkeypatch.setattr(ListOf, "check", lambda self, *a: made.append(1) or check(self, *a))
    graph([{"type": "repeat", "count": 500, "layers": ["relu"]}])
    assert len(made) < 20


@pytest.mark.parametrize(
    ("layers", "input", "message"),
    [
        (["relu"], [1] * 32, "network.input: the shape has 32 axes; expected at most 31"),
        (["relu"], [2**31, 2**30], "network.input: the shape has 2^61 numbers or more; expected at most 2^60"),
        (
            [linear(2**61)],
            [1],
            "network.layers[0] (linear): the shape of its output has 2^61 numbers or more; expected at most 2^60",
        ),
        (
            [linear(2**31)],
            [2**31],
            'network.layers[0] (linear): the shape of its array "weight" has 2^62 numbers or more; expected at most '
            "2^60",
        ),
        (
            [{"type": "repeat", "count": 9000, "layers": [{"type": "concatenate", "inputs": ["input"] * 4}]}],
            [3],
            "network.layers[0].layers[0] (concatenate): the shape of its output has 2^61 numbers or more; expected "
            "at most 2^60",
        ),
    ],
)
def test_shapes_that_no_array_can_have(layers, input, message):
    assert problems(layers, input) == [message]


def test_a_sample_may_have_as_many_axes_as_leave_one_for_the_batch():
    shape = (1,) * MOST_AXES
    network = modnet.build({"network": {"input": list(shape), "layers": ["relu"]}})
    assert network.predict(np.ones((2, *shape))).shape == (2, *shape)


def test_names_are_suggested_for_the_first_faults_only():
    found = problems([linear(name="width"), *[{"type": "relu", "inputs": ["widht"]} for _ in range(50)]])
    unknown = [text for text in found if "no earlier node" in text]
    assert len(unknown) == 50
    assert sum('did you mean "width"?' in text for text in unknown) == MOST_LISTED


def test_a_message_about_many_inputs_names_the_first():
    (text, *_) = problems([linear(3), {"type": "add", "inputs": ["input", "linear_1"] * 500}])
    assert text.endswith("and 980 more inputs")
    assert len(text) < 2000


# A node's learning rate


def test_a_factor_of_the_learning_rate_reaches_the_nodes_within():
    inner = [linear(4, learning_rate=0.5), linear(4)]
    built = graph([{"type": "residual", "learning_rate": 0.1, "layers": inner}, linear(4), linear(4, learning_rate=2)])
    rates = [node.learning_rate for node in built.nodes if node.layer.type == "linear"]
    assert rates == [0.5, 0.1, 1.0, 2.0]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"type": "relu", "learning_rate": 0.1}, "relu has no parameters that are trained"),
        (linear(4, learning_rate=0.1, trainable=False), "linear has no parameters that are trained"),
        (
            {"type": "repeat", "count": 2, "learning_rate": 0.1, "layers": ["relu"]},
            "no node in it has parameters that are",
        ),
        (linear(4, shares="first", learning_rate=0.1), "has the learning_rate of the node that it shares"),
        (linear(4, learning_rate=0), "learning_rate"),
        ({"type": "relu", "weight_decay": 0.1}, "relu has no weights to which weight_decay could apply"),
        (linear(4, shares="first", weight_decay=0.1), "has the weight_decay of the node that it shares"),
    ],
)
def test_a_factor_that_would_act_on_nothing_is_refused(layer, message):
    layers = [linear(4, name="first"), layer]
    with pytest.raises(modnet.SpecError, match=message):
        graph(layers)

"""Building networks, sending batches through them forward and backward, predicting."""

import copy
import gc
import pickle
import re
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import modnet
from modnet.engine.build import plan
from modnet.engine.cost import cost_of
from modnet.engine.passes import Pass
from modnet.errors import ParameterMismatch
from modnet.testing.gradients import directional_error


def linear(out_features=3, **options):
    return {"type": "linear", "out_features": out_features, **options}


def build(layers, input=(4,), seed=0, dtype="float64", **network):
    return modnet.build({"network": {"input": input, "layers": layers, "dtype": dtype, **network}}, seed=seed)


NETWORKS = {
    "chain": ([linear(5), "tanh", linear(3), "softmax"], {}),
    "branches": (
        [
            linear(4, name="a", activation="tanh"),
            linear(4, name="b", inputs=["a"]),
            {"type": "add", "inputs": ["a", "b", "input"], "name": "sum"},
            {"type": "multiply", "inputs": ["sum", "a"]},
        ],
        {},
    ),
    "the same input twice": ([linear(4, name="a"), {"type": "add", "inputs": ["a", "a"]}], {}),
    "residual": ([{"type": "residual", "layers": [linear(4), "tanh", linear(4)]}, linear(2)], {}),
    "shared": ([linear(4, name="a"), "tanh", linear(4, shares="a"), "tanh", linear(4, shares="a")], {}),
    "shared, owner aside": (
        [linear(4, name="a"), linear(4, name="b", shares="a", inputs=["input"]), {"type": "add", "inputs": ["a", "b"]}],
        {},
    ),
    "frozen first": ([linear(4, trainable=False), "tanh", linear(3)], {}),
    "frozen middle": ([linear(4), "tanh", linear(4, trainable=False), "sigmoid", linear(2)], {}),
    "two outputs": (
        [linear(4, name="trunk", activation="relu"), linear(2, name="x"), linear(1, name="y", inputs=["trunk"])],
        {"outputs": ["x", "y"]},
    ),
    "in place": ([linear(6), "relu", linear(5), "sigmoid", linear(4), "tanh", "identity", linear(2)], {}),
    "in place before a branch": (
        [linear(4, name="a"), {"type": "relu", "name": "r"}, linear(4), {"type": "add", "inputs": ["r", "linear_1"]}],
        {},
    ),
    "views": ([linear(4), {"type": "reshape", "shape": [2, 2]}, "relu", "flatten", "tanh"], {}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_whole_networks(name):
    layers, options = NETWORKS[name]
    network = build(layers, **options)
    rng = np.random.default_rng(1)
    network.parameters.flat[:] += 0.1 * rng.standard_normal(network.parameters.flat.size)
    x = rng.standard_normal((5, 4))
    gradients = network.parameters.like()
    gradients.flat.fill(np.nan)
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=gradients)
    shapes = [value.shape for value in run.forward([x])]
    directions = [rng.standard_normal(shape) for shape in shapes]
    trainable = network.trainable_size
    gradients.flat[:] = 0

    def value(flat):
        network.parameters.flat[:trainable] = flat
        return sum(float(np.vdot(v, d)) for v, d in zip(run.forward([x]), directions, strict=True))

    at = network.parameters.flat[:trainable].copy()
    value(at)
    kept = x.copy()
    run.backward([direction.copy() for direction in directions])
    claimed = gradients.flat[:trainable].copy()
    assert directional_error(value, claimed, at, rng) < 1e-6
    assert (x == kept).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_predicting_agrees_with_a_training_pass(name):
    layers, options = NETWORKS[name]
    network = build(layers, dtype="float32", **options)
    x = np.random.default_rng(2).standard_normal((7, 4)).astype(np.float32)
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=network.parameters.like())
    expected = [value.copy() for value in run.forward([x])]
    predicted = network.predict(x)
    found = list(predicted.values()) if isinstance(predicted, dict) else [predicted]
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
        assert b.dtype == np.float32


def test_the_same_seed_gives_the_same_parameters():
    layers = [linear(5), "relu", linear(2)]
    one, same, other = build(layers, seed=3), build(layers, seed=3), build(layers, seed=4)
    assert (one.parameters.flat == same.parameters.flat).all()
    assert not (one.parameters.flat == other.parameters.flat).all()


@pytest.mark.parametrize("seed", [-1, 1.5, "a", [1], True])
def test_a_seed_that_is_no_whole_number_from_0_on_is_refused(seed):
    with pytest.raises(ValueError, match=r"^seed: expected a whole number >= 0, found"):
        build([linear(2)], seed=seed)
    with pytest.raises(ValueError, match=r"^seed: expected a whole number >= 0, found"):
        build([linear(2)]).initialize(seed)


def test_a_seed_may_be_an_integer_of_numpy():
    assert (build([linear(2)], seed=np.uint8(7)).parameters.flat == build([linear(2)], seed=7).parameters.flat).all()


def test_parameters_can_be_set_by_name():
    network = build([linear(2)], input=[3])
    network.parameters["linear_1.weight"] = np.arange(6).reshape(3, 2)
    network.parameters["linear_1.bias"] = [10, 20]
    assert network.predict(np.ones((1, 3))).tolist() == [[16, 29]]


def test_decayed_parameters_come_first_then_the_other_trainable_ones_then_the_frozen():
    network = build([linear(3), "batch_norm", linear(2, trainable=False), linear(1)])
    assert list(network.parameters) == [
        "linear_1.weight",
        "linear_3.weight",
        "linear_1.bias",
        "batch_norm_1.scale",
        "batch_norm_1.shift",
        "linear_3.bias",
        "linear_2.weight",
        "linear_2.bias",
    ]
    assert network.decayed_size == 12 + 2
    assert network.trainable_size == 12 + 2 + 3 + 3 + 3 + 1


@pytest.mark.parametrize("rows", [0, 1, 5, 64, 65, 200])
def test_the_batch_size_of_a_prediction_does_not_matter(rows):
    network = build([linear(5), "relu", linear(2), "softmax"])
    x = np.random.default_rng(0).standard_normal((rows, 4))
    assert network.predict(x, batch_size=64).shape == (rows, 2)
    np.testing.assert_allclose(network.predict(x, batch_size=64), network.predict(x), rtol=1e-12)


def test_a_prediction_is_the_callers_own():
    network = build([linear(2)])
    first = network.predict(np.ones((3, 4)))
    kept = first.copy()
    network.predict(np.zeros((3, 4)))
    assert (first == kept).all()
    out = np.empty((3, 2))
    assert network.predict(np.ones((3, 4)), out=out) is out
    with pytest.raises(
        modnet.ShapeError, match=r"out: expected float64 of shape \(3, 2\), found float64 of shape \(2, 2\)"
    ):
        network.predict(np.ones((3, 4)), out=np.empty((2, 2)))


def test_many_threads_predict_on_one_network():
    network = build([linear(32), "tanh", linear(32), "relu", linear(3), "softmax"])
    inputs = [np.random.default_rng(i).standard_normal((50 + i, 4)) for i in range(8)]
    expected = [network.predict(x) for x in inputs]
    wrong = []

    def work(i: int) -> None:
        wrong.extend(i for _ in range(30) if not (network.predict(inputs[i]) == expected[i]).all())

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# The passes that predictions borrow


class Meeting(modnet.Activation, type="meeting"):
    """Waits in each forward until all parties are there, so that predictions surely run at once."""

    scratch_output = True
    parties: int

    def forward(self, context, x):
        BARRIERS[self.parties].wait(60)
        out = context.buffer(x.shape)
        np.copyto(out, x)
        return out


BARRIERS = {}


def meeting(parties, width=4):
    BARRIERS[parties] = threading.Barrier(parties)
    return build([linear(width), Meeting(parties)])


def in_threads(count, work, at_once=True):
    """Calls work(number) in threads, and hands on what one of them raises."""
    with ThreadPoolExecutor(count) as pool:
        tasks = []
        for number in range(count):
            tasks.append(pool.submit(work, number))
            if not at_once:
                tasks[-1].result()
        return [task.result() for task in tasks]


def test_threads_that_predict_one_after_another_use_one_pass():
    network = build([linear(32), "tanh", linear(3)])
    expected = network.predict(np.ones((5, 4)))
    for result in in_threads(6, lambda number: network.predict(np.ones((5, 4))), at_once=False):
        np.testing.assert_array_equal(result, expected)
    assert len(network._passes._idle) == 1


def test_there_are_as_many_passes_as_there_were_predictions_at_once():
    network = meeting(3)
    for _ in range(4):
        in_threads(3, lambda number: network.predict(np.full((2, 4), number)))
    assert len(network._passes._idle) == 3


def test_memory_that_many_predictions_at_once_have_taken_does_not_stay(monkeypatch):
    monkeypatch.setattr("modnet.engine.passes.SMALL_PASS", 1000)
    monkeypatch.setattr("modnet.engine.passes.IDLE_BYTES", 100_000)
    network = meeting(8, width=100)
    x = np.ones((60, 4))  # two buffers of 48,000 bytes at the most
    in_threads(8, lambda number: network.predict(x))
    idle = network._passes._idle
    assert 1 <= len(idle) < 8
    assert sum(found.held for found in idle) <= 100_000


def test_one_pass_stays_however_large_it_is(monkeypatch):
    monkeypatch.setattr("modnet.engine.passes.SMALL_PASS", 10)
    monkeypatch.setattr("modnet.engine.passes.IDLE_BYTES", 100)
    network = build([linear(32), "tanh", linear(3)])
    network.predict(np.ones((50, 4)))
    (kept,) = network._passes._idle
    network.predict(np.ones((50, 4)))
    assert network._passes._idle == [kept]


def test_what_a_pass_holds_is_the_sum_of_its_buffers():
    network = build([linear(32), "tanh", linear(3), "softmax"], dtype="float32")
    for rows in (3, 40, 2, 200):
        network.predict(np.ones((rows, 4)))  # of float64, so that the input is converted into a buffer too
        (kept,) = network._passes._idle
        contexts = [kept._conversion, *kept.contexts.values()]
        buffers = {id(storage): storage.nbytes for context in contexts for storage in context._storage}
        assert kept.held == sum(buffers.values())


def test_a_large_input_is_not_kept():
    network = build([linear(3)])
    x = np.ones((500, 4))
    seen = weakref.ref(x)
    network.predict(x)
    del x
    gc.collect()
    assert seen() is None


class Nested(modnet.Layer, type="nested"):
    """Predicts another batch by the network in which it is itself, if there is one in NESTED."""

    def output_shape(self, shape):
        return shape

    def forward(self, context, x):
        if len(x) > 1 and NESTED:
            NESTED[0].predict(-x[:1])
        return x * 2


NESTED = []


def test_a_layer_may_predict_by_its_own_network():
    network = build([linear(4), Nested(), linear(4)])
    x = np.arange(12.0).reshape(3, 4)
    expected = network.predict(x)
    NESTED.append(network)
    try:
        np.testing.assert_array_equal(network.predict(x), expected)
    finally:
        NESTED.clear()
    assert len(network._passes._idle) == 2


class Choosy(modnet.Activation, type="choosy"):
    """Fails for negative numbers."""

    def forward(self, context, x):
        if (x < 0).any():
            raise ArithmeticError("negative")
        return x


def test_a_prediction_that_fails_gives_its_pass_back():
    network = build([Choosy(), linear(2)])
    expected = network.predict(np.ones((2, 4)))
    for _ in range(3):
        with pytest.raises(ArithmeticError):
            network.predict(-np.ones((2, 4)))
    np.testing.assert_array_equal(network.predict(np.ones((2, 4))), expected)
    assert len(network._passes._idle) == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_has_passes_of_its_own(copied):
    network = build([linear(2)])
    expected = network.predict(np.ones((2, 4)))
    other = copied(network)
    assert other._passes._idle == []
    np.testing.assert_array_equal(other.predict(np.ones((2, 4))), expected)
    assert other._passes._idle[0] is not network._passes._idle[0]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64", "bool"])
def test_numbers_of_any_type_are_converted(dtype):
    network = build([linear(2)], dtype="float32")
    x = np.array([[1, 0, 1, 1]], dtype)
    assert network.predict(x).dtype == np.float32
    np.testing.assert_array_equal(network.predict(x), network.predict(x.astype(np.float32)))
    np.testing.assert_array_equal(network.predict(x.tolist()), network.predict(x))


def test_channels_that_come_first_are_told_to_come_last():
    layers = ["flatten", linear(2)]
    network = modnet.build({"network": {"input": [8, 6, 3], "layers": layers}})
    images = np.ones((2, 3, 8, 6))
    message = re.escape("(batch, 8, 6, 3), found (2, 3, 8, 6); channels come last: np.moveaxis(x, 1, -1)")
    with pytest.raises(modnet.ShapeError, match=message):
        network.predict(images)
    network.predict(np.moveaxis(images, 1, -1))


@pytest.mark.parametrize(
    ("shape", "hint"),
    [([3, 8, 6], "channels come last: set input = [8, 6, 3]"), ([8, 6], "the axis of channels is missing: set input")],
)
def test_an_input_unlike_the_images_is_told_their_shape(shape, hint):
    network = modnet.build({"network": {"input": shape, "layers": ["flatten", linear(2)]}})
    with pytest.raises(modnet.ShapeError, match=re.escape(hint)):
        network.predict(np.ones((2, 8, 6, 3)))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.ones(4),
            "expected an array of shape (batch, 4), found (4,); "
            "this is a single sample; pass x[None] for a batch of one",
        ),
        (np.ones((2, 5)), "expected an array of shape (batch, 4), found (2, 5)"),
        (np.ones((2, 4, 1)), "remove the last axis of 1: x[..., 0]"),
        ([["a", "b", "c", "d"]], "expected numbers, found text"),
        (np.array([[None] * 4]), "expected numbers, found values of type object"),
        ([[1, 2, 3, 4], [1]], "expected an array of numbers"),
        ({"inptu": np.ones((1, 4))}, 'no input of the network is called "inptu"; did you mean "input"?'),
    ],
)
def test_what_cannot_be_predicted_is_explained(x, message):
    with pytest.raises((modnet.ShapeError, modnet.DataError)) as caught:
        build([linear(2)]).predict(x)
    assert message in str(caught.value)


def test_several_inputs_are_given_by_name():
    network = build(
        [{"type": "concatenate", "inputs": ["left", "right"]}, linear(1)], input={"left": [2], "right": [3]}
    )
    assert network.predict({"right": np.ones((2, 3)), "left": np.zeros((2, 2))}).shape == (2, 1)
    with pytest.raises(modnet.DataError, match='the network needs the input "right"'):
        network.predict({"left": np.zeros((2, 2))})
    with pytest.raises(modnet.DataError, match='the network has 2 inputs; give a dict with "left", "right"'):
        network.predict(np.zeros((2, 2)))
    with pytest.raises(modnet.DataError, match="the inputs differ in length: left has 2, right has 3"):
        network.predict({"right": np.ones((3, 3)), "left": np.zeros((2, 2))})


def test_ids_stay_integers():
    network = build([{"type": "embedding", "vocabulary_size": 30, "embedding_size": 2}, "flatten"], input=[3])
    assert network.predict([[1, 2, 29]]).shape == (1, 6)
    assert network.predict([[1.0, 2.0, 29.0]]).shape == (1, 6)
    with pytest.raises(modnet.DataError, match=r"expected whole numbers \(ids\), found other numbers"):
        network.predict([[1.5, 2, 3]])


def test_a_frozen_batch_norm_keeps_its_statistics():
    network = build([{"type": "batch_norm", "trainable": False}, linear(1)])
    run = Pass(network, [2], training=True, gradients=network.parameters.like())
    run.forward([np.random.default_rng(0).standard_normal((9, 4)) + 5])
    assert not network.state["batch_norm_1.running_mean"].any()


def test_a_network_can_be_pickled_for_other_processes():
    network = build([linear(2), "relu"])
    network.predict(np.ones((1, 4)))
    same = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(same.predict(np.ones((1, 4))), network.predict(np.ones((1, 4))))


def test_weights_of_another_network():
    teacher = build([linear(5, name="first"), "relu", linear(2)])
    student = build([linear(5, name="begin"), "relu", linear(3)], seed=9)
    report = modnet.load_parameters(student, teacher, rename={"first": "begin"}, strict=False)
    assert report.taken == ["begin.weight", "begin.bias"]
    assert report.mismatched == {"linear_1.weight": ("(5, 2)", "(5, 3)"), "linear_1.bias": ("(2,)", "(3,)")}
    np.testing.assert_array_equal(student.parameters["begin.weight"], teacher.parameters["first.weight"])
    with pytest.raises(ParameterMismatch, match=r"unexpected: first\.weight"):
        modnet.load_parameters(student, teacher)


def test_the_summary_is_a_table():
    text = str(build([linear(3), "relu", linear(2)], dtype="float32").summary())
    assert text.splitlines() == [
        "node      type    output  parameters  multiply-adds",
        "input             (4,)",
        "linear_1  linear  (3,)            15             12",
        "relu_1    relu    (3,)             0              0",
        "linear_2  linear  (2,)             8              6",
        "total                             23             18   92 B in float32",
    ]


@pytest.mark.parametrize("inputs", [["a", "a", "b"], ["a", "a", "a"], ["b", "a", "b", "a"]], ids=str)
@pytest.mark.parametrize("merge", ["add", "multiply", "concatenate"])
def test_gradients_of_an_output_that_one_node_reads_several_times(merge, inputs):
    NETWORKS["several times"] = (
        [linear(4, name="a"), linear(4, name="b", inputs=["input"]), {"type": merge, "inputs": inputs}],
        {},
    )
    try:
        if "b" not in inputs:
            NETWORKS["several times"][0].pop(1)
        test_gradients_of_whole_networks("several times")
    finally:
        del NETWORKS["several times"]


@pytest.mark.parametrize("copied", [lambda n: pickle.loads(pickle.dumps(n)), copy.deepcopy], ids=["pickle", "deepcopy"])
def test_a_copy_of_a_network_trains_like_the_original(copied):
    network = build([linear(3), "batch_norm", "tanh", linear(1)])
    again = copied(network)
    x = np.random.default_rng(0).standard_normal((20, 4))
    for one in (network, again):
        modnet.train(one, x, x[:, :1], loss="mse", epochs=3)
    assert (network.parameters.flat == again.parameters.flat).all()
    np.testing.assert_array_equal(network.predict(x), again.predict(x))
    assert np.shares_memory(again.parameters["linear_1.weight"], again.parameters.flat)


def test_out_is_for_one_output_and_batches_have_rows():
    network = build([linear(2, name="a"), linear(2, name="b")], outputs=["a", "b"])
    with pytest.raises(modnet.ShapeError, match="out is only possible for one output; this network has 2"):
        network.predict(np.ones((3, 4)), out=np.empty((3, 2)))
    with pytest.raises(ValueError, match="batch_size: expected at least 1, found 0"):
        network.predict(np.ones((3, 4)), batch_size=0)


def test_an_initializer_of_a_node_that_shares_is_refused_for_it_fills_nothing():
    own = {"type": "linear", "out_features": 4, "name": "own", "weight_initializer": "zeros"}
    for options in ({}, {"weight_initializer": "zeros"}):  # what its owner has says nothing else
        build([own, {"type": "linear", "out_features": 4, "shares": "own", **options}])
    message = r"network.layers\[1\].weight_initializer: a node with shares uses the parameters of another node"
    other = {"type": "linear", "out_features": 4, "shares": "own", "weight_initializer": "ones"}
    with pytest.raises(modnet.SpecError, match=message):
        build([own, other])
    residual = {"type": "residual", "layers": [{**own, "name": "inner"}], "name": "whole"}
    again = {"type": "residual", "layers": [{**other, "shares": None}], "shares": "whole"}
    with pytest.raises(modnet.SpecError, match="a node with shares uses the parameters of another node"):
        build([residual, again])


def test_what_is_shared_is_frozen_with_its_owner():
    layers = [
        {"type": "batch_norm", "name": "norm", "trainable": False},
        {"type": "batch_norm", "shares": "norm"},
        linear(1),
    ]
    network = build(layers)
    before = network.state.flat.copy()
    x = np.random.default_rng(0).standard_normal((20, 4)) + 3
    modnet.train(network, x, x[:, :1], loss="mse", epochs=2)
    assert (network.state.flat == before).all()
    with pytest.raises(modnet.SpecError, match="a node with shares is trained or frozen with the node"):
        build([linear(4, name="a"), linear(4, shares="a", trainable=False)])


def test_a_layer_is_held_to_the_shape_that_it_announces(registry):
    class Liar(modnet.Layer, type="liar"):
        """Announces what it gets, gives half of it."""

        def output_shape(self, *input_shapes):
            return input_shapes[0]

        def forward(self, context, x):
            return x[:, :2]

    registry.register(Liar)
    network = modnet.build({"network": {"input": [4], "layers": ["liar"]}}, registry=registry)
    with pytest.raises(modnet.BrokenPlugin, match=r"\(liar\): .*: output_shape gave \(4,\), but forward gave"):
        network.predict(np.ones((3, 4)))


def test_ids_may_be_read_by_other_layers_too():
    embedding = {"type": "embedding", "vocabulary_size": 9, "embedding_size": 2, "inputs": ["input"]}
    both = {"type": "add", "inputs": ["flatten_1", "linear_1"]}
    network = build([embedding, "flatten", linear(4, inputs=["input"]), both], input=[2])
    assert network.predict([[1, 8]]).shape == (1, 4)


# Sequences


SENTENCES = {
    "input": ["variable"],
    "layers": [
        {"type": "embedding", "vocabulary_size": 9, "embedding_size": 4, "padding": 0},
        {"type": "linear", "out_features": 3, "activation": "tanh"},
    ],
}


def test_a_mask_follows_the_sequences_to_the_layer_that_needs_it():
    network = modnet.build({"network": SENTENCES | {"layers": [*SENTENCES["layers"], "global_average_pool"]}})
    padded = network.predict(np.array([[3, 5, 0, 0], [7, 1, 2, 8], [0, 0, 0, 0]]))
    np.testing.assert_allclose(padded[0], network.predict(np.array([[3, 5]]))[0], rtol=1e-6)
    np.testing.assert_allclose(padded[1], network.predict(np.array([[7, 1, 2, 8]]))[0], rtol=1e-6)
    assert not padded[2].any()


class Marking(modnet.Layer, type="marking"):
    """Makes a mask of what is 0, in a buffer of its own."""

    makes_mask = True

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        context.output_mask = np.any(x != 0, axis=2, out=context.buffer(x.shape[:2], np.bool_))
        return x


def test_a_mask_outlasts_the_nodes_before_it():
    """In prediction nodes share their storage, one after the other; the mask is still read when its node has ended."""
    network = build([Marking(), *(linear(4, activation="tanh") for _ in range(4)), "global_average_pool"], (None, 4))
    x = np.random.default_rng(0).standard_normal((3, 6, 4))
    x[:, 4:] = 0
    for steps in (5, 6, 4, 5):
        np.testing.assert_allclose(network.predict(x[:, :steps]), network.predict(x[:, :4]), rtol=1e-12)


def test_padding_does_not_change_what_is_learnt():
    spec = {"network": SENTENCES | {"layers": [*SENTENCES["layers"], "global_average_pool"]}}
    short, long = modnet.build(spec), modnet.build(spec)
    ids, y = np.array([[3, 5], [1, 2]]), np.ones((2, 3))
    for network, x in ((short, ids), (long, np.pad(ids, ((0, 0), (0, 3))))):
        modnet.train(network, x, y, loss="mse", optimizer="sgd", epochs=3)
    np.testing.assert_allclose(long.parameters.flat, short.parameters.flat, rtol=1e-5, atol=1e-7)


class RunningSum(modnet.Layer, type="running_sum"):
    """The sum of the steps so far."""

    streams = True

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        y = np.cumsum(x, axis=1)
        if context.memory is not None:
            y += context.memory.get("sum", 0)
            context.memory["sum"] = y[:, -1:].copy()
        return y

    def backward(self, context, gradient):
        return np.flip(np.cumsum(np.flip(gradient, 1), axis=1), 1)


def test_a_stream_gives_piece_by_piece_what_the_whole_sequence_gives():
    layers = [RunningSum(), {"type": "linear", "out_features": 3, "activation": "tanh"}, "layer_norm", "softmax"]
    network = modnet.build({"network": {"input": ["variable", 2], "layers": layers}})
    x = np.random.default_rng(0).standard_normal((4, 7, 2))
    whole = network.predict(x)
    stream = network.stream()
    for _ in range(2):
        pieces = [stream.predict(x[:, start:stop]) for start, stop in ((0, 1), (1, 2), (2, 5), (5, 7))]
        np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, rtol=1e-5)
        stream.reset()
    np.testing.assert_array_equal(network.predict(x), whole)


def test_the_pieces_of_a_stream_are_of_the_same_sequences():
    network = modnet.build({"network": {"input": ["variable", 2], "layers": ["relu"]}})
    stream = network.stream()
    stream.predict(np.ones((4, 1, 2)))
    with pytest.raises(modnet.ShapeError, match="the pieces before had 4 sequences, this one has 3"):
        stream.predict(np.ones((3, 1, 2)))
    stream.reset()
    assert stream.predict(np.ones((3, 1, 2))).shape == (3, 1, 2)


def test_what_cannot_be_had_in_pieces_is_said():
    whole = modnet.build({"network": {"input": ["variable", 2], "layers": ["global_average_pool"]}})
    with pytest.raises(modnet.ShapeError, match=r"network\.layers\[0\] \(global_average_pool\) needs whole sequences"):
        whole.stream()
    with pytest.raises(modnet.ShapeError, match="not a sequence of any length"):
        modnet.build({"network": {"input": [3, 2], "layers": ["relu"]}}).stream()


# What is too large


@pytest.fixture
def megabytes(monkeypatch):
    """A process that can have 100 MB."""
    monkeypatch.setattr("modnet.memory.limit", lambda: 100 * 10**6)
    monkeypatch.setattr("modnet.engine.cost.limit", lambda: 100 * 10**6)


def widening(rounds, times=2):
    """A network that makes many numbers of few."""
    return [{"type": "repeat", "count": rounds, "layers": [{"type": "concatenate", "inputs": ["input"] * times}]}]


def test_a_plan_has_shapes_alone():
    network = plan({"network": {"input": [3], "layers": [linear(10**12)]}})
    assert network.outputs == {"output": (10**12,)}
    assert network.layout.parameter_count == 4 * 10**12
    assert network.summary().bytes == 16 * 10**12
    assert "parameters" not in vars(network)


def test_a_plan_becomes_what_build_gives():
    spec = {"network": {"input": [3], "layers": [linear(4), "batch_norm"]}, "training": {"loss": "mse", "seed": 3}}
    planned, built = plan(spec), modnet.build(spec)
    assert (planned.parameters.flat == built.parameters.flat).all()
    assert (planned.state.flat == built.state.flat).all()


def test_a_network_that_does_not_fit_is_not_built(megabytes):
    message = "the network with all its arrays needs 160 MB of memory; this process can have 100 MB"
    with pytest.raises(modnet.TooLarge, match=message):
        build([linear(4_000_000, bias=False)], (5,))


def test_a_prediction_that_does_not_fit_is_not_begun(megabytes):
    network = build(widening(24), (1,), dtype="float32")
    message = (
        r"network.layers\[0\].layers\[0\] \(concatenate\) for 1 sample needs 101 MB of memory; this process can have"
    )
    with pytest.raises(modnet.TooLarge, match=message):
        network.predict(np.ones((5, 1)))
    message = "for 3 samples needs .* of memory; .*; use a smaller batch_size"
    with pytest.raises(modnet.TooLarge, match=message):
        build(widening(23), (1,), dtype="float32").predict(np.ones((5, 1)), batch_size=3)


def test_fewer_rows_at_a_time_are_predicted_where_more_do_not_fit(megabytes, monkeypatch):
    network = build([*widening(20), linear(1)], (1,), dtype="float32")
    rows = []
    forward = Pass.forward
    monkeypatch.setattr(Pass, "forward", lambda self, inputs: rows.append(len(inputs[0])) or forward(self, inputs))
    assert network.predict(np.ones((20, 1))).shape == (20, 1)
    assert rows == [15, 5]


def test_a_variable_axis_counts_as_long_as_it_is(megabytes):
    network = build([{"type": "concatenate", "inputs": ["input"] * 100}], (None, 10), dtype="float32")
    assert network.predict(np.ones((1, 100, 10))).shape == (1, 100, 1000)
    with pytest.raises(modnet.TooLarge, match="for 1 sample needs 404 MB"):
        network.predict(np.ones((1, 100_000, 10)))


def test_work_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr("modnet.engine.cost.WORK_LIMIT", 10_000)
    build([linear(9)], (1000,)).predict(np.ones((2, 1000)))
    message = r"one sample takes 1\.1e\+04 multiply-adds, the limit is 1e\+04"
    with pytest.raises(modnet.TooLarge, match=message):
        build([linear(10)], (1000,)).predict(np.ones((2, 1000)))


def test_what_predicting_takes_is_looked_at_once(monkeypatch):
    looked = []

    def looking(nodes, shapes, itemsize):
        looked.append(shapes)
        return cost_of(nodes, shapes, itemsize)

    monkeypatch.setattr("modnet.engine.passes.cost_of", looking)
    network = build([linear(2)], (None, 4))
    for length in (3, 3, 5, 3):
        network.predict(np.ones((2, length, 4)))
    assert looked == [((3, 4),), ((5, 4),)]


def test_the_output_as_a_whole_has_to_fit(megabytes):
    network = build(widening(10), (100,), dtype="float32")
    with pytest.raises(modnet.TooLarge, match="the output needs 205 MB"):
        network.predict(np.ones((500, 100)), batch_size=1)


# What is no number


@pytest.mark.parametrize("rows", [3, 300])
@pytest.mark.parametrize("batch_size", [None, 64])
def test_a_prediction_of_nan_is_an_error_that_says_which_row_and_why(rows, batch_size):
    network = build([linear(3), "softmax"])
    x = np.ones((rows, 4))
    x[rows - 2, 1] = np.nan
    with pytest.raises(modnet.DataError) as caught:
        network.predict(x, batch_size=batch_size)
    assert f"the prediction is nan in row {rows - 2}:" in str(caught.value)
    assert "contains nan at 1" in str(caught.value)
    network.parameters["linear_1.weight"][0, 0] = np.nan
    with pytest.raises(modnet.DataError, match=r"is nan in row 0: its input is finite, but linear_1\.weight"):
        network.predict(np.ones((rows, 4)), batch_size=batch_size)


def test_infinite_predictions_stay():
    network = build([linear(1)])
    network.parameters["linear_1.weight"].fill(np.inf)
    assert np.isposinf(network.predict(np.ones((2, 4)))).all()


def test_a_stream_names_the_piece_of_nan_too():
    stream = build([linear(2)], input=["variable", 4]).stream()
    stream.predict(np.ones((2, 1, 4)))
    x = np.ones((2, 1, 4))
    x[1, 0, 2] = np.nan
    with pytest.raises(modnet.DataError, match=r"is nan in row 1: that row of input .* contains nan at \(0, 2\)"):
        stream.predict(x)


MASKED = np.ma.array([[1.0, 2, 3, 4], [1, -9999, 3, 4]], mask=[[0, 0, 0, 0], [0, 1, 0, 0]])


@pytest.mark.parametrize("x", [MASKED, list(MASKED), {"input": MASKED}], ids=["array", "list", "dict"])
def test_masked_elements_are_refused_wherever_they_come(x):
    network = build([linear(1)])
    targets = np.ones((2, 1))
    tries = [
        lambda: network.predict(x),
        lambda: modnet.train(network, x, targets, loss="mse", epochs=1),
        lambda: modnet.train(network, [(x, targets)], loss="mse", epochs=1),
        lambda: modnet.evaluate(network, x, targets, loss="mse"),
        lambda: modnet.train(network, targets * np.ones(4), targets, loss="mse", epochs=1, validation=(x, targets)),
    ]
    for attempt in tries:
        with pytest.raises(modnet.DataError, match=r'input "input": the element at row 1, 1 is masked; fill it'):
            attempt()


def test_an_array_with_a_mask_that_masks_nothing_is_an_array():
    network = build([linear(1)])
    x = np.ma.array(np.ones((2, 4)), mask=False)
    np.testing.assert_array_equal(network.predict(x), network.predict(np.ones((2, 4))))


@pytest.mark.filterwarnings("error")
def test_ids_of_half_precision_are_ids():
    layers = [{"type": "embedding", "vocabulary_size": 5, "embedding_size": 2}]
    network = build(layers, input=[2])
    ids = np.array([[4, 1]])
    np.testing.assert_array_equal(network.predict(ids.astype(np.float16)), network.predict(ids))


@pytest.mark.filterwarnings("error")
def test_what_the_dtype_cannot_hold_is_named():
    network = build([linear(1)], dtype="float32")
    x = np.ones((100, 4))
    x[83, 2] = 1e39
    for size in (None, 8):
        with pytest.raises(modnet.DataError, match=r"feature 2: found 1e\+39 in row 83, beyond what float32 can hold"):
            network.predict(x, batch_size=size)
    assert np.isfinite(build([linear(1)], dtype="float64").predict(x)).all()


ODD = {
    "nothing": None,
    "text": "abc",
    "texts": ["a"] * 8,
    "ragged": [[1], [1, 2]] * 4,
    "ragged within": [[[1, 2], [3]], [[1, 2], [3, 4]]] * 4,
    "objects": np.array([object()] * 8),
    "complex": np.ones((8, 2)) + 1j,
    "dates": np.array(["2020-01-01"] * 8, "M8[D]"),
    "a number": 3.0,
    "no axes": np.array(3.0),
    "empty": [],
    "no rows": np.zeros((0, 2)),
    "gaps": [[1, None]] * 8,
    "too large": [[10**400, 1]] * 8,
    "a set": {1, 2},
    "bytes": b"abc",
    "records": np.zeros(8, [("a", "f4")]),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_data_are_refused_with_an_error_of_modnets_own(odd):
    x, y = np.ones((8, 2)), np.ones((8, 1))

    def made(*layers):
        return build(list(layers), input=[2])

    tries = {
        "predict": lambda: made(linear(1)).predict(odd),
        "inputs": lambda: modnet.train(made(linear(1)), odd, y, loss="mse", epochs=1),
        "targets": lambda: modnet.train(made(linear(1)), x, odd, loss="mse", epochs=1),
        "labels": lambda: modnet.train(made(linear(3), "softmax"), x, odd, loss="cross_entropy", epochs=1),
        "batch": lambda: modnet.train(made(linear(1)), [(odd, y)], loss="mse", epochs=1),
        "batch targets": lambda: modnet.train(made(linear(1)), [(x, odd)], loss="mse", epochs=1),
        "batch weights": lambda: modnet.train(made(linear(1)), [(x, y, odd)], loss="mse", epochs=1),
        "validation": lambda: modnet.train(made(linear(1)), x, y, loss="mse", epochs=1, validation=(x, odd)),
        "evaluate": lambda: modnet.evaluate(made(linear(1)), x, odd, loss="mse"),
    }
    if odd is not None:
        tries["weights"] = lambda: modnet.train(made(linear(1)), x, y, loss="mse", epochs=1, sample_weights=odd)
    for name, attempt in tries.items():
        if name == "predict" and isinstance(odd, np.ndarray) and odd.shape == (0, 2):
            continue
        with pytest.raises((modnet.DataError, modnet.ShapeError)):
            attempt()


@pytest.mark.parametrize("kind", ["softmax", "relu", "flatten"])
def test_a_pass_takes_no_square_of_the_nodes(kind):
    """Many nodes that write over their input, or give views of it, are alive as long as the first."""

    def peak(count):
        network = build(["softmax", {"type": "linear", "out_features": 2}, *[kind] * count], input=[2])
        tracemalloc.start()
        try:
            Pass(network, list(network.graph.outputs.values()))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    assert peak(1600) < 6 * peak(400)


def test_inputs_are_looked_at_once(monkeypatch):
    """What they are converted to: not all nodes for each of them."""
    names = [f"in_{i}" for i in range(300)]
    layers = [{"type": "relu", "name": f"n_{name}", "inputs": [name]} for name in names]
    network = build(
        [*layers, {"type": "add", "inputs": [layer["name"] for layer in layers]}], input={name: [2] for name in names}
    )
    looks = []
    nodes = network.graph.nodes
    monkeypatch.setattr(type(network.graph), "nodes", property(lambda graph: looks.append(1) or nodes), raising=False)
    assert network.input_dtypes() == [network.dtype] * 300
    assert len(looks) == 1


# What layers add to the loss


class Costly(modnet.Layer, type="costly"):
    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        context.penalize(float(x.sum()))
        return x

    def backward(self, context, gradient):
        return gradient + 1


def test_a_pass_sums_what_its_layers_add_to_the_loss():
    network = build([Costly(), linear(2, name="a"), Costly()])
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=network.parameters.like())
    x = np.ones((3, 4))
    assert run.penalty == 0
    for _ in range(2):
        (y,) = run.forward([x])
        assert run.penalty == pytest.approx(12 + y.sum())
    elsewhere = Pass(network, [1])
    elsewhere.forward([x])
    assert elsewhere.penalty == 12


def test_parameters_that_are_never_trained_lie_with_the_frozen_ones():
    class Half(modnet.Layer, type="half"):
        def output_shape(self, *input_shapes):
            return input_shapes[0]

        def parameters(self, *input_shapes):
            zeros = modnet.default_registry().find(modnet.Initializer, "zeros")()
            return {"fixed": modnet.Parameter((2,), zeros, trainable=False), "free": modnet.Parameter((3,), zeros)}

    network = build([Half(), linear(2)])
    assert list(network.parameters) == ["half_1.free", "linear_1.weight", "linear_1.bias", "half_1.fixed"]
    assert network.trainable_size == 3 + 10
    summary = network.summary()
    assert summary.rows[0].frozen == 2
    assert "5 (2 frozen)" in str(summary)

    class Fixed(Half, type="fixed"):
        def parameters(self, *input_shapes):
            return {"fixed": super().parameters(*input_shapes)["fixed"]}

    with pytest.raises(modnet.SpecError, match="fixed has no weights to which l2 could apply"):
        build([modnet.Node(Fixed(), l2=0.1)])

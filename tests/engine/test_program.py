"""Predictions repeat the calls of an earlier batch of the same shape, with the same bytes."""

import threading

import numpy as np
import pytest

import modnet
from modnet import Activation, DataError, Layer, ShapeError
from modnet.engine.passes import Pass
from modnet.engine.program import COPIED, MOST_PROGRAMS, repeats
from modnet.layers import Linear


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


def built(layers, input_=(6,), **options):
    return modnet.build({"network": {"input": list(input_), "layers": layers, **options}}, seed=0)


def new_pass(network):
    return Pass(network, list(network.graph.outputs.values()))


def rows(count, seed=0, shape=(6,), dtype=np.float32):
    return np.random.default_rng(seed).standard_normal((count, *shape)).astype(dtype)


def alike(network, batches):
    """All predictions of one pass, the same bytes as those of a pass that sees a batch for the first time."""
    known = new_pass(network)
    for x in batches:
        (found,), (expected,) = known.forward([x]), new_pass(network).forward([x])
        assert found.tobytes() == expected.tobytes()
    return known


LAYERS = [linear(5, activation="relu"), "batch_norm", "tanh", "layer_norm", linear(3), "softmax"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_the_same_bytes_whatever_the_batch(dtype):
    batches = [rows(count, seed, dtype=dtype) for seed, count in enumerate((1, 1, 1, 4, 1, 4, 4, 1, 1, 4))]
    alike(built(["standardize", *LAYERS]), batches)


def test_an_input_that_is_large_is_read_where_it_is():
    network = built(LAYERS)
    count = COPIED // 24 + 1
    batches = [rows(count, seed) for seed in range(4)]
    alike(network, batches)
    kept = [x.copy() for x in batches]
    assert all(np.array_equal(x, before) for x, before in zip(batches, kept, strict=True))


def test_parameters_and_state_that_are_written_in_place_count():
    network, x = built(LAYERS), rows(2)
    known = new_pass(network)
    for step in range(5):
        (found,), (expected,) = known.forward([x]), new_pass(network).forward([x])
        assert found.tobytes() == expected.tobytes()
        network.parameters.flat += 0.1
        network.state["batch_norm_1.running_mean"] += step


def test_a_training_between_predictions():
    network, x = built(LAYERS), rows(8)
    for _ in range(3):
        network.forward(x)
    modnet.train(network, x, np.arange(8) % 3, loss="cross_entropy", epochs=2)
    assert network.forward(x).tobytes() == new_pass(network).forward([x])[0].tobytes()


def test_layers_are_not_asked_again():
    network = built(LAYERS)
    known, asked = new_pass(network), []
    for seed in range(3):
        known.forward([rows(1, seed)])
    known._calls[:] = [(slot, asked.append, *others) for slot, _, *others in known._calls]
    known.forward([rows(1, 5)])
    assert asked == []


class Stranger(Layer, type="stranger"):
    """A layer that promises nothing, and gives another array each time."""

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        return x[:, ::-1] * 2

    def backward(self, context, gradient):
        return gradient[:, ::-1] * 2


class Doubled(Linear, type="doubled"):
    """Made from a class that repeats, with a forward of its own."""

    def forward(self, context, x):
        return 2 * super().forward(context, x)


class Offset(Activation, type="offset"):
    def function(self, x, out):
        return np.add(x, 1, out=out)


@pytest.mark.parametrize("count", [1, 3, 2000])
def test_strangers_stand_between_calls_that_are_repeated(count):
    layers = [linear(4), Stranger(), "relu", Offset(), Doubled(out_features=3), "flatten", linear(2), "tanh"]
    alike(
        built([modnet.Node(layer=x) if isinstance(x, Layer) else x for x in layers]), [rows(count, n) for n in range(4)]
    )


def test_whether_a_layer_repeats_is_asked_of_the_class_that_computes():
    assert repeats(Linear(out_features=2))
    assert repeats(Offset())
    assert not repeats(Stranger())
    assert not repeats(Doubled(out_features=2))


def test_arrays_with_gaps():
    alike(built([linear(4), "relu"]), [rows(8, seed)[::2] for seed in range(4)])
    layers = [{"type": "slice", "start": 1, "stop": 3}, {"type": "reshape", "shape": [2, 1]}, "flatten", linear(2)]
    alike(built(layers), [rows(3, seed) for seed in range(4)])


def test_several_inputs_and_outputs():
    layers = [
        {**linear(4), "name": "a", "inputs": ["x"]},
        {**linear(4), "name": "b", "inputs": ["y"]},
        {"type": "add", "name": "sum", "inputs": ["a", "b"]},
        {"type": "softmax", "name": "p", "inputs": ["sum"]},
    ]
    network = modnet.build({"network": {"input": {"x": [3], "y": [2]}, "layers": layers, "outputs": ["p", "a"]}})
    known = new_pass(network)
    for seed in range(5):
        inputs = [rows(2, seed, (3,)), rows(2, seed, (2,), np.float64)]
        for found, expected in zip(known.forward(inputs), new_pass(network).forward(inputs), strict=True):
            assert found.tobytes() == expected.tobytes()


def test_members():
    alike(built(LAYERS, members=3), [rows(count, seed) for seed, count in enumerate((1, 1, 1, 5, 5, 5))])


def test_errors_name_the_node_and_what_follows_is_right():
    network = built([{"type": "embedding", "vocabulary_size": 5, "embedding_size": 2}, linear(2)], ("variable",))
    x = np.array([[1, 2, 3]])
    expected = network.forward(x)
    for _ in range(3):
        network.forward(x)
    for _ in range(2):
        with pytest.raises(DataError, match=r"found the id 7 at \[0, 1\]"):
            network.forward(np.array([[1, 7, 3]]))
        assert network.forward(x).tobytes() == expected.tobytes()


class Picky(Layer, type="picky"):
    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        if x[0, 0] > 100:
            raise ShapeError("expects small numbers")
        return x


def test_an_error_in_the_middle_of_repeated_calls():
    network = built([linear(3), modnet.Node(layer=Picky()), "tanh"])
    for seed in range(3):
        network.forward(rows(1, seed))
    with pytest.raises(ShapeError, match=r"network.layers\[1\] \(picky\): expects small numbers; found \(1, 3\)"):
        network.forward(1e6 * network.parameters["linear_1.weight"][None, :, 0])


def test_nan_is_refused_and_numbers_that_cannot_be_converted():
    network = built(LAYERS)
    for seed in range(3):
        network.forward(rows(1, seed, dtype=np.float64))
    with pytest.raises(DataError, match="nan"):
        network.forward(np.full((1, 6), np.nan))
    with pytest.raises(DataError, match="beyond what float32 can hold"):
        network.forward(np.full((1, 6), 1e300))


def test_only_so_many_shapes_are_kept_and_no_memory_grows():
    network = built(LAYERS)
    known = new_pass(network)
    for count in [*range(1, 3 * MOST_PROGRAMS), *[3] * 5]:
        known.forward([rows(count)])
    assert len(known._programs._known) <= MOST_PROGRAMS
    held = known.held
    for _ in range(3):
        known.forward([rows(3)])
    assert known.held == held


def test_threads_have_calls_of_their_own():
    network = built(LAYERS)
    batches = [rows(2, seed) for seed in range(4)]
    expected = [network.forward(x).tobytes() for x in batches]
    wrong = []

    def predict(number):
        found = (network.forward(batches[number]).tobytes() for _ in range(200))
        wrong.extend(number for one in found if one != expected[number])

    threads = [threading.Thread(target=predict, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_masks_and_gradients_note_nothing():
    network = built([{"type": "embedding", "vocabulary_size": 5, "embedding_size": 2, "padding": 0}], ("variable",))
    assert new_pass(network)._programs is None
    trained = built([linear(2)])
    assert Pass(trained, [1], gradients=trained.parameters.like())._programs is None

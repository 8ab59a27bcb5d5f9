"""What a stream remembers goes out as plain arrays, and comes in again, checked."""

import io
import pickle

import numpy as np
import pytest

import modnet
from modnet import DataError, Layer


class Counting(Layer, type="counting_sum"):
    """The sum of all steps so far, times the number of this step; it keeps a number, arrays and a workspace."""

    streams = True

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        y = np.cumsum(x, axis=1, out=context.buffer(x.shape))
        memory = context.memory
        if memory is not None:
            count = memory.get("count", 0)
            inner = memory.setdefault("inner", {})
            if "sum" in inner:
                y += inner["sum"]
            inner["sum"] = y[:, -1:].copy()
            memory["count"] = count + x.shape[1]
            memory["_space"] = object()
            y *= (count + 1 + np.arange(x.shape[1]))[:, None]
        return y


def network(dtype="float32", seed=0):
    layers = [
        {"type": "linear", "out_features": 3},
        modnet.Node(layer=Counting()),
        {"type": "linear", "out_features": 2},
    ]
    return modnet.build({"network": {"input": ["variable", 2], "layers": layers, "dtype": dtype}}, seed=seed)


def piece(batch, steps, seed=0):
    return np.random.default_rng(seed).standard_normal((batch, steps, 2)).astype(np.float32)


def stored(state):
    """A state that has been in a file of numpy's."""
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    with np.load(file) as arrays:  # without pickle, which is off by default
        return dict(arrays)


def test_a_stream_goes_on_from_its_state():
    made = network()
    stream = made.stream()
    stream.predict(piece(2, 4))
    state = stream.state()
    expected = [stream.predict(piece(2, 1, seed)) for seed in (1, 2, 3)]
    other = made.stream(state=stored(state))
    for seed, values in zip((1, 2, 3), expected, strict=True):
        assert other.predict(piece(2, 1, seed)).tobytes() == values.tobytes()


def test_a_state_is_a_copy():
    made = network()
    stream = made.stream()
    stream.predict(piece(1, 3))
    state = stream.state()
    before = stored(state)
    stream.predict(piece(1, 3, 1))
    made.stream(state=state).predict(piece(1, 3, 2))
    assert all(np.array_equal(state[name], before[name]) for name in before)


def test_what_can_be_made_anew_is_no_part_of_it():
    stream = network().stream()
    stream.predict(piece(1, 3))
    assert set(stream.state()) == {"network", "batch", "check", "counting_sum_1/count", "counting_sum_1/inner/sum"}


def test_a_state_before_the_first_piece_begins_anew():
    made = network()
    other = made.stream(state=made.stream().state())
    assert np.array_equal(other.predict(piece(2, 3)), made.stream().predict(piece(2, 3)))


def test_states_of_several_users_go_on_in_one_batch_and_are_taken_apart_again():
    made = network()
    users = [made.stream() for _ in range(3)]
    for seed, user in enumerate(users):
        user.predict(piece(1, 4, seed))
    together = made.stream(state=[user.state() for user in users])
    pieces = [piece(1, 2, 10 + seed) for seed in range(3)]
    found = together.predict(np.concatenate(pieces))
    for number, user in enumerate(users):
        np.testing.assert_allclose(found[number : number + 1], user.predict(pieces[number]), rtol=1e-5, atol=1e-6)
        alone = made.stream(state=together.state(number))
        last = piece(1, 1, 20 + number)
        np.testing.assert_allclose(alone.predict(last), user.predict(last), rtol=1e-5, atol=1e-6)


def test_states_of_different_lengths_are_refused_with_the_layer_that_counts():
    made = network()
    states = []
    for steps in (2, 3):
        stream = made.stream()
        stream.predict(piece(1, steps))
        states.append(stream.state())
    with pytest.raises(DataError, match=r"counting_sum_1/count differs from state to state, 2 and 3: only sequences"):
        made.stream(state=states)
    with pytest.raises(DataError, match="not all have begun"):
        made.stream(state=[made.stream().state(), states[0]])


@pytest.mark.parametrize("other", [{"seed": 1}, {"dtype": "float64"}], ids=str)
def test_the_state_of_another_network_is_refused(other):
    stream = network().stream()
    stream.predict(piece(1, 2))
    with pytest.raises(DataError, match="belongs to another network"):
        network(**other).stream(state=stream.state())


def test_a_state_from_before_a_training_is_refused():
    made = network()
    stream = made.stream()
    stream.predict(piece(1, 2))
    state = stream.state()
    made.parameters["linear_2.bias"] += 1
    with pytest.raises(DataError, match="belongs to another network"):
        made.stream(state=state)


def damages():
    def changed(state):
        state["counting_sum_1/inner/sum"][0, 0, 0] += 1

    def cut(state):
        state["counting_sum_1/inner/sum"] = state["counting_sum_1/inner/sum"][:, :, :1]

    def retyped(state):
        state["counting_sum_1/inner/sum"] = state["counting_sum_1/inner/sum"].astype(np.float64)

    def missing(state):
        del state["counting_sum_1/count"]

    def texts(state):
        state["counting_sum_1/count"] = "three"

    return [changed, cut, retyped, missing, texts]


@pytest.mark.parametrize("damage", damages(), ids=lambda damage: damage.__name__)
def test_a_damaged_state_is_refused(damage):
    made = network()
    stream = made.stream()
    stream.predict(piece(1, 2))
    state = stream.state()
    damage(state)
    with pytest.raises(DataError, match="damaged"):
        made.stream(state=state)


@pytest.mark.parametrize("wrong", [b"bytes", 3, {"a": 1}, [3]], ids=str)
def test_what_is_no_state_is_refused(wrong):
    with pytest.raises(DataError, match="expected a dict of arrays"):
        network().stream(state=wrong)


def test_a_sequence_that_is_not_there():
    stream = network().stream()
    with pytest.raises(IndexError, match="the stream has 0 sequences"):
        stream.state(0)
    stream.predict(piece(2, 1))
    with pytest.raises(IndexError, match="there is no sequence 2: the stream has 2 sequences"):
        stream.state(2)


class Hoarding(Counting, type="hoarding"):
    streams = True

    def forward(self, context, x):
        if context.memory is not None:
            context.memory["pieces"] = [x]
        return x


class Unbatched(Counting, type="unbatched"):
    streams = True

    def forward(self, context, x):
        if context.memory is not None:
            context.memory["mean"] = x.mean(axis=(0, 1))
        return x


def test_a_layer_that_remembers_something_else_is_named():
    spec = {"network": {"input": ["variable", 2], "layers": [modnet.Node(layer=Hoarding())]}}
    stream = modnet.build(spec).stream()
    stream.predict(piece(1, 2))
    with pytest.raises(DataError, match="hoarding_1/pieces: the layer remembers a value of type list"):
        stream.state()


def test_an_array_without_the_batch_cannot_be_taken_apart():
    spec = {"network": {"input": ["variable", 2], "layers": [modnet.Node(layer=Unbatched())]}}
    stream = modnet.build(spec).stream()
    stream.predict(piece(3, 2))
    stream.state()
    with pytest.raises(DataError, match=r"unbatched_1/mean has the shape \(2,\); expected 3 sequences first"):
        stream.state(0)


def test_a_stream_can_be_copied_after_its_calls_were_noted():
    stream = network().stream()
    for seed in range(4):
        stream.predict(piece(1, 1, seed))
    del stream._pass.contexts[2].memory["_space"]
    other = pickle.loads(pickle.dumps(stream))
    assert other.predict(piece(1, 1, 9)).tobytes() == stream.predict(piece(1, 1, 9)).tobytes()

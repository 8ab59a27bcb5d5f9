"""A language model's conversations survive a restart, are batched, and are no larger than their keys and values."""

import subprocess
import sys

import numpy as np
import pytest

import modnet

BLOCK = {"type": "transformer_block", "features": 16, "heads": 2, "causal": True, "rotary": True}
LAYERS = [
    {"type": "embedding", "vocabulary_size": 9, "embedding_size": 16},
    {"type": "repeat", "count": 2, "layers": [BLOCK]},
    {"type": "linear", "out_features": 9},
]


@pytest.fixture
def network():
    return modnet.build({"network": {"input": ["variable"], "layers": LAYERS}}, seed=0)


def ids(steps, seed=0, batch=1):
    return np.random.default_rng(seed).integers(0, 9, (batch, steps))


def test_a_state_is_as_large_as_the_keys_and_values_of_its_steps(network):
    stream = network.stream()
    stream.predict(ids(40))
    for seed in range(20):
        stream.predict(ids(1, seed))
    size = sum(array.nbytes for array in stream.state().values())
    assert 0 <= size - 2 * 2 * 60 * 16 * 4 < 200


def test_a_conversation_goes_on_in_another_process(network, tmp_path):
    modnet.save(network, tmp_path / "gpt.modnet")
    stream = network.stream()
    stream.predict(ids(7))
    np.savez(tmp_path / "user.npz", **stream.state())
    code = """
import sys, numpy as np, modnet
folder = sys.argv[1]
with np.load(folder + "/user.npz") as state:
    stream = modnet.load(folder + "/gpt.modnet").stream(state=dict(state))
np.save(folder + "/answer.npy", np.concatenate([stream.predict([[n]]) for n in (3, 1, 4)], axis=1))
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    expected = np.concatenate([stream.predict([[n]]) for n in (3, 1, 4)], axis=1)
    assert np.load(tmp_path / "answer.npy").tobytes() == expected.tobytes()


def test_users_are_batched_and_taken_apart_again(network):
    users = [network.stream() for _ in range(3)]
    for seed, user in enumerate(users):
        user.predict(ids(5, seed))
    together = network.stream(state=[user.state() for user in users])
    for seed in range(3):
        found = together.predict(ids(1, seed, batch=3))
        for number, user in enumerate(users):
            expected = user.predict(ids(1, seed, batch=3)[number : number + 1])
            np.testing.assert_allclose(found[number : number + 1], expected, rtol=1e-4, atol=1e-5)
    alone, last = network.stream(state=together.state(1)), ids(1, 8)
    np.testing.assert_allclose(alone.predict(last), users[1].predict(last), rtol=1e-4, atol=1e-5)


def test_conversations_of_different_lengths_are_not_batched(network):
    states = []
    for steps in (3, 4):
        stream = network.stream()
        stream.predict(ids(steps))
        states.append(stream.state())
    with pytest.raises(
        modnet.DataError, match=r"differs from state to state.*only sequences with the same number of steps"
    ):
        network.stream(state=states)


def test_a_step_after_a_reset_is_the_first_one(network):
    stream = network.stream()
    for seed in range(4):
        stream.predict(ids(1, seed))
    stream.reset()
    assert stream.predict(ids(1)).tobytes() == network.stream().predict(ids(1)).tobytes()

"""The README is true: its specs train and predict."""

import re
import tomllib
from pathlib import Path

import numpy as np

import modnet

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
CLASSIFIER, TRANSLATOR = re.findall(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_spec_trains():
    network = modnet.build(tomllib.loads(CLASSIFIER))
    x = np.random.default_rng(0).standard_normal((8, 5, 6))
    x[:4, 3:] = 0
    assert modnet.train(network, x, np.arange(8) % 3, epochs=1)["loss"]
    padded = np.concatenate([x, np.zeros((8, 2, 6))], axis=1)
    np.testing.assert_allclose(network.predict(padded), network.predict(x), rtol=1e-5, atol=1e-7)


def test_the_translator_translates():
    """Reversed words: with the sentence in its first state alone the decoder can know the next one."""
    spec = TRANSLATOR.replace("1000", "9")
    network = modnet.build(tomllib.loads(spec), seed=0)
    words = np.random.default_rng(0).integers(1, 8, (300, 4))
    translation = words[:, ::-1]
    so_far = np.concatenate([np.full((300, 1), 8), translation[:, :-1]], axis=1)
    x = {"sentence": np.pad(words, ((0, 0), (0, 2))), "so_far": so_far}
    optimizer = {"type": "adam", "learning_rate": 0.01}
    modnet.train(network, x, translation, loss="cross_entropy", optimizer=optimizer, epochs=40, seed=0)
    found = np.full((300, 1), 8)
    for _ in range(4):
        following = network.predict({"sentence": words, "so_far": found})[:, -1:].argmax(-1)
        found = np.concatenate([found, following], axis=1)
    assert (found[:, 1:] == translation).mean() > 0.9


def test_a_stream_keeps_the_states():
    network = modnet.build({"network": {"input": ["variable", 3], "layers": [{"type": "gru", "hidden_size": 4}]}})
    x = np.random.default_rng(0).standard_normal((2, 5, 3))
    printed = []
    names = {"network": network, "steps": np.split(x, 5, axis=1), "print": printed.append}
    exec(PYTHON[0], names)
    np.testing.assert_allclose(np.concatenate(printed, axis=1), network.predict(x), rtol=1e-5, atol=1e-6)

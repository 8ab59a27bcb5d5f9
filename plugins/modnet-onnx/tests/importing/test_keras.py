"""Networks that Keras has written, by its backend torch: the outputs are Keras's own."""

import os

import numpy as np
import pytest

import modnet

os.environ.setdefault("KERAS_BACKEND", "torch")

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
keras = pytest.importorskip("keras")
pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="Keras is set to another backend"),
    pytest.mark.filterwarnings("ignore"),  # of Keras, torch and onnx, of what they are going to change
]


def _networks():
    layers = keras.layers
    image = [
        layers.Conv2D(8, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax"),
    ]
    table = [layers.Dense(32, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(3)]
    return {
        "mlp": ((10,), [*table, layers.Softmax()]),
        "cnn": ((28, 28, 1), image),
        "lstm": ((12, 6), [layers.LSTM(16), layers.Dense(2)]),
        "gru": ((12, 6), [layers.GRU(16, return_sequences=True), layers.GlobalAveragePooling1D(), layers.Dense(2)]),
    }


@pytest.mark.parametrize("name", ["mlp", "cnn", "lstm", "gru"])
def test_what_keras_exports(name, tmp_path):
    keras.utils.set_random_seed(0)
    shape, layers = _networks()[name]
    model = keras.Sequential([keras.Input(shape), *layers])
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    expected = np.asarray(model(x).detach())  # Keras exports only what has run
    path = tmp_path / "keras.onnx"
    model.export(path, format="onnx", verbose=False)
    network = modnet.load(path)
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-4, atol=1e-5)
    types = [node.layer.type for node in network.graph.nodes]
    assert ("onnx_graph" in types) == (name in ("lstm", "gru"))  # which Keras writes step by step

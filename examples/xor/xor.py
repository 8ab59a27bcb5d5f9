"""XOR, reproducible to the digit: the weights come from numpy's legacy generator with seed 1."""

from pathlib import Path

import numpy as np

import modnet

x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = np.array([[0], [1], [1], [0]])

network = modnet.build(Path(__file__).with_name("xor.toml"))
np.random.seed(1)
network.parameters["linear_1.weight"] = np.random.randn(2, 4) * np.sqrt(1 / 2)
network.parameters["linear_2.weight"] = np.random.randn(4, 1) * np.sqrt(1 / 4)

history = modnet.train(network, x, y)

for step in range(0, history.epochs, 100):
    print(f"step {step:3}  loss {history['loss'][step]:.15f}")
for row, prediction in zip(x, network.predict(x), strict=True):
    print(row, f"{prediction[0]:.8f}")

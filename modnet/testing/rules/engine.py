"""What a layer, or a composite, keeps within a network."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from modnet.component import Array, Node, Shape
from modnet.network import Network, build
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.rules import layer as of_layer
from modnet.testing.rules.component import same_bytes

RULES = Rules()

THREADS, PREDICTIONS = 8, 10


class Trial(of_layer.Trial):
    """A layer that can also be put into a network of its own."""

    def network(self, dtype: str = "float32", seed: int = 0) -> Network:
        names = [f"in{number}" for number in range(len(self.shapes))]
        spec: Any = {
            "network": {
                "input": dict(zip(names, self.shapes, strict=True)),
                "layers": [Node(self.component, inputs=tuple(names))],
                "dtype": dtype,
            }
        }
        return build(spec, seed=seed, registry=self.registry)

    def data(self, network: Network, rows: int = 5, seed: int = 0) -> dict[str, Array]:
        rng = np.random.default_rng(seed)
        return {
            name: self._numbers(rng, (rows, *(3 if axis is None else axis for axis in shape)))
            for name, shape in network.inputs.items()
        }

    def _numbers(self, rng: np.random.Generator, shape: Shape) -> Array:
        sizes = tuple(size or 0 for size in shape)
        return rng.integers(0, 2, sizes) if self.component.integer_input else rng.standard_normal(sizes)


@RULES.rule(
    "save and load",
    "A model file holds the plain configuration, the parameters and the declared state, and nothing else: whatever "
    "changes a prediction has to be one of these.",
    after=("runs", "shapes", "expands", "round trip", "prediction", "does not change"),
)
def save_and_load(trial: Trial) -> str:
    from modnet.modelfile.model import load, save

    network = trial.network()
    data = trial.data(network)
    rng = np.random.default_rng(0)
    network.parameters.flat += rng.uniform(-0.1, 0.1, network.parameters.flat.shape).astype(network.dtype)
    expected = network.predict(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.modnet")
        save(network, path, registry=trial.registry)
        size = path.stat().st_size
        found = load(path, registry=trial.registry).predict(data)
    same_bytes(found, expected, "the prediction of the loaded network")
    return f"{size} bytes"


@RULES.rule(
    "threads",
    "Any number of threads predict at once: keep everything that a pass needs in its context.",
    after=("runs", "shapes", "expands", "fields", "prediction", "nothing hidden"),
)
def threads(trial: Trial) -> str:
    network = trial.network()
    inputs = [trial.data(network, rows=3 + number, seed=number) for number in range(THREADS)]
    expected = [network.predict(data) for data in inputs]
    wrong: list[str] = []
    together = threading.Barrier(THREADS)

    def predict(number: int) -> None:
        together.wait()
        for _ in range(PREDICTIONS):
            try:
                same_bytes(network.predict(inputs[number]), expected[number], f"thread {number + 1} of {THREADS}")
            except Exception as error:
                wrong.append(str(error))
                return

    started = [threading.Thread(target=predict, args=(number,)) for number in range(THREADS)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if wrong:
        raise Broken(wrong[0])
    return f"{THREADS} threads, {PREDICTIONS} predictions each"


@RULES.rule(
    "learns",
    "A network of this layer alone has to come nearer to one of the same kind with other parameters: are all "
    "parameters used, and their gradients of the right sign?",
    after=(
        *("runs", "shapes", "expands", "fields", "dtypes", "gradients", "gradients of parameters", "writes gradients"),
        *("needs_input_gradient", "leaves its inputs alone"),
    ),
)
def learns(trial: Trial) -> str:
    from modnet.training.trainer import train

    network, teacher = trial.network(), trial.network(seed=1)
    if not network.trainable_size:
        raise NotApplicable("it has no parameters")
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(teacher.parameters.flat.shape)
    teacher.parameters.flat += (0.5 * noise).astype(teacher.dtype)
    data = trial.data(network, rows=64)
    optimizer = {"type": "adam", "learning_rate": 0.03}
    target = teacher.predict(data)
    try:
        history = train(
            network, data, target, loss="mse", optimizer=optimizer, epochs=40, batch_size=16, registry=trial.registry
        )
    except Exception as error:
        raise Broken(f"training raises {raised(error)}") from None
    losses = history.figures["loss"]
    first, last = float(losses[0]), float(losses[-1])
    if not last < 0.9 * first:
        raise Broken(f"the loss goes from {first:.3g} to {last:.3g} in 40 epochs")
    return f"the loss falls from {first:.2g} to {last:.2g}"

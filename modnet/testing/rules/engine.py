"""The contract of a layer, or a composite, in a network."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.engine.build import build
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.engine.program import repeats
from modnet.errors import DataError
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite, Node
from modnet.model.load import load
from modnet.model.save import save
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.rules import layer as of_layer
from modnet.testing.rules.component import same, same_bytes
from modnet.training.train import train

RULES = Rules()


def forward(network: Network, data: dict[str, Array]) -> list[Array]:
    """The outputs of a network, in order."""
    found = network.forward(data)
    return list(found.values()) if isinstance(found, dict) else [found]


def same_outputs(found: Sequence[Array], expected: Sequence[Array], what: str) -> None:
    for output, other in zip(found, expected, strict=True):
        same_bytes(output, other, what)


THREADS, PREDICTIONS = 8, 10
SWITCH = 1e-5
"""Seconds until Python switches to another thread; its default of 5 ms would interrupt few predictions."""


class Trial(of_layer.Trial):
    """A layer that can also be put into a network that contains nothing else."""

    def network(self, dtype: str = "float32", seed: int = 0) -> Network:
        names = [f"in{number}" for number in range(len(self.shapes))]
        outputs = [f"it.{name}" for name in self.component.outputs]
        spec: Any = {
            "network": {
                "input": dict(zip(names, self.shapes, strict=True)),
                "layers": [Node(self.component, inputs=tuple(names), name="it")],
                "outputs": outputs or ["it"],
                "dtype": dtype,
            }
        }
        return build(spec, seed=seed, registry=self.registry)

    def data(self, network: Network, rows: int = 5, seed: int = 0) -> dict[str, Array]:
        if self.given is not None:
            ids = self.component.integer_input
            return dict(zip(network.inputs, self.given.inputs(self.sizes, rows, np.float64, seed, ids), strict=True))
        rng = np.random.default_rng(seed)
        return {
            name: self._numbers(rng, (rows, *(3 if axis is None else axis for axis in shape)))
            for name, shape in network.inputs.items()
        }

    def targets(self, output: Array, rng: np.random.Generator) -> Array:
        """Targets for an output: the example's own if they have its shape, else random ones."""
        drawn: Array = 1 + rng.standard_normal(output.shape).astype(output.dtype)
        target = None if self.given is None else self.given.rows(len(output))[1]
        return drawn if target is None or target.shape != output.shape else target.astype(output.dtype)

    def _numbers(self, rng: np.random.Generator, shape: Shape) -> Array:
        sizes = tuple(size or 0 for size in shape)
        return rng.integers(0, 2, sizes) if self.component.integer_input else rng.standard_normal(sizes)


@RULES.rule(
    "save and load",
    "A model file holds the plain configuration, the parameters and the declared state, and nothing else. "
    "Everything that changes a prediction must be one of these, including what `prepare` and training passes have "
    "learned.",
    after=("runs", "shapes", "dtypes", "expands", "round trip", "prediction", "does not change"),
)
def save_and_load(trial: Trial) -> str:
    network = trial.network()
    data = trial.data(network)
    rng = np.random.default_rng(0)
    network.parameters.flat += rng.uniform(-0.1, 0.1, network.parameters.flat.shape).astype(network.dtype)
    learn(network, trial, seed=1)
    expected = forward(network, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.modnet")
        save(network, path, registry=trial.registry)
        size = path.stat().st_size
        # What is kept on the class or in the module would survive in this process, but not in the file.
        learn(trial.network(), trial, seed=2)
        found = forward(load(path, registry=trial.registry), data)
    same_outputs(found, expected, "the prediction of the loaded network, after another network has learned")
    return f"{size} bytes"


def learn(network: Network, trial: Trial, seed: int) -> None:
    """Lets a network learn from data as the first steps of a training do, without an optimizer."""
    inputs = network.arrays(trial.data(network, rows=16, seed=seed))
    run = Pass(network, list(network.graph.outputs.values()), training=True)
    values = zip(network.outputs, run.forward(inputs), strict=True)
    rng = np.random.default_rng(seed)
    targets = {name: trial.targets(value, rng) for name, value in values}
    network.prepare(lambda: [(inputs, targets)])
    run.forward(inputs)


@RULES.rule(
    "prepare",
    "prepare sees all of the training data, in batches of any size, and may be called again. Start sums at zero, "
    "add up over all batches, divide by the number of rows at the end, and overwrite context.state with the "
    "result.",
    after=("runs", "shapes", "expands", "named", "fields", "save and load", "does not change"),
)
def prepare(trial: Trial) -> str:
    if type(trial.component).prepare is Layer.prepare:
        raise NotApplicable("it learns nothing from the data before training (no prepare)")
    rows = 24
    network = trial.network("float64")
    inputs = network.arrays(trial.data(network, rows=rows))
    found = zip(network.outputs, Pass(network, list(network.graph.outputs.values())).forward(inputs), strict=True)
    rng = np.random.default_rng(3)
    targets = {name: trial.targets(value, rng) for name, value in found}

    def batches(size: int) -> list[Any]:
        parts = [slice(start, start + size) for start in range(0, rows, size)]
        return [([x[part] for x in inputs], {name: target[part] for name, target in targets.items()}) for part in parts]

    network.prepare(partial(batches, rows))
    expected = network.state.flat.copy()
    for what, size in (("a second time", rows), ("in batches of 7 rows", 7), ("in batches of 1 row", 1)):
        network.prepare(partial(batches, size))
        distance = float(np.abs(network.state.flat - expected).max(initial=0.0))
        size_of = max(1.0, float(np.abs(expected).max(initial=0.0)))
        if not distance <= 1e-4 * size_of:
            raise Broken(
                f"from the same {rows} rows, {what}, it learns a state that differs by {distance:.3g}, "
                f"where the greatest "
                f"number is {size_of:.3g}"
            )
    return f"{rows} rows, in 1, 4 and {rows} batches"


@RULES.rule(
    "target before",
    "target_before(context, target, x) gives the input for which forward gives this target. It may use only "
    "context.state.",
    after=("runs", "shapes", "expands", "prepare"),
)
def target_before(trial: Trial) -> str:
    if type(trial.component).target_before is Layer.target_before:
        raise NotApplicable("it has no target_before")
    network = trial.network("float64")
    learn(network, trial, seed=4)
    inputs = network.arrays(trial.data(network, rows=6, seed=5))
    node = network.graph.nodes[-1]
    context = Context(network.dtype, state=network.arrays_of(network.state, node, node.state))
    context.begin()
    (output,) = Pass(network, list(network.graph.outputs.values())).forward(inputs)
    found = node.layer.target_before(context, output.copy(), inputs[0])
    same(found, inputs[0], "the result for an output of forward, compared with its input", 1e-7)
    return "6 rows"


@RULES.rule(
    "repeats",
    "Prediction repeats only the calls that are made with context.do. Make every call that writes into an array "
    "with context.do, and ask for buffers outside of the functions that it calls. If the calls depend on the "
    "numbers, call context.cannot_repeat().",
    after=("runs", "shapes", "dtypes", "expands", "fields", "prediction", "nothing hidden"),
)
def repeats_its_calls(trial: Trial) -> str:
    if isinstance(trial.component, Composite) or not repeats(trial.component):
        raise NotApplicable("it does not promise to repeat its calls (repeats = False)")
    network = trial.network()
    outputs = list(network.graph.outputs.values())
    held: list[int] = []
    for rows in (1, 4):
        known = Pass(network, outputs)
        for seed in range(4):
            given = network.arrays(trial.data(network, rows, seed))
            inputs = [x.astype(dtype) for x, dtype in zip(given, network.input_dtypes(), strict=True)]
            if seed == 3:
                network.parameters.flat *= 1.125  # written in place, as an optimizer does
            found = [value.copy() for value in known.forward(inputs)]
            for mine, other in zip(found, Pass(network, outputs).forward(inputs), strict=True):
                same_bytes(mine, other, f"the prediction for {rows} rows, number {seed + 1} of the same shape")
            held.append(known.held)
        if held[-1] != held[-2]:
            raise Broken(
                "each prediction takes new buffers: they are requested inside a function that context.do calls"
            )
    return "4 predictions each of 1 and of 4 rows"


@RULES.rule(
    "threads",
    "Many threads may predict at the same time: keep everything that a pass needs in its context.",
    after=("runs", "shapes", "dtypes", "expands", "fields", "prediction", "nothing hidden", "repeats"),
)
def threads(trial: Trial) -> str:
    network = trial.network()
    inputs = [trial.data(network, rows=3 + number, seed=number) for number in range(THREADS)]
    expected = [forward(network, data) for data in inputs]
    wrong: list[str] = []
    together = threading.Barrier(THREADS)

    def predict(number: int) -> None:
        together.wait()
        for _ in range(PREDICTIONS):
            try:
                same_outputs(forward(network, inputs[number]), expected[number], f"thread {number + 1} of {THREADS}")
            except Exception as error:
                wrong.append(str(error))
                return

    started = [threading.Thread(target=predict, args=(number,)) for number in range(THREADS)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if wrong:
        raise Broken(wrong[0])
    return f"{THREADS} threads, {PREDICTIONS} predictions each"


def _move(teacher: Network, network: Network, data: dict[str, Array]) -> None:
    """Moves the trained parameters of `teacher` away from their values; copies frozen ones from the other network."""
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(teacher.parameters.flat.shape)
    # Frozen ones cannot learn.
    noise[network.trainable_size :] = 0
    teacher.parameters.flat[network.trainable_size :] = network.parameters.flat[network.trainable_size :]
    initial = teacher.parameters.flat.copy()
    for size in (0.5, 0.1, 0.02):  # parameters may have to be positive
        teacher.parameters.flat[...] = initial + size * noise
        with suppress(DataError):  # a prediction is nan
            if all(np.isfinite(output).all() for output in forward(teacher, data)):
                return


@RULES.rule(
    "learns",
    "A network of only this layer is trained to imitate another one with other parameters, and its loss must "
    "fall. Are all parameters used, and do their gradients have the right sign?",
    after=(
        *("runs", "shapes", "expands", "fields", "dtypes", "gradients", "writes gradients"),
        *("needs_input_gradient", "leaves its inputs alone"),
    ),
)
def learns(trial: Trial) -> str:
    network, teacher = trial.network(), trial.network(seed=1)
    if not network.trainable_size:
        raise NotApplicable("it has no parameters that are trained")
    if not trial.component.true_gradient:
        raise NotApplicable("its gradients are deliberately not the derivatives of its output (true_gradient = False)")
    data = trial.data(network, rows=64)
    _move(teacher, network, data)
    target, loss = _task(trial, teacher, data)
    how: dict[str, Any] = {"loss": loss, "optimizer": {"type": "adam", "learning_rate": 0.03}, "epochs": 40}
    how |= {"batch_size": 16, **trial.example.training}
    try:
        history = train(network, data, target, registry=trial.registry, **how)
    except Exception as error:
        raise Broken(f"training raises {raised(error)}") from None
    losses = history.figures["loss"]
    first, last = float(losses[0]), float(losses[-1])
    if not last < 0.9 * first:
        raise Broken(
            f"the loss goes from {first:.3g} to {last:.3g} in {len(losses)} epochs; it should fall by at least 10%"
        )
    return f"the loss falls from {first:.2g} to {last:.2g}"


def _task(trial: Trial, teacher: Network, data: dict[str, Array]) -> tuple[Any, Any]:
    """Targets and losses: the example's own targets, or the outputs of the teacher."""
    own = None if trial.given is None else trial.given.rows(len(next(iter(data.values()))))[1]
    if own is not None:
        return own, "mse"
    return dict(zip(teacher.outputs, forward(teacher, data), strict=True)), dict.fromkeys(teacher.outputs, "mse")

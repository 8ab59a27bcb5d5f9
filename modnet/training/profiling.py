"""Measures the time that each part of a training step takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batch
from modnet.datasets.dataset import Dataset, DatasetBatches
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.errors import DataError
from modnet.kinds.optimizer import Optimizer
from modnet.plugins.registry import Registry, default_registry
from modnet.screen import fitted, folded
from modnet.specs.model import TrainingSpec
from modnet.training.objective import Objective
from modnet.training.optimization import Optimization
from modnet.training.penalty import Penalty
from modnet.training.tally import Tally
from modnet.words import readable_bytes, show

PEAK_SIZE = 1024
"""Rows and columns of the matrix product that measures the machine's peak speed."""


@dataclass(frozen=True)
class NodeTimes:
    """The times of a node, or of another part of a step: medians over the repeats.

    Attributes:
        name: of the node, or "(batch)" for gathering the samples, "(loss)" or "(optimizer)".
        type: of the component; "" for the batch.
        forward, backward: seconds. The batch and the loss have a time forward only, the optimizer backward only.
        bytes: size of its buffers.
        forward_operations, backward_operations: floating-point operations: two for each multiply-add.
    """

    name: str
    type: str
    forward: float
    backward: float
    bytes: int
    forward_operations: float = 0.0
    backward_operations: float = 0.0

    def speed(self, forward: bool = True, backward: bool = True) -> float:
        """10^9 operations per second in those passes; 0 if no operations are counted."""
        operations = self.forward_operations * forward + self.backward_operations * backward
        return operations / (self.forward * forward + self.backward * backward) / 1e9 if operations else 0.0


@dataclass(frozen=True)
class Profile:
    """The time that each part of a training step takes; `str` gives a table.

    Attributes:
        rows: the batch, the nodes in order, the loss, and the optimizer with clipping and penalties.
        batch: samples in the step.
        peak: the speed of this machine in a large matrix product, in 10^9 operations per second.
    """

    rows: tuple[NodeTimes, ...]
    batch: int
    peak: float

    @property
    def seconds(self) -> float:
        """Of the whole step."""
        return sum(row.forward + row.backward for row in self.rows)

    def plain(self) -> dict[str, Any]:
        """The figures as plain values: seconds, bytes and GFLOP/s."""
        rows = [
            {
                "name": row.name,
                "type": row.type,
                "forward": row.forward,
                "backward": row.backward,
                "bytes": row.bytes,
                "forward_gflops": row.speed(backward=False),
                "backward_gflops": row.speed(forward=False),
            }
            for row in self.rows
        ]
        return {"batch": self.batch, "seconds": self.seconds, "peak_gflops": self.peak, "rows": rows}

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        head = ("node", "type", "forward", "GFLOP/s", "backward", "GFLOP/s", "of peak", "share", "buffers")
        rows = [head]
        for row in self.rows:
            speed = row.speed()
            rows.append(
                (
                    row.name,
                    row.type,
                    _time(row.forward),
                    _speed(row.speed(backward=False)),
                    _time(row.backward),
                    _speed(row.speed(forward=False)),
                    f"{speed / self.peak:.0%}" if speed else "",
                    f"{(row.forward + row.backward) / self.seconds:.0%}" if self.seconds else "",
                    readable_bytes(row.bytes),
                )
            )
        whole = f"a step of {self.batch} samples: {_time(self.seconds)}"
        whole += f"; this machine's products reach {self.peak:.0f} GFLOP/s"
        return "\n".join([*fitted(rows, 2, width), folded(whole, width)])


def profile(
    network: Network,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    repeats: int = 30,
    registry: Registry | None = None,
) -> Profile:
    """Times the parts of training steps; the network is not changed.

    The steps are those of `train`, with the loss and the optimizer of the network's training. Without targets, or if
    the network has no loss, a gradient of ones replaces the gradient of the loss.

    Args:
        x, y: as for `train`: the samples; the steps take batches of them.
        batch_size: by default that of the training spec; at most the number of samples.
        repeats: timed steps, after two steps that are not counted.
        registry: the source of the kernels, and of `adam` if the training names no optimizer.
    """
    steps = _Steps(network, registry or default_registry(), _has_targets(x, y))
    batches = _batches(steps.network, steps.objective, steps.training, x, y, batch_size)
    return steps.profile(batches, repeats + 2)


def _has_targets(x: Any, y: Any) -> bool:
    return y is not None or (isinstance(x, Dataset) and bool(x.targets))


class _Steps:
    """Steps of training, on a copy of a network, whose parts are timed."""

    def __init__(self, network: Network, registry: Registry, with_targets: bool) -> None:
        self.training = training = network.card.training
        self.network = twin = Network(network.card, network.graph)
        np.copyto(twin.parameters.flat, network.parameters.flat)
        np.copyto(twin.state.flat, network.state.flat)
        self.objective = None if training is None else Objective(twin, training, registry.kernels)
        if self.objective is not None and self.objective.target_outputs and not with_targets:
            self.objective = None
        objective, self.clock, self.noise = self.objective, _Clock(), np.random.default_rng(0)
        gradients = twin.parameters.like()
        wanted = objective.wanted if objective else list(twin.graph.outputs.values())
        self.pass_ = Pass(twin, wanted, training=True, gradients=gradients, rng=self.noise, kernels=registry.kernels)
        self.pass_.instrument(self.clock.timed)
        optimizer = (training.optimizer if training else None) or registry.find(Optimizer, "adam")()
        reached = objective.reached if objective else None
        self.optimization = Optimization(twin, optimizer, gradients, registry.kernels, reached)
        self.penalty = Penalty(twin, gradients, reached)

    def profile(self, batches: DatasetBatches, count: int) -> Profile:
        """The times of `count` steps."""
        gather, update = self.clock.timed("batch", next), self.clock.timed("optimizer", self._change)
        slopes = self.clock.timed("loss", self._slopes)
        order: Iterator[Batch] = iter(())
        for _ in range(count):
            try:
                batch = gather(order)
            except StopIteration:  # the next epoch; shuffling it counts as time of its first batch
                order = batches.epoch(self.noise)
                batch = gather(order)
            self.pass_.backward(slopes(self.pass_.forward(batch.inputs), batch))
            update()
        return Profile(tuple(self._rows(batch)), len(batch), product_speed(self.network.dtype))

    def _slopes(self, values: list[Array], batch: Batch) -> list[Array]:
        if self.objective is None:
            return [np.ones_like(value) for value in values]
        return self.objective.measure(values, batch, Tally(self.objective.heads), self.pass_.wanted_masks())[1]

    def _change(self) -> None:
        self.penalty.add()
        if self.training:
            self.optimization.clip(self.training.gradient_clipping, self.training.gradient_value_clipping)
        self.optimization.step(0.0)

    def _rows(self, batch: Batch) -> Iterator[NodeTimes]:
        clock, objective = self.clock, self.objective
        yield NodeTimes("(batch)", "", clock.median("batch"), 0.0, sum(array.nbytes for array in batch.inputs))
        yield from _node_rows(self.pass_, batch, clock)
        if objective is not None:
            types = ", ".join(dict.fromkeys(head.loss.type for head in objective.heads))
            held = sum(head.learning.context.nbytes for head in objective.heads)
            yield NodeTimes("(loss)", types, clock.median("loss"), 0.0, held)
        held = self.optimization.gradients.flat.nbytes * (1 + len(self.optimization.slots))
        yield NodeTimes("(optimizer)", self.optimization.optimizer.type, 0.0, clock.median("optimizer"), held)


def _batches(
    network: Network, objective: Objective | None, training: TrainingSpec | None, x: Any, y: Any, size: int | None
) -> DatasetBatches:
    if objective is None:  # the targets are not used
        x, y = (replace(x, targets={}), None) if isinstance(x, Dataset) else (x, {})
    outputs = objective.target_outputs if objective else []
    data = Dataset.of(network, x, y, outputs=outputs)
    if not isinstance(data, Dataset):
        raise DataError(f"expected arrays x and y, found {show(x)}")
    size = size or (training.batch_size if training else len(data))
    return data.batches(min(size, len(data)) or 1)


def _node_rows(run: Pass, batch: Batch, clock: _Clock) -> Iterator[NodeTimes]:
    """The rows of the nodes, after a pass of that batch."""
    network, values = run.network, run.values()
    shapes = {slot: array.shape[1:] for slot, array in enumerate(batch.inputs)}
    for slot, context in run.contexts.items():
        node = network.graph.node(slot)
        shapes[slot] = values[node.name].shape[1:]
        forward, backward = clock.median((slot, "forward")), clock.median((slot, "backward"))
        # Backward, each gradient, that of the parameters and that of the input, takes as many operations as forward.
        operations = 2.0 * len(batch) * node.layer.multiply_adds(*(shapes[source] for source in node.inputs))
        backwards = operations * (1 + context.needs_input_gradient) if backward else 0.0
        yield NodeTimes(node.name, node.type, forward, backward, context.nbytes, operations, backwards)


class _Clock:
    """Records the time of each call of the functions that it has wrapped."""

    def __init__(self) -> None:
        self._times: dict[Any, list[float]] = {}

    def timed(self, key: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        times = self._times[key] = []

        def timed_call(*arguments: Any) -> Any:
            started = time.perf_counter()
            result = call(*arguments)
            times.append(time.perf_counter() - started)
            return result

        return timed_call

    def median(self, key: Any) -> float:
        """The median without the first two calls, which allocate buffers; 0 if there are no more."""
        times: Sequence[float] = self._times[key][2:]
        return float(np.median(times)) if times else 0.0


def product_speed(dtype: np.dtype[Any], size: int = PEAK_SIZE) -> float:
    """The speed of a product of two square matrices of this size, in 10^9 operations per second."""
    a: Array = np.ones((size, size), dtype)
    out = np.empty_like(a)
    best = float("inf")
    # The fastest of several: other programs can only make a product slower.
    for _ in range(5):
        started = time.perf_counter()
        np.matmul(a, a, out=out)
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best / 1e9


def _time(seconds: float) -> str:
    if not seconds:
        return ""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _speed(speed: float) -> str:
    return f"{speed:.1f}" if speed else ""

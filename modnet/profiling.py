"""Where the time of a training step goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modnet.component import Array, Optimizer
from modnet.network import Network, Pass
from modnet.registry import Registry, default_registry
from modnet.summary import readable_bytes
from modnet.training.optimization import Optimization

PEAK_SIZE = 1024
"""Rows and columns of the product by which the machine's speed is measured."""


@dataclass(frozen=True)
class Row:
    """One node, or the optimizer, in one step: medians over the repeats.

    Attributes:
        name, type: of the node.
        forward, backward: seconds.
        bytes: that its buffers take.
        speed: its multiply-adds, each as two operations, by its time, in 10^9 per second; 0 where it has none.
    """

    name: str
    type: str
    forward: float
    backward: float
    bytes: int
    speed: float


@dataclass(frozen=True)
class Profile:
    """Where the time of a training step goes; prints as a table.

    Attributes:
        rows: the nodes in order, the optimizer last, whose time stands under `backward`.
        batch: samples in the step.
        peak: what this machine reached in a large product, in 10^9 operations per second.
    """

    rows: tuple[Row, ...]
    batch: int
    peak: float

    @property
    def seconds(self) -> float:
        """Of the whole step, without the loss."""
        return sum(row.forward + row.backward for row in self.rows)

    def __str__(self) -> str:
        head = ("node", "type", "forward", "backward", "share", "buffers", "GFLOP/s", "of peak")
        table = [head]
        for row in self.rows:
            speed = (f"{row.speed:.1f}", f"{row.speed / self.peak:.0%}") if row.speed else ("", "")
            share = (row.forward + row.backward) / self.seconds if self.seconds else 0.0
            forward = _time(row.forward) if row.forward else ""
            cells = (
                row.name,
                row.type,
                forward,
                _time(row.backward),
                f"{share:.0%}",
                readable_bytes(row.bytes),
                *speed,
            )
            table.append(cells)
        widths = [max(len(line[column]) for line in table) for column in range(len(head))]
        lines = []
        for line in table:
            left = [text.ljust(width) for text, width in zip(line[:2], widths[:2], strict=True)]
            right = [text.rjust(width) for text, width in zip(line[2:], widths[2:], strict=True)]
            lines.append("  ".join(left + right).rstrip())
        whole = f"a step of {self.batch} samples: {_time(self.seconds)}"
        return "\n".join([*lines, f"{whole}; this machine's products reach {self.peak:.0f} GFLOP/s"])


def profile(network: Network, x: Any, repeats: int = 30, registry: Registry | None = None) -> Profile:
    """Times the nodes and the optimizer in training steps on a batch; the network is not changed.

    The gradient that enters at the end is made of ones: it takes as long as a true one, and needs no target.

    Args:
        x: a batch, as for `predict`.
        repeats: steps that are timed, after two that are not.
        registry: whose kernels run, and where the optimizer is looked up if the spec names none.
    """
    registry = registry or default_registry()
    twin = Network(network.spec, network.graph)
    np.copyto(twin.parameters.flat, network.parameters.flat)
    np.copyto(twin.state.flat, network.state.flat)
    training = network.training
    optimizer = (training.optimizer if training else None) or registry.find(Optimizer, "adam")()
    gradients = twin.parameters.like()
    rng = np.random.default_rng(0)
    slots = list(twin.graph.outputs.values())
    run = Pass(twin, slots, training=True, gradients=gradients, rng=rng, kernels=registry.kernels)
    optimization = Optimization(twin, optimizer, gradients, registry.kernels)
    clock = _Clock()
    run.instrument(clock.timed)
    arrays = twin.arrays(x)
    update = clock.timed(("optimizer", "backward"), optimization.step)
    for _ in range(repeats + 2):
        outputs = run.forward(arrays)
        run.backward([np.ones_like(output) for output in outputs])
        update(0.0)
    rows = []
    for slot, context in run.contexts.items():
        node = twin.graph.nodes[slot - len(twin.inputs)]
        forward, backward = clock.median((slot, "forward")), clock.median((slot, "backward"))
        products = (1 if backward == 0.0 else 3 if context.needs_input_gradient else 2) * len(arrays[0])
        operations = 2.0 * products * node.layer.multiply_adds(*node.input_shapes)
        speed = operations / (forward + backward) / 1e9 if operations else 0.0
        rows.append(Row(node.name, node.layer.type, forward, backward, context.nbytes, speed))
    held = gradients.flat.nbytes * (1 + len(optimization.slots))
    rows.append(Row("", optimizer.type, 0.0, clock.median(("optimizer", "backward")), held, 0.0))
    return Profile(tuple(rows), len(arrays[0]), _peak(twin.dtype))


class _Clock:
    """Keeps the times of the calls that it has wrapped."""

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
        """Without the first two, in which buffers are made; 0 for a call that was never made."""
        times: Sequence[float] = self._times[key][2:]
        return float(np.median(times)) if times else 0.0


def _peak(dtype: np.dtype[Any]) -> float:
    a: Array = np.ones((PEAK_SIZE, PEAK_SIZE), dtype)
    out = np.empty_like(a)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        np.matmul(a, a, out=out)
        best = min(best, time.perf_counter() - started)
    return 2.0 * PEAK_SIZE**3 / best / 1e9


def _time(seconds: float) -> str:
    return (
        f"{seconds * 1e6:.0f} us"
        if seconds < 1e-3
        else f"{seconds * 1e3:.2f} ms"
        if seconds < 1
        else f"{seconds:.2f} s"
    )

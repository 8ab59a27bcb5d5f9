"""What a step takes: `mpirun -n N python scaling.py`, with OPENBLAS_NUM_THREADS=1, for N = 1 and the number of cores.

Strong: the batch of all processes together stays the same. Weak: that of each process does. Two times of a step, each
with the one that 10 % of the steps are faster than, and half of them: by the clock on the wall, which other work on the
machine changes much; and what a process computes outside the calls of MPI, as time of its processor, which that
changes little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from modnet_mpi.world import world
from mpi4py import MPI

import modnet

BATCH, STEPS = 1024, 80


def linear(size: int, activation: str = "relu") -> dict[str, object]:
    return {"type": "linear", "out_features": size, "activation": activation}


def conv(channels: int) -> dict[str, object]:
    return {"type": "conv2d", "out_channels": channels, "kernel_size": 3, "padding": "same", "activation": "relu"}


POOL = {"type": "max_pool2d", "pool_size": 2}
NETWORKS: dict[str, tuple[tuple[int, ...], list[object], int]] = {
    "mlp": ((784,), [linear(256), linear(128), linear(10, "softmax")], BATCH),
    "mlp, batch norm": ((784,), [linear(256), "batch_norm", linear(128), "batch_norm", linear(10, "softmax")], BATCH),
    "mlp, dropout": ((784,), [linear(256), "dropout", linear(128), "dropout", linear(10, "softmax")], BATCH),
    "cnn": ((28, 28, 1), [conv(16), POOL, conv(32), POOL, "flatten", linear(10, "softmax")], BATCH // 4),
}


class Clock(modnet.Callback):
    """The times at the end of each step, in `TIMES`: on the wall, and of the processor outside the calls of MPI."""

    def modnet_step_ended(self, run: modnet.Run) -> None:
        TIMES.append((time.perf_counter(), time.thread_time() - WAITED[0]))


TIMES: list[tuple[float, float]] = []
WAITED = [0.0]


def timed(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same call of MPI, whose time is added to `WAITED`: it spins while it waits for the others."""

    def wrapper(value: Any) -> Any:
        began = time.thread_time()
        try:
            return call(value)
        finally:
            WAITED[0] += time.thread_time() - began

    return wrapper


def milliseconds(name: str, batch: int) -> np.ndarray:
    """(steps, 2), on the wall and of the processor."""
    shape, layers, _ = NETWORKS[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch * 4, *shape)).astype(np.float32)
    y = rng.integers(0, 10, len(x))
    TIMES.clear()
    network = modnet.build({"network": {"input": list(shape), "layers": layers}}, seed=0)
    given = {"loss": "cross_entropy", "batch_size": batch, "epochs": STEPS // 4, "callbacks": ["mpi", Clock()]}
    modnet.train(network, x, y, **given)
    # The first step of an epoch has the end of the one before in it.
    kept = [step for step in range(4, len(TIMES) - 1) if step % 4 != 3]
    return 1e3 * np.diff(np.array(TIMES), axis=0)[kept]


def main() -> None:
    communicator, everybody = MPI.COMM_WORLD, world()
    if everybody is not None:
        vars(everybody).update(add_up=timed(everybody.add_up), gather=timed(everybody.gather))
    for name, (_, _, batch) in NETWORKS.items():
        for kind, whole in (("strong", batch), ("weak", batch // 2 * communicator.size)):
            own = np.quantile(milliseconds(name, whole), [0.1, 0.5], axis=0)
            slowest = np.max(communicator.allgather(own), axis=0)
            if not communicator.rank:
                told = "   ".join(
                    f"{what} {low:6.2f} {half:6.2f}"
                    for what, (low, half) in zip(("wall", "own"), slowest.T, strict=True)
                )
                print(f"{communicator.size} {name:16} {kind:6} {whole:5}   {told}", flush=True)


if __name__ == "__main__":
    main()

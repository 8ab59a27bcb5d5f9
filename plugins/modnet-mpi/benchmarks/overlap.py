"""Whether sending gradients while the backward pass goes on pays: `mpirun -n 2 python overlap.py`.

The backward pass is stood for by products of the size of its own. The gradients of 784-256-128-10 are added up after it
in one call; or in pieces, each begun when it is there and waited for at the end, with or without asking the library in
between to go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from mpi4py import MPI

SIZE, PIECES, ROWS, ROUNDS = 235_146, 3, 512, 401


def work(a: np.ndarray, b: np.ndarray, out: np.ndarray, request: MPI.Request | None = None) -> None:
    """About a third of the backward pass, in four products."""
    for _ in range(4):
        np.dot(a, b, out=out)
        if request is not None:
            request.Test()


def rounds(step: Callable[[], None]) -> np.ndarray:
    seconds = []
    for _ in range(ROUNDS):
        MPI.COMM_WORLD.Barrier()
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return np.array(seconds[1:])


def main() -> None:
    communicator, rng = MPI.COMM_WORLD, np.random.default_rng(0)
    gradients = rng.standard_normal(SIZE).astype(np.float32)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((256, ROWS), (ROWS, 86)))
    out = np.empty((256, 86), np.float32)
    parts = np.array_split(gradients, PIECES)

    def alone() -> None:
        for _ in range(PIECES):
            work(a, b, out)

    def after() -> None:
        alone()
        communicator.Allreduce(MPI.IN_PLACE, gradients)

    def during(ask: bool) -> None:
        requests: list[MPI.Request] = []
        for part in parts:
            work(a, b, out, requests[-1] if ask and requests else None)
            requests.append(communicator.Iallreduce(MPI.IN_PLACE, part))
        MPI.Request.Waitall(requests)

    ways = {
        "the backward pass alone": alone,
        "one all-reduce after it": after,
        "in pieces, during it": lambda: during(False),
        "in pieces, asking in between": lambda: during(True),
    }
    for name, step in ways.items():
        seconds = rounds(step) * 1e3
        gradients[:] = 1
        # On a machine that does other work too, the fastest rounds tell the most.
        fastest, low, middle = np.quantile(seconds, [0, 0.05, 0.5])
        if not communicator.rank:
            print(f"{name:30} {fastest:6.2f} ms the fastest, {low:6.2f} of 5 %, {middle:6.2f} of half", flush=True)


if __name__ == "__main__":
    main()

"""How far sharing goes, by the measured times of a step and of sending: `python simulation.py`.

A step of n processes takes

    fixed + sample * batch / n + sums * latency * log2(n) + 2 (n - 1) / n * bytes / bandwidth + 2 latency log2(n)

fixed: the optimizer and what else each process does in full. sample: forward and backward of one sample. sums: the
small sums of a step (losses, the agreement to go on, those of `batch_norm`). The last two terms are the all-reduce of
the gradients, of which each process sends and receives twice its part of all others (Thakur, Rabenseifner and Gropp
2005, "Optimization of collective communication operations in MPICH", section 4.5).
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Network(NamedTuple):
    """What was measured of a training in one process, float32, one thread: seconds, and the number of parameters."""

    name: str
    batch: int
    fixed: float
    sample: float
    parameters: int
    sums: int


class Link(NamedTuple):
    """What sending takes: seconds for a small message, bytes in a second."""

    name: str
    latency: float
    bandwidth: float


NETWORKS = (
    Network("perceptron 784-256-128-10", 1024, 0.66e-3, 11.8e-6, 235_146, 2),
    Network("the same with batch norm", 1024, 1.0e-3, 12.6e-6, 235_914, 10),
    Network("CNN 16, 32 channels, 28x28", 256, 3.1e-3, 173e-6, 20_490, 2),
)
LINKS = (
    Link("shared memory", 1.1e-6, 3.6e9),
    Link("25 Gbit/s Ethernet", 20e-6, 2.5e9),
    Link("100 Gbit/s InfiniBand", 2e-6, 11e9),
)
SIZES = (1, 2, 4, 8, 16, 32, 64)


def sending(network: Network, link: Link, size: int) -> float:
    """Seconds of a step in which nothing is computed."""
    if size == 1:
        return 0.0
    hops = math.log2(size)
    return (network.sums + 2) * link.latency * hops + 2 * (size - 1) / size * 4 * network.parameters / link.bandwidth


def seconds(network: Network, link: Link, size: int, batch: int) -> float:
    """Of a step."""
    return network.fixed + network.sample * batch / size + sending(network, link, size)


def main() -> None:
    print(f"{'':28} {'':22} speed-up with so many processes" + " " * 12 + "sending takes over")
    print(f"{'network':28} {'link':22}" + "".join(f"{size:6}" for size in SIZES) + "   with")
    for kind in ("strong", "weak"):
        for network in NETWORKS:
            for link in LINKS:
                ups, over = [], None
                for size in SIZES:
                    batch = network.batch * (size if kind == "weak" else 1)
                    alone = seconds(network, link, 1, batch)
                    ups.append(alone / seconds(network, link, size, batch))
                    if over is None and sending(network, link, size) > network.sample * batch / size:
                        over = size
                told = f"{over}" if over else f"more than {SIZES[-1]}"
                print(f"{network.name:28} {link.name:22}" + "".join(f"{up:6.1f}" for up in ups) + f"   {told} ({kind})")


if __name__ == "__main__":
    main()

"""Model files under stress: killed savers, many at once, large data, shared memory.

    python -m benchmarks.endurance [--kills N] [--storm SECONDS] [--large GB] [--lazy GB] [--share PROCESSES]
                                   [--folder FOLDER]

What is counted is also checked: an old or new file that is not whole ends it with an error. The tests run the same with
small counts (tests/model). It needs Linux.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine

LAYER = 16384
"""Inputs and outputs of a layer of the large network: 1.07 GB of float32."""

MEASURING = """
import os, sys, time
from pathlib import Path
import numpy as np
import modnet

def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

def measured(function):
    # Seconds, and by how much the process was larger than before at its peak.
    Path("/proc/self/clear_refs").write_text("5")
    before, start = status("VmRSS:"), time.perf_counter()
    result = function()
    return result, time.perf_counter() - start, status("VmHWM:") - before

path, size = sys.argv[1], int(sys.argv[2])
"""

SAVING = """
layers = [{"type": "linear", "out_features": size, "bias": False, "weight_initializer": "zeros"}] * int(sys.argv[3])
network = modnet.build({"network": {"input": [size], "layers": layers}})
for number, array in enumerate(network.parameters.values()):
    array[...] = number
_, seconds, peak = measured(lambda: modnet.save(network, path))
print(network.parameters.nbytes, seconds, peak)
"""

LOADING = """
network, seconds, peak = measured(lambda: modnet.load(path))
assert all((array == number).all() for number, array in enumerate(network.parameters.values()))
print(network.parameters.nbytes, seconds, peak - network.parameters.nbytes)
"""

MAKING = """
network = modnet.build({"network": {"input": [4], "layers": [
    {"type": "embedding", "vocabulary_size": size, "embedding_size": 1024, "weight_initializer": "ones"},
    "global_average_pool",
    {"type": "linear", "out_features": 8},
]}})
modnet.save(network, path)
with open(path, "rb") as file:
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
"""

PREDICTING = """
def read():
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes:"))

ids = np.array([[1, size // 3, size // 2, size - 1]])
modnet.build({"network": {"input": [4], "layers": [
    {"type": "embedding", "vocabulary_size": 2, "embedding_size": 4},
    "global_average_pool",
    {"type": "linear", "out_features": 8},
]}}).predict(np.zeros((1, 4), int))  # imports what is needed
before = read()
_, seconds, peak = measured(lambda: modnet.load(path, mmap=True).predict(ids))
print(seconds, peak, read() - before)
"""


def main() -> None:
    arguments = parser().parse_args()
    threads = machine.clean_environment()
    from tests.model.endurance import shared, stop_savers, storm  # only now, since it imports numpy

    for name, value in machine.describe(threads).items():
        print(f"- {name}: {value}")
    print(f"- load average: {machine.load()} before\n", flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder, "model.modnet")
        if arguments.kills:
            tally = stop_savers(path, signal.SIGKILL, arguments.kills)
            told(
                f"{arguments.kills} kill -9 at random moments of savers over an existing file of 8 MiB: the old file "
                f"was found {tally['old']} times, the new one {tally['new']} times, each whole and verified; "
                f"{tally['left']} fell within a save (a temporary file was left, which the next save removed)"
            )
        if arguments.storm:
            tally = storm(path, arguments.storm, 8, 8, 2)
            told(
                f"8 writers, of which 2 were killed half way, and 8 readers of one name for {arguments.storm:g} s: "
                f"{tally['writes']:,} saves of 1 MiB by the 6 that lived, {tally['reads']:,} loads, every one whole "
                "and verified; no temporary file was left"
            )
        if arguments.large:
            layers = max(1, round(arguments.large * 1e9 / (4 * LAYER**2)))
            for what, code in (("save", SAVING), ("load", LOADING)):
                size, seconds, peak = run(code, path, LAYER, layers)
                told(
                    f"modnet.{what} of a network of {size / 1e9:.2f} GB in {layers} segments: {seconds:.1f} s; at its "
                    f"peak the process had {peak / 2**20:.1f} MiB more than before, beside the network"
                )
            path.unlink()
        if arguments.lazy:
            rows = round(arguments.lazy * 1e9 / 4096)
            run(MAKING, path, rows)
            size = path.stat().st_size
            seconds, peak, read = run(PREDICTING, path, rows)
            told(
                f"modnet.load(mmap=True) of a file of {size / 1e9:.2f} GB that is not in the system's cache, and the "
                f"first prediction, of 4 rows of an embedding: {seconds * 1e3:.0f} ms; {read / 1e6:.2f} MB were read "
                f"from the disk, what the system reads ahead of each place included; "
                f"the process grew by {peak / 1e6:.2f} MB"
            )
        if arguments.share:
            run(MAKING, path, 250_000)
            shares = shared(path, arguments.share)
            size = path.stat().st_size
            told(
                f"{arguments.share} processes that map one file of {size / 1e9:.2f} GB and have read all of it: "
                f"{sum(shares) / 1e9:.2f} GB in all (sum of their proportional set sizes), "
                f"{sum(shares) / size:.3f} times the file"
            )
    print(f"\n- load average: {machine.load()} after")


def told(text: str) -> None:
    print(f"- {text}", flush=True)


def run(code: str, *arguments: object) -> Iterator[float]:
    """The numbers that a new process prints."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURING + code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), os.getenv("PYTHONPATH")]))},
    )
    return map(float, done.stdout.split())


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description="model files under stress")
    made.add_argument("--kills", type=int, default=500, metavar="N", help="savers that are killed")
    made.add_argument("--storm", type=float, default=60, metavar="SECONDS", help="8 writers and 8 readers of one name")
    made.add_argument("--large", type=float, default=6, metavar="GB", help="a network that is saved and loaded")
    made.add_argument("--lazy", type=float, default=2, metavar="GB", help="a mapped file, and its first prediction")
    made.add_argument("--share", type=int, default=8, metavar="PROCESSES", help="that map one file of 1 GB")
    made.add_argument("--folder", type=Path, help="where the files are; by default the system's temporary folder")
    return made


if __name__ == "__main__":
    main()

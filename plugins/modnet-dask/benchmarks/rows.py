"""Rows per second beside `modnet predict`, and the memory of a worker against the size of a part.

    python benchmarks/rows.py [FOLDER]

FOLDER gets some hundred MB of Parquet, which are removed in the end. BLAS has one thread in each process.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MODNET_NUM_THREADS": "1"}

import logging

import modnet_dask
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner
from distributed import Client, LocalCluster

import modnet
from modnet.cli.app import cli

PARTS, ROWS = 16, 250_000
SIZES = (100_000, 500_000, 2_500_000)
TIMES = 3

COLOURS = np.array(["blue", "green", "red"])


def table(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Eight numbers, a category and a class."""
    rng = np.random.default_rng(seed)
    columns = {f"x{number}": rng.normal(size=rows).astype(np.float32) for number in range(8)}
    colour = rng.integers(0, 3, rows)
    kind = np.where(columns["x0"] * (colour - 1) > 0, "warm", "cold")
    return {"id": np.arange(rows), **columns, "colour": COLOURS[colour], "kind": kind}


def trained(folder: Path) -> Path:
    """A model of 128 and 64 units."""
    layers = [{"type": "linear", "out_features": width, "activation": "relu"} for width in (128, 64)]
    spec = {
        "network": {"input": [11], "layers": [*layers, {"type": "linear", "out_features": 2}, "softmax"]},
        "training": {"loss": "cross_entropy", "epochs": 2},
        "data": {"target": "kind", "inputs": [*(f"x{number}" for number in range(8)), "colour"]},
    }
    rows = {name: values.tolist() for name, values in table(2000, 0).items()}
    path = folder / "kind.modnet"
    modnet.save(modnet.train(spec, rows).network, path)
    return path


def cluster(workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
    )


def used() -> tuple[float, int]:
    """Seconds of CPU of this process, and the most memory that it has had, in MB."""
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return time.process_time(), int(peak) // 1000


def plain(model: Path, folder: Path) -> tuple[float, float]:
    """Seconds, and of CPU, of `modnet predict --chunk` for each part in this process."""
    began, cpu = time.perf_counter(), time.process_time()
    for path in sorted((folder / "in").iterdir()):
        words = ["predict", str(model), str(path), "-o", str(folder / "out.parquet"), "--chunk", "65536"]
        assert CliRunner().invoke(cli, words).exit_code == 0
    return time.perf_counter() - began, time.process_time() - cpu


def parted(model: Path, folder: Path, client: Client) -> tuple[float, float]:
    """The same by the workers of a client."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    before = sum(cpu for cpu, _ in client.run(used).values())
    found = modnet_dask.predict(model, folder / "in", folder / "out", client=client)
    return found.seconds, sum(cpu for cpu, _ in client.run(used).values()) - before


def main(folder: Path) -> None:
    """Prints both tables."""
    model = trained(folder)
    (folder / "in").mkdir()
    for number in range(PARTS):
        pq.write_table(pa.table(table(ROWS, number)), folder / "in" / f"{number:02}.parquet", row_group_size=100_000)
    size = sum(path.stat().st_size for path in (folder / "in").iterdir())
    print(f"{PARTS} parts, {PARTS * ROWS:,} rows, {size / 1e6:.0f} MB of Parquet; the best of {TIMES}")
    told("modnet predict", [plain(model, folder) for _ in range(TIMES)])
    for workers in (1, 2):
        with cluster(workers) as local, Client(local) as client:
            parted(model, folder, client)  # workers import, and load the model
            told(f"{workers} workers", [parted(model, folder, client) for _ in range(TIMES)])
    shutil.rmtree(folder / "in")
    for rows in SIZES:
        (folder / "in").mkdir()
        pq.write_table(pa.table(table(rows, 0)), folder / "in" / "a.parquet", row_group_size=100_000)
        with cluster(1) as local, Client(local) as client:
            client.run(__import__, "modnet.cli.part_work")
            ((_, before),) = client.run(used).values()
            parted(model, folder, client)
            ((_, peak),) = client.run(used).values()
        megabytes = (folder / "in" / "a.parquet").stat().st_size / 1e6
        print(f"a part of {rows:>9,} rows, {megabytes:>4.0f} MB: a worker has {peak} MB at most, {before} before")
        shutil.rmtree(folder / "in")


def told(name: str, found: list[tuple[float, float]]) -> None:
    seconds, cpu = min(found)
    count = PARTS * ROWS
    print(f"{name:<15} {count / seconds:>10,.0f} rows a second; {count / cpu:>10,.0f} for a second of CPU")


if __name__ == "__main__":
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        main(Path(made))

import logging
from pathlib import Path
from types import SimpleNamespace

import dask
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster

import modnet

pytest.importorskip("modnet_tables", reason="the parts are Parquet, which modnet-tables reads and writes")

COLOURS = np.array(["blue", "green", "red"])


@pytest.fixture(scope="session")
def connected():
    """Two workers, each a process of its own with one thread; one that dies is replaced."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        dask.config.set(
            {"distributed.scheduler.allowed-failures": 1, "distributed.worker.multiprocessing-method": "spawn"}
        ),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def client(connected):
    """The client, when two workers are there: a test before may have ended one.

    A nanny begins none anew that ended before it had noted that it had begun.
    """
    try:
        connected.wait_for_workers(2, timeout=20)
    except TimeoutError:
        connected.cluster.scale(len(connected.cluster.worker_spec) + 1)
        connected.wait_for_workers(2, timeout=60)
    return connected


@pytest.fixture
def address(client):
    return client.scheduler.address


def table(rows, seed=0, first=0):
    """Rows of a table whose class depends on two of its columns."""
    rng = np.random.default_rng(seed)
    a, colour = rng.uniform(-2, 2, rows), rng.integers(0, 3, rows)
    kind = np.where(a * (colour - 1) > 0, "warm", "cold")
    return {"id": np.arange(first, first + rows), "a": a, "colour": COLOURS[colour], "kind": kind}


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model of a table with a number and a category."""
    path = tmp_path_factory.mktemp("model") / "kind.modnet"
    spec = {
        "network": {
            "input": [4],
            "layers": [
                {"type": "linear", "out_features": 16, "activation": "relu"},
                {"type": "linear", "out_features": 2},
                "softmax",
            ],
        },
        "training": {"loss": "cross_entropy", "epochs": 5},
        "data": {"target": "kind", "inputs": ["a", "colour"]},
    }
    rows = {name: values.tolist() for name, values in table(400).items()}
    modnet.save(modnet.train(spec, rows).network, path)
    return path


def write(path, columns, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)


@pytest.fixture
def parts(tmp_path):
    """A folder with five parts of a table."""
    for number in range(5):
        write(tmp_path / "in" / f"part-{number}.parquet", table(1000, number, first=1000 * number))
    return tmp_path / "in"


@pytest.fixture
def run(monkeypatch):
    """Calls a command in this process: what it prints, what it says on standard error, and its status."""
    from modnet.cli.app import cli

    def call(*arguments, status=0):
        words = list(map(str, arguments))
        monkeypatch.setattr("sys.argv", ["modnet", *words])
        result = CliRunner().invoke(cli, words)
        assert result.exit_code == status, result.output
        return SimpleNamespace(output=result.stdout, said=result.stderr)

    return call


def same_bytes(run, model, parts, out, *options):
    """Checks that the predictions for each part are, byte for byte, those of `modnet predict` for its file."""
    for path in sorted(parts.rglob("*.parquet")):
        alone = Path(out).parent / "alone.parquet"
        run("predict", model, path, "-o", alone, *options)
        assert alone.read_bytes() == (Path(out) / path.relative_to(parts)).read_bytes(), path

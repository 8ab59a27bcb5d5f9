"""modnet train: the screen, the file, JSON, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.plugins.hooks import HookManager

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


PATIENCE = 300
"""Seconds within which a process ends also on a machine that is busy with other work."""


def start(*arguments, **options):
    """A process of its own that runs a command."""
    environment = {**os.environ, "PYTHONPATH": str(Path(modnet.__file__).parents[1]), **options.pop("environment", {})}
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
    assert network.card.metrics["validation_accuracy"] == 1.0
    assert len(network.card.history["loss"]) == 3
    assert network.predict({"size": [4, 9], "collar": ["red", "blue"]})["kind"] == ["cat", "dog"]
    assert network.predict([["4", "red"]])["kind"] == ["cat"]  # in the order of the columns


def test_settings_and_output(run, folder):
    (folder / "models").mkdir()
    run("train", "pets.toml", "-o", "models/a.modnet", "--set", "training.epochs=1", "--set", "training.optimizer=sgd")
    network = modnet.load("models/a.modnet")
    assert len(network.card.history["loss"]) == 1
    assert network.card.training.optimizer.type == "sgd"


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
        "id",
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


def test_an_ensemble_tells_the_best_epoch_of_each_member(run):
    stop = 'training.callbacks=["progress", { type = "early_stopping", patience = 1 }]'
    options = ("--set", "network.members=3", "--set", "training.epochs=300", "--set", stop)
    assert "(3, " in run("summary", "pets.toml", "--set", "network.members=3").stdout
    shown = run("train", "pets.toml", *options).stdout
    report = json.loads(run("train", "pets.toml", "--json", *options).stdout)
    epochs = ", ".join(map(str, report["best_epochs"]))
    assert f"each member has the weights of its best epoch: {epochs}" in shown
    assert report["best_epoch"] is None
    assert report["epochs"] == max(report["best_epochs"]) + 1


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
    from modnet.model.save import save

    def full(network, path):
        if Path(path).parent == Path():
            raise OSError(28, "No space left on device", str(path))
        return save(network, path)

    monkeypatch.setattr("modnet.cli.rescue.save", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result = run("train", "pets.toml", status=1)  # so that nothing that follows takes an old file for this one
    told = "warning: pets.modnet: no space left on device; pets.modnet was not written, and the model is in (.*)\n"
    refuge = re.search(told, result.stderr)[1]
    assert modnet.load(refuge).card.history


def test_a_system_without_a_place_for_temporary_files_loses_no_work(run, monkeypatch, tmp_path):
    from tempfile import mkdtemp

    from modnet.model.save import save

    def full(network, path):
        if Path(path).parent == Path():
            raise OSError(28, "No space left on device", str(path))
        return save(network, path)

    def none():
        raise FileNotFoundError(2, "no usable temporary directory found")

    def at_home(prefix, dir):
        if dir != str(tmp_path):
            raise OSError(28, "No space left on device", dir)
        return mkdtemp(prefix=prefix, dir=dir)

    monkeypatch.setattr("modnet.cli.rescue.save", full)
    monkeypatch.setattr("tempfile.gettempdir", none)
    monkeypatch.setattr("tempfile.mkdtemp", at_home)
    monkeypatch.setattr("os.path.expanduser", lambda path: str(tmp_path) if path == "~" else path)
    result = run("train", "pets.toml", status=1)
    refuge = re.search("no space left on device; .* the model is in (.*)\n", result.stderr)[1]
    assert modnet.load(refuge).card.history


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
    rest, _ = process.communicate(timeout=PATIENCE)
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
    assert result.stderr == "warning: pets.checkpoints has no checkpoint; starting from the beginning\n"


def test_checkpoints_of_an_earlier_run_are_not_overlooked(run, folder):
    often = ("--set", 'training.callbacks=["checkpoint"]')
    run("train", "pets.toml", *often)
    assert run("train", "pets.toml", *often).stderr == (
        "warning: checkpoints has checkpoints of an earlier run, the newest after step 24; "
        "use --resume to continue it\n"
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
    from modnet.cli import rescue
    rescue.save = end
elif "{where}" == "the end":
    callbacks.RecordHistory.modnet_training_ended = lambda self, run: end(None)
elif "{where}" == "the first step":
    callbacks.RecordHistory.modnet_training_started = lambda self, run: end(None)
"""


def stopping(where, number):
    Path("stop.py").write_text(STOP.format(where=where, signal=number))
    process = start("train", "pets.toml", "--plugin", "stop.py", "--resume", stdout=subprocess.PIPE, stderr=-1)
    shown, told = process.communicate(timeout=PATIENCE)
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
    from modnet.model.save import save

    def full(network, path):
        if Path(path).parent == Path():
            raise OSError(28, "No space left on device", str(path))
        return save(network, path)

    run("train", "pets.toml", "--set", 'training.callbacks=[{ type = "checkpoint", directory = "pets.checkpoints" }]')
    monkeypatch.setattr("modnet.cli.rescue.save", full)
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
    assert modnet.load("pets.modnet").card.history


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
    process.wait(timeout=PATIENCE)
    assert len(modnet.load("pets.modnet").card.history["loss"]) == 300


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal")
def test_a_terminal_has_a_bar_that_leaves_nothing_behind(run, folder):
    import pty

    ours, theirs = pty.openpty()
    process = start(
        "train", "pets.toml", "--set", "training.epochs=400", stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    written = b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(timeout=PATIENCE) == 0
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


LATE = """\
import modnet
class Late(modnet.Schedule, type="late"):
    \"\"\"1, and from epoch 2 on 1e60.\"\"\"
    def factor(self, progress):
        return 1.0 if progress.epoch < 2 else 1e60
"""


def test_a_run_that_diverges_writes_the_best_weights(run, folder):
    (folder / "late.py").write_text(LATE)
    settings = ["training.schedule=late", "training.epochs=9", "training.optimizer=sgd"]
    options = [word for setting in settings for word in ("--set", setting)]
    stopping = ["--set", "training.callbacks=[{type='early_stopping'}]"]
    result = run("train", "pets.toml", "--plugin", "late.py", *options, *stopping, status=1)
    assert result.stderr.endswith(
        "the network has the weights of epoch 2, the best one so far\nthey are in pets.modnet\n"
    )
    network = modnet.load("pets.modnet")
    assert np.isfinite(network.parameters.flat).all()
    assert np.isfinite(network.card.metrics["validation_loss"])
    assert run("evaluate", "pets.modnet", "pets.csv")


@pytest.mark.parametrize("path", ["pets.csv", "pets.toml", "pets.modnet"])
def test_a_log_writes_over_no_other_file(run, folder, path):
    file = folder / path
    before = file.read_bytes() if file.exists() else None
    setting = f"training.callbacks=[{{type='json_log', path='{path}'}}]"
    result = run("train", "pets.toml", "--set", setting, status=2 if before is None else 1)
    assert path in result.stderr
    assert (file.read_bytes() if file.exists() else None) == before


def test_a_tilde_that_the_shell_leaves_is_the_home_folder(run, folder, monkeypatch):
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("USERPROFILE", str(folder / "home"))
    run("train", "pets.toml", "--output=~/mine.modnet")
    assert (folder / "home" / "mine.modnet").exists()
    spec = (folder / "pets.toml").read_text().replace("pets.csv", "~/pets.csv")
    (folder / "pets.toml").write_text(spec)
    missing = run("train", "pets.toml", status=2).stderr
    assert f"~/pets.csv: no such file; ~ is the home folder, so this is {folder}" in missing
    (folder / "pets.csv").rename(folder / "home" / "pets.csv")
    run("train", "pets.toml")
    assert not (folder / "~").exists()


# What was learnt is not lost


FAULTS = '''
import os, signal
import modnet
from modnet.cli import rescue

class Nothing(modnet.Metric, type="nothing"):
    """A plugin file has a component."""
    greater_is_better = True
    calls = 0
    def start(self): return 0.0
    def update(self, accumulator, prediction, target, weights): return 0.0
    def result(self, accumulator):
        type(self).calls += 1
        if type(self).calls in ({calls}):
            raise RuntimeError("a metric's own error")
        return 0.5

class AtEnd(modnet.Callback, type="at_end"):
    def modnet_training_ended(self, run):
        raise RuntimeError("a callback's own error")
'''


def test_an_error_at_the_end_of_a_run_loses_nothing(run, folder):
    """A callback that fails when all has been learnt; the others still come to their end."""
    Path("faults.py").write_text(FAULTS.format(calls="-1"))
    callbacks = 'training.callbacks=[{ type = "early_stopping", monitor = "accuracy", patience = 1 }, "at_end"]'
    options = ("--plugin", "faults.py", "--set", callbacks, "--set", "training.epochs=9")
    result = run("train", "pets.toml", *options, status=1)
    assert "a callback's own error" in result.stderr
    assert "what was learnt so far is in pets.modnet" in result.stdout
    network = modnet.load("pets.modnet")
    accuracies = network.card.history["accuracy"]
    assert network.card.metrics["accuracy"] == max(accuracies), "early stopping has brought the best weights back"


@pytest.mark.parametrize(
    ("calls", "epochs"),
    [("7, 8", 3), ("4, 8", 1)],
    ids=["in the figures of the end", "in the validation of an epoch"],
)
def test_an_error_of_a_metric_loses_nothing(calls, epochs, run, folder):
    Path("faults.py").write_text(FAULTS.format(calls=calls))
    options = ("--plugin", "faults.py", "--set", 'training.metrics=["accuracy", "nothing"]')
    result = run("train", "pets.toml", *options, status=1)
    assert "a metric's own error" in result.stderr
    assert len(modnet.load("pets.modnet").card.history["nothing"]) == epochs
    assert "what was learnt so far is in pets.modnet" in result.stdout


def test_an_error_before_the_first_step_writes_nothing(run, model):
    before = Path(model).read_bytes()
    Path("faults.py").write_text(
        FAULTS.format(calls="-1").replace("modnet_training_ended(self, run)", "modnet_training_started(self, run)")
    )
    run("train", "pets.toml", "--plugin", "faults.py", "--set", 'training.callbacks=["at_end"]', status=1)
    assert Path(model).read_bytes() == before


def test_a_profile_that_fails_is_told_of_when_the_model_is_written(run, folder, monkeypatch):
    def fail(*_, **__):
        raise MemoryError("no room for the profile")

    monkeypatch.setattr("modnet.cli.one_training.timed", fail)
    for further in ((), ("--json",)):
        result = run("train", "pets.toml", "--profile", *further, status=1)
        assert "no room for the profile" in result.stderr
        assert "pets.modnet" in result.stdout
        Path("pets.modnet").unlink()


@pytest.mark.parametrize("error", [RuntimeError("an exporter's own error"), MemoryError(), OSError(5, "I/O error")])
def test_whatever_keeps_the_model_from_being_written_it_goes_elsewhere(error, run, folder, monkeypatch, tmp_path):
    from modnet.model.save import save

    def fail(network, path):
        if str(path) == "pets.2":
            raise error
        return save(network, path)

    monkeypatch.setattr("modnet.cli.rescue.save", fail)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result = run("train", "pets.toml", "-o", "pets.2", "--json", status=1)
    told = json.loads(result.stdout)
    assert told["model"].endswith("pets.modnet")
    assert f"the model is in {told['model']}" in result.stderr
    assert modnet.load(told["model"]).card.history


def test_a_model_that_no_folder_takes_is_an_error_and_its_checkpoints_stay(run, model, monkeypatch):
    def full(network, path):
        raise OSError(28, "No space left on device", str(path))

    before = Path(model).read_bytes()
    run("train", "pets.toml", "--set", 'training.callbacks=[{ type = "checkpoint", directory = "pets.checkpoints" }]')
    monkeypatch.setattr("modnet.cli.rescue.save", full)
    told = run("train", "pets.toml", "--resume", status=1).stderr
    assert "the model could not be written anywhere; the newest checkpoint is pets.checkpoints" in told
    assert "error: pets.modnet: no space left on device" in told
    assert len(list(Path("pets.checkpoints").iterdir())) == 3
    assert len(before) == Path(model).stat().st_size


class Full(OSError):
    def __init__(self):
        super().__init__(28, "No space left on device")


@pytest.mark.parametrize("further", [(), ("--json",), ("--profile",)], ids=str)
def test_a_full_log_costs_no_model(further, run, folder, monkeypatch):
    import click

    def full(message=None, file=None, nl=True, err=False, color=None):
        if not err:
            raise Full
        told.append(message)

    told = []
    monkeypatch.setattr(click, "echo", full)
    run("train", "pets.toml", *further)
    assert modnet.load("pets.modnet").card.history
    assert (
        "standard output cannot be written to (no space left on device); the model is written to pets.modnet" in told[0]
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("further", [(), ("--json",), ("--profile",)], ids=str)
def test_a_full_disk_behind_both_streams_costs_no_model(further, folder):
    with open("/dev/full", "w") as full:
        process = start("train", "pets.toml", *further, stdout=full, stderr=full)
        assert process.wait(timeout=30) == 0
    assert modnet.load("pets.modnet").card.history


@posix
@pytest.mark.parametrize("ignored", [False, True], ids=["by default", "nohup"])
def test_a_terminal_that_is_closed_loses_nothing(ignored, folder):
    """The system and then the shell send SIGHUP; nothing can be written to either stream any more."""
    handling = "SIG_IGN" if ignored else "SIG_DFL"
    code = f"import os, signal, sys; signal.signal(signal.SIGHUP, signal.{handling})\n"
    code += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    epochs = 200 if ignored else 100_000
    checkpoints = 'training.callbacks=[{ type = "checkpoint", directory = "run" }, { type = "progress", every = 1 }]'
    arguments = ["train", "pets.toml", "--set", f"training.epochs={epochs}", "--set", checkpoints]
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(modnet.__file__).parents[1]), "TERM": "dumb"}
    command = [sys.executable, "-c", code, "-m", "modnet", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while b"    3 " not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == (0 if ignored else 129)
    history = modnet.load("pets.modnet").card.history["loss"]
    assert len(history) == epochs if ignored else len(history) >= 2


INTERRUPT = """
import os, signal
import modnet
from modnet.cli import rescue

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

class Nothing(modnet.Metric, type="nothing"):
    pass

save = rescue.save

def interrupted(network, path):
    for _ in range({times}):
        os.kill(os.getpid(), signal.{signal})
    save(network, path)

rescue.save = interrupted
"""


@posix
@pytest.mark.parametrize(
    ("number", "times", "status", "written"),
    [
        ("SIGINT", 1, 130, True),
        ("SIGINT", 2, 130, False),
        ("SIGTERM", 2, 0, True),
        ("SIGHUP", 2, 0, True),
    ],
)
def test_a_signal_while_the_model_is_written(number, times, status, written, folder):
    Path("interrupt.py").write_text(INTERRUPT.format(times=times, signal=number))
    process = start("train", "pets.toml", "--plugin", "interrupt.py", stdout=subprocess.PIPE, stderr=-1)
    process.communicate(timeout=30)
    assert process.returncode == status
    assert Path("pets.modnet").exists() is written


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("n" * 300 + ".modnet", "this name is too long"),
        ("gone/pets.modnet", "there is no folder gone"),
        ("dangling.modnet", "there is no folder"),
        (".", "this is a folder"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_known_before_the_first_step(output, message, run, folder):
    os.symlink("nowhere/pets.modnet", "dangling.modnet")
    result = run("train", "pets.toml", "-o", output, status=2)
    assert message in result.stderr
    assert "epoch" not in result.stdout


def test_a_folder_that_takes_no_file_is_known_before_the_first_step(run, folder, monkeypatch):
    """Such as one on a read-only file system, in which root too may write nothing."""
    import tempfile

    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    result = run("train", "pets.toml", status=2)
    assert result.stderr.startswith("error: pets.modnet: the folder . cannot be written to (read-only file system)")


@pytest.mark.parametrize("command", ["check", "train"])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.seed=18446744073709551616", "training.seed: expected a whole number >= 0 of 64 bits, found 1844"),
        (
            f"network.layers.1.name={'n' * 506}",
            "layers.*name of its array weight has 513 bytes; a model file allows 512",
        ),
    ],
    ids=["seed", "name"],
)
def test_what_no_model_file_can_hold_is_told_before_the_first_step(command, setting, message, run, folder):
    result = run(command, "pets.toml", "--set", setting, status=2)
    assert re.search(message, result.output)
    assert not Path("pets.modnet").exists()
    assert not Path("pets.checkpoints").exists()


def test_the_best_weights_of_a_run_that_diverges_are_written(run, folder):
    Path("diverges.py").write_text(
        "import modnet\n"
        "class Poison(modnet.Callback, type='poison'):\n"
        "    def modnet_epoch_ended(self, run):\n"
        "        if run.epoch == 3:\n"
        "            run.network.parameters.flat[:] = float('nan')\n"
    )
    callbacks = 'training.callbacks=["early_stopping", "poison"]'
    options = ("--plugin", "diverges.py", "--set", callbacks, "--set", "training.epochs=9")
    result = run("train", "pets.toml", *options, status=1)
    assert result.stderr.endswith("they are in pets.modnet\n")
    network = modnet.load("pets.modnet")
    assert len(network.card.history["loss"]) == 3
    assert network.card.metrics["validation_accuracy"] > 0.5


LAUNCHED = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"}

SHARING = """
import modnet

class Alone(modnet.Callback, type="alone"):
    pass

@modnet.hookimpl
def modnet_shared_training():
    return Alone()
"""


def test_several_processes_that_nothing_lets_share_a_training_are_refused(run, folder, monkeypatch):
    for name, value in LAUNCHED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("modnet.cli.launched.default_registry", lambda: types.SimpleNamespace(hooks=HookManager()))
    found = run("train", "points.toml", status=1)
    assert "4 processes were started (OMPI_COMM_WORLD_SIZE)" in found.output
    assert "pip install modnet-mpi" in found.output
    assert not (folder / "points.modnet").exists()


def test_several_processes_that_do_not_see_each_other_are_refused(run, folder, monkeypatch):
    for name, value in LAUNCHED.items():
        monkeypatch.setenv(name.replace("OMPI_COMM_WORLD", "PMI"), value)
    registry = types.SimpleNamespace(hooks=HookManager())
    module = types.ModuleType("sharing")
    exec(SHARING, vars(module))
    registry.hooks.join(module, "sharing")
    monkeypatch.setattr("modnet.cli.launched.default_registry", lambda: registry)
    found = run("train", "points.toml", status=1)
    assert 'the callback "alone" does not see the others' in found.output


def test_a_process_that_is_not_the_first_keeps_an_error_to_itself_for_a_while(run, folder, monkeypatch):
    for name, value in (LAUNCHED | {"OMPI_COMM_WORLD_RANK": "2"}).items():
        monkeypatch.setenv(name, value)
    waited = []
    monkeypatch.setattr("modnet.cli.launched.time.sleep", waited.append)
    found = run("train", "nothing.toml", status=2)
    assert len(waited) == 1
    assert found.output.startswith("in process 2 of 4:\nnothing.toml: no such file")


def test_one_process_of_a_launcher_trains_as_usual(run, folder, monkeypatch):
    for name, value in (LAUNCHED | {"OMPI_COMM_WORLD_SIZE": "1"}).items():
        monkeypatch.setenv(name, value)
    run("train", "points.toml")
    assert (folder / "points.modnet").exists()


def test_metadata_is_kept_in_the_model(run):
    entries = ("--set-metadata", "commit=1f3a9c2", "--set-metadata", "by=Ada = A.")
    run("train", "pets.toml", *entries)
    expected = {"commit": "1f3a9c2", "by": "Ada = A."}
    assert modnet.load("pets.modnet").card.metadata == expected
    assert json.loads(run("inspect", "pets.modnet", "--json").stdout)["metadata"] == expected
    assert 'commit = "1f3a9c2"' in run("inspect", "pets.modnet").stdout


@pytest.mark.parametrize(
    ("entry", "message"), [("commit", "expected KEY=VALUE, such as commit=1f3a9c2"), ("=1", "expected KEY=VALUE")]
)
def test_metadata_that_is_none(run, entry, message):
    assert message in run("train", "pets.toml", "--set-metadata", entry, status=2).output
    assert not Path("pets.modnet").exists()


def test_the_finished_file_has_fingerprints_of_its_data(run):
    run("train", "pets.toml")
    first = modnet.load("pets.modnet").card.data
    assert list(first) == [
        *("training input", 'training target "output"', "validation input", 'validation target "output"')
    ]
    run("train", "pets.toml", "--set", "training.epochs=1", "-o", "again.modnet")
    assert modnet.load("again.modnet").card.data == first
    table = Path("pets.csv").read_text().splitlines()
    Path("pets.csv").write_text("\n".join([*table, table[1]]))
    run("train", "pets.toml", "-o", "more.modnet")
    assert modnet.load("more.modnet").card.data != first


@pytest.mark.parametrize("command", ["search", "cross-validate"])
def test_several_processes_do_not_all_do_the_same_work(run, folder, monkeypatch, command):
    for name, value in LAUNCHED.items():
        monkeypatch.setenv(name, value)
    found = run(command, "points.toml", status=1)
    assert "4 processes were started (OMPI_COMM_WORLD_SIZE), and each would" in found.output
    assert "uses several processors; otherwise, start modnet without a launcher" in found.output

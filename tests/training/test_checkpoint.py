"""A run that was stopped anywhere ends, when it goes on, as the run that never was."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.component import Callback
from modnet.errors import MalformedFile, ModelFileError, TrainingError
from modnet.modelfile.reader import read
from modnet.modelfile.writer import Group, write
from modnet.training.callbacks import Checkpoint, EarlyStopping

SAMPLES, BATCH, EPOCHS = 40, 8, 3
STEPS = EPOCHS * SAMPLES // BATCH

SPEC = {
    "network": {
        "input": [6],
        "layers": [
            "standardize",
            {"type": "linear", "out_features": 8},
            "batch_norm",
            {"type": "relu"},
            {"type": "dropout", "rate": 0.3},
            {"type": "linear", "out_features": 3, "l2": 1e-3},
            "softmax",
        ],
    },
    "training": {
        "loss": "cross_entropy",
        "optimizer": {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        "schedule": {"type": "cosine", "warmup_epochs": 1},
        "metrics": ["accuracy", "f1", "auc"],
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "seed": 3,
    },
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, SAMPLES)
    return rng.standard_normal((SAMPLES, 6)).astype(np.float32) + y[:, None], y


class StopAfter(Callback):
    """Does at a step what the system does at a signal, or at any moment."""

    def __init__(self, step, how):
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "how", how)

    def modnet_step_ended(self, run):
        if run.step == self.step:
            self.how(run)


class Killed(BaseException):
    """The process is gone: nothing that follows it in the program runs."""


def kill(run):
    raise Killed


def interrupt(run):
    os.kill(os.getpid(), signal.SIGINT)


def terminate(run):
    os.kill(os.getpid(), signal.SIGTERM)


def run(data, callbacks=(), spec=SPEC, resume=None, **arguments):
    """The bytes of the model that a training gives, or None where it was stopped."""
    network = modnet.build(spec)
    history = modnet.train(network, *data, validation=0.2, callbacks=list(callbacks), resume=resume, **arguments)
    if history.stopped in ("interrupted", "terminated"):
        return None
    path = Path("model.modnet")
    modnet.save(network, path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def terminations():
    """The SIGTERMs that have come through to the program."""
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, before)


EARLY = EarlyStopping(patience=1, monitor="validation_loss")


@pytest.mark.parametrize("stop", [interrupt, terminate, kill])
def test_a_run_stopped_at_any_step_ends_with_the_same_bytes(data, stop, recwarn):
    whole = run(data, [EARLY])
    steps = 4 * EPOCHS  # 32 samples are left for training
    for step in range(1, steps + 1):
        folder = f"after-{step}"
        often = Checkpoint(directory=folder, every_steps=1 if stop is kill else 1000, keep=2)
        try:
            stopped = run(data, [EARLY, StopAfter(step, stop), often])
        except Killed:
            stopped = None
        if stopped is not None:
            assert stopped == whole
            break  # early stopping came first
        assert run(data, [EARLY, often], resume=folder) == whole
    assert step > 4


def test_sigterm_ends_the_process_when_the_checkpoint_is_written(data, terminations):
    history = modnet.train(modnet.build(SPEC), *data, callbacks=[StopAfter(3, terminate), Checkpoint()])
    assert history.stopped == "terminated"
    assert Path("checkpoints/step-0000000003.modnet").exists()
    assert terminations == [signal.SIGTERM]


def test_a_run_can_be_stopped_many_times(data):
    whole = run(data)
    often = Checkpoint(every_steps=1)
    for step in range(1, 12, 2):
        assert run(data, [StopAfter(step, interrupt), often], resume="checkpoints") is None
    assert run(data, [often], resume="checkpoints") == whole
    assert run(data, [often], resume="checkpoints") == whole, "a finished run is finished"


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "nadam", "rmsprop", "adagrad", "lion", "adamw"])
def test_every_optimizer_goes_on_where_it_was(data, optimizer):
    arguments = {"optimizer": optimizer, "metrics": ["accuracy", "recall", "top_k_accuracy", "confusion_matrix"]}
    whole = run(data, **arguments)
    assert run(data, [StopAfter(6, interrupt), Checkpoint()], **arguments) is None
    assert run(data, [Checkpoint()], resume="checkpoints", **arguments) == whole


def test_regression_metrics_go_on(data):
    layers = [{"type": "linear", "out_features": 1}]
    spec = {"network": {"input": [6], "layers": layers}, "training": {"loss": "mse", "epochs": 2, "batch_size": 8}}
    data = data[0], data[1][:, None].astype(np.float32)
    arguments = {"spec": spec, "metrics": ["r2", "mean_absolute_error", "root_mean_squared_error"]}
    whole = run(data, **arguments)
    assert run(data, [StopAfter(3, interrupt), Checkpoint()], **arguments) is None
    assert run(data, [Checkpoint()], resume="checkpoints", **arguments) == whole


def test_a_stream_goes_on_behind_the_batches_it_has_given(data):
    def batches():
        for start in range(0, SAMPLES, BATCH):
            yield data[0][start : start + BATCH], data[1][start : start + BATCH]

    def train(callbacks, resume=None):
        network = modnet.build(SPEC)
        modnet.train(network, batches, callbacks=callbacks, resume=resume)
        return network.parameters.flat.tobytes()

    whole = train([])
    train([StopAfter(7, interrupt), Checkpoint()])
    assert train([Checkpoint()], resume="checkpoints") == whole


def test_more_epochs_go_on_from_the_last(data):
    run(data, [Checkpoint()])
    longer = SPEC | {"training": SPEC["training"] | {"epochs": EPOCHS + 1}}
    run(data, [Checkpoint()], spec=longer, resume="checkpoints")
    assert len(modnet.load("model.modnet").history["loss"]) == EPOCHS + 1


def test_when_checkpoints_are_written_and_how_many_stay(data, monkeypatch):
    def names(**fields):
        run(data, [Checkpoint(directory="here", **fields)])
        found = sorted(path.name for path in Path("here").iterdir())
        for path in Path("here").iterdir():
            path.unlink()
        return [int(name[5:-7]) for name in found]

    assert names() == [4, 8, 12]
    assert names(keep=1) == [12]
    assert names(every_epochs=2) == [8]
    assert names(every_steps=5) == [5, 10]
    assert names(every_steps=5, every_epochs=1, keep=10) == [4, 5, 8, 10, 12]
    clock = iter(range(0, 100_000, 40))
    monkeypatch.setattr("modnet.training.callbacks.time.monotonic", lambda: next(clock))
    assert names(every_minutes=2.0, keep=10) == [3, 6, 9, 12]


def test_files_of_a_run_that_is_done_can_go(data):
    callback = Checkpoint(directory="gone", remove_when_done=True)
    run(data, [StopAfter(6, interrupt), callback])
    assert sorted(path.name for path in Path("gone").iterdir()) == ["step-0000000004.modnet", "step-0000000006.modnet"]
    run(data, [callback], resume="gone")
    assert not Path("gone").exists()


def test_a_checkpoint_is_a_model_file_of_the_same_bytes_every_time(data):
    for folder in ("one", "two"):
        run(data, [EARLY, Checkpoint(directory=folder, every_steps=3, keep=9)])
    for path in Path("one").iterdir():
        assert path.read_bytes() == (Path("two") / path.name).read_bytes()
    assert modnet.load("one/step-0000000003.modnet").predict(data[0]).shape == (SAMPLES, 3)


def test_a_folder_without_checkpoints_begins_at_the_beginning(data):
    assert run(data, resume="nowhere") == run(data)


def test_the_newest_whole_checkpoint_counts(data):
    whole = run(data, [Checkpoint(every_steps=2, keep=9)])
    newest = Path("checkpoints/step-0000000012.modnet")
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=r"step-0000000012\.modnet.*taking the checkpoint before it"):
        assert run(data, resume="checkpoints") == whole
    for path in Path("checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="taking the checkpoint before"), pytest.raises(ModelFileError, match="empty"):
        run(data, resume="checkpoints")


def test_what_has_changed_is_said(data):
    run(data, [StopAfter(5, interrupt), Checkpoint()])
    layers = [*SPEC["network"]["layers"]]
    layers[4] = {"type": "dropout", "rate": 0.5}
    other = {"network": {"input": [6], "layers": layers}, "training": SPEC["training"] | {"batch_size": 4}}
    x = data[0].copy()
    x[3, 3] += 1
    with pytest.raises(TrainingError) as caught:
        run((x, data[1]), spec=other, resume="checkpoints")
    path = Path("checkpoints/step-0000000005.modnet")
    assert str(caught.value).splitlines() == [
        f"{path} is a checkpoint of another run:",
        "  network.layers[4].rate: 0.3 before, now 0.5",
        "  training.batch_size: 8 before, now 4",
        "  data: training input is another",
        "  data: validation input is another",
        "  change that back to go on, or train without resuming to begin anew",
    ]


def test_a_finished_model_cannot_go_on(data):
    run(data)
    with pytest.raises(ModelFileError, match="finished model and no checkpoint"):
        run(data, resume="model.modnet")
    with pytest.raises(FileNotFoundError):
        run(data, resume="other.modnet")


def test_a_damaged_state_is_refused_before_anything_changes(data):
    run(data, [StopAfter(5, interrupt), Checkpoint()])
    path = Path("checkpoints/step-0000000005.modnet")
    contents = read(path)
    groups = []
    for name, group in contents.groups.items():
        offset, views = 0, []
        for view, array in group.views.items():
            views.append((view, offset, array.shape))
            offset += array.size
        groups.append(Group(name, group.flat, views))
    training = contents.header["training"]
    for wrong in (
        training | {"step": -1},
        training | {"state": None},
        training | {"state": {"dict": {}}},
        training | {"state": {"pickle": "x"}},
        {key: training[key] for key in training if key != "epoch"},
    ):
        write(path, contents.header | {"training": wrong}, groups)
        with pytest.raises(MalformedFile, match="the training's state cannot be read"):
            run(data, resume=path)
    write(path, contents.header, [group for group in groups if group.name != "optimizer.velocity"])
    with pytest.raises(MalformedFile, match="the training's state cannot be read"):
        run(data, resume=path)


def test_state_that_a_file_cannot_hold_is_named(data):
    class Remembers(Callback, type="remembers"):
        def modnet_step_ended(self, run):
            run.state_of(self)["seen"] = {1, 2}

    with pytest.raises(TrainingError, match=r"training\.callbacks\.remembers\.seen is builtins\.set, which"):
        run(data, [Remembers(), Checkpoint()])

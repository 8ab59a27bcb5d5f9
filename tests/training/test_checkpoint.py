"""A run that was stopped anywhere ends, when it goes on, as the run that never was."""

import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import modnet
from modnet.errors import MalformedFile, ModelFileError, TrainingError
from modnet.kinds.callback import Callback
from modnet.layers.standardize import scaling_state
from modnet.model.reader import read
from modnet.model.writer import Group, write
from modnet.plugins.builtin import BUILTIN
from modnet.training.checkpointing import Checkpoint
from modnet.training.stopping import EarlyStopping
from tests.model import surgery

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
    run.terminate()


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


def test_a_run_can_be_stopped_many_times(data):
    whole = run(data)
    often = Checkpoint(every_steps=1)
    for step in range(1, 12, 2):
        assert run(data, [StopAfter(step, interrupt), often], resume="checkpoints") is None
    assert run(data, [often], resume="checkpoints") == whole
    assert run(data, [often], resume="checkpoints") == whole, "a finished run is finished"


@pytest.mark.parametrize("optimizer", sorted(BUILTIN["modnet.optimizers"]))
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
        modnet.train(network, batches, schedule="constant", callbacks=callbacks, resume=resume)
        return network.parameters.flat.tobytes()

    whole = train([])
    train([StopAfter(7, interrupt), Checkpoint()])
    assert train([Checkpoint()], resume="checkpoints") == whole


@pytest.mark.parametrize("stop", [2, 4, 5, 7])
def test_a_list_of_batches_goes_on_at_the_batch_where_the_run_was(stop):
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((8, 6)), rng.integers(0, 3, 8)) for _ in range(5)]

    def weights(callbacks=(), **arguments):
        network = modnet.build(SPEC)
        modnet.train(network, batches, callbacks=callbacks, steps_per_epoch=3, **arguments)
        return network.parameters.flat.tobytes()

    expected = weights()
    weights([Checkpoint("checkpoints"), StopAfter(stop, interrupt)])
    assert weights([Checkpoint("checkpoints")], resume="checkpoints") == expected


def test_what_callbacks_found_out_goes_on(data):
    class Finds(Callback):
        def modnet_epoch_ended(self, run):
            run.results.setdefault("epochs", []).append(run.epoch)

    network = modnet.build(SPEC)
    modnet.train(network, *data, callbacks=[Finds(), StopAfter(7, interrupt), Checkpoint()])
    modnet.train(network, *data, callbacks=[Finds(), Checkpoint()], resume="checkpoints")
    assert network.card.results == {"epochs": [1, 2, 3]}


def test_more_epochs_go_on_from_the_last(data):
    run(data, [Checkpoint()])
    longer = SPEC | {"training": SPEC["training"] | {"epochs": EPOCHS + 1}}
    run(data, [Checkpoint()], spec=longer, resume="checkpoints")
    assert len(modnet.load("model.modnet").card.history["loss"]) == EPOCHS + 1


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
    monkeypatch.setattr("modnet.training.checkpointing.time.monotonic", lambda: next(clock))
    assert names(every_minutes=2.0, keep=10) == [3, 6, 9, 12]


def test_the_history_tells_which_files_can_go_when_the_model_is_saved(data):
    network = modnet.build(SPEC)
    history = modnet.train(network, *data, callbacks=[Checkpoint(keep=2)])
    assert history.checkpoints == [Path(f"checkpoints/step-00000000{step}.modnet") for step in (10, 15)]
    assert all(path.exists() for path in history.checkpoints)
    again = modnet.train(modnet.build(SPEC), *data, callbacks=[Checkpoint(keep=2)], resume="checkpoints")
    assert again.checkpoints == history.checkpoints


def test_a_folder_in_which_nothing_was_written_goes(data):
    run(data, [Checkpoint(directory="here/and/there", every_minutes=60.0)])
    assert not Path("here/and/there").exists()


def test_a_checkpoint_is_a_model_file_of_the_same_bytes_every_time(data):
    for folder in ("one", "two"):
        run(data, [EARLY, Checkpoint(directory=folder, every_steps=3, keep=9)])
    for path in Path("one").iterdir():
        assert path.read_bytes() == (Path("two") / path.name).read_bytes()
    assert modnet.load("one/step-0000000003.modnet").predict(data[0]).shape == (SAMPLES, 3)


def test_the_folder_of_the_run_without_checkpoints_begins_at_the_beginning(data):
    assert run(data, [Checkpoint(directory="new")], resume="./new") == run(data)


@pytest.mark.parametrize("callbacks", [[], [Checkpoint(directory="checkpoint")]], ids=["no callback", "its folder"])
def test_another_folder_without_checkpoints_is_an_error(data, callbacks):
    with pytest.raises(
        TrainingError, match="there is no checkpoint in checkpoints, which does not exist; to start a new"
    ):
        run(data, callbacks, resume="checkpoints")
    Path("checkpoints").mkdir()
    with pytest.raises(TrainingError, match="there is no checkpoint in checkpoints; to start a new run"):
        run(data, callbacks, resume="checkpoints")


def test_the_newest_whole_checkpoint_counts(data):
    whole = run(data, [Checkpoint(every_steps=2, keep=9)])
    newest = Path("checkpoints/step-0000000012.modnet")
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=r"step-0000000012\.modnet.*using the checkpoint before it"):
        assert run(data, resume="checkpoints") == whole
    for path in Path("checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="using the checkpoint before"), pytest.raises(ModelFileError, match="empty"):
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
        "  change that back to go on, or train without resuming to start again",
    ]


def test_a_finished_model_cannot_go_on(data):
    run(data)
    with pytest.raises(ModelFileError, match="finished model, not a checkpoint"):
        run(data, resume="model.modnet")
    with pytest.raises(FileNotFoundError):
        run(data, resume="other.modnet")


# What is not a state


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory):
    """A checkpoint in the middle of the second epoch, taken apart: header, groups."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(tmp_path_factory.mktemp("checkpoint"))
        run(data, [EARLY, StopAfter(6, interrupt), Checkpoint()])
        contents = read("checkpoints/step-0000000006.modnet")
    groups = {}
    for name, group in contents.groups.items():
        starts = np.cumsum([0, *(array.size for array in group.views.values())]).tolist()
        rows = zip(group.views.items(), starts, strict=False)
        groups[name] = Group(name, group.flat, [(view, start, array.shape) for (view, array), start in rows])
    return contents.header, groups


def refused(data, header, groups, error=MalformedFile):
    """The message with which a checkpoint is refused; nothing of the network has changed then."""
    write("changed.modnet", header, list(groups))
    network = modnet.build(SPEC, seed=17)
    arrays = [array.flat.copy() for array in (network.parameters, network.state)]
    with pytest.raises(error) as caught:
        modnet.train(network, *data, validation=0.2, callbacks=[EARLY, Checkpoint()], resume="changed.modnet")
    assert (network.parameters.flat == arrays[0]).all()
    assert (network.state.flat == arrays[1]).all()
    assert network.card.history == {}
    return str(caught.value)


def changed(value, path, new):
    """A copy of nested maps with another value at a dotted path; without the key where that is None."""
    key, _, rest = path.partition(".")
    if not rest and new is None:
        return {name: item for name, item in value.items() if name != key}
    return {**value, key: changed(value[key], rest, new) if rest else new}


STATE = "state.dict"
NOT_A_STATE = {
    "step": [-1, 2**63, True, 1.5, "6", [], None],
    "epoch": [-1, 0, 1, 3, "2", None],
    "batch": [-1, 5, 10**9, "2", None],
    "steps_per_epoch": [0, 1, "4", None],
    "stopped": [7, {}, None],
    "state": [None, {}, {"dict": {}}, {"pickle": "x"}, {"array": "x"}, {"int": 3}, {"tuple": 3}, [[]], 7],
    f"{STATE}.order": [{"dict": {}}, {"dict": {"bit_generator": "MT19937"}}, 3, None],
    f"{STATE}.order.dict.state.dict.state": [{"int": "-1"}, {"int": "1" + 60 * "0"}, {"int": "1" + 5000 * "0"}, "x"],
    f"{STATE}.order.dict.uinteger": [-1, 2**40, "x"],
    f"{STATE}.noise": [{"dict": {}}, None],
    f"{STATE}.tally": [{"dict": {}}, 3, None],
    f"{STATE}.tally.dict.losses": [{"dict": {}}, {"dict": {"output": [1.0]}}, {"dict": {"output": ["a", "b"]}}],
    f"{STATE}.tally.dict.metrics.dict.output": [{"dict": {"accuracy": 3}}, {"dict": {"auc": 3}}, {"dict": {"f1": "x"}}],
    f"{STATE}.penalties": ["x", True, {"dict": {}}, None],
    f"{STATE}.loss": ["nan", None],
    f"{STATE}.learning_rate": [[0.1], None],
    f"{STATE}.optimizer_steps": [-1, 1.5, {"int": "9" * 30}, None],
    f"{STATE}.callbacks": [3, {"dict": {"checkpoint": 3}}, None],
    f"{STATE}.callbacks.dict.early_stopping.dict.epoch": [0, 2, -1, "1", None],
    f"{STATE}.callbacks.dict.early_stopping.dict.best": ["x", [], None],
    f"{STATE}.callbacks.dict.early_stopping.dict.parameters": [{"scalar": "training.loss"}, 1.0, [1.0], None],
    f"{STATE}.callbacks.dict.checkpoint.dict.files": [
        7,
        {"dict": {}},
        [7],
        ["../step-0000000001.modnet"],
        ["/etc/passwd"],
        ["step-0000000001.modnet/../../x"],
        ["model.modnet"],
        ["step-0000000001.modnet\n"],
    ],
}


@pytest.mark.parametrize("path", NOT_A_STATE)
def test_a_state_that_is_none_is_refused_before_anything_changes(data, checkpoint, path):
    header, groups = checkpoint
    for wrong in NOT_A_STATE[path]:
        training = changed(header["training"], path, wrong)
        message = refused(data, header | {"training": training}, groups.values())
        places = ("header.training: the training's state cannot be read (", f"header.training.{path}: expected a whole")
        assert message.startswith(tuple(f"changed.modnet: {place}" for place in places))
        assert len(message) < 400


@pytest.mark.parametrize(
    "history",
    [
        {},
        {"loss": [1.0]},
        {"loss": 3},
        {"x": [1.0]},
        lambda history: history | {"loss": [1.0, 2.0]},
        lambda history: history | {"loss": ["x"]},
        lambda history: history | {"loss": [{}]},
        lambda history: history | {"more": [1.0]},
    ],
)
def test_a_history_of_another_run_is_refused(data, checkpoint, history):
    header, groups = checkpoint
    history = history(header["history"]) if callable(history) else history
    message = refused(data, header | {"history": history}, groups.values())
    assert "the training's state cannot be read" in message


def test_arrays_of_other_shapes_are_refused(data, checkpoint):
    header, groups = checkpoint
    velocity = groups["optimizer.velocity"]
    views = [(name, offset, shape[::-1]) for name, offset, shape in velocity.views]
    others = {
        "missing": None,
        "of one number, which would go everywhere": Group(velocity.name, np.ones(1, np.float32), [("a", 0, (1,))]),
        "of one number each": Group(
            velocity.name,
            np.ones(len(views), np.float32),
            [(name, number, (1,)) for number, (name, _, _) in enumerate(views)],
        ),
        "of other shapes": Group(velocity.name, velocity.flat, views),
        "of another type": Group(velocity.name, velocity.flat.astype(np.float64), velocity.views),
    }
    for other in others.values():
        changed = {name: group for name, group in groups.items() if name != velocity.name}
        message = refused(data, header, [*changed.values(), *([other] if other else [])])
        assert "the training's state cannot be read" in message
    for name in ("parameters", "state"):
        rest = [group for group in groups.values() if group.name != name]
        assert "the training's state cannot be read" in refused(data, header, rest)


def test_a_checkpoint_with_callbacks_or_features_of_a_newer_version_is_refused(data, checkpoint):
    header, groups = checkpoint
    spec = header["training"]["spec"] | {"callbacks": [{"callback": {"type": "json_log", "path": "x"}}]}
    message = refused(data, header | {"training": header["training"] | {"spec": spec}}, groups.values())
    assert message.startswith(
        "changed.modnet: header.training.spec.callbacks: callbacks are not allowed in a model file"
    )
    newer = header | {"features": ["sparse"]}
    assert "it uses sparse" in refused(data, newer, groups.values(), modnet.errors.NewerFormat)


@settings(
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(random=st.randoms(use_true_random=False), changes=st.integers(1, 3))
def test_a_checkpoint_that_was_changed_anywhere_goes_on_or_is_refused_in_words(data, checkpoint, random, changes):
    """Which of both, depends on what was changed: a sum may be any number."""
    header, groups = checkpoint
    header = surgery._copy(header)
    for _ in range(changes):
        surgery.change(header["training"], random)
    try:
        write("changed.modnet", header, list(groups.values()))
    except ModelFileError:
        return  # not to be expressed
    network = modnet.build(SPEC, seed=17)
    before = network.parameters.flat.copy()
    message = ""
    try:
        callbacks = [EARLY, Checkpoint(), StopAfter(7, interrupt)]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            modnet.train(network, *data, validation=0.2, callbacks=callbacks, resume="changed.modnet")
    except (ModelFileError, modnet.PluginError, TrainingError) as error:
        message = str(error)
    # Sums that only their metric can judge are met in the next step.
    if message and not re.search("cannot resume from the sums|became", message):
        assert (network.parameters.flat == before).all(), message


def test_names_in_a_checkpoint_remove_nothing_else(data):
    """What is removed stands in the state of the run, of which a checkpoint may say anything."""
    run(data, [StopAfter(5, interrupt), Checkpoint(keep=1)])
    others = [Path("checkpoints/notes.txt"), Path("step-0000000001.modnet"), Path("precious.txt")]
    for path in others:
        path.write_text("mine")
    run(data, [Checkpoint(keep=1)], resume="checkpoints")
    assert all(path.exists() for path in others)
    assert len(list(Path("checkpoints").glob("step-*"))) == 1


def test_state_that_a_file_cannot_hold_is_named_after_the_first_step_and_ends_no_run(data):
    class Remembers(Callback, type="remembers"):
        def join(self, run):
            return SimpleNamespace(state=lambda: {"seen": {1, 2}}, restore=lambda state: None)

    network = modnet.build(SPEC)
    with pytest.warns(UserWarning, match="cannot hold") as warned:
        modnet.train(network, *data, callbacks=[Remembers(), Checkpoint()])
    first, *later = [str(warning.message) for warning in warned]
    named = "training.callbacks.remembers.seen is builtins.set, which a checkpoint cannot hold"
    assert first.startswith("a checkpoint from the middle of an epoch cannot be written in this run: " + named)
    assert len(later) == EPOCHS
    assert all("could not be written" in message and named in message for message in later)


# What goes wrong in writing


def test_a_checkpoint_that_cannot_be_written_is_no_end_of_the_run(data, monkeypatch):
    from modnet.model import atomic

    whole = run(data, [EARLY])
    count = iter(range(1000))
    replace = os.replace

    def full(source, target):
        if "step-" in target and next(count) in (1, 2):
            raise OSError(28, "No space left on device", target)
        return replace(source, target)

    often = Checkpoint(every_steps=1, keep=2)
    monkeypatch.setattr(atomic.os, "replace", full)
    with pytest.warns(UserWarning, match="could not be written") as caught:
        assert run(data, [EARLY, often]) == whole
    messages = [str(warning.message) for warning in caught]
    assert messages == [
        f"checkpoints/step-000000000{step}.modnet could not be written (No space left on device); the training goes "
        "on until the next checkpoint"
        for step in (2, 3)
    ]
    kept = sorted(Path("checkpoints").iterdir())
    assert len(kept) == 2
    state = read(kept[-1]).header["training"]["state"]["dict"]["callbacks"]["dict"]["checkpoint"]["dict"]
    assert not {"step-0000000002.modnet", "step-0000000003.modnet"} & set(state["files"])


FULL = """
import resource, signal, sys, warnings
import numpy as np
import modnet
from modnet.training.callbacks import JSONLog
from modnet.training.checkpointing import Checkpoint

layers = [{"type": "linear", "out_features": 200}, {"type": "linear", "out_features": 1}]
network = modnet.build({"network": {"input": [100], "layers": layers}})
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
callbacks = [Checkpoint(every_steps=2), JSONLog(path="log.jsonl")]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    history = modnet.train(network, np.ones((8, 100)), np.ones((8, 1)), loss="mse", epochs=3, batch_size=2,
                           callbacks=callbacks)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
modnet.save(network, "model.modnet")
print(history.epochs, len(caught), history.checkpoints, caught[0].message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of a file")
def test_a_full_disk_is_no_end_of_the_run(folder):
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.getenv("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, env=environment, timeout=600)
    assert done.stderr == ""
    assert done.stdout.startswith("3 6 [] checkpoints/step-0000000002.modnet could not be written (File too large); ")
    assert sorted(path.name for path in folder.iterdir()) == ["log.jsonl", "model.modnet"]
    assert modnet.load("model.modnet").history.epochs


def test_a_folder_that_cannot_be_made_is_told_of_before_the_first_step(data):
    Path("checkpoints").write_text("a file")
    with pytest.raises(FileExistsError):
        run(data, [StopAfter(1, kill), Checkpoint()])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks of folders")
def test_a_folder_belongs_to_one_run_at_a_time(data):
    refusals = []
    start = run

    class Another(Callback):
        def modnet_step_ended(self, run):
            with pytest.raises(TrainingError) as caught:
                start(data, [Checkpoint(directory="../" + Path.cwd().name + "/checkpoints")])
            refusals.append(str(caught.value))
            start(data, [Checkpoint(directory="others", every_steps=5)])

    run(data, [Checkpoint(), Another()], epochs=1)
    assert len(refusals) == 4
    assert "another run is writing its checkpoints to" in refusals[0]
    with pytest.raises(Killed):
        run(data, [Checkpoint(), StopAfter(2, kill)])
    run(data, [Checkpoint()])  # it is free again, however a run ends


def test_a_run_that_fails_writes_no_further_checkpoint(data):
    class Fails(Callback):
        def modnet_step_ended(self, run):
            if run.step == 6:
                interrupt(run)
                raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        run(data, [Fails(), Checkpoint()])
    assert [path.name for path in Path("checkpoints").iterdir()] == ["step-0000000004.modnet"]


# Ctrl-C, and the end of the process


class Steps(Callback):
    """Does things at a step."""

    def __init__(self, step, *ways):
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "ways", ways)

    def modnet_step_ended(self, run):
        if run.step == self.step:
            for way in self.ways:
                way(run)


def test_no_signal_but_ctrl_c_is_handled_and_that_only_where_python_handles_it(data):
    numbers = [number for number in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, number)]
    found = []

    class Looks(Callback):
        def modnet_step_ended(self, run):
            found.append([signal.getsignal(getattr(signal, name)) for name in numbers])

    before = [signal.getsignal(getattr(signal, name)) for name in numbers]
    modnet.train(modnet.build(SPEC), *data, epochs=1, callbacks=[Looks()])
    assert found[0][:-1] == before[:-1]
    assert found[0][-1] is not signal.default_int_handler
    assert [signal.getsignal(getattr(signal, name)) for name in numbers] == before

    seen = []
    mine = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        history = modnet.train(modnet.build(SPEC), *data, callbacks=[StopAfter(3, interrupt)])
    finally:
        signal.signal(signal.SIGINT, mine)
    assert (history.stopped, seen) == ("", [signal.SIGINT])


def test_a_second_ctrl_c_ends_the_run_at_once(data):
    with pytest.raises(KeyboardInterrupt):
        run(data, [Steps(3, interrupt, interrupt), Checkpoint()])
    assert not Path("checkpoints").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_every_callback_comes_to_its_end_whatever_another_one_does(data):
    class Raises(Callback):
        def modnet_training_ended(self, run):
            raise RuntimeError("the first error")

    ended = []

    class Ends(Callback):
        def modnet_training_ended(self, run):
            ended.append(self)

    with pytest.raises(RuntimeError, match="the first error"):
        modnet.train(modnet.build(SPEC), *data, callbacks=[Ends(), Raises(), Ends()])
    assert len(ended) == 2


@pytest.mark.parametrize(
    ("first", "stopped"),
    [(interrupt, "interrupted"), (lambda run: run.stop("it is enough"), "it is enough")],
    ids=["Ctrl-C", "a callback"],
)
def test_the_end_of_the_process_leaves_a_checkpoint_where_something_else_has_ended_the_run(data, first, stopped):
    network = modnet.build(SPEC)
    history = modnet.train(network, *data, callbacks=[Checkpoint(), Steps(3, first, terminate)])
    assert history.stopped == stopped
    assert Path("checkpoints/step-0000000003.modnet").exists(), "the process ends, perhaps before the model is saved"
    expected = "" if first is interrupt else stopped
    assert read("checkpoints/step-0000000003.modnet").header["training"]["stopped"] == expected


def test_a_run_that_was_stopped_for_good_says_so_when_it_is_resumed(data):
    more = EarlyStopping(patience=9, minimum_delta=100.0)
    run(data, [EarlyStopping(patience=1, minimum_delta=100.0), Checkpoint()])
    with pytest.warns(UserWarning, match=r"is the end of a run that was stopped \(validation loss has not improved"):
        assert run(data, [more], resume="checkpoints") is not None


def test_signals_that_are_not_pythons_are_left_alone(data, monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: None)  # a handler that was installed from C
    assert run(data) is not None


# After an update


LAYER = """
class Scale(modnet.Layer, type="scale", version={version}):
    {field}

    @classmethod
    def upgrade(cls, config, from_version):
        return {{"type": "scale", "percent": 100 * config["by"]}}

    def output_shape(self, shape):
        return shape

    def forward(self, context, x):
        return {value} * x

    def backward(self, context, gradient):
        return {value} * gradient
"""


def define(registry, version, field, value):
    names = {"modnet": modnet}
    exec(LAYER.format(version=version, field=field, value=value), names)
    return registry.register(names["Scale"])


@pytest.mark.filterwarnings("ignore:.*needs the layer")
def test_a_checkpoint_from_before_an_update_goes_on(data, registry):
    """A field has come with a default, another has a new name and unit: what is compared is what they mean."""
    rest = [{"type": "linear", "out_features": 3}, "softmax"]

    def train(layer, **arguments):
        network = modnet.build(SPEC | {"network": {"input": [6], "layers": [layer, *rest]}}, registry=registry)
        modnet.train(network, *data, registry=registry, **arguments)
        return network.parameters.flat.tobytes()

    define(registry, 1, "by: float = 1.0", "self.by")
    old = {"type": "scale", "by": 0.5}
    whole = train(old)
    train(old, callbacks=[Checkpoint(keep=9), StopAfter(3, interrupt)])
    define(registry, 1, "by: float = 1.0; plus: float = 0.0", "self.by")
    assert train(old, resume="checkpoints/step-0000000003.modnet") == whole
    define(registry, 2, "percent: float = 100.0", "(self.percent / 100)")
    new = {"type": "scale", "percent": 50.0}
    with pytest.warns(UserWarning, match="other versions") as caught:
        assert train(new, resume="checkpoints/step-0000000003.modnet") == whole
    assert str(caught[0].message) == (
        "checkpoints/step-0000000003.modnet was written with other versions; the run goes on, but may not end with the "
        'same bytes:\n  layer "scale": version 1 before, now 2'
    )
    with pytest.raises(TrainingError) as refusal:
        train({"type": "scale", "percent": 60.0}, resume="checkpoints/step-0000000003.modnet")
    assert str(refusal.value).splitlines()[1:3] == [
        "  network.layers[0].percent: 50.0 before, now 60.0",
        '  layer "scale": version 1 before, now 2',
    ]


@pytest.mark.parametrize("seen", ["anew", "loaded"])
def test_a_checkpoint_from_before_a_layer_kept_more_goes_on(data, monkeypatch, seen):
    """Such layers do without: also the best weights that early stopping holds are from before."""
    layers = ["standardize", {"type": "linear", "out_features": 3}, "standardize", "batch_norm", "softmax"]
    spec = {**SPEC, "network": {"input": [6], "layers": layers}}
    early = EarlyStopping(minimum_delta=100.0)  # the first epoch is the best

    def before(features):
        return {name: state for name, state in scaling_state(features).items() if not state.optional}

    with monkeypatch.context() as then:
        then.setattr(modnet.layers.standardize, "scaling_state", before)
        whole = modnet.build(spec, seed=9)
        history = modnet.train(whole, *data, validation=0.2, callbacks=[early, Checkpoint(every_steps=6, keep=9)])
    assert history.best_epoch == 1
    path = "checkpoints/step-0000000006.modnet"
    assert not any("mean_rest" in name for name in read(path).groups["state"].shapes)
    network = modnet.load(path) if seen == "loaded" else modnet.build(spec, seed=9)
    again = modnet.train(network, *data, validation=0.2, callbacks=[early], resume=path)
    assert network.parameters.flat.tobytes() == whole.parameters.flat.tobytes()
    for name, array in network.state.items():
        expected = 0 if "mean_rest" in name else whole.state[name]
        np.testing.assert_array_equal(array, expected)
    assert (again.figures, again.best_epoch) == (history.figures, history.best_epoch)


def test_other_versions_of_modnet_and_numpy_are_told_of(data, checkpoint):
    header, groups = checkpoint
    made_by = {"modnet-core": "0.0.1", "numpy": "1.0"}
    write("changed.modnet", header | {"made_by": made_by}, list(groups.values()))
    with pytest.warns(UserWarning, match=r"modnet-core: 0\.0\.1 before, now .*\n  numpy: 1\.0 before, now "):
        run(data, [EARLY], resume="changed.modnet")


def test_components_of_the_program_need_not_be_registered(data):
    class Half(modnet.Loss, type="half"):
        def values(self, prediction, target):
            return ((prediction - target) ** 2).sum(axis=1) / 2

        def gradient(self, prediction, target):
            return prediction - target

    layers = [{"type": "linear", "out_features": 1}]
    spec = {"network": {"input": [6], "layers": layers}, "training": {"loss": "mse", "epochs": 2, "batch_size": 8}}
    data = data[0], data[1][:, None].astype(np.float32)

    def train(callbacks=(), resume=None):
        network = modnet.build(spec)
        modnet.train(network, *data, loss=Half(), callbacks=list(callbacks), resume=resume)
        return network.parameters.flat.tobytes()

    whole = train()
    train([StopAfter(3, interrupt), Checkpoint()])
    assert train([Checkpoint()], resume="checkpoints") == whole

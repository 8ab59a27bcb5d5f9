"""What takes part in a run: events, early stopping, checkpoints, logs, and callbacks of one's own."""

import csv
import json
import types

import numpy as np
import pytest

import modnet
from modnet import Callback
from tests.training.problem import SPEC, blobs


class Recorder(Callback, type="recorder"):
    def join(self, run):
        return Recording()


class Recording:
    def __init__(self):
        self.events = []

    def modnet_training_started(self, run):
        self.events.append("started")

    def modnet_step_ended(self, run):
        self.events.append(f"step {run.step}")

    def modnet_epoch_ended(self, run):
        self.events.append(f"epoch {run.epoch}")

    def modnet_training_ended(self, run):
        seen.append(self.events)


seen: list[list[str]] = []


def test_a_callback_of_ones_own_gets_the_events_of_its_run():
    seen.clear()
    x, y = blobs(32)
    modnet.train(modnet.build(SPEC), x, y, epochs=2, callbacks=[Recorder()])
    assert seen == [["started", "step 1", "step 2", "epoch 1", "step 3", "step 4", "epoch 2"]]
    modnet.train(modnet.build(SPEC), x, y, epochs=1)
    assert len(seen) == 1


def test_callbacks_are_called_in_the_order_of_the_list():
    order = []

    class First(Callback, type="first"):
        def modnet_epoch_ended(self, run):
            order.append("first")

    class Second(Callback, type="second"):
        def modnet_epoch_ended(self, run):
            order.append("second")

    modnet.train(modnet.build(SPEC), *blobs(32), epochs=1, callbacks=[First(), Second()])
    assert order == ["first", "second"]


def test_one_callback_twice_and_in_two_runs_at_once_takes_part_for_each_alone():
    recorder = Recorder()

    class Another(Callback):
        def modnet_epoch_ended(self, run):
            modnet.train(modnet.build(SPEC), *blobs(16), epochs=1, callbacks=[recorder])

    seen.clear()
    modnet.train(modnet.build(SPEC), *blobs(16), epochs=1, callbacks=[recorder, recorder, Another()])
    assert seen == 3 * [["started", "step 1", "epoch 1"]]


@pytest.mark.parametrize(
    ("joined", "message"),
    [
        (None, 'join gave None for the callback "joins"; expected the object that takes part'),
        (types.SimpleNamespace(state=dict), r"SimpleNamespace with state\(\) but without restore\(state\)"),
        (types.SimpleNamespace(restore=dict), r"with restore\(state\) but without state\(\); it needs both"),
    ],
)
def test_what_joins_a_run_is_looked_at(joined, message):
    class Joins(Callback, type="joins"):
        def join(self, run):
            return joined

    with pytest.raises(modnet.BrokenPlugin, match=message):
        modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[Joins()])


def test_an_event_that_does_not_exist_is_refused():
    class Misspelt(Callback, type="misspelt"):
        def modnet_epoch_endet(self, run): ...

    with pytest.raises(
        modnet.BrokenPlugin,
        match=r"Misspelt\.modnet_epoch_endet: there is no such event; expected one of: .*epoch_ended",
    ):
        modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[Misspelt()])


def test_the_events_of_another_library_are_refused():
    class Foreign(Callback, type="foreign"):
        def on_epoch_end(self, epoch, logs=None): ...

    with pytest.raises(modnet.BrokenPlugin, match=r"Foreign\.on_epoch_end: there is no such event; expected one of: "):
        modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[Foreign()])


def test_a_callback_that_changes_itself_says_where_its_state_belongs():
    class Counting(Callback, type="counting"):
        def modnet_epoch_ended(self, run):
            self.epochs = run.epoch

    with pytest.raises(AttributeError, match=r"counting is immutable: give it a field epochs, or, .* let join\(run\)"):
        modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[Counting()])


def test_a_callback_may_change_the_gradients_before_the_step():
    class Freeze(Callback, type="freeze"):
        def modnet_reduce_gradients(self, run, gradients):
            gradients[:] = 0

    network = modnet.build(SPEC)
    before = network.parameters.flat.copy()
    modnet.train(network, *blobs(32), callbacks=[Freeze()])
    assert (network.parameters.flat == before).all()


def test_callbacks_change_a_batch_one_after_another():
    class Adds(Callback, type="adds"):
        """Adds a number to the inputs, and turns every label."""

        number: float

        def modnet_batch(self, inputs, targets):
            return [inputs[0] + self.number], {name: 1 - target for name, target in targets.items()}

    class Looks(Callback):
        def modnet_batch(self, run, inputs):
            seen_inputs.append(inputs[0])

    seen_inputs = []
    x, y = blobs(16)
    once, twice = modnet.build(SPEC), modnet.build(SPEC)
    modnet.train(once, x + 3, y, shuffle=False)
    modnet.train(twice, x, y, shuffle=False, callbacks=[Adds(1.0), Adds(2.0), Looks()])
    np.testing.assert_allclose(seen_inputs[0], x + 3)
    np.testing.assert_allclose(once.parameters.flat, twice.parameters.flat, rtol=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (3, r"gave 3; expected \(inputs, targets\) with 1 arrays and targets for output"),
        (([], {}), "gave 0 inputs and targets for no output"),
        (([np.ones((4, 2))], {"output": np.ones(3, int)}), "gave arrays of 3 and 4 samples; expected the same number"),
    ],
)
def test_a_batch_that_is_none_is_refused(changed, message):
    class Breaks(Callback, type="breaks"):
        def modnet_batch(self, run, inputs, targets):
            return changed

    with pytest.raises(modnet.BrokenPlugin, match=f'callback "breaks": modnet_batch {message}'):
        modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[Breaks()])


def test_what_a_callback_finds_out_is_kept_in_the_card():
    class Finds(Callback):
        def modnet_epoch_ended(self, run):
            run.results["weights"] = run.weights.size

    network = modnet.build(SPEC)
    modnet.train(network, *blobs(32), callbacks=[Finds()])
    assert network.card.results == {"weights": network.parameters.flat.size}


def test_early_stopping_brings_the_best_weights_back():
    x, y = blobs(60)
    rng = np.random.default_rng(0)
    network = modnet.build(SPEC)
    history = modnet.train(
        network,
        x[:30],
        rng.permutation(y[:30]),
        validation=(x[30:], y[30:]),
        epochs=200,
        optimizer={"type": "adam", "learning_rate": 0.05},
        callbacks=[{"type": "early_stopping", "patience": 5}],
    )
    losses = history["validation_loss"]
    best = int(np.argmin(losses))
    assert history.stopped == "validation loss has not improved for 5 epochs"
    assert history.epochs == best + 1 + 5
    assert history.best_epoch == best + 1
    found = modnet.evaluate(network, x[30:], y[30:])["loss"]
    np.testing.assert_allclose(found, losses[best], rtol=1e-6)


def test_early_stopping_knows_that_more_accuracy_is_better():
    x, y = blobs()
    callbacks = [{"type": "early_stopping", "monitor": "accuracy", "patience": 3}]
    history = modnet.train(modnet.build(SPEC), x, y, epochs=100, callbacks=callbacks)
    best = int(np.argmax(history["accuracy"]))
    assert history.epochs in (best + 1 + 3, 100)
    with pytest.raises(modnet.TrainingError, match='no figure is called "acuracy"; did you mean "accuracy"'):
        modnet.train(modnet.build(SPEC), x, y, callbacks=[{"type": "early_stopping", "monitor": "acuracy"}])


@pytest.mark.parametrize(("latest", "best"), [(False, 1), (True, 8)])
def test_early_stopping_takes_the_first_or_the_latest_of_equal_epochs(latest, best):
    x, y = blobs()
    stopping = {"type": "early_stopping", "monitor": "accuracy", "patience": 8, "latest": latest}
    network = modnet.build(SPEC)
    history = modnet.train(
        network, x, y, epochs=8, optimizer={"type": "sgd", "learning_rate": 0.0}, callbacks=[stopping]
    )
    assert len(set(history["accuracy"])) == 1
    assert (history.best_epoch or history.epochs) == best


def test_checkpoints_are_model_files_and_only_the_newest_stay(tmp_path):
    x, y = blobs(32)
    network = modnet.build(SPEC)
    callback = {"type": "checkpoint", "directory": str(tmp_path / "run"), "every_epochs": 2, "keep": 2}
    modnet.train(network, x, y, epochs=9, callbacks=[callback])
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "step-0000000012.modnet",
        "step-0000000016.modnet",
    ]
    saved = modnet.load(tmp_path / "run" / "step-0000000016.modnet")
    assert len(saved.card.history["loss"]) == 8


def test_the_log_has_a_line_of_json_for_every_epoch(tmp_path):
    path = tmp_path / "log.jsonl"
    modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[{"type": "json_log", "path": str(path)}])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert set(lines[0]) == {"epoch", "step", "seconds", "learning_rate", "loss", "accuracy"}


def table(path):
    first, *rows = csv.reader(path.read_text().splitlines())
    return [dict(zip(first, row, strict=True)) for row in rows]


def test_the_log_as_a_table_has_a_row_for_every_epoch(tmp_path):
    path = tmp_path / "log.csv"
    callbacks = [{"type": "csv_log", "path": str(path)}]
    metrics = ["accuracy", "confusion_matrix"]
    history = modnet.train(modnet.build(SPEC), *blobs(32), metrics=metrics, callbacks=callbacks)
    rows = table(path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows] == history["loss"].tolist()
    assert list(rows[0])[:6] == ["epoch", "step", "seconds", "learning_rate", "loss", "accuracy"]
    assert float(rows[2]["confusion_matrix[0,1]"]) == history["confusion_matrix"][2][0, 1]


def test_a_table_goes_on_with_further_figures(tmp_path):
    path = tmp_path / "log.csv"
    callbacks = [{"type": "csv_log", "path": str(path)}, {"type": "checkpoint", "directory": str(tmp_path), "keep": 9}]
    modnet.train(modnet.build(SPEC), *blobs(), epochs=3, callbacks=callbacks)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:9])

    class Further(Callback, type="further"):
        def modnet_epoch_ended(self, run):
            run.figures["further"] = np.array([np.inf, 2.0])

    more = [Further(), *callbacks]
    modnet.train(modnet.build(SPEC), *blobs(), epochs=4, callbacks=more, resume=sorted(tmp_path.glob("*.modnet"))[1])
    rows = table(path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["further[1]"] for row in rows] == ["", "", "2.0", "2.0"]
    assert {row["further[0]"] for row in rows} == {""}


def test_a_table_is_written_over_no_other(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("name,age\nAda,36\n")
    with pytest.raises(modnet.TrainingError, match=r"csv_log: .* exists and is not the log of a training"):
        modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[{"type": "csv_log", "path": str(path)}])
    assert path.read_text() == "name,age\nAda,36\n"


def test_the_last_event_finds_the_network_as_it_will_be_saved(tmp_path):
    """With the weights that early stopping has restored, and its card."""

    class Saving(Callback, type="saving"):
        def modnet_training_concluded(self, run):
            modnet.save(run.network, tmp_path / "early.modnet")

    stopping = {"type": "early_stopping", "patience": 1, "monitor": "loss"}
    history = modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[Saving(), stopping])
    modnet.save(history.network, tmp_path / "late.modnet")
    assert (tmp_path / "early.modnet").read_bytes() == (tmp_path / "late.modnet").read_bytes()


def test_a_run_that_has_failed_has_no_last_event(tmp_path):
    class Failing(Callback, type="failing"):
        def modnet_epoch_ended(self, run):
            raise RuntimeError("no more")

        def modnet_training_concluded(self, run):
            raise AssertionError

    with pytest.raises(RuntimeError, match="no more"):
        modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[Failing()])


def test_two_callbacks_of_one_type_have_states_of_their_own():
    names = []

    class Names(Callback, type="names"):
        def modnet_training_ended(self, run):
            names.extend(run.callbacks)

    class Nameless(Callback):
        pass

    stopping = {"type": "early_stopping", "patience": 50}
    callbacks = [stopping, stopping, {**stopping, "name": "mine"}, Nameless(), Nameless(), Names()]
    modnet.train(modnet.build(SPEC), *blobs(32), epochs=1, callbacks=callbacks)
    assert names == ["history", "early_stopping", "early_stopping_2", "mine", "Nameless", "Nameless_2", "names"]


def test_the_history_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    history = modnet.train(modnet.build(SPEC), *blobs(), validation=0.2)
    figure = history.plot(tmp_path / "history.png")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert [line.get_label() for line in figure.axes[0].lines] == ["training", "validation"]
    assert (tmp_path / "history.png").stat().st_size > 5000
    assert figure._repr_png_().startswith(b"\x89PNG")
    modnet.save(history.network, tmp_path / "m.modnet")
    loaded = modnet.load(tmp_path / "m.modnet").history.plot()
    for axes, same in zip(figure.axes, loaded.axes, strict=True):
        assert axes.get_ylabel() == same.get_ylabel()
        np.testing.assert_array_equal([line.get_ydata() for line in axes.lines], [x.get_ydata() for x in same.lines])


def test_the_history_of_a_network_is_that_of_its_training_also_when_it_is_loaded(tmp_path):
    network = modnet.build(SPEC)
    assert network.history == {}
    assert network.history.epochs == 0
    history = modnet.train(network, *blobs(), validation=0.2)
    assert history.network is network
    modnet.save(network, tmp_path / "m.modnet")
    for found in (network.history, modnet.load(tmp_path / "m.modnet").history):
        assert isinstance(found, modnet.History)
        assert found == history
        assert list(found["loss"]) == history.figures["loss"]
        assert found.network is None, "otherwise a network would hold itself"
    assert network.history != {**history.figures, "loss": [0.0]}
    assert network.history != 1


@pytest.mark.parametrize(
    ("value", "best", "greater", "better"),
    [(1.0, np.nan, False, True), (np.nan, np.nan, False, False), (np.nan, 1.0, True, False), (2.0, 1.0, True, True)],
)
def test_any_figure_is_better_than_nan(value, best, greater, better):
    from modnet.training.stopping import _better

    assert _better(value, best, greater, 0.0) is better


class OneClass(modnet.Metric, type="undefined"):
    """nan in the first epochs of a run, then 0.9, 0.8 and so on."""

    numbers_from: int = 99

    def start(self):
        return 0

    def update(self, accumulator, prediction, target, weights):
        return accumulator

    def result(self, accumulator):
        results.append(len(results) // 2 + 1)
        return 1 - 0.1 * results[-1] if results[-1] >= self.numbers_from else float("nan")


results: list[int] = []


@pytest.mark.parametrize(
    ("numbers_from", "stopped", "best"),
    [
        (99, "validation undefined has not improved for 3 epochs (it was nan in all of them)", None),
        (3, "validation undefined has not improved for 3 epochs", 3),
    ],
)
def test_nan_is_never_the_best(numbers_from, stopped, best):
    results.clear()
    x, y = blobs(64)
    callbacks = [{"type": "early_stopping", "monitor": "validation_undefined", "patience": 3}]
    with pytest.warns(UserWarning, match="validation undefined is nan in epoch 1; early_stopping counts"):
        history = modnet.train(
            modnet.build(SPEC), x, y, metrics=[OneClass(numbers_from)], validation=0.25, epochs=9, callbacks=callbacks
        )
    assert history.stopped == stopped
    assert history.best_epoch == best


class Late(modnet.Schedule, type="late"):
    """1, and from epoch 3 on 1e60."""

    def factor(self, progress):
        return 1.0 if progress.epoch < 3 else 1e60


def test_a_run_that_diverges_ends_with_the_best_weights():
    x, y = blobs(64)
    network, same = modnet.build(SPEC), modnet.build(SPEC)
    options = {"optimizer": {"type": "sgd", "learning_rate": 0.1}, "validation": (x, y)}
    with np.errstate(all="ignore"), pytest.raises(modnet.Diverged, match="the weights of epoch 3, the best") as caught:
        modnet.train(network, x, y, schedule=Late(), epochs=9, callbacks=["early_stopping"], **options)
    assert caught.value.best_epoch == 3
    history = modnet.train(same, x, y, epochs=3, **options)
    assert network.parameters.flat.tobytes() == same.parameters.flat.tobytes()
    assert network.card.metrics["validation_loss"] == history["validation_loss"][-1]
    assert len(network.card.history["loss"]) == 3


def test_a_run_that_diverges_without_early_stopping_has_no_best_weights():
    x, y = blobs(64)
    with np.errstate(all="ignore"), pytest.raises(modnet.Diverged) as caught:
        modnet.train(modnet.build(SPEC), x, y, schedule=Late(), epochs=9, optimizer="sgd")
    assert caught.value.best_epoch is None


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("kind,size\ncat,4\n", True),
        ("[network]\n", True),
        ('{"network": 1}\n', True),
        ("[1, 2]\n", True),
        ("", False),
        ('{"epoch": 1, "step": 2, "seconds": 0.1, "learning_rate": 0.1, "loss": 1.0}\n', False),
    ],
)
def test_the_log_writes_over_no_other_file(tmp_path, text, refused):
    path = tmp_path / "file"
    path.write_text(text)
    callbacks = [{"type": "json_log", "path": str(path)}, Recorder()]
    seen.clear()
    if refused:
        with pytest.raises(modnet.TrainingError, match="exists and is not the log of a training"):
            modnet.train(modnet.build(SPEC), *blobs(32), epochs=1, callbacks=callbacks)
        assert path.read_text() == text
        assert seen == []
    else:
        modnet.train(modnet.build(SPEC), *blobs(32), epochs=1, callbacks=callbacks)
        assert len(path.read_text().splitlines()) == 1


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    network = modnet.build(SPEC)
    callbacks = [{"type": "checkpoint", "directory": "~/kept"}, {"type": "json_log", "path": "~/log.jsonl"}]
    modnet.train(network, *blobs(32), epochs=1, callbacks=callbacks)
    modnet.train(network, *blobs(32), epochs=2, callbacks=callbacks, resume="~/kept")
    modnet.save(network, "~/model.modnet")
    modnet.load("~/model.modnet")
    (tmp_path / "home" / "spec.json").write_text(json.dumps(SPEC))
    modnet.build("~/spec.json")
    names = {path.name for path in (tmp_path / "home").iterdir()}
    assert names == {"kept", "log.jsonl", "model.modnet", "spec.json"}
    assert list((tmp_path / "here").iterdir()) == []


def test_a_log_with_gaps_goes_on_with_each_epoch_once(tmp_path):
    path = tmp_path / "log.jsonl"
    callbacks = [{"type": "json_log", "path": str(path)}, {"type": "checkpoint", "directory": str(tmp_path), "keep": 9}]
    modnet.train(modnet.build(SPEC), *blobs(), epochs=4, callbacks=callbacks)
    first, _, third, fourth = path.read_text().splitlines(keepends=True)
    path.write_text(first + third + fourth[:20])
    second = sorted(tmp_path.glob("*.modnet"))[1]
    modnet.train(modnet.build(SPEC), *blobs(), epochs=4, callbacks=callbacks, resume=second)
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [1, 3, 4]

    path.write_text(first + third[:20])
    modnet.train(modnet.build(SPEC), *blobs(), epochs=5, callbacks=callbacks, resume=tmp_path)
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [1, 5]

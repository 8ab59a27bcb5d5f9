"""What takes part in a run: events, early stopping, checkpoints, logs, and callbacks of one's own."""

import json

import numpy as np
import pytest

import modnet
from modnet import Callback
from tests.training.problem import SPEC, blobs


class Recorder(Callback, type="recorder"):
    def modnet_training_started(self, run):
        run.state_of(self)["events"] = ["started"]

    def modnet_step_ended(self, run):
        run.state_of(self)["events"].append(f"step {run.step}")

    def modnet_epoch_ended(self, run):
        run.state_of(self)["events"].append(f"epoch {run.epoch}")

    def modnet_training_ended(self, run):
        seen.append(run.state_of(self)["events"])


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


def test_an_event_that_does_not_exist_is_refused():
    class Misspelt(Callback, type="misspelt"):
        def modnet_epoch_endet(self, run): ...

    with pytest.raises(
        modnet.BrokenPlugin, match=r"Misspelt\.modnet_epoch_endet: there is no such event; there are: .*epoch_ended"
    ):
        modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[Misspelt()])


def test_a_callback_may_change_the_gradients_before_the_step():
    class Freeze(Callback, type="freeze"):
        def modnet_reduce_gradients(self, run, gradients):
            gradients[:] = 0

    network = modnet.build(SPEC)
    before = network.parameters.flat.copy()
    modnet.train(network, *blobs(32), callbacks=[Freeze()])
    assert (network.parameters.flat == before).all()


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
    with pytest.raises(modnet.TrainingError, match="no figure is called 'acuracy'; did you mean \"accuracy\""):
        modnet.train(modnet.build(SPEC), x, y, callbacks=[{"type": "early_stopping", "monitor": "acuracy"}])


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
    assert len(saved.history["loss"]) == 8


def test_the_log_has_a_line_of_json_for_every_epoch(tmp_path):
    path = tmp_path / "log.jsonl"
    modnet.train(modnet.build(SPEC), *blobs(32), callbacks=[{"type": "json_log", "path": str(path)}])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert set(lines[0]) == {"epoch", "step", "seconds", "learning_rate", "loss", "accuracy"}


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


@pytest.mark.parametrize(
    ("value", "best", "greater", "better"),
    [(1.0, np.nan, False, True), (np.nan, np.nan, False, False), (np.nan, 1.0, True, False), (2.0, 1.0, True, True)],
)
def test_any_figure_is_better_than_nan(value, best, greater, better):
    from modnet.training.callbacks import _better

    assert _better(value, best, greater, 0.0) is better

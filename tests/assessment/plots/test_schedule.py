"""The learning rate as a picture is the one of the training itself."""

import numpy as np
import pytest

import modnet
from modnet.assessment.plots.schedule import schedule_figure
from tests.assessment.explanation.networks import linear

pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")


class Rates(modnet.Callback, type="test_rates"):
    """Notes the learning rate of each step."""

    def join(self, run):
        self.__dict__["seen"] = []
        return self

    def modnet_step_ended(self, run):
        begun = run.epoch - 1 + (run.batches_done - 1) / run.batches_per_epoch
        self.seen.append((begun, run.learning_rate))


def trained(schedule, epochs=6, **optimizer):
    """A network that was trained with a schedule, and (where a step began, in epochs, and its rate)."""
    x = np.random.default_rng(0).standard_normal((40, 3))
    network = modnet.build(
        {
            "network": {"input": [3], "layers": [linear(1)]},
            "training": {
                "loss": "mse",
                "epochs": epochs,
                "batch_size": 10,
                "schedule": schedule,
                "optimizer": {"type": "adamw", "learning_rate": 0.02, **optimizer},
            },
        }
    )
    rates = Rates()
    modnet.train(network, x, x[:, :1], callbacks=[rates])
    return network, rates.seen


SCHEDULES = [
    {"type": "cosine", "warmup_epochs": 2},
    "one_cycle",
    {"type": "step", "every_epochs": 2},
    {"type": "plateau", "patience": 0, "threshold": 0.9, "gamma": 0.5},
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_the_curve_goes_through_the_rates_of_the_training(schedule):
    network, seen = trained(schedule)
    figure, notes = schedule_figure(network)
    (axes,) = figure.axes
    epochs, drawn = axes.lines[0].get_data()
    at = np.searchsorted(epochs, [epoch + 1e-9 for epoch, _ in seen], side="right") - 1
    np.testing.assert_allclose(drawn[at], [rate for _, rate in seen], rtol=0.02, atol=1e-5)
    assert len(set(np.round([rate for _, rate in seen], 9))) > 2
    assert notes == []


def test_weight_decay_with_a_schedule_has_a_panel():
    network, _ = trained(None, weight_decay=0.1, weight_decay_schedule="cosine")
    rate, decay = schedule_figure(network)[0].axes
    assert set(rate.lines[0].get_ydata()) == {0.02}
    assert decay.lines[0].get_ydata()[[0, -1]].tolist() == [0.1, 0.0]


def test_what_cannot_be_known_before_the_training_is_told():
    spec = {"network": {"input": [3], "layers": [linear(1)]}, "training": {"loss": "mse", "schedule": "plateau"}}
    figure, (note,) = schedule_figure(modnet.build(spec))
    assert note.startswith("plateau follows a figure of the training, which is not known before")
    assert len(set(figure.axes[0].lines[0].get_ydata())) == 1
    with pytest.raises(modnet.DataError, match=r"there is no \[training\]"):
        schedule_figure(modnet.build({"network": spec["network"]}))

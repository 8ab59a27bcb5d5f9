"""Schedules: factors of the learning rate, as torch.optim.lr_scheduler has them."""

import re
import warnings

import numpy as np
import pytest

from modnet.errors import SpecError, TrainingError
from modnet.kinds.schedule import Progress
from modnet.schedules import Constant, Cosine, Exponential, Linear, OneCycle, Plateau, Step

EPOCHS = 50


def factor(schedule, epoch, epochs=EPOCHS, **history):
    return schedule.factor(Progress(epoch=epoch, epochs=epochs, history=history))


def torch_factors(make_scheduler):
    """What torch multiplies a learning rate of 1 by, after 0, 1, ... EPOCHS steps of the scheduler."""
    torch = pytest.importorskip("torch", reason="the parity extra is not installed")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*before.*optimizer.step", category=UserWarning)
        scheduler = make_scheduler(torch.optim.lr_scheduler, optimizer)
        factors = [optimizer.param_groups[0]["lr"]]
        for _ in range(EPOCHS):
            scheduler.step()
            factors.append(optimizer.param_groups[0]["lr"])
    return factors


def warm_cosine(torch, optimizer):
    warmup = torch.LambdaLR(optimizer, lambda epoch: epoch / 5)
    cosine = torch.CosineAnnealingLR(optimizer, EPOCHS - 5, eta_min=0.1)
    return torch.SequentialLR(optimizer, [warmup, cosine], milestones=[5])


PARITY = {
    "constant": (Constant(), lambda torch, o: torch.ConstantLR(o, factor=1.0)),
    "step": (Step(every_epochs=7, gamma=0.3), lambda torch, o: torch.StepLR(o, 7, gamma=0.3)),
    "exponential": (Exponential(gamma=0.9), lambda torch, o: torch.ExponentialLR(o, 0.9)),
    "cosine": (Cosine(final_factor=0.1), lambda torch, o: torch.CosineAnnealingLR(o, EPOCHS, eta_min=0.1)),
    "cosine warmed up": (Cosine(warmup_epochs=5, final_factor=0.1), warm_cosine),
    "linear": (Linear(), lambda torch, o: torch.LinearLR(o, 1.0, 0.0, EPOCHS)),
    "linear warm-up": (
        Linear(start_factor=0.2, end_factor=1.0, epochs=20),
        lambda torch, o: torch.LinearLR(o, 0.2, 1.0, 20),
    ),
    # torch counts steps, of which the last has the final rate; here EPOCHS + 1 of them bound EPOCHS epochs.
    "one_cycle": (
        OneCycle(warmup_fraction=0.4, div_factor=10, final_div_factor=100),
        lambda torch, o: torch.OneCycleLR(
            o, 1.0, EPOCHS + 1, pct_start=(0.4 * EPOCHS + 1) / (EPOCHS + 1), div_factor=10, final_div_factor=100
        ),
    ),
}


@pytest.mark.parametrize(("schedule", "make_scheduler"), PARITY.values(), ids=PARITY)
def test_fifty_epochs_agree_with_torch(schedule, make_scheduler):
    ours = [factor(schedule, epoch) for epoch in range(EPOCHS + 1)]
    assert all(type(value) is float for value in ours)
    np.testing.assert_allclose(ours, torch_factors(make_scheduler), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("schedule", "epoch", "expected"),
    [
        (Step(every_epochs=2, gamma=0.5), 1.99, 1.0),
        (Step(every_epochs=2, gamma=0.5), 2.0, 0.5),
        (Exponential(gamma=0.25), 0.5, 0.5),
        (Cosine(warmup_epochs=2), 0.0, 0.0),
        (Cosine(warmup_epochs=2), 0.5, 0.25),
        (Cosine(warmup_epochs=2), 2.0, 1.0),
        (Cosine(warmup_epochs=2), 6.0, 0.5),
        (Cosine(warmup_epochs=20), 10.0, 0.5),
        (Cosine(final_factor=0.1), 11.0, 0.1),
        (Linear(), 2.5, 0.75),
        (Linear(), 11.0, 0.0),
        (Linear(end_factor=0.5, epochs=2), 5.0, 0.5),
        (OneCycle(warmup_fraction=0.2), 0.0, 1 / 25),
        (OneCycle(warmup_fraction=0.2), 2.0, 1.0),
        (OneCycle(warmup_fraction=0.2), 10.0, 1 / 25e4),
        (OneCycle(warmup_fraction=0.0), 0.0, 1.0),
    ],
)
def test_factors_between_and_beyond_whole_epochs(schedule, epoch, expected):
    assert factor(schedule, epoch, epochs=10) == pytest.approx(expected)


PLATEAUS = {
    "default": (Plateau(), {}),
    "eager": (Plateau(gamma=0.5, patience=0), {"factor": 0.5, "patience": 0}),
    "cooldown": (Plateau(patience=2, cooldown=3), {"patience": 2, "cooldown": 3}),
    "threshold": (Plateau(patience=2, threshold=0.2), {"patience": 2, "threshold": 0.2}),
    "minimum": (Plateau(patience=0, minimum_factor=0.05), {"patience": 0, "min_lr": 0.05}),
    "max": (Plateau(mode="max", patience=3), {"mode": "max", "patience": 3}),
}


@pytest.mark.parametrize(("schedule", "options"), PLATEAUS.values(), ids=PLATEAUS)
def test_plateau_agrees_with_torch(schedule, options):
    torch = pytest.importorskip("torch", reason="the parity extra is not installed")
    losses = 1 / np.arange(1, EPOCHS + 1) + np.random.default_rng(0).uniform(0, 0.3, EPOCHS)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **{"factor": 0.1, **options}, eps=0.0)
    for epoch in range(1, EPOCHS + 1):
        scheduler.step(losses[epoch - 1])
        ours = factor(schedule, epoch, validation_loss=losses[:epoch].tolist())
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
    assert ours < 1


def test_plateau_waits_for_more_than_patience_epochs():
    schedule = Plateau(patience=2, gamma=0.5)
    assert factor(schedule, 0.5) == 1.0
    assert factor(schedule, 3.0, validation_loss=[1.0, 1.0, 1.0]) == 1.0
    assert factor(schedule, 4.0, validation_loss=[1.0, 1.0, 1.0, 1.0]) == 0.5


def test_plateau_sees_no_improvement_in_nan_and_takes_negative_losses():
    schedule = Plateau(patience=0, gamma=0.5, threshold=0.1)
    assert factor(schedule, 2.0, validation_loss=[float("nan"), 1.0]) == 0.5
    assert factor(schedule, 2.0, validation_loss=[-1.0, -1.2]) == 1.0
    assert factor(schedule, 2.0, validation_loss=[-1.0, -1.05]) == 0.5


def test_plateau_reads_the_loss_where_there_is_no_validation():
    schedule = Plateau(patience=0, gamma=0.5)
    assert factor(schedule, 2.0, loss=[1.0, 2.0]) == 0.5
    assert factor(schedule, 2.0, loss=[1.0, 2.0], validation_loss=[2.0, 1.0]) == 1.0


def test_plateau_names_what_it_could_monitor():
    message = (
        'monitors "accuray", which this run does not record; expected one of: loss, accuracy; did you mean "accuracy"'
    )
    with pytest.raises(TrainingError, match=message):
        factor(Plateau(monitor="accuray", mode="max"), 1.0, loss=[1.0], accuracy=[0.5])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Step(every_epochs=0), "every_epochs: expected a whole number >= 1"),
        (lambda: Exponential(gamma=0.0), "gamma: expected a number > 0"),
        (lambda: Linear(epochs=0), "epochs: expected a number > 0"),
        (lambda: OneCycle(warmup_fraction=1.0), "warmup_fraction: expected a number >= 0 and < 1"),
        (lambda: Plateau(mode="maximum"), 'mode: expected one of "min", "max"'),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(SpecError, match=message):
        make()


@pytest.mark.parametrize(("greater", "expected"), [(True, 1.0), (False, 0.5)])
def test_plateau_takes_the_direction_from_the_figure(greater, expected):
    schedule = Plateau(monitor="accuracy", patience=0, gamma=0.5)
    rising = {"loss": [3.0, 2.0], "accuracy": [0.5, 0.75]}
    progress = Progress(2.0, 10, rising, {"loss": False, "accuracy": greater})
    assert schedule.factor(progress) == expected


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Plateau(monitor="accuracy", mode="min"), 'mode = "min", but a greater value of "accuracy" is better'),
        (Plateau(monitor="loss", mode="max"), 'mode = "max", but a smaller value of "loss" is better'),
        (Plateau(monitor="spread"), 'this is "spread", which has no better direction of its own'),
        (Plateau(monitor="validation_accuracy"), "this run has no validation; this run has: loss, accuracy, spread"),
        (Plateau(monitor="acuracy"), 'no figure is called "acuracy"; did you mean "accuracy"?'),
        (Plateau(monitor="spread", mode="max"), None),
        (Plateau(monitor="accuracy", mode="max"), None),
        (Plateau(), None),
    ],
)
def test_plateau_knows_before_the_run_what_it_cannot_monitor(schedule, message):
    figures = {"loss": False, "accuracy": True, "spread": None}
    if message is None:
        schedule.check_figures(figures)
    else:
        with pytest.raises(ValueError, match=re.escape(message)):
            schedule.check_figures(figures)


def test_plateau_refuses_a_figure_without_direction():
    with pytest.raises(TrainingError, match='monitors "spread", which has no better direction of its own'):
        factor(Plateau(monitor="spread"), 1.0, loss=[1.0], spread=[0.5])


class Counted(list):
    """A list that counts how often its items are read."""

    read = 0

    def __getitem__(self, at):
        self.read += 1
        return super().__getitem__(at)


def test_plateau_reads_each_value_once_in_a_run():
    schedule = Plateau(patience=2, gamma=0.5, cooldown=1)
    values = np.random.default_rng(0).uniform(0, 1, 200).tolist()
    history, memory = {"loss": Counted()}, {}
    for epoch, value in enumerate(values, 1):
        history["loss"].append(value)
        for step in range(3):
            found = schedule.factor(Progress(epoch + step / 3, 200, history, memory=memory))
            assert found == factor(schedule, epoch, loss=values[:epoch])
    assert found < 1
    assert history["loss"].read == len(values)


def test_plateau_believes_nothing_of_another_history():
    schedule = Plateau(patience=0, gamma=0.5)
    memory = {}
    assert schedule.factor(Progress(2.0, 9, {"loss": [1.0, 2.0]}, memory=memory)) == 0.5
    assert schedule.factor(Progress(2.0, 9, {"loss": [2.0, 1.0, 0.5]}, memory=memory)) == 1.0
    shorter = [1.0, 2.0, 3.0]
    assert schedule.factor(Progress(3.0, 9, {"loss": shorter}, memory=memory)) == 0.25
    del shorter[1:]
    assert schedule.factor(Progress(1.0, 9, {"loss": shorter}, memory=memory)) == 1.0

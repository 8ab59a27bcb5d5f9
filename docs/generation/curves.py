"""What is drawn of each component, computed by the component itself in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from generation.drawing import Curve, Panel, svg
from modnet.kinds.activation import Activation
from modnet.kinds.component import Component
from modnet.kinds.context import Context
from modnet.kinds.initializer import Initializer
from modnet.kinds.loss import Loss
from modnet.kinds.optimizer import Chunk, Optimizer, Step
from modnet.kinds.schedule import Progress, Schedule
from modnet.testing.examples import examples_of
from modnet.testing.gradients import layer_context
from modnet.words import show

VARIANTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "elu": ({"alpha": 1.0}, {"alpha": 0.5}),
    "leaky_relu": ({"negative_slope": 0.01}, {"negative_slope": 0.2}),
    "huber": ({"delta": 1.0}, {"delta": 0.5}, {"delta": 2.0}),
    "quantile": ({"quantiles": [0.5]}, {"quantiles": [0.1]}, {"quantiles": [0.9]}),
    "binary_cross_entropy": ({}, {"label_smoothing": 0.1}, {"positive_weight": 2.0}),
    "binary_focal": ({"gamma": 2.0}, {"gamma": 0.0}, {"gamma": 5.0}),
    "cross_entropy": ({}, {"label_smoothing": 0.1}),
    "focal": ({"gamma": 2.0}, {"gamma": 0.0}, {"gamma": 5.0}),
    "schedule cosine": ({}, {"warmup_epochs": 3.0}, {"final_factor": 0.2}),
    "schedule exponential": ({"gamma": 0.9}, {"gamma": 0.7}),
    "schedule linear": ({}, {"start_factor": 0.1, "end_factor": 1.0, "epochs": 5.0}),
    "schedule one_cycle": ({}, {"warmup_fraction": 0.1}, {"div_factor": 2.0}),
    "schedule plateau": ({"patience": 5}, {"patience": 2, "gamma": 0.5}),
    "schedule step": ({"every_epochs": 5}, {"every_epochs": 5, "gamma": 0.5}),
    "sgd": ({"learning_rate": 0.06}, {"learning_rate": 0.03, "momentum": 0.9}),
    "adagrad": ({"learning_rate": 0.5},),
    "adam": ({"learning_rate": 0.15},),
    "adamw": ({"learning_rate": 0.15}, {"learning_rate": 0.15, "weight_decay": 0.5}),
    "lamb": ({"learning_rate": 0.15},),
    "lion": ({"learning_rate": 0.08},),
    "muon": ({"learning_rate": 0.08},),
    "nadam": ({"learning_rate": 0.15},),
    "rmsprop": ({"learning_rate": 0.08},),
}
"""Type, with the kind before it where two kinds have it -> the options of each curve; otherwise one curve is drawn."""


class Variant(NamedTuple):
    component: Any
    label: str
    colour: int


def variants(cls: type[Component]) -> list[Variant]:
    options = VARIANTS.get(f"{cls.kind} {cls.type}") or VARIANTS.get(cls.type) or [None]
    made = []
    for colour, given in enumerate(options):
        component = examples_of(cls)[0].component if given is None else cls(**given)
        label = ", ".join(f"{name} = {show(value)}" for name, value in (given or {}).items())
        made.append(Variant(component, label or ("default" if len(options) > 1 else ""), colour))
    return made


@cache
def drawing(cls: type[Component]) -> tuple[str, str] | None:
    """What the picture of a component shows, and the picture; None for a component that has none."""
    for kind, draw in DRAWN.items():
        if issubclass(cls, kind):
            text, panels = draw(cls)
            return (text, svg(text, panels)) if panels else None
    return None


Drawn = tuple[str, list[Panel]]


# Activations


def of_activation(cls: type[Activation]) -> Drawn:
    if not cls.elementwise and mixes(examples_of(cls)[0].component):
        return of_joint_activation(cls)
    x = np.linspace(-4.0, 4.0, 97)
    values, slopes = [], []
    for layer, label, colour in variants(cls):
        context = fresh_context(layer, (1,))
        y = layer.forward(context, x[:, None].copy())[:, 0].copy()
        slope = layer.backward(context, np.ones((x.size, 1)))[:, 0].copy()
        values.append(Curve(label, x, y, colour))
        slopes.append(Curve(label, x, slope, colour))
    return f"{cls.type} and its derivative", [Panel("y", "x", values), Panel("dy / dx", "x", slopes)]


def of_joint_activation(cls: type[Activation]) -> Drawn:
    """Each output where the first of three inputs changes."""
    x = np.linspace(-4.0, 6.0, 81)
    layer = examples_of(cls)[0].component
    inputs = np.stack([x, np.zeros_like(x), np.full_like(x, 1.0)], axis=1)
    names = ("output of x", "output of 0", "output of 1")
    values, slopes = [], []
    for output, name in enumerate(names):
        context = fresh_context(layer, (3,))
        y = layer.forward(context, inputs.copy())[:, output].copy()
        slope = layer.backward(context, np.tile(np.eye(3)[output], (x.size, 1)))[:, 0].copy()
        values.append(Curve(name, x, y, output))
        slopes.append(Curve(name, x, slope, output))
    text = f"{cls.type} of the three numbers x, 0 and 1, and the derivatives with respect to x"
    return text, [Panel("y", "x", values), Panel("dy / dx", "x", slopes)]


def mixes(layer: Activation) -> bool:
    """Whether a number of the output depends on other numbers of the input."""
    rows = np.array([[0.0, 1.0], [3.0, 1.0]])
    y = layer.forward(fresh_context(layer, (2,)), rows)
    return bool(y[0, 1] != y[1, 1])


def fresh_context(layer: Activation, shape: tuple[int, ...]) -> Context:
    """A context in which parameters have their first values."""
    context = layer_context(layer, shape, training=False)
    for name, parameter in layer.parameters(shape).items():
        parameter.initialize(context.params[name], np.random.default_rng(0))
    return context


# Losses


class Sweep(NamedTuple):
    """A line through the predictions of a loss.

    Attributes:
        x_label: what the number is that changes.
        xs: its values.
        predictions: x -> the predictions.
        tangents: x -> their derivatives with respect to x.
        targets: each with its label.
        top: the greatest value that is shown.
        shown: the range of x that is shown.
    """

    x_label: str
    xs: Any
    predictions: Callable[[Any], Any]
    tangents: Callable[[Any], Any]
    targets: Mapping[str, Any]
    top: float | None = None
    shown: tuple[float, float] | None = None


def column(x: Any) -> Any:
    return x[:, None]


def ones(x: Any) -> Any:
    return np.ones((x.size, 1))


def two_classes(x: Any) -> Any:
    return np.stack([x, 1 - x], axis=1)


def opposite(x: Any) -> Any:
    return np.tile([1.0, -1.0], (x.size, 1))


OPEN = np.concatenate([[0.002, 0.005], np.linspace(0.01, 0.99, 85), [0.995, 0.998]])
"""Probabilities, more of them where a logarithm is steep."""

OF_TRUE_CLASS = Sweep(
    "probability of the true class, of two", OPEN, two_classes, opposite, {"": [1.0, 0.0]}, 5.0, (0, 1)
)
RESIDUALS = Sweep("prediction, where the target is 0", np.linspace(-3.0, 3.0, 97), column, ones, {"": [0.0]})
SWEEPS = {
    "poisson": Sweep(
        "prediction", np.linspace(0.1, 8.0, 80), column, ones, {"target = 1": [1.0], "target = 4": [4.0]}, 8.0
    ),
    "hinge": Sweep(
        "prediction", np.linspace(-3.0, 3.0, 97), column, ones, {"target = 1": [1.0], "target = -1": [-1.0]}
    ),
    "binary_cross_entropy": Sweep("prediction, where the target is 1", OPEN, column, ones, {"": [1.0]}, 5.0, (0, 1)),
    "binary_focal": Sweep("prediction, where the target is 1", OPEN, column, ones, {"": [1.0]}, 1.5, (0, 1)),
    "cross_entropy": Sweep(
        "probability of the true class, of two", OPEN, two_classes, opposite, {"": [1.0, 0.0]}, 5.0, (0, 1)
    ),
    "focal": Sweep("probability of the true class, of two", OPEN, two_classes, opposite, {"": [1.0, 0.0]}, 5.0, (0, 1)),
    "kl_divergence": Sweep(
        "probability of the first class, of two",
        OPEN,
        two_classes,
        opposite,
        {"target = 1, 0": [1.0, 0.0], "target = 0.7, 0.3": [0.7, 0.3]},
        5.0,
        (0, 1),
    ),
    "cosine": Sweep(
        "angle between prediction and target, in degrees",
        np.linspace(-180.0, 180.0, 121),
        lambda x: np.stack([np.cos(np.radians(x)), np.sin(np.radians(x))], axis=1),
        lambda x: np.stack([-np.sin(np.radians(x)), np.cos(np.radians(x))], axis=1) * np.pi / 180,
        {"": [1.0, 0.0]},
    ),
}


def of_loss(cls: type[Loss]) -> Drawn:
    sweep = SWEEPS.get(cls.type) or (RESIDUALS if cls.of_residuals else None)
    if sweep is None:
        return "", []
    values, slopes = [], []
    for loss, label, colour in variants(cls):
        for row, (target_label, target) in enumerate(sweep.targets.items()):
            targets = np.tile(target, (sweep.xs.size, 1))
            context = Context(np.float64)
            value, gradient = loss.measure(context, sweep.predictions(sweep.xs), targets)
            slope = (gradient * sweep.tangents(sweep.xs)).sum(axis=1)
            values.append(Curve(label or target_label, sweep.xs, value.copy(), colour + row))
            slopes.append(Curve(label or target_label, sweep.xs, slope, colour + row))
    range_of_values = None if sweep.top is None else (min(0.0, *(min(curve.ys) for curve in values)), sweep.top)
    range_of_slopes = None if sweep.top is None else (-2 * sweep.top, 0.6 * sweep.top)
    panels = [
        Panel("loss", sweep.x_label, values, sweep.shown, range_of_values),
        Panel("derivative", sweep.x_label, slopes, sweep.shown, range_of_slopes),
    ]
    return f"{cls.type} and its derivative", panels


# Schedules

EPOCHS = 20
STALLED = [0.3 + 0.7 * 0.6**epoch if epoch < 7 else 0.33 for epoch in range(EPOCHS)]
"""A loss that no longer falls after seven epochs, for schedules that look at it."""


def of_schedule(cls: type[Schedule]) -> Drawn:
    # Not quite to the end, where those that count in whole epochs make a last step.
    xs = np.append(np.linspace(0.0, EPOCHS, 6 * EPOCHS + 1)[:-1], EPOCHS - 0.01)
    curves = [
        Curve(label, xs, [schedule.factor(progress(x)) for x in xs], colour)
        for schedule, label, colour in variants(cls)
    ]
    panel = Panel("factor", "epoch", curves, (0, EPOCHS), (-0.05, 1.05))
    if cls.type != "plateau":
        return f"{cls.type} over {EPOCHS} epochs", [panel]
    loss = Curve("", np.arange(1, EPOCHS + 1), STALLED, 0, markers=True)
    return f"{cls.type} for a loss that stops falling", [Panel("loss", "epoch", [loss], (0, EPOCHS), (0, 1)), panel]


def progress(epoch: float) -> Progress:
    history = STALLED[: int(epoch)]
    return Progress(epoch, EPOCHS, {"loss": history, "validation_loss": history})


# Optimizers

STEPS = 50
STEEPNESS = np.array([[1.0], [10.0]])
START = np.array([[-1.8], [0.9]])


def of_optimizer(cls: type[Optimizer]) -> Drawn:
    """The way through a valley that is ten times as steep in one direction as in the other."""
    paths, heights = [], []
    for optimizer, label, colour in variants(cls):
        places = way(optimizer)
        height = (STEEPNESS[:, 0] * places**2).sum(axis=1) / 2
        paths.append(Curve(label, places[:, 0], places[:, 1], colour, markers=True))
        heights.append(Curve(label, np.arange(STEPS + 1), height, colour))
    rings = [(float(np.sqrt(2 * level)), float(np.sqrt(2 * level / 10))) for level in (0.1, 0.5, 1.5, 3.5, 7.0)]
    valley = Panel("path", "x", paths, xs=(-2.2, 1.2), ys=(-1.1, 1.1), ellipses=rings)
    text = f"{STEPS} steps of {cls.type} in the valley (x^2 + 10 y^2) / 2"
    return text, [valley, Panel("loss", "step", heights, ys=(0.0, 6.0))]


def way(optimizer: Optimizer) -> Any:
    """The places that it comes by, (steps + 1, 2). The parameter is a matrix of one column."""
    parameter = START.copy()
    places = [parameter[:, 0].copy()]
    slots = [np.zeros_like(parameter) for _ in optimizer.slots]
    scratch = [np.zeros_like(parameter) for _ in range(optimizer.scratch)]
    for step in range(1, STEPS + 1):
        chunk = Chunk(parameter, STEEPNESS * parameter, slots, scratch)
        optimizer.update(chunk, Step(step, optimizer.learning_rate, optimizer.weight_decay))
        slots = chunk.slots
        places.append(parameter[:, 0].copy())
    return np.array(places)


# Initializers

FAN_IN, FAN_OUT, BARS = 256, 128, 48


def of_initializer(cls: type[Initializer]) -> Drawn:
    initializer = examples_of(cls)[0].component
    weight = np.empty((FAN_IN, FAN_OUT))
    initializer.initialize(weight, FAN_IN, FAN_OUT, np.random.default_rng(0))
    if np.unique(weight).size < 3:
        return "", []
    counts, edges = np.histogram(weight, bins=BARS, range=(-0.3, 0.3), density=True)
    text = f"a weight of {FAN_IN} inputs and {FAN_OUT} outputs, filled by {cls.type}"
    panel = Panel("density", "weight", xs=(edges[0], edges[-1]), ys=(0.0, 11.0), bars=counts.tolist())
    return text, [panel]


DRAWN: Mapping[type[Component], Callable[[Any], Drawn]] = {
    Activation: of_activation,
    Loss: of_loss,
    Schedule: of_schedule,
    Optimizer: of_optimizer,
    Initializer: of_initializer,
}

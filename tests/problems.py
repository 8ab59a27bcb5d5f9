"""What a network is trained on so that a given loss or metric has its part in it, made from the component's example."""

from typing import Any, NamedTuple

import numpy as np

import modnet
from modnet.testing.examples import examples_of
from modnet.testing.rules import loss as of_loss
from modnet.testing.rules import metric as of_metric

ENDINGS = {
    "probabilities and labels": ("softmax", "cross_entropy"),
    "chances and 0 or 1": ("sigmoid", "binary_cross_entropy"),
    "rates and counts": ("softplus", "poisson"),
}
"""The kit's name for what a metric is told -> a network's end and a loss that go with it; `mse` with all others."""


class Problem(NamedTuple):
    """A problem for a component.

    Attributes:
        component: the loss or metric, as its first example has it.
        units: how many outputs the network has.
        end: the network's last activation, or None.
        loss: what it is trained with: the component itself, if that is a loss.
        target: of so many samples as were asked for.
    """

    component: Any
    units: int
    end: str | None
    loss: Any
    target: np.ndarray

    @property
    def layers(self) -> list[Any]:
        """The end of the network."""
        return [{"type": "linear", "out_features": self.units}, *([self.end] if self.end else [])]


def of_component(cls: type[modnet.Loss | modnet.Metric], samples: int) -> Problem:
    """A problem for a loss or a metric, with outputs along one axis."""
    example = examples_of(cls)[0]
    component = example.component
    rules = of_loss if isinstance(component, modnet.Loss) else of_metric
    case = next(each for each in rules.Trial(example).cases if len(each.shape) == 1)
    end, loss = ENDINGS.get(case.form.name, (None, "mse"))
    if isinstance(component, modnet.Loss):
        rates = "softplus" if component.prediction_range else None
        end, loss = next(iter(component.joint_with), rates), component.plain()
    return Problem(component, case.shape[0], end, loss, case.data(samples)[1])

"""Ganin et al. 2016, "Domain-adversarial training of neural networks"."""

import math

import numpy as np
import pytest

from modnet import Layer
from modnet.kinds.schedule import Progress
from modnet.testing import check_component
from tests.research.passes import Step, network_of


class GradientReversal(Layer, type="gradient_reversal"):
    """y = x forward, -weight * gradient backward: what comes before learns to confuse what comes behind.

    In a run the weight grows from 0 as 2 / (1 + exp(-10 p)) - 1, with p the part of the epochs that is done.

    Source: Ganin et al. 2016, JMLR 17(59), equation 18 and section 5.2.2.
    """

    true_gradient = False
    streams = True
    weight: float = 1.0

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        return x

    def backward(self, context, gradient):
        weight = self.weight
        if context.progress is not None:
            weight *= 2 / (1 + math.exp(-10 * context.progress.epoch / context.progress.epochs)) - 1
        return np.multiply(gradient, -weight, out=gradient)


def test_the_kit():
    report = check_component(GradientReversal(weight=0.5), (4,))
    assert {row.status for row in report.rows if row.rule.startswith("gradients")} == {"not applicable"}


@pytest.mark.parametrize(
    ("epoch", "weight"), [(None, 0.5), (0, 0.0), (5, 0.5 * math.tanh(2.5)), (10, 0.5 * math.tanh(5))]
)
def test_the_gradient_is_turned_round(epoch, weight):
    progress = None if epoch is None else Progress(epoch, 10, {})
    step = Step(network_of(GradientReversal(weight=0.5), (4,)), progress=progress)
    np.testing.assert_array_equal(step.outputs[0], step.inputs[0])
    np.testing.assert_allclose(step.gradients["in_0"], -weight * step.given[0], atol=1e-15)

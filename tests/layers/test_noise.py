import numpy as np
import pytest

import modnet
from modnet.engine.passes import Pass
from modnet.kinds.node import Node
from modnet.kinds.schedule import Progress, Schedule
from modnet.layers import Dropout, GaussianNoise
from modnet.testing import layer_context, layer_gradient_errors


@pytest.mark.parametrize("layer", [Dropout(rate=0.3), Dropout(rate=0.0), GaussianNoise()])
@pytest.mark.parametrize("training", [True, False])
def test_gradients(layer, training):
    assert layer_gradient_errors(layer, (20,), training=training)["input"] <= 1e-6


@pytest.mark.parametrize("layer", [Dropout(), GaussianNoise()])
def test_prediction_gives_the_input_itself(layer):
    x = np.ones((3, 4))
    assert layer.forward(layer_context(layer, (4,), training=False), x) is x


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_drops_at_its_rate_and_scales_the_rest(rate, dtype):
    layer = Dropout(rate=rate)
    y = layer.forward(layer_context(layer, (1000,), dtype=dtype), np.ones((100, 1000), dtype))
    assert np.mean(y == 0) == pytest.approx(rate, abs=0.005)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)
    assert y.mean() == pytest.approx(1, abs=0.05)


def test_dropout_passes_the_gradient_where_it_passed_the_signal():
    layer = Dropout()
    context = layer_context(layer, (50,))
    y = layer.forward(context, np.ones((4, 50))).copy()
    np.testing.assert_array_equal(layer.backward(context, np.ones((4, 50))), y)


def test_each_step_drops_other_elements():
    layer = Dropout()
    context = layer_context(layer, (50,))
    first = layer.forward(context, np.ones((4, 50))).copy()
    context.begin()
    assert (layer.forward(context, np.ones((4, 50))) != first).any()


def test_gaussian_noise_has_its_deviation():
    layer = GaussianNoise(standard_deviation=0.2)
    y = layer.forward(layer_context(layer, (1000,), dtype=np.float32), np.full((100, 1000), 3, np.float32))
    assert y.dtype == np.float32
    assert y.mean() == pytest.approx(3, abs=0.005)
    assert y.std() == pytest.approx(0.2, abs=0.005)


class Rise(Schedule, type="test_rise"):
    """From 0 to 1 over half of the epochs."""

    def factor(self, progress):
        return min(1.0, 2 * progress.epoch / progress.epochs)


def test_the_rate_follows_a_schedule_where_there_is_a_run():
    layer = Dropout(rate=0.5, schedule=Rise())
    network = modnet.build({"network": {"input": [4000], "layers": [Node(layer)]}})
    run = Pass(network, [1], training=True, rng=np.random.default_rng(0))
    x = np.ones((1, 4000))
    for epoch, rate in ((0, 0.0), (2.5, 0.25), (5, 0.5), (8, 0.5)):
        run.ask_progress(lambda epoch=epoch: Progress(epoch, 10, {}))
        (y,) = run.forward([x])
        assert np.mean(y == 0) == pytest.approx(rate, abs=0.03)
    run.ask_progress(None)
    assert np.mean(run.forward([x])[0] == 0) == pytest.approx(0.5, abs=0.03)

    class Thrice(Schedule):
        def factor(self, progress):
            return 3.0

    beyond = Dropout(rate=0.9, schedule=Thrice())
    context = layer_context(beyond, (4,))
    context.progress = Progress(0, 1, {})
    assert np.isfinite(beyond.forward(context, np.ones((10, 4)))).all()

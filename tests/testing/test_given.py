"""Examples with data of their own, and with the arguments of their training."""

import numpy as np
import pytest

import modnet
from modnet import DataError, Example, Layer, Loss, Metric, Parameter, ShapeError
from modnet.initializers import Constant
from modnet.testing import ContractError, check_component, examine


class Gaps(Layer, type="gaps"):
    """The gaps between sorted times, divided by a scale. Shapes: (times,) -> (times - 1,)."""

    scale: float = 1.0

    def output_shape(self, shape):
        if len(shape) != 1 or shape[0] is None or shape[0] < 2:
            raise ShapeError("expects two times or more")
        return (shape[0] - 1,)

    def forward(self, context, times):
        gaps = np.subtract(times[:, 1:], times[:, :-1], out=context.buffer((len(times), times.shape[1] - 1)))
        if (gaps < 0).any():
            raise DataError("expects times in order")
        gaps /= self.scale
        return gaps

    def backward(self, context, gradient):
        gradient /= self.scale
        result = context.buffer((len(gradient), gradient.shape[1] + 1))
        result.fill(0)
        result[:, 1:] += gradient
        result[:, :-1] -= gradient
        return result


def sorted_times(rng):
    return np.sort(rng.uniform(0, 5, (30, 6)), axis=1), None


def test_a_layer_to_which_random_numbers_mean_nothing():
    with pytest.raises(ContractError, match="expects times in order"):
        check_component(Gaps(), (6,))
    report = check_component(Example(Gaps(scale=2.0), ((6,),), data=sorted_times))
    assert report.label.endswith("on (6,) with its own data")
    rows = {row.rule: row for row in report.rows}
    assert rows["gradients"].status == "passed"
    assert rows["large inputs"].text == "its example has its own data, and other numbers may be meaningless"
    fixed = sorted_times(np.random.default_rng(0))
    check_component(Example(Gaps(), data=fixed))


class WrongGaps(Gaps, type="wrong_gaps"):
    """Forgets the scale in its gradient."""

    def backward(self, context, gradient):
        return super().backward(context, gradient * self.scale)


def test_faults_are_found_with_data_too():
    report = examine(Example(WrongGaps(scale=2.0), data=sorted_times))
    assert "gradients" in {row.rule for row in report.failures}


class Survival(Loss, type="survival"):
    """rate * time - event * log(rate), of a rate and a target (time, whether it has ended by an event)."""

    def target_shapes(self, prediction_shape):
        return ((2,),)

    def values(self, prediction, target):
        rate, (time, event) = prediction[:, 0], target.T
        if ((event != 0) & (event != 1)).any() or (rate <= 0).any():
            raise DataError("expects events 0 or 1, and positive rates")
        return np.asarray(rate * time - event * np.log(rate), prediction.dtype)

    def gradient(self, prediction, target):
        return np.asarray(target[:, :1] - target[:, 1:] / prediction, prediction.dtype)


class MeanTime(Metric, type="mean_time"):
    """The mean distance of 1 / rate from the time."""

    greater_is_better = False

    def start(self):
        return (0.0, 0.0)

    def update(self, accumulator, prediction, target, weights):
        if target.ndim != 2 or target.shape[1] != 2:
            raise ShapeError("expects targets (time, event)")
        distance = np.abs(1 / prediction[:, 0].astype(np.float64) - target[:, 0])
        weights = np.ones(len(target)) if weights is None else weights.astype(np.float64)
        return accumulator[0] + float(weights @ distance), accumulator[1] + float(weights.sum())

    def result(self, accumulator):
        return accumulator[0] / accumulator[1] if accumulator[1] else float("nan")


def survival(rng):
    time, event = rng.exponential(2.0, 40), rng.integers(0, 2, 40).astype(float)
    return rng.uniform(0.5, 2.0, (40, 1)), np.stack([time, event], axis=1)


@pytest.mark.parametrize("component", [Survival(), MeanTime()], ids=str)
def test_targets_with_a_structure(component):
    report = check_component(Example(component, ((1,), (2,)), data=survival))
    assert next(row for row in report.rows if row.rule == "takes targets").text == "data of its example (1,)"


def test_a_loss_that_does_not_take_its_own_data():
    report = examine(Example(Survival(), ((1,), (2,)), data=lambda rng: (survival(rng)[0], rng.uniform(2, 3, (40, 2)))))
    assert report.failures[0].rule == "takes targets"
    assert "expects events 0 or 1" in report.failures[0].text


class Timid(Layer, type="timid"):
    """A bias that stands in front of a million: it only learns with a large rate."""

    def output_shape(self, shape):
        if len(shape) != 1 or shape[0] is None:
            raise ShapeError("expects features")
        return shape

    def parameters(self, shape):
        return {"bias": Parameter(shape, Constant(0.0), decay=False)}

    def forward(self, context, x):
        y = np.multiply(context.params["bias"], 1e-3, out=context.buffer(x.shape))
        y += x
        return y

    def backward(self, context, gradient):
        np.sum(gradient, axis=0, out=context.grads["bias"])
        context.grads["bias"] *= 1e-3
        return gradient


def test_training_says_how_it_is_trained():
    slow = {"optimizer": {"type": "sgd", "learning_rate": 1e-3}}
    (fault,) = examine(Example(Timid(), ((4,),), training=slow)).failures
    assert fault.rule == "learns"
    fast = {"optimizer": {"type": "sgd", "learning_rate": 2e5}, "epochs": 10}
    check_component(Example(Timid(), ((4,),), training=fast))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            np.zeros((3, 6)),
            r"data of an example: expected \(x, y\), or a function of an rng that returns them; found an",
        ),
        (
            (np.zeros((3, 6)), np.zeros(2)),
            r"expected arrays with the same number of rows, at least 1; found the shapes \(3, 6\), \(2,\)",
        ),
        ((np.zeros((0, 6)), None), r"at least 1; found the shapes \(0, 6\)"),
        ((np.zeros((3, 5)), None), r"have samples of shape \(5,\); expected \(6,\), as in its input_shapes"),
    ],
)
def test_data_that_are_of_no_use(data, message):
    with pytest.raises(DataError, match=message):
        examine(Example(Gaps(), ((6,),), data=data))


def test_an_example_has_its_shapes_itself():
    with pytest.raises(TypeError, match="contains its input_shapes"):
        check_component(Example(Gaps()), (6,))


def test_examples_can_be_compared():
    assert modnet.Example(Gaps(), data=sorted_times) == modnet.Example(Gaps())
    assert hash(Example(Gaps())) == hash(Example(Gaps(), training={"loss": "mse"}))

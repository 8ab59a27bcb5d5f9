"""Components by formula do what the same components with a gradient by hand do."""

import autograd.numpy as anp
import numpy as np
import pytest
from modnet_autograd import AutogradLayer, AutogradLoss

import modnet
from modnet import Parameter, field
from modnet.initializers import LecunNormal, Zeros
from modnet.layers import Linear
from modnet.losses import Huber
from modnet.testing import check_component
from modnet.testing.gradients import layer_gradient_errors


class ByFormula(AutogradLayer, type="by_formula"):
    """y = x W + b, to be compared with the core's linear."""

    out_features: int = field(minimum=1)

    def parameters(self, *input_shapes):
        if not input_shapes[0]:
            raise modnet.ShapeError("expects samples with a last axis")
        return {
            "weight": Parameter((input_shapes[0][-1], self.out_features), LecunNormal()),
            "bias": Parameter((self.out_features,), Zeros(), decay=False),
        }

    def compute(self, x, weight, bias):
        return anp.matmul(x, weight) + bias


class Total(AutogradLayer, type="total"):
    """The sum over the last axis, which stays with the size 1."""

    def compute(self, x):
        return anp.sum(x, axis=-1, keepdims=True)


class Gate(AutogradLayer, type="gate"):
    """x times the sigmoid of z."""

    inputs = (2, 2)

    def compute(self, x, z):
        return x * anp.exp(-anp.logaddexp(0, -z))  # exp(-z) alone overflows


class Chosen(AutogradLayer, type="chosen"):
    """A row of a table for each id."""

    integer_input = True

    def parameters(self, *input_shapes):
        return {"table": Parameter((5, 3), LecunNormal())}

    def compute(self, ids, table):
        return table[ids]


class HuberByFormula(AutogradLoss, type="huber_by_formula"):
    """As the core's huber with delta = 1."""

    def compute(self, prediction, target):
        error = anp.abs(prediction - target)
        return anp.mean(anp.where(error < 1, error**2 / 2, error - 0.5), axis=tuple(range(1, prediction.ndim)))


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (ByFormula(out_features=3), [(4,)]),
        (ByFormula(out_features=3), [(None, 4)]),
        (Gate(), [(4,), (4,)]),
        (Chosen(), [(7,)]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("training", [True, False])
def test_gradients(layer, shapes, training):
    for name, error in layer_gradient_errors(layer, *shapes, training=training).items():
        assert error < 1e-6, name


@pytest.mark.parametrize(
    ("component", "shapes"),
    [
        (ByFormula(out_features=3), [(4,)]),
        (ByFormula(out_features=3), [(None, 4)]),
        (Gate(), [(4,), (4,)]),
        (Chosen(), [(7,)]),
        (HuberByFormula(), []),
    ],
    ids=repr,
)
def test_the_contract(component, shapes):
    check_component(component, *shapes)


def test_the_shape_is_found_out():
    assert ByFormula(out_features=3).output_shape((4,)) == (3,)
    assert ByFormula(out_features=3).output_shape((None, 4)) == (None, 3)
    with pytest.raises(modnet.ShapeError, match="expects shapes for which it can be computed"):
        Gate().output_shape((4,), (3,))


def test_a_formula_that_sums_over_the_batch_is_refused():
    assert Total().output_shape((4,)) == (1,)
    with pytest.raises(modnet.ShapeError, match=r"keeps the batch; 2 samples give shape \(1,\)"):
        Total().output_shape(())
    check_component(Total(), (4,))


def test_training_is_that_of_the_layer_by_hand(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 4)), rng.standard_normal((64, 2))
    networks = []
    for layer, loss in ((Linear, Huber()), (ByFormula, HuberByFormula())):
        spec = {"network": {"input": [4], "layers": [layer(out_features=5), "tanh", layer(out_features=2)]}}
        network = modnet.build(spec, seed=1)
        modnet.train(network, x, y, loss=loss, epochs=3)
        networks.append(network)
    np.testing.assert_allclose(networks[1].predict(x), networks[0].predict(x), rtol=1e-5, atol=1e-6)


def test_prediction_records_nothing():
    network = modnet.build({"network": {"input": [4], "layers": [ByFormula(out_features=3)]}})
    assert network.predict(np.ones((2, 4))).shape == (2, 3)
    (context,) = network._passes._idle[0].contexts.values()
    assert context.saved == ()


class Flat(AutogradLayer, type="flat"):
    """All axes as one."""

    def compute(self, x):
        return anp.reshape(x, (len(x), -1))


def test_the_shape_of_large_samples_is_found_out_without_any():
    assert Gate().output_shape((10**12,), (10**12,)) == (10**12,)  # zeros of that size could not be had
    assert Gate().output_shape((None, 10**12), (None, 10**12)) == (None, 10**12)


def test_what_cannot_be_tried_without_a_sample():
    assert Flat().output_shape((1000, 1000)) == (10**6,)
    with pytest.raises(modnet.ShapeError, match="these have 100,000,000 numbers; write its output_shape"):
        Flat().output_shape((10_000, 10_000))

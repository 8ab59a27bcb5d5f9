"""Losses and what the network ends with: what the spec tells before training, and what the first batch tells."""

import numpy as np
import pytest

import modnet
from modnet import Activation, Layer, Loss
from modnet.layers import Linear
from modnet.plugins.registry import default_registry

LINEAR = {"type": "linear", "out_features": 3}
POSITIVE = {"type": "positive", "out_features": 3}


class Halves(Activation, type="halves"):
    """A stranger's: it promises nothing, and its rows do not sum to 1."""

    def function(self, x, out):
        out.fill(0.5)
        return out

    def derivative(self, x, y, out):
        out.fill(0)
        return out


class Positive(Linear, type="positive"):
    """A stranger's layer on top of one that promises to give any number."""

    def forward(self, context, x):
        y = super().forward(context, x)
        np.exp(y, out=y)
        return np.divide(y, y.sum(axis=-1, keepdims=True), out=y)


class Spread(Loss, type="spread"):
    """A stranger's loss whose values depend on the other samples of the batch."""

    def values(self, prediction, target):
        return np.square(prediction - prediction.mean(axis=0) - target).mean(axis=-1)

    def gradient(self, prediction, target):
        return 2 * (prediction - prediction.mean(axis=0) - target) / prediction.shape[1]


@pytest.fixture(autouse=True)
def strangers(monkeypatch):
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    registry = default_registry()
    for component in (Halves, Positive, Spread):
        registry.register(component)


def network(*layers, shape=(2,)):
    return modnet.build({"network": {"input": list(shape), "layers": list(layers)}})


def refusal(loss, *layers, targets=None):
    """What training says to a loss and an end, "" where it trains."""
    built = network(*layers)
    shape = next(iter(built.outputs.values()))
    if targets is None:
        targets = np.full((6, *shape), 1.0 / shape[-1] if loss in ("cross_entropy", "kl_divergence") else 1.0)
    before = built.parameters.flat.copy()
    try:
        modnet.train(built, np.ones((6, 2)), targets, loss=loss, epochs=1)
    except modnet.ModnetError as error:
        assert np.array_equal(before, built.parameters.flat)
        return str(error)
    return ""


REFUSED = {
    "cross_entropy": [None, "sigmoid", "relu", "tanh", "softplus", "hard_sigmoid", "elu", "gelu"],
    "kl_divergence": [None, "sigmoid", "relu", "tanh", "softplus", "hard_sigmoid"],
    "binary_cross_entropy": [None, "tanh", "relu", "softmax", "log_softmax", "softplus", "silu"],
    "poisson": [None, "tanh", "log_softmax", "elu", "leaky_relu", "selu", "mish", "hard_swish"],
    "hinge": ["sigmoid", "relu", "softmax", "log_softmax", "softplus", "hard_sigmoid"],
}
TAKEN = {
    "cross_entropy": ["softmax", "log_softmax"],
    "kl_divergence": ["softmax", "log_softmax"],
    "binary_cross_entropy": ["sigmoid", "hard_sigmoid"],
    "poisson": ["softplus", "relu", "sigmoid", "softmax"],
    "hinge": [None, "tanh", "identity", "elu", "leaky_relu"],
    "mse": [None, "sigmoid", "softmax", "relu", "tanh"],
    "mae": [None, "sigmoid", "softmax"],
    "huber": [None, "relu"],
    "cosine": [None, "softmax", "tanh"],
}


def pairs(table):
    return [(loss, end) for loss, ends in table.items() for end in ends]


@pytest.mark.parametrize(("loss", "end"), pairs(REFUSED))
def test_a_loss_that_cannot_take_the_end_is_refused_with_what_to_write(loss, end):
    said = refusal(loss, LINEAR, *[end] * (end is not None))
    assert said.startswith("training.loss: ")
    assert (end or "linear") in said
    assert "end the network with" in said


@pytest.mark.parametrize(("loss", "end"), pairs(TAKEN))
def test_a_loss_that_can_take_the_end_trains(loss, end):
    assert refusal(loss, LINEAR, *[end] * (end is not None)) == ""


@pytest.mark.parametrize("end", ["softmax", "log_softmax"])
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy", "kl_divergence", "mse", "cosine"])
def test_softmax_of_one_unit_learns_nothing_and_is_refused(loss, end):
    said = refusal(loss, {"type": "linear", "out_features": 1}, end)
    assert "one unit" in said


@pytest.mark.parametrize("loss", ["cross_entropy", "kl_divergence", "cosine"])
def test_a_loss_with_nothing_to_learn_from_one_unit_is_refused(loss):
    said = refusal(loss, {"type": "linear", "out_features": 1})
    assert f"{loss} cannot train a single unit" in said


@pytest.mark.parametrize(
    ("layers", "refused"),
    [
        ([LINEAR, "sigmoid", "identity"], True),
        ([LINEAR, "softmax", "identity"], False),
        ([LINEAR, "sigmoid", {"type": "reshape", "shape": [1, 3]}], True),
        ([{"type": "linear", "out_features": 3}, "softmax", {"type": "reshape", "shape": [1, 3]}, "flatten"], False),
        ([LINEAR, "relu", "flatten"], True),
    ],
)
def test_layers_that_keep_numbers_are_looked_through(layers, refused):
    assert ("cross_entropy expects" in refusal("cross_entropy", *layers)) is refused


def test_what_promises_nothing_is_not_refused_by_the_spec():
    assert refusal("cross_entropy", POSITIVE) == ""
    assert refusal("binary_cross_entropy", LINEAR, "halves") == ""
    frozen = {"type": "linear", "out_features": 3, "trainable": False, "weight_initializer": "zeros"}
    assert "training.loss" not in refusal("poisson", LINEAR, {**frozen, "bias_initializer": "ones"})


def test_rows_that_do_not_sum_to_1_are_met_at_the_first_batch():
    said = refusal("cross_entropy", LINEAR, "halves")
    assert 'probabilities that sum to 1 along the last axis; those of output "output" sum to 1.5' in said


def test_rows_are_summed_once_and_not_in_every_step(monkeypatch):
    from modnet.training import objective

    calls = []
    monkeypatch.setattr(objective, "check_normalized", lambda *arguments: calls.append(arguments))
    x, y = np.ones((60, 2)), np.zeros(60, int)
    modnet.train(network(POSITIVE), x, y, loss="cross_entropy", epochs=3, batch_size=10)
    assert len(calls) == 1


def test_one_of_several_outputs_is_named():
    built = modnet.build(
        {
            "network": {
                "input": [2],
                "layers": [
                    {"type": "linear", "out_features": 3, "name": "a"},
                    {"type": "linear", "out_features": 1, "name": "b", "inputs": ["a"]},
                ],
                "outputs": ["a", "b"],
            }
        }
    )
    with pytest.raises(modnet.SpecError, match=r'^training\.loss\.a: cross_entropy expects .* output "a" ends with'):
        modnet.train(built, np.ones((4, 2)), {}, loss={"a": "cross_entropy", "b": "mse"}, epochs=1)


def test_weights_are_refused_where_values_depend_on_the_batch():
    x, y = np.random.default_rng(0).standard_normal((8, 2)), np.zeros((8, 3))
    modnet.train(network(LINEAR), x, y, loss="spread", epochs=1)
    with pytest.raises(modnet.DataError, match="spread gives a sample a different value in another batch"):
        modnet.train(network(LINEAR), x, y, loss="spread", epochs=1, sample_weights=np.ones(8))


def test_built_in_losses_do_not_depend_on_the_batch():
    x = np.random.default_rng(0).standard_normal((9, 2))
    ends = {"cross_entropy": "softmax", "kl_divergence": "softmax", "binary_cross_entropy": "sigmoid"}
    for loss in ("mse", "mae", "huber", "cosine", "hinge", *ends):
        built = network(LINEAR, ends.get(loss, "identity"))
        y = np.full((9, 3), 1 / 3 if loss in ("cross_entropy", "kl_divergence") else 1.0)
        modnet.train(built, x, y, loss=loss, epochs=1, sample_weights=np.arange(9.0))


def test_layers_are_known_by_what_they_promise():
    assert Layer.output_range is None
    assert Linear.output_range == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([LINEAR, "softmax", "softmax"], "the softmax before it gives only numbers from 0 to 1; leave out the softmax"),
        (
            [{**LINEAR, "activation": "relu"}, "softmax"],
            "the relu before it gives only numbers >= 0",
        ),
        ([LINEAR, "tanh", "softmax", "temperature"], "the tanh before it gives only numbers from -1 to 1"),
        ([LINEAR, "leaky_relu", "softmax"], None),
        ([LINEAR, "relu", LINEAR, "softmax"], None),
    ],
)
def test_an_activation_before_the_last_one_is_warned_of(layers, message, recwarn):
    spec = {"network": {"input": [2], "layers": layers}, "training": {"loss": "cross_entropy", "epochs": 1}}
    rng = np.random.default_rng(0)
    modnet.train(spec, rng.standard_normal((12, 2)), rng.integers(0, 3, 12), validation=0.5)
    warned = [str(warning.message) for warning in recwarn if "at its end" in str(warning.message)]
    assert len(warned) == (message is not None)
    assert not message or message in warned[0]

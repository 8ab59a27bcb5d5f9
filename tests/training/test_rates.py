"""Factors of the learning rate for single nodes, and the course of weight decay."""

import numpy as np
import pytest

import modnet
from modnet.errors import DataError, SpecError
from modnet.initializers import Ones
from modnet.kinds.layer import Parameter
from modnet.kinds.node import Node
from modnet.kinds.schedule import Progress
from modnet.optimizers import LAMB, SGD, Adam, AdamW, Lion
from modnet.plugins.kernels import Kernels
from modnet.schedules import Cosine, Linear, Plateau
from modnet.training.optimization import Optimization

LAYERS = [
    {"type": "linear", "out_features": 5, "name": "slow", "learning_rate": 0.1},
    {"type": "layer_norm", "name": "norm"},
    {
        "type": "residual",
        "name": "block",
        "learning_rate": 2.0,
        "layers": [
            {"type": "linear", "out_features": 5, "name": "inner"},
            {"type": "linear", "out_features": 5, "name": "own", "learning_rate": 0.5},
        ],
    },
    {"type": "linear", "out_features": 3, "name": "last"},
]
FACTORS = {"slow": 0.1, "norm": 1.0, "block.inner": 2.0, "block.own": 0.5, "last": 1.0}
SPEC = {"network": {"input": [4], "layers": LAYERS}}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def plain(layers):
    """The same layers without factors."""
    kept = [{key: value for key, value in layer.items() if key != "learning_rate"} for layer in layers]
    return [{**layer, "layers": plain(layer["layers"])} if "layers" in layer else layer for layer in kept]


def factor_of(parameter):
    return FACTORS[parameter.rpartition(".")[0]]


def test_every_parameter_has_the_factor_of_its_node_or_of_the_composite_around_it():
    rates = modnet.build(SPEC).graph.learning_rates()
    assert rates == {name: factor_of(name) for name in rates}
    assert len(rates) == 10


@pytest.mark.parametrize(
    "optimizer", [SGD(), Adam(), AdamW(weight_decay=0.1, decay_all=True), Lion(), LAMB()], ids=repr
)
def test_a_step_of_a_node_is_that_of_its_rate(optimizer):
    """Against steps of the whole network, each with another rate."""
    network = modnet.build(SPEC, seed=1)
    before = network.parameters.copy()
    gradients = network.parameters.like()
    drawn = numbers(gradients.size).astype("float32")

    def stepped(spec, rate):
        network = modnet.build(spec, seed=1)
        network.parameters.flat[:] = before.flat
        optimization = Optimization(network, optimizer, gradients)
        for _ in range(3):
            gradients.flat[:] = drawn
            optimization.step(rate)
        return network.parameters

    found = stepped(SPEC, 0.01)
    for factor in set(FACTORS.values()):
        expected = stepped({"network": {"input": [4], "layers": plain(LAYERS)}}, factor * 0.01)
        for name in found:
            if factor_of(name) == factor:
                assert found[name].tobytes() == expected[name].tobytes(), name
                assert not np.array_equal(found[name], before[name])


def test_chunks_end_where_the_factor_changes_and_are_as_ever_where_it_does_not():
    class Noted(modnet.Optimizer):
        scratch = 0

        def update(self, chunk, step):
            calls.append((chunk.parameter.size, round(step.learning_rate, 6), step.weight_decay))

    def sizes(layers):
        calls.clear()
        network = modnet.build({"network": {"input": [4], "layers": layers}})
        Optimization(network, Noted(weight_decay=0.1), network.parameters.like(), Kernels()).step(1.0)
        return calls[:]

    calls = []
    weights, biases = 20 + 25 + 25 + 15, 5 + 5 + 5 + 5 + 5 + 3
    assert sizes(plain(LAYERS)) == [(weights, 1.0, 0.1), (biases, 1.0, 0.0)]
    decayed = [(20, 0.1, 0.1), (25, 2.0, 0.1), (25, 0.5, 0.1), (15, 1.0, 0.1)]
    others = [(5, 0.1, 0.0), (10, 1.0, 0.0), (5, 2.0, 0.0), (5, 0.5, 0.0), (3, 1.0, 0.0)]
    assert sorted(sizes(LAYERS)) == sorted(decayed + others)


class Steep(modnet.Layer):
    """Its parameter moves twice as fast as others and decays three times as fast."""

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def parameters(self, *input_shapes):
        return {"factor": Parameter(input_shapes[0], Ones(), decay=3.0, learning_rate=2.0)}


def test_factors_of_a_node_and_of_a_parameter_multiply():
    layers = [
        {"type": "linear", "out_features": 5, "weight_decay": 0.5},
        Node(layer=Steep(), name="steep", learning_rate=0.1, weight_decay=0.5),
        {"type": "residual", "weight_decay": 0.0, "layers": [{"type": "linear", "out_features": 5}]},
    ]
    graph = modnet.build({"network": {"input": [4], "layers": layers}}).graph
    assert graph.learning_rates()["steep.factor"] == pytest.approx(0.2)
    assert graph.weight_decays() == {
        "linear_1.weight": 0.5,
        "linear_1.bias": 0.0,
        "steep.factor": 1.5,
        "residual_1.linear_1.weight": 0.0,
        "residual_1.linear_1.bias": 0.0,
    }


def test_the_factor_of_weight_decay_is_that_of_the_step():
    layers = [
        {"type": "linear", "out_features": 5, "name": "half", "weight_decay": 0.5},
        {"type": "linear", "out_features": 3},
    ]
    network = modnet.build({"network": {"input": [4], "layers": layers}}, seed=1)
    before = network.parameters.copy()
    optimizer = AdamW(weight_decay=0.1, decay_all=True)
    Optimization(network, optimizer, network.parameters.like()).step(1.0)  # without a gradient there is only the decay
    np.testing.assert_allclose(network.parameters["half.weight"], 0.95 * before["half.weight"], rtol=1e-6)
    np.testing.assert_allclose(network.parameters["linear_1.weight"], 0.9 * before["linear_1.weight"], rtol=1e-6)


def test_factors_are_torchs_groups_of_parameters():
    torch = pytest.importorskip("torch", reason="the parity extra is not installed")
    layers = [{"type": "linear", "out_features": 6, "learning_rate": 0.1}, {"type": "linear", "out_features": 3}]
    network = modnet.build({"network": {"input": [4], "layers": layers, "dtype": "float64"}}, seed=0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Linear(6, 3)).double()
    for number, part in enumerate(model, start=1):
        part.weight.data = torch.tensor(network.parameters[f"linear_{number}.weight"].T.copy())
        part.bias.data = torch.tensor(network.parameters[f"linear_{number}.bias"].copy())
    groups = [{"params": model[0].parameters(), "lr": 0.001}, {"params": model[1].parameters()}]
    reference = torch.optim.Adam(groups, lr=0.01)
    x, y = numbers(32, 4), numbers(32, 3, seed=1)
    for _ in range(20):
        reference.zero_grad()
        torch.nn.functional.mse_loss(model(torch.tensor(x)), torch.tensor(y)).backward()
        reference.step()
    options = {"optimizer": {"type": "adam", "learning_rate": 0.01}, "epochs": 20, "batch_size": 32, "shuffle": False}
    modnet.train(network, x, y, loss="mse", **options)
    for number, part in enumerate(model, start=1):
        found = network.parameters[f"linear_{number}.weight"]
        np.testing.assert_allclose(found, part.weight.detach().numpy().T, rtol=1e-9)


# Weight decay


@pytest.mark.parametrize("schedule", [Linear(), Cosine(warmup_epochs=1)], ids=repr)
@pytest.mark.parametrize("rates", [None, "cosine"])
def test_weight_decay_follows_its_schedule(schedule, rates):
    network = modnet.build({"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}}, seed=0)
    network.parameters["linear_1.bias"][:] = 1
    before = network.parameters.copy()
    x = np.zeros((40, 3))
    x[:, 0] = 1e-30  # nothing pulls at the weights
    optimizer = SGD(learning_rate=0.5, weight_decay=0.3, weight_decay_schedule=schedule)
    options = {} if rates is None else {"schedule": rates}
    modnet.train(network, x, np.ones((40, 2)), loss="mse", optimizer=optimizer, epochs=3, batch_size=10, **options)
    expected = 1.0
    for step in range(12):
        progress = Progress(step / 4, 3, {})
        rate = 0.5 * (1.0 if rates is None else Cosine().factor(progress))
        expected *= 1 - rate * 0.3 * schedule.factor(progress)
    found = network.parameters["linear_1.weight"]
    np.testing.assert_allclose(found, expected * before["linear_1.weight"], rtol=1e-5)
    np.testing.assert_array_equal(network.parameters["linear_1.bias"], before["linear_1.bias"])


@pytest.mark.parametrize("make", [SGD, Adam], ids=lambda cls: cls.__name__)
def test_a_schedule_of_no_decay_is_refused(make):
    with pytest.raises(SpecError, match="weight_decay_schedule has no effect because weight_decay is 0"):
        make(weight_decay_schedule=Linear())


def test_a_figure_that_nobody_records_is_found_before_the_first_step():
    network = modnet.build({"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}})
    optimizer = AdamW(weight_decay_schedule=Plateau(monitor="accuracy"))
    with pytest.raises(modnet.TrainingError, match=r"training\.optimizer\.weight_decay_schedule\.monitor: .*accuracy"):
        modnet.train(network, numbers(8, 3), numbers(8, 2), loss="mse", optimizer=optimizer)


def test_a_stream_of_unknown_length_has_no_course_within_an_epoch():
    network = modnet.build({"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}})
    batches = ((numbers(8, 3), numbers(8, 2)) for _ in range(3))
    with pytest.raises(DataError, match=r"the schedule .linear. changes the weight decay within an epoch"):
        modnet.train(network, batches, loss="mse", optimizer=AdamW(weight_decay_schedule=Linear()), epochs=1)

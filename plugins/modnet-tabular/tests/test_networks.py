"""What a network of this plugin is as a whole: its inputs, its first weights, its members, its file."""

import numpy as np
import pytest

import modnet
from modnet.errors import SpecError

TRAINING = {"optimizer": {"type": "adamw", "learning_rate": 0.01}, "batch_size": 32}
ENDINGS = {"realmlp": ["unstandardize", "clip_to_target"], "tabm": ["ensemble_mean", "unstandardize"]}
SMALL = {
    "realmlp": {"hidden_features": [8, 8]},
    "mlp_ple": {"hidden_features": [8, 8]},
    "tabm": {"hidden_features": [8, 8], "members": 3},
}
kinds = pytest.mark.parametrize("kind", SMALL)


def table(rows=120):
    rng = np.random.default_rng(0)
    codes = np.eye(3)[rng.integers(0, 3, rows)]
    x = {"numbers": rng.standard_normal((rows, 2)), "codes": codes, "city": rng.integers(1, 6, (rows, 1))}
    y = x["numbers"][:, :1] ** 2 + codes @ [[0.0], [1.0], [2.0]] + (x["city"] == 2)
    return x, y


def network(kind, members=1, dtype="float32", **options):
    layer = {"type": kind, "out_features": 1, "inputs": ["numbers", "codes", "city"], "vocabulary_sizes": [6]}
    layers = [{**layer, **SMALL[kind], **options}, *ENDINGS.get(kind, ["unstandardize"])]
    spec = {"input": {"numbers": [2], "codes": [3], "city": [1]}, "layers": layers, "dtype": dtype}
    return modnet.build({"network": spec if members == 1 else {**spec, "members": members}}, seed=0)


@kinds
def test_numbers_codes_and_ids_are_learnt_from(kind):
    x, y = table()
    made = network(kind, dropout=0.0)
    modnet.train(made, x, y, loss="mse", epochs=60, **TRAINING)
    found = made.forward(x)
    assert np.mean((found - y) ** 2) < 0.2 * y.var()
    for name in x:  # each input matters
        other = {**x, name: np.roll(x[name], 1, axis=0)}
        assert not np.allclose(made.forward(other), found, atol=1e-3)


@kinds
def test_a_saved_network_predicts_the_same(kind, tmp_path):
    x, y = table()
    made = network(kind)
    modnet.train(made, x, y, loss="mse", epochs=2, **TRAINING)
    modnet.save(made, tmp_path / "here.modnet")
    np.testing.assert_array_equal(modnet.load(tmp_path / "here.modnet").forward(x), made.forward(x))


@kinds
def test_further_training_goes_on_from_the_weights_that_were_trained(kind):
    x, y = table()
    made = network(kind)
    modnet.train(made, x, y, loss="mse", epochs=5, **TRAINING)
    before = made.forward(x)
    modnet.train(made, x, y + 5, loss="mse", optimizer={"type": "sgd", "learning_rate": 0.0}, epochs=1)
    np.testing.assert_array_equal(made.forward(x), before)


@pytest.mark.parametrize("kind", ["realmlp", "mlp_ple"])
def test_members_are_trained_side_by_side_and_differ(kind):
    x, y = table()
    made = network(kind, members=3)
    modnet.train(made, x, y, loss="mse", epochs=3, validation=0.25, callbacks=["early_stopping"], **TRAINING)
    for name, array in made.parameters.items():
        assert len(array) == 3, name
        if name.endswith(".weight"):
            assert np.abs(array[0] - array[1]).max() > 1e-3, name
    assert made.forward(x).shape == (120, 1)


@pytest.mark.parametrize("kind", ["realmlp", "mlp_ple"])
def test_an_ensemble_gives_the_mean_of_what_its_members_give_alone(kind):
    x, y = table()
    made = network(kind, members=3, dtype="float64", dropout=0.0)
    modnet.train(made, x, y, loss="mse", epochs=2, **TRAINING)
    alone = network(kind, dtype="float64", dropout=0.0)
    found = []
    for member in range(3):
        for mine, theirs in ((alone.parameters, made.parameters), (alone.state, made.state)):
            for name, array in mine.items():
                array[...] = theirs[name] if theirs[name].shape == array.shape else theirs[name][member]
        found.append(alone.forward(x))
    np.testing.assert_allclose(made.forward(x), np.mean(found, axis=0), rtol=1e-9)
    assert not np.allclose(found[0], found[1], atol=1e-3)


def test_first_weights_give_each_unit_a_deviation_of_one_and_its_bend_among_the_rows():
    x = np.random.default_rng(0).standard_normal((500, 4)) * [1, 10, 0.1, 1] + 3
    layers = [{"type": "ntk_linear", "out_features": 40, "from_data": True, "name": "first"}, "selu"]
    layers += [{"type": "ntk_linear", "out_features": 30, "from_data": True, "name": "second"}]
    spec = {"input": [4], "layers": layers, "outputs": ["first", "second"], "dtype": "float64"}
    loss, still = {"first": "mse", "second": "mse"}, {"type": "sgd", "learning_rate": 0.0}
    for members in (1, 2):
        made = modnet.build({"network": spec if members == 1 else {**spec, "members": members}}, seed=0)
        y = {"first": np.zeros((500, 40)), "second": np.zeros((500, 30))}
        modnet.train(made, x, y, loss=loss, optimizer=still, epochs=1)
        weight = np.reshape(made.parameters["first.weight"], (members, 4, 40))
        bias = np.reshape(made.parameters["first.bias"], (members, 40))
        for member in range(members):
            first = x @ weight[member] + bias[member]
            np.testing.assert_allclose(first.std(axis=0), 1, rtol=1e-9)
            assert (first.min(axis=0) < 0).all()
            assert (first.max(axis=0) > 0).all()
        assert len(np.unique(bias.round(9))) == bias.size  # each unit and member has a mix of its own
        other = modnet.build({"network": spec if members == 1 else {**spec, "members": members}}, seed=1)
        modnet.train(other, x, y, loss=loss, optimizer=still, epochs=1)
        assert np.abs(other.parameters["first.bias"] - made.parameters["first.bias"]).max() > 0.1


def test_predictions_stay_within_the_range_of_the_targets_and_the_loss_sees_beyond_it():
    x = np.linspace(-1, 1, 50)[:, None]
    layers = [{"type": "linear", "out_features": 1, "name": "line"}, "unstandardize", "clip_to_target"]
    made = modnet.build({"network": {"input": [1], "layers": layers, "dtype": "float64"}})
    made.parameters["line.weight"] = [[100.0]]
    history = modnet.train(
        made, x, 3 * x, loss="mse", optimizer={"type": "sgd", "learning_rate": 0.0}, epochs=1, validation=(x, 3 * x)
    )
    assert history["loss"][0] > 1000 * history["validation_loss"][0]  # of what is not clipped
    found = made.forward(10 * x)
    assert (found.min(), found.max()) == pytest.approx((-3, 3))
    modnet.train(made, x, 3 * x, loss="mse", optimizer={"type": "sgd", "learning_rate": 0.5}, epochs=60, batch_size=50)
    np.testing.assert_allclose(made.forward(x), 3 * x, atol=0.05)


@kinds
@pytest.mark.parametrize("inputs", [["city"], ["numbers", "codes", "numbers", "city"]])
def test_inputs_that_do_not_fit_are_told_with_their_place(kind, inputs):
    layer = {"type": kind, "out_features": 1, "inputs": inputs, "vocabulary_sizes": [6, 7] if len(inputs) < 2 else [6]}
    spec = {"input": {"numbers": [2], "codes": [3], "city": [1]}, "layers": [layer]}
    with pytest.raises(
        SpecError, match=r"network.layers\[0\] \(\w+\): expects one or two inputs, of numbers and of one"
    ):
        modnet.build({"network": spec})


def test_the_simple_form_has_none_of_what_the_other_adds():
    layers = [{"type": "realmlp", "out_features": 2, "variant": "td-s"}]
    graph = modnet.build({"network": {"input": [3], "layers": layers}}).graph
    types = {node.type for node in graph.nodes}
    assert types == {"robust_scale", "smooth_clip", "scale", "ntk_linear", "selu"}
    assert not any("samples" in node.state for node in graph.nodes if node.type == "ntk_linear")

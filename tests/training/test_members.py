"""Ensembles: what their members learn is what each of them would learn alone."""

import numpy as np
import pytest

import modnet
from modnet.engine.build import plan

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = np.sin(X[:, :1]) * 3 + X[:, 1:2] + 100
LABELS = (Y[:, 0] > 100).astype(int)
MLP = ["standardize", {"type": "linear", "out_features": 8, "activation": "relu"}]
NUMBERS = [*MLP, {"type": "linear", "out_features": 1}, "unstandardize"]
CLASSES = [*MLP, {"type": "linear", "out_features": 2, "activation": "softmax"}]


def spec(layers, members, shape=(4,)):
    network = {"input": list(shape), "dtype": "float64", "layers": layers, **({"members": members} if members else {})}
    return {"network": network}


def built(layers, members=None, seed=0, shape=(4,)):
    return modnet.build(spec(layers, members, shape), seed=seed)


def alone(network, member):
    """The network of one member, with its weights."""
    single = modnet.build(network.spec.replace(network=network.spec.network.replace(members=1)), seed=1)
    copy_member(network, single, member)
    return single


def copy_member(network, single, member):
    axes = network.graph.member_axes()
    for theirs, ours in ((network.parameters, single.parameters), (network.state, single.state)):
        for name in ours:
            ours[name] = theirs[name][member] if axes[name] else theirs[name]


def check_equal(network, singles, x=X, rtol=1e-9):
    axes = network.graph.member_axes()
    for member, single in enumerate(singles):
        for theirs, ours in ((network.parameters, single.parameters), (network.state, single.state)):
            for name in ours:
                own = theirs[name][member] if axes[name] else theirs[name]
                np.testing.assert_allclose(own, ours[name], rtol=rtol, atol=1e-11, err_msg=name)
    found, expected = network.forward(x), [single.forward(x) for single in singles]
    if isinstance(found, dict):
        for name in found:
            np.testing.assert_allclose(found[name], np.mean([e[name] for e in expected], axis=0), rtol=1e-9)
    else:
        np.testing.assert_allclose(found, np.mean(expected, axis=0), rtol=1e-9)


CASES = {
    "numbers": (NUMBERS, Y, {"loss": "mse"}),
    "classes": (CLASSES, LABELS, {"loss": "cross_entropy"}),
    "sgd": (CLASSES, LABELS, {"loss": "cross_entropy", "optimizer": {"type": "sgd", "learning_rate": 0.1}}),
    "weights": (CLASSES, LABELS, {"loss": {"type": "cross_entropy", "class_weights": [1, 3]}}),
    "muon": (NUMBERS, Y, {"loss": "mse", "optimizer": "muon"}),
    "lamb": (NUMBERS, Y, {"loss": "huber", "optimizer": "lamb"}),
    "clipped": (NUMBERS, Y, {"loss": "mse", "gradient_clipping": 0.05, "gradient_value_clipping": 0.03}),
    "accumulated": (NUMBERS, Y, {"loss": "mse", "accumulate": 2}),
    "residual": (
        [*MLP, {"type": "residual", "layers": [{"type": "linear", "out_features": 8}, "layer_norm"]}, *CLASSES[-1:]],
        LABELS,
        {"loss": "cross_entropy"},
    ),
    "residual of the input": (
        ["standardize", {"type": "residual", "layers": [{"type": "linear", "out_features": 4}]}, *CLASSES[-1:]],
        LABELS,
        {"loss": "cross_entropy"},
    ),
    "repeat": (
        [
            *MLP,
            {"type": "repeat", "count": 2, "layers": [{"type": "linear", "out_features": 8}, "prelu"]},
            *CLASSES[-1:],
        ],
        LABELS,
        {"loss": "cross_entropy"},
    ),
    "batch_norm": ([*MLP, "batch_norm", *CLASSES[-1:]], LABELS, {"loss": "cross_entropy"}),
    "prepared behind others": (
        [{"type": "linear", "out_features": 8, "activation": "tanh"}, "standardize", *CLASSES[-1:]],
        LABELS,
        {"loss": "cross_entropy"},
    ),
    "penalties": (
        [{"type": "linear", "out_features": 8, "l1": 0.01, "l2": 0.1, "activation": "tanh"}, *CLASSES[-1:]],
        LABELS,
        {"loss": "cross_entropy"},
    ),
    "shared and frozen": (
        [
            {"type": "linear", "out_features": 4, "name": "one", "activation": "tanh"},
            {"type": "linear", "out_features": 4, "shares": "one", "activation": "tanh"},
            {"type": "linear", "out_features": 4, "trainable": False},
            {"type": "linear", "out_features": 2, "activation": "softmax", "learning_rate": 0.5},
        ],
        LABELS,
        {"loss": "cross_entropy", "optimizer": {"type": "adamw", "weight_decay": 0.1}},
    ),
    "reshaped": (
        [{"type": "reshape", "shape": [2, 2]}, {"type": "linear", "out_features": 3}, "flatten", *CLASSES[-1:]],
        LABELS,
        {"loss": "cross_entropy"},
    ),
    "pooled": (
        [
            {"type": "reshape", "shape": [2, 2]},
            {"type": "linear", "out_features": 3},
            "global_average_pool",
            *CLASSES[-1:],
        ],
        LABELS,
        {"loss": "cross_entropy"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_members_learn_as_if_alone(case):
    layers, y, how = CASES[case]
    network = built(layers, 3)
    singles = [alone(network, member) for member in range(3)]
    how = {"epochs": 3, "batch_size": 16, "seed": 5, **how}
    history = modnet.train(network, X, y, **how)
    losses = [modnet.train(single, X, y, **how)["loss"] for single in singles]
    np.testing.assert_allclose(history["loss"], np.mean(losses, axis=0), rtol=1e-9)
    check_equal(network, singles)


def test_several_inputs_and_outputs():
    layers = [
        {"type": "embedding", "vocabulary_size": 5, "embedding_size": 3, "inputs": ["kind"], "name": "kinds"},
        {"type": "concatenate", "inputs": ["x", "kinds"]},
        {"type": "linear", "out_features": 8, "activation": "relu", "name": "hidden"},
        {"type": "linear", "out_features": 1, "name": "number"},
        {"type": "unstandardize", "name": "amount"},
        {"type": "linear", "out_features": 2, "inputs": ["relu_1"], "activation": "softmax", "name": "label"},
    ]
    both = {
        "network": {
            "input": {"x": [4], "kind": []},
            "dtype": "float64",
            "layers": layers,
            "outputs": ["amount", "label"],
            "members": 2,
        }
    }
    network = modnet.build(both, seed=3)
    singles = [alone(network, member) for member in range(2)]
    x = {"x": X, "kind": RNG.integers(0, 5, 60)}
    how = {"loss": {"amount": "mse", "label": {"type": "cross_entropy", "weight": 0.5}}, "epochs": 2, "batch_size": 16}
    y = {"amount": Y, "label": LABELS}
    history = modnet.train(network, x, y, **how)
    found = [modnet.train(single, x, y, **how) for single in singles]
    for name in history:
        np.testing.assert_allclose(history[name], np.mean([other[name] for other in found], axis=0), rtol=1e-9)
    check_equal(network, singles, x)


@pytest.mark.parametrize("weights", [None, RNG.uniform(0.5, 2, 60), RNG.uniform(0.5, 2, (60, 5))])
def test_sequences_of_different_lengths(weights):
    ids = RNG.integers(1, 7, (60, 5))
    for row, length in enumerate(RNG.integers(1, 6, 60)):
        ids[row, length:] = 0
    layers = [
        {"type": "embedding", "vocabulary_size": 7, "embedding_size": 5, "padding": 0},
        {"type": "linear", "out_features": 5, "activation": "tanh"},
        "batch_norm",
        {"type": "linear", "out_features": 1},
    ]
    network = built(layers, 5, shape=(5,))
    singles = [alone(network, member) for member in range(5)]
    y = RNG.standard_normal((60, 5, 1))
    how = {"loss": "mse", "epochs": 2, "batch_size": 16, "sample_weights": weights}
    history = modnet.train(network, ids, y, **how)
    losses = [modnet.train(single, ids, y, **how)["loss"] for single in singles]
    np.testing.assert_allclose(history["loss"], np.mean(losses, axis=0), rtol=1e-9)
    check_equal(network, singles, ids)


def test_each_member_has_noise_of_its_own():
    network = built([{"type": "dropout", "rate": 0.5}, {"type": "linear", "out_features": 1}], 3)
    assert [node.layer.type for node in network.graph.nodes][:2] == ["to_members", "dropout"]


def test_members_begin_with_weights_of_their_own():
    network = built(CLASSES, 2)
    first, second = network.parameters["linear_1.weight"]
    assert not np.allclose(first, second)


def test_what_members_cannot_have_is_told():
    layers = [*NUMBERS, {"type": "linear", "out_features": 1}]
    with pytest.raises(
        modnet.SpecError, match=r'layers\[4\] \(linear\): members = 2, but this node reads "unstandardize_1"'
    ):
        modnet.build(
            {"network": {"input": [4], "layers": layers, "members": 2, "outputs": ["unstandardize_1", "linear_3"]}}
        )
    with pytest.raises(modnet.SpecError, match=r"members = 10000 is too much: .* 2\^6\d numbers"):
        plan({"network": {"input": [2**30], "layers": [{"type": "linear", "out_features": 2**20}], "members": 10000}})
    with pytest.raises(modnet.SpecError, match="no output depends on a layer with parameters"):
        built(["relu"], 2)
    with pytest.raises(modnet.SpecError, match=r"expected a whole number from 1 to 10000, found 0|members"):
        modnet.build({"network": {"input": [4], "layers": CLASSES, "members": 0}})
    with pytest.raises(modnet.SpecError, match="poisson would be measured on the mean of the 2 members"):
        modnet.train(built([*NUMBERS[:-1], "softplus", "unstandardize"], 2), X, Y, loss="poisson", epochs=1)


STOPPING = {"type": "early_stopping", "patience": 2}


@pytest.mark.parametrize("monitor", ["validation_loss", "validation_accuracy"])
@pytest.mark.parametrize("latest", [False, True])
def test_each_member_stops_by_itself(monitor, latest):
    network = built(CLASSES, 3)
    singles = [alone(network, member) for member in range(3)]
    stopping = {**STOPPING, "monitor": monitor, "latest": latest}
    optimizer = {"type": "adam", "learning_rate": 0.1}
    how = {"loss": "cross_entropy", "epochs": 40, "callbacks": [stopping], "validation": 0.3, "optimizer": optimizer}
    history = modnet.train(network, X, LABELS, metrics=["accuracy"], **how)
    found = [modnet.train(single, X, LABELS, metrics=["accuracy"], **how) for single in singles]
    assert history.best_epochs == [other.best_epoch or other.epochs for other in found]
    assert monitor == "validation_accuracy" or len(set(history.best_epochs)) > 1
    assert history.epochs == max(other.epochs for other in found)
    check_equal(network, singles)
    assert history.best_epoch is None


@pytest.mark.parametrize("validation", [0.3, (X[:20], LABELS[:20])])
@pytest.mark.parametrize("layers", [CLASSES, [*MLP, "batch_norm", *CLASSES[-1:]]])
def test_a_member_whose_training_is_over_stays_as_it_is(layers, validation):
    network = built(layers, 3)
    singles = [alone(network, member) for member in range(3)]
    stopping = {**STOPPING, "restore_best": False}
    optimizer = {"type": "adamw", "learning_rate": 0.1, "weight_decay": 0.1}
    how = {"loss": "cross_entropy", "epochs": 40, "callbacks": [stopping], "optimizer": optimizer}
    history = modnet.train(network, X, LABELS, validation=validation, **how)
    found = [modnet.train(single, X, LABELS, validation=validation, **how) for single in singles]
    assert len({other.epochs for other in found}) > 1
    assert history.epochs == max(other.epochs for other in found)
    assert history.best_epochs is None
    check_equal(network, singles)


def test_a_run_goes_on_with_the_members_that_were_not_over(tmp_path):
    how = {"loss": "cross_entropy", "validation": 0.3, "optimizer": {"type": "adam", "learning_rate": 0.1}}
    stopping = {**STOPPING, "restore_best": False}
    whole, halves = built(CLASSES, 3), [built(CLASSES, 3), built(CLASSES, 3)]
    expected = modnet.train(whole, X, LABELS, epochs=40, callbacks=[stopping], **how)
    callbacks = [stopping, {"type": "checkpoint", "directory": str(tmp_path)}]
    modnet.train(halves[0], X, LABELS, epochs=expected.epochs - 1, callbacks=callbacks, **how)
    found = modnet.train(halves[1], X, LABELS, epochs=40, callbacks=callbacks, resume=tmp_path, **how)
    assert found == expected
    np.testing.assert_array_equal(halves[1].parameters.flat, whole.parameters.flat)


def test_the_figures_are_those_of_the_restored_ensemble():
    network = built(CLASSES, 3)
    callbacks = [STOPPING]
    held = (X[:20], LABELS[:20])
    history = modnet.train(
        network,
        X[20:],
        LABELS[20:],
        loss="cross_entropy",
        epochs=30,
        callbacks=callbacks,
        validation=held,
        optimizer={"type": "adam", "learning_rate": 0.1},
    )
    assert history.best_epochs is not None
    assert network.card.metrics == {"validation_loss": modnet.evaluate(network, *held)["loss"]}


def test_without_validation_members_stop_together():
    network = built(CLASSES, 3)
    history = modnet.train(network, X, LABELS, loss="cross_entropy", epochs=3, callbacks=[STOPPING])
    assert history.best_epochs is None


def test_averaged_weights_of_members_are_restored():
    network = built(CLASSES, 2)
    singles = [alone(network, member) for member in range(2)]
    how = {
        "loss": "cross_entropy",
        "epochs": 30,
        "callbacks": [STOPPING, {"type": "ema", "decay": 0.9}],
        "validation": 0.3,
        "optimizer": {"type": "adam", "learning_rate": 0.1},
    }
    modnet.train(network, X, LABELS, **how)
    for single in singles:
        modnet.train(single, X, LABELS, **how)
    check_equal(network, singles)


def test_a_run_goes_on_bit_for_bit(tmp_path):
    layers = [*MLP, {"type": "dropout", "rate": 0.2}, "batch_norm", *CLASSES[-1:]]
    how = {
        "loss": "cross_entropy",
        "validation": 0.3,
        "optimizer": {"type": "adam", "learning_rate": 0.1},
        "batch_size": 16,
    }
    whole, halves = built(layers, 3), [built(layers, 3), built(layers, 3)]
    expected = modnet.train(whole, X, LABELS, epochs=14, callbacks=[STOPPING], **how)
    callbacks = [STOPPING, {"type": "checkpoint", "directory": str(tmp_path)}]
    modnet.train(halves[0], X, LABELS, epochs=5, callbacks=callbacks, **how)
    found = modnet.train(halves[1], X, LABELS, epochs=14, callbacks=callbacks, resume=tmp_path, **how)
    assert found.best_epochs == expected.best_epochs is not None
    assert found == expected
    np.testing.assert_array_equal(halves[1].parameters.flat, whole.parameters.flat)
    np.testing.assert_array_equal(halves[1].state.flat, whole.state.flat)


@pytest.mark.parametrize("layers", [NUMBERS, [*MLP, "batch_norm", *CLASSES[-1:]]])
def test_a_model_file_has_all_members(layers, tmp_path):
    network = built(layers, 3)
    modnet.train(network, X, Y if layers is NUMBERS else LABELS, loss="mse" if layers is NUMBERS else "cross_entropy")
    modnet.save(network, tmp_path / "model.modnet")
    loaded = modnet.load(tmp_path / "model.modnet")
    assert loaded.spec.network.members == 3
    np.testing.assert_array_equal(loaded.forward(X), network.forward(X))
    history = modnet.train(loaded, X, Y if layers is NUMBERS else LABELS, epochs=1)
    assert np.isfinite(history["loss"]).all()


def test_a_network_of_members_with_an_ensemble_inside():
    inside = [
        {
            "type": "per_member",
            "members": 2,
            "shared": True,
            "layer": {"type": "linear", "out_features": 3},
            "name": "k",
        },
        "softmax",
        "ensemble_mean",
    ]
    network = built(inside, 3)
    singles = [alone(network, member) for member in range(3)]
    y = RNG.integers(0, 3, 60)
    history = modnet.train(network, X, y, loss="cross_entropy", epochs=2)
    losses = [modnet.train(single, X, y, loss="cross_entropy", epochs=2)["loss"] for single in singles]
    np.testing.assert_allclose(history["loss"], np.mean(losses, axis=0), rtol=1e-9)
    check_equal(network, singles)


def test_the_latest_of_ties_gives_no_new_patience():
    y = np.zeros((60, 1))
    network = modnet.build(
        {"network": {"input": [4], "layers": [{"type": "linear", "out_features": 1, "trainable": False}]}}
    )
    stopping = {"type": "early_stopping", "patience": 3, "latest": True, "monitor": "loss"}
    with pytest.warns(UserWarning, match="nothing is trained"):
        history = modnet.train(network, X, y, loss="mse", epochs=30, callbacks=[stopping], shuffle=False)
    assert history.epochs == 4
    assert history.best_epoch is None  # the last one is among the best

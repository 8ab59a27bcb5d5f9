"""Training: the same things said in a spec and as arguments, data of every form, and what goes wrong."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import modnet
from modnet import Callback
from modnet.engine.network import Network
from tests.training.problem import SPEC, blobs


def spec(**training) -> dict:
    return {**SPEC, "training": {**SPEC["training"], **training}}


def test_a_network_trains_by_its_spec():
    network = modnet.build(SPEC)
    history = modnet.train(network, *blobs())
    assert list(history) == ["loss", "accuracy"]
    assert history.epochs == 3
    assert history["loss"][-1] < history["loss"][0]
    assert modnet.evaluate(network, *blobs(seed=5))["accuracy"] > 0.85


def test_arguments_say_the_same_as_the_spec_and_win_over_it():
    x, y = blobs()
    one = modnet.build(spec(epochs=2, optimizer={"type": "sgd", "learning_rate": 0.1}, metrics=[]))
    modnet.train(one, x, y)
    two = modnet.build(SPEC)
    modnet.train(two, x, y, epochs=2, optimizer={"type": "sgd", "learning_rate": 0.1}, metrics=[])
    three = modnet.build({"network": SPEC["network"]}, seed=1)
    from modnet.losses import CrossEntropy
    from modnet.optimizers import SGD

    modnet.train(three, x, y, loss=CrossEntropy(), optimizer=SGD(0.1), epochs=2, batch_size=16, seed=1)
    assert one.parameters.flat.tobytes() == two.parameters.flat.tobytes() == three.parameters.flat.tobytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "training.epochs: expected a whole number >= 1, found 0"),
        ({"optimizer": "adm"}, 'training.optimizer: unknown optimizer "adm"; did you mean "adam"?'),
        ({"loss": "relu"}, 'training.loss: expected a loss, found "relu", which is an activation'),
        ({"loss": {"out": "mse"}}, 'training.loss.out: no output is called "out"'),
        ({"gradient_clipping": -1.0}, "training.gradient_clipping: expected a number > 0, found -1.0"),
        (
            {"callbacks": [{"type": "early_stopping", "patience": 0}]},
            "training.callbacks[0].patience: expected a whole number >= 1",
        ),
    ],
)
def test_wrong_arguments_are_explained_like_a_wrong_spec(arguments, message):
    with pytest.raises(modnet.SpecError) as caught:
        modnet.train(modnet.build(SPEC), *blobs(), **arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.zeros((3, 5)), np.zeros(3, int), modnet.ShapeError, "expected an array of shape (batch, 2), found (3, 5)"),
        (np.zeros((3, 2)), np.zeros(4, int), modnet.DataError, "3 samples, but 4 targets"),
        (
            np.zeros((3, 2)),
            np.zeros((3, 5)),
            modnet.ShapeError,
            "for a prediction of shape (2,), found a target of shape (5,)",
        ),
        (
            np.zeros((3, 2)),
            ["a", "b", "c"],
            modnet.DataError,
            "expected numbers, found text; to make labels 0, 1, ...:  names, y = np.unique",
        ),
        (np.zeros((0, 2)), np.zeros(0, int), modnet.DataError, "there are no samples"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), modnet.DataError, "2"),
        (np.zeros((3, 2)), None, modnet.DataError, "expected x and y"),
        (iter([np.zeros((3, 2))]), None, modnet.DataError, "expected batches (x, y) or (x, y, weights)"),
    ],
)
def test_data_that_do_not_fit_are_explained(x, y, error, message):
    with pytest.raises(error) as caught:
        modnet.train(modnet.build(SPEC), x, y, epochs=1)
    assert message in str(caught.value)


def test_the_same_spec_data_and_seed_give_the_same_bytes_in_two_processes(tmp_path):
    script = f"""
import numpy as np, modnet
rng = np.random.default_rng(0)
y = rng.integers(0, 2, 200)
x = rng.standard_normal((200, 2)) + 2.0 * y[:, None]
spec = {spec()!r}
spec["network"]["layers"].insert(1, {{"type": "dropout", "rate": 0.3}})
network = modnet.build(spec)
modnet.train(network, x, y, validation=0.2)
import sys
modnet.save(network, sys.argv[1])
"""
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", script, tmp_path / name], check=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def weights_after(x, y=None, **arguments) -> bytes:
    network = modnet.build(spec(shuffle=False))
    modnet.train(network, x, y, **arguments)
    return network.parameters.flat.tobytes()


def test_arrays_memory_maps_generators_and_iterables_train_alike(tmp_path):
    x, y = blobs(160)
    np.save(tmp_path / "x.npy", x)
    batches = [(x[i : i + 16], y[i : i + 16]) for i in range(0, 160, 16)]
    expected = weights_after(x, y)
    assert weights_after(np.load(tmp_path / "x.npy", mmap_mode="r"), y) == expected
    assert weights_after(batches) == expected
    assert weights_after(lambda: iter(batches)) == expected
    assert weights_after((batch for _ in range(3) for batch in batches), steps_per_epoch=10) == expected


def test_a_generator_that_ends_is_not_silently_trained_on_once():
    with pytest.raises(modnet.DataError, match="a generator can be iterated only once, but there are 3 epochs"):
        modnet.train(modnet.build(SPEC), (batch for batch in [blobs(16)]))


def test_a_training_that_changes_nothing_says_so():
    frozen = {"type": "linear", "out_features": 2, "trainable": False}
    with pytest.warns(UserWarning, match="^nothing is trained: every parameter that a loss depends on is frozen$"):
        modnet.train(modnet.build({**SPEC, "network": {"input": [2], "layers": [frozen, "softmax"]}}), *blobs(16))
    modnet.train(modnet.build({**SPEC, "network": {"input": [2], "layers": ["softmax"]}}), *blobs(16), epochs=1)


def test_a_generator_to_validate_with_once_is_refused_before_the_first_step():
    network = modnet.build(SPEC)
    before = network.parameters.flat.copy()
    with pytest.raises(
        modnet.DataError, match=r"^validation: a generator can be iterated only once, but there are 3 epochs"
    ):
        modnet.train(network, *blobs(16), validation=((batch for batch in [blobs(16)]), None))
    np.testing.assert_array_equal(network.parameters.flat, before)
    history = modnet.train(network, *blobs(16), epochs=1, validation=((batch for batch in [blobs(16)]), None))
    assert history["validation_loss"].shape == (1,)


@pytest.mark.slow
def test_memory_stays_bounded_on_a_file_that_is_larger(tmp_path):
    rows, width = 600_000, 256
    array = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (rows, width))
    for start in range(0, rows, 50_000):
        array[start : start + 50_000] = np.random.default_rng(start).standard_normal((50_000, width), np.float32)
    del array
    script = """
import resource, sys, numpy as np, modnet
modnet.train
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
x = np.load(sys.argv[1], mmap_mode="r")
layers = ["standardize", {"type": "linear", "out_features": 8}, "relu", {"type": "linear", "out_features": 1}]
network = modnet.build({"network": {"input": [x.shape[1]], "layers": layers}})
y = np.zeros((len(x), 1), np.float32)
modnet.train(network, x, y, loss="mse", epochs=1, batch_size=1024)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "x.npy")]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (tmp_path / "x.npy").stat().st_size > 600e6
    assert grown < 400, grown


def test_validation_by_fraction_or_by_data():
    x, y = blobs()
    by_fraction = modnet.train(modnet.build(SPEC), x, y, validation=0.25)
    assert list(by_fraction) == ["loss", "accuracy", "validation_loss", "validation_accuracy"]
    by_data = modnet.train(modnet.build(SPEC), x, y, validation=blobs(seed=3))
    assert by_data.last()["validation_accuracy"] > 0.85
    with pytest.raises(modnet.DataError, match="expected a fraction between 0 and 1"):
        modnet.train(modnet.build(SPEC), x, y, validation=1.5)


def test_sample_weights_count_as_repetitions():
    x, y = blobs(40)
    weights = np.random.default_rng(0).integers(0, 3, 40).astype(float)
    repeated = np.repeat(np.arange(40), weights.astype(int))
    one, two = modnet.build(SPEC, dtype="float64"), modnet.build(SPEC, dtype="float64")
    options = {"epochs": 5, "batch_size": 1000, "shuffle": False, "optimizer": {"type": "sgd", "learning_rate": 0.5}}
    first = modnet.train(one, x, y, sample_weights=weights, **options)
    second = modnet.train(two, x[repeated], y[repeated], **options)
    np.testing.assert_allclose(one.parameters.flat, two.parameters.flat, rtol=1e-9)
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-9)
    np.testing.assert_allclose(first["accuracy"], second["accuracy"], rtol=1e-9)


def two_headed(**training) -> Network:
    return modnet.build(
        {
            "network": {
                "input": [2],
                "dtype": "float64",
                "layers": [
                    {"type": "linear", "out_features": 4, "name": "trunk", "activation": "tanh"},
                    {"type": "linear", "out_features": 2},
                    {"type": "softmax", "name": "class"},
                    {"type": "linear", "out_features": 1, "name": "size", "inputs": ["trunk"]},
                ],
                "outputs": ["class", "size"],
            },
            "training": {
                "loss": {"class": "cross_entropy", "size": {"type": "mse", "weight": 0.5}},
                "metrics": {"class": ["accuracy"]},
                **training,
            },
        }
    )


def test_several_outputs_each_with_a_loss_a_weight_and_metrics():
    x, y = blobs()
    targets = {"class": y, "size": x.sum(axis=1, keepdims=True)}
    history = modnet.train(two_headed(), x, targets, epochs=2)
    assert list(history) == ["loss", "class_loss", "class_accuracy", "size_loss"]
    np.testing.assert_allclose(history["loss"], history["class_loss"] + 0.5 * history["size_loss"])
    with pytest.raises(modnet.DataError, match='there is no target for the output "size"'):
        modnet.train(two_headed(), x, {"class": y}, epochs=1)
    unknown = 'found a target for "sise", but the outputs with a loss are "class", "size"; did you mean "size"'
    with pytest.raises(modnet.DataError, match=unknown):
        modnet.train(two_headed(), x, {"class": y, "sise": y}, epochs=1)
    with pytest.raises(modnet.SpecError, match="the network has several outputs"):
        modnet.train(two_headed(), x, targets, epochs=1, loss="mse", metrics=[])


def test_an_output_without_a_loss_is_left_alone():
    x, y = blobs()
    history = modnet.train(two_headed(), x, {"class": y}, loss={"class": "cross_entropy"}, epochs=1)
    assert list(history) == ["loss", "accuracy"]


def test_penalties_are_part_of_the_loss_and_pull_weights_to_zero():
    x, y = blobs()
    free = modnet.build(SPEC)
    pulled = modnet.build(
        {
            **SPEC,
            "network": {
                **SPEC["network"],
                "layers": [{**SPEC["network"]["layers"][0], "l1": 0.05, "l2": 0.05}, *SPEC["network"]["layers"][1:]],
            },
        }
    )
    without, with_penalty = modnet.train(free, x, y), modnet.train(pulled, x, y)
    assert with_penalty["loss"][0] > without["loss"][0]
    name = "linear_1.weight"
    assert np.abs(pulled.parameters[name]).sum() < np.abs(free.parameters[name]).sum()


def test_the_gradient_of_a_penalty_is_true():
    from modnet.training.penalty import Penalty

    layers = [{"type": "linear", "out_features": 3, "l1": 0.3, "l2": 0.2}, {"type": "linear", "out_features": 1}]
    network = modnet.build({"network": {"input": [2], "layers": layers, "dtype": "float64"}})
    gradients = network.parameters.like()
    Penalty(network, gradients).add()
    weight = network.parameters["linear_1.weight"]
    for index in np.ndindex(weight.shape):
        values = []
        for sign in (1, -1):
            weight[index] += sign * 1e-6
            values.append(Penalty(network, network.parameters.like()).add())
            weight[index] -= sign * 1e-6
        np.testing.assert_allclose((values[0] - values[1]) / 2e-6, gradients["linear_1.weight"][index], rtol=1e-6)
    assert not gradients["linear_1.bias"].any()
    assert not gradients["linear_2.weight"].any()


def test_clipping_limits_the_gradient_as_a_whole_or_each_element():
    class Watch(Callback, type="watch"):
        def modnet_step_ended(self, run):
            norms.append(run.optimization.norm())

    x, y = blobs()
    options = {"optimizer": {"type": "lion"}, "epochs": 1}
    for clipping, bound in (({"gradient_clipping": 1e-3}, 1e-3), ({"gradient_value_clipping": 1e-4}, 1e-4 * 42**0.5)):
        norms: list[float] = []
        network = modnet.build(SPEC)
        from modnet.training.optimization import Optimization

        gradients = network.parameters.like()
        gradients.flat[:] = np.random.default_rng(0).standard_normal(gradients.flat.size)
        direction = gradients.flat.copy()
        optimization = Optimization(network, modnet.default_registry().find(modnet.Optimizer, "sgd")(), gradients)
        optimization.clip(clipping.get("gradient_clipping"), clipping.get("gradient_value_clipping"))
        assert max(optimization.norms()) <= bound * 1.001
        if "gradient_clipping" in clipping:
            np.testing.assert_allclose(gradients.flat / 1e-3, direction / np.linalg.norm(direction), rtol=1e-4)
        modnet.train(network, x, y, **options, **clipping, callbacks=[Watch()])


def test_a_schedule_sets_the_rate_of_every_step():
    rates = []

    class Watch(Callback, type="watch"):
        def modnet_step_ended(self, run):
            rates.append(run.learning_rate)

    x, y = blobs(64)
    modnet.train(
        modnet.build(SPEC),
        x,
        y,
        optimizer={"type": "sgd", "learning_rate": 0.2},
        schedule={"type": "linear", "end_factor": 0.0},
        epochs=2,
        callbacks=[Watch()],
    )
    np.testing.assert_allclose(rates, 0.2 * (1 - np.arange(8) / 8))


def test_a_loss_that_turns_nan_says_where_it_began_and_what_to_try():
    layers = [{"type": "linear", "out_features": 1}]
    network = modnet.build({"network": {"input": [2], "layers": layers}, "training": {"loss": "mse"}})
    x, _ = blobs()
    with np.errstate(all="ignore"), pytest.raises(modnet.Diverged) as caught:
        modnet.train(network, x, x[:, :1], optimizer={"type": "sgd", "learning_rate": 1e30})
    message = str(caught.value)
    assert caught.value.step > 1
    assert message.startswith(f"loss became {'nan' if 'nan' in message.splitlines()[0] else 'infinite'} at step")
    assert "try a smaller learning_rate (now 1e+30) or gradient_clipping = 1.0" in message


def test_a_loss_that_turns_nan_because_of_the_data_says_so():
    x, y = blobs()
    x[7, 1] = np.nan
    with (
        np.errstate(all="ignore"),
        pytest.raises(modnet.Diverged, match='input "input" of this batch has values that are not finite'),
    ):
        modnet.train(modnet.build(SPEC), (batch for batch in [(x, y)]), epochs=1)


def test_the_first_interrupt_stops_after_the_step_and_keeps_what_was_learnt():
    class Interrupt(Callback, type="interrupt"):
        def modnet_step_ended(self, run):
            if run.step == 5:
                os.kill(os.getpid(), signal.SIGINT)

    seen = []

    class Watch(Callback, type="watch"):
        def modnet_training_ended(self, run):
            seen.append((run.step, run.stopped))

    network = modnet.build(SPEC)
    before = network.parameters.flat.copy()
    handler = signal.getsignal(signal.SIGINT)
    history = modnet.train(network, *blobs(), callbacks=[Interrupt(), Watch()])
    assert history.stopped == "interrupted"
    assert seen == [(5, "interrupted")]
    assert not (network.parameters.flat == before).all()
    assert signal.getsignal(signal.SIGINT) is handler


def test_standardize_learns_from_the_training_data_before_the_first_epoch():
    layers = ["standardize", *SPEC["network"]["layers"]]
    network = modnet.build({**SPEC, "network": {"input": [2], "layers": layers}})
    x, y = blobs()
    x = x * [1000.0, 0.001] + [5000.0, -3.0]
    modnet.train(network, x, y, epochs=1)
    np.testing.assert_allclose(network.state["standardize_1.mean"], x.mean(0), rtol=1e-5)
    kept = network.state.flat.copy()
    modnet.train(network, x + 1e6, y, epochs=1)
    assert (network.state.flat == kept).all()


def test_unstandardize_lets_a_network_give_raw_targets():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    y = 5000 + 2000 * x[:, :1]
    network = modnet.build(
        {
            "network": {
                "input": [3],
                "layers": ["standardize", {"type": "linear", "out_features": 1}, "unstandardize"],
            },
            "training": {
                "loss": "mse",
                "metrics": ["r2"],
                "epochs": 60,
                "optimizer": {"type": "adam", "learning_rate": 0.02},
            },
        }
    )
    history = modnet.train(network, x, y)
    assert history.last()["r2"] > 0.999


def test_only_loss_and_metrics_are_remembered_from_one_call_to_the_next():
    x, y = blobs()
    network = modnet.build({"network": SPEC["network"]})
    stopping = {"type": "early_stopping", "patience": 1}
    modnet.train(network, x, y, loss="cross_entropy", epochs=2, callbacks=[stopping])
    history = modnet.train(network, x, y, metrics=["accuracy"])
    assert (history.epochs, history.stopped) == (10, "")
    assert set(modnet.evaluate(network, x, y)) == {"loss", "accuracy"}


def test_a_last_step_that_ruins_the_parameters_is_noticed():
    network = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})
    x, _ = blobs()
    options = {"loss": "mse", "epochs": 1, "batch_size": 1000, "optimizer": {"type": "sgd", "learning_rate": 1e38}}
    with np.errstate(all="ignore"), pytest.raises(modnet.Diverged, match="became nan or infinite by step 1"):
        modnet.train(network, 1e3 * x, x[:, :1], **options)
    network.initialize(0)
    options["optimizer"] = {"type": "sgd", "learning_rate": 1e25}
    with np.errstate(all="ignore"), pytest.raises(modnet.Diverged, match="validation loss became"):
        modnet.train(network, x, x[:, :1], validation=0.5, **options)


def test_a_layer_that_has_to_see_the_data_first_refuses_a_generator_that_runs_once():
    network = modnet.build({**SPEC, "network": {"input": [2], "layers": ["standardize", *SPEC["network"]["layers"]]}})
    with pytest.raises(modnet.DataError, match="standardize_1 learns from the data before training"):
        modnet.train(network, (batch for batch in [blobs(16)]), epochs=1)
    modnet.train(network, *blobs(), epochs=1)
    modnet.train(network, (batch for batch in [blobs(16)]), epochs=1)


@pytest.mark.parametrize("form", ["integers", "floats", "rows"])
def test_validation_is_stratified_for_labels_of_every_form(form):
    x, y = np.zeros((100, 2)), np.zeros(100, int)
    y[:4] = 1
    targets = {"integers": y, "floats": y.astype(float), "rows": np.eye(2)[y]}[form]
    network = modnet.build(SPEC)
    for seed in range(5):
        history = modnet.train(
            network, x, targets, validation=np.float32(0.25), seed=seed, epochs=1, metrics=["confusion_matrix"]
        )
        assert np.sum(history.last()["validation_confusion_matrix"], axis=1).tolist() == [24.0, 1.0]


@pytest.mark.parametrize("shape", [(100,), (100, 1)], ids=str)
def test_validation_is_stratified_for_binary_targets(shape):
    network = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}, "sigmoid"]}})
    x, y = np.zeros((100, 2)), np.zeros(shape)
    y[:4] = 1
    for seed in range(5):
        history = modnet.train(
            network,
            x,
            y,
            loss="binary_cross_entropy",
            validation=0.25,
            seed=seed,
            epochs=1,
            metrics=["confusion_matrix"],
        )
        assert np.sum(history.last()["validation_confusion_matrix"], axis=1).tolist() == [24.0, 1.0]


def test_a_class_with_one_row_is_told_and_stays_in_training():
    x, y = blobs()
    with pytest.warns(UserWarning, match="class 1 has one row, which stays in training"):
        modnet.train(modnet.build(SPEC), x, np.where(np.arange(len(y)) == 3, 1, 0), validation=0.25, epochs=1)


def test_a_class_that_only_the_validation_has_is_told():
    x, y = blobs()
    with pytest.warns(UserWarning, match="output output: class 1: no row in the training data, only in validation"):
        modnet.train(modnet.build(SPEC), x, np.zeros_like(y), validation=(x, y), epochs=1)


@pytest.mark.parametrize("validation", [1, True, "all", (1,)], ids=str)
def test_a_validation_that_makes_no_sense_is_named(validation):
    with pytest.raises(modnet.DataError, match="validation: expected a fraction between 0 and 1"):
        modnet.train(modnet.build(SPEC), *blobs(), validation=validation)


@pytest.mark.parametrize(
    "weights", [-np.ones(200), np.full(200, np.nan), np.zeros(200)], ids=["negative", "nan", "zero"]
)
def test_sample_weights_that_make_no_sense_are_refused(weights):
    with pytest.raises(modnet.DataError, match="sample weights: expected finite numbers >= 0"):
        modnet.train(modnet.build(SPEC), *blobs(), sample_weights=weights)


def test_a_mapped_network_is_not_trained(tmp_path):
    modnet.save(modnet.build(SPEC), tmp_path / "model.modnet")
    with pytest.raises(modnet.TrainingError, match="load it without mmap=True"):
        modnet.train(modnet.load(tmp_path / "model.modnet", mmap=True), *blobs())


# What can be known of targets before the first step


@pytest.mark.parametrize(
    ("loss", "end", "targets", "message"),
    [
        ("cross_entropy", "softmax", 9, "whole numbers from 0 to 1, for 2 classes, found 9 in row 777"),
        ("cross_entropy", "softmax", -1, "found -1 in row 777"),
        ("binary_cross_entropy", "sigmoid", 2.0, "expects targets from 0 to 1, found 2.0 in row 777"),
        ("poisson", "softplus", -1.0, "expects counts >= 0 as target, found -1.0 in row 777"),
        ("hinge", "tanh", 0.0, "expects targets of -1 and +1, found 0.0 in row 777"),
        ("kl_divergence", "softmax", 0.0, "rows of probabilities as target, found a sum of 0.5 in row 777"),
        ("mse", "identity", 1e39, r"1e+39 in row 777 is beyond what float32 can hold"),
    ],
)
@pytest.mark.parametrize("where", ["train", "validation", "evaluate", "mapped"])
def test_a_target_that_the_loss_cannot_take_is_told_first_with_its_row(tmp_path, loss, end, targets, message, where):
    network = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 2}, end]}})
    x, good = np.ones((1000, 2)), np.full((1000, 2), 0.5 if loss == "kl_divergence" else 1.0)
    if loss == "cross_entropy":
        good = np.zeros(1000, int)
    bad = good.copy()
    bad.reshape(1000, -1)[777, -1] = targets
    if where == "mapped":
        np.save(tmp_path / "y.npy", bad)
        bad = np.load(tmp_path / "y.npy", mmap_mode="r")
    before = network.parameters.flat.copy()
    measure = {
        "evaluate": lambda: modnet.evaluate(network, x, bad, loss=loss),
        "validation": lambda: modnet.train(network, x, good, loss=loss, epochs=1, validation=(x, bad)),
    }.get(where, lambda: modnet.train(network, x, bad, loss=loss, epochs=1))
    with pytest.raises(modnet.DataError) as caught:
        measure()
    assert message in str(caught.value)
    if where != "mapped" or bad.ndim == 1:
        assert np.array_equal(before, network.parameters.flat)


def test_of_a_fraction_for_validation_the_row_is_that_of_the_data():
    x, y = blobs()
    y = y.copy()
    y[123] = 7
    with pytest.raises(modnet.DataError, match="found 7 in row 123"):
        modnet.train(modnet.build(SPEC), x, y, epochs=1, validation=0.5)


def test_metrics_see_targets_with_their_own_precision():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1))
    y = 1.7e9 + 300 * rng.normal(size=(300, 1))
    network = modnet.build({"network": {"input": [1], "layers": [{"type": "linear", "out_features": 1}]}})
    network.parameters["linear_1.weight"][...] = 0
    network.parameters["linear_1.bias"][...] = 1.7e9
    predicted = network.predict(x).astype(np.float64)
    metrics = ["r2", "root_mean_squared_error", "mean_absolute_error"]
    found = modnet.evaluate(network, x, y, loss="mse", metrics=metrics)
    assert found["r2"] == pytest.approx(1 - np.square(predicted - y).sum() / np.square(y - y.mean()).sum(), abs=1e-9)
    assert found["root_mean_squared_error"] == pytest.approx(np.sqrt(np.square(predicted - y).mean()), rel=1e-9)
    assert found["mean_absolute_error"] == pytest.approx(np.abs(predicted - y).mean(), rel=1e-9)


@pytest.mark.parametrize("place", ["input", "target", "parameter"])
def test_evaluate_names_the_row_whose_loss_is_nan(place):
    x, y = blobs()
    x, y = x.copy(), np.eye(2)[y]
    network = modnet.build(SPEC)
    if place == "input":
        x[150, 1] = np.nan
    elif place == "target":
        y[150, 1] = np.nan
    else:
        network.parameters.flat[0] = np.nan
    row = 0 if place == "parameter" else 150
    with pytest.raises(modnet.DataError, match=f"the loss is nan: .*{'prediction' if row == 0 else place}.* row {row}"):
        modnet.evaluate(network, x, y, metrics=["accuracy"])


def rates_of(data, schedule, epochs, **arguments):
    rates = []

    class Watch(Callback, type="watch"):
        def modnet_step_ended(self, run):
            rates.append(run.learning_rate)

    optimizer = {"type": "sgd", "learning_rate": 0.01}
    network = modnet.build(SPEC)
    modnet.train(
        network, *data, optimizer=optimizer, schedule=schedule, epochs=epochs, callbacks=[Watch()], **arguments
    )
    return rates


class Sized:
    """Batches that know their number, as a DataLoader does."""

    def __init__(self, batches, length):
        self.batches, self.length = batches, length

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        if self.length is None:
            raise TypeError("this has no length")
        return self.length


MOVING = [
    "linear",
    "one_cycle",
    {"type": "cosine", "warmup_epochs": 1},
    {"type": "linear", "start_factor": 0.1, "end_factor": 1.0, "epochs": 0.5},
    {"type": "exponential", "gamma": 0.01},
]


@pytest.mark.parametrize("schedule", MOVING, ids=str)
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_schedule_goes_on_with_batches_as_with_arrays(schedule, epochs):
    x, y = blobs(160)
    batches = [(x[i : i + 16], y[i : i + 16]) for i in range(0, 160, 16)]
    expected = rates_of((x, y), schedule, epochs)
    assert rates_of((batches,), schedule, epochs) == expected
    assert rates_of((Sized(batches, 10),), schedule, epochs) == expected
    assert rates_of((lambda: iter(batches),), schedule, epochs, steps_per_epoch=10) == expected


@pytest.mark.parametrize("schedule", MOVING, ids=str)
@pytest.mark.parametrize("form", ["function", "generator", "no length"])
def test_a_stream_of_unknown_length_is_refused_where_the_schedule_needs_it(schedule, form):
    batch = blobs(16)
    stream = {
        "function": lambda: iter([batch]),
        "generator": iter([batch]),
        "no length": Sized([batch], None),
    }[form]
    network = modnet.build(SPEC)
    with pytest.raises(
        modnet.DataError,
        match=r"changes the rate .* number of batches .* unknown; give steps_per_epoch",
    ):
        modnet.train(network, stream, schedule=schedule, epochs=1)


@pytest.mark.parametrize("schedule", ["constant", {"type": "step", "every_epochs": 1}, "plateau"], ids=str)
def test_a_stream_of_unknown_length_will_do_for_schedules_that_change_between_epochs(schedule):
    batch = blobs(16)
    assert len(rates_of((lambda: iter([batch, batch]),), schedule, 2)) == 4


def test_an_epoch_with_more_batches_than_the_first_does_not_reach_into_the_next():
    batch = blobs(16)
    lengths = iter([2, 5, 2])
    rates = rates_of((lambda: iter([batch] * next(lengths)),), {"type": "step", "every_epochs": 1, "gamma": 0.1}, 3)
    np.testing.assert_allclose(rates, [0.01] * 2 + [0.001] * 5 + [0.0001] * 2)


@pytest.mark.parametrize("pair", [tuple, list], ids=["tuples", "lists"])
def test_batches_may_be_tuples_or_lists(pair):
    x, y = blobs(32)
    weights = np.ones(16)
    batches = [pair((x[:16], y[:16], weights)), pair((x[16:], y[16:]))]
    assert weights_after(batches, epochs=1) == weights_after(x, y, epochs=1)


def test_the_loader_of_torch_will_do():
    torch = pytest.importorskip("torch", reason="the parity extra is not installed")
    x, y = blobs(32)
    data = torch.utils.data.TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y))
    loader = torch.utils.data.DataLoader(data, batch_size=16)
    assert weights_after(loader, epochs=1, schedule="one_cycle") == weights_after(
        x.astype(np.float32), y, epochs=1, schedule="one_cycle"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"schedule": {"type": "plateau", "monitor": "acuracy"}},
        {"schedule": {"type": "plateau", "monitor": "accuracy", "mode": "min"}},
        {"schedule": {"type": "plateau", "monitor": "validation_accuracy"}},
        {"callbacks": [{"type": "early_stopping", "monitor": "validation_f1"}]},
        {"callbacks": [{"type": "early_stopping", "monitor": "confusion_matrix"}], "metrics": ["confusion_matrix"]},
    ],
    ids=str,
)
def test_what_cannot_be_monitored_is_known_before_the_first_step(arguments):
    network = modnet.build(SPEC)
    before = network.parameters.flat.tobytes()
    with pytest.raises(modnet.TrainingError, match=r"training\.(schedule|callbacks\[0\])\.monitor: "):
        modnet.train(network, *blobs(32), **arguments)
    assert network.parameters.flat.tobytes() == before


@pytest.mark.parametrize("output", ["validation", "validation_size"])
def test_no_figure_of_the_training_passes_for_one_of_the_validation(output):
    layers = [
        {"type": "linear", "out_features": 2, "name": "trunk"},
        {"type": "linear", "out_features": 1, "name": output},
        {"type": "linear", "out_features": 1, "inputs": ["trunk"], "name": "other"},
    ]
    network = modnet.build({"network": {"input": [2], "layers": layers, "outputs": [output, "other"]}})
    y = {output: np.zeros((8, 1)), "other": np.zeros((8, 1))}
    with pytest.raises(modnet.SpecError, match=f'would be recorded as "{output}_loss"'):
        modnet.train(network, np.zeros((8, 2)), y, loss=dict.fromkeys(y, "mse"))


def thirds(samples=48):
    x, y = blobs(samples)
    return [(part, labels) for part, labels in zip(np.split(x, 3), np.split(y, 3), strict=True)]


class Seen(Callback):
    """Keeps the parameters after each step, by which two runs can be compared batch by batch."""

    def __init__(self):
        object.__setattr__(self, "steps", [])

    def modnet_step_ended(self, run):
        self.steps.append(run.network.parameters.flat.tobytes())


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_epochs_of_a_list_go_on_where_the_one_before_stopped_and_begin_anew_at_its_end(steps, recwarn):
    batches, epochs = thirds(), 4
    expected, seen = Seen(), Seen()
    repeated = batches * (epochs * steps)
    network = modnet.build(spec(shuffle=False))
    modnet.train(network, iter(repeated), epochs=epochs, steps_per_epoch=steps, callbacks=[expected])
    history = modnet.train(
        modnet.build(spec(shuffle=False)), batches, epochs=epochs, steps_per_epoch=steps, callbacks=[seen]
    )
    assert history.epochs == epochs
    assert seen.steps == expected.steps
    assert len(seen.steps) == epochs * steps
    assert not recwarn.list


def test_layers_learn_from_all_batches_of_a_list_whatever_makes_an_epoch():
    batches = thirds()
    layers = ["standardize", *SPEC["network"]["layers"]]
    made = []
    for steps in (None, 1):
        network = modnet.build({**SPEC, "network": {**SPEC["network"], "layers": layers}})
        history = modnet.train(network, batches, epochs=3, steps_per_epoch=steps)
        assert history.epochs == 3
        made.append(network.state.flat.tobytes())
    assert made[0] == made[1]


@pytest.mark.parametrize("form", ["generator", "function"])
def test_a_stream_that_ends_before_the_epoch_is_told_of_once(form):
    batches = thirds()
    stream = {"generator": iter(batches * 2 + batches[:1]), "function": lambda: iter(batches)}[form]
    steps, epoch = {"generator": (2, 4), "function": (5, 1)}[form]
    with pytest.warns(
        UserWarning, match=f"the stream ended after .* of the {steps} batches of epoch {epoch}"
    ) as caught:
        modnet.train(modnet.build(SPEC), stream, epochs=4, steps_per_epoch=steps)
    assert len(caught) == 1


@pytest.mark.parametrize("steps", [0, -1, 2.0, "2", True])
def test_steps_of_an_epoch_are_a_whole_number(steps):
    with pytest.raises(modnet.DataError, match=r"^steps_per_epoch: expected a whole number >= 1, found "):
        modnet.train(modnet.build(SPEC), thirds(), steps_per_epoch=steps)


@pytest.mark.parametrize(("made", "found"), [(None, "nothing"), (7, "7")])
def test_a_function_that_gives_no_batches_is_named(made, found):
    with pytest.raises(modnet.DataError, match=f"^expected a function that returns batches .*; it returned {found}$"):
        modnet.train(modnet.build(SPEC), lambda: made)


@pytest.mark.parametrize("form", [lambda: thirds()[:1], lambda: iter(thirds()), lambda: thirds])
def test_batches_for_validation_alone_are_told_how_to_be_given(form):
    with pytest.raises(modnet.DataError, match=r"for batches of \(x, y\), give validation = \(batches, None\)$"):
        modnet.train(modnet.build(SPEC), *blobs(), validation=form())
    history = modnet.train(modnet.build(SPEC), *blobs(), validation=(thirds(), None))
    assert "validation_loss" in history


def test_a_validation_without_batches_is_refused_before_the_first_step():
    network = modnet.build(SPEC)
    before = network.parameters.flat.copy()
    with pytest.raises(modnet.DataError, match=r"^validation: there are no batches$"):
        modnet.train(network, *blobs(), validation=([], None))
    np.testing.assert_array_equal(network.parameters.flat, before)


def test_a_validation_that_gives_no_batches_later_is_named():
    calls = []

    def batches():
        calls.append(1)
        return thirds()[: len(calls) < 2]

    with pytest.raises(
        modnet.DataError, match=r'^validation: there is nothing to measure: output "output" has no samp'
    ):
        modnet.train(modnet.build(SPEC), *blobs(), validation=(batches, None))


def test_figures_of_an_earlier_training_do_not_stay_where_an_error_ends_the_next():
    class Fails(Callback):
        def modnet_epoch_ended(self, run):
            if run.epoch == 2:
                raise RuntimeError("no more")

    network = modnet.build(SPEC)
    first = modnet.train(network, *blobs()).figures
    with pytest.raises(RuntimeError, match="no more"):
        modnet.train(network, *blobs(seed=3), metrics=[], callbacks=[Fails()])
    assert len(network.card.history["loss"]) == 2
    assert set(network.card.metrics) == {"loss"}
    assert network.card.metrics["loss"] == network.card.history["loss"][-1] != first["loss"][-1]


def test_plateau_cannot_watch_a_figure_of_several_numbers():
    schedule = {"type": "plateau", "monitor": "confusion_matrix", "mode": "min"}
    with pytest.raises(modnet.TrainingError, match='"confusion_matrix", which has several numbers for each epoch'):
        modnet.train(modnet.build(SPEC), *blobs(), metrics=["confusion_matrix"], schedule=schedule)


@pytest.mark.parametrize("x", [None, Sized([], 0)])
def test_what_is_no_array_is_not_called_one_of_objects(x):
    with pytest.raises(modnet.DataError, match=r'^input "input": expected an array of numbers, found (None|a Sized)$'):
        modnet.train(modnet.build(SPEC), x, blobs()[1])


@pytest.mark.parametrize("clipping", [None, 1.0])
def test_a_loss_that_overflows_before_any_step_is_no_matter_of_the_learning_rate(clipping):
    x, y = blobs()
    layers = [{"type": "linear", "out_features": 1}]
    network = modnet.build({"network": {"input": [2], "layers": layers}}, seed=1)
    with np.errstate(over="ignore"), pytest.raises(modnet.Diverged, match="loss became infinite at step 1") as caught:
        modnet.train(network, x, 1e30 * y[:, None], loss="mse", gradient_clipping=clipping)
    assert "learning_rate" not in str(caught.value)
    assert "the weights have not changed yet: scale inputs and targets" in str(caught.value)
    with np.errstate(all="ignore"), pytest.raises(modnet.Diverged, match="try a smaller learning_rate"):
        modnet.train(network, x, y[:, None], loss="mse", optimizer={"type": "sgd", "learning_rate": 1e30})

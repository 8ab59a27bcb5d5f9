"""Runs that several processes share give what one process gives. Threads stand for the processes here."""

import threading
from itertools import pairwise

import numpy as np
import pytest

import modnet
from modnet import Callback, Layer, Loss
from modnet.training.mixup import Mixup
from tests.training.teams import Shared, Team

RNG = np.random.default_rng(0)
X = RNG.standard_normal((61, 5))
LABELS = (X[:, 0] + X[:, 1] ** 2 > 1).astype(np.int64) + (X[:, 2] > 0)
NUMBERS = np.sin(X[:, :2]) * 3 + 100
IDS = RNG.integers(1, 7, (61, 6))
IDS[np.arange(6) >= RNG.integers(1, 7, (61, 1))] = 0
IDS[:20] = RNG.integers(1, 7, (20, 6))  # whole sequences: some parts of a batch then have no steps to leave out


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


DROPOUT = {"type": "dropout", "rate": 0.3}
MLP = ["standardize", linear(8, activation="relu", l1=0.001), "batch_norm", DROPOUT]
CLASSES = [*MLP, linear(6, l2=0.01), {"type": "gaussian_noise"}, linear(3), "softmax"]
CLASS_WEIGHTS = {"type": "cross_entropy", "class_weights": [1.0, 2.0, 5.0]}
EMBEDDING = {"type": "embedding", "vocabulary_size": 7, "embedding_size": 4, "padding": 0}


class Spread(Loss, type="spread"):
    """A loss of a whole batch: how far it is from the mean and the deviation of the targets."""

    couples = True

    def batch(self, context, prediction, target, weights):
        wrong = prediction.mean(axis=0) - target.mean(axis=0), prediction.std(axis=0) - target.std(axis=0)
        centred = (prediction - prediction.mean(axis=0)) / np.maximum(prediction.std(axis=0), 1e-9)
        gradient = 2 * (wrong[0] + wrong[1] * centred) / len(prediction)
        return float(sum((part**2).sum() for part in wrong)), gradient


class Sharpness(Callback):
    """Takes the gradient at other weights."""

    def modnet_reduce_gradients(self, run, gradients):
        weights = run.network.parameters.flat
        kept = weights.copy()
        weights += 0.05 * gradients / np.linalg.norm(gradients)
        run.recompute()
        weights[...] = kept


def network(layers, shape=(5,), **options):
    return {"network": {"input": list(shape), "dtype": "float64", "layers": layers, **options}}


WEIGHTS = RNG.integers(0, 3, 61).astype(float)
WEIGHTS[:24] = 0
TWO_OUTPUTS = {
    "network": {
        "input": [5],
        "dtype": "float64",
        "layers": [
            linear(6, name="shared", activation="tanh"),
            linear(3, name="kind", inputs=["shared"], activation="softmax"),
            linear(2, name="number", inputs=["shared"]),
        ],
        "outputs": ["kind", "number"],
    }
}
STEPS = {"type": "linear", "out_features": 3, "activation": "softmax"}

CASES = {
    "classes": (network(CLASSES), X, LABELS, {"loss": "cross_entropy", "metrics": ["accuracy", "auc"]}),
    "clipped": (
        network(CLASSES),
        X,
        LABELS,
        {"loss": CLASS_WEIGHTS, "gradient_clipping": 0.3, "gradient_value_clipping": 0.2, "metrics": ["accuracy"]},
    ),
    "weights": (network(CLASSES), X, LABELS, {"loss": "cross_entropy", "sample_weights": WEIGHTS, "shuffle": False}),
    "accumulated": (
        network(CLASSES),
        X,
        LABELS,
        {"loss": CLASS_WEIGHTS, "accumulate": 3, "schedule": {"type": "plateau", "patience": 1}, "epochs": 6},
    ),
    "numbers": (network([*MLP, linear(2), "unstandardize"]), X, NUMBERS, {"loss": "huber", "metrics": ["r2"]}),
    "two outputs": (
        TWO_OUTPUTS,
        X,
        {"kind": LABELS, "number": NUMBERS},
        {
            "loss": {"kind": "cross_entropy", "number": {"type": "mse", "weight": 0.01}},
            "metrics": {"kind": ["accuracy"]},
        },
    ),
    "members": (network(CLASSES, members=3), X, LABELS, {"loss": CLASS_WEIGHTS, "metrics": ["accuracy"]}),
    "members in folds": (
        network([linear(6, activation="relu"), linear(3), "softmax"], members=3),
        X,
        LABELS,
        {"loss": "cross_entropy", "validation": "member_folds"},
    ),
    "steps with a mask": (
        network([EMBEDDING, "batch_norm", DROPOUT, STEPS], (6,)),
        IDS,
        IDS % 3,
        {"loss": "cross_entropy", "metrics": ["accuracy"]},
    ),
    "a loss of the batch": (network([*MLP, linear(2)]), X, NUMBERS / 100, {"loss": Spread()}),
    "mixup": (network(CLASSES), X, LABELS, {"loss": "cross_entropy", "callbacks": [Mixup(alpha=0.4)]}),
    "another gradient": (network(CLASSES), X, LABELS, {"loss": "cross_entropy", "callbacks": [Sharpness()]}),
    "an average": (
        network(CLASSES),
        X,
        LABELS,
        {"loss": "cross_entropy", "callbacks": [{"type": "ema", "decay": 0.9}]},
    ),
}


def trained(spec, x, y, *, callbacks=(), optimizer="adam", epochs=4, validation=0.2, **options):
    stopping = {"type": "early_stopping", "patience": 2, "minimum_delta": 0.02}
    history = modnet.train(
        modnet.build(spec, seed=3),
        x,
        y,
        callbacks=[Shared(), *callbacks, stopping],
        optimizer=optimizer,
        epochs=epochs,
        batch_size=12,
        validation=validation,
        seed=4,
        **options,
    )
    return history.network, history


def assert_same(found, expected, rtol=1e-9):
    (network, history), (alone, known) = found, expected
    for mine, theirs in ((network.parameters, alone.parameters), (network.state, alone.state)):
        np.testing.assert_allclose(mine.flat, theirs.flat, rtol=rtol, atol=1e-12)
    assert history.figures.keys() == known.figures.keys()
    for name, values in history.figures.items():
        np.testing.assert_allclose(values, known.figures[name], rtol=rtol, atol=1e-12, err_msg=name)
    assert (history.best_epoch, history.best_epochs, history.stopped) == (
        known.best_epoch,
        known.best_epochs,
        known.stopped,
    )


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("case", CASES)
def test_the_result_is_that_of_one_process(case, size):
    spec, x, y, options = CASES[case]
    alone = trained(spec, x, y, **options)
    assert alone[1].epochs > 1
    found = Team(size).run(lambda rank: trained(spec, x, y, **options))
    for mine in found:
        assert_same(mine, alone)
    for one, other in pairwise(found):
        assert one[0].parameters.flat.tobytes() == other[0].parameters.flat.tobytes()
        assert one[0].state.flat.tobytes() == other[0].state.flat.tobytes()


@pytest.mark.parametrize(
    "given",
    [
        lambda folder: [(X[rows], LABELS[rows]) for rows in (slice(0, 20), slice(20, 23), slice(23, 61))],
        lambda folder: lambda: ((X[first:][:9], LABELS[first:][:9], WEIGHTS[first:][:9]) for first in range(0, 61, 9)),
    ],
    ids=["a list", "a function, with weights"],
)
def test_every_process_trains_with_its_rows_of_the_batches_of_a_stream(given, tmp_path):
    spec, options = network(CLASSES), {"loss": "cross_entropy", "validation": (X[:7], LABELS[:7])}
    alone = trained(spec, given(tmp_path), None, **options)
    for mine in Team(2).run(lambda rank: trained(spec, given(tmp_path), None, **options)):
        assert_same(mine, alone)


def test_of_a_mapped_file_a_process_reads_its_own_rows_alone(tmp_path):
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = modnet.datasets.dataset.Dataset({"x": x}, {"y": LABELS}).batches(12)
    whole = [batch.copy() for batch in batches.epoch(np.random.default_rng(1))]

    def parts(rank):
        own = modnet.datasets.dataset.Dataset({"x": x}, {"y": LABELS}).batches(12)
        return [batch.copy() for batch in own.epoch(np.random.default_rng(1), processes=Shared().processes())]

    for batch, *shared in zip(whole, *Team(3).run(parts), strict=True):
        assert [len(part) for part in shared] == ([4, 4, 4] if len(batch) == 12 else [0, 0, 1])
        np.testing.assert_array_equal(np.concatenate([part.inputs[0] for part in shared]), batch.inputs[0])
        np.testing.assert_array_equal(np.concatenate([part.targets["y"] for part in shared]), batch.targets["y"])
        np.testing.assert_array_equal(np.concatenate([part.rows for part in shared]), batch.rows)


class StopsOne(Callback):
    """One process is asked to stop, as by a signal."""

    def __init__(self, rank: int) -> None:
        self.__dict__["rank"] = rank

    def modnet_step_ended(self, run):
        if run.processes.rank == self.rank and run.step == 6:
            run.terminate()


def test_all_processes_stop_after_the_same_step():
    def work(rank):
        return trained(network(CLASSES), X, LABELS, loss="cross_entropy", callbacks=[StopsOne(1)])

    found = Team(3).run(work)
    assert {history.stopped for _, history in found} == {"terminated"}
    assert {history.epochs for _, history in found} == {1}
    assert len({mine.parameters.flat.tobytes() for mine, _ in found}) == 1


@pytest.mark.parametrize("every", [{"every_steps": 6}, {"every_epochs": 1}])
@pytest.mark.parametrize("sizes", [(3, 3), (2, 3), (3, 1), (1, 2)])
def test_a_run_is_resumed_by_any_number_of_processes(sizes, every, tmp_path):
    kept = {"type": "checkpoint", "directory": str(tmp_path), "keep": 9, **every}
    spec, options = network(CLASSES), {"loss": "cross_entropy", "metrics": ["auc"], "accumulate": 2, "epochs": 3}

    def run(size, **more):
        def work(rank):
            return trained(spec, X, LABELS, callbacks=[kept], **options, **more)

        return Team(size).run(work) if size > 1 else [work(0)]

    whole = run(sizes[0])
    files = sorted(tmp_path.iterdir())
    assert len(files) == (1 if "every_steps" in every else 3)
    again = run(sizes[1], resume=files[0])
    for mine in again:
        assert_same(mine, whole[0])
    if sizes[0] == sizes[1]:
        assert again[0][0].parameters.flat.tobytes() == whole[0][0].parameters.flat.tobytes()


def test_only_the_first_process_writes(tmp_path):
    log = {"type": "json_log", "path": str(tmp_path / "log.jsonl")}
    trained_ones = Team(3).run(
        lambda rank: trained(network(CLASSES), X, LABELS, loss="cross_entropy", callbacks=[log])[1]
    )
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == trained_ones[0].epochs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"x": X + 1},
            "before the first step, process 1 of 2 has other training input, validation input than process 0",
        ),
        ({"spec": network([linear(4), linear(3), "softmax"])}, "process 1 of 2 has other weights than process 0"),
        ({"validation": 0.3}, "has other training choice of rows, validation choice of rows than process 0"),
    ],
)
def test_processes_that_train_something_else_are_refused(change, message):
    def work(rank):
        given = {"spec": network([linear(3), "softmax"]), "x": X, "validation": 0.2} | (change if rank == 1 else {})
        return trained(given["spec"], given["x"], LABELS, loss="cross_entropy", validation=given["validation"])

    with pytest.raises(modnet.TrainingError, match=message):
        Team(2).run(work)


def test_weights_that_have_come_apart_are_noticed_at_the_end_of_the_epoch():
    class Alone(Callback):
        def modnet_step_ended(self, run):
            if run.processes.rank == 1:
                run.network.parameters.flat[0] += 1e-9

    def work(rank):
        return trained(network(CLASSES), X, LABELS, loss="cross_entropy", callbacks=[Alone()])

    with pytest.raises(modnet.TrainingError, match="after epoch 1, process 1 of 2 has other weights than process 0"):
        Team(2).run(work)


def test_a_layer_that_needs_whole_batches_is_refused():
    class Ranks(Layer, type="ranks"):
        divisible = False

        def output_shape(self, *input_shapes):
            return input_shapes[0]

        def forward(self, context, x):
            return np.argsort(np.argsort(x, axis=0), axis=0) / len(x)

    def work(rank):
        return trained(
            network([linear(4, trainable=False), Ranks(), linear(3), "softmax"]), X, LABELS, loss="cross_entropy"
        )

    with pytest.raises(modnet.TrainingError, match=r"ranks.* needs whole batches in training"):
        Team(2).run(work)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rng, x: rng.permutation(len(x)), r"draws by rng\.permutation"),
        (lambda rng, x: rng.random(()), r"draws an array of shape \(\) by rng\.random for 6 rows"),
        (lambda rng, x: rng.random((3, *x.shape)), r"draws an array of shape \(3, 6, 5\) by rng\.random for 6 rows"),
    ],
)
def test_random_numbers_that_are_not_of_rows_are_refused(draw, message):
    class Draws(Layer):
        def output_shape(self, *input_shapes):
            return input_shapes[0]

        def forward(self, context, x):
            if context.training:
                draw(context.rng, x)
            return x

    def work(rank):
        return trained(network([Draws(), linear(3), "softmax"]), X, LABELS, loss="cross_entropy")

    with pytest.raises(modnet.TrainingError, match=message):
        Team(2).run(work)


def test_a_loss_that_is_not_finite_is_told_by_all_processes_alike():
    def work(rank):
        with np.errstate(all="ignore"), pytest.raises(modnet.Diverged, match="at step 2 "):
            trained(
                network([linear(3), linear(1)]),
                X,
                NUMBERS[:, :1],
                loss="mse",
                optimizer={"type": "sgd", "learning_rate": 1e100},
                validation=None,
            )
        return True

    assert Team(2).run(work) == [True, True]


def test_the_team_ends_where_one_of_it_fails():
    class Fails(Callback):
        def modnet_step_ended(self, run):
            if run.processes.rank == 1:
                raise RuntimeError("the disk is full")

    before = set(threading.enumerate())  # other tests may have left threads that stay, as those of a pool
    with pytest.raises(RuntimeError, match="the disk is full"):
        Team(3).run(lambda rank: trained(network(CLASSES), X, LABELS, loss="cross_entropy", callbacks=[Fails()]))
    assert set(threading.enumerate()) <= before

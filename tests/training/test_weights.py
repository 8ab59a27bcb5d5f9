"""What counts in a loss: weights of samples, of classes and of steps, masks, and batches in which nothing does."""

import math
import warnings

import numpy as np
import pytest

import modnet
from modnet import Loss, Metric
from modnet.datasets.dataset import Dataset
from modnet.plugins.registry import default_registry

IDS = np.array([[1, 2, 3, 0, 0], [4, 1, 0, 0, 0], [2, 2, 3, 4, 1], [3, 0, 0, 0, 0]])
LABELS = np.random.default_rng(0).integers(0, 2, IDS.shape)
COUNTED = IDS > 0
EMBEDDING = {"type": "embedding", "vocabulary_size": 5, "embedding_size": 4, "padding": 0}
METRICS = ["accuracy", "f1", "auc", "top_k_accuracy", "confusion_matrix"]


class LongestRun(Loss, type="longest_run"):
    """A stranger's loss that takes a sequence together."""

    def values(self, prediction, target):
        return np.square(prediction - target).mean(axis=(1, 2))

    def gradient(self, prediction, target):
        return 2 * (prediction - target) / prediction[0].size


class Sequences(Metric, type="sequences"):
    """A stranger's metric that counts sequences."""

    def start(self):
        return 0

    def update(self, accumulator, prediction, target, weights):
        return accumulator + len(prediction)

    def result(self, accumulator):
        return float(accumulator)


@pytest.fixture(autouse=True)
def strangers(monkeypatch):
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    registry = default_registry()
    registry.register(LongestRun)
    registry.register(Sequences)


def tagger(padding=True, units=2, end="softmax", dtype="float64"):
    embedding = EMBEDDING if padding else {**EMBEDDING, "padding": None}
    layers = [embedding, {"type": "linear", "out_features": units}, *[end] * (end is not None)]
    return modnet.build({"network": {"input": ["variable"], "dtype": dtype, "layers": layers}}, seed=3)


def line(**options):
    layers = [{"type": "linear", "out_features": 1}]
    return modnet.build({"network": {"input": [2], "layers": layers, **options}}, seed=3)


def same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-6, err_msg=name)


# Steps


def test_padded_steps_do_not_count():
    other = np.where(COUNTED, LABELS, 1 - LABELS)
    found = modnet.evaluate(tagger(), IDS, LABELS, loss="cross_entropy", metrics=METRICS)
    same(found, modnet.evaluate(tagger(), IDS, other, loss="cross_entropy", metrics=METRICS))
    p = tagger().predict(IDS)
    own = np.take_along_axis(p, LABELS[..., None], -1)[..., 0][COUNTED]
    assert found["loss"] == pytest.approx(-np.log(own).mean())
    assert found["accuracy"] == pytest.approx((p.argmax(-1) == LABELS)[COUNTED].mean())
    assert found["confusion_matrix"].sum() == COUNTED.sum()


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("loss", ["cross_entropy", {"type": "cross_entropy", "class_weights": [1.0, 3.0]}], ids=str)
def test_every_step_counts_alike_however_the_sequences_are_cut_into_batches(loss, weighted):
    """Also where a batch happens to have no padded step."""
    ids, labels = (np.concatenate([part, part[2:3], part[2:3]]) for part in (IDS, LABELS))
    weights = np.array([1.0, 2.0, 0.5, 1.5, 3.0, 0.0]) if weighted else None
    found = [
        modnet.evaluate(
            tagger(), ids, labels, loss=loss, metrics=["accuracy", "f1"], batch_size=size, sample_weights=weights
        )
        for size in (6, 4, 3, 2, 1)
    ]
    for figures in found[1:]:
        same(found[0], figures)


def test_targets_of_padded_steps_may_be_anything():
    other = np.where(COUNTED, LABELS, -100)
    same(
        modnet.evaluate(tagger(), IDS, LABELS, loss="cross_entropy"),
        modnet.evaluate(tagger(), IDS, other, loss="cross_entropy"),
    )
    modnet.train(tagger(), IDS, other, loss="cross_entropy", epochs=1, validation=(IDS, other))


@pytest.mark.parametrize(
    ("loss", "units", "end"),
    [
        ("cross_entropy", 2, "softmax"),
        ({"type": "cross_entropy", "class_weights": [1.0, 3.0], "label_smoothing": 0.1}, 2, "softmax"),
        ("binary_cross_entropy", 1, "sigmoid"),
        ("mse", 2, None),
        ("cosine", 2, "tanh"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else str(value),
)
@pytest.mark.parametrize("stream", [False, True], ids=["arrays", "stream"])
def test_longer_padding_changes_nothing(loss, units, end, stream):
    targets = LABELS if end in ("softmax", "sigmoid") else np.random.default_rng(1).normal(size=(*IDS.shape, units))
    longer = np.pad(IDS, ((0, 0), (0, 4)))
    wider = np.pad(targets, ((0, 0), (0, 4)) + ((0, 0),) * (targets.ndim - 2), constant_values=1)
    results = []
    for x, y in ((IDS, targets), (longer, wider)):
        built = tagger(units=units, end=end)
        data = ([(x, y)],) if stream else (x, y)
        history = modnet.train(built, *data, loss=loss, epochs=3, batch_size=4, shuffle=False)
        results.append((history["loss"], built.parameters.flat.copy()))
    np.testing.assert_allclose(results[0][0], results[1][0])
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-10, atol=1e-12)


def test_weights_of_steps_do_what_a_mask_does():
    weights = COUNTED.astype(float)
    for stream in (False, True):
        masked, weighted = tagger(), tagger(padding=False)
        options = {"loss": "cross_entropy", "epochs": 3, "batch_size": 2, "shuffle": False, "metrics": ["accuracy"]}
        parts = [(IDS[i : i + 2], LABELS[i : i + 2], weights[i : i + 2]) for i in (0, 2)]
        first = modnet.train(masked, IDS, LABELS, validation=(IDS, LABELS), **options)
        if stream:
            second = modnet.train(weighted, parts, validation=(IDS, LABELS, weights), **options)
        else:
            validation = (IDS, LABELS, weights)
            second = modnet.train(weighted, IDS, LABELS, validation=validation, sample_weights=weights, **options)
        same(dict(first.figures), dict(second.figures))
        # The row of the embedding that stands for padding is not learnt in either.
        np.testing.assert_allclose(
            masked.parameters["embedding_1.weight"][1:], weighted.parameters["embedding_1.weight"][1:]
        )


def test_weights_of_steps_are_torchs():
    torch = pytest.importorskip("torch", reason="install the extra parity")
    weights = np.random.default_rng(1).uniform(0, 2, IDS.shape)
    p = tagger(padding=False).predict(IDS)
    values = torch.nn.functional.nll_loss(
        torch.tensor(np.log(p)).movedim(-1, 1), torch.tensor(LABELS), reduction="none"
    ).numpy()
    found = modnet.evaluate(tagger(padding=False), IDS, LABELS, loss="cross_entropy", sample_weights=weights)
    assert found["loss"] == pytest.approx((values * weights).sum() / weights.sum())


def test_weights_of_samples_and_a_mask_go_together():
    weights = np.array([1.0, 2.0, 0.0, 0.5])
    both = modnet.evaluate(tagger(), IDS, LABELS, loss="cross_entropy", metrics=["accuracy"], sample_weights=weights)
    steps = COUNTED * weights[:, None]
    same(
        both,
        modnet.evaluate(
            tagger(padding=False), IDS, LABELS, loss="cross_entropy", metrics=["accuracy"], sample_weights=steps
        ),
    )


def test_a_strangers_loss_or_metric_gets_whole_sequences():
    y = np.ones((*IDS.shape, 2))
    found = modnet.evaluate(tagger(end=None), IDS, y, loss="longest_run", metrics=["sequences"])
    prediction = tagger(end=None).predict(IDS)
    assert found["loss"] == pytest.approx(np.square(prediction - 1).mean())
    assert found["sequences"] == 4
    for options in ({"loss": "longest_run"}, {"loss": "mse", "metrics": ["sequences"]}):
        with pytest.raises(modnet.DataError, match="takes a weight for each sample, not one for each step"):
            modnet.evaluate(tagger(end=None), IDS, y, sample_weights=np.ones(IDS.shape), **options)


@pytest.mark.parametrize("shape", [(4, 4), (4, 6), (4, 5, 1)])
def test_weights_of_other_steps_are_refused(shape):
    with pytest.raises(modnet.DataError, match=r"sample weights: expected shape \(4,\), .*or \(4, (5|steps)\)"):
        modnet.train(tagger(), IDS, LABELS, loss="cross_entropy", epochs=1, sample_weights=np.ones(shape))


# Nothing


def test_a_mean_over_nothing_is_no_number():
    network, ids = tagger(), np.zeros((4, 5), int)
    with pytest.raises(modnet.DataError, match="nothing to measure"):
        modnet.evaluate(network, ids, LABELS, loss="cross_entropy")
    with pytest.raises(modnet.DataError, match="nothing to measure"):
        modnet.evaluate(line(), [], loss="mse")


@pytest.mark.parametrize("metric", [*METRICS, "precision", "recall"])
def test_metrics_of_nothing_are_no_number(metric):
    found = default_registry().find(Metric, metric)()
    accumulator = found.update(found.start(), np.ones((3, 2)) / 2, np.array([0, 1, 1]), np.zeros(3))
    if metric == "confusion_matrix":
        assert found.result(accumulator).sum() == 0
    else:
        assert math.isnan(found.result(accumulator))


def test_validation_without_weights_is_told_before_the_first_step():
    x, y = np.ones((8, 2)), np.zeros((8, 1))
    built = line()
    before = built.parameters.flat.copy()
    with pytest.raises(modnet.DataError, match="some above 0; all of these rows have weight 0"):
        modnet.train(built, x, y, loss="mse", epochs=1, validation=(x, y, np.zeros(8)))
    assert np.array_equal(before, built.parameters.flat)


def test_class_weights_that_leave_no_validation_are_told_before_the_first_step():
    layers = [{"type": "linear", "out_features": 2}, "softmax"]
    built = modnet.build({"network": {"input": [2], "layers": layers}})
    loss = {"type": "cross_entropy", "class_weights": [1.0, 0.0]}
    before = built.parameters.flat.copy()
    x = np.ones((4, 2))
    with pytest.raises(modnet.DataError, match="no sample has a weight: the class weights of cross_entropy are 0"):
        modnet.train(built, x, np.array([0, 1, 0, 1]), loss=loss, epochs=1, validation=(x, np.ones(4, int)))
    assert np.array_equal(before, built.parameters.flat)


@pytest.mark.parametrize("nothing", ["no rows", "no weights"])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_a_batch_of_nothing_makes_no_step(nothing, l2):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2))
    y, w = x[:, :1], np.ones(64)
    empty = (x[:0], y[:0], w[:0]) if nothing == "no rows" else (x, y, 0 * w)
    results = []
    for batches in ([(x, y, w)], [empty, (x, y, w), empty]):
        layers = ["standardize", {"type": "linear", "out_features": 1, "l2": l2}, "batch_norm"]
        built = modnet.build({"network": {"input": [2], "layers": layers}})
        if nothing == "no weights":
            layers.pop(0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            history = modnet.train(built, batches, loss="mse", epochs=3, optimizer="adam")
        results.append((built.parameters.flat.copy(), built.state.flat.copy(), history["loss"]))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    if nothing == "no rows":
        np.testing.assert_array_equal(results[0][1], results[1][1])
    if not l2:
        np.testing.assert_array_equal(results[0][2], results[1][2])


def test_batches_of_nothing_alone_are_no_training():
    x, y = np.ones((4, 2)), np.ones((4, 1))
    for batch in ((x[:0], y[:0]), (x, y, np.zeros(4))):
        with pytest.raises(modnet.DataError, match="no sample to train on has a weight"):
            modnet.train(line(), [batch, batch], loss="mse", epochs=1)


# Weights that are none


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([-1, 1, 1, 1], "expected finite numbers >= 0, found -1 in row 0"),
        ([1, np.nan, 1, 1], "found nan in row 1"),
        ([1, 1, np.inf, 1], "found inf in row 2"),
        ([[1], [1], [1], [1]], r"expected shape \(4,\), a weight for each sample, found \(4, 1\)"),
        ([1, 1, 1], r"found \(3,\)"),
        ([1, 1, 1, 1, 1], r"found \(5,\)"),
        (["a", "b", "c", "d"], "expected numbers, found text"),
        ([[1, 2], [1]], "found rows of different lengths"),
        (1.0, r"found \(\)"),
        (np.ma.array([1.0, 1, 1, 1], mask=[0, 0, 1, 0]), "the element at row 2 is masked"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["arrays", "stream"])
def test_weights_that_are_none_are_refused(weights, message, stream):
    x, y = np.ones((4, 2)), np.ones((4, 1))
    built = line()
    before = built.parameters.flat.copy()
    data = ([(x, y, weights)],) if stream else (x, y)
    with pytest.raises(modnet.DataError, match=f"sample weights: .*{message}"):
        modnet.train(built, *data, loss="mse", epochs=1, sample_weights=None if stream else weights)
    assert np.array_equal(before, built.parameters.flat)


def test_class_weights_and_label_smoothing_are_torchs_in_training():
    torch = pytest.importorskip("torch", reason="install the extra parity")
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(6, 2)), np.array([0, 1, 2, 1, 1, 0]), rng.normal(size=(2, 3))
    weights = [1.0, 0.0, 3.0]
    theirs = torch.tensor(w, requires_grad=True)
    options = {"weight": torch.tensor(weights, dtype=torch.float64), "label_smoothing": 0.1}
    value = torch.nn.CrossEntropyLoss(**options)(torch.tensor(x) @ theirs, torch.tensor(y))
    value.backward()
    layers = [{"type": "linear", "out_features": 3, "bias": False}, "softmax"]
    built = modnet.build({"network": {"input": [2], "dtype": "float64", "layers": layers}})
    built.parameters["linear_1.weight"][...] = w
    loss = {"type": "cross_entropy", "class_weights": weights, "label_smoothing": 0.1}
    history = modnet.train(built, x, y, loss=loss, optimizer={"type": "sgd", "learning_rate": 1.0}, epochs=1)
    assert history["loss"][0] == pytest.approx(value.item())
    np.testing.assert_allclose(w - built.parameters["linear_1.weight"], theirs.grad.numpy())


@pytest.mark.parametrize("stream", [False, True], ids=["arrays", "stream"])
@pytest.mark.parametrize("by_step", [False, True], ids=["samples", "steps"])
def test_scales_are_learnt_from_samples_with_a_weight(stream, by_step):
    """Such as targets of -9999, which stand for none."""
    rng = np.random.default_rng(0)
    x, y, weights = rng.normal(size=(12, 3, 2)), rng.normal(size=(12, 3, 1)), np.tile([1.0, 0.5, 0.0], 4)
    weights[-3:] = 0  # a batch of its own
    x[weights == 0], y[weights == 0] = 1e6, -9999
    steps = np.repeat(weights[:, None], 3, axis=1) if by_step else weights
    layers = ["standardize", {"type": "linear", "out_features": 1}, "unstandardize"]
    network = modnet.build({"network": {"input": [3, 2], "layers": layers, "dtype": "float64"}})
    parts = [(x[i : i + 3], y[i : i + 3], steps[i : i + 3]) for i in range(0, 12, 3)]
    data, options = ((parts,), {}) if stream else ((x, y), {"sample_weights": steps, "batch_size": 3})
    modnet.train(network, *data, loss="mse", epochs=1, **options)
    for name, array in (("standardize_1", x), ("unstandardize_1", y)):
        expected = array[weights > 0].reshape(-1, array.shape[-1])
        assert network.state[f"{name}.samples"] == len(expected)
        np.testing.assert_allclose(network.state[f"{name}.mean"], expected.mean(axis=0))
        np.testing.assert_allclose(network.state[f"{name}.deviation"], expected.std(axis=0))


@pytest.mark.parametrize("masked", [False, True])
def test_steps_of_weight_0_have_no_part_in_the_scale_of_the_targets(masked):
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 9, (6, 5))
    weights = rng.integers(0, 3, (6, 5)).astype(float)
    weights[2] = 0
    counted = weights > 0
    if masked:
        ids[:4, 3:] = 0
        counted &= ids > 0
    y = rng.normal(50, 2, (6, 5, 1))
    y[~counted] = 1e6
    embedding = {"type": "embedding", "vocabulary_size": 9, "embedding_size": 2, "padding": 0 if masked else None}
    embedding = {key: value for key, value in embedding.items() if value is not None}
    layers = [embedding, {"type": "linear", "out_features": 1}, "unstandardize"]
    network = modnet.build({"network": {"input": ["variable"], "layers": layers, "dtype": "float64"}})
    modnet.train(network, ids, y, sample_weights=weights, loss="mse", epochs=1, batch_size=2)
    assert network.state["unstandardize_1.samples"] == counted.sum()
    np.testing.assert_allclose(network.state["unstandardize_1.mean"], y[counted].mean())
    np.testing.assert_allclose(network.state["unstandardize_1.deviation"], y[counted].std())


def test_weights_of_steps_that_the_targets_do_not_have_are_refused():
    layers = [{"type": "linear", "out_features": 1}, "unstandardize"]
    network = modnet.build({"network": {"input": [5, 2], "layers": layers}})
    with pytest.raises(modnet.DataError, match=r"or \(4, 5\), one for each step, found \(4, 3\)"):
        modnet.train(network, np.ones((4, 5, 2)), np.ones((4, 5, 1)), sample_weights=np.ones((4, 3)), loss="mse")


# Arguments that would act on nothing


BATCHES = [(np.eye(2), np.zeros((2, 1)))] * 3


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (
            (BATCHES,),
            {"sample_weights": [1, 2]},
            r"^sample weights of a stream come with its batches: \(x, y, weights\)",
        ),
        ((np.eye(2), np.zeros((2, 1))), {"steps_per_epoch": 2}, "^steps_per_epoch is only for streams of batches"),
        (
            (Dataset({"input": np.eye(2)}, {"output": np.zeros((2, 1))}),),
            {"sample_weights": [1, 2]},
            "^sample_weights cannot be given with a D",
        ),
        (
            (Dataset({"input": np.eye(2)}, {"output": np.zeros((2, 1))}), np.ones((2, 1))),
            {},
            "^y cannot be given with a Dataset",
        ),
        (BATCHES[0], {"validation": (BATCHES, None, [1, 2])}, "^validation: sample weights of a stream"),
    ],
)
def test_what_nobody_would_look_at_is_refused(data, arguments, message):
    with pytest.raises(modnet.DataError, match=message):
        modnet.train(line(), *data, loss="mse", epochs=1, **arguments)
    if "sample_weights" in arguments:
        with pytest.raises(modnet.DataError, match=message):
            modnet.evaluate(line(), *data, loss="mse", **arguments)

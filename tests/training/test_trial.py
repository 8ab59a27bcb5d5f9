"""What is known of the data before the first step: every row that cannot be taken is named, and nothing is changed."""

import re
import tracemalloc

import numpy as np
import pytest

import modnet
from modnet import Callback
from modnet.datasets.dataset import Dataset
from modnet.training.evaluation import Evaluation
from modnet.training.objective import Objective
from modnet.training.trial import look_over
from tests.training.problem import SPEC, blobs

steps: list[int] = []


class Count(Callback, type="count"):
    def modnet_step_ended(self, run):
        steps.append(run.step)


def refused(message, x, y=None, spec=SPEC, error=modnet.DataError, **arguments):
    steps.clear()
    with pytest.raises(error, match=re.escape(message) if message else None):
        modnet.train(modnet.build(spec), x, y, epochs=1, callbacks=[Count()], **arguments)
    assert steps == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 7, 150, 199])
def test_a_number_that_is_not_finite_is_named_with_its_row(value, row):
    spec = {"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}, "training": {"loss": "mse"}}
    x, _ = blobs(200)
    bad, y = x.copy(), x[:, :1]
    bad[row, 1] = value
    what = "nan" if np.isnan(value) else "an infinite number"
    refused(f'training data: input "input" contains {what} in row {row}', bad, y, spec)
    refused(f'validation data: input "input" contains {what} in row {row}', x, y, spec, validation=(bad, y))


def test_a_target_that_is_not_finite_is_named_with_its_row():
    spec = {"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}, "training": {"loss": "mse"}}
    x, _ = blobs(40)
    y = x[:, :1].copy()
    y[33] = np.nan
    refused('training data: the target of "output" contains nan in row 33', x, y, spec)
    refused('validation data: the target of "output" contains nan in row 33', x, x[:, :1], spec, validation=(x, y))


@pytest.mark.parametrize("where", ["training", "validation", "fraction"])
def test_a_label_that_is_no_class_is_named_with_its_row(where):
    x, y = blobs(2000)
    bad = y.copy()
    bad[1777] = 7
    if where == "validation":
        refused("row 1777", x, y, validation=(x, bad))
    else:
        refused("row 1777", x, bad, **({"validation": 0.5} if where == "fraction" else {}))


@pytest.mark.parametrize(
    ("validation", "error"),
    [
        (lambda x, y: (x[:, :1], y), modnet.ShapeError),
        (lambda x, y: (x, np.eye(3)[y]), modnet.ShapeError),
        (lambda x, y: (x, y[:, None, None]), modnet.ShapeError),
        (lambda x, y: (x, y[:-1]), modnet.DataError),
        (lambda x, y: (x, np.full((len(x), 2), 0.7)), modnet.DataError),
    ],
    ids=["width", "classes", "axes", "length", "sums"],
)
def test_a_validation_that_does_not_fit_is_known_before_the_first_step(validation, error):
    x, y = blobs(40)
    refused("", x, y, error=error, validation=validation(x, y))


def test_a_metric_that_cannot_take_the_validation_is_known_before_the_first_step():
    layers = [{"type": "linear", "out_features": 1}, "sigmoid"]
    spec = {"network": {"input": [2], "layers": layers}, "training": {"loss": "binary_cross_entropy"}}
    x, y = blobs(40)
    refused("validation data: r2", x, y[:, None], spec, modnet.ShapeError, metrics=["r2"], validation=(x, y))


def test_an_id_that_is_none_is_named_with_its_row():
    layers = [
        {"type": "embedding", "vocabulary_size": 5, "embedding_size": 2},
        "flatten",
        {"type": "linear", "out_features": 1},
    ]
    spec = {"network": {"input": [3], "layers": layers}, "training": {"loss": "mse"}}
    x = np.random.default_rng(0).integers(0, 5, (60, 3))
    y = x[:, :1] * 1.0
    for value in (5, -1):
        bad = x.copy()
        bad[44, 1] = value
        refused("training data, row 44", bad, y, spec)
        refused("validation data, row 44", x, y, spec, validation=(bad, y))
    halves = x + 0.0
    halves[21, 0] = 0.5
    refused("training data, row 21", halves, y, spec)


@pytest.mark.parametrize("fault", ["label", "nan"])
def test_a_list_of_batches_is_looked_over_too(fault):
    x, y = blobs(64)
    batches = [(x[i : i + 16].copy(), y[i : i + 16].copy()) for i in range(0, 64, 16)]
    if fault == "label":
        batches[2][1][5] = 7
    else:
        batches[2][0][5] = np.nan
    refused("training data, batch 2: ", batches)


def test_rows_that_do_not_belong_to_the_data_may_hold_anything():
    x, y = blobs(40)
    x[9] = np.nan
    rows = np.delete(np.arange(40), 9)
    data = Dataset({"input": x}, {"output": y}, rows=rows)
    modnet.train(modnet.build(SPEC), data, epochs=1)


class Fill(modnet.Layer, type="fill"):
    """Takes 0 for nan."""

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        return np.nan_to_num(x)

    def backward(self, context, gradient):
        return gradient


def test_a_network_that_can_take_nan_is_given_it():
    spec = {**SPEC, "network": {**SPEC["network"], "layers": [Fill(), *SPEC["network"]["layers"]]}}
    x, y = blobs(40)
    x[9, 0] = np.nan
    history = modnet.train(modnet.build(spec), x, y, epochs=1)
    assert np.isfinite(history["loss"][0])


def test_looking_over_the_data_changes_no_byte_of_the_training(monkeypatch):
    x, y = blobs(80)
    layers = [
        SPEC["network"]["layers"][0],
        "batch_norm",
        {"type": "dropout", "rate": 0.2},
        *SPEC["network"]["layers"][1:],
    ]
    spec = {**SPEC, "network": {**SPEC["network"], "layers": layers}}
    one, two = modnet.build(spec), modnet.build(spec)
    modnet.train(one, x, y, validation=0.25)
    monkeypatch.setattr("modnet.training.train.look_over", lambda *arguments: None)
    modnet.train(two, x, y, validation=0.25)
    assert one.parameters.flat.tobytes() == two.parameters.flat.tobytes()
    assert one.state.flat.tobytes() == two.state.flat.tobytes()


def test_a_large_mapped_file_is_not_read_for_this(tmp_path, monkeypatch):
    monkeypatch.setattr("modnet.datasets.unusual.MOST_MAPPED", 100)
    x, y = blobs(40)
    x[30, 0] = np.nan
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with np.errstate(all="ignore"), pytest.raises(modnet.Diverged):
        modnet.train(modnet.build(SPEC), mapped, y, epochs=1)


STANDARDIZED = {**SPEC, "network": {**SPEC["network"], "layers": ["standardize", *SPEC["network"]["layers"]]}}


@pytest.mark.parametrize("row", [3, 150])
@pytest.mark.parametrize(
    ("value", "what"), [(np.nan, "contains nan in row {}, so"), (1e39, "feature 1: found 1e+39 in row {}, beyond")]
)
def test_the_row_is_named_where_a_layer_learns_from_the_data_first(row, value, what):
    x, y = blobs(200)
    x = x.astype(np.float64)
    x[row, 1] = value
    refused(what.format(row), x, y, STANDARDIZED)
    refused(what.format(row), x, y, SPEC)


def test_data_from_a_file_are_called_as_the_file_is_and_its_rows_are():
    x, y = blobs(40)
    names = {"name": "points.csv", "row_names": lambda row: f"row {row + 1} (line {row + 2})"}
    bad = y.copy()
    bad[20] = 7
    rows = np.arange(40)[::-1].copy()
    expected = re.escape("points.csv: expected labels that are whole numbers from 0 to ")
    for arrays in (
        Dataset({"input": x}, {"output": bad}, **names),
        Dataset({"input": x}, {"output": bad}, rows=rows, **names),
    ):
        with pytest.raises(modnet.DataError, match=f"^{expected}.* found 7 in row 21 \\(line 22\\)"):
            modnet.train(modnet.build(SPEC), arrays, epochs=1)
        with pytest.raises(modnet.DataError, match=f"^{expected}.* found 7 in row 21 \\(line 22\\)"):
            modnet.train(modnet.build(SPEC), x, y, epochs=1, validation=arrays)
        with pytest.raises(modnet.DataError, match=f"^{expected}.* found 7 in row 21 \\(line 22\\)"):
            modnet.evaluate(modnet.build(SPEC), arrays)
    x[20, 0] = np.nan
    arrays = Dataset({"input": x}, {"output": y}, rows=rows, **names)
    refused('points.csv: input "input" contains nan in row 21 (line 22), so the loss is not finite', arrays)


STEPS = {
    "network": {"input": [5, 2], "layers": [{"type": "linear", "out_features": 3}, "softmax"]},
    "training": {"loss": "cross_entropy", "metrics": ["accuracy"]},
}


@pytest.mark.parametrize("form", ["arrays", "list"])
def test_a_label_at_a_step_of_weight_0_may_be_anything(form):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 5, 2)), rng.integers(0, 3, (40, 5))
    weights = np.ones((40, 5))
    y[:, 3:], weights[:, 3:] = -100, 0
    weights[2] = 0
    data = (x, y) if form == "arrays" else ([(x, y, weights)], None)
    arguments = {"sample_weights": weights} if form == "arrays" else {}
    assert np.isfinite(modnet.train(modnet.build(STEPS), *data, epochs=1, **arguments)["loss"][0])
    y[33, 1] = 7
    message = "expected labels that are whole numbers from 0 to 2, for 3 classes, found 7 in {}, step 1"
    if form == "arrays":
        refused(f"training data: {message.format('row 33')}", *data, STEPS, **arguments)
    else:
        refused(message.format("sample 33 of the batch"), *data, STEPS)


def test_numbers_that_only_the_types_of_the_network_cannot_hold_are_found_among_many_rows():
    spec = {"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}, "training": {"loss": "mse"}}
    x = np.random.default_rng(0).normal(size=(300_000, 2))
    y = x[:, :1].copy()
    x[277_000, 1] = 1e300
    refused('training data: input "input", feature 1: found 1e+300 in row 277000', x, y, spec)
    x[277_000, 1] = 0.0
    y[299_999, 0] = np.inf
    refused('training data: the target of "output" contains an infinite number in row 299999', x, y, spec)


def test_a_row_without_a_weight_hides_none_of_those_behind_it():
    spec = {"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}, "training": {"loss": "mse"}}
    x, _ = blobs(40)
    y, weights = x[:, :1].copy(), np.ones(40)
    x[11], x[30, 1], weights[11] = np.inf, np.nan, 0.0
    refused('training data: input "input" contains nan in row 30', x, y, spec, sample_weights=weights)


def test_looking_over_takes_little_memory_beside_the_data():
    spec = {"network": {"input": [100], "layers": [{"type": "linear", "out_features": 100}]}}
    network = modnet.build({**spec, "training": {"loss": "mse"}})
    x = np.ones((100_000, 100), np.float32)
    objective = Objective(network, network.card.training)
    batches = Dataset({"input": x}, {"output": x}).batches(1000)
    evaluation = Evaluation(network, objective)
    tracemalloc.start()
    try:
        look_over(evaluation, batches, "training data")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20 < x.nbytes
    finally:
        tracemalloc.stop()

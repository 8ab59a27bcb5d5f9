"""Everything that a caller can give becomes a Dataset or a stream of batches, and nothing else makes batches."""

import re

import numpy as np
import pytest

import modnet
from modnet import Dataset
from modnet.data.split import split
from modnet.data.table import Table
from modnet.datasets.stream import BatchStream

TWO_INPUTS = {
    "input": {"left": [2], "right": [3]},
    "layers": [
        {"type": "concatenate", "inputs": ["left", "right"]},
        {"type": "linear", "name": "kind", "out_features": 3},
        {"type": "linear", "name": "size", "out_features": 1, "inputs": ["concatenate_1"]},
    ],
    "outputs": ["kind", "size"],
}


@pytest.fixture
def network():
    return modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})


@pytest.fixture
def two_inputs():
    return modnet.build({"network": TWO_INPUTS})


def test_arrays_get_the_names_of_the_network(network):
    data = Dataset.of(network, [[1, 2], [3, 4]], [[5], [6]], [1, 0.5])
    assert data.inputs["input"].tolist() == [[1, 2], [3, 4]]
    assert data.targets["output"].tolist() == [[5], [6]]
    assert data.weights.dtype == network.dtype
    assert len(data) == 2
    assert data.row_name(1) == "row 1"


def test_inputs_stand_in_the_order_of_the_network(two_inputs):
    x = {"right": np.ones((4, 3)), "left": np.zeros((4, 2))}
    data = Dataset.of(two_inputs, x, {"size": np.ones(4)}, outputs=["size"])
    assert list(data.inputs) == ["left", "right"]
    again = Dataset.of(two_inputs, Dataset(x, {"size": np.ones(4)}, rows=np.array([2, 0])), outputs=["size"])
    assert list(again.inputs) == ["left", "right"]
    (batch,) = again.batches(10).epoch()
    assert [array.shape for array in batch.inputs] == [(2, 2), (2, 3)]


@pytest.mark.parametrize(
    ("x", "y", "more", "message"),
    [
        (np.ones((2, 2)), None, {}, "expected x and y, or an iterable of batches (x, y)"),
        (np.ones((2, 2)), np.ones((2, 1)), {"steps": 3}, "steps_per_epoch is only for streams of batches"),
        (Dataset({"input": np.ones((2, 2))}), np.ones(2), {}, "y cannot be given with a Dataset"),
        (
            Dataset({"input": np.ones((2, 2))}),
            None,
            {"weights": [1, 1]},
            "sample_weights cannot be given with a Dataset",
        ),
        (Dataset({"input": np.ones((2, 2))}), None, {"steps": 1}, "steps_per_epoch cannot be given with a Dataset"),
        ([], None, {"weights": [1]}, "sample weights of a stream come with its batches"),
        (np.ones((2, 2)), np.ones((2, 1)), {"outputs": []}, "found targets, but no loss takes one"),
        (Table({"a": ["1"]}, "t.csv"), None, {}, "t.csv: found a table, but the network was not trained on one"),
    ],
)
def test_what_would_act_on_nothing_is_refused(network, x, y, more, message):
    with pytest.raises(modnet.DataError, match=re.escape(message)):
        Dataset.of(network, x, y, **more)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": {"output": np.ones(3)}}, '4 samples, but 3 targets (output "output")'),
        ({"rows": np.array([], int)}, "there are no samples"),
        ({"weights": np.ones(3)}, "expected shape (4,), a weight for each sample"),
        ({"weights": np.array([1, 1, -1, 1])}, "expected finite numbers >= 0, found -1 in row 2"),
        ({"weights": np.array([1, 0, 0, 0]), "rows": np.array([1, 2])}, "all of these rows have weight 0"),
    ],
)
def test_batches_of_what_does_not_fit_together_are_refused(arguments, message):
    with pytest.raises(modnet.DataError, match=re.escape(message)):
        Dataset({"input": np.ones((4, 2))}, **arguments).batches(2)


def test_whatever_comes_in_batches_is_a_stream(network):
    batches = [(np.ones((2, 2)), np.ones((2, 1))), (np.ones((3, 2)), np.ones((3, 1)), np.ones(3))]
    for source in (batches, iter(batches), lambda: iter(batches)):
        stream = Dataset.of(network, source)
        assert isinstance(stream, BatchStream)
        assert stream.batches(100) is stream
        assert [len(batch) for batch in stream.epoch()] == [2, 3]
    with pytest.raises(modnet.DataError, match="a fraction for validation needs arrays"):
        Dataset.of(network, batches).split(0.5, 0)


def test_a_table_becomes_the_numbers_on_which_the_network_was_trained(tmp_path):
    (tmp_path / "t.csv").write_text("size,kind\n1,a\n2,b\n3,a\n")
    spec = {
        "network": {"input": [1], "layers": [{"type": "linear", "out_features": 2}, "softmax"]},
        "training": {"loss": "cross_entropy"},
        "data": {"train": "t.csv", "target": "kind"},
    }
    network = modnet.build(spec)
    network.card = network.card.replace(schema=modnet.read_data(spec, folder=tmp_path).schema)
    data = Dataset.of(network, Table({"kind": ["b", "a"], "size": ["5", "6"]}, "new.csv", lines=[2, 3]))
    assert data.inputs["input"].tolist() == [[5], [6]]
    assert data.targets["output"].tolist() == [1, 0]
    assert data.classes == {"output": ("a", "b")}
    assert data.row_name(1) == "row 2 (line 3)"
    assert modnet.evaluate(network, Table({"kind": ["b"], "size": ["5"]}))["loss"] > 0


def test_a_part_of_a_part_shares_the_arrays():
    data = Dataset({"input": np.arange(10)}, {"output": np.arange(10)}, weights=np.ones(10), name="points.csv")
    part = data.take([8, 6, 4, 2]).take([3, 0])
    assert part.rows.tolist() == [2, 8]
    assert part.inputs["input"] is data.inputs["input"]
    assert (part.weights is data.weights, part.name) == (True, "points.csv")
    (batch,) = part.batches(5).epoch()
    assert batch.inputs[0].tolist() == batch.targets["output"].tolist() == [2, 8]


def test_a_split_is_that_of_the_classes():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    data = Dataset({"input": np.arange(100)}, {"score": np.linspace(0, 1, 100), "output": labels})
    train, validation = data.split(0.2, 3, ["output"])
    for part, rows in zip((train, validation), split(100, 0.2, 3, labels), strict=True):
        assert part.rows.tolist() == rows.tolist()
    assert np.bincount(labels[validation.rows]).tolist() == [12, 6, 2]
    plain, _ = data.split(0.2, 3)
    assert plain.rows.tolist() == split(100, 0.2, 3)[0].tolist()
    part, _ = data.take(range(50, 100)).split(0.2, 3, ["output"])
    assert set(part.rows) <= set(range(50, 100))


def test_a_class_with_one_row_has_its_name_in_the_warning():
    data = Dataset({"input": np.arange(5)}, {"output": np.array([0, 0, 0, 0, 1])}, classes={"output": ("cat", "dog")})
    with pytest.warns(UserWarning, match=r'class "dog" has one row, which stays in training'):
        data.split(0.4, 0, ["output"])


def test_the_batches_of_an_epoch_are_in_the_same_buffers():
    data = Dataset({"input": np.arange(10.0)[:, None]})
    batches = data.batches(4)
    seen, addresses = [], set()
    for batch in batches.epoch(np.random.default_rng(0)):
        seen += batch.inputs[0][:, 0].tolist()
        addresses.add(batch.inputs[0].ctypes.data)
    assert sorted(seen) == list(range(10))
    assert len(addresses) == 1
    assert batches.steps == 3
    assert [len(batch) for batch in batches.from_beginning()] == [4, 4, 2]


def test_an_epoch_without_its_last_small_batch_leaves_out_other_rows_each_time():
    x = np.arange(11.0)[:, None]
    batches = Dataset({"input": x}, {}).batches(4, drop_last=True)
    rng = np.random.default_rng(0)
    seen = [np.sort(np.concatenate([batch.rows for batch in batches.epoch(rng)])) for _ in range(3)]
    assert batches.steps == 2
    assert [len(rows) for rows in seen] == [8, 8, 8]
    assert len({rows.tobytes() for rows in seen}) == 3
    assert [len(batch) for batch in batches.epoch(skip=1)] == [4]
    assert [len(batch) for batch in batches.from_beginning()] == [4, 4, 3]  # what is learnt before training is of all
    assert [len(batch) for batch in Dataset({"input": x}, {}).batches(12, drop_last=True).epoch()] == [11]


def test_a_training_without_last_batches_takes_that_many_steps():
    network = modnet.build({"network": {"input": [1], "layers": [{"type": "linear", "out_features": 1}]}}, seed=0)
    steps = []

    class Count(modnet.Callback):
        def modnet_epoch_ended(self, run):
            steps.append(run.step)

    x = np.arange(11.0)[:, None]
    modnet.train(network, x, x, loss="mse", batch_size=4, drop_last=True, epochs=3, callbacks=[Count()])
    assert steps == [2, 4, 6]

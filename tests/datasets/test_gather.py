"""The order of the rows in an epoch, and copying them together, from memory and from mapped files."""

import numpy as np
import pytest

from modnet import Dataset


def test_shuffled_epochs_see_every_sample_once():
    rows = np.arange(10)
    batches = Dataset({"input": rows[:, None]}, {"output": rows}, rows=rows[::2]).batches(4)
    seen = [int(v) for batch in batches.epoch(np.random.default_rng(0)) for v in batch.inputs[0][:, 0]]
    assert sorted(seen) == [0, 2, 4, 6, 8]
    assert seen != sorted(seen)


def test_a_mapped_file_is_shuffled_by_blocks_and_every_row_is_seen_once(tmp_path, monkeypatch):
    monkeypatch.setattr("modnet.datasets.gather.BLOCK", 80)
    monkeypatch.setattr("modnet.datasets.gather.MIXED", 3)
    np.save(tmp_path / "x.npy", np.arange(100.0)[:, None])
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = Dataset({"input": mapped}, {"output": np.arange(100)}).batches(7)
    rng = np.random.default_rng(0)
    epochs = [[int(v) for batch in batches.epoch(rng) for v in batch.inputs[0][:, 0]] for _ in range(2)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(100))] * 2
    assert epochs[0] != epochs[1]
    first = {row // 10 for row in epochs[0][:30]}
    assert len(first) == 3  # thirty rows from three blocks of ten
    assert epochs[0][:10] != sorted(epochs[0][:10])


@pytest.mark.parametrize("rows", [None, np.arange(0, 100, 3)], ids=["all rows", "some"])
@pytest.mark.parametrize("batch_size", [1, 7, 45, 200])
def test_what_is_skipped_is_drawn_all_the_same(tmp_path, monkeypatch, batch_size, rows):
    monkeypatch.setattr("modnet.datasets.gather.BLOCK", 80)
    monkeypatch.setattr("modnet.datasets.gather.MIXED", 3)
    np.save(tmp_path / "x.npy", np.arange(100.0)[:, None])
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = Dataset({"input": mapped}, rows=rows).batches(batch_size)

    def epoch(skip):
        rng = np.random.default_rng(0)
        found = [batch.inputs[0].tolist() for batch in batches.epoch(rng, skip)]
        return found, rng.bit_generator.state

    whole, state = epoch(0)
    assert [len(batch) for batch in whole[:-1]] == [batch_size] * (batches.steps - 1)
    for skip in range(batches.steps + 1):
        assert epoch(skip) == (whole[skip:], state)


def test_arrays_in_any_order_of_memory_give_the_same_batches(tmp_path):
    x = np.random.default_rng(0).random((50, 6))
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    orders = [x, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], np.load(tmp_path / "x.npy", mmap_mode="r")]
    for array in orders:
        for rng in (None, np.random.default_rng(1)):
            expected = x if rng is None else x[np.random.default_rng(1).permutation(50)]
            batches = Dataset({"input": array}).batches(8)
            found = np.concatenate([batch.inputs[0].copy() for batch in batches.epoch(rng)])
            if rng is None or not isinstance(array, np.memmap):
                np.testing.assert_array_equal(found, expected)
            else:
                np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(x, axis=0))

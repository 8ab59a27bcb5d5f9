import numpy as np
import pytest

from modnet import DataError
from modnet.layers.row_sample import RowSample, sample_rows


def batches(rows, size):
    return [(rows[start : start + size], None) for start in range(0, len(rows), size)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_few_rows_are_all_kept(size):
    rows = np.random.default_rng(0).standard_normal((50, 3))
    sample = sample_rows(batches(rows, size), 3, np.dtype("float32"), "here", 50)
    assert sample.count == 50
    np.testing.assert_array_equal(sample.rows(), rows)


def test_of_many_rows_each_has_the_same_chance():
    kept = np.zeros(400)
    for start in range(400):
        sample = RowSample(1, most=100)
        for part in np.array_split(np.roll(np.arange(400.0), start)[:, None], 9):
            sample.add(part)
        assert sample.count == 400
        kept[np.unique(sample.rows()).astype(int)] += 1
    assert kept.sum() == 400 * 100
    assert np.abs(kept - 100).max() < 45  # five deviations of a binomial count


def test_a_mask_leaves_rows_out_and_what_is_not_finite_is_named():
    rows = np.array([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    mask = np.array([[True, True, False], [True, False, False]])
    sample = sample_rows([(rows, mask)], 1, np.dtype("float32"), "here")
    assert sample.rows()[:, 0].tolist() == [1.0, 2.0, 4.0]
    with pytest.raises(DataError, match="here: expected finite numbers that float32 can hold, found 1e"):
        sample_rows([(np.array([[1e300]]), None)], 1, np.dtype("float32"), "here")

"""Setting rows aside for validation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.split import can_stratify, split
from modnet.errors import DataError

fractions = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)
seeds = st.integers(0, 2**32)


@given(rows=st.integers(2, 300), fraction=fractions, seed=seeds, classes=st.integers(0, 5))
def test_the_parts_are_disjoint_complete_sorted_and_seeded(rows, fraction, seed, classes):
    labels = np.random.default_rng(seed).integers(classes, size=rows) if classes else None
    train, validation = split(rows, fraction, seed, labels)
    assert sorted([*train, *validation]) == list(range(rows))
    for part in (train, validation):
        assert list(part) == sorted(part)
    assert len(validation) == min(max(int(rows * fraction + 0.5), 1), rows - 1)
    again = split(rows, fraction, seed, labels)
    np.testing.assert_array_equal(validation, again[1])


@given(counts=st.lists(st.integers(2, 60), min_size=1, max_size=6), fraction=fractions, seed=seeds)
def test_each_class_gives_its_share_to_within_one_row(counts, fraction, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)) * 7 - 3, counts))
    _, validation = split(len(labels), fraction, seed, labels)
    shares = [(labels[validation] == value).sum() for value in np.unique(labels)]
    for count, share in zip(counts, shares, strict=True):
        assert abs(share - count * len(validation) / len(labels)) < 1


def test_another_seed_gives_other_rows():
    assert list(split(1000, 0.1, seed=0)[1]) != list(split(1000, 0.1, seed=1)[1])


def test_a_class_of_one_row_makes_the_split_plain():
    labels = np.array([0] * 9 + [1])
    assert not can_stratify(labels)
    np.testing.assert_array_equal(split(10, 0.5, 3, labels)[1], split(10, 0.5, 3)[1])


@pytest.mark.parametrize("rows", [0, 1])
def test_one_row_cannot_be_split(rows):
    with pytest.raises(DataError, match=f"expected at least 2 rows to set some aside for validation, found {rows}"):
        split(rows, 0.5, 0)

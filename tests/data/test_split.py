"""Setting rows aside for validation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.split import Classes, joint_classes, row_classes, split, warn_of_unseen
from modnet.errors import DataError

fractions = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)
seeds = st.integers(0, 2**32)


@pytest.mark.filterwarnings("ignore:class")
@given(rows=st.integers(2, 300), fraction=fractions, seed=seeds, classes=st.integers(0, 5))
def test_the_parts_are_disjoint_complete_sorted_and_seeded(rows, fraction, seed, classes):
    labels = np.random.default_rng(seed).integers(classes, size=rows) if classes else None
    train, validation = split(rows, fraction, seed, labels)
    assert sorted([*train, *validation]) == list(range(rows))
    for part in (train, validation):
        assert list(part) == sorted(part)
    # Each class keeps a row for training, unless none has two.
    kept = 1 if labels is None or len(np.unique(labels)) == rows else len(np.unique(labels))
    assert len(validation) == min(max(int(rows * fraction + 0.5), 1), rows - kept)
    again = split(rows, fraction, seed, labels)
    np.testing.assert_array_equal(validation, again[1])


@given(counts=st.lists(st.integers(2, 60), min_size=1, max_size=6), fraction=fractions, seed=seeds)
def test_each_class_gives_its_share_to_within_one_row(counts, fraction, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)) * 7 - 3, counts))
    _, validation = split(len(labels), fraction, seed, labels)
    shares = [(labels[validation] == value).sum() for value in np.unique(labels)]
    for count, share in zip(counts, shares, strict=True):
        exact = count * len(validation) / len(labels)
        assert share < count
        # A class may give more than its share where another keeps its last row for training.
        assert share > exact - 1 or share == count - 1
    if fraction < 0.5:
        assert max(shares) - max(counts) * len(validation) / len(labels) < 1 + len(counts)


def test_another_seed_gives_other_rows():
    assert list(split(1000, 0.1, seed=0)[1]) != list(split(1000, 0.1, seed=1)[1])


def test_the_draw_stays_what_it_was():
    assert split(20, 0.3, 5, np.arange(20) % 3)[1].tolist() == [1, 3, 4, 8, 12, 17]


def test_a_class_of_one_row_stays_in_training_and_the_others_are_stratified():
    labels = np.array([0] * 8 + [1] * 12 + [2])
    for seed in range(20):
        with pytest.warns(UserWarning, match='^class "rare" has one row, which stays in training; only the other'):
            train, validation = split(21, 0.25, seed, labels, ["a", "b", "rare"])
        assert 20 in train
        assert np.bincount(labels[validation]).tolist() == [2, 3]


def test_several_classes_of_one_row_are_named():
    with pytest.warns(UserWarning, match="^classes 1, 2, 3, 4, 5, ... .7 in all. have one row each, which stay in"):
        split(17, 0.25, 0, np.array([0] * 10 + [*range(1, 8)]))


def test_a_class_keeps_a_row_for_training_whatever_the_fraction():
    labels = np.repeat([0, 1, 2], [2, 3, 45])
    train, validation = split(50, 0.9, 0, labels)
    assert len(validation) == 45
    assert sorted(set(labels[train].tolist())) == [0, 1, 2]
    train, validation = split(50, 0.99, 0, labels)
    assert labels[train].tolist() == [0, 1, 2]


def test_classes_that_are_all_different_leave_a_plain_draw():
    np.testing.assert_array_equal(split(10, 0.5, 3, np.arange(10))[1], split(10, 0.5, 3)[1])


def test_the_rows_of_many_classes_are_looked_at_once(monkeypatch):
    looked_at = []
    real = np.flatnonzero
    monkeypatch.setattr(np, "flatnonzero", lambda x: (looked_at.append(len(x)), real(x))[1])
    split(4000, 0.25, 0, np.arange(4000) % 1000)
    assert len(looked_at) == 2


@pytest.mark.parametrize(
    ("target", "takes_labels", "expected"),
    [
        (np.array([2, 0, 1]), True, [2, 0, 1]),
        (np.array([[0.1, 0.9], [0.8, 0.2]]), True, [1, 0]),
        (np.array([[0, 1], [1, 0]]), True, [1, 0]),
        (np.array([[3, 1, 2], [0, 1, 0]]), True, None),  # labels of the steps of sequences
        (np.zeros((2, 3, 4)), True, None),
        (np.array([[1.0], [0.0], [1.0]]), False, [1, 0, 1]),
        (np.array([-1.0, 1.0]), False, [-1, 1]),
        (np.array([True, False]), False, [1, 0]),
        (np.array([0.0, 1.0, 0.5]), False, None),
        (np.array([1.0, 1.0]), False, None),
        (np.array([0.0, np.nan, 1.0]), False, None),
        (np.array([[0.0, 1.0], [1.0, 1.0]]), False, None),  # several labels for each row
        (np.zeros((0, 1)), False, None),
    ],
)
def test_which_targets_are_classes(target, takes_labels, expected):
    labels = row_classes(target, takes_labels)
    assert (None if labels is None else labels.tolist()) == expected


def test_classes_that_only_the_validation_has_are_named():
    with pytest.warns(
        UserWarning, match='^output species: class "rare": no row in the training data, only in validation'
    ):
        warn_of_unseen("species", np.array([0, 1]), np.array([2, 0]), ["a", "b", "rare"])
    warn_of_unseen("species", np.array([0, 1, 2]), np.array([2, 0]))


@pytest.mark.parametrize("rows", [0, 1])
def test_one_row_cannot_be_split(rows):
    with pytest.raises(DataError, match=f"expected at least 2 rows to set some aside, found {rows}"):
        split(rows, 0.5, 0)


def test_of_several_outputs_the_combinations_are_stratified_where_each_has_rows_enough():
    first, second = np.arange(120) % 2, np.arange(120) // 40
    joint = joint_classes([Classes(first, ["a", "b"]), Classes(second, None)])
    assert len(np.unique(joint.labels)) == 6
    assert joint.names is None
    chosen = split(120, 0.2, 0, *joint)[1]
    assert np.unique(first[chosen] * 3 + second[chosen], return_counts=True)[1].tolist() == [4] * 6
    rare = np.r_[np.zeros(119), 1]
    assert joint_classes([Classes(first, ["a", "b"]), Classes(rare)]).names == ["a", "b"]
    assert joint_classes([]).labels is None

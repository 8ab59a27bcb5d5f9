"""Folds of rows, compared with those of scikit-learn."""

import numpy as np
import pytest

from modnet.datasets.folds import group_folds, member_folds, random_folds, time_folds
from modnet.errors import DataError


def check(folds, rows):
    """Each row is measured once, and trained on everywhere else."""
    assert np.array_equal(np.sort(np.concatenate([fold.test for fold in folds])), np.arange(rows))
    for fold in folds:
        assert np.array_equal(np.sort(np.concatenate(fold)), np.arange(rows))
        assert (np.diff(fold.train) > 0).all()
        assert (np.diff(fold.test) > 0).all()


@pytest.mark.parametrize(("rows", "count"), [(10, 2), (103, 5), (7, 7)])
def test_random_folds_are_equally_large(rows, count):
    folds = random_folds(rows, count, 0)
    check(folds, rows)
    sklearn = pytest.importorskip("sklearn.model_selection")
    theirs = [len(test) for _, test in sklearn.KFold(count).split(np.zeros(rows))]
    assert sorted(len(fold.test) for fold in folds) == sorted(theirs)


def test_the_seed_and_the_repeat_decide():
    draws = [random_folds(50, 5, seed, repeat)[0].test.tolist() for seed, repeat in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert draws[0] == draws[1]
    assert len(set(map(tuple, draws))) == 3


@pytest.mark.parametrize("counts", [(50, 30, 23), (100, 4, 3), (5, 5), (9, 1, 1, 1)])
def test_classes_are_shared_out_as_by_scikit_learn(counts):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    folds = random_folds(len(labels), 5, 3, labels=labels)
    check(folds, len(labels))
    of_class = np.array([np.bincount(labels[fold.test], minlength=len(counts)) for fold in folds])
    assert np.ptp(of_class, axis=0).max() <= 1
    assert np.ptp(of_class.sum(axis=1)) <= 1
    sklearn = pytest.importorskip("sklearn.model_selection")
    with pytest.warns(UserWarning, match="least populated") if min(counts) < 5 else np.errstate():
        splits = list(sklearn.StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels))
    theirs = np.array([np.bincount(labels[test], minlength=len(counts)) for _, test in splits])
    assert np.array_equal(np.sort(of_class, axis=0), np.sort(theirs, axis=0))


@pytest.mark.parametrize("seed", range(3))
def test_groups_stay_together(seed):
    rng = np.random.default_rng(seed)
    groups = np.unique(rng.zipf(1.7, 400) % 40, return_inverse=True)[1]
    folds = group_folds(groups, 4, seed)
    check(folds, len(groups))
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.test])
    assert folds[0].test.tolist() != group_folds(groups, 4, seed, repeat=1)[0].test.tolist()
    # As nearly of one size as the greedy deal of scikit-learn, which begins with the largest group.
    sklearn = pytest.importorskip("sklearn.model_selection")
    theirs = [len(test) for _, test in sklearn.GroupKFold(4).split(groups, groups=groups)]
    assert max(len(fold.test) for fold in folds) <= max(theirs) + 0.05 * len(groups)


@pytest.mark.parametrize(("rows", "count"), [(10, 3), (103, 5), (12, 2), (6, 5)])
def test_time_goes_forward_as_in_scikit_learn(rows, count):
    order = np.random.default_rng(1).permutation(rows)
    folds = time_folds(order * 1.5, count)
    sklearn = pytest.importorskip("sklearn.model_selection")
    for fold, (train, test) in zip(folds, sklearn.TimeSeriesSplit(count).split(np.zeros(rows)), strict=True):
        assert sorted(order[fold.train].tolist()) == train.tolist()
        assert sorted(order[fold.test].tolist()) == test.tolist()


def test_rows_of_one_time_stay_together():
    days = np.array(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[us]")
    times = np.repeat(days, [1, 30, 2, 2])
    folds = time_folds(times, 3)
    assert [len(fold.train) for fold in folds] == [1, 31, 33]
    for fold in folds:
        assert times[fold.train].max() < times[fold.test].min()


def test_the_first_block_has_two_times_where_it_is_to_be_parted():
    times = np.repeat([1, 2, 3, 4], [30, 1, 1, 1])
    assert [len(fold.train) for fold in time_folds(times, 2)] == [30, 31]
    assert [len(fold.train) for fold in time_folds(times, 2, first=2)] == [31, 32]


def test_each_row_is_in_the_fold_of_one_member():
    labels = np.repeat([0, 1], [30, 10])
    folds = member_folds(40, 5, 0, labels)
    assert np.bincount(folds).tolist() == [8] * 5
    assert np.bincount(folds[labels == 1]).tolist() == [2] * 5
    groups = np.arange(40) // 4
    found = member_folds(40, 5, 0, groups=groups)
    assert np.bincount(found).tolist() == [8] * 5
    assert all(len(set(found[groups == group].tolist())) == 1 for group in range(10))
    assert found.tolist() == member_folds(40, 5, 0, groups=groups + 7).tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: random_folds(4, 5, 0), "found 4 rows; expected at least 5, one for each fold"),
        (lambda: group_folds(np.array([0, 0, 1]), 3, 0), "found 2 groups; expected at least 3"),
        (lambda: member_folds(40, 1, 0), "member_folds is for an ensemble, and the network has one member"),
        (lambda: member_folds(4, 5, 0), "found 4 rows; expected at least 5"),
        (lambda: member_folds(4, 3, 0, groups=np.array([0, 0, 9, 9])), "found 2 groups; expected at least 3"),
        (lambda: time_folds(np.array([1, 2, 3, 4]), 3, first=2), "expected at least 5 different ones"),
        (lambda: time_folds(np.array([1, 1, 2, 3]), 3), "found 3 times in 4 rows; expected at least 4 different ones"),
    ],
)
def test_too_little_is_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()

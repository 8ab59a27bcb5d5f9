"""Parts to train on, to validate with and to test on."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.split import split
from modnet.datasets.parts import Shares, group_parts, random_parts, time_parts
from modnet.errors import DataError

shares = st.one_of(
    st.builds(Shares, st.floats(0.01, 0.6), st.none()),
    st.builds(Shares, st.none(), st.floats(0.01, 0.6)),
    st.builds(Shares, st.floats(0.01, 0.45), st.floats(0.01, 0.45)),
)
seeds = st.integers(0, 2**32)


def check(parts, rows, asked):
    """The parts are there that are asked for, disjoint, complete, sorted and not empty."""
    given_parts = [part for part in parts if part is not None]
    assert sorted(np.concatenate(given_parts)) == list(range(rows))
    assert [part is not None for part in parts[1:]] == [share is not None for share in asked]
    assert all(len(part) and list(part) == sorted(part) for part in given_parts)


@pytest.mark.filterwarnings("ignore:class")
@given(rows=st.integers(3, 300), asked=shares, seed=seeds, classes=st.integers(0, 4))
def test_drawn_parts(rows, asked, seed, classes):
    labels = np.random.default_rng(seed).integers(classes, size=rows) if classes else None
    parts = random_parts(rows, asked, seed, labels)
    check(parts, rows, asked)
    again = random_parts(rows, asked, seed, labels)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True) if a is not None)
    if classes == 0:
        for part, share in zip(parts[1:], asked, strict=True):
            assert share is None or abs(len(part) - rows * share) <= 1


def test_a_test_part_leaves_the_validation_rows_as_they_are():
    labels = np.arange(200) % 3
    with_test = random_parts(200, Shares(0.2, 0.1), 5, labels)
    np.testing.assert_array_equal(with_test.validation, split(200, 0.2, 5, labels)[1])
    np.testing.assert_array_equal(random_parts(200, Shares(0.2), 5, labels).validation, with_test.validation)
    assert np.bincount(labels[with_test.test]).tolist() == [7, 7, 6]


def test_a_rare_class_is_warned_of_once():
    labels = np.array([0] * 30 + [1])
    with pytest.warns(UserWarning, match="one row") as caught:
        random_parts(31, Shares(0.2, 0.2), 0, labels)
    assert len(caught) == 1


@given(sizes=st.lists(st.integers(1, 20), min_size=3, max_size=60), asked=shares, seed=seeds)
def test_groups_stay_together(sizes, asked, seed):
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = group_parts(groups, asked, seed)
    check(parts, len(groups), asked)
    of_part = [set(groups[part].tolist()) for part in parts if part is not None]
    assert sum(map(len, of_part)) == len(sizes)
    again = group_parts(groups, asked, seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True) if a is not None)


def test_parts_of_groups_are_nearer_to_the_size_than_scikit_learns():
    selection = pytest.importorskip("sklearn.model_selection")
    rng = np.random.default_rng(0)
    ours, theirs = [], []
    for seed in range(20):
        groups = np.repeat(np.arange(30), rng.integers(1, 60, 30))
        wanted = 0.2 * len(groups)
        ours.append(abs(len(group_parts(groups, Shares(0.2), seed).validation) - wanted))
        splitter = selection.GroupShuffleSplit(n_splits=1, test_size=0.2, random_state=seed)
        theirs.append(abs(len(next(splitter.split(groups, groups=groups))[1]) - wanted))
    assert max(ours) <= 3
    assert np.mean(ours) < np.mean(theirs) / 5


def test_many_groups_are_dealt_quickly_and_other_seeds_give_others():
    groups = np.arange(200_000) // 2
    first, other = (group_parts(groups, Shares(0.1), seed).validation for seed in (0, 1))
    assert len(first) == len(other) == 20_000
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("groups", "asked"), [(1, Shares(0.2)), (2, Shares(0.2, 0.2))])
def test_too_few_groups(groups, asked):
    with pytest.raises(DataError, match=rf"found {groups} groups?; expected at least {asked.parts}"):
        group_parts(np.arange(20) % groups, asked, 0)


@given(times=st.lists(st.integers(0, 40), min_size=3, max_size=200), asked=shares)
def test_later_rows_are_later_parts(times, asked):
    times = np.array(times)
    if len(np.unique(times)) < asked.parts:
        with pytest.raises(DataError, match="expected at least"):
            time_parts(times, asked)
        return
    parts = time_parts(times, asked)
    check(parts, len(times), asked)
    in_order = [times[part] for part in parts if part is not None]
    for before, after in pairwise(in_order):
        assert before.max() < after.min()


def test_without_ties_the_parts_have_the_sizes_that_are_asked_for():
    times = np.random.default_rng(0).permutation(100).astype("datetime64[D]")
    parts = time_parts(times, Shares(0.2, 0.1))
    assert [len(part) for part in parts] == [70, 20, 10]
    assert sorted(times[parts.test].astype(int)) == list(range(90, 100))

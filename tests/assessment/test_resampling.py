"""Resamples and intervals, compared with those of SciPy."""

import numpy as np
import pytest

from modnet.assessment.resampling import Interval, resampled, resamples_for


def test_the_interval_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, 80)
    y = x + rng.normal(0.2, 0.5, 80)

    def statistic(a, b, axis=-1):
        return np.mean(b**2, axis=axis) - np.mean(a**2, axis=axis)

    theirs = stats.bootstrap(
        (x, y), statistic, paired=True, n_resamples=2000, method="percentile", random_state=np.random.default_rng(0)
    )
    drawn = resampled(lambda rows: np.array([statistic(x[rows], y[rows])]), 80, 2000, 0)
    ours = Interval.of(drawn[:, 0])
    # Both draw the same rows from the same generator.
    assert ours[:2] == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)
    assert np.sort(drawn[:, 0]) == pytest.approx(np.sort(theirs.bootstrap_distribution), rel=1e-9)


def test_whole_groups_are_drawn():
    groups = np.repeat([0, 1, 2], [1, 5, 3])
    drawn = []

    def count(rows):
        drawn.append(rows)
        return np.array([len(rows)])

    resampled(count, 9, 50, 0, groups)
    for rows in drawn:
        counts = np.bincount(rows, minlength=9)
        assert all(len(set(counts[groups == group])) == 1 for group in range(3))
        assert counts[[0, 1, 6]].sum() == 3  # as many groups as there are
    assert len({len(rows) for rows in drawn}) > 1


def test_groups_that_agree_within_widen_the_interval():
    rng = np.random.default_rng(0)
    groups = np.arange(400) // 20
    values = rng.normal(0, 1, 20)[groups] + rng.normal(0, 0.1, 400)

    def mean(rows):
        return np.array([values[rows].mean()])

    widths = [np.ptp(Interval.of(resampled(mean, 400, 400, 0, given)[:, 0])[:2]) for given in (None, groups)]
    assert widths[1] > 3 * widths[0]


def test_figures_without_a_value_are_left_out_and_counted():
    low, high, undefined = Interval.of(np.array([np.nan, *np.linspace(0, 1, 101)]))
    assert (low, high, undefined) == (pytest.approx(0.025), pytest.approx(0.975), 1)
    assert Interval.of(np.array([np.nan]))[2] == 1


def test_how_many_resamples():
    assert [resamples_for(rows) for rows in (10, 10_000, 20_000, 10**7)] == [2000, 2000, 1000, 400]


def test_an_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for seed in range(200):
        values = rng.normal(1, 2, 60)
        drawn = resampled(lambda rows, values=values: np.array([values[rows].mean()]), 60, 200, seed)
        low, high, _ = Interval.of(drawn[:, 0])
        covered += low <= 1 <= high
    assert 0.88 <= covered / 200 <= 0.98
